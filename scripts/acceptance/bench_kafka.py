"""Kafka beside bare librdkafka: CPU <= 1.05x, send >= 0.97x, receive >= 0.95x.

Through the public interface, 100 bytes and 1 KiB, with the same client
settings, keys and headers, and an outcome for each message. CPU a message is
the median ratio; throughput falls short only if the upper end of the 95%
interval of the mean ratio over the pairs is below its target. What the adapter
costs without the core is reported beside it.
"""

import accept
import bench
from suites import kafka

CPU = 1.05
THROUGHPUT = {"send": 0.97, "receive": 0.95}


def run(ctx):
    pairs = bench.SHORT_PAIRS if ctx.short else bench.FULL_PAIRS
    report = kafka.measure(ctx, pairs)
    bench.keep("kafka", report)
    figures, faults = {}, []
    for c in report.comparisons:
        verb = c.name.split(",")[0]
        low, high = c.rates().interval()
        who = f"{c.name}, {c.ours.name}"
        figures[f"{who}: throughput"] = f"{c.rates()}, 95% {low:.3f}-{high:.3f}"
        figures[f"{who}: CPU a message"] = str(c.cpu())
        if c.ours.name != "tieline":
            continue
        if high < THROUGHPUT[verb]:
            faults.append(f"{c.name}: throughput is {c.rates().median:.3f}x, "
                          f"below {THROUGHPUT[verb]}x")
        if c.cpu().median > CPU:
            faults.append(f"{c.name}: a message takes {c.cpu().median:.3f}x "
                          f"the CPU, above {CPU}x")
    return accept.Result(not faults, figures, faults)
