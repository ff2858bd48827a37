"""A bounds-checked reader for the variable-length parts of Kafka's formats."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kafkalog.errors import BadLength, BadVarint, Truncated
from kafkalog.span import Span

if TYPE_CHECKING:
    from kafkalog.core.source import Bytes

__all__ = ["Cursor", "zigzag"]

_MASK32 = 0xFFFFFFFF
_MASK64 = 0xFFFFFFFFFFFFFFFF


def zigzag(raw: int) -> int:
    """The signed value of a zig-zag coded non-negative number."""
    return (raw >> 1) ^ -(raw & 1)


class Cursor:
    """A place in `data` that moves forward as values are read; nothing is read past `end`.

    Args:
        data: The bytes to read from.
        at: Where to start.
        end: Where to stop; the end of `data` by default.
        space: What `Span.space` of errors shall say.
    """

    __slots__ = ("at", "data", "end", "space")

    def __init__(self, data: Bytes, at: int = 0, end: int | None = None, space: int | None = None) -> None:
        self.data = data
        self.at = at
        self.end = len(data) if end is None else end
        self.space = space

    @property
    def remaining(self) -> int:
        """Bytes left."""
        return self.end - self.at

    def span(self, start: int) -> Span:
        """The bytes from `start` to the current place."""
        return Span(start, self.at, self.space)

    def _advance(self, size: int, field: str) -> int:
        start = self.at
        if size > self.end - start:
            raise Truncated(size, self.end - start, field, Span(start, self.end, self.space))
        self.at = start + size
        return start

    def _fixed(self, code: str, size: int, field: str) -> int:
        start = self._advance(size, field)
        value: int = struct.unpack(code, self.data[start : start + size])[0]
        return value

    def int8(self, field: str = "") -> int:
        """A signed byte."""
        return self._fixed(">b", 1, field)

    def int16(self, field: str = "") -> int:
        """Two bytes, signed."""
        return self._fixed(">h", 2, field)

    def uint16(self, field: str = "") -> int:
        """Two bytes, unsigned."""
        return self._fixed(">H", 2, field)

    def int32(self, field: str = "") -> int:
        """Four bytes, signed."""
        return self._fixed(">i", 4, field)

    def int64(self, field: str = "") -> int:
        """Eight bytes, signed."""
        return self._fixed(">q", 8, field)

    def float64(self, field: str = "") -> float:
        """Eight bytes, IEEE 754."""
        start = self._advance(8, field)
        value: float = struct.unpack(">d", self.data[start : start + 8])[0]
        return value

    def take(self, size: int, field: str = "") -> bytes:
        """`size` bytes.

        Raises:
            BadLength: `size` is negative.
            Truncated: fewer are left.
        """
        if size < 0:
            raise BadLength(size, "0 or more", field, Span(self.at, self.at, self.space))
        start = self._advance(size, field)
        return bytes(self.data[start : start + size])

    def _raw(self, most_bytes: int, mask: int, field: str) -> int:
        start = self.at
        value = shift = 0
        for count in range(1, most_bytes + 1):
            if self.at >= self.end:
                raise Truncated(count, self.end - start, field, Span(start, self.end, self.space))
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                # Java drops what does not fit the integer, so a fat last byte is no error.
                return value & mask
            shift += 7
        raise BadVarint(f"no end within {most_bytes} bytes", field, self.span(start))

    def unsigned_varint(self, field: str = "") -> int:
        """Base-128 groups, least significant first, at most 5 bytes; as a signed 32-bit number, like Kafka's own."""
        value = self._raw(5, _MASK32, field)
        return value - (1 << 32) if value > 0x7FFFFFFF else value

    def varint(self, field: str = "") -> int:
        """A zig-zag coded signed 32-bit number, at most 5 bytes."""
        return zigzag(self._raw(5, _MASK32, field))

    def varlong(self, field: str = "") -> int:
        """A zig-zag coded signed 64-bit number, at most 10 bytes."""
        return zigzag(self._raw(10, _MASK64, field))

    def nullable(self, size: int, field: str = "") -> bytes | None:
        """`size` bytes, or None when `size` is negative (any negative number means null)."""
        return None if size < 0 else self.take(size, field)
