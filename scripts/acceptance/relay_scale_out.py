"""3 relays on a Kafka group and on an Artemis queue, one killed, added, stopped.

Under load, 50 times: 0 lost, order per key kept (redelivered ids apart),
throughput back within 5 s of the broker's own session time-out: 6 s for the
static members of the Kafka group, none for Artemis (message groups with group
rebalance and paused dispatch, unlimited attempts), which sees the socket close.
"""

import collections
import json
import signal
import subprocess
import threading
import time

import _relay
import accept

DEPENDS = ("include/", "lib/", "adapters/", "tools/", "tests/acceptance/",
           "tests/brokers/")

KEYS = 1000
RELAYS = 3
SESSION = 6.0       # Kafka's session.timeout.ms
WITHIN = 5.0        # beyond the broker's own time-out
ENOUGH = 0.8        # of the producer's rate, over WINDOW: throughput is back
WINDOW = 1.0
STEADY = 2.0        # for so long, before the next event


class Meter:
    """Adds up what all relays say that they relayed."""

    def __init__(self):
        self._lock = threading.Lock()
        self._total = 0
        self._history = collections.deque([(time.monotonic(), 0)],
                                          maxlen=10_000)

    def add(self, count):
        with self._lock:
            self._total += count
            self._history.append((time.monotonic(), self._total))

    def rate(self):
        """Messages a second over the last WINDOW."""
        now = time.monotonic()
        with self._lock:
            then = self._total
            for at, total in reversed(self._history):
                then = total
                if at < now - WINDOW:
                    break
            return (self._total - then) / WINDOW


class Fleet:
    """Relays of one source, by slot; a slot's static member stays its own."""

    def __init__(self, programs, source, target, meter):
        self._programs = programs
        self._source = source  # of a slot
        self._target = target
        self._meter = meter
        self.running = {}
        self.bad_exits = []

    def start(self, slot):
        relay = self._programs.ctx.spawn(
            [self._programs.tieline, "relay", self._source(slot), self._target,
             "--json", "--report-every", "100ms"],
            stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._read, args=(relay,),
                         daemon=True).start()
        self.running[slot] = relay

    def kill(self, slot):
        relay = self.running.pop(slot)
        relay.send_signal(signal.SIGKILL)
        relay.wait()

    def stop(self, slot):
        code = _relay.stop(self.running.pop(slot))
        if code != 0:
            self.bad_exits.append(code)

    def _read(self, relay):
        before = 0
        for line in relay.stdout:
            try:
                out = json.loads(line)["out"]
            except (ValueError, KeyError):
                continue
            self._meter.add(out - before)
            before = out


def recover(meter, rate, limit):
    """Seconds until the throughput was back and stayed; None: not in time."""
    begin = time.monotonic()
    good_since = None
    while True:
        time.sleep(0.1)
        now = time.monotonic()
        if now - begin < WINDOW:
            continue
        if meter.rate() >= ENOUGH * rate:
            good_since = good_since or now
            if now - good_since >= STEADY:
                return good_since - begin
        else:
            good_since = None
        if (good_since or now) - begin > limit:
            return None


def leg(ctx, programs, name, source, target, rounds, rate, timeout):
    limit = timeout + WITHIN
    # More than can be sent; the load is ended with the last round.
    count = int(rate * (rounds * 3 * (limit + STEADY) + 120))
    ctx.say(f"{name}: {rounds} rounds at {rate} a second")
    meter = Meter()
    fleet = Fleet(programs, source, target, meter)
    for slot in range(RELAYS):
        fleet.start(slot)
    end = ctx.temp / f"{name}.end"
    verify = programs.verify(target, count, KEYS, 120, "--no-large-bodies",
                             "--end", end)
    produce = programs.produce(source(0), count, KEYS, "--no-large-bodies",
                               "--rate", rate)
    faults, slowest = [], {"kill": 0.0, "add": 0.0, "stop": 0.0}
    if recover(meter, rate, 60) is None:
        raise RuntimeError(f"{name}: the relays did not begin")
    for i in range(rounds):
        slot = i % RELAYS
        other = (i + 1) % RELAYS
        for event, act in (("kill", lambda: fleet.kill(slot)),
                           ("add", lambda: fleet.start(slot)),
                           ("stop", lambda: fleet.stop(other))):
            if produce.poll() is not None:
                raise RuntimeError(f"{name}: the load ended too soon")
            act()
            took = recover(meter, rate, limit)
            if took is None:
                faults.append(f"round {i + 1}: no throughput within "
                              f"{limit:.0f} s of {event}")
            else:
                slowest[event] = max(slowest[event], took)
        fleet.start(other)
        ctx.say(f"{name}: round {i + 1} of {rounds}")
    ctx.say(f"{name}: rounds over; the rest is relayed")
    _relay.end_early(produce, end, f"{name}: produce")
    report = _relay.report_of(verify)
    for slot in list(fleet.running):
        fleet.stop(slot)
    if fleet.bad_exits:
        faults.append(f"exit codes {fleet.bad_exits}")
    return report, slowest, faults


def run(ctx):
    rounds, rate = (2, 500) if ctx.short else (50, 2_000)
    programs = _relay.Programs(ctx)
    kafka = ctx.broker("kafka")
    artemis = ctx.broker("artemis --max-delivery-attempts -1 "
                         "--group-rebalance")
    figures, notes, ok = {}, [], True
    legs = {
        "Kafka group": (
            lambda slot: _relay.url(
                kafka, "out-from", "group=relay", f"member=relay-{slot}",
                "create=true", "partitions=6",
                f"set.session.timeout.ms={SESSION * 1000:.0f}"),
            SESSION),
        "Artemis queue": (lambda slot: _relay.url(artemis, "out-from"), 0.0),
    }
    for name, (source, timeout) in legs.items():
        target = _relay.url(kafka, "out-" + name.split()[0].lower(),
                            "group=verify", "create=true")
        report, slowest, faults = leg(ctx, programs, name, source, target,
                                      rounds, rate, timeout)
        figures[name] = (
            f"{rounds} rounds, {report['expected']} sent, {report['lost']} "
            f"lost, {report['duplicates']} duplicates, "
            f"{report['out_of_order']} out of order; slowest recovery "
            + ", ".join(f"{event} {took:.1f} s"
                        for event, took in slowest.items()))
        notes += [f"{name}: {fault}" for fault in faults + report["faults"]]
        ok = ok and report["ok"] and not faults
    return accept.Result(ok, figures, notes)
