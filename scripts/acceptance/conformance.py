"""Conformance: >= 60 behaviours x 3 backends, Kafka and two AMQP brokers real.

Runs the suite's programs against real brokers and counts the behaviours of each
backend; what is not applicable is listed with its reason. The short form counts
what the last scripts/test left, if that had the suite in it.
"""

import collections
import json

import accept
import paths
import results

BEHAVIOURS = 60
PROGRAMS = "conformance_test"
WANTED = ("memory", "kafka", "artemis", "rabbitmq")


def cases_of_last_run():
    """The suite's cases that the last scripts/test left."""
    summary = paths.build_dir("dev") / "results" / "summary.json"
    if not summary.exists():
        return []
    return [case for case in json.loads(summary.read_text())["cases"]
            if case["program"].endswith(PROGRAMS)]


def run(ctx):
    cases = cases_of_last_run() if ctx.short else []
    if not cases:
        ctx.say("running the suite against real brokers")
        ctx.test("--filter", PROGRAMS + "$")
        cases = cases_of_last_run()
    counts = collections.defaultdict(collections.Counter)
    reasons = collections.Counter()
    failures = []
    for case in cases:
        # "memory: a lost connection leaves unanswered sends in doubt"
        backend, _, behaviour = case["name"].partition(": ")
        counts[backend][case["outcome"]] += 1
        if case["outcome"] == "skipped":
            reasons[(backend, behaviour, case["detail"].removeprefix(
                results.NOT_APPLICABLE))] += 1
        elif case["outcome"] == "failed":
            failures.append(f"failed on {backend}: {behaviour}")
    figures = {}
    ok = not failures
    for backend in WANTED:
        count = counts[backend]
        behaviours = sum(count.values())
        figures[backend] = (
            f"{behaviours} behaviours: {count['passed']} passed, "
            f"{count['failed']} failed, {count['skipped']} not applicable")
        ok = ok and behaviours >= BEHAVIOURS
    notes = failures + [
        f"not applicable on {backend}: {name}: {reason}"
        for (backend, name, reason) in sorted(reasons)]
    return accept.Result(ok, figures, notes)
