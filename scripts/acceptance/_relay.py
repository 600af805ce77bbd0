"""What the relay runs share: relays, both ends, and the chain between."""

import json
import os
import signal
import subprocess
import threading

ORDERED = "ordered=key"


class Programs:
    """The built command and checker, and the run's log."""

    def __init__(self, ctx):
        folder = ctx.build("release", "relay_check", "tieline_cli")
        self.ctx = ctx
        self.tieline = folder / "tools" / "tieline"
        self.check = folder / "tests" / "acceptance" / "relay_check"

    def produce(self, url, count, keys, *more):
        """Starts sending messages 0 to count - 1; says on standard output how
        many it sent."""
        return self.ctx.spawn([self.check, "produce", url, "--count", count,
                               "--keys", keys, *more],
                              stdout=subprocess.PIPE, text=True)

    def verify(self, url, count, keys, idle, *more):
        """Starts comparing; its report is on standard output at the end."""
        return self.ctx.spawn([self.check, "verify", url, "--count", count,
                               "--keys", keys, "--idle", idle, *more],
                              stdout=subprocess.PIPE, text=True)

    def relay(self, source, target):
        return self.ctx.spawn([self.tieline, "relay", source, target,
                               "--quiet"])


def url(broker, entity, *parameters):
    """The entity's URL at a broker that ctx.broker started."""
    return (f"{broker['urls']['plain']}/{entity}?"
            + "&".join((ORDERED, *parameters)))


def finish(process, what):
    """Waits for a program that must end well."""
    if process.wait() != 0:
        raise RuntimeError(f"{what}: exit code {process.returncode}")


def end_early(produce, end, what):
    """Stops sending, and writes how many were sent for verify --end."""
    produce.terminate()
    out, _ = produce.communicate()
    if produce.returncode != 0:
        raise RuntimeError(f"{what}: exit code {produce.returncode}")
    fresh = end.with_suffix(".new")
    fresh.write_text(str(json.loads(out)["sent"]))
    fresh.rename(end)


def report_of(verify):
    """What verify printed."""
    out, _ = verify.communicate()
    if not out.strip():
        raise RuntimeError(f"verify: exit code {verify.returncode}, "
                           "and no report")
    return json.loads(out)


def stop(relay):
    """Stops a relay as an operator would; its exit code."""
    relay.terminate()
    return relay.wait(timeout=30)


class Victim:
    """A relay that is killed 2 s after each start's first relayed message, and
    started again, until it is told to leave it alone."""

    AFTER = 2.0

    def __init__(self, programs, source, target):
        self._programs = programs
        self._argv = [programs.tieline, "relay", source, target, "--json",
                      "--report-every", "200ms"]
        self._leave = threading.Event()
        self._end = threading.Event()
        self.kills = 0
        self.error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def leave(self):
        """No more kills from here on."""
        self._leave.set()

    def stop(self):
        """Stops the relay that runs in good order; returns its exit code."""
        self._leave.set()
        self._end.set()
        self._thread.join(timeout=60)
        if self.error is not None:
            raise self.error
        return self.code

    def _run(self):
        try:
            while True:
                relay = self._programs.ctx.spawn(self._argv,
                                                 stdout=subprocess.PIPE)
                if self._leave_or_relayed(relay):
                    self._end.wait()
                    self.code = stop(relay)
                    return
                os.kill(relay.pid, signal.SIGKILL)
                relay.wait()
                self.kills += 1
        except Exception as error:  # Told by stop().
            self.error = error

    def _leave_or_relayed(self, relay):
        """True when it is to be left alone; False 2 s after it relayed."""
        relayed = threading.Event()
        threading.Thread(target=_watch, args=(relay.stdout, relayed),
                         daemon=True).start()
        while not relayed.wait(0.05):
            if self._leave.is_set():
                return True
            if relay.poll() is not None:
                raise RuntimeError("a relay ended by itself: exit code "
                                   f"{relay.returncode}")
        return self._leave.wait(self.AFTER)


def _watch(lines, relayed):
    """Sets the event at the first report that says something was relayed, and
    reads on to the end."""
    for line in lines:
        try:
            report = json.loads(line)
        except ValueError:
            continue
        if report.get("out", 0) > 0:
            relayed.set()
