#!/usr/bin/env python3
"""A TCP proxy that breaks connections on command, for tests.

    proxy.py --to [HOST:]PORT [--listen PORT] [--control PATH]

Prints one JSON line with its port, then obeys commands, one a line, from
standard input or from clients of the Unix socket PATH; each is answered with
a line: "ok ..." or "error ...". Ends with its standard input, or on "quit".

    cut               reset all connections; new ones are welcome
    refuse            cut, and refuse new connections
    accept            take new connections again
    hold [up|down]    forward nothing any more, but keep connections open: all,
                      or only towards the broker (up) or the client (down)
    release           forward what was held
    latency MS        delay every byte, both ways
    corrupt up|down   flip one bit of the next byte that passes this way
    stats             counters as JSON
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import socket
import struct
import sys

_CHUNK = 1 << 16
_CHUNKS_IN_FLIGHT = 64
_UP, _DOWN = "up", "down"


def _reset(writer):
    """Closes a connection by RST, as a dying host's neighbour would."""
    peer = writer.get_extra_info("socket")
    if peer is not None and peer.fileno() >= 0:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0))
    writer.transport.abort()


class Proxy:
    """All connections from one port to one broker."""

    def __init__(self, host, port):
        self._target = (host, port)
        self._socket = None
        self._server = None
        self._tasks = set()
        self._latency = 0.0
        self._corrupt = set()
        self._gates = {_UP: asyncio.Event(), _DOWN: asyncio.Event()}
        self._counters = collections.Counter()
        for gate in self._gates.values():
            gate.set()

    def bind(self, port):
        """Takes the port without listening yet: connections are refused."""
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        return self._socket.getsockname()[1]

    async def accept(self):
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, sock=self._socket, limit=_CHUNK)

    async def refuse(self):
        if self._server is not None:
            port = self._socket.getsockname()[1]
            self._server.close()
            self._server = None
            # The port stays ours, so that accept finds it free.
            self.bind(port)
        self.cut()

    def cut(self):
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader, writer):
        self._counters["accepted"] += 1
        try:
            up_reader, up_writer = await asyncio.open_connection(
                *self._target, limit=_CHUNK)
        except OSError:
            self._counters["broker_refused"] += 1
            _reset(writer)
            return
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            await asyncio.gather(self._pump(reader, up_writer, _UP),
                                 self._pump(up_reader, writer, _DOWN))
            writer.close()
            up_writer.close()
        except (OSError, asyncio.CancelledError):
            # One end was reset, or cut() cancelled us: reset both.
            self._counters["reset"] += 1
            _reset(writer)
            _reset(up_writer)
        finally:
            self._tasks.discard(task)

    async def _pump(self, reader, writer, way):
        """Forwards one direction: a reader and a writer with a queue between
        them, so that latency delays but does not slow."""
        queue = asyncio.Queue(_CHUNKS_IN_FLIGHT)

        async def fill():
            loop, data = asyncio.get_running_loop(), b"more"
            while data:
                data = await reader.read(_CHUNK)
                await queue.put((loop.time() + self._latency, data))

        filler = asyncio.ensure_future(fill())
        try:
            await self._drain(queue, filler, writer, way)
        finally:
            filler.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await filler

    async def _drain(self, queue, filler, writer, way):
        loop = asyncio.get_running_loop()
        while True:
            getter = asyncio.ensure_future(queue.get())
            await asyncio.wait({getter, filler},
                               return_when=asyncio.FIRST_COMPLETED)
            if not getter.done() and filler.exception() is not None:
                getter.cancel()
                raise filler.exception()
            due, data = await getter
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self._gates[way].wait()
            if not data:
                if writer.can_write_eof():
                    writer.write_eof()
                return
            if way in self._corrupt:
                self._corrupt.discard(way)
                data = bytes([data[0] ^ 1]) + data[1:]
            writer.write(data)
            await writer.drain()
            self._counters[f"bytes_{way}"] += len(data)

    def _hold(self, ways):
        for way in ways or (_UP, _DOWN):
            self._gates[way].clear()

    async def obey(self, line):
        """Carries out one command and returns the answer."""
        words = line.split()
        name, arguments = (words[0], words[1:]) if words else ("", [])
        ways_are_known = all(each in (_UP, _DOWN) for each in arguments)
        if name in ("accept", "refuse") and not arguments:
            await getattr(self, name)()
        elif name == "cut" and not arguments:
            self.cut()
        elif name == "hold" and ways_are_known:
            self._hold(arguments)
        elif name == "release" and not arguments:
            for gate in self._gates.values():
                gate.set()
        elif name == "latency" and len(arguments) == 1 \
                and arguments[0].isdigit():
            self._latency = int(arguments[0]) / 1000
        elif name == "corrupt" and arguments and ways_are_known:
            self._corrupt.update(arguments)
        elif name == "stats" and not arguments:
            return "ok " + json.dumps(
                {**self._counters, "connections": len(self._tasks)})
        else:
            return f"error no such command: {line.strip()[:80]}"
        return "ok"


async def _converse(proxy, reader, answer, done):
    """Obeys the commands of one controller until it ends."""
    while line := (await reader.readline()).decode(errors="replace"):
        if line.strip() == "quit":
            done.set()
            return
        answer(await proxy.obey(line) + "\n")


async def _standard_input():
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _run(arguments):
    host, _, port = arguments.to.rpartition(":")
    proxy = Proxy(host or "127.0.0.1", int(port))
    bound = proxy.bind(arguments.listen)
    await proxy.accept()
    done = asyncio.Event()
    print(json.dumps({"port": bound, "pid": os.getpid()}), flush=True)
    if arguments.control:
        async def serve(reader, writer):
            await _converse(proxy, reader,
                            lambda text: writer.write(text.encode()), done)
            writer.close()

        await asyncio.start_unix_server(serve, arguments.control)
    else:
        def answer(text):
            print(text, end="", flush=True)

        await _converse(proxy, await _standard_input(), answer, done)
        done.set()
    await done.wait()
    await proxy.refuse()


def main(argv):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--to", required=True, metavar="[HOST:]PORT")
    parser.add_argument("--listen", type=int, default=0, metavar="PORT")
    parser.add_argument("--control", metavar="PATH")
    arguments = parser.parse_args(argv)
    try:
        asyncio.run(_run(arguments))
    except OSError as error:
        print(f"proxy: {error}", file=sys.stderr)
        return 1
    finally:
        if arguments.control:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(arguments.control)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
