"""Bad input, of every kind: each a one-line error naming place and remedy, the
documented exit code, no crash, nothing lost.

Wrong configs and URLs come from tests/config, which checks their text; here
the command meets them, and real brokers meet the rest: host, port, protocol,
certificate, password, entity, too large a message, a full disk, corrupt
frames. For each, what was in the queue before is there afterwards.
"""

import contextlib
import json
import os
import pathlib
import subprocess
import sys

import accept
import paths

BAD = paths.ROOT / "tests" / "config"
SECONDS = 60
CONFIG, UNREACHABLE, REFUSED, NOT_FOUND, REJECTED, IO = 3, 4, 5, 6, 7, 9
# Counts, and what a relay says about a broker while it goes on trying.
NOT_ERRORS = ("tieline: sent ", "tieline: received ", "tieline: broker ")


class Checks:
    """Counts what was as it should be, and notes what was not."""

    def __init__(self, ctx, command):
        self.ctx, self.command = ctx, command
        self.passed, self.notes = {}, []

    def run(self, words, **options):
        done = subprocess.run([str(self.command), *map(str, words)],
                              stdin=subprocess.DEVNULL, text=True,
                              stdout=options.pop("stdout", subprocess.PIPE),
                              stderr=subprocess.PIPE, timeout=SECONDS,
                              errors="replace", **options)
        with self.ctx.log.open("a") as log:
            log.write(f"$ tieline {' '.join(map(str, words))}\n"
                      f"{done.stderr}exit code {done.returncode}\n")
        return done

    def fails(self, kind, words, code, *texts, lines=1, **options):
        """The command must fail so, with each text somewhere in its lines."""
        done = self.run(words, **options)
        errors = [line for line in done.stderr.splitlines()
                  if not line.startswith(NOT_ERRORS)]
        faults = []
        if done.returncode != code:
            faults.append(f"exit code {done.returncode}, not {code}")
        if len(errors) != lines:
            faults.append(f"{len(errors)} lines, not {lines}")
        for line in errors:
            # "tieline: what: where: remedy"
            if not line.startswith("tieline: ") or line.count(": ") < 2:
                faults.append(f"no place or remedy: {line}")
        faults += [f"does not say \"{text}\"" for text in texts
                   if text not in done.stderr]
        if "hunter2" in done.stderr + (done.stdout or ""):
            faults.append("prints a secret")
        self.expect(kind, not faults, f"{' '.join(map(str, words))}: "
                    f"{'; '.join(faults)}: {done.stderr.strip()[-400:]}")

    def expect(self, kind, condition, note):
        right, all_ = self.passed.get(kind, (0, 0))
        self.passed[kind] = (right + bool(condition), all_ + 1)
        if not condition:
            self.notes.append(f"{kind}: {note}")

    def put(self, url, count):
        self.run(["send", url, "--body", "kept", "--count", count]
                 ).check_returncode()

    def still_there(self, kind, url, count):
        done = self.run(["receive", url, "-n", count, "--idle", "20s", "-f",
                         "lines"])
        got = done.stdout.splitlines().count("kept")
        self.expect(kind, got == count, f"{url}: {got} of {count} are there")


def configs(checks):
    for path in sorted((BAD / "bad").glob("*.yaml")):
        expected = [line for line in path.read_text().splitlines()
                    if line.startswith("#! ")]
        checks.fails("configs", ["config", "check", path], CONFIG, str(path),
                     lines=len(expected))


def urls(checks):
    for line in (BAD / "bad_urls.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        url, _, text = line.partition("\t")
        # Without "://" it is taken for a queue's name, and said so.
        texts = [text] if "://" in url else ["not a URL"]
        checks.fails("URLs", ["send", url, "--body", "x"], CONFIG, *texts)


def closed_port():
    import socket
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def each_way(url):
    """The commands that a broken URL may meet."""
    return (["send", url, "--body", "x", "--timeout", "4s"],
            ["receive", url, "--timeout", "4s"],
            ["doctor", url, "--timeout", "4s"],
            ["relay", url, "memory://m/q", "--until-idle", "4s"])


def hosts_and_ports(checks, brokers):
    for scheme in ("amqp", "kafka"):
        for words in each_way(f"{scheme}://no-such-host.invalid:1/q?group=g"
                              "&allow_plaintext=true"):
            checks.fails("host", words, UNREACHABLE, "no-such-host.invalid")
        for words in each_way(
                f"{scheme}://127.0.0.1:{closed_port()}/q?group=g"):
            checks.fails("port", words, UNREACHABLE, "efused")
    artemis = brokers["artemis"]
    port = artemis["ports"]
    for url in (f"amqps://localhost:{port['plain']}/q",
                f"amqp://localhost:{port['tls']}/q"):
        checks.fails("protocol", ["send", url, "--body", "x", "--timeout",
                                  "4s"], UNREACHABLE)
        checks.fails("protocol", ["doctor", url, "--timeout", "4s"],
                     UNREACHABLE)


def certificates(checks, brokers):
    for kind in ("artemis", "kafka"):
        broker = brokers[kind]
        base = f"{broker['urls']['tls']}/q?group=g"
        for words in each_way(f"{base}&ca={broker['tls']['untrusted_ca']}"
                              "&tls=true"):
            if kind == "kafka" and words[0] == "relay":
                continue  # it goes on trying: the client does not tell why
            checks.fails("certificate", words, REFUSED, "certificate")
        if kind == "artemis":
            checks.fails("certificate",
                         ["doctor", f"{base}&ca={broker['tls']['ca']}"
                          "&server_name=other.example.net"], REFUSED,
                         "mismatch")
        checks.fails("certificate", ["send", f"{base}&ca=no-such-file",
                                     "--body", "x"], CONFIG, "no-such-file")


def passwords(checks, brokers):
    env = {**os.environ, "PW": "hunter2"}
    for kind, role in (("artemis", "plain"), ("rabbitmq", "plain"),
                       ("kafka", "sasl")):
        url = (f"{brokers[kind]['urls'][role]}/q?group=g&user=tieline"
               "&password_env=PW&sasl=plain")
        for words in each_way(url):
            checks.fails("password", words, REFUSED, env=env)


def entities(checks, brokers):
    for kind, name in (("artemis", "strict.none"),
                       ("artemis", "forbidden.queue"),
                       ("rabbitmq", "/amq/queue/none"),
                       ("rabbitmq", "/queue/forbidden.q")):
        url = f"{brokers[kind]['urls']['plain']}/{name}"
        for words in (["receive", url], ["relay", url, "memory://m/q"]):
            checks.fails("entity", words, NOT_FOUND, name)
    kafka = brokers["kafka"]["urls"]["plain"]
    checks.fails("entity", ["queues", "peek", f"{kafka}/bad name".replace(
        " ", "%20")], CONFIG, "bad name")


def too_large(checks, brokers, temp):
    kafka = f"{brokers['kafka']['urls']['plain']}/large?create=true&group=l"
    checks.put(kafka, 3)
    big = temp / "big"
    big.write_bytes(b"x" * (2 << 20))
    checks.fails("too large", ["send", kafka, big, "-f", "raw"], REJECTED,
                 "large")
    checks.fails("too large", ["send", kafka, big, "--max-bytes", 1000],
                 REJECTED, "longer than 1000 bytes")
    checks.still_there("too large", kafka, 3)


def full_disk(checks, brokers):
    for kind in ("artemis", "rabbitmq", "kafka"):
        query = "?create=true&group=f" if kind == "kafka" else ""
        url = f"{brokers[kind]['urls']['plain']}/full{query}"
        checks.put(url, 5)
        with open("/dev/full", "w") as full:
            checks.fails("full disk", ["receive", url, "-n", 5, "--idle",
                                       "20s"], IO, "No space left", stdout=full)
        checks.still_there("full disk", url, 5)


@contextlib.contextmanager
def corrupting(port, side):
    """A proxy that flips a bit of the first bytes that pass."""
    proxy = subprocess.Popen(
        [sys.executable, "-B", str(paths.ROOT / "tests/brokers/proxy.py"),
         "--to", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True)
    try:
        listening = json.loads(proxy.stdout.readline())["port"]

        def spoil():
            proxy.stdin.write(f"corrupt {side}\n")
            proxy.stdin.flush()
            return proxy.stdout.readline()
        yield listening, spoil
    finally:
        proxy.stdin.close()
        proxy.stdout.close()
        proxy.wait(timeout=10)


def corrupt_frames(checks, brokers, rounds):
    """Never a crash, and what is in the queue stays there."""
    for kind in ("artemis", "rabbitmq"):
        broker = brokers[kind]
        direct = f"{broker['urls']['plain']}/corrupt"
        checks.put(direct, 10)
        for side in ("up", "down"):
            with corrupting(broker["ports"]["plain"], side) as (port, spoil):
                url = f"amqp://127.0.0.1:{port}/corrupt"
                for _ in range(rounds):
                    spoil()
                    done = checks.run(["receive", url, "--no-ack", "-n", 10,
                                       "--timeout", "4s", "--idle", "4s"])
                    checks.expect(
                        "corrupt frames", 0 <= done.returncode <= 9,
                        f"{kind} {side}: exit code {done.returncode}: "
                        f"{done.stderr[-300:]}")
        checks.still_there("corrupt frames", direct, 10)


def run(ctx):
    preset = os.environ.get("TIELINE_PRESET", "release")
    checks = Checks(ctx, ctx.tieline(preset))
    ctx.say("configs and URLs")
    configs(checks)
    urls(checks)
    ctx.say("starting brokers")
    brokers = {line.split()[0]: ctx.broker(line) for line in (
        "artemis --tls", "rabbitmq --tls", "kafka --tls --sasl all")}
    for what, call in (
            ("hosts, ports, protocols", hosts_and_ports),
            ("certificates", certificates), ("passwords", passwords),
            ("entities", entities), ("full disk", full_disk)):
        ctx.say(what)
        call(checks, brokers)
    ctx.say("too large")
    too_large(checks, brokers, pathlib.Path(ctx.temp))
    ctx.say("corrupt frames")
    corrupt_frames(checks, brokers, 2 if ctx.short else 10)
    figures = {kind: f"{right} of {all_} as they should be"
               for kind, (right, all_) in checks.passed.items()}
    enough = all(checks.passed[kind][1] >= 40 for kind in ("configs", "URLs"))
    return accept.Result(enough and not checks.notes, figures, checks.notes)
