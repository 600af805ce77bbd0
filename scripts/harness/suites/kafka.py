"""Kafka beside bare librdkafka, on a real broker: send and receive.

Each of 100 bytes and 1 KiB, with a key; the yardstick has the adapter's
settings, a delivery report for each message, and commits every 10 ms. `tieline`
is the public interface, `driver` the adapter without the core.
"""

import bench
import bench_pairs
from suites import _kafka

PROGRAMS = ("bench_kafka_bare_send", "bench_kafka_bare_receive",
            "bench_kafka_driver_send", "bench_kafka_driver_receive",
            "bench_bus_send", "bench_bus_receive")
HEADERS = 1
CREDIT = 50000


def _argv(folder, side, verb):
    if side == "tieline":
        return [folder / "benchmarks/end_to_end/bus" / f"bench_bus_{verb}"]
    return [folder / "benchmarks/end_to_end/kafka" /
            f"bench_kafka_{side}_{verb}"]


def _flags(kafka, side, topic, group, count, size):
    url = (["--url", kafka.url(topic, group)] if side == "tieline" else
           ["--url", kafka.address, "--queue", topic] +
           (["--group", group] if group else []))
    return [*url, "--count", count, "--size", size, "--headers", HEADERS,
            "--credit", CREDIT]


def _settings(side, count, size):
    return (f"{side}: {count:,} messages of {size} bytes, {HEADERS} header, "
            f"1000 keys, {_kafka.PARTITIONS} partitions, {CREDIT:,} on their "
            "way, the adapter's client settings")


def _send(kafka, folder, side, count, size):
    def once():
        topic = kafka.topic()
        try:
            return bench_pairs.run(
                _argv(folder, side, "send") +
                _flags(kafka, side, topic, None, count, size),
                bench_pairs.cpu_lists()[1])
        finally:
            kafka.delete(topic)
    return bench_pairs.Side(side, _settings(side, count, size), once)


def _receive(kafka, folder, side, topic, count, size):
    def once():
        return bench_pairs.run(
            _argv(folder, side, "receive") +
            _flags(kafka, side, topic, kafka.group(), count, size),
            bench_pairs.cpu_lists()[1])
    return bench_pairs.Side(side, _settings(side, count, size), once)


def measure(ctx, pairs):
    folder = ctx.build("release", *PROGRAMS)
    kafka = _kafka.Kafka(ctx)
    comparisons = []
    for size, count in ((100, 1_000_000), (1024, 300_000)):
        if ctx.short:
            count //= 5
        sides = ("bare", "driver", "tieline")
        comparisons += bench_pairs.compare(
            f"send, {size} bytes",
            [_send(kafka, folder, s, count, size) for s in sides], pairs,
            ctx.say)
        topic = kafka.topic()
        _kafka.fill(ctx, folder, kafka.url(topic), count, size, HEADERS)
        comparisons += bench_pairs.compare(
            f"receive, {size} bytes",
            [_receive(kafka, folder, s, topic, count, size) for s in sides],
            pairs, ctx.say)
        kafka.delete(topic)
    return bench.Report(comparisons)
