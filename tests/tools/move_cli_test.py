"""tieline move, on a file alone, on a process that the test plays, and on a
relay."""

import json
import os
import pathlib
import shutil
import signal
import stat
import tempfile
import unittest

import cli
from cli import tieline
from control_peer import ControlPeer, FakeBus, error

python_test = cli.python_test

FILE = """\
# Bridge of the depot
brokers:
  primary: { url: memory://a, auth: { user: u, password: { env: NOT_SET } } }
  fresh: { url: memory://b }   # since May
queues:
  q: { broker: primary }  # all of it
state: { file: b.db }
"""
MOVED = FILE.replace("{ broker: primary }",
                     "{ broker: fresh, generation: 2, was: [ primary ] }")
PREPARING = {"state": "preparing"}
SWITCHING = {"state": "switching"}
DRAINING = {"state": "draining"}
DRAINED = {"state": "retiring", "drained_all": True, "proof": "exact"}


class Case(unittest.TestCase):

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tieline-move-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.file = self.folder / "bridge.yaml"
        self.file.write_text(FILE)

    def move(self, *words, **options):
        return tieline("move", "q", "-c", self.file, *words, **options)

    def play(self, bus):
        peer = ControlPeer(self.folder / "b.db.sock", bus.answer)
        self.addCleanup(peer.close)
        return peer


class Alone(Case):

    def test_the_file_is_changed_and_nothing_else_in_it(self):
        self.file.chmod(0o640)
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(MOVED, self.file.read_text())
        self.assertEqual(0o640, stat.S_IMODE(self.file.stat().st_mode))
        self.assertIn("no process runs with this file", ran.out)
        self.assertIn("only", ran.out)
        self.assertEqual(["bridge.yaml"], os.listdir(self.folder))
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("already", ran.out)
        self.assertEqual(MOVED, self.file.read_text())

    def test_a_plan_changes_nothing(self):
        ran = self.move("--to", "fresh", "--plan")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("q: primary (generation 1) -> fresh (generation 2)",
                      ran.out)
        self.assertEqual(FILE, self.file.read_text())

    def test_the_edit_can_be_printed_instead(self):
        ran = self.move("--to", "fresh", "--print-edit", "--json")
        self.assertEqual(0, ran.code, ran)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(["plan", "edit"], [line["event"] for line in lines])
        self.assertIn("broker: fresh, generation: 2", lines[1]["text"])
        self.assertEqual(FILE, self.file.read_text())

    def test_a_link_to_the_file_stays_one(self):
        link = self.folder / "link.yaml"
        link.symlink_to("bridge.yaml")
        ran = tieline("move", "q", "-c", link, "--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertTrue(link.is_symlink())
        self.assertEqual(MOVED, self.file.read_text())

    def refused(self, code, text, *words):
        ran = self.move(*words)
        self.assertEqual(code, ran.code, ran)
        self.assertEqual(1, len(ran.errors), ran)
        self.assertIn(text, ran.errors[0])

    def test_what_cannot_be_is_one_line(self):
        self.refused(3, 'did you mean "fresh"?', "--to", "frsh")
        self.refused(6, "no move", "--proceed")
        self.file.write_text(FILE.replace("broker: primary }",
                                          "broker: &b primary }"))
        self.refused(3, "by hand: under queues, q: ", "--to", "fresh")
        self.file.write_text("queues: [")
        self.refused(3, "not YAML", "--to", "fresh")
        self.file.unlink()
        self.refused(3, "cannot be read", "--to", "fresh")


class InProcess(Case):

    def test_a_move_is_planned_begun_and_watched_to_its_end(self):
        bus = FakeBus([PREPARING, SWITCHING, DRAINING, DRAINED])
        peer = self.play(bus)
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(["plan", "apply", "moves"], peer.ops()[:3])
        for text in ("note: the drain of primary can't be proved",
                     "q: preparing\n", "q: switching\n", "q: draining\n",
                     "q: primary -> fresh: preparing 4.0ms",
                     "primary is empty: exact"):
            self.assertIn(text, ran.out)
        self.assertEqual(MOVED, self.file.read_text())

    def test_json_is_a_line_for_each_event(self):
        self.play(FakeBus([PREPARING, DRAINING, DRAINED]))
        ran = self.move("--to", "fresh", "--json")
        self.assertEqual(0, ran.code, ran)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual(["plan", "state", "state", "written", "state", "end"],
                         [line["event"] for line in lines])
        self.assertTrue(lines[-1]["report"]["drained_all"])

    def test_a_plan_begins_nothing(self):
        peer = self.play(FakeBus([]))
        ran = self.move("--to", "fresh", "--plan", "--generation", "5")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(["plan"], peer.ops())
        self.assertEqual(5, peer.requests[0]["generation"])
        self.assertEqual(FILE, self.file.read_text())

    def test_what_the_process_refuses_changes_nothing(self):
        bus = FakeBus([])
        bus.plan = lambda _: error("INVALID_ARGUMENT", "fresh is too small")
        peer = self.play(bus)
        ran = self.move("--to", "fresh")
        self.assertEqual(3, ran.code, ran)
        self.assertEqual(["tieline: config: fresh is too small"], ran.errors)
        self.assertEqual(["plan"], peer.ops())
        self.assertEqual(FILE, self.file.read_text())

    def test_a_move_that_fails_before_the_switch_leaves_the_file(self):
        self.play(FakeBus([PREPARING, {
            "state": "active",
            "status": {"code": "UNAVAILABLE", "error": "fresh: refused"}}]))
        ran = self.move("--to", "fresh")
        self.assertEqual(4, ran.code, ran)
        self.assertIn("fresh: refused", ran.errors[0])
        self.assertEqual(FILE, self.file.read_text())

    def test_interrupting_before_the_switch_cancels(self):
        bus = FakeBus([PREPARING])
        self.play(bus)
        process = cli.start("move", "q", "-c", self.file, "--to", "fresh")
        python_test.wait_until(lambda: bus.asked > 0, 30, "it watches")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        self.assertEqual(130, process.returncode)
        self.assertIn("cancelled", err)
        self.assertTrue(bus.cancelled)
        self.assertEqual(FILE, self.file.read_text())

    def test_interrupting_after_the_switch_leaves_it_going_on(self):
        bus = FakeBus([DRAINING])
        self.play(bus)
        process = cli.start("move", "q", "-c", self.file, "--to", "fresh")
        python_test.wait_until(lambda: bus.asked > 1, 30, "it watches")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        self.assertEqual(130, process.returncode)
        self.assertIn("goes on", err)
        self.assertEqual(MOVED, self.file.read_text())

    def test_watching_ends_and_begins_again(self):
        bus = FakeBus([DRAINING])
        peer = self.play(bus)
        ran = self.move("--to", "fresh", "--timeout", "300ms")
        self.assertEqual(8, ran.code, ran)
        self.assertIn("goes on", ran.errors[0])
        self.assertEqual(MOVED, self.file.read_text())
        bus.states = [DRAINED]
        del peer.requests[:]
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertNotIn("apply", peer.ops())
        self.assertIn("is empty: exact", ran.out)

    def test_the_operator_says_to_go_on(self):
        bus = FakeBus([DRAINED])
        bus.moved = True
        bus.binding.update(broker="fresh", generation=2,
                           was=[{"broker": "primary", "generation": 1}])
        peer = self.play(bus)
        ran = self.move("--proceed")
        self.assertEqual(0, ran.code, ran)
        self.assertTrue(bus.proceeded)
        self.assertEqual(["queue", "proceed", "moves"], peer.ops())
        self.assertEqual(MOVED, self.file.read_text())

    def test_brokers_that_were_drained_stay_in_the_file(self):
        bus = FakeBus([DRAINED])
        bus.moved = True
        bus.binding.update(broker="fresh", generation=2)
        self.play(bus)
        self.file.write_text(MOVED)
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(MOVED, self.file.read_text())

    def test_a_file_that_cannot_be_edited_gives_the_edit(self):
        self.play(FakeBus([DRAINED]))
        text = FILE.replace("broker: primary }", "broker: !!str primary }")
        self.file.write_text(text)
        ran = self.move("--to", "fresh")
        self.assertEqual(9, ran.code, ran)
        self.assertIn("by hand: under queues, q: broker: fresh, generation: 2",
                      ran.errors[0])
        self.assertIn("not finished for processes that start", ran.errors[0])
        self.assertEqual(text, self.file.read_text())

    def test_a_process_that_ends_is_said_so(self):
        bus = FakeBus([PREPARING])
        bus.moves = lambda _: None
        self.play(bus)
        ran = self.move("--to", "fresh")
        self.assertEqual(4, ran.code, ran)
        self.assertIn("start it again", ran.errors[0])

    def test_a_dead_process_s_socket_counts_as_none(self):
        peer = ControlPeer(self.folder / "b.db.sock", lambda _: None)
        # Its file stays.
        peer.server.shutdown()
        peer.server.server_close()
        peer.thread.join()
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertEqual(MOVED, self.file.read_text())


RELAY = """\
brokers:
  primary: { url: memory://a }
  fresh: { url: memory://b }
queues:
  q: { broker: primary }
  out: { broker: fresh }
routes:
  - { from: q, to: out }
state: { file: b.db }
move: { quiet_period: 100ms, retire_time: 100ms }
"""


class Relay(Case):

    def start(self, *words):
        self.file.write_text(RELAY)
        process = cli.start("relay", "-c", self.file, *words)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait, 30)
        self.addCleanup(process.terminate)
        python_test.wait_until((self.folder / "b.db.sock").exists, 30,
                               "it listens")
        return process

    def test_its_socket_comes_and_goes_with_it(self):
        process = self.start()
        path = self.folder / "b.db.sock"
        self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        second = tieline("relay", "-c", self.file, "--until-idle", "100ms")
        self.assertNotEqual(0, second.code, second)
        self.assertEqual(1, len(second.errors), second)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(timeout=30))
        self.assertFalse(path.exists())

    def test_a_path_that_is_too_long_is_one_line(self):
        self.file.write_text(RELAY.replace("b.db", "x" * 100 + ".db"))
        ran = tieline("relay", "-c", self.file, "--until-idle", "100ms")
        self.assertEqual(9, ran.code, ran)
        self.assertIn("shorter path", ran.errors[0])

    def reload(self, process, text):
        self.file.write_text(text)
        process.send_signal(signal.SIGHUP)
        return process.stderr.readline()

    def test_a_hangup_reads_the_file_again(self):
        process = self.start()
        line = self.reload(process, RELAY.replace("broker: fresh", "broker: x"))
        self.assertTrue(line.startswith("tieline: reload: "), line)
        self.assertIn('there is no broker "x"', line)
        self.assertIn("all stays as it was", line)
        line = self.reload(process, RELAY)
        self.assertIn("no queue moves", line)
        self.assertIsNone(process.poll())

    def test_its_queue_is_moved_by_the_command(self):
        process = self.start("--json")
        ran = self.move("--to", "fresh", "--json")
        self.assertEqual(0, ran.code, ran)
        lines = [json.loads(line) for line in ran.out.splitlines()]
        self.assertEqual("plan", lines[0]["event"])
        self.assertEqual("end", lines[-1]["event"])
        self.assertNotEqual("", lines[-1]["report"]["proof"])
        self.assertEqual(
            RELAY.replace("{ broker: primary }",
                          "{ broker: fresh, generation: 2, was: [ primary ] }"),
            self.file.read_text())
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        ran = tieline("journal", "--state", self.folder / "b.db", "--json")
        self.assertEqual(0, ran.code, ran)
        entries = [json.loads(line) for line in ran.out.splitlines()]
        steps = [entry["detail"]["step"] for entry in entries
                 if entry["kind"] == "move"]
        self.assertIn("moved", steps)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(timeout=30))
        ran = tieline("journal", "--state", self.folder / "b.db")
        self.assertEqual(0, ran.code, ran)
        self.assertIn('"step":"moved"', ran.out)

    def test_its_queue_is_moved_by_the_changed_file(self):
        process = self.start()
        line = self.reload(process, RELAY.replace(
            "{ broker: primary }", "{ broker: fresh, was: [ primary ] }"))
        self.assertIn("moving q from primary to fresh", line)
        ran = self.move("--to", "fresh")
        self.assertEqual(0, ran.code, ran)
        self.assertIn("primary is empty: ", ran.out)

    def test_a_watched_file_is_read_when_it_changes(self):
        process = self.start("--watch")
        self.file.write_text(RELAY + "routs: []\n")
        line = process.stderr.readline()
        self.assertIn('did you mean "routes"?', line)


if __name__ == "__main__":
    python_test.main()
