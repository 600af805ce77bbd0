"""Single functions, by Google Benchmark."""

import bench
import bench_pairs

PROGRAMS = ("codec_bench",)


def measure(ctx, _pairs):
    folder = ctx.build("release", *PROGRAMS)
    text = []
    for program in PROGRAMS:
        done = ctx.run(bench_pairs.pinned(
            [folder / "benchmarks/micro" / program,
             f"--benchmark_min_time={0.02 if ctx.short else 0.5}"],
            bench_pairs.cpu_lists()[1]), capture_output=True, text=True)
        text.append(done.stdout)
    return bench.Report(text="```\n" + "\n".join(text) + "```\n\n")
