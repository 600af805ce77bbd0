"""Runs the examples, on memory and on real brokers."""

import os
import pathlib
import subprocess
import sys
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import python_test  # noqa: E402

FOLDER = python_test.build_dir() / "examples"
SOURCES = python_test.ROOT / "examples"
PROGRAMS = ("producer", "consumer", "bridge")


def run(program, *words):
    return subprocess.run([FOLDER / program, *map(str, words)], text=True,
                          capture_output=True, timeout=120)


class Examples(unittest.TestCase):

    def url(self, kind, name):
        """A queue of our own at a shared broker."""
        if python_test.built_without(kind):
            self.skipTest(f"the build has no {kind}")
        base = os.environ.get(f"TIELINE_{kind.upper()}_URL")
        if not base:
            self.skipTest(f"there is no {kind} broker: its URL is not set")
        unique = uuid.uuid4().hex[:8]
        query = (f"?create=true&group=examples-{unique}"
                 if kind == "kafka" else "")
        return f"{base}/examples-{unique}-{name}{query}"

    def assert_says(self, done, text):
        self.assertEqual((0, text + "\n"), (done.returncode, done.stdout),
                         done.stderr)

    def test_each_is_shorter_than_100_lines(self):
        for program in PROGRAMS:
            lines = (SOURCES / f"{program}.cc").read_text().splitlines()
            self.assertLess(len(lines), 100, program)

    def test_usage_is_said(self):
        for program in PROGRAMS:
            done = run(program)
            self.assertEqual(2, done.returncode)
            self.assertIn("usage: ", done.stderr)

    def test_a_wrong_url_is_said(self):
        for program in ("producer", "consumer"):
            done = run(program, "kakfa://localhost/q")
            self.assertEqual(1, done.returncode)
            self.assertIn('did you mean "kafka"', done.stderr)

    def test_the_producer_on_memory(self):
        self.assert_says(run("producer", "memory://m/q", 500), "accepted 500")

    def test_the_bridge_on_memory(self):
        self.assert_says(run("bridge", "memory://m/up", "memory://m/down"),
                         "booted 200, commands confirmed 200")

    def producer_to_consumer(self, kind):
        queue = self.url(kind, "readings")
        self.assert_says(run("producer", queue, 1000), "accepted 1000")
        self.assert_says(run("consumer", queue, 1000), "handled 1000")

    def test_producer_and_consumer_on_kafka(self):
        self.producer_to_consumer("kafka")

    def test_producer_and_consumer_on_artemis(self):
        self.producer_to_consumer("artemis")

    def test_producer_and_consumer_on_rabbitmq(self):
        self.producer_to_consumer("rabbitmq")

    def test_the_bridge_between_artemis_and_kafka(self):
        done = run("bridge", self.url("artemis", "up"),
                   self.url("kafka", "down"))
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        self.assertIn("commands confirmed 200", done.stdout)


if __name__ == "__main__":
    python_test.main()
