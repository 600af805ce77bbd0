"""scripts/bench: measures Tieline beside its yardsticks.

Each suite is a module in scripts/harness/suites/ whose docstring begins with
one line that says what it compares, and which defines

    measure(ctx, pairs) -> Report    ctx: accept.Context

The programs are in benchmarks/. Results go to build/bench/: NAME.json and
NAME.svg.
"""

import argparse
import contextlib
import dataclasses
import importlib
import json
import pathlib
import shutil
import signal
import subprocess
import sys

import accept
import bench_svg
import paths

SUITES = pathlib.Path(__file__).resolve().parent / "suites"
FULL_PAIRS = 9
SHORT_PAIRS = 5


@dataclasses.dataclass
class Report:
    """What a suite measured. `figures`: what is no comparison."""
    comparisons: list = dataclasses.field(default_factory=list)
    figures: dict = dataclasses.field(default_factory=dict)
    text: str = ""


def names():
    return sorted(path.stem for path in SUITES.glob("*.py")
                  if path.stem[0] != "_")


def suite(name):
    return importlib.import_module(f"suites.{name}")


def headline(name):
    text = (SUITES / f"{name}.py").read_text().split('"""', 2)[1]
    return text.strip().splitlines()[0].rstrip(".")


def markdown(report):
    """The comparisons as a table, the settings of both sides below it."""
    lines = []
    if report.comparisons:
        lines += ["| comparison | ours / yardstick | messages a second | "
                  "throughput ratio | CPU a message ratio |",
                  "|---|---|---|---|---|"]
    for c in report.comparisons:
        lines.append(
            f"| {c.name} | {c.ours.name} / {c.yardstick.name} | "
            f"{c.ours_median():,.0f} / {c.yardstick_median():,.0f} | "
            f"{c.rates()} | {c.cpu()} |")
    if report.comparisons:
        lines += ["", "Ratios: median (min - max) of "
                  f"{len(report.comparisons[0].pairs)} pairs.", ""]
    settings = {f"{side.name}: {side.settings}": None
                for c in report.comparisons for side in (c.yardstick, c.ours)}
    lines += [f"- {text}" for text in settings]
    lines += [f"- {name}: {accept.show(value)}"
              for name, value in report.figures.items()]
    return "\n".join(lines)


def keep(name, report):
    """Writes the report's JSON and plot; returns their folder."""
    folder = paths.ROOT / "build" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(
        {"machine": accept.machine(), "figures": report.figures,
         "comparisons": [c.to_json() for c in report.comparisons]},
        indent=2) + "\n")
    rows = []
    for c in report.comparisons:
        label = f"{c.name}, {c.ours.name}"
        rows.append((f"{label}: throughput", c.rates().values))
        rows.append((f"{label}: CPU a message", c.cpu().values))
    if rows:
        (folder / f"{name}.svg").write_text(bench_svg.plot(
            f"{name}: {accept.machine()}", rows))
    return folder


def run_one(name, short, pairs):
    with contextlib.ExitStack() as stack:
        ctx = accept.Context(f"bench-{name}", short, stack)
        report = suite(name).measure(ctx, pairs)
    folder = keep(name, report)
    print(f"\n## {name}\n\n{report.text}{markdown(report)}\n", flush=True)
    print(f"{folder.relative_to(paths.ROOT)}/{name}.json, .svg", flush=True)


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description="Measures Tieline beside its "
        "yardsticks, in pairs of alternating runs.")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="name the suites")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--short", action="store_true",
                        help="fewer messages and pairs, as CI runs it")
    parser.add_argument("--pairs", type=int, help="runs of each side "
                        f"(default {FULL_PAIRS}; short: {SHORT_PAIRS})")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"no suite is named {unknown[0]}; --list names them")
    if not (options.names or options.list or options.all):
        parser.error("name a suite, or --list or --all")
    return options


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    if options.list:
        for name in names():
            print(f"{name:10} {headline(name)}")
        return 0
    subprocess.run([paths.ROOT / "scripts" / "install"], check=True,
                   stdout=sys.stderr)
    if not shutil.which("taskset"):
        print("bench: taskset is missing, nothing is pinned", file=sys.stderr)
    pairs = options.pairs or (SHORT_PAIRS if options.short else FULL_PAIRS)
    for name in names() if options.all else options.names:
        run_one(name, options.short, pairs)
    return 0
