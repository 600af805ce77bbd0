"""Real brokers for the scripts, through tests/brokers/broker."""

import contextlib
import json
import os
import shlex
import subprocess
import sys

import paths

COMMAND = paths.ROOT / "tests" / "brokers" / "broker"
# What the tests expect: one of each, with TLS where they speak it.
FOR_TESTS = ("kafka --tls", "artemis --tls", "rabbitmq")


def call(*arguments):
    """Runs the broker command; returns what it printed."""
    done = subprocess.run([sys.executable, "-B", COMMAND, *arguments],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"brokers: '{' '.join(arguments)}' failed")
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
    """A running broker's name for each kind."""
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
    started, names = [], []
    try:
        for line in FOR_TESTS:
            name = kept.get(line.split()[0])
            if not name:
                name = start(line, die_with=not keep)["name"]
                started.append(name)
            names.append(name)
        yield variables(names)
    finally:
        if started and not keep:
            call("stop", *started)
