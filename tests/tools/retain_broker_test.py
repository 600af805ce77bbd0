"""A real broker dies for good; what it had accepted comes from the next one."""

import json
import os
import subprocess

import cli

python_test = cli.python_test
COUNT = 500

FILE = """\
brokers:
  source: {{ url: "{artemis}" }}
  old: {{ url: "{dying}" }}
  new: {{ url: "{kafka}" }}
queues:
  in: {{ broker: source, entity: {name}-in }}
  q: {{ entity: {name}-q, ordered: key, create: true, retain: 10m, {where} }}
routes:
  - {{ from: in, to: q }}
state: {{ file: relay.db }}
move: {{ fence_timeout: 2s, dead_after: 1s, retire_time: 1s }}
"""


class Retain(cli.RelayCase):

    def start_broker(self):
        broker = python_test.ROOT / "tests" / "brokers" / "broker"
        described = json.loads(subprocess.run(
            [broker, "start", "artemis", "--die-with", str(os.getpid())],
            capture_output=True, text=True, check=True).stdout)
        self.addCleanup(subprocess.run, [broker, "stop", described["name"]],
                        capture_output=True)

        def run(*words):
            return subprocess.run(
                [broker, *words], capture_output=True, text=True,
                check=True).stdout.strip()

        return described, run

    def write(self, dying, where):
        self.write_config("relay", FILE.format(
            artemis=cli.url_of("artemis"), kafka=cli.url_of("kafka"),
            dying=dying["urls"]["plain"], name=f"cli-{self.unique}",
            where=where))

    def test_a_dead_broker_s_messages_are_sent_again_in_their_order(self):
        dying, run = self.start_broker()
        self.write(dying, "broker: old")
        relay = self.start_relay("relay")
        source = self.queue("artemis", "in")

        def send(prefix):
            self.ok("send", source, "--body", "x", "--key", "k", "--count",
                    COUNT, "--id", prefix)

        send("before")
        python_test.wait_until(
            lambda: run("depth", dying["name"],
                        self.entity("q")) == str(COUNT),
            30, "all of it is at the broker")
        run("kill", "-9", dying["name"])
        send("after")
        self.write(dying, "broker: new, was: [ old ]")
        self.reload(relay, "moving q from old to new")
        got = self.ok("receive", self.queue("kafka", "q"), "-n", 2 * COUNT,
                      "--idle", "30s")
        self.assertEqual(
            [f"{prefix}-{i + 1}" for prefix in ("before", "after")
             for i in range(COUNT)],
            [json.loads(line)["id"] for line in got.out.splitlines()])
        self.stop_relay(relay)
        steps = [entry["step"] for entry in self.journal("relay", "spool")]
        self.assertEqual(["replaying", "replayed"], steps)


if __name__ == "__main__":
    python_test.main()
