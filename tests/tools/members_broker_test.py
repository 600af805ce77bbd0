"""Two relays that use a queue move it from one real broker to another."""

import json

import cli

python_test = cli.python_test
COUNT = 4000

FILE = """\
brokers:
  old: {{ url: "{artemis}" }}
  new: {{ url: "{rabbitmq}" }}
queues:
  in: {{ broker: old, entity: {name}-in }}
  q: {binding}
  out: {{ broker: old, entity: {name}-out }}
routes:
  - {{ from: {source}, to: {target} }}
state: {{ file: {relay}.db }}
move: {{ members: [ first.db.sock, second.db.sock ], retire_time: 1s }}
"""
BEFORE = "{ broker: old, entity: %s, ordered: key }"
AFTER = "{ broker: new, entity: %s, ordered: key, was: [ old ] }"
ROUTES = {"first": ("in", "q"), "second": ("q", "out")}


class Members(cli.RelayCase):

    def write(self, relay, binding):
        source, target = ROUTES[relay]
        name = f"cli-{self.unique}"
        self.write_config(relay, FILE.format(
            artemis=cli.url_of("artemis"), rabbitmq=cli.url_of("rabbitmq"),
            name=name, binding=binding % f"{name}-q", relay=relay,
            source=source, target=target))

    def start(self, relay):
        self.write(relay, BEFORE)
        return self.start_relay(relay)

    def change(self, relay, process):
        self.write(relay, AFTER)
        self.reload(process, "moving q from old to new")

    def reports(self, relay):
        return [report for report in self.journal(relay, "report")
                if report["to"] == "new"]

    def steps(self, relay):
        return [entry["step"] for entry in self.journal(relay, "move")]

    def test_a_queue_moves_when_the_files_of_both_say_so(self):
        relays = {relay: self.start(relay) for relay in ROUTES}
        load = cli.start("send", self.queue("artemis", "in"), "--body", "x",
                         "--key", "k", "--count", COUNT, "--id", "m",
                         "--rate", COUNT // 4)
        self.addCleanup(load.stdout.close)
        self.addCleanup(load.stderr.close)
        # The one that reads moves first, and waits for the one that sends.
        self.change("second", relays["second"])
        python_test.wait_until(lambda: "switched" in self.steps("second"), 20,
                               "the second has switched")
        self.assertNotIn("drained", self.steps("second"))
        self.change("first", relays["first"])
        self.assertEqual(0, load.wait(30))
        got = self.ok("receive", self.queue("artemis", "out"), "-n", COUNT,
                      "--idle", "10s")
        self.assertEqual([f"m-{i + 1}" for i in range(COUNT)],
                         [json.loads(line)["id"]
                          for line in got.out.splitlines()])
        for relay in ROUTES:
            report = python_test.wait_until(
                lambda r=relay: self.reports(r), 20, "it is over")[0]
            self.assertEqual("count, 1 member", report["proof"])
            self.assertEqual(0, report["late"])
        for process in relays.values():
            self.stop_relay(process)
        # Nothing came twice, and nothing was left behind.
        for kind, name in (("artemis", "out"), ("artemis", "q"),
                           ("rabbitmq", "q")):
            rest = self.ok("receive", self.queue(kind, name), "--idle", "1s")
            self.assertEqual("", rest.out)


if __name__ == "__main__":
    python_test.main()
