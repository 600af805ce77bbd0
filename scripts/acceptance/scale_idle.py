"""Price of a message with 10,000 open queues, 1 M backlog, 100,000 keys: flat.

Instructions (callgrind) of a message sent, received and completed on the memory
backend, flat within 10% from 10^2 to the top of each scale; the wall time is
plotted in docs/results/scale-idle.svg. The short form measures the ends of
each scale, a decade lower at the top, and plots nothing.
"""

import json
import re

import accept
import paths

DEPENDS = ("include/", "lib/", "adapters/memory/", "tests/acceptance/")

WITHIN = 0.10
BASE = 100
SCALES = {
    "queues": ("open queues", [100, 1_000, 10_000]),
    "backlog": ("backlog", [100, 1_000, 10_000, 100_000, 1_000_000]),
    "keys": ("keys", [100, 1_000, 10_000, 100_000]),
}
PLOT = paths.ROOT / "docs" / "results" / "scale-idle.svg"


def arguments(scale, size, count):
    sizes = {name: BASE for name in SCALES} | {scale: size}
    return [word for name, value in sizes.items()
            for word in (f"--{name}", value)] + ["--count", count]


def instructions(ctx, program, scale, size, count):
    """Instructions a message, from callgrind's total."""
    out = ctx.temp / "callgrind.out"
    done = ctx.run(["valgrind", "--tool=callgrind", "--instr-atstart=no",
                    "--fair-sched=yes", f"--callgrind-out-file={out}", program,
                    *arguments(scale, size, count)],
                   capture_output=True, text=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if collected is None:
        raise RuntimeError(f"callgrind says nothing: {done.stderr[-500:]}")
    return int(collected.group(1)) / count


def wall(ctx, program, scale, size, count):
    """Nanoseconds a message: the best of three."""
    return min(
        json.loads(ctx.run([program, *arguments(scale, size, count)],
                           capture_output=True, text=True).stdout)["ns"]
        for _ in range(3))


def run(ctx):
    program = (ctx.build("release", "scale_idle") / "tests" / "acceptance"
               / "scale_idle")
    # Each key comes up at least twice in the full form's count.
    count = 20_000 if ctx.short else 200_000
    figures, notes, times, ok = {}, [], {}, True
    for scale, (words, sizes) in SCALES.items():
        if ctx.short:
            sizes = [sizes[0], sizes[-2]]
        prices = {}
        for size in sizes:
            prices[size] = instructions(ctx, program, scale, size, count)
            ctx.say(f"{words} {size}: {prices[size]:.0f} instructions")
            if not ctx.short:
                times.setdefault(words, {})[size] = wall(ctx, program, scale,
                                                         size, count)
        least, most = min(prices.values()), max(prices.values())
        spread = most / least - 1
        ok = ok and spread <= WITHIN
        figures[words] = (
            f"{prices[sizes[0]]:.0f} instructions at {sizes[0]}, "
            f"{prices[sizes[-1]]:.0f} at {sizes[-1]}; spread {spread:.1%}")
        if spread > WITHIN:
            notes.append(f"{words}: " + ", ".join(
                f"{size}: {price:.0f}" for size, price in prices.items()))
    if times:
        PLOT.write_text(plot(times))
        notes.append(f"wall time: {PLOT.relative_to(paths.ROOT)}")
    return accept.Result(ok, figures, notes)


def plot(times):
    """An SVG of nanoseconds a message over each scale, in decades."""
    width, height, left, top = 640, 360, 70, 30
    right, bottom = 150, 50
    decades = (2, 6)
    highest = max(max(series.values()) for series in times.values()) * 1.15

    def x(size):
        share = (len(str(size)) - 1 - decades[0]) / (decades[1] - decades[0])
        return left + share * (width - left - right)

    def y(ns):
        return height - bottom - ns / highest * (height - top - bottom)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{left}" y="18">Wall time of a message (ns), sent, received '
        'and completed on memory</text>']
    for decade in range(decades[0], decades[1] + 1):
        at = x(10 ** decade)
        parts.append(f'<line x1="{at:.0f}" y1="{top}" x2="{at:.0f}" '
                     f'y2="{height - bottom}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.0f}" y="{height - bottom + 18}" '
                     f'text-anchor="middle">10^{decade}</text>')
    for step in range(5):
        ns = highest * step / 4
        parts.append(f'<line x1="{left}" y1="{y(ns):.0f}" '
                     f'x2="{width - right}" y2="{y(ns):.0f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y(ns) + 4:.0f}" '
                     f'text-anchor="end">{ns:.0f}</text>')
    colours = ("#1f77b4", "#d62728", "#2ca02c")
    for i, (words, series) in enumerate(times.items()):
        points = " ".join(f"{x(size):.0f},{y(ns):.1f}"
                          for size, ns in series.items())
        parts.append(f'<polyline points="{points}" fill="none" '
                     f'stroke="{colours[i]}" stroke-width="2"/>')
        parts.append(f'<text x="{width - right + 12}" y="{top + 20 + 20 * i}" '
                     f'fill="{colours[i]}">{words}</text>')
    return "\n".join(parts + ["</svg>", ""])
