"""The broker command and the proxy program themselves."""

import contextlib
import json
import os
import pathlib
import socket
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
from self_test_support import (  # noqa: E402
    ENVIRONMENT, REGISTRY, broker, clean_up, password, proxy, row_of, started)


def tearDownModule():  # noqa: N802
    clean_up()


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
            with started(*options) as shown, amqp_client.Client(
                    shown["ports"]["plain"]) as client:
                self.assertEqual(f"{folder}/a", shown["dir"])
                client.send("kept", [b"x"])
            self.assertFalse(os.path.exists(f"{folder}/a"))
            with started(*options) as shown, amqp_client.Client(
                    shown["ports"]["plain"]) as client:
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
