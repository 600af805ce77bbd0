"""AMQP 1.0 types as Python values: the part of the encoding (specification
part 1) that the small client needs. Numbers and texts have several AMQP types,
so the sender names the one it means by a wrapper function of this module."""

import struct
import uuid

NULL = b"\x40"
TRUE, FALSE = b"\x41", b"\x42"

# Fixed-width constructors: code -> (struct format, conversion).
_FIXED = {
    0x50: "B", 0x51: "b", 0x52: "B", 0x53: "B", 0x54: "b", 0x55: "b",
    0x60: "H", 0x61: "h", 0x70: "I", 0x71: "i", 0x72: "f", 0x80: "Q",
    0x81: "q", 0x82: "d", 0x83: "q",
}
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0,
              0x45: []}


class Described:
    """A value with its descriptor's code."""

    def __init__(self, code, value):
        self.code, self.value = code, value

    def field(self, index):
        """A field of a composite; None if it is absent."""
        return self.value[index] if index < len(self.value) else None


def uint(number):
    return b"\x70" + struct.pack(">I", number)


def ubyte(number):
    return b"\x50" + struct.pack(">B", number)


def ushort(number):
    return b"\x60" + struct.pack(">H", number)


def boolean(value):
    return TRUE if value else FALSE


def _variable(code, raw):
    return bytes([code]) + struct.pack(">I", len(raw)) + raw


def string(text):
    return _variable(0xb1, text.encode())


def symbol(text):
    return _variable(0xb3, text.encode())


def binary(raw):
    return _variable(0xb0, raw)


def described(code, encoded):
    return b"\x00\x53" + bytes([code]) + encoded


def composite(code, *fields):
    """A described list: performatives, termini, outcomes, sections."""
    body = struct.pack(">I", len(fields)) + b"".join(fields)
    return described(code, _variable(0xd0, body))


def text_map(entries):
    """A map from strings to strings."""
    encoded = [string(part) for pair in entries.items() for part in pair]
    body = struct.pack(">I", len(encoded)) + b"".join(encoded)
    return _variable(0xd1, body)


class Decoder:
    """Reads values one after another. Raises ValueError or struct.error for
    bytes that are not AMQP."""

    def __init__(self, data):
        self._data, self._at = data, 0

    def at_end(self):
        return self._at >= len(self._data)

    def rest(self):
        return self._data[self._at:]

    def _take(self, form):
        values = struct.unpack_from(">" + form, self._data, self._at)
        self._at += struct.calcsize(">" + form)
        return values[0]

    def _raw(self, size):
        raw = self._data[self._at:self._at + size]
        if len(raw) != size:
            raise ValueError("an AMQP value is cut short")
        self._at += size
        return raw

    def value(self):
        code = self._take("B")
        if code == 0x00:
            descriptor = self.value()
            return Described(descriptor, self.value())
        return self._coded(code)

    def _coded(self, code):
        if code in _CONSTANTS:
            value = _CONSTANTS[code]
            return list(value) if value == [] else value
        if code == 0x56:
            return bool(self._take("B"))
        if code in _FIXED:
            return self._take(_FIXED[code])
        if code == 0x98:
            return uuid.UUID(bytes=bytes(self._raw(16)))
        if code >> 4 in (0xa, 0xb):
            raw = self._raw(self._take("B" if code >> 4 == 0xa else "I"))
            return bytes(raw) if code & 0xf == 0 else raw.decode()
        if code >> 4 in (0xc, 0xd):
            form = "B" if code >> 4 == 0xc else "I"
            self._take(form)
            items = [self.value() for _ in range(self._take(form))]
            if code & 0xf == 0:
                return items
            return dict(zip(items[::2], items[1::2]))
        if code >> 4 in (0xe, 0xf):
            form = "B" if code >> 4 == 0xe else "I"
            self._take(form)
            count, inner = self._take(form), self._take("B")
            return [self._coded(inner) for _ in range(count)]
        raise ValueError(f"0x{code:02x} is no AMQP constructor")
