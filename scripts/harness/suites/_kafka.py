"""What the suites with Kafka share: a broker on its own CPUs, topics."""

import brokers
import bench_pairs

PARTITIONS = 4
# Old segments go soon, so that a long run needs little disk.
BROKER = ("kafka --tune bench --set log.retention.check.interval.ms=5000 "
          "--set log.segment.delete.delay.ms=1000")


class Kafka:
    """A broker for benchmarks, on the CPUs for brokers."""

    def __init__(self, ctx):
        self._started = ctx.broker(BROKER)
        bench_pairs.pin(self._started["pid"], bench_pairs.cpu_lists()[0])
        self.address = self._started["urls"]["plain"]
        self._count = 0

    def topic(self, *config):
        """Makes a topic of its own; returns its name."""
        self._count += 1
        name = f"bench-{self._count}"
        extra = [word for each in config for word in ("--config", each)]
        brokers.call("topic", "create", name, "--partitions", str(PARTITIONS),
                     "--broker", self._started["name"], *extra)
        return name

    def delete(self, topic):
        brokers.call("topic", "delete", topic, "--broker",
                     self._started["name"])

    def group(self):
        self._count += 1
        return f"bench-group-{self._count}"

    def url(self, topic, group=None):
        return (f"{self.address}/{topic}" +
                (f"?group={group}" if group else ""))


def fill(ctx, folder, url, count, size, headers):
    """Sends numbered messages, with keys, to a URL."""
    ctx.say(f"filling with {count:,} messages of {size} bytes")
    bench_pairs.run(
        [folder / "benchmarks/end_to_end/bus/bench_bus_send", "--url", url,
         "--count", count, "--size", size, "--headers", headers,
         "--credit", 5000], bench_pairs.cpu_lists()[1])


def check(folder, url, count, credit=1000):
    """Receives them again: none lost, every key in order."""
    return bench_pairs.run(
        [folder / "benchmarks/end_to_end/bus/bench_bus_receive", "--url", url,
         "--count", count, "--credit", credit], bench_pairs.cpu_lists()[1])
