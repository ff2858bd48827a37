"""One record of a magic 2 batch: the readable definition, and the oracle of the fast loop in `record_walk`."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.cursor import Cursor
from kafkalog.core.record_walk import HeaderSink, Irregular, compile_headers
from kafkalog.errors import BadLength, FormatError
from kafkalog.span import Span  # noqa: TC001 - a field's type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "NO_TIMESTAMP",
    "RECORD_FIELDS",
    "AbortedRecord",
    "BatchRecord",
    "FieldPlace",
    "KeptRecord",
    "Record",
    "RecordDetail",
    "RecordHeader",
    "increment_sequence",
    "iter_headers",
    "read_detail",
    "read_headers",
    "read_record",
    "walk_fields",
    "wrap32",
    "wrap64",
]

#: The timestamp of a record that has none.
NO_TIMESTAMP = -1


def wrap32(value: int) -> int:
    """`value` as a signed 32-bit number, the way Java's int arithmetic overflows."""
    return (value + 0x80000000 & 0xFFFFFFFF) - 0x80000000


def wrap64(value: int) -> int:
    """`value` as a signed 64-bit number, the way Java's long arithmetic overflows."""
    return (value + 0x8000000000000000 & 0xFFFFFFFFFFFFFFFF) - 0x8000000000000000


def increment_sequence(sequence: int, increment: int) -> int:
    """A sequence number `increment` records later: 2147483647 is followed by 0.

    Source: DefaultRecordBatch.incrementSequence, Kafka 0.11.0.0 to 4.3.1, with its 32-bit overflow.
    """
    if sequence > wrap32(0x7FFFFFFF - increment):
        return wrap32(increment - wrap32(0x7FFFFFFF - sequence) - 1)
    return wrap32(sequence + increment)


class RecordHeader(NamedTuple):
    """A header of a record: key bytes (UTF-8 by convention, not checked) and value bytes or None."""

    key: bytes
    value: bytes | None


class Record(NamedTuple):
    """A record of a magic 2 batch.

    `offset` is the absolute log offset, `timestamp` the absolute time in milliseconds (the batch's maxTimestamp when the
    broker's clock is used: LogAppendTime). `key` and `value` are None when null. `start` and `end` are its byte range,
    length field included: in the batch's own bytes when it is uncompressed, else in its decompressed section.
    `RecordBatch.detail` gives the fields as stored and their places.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    raw_headers: bytes
    start: int
    end: int

    @property
    def headers(self) -> tuple[RecordHeader, ...]:
        """The headers in stored order; duplicates are allowed and kept."""
        raw = self.raw_headers
        if len(raw) > _LARGEST_KEPT:
            return _read_headers(raw)
        return _headers_of(raw) if raw else ()

    @property
    def is_aborted(self) -> bool | None:
        """Whether it belongs to an aborted transaction; False too for one of no transaction.

        `Partition.records` decides it, by the markers that follow in the log. None: its transaction has no end there, or
        nobody has looked, as for a record that its batch gave.
        """
        return None

    def __repr__(self) -> str:
        def short(data: bytes | None) -> str:
            if data is None:
                return "null"
            return repr(data) if len(data) <= 40 else f"{data[:32]!r}… ({len(data)} bytes)"

        headers = f", {len(self.headers)} headers" if self.raw_headers else ""
        payload = f"key={short(self.key)}, value={short(self.value)}"
        aborted = ", aborted" if self.is_aborted else ""
        return f"Record(offset={self.offset}, timestamp={self.timestamp}, {payload}{headers}{aborted})"


#: Bytes of the largest header section whose headers are kept for a while: they often are those of other records, too.
_LARGEST_KEPT = 1 << 10


def _read_headers(section: bytes) -> tuple[RecordHeader, ...]:
    try:
        return _read_regular()(section)
    except (Irregular, IndexError):
        return read_headers(Cursor(section))


_headers_of = lru_cache(maxsize=256)(_read_headers)


@cache
def _read_regular() -> Callable[[bytes], tuple[RecordHeader, ...]]:
    return compile_headers(
        HeaderSink(
            begin="found = []; emit = found.append",
            key="name = data[q:r]",
            null="emit(new(header, (name, None)))",
            value="emit(new(header, (name, data[q:r])))",
            finish="raw = tuple(found)",
        ),
        names=(("new", tuple.__new__), ("header", RecordHeader)),
    )


class _OfTuple(tuple[Any, ...]):
    """In front of a named tuple: makes one of a tuple without a function of Python in between."""

    __slots__ = ()
    __new__ = tuple.__new__

    def __getnewargs__(self) -> tuple[tuple[Any, ...]]:
        return (tuple(self),)


class BatchRecord(_OfTuple, Record):
    """A record that its batch gave."""

    __slots__ = ()


class AbortedRecord(_OfTuple, Record):
    """A record of an aborted transaction."""

    __slots__ = ()

    @property
    def is_aborted(self) -> bool:
        """True."""
        return True


class KeptRecord(_OfTuple, Record):
    """A record of a committed transaction, or of none."""

    __slots__ = ()

    @property
    def is_aborted(self) -> bool:
        """False."""
        return False


def read_headers(cursor: Cursor) -> tuple[RecordHeader, ...]:
    """The header section of a record: a varint count, then the headers.

    Raises:
        BadLength, Truncated, BadVarint: as for `iter_headers`.
    """
    return tuple(iter_headers(cursor))


def iter_headers(cursor: Cursor) -> Iterator[RecordHeader]:
    """The headers of a header section, one after the other: a record may have millions.

    Raises:
        BadLength: a negative count or key length, or a count that the bytes left cannot hold.
        Truncated, BadVarint: the section is cut or malformed.
    """
    start = cursor.at
    count = cursor.varint("headers count")
    if count < 0 or count > cursor.remaining:
        raise BadLength(count, f"0 to {cursor.remaining}", "headers count", cursor.span(start))
    for _ in range(count):
        key_start = cursor.at
        key_size = cursor.varint("headerKeyLength")
        if key_size < 0:
            raise BadLength(key_size, "0 or more", "headerKeyLength", cursor.span(key_start))
        key = cursor.take(key_size, "headerKey")
        yield RecordHeader(key, cursor.nullable(cursor.varint("headerValueLength"), "headerValue"))


class RecordDetail(NamedTuple):
    """The fields of a record as stored, with their places."""

    record: Record
    attributes: int
    timestamp_delta: int
    offset_delta: int
    span: Span
    key_span: Span
    value_span: Span
    headers_span: Span


def read_record(cursor: Cursor, base_offset: int, base_timestamp: int, log_append_time: int | None = None) -> Record:
    """Read the record at the cursor and move past it: `read_detail` without the detail."""
    return read_detail(cursor, base_offset, base_timestamp, log_append_time).record


def read_detail(cursor: Cursor, base_offset: int, base_timestamp: int, log_append_time: int | None = None) -> RecordDetail:
    """Read the record at the cursor and move past it.

    **On disk**: varint length of what follows, int8 attributes, varlong timestampDelta, varint offsetDelta, varint key
    length and key, varint value length and value, varint header count and headers. Any negative length means null.

    Args:
        cursor: Stands at the record's length field.
        base_offset: The batch's baseOffset.
        base_timestamp: The batch's baseTimestamp, milliseconds.
        log_append_time: The batch's maxTimestamp when its timestamp type is LogAppendTime, else None.

    Raises:
        FormatError: the record is cut, malformed, or not as long as it says.

    Source: DefaultRecord.readFrom, Kafka 3.9.1.
    """
    start = cursor.at
    size = cursor.varint("length")
    body = cursor.at
    if size < 0 or size > cursor.remaining:
        raise BadLength(size, f"0 to {cursor.remaining}", "length", cursor.span(start))
    attributes = cursor.int8("attributes")
    timestamp_delta = cursor.varlong("timestampDelta")
    offset_delta = cursor.varint("offsetDelta")
    key_size = cursor.varint("keyLength")
    key_start = cursor.at
    key = cursor.nullable(key_size, "key")
    key_span = cursor.span(key_start)
    value_size = cursor.varint("valueLength")
    value_start = cursor.at
    value = cursor.nullable(value_size, "value")
    value_span = cursor.span(value_start)
    headers_start = cursor.at
    count = sum(1 for _ in iter_headers(cursor))
    if cursor.at - body != size:
        raise FormatError(f"says {size} bytes and has {cursor.at - body}", "length", cursor.span(start))
    record = Record(
        wrap64(base_offset + offset_delta),
        wrap64(base_timestamp + timestamp_delta) if log_append_time is None else log_append_time,
        key,
        value,
        bytes(cursor.data[headers_start : cursor.at]) if count else b"",
        start,
        cursor.at,
    )
    return RecordDetail(
        record, attributes, timestamp_delta, offset_delta, cursor.span(start), key_span, value_span, cursor.span(headers_start)
    )


class RecordField(NamedTuple):
    """A field of a record: Kafka's name, how it is stored, what it means."""

    name: str
    type: str
    meaning: str


#: In the order of the record; those of headers come once for each header.
RECORD_FIELDS = (
    RecordField("length", "varint", "Bytes that follow this field."),
    RecordField("attributes", "int8", "Not used."),
    RecordField(
        "timestampDelta", "varlong", "Timestamp minus `baseTimestamp`; without meaning when the batch is LogAppendTime."
    ),
    RecordField("offsetDelta", "varint", "Offset minus `baseOffset`."),
    RecordField("keyLength", "varint", "Bytes of the key; a negative length is null."),
    RecordField("key", "bytes", "The key."),
    RecordField("valueLength", "varint", "Bytes of the value; a negative length is null."),
    RecordField("value", "bytes", "The value."),
    RecordField("headersCount", "varint", "Headers that follow."),
    RecordField("headerKeyLength", "varint", "Bytes of a header's key; not negative."),
    RecordField("headerKey", "bytes", "A header's key, UTF-8 by convention."),
    RecordField("headerValueLength", "varint", "Bytes of a header's value; a negative length is null."),
    RecordField("headerValue", "bytes", "A header's value."),
)


class FieldPlace(NamedTuple):
    """A field of a record as it stands in the bytes: its name in `RECORD_FIELDS`, its place, its number (bytes: None)."""

    name: str
    start: int
    end: int
    value: int | None


def walk_fields(cursor: Cursor) -> Iterator[FieldPlace]:
    """Every field of the record at the cursor, one after the other, as `read_detail` reads them; empty ones of bytes too.

    Raises:
        FormatError: what is there is none of its fields; those before it have been given.
    """

    def number(name: str, read: Callable[[str], int]) -> FieldPlace:
        start = cursor.at
        value = read(name)
        return FieldPlace(name, start, cursor.at, value)

    def sized(name: str) -> Iterator[FieldPlace]:
        size = number(f"{name}Length", cursor.varint)
        yield size
        start = cursor.at
        cursor.nullable(size.value or 0, name)
        yield FieldPlace(name, start, cursor.at, None)

    yield number("length", cursor.varint)
    yield number("attributes", cursor.int8)
    yield number("timestampDelta", cursor.varlong)
    yield number("offsetDelta", cursor.varint)
    yield from sized("key")
    yield from sized("value")
    headers = number("headersCount", cursor.varint)
    yield headers
    for _ in range(headers.value or 0):
        yield from sized("headerKey")
        yield from sized("headerValue")
