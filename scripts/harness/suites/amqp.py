"""AMQP beside plain Proton C++ programs: over loopback, and real brokers.

Loopback: the same stack at both ends, window 1000, 100-byte bodies, with no
property and with three; CPU is that of both ends. Brokers: the client's user
CPU a message alone, since the broker is the limit.
"""

import pathlib
import socket
import subprocess
import time

import bench
import bench_pairs

PROGRAMS = ("bench_amqp_driver_send", "bench_amqp_driver_receive",
            "bench_amqp_peer", "bench_amqp_proton_send",
            "bench_amqp_proton_receive", "bench_amqp_proton_peer",
            "bench_bus_send", "bench_bus_receive")
WINDOW = 1000
# Who is at the other end of a side.
PEERS = {"proton": "proton_peer", "driver": "peer", "tieline": "peer"}


def _program(folder, side, verb):
    if side == "tieline":
        return folder / "benchmarks/end_to_end/bus" / f"bench_bus_{verb}"
    return (folder / "benchmarks/end_to_end/amqp" /
            f"bench_amqp_{side}_{verb}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await_listener(port, process):
    """Waits until somebody listens, without connecting: a peer serves one."""
    wanted = f":{port:04X}"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in pathlib.Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[1].endswith(wanted) and words[3] == "0A":
                    return
        if process.poll() is not None:
            break
        time.sleep(0.01)
    raise RuntimeError("the peer does not listen")


def _client(folder, side, verb, address, queue, count, headers):
    url = ([f"{address}/{queue}"] if side == "tieline" else
           [address, "--queue", queue])
    return [_program(folder, side, verb), "--url", *url, "--count", count,
            "--size", 100, "--headers", headers, "--credit", WINDOW,
            "--keys", 0]


def _loopback(folder, side, verb, count, headers):
    def once():
        port = _free_port()
        address = f"amqp://127.0.0.1:{port}"
        peers, clients = bench_pairs.cpu_lists()
        argv = bench_pairs.pinned(
            [folder / "benchmarks/end_to_end/amqp" /
             f"bench_amqp_{PEERS[side]}", "--url", address, "--count", count,
             "--size", 100, "--headers", headers, "--credit", WINDOW], peers)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as peer:
            try:
                _await_listener(port, peer)
                figures = bench_pairs.run(
                    _client(folder, side, verb, address, "bench", count,
                            headers), clients, timeout=120)
                other = bench_pairs.figures_of(
                    argv, peer.communicate(timeout=30)[0])
            finally:
                peer.kill()
        figures["cpu_seconds"] += other["cpu_seconds"]
        return figures
    return bench_pairs.Side(
        side, f"{side}, the same stack at both ends: {count:,} messages of 100 "
        f"bytes, window {WINDOW}, ANONYMOUS, unsettled", once)


def _at_broker(folder, side, kind, address, queues, count):
    def once():
        # What one side sends the same side receives, at a queue of its own:
        # RabbitMQ forgets the last settlements of a client that closes at once.
        queue = next(queues)
        sent, received = (
            bench_pairs.run(_client(folder, side, verb, address, queue, count,
                                    0), bench_pairs.cpu_lists()[1])
            for verb in ("send", "receive"))
        received["sent"] = sent
        return received
    return bench_pairs.Side(
        side, f"{side} at {kind}: {count:,} messages of 100 bytes, window "
        f"{WINDOW}", once)


def loopback(ctx, folder, pairs):
    comparisons = []
    for verb in ("send", "receive"):
        for headers in (0, 3):
            count = 100_000 if ctx.short else 400_000
            comparisons += bench_pairs.compare(
                f"{verb}, loopback, {headers} properties",
                [_loopback(folder, side, verb, count, headers)
                 for side in ("proton", "driver", "tieline")],
                pairs, ctx.say)
    return comparisons


def at_brokers(ctx, folder, pairs):
    """Sends to a queue and receives from it again, in turn."""
    comparisons = []
    names = [f"bench-{i}" for i in range(2 * (pairs + 1))]
    declare = " ".join(f"--queue {name}" for name in names)
    for line, prefix in (("artemis --tune bench", ""),
                         (f"rabbitmq --tune bench {declare}", "/amq/queue/")):
        kind = line.split()[0]
        started = ctx.broker(line)
        bench_pairs.pin(started["pid"], bench_pairs.cpu_lists()[0])
        address = started["urls"]["plain"]
        queues = iter([prefix + name for name in names])
        count = 20_000 if ctx.short else 120_000
        sides = [_at_broker(folder, side, kind, address, queues, count)
                 for side in ("proton", "tieline")]
        for c in bench_pairs.compare(f"receive, {kind}", sides, pairs,
                                     ctx.say):
            comparisons.append(bench_pairs.Comparison(
                f"send, {kind}", c.ours, c.yardstick,
                [(a["sent"], b["sent"]) for a, b in c.pairs]))
            comparisons.append(c)
    return comparisons


def measure(ctx, pairs):
    folder = ctx.build("release", *PROGRAMS)
    comparisons = loopback(ctx, folder, pairs)
    comparisons += at_brokers(ctx, folder, min(pairs, 5))
    return bench.Report(comparisons)
