"""Memory queue, 100 bytes: batches >= 3 M/s and >= 0.5x, single >= 1 M/s.

One producer and one consumer through the public interface, beside
moodycamel::ConcurrentQueue with heap bodies in bulks of 64. Rates are medians
over the pairs.
"""

import accept
import bench
from suites import memory

BATCHES_PER_SECOND = 3e6
SINGLE_PER_SECOND = 1e6
OF_CONCURRENTQUEUE = 0.5
ALLOCATIONS = 1.0


def run(ctx):
    pairs = bench.SHORT_PAIRS if ctx.short else bench.FULL_PAIRS
    report = memory.measure(ctx, pairs)
    bench.keep("memory", report)
    batches, single = (
        next(c for c in report.comparisons if c.ours.name == ours and
             c.yardstick.name == "concurrentqueue")
        for ours in ("tieline_batches", "tieline_single"))
    beside_deque = next(c for c in report.comparisons
                        if c.ours.name == "tieline_batches" and
                        c.yardstick.name == "deque")
    allocations = max(report.figures.values())
    figures = {
        "batches, messages/s": batches.ours_median(),
        "batches / concurrentqueue": str(batches.rates()),
        "batches / deque": str(beside_deque.rates()),
        "single calls, messages/s": single.ours_median(),
        "CPU ns a message, batches": batches.ours_median("cpu_ns_per_message"),
        "allocations a message": allocations,
    }
    faults = []
    if batches.ours_median() < BATCHES_PER_SECOND:
        faults.append("batches are slower than 3 M/s")
    if batches.rates().median < OF_CONCURRENTQUEUE:
        faults.append("batches are slower than half the concurrent queue")
    if single.ours_median() < SINGLE_PER_SECOND:
        faults.append("single calls are slower than 1 M/s")
    if allocations > ALLOCATIONS:
        faults.append("a message costs more than one allocation")
    return accept.Result(not faults, figures, faults)
