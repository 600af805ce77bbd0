"""Runs two programs in turn and compares them pair by pair.

A program of benchmarks/ prints one line of JSON last: see benchmarks/README.md.
Ratios are ours over the yardstick's, of two runs that follow each other, so
that what else the machine does hits both alike.
"""

import dataclasses
import json
import os
import shlex
import statistics
import subprocess
import typing

# Two-sided 95% quantiles of Student's t, by degrees of freedom.
STUDENT_T = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262,
             2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101,
             2.093, 2.086)


def cpu_lists():
    """The CPUs for brokers and peers, and those for what is measured."""
    cpus = sorted(os.sched_getaffinity(0))
    half = len(cpus) // 2
    if half == 0:
        return None, None
    return (",".join(map(str, cpus[:half])), ",".join(map(str, cpus[half:])))


def all_cpus():
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


def pinned(argv, cpus):
    argv = [str(word) for word in argv]
    return ["taskset", "-c", cpus, *argv] if cpus else argv


def pin(pid, cpus):
    """Pins a running process, with all its threads."""
    if cpus:
        subprocess.run(["taskset", "-a", "-c", "-p", cpus, str(pid)],
                       check=True, stdout=subprocess.DEVNULL)


def figures_of(argv, output):
    """The JSON that a program printed last."""
    lines = output.strip().splitlines()
    try:
        figures = json.loads(lines[-1])
    except (IndexError, ValueError):
        raise RuntimeError(f"{shlex.join(argv)}: printed no figures")
    if figures.get("lost"):
        raise RuntimeError(f"{shlex.join(argv)}: {figures['lost']} messages "
                           "lost, twice or out of order")
    return figures


def run(argv, cpus=None, timeout=600):
    """Runs a program to its end; returns its figures."""
    argv = pinned(argv, cpus)
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout)
    if done.returncode:
        said = (done.stderr + done.stdout).strip()[-400:]
        raise RuntimeError(f"{shlex.join(argv)}: exit code "
                           f"{done.returncode}: {said}")
    return figures_of(argv, done.stdout)


@dataclasses.dataclass
class Side:
    """One of those that are compared. `once` makes one run."""
    name: str
    settings: str
    once: typing.Callable[[], dict]


@dataclasses.dataclass
class Spread:
    """A ratio over the pairs."""
    values: list

    @property
    def median(self):
        return statistics.median(self.values)

    @property
    def mean(self):
        return statistics.fmean(self.values)

    def interval(self):
        """The 95% interval of the mean."""
        n = len(self.values)
        if n < 2:
            return (self.mean, self.mean)
        t = STUDENT_T[min(n - 1, len(STUDENT_T)) - 1]
        half = t * statistics.stdev(self.values) / n ** 0.5
        return (self.mean - half, self.mean + half)

    def __str__(self):
        return (f"{self.median:.3f} ({min(self.values):.3f} - "
                f"{max(self.values):.3f})")


@dataclasses.dataclass
class Comparison:
    """Pairs of runs: each (ours, the yardstick's)."""
    name: str
    ours: Side
    yardstick: Side
    pairs: list

    def rates(self):
        return Spread([a["rate"] / b["rate"] for a, b in self.pairs])

    def cpu(self, field="cpu_seconds"):
        """CPU a message."""
        return Spread([(a[field] / a["messages"]) / (b[field] / b["messages"])
                       for a, b in self.pairs])

    def ours_median(self, field="rate"):
        return statistics.median(a[field] for a, _ in self.pairs)

    def yardstick_median(self, field="rate"):
        return statistics.median(b[field] for _, b in self.pairs)

    def to_json(self):
        low, high = self.rates().interval()
        return {"name": self.name, "ours": self.ours.name,
                "yardstick": self.yardstick.name,
                "settings": {self.ours.name: self.ours.settings,
                             self.yardstick.name: self.yardstick.settings},
                "throughput_ratios": self.rates().values,
                "throughput_interval_95": [low, high],
                "cpu_ratios": self.cpu().values, "pairs": self.pairs}


def compare(name, sides, pairs, say):
    """Runs the sides in turn, the first of which is the yardstick.

    Returns a Comparison for each of the others. Every round begins with another
    side. The first round only warms up, and is not counted.
    """
    yardstick, *ours = sides
    runs = []
    for i in range(pairs + 1):
        start = i % len(sides)
        figures = {}
        for side in sides[start:] + sides[:start]:
            figures[side.name] = side.once()
        if i > 0:
            runs.append(figures)
        rates = ", ".join(f"{side.name} {figures[side.name]['rate']:,.0f}/s"
                          for side in sides)
        say(f"{name} {'warm-up' if i == 0 else f'{i}/{pairs}'}: {rates}")
    return [Comparison(name, side, yardstick,
                       [(r[side.name], r[yardstick.name]) for r in runs])
            for side in ours]
