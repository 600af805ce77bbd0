"""The memory queue beside a deque under a mutex, and a lock-free queue.

One producer thread, one consumer thread, 100-byte messages, 64 a batch; all
queues hold at most 16384 messages.
"""

import bench
import bench_pairs

PROGRAMS = ("deque", "concurrentqueue", "tieline_batches", "tieline_single",
            "tieline_allocations")
SETTINGS = {
    "deque": "std::deque<std::string> under a std::mutex, batches of 64",
    "concurrentqueue": "moodycamel::ConcurrentQueue<std::string>, tokens, "
                       "bulk calls of 64",
    "tieline_batches": "Bus, memory://, SendBatch and ReceiveBatch of 64, "
                       "CompleteAll; credit 4096, ids stamped",
    "tieline_single": "Bus, memory://, Send, Receive and Complete one by one; "
                      "credit 4096, ids stamped",
}


def _side(folder, name, count):
    program = folder / "benchmarks/end_to_end/memory" / f"bench_memory_{name}"
    argv = [program, "--count", count, "--size", 100]
    return bench_pairs.Side(
        name, f"{SETTINGS[name]}; {count:,} messages of 100 bytes",
        lambda: bench_pairs.run(argv, bench_pairs.all_cpus()))


def measure(ctx, pairs):
    folder = ctx.build("release",
                       *(f"bench_memory_{name}" for name in PROGRAMS))
    count = 1_000_000 if ctx.short else 5_000_000
    comparisons = []
    for ours in ("tieline_batches", "tieline_single"):
        for yardstick in ("deque", "concurrentqueue"):
            comparisons += bench_pairs.compare(
                f"memory, 100 bytes ({yardstick})",
                [_side(folder, yardstick, count), _side(folder, ours, count)],
                pairs, ctx.say)
    allocations = bench_pairs.run(
        [folder / "benchmarks/end_to_end/memory/bench_memory_tieline_"
         "allocations", "--count", 300_000, "--size", 100])
    return bench.Report(comparisons, {
        "allocations a message, batches": allocations["batches"],
        "allocations a message, single calls": allocations["single"]})
