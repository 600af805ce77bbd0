"""tieline journal and tieline store, on state files."""

import json
import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

import cli
from cli import tieline
from control_peer import ControlPeer, error

python_test = cli.python_test
MAKE = python_test.build_dir() / "tests" / "tools" / "make_store" / "make_store"


class Case(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tieline-state-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "b.db"

    def make(self, entries=3):
        subprocess.run([MAKE, self.file, str(entries)], check=True, timeout=60)

    def keep_open(self):
        process = subprocess.Popen([MAKE, self.file, "0", "keep"], text=True,
                                   stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.stdin.close)
        self.assertEqual("open\n", process.stdout.readline())
        return process

    def one_line(self, code, text, *words):
        ran = tieline(*words)
        self.assertEqual(code, ran.code, ran)
        self.assertEqual(1, len(ran.errors), ran)
        self.assertIn(text, ran.errors[0])


class Journal(Case):

    def test_entries_of_a_file_are_printed_in_their_order(self):
        self.make(1200)
        ran = tieline("journal", "--state", self.file, "--json")
        self.assertEqual(0, ran.code, ran)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(list(range(1, 1201)), [e["number"] for e in lines])
        self.assertEqual({"queue": "q", "step": 7}, lines[6]["detail"])
        ran = tieline("journal", "--state", self.file, "--from", "1200")
        self.assertRegex(ran.out, r'^1200 \d{4}-\d\d-\d\dT\S+ move '
                         r'\{"queue":"q","step":1200\}\n$')

    def test_a_process_is_asked_for_its_own(self):
        entries = [{"number": n, "time": "2026-01-31T12:00:00+00:00",
                    "kind": "move", "detail": {"n": n}} for n in range(1, 8)]

        def answer(request):
            found = [e for e in entries if e["number"] >= request["from"]][:3]
            return {"ok": True, "entries": found,
                    "next": found[-1]["number"] + 1 if found
                    else request["from"]}

        self.make()
        peer = ControlPeer(str(self.file) + ".sock", answer)
        self.addCleanup(peer.close)
        ran = tieline("journal", "--state", self.file, "--from", "2", "--json")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(entries[1:],
                         [json.loads(line) for line in ran.out.splitlines()])
        process = cli.start("journal", "--state", self.file, "--follow",
                            "--json")
        self.addCleanup(process.stderr.close)
        for entry in entries:
            self.assertEqual(entry, json.loads(process.stdout.readline()))
        entries.append({**entries[0], "number": 8})
        self.assertEqual(8, json.loads(process.stdout.readline())["number"])
        process.send_signal(signal.SIGINT)
        self.assertEqual(0, process.wait(timeout=30))
        process.stdout.close()

    def test_what_cannot_be_read_is_one_line(self):
        self.one_line(9, "there is no state file", "journal", "--state",
                      self.file)
        self.assertFalse(self.file.exists())
        self.keep_open()
        self.one_line(9, "has it open", "journal", "--state", self.file)
        peer = ControlPeer(str(self.file) + ".sock",
                           lambda _: error("UNIMPLEMENTED", "no journal"))
        self.addCleanup(peer.close)
        self.one_line(9, "no journal", "journal", "--state", self.file)


class Store(Case):

    def test_a_whole_file_is_fine(self):
        self.make()
        ran = tieline("store", "check", self.file)
        self.assertEqual(0, ran.code, ran)
        self.assertIn("fine: 2 queues, 2 messages in the spool", ran.out)
        ran = tieline("store", "check", self.file, "--json")
        self.assertEqual(2, json.loads(ran.out)["spool_entries"])

    def test_a_damaged_file_is_found_and_repaired(self):
        self.make()
        for path in self.folder.iterdir():
            path.write_bytes(path.read_bytes().replace(b"a message",
                                                       b"A message"))
        self.one_line(1, f"`tieline store repair {self.file}`", "store",
                      "check", self.file)
        ran = tieline("store", "repair", self.file, "--json")
        self.assertEqual(0, ran.code, ran)
        report = json.loads(ran.out)
        self.assertEqual(1, report["damaged_segments"])
        self.assertEqual({"kept": 3, "lost": 0}, report["journal_entries"])
        self.assertTrue(pathlib.Path(report["damaged_file"]).exists())
        self.assertEqual(0, tieline("store", "check", self.file).code)

    def test_a_whole_file_comes_out_of_a_repair_as_it_was(self):
        self.make()
        ran = tieline("store", "repair", self.file)
        self.assertEqual(0, ran.code, ran)
        self.assertIn("spool entries: kept 2, lost 0", ran.out)
        self.assertTrue((self.folder / "b.db.damaged-1").exists())
        ran = tieline("journal", "--state", self.file)
        self.assertEqual(3, len(ran.out.splitlines()))

    def test_what_is_in_the_spool_is_printed_and_taken_out(self):
        self.make()
        for words, body in (((), "a message"), (("--rejected",), "refused")):
            for last in ((), ("--remove",)):
                ran = tieline("store", "spool", self.file, "q", *words, *last)
                self.assertEqual(0, ran.code, ran)
                self.assertEqual([{"body": body}],
                                 [json.loads(line)
                                  for line in ran.out.splitlines()])
            ran = tieline("store", "spool", self.file, "q", *words)
            self.assertEqual((0, ""), (ran.code, ran.out), ran)
        ran = tieline("store", "check", self.file, "--json")
        self.assertEqual(0, json.loads(ran.out)["spool_entries"])

    def test_what_cannot_be_done_is_one_line(self):
        commands = (("check", self.file), ("repair", self.file),
                    ("spool", self.file, "q"))
        for words in commands:
            self.one_line(9, "there is no", "store", *words)
        self.keep_open()
        for words in commands:
            self.one_line(1, "has it open", "store", *words)


if __name__ == "__main__":
    python_test.main()
