"""Relay: Kafka-Kafka >= 0.95x a loop, others >= 0.9x a leg; residence, memory.

Residence in the process (delivery to submit) at half load: p50 <= 20 us, p99 <=
200 us, brokers and relay pinned apart. Resident memory: <= 64 MiB, and flat
over 10 minutes (short: 30 s). Throughput ratios are medians over the pairs.
"""

import accept
import bench
from suites import relay

THROUGHPUT = {"Kafka to Kafka": 0.95, "Kafka to AMQP": 0.9,
              "AMQP to Kafka": 0.9}
P50_US = 20
P99_US = 200
RESIDENT_KIB = 64 * 1024
# Flat: what is resident in the last tenth beside the second tenth.
GROWTH = 1.05


def run(ctx):
    pairs = bench.SHORT_PAIRS if ctx.short else bench.FULL_PAIRS
    report = relay.measure(ctx, pairs)
    bench.keep("relay", report)
    figures, faults = {}, []
    for c in report.comparisons:
        low, high = c.rates().interval()
        figures[f"{c.name}: throughput"] = (
            f"{c.rates()}, 95% {low:.3f}-{high:.3f}, "
            f"{c.ours_median():,.0f}/s")
        figures[f"{c.name}: CPU a message"] = str(c.cpu())
        if c.rates().median < THROUGHPUT[c.name]:
            faults.append(f"{c.name}: {c.rates().median:.3f}x, below "
                          f"{THROUGHPUT[c.name]}x")
    figures.update(report.figures)
    if figures["residence p50, us"] > P50_US:
        faults.append(f"residence p50 is above {P50_US} us")
    if figures["residence p99, us"] > P99_US:
        faults.append(f"residence p99 is above {P99_US} us")
    late = figures["resident KiB late"]
    if figures["resident KiB most"] > RESIDENT_KIB:
        faults.append("more than 64 MiB were resident")
    if late > GROWTH * figures["resident KiB early"]:
        faults.append("resident memory grows")
    return accept.Result(not faults, figures, faults)
