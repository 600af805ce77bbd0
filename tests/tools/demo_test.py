"""The demo: a sick broker, a move, and a ledger that finds nothing amiss."""

import json
import re
import signal
import unittest

import cli
from cli import start, tieline

python_test = cli.python_test

STAGES = ["preparing", "switching", "draining", "retiring"]


def report(*words):
    """Runs the demo; its exit code and its report."""
    ran = tieline("demo", "--json", *words)
    lines = ran.out.splitlines()
    assert len(lines) == 1, ran
    return ran, json.loads(lines[0])


class Demo(unittest.TestCase):

    def check_ledger(self, ran, told, sent):
        ledger = told["ledger"]
        self.assertGreater(ledger["sent"], sent)
        self.assertEqual(ledger["sent"], ledger["accepted"], ran)
        self.assertEqual(ledger["sent"], ledger["handled"], ran)
        for nothing in ("lost", "order_violations", "failed",
                        "unanswered", "altered"):
            self.assertEqual(0, ledger[nothing], (nothing, ran))
        self.assertEqual(0, ledger["duplicates"], ran)
        self.assertEqual(0, told["left"], ran)
        self.assertEqual(0, ran.code, ran)
        self.assertTrue(told["ok"])

    def check_move(self, ran, told):
        move = told["move"]
        self.assertEqual(("observations", "primary", "fresh", 2),
                         (move["queue"], move["from"], move["to"],
                          move["generation"]))
        self.assertEqual(STAGES, [stage["name"] for stage in move["stages"]])
        self.assertEqual("exact", move["proof"], ran)
        self.assertTrue(move["over"], ran)
        self.assertEqual(0, move["late"], ran)

    def test_a_sick_broker_is_left_and_nothing_is_amiss(self):
        ran, told = report("--duration", "5s", "--rate", "1000")
        self.check_ledger(ran, told, 3000)
        self.check_move(ran, told)
        parts = {part["part"]: part for part in told["parts"]}
        self.assertEqual(["all is well", "primary is slow",
                          "primary drops connections", "moving", "at fresh"],
                         list(parts))
        self.assertGreater(parts["primary is slow"]["wait_p99_us"], 50_000)

    def test_a_broker_that_is_well_can_be_left_too(self):
        ran, told = report("--calm", "--duration", "2s", "--rate", "500")
        self.check_ledger(ran, told, 500)
        self.check_move(ran, told)
        self.assertEqual(["all is well", "moving", "at fresh"],
                         [part["part"] for part in told["parts"]])

    def test_it_tells_people_what_happens_and_what_came_of_it(self):
        ran = tieline("demo", "--calm", "--duration", "2s", "--rate", "500")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("tieline move observations --to fresh", ran.out)
        for stage in STAGES:
            self.assertRegex(ran.out, rf"(?m)^  {stage} +\d")
        self.assertIn("lost 0, duplicates 0, order violations 0\n", ran.out)
        sent = re.search(r"sent ([\d,]+), accepted", ran.out)[1]
        self.assertGreater(int(sent.replace(",", "")), 500)

    def test_interrupted_it_says_what_came_of_what_was_sent(self):
        demo = start("demo", "--duration", "60s", "--rate", "500")
        for line in demo.stdout:
            if re.match(r" +\d+\.\d s ", line):
                break
        demo.send_signal(signal.SIGINT)
        out, err = demo.communicate(timeout=60)
        self.assertEqual(130, demo.returncode, (out, err))
        self.assertIn("lost 0, duplicates 0, order violations 0\n", out)


if __name__ == "__main__":
    python_test.main()
