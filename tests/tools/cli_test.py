"""The tieline command without any broker: on memory, and on what is wrong."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import unittest

import cli
from cli import tieline

python_test = cli.python_test


def closed_port():
    """A port of this machine where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Help(unittest.TestCase):

    def test_help_is_there_for_every_command(self):
        words = [[], ["send"], ["receive"], ["relay"], ["queues"],
                 ["queues", "list"], ["queues", "depth"], ["queues", "peek"],
                 ["config"], ["config", "check"], ["config", "show"],
                 ["config", "schema"], ["config", "reference"], ["doctor"],
                 ["move"], ["journal"], ["store"], ["store", "check"],
                 ["store", "repair"],
                 ["bench"], ["capabilities"], ["demo"], ["completion"]]
        for command in words:
            with self.subTest(command=command):
                ran = tieline(*command, "--help")
                self.assertEqual(0, ran.code, ran)
                self.assertIn("Usage: tieline", ran.out)
                self.assertEqual("", ran.err)

    def test_help_has_the_exit_codes(self):
        ran = tieline("--help")
        for code in ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "130"):
            self.assertRegex(ran.out, rf"(?m)^  {code} +\w")

    def test_version(self):
        ran = tieline("--version")
        self.assertEqual(0, ran.code)
        self.assertRegex(ran.out, r"^tieline \d+\.\d+\.\d+\n$")

    def test_bash_completes_commands_and_options(self):
        script = tieline("completion", "bash")
        self.assertEqual(0, script.code)
        with tempfile.NamedTemporaryFile("w", suffix=".bash") as file:
            file.write(script.out)
            file.flush()
            ask = (f"source {file.name}; COMP_WORDS=(tieline queues d); "
                   "COMP_CWORD=2; _tieline; echo ${COMPREPLY[@]}; "
                   "COMP_WORDS=(tieline relay --stop); COMP_CWORD=2; _tieline; "
                   "echo ${COMPREPLY[@]}")
            done = subprocess.run(["bash", "-c", ask], capture_output=True,
                                  text=True, check=True)
        self.assertEqual("depth\n--stop-timeout\n", done.stdout)
        self.assertIn("bashcompinit", tieline("completion", "zsh").out)


class Usage(unittest.TestCase):

    def check(self, words, text):
        ran = tieline(*words)
        with self.subTest(words=words):
            self.assertEqual(2, ran.code, ran)
            self.assertEqual(1, len(ran.errors), ran)
            self.assertTrue(ran.errors[0].startswith("tieline: usage: "), ran)
            self.assertIn(text, ran.errors[0])

    def test_a_wrong_command_line_is_one_line_and_exit_code_2(self):
        self.check([], "subcommand")
        self.check(["recieve"], 'did you mean "receive"?')
        self.check(["send"], "QUEUE")
        self.check(["send", "memory://m/q", "--bogus"], "--bogus")
        self.check(["send", "memory://m/q", "--count", "none"], "--count")
        self.check(["send", "memory://m/q", "-p", "novalue"], "NAME=VALUE")
        self.check(["send", "memory://m/q", "-p", "n=x:int"], "int")
        self.check(["send", "memory://m/q", "x", "--body", "y"], "both")
        self.check(["receive", "memory://m/q", "--idle", "soon"], "duration")
        self.check(["receive", "memory://m/q", "--format", "xml"], "--format")
        self.check(["receive", "memory://m/q", "--peek", "-F"], "--peek")
        self.check(["relay"], "nothing to relay")
        self.check(["doctor"], "nothing to examine")
        self.check(["move", "q", "-c", "x.yaml"], "nothing to do")
        self.check(["move", "q", "--to", "b"], "--config")
        self.check(["move", "q", "-c", "x", "--to", "b", "--generation", "0"],
                   "--generation")
        self.check(["journal"], "--state")
        self.check(["store", "check"], "FILE")
        self.check(["completion", "fish"], "SHELL")


class Memory(unittest.TestCase):

    def test_send_counts_what_the_queue_took(self):
        ran = tieline("send", "memory://m/q", stdin="one\ntwo\n")
        self.assertEqual((0, "", "tieline: sent 2, failed 0\n"),
                         (ran.code, ran.out, ran.err))
        ran = tieline("send", "memory://m/q", "--body", "x", "--count", "250",
                      "--batch", "100", "-p", "n=5:int", "--key", "k", "-q")
        self.assertEqual((0, "", ""), (ran.code, ran.out, ran.err))

    def test_send_names_the_line_that_is_not_a_message(self):
        ran = tieline("send", "memory://m/q", "-f", "ndjson",
                      stdin='{"body":"a"}\n{"bdy":"b"}\n')
        self.assertEqual(7, ran.code, ran)
        self.assertEqual(['tieline: input: standard input:2: unknown member '
                          '"bdy"; did you mean "body"?'], ran.errors)
        self.assertIn("sent 1, failed 0", ran.err)

    def test_dlq_wants_to_know_which(self):
        for words in (["retry", "memory://m/q"],
                      ["retry", "memory://m/q", "1", "--all"],
                      ["purge", "memory://m/q", "--all"],
                      ["move", "memory://m/q", "--all"],
                      ["show", "memory://m/q"], []):
            with self.subTest(words=words):
                self.assertEqual(2, tieline("dlq", *words).code)

    def test_dlq_of_a_queue_without_dead_letters(self):
        ran = tieline("dlq", "list", "memory://m/q")
        self.assertEqual((0, ""), (ran.code, ran.out), ran)
        self.assertIn("no dead letters of q at q/$DeadLetterQueue", ran.err)
        ran = tieline("dlq", "retry", "memory://m/q", "--all", "--json")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(0, json.loads(ran.out)["retried"])
        ran = tieline("dlq", "show", "memory://m/q", "1")
        self.assertEqual(6, ran.code, ran)

    def test_send_keeps_to_a_rate(self):
        ran = tieline("send", "memory://m/q", "--body", "x", "--count", "11",
                      "--rate", "50")
        self.assertEqual(0, ran.code, ran)

    def test_receive_ends_when_nothing_comes(self):
        ran = tieline("receive", "memory://m/q", "--idle", "100ms")
        self.assertEqual((0, ""), (ran.code, ran.out))

    def test_receive_follows_until_interrupted(self):
        process = cli.start("receive", "memory://m/q", "--follow", "-v")
        process.stderr.readline()  # it is at work
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(timeout=30))
        process.stdout.close()
        process.stderr.close()

    def test_relay_stops_when_idle_and_by_signal(self):
        ran = tieline("relay", "memory://a/q", "memory://b/q", "--until-idle",
                      "200ms")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("dead-lettered", ran.out)
        process = cli.start("relay", "memory://a/q", "memory://b/q", "--json",
                            "--report-every", "20ms")
        first = json.loads(process.stdout.readline())
        self.assertEqual("relay", first["route"])
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, err)
        last = json.loads(out.splitlines()[-1])
        self.assertEqual("total", last["event"])

    def test_relay_runs_the_routes_of_a_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bridge.yaml"
            path.write_text("""
routes:
  - { name: one, from: memory://a/q, to: memory://b/q }
  - { name: two, from: memory://b/r, to: memory://a/r }
""")
            ran = tieline("relay", "-c", path, "--json", "--until-idle",
                          "200ms")
            self.assertEqual(0, ran.code, ran)
            routes = {json.loads(line)["route"]
                      for line in ran.out.splitlines()}
            self.assertEqual({"one", "two"}, routes)
            ran = tieline("relay", "-c", path, "-r", "two", "--json",
                          "--until-idle", "200ms")
            self.assertNotIn('"one"', ran.out)
            ran = tieline("relay", "-c", path, "-r", "three")
            self.assertEqual(3, ran.code, ran)

    def test_queues(self):
        self.assertEqual(0, tieline("queues", "list", "memory://m").code)
        for words in (["depth"], ["peek"]):
            ran = tieline("queues", *words, "memory://m/q")
            self.assertEqual(6, ran.code, ran)
            self.assertEqual(1, len(ran.errors), ran)

    def test_doctor_goes_step_by_step(self):
        ran = tieline("doctor", "memory://m/q", "--probe", "--json")
        self.assertEqual(0, ran.code, ran)
        steps = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(["parse", "resolve", "connect", "tls", "authenticate",
                          "entity", "credit", "round trip"],
                         [step["step"] for step in steps])
        self.assertEqual(["ok"] + ["skipped"] * 3 + ["ok"] * 4,
                         [step["result"] for step in steps])

    def test_bench_reports_both_legs(self):
        ran = tieline("bench", "memory://m/q", "-n", "5000", "--json",
                      "--keys", "7")
        self.assertEqual(0, ran.code, ran)
        legs = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(["send", "receive"], [leg["leg"] for leg in legs])
        self.assertEqual([5000, 5000], [leg["messages"] for leg in legs])

    def test_a_broker_says_what_it_can(self):
        ran = tieline("capabilities", "memory://m/q", "--json")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("defer", json.loads(ran.out)["capabilities"])
        ran = tieline("capabilities", "memory://m/q", "--name", "here")
        self.assertEqual(0, ran.code, ran)
        self.assertTrue(ran.out.startswith("| | here |\n|---|---|\n"), ran)


class Config(unittest.TestCase):

    def write(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False)
        self.addCleanup(os.unlink, file.name)
        with file:
            file.write(text)
        return file.name

    def test_check_says_that_all_is_fine_or_what_is_not(self):
        path = self.write("brokers: { a: { url: memory://a } }\n")
        ran = tieline("config", "check", path)
        self.assertEqual(0, ran.code, ran)
        self.assertIn("1 brokers", ran.out)
        path = self.write("brokers: { a: { url: memory://a, x: 1 } }\n"
                          "queues: { q: { broker: b } }\n")
        ran = tieline("config", "check", path)
        self.assertEqual(3, ran.code, ran)
        self.assertEqual(2, len(ran.errors), ran)
        self.assertIn(f"{path}:1:", ran.errors[0])
        self.assertIn(f"{path}:2:", ran.errors[1])
        ran = tieline("config", "check", path + ".missing")
        self.assertEqual(3, ran.code, ran)

    def test_show_hides_secrets(self):
        path = self.write("brokers:\n  a:\n    url: amqps://h.example.net\n"
                          "    auth: { user: u, password: { env: PW } }\n")
        ran = tieline("config", "show", path,
                      env={**os.environ, "PW": "hunter2"})
        self.assertEqual(0, ran.code, ran)
        self.assertIn('password: "***"', ran.out)
        self.assertNotIn("hunter2", ran.out + ran.err)

    def test_schema_and_reference(self):
        schema = json.loads(tieline("config", "schema").out)
        self.assertIn("brokers", schema["properties"])
        self.assertIn("| `dead_letter_after` |",
                      tieline("config", "reference").out)

    def test_the_guide_has_the_reference_of_this_build(self):
        page = python_test.ROOT / "docs" / "guide" / "configuration.md"
        self.assertIn(tieline("config", "reference").out, page.read_text(),
                      "run: tieline config reference, and put it in the page")

    def test_the_guide_has_the_exit_codes_of_this_build(self):
        page = (python_test.ROOT / "docs/guide/operating.md").read_text()
        rows = re.findall(r"(?m)^  (\d+) +(.*)$", tieline("--help").out)
        self.assertGreater(len(rows), 8)
        for code, meaning in rows:
            self.assertIn(f"| {code} | {meaning} |", page)


class Unreachable(unittest.TestCase):

    def nobody_listens(self, scheme):
        url = f"{scheme}://127.0.0.1:{closed_port()}/q"
        for words in (["send", url, "--body", "x", "--timeout", "2s"],
                      ["receive", url + "?group=g", "--timeout", "2s"],
                      ["queues", "depth", url, "--timeout", "2s"],
                      ["doctor", url, "--timeout", "2s"]):
            with self.subTest(words=words):
                ran = tieline(*words)
                self.assertEqual(4, ran.code, ran)
                self.assertEqual(1, len(ran.errors), ran)
                self.assertIn("refused", ran.errors[0])

    def test_nobody_listens_for_amqp(self):
        self.nobody_listens("amqp")

    def test_nobody_listens_for_kafka(self):
        if not cli.built_with("KAFKA"):
            self.skipTest("not applicable: built without Kafka")
        self.nobody_listens("kafka")

    def test_a_relay_waits_for_its_broker_and_stops_by_signal(self):
        process = cli.start("relay", f"amqp://127.0.0.1:{closed_port()}/q",
                            "memory://m/q")
        self.assertIn("connect", process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        self.assertEqual(0, process.returncode, err)

    def test_a_full_output_is_one_line_and_exit_code_9(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([cli.COMMAND, "config", "schema"],
                                  stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=30)
        self.assertEqual(9, done.returncode)
        self.assertIn("No space left", done.stderr)
        self.assertEqual(1, len(done.stderr.splitlines()))


if __name__ == "__main__":
    python_test.main()
