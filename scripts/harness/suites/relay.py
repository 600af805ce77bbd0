"""Routes beside a hand-written loop on librdkafka, or the slower leg alone.

Kafka to Kafka: the loop forwards records with key and headers and commits up to
the first one without a delivery report. Kafka to AMQP and back: the AMQP leg
alone, through the public interface, while a second client loads Kafka at the
rate of the route's run before it. Brokers and relay are pinned apart.
"""

import subprocess

import bench
import bench_pairs
from suites import _kafka

PROGRAMS = ("bench_relay_tieline", "bench_relay_bare", "bench_bus_send",
            "bench_bus_receive")
SIZE = 100
HEADERS = 3
CREDIT = 5000
# With Artemis: as much as its queue gives while Kafka answers for a request.
AMQP_CREDIT = 10000


def route_argv(folder, source, target, credit, *more):
    return [folder / "benchmarks/end_to_end/relay/bench_relay_tieline",
            "--url", source, "--to", target, "--credit", credit, "--size",
            SIZE, "--headers", HEADERS, *more]


def _bus(folder, verb, url, *more):
    return [folder / "benchmarks/end_to_end/bus" / f"bench_bus_{verb}",
            "--url", url, "--size", SIZE, "--headers", HEADERS, "--credit",
            AMQP_CREDIT, *more]


class Relays:
    """The brokers, the filled source topic, and the runs."""

    def __init__(self, ctx, folder):
        self.ctx, self.folder = ctx, folder
        self.cpus = bench_pairs.cpu_lists()[1]
        self.kafka = _kafka.Kafka(ctx)
        artemis = ctx.broker("artemis --tune bench")
        bench_pairs.pin(artemis["pid"], bench_pairs.cpu_lists()[0])
        self.amqp = artemis["urls"]["plain"]
        self.last_rate = 0
        self._queues = 0

    def queue(self):
        self._queues += 1
        return f"{self.amqp}/bench-{self._queues}"

    def fill(self, url, count):
        _kafka.fill(self.ctx, self.folder, url, count, SIZE, HEADERS)

    # ---- Kafka to Kafka.

    def kafka_to_kafka(self, source, program, count):
        """One run into a topic of its own, which is then checked."""
        topic = self.kafka.topic()
        argv = route_argv(self.folder, self.kafka.url(source, self.kafka.group()),
                      self.kafka.url(topic), CREDIT, "--count", count)
        argv[0] = (self.folder / "benchmarks/end_to_end/relay" /
                   f"bench_relay_{program}")
        figures = bench_pairs.run(argv, self.cpus)
        _kafka.check(self.folder, self.kafka.url(topic, self.kafka.group()),
                     count, 20000)
        self.kafka.delete(topic)
        return figures

    # ---- Kafka to AMQP.

    def kafka_to_amqp(self, source, count):
        queue = self.queue()
        figures = bench_pairs.run(
            route_argv(self.folder, self.kafka.url(source, self.kafka.group()),
                   queue, AMQP_CREDIT, "--count", count), self.cpus)
        self.last_rate = figures["rate"]
        _kafka.check(self.folder, queue, count)
        return figures

    def amqp_send_alone(self, source, count):
        """The AMQP leg, while Kafka is read at the route's last rate."""
        queue = self.queue()
        load = _bus(self.folder, "receive",
                    self.kafka.url(source, self.kafka.group()), "--count",
                    count, "--rate", round(self.last_rate))
        figures = self._beside(load, _bus(
            self.folder, "send", queue, "--count", count))
        _kafka.check(self.folder, queue, count)
        return figures

    # ---- AMQP to Kafka.

    def amqp_to_kafka(self, count):
        queue, topic = self.queue(), self.kafka.topic()
        self.fill(queue, count)
        figures = bench_pairs.run(
            route_argv(self.folder, queue, self.kafka.url(topic), AMQP_CREDIT,
                   "--count", count), self.cpus)
        self.last_rate = figures["rate"]
        _kafka.check(self.folder, self.kafka.url(topic, self.kafka.group()),
                     count)
        self.kafka.delete(topic)
        return figures

    def amqp_receive_alone(self, count):
        """The AMQP leg, while Kafka is written at the route's last rate."""
        queue, topic = self.queue(), self.kafka.topic()
        self.fill(queue, count)
        load = _bus(self.folder, "send", self.kafka.url(topic), "--count",
                    count, "--rate", round(self.last_rate))
        figures = self._beside(load, _bus(
            self.folder, "receive", queue, "--count", count))
        self.kafka.delete(topic)
        return figures

    def _beside(self, load, argv):
        with subprocess.Popen(bench_pairs.pinned(load, self.cpus),
                              stdout=subprocess.DEVNULL) as other:
            try:
                return bench_pairs.run(argv, self.cpus)
            finally:
                other.kill()

    # ---- At half load.

    def at_half_load(self, rate, seconds):
        """Residence and memory of a route that is fed at half its rate."""
        bounds = ("retention.bytes=100000000", "segment.bytes=25000000")
        source, target = (self.kafka.topic(*bounds) for _ in range(2))
        half = round(rate / 2)
        self.ctx.say(f"{half:,} messages a second for {seconds} s")
        feed = bench_pairs.pinned(
            _bus(self.folder, "send", self.kafka.url(source), "--count",
                 half * (seconds + 20), "--rate", half),
            bench_pairs.cpu_lists()[0])
        with subprocess.Popen(feed, stdout=subprocess.DEVNULL) as feeder:
            try:
                return bench_pairs.run(
                    route_argv(self.folder,
                           self.kafka.url(source, self.kafka.group()),
                           self.kafka.url(target), CREDIT, "--count", 10**12,
                           "--seconds", seconds),
                    self.cpus, timeout=seconds + 120)
            finally:
                feeder.kill()


def measure(ctx, pairs):
    folder = ctx.build("release", *PROGRAMS)
    relays = Relays(ctx, folder)
    many, few = (200_000, 30_000) if ctx.short else (1_000_000, 500_000)
    source = relays.kafka.topic()
    relays.fill(relays.kafka.url(source), many)
    kafka_settings = (f"{many:,} records of {SIZE} bytes, {HEADERS} headers, "
                      f"1000 keys, {CREDIT:,} on their way, the adapter's "
                      "client settings, commits every 10 ms")
    comparisons = bench_pairs.compare(
        "Kafka to Kafka",
        [bench_pairs.Side("bare", f"hand-written loop: {kafka_settings}",
                          lambda: relays.kafka_to_kafka(source, "bare", many)),
         bench_pairs.Side("route", f"route: {kafka_settings}",
                          lambda: relays.kafka_to_kafka(source, "tieline",
                                                        many))],
        pairs, ctx.say)
    rate = comparisons[0].ours_median()

    small = relays.kafka.topic()
    relays.fill(relays.kafka.url(small), few)
    settings = (f"{few:,} messages of {SIZE} bytes, {HEADERS} properties, "
                f"credit {AMQP_CREDIT:,}, Artemis")
    # The route goes first in its pair: the load of the leg's run is its rate.
    for name, route, alone in (
            ("Kafka to AMQP", lambda: relays.kafka_to_amqp(small, few),
             lambda: relays.amqp_send_alone(small, few)),
            ("AMQP to Kafka", lambda: relays.amqp_to_kafka(few),
             lambda: relays.amqp_receive_alone(few))):
        relays.last_rate = route()["rate"]
        comparisons += bench_pairs.compare(
            name,
            [bench_pairs.Side("AMQP leg alone", f"AMQP leg alone: {settings}",
                              alone),
             bench_pairs.Side("route", f"route: {settings}", route)],
            pairs, ctx.say)

    seconds = 30 if ctx.short else 600
    half = relays.at_half_load(rate, seconds)
    return bench.Report(comparisons, {
        "at half load": f"{half['rate']:,.0f} messages a second for "
                        f"{seconds} s",
        "residence p50, us": half["residence_p50_us"],
        "residence p99, us": half["residence_p99_us"],
        "preemptions of the relay": half["preemptions"],
        "resident KiB early": half["rss_early_kib"],
        "resident KiB late": half["rss_late_kib"],
        "resident KiB most": half["rss_most_kib"]})
