"""Conformance suite: >= 60 behaviours x 3 backends, Kafka and two AMQP brokers real.

Runs the suite's programs (conformance_BACKEND) against real brokers and counts
the behaviours of each; what is not applicable is listed with its reason.
"""

import collections
import json

import accept
import paths
import results

BEHAVIOURS = 60
PREFIX = "conformance_"
# Each line of the target, and the programs that may stand for it.
WANTED = ("memory", "kafka", "artemis", "rabbitmq")


def run(ctx):
    ctx.say("running the suite against real brokers")
    code, _ = ctx.test("--filter", f"^{PREFIX}")
    summary = paths.build_dir("dev") / "results" / "summary.json"
    cases = json.loads(summary.read_text())["cases"]
    counts = collections.defaultdict(collections.Counter)
    reasons = collections.Counter()
    failures = []
    for case in cases:
        backend = case["program"].removeprefix(PREFIX)
        counts[backend][case["outcome"]] += 1
        if case["outcome"] == "skipped":
            reasons[(backend, case["name"], case["detail"].removeprefix(
                results.NOT_APPLICABLE))] += 1
        elif case["outcome"] == "failed":
            failures.append(f"failed on {backend}: {case['name']}")
    figures = {}
    ok = code == 0
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
