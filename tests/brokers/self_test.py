"""Every kind of broker: started, used, broken, mended."""

import pathlib
import socket
import ssl
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import python_test  # noqa: E402
from real import amqp_client  # noqa: E402
from self_test_support import (  # noqa: E402
    broker, clean_up, password, proxy, row_of, started)


def tearDownModule():  # noqa: N802
    clean_up()


def plain(shown):
    """An anonymous AMQP connection."""
    return amqp_client.Client(shown["ports"]["plain"])


def contexts(shown):
    """Client TLS settings: without, with a good and with a bad certificate."""
    tls = shown["tls"]
    made = [ssl.create_default_context(cafile=tls["ca"]) for _ in range(3)]
    made[1].load_cert_chain(tls["client_cert"], tls["client_key"])
    made[2].load_cert_chain(tls["untrusted_client_cert"],
                            tls["untrusted_client_key"])
    return made


def kcat(url, *arguments, text=None, settings=(), seconds=30):
    """Runs kcat; returns what it printed, or None if it failed."""
    options = [part for each in settings for part in ("-X", each)]
    try:
        done = subprocess.run(
            ["kcat", "-b", url.removeprefix("kafka://"), *options, *arguments],
            input=text, capture_output=True, text=True, timeout=seconds,
            check=False)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None


def kafka_round_trip(url, topic, text, settings=()):
    sent = kcat(url, "-P", "-t", topic, text=text + "\n", settings=settings)
    if sent is None:
        return None
    return kcat(url, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
                settings=settings).split()


class Amqp(unittest.TestCase):

    def check_breaking(self, shown, queue):
        """Durable messages outlive SIGKILL; a paused broker is silent."""
        name, port = shown["name"], shown["ports"]["plain"]
        with plain(shown) as client:
            client.send(queue, [b"before"])
        broker("kill", "-9", name)
        self.assertEqual("dead", row_of(name)["condition"])
        self.assertRaises(OSError, socket.create_connection,
                          ("127.0.0.1", port))
        broker("restart", name)
        with plain(shown) as client:
            self.assertEqual([b"before"], client.receive(queue, 1))
            client.send(queue, [b"graceful"])
        broker("restart", name)
        with plain(shown) as client:
            self.assertEqual([b"graceful"], client.receive(queue, 1))
        broker("pause", name)
        self.assertEqual("paused", row_of(name)["condition"])
        self.assertRaises(TimeoutError, amqp_client.Client, port, timeout=0.2)
        broker("continue", name)
        broker("wait", name)
        self.assertTrue(amqp_client.is_ready(port))

    def check_doors(self, shown):
        """Who is let in at which port, and who is not."""
        port, tls = shown["ports"]["plain"], shown["ports"]["tls"]
        mutual = int(shown["urls"]["mtls"].rpartition(":")[2])
        secret = password(shown)
        bare, known, stranger = contexts(shown)
        for arguments in ((port,), (port, "tieline", secret),
                          (tls, None, None, bare),
                          (tls, "tieline", secret, bare),
                          (mutual, None, None, known, "EXTERNAL")):
            amqp_client.Client(*arguments).close()
        for arguments in ((port, "tieline", "wrong"), (port, "nobody", secret),
                          (mutual, None, None, bare, "EXTERNAL"),
                          (mutual, None, None, stranger, "EXTERNAL")):
            with self.subTest(arguments=arguments):
                self.assertRaises((OSError, amqp_client.Refused),
                                  amqp_client.Client, *arguments)

    def test_artemis(self):
        """Artemis: two at a time, broken and mended, every door"""
        with started("artemis", "--tls") as first, \
                started("artemis", "--max-delivery-attempts", -1,
                        "--group-rebalance") as second:
            with plain(first) as client:
                client.send("orders", [b"one", b"two"])
            self.assertEqual("2\n", broker("depth", first["name"], "orders"))
            broker("depth", second["name"], "orders", fails=True)
            with plain(first) as client:
                self.assertEqual([b"one", b"two"], client.receive("orders", 2))
            self.check_doors(first)
            for queue, why in (("strict.none", "not-found"),
                               ("forbidden.queue", "unauthorized-access")):
                with self.assertRaisesRegex(amqp_client.Refused, why):
                    plain(first).send(queue, [b"x"])
            self.check_breaking(first, "orders")

    def test_rabbitmq(self):
        """RabbitMQ: two at a time, broken and mended, every door"""
        with started("rabbitmq", "--tls", "--queue", "firm:quorum") as first, \
                started("rabbitmq", "--dead-letter", "--policy",
                        'short=^brief$:{"message-ttl":50,'
                        '"dead-letter-exchange":"",'
                        '"dead-letter-routing-key":"DLQ"}') as second:
            with plain(first) as client:
                client.send("/queue/orders", [b"one", b"two"])
                self.assertEqual([b"one", b"two"],
                                 client.receive("/queue/orders", 2))
            with plain(second) as client:
                client.send("/queue/brief", [b"expires"])
                self.assertEqual([b"expires"],
                                 client.receive("/amq/queue/DLQ", 1))
            self.assertEqual("0\n", broker("depth", second["name"], "DLQ"))
            self.check_doors(first)
            with self.assertRaisesRegex(amqp_client.Refused, "unauthorized"):
                plain(first).send("/queue/forbidden.q", [b"x"])
            self.check_breaking(first, "/amq/queue/firm")
            with plain(first) as client:
                client.send("/queue/orders", [b"classic"])
            broker("kill", first["name"])
            broker("restart", first["name"])
            with plain(first) as client:
                self.assertEqual([b"classic"],
                                 client.receive("/queue/orders", 1))

    def test_bad_certificates(self):
        """a server presents a certificate that a careful client refuses"""
        for served, why in (("expired", "expired"),
                            ("untrusted", "unable to get local issuer"),
                            ("wrong-host", "Hostname mismatch")):
            with self.subTest(served=served), started(
                    "artemis", "--tls", "--server-certificate",
                    served) as shown:
                with self.assertRaisesRegex(ssl.SSLError, why):
                    amqp_client.Client(shown["ports"]["tls"],
                                       context=contexts(shown)[0])


class Kafka(unittest.TestCase):

    def test_plain(self):
        """Kafka: two at a time, topics, broken and mended"""
        with started("kafka", "--partitions", 3) as first, \
                started("kafka", "--auto-create", "off") as second:
            url, name = first["urls"]["plain"], first["name"]
            self.assertEqual(["a"], kafka_round_trip(url, "auto", "a"))
            self.assertEqual(3, kcat(url, "-L", "-t", "auto").count(
                "leader 1"))
            self.assertIsNone(kafka_round_trip(
                second["urls"]["plain"], "auto", "a",
                ["message.timeout.ms=1000"]))
            broker("topic", "create", "made", "--partitions", 5, "--broker",
                   second["name"])
            self.assertEqual(5, kcat(second["urls"]["plain"], "-L", "-t",
                                     "made").count("leader 1"))
            broker("kill", name)
            broker("restart", name)
            self.assertEqual(["a", "b"], sorted(
                kafka_round_trip(url, "auto", "b")))
            broker("pause", name)
            self.assertIsNone(kcat(url, "-L", seconds=0.5))
            broker("continue", name)
            broker("wait", name)
            broker("restart", name)
            self.assertEqual(["a", "b", "c"], sorted(
                kafka_round_trip(url, "auto", "c")))

    def check_secure(self, shown, mechanisms):
        tls, secret = shown["tls"], password(shown)
        ca = f"ssl.ca.location={tls['ca']}"
        certificate = [f"ssl.certificate.location={tls['client_cert']}",
                       f"ssl.key.location={tls['client_key']}"]
        ways = [("tls", ["security.protocol=ssl", ca], True),
                ("mtls", ["security.protocol=ssl", ca, *certificate], True),
                ("mtls", ["security.protocol=ssl", ca], False)]
        for mechanism in mechanisms:
            for role, protocol in (("sasl", "sasl_plaintext"),
                                   ("sasl_tls", "sasl_ssl")):
                for given in (secret, "wrong"):
                    ways.append((role, [
                        f"security.protocol={protocol}", ca,
                        f"sasl.mechanism={mechanism}",
                        "sasl.username=tieline",
                        f"sasl.password={given}"], given == secret))
        for role, settings, good in ways:
            with self.subTest(role=role, mechanisms=mechanisms, good=good):
                listed = kcat(shown["urls"][role], "-L", "-m",
                              "20" if good else "2", settings=settings)
                self.assertEqual(good, listed is not None)

    def test_secure(self):
        """Kafka: TLS, client certificates and SASL PLAIN"""
        with started("kafka", "--tls", "--sasl", "all") as shown:
            self.check_secure(shown, ["PLAIN"])
            settings = ["security.protocol=sasl_plaintext",
                        "sasl.mechanism=PLAIN", "sasl.username=tieline",
                        f"sasl.password={password(shown)}",
                        "message.timeout.ms=5000"]
            url = shown["urls"]["sasl"]
            self.assertEqual(["a"], kafka_round_trip(url, "allowed", "a",
                                                     settings))
            self.assertIsNone(kafka_round_trip(url, "forbidden.t", "a",
                                               settings))

    def test_scram(self):
        """Kafka 3.9.2: SASL SCRAM too"""
        with started("kafka", "--version", "3.9.2", "--tls", "--sasl",
                     "all") as shown:
            self.check_secure(shown, ["SCRAM-SHA-256", "SCRAM-SHA-512"])

    def test_proxied(self):
        """Kafka announces the port of a proxy, whose cut is felt"""
        with started("kafka", "--proxied", 1) as shown:
            place, = shown["proxied"]
            with proxy(place["upstream"], place["listen"]) as tell:
                self.assertEqual(["a"], kafka_round_trip(place["url"], "t",
                                                         "a"))
                self.assertGreaterEqual(tell("stats")["accepted"], 2)
                self.assertIn(f"broker 1 at 127.0.0.1:{place['listen']}",
                              kcat(place["url"], "-L"))
                tell("refuse")
                self.assertIsNone(kcat(place["url"], "-L", "-m", "1"))


if __name__ == "__main__":
    python_test.main()
