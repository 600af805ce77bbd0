"""The tieline command on real Kafka, Artemis and RabbitMQ."""

import json
import os
import pathlib
import signal
import subprocess
import unittest

import cli
from cli import KINDS, tieline, url_of


def description_of(kind):
    return json.loads(pathlib.Path(
        os.environ[f"TIELINE_{kind.upper()}_BROKER"]).read_text())


class Brokers(cli.BrokerCase):

    def test_what_is_sent_is_received(self):
        line = ('{"id":"m-1","key":"charger-17","subject":"s",'
                '"content_type":"application/json","correlation_id":"c",'
                '"reply_to":"r","body":"{\\"wh\\":42}","properties":'
                '{"text":"ü","long":5,"double":1.5,"flag":true,"none":null,'
                '"int":{"type":"int","value":"-5"},'
                '"uuid":{"type":"uuid","value":'
                '"00112233-4455-6677-8899-aabbccddeeff"}}}')
        sent = json.loads(line)
        for kind in KINDS:
            with self.subTest(kind=kind):
                queue = self.queue(kind, "fields")
                self.ok("send", queue, stdin=line + "\n")
                got = json.loads(self.ok("receive", queue, "-n", "1",
                                         "--idle", "20s").out)
                self.assertEqual(sent["body"], got["body"])
                self.assertEqual(sent["key"], got["key"])
                self.assertEqual(sent["id"], got["id"])
                self.assertEqual(sent["properties"], got["properties"])

    def test_receive_and_send_make_a_pipe(self):
        names = ("pipe-a", "pipe-b")
        bodies = [f"body {i}" for i in range(300)]
        # One key, so that Kafka keeps all of them in one partition.
        self.ok("send", self.queue("artemis", names[0]), "-p", "n=7:ushort",
                "--key", "k",
                stdin="\n".join(bodies) + "\n")
        piped = self.ok("receive", self.queue("artemis", names[0]), "-n", 300)
        self.ok("send", self.queue("kafka", names[1]),
                stdin=piped.out)
        got = [json.loads(one) for one in self.ok(
            "receive", self.queue("kafka", names[1]), "-n", 300, "--idle",
            "20s").out.splitlines()]
        self.assertEqual(bodies, [one["body"] for one in got])
        self.assertEqual({"type": "ushort", "value": "7"},
                         got[0]["properties"]["n"])

    def test_looking_takes_nothing(self):
        for kind in ("kafka", "artemis"):
            with self.subTest(kind=kind):
                queue = self.queue(kind, "peek")
                self.ok("send", queue, "--body", "x", "--count", 3)
                cli.python_test.wait_until(
                    lambda q=queue: self.ok("queues", "depth", q).out == "3\n",
                    20, "depth 3")
                self.assertEqual(3, len(self.ok(
                    "receive", queue, "--peek").out.splitlines()))
                self.assertEqual(2, len(self.ok(
                    "queues", "peek", queue, "-n", 2).out.splitlines()))
                self.assertEqual(3, len(self.ok(
                    "receive", queue, "-n", 3, "--idle", "20s")
                    .out.splitlines()))
        queue = self.queue("artemis", "no-ack")
        self.ok("send", queue, "--body", "x", "--count", 3)
        for _ in range(2):
            self.assertEqual(3, len(self.ok(
                "receive", queue, "-n", 3, "--no-ack").out.splitlines()))

    def test_kafka_reads_from_where_it_is_told(self):
        queue = self.queue("kafka", "from")
        self.ok("send", queue, "--key", "k", stdin="a\nb\nc\n")
        for place, bodies in (("earliest", "a\nb\nc\n"), ("1", "b\nc\n"),
                              ("2000-01-01T00:00:00Z", "a\nb\nc\n")):
            with self.subTest(place=place):
                ran = self.ok("receive", queue, "--from", place, "-f", "lines",
                              "--idle", "3s")
                self.assertEqual(bodies, ran.out)

    def test_queues_are_listed(self):
        for kind in ("kafka", "artemis"):
            with self.subTest(kind=kind):
                self.ok("send", self.queue(kind, "listed"), "--body", "x")
                rows = [json.loads(row) for row in self.ok(
                    "queues", "list", url_of(kind), "--json").out.splitlines()]
                self.assertIn(f"cli-{self.unique}-listed",
                              [row["name"] for row in rows])

    def test_relay_carries_everything_around(self):
        legs = [("artemis", "kafka"), ("kafka", "rabbitmq"),
                ("rabbitmq", "artemis")]
        self.ok("send", self.queue("artemis", "round-0"), "--body", "x",
                "--key", "k", "-p", "n=5:ubyte", "--count", 500, "--id", "m")
        for number, (source, target) in enumerate(legs):
            ran = self.ok("relay", self.queue(source, f"round-{number}"),
                          self.queue(target, f"round-{number + 1}"),
                          "--count", 500, "--json")
            total = json.loads(ran.out.splitlines()[-1])
            self.assertEqual(500, total["out"], ran)
        got = [json.loads(line) for line in self.ok(
            "receive", self.queue("artemis", "round-3"), "-n", 500)
            .out.splitlines()]
        self.assertEqual([f"m-{i + 1}" for i in range(500)],
                         [one["id"] for one in got])
        self.assertEqual({"type": "ubyte", "value": "5"},
                         got[499]["properties"]["n"])

    def test_relay_stops_by_signal_under_load(self):
        source = self.queue("artemis", "stop-a")
        target = self.queue("artemis", "stop-b")
        self.ok("send", source, "--body", "x", "--count", 3000, "--id", "m")
        process = cli.start("relay", source, target, "--json",
                            "--report-every", "20ms")
        for line in process.stdout:
            if json.loads(line)["out"] > 0:
                break
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
        self.assertEqual(0, process.returncode, err)
        moved = json.loads(out.splitlines()[-1])["out"]
        rest = self.ok("receive", source, "--idle", "2s").out.splitlines()
        there = self.ok("receive", target, "--idle", "2s").out.splitlines()
        self.assertEqual(moved, len(there))
        ids = {json.loads(line)["id"] for line in rest + there}
        self.assertEqual(3000, len(ids))

    def test_doctor_probes_every_broker(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                ran = self.ok("doctor", self.queue(kind, "doctor"), "--probe",
                              "--json")
                steps = {row["step"]: row["result"] for row in
                         map(json.loads, ran.out.splitlines())}
                self.assertEqual("ok", steps["round trip"])

    def test_bench_runs_on_every_broker(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                ran = self.ok("bench", self.queue(kind, "bench"), "-n", 1000,
                              "--json")
                self.assertEqual(2, len(ran.out.splitlines()))

    def test_wrong_credentials(self):
        for kind in ("artemis", "rabbitmq"):
            with self.subTest(kind=kind):
                url = url_of(kind).replace("://", "://tieline:wrong@")
                for words in (["send", f"{url}/q", "--body", "x"],
                              ["receive", f"{url}/q"], ["doctor", f"{url}/q"],
                              ["relay", f"{url}/q", "memory://m/q"]):
                    ran = tieline(*words)
                    self.assert_fails(ran, 5, "credentials")
                    self.assertNotIn("wrong", ran.err)

    def test_an_entity_that_is_not_there_or_not_permitted(self):
        for name in ("strict.none", "forbidden.queue"):
            url = f"{url_of('artemis')}/{name}"
            for words in (["send", url, "--body", "x"], ["receive", url],
                          ["relay", url, "memory://m/q"]):
                with self.subTest(words=words):
                    self.assert_fails(tieline(*words), 6, name)

    def test_certificates(self):
        tls = description_of("artemis")
        url = tls["urls"]["tls"] + "/q"
        self.ok("doctor", f"{url}?ca={tls['tls']['ca']}")
        ran = tieline("doctor", f"{url}?ca={tls['tls']['untrusted_ca']}")
        self.assert_fails(ran, 5, "tls failed", "certificate")
        ran = tieline("send", f"{url}?ca={tls['tls']['untrusted_ca']}",
                      "--body", "x", "--timeout", "3s")
        self.assert_fails(ran, 5, "certificate")
        secure = (f"{tls['urls']['mtls']}/q?ca={tls['tls']['ca']}"
                  f"&cert={tls['tls']['client_cert']}"
                  f"&key_file={tls['tls']['client_key']}")
        self.ok("send", secure, "--body", "x")

    def test_a_full_disk_loses_nothing(self):
        queue = self.queue("artemis", "full")
        self.ok("send", queue, "--body", "x", "--count", 5)
        with open("/dev/full", "w") as full:
            done = subprocess.run([cli.COMMAND, "receive", queue, "-n", "5"],
                                  stdout=full, stderr=subprocess.PIPE,
                                  text=True, timeout=60)
        self.assertEqual(9, done.returncode, done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertEqual(5, len(self.ok("receive", queue, "-n", 5)
                                .out.splitlines()))

    def test_the_readme_has_what_these_brokers_can(self):
        ran = self.ok("capabilities", "memory://m/q", self.queue("kafka", "caps"),
                      self.queue("artemis", "caps"),
                      self.queue("rabbitmq", "caps"), "--name", "memory",
                      "--name", "Kafka", "--name", "Artemis", "--name",
                      "RabbitMQ")
        self.assertIn(ran.out, (cli.python_test.ROOT / "README.md").read_text())


if __name__ == "__main__":
    cli.python_test.main()
