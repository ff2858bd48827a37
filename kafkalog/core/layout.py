"""One declaration per fixed on-disk structure; struct format, positions and documentation are derived from it.

    class OffsetIndexEntry(NamedTuple):
        relative_offset: Annotated[int, INT32, "Offset minus the segment's base offset."]
        position: Annotated[int, INT32, "Byte place in the `.log`."]

    OFFSET_INDEX_ENTRY = Layout(OffsetIndexEntry)

Everything is big-endian two's complement, as everywhere in Kafka's files.
"""

from __future__ import annotations

import struct
from array import array
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, get_args, get_type_hints

from kafkalog.core.source import PIECE
from kafkalog.core.span import Span
from kafkalog.errors import Truncated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import WindowedBytes

__all__ = ["INT8", "INT16", "INT32", "INT64", "UINT32", "Field", "Layout", "WireType"]

#: Whether arrays on this machine have the lowest byte first; files have it last.
_IS_LITTLE = struct.pack("=h", 1) == struct.pack("<h", 1)

Buffer = bytes | bytearray | memoryview


class WireType(NamedTuple):
    """A fixed-size integer as it is stored."""

    name: str
    code: str
    size: int


INT8 = WireType("int8", "b", 1)
INT16 = WireType("int16", "h", 2)
INT32 = WireType("int32", "i", 4)
INT64 = WireType("int64", "q", 8)
UINT32 = WireType("uint32", "I", 4)


class Field(NamedTuple):
    """One field of a layout: `at` is its place in bytes from the start of the structure."""

    name: str
    type: WireType
    at: int
    meaning: str

    @property
    def end(self) -> int:
        """First byte after the field, from the start of the structure."""
        return self.at + self.type.size

    @property
    def kafka_name(self) -> str:
        """The field's name as Kafka spells it, `lastOffsetDelta` for `last_offset_delta`."""
        first, *rest = self.name.split("_")
        return first + "".join(word.capitalize() for word in rest)


T = TypeVar("T", bound=tuple[Any, ...])


class Layout(Generic[T]):
    """The on-disk shape of a NamedTuple whose fields are annotated `Annotated[int, <wire type>, <meaning>]`."""

    __slots__ = ("_by_name", "_cls", "_struct", "fields", "size")

    def __init__(self, cls: type[T]) -> None:
        self._cls = cls
        fields: list[Field] = []
        at = 0
        for name, hint in get_type_hints(cls, include_extras=True).items():
            _, wire, meaning = get_args(hint)
            fields.append(Field(name, wire, at, meaning))
            at += wire.size
        self.fields = tuple(fields)
        self.size = at
        self._by_name = {field.name: field for field in fields}
        self._struct = struct.Struct(">" + "".join(field.type.code for field in fields))

    def __getitem__(self, name: str) -> Field:
        return self._by_name[name]

    def read(self, data: Buffer, at: int = 0) -> T:
        """Read one structure.

        Raises:
            Truncated: fewer than `size` bytes from `at` on.
        """
        try:
            return tuple.__new__(self._cls, self._struct.unpack_from(data, at))
        except struct.error:
            have = max(0, len(data) - at)
            raise Truncated(self.size, have, self._cls.__name__, Span(at, at + have)) from None

    def read_all(self, data: Buffer | WindowedBytes) -> Iterator[T]:
        """Read the structures that stand one after the other in `data`; trailing bytes short of one are left alone."""
        whole = len(data) - len(data) % self.size
        new, cls = tuple.__new__, self._cls
        at_once = PIECE - PIECE % self.size
        for start in range(0, whole, at_once):
            for values in self._struct.iter_unpack(data[start : min(start + at_once, whole)]):
                yield new(cls, values)

    def column(self, name: str, data: bytes, end: int) -> array[int]:
        """The numbers of one field of the structures in the first `end` bytes, one after the other; it is `i` or `q` wide."""
        field = self._by_name[name]
        numbers = array(field.type.code)
        stored = bytearray(end // self.size * field.type.size)
        for byte in range(field.type.size):
            stored[byte :: field.type.size] = data[field.at + byte : end : self.size]
        numbers.frombytes(stored)
        if _IS_LITTLE:
            numbers.byteswap()
        return numbers

    def span_of(self, name: str, at: int = 0) -> Span:
        """The bytes of one field of the structure that starts at `at`."""
        field = self._by_name[name]
        return Span(at + field.at, at + field.end)

    def table(self) -> list[tuple[int, int, str, str, str]]:
        """Rows for documentation: position, bytes, Kafka's name, type, meaning."""
        return [(f.at, f.type.size, f.kafka_name, f.type.name, f.meaning) for f in self.fields]
