"""A small blocking AMQP 1.0 client, independent of the library under test:
enough to see that a broker is ready, to send and receive a few messages, and
to ask Artemis how deep a queue is. One session, links without windows to
speak of. Sections named below are those of the specification."""

import socket
import struct
import uuid

from . import amqp_codec as amqp

_SASL_HEADER, _AMQP_HEADER = b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"
_OPEN, _BEGIN, _ATTACH, _FLOW, _TRANSFER = 0x10, 0x11, 0x12, 0x13, 0x14
_DISPOSITION, _DETACH, _END, _CLOSE = 0x15, 0x16, 0x17, 0x18
_ACCEPTED, _SOURCE, _TARGET = 0x24, 0x28, 0x29
_HEADER, _PROPERTIES, _APPLICATION, _DATA, _VALUE = 0x70, 0x73, 0x74, 0x75, 0x77
_DURABLE_TERMINUS = 2
_LONGEST_FRAME = 1 << 20
_WINDOW = 1 << 16


class Refused(Exception):
    """The peer speaks AMQP but said no, or something unexpected."""


class Client:
    """A connection with one session. Raises OSError or Refused."""

    def __init__(self, port, user=None, password=None, context=None,
                 mechanism=None, timeout=5.0):
        self._handles = 0
        self._deliveries = 0
        self._waiting = []
        plain = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket = plain
        try:
            if context:
                self._socket = context.wrap_socket(
                    plain, server_hostname="localhost")
            self._socket.settimeout(timeout)
            self._authenticate(
                mechanism or ("PLAIN" if user else "ANONYMOUS"), user or "",
                password or "")
            self._open()
        except (OSError, Refused):
            self._socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self._socket.close()

    def close(self):
        self._send(amqp.composite(_CLOSE))
        try:
            self._wait(_CLOSE)
        finally:
            self._socket.close()

    # Frames (2.3).

    def _receive(self, size):
        parts = b""
        while len(parts) < size:
            part = self._socket.recv(size - len(parts))
            if not part:
                raise Refused("the peer closed the connection")
            parts += part
        return parts

    def _send(self, performative, payload=b"", kind=0):
        body = struct.pack(">BBH", 2, kind, 0) + performative + payload
        self._socket.sendall(struct.pack(">I", len(body) + 4) + body)

    def _read(self):
        """The next performative with its payload, past empty frames."""
        while True:
            size, offset, _, _ = struct.unpack(">IBBH", self._receive(8))
            if not 8 <= size <= _LONGEST_FRAME:
                raise Refused(f"a frame of {size} bytes")
            body = self._receive(size - 8)[offset * 4 - 8:]
            if body:
                decoder = amqp.Decoder(body)
                return decoder.value(), decoder.rest()

    def _wait(self, code):
        """The next frame of a kind; others wait for their turn. An end or a
        close from the peer, or a detach while links are used, is an error."""
        for index, frame in enumerate(self._waiting):
            if frame[0].code == code:
                return self._waiting.pop(index)
        while True:
            frame = self._read()
            got = frame[0]
            if got.code == code:
                return frame
            if got.code in (_DETACH, _END, _CLOSE):
                error = got.field(2 if got.code == _DETACH else 0)
                raise Refused(
                    f"{error.field(0)}: {error.field(1)}" if error
                    else "the peer ended the conversation")
            if got.code in (_ATTACH, _TRANSFER, _DISPOSITION):
                self._waiting.append(frame)

    # Connection and session (5.3, 2.4, 2.5).

    def _authenticate(self, mechanism, user, password):
        self._socket.sendall(_SASL_HEADER)
        if self._receive(8) != _SASL_HEADER:
            raise Refused("no SASL header")
        offered = self._read()[0].field(0)
        if mechanism != offered and mechanism not in (offered or []):
            raise Refused(f"{mechanism} is not offered, but {offered}")
        response = {"PLAIN": f"\0{user}\0{password}",
                    "ANONYMOUS": "anonymous", "EXTERNAL": ""}[mechanism]
        self._send(amqp.composite(0x41, amqp.symbol(mechanism),
                                  amqp.binary(response.encode())), kind=1)
        if self._read()[0].field(0) != 0:
            raise Refused("the credentials were refused")

    def _open(self):
        self._socket.sendall(_AMQP_HEADER)
        self._send(amqp.composite(
            _OPEN, amqp.string(f"tieline-tests-{uuid.uuid4()}"),
            amqp.string("localhost"), amqp.uint(_LONGEST_FRAME)))
        if self._receive(8) != _AMQP_HEADER:
            raise Refused("no AMQP header")
        self._wait(_OPEN)
        self._send(amqp.composite(_BEGIN, amqp.NULL, amqp.uint(0),
                                  amqp.uint(_WINDOW), amqp.uint(_WINDOW)))
        self._wait(_BEGIN)

    # Links (2.6). Messages have one section of data, or a text value.

    def _attach(self, is_receiver, source, target):
        handle = self._handles
        self._handles += 1
        self._send(amqp.composite(
            _ATTACH, amqp.string(f"link-{uuid.uuid4()}"), amqp.uint(handle),
            amqp.boolean(is_receiver), amqp.NULL, amqp.NULL, source, target,
            amqp.NULL, amqp.NULL, amqp.uint(0)))
        answer = self._wait(_ATTACH)[0]
        # A refused link is attached without its terminus, then detached.
        if answer.field(5 if is_receiver else 6) is None:
            self._wait(_TRANSFER)
        return handle, answer

    def _detach(self, handle):
        self._send(amqp.composite(_DETACH, amqp.uint(handle), amqp.TRUE))
        self._wait(_DETACH)

    def _sections(self, body, properties, reply_to):
        sections = amqp.composite(_HEADER, amqp.TRUE)
        if reply_to:
            sections += amqp.composite(_PROPERTIES, amqp.NULL, amqp.NULL,
                                       amqp.NULL, amqp.NULL,
                                       amqp.string(reply_to))
        if properties:
            sections += amqp.described(_APPLICATION,
                                       amqp.text_map(properties))
        return sections + amqp.described(_DATA, amqp.binary(body))

    def send(self, address, bodies, properties=None, reply_to=None):
        """Sends durable messages and waits until each is accepted."""
        target = amqp.composite(_TARGET, amqp.string(address),
                                amqp.uint(_DURABLE_TERMINUS))
        handle, _ = self._attach(False, amqp.composite(_SOURCE), target)
        for body in bodies:
            number = self._deliveries
            self._deliveries += 1
            self._send(amqp.composite(
                _TRANSFER, amqp.uint(handle), amqp.uint(number),
                amqp.binary(struct.pack(">I", number)), amqp.uint(0),
                amqp.FALSE), self._sections(body, properties, reply_to))
            state = self._wait(_DISPOSITION)[0].field(4)
            if state is None or state.code != _ACCEPTED:
                raise Refused(f"a message to {address} was not accepted")
        self._detach(handle)

    def receive(self, address, count):
        """Receives that many messages, accepts them, returns their bodies."""
        source = amqp.composite(_SOURCE, amqp.string(address),
                                amqp.uint(_DURABLE_TERMINUS))
        handle, _ = self._attach(True, source, amqp.composite(_TARGET))
        bodies = self._take(handle, count)
        self._detach(handle)
        return bodies

    def _take(self, handle, count):
        self._send(amqp.composite(
            _FLOW, amqp.uint(0), amqp.uint(_WINDOW), amqp.uint(0),
            amqp.uint(_WINDOW), amqp.uint(handle), amqp.uint(0),
            amqp.uint(count)))
        bodies = []
        while len(bodies) < count:
            transfer, payload = self._wait(_TRANSFER)
            decoder, parts = amqp.Decoder(payload), []
            while not decoder.at_end():
                section = decoder.value()
                if section.code in (_DATA, _VALUE):
                    parts.append(section.value)
            bodies.append(parts[0] if len(parts) == 1 else b"".join(parts))
            self._send(amqp.composite(
                _DISPOSITION, amqp.TRUE, amqp.uint(transfer.field(1)),
                amqp.NULL, amqp.TRUE, amqp.composite(_ACCEPTED)))
        return bodies

    def ask(self, address, properties):
        """Sends a request with a dynamic reply address; the reply's body."""
        dynamic = amqp.composite(_SOURCE, amqp.NULL, amqp.uint(0), amqp.NULL,
                                 amqp.uint(0), amqp.TRUE)
        handle, answer = self._attach(True, dynamic, amqp.composite(_TARGET))
        self.send(address, [b""], properties, answer.field(5).field(0))
        body, = self._take(handle, 1)
        self._detach(handle)
        return body


def is_ready(port, user=None, password=None):
    """True if the broker lets the user in and answers open and begin."""
    try:
        Client(port, user, password).close()
    except (OSError, Refused, ValueError, struct.error):
        return False
    return True
