"""A route that suppresses second copies: AMQP routes lose <= 10% by it.

In turn with the same route without: Artemis to Artemis, and Artemis to Kafka.
Kafka to Kafka is reported beside them. The state file is on this machine's disk
and each id is synced before its message is completed. Figures are medians of the
pairs, with the 95% interval of the mean.
"""

import accept
import bench
import bench_pairs
from suites import _kafka
from suites import relay

DEPENDS = ("include/", "lib/", "adapters/", "benchmarks/end_to_end/",
           "tests/brokers/", "scripts/harness/")

KEPT = 0.9


class Routes(relay.Relays):
    """Routes with the inbox and without."""

    def route(self, inbox, source, target, count, credit):
        more = []
        if inbox:
            state = self.ctx.temp / "inbox.db"
            for old in self.ctx.temp.glob("inbox.db*"):
                old.unlink()
            more = ["--state", state]
        return bench_pairs.run(
            relay.route_argv(self.folder, source, target, credit, "--count",
                         count, *more), self.cpus)

    def amqp_to_amqp(self, inbox, count):
        source, target = self.queue(), self.queue()
        self.fill(source, count)
        figures = self.route(inbox, source, target, count, relay.AMQP_CREDIT)
        _kafka.check(self.folder, target, count)
        return figures

    def amqp_into_kafka(self, inbox, count):
        source, topic = self.queue(), self.kafka.topic()
        self.fill(source, count)
        figures = self.route(inbox, source, self.kafka.url(topic), count,
                             relay.AMQP_CREDIT)
        _kafka.check(self.folder, self.kafka.url(topic, self.kafka.group()),
                     count)
        self.kafka.delete(topic)
        return figures

    def kafka_into_kafka(self, inbox, source, count):
        topic = self.kafka.topic()
        figures = self.route(
            inbox, self.kafka.url(source, self.kafka.group()),
            self.kafka.url(topic), count, relay.CREDIT)
        _kafka.check(self.folder, self.kafka.url(topic, self.kafka.group()),
                     count, 20000)
        self.kafka.delete(topic)
        return figures


def run(ctx):
    pairs = 3 if ctx.short else bench.FULL_PAIRS
    many, few = (100_000, 20_000) if ctx.short else (500_000, 200_000)
    routes = Routes(ctx, ctx.build("release", "bench_relay_tieline",
                                   "bench_bus_send", "bench_bus_receive"))
    topic = routes.kafka.topic()
    routes.fill(routes.kafka.url(topic), many)
    figures, notes = {}, []
    for name, once, is_bound in (
            ("Artemis to Artemis",
             lambda inbox: routes.amqp_to_amqp(inbox, few), True),
            ("Artemis to Kafka",
             lambda inbox: routes.amqp_into_kafka(inbox, few), True),
            ("Kafka to Kafka",
             lambda inbox: routes.kafka_into_kafka(inbox, topic, many),
             False)):
        comparison, = bench_pairs.compare(
            name,
            [bench_pairs.Side("without", "the route alone",
                              lambda: once(False)),
             bench_pairs.Side("inbox", "the route with dedupe: 1h",
                              lambda: once(True))],
            pairs, ctx.say)
        low, high = comparison.rates().interval()
        mine, bare = (side / comparison.pairs[0][0]["messages"] * 1e9
                      for side in (comparison.ours_median("cpu_seconds"),
                                   comparison.yardstick_median("cpu_seconds")))
        figures[name] = (
            f"throughput {comparison.rates()}, 95% {low:.3f}-{high:.3f}, "
            f"{comparison.ours_median():,.0f}/s; CPU a message "
            f"{mine:,.0f} ns, {bare:,.0f} without")
        if is_bound and comparison.rates().median < KEPT and not ctx.short:
            notes.append(f"{name}: {comparison.rates().median:.3f}x, below "
                         f"{KEPT}x")
    return accept.Result(not notes, figures, notes)
