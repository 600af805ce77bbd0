"""A queue moves under load through kills, stops and cuts: 0 lost, in order.

2,000 messages/s of 500 keys, sent and handled by one process with a state
file, while the queue goes from broker to broker and back: 200 moves, half of
them with second copies suppressed by id (dedupe). In each something happens at
a random moment: kill -9 of the process, which is started again; A (where the
queue is) or B (where it goes) stands still; A is killed or stopped, and started
again; the network to A or B is cut, by resets or by silence.

Every accepted message is handled. It is handled once more, with the same id,
only where it was in hand at a kill, or the broker says that it delivers it
again, or its send was in doubt; with dedupe only for a kill. Per key nothing
is out of order that is not marked late or redelivered. Every move ends.
TIELINE_SEED repeats the choices of a run, not its timing.
"""

import itertools
import json
import math
import os
import random
import signal
import subprocess
import sys
import threading
import time

import _move
import accept
import brokers

DEPENDS = ("include/", "lib/", "adapters/", "tests/acceptance/",
           "tests/brokers/")

KINDS = ("kill", "stop A", "stop B", "restart A", "cut A", "cut B")
MOVE_ENDS = 120.0  # seconds, after the fault is over
PROXY = brokers.COMMAND.parent / "proxy.py"


class Place:
    """A broker behind a proxy."""

    def __init__(self, ctx, line):
        self._ctx = ctx
        self.is_kafka = line.startswith("kafka")
        self.broker = ctx.broker(line + " --proxied 1" * self.is_kafka)
        self.name = self.broker["name"]
        if self.is_kafka:
            way = self.broker["proxied"][0]
            argv = ["--to", way["upstream"], "--listen", way["listen"]]
        else:
            argv = ["--to", self.broker["ports"]["plain"]]
        self._proxy = ctx.spawn([sys.executable, PROXY, *argv],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                text=True)
        self._port = json.loads(self._proxy.stdout.readline())["port"]

    def url(self, entity, *parameters):
        scheme = self.broker["urls"]["plain"].partition(":")[0]
        base = {"urls": {"plain": f"{scheme}://127.0.0.1:{self._port}"}}
        return _move.place(base, entity, *parameters)

    def network(self, *commands):
        """Has the proxy do this."""
        for command in commands:
            self._proxy.stdin.write(command + "\n")
            self._proxy.stdin.flush()
            answer = self._proxy.stdout.readline()
            if not answer.startswith("ok"):
                raise RuntimeError(f"proxy: {answer.strip()}")

    def signal(self, number):
        """Gives it to the broker at once, without starting a command first."""
        os.killpg(self.broker["pid"], number)

    def restart(self):
        """Starts the broker again, when it has ended."""
        self._ctx.broker_do("restart", self.name)
        self.broker = json.loads(self._ctx.broker_do("describe", self.name))


class Worker:
    """The process that moves its queue; its incarnations share their files."""

    def __init__(self, ctx, program, name, source, target, *more):
        self._ctx = ctx
        self._log = ctx.temp / f"{name}.log"
        # What the bus says, kept beside the run's log.
        self._said_log = ctx.log.with_name(f"{ctx.log.stem}-{name}.log")
        self._said_log.unlink(missing_ok=True)
        self._program = program
        self._argv = [program, "run", "--from", source, "--to", target,
                      "--state", ctx.temp / f"{name}.state", "--log",
                      self._log, "--verbose", *more]
        self._shared = [word for word in more if word == "--dedupe"]
        self._said = threading.Condition()
        self.applied, self.reports = 1, {}
        self.agains = []
        self._ready = False
        self._start()

    def _start(self, *more):
        self._ready = False
        with self._said_log.open("ab") as log:
            self._process = self._ctx.spawn(
                [*self._argv, *more], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=log, text=True)
        threading.Thread(target=self._listen, args=(self._process,),
                         daemon=True).start()

    def _listen(self, process):
        for line in process.stdout:
            word, _, rest = line.strip().partition(" ")
            with self._said:
                if word == "ready":
                    self._ready = True
                elif word == "applied":
                    self.applied = int(rest)
                elif word == "ended":
                    move, _, report = rest.partition(" ")
                    self.reports[int(move)] = json.loads(report)
                elif word == "again":
                    self.agains.append(rest)
                self._said.notify_all()

    def _wait(self, what, seconds):
        """Waits until what() is so; False when the time is over or the process
        is."""
        until = time.monotonic() + seconds
        with self._said:
            while not what():
                left = until - time.monotonic()
                if left <= 0 or self._process.poll() is not None:
                    return what()
                self._said.wait(min(left, 0.2))
        return True

    def wait_ready(self):
        if not self._wait(lambda: self._ready, 60):
            raise RuntimeError(f"the worker is not ready; exit code "
                               f"{self._process.poll()}")

    def move(self):
        self._process.stdin.write("move\n")
        self._process.stdin.flush()

    def has_ended(self, move):
        with self._said:
            return move in self.reports

    def wait_ended(self, move, seconds):
        return self._wait(lambda: move in self.reports, seconds)

    def kill(self):
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def start_again(self, *more):
        """A new one with the same files."""
        self._start(*more)
        self.wait_ready()

    def stop(self):
        """The exit code, when all that was accepted is handled."""
        if self._process.poll() is None:
            self._process.stdin.write("stop\n")
            self._process.stdin.flush()
        return self._process.wait(timeout=300)

    def judge(self):
        done = self._ctx.run(
            [self._program, "judge", "--log", self._log, *self._shared],
            stdout=subprocess.PIPE, text=True, check=False)
        return json.loads(done.stdout)


def disturb(kind, worker, place, rng, longest):
    """One fault; nothing stands still for longer than that. Yields when it has
    begun, and ends when it is over."""
    what = kind.split()[0]
    pause = rng.uniform(1, longest)
    if what == "kill":
        worker.kill()
        yield
        # The file that it starts with was edited before the move, or was not.
        worker.start_again(*rng.choice([(), ("--stale-config",)]))
    elif what == "stop":
        place.signal(signal.SIGSTOP)
        yield
        time.sleep(pause)
        place.signal(signal.SIGCONT)
    elif what == "restart":
        place.signal(rng.choice([signal.SIGKILL, signal.SIGTERM]))
        yield
        place.restart()
    elif rng.random() < 0.5:
        place.network("refuse")
        yield
        time.sleep(pause)
        place.network("accept")
    else:
        place.network("hold")
        yield
        time.sleep(pause)
        place.network("cut", "release")


def run_pair(ctx, program, name, pair, kinds, rng, dedupe):
    """Moves with one fault each; the judge's report, with what was seen of
    each move."""
    worker = Worker(ctx, program, pair.entity(dedupe), *pair.urls(dedupe),
                    *(["--dedupe"] if dedupe else []))
    worker.wait_ready()
    seen, quickest = {}, 0.5 if ctx.short else math.inf
    # The first is left alone: it tells how long one takes.
    alone = [] if ctx.short else ["none"]
    for i, kind in enumerate([*alone, *kinds]):
        number = i + 2
        a, b = pair.places if i % 2 == 0 else pair.places[::-1]
        time.sleep(rng.uniform(0.2, 1.0))
        worker.move()
        inside = True
        if kind != "none":
            time.sleep(rng.uniform(0, quickest))
            place = b if kind.endswith("B") else a
            longest = 1.5 if ctx.short else 5 if kind.startswith("stop") else 3
            for _ in disturb(kind, worker, place, rng, longest):
                inside = not worker.has_ended(number)
        start = time.monotonic()
        ended = worker.wait_ended(number, MOVE_ENDS)
        took = time.monotonic() - start
        seen[number] = {"kind": kind, "inside": inside, "ended": ended,
                        "after": took}
        ctx.say(f"{name}: move {number}: {kind}, "
                f"{'inside' if inside else 'behind it'}, "
                f"{worker.reports.get(number, 'NOT ENDED')}")
        if not ended:
            break
        quickest = min(quickest, worker.reports[number]["took_s"])
    code = worker.stop()
    report = worker.judge()
    report |= {"moves": seen, "exit": code, "agains": worker.agains,
               "reports": worker.reports}
    return report


SECOND = {"twice_by_kill": "by a kill", "twice_marked": "marked",
          "twice_in_doubt": "in doubt", "twice_unexplained": "unexplained"}


def figure(counts, moves):
    twice = ", ".join(f"{counts[key]} {text}" for key, text in SECOND.items()
                      if counts[key] or key == "twice_unexplained")
    inside = sum(move["inside"] for move in moves)
    return (f"{len(moves)} moves ({inside} hit inside), "
            f"{counts['sent']} sent, {counts['lost']} lost, "
            f"handled twice: {twice}; "
            f"{counts['out_of_order']} out of order "
            f"({counts['out_of_order_marked']} marked), {counts['late']} late")


def figure_of(report):
    return figure(report, list(report["moves"].values()))


def by_kind(reports):
    """The figures of each kind of fault, over all pairs."""
    figures = {}
    for kind in KINDS:
        total, moves = {}, []
        for report in reports.values():
            for number, move in report["moves"].items():
                if move["kind"] != kind:
                    continue
                moves.append(move)
                counts = report["by_move"].get(str(number), {})
                for key, value in counts.items():
                    total[key] = total.get(key, 0) + value
        if total:
            slowest = max(move["after"] for move in moves)
            figures[kind] = (figure(total, moves) + f"; ended within "
                             f"{slowest:.1f} s of the fault's end")
    return figures


def faults_of(name, report, dedupe):
    notes = [f"{name}: {fault}" for fault in report["faults"]]
    wrong = ["lost", "failed", "twice_unexplained", "out_of_order", "overlaps",
             "other_ids"]
    if dedupe:
        wrong += ["twice_marked", "twice_in_doubt"]
    notes += [f"{name}: {report[key]} {key.replace('_', ' ')}"
              for key in wrong if report[key]]
    if report["unended"]:
        notes.append(f"{name}: moves {report['unended']} did not end")
    if report["exit"] != 0:
        notes.append(f"{name}: the worker ended with {report['exit']}")
    return notes


class Pair:
    """Two places and what their URLs of the queue say beside its name."""

    def __init__(self, short_name, *places):
        self.places = places
        self._entity = short_name

    def entity(self, dedupe):
        return self._entity + ("d" if dedupe else "")

    def urls(self, dedupe):
        entity = self.entity(dedupe)
        kafka = (f"group={entity}", "member=move-1", "create=true",
                 "partitions=4", "ordered=key")
        return [place.url(entity, *(kafka if place.is_kafka else ()))
                for place in self.places]


def pairs_of(ctx):
    tune = "test" if ctx.short else "bench"
    artemis_line = f"artemis --max-delivery-attempts -1 --tune {tune}"
    kafka = [Place(ctx, f"kafka --tune {tune}") for _ in range(2)]
    artemis = [Place(ctx, artemis_line) for _ in range(2)]
    rabbit = Place(ctx, "rabbitmq")
    return {
        "Kafka -> Kafka": Pair("kk", *kafka),
        "Artemis -> Artemis": Pair("aa", *artemis),
        "Artemis -> Kafka": Pair("ak", artemis[0], kafka[0]),
        "RabbitMQ -> Artemis": Pair("ra", rabbit, artemis[0]),
    }


def run(ctx):
    program = (ctx.build("release", "move_worker") / "tests" / "acceptance"
               / "move_worker")
    seed = (int(os.environ.get("TIELINE_SEED", 0)) or
            random.SystemRandom().randrange(1 << 32))
    rng = random.Random(seed)
    ctx.say(f"seed {seed}")
    deck = itertools.cycle(KINDS)
    reports, notes = {}, []
    for number, (name, pair) in enumerate(pairs_of(ctx).items()):
        # The short form has one of the two.
        for dedupe in (number % 2 == 1,) if ctx.short else (False, True):
            kinds = list(itertools.islice(deck, 2 if ctx.short else 25))
            rng.shuffle(kinds)
            name_now = name + (", by id" if dedupe else "")
            report = run_pair(ctx, program, name_now, pair, kinds, rng, dedupe)
            reports[name_now] = report
            ctx.say(f"{name_now}: {figure_of(report)}")
            notes += faults_of(name_now, report, dedupe)
    figures = {"seed": seed}
    figures |= {name: figure_of(report) for name, report in reports.items()}
    figures |= by_kind(reports)
    return accept.Result(not notes, figures, notes)
