"""scripts/test: builds, starts brokers once, runs every test, counts cases."""

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import brokers
import paths
import results

SLOW = "broker|slow"


def parse():
    parser = argparse.ArgumentParser(
        prog="scripts/test",
        description="Builds and runs the tests; the last line is "
        "'N passed, N failed, N skipped'. Exit code 0: none failed.")
    parser.add_argument("--preset", default="dev", metavar="P",
                        help="dev (default), release, asan, tsan, coverage")
    parser.add_argument("--fast", action="store_true",
                        help="unit tests only, no brokers")
    parser.add_argument("--filter", metavar="RE",
                        help="only the test programs whose name matches")
    parser.add_argument("--exclude", metavar="RE",
                        help="not the test programs whose name matches")
    parser.add_argument("--keep-brokers", action="store_true",
                        help="leave the brokers running, for the next run")
    parser.add_argument("--no-build", action="store_true",
                        help="run what was built before")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    return parser.parse_args()


def build(preset, jobs):
    """Configures and builds; says little unless it fails."""
    folder = paths.build_dir(preset)
    for step in (["cmake", "--preset", preset],
                 ["cmake", "--build", folder, "-j", str(jobs)]):
        start = time.monotonic()
        done = subprocess.run(step, cwd=paths.ROOT, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        if done.returncode:
            print("\n".join(done.stdout.splitlines()[-60:]))
            raise SystemExit(f"test: {' '.join(map(str, step))} failed\n"
                             "0 passed, 1 failed, 0 skipped")
        for line in done.stdout.splitlines():
            if "left out" in line:
                print(line.removeprefix("-- "))
        print(f"test: {step[0]} {step[1]} {preset}: "
              f"{time.monotonic() - start:.0f} s", flush=True)


def selection(options):
    """The words that make ctest choose the tests asked for."""
    words = []
    if options.filter:
        words += ["-R", options.filter]
    if options.exclude:
        words += ["-E", options.exclude]
    if options.fast:
        words += ["-LE", SLOW]
    return words


def needs_brokers(folder, words):
    listing = subprocess.run(
        ["ctest", "--test-dir", folder, "--show-only=json-v1", *words],
        capture_output=True, text=True, check=True)
    return any(
        p["name"] == "LABELS" and "broker" in p["value"]
        for test in json.loads(listing.stdout)["tests"]
        for p in test.get("properties", []))


def run(folder, words, environment, jobs):
    """Runs ctest, leaving the results in the results folder."""
    place = folder / "results"
    place.mkdir(parents=True)
    junit = place / "ctest.junit"
    subprocess.run(
        ["ctest", "--test-dir", folder, "-j", str(jobs), "--output-junit",
         junit, "--test-output-size-failed", "100000", *words],
        cwd=paths.ROOT,
        env={**os.environ, **environment, "TIELINE_TEST_RESULTS": str(place)})
    if not junit.exists():
        raise SystemExit("test: ctest found nothing to run\n"
                         "0 passed, 1 failed, 0 skipped")
    return results.collect(place, junit)


def report(cases, seconds, folder):
    skipped = collections.Counter(
        (c.program, c.detail.removeprefix(results.NOT_APPLICABLE))
        for c in cases if c.outcome == "skipped")
    for (program, reason), count in sorted(skipped.items()):
        print(f"skipped: {program}: {count} x {reason}")
    for case in cases:
        if case.outcome == "failed":
            print(f"\nFAILED: {case.program}: {case.name}\n{case.detail}")
    (folder / "results" / "summary.json").write_text(json.dumps({
        "cases": [dataclasses.asdict(case) for case in cases],
        "seconds": seconds}, indent=1))
    tally = results.Tally(cases)
    print(f"\n{tally}", flush=True)
    return tally


def main():
    # Ends by an exception, so that the brokers are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    folder = paths.build_dir(options.preset)
    # First, so that a build that fails leaves no results of an earlier one.
    shutil.rmtree(folder / "results", ignore_errors=True)
    if not options.no_build:
        build(options.preset, options.jobs)
    words = selection(options)
    with contextlib.ExitStack() as stack:
        environment = {}
        if not options.fast and needs_brokers(folder, words):
            start = time.monotonic()
            environment = stack.enter_context(
                brokers.for_tests(options.keep_brokers))
            print(f"test: brokers: {time.monotonic() - start:.0f} s",
                  flush=True)
        cases, seconds = run(folder, words, environment, options.jobs)
    return 1 if report(cases, seconds, folder).failed else 0


if __name__ == "__main__":
    sys.exit(main())
