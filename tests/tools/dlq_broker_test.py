"""tieline dlq on real Kafka, Artemis and RabbitMQ."""

import json
import pathlib
import tempfile
import unittest

import cli
from cli import KINDS, tieline, url_of

# Those that can show what is there.
LOOKING = ("kafka", "artemis")
# A destination that takes no message that is used here.
REFUSES = "memory://m/refuses?set.max_message_bytes=5"


class DeadLetters(cli.BrokerCase):

    def queue(self, kind, name="q", **params):
        if kind == "kafka":
            params = {"partitions": 1, **params}
        return super().queue(kind, name, **params)

    def bury(self, queue, bodies, keys=("k",)):
        """Sends the messages, and has a route give them up."""
        lines = [json.dumps({"id": f"m-{body}", "key": keys[i % len(keys)],
                             "body": body, "properties": {"n": 5}})
                 for i, body in enumerate(bodies)]
        self.ok("send", queue, stdin="\n".join(lines) + "\n")
        ran = self.ok("relay", queue, REFUSES, "--until-idle", "4s", "--json")
        total = json.loads(ran.out.splitlines()[-1])
        self.assertEqual(len(bodies), total["dead_lettered"], ran)

    def rows(self, queue):
        return [json.loads(line) for line in
                self.ok("dlq", "list", queue, "--json").out.splitlines()]

    def listed(self, queue):
        """The ids of messages that are listed, in order."""
        return [row["message_id"] for row in self.rows(queue)]

    def ids(self, queue):
        return {row["message_id"]: row["id"] for row in self.rows(queue)}

    def received(self, queue, count):
        # One more is waited for, so that one too many is seen.
        return [json.loads(line) for line in self.ok(
            "receive", queue, "-n", count + 1, "--idle", "4s")
            .out.splitlines()]

    def test_dead_letters_are_listed_and_shown_and_stay(self):
        for kind in LOOKING:
            with self.subTest(kind=kind):
                queue = self.queue(kind)
                self.bury(queue, ["one", "second"])
                for _ in range(2):
                    rows = self.rows(queue)
                    self.assertEqual(["m-one", "m-second"],
                                     [row["message_id"] for row in rows])
                    self.assertEqual([3, 6], [row["size"] for row in rows])
                if kind == "kafka":
                    self.assertEqual("RouteFailed", rows[0]["reason"])
                    self.assertIn("more than the 5", rows[0]["detail"])
                    self.assertEqual("0:1", rows[1]["id"])
                shown = json.loads(self.ok("dlq", "show", queue,
                                           rows[1]["id"]).out)
                self.assertEqual("second", shown["body"])
                self.assertEqual(5, shown["properties"]["n"])
                table = self.ok("dlq", "list", queue).out
                self.assertIn("m-second", table)
                self.assertEqual(2, len(self.ok("dlq", "list", queue, "-n", 1)
                                        .out.splitlines()))

    def test_a_chosen_one_is_sent_again_without_its_marks(self):
        for kind, chosen, left in (("kafka", "m-a", ["m-b", "m-c"]),
                                   ("artemis", "m-b", ["m-a", "m-c"])):
            with self.subTest(kind=kind):
                queue = self.queue(kind)
                self.bury(queue, ["a", "b", "c"])
                ran = self.ok("dlq", "retry", queue, self.ids(queue)[chosen],
                              "--json")
                self.assertEqual({"queue": json.loads(ran.out)["queue"],
                                  "retried": 1, "failed": 0, "missing": 0,
                                  "more": False}, json.loads(ran.out))
                self.assertEqual(left, self.listed(queue))
                got = self.received(queue, 1)
                self.assertEqual([chosen], [one["id"] for one in got])
                self.assertEqual({"n": 5}, got[0]["properties"])
                self.assertNotIn("annotations", got[0])
                self.assertNotIn("to", got[0])

    def test_kafka_takes_the_oldest_or_none(self):
        queue = self.queue("kafka")
        self.bury(queue, ["a", "b"])
        ran = tieline("dlq", "retry", queue, "0:1")
        self.assert_fails(ran, 1, "0:1 has 0:0 before it", "show")
        self.assertEqual(["m-a", "m-b"], self.listed(queue))
        # As the error says: a copy.
        shown = self.ok("dlq", "show", queue, "0:1").out
        self.ok("send", queue, stdin=shown)
        self.assertEqual(["m-b"],
                         [one["id"] for one in self.received(queue, 1)])
        self.ok("dlq", "retry", queue, "0:1", "0:0")
        self.assertEqual([], self.listed(queue))

    def test_kafka_lists_every_partition(self):
        queue = self.queue("kafka", partitions=3, dead_letter=self.entity("d"))
        bodies = [f"body-{i}" for i in range(12)]
        self.bury(queue, bodies, [f"key-{i}" for i in range(6)])
        rows = self.rows(queue)
        self.assertEqual({f"m-{body}" for body in bodies},
                         {row["message_id"] for row in rows})
        self.assertLess(1, len({row["partition"] for row in rows}))
        for row in rows:
            self.assertEqual(f"{row['partition']}:{row['position']}",
                             row["id"])
        # The last of a partition is shown, and the first ones are taken.
        shown = json.loads(self.ok("dlq", "show", queue, rows[-1]["id"]).out)
        self.assertEqual(rows[-1]["message_id"], shown["id"])
        first = [row["id"] for row in rows if row["position"] == 0]
        self.ok("dlq", "purge", queue, "--yes", *first)
        self.assertEqual({row["id"] for row in rows} - set(first),
                         {row["id"] for row in self.rows(queue)})

    def test_new_ids_are_given_on_wish(self):
        queue = self.queue("artemis")
        self.bury(queue, ["a"])
        self.ok("dlq", "retry", queue, "--all", "--new-ids")
        (got,) = self.received(queue, 1)
        self.assertEqual("a", got["body"])
        self.assertNotEqual("m-a", got["id"])

    def test_all_are_sent_again(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                queue = self.queue(kind)
                self.bury(queue, ["a", "b", "c"])
                ran = self.ok("dlq", "retry", queue, "--all", "--idle", "3s")
                self.assertIn("retried 3, failed 0", ran.err)
                got = self.received(queue, 3)
                self.assertEqual(["m-a", "m-b", "m-c"],
                                 [one["id"] for one in got])
                for one in got:
                    self.assertEqual({"n": 5}, one["properties"])
                if kind in LOOKING:
                    self.assertEqual([], self.listed(queue))

    def test_they_go_to_another_queue_or_nowhere(self):
        for kind in LOOKING:
            with self.subTest(kind=kind):
                queue = self.queue(kind)
                other = self.queue("artemis", f"other-{kind}")
                self.bury(queue, ["a", "b", "c"])
                self.ok("dlq", "move", queue, "--to", other, "--all",
                        "--count", 1)
                self.assertEqual(["m-a"],
                                 [one["id"] for one in self.received(other, 1)])
                self.assertEqual(["m-b", "m-c"], self.listed(queue))
                ran = tieline("dlq", "purge", queue, "--all")
                self.assert_fails(ran, 2, "--yes")
                self.assertEqual(["m-b", "m-c"], self.listed(queue))
                self.ok("dlq", "purge", queue, "--all", "--yes")
                self.assertEqual([], self.listed(queue))
                self.assertEqual([], self.received(queue, 0))

    def test_what_is_refused_stays(self):
        for kind in LOOKING:
            with self.subTest(kind=kind):
                queue = self.queue(kind)
                self.bury(queue, ["a", "b"])
                ran = tieline("dlq", "move", queue, "--all", "--to", REFUSES)
                self.assert_fails(ran, 7, "dead letter", "more than the 5")
                self.assertEqual(["m-a", "m-b"], self.listed(queue))

    def test_the_dead_letters_of_other_queues_are_left_alone(self):
        """On Artemis all queues share a place; here two do on Kafka too."""
        for kind in LOOKING:
            with self.subTest(kind=kind):
                shared = ({"dead_letter": self.entity("shared")}
                          if kind == "kafka" else {})
                first = self.queue(kind, "first", **shared)
                second = self.queue(kind, "second", **shared)
                self.bury(first, ["a"])
                self.bury(second, ["b", "c"])
                self.assertEqual(["m-b", "m-c"], self.listed(second))
                self.ok("dlq", "purge", second, "--all", "--yes")
                self.assertEqual([], self.listed(second))
                self.assertEqual(["m-a"], self.listed(first))
                self.ok("dlq", "retry", first, "--all")
                self.assertEqual(["m-a"],
                                 [one["id"] for one in self.received(first, 1)])

    def test_rabbitmq_says_what_it_can_not(self):
        queue = self.queue("rabbitmq")
        self.bury(queue, ["a"])
        for words in (["list", queue], ["show", queue, "1"],
                      ["retry", queue, "1"]):
            with self.subTest(words=words):
                self.assert_fails(tieline("dlq", *words), 1, "--all")
        ran = self.ok("dlq", "purge", queue, "--all", "--yes", "--idle", "2s")
        self.assertIn("purged 1, failed 0", ran.err)

    def test_queues_of_a_file_have_their_names(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder) / "bridge.yaml"
            config.write_text(f"""\
brokers:
  events: {{ url: "{url_of('kafka')}" }}
  orders: {{ url: "{url_of('artemis')}" }}
queues:
  history:
    {{ broker: events, entity: {self.entity('history')}, create: true,
      partitions: 1 }}
  repair: {{ broker: orders, entity: {self.entity('repair')} }}
""")
            file = ("--config", config)
            self.ok("send", "history", *file, "--body", "too long", "--id", "m")
            route = self.queue("kafka", "history", group="tieline")
            self.ok("relay", route, REFUSES, "--until-idle", "4s")
            rows = [json.loads(line) for line in self.ok(
                "dlq", "list", "history", *file, "--json").out.splitlines()]
            self.assertEqual(["m"], [row["message_id"] for row in rows])
            self.ok("dlq", "move", "history", "0:0", "--to", "repair", *file)
            got = self.ok("receive", "repair", *file, "-n", "1")
            self.assertEqual("too long", json.loads(got.out)["body"])
            ran = tieline("dlq", "move", "history", "--all", "--to", "nowhere",
                          *file)
            self.assert_fails(ran, 3, "nowhere")

    def test_a_queue_that_is_not_there_is_an_error(self):
        for words in (["list"], ["retry", "--all"]):
            ran = tieline("dlq", words[0],
                          f"{url_of('kafka')}/{self.entity('none')}",
                          *words[1:])
            self.assert_fails(ran, 6, self.entity("none"))


if __name__ == "__main__":
    cli.python_test.main()
