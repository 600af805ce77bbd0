"""The spool: >= 100,000 durable messages/s, drained in order at >= 200,000/s.

100 bytes, batches of 1,000, on the disk that has the source tree; the p99 of
one blocking durable send is reported. The median of three runs; what the same
disk takes for a write of 4 KiB with its sync is measured beside it.
"""

import json
import os
import statistics
import time

import accept

DEPENDS = ("lib/store/", "lib/base/", "tests/store/")

APPEND = 100_000
DRAIN = 200_000


def sync_ms(folder, count):
    """What one write of 4 KiB and its fdatasync take: p50 and p99, in ms."""
    path = folder / "sync_probe"
    times = []
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        for i in range(count):
            begin = time.perf_counter()
            os.pwrite(descriptor, b"x" * 4096, i * 4096)
            os.fdatasync(descriptor)
            times.append((time.perf_counter() - begin) * 1e3)
    finally:
        os.close(descriptor)
        path.unlink()
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100]


def run(ctx):
    program = (ctx.build("release", "store_bench") / "tests" / "store"
               / "store_bench")
    folder = ctx.root / "build" / "accept"
    messages = 100_000 if ctx.short else 2_000_000
    singles = 100 if ctx.short else 2_000
    runs = []
    for _ in range(1 if ctx.short else 3):
        done = ctx.run([program, "--folder", folder, "--messages", messages,
                        "--singles", singles],
                       capture_output=True, text=True)
        runs.append(json.loads(done.stdout))
        ctx.say(done.stdout.strip())

    def median(name):
        return statistics.median(run[name] for run in runs)

    p50, p99 = sync_ms(folder, singles)
    append, drain = median("append_per_s"), median("drain_per_s")
    figures = {
        "durable messages/s": round(append),
        "drained messages/s": round(drain),
        "one blocking send": f"p50 {median('single_p50_ms'):.2f} ms, "
                             f"p99 {median('single_p99_ms'):.2f} ms",
        "the disk's own sync": f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
    }
    return accept.Result(append >= APPEND and drain >= DRAIN, figures)
