"""The brokers and the proxy themselves: started, used, broken, stopped."""

import contextlib
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]
import python_test  # noqa: E402
from real import amqp_client, cache  # noqa: E402

# The registry of these tests alone; other brokers of the run are not seen.
REGISTRY = tempfile.mkdtemp(prefix="tieline-self-test-")
ENVIRONMENT = dict(os.environ, TIELINE_BROKERS_DIR=REGISTRY)


def tearDownModule():  # noqa: N802
    broker("stop-all")
    shutil.rmtree(REGISTRY, ignore_errors=True)


def broker(*arguments, fails=False):
    """Runs the command; returns its output, or its error if it must fail."""
    done = subprocess.run(
        [sys.executable, "-B", HERE / "broker", *map(str, arguments)],
        env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if fails != (done.returncode != 0):
        raise AssertionError(f"{arguments}: {done.stdout} {done.stderr}")
    return done.stderr if fails else done.stdout


@contextlib.contextmanager
def started(*arguments):
    """A running broker's description; it ends with the block."""
    begin = time.monotonic()
    shown = json.loads(broker("start", *arguments, "--die-with", os.getpid()))
    seconds = time.monotonic() - begin
    row = row_of(shown["name"])
    print(f"  {' '.join(map(str, arguments))}: ready in {seconds:.1f} s, "
          f"{row['rss_kib'] // 1024} MiB", file=sys.stderr)
    try:
        yield shown
    finally:
        broker("stop", "--now", shown["name"])


def row_of(name):
    rows = json.loads(broker("list", "--json"))
    return next((row for row in rows if row["name"] == name), None)


def password(shown):
    return pathlib.Path(shown["password_file"]).read_text().strip()


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


@contextlib.contextmanager
def proxy(to, listen=0):
    """A function that sends commands to a proxy process."""
    with subprocess.Popen(
            [sys.executable, "-B", HERE / "proxy.py", "--to", str(to),
             "--listen", str(listen)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True) as process:
        port = json.loads(process.stdout.readline())["port"]

        def tell(command):
            process.stdin.write(command + "\n")
            process.stdin.flush()
            answer = process.stdout.readline().split(maxsplit=1)
            if answer[0] != "ok":
                raise AssertionError(answer)
            return json.loads(answer[1]) if answer[1:] else None

        tell.port = port
        try:
            yield tell
        finally:
            process.stdin.close()


class ProxyCommands(unittest.TestCase):

    def setUp(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        self.echo_port = listener.getsockname()[1]
        threading.Thread(target=self.echo, args=(listener,),
                         daemon=True).start()

    @staticmethod
    def echo(listener):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with contextlib.suppress(OSError), peer:
                    while data := peer.recv(65536):
                        peer.sendall(data)

    def connect(self, port):
        client = socket.create_connection(("127.0.0.1", port), 10)
        self.addCleanup(client.close)
        return client

    def exchange(self, client, data):
        client.sendall(data)
        return client.recv(len(data))

    def test_commands(self):
        """the proxy cuts, refuses, holds, delays and corrupts"""
        with proxy(self.echo_port) as tell:
            client = self.connect(tell.port)
            self.assertEqual(b"a", self.exchange(client, b"a"))
            tell("cut")
            self.assertRaises(ConnectionResetError, client.recv, 1)
            tell("refuse")
            self.assertRaises(ConnectionRefusedError, self.connect, tell.port)
            tell("accept")
            client = self.connect(tell.port)
            tell("corrupt up")
            self.assertEqual(b"`a", self.exchange(client, b"aa"))
            tell("hold down")
            client.settimeout(0.1)
            self.assertRaises(TimeoutError, self.exchange, client, b"b")
            client.settimeout(10)
            tell("release")
            self.assertEqual(b"b", client.recv(1))
            tell("latency 60")
            begin = time.monotonic()
            self.exchange(client, b"c")
            self.assertGreaterEqual(time.monotonic() - begin, 0.12)
            tell("hold")
            tell("cut")
            self.assertRaises(ConnectionResetError, client.recv, 1)
            self.assertEqual(0, tell("stats")["connections"])
            self.assertRaises(AssertionError, tell, "nonsense")


class Command(unittest.TestCase):

    def test_taken_port(self):
        """a port that is taken is refused, and nothing is left behind"""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            why = broker("start", "artemis", "--port", port, "--name", "late",
                         fails=True)
        self.assertIn(f"port {port} is taken", why)
        self.assertEqual(1, len(why.splitlines()))
        self.assertIsNone(row_of("late"))

    def test_failed_start(self):
        """a start that fails says why in one line, and leaves nothing"""
        why = broker("start", "kafka", "--name", "bad", "--set",
                     "log.segment.bytes=nonsense", fails=True)
        self.assertIn("log.segment.bytes", why)
        self.assertEqual(1, len(why.splitlines()))
        self.assertIsNone(row_of("bad"))
        self.assertFalse((pathlib.Path(REGISTRY) / "bad").exists())

    def test_die_with(self):
        """a broker ends with the process it was bound to, killed or not"""
        with subprocess.Popen(["sleep", "600"]) as owner:
            shown = json.loads(broker("start", "artemis", "--die-with",
                                      owner.pid))
            owner.kill()
        folder = pathlib.Path(shown["dir"])
        python_test.wait_until(lambda: not folder.exists(), 20,
                               "the broker's folder goes")
        self.assertIsNone(row_of(shown["name"]))
        self.assertRaises(ConnectionRefusedError, socket.create_connection,
                          ("127.0.0.1", shown["ports"]["plain"]))

    def test_with(self):
        """a program runs with brokers of its own and its exit code is ours"""
        with tempfile.TemporaryDirectory() as folder:
            told = pathlib.Path(folder) / "told"
            done = subprocess.run(
                [sys.executable, "-B", HERE / "broker", "with",
                 "artemis --port 0", "artemis", "--", "sh", "-c",
                 f"env >{told}; exit 7"], env=ENVIRONMENT, check=False)
            self.assertEqual(7, done.returncode)
            variables = dict(line.partition("=")[::2]
                             for line in told.read_text().splitlines())
        self.assertTrue(variables["TIELINE_ARTEMIS_URL"].startswith("amqp:"))
        self.assertNotEqual(variables["TIELINE_ARTEMIS_URL"],
                            variables["TIELINE_ARTEMIS_2_URL"])
        self.assertFalse(os.path.exists(variables["TIELINE_ARTEMIS_BROKER"]))

    def test_data(self):
        """data kept elsewhere outlives the instance, folder and ports"""
        with tempfile.TemporaryDirectory() as folder:
            options = ("artemis", "--dir", f"{folder}/a", "--data",
                       f"{folder}/data")
            with started(*options) as shown, plain(shown) as client:
                self.assertEqual(f"{folder}/a", shown["dir"])
                client.send("kept", [b"x"])
            self.assertFalse(os.path.exists(f"{folder}/a"))
            with started(*options) as shown, plain(shown) as client:
                self.assertEqual([b"x"], client.receive("kept", 1))

    def test_secrets(self):
        """passwords are not printed, and stand in no command line"""
        with started("artemis") as shown:
            self.assertNotIn(password(shown), json.dumps(shown))
            line = pathlib.Path(f"/proc/{shown['pid']}/cmdline").read_text()
            self.assertNotIn(password(shown), line)
            mode = os.stat(shown["password_file"]).st_mode
            self.assertEqual(0o600, mode & 0o777)

    def test_cache(self):
        """an entry of the cache is made once, or not at all"""
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "source"
            source.write_text("x")
            os.environ["TIELINE_CACHE"] = folder
            self.addCleanup(os.environ.pop, "TIELINE_CACHE")
            made, barrier = [], threading.Barrier(4)

            def make(directory):
                made.append(directory)
                (directory / "file").write_text("complete")

            def work():
                barrier.wait()
                cache.entry("thing", [source], make)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(1, len(made))

            def fail(_):
                raise RuntimeError("no network")

            self.assertRaises(RuntimeError, cache.entry, "other", [source],
                              fail)
            entries = [path.name for path in (
                pathlib.Path(folder) / "brokers").glob("[!.]*")]
            self.assertEqual(1, len(entries))


if __name__ == "__main__":
    python_test.main()
