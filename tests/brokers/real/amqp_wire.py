"""Enough of AMQP 1.0 to see that a broker is ready: an anonymous SASL
exchange (specification part 5, section 5.3) and an answered open (2.4.1)."""

import socket
import struct

_SASL_HEADER, _AMQP_HEADER = b"AMQP\x03\x01\x00\x00", b"AMQP\x00\x01\x00\x00"
_MECHANISMS, _OUTCOME, _OPEN = 0x40, 0x44, 0x10
_LONGEST_FRAME = 65536


class Refused(Exception):
    """The peer speaks AMQP but said no, or something unexpected."""


def _receive(connection, size):
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise Refused("the peer closed the connection")
        parts += part
    return parts


def _frame(kind, performative):
    body = struct.pack(">BBH", 2, kind, 0) + performative
    return struct.pack(">I", len(body) + 4) + body


def _read_frame(connection):
    """The descriptor's code and the whole body of the next frame."""
    size, offset, _, _ = struct.unpack(">IBBH", _receive(connection, 8))
    if not 8 <= size <= _LONGEST_FRAME:
        raise Refused(f"a frame of {size} bytes")
    body = _receive(connection, size - 8)[offset * 4 - 8:]
    if body[:2] != b"\x00\x53":
        raise Refused("a frame without a performative")
    return body[2], body


def _list(code, *fields):
    body = b"".join(fields)
    return (b"\x00\x53" + bytes([code]) +
            b"\xc0" + bytes([len(body) + 1, len(fields)]) + body)


def _short(kind, raw):
    return bytes([kind, len(raw)]) + raw


def handshake(port, timeout=2.0, user=None, password=None):
    """Opens an AMQP connection and drops it: anonymously, or as a user.
    Raises OSError or Refused."""
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(_SASL_HEADER)
        if _receive(connection, 8) != _SASL_HEADER:
            raise Refused("no SASL header")
        code, offered = _read_frame(connection)
        mechanism = b"PLAIN" if user else b"ANONYMOUS"
        if code != _MECHANISMS or mechanism not in offered:
            raise Refused(f"{mechanism.decode()} is not offered")
        response = b"\0%b\0%b" % ((user or "").encode(),
                                  (password or "").encode())
        connection.sendall(_frame(1, _list(
            0x41, _short(0xa3, mechanism),
            _short(0xa0, response if user else b"anonymous"))))
        code, outcome = _read_frame(connection)
        if code != _OUTCOME or b"\x50\x00" not in outcome[3:]:
            raise Refused("the credentials were refused")
        connection.sendall(_AMQP_HEADER + _frame(0, _list(
            0x10, _short(0xa1, b"tieline-probe"),
            _short(0xa1, b"localhost"))))
        if _receive(connection, 8) != _AMQP_HEADER:
            raise Refused("no AMQP header")
        code, _ = _read_frame(connection)
        if code != _OPEN:
            raise Refused("open was not answered with open")


def is_ready(port, timeout=2.0, user=None, password=None):
    try:
        handshake(port, timeout, user, password)
    except (OSError, Refused, struct.error):
        return False
    return True
