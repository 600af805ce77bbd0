"""Runs the tieline command for the tests."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_test  # noqa: E402

COMMAND = python_test.build_dir() / "tools" / "tieline"
SECONDS = 60


def built_with(backend):
    """Whether the command has the backend ("KAFKA")."""
    cache = (python_test.build_dir() / "CMakeCache.txt").read_text()
    return not re.search(rf"^TIELINE_{backend}:\w+=OFF$", cache, re.M)


class Ran:
    """What a run of the command left behind."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def errors(self):
        """The lines on standard error, but for the counts of what was done."""
        return [line for line in self.err.splitlines()
                if not line.startswith(("tieline: sent ", "tieline: received ",
                                        "tieline: retried ", "tieline: moved ",
                                        "tieline: purged "))]

    def __repr__(self):
        return f"exit code {self.code}\n{self.out[-2000:]}\n{self.err[-2000:]}"


def tieline(*words, stdin="", seconds=SECONDS, env=None, cwd=None):
    """Runs it to its end; input and output are text."""
    done = subprocess.run([str(COMMAND), *map(str, words)], input=stdin,
                          capture_output=True, text=True, timeout=seconds,
                          env=env, cwd=cwd, errors="replace")
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*words, **options):
    """Starts it and returns the process, with pipes for its output."""
    return subprocess.Popen([str(COMMAND), *map(str, words)], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


KINDS = ("kafka", "artemis", "rabbitmq")


def url_of(kind):
    return os.environ.get(f"TIELINE_{kind.upper()}_URL")


class BrokerCase(unittest.TestCase):
    """Uses the real brokers of the run, which other programs use too."""

    @classmethod
    def setUpClass(cls):
        if python_test.built_without("kafka"):
            raise unittest.SkipTest("the build has no Kafka")
        for kind in KINDS:
            if not url_of(kind):
                raise unittest.SkipTest(f"there is no {kind} broker: "
                                        "TIELINE_..._URL is not set")

    def setUp(self):
        # Names of our own.
        self.unique = uuid.uuid4().hex[:8]

    def entity(self, name):
        return f"cli-{self.unique}-{name}"

    def queue(self, kind, name="q", **params):
        if kind == "kafka":
            params = {"create": "true", "group": f"g-{self.unique}", **params}
        query = "&".join(f"{k}={v}" for k, v in params.items())
        return (f"{url_of(kind)}/{self.entity(name)}" +
                (f"?{query}" if query else ""))

    def ok(self, *words, **options):
        ran = tieline(*words, **options)
        self.assertEqual(0, ran.code, f"{words}\n{ran}")
        return ran

    def assert_fails(self, ran, code, *texts):
        self.assertEqual(code, ran.code, ran)
        self.assertEqual(1, len(ran.errors), ran)
        for text in texts:
            self.assertIn(text, ran.errors[0])


class RelayCase(BrokerCase):
    """Relays of the test's own, each with a config file and a state file that
    have its name."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tieline-relay-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def write_config(self, relay, text):
        (self.folder / f"{relay}.yaml").write_text(text)

    def start_relay(self, relay):
        process = start("relay", "-c", self.folder / f"{relay}.yaml", "-q")
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)
        python_test.wait_until((self.folder / f"{relay}.db.sock").exists, 30,
                               "it listens")
        return process

    def reload(self, process, says):
        process.send_signal(signal.SIGHUP)
        # It may have other things to say before.
        said = next((line for line in process.stderr if "reload" in line), "")
        self.assertIn(says, said)

    def stop_relay(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(timeout=30))

    def journal(self, relay, kind):
        """What is told by the entries of a kind."""
        ran = self.ok("journal", "--state", self.folder / f"{relay}.db",
                      "--json")
        entries = [json.loads(line) for line in ran.out.splitlines()]
        return [entry["detail"] for entry in entries if entry["kind"] == kind]
