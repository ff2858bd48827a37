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
from kafkalog.errors import Truncated
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.source import WindowedBytes

__all__ = ["INT8", "INT16", "INT32", "INT64", "UINT32", "Field", "Layout", "WireType", "kafka_name"]

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


def kafka_name(name: str) -> str:
    """A name as Kafka spells it, `lastOffsetDelta` for `last_offset_delta`."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


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
        return kafka_name(self.name)

    @property
    def unsigned(self) -> Field:
        """A field over these bytes, read as a number without a sign."""
        return self._replace(type=self.type._replace(name=f"u{self.type.name}", code=self.type.code.upper()))


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

    def raw(self, first: str, last: str) -> Field:
        """The fields from `first` to `last` as one field of bytes."""
        at, end = self[first].at, self[last].end
        return Field(f"{first} to {last}", WireType("bytes", f"{end - at}s", end - at), at, "")

    def run(self, first: str, last: str) -> struct.Struct:
        """A reader of the bytes of the fields from `first` to `last`."""
        names = list(self._by_name)
        return struct.Struct(">" + "".join(self[name].type.code for name in names[names.index(first) : names.index(last) + 1]))

    def partial(self, *fields: str | Field) -> struct.Struct:
        """A reader of some fields only, in ascending order: it begins at the structure and ends after the last of them."""
        code, at = ">", 0
        for field in (self[field] if isinstance(field, str) else field for field in fields):
            code += f"{field.at - at}x{field.type.code}" if field.at > at else field.type.code
            at = field.end
        return struct.Struct(code)

    @property
    def unpack_from(self) -> Callable[..., tuple[Any, ...]]:
        """A reader of bytes and a place in them: the values of the structure there."""
        return self._struct.unpack_from

    def pack(self, values: tuple[int, ...]) -> bytes:
        """The bytes of one structure of these values."""
        return self._struct.pack(*values)

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

    def span(self, at: int = 0) -> Span:
        """The bytes of the structure that starts at `at`."""
        return Span(at, at + self.size)

    def span_of_entries(self, first: int, end: int | None = None) -> Span:
        """In a file of nothing else: the bytes of structure number `first`, or of all from it to before number `end`."""
        return Span(first * self.size, (first + 1 if end is None else end) * self.size)

    def span_of(self, name: str, at: int = 0) -> Span:
        """The bytes of one field of the structure that starts at `at`."""
        field = self._by_name[name]
        return Span(at + field.at, at + field.end)

    def table(self) -> list[tuple[int, int, str, str, str]]:
        """Rows for documentation: position, bytes, Kafka's name, type, meaning."""
        return [(f.at, f.type.size, f.kafka_name, f.type.name, f.meaning) for f in self.fields]
