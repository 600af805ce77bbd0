"""tieline relay stopped with SIGTERM under full load, 100 times: a clean stop.

Exits 0 within 5 s each time, 0 lost; 0 duplicated from Kafka to Kafka; from
Artemis redelivered at most what was unsettled at a stop; the same on memory,
in process (a case of engine_test). Both ends are relay_check's: a producer that
fills the source all the while, and a verifier at the far end.
"""

import json
import random
import signal
import subprocess
import time

import _relay
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tools/", "tests/acceptance/",
           "tests/brokers/", "tests/engine/", "tests/support/")

KEYS = 1000
EXIT_WITHIN = 5.0
START_WITHIN = 60.0
CASE = "a route stopped under load a hundred times: 0 lost\\, 0 twice"


def reports(relay):
    """The relay's reports, as they come."""
    for line in relay.stdout:
        try:
            yield json.loads(line)
        except ValueError:
            continue


class Stops:
    """Starts a relay and stops it, again and again."""

    def __init__(self, programs, source, target, delays):
        self._argv = [programs.tieline, "relay", source, target, "--json",
                      "--report-every", "50ms"]
        self._ctx = programs.ctx
        self._delays = delays
        self.slowest = 0.0
        self.bad_exits = []
        self.unsettled = 0
        self.idle = 0

    def once(self):
        """One start and stop; how many messages it relayed."""
        relay = self._ctx.spawn(self._argv, stdout=subprocess.PIPE, text=True)
        until = time.monotonic() + START_WITHIN
        lines = reports(relay)
        for report in lines:
            if report["out"] > 0:
                break
            if time.monotonic() > until:
                self.idle += 1
                break
        time.sleep(self._delays.uniform(0, 0.2))
        begin = time.monotonic()
        relay.send_signal(signal.SIGTERM)
        total = {"in": 0, "out": 0}
        for report in lines:
            total = report
        try:
            relay.wait(timeout=60)
        except subprocess.TimeoutExpired:
            relay.kill()
            relay.wait()
        self.slowest = max(self.slowest, time.monotonic() - begin)
        if relay.returncode != 0:
            self.bad_exits.append(relay.returncode)
        self.unsettled += total["in"] - total["out"]
        return total["out"]


def leg(ctx, programs, name, source, target, stops, count):
    """One pair of brokers; the verifier's report and what the stops showed."""
    ctx.say(f"{name}: {count} messages, {stops} stops")
    end = ctx.temp / f"{name}.end"
    verify = programs.verify(target, count, KEYS, 120, "--no-large-bodies",
                             "--end", end)
    produce = programs.produce(source, count, KEYS, "--no-large-bodies")
    seen = Stops(programs, source, target, random.Random(1))
    relayed = []
    for i in range(stops):
        relayed.append(seen.once())
        if (i + 1) % 10 == 0:
            ctx.say(f"{name}: {i + 1} stops, {sum(relayed)} relayed")
    # While it still sends: a source that is full makes its producer wait.
    rest = programs.relay(source, target)
    _relay.end_early(produce, end, f"{name}: produce")
    report = _relay.report_of(verify)
    code = _relay.stop(rest)
    if code != 0:
        seen.bad_exits.append(code)
    return report, seen, relayed


def judge(name, report, seen, relayed, allowed):
    """Whether one leg met the target, its figure and its faults."""
    faults = [f"{name}: {fault}" for fault in report["faults"]]
    if report["lost"]:
        faults.append(f"{name}: {report['lost']} lost")
    if report["duplicates"] > allowed:
        faults.append(f"{name}: {report['duplicates']} duplicates, "
                      f"at most {allowed} allowed")
    if report["out_of_order"]:
        faults.append(f"{name}: {report['out_of_order']} out of order")
    if seen.bad_exits:
        faults.append(f"{name}: exit codes {seen.bad_exits}")
    if seen.slowest > EXIT_WITHIN:
        faults.append(f"{name}: a stop took {seen.slowest:.1f} s")
    if seen.idle or not all(relayed):
        faults.append(f"{name}: not under load at every stop")
    figure = (f"{len(relayed)} stops, slowest {seen.slowest:.2f} s, "
              f"{report['expected']} sent, {report['lost']} lost, "
              f"{report['duplicates']} duplicates ({allowed} allowed), "
              f"{report['out_of_order']} out of order")
    return figure, faults


def run(ctx):
    stops = 5 if ctx.short else 100
    per_stop = (20_000, 12_000)  # a stop's share: what keeps both sources full
    programs = _relay.Programs(ctx)
    tune = "test" if ctx.short else "bench"
    kafka = ctx.broker(f"kafka --tune {tune}")
    artemis = ctx.broker(f"artemis --max-delivery-attempts -1 --tune {tune}")
    figures, faults = {}, []
    report, seen, relayed = leg(
        ctx, programs, "Kafka -> Kafka",
        _relay.url(kafka, "stop-from", "group=relay", "member=relay-1",
                   "create=true"),
        _relay.url(kafka, "stop-to", "group=verify", "create=true"),
        stops, stops * per_stop[0])
    figures["Kafka -> Kafka"], more = judge("Kafka -> Kafka", report, seen,
                                            relayed, 0)
    faults += more
    report, seen, relayed = leg(
        ctx, programs, "Artemis -> Kafka", _relay.url(artemis, "stop"),
        _relay.url(kafka, "stop-amqp", "group=verify", "create=true"),
        stops, stops * per_stop[1])
    figures["Artemis -> Kafka"], more = judge(
        "Artemis -> Kafka", report, seen, relayed, seen.unsettled)
    faults += more
    engine = ctx.build("release", "engine_test")
    ctx.say("memory, in process")
    memory = ctx.run([engine / "tests" / "engine" / "engine_test", CASE],
                     check=False)
    figures["memory, in process"] = (
        "100 stops, 0 lost, 0 duplicates" if memory.returncode == 0
        else f"exit code {memory.returncode}")
    if memory.returncode != 0:
        faults.append(f"memory: see {ctx.log}")
    return accept.Result(not faults, figures, faults)
