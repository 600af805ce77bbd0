"""Real brokers for the scripts, through tests/brokers/broker."""

import concurrent.futures
import contextlib
import json
import os
import shlex
import subprocess
import sys

import paths

COMMAND = paths.ROOT / "tests" / "brokers" / "broker"
# What the tests expect: one of each, with all that they can do. Every Kafka
# proxy of a test needs a listener; tests run side by side.
FOR_TESTS = ("kafka --tls --sasl all --proxied 16", "artemis --tls",
             "rabbitmq --tls --dead-letter")


def call(*arguments):
    """Runs the broker command; returns what it printed."""
    done = subprocess.run([sys.executable, "-B", COMMAND, *arguments],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"brokers: '{' '.join(arguments)}' failed")
    return done.stdout


def start(line, die_with=True):
    """Starts a broker, as 'kafka --tls'; returns its description."""
    extra = ["--die-with", str(os.getpid())] if die_with else []
    return json.loads(call("start", *shlex.split(line), *extra))


def variables(names):
    """The environment that names these brokers to test programs."""
    found = {}
    for line in call("env", *names).splitlines():
        key, _, value = line.removeprefix("export ").partition("=")
        found[key] = shlex.split(value)[0]
    return found


def _running():
    """A running broker's name for each kind of FOR_TESTS."""
    rows = json.loads(call("list", "--json"))
    return {row["kind"]: row["name"] for row in rows
            if row["condition"] == "running"}


@contextlib.contextmanager
def for_tests(keep=False):
    """The brokers of FOR_TESTS, as environment variables.

    Those that the environment names already are used as they are. With keep,
    brokers left by an earlier run are used again, and stay.
    """
    if "TIELINE_KAFKA_URL" in os.environ:
        yield {}
        return
    kept = _running() if keep else {}
    started, names = [], list(kept.values())
    try:
        missing = [line for line in FOR_TESTS if line.split()[0] not in kept]
        with concurrent.futures.ThreadPoolExecutor(len(FOR_TESTS)) as pool:
            tasks = [pool.submit(start, line, not keep) for line in missing]
            concurrent.futures.wait(tasks)
            started += [t.result()["name"] for t in tasks
                        if t.exception() is None]
        for task in tasks:
            task.result()
        yield variables(names + started)
    finally:
        if started and not keep:
            call("stop", *started)
