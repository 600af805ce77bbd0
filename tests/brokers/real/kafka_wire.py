"""The few requests of Kafka's protocol that starting a broker needs.

Ready means that the broker answers Metadata and lists itself: until then it is
fenced. Topics are made here too, since starting Java for it takes a second.
Message formats: the protocol guide, kafka.apache.org/protocol.
"""

import socket
import struct

from .errors import BrokerError

_METADATA, _CREATE_TOPICS, _DELETE_TOPICS, _CREATE_ACLS = 3, 19, 20, 30
_TOPIC_EXISTS, _UNKNOWN_TOPIC = 36, 3


def _string(text):
    raw = text.encode()
    return struct.pack(">h", len(raw)) + raw


class _Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self._data, self._at)
        self._at += struct.calcsize(">" + form)
        return values[0]

    def string(self):
        size = self.take("h")
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size:self._at].decode()


def _receive(connection, size):
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionError("the broker closed the connection")
        parts += part
    return parts


def _ask(port, api, version, body, timeout):
    """One request on a connection of its own; the response without header."""
    header = struct.pack(">hhi", api, version, 1) + _string("tieline-tests")
    with socket.create_connection(("127.0.0.1", port), timeout) as connection:
        connection.settimeout(timeout)
        connection.sendall(struct.pack(">i", len(header) + len(body)) +
                           header + body)
        size, = struct.unpack(">i", _receive(connection, 4))
        return _Reader(_receive(connection, size)[4:])


def is_ready(port, timeout=2.0):
    """True if the broker takes part in its cluster and has a controller."""
    try:
        reader = _ask(port, _METADATA, 1, struct.pack(">i", 0), timeout)
    except (OSError, struct.error):
        return False
    brokers = reader.take("i")
    for _ in range(brokers):
        reader.take("i")
        reader.string()
        reader.take("i")
        reader.string()
    return brokers > 0 and reader.take("i") >= 0


def _topic_leaders(port, name, timeout):
    """How many partitions of the topic have a leader."""
    reader = _ask(port, _METADATA, 1, struct.pack(">i", 1) + _string(name),
                  timeout)
    for _ in range(reader.take("i")):
        reader.take("i")
        reader.string()
        reader.take("i")
        reader.string()
    reader.take("i")
    reader.take("i")
    reader.take("h")
    reader.string()
    reader.take("b")
    leaders = 0
    for _ in range(reader.take("i")):
        error = reader.take("h")
        reader.take("i")
        leaders += reader.take("i") >= 0 and error == 0
        for _ in range(2):
            for _ in range(reader.take("i")):
                reader.take("i")
    return leaders


def create_topic(port, name, partitions, settings, deadline):
    """Makes a topic and waits until all its partitions have a leader. Returns
    False if it was there before."""
    body = struct.pack(">i", 1) + _string(name)
    body += struct.pack(">ihi", partitions, 1, 0)
    body += struct.pack(">i", len(settings))
    for key, value in settings.items():
        body += _string(key) + _string(value)
    body += struct.pack(">ib", int(deadline.left() * 1000), 0)
    reader = _ask(port, _CREATE_TOPICS, 2, body, deadline.left())
    reader.take("i")
    reader.take("i")
    reader.string()
    code, why = reader.take("h"), reader.string()
    if code not in (0, _TOPIC_EXISTS):
        raise BrokerError(f"topic {name} was not created: {why} ({code})")
    if not deadline.wait_for(
            lambda: _topic_leaders(port, name, deadline.left()) >=
            (partitions if code == 0 else 1)):
        raise BrokerError(f"topic {name} has no leader for every partition")
    return code == 0


def delete_topic(port, name, deadline):
    """Deletes a topic. Returns False if there was none."""
    body = struct.pack(">i", 1) + _string(name)
    body += struct.pack(">i", int(deadline.left() * 1000))
    reader = _ask(port, _DELETE_TOPICS, 1, body, deadline.left())
    reader.take("i")
    reader.take("i")
    reader.string()
    code = reader.take("h")
    if code not in (0, _UNKNOWN_TOPIC):
        raise BrokerError(f"topic {name} was not deleted: error {code}")
    return code == 0


def deny_topics(port, user, prefix, deadline):
    """Denies a user everything on topics whose names begin so."""
    # Resource type topic (2), name, pattern prefixed (4), principal, host,
    # operation all (2), permission deny (2).
    body = struct.pack(">ib", 1, 2) + _string(prefix)
    body += struct.pack(">b", 4) + _string(f"User:{user}") + _string("*")
    body += struct.pack(">bb", 2, 2)
    reader = _ask(port, _CREATE_ACLS, 1, body, deadline.left())
    reader.take("i")
    reader.take("i")
    code, why = reader.take("h"), reader.string()
    if code != 0:
        raise BrokerError(f"access to {prefix}* was not denied: {why}")
