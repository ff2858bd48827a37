"""Messages of magic 0 and 1, alone or packed into a compressed wrapper message."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Annotated, NamedTuple, TypeVar

from kafkalog.core import attributes as bits
from kafkalog.core.batch import LOG_OVERHEAD, MAGIC_AT, Damage
from kafkalog.core.checksum import crc32
from kafkalog.core.compression import MAX_DECOMPRESSED, Inflated, compression_type, inflate, record_over
from kafkalog.core.layout import INT8, INT32, INT64, UINT32, Layout
from kafkalog.core.record import NO_TIMESTAMP, wrap64
from kafkalog.core.source import HELD, Bytes, checksum, part_of, window_of
from kafkalog.errors import BadLength, FormatError, LimitExceeded, Truncated, UnknownMagic
from kafkalog.services import service
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "LEAST_LEGACY_LENGTHS",
    "LEGACY_HEADER_V0",
    "LEGACY_HEADER_V1",
    "MIN_MESSAGE_SIZE",
    "LegacyBatch",
    "LegacyHeaderV0",
    "LegacyHeaderV1",
    "LegacyRecord",
    "read_message",
]

#: Smallest legal value of `size`: checksum, magic, attributes, two lengths.
MIN_MESSAGE_SIZE = 14

_INT32 = struct.Struct(">i")

T = TypeVar("T")


class LegacyHeaderV0(NamedTuple):
    """The fixed fields of a magic 0 message with its offset and size in front."""

    offset: Annotated[int, INT64, "Offset of the message; of a wrapper: of its last inner message."]
    size: Annotated[int, INT32, "Bytes that follow this field; at least 14."]
    crc: Annotated[int, UINT32, "CRC-32 of everything from `magic` to the end of the message."]
    magic: Annotated[int, INT8, "Message format version, 0."]
    attributes: Annotated[int, INT8, "Codec in the low three bits."]


class LegacyHeaderV1(NamedTuple):
    """The fixed fields of a magic 1 message with its offset and size in front."""

    offset: Annotated[int, INT64, "Offset of the message; of a wrapper: of its last inner message."]
    size: Annotated[int, INT32, "Bytes that follow this field; at least 22."]
    crc: Annotated[int, UINT32, "CRC-32 of everything from `magic` to the end of the message."]
    magic: Annotated[int, INT8, "Message format version, 1."]
    attributes: Annotated[int, INT8, "Codec in the low three bits, timestamp type in bit 3."]
    timestamp: Annotated[int, INT64, "Milliseconds; of a wrapper: the largest of its messages."]


LEGACY_HEADER_V0 = Layout(LegacyHeaderV0)
LEGACY_HEADER_V1 = Layout(LegacyHeaderV1)

_SIZE = LEGACY_HEADER_V0.partial("size")
_HEAD = LEGACY_HEADER_V1.run("offset", "timestamp")
#: Where the key's length stands, by magic.
_KEY_LENGTH_AT = (LEGACY_HEADER_V0.size, LEGACY_HEADER_V1.size)

#: Least `size` by magic: the second format has a timestamp more.
LEAST_LEGACY_LENGTHS = (MIN_MESSAGE_SIZE, MIN_MESSAGE_SIZE + LEGACY_HEADER_V1["timestamp"].type.size)


class LegacyRecord(NamedTuple):
    """A message of magic 0 or 1 with its absolute offset and effective timestamp.

    `stored_offset` is what is stored on disk (inside a magic 1 wrapper it is relative); `timestamp` is -1 in magic 0.
    `crc_ok` is about the message's own checksum. `unused` counts bytes after the value that belong to no field. `start`
    and `end` are its byte range, offset and size included, in the batch's own bytes or in its decompressed value.
    """

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    magic: int
    attributes: int
    crc: int
    computed_crc: int
    stored_offset: int
    unused: int
    start: int
    end: int

    @property
    def crc_ok(self) -> bool:
        """Whether the stored CRC matches the bytes."""
        return self.crc == self.computed_crc

    @property
    def headers(self) -> tuple[()]:
        """Magic 0 and 1 have no headers."""
        return ()

    @property
    def is_aborted(self) -> bool:
        """False: magic 0 and 1 have no transactions."""
        return False


def read_message(data: Bytes, begin: int = 0, base: int = 0, append_time: int | None = None) -> LegacyRecord:
    """Read one message from exactly its own bytes, offset and size included.

    **On disk**: int64 offset, int32 size, uint32 crc, int8 magic, int8 attributes, [int64 timestamp in magic 1], int32
    key length and key, int32 value length and value. A negative length means null.

    Args:
        data: The bytes.
        begin: Where they begin in those that spans are about.
        base: What is added to the stored offset.
        append_time: The timestamp of a message of magic 1, instead of the stored one.

    Raises:
        Truncated: the message is cut.
        UnknownMagic: not magic 0 or 1.
        BadLength: key or value do not fit.

    Source: LegacyRecord, Kafka 3.9.1.
    """
    (stored, _, crc, magic, attributes, timestamp), (key_at, key_end), (value_at, value_end) = _parts(data, begin)
    if magic == 0:
        timestamp = NO_TIMESTAMP
    elif append_time is not None:
        timestamp = append_time
    return LegacyRecord(
        wrap64(base + stored),
        timestamp,
        None if key_at is None else data[key_at:key_end],
        None if value_at is None else data[value_at:value_end],
        magic,
        attributes,
        crc,
        checksum(crc32, data, MAGIC_AT),
        stored,
        len(data) - value_end,
        begin,
        begin + len(data),
    )


#: First byte of what stands after its length, None for null, and the byte after it.
_Extent = tuple[int | None, int]


def _parts(data: Bytes, begin: int = 0) -> tuple[tuple[int, ...], _Extent, _Extent]:
    """The fields of `LegacyHeaderV1`, the last of which means nothing in magic 0, and where key and value are."""
    if len(data) < LOG_OVERHEAD + MIN_MESSAGE_SIZE:
        raise Truncated(LOG_OVERHEAD + MIN_MESSAGE_SIZE, len(data), "message", Span(begin, begin + len(data)))
    # Even the shortest message is as long as the second format's header.
    head = _HEAD.unpack(data[: _HEAD.size])
    magic = head[3]
    if magic not in (0, 1):
        raise UnknownMagic(magic, LEGACY_HEADER_V0.span_of("magic", begin))
    key = _extent(data, _KEY_LENGTH_AT[magic], "keyLength", begin)
    return head, key, _extent(data, key[1], "valueLength", begin)


def _extent(data: Bytes, place: int, field: str, begin: int = 0) -> _Extent:
    """What stands after the length at `place`."""
    start, end = place + _INT32.size, len(data)
    if start > end:
        raise Truncated(_INT32.size, max(0, end - place), field, Span(begin + place, begin + end))
    (size,) = _INT32.unpack(data[place:start])
    if size < 0:
        return None, start
    if size > end - start:
        raise BadLength(size, f"-1 to {end - start}", field, Span(begin + place, begin + start))
    return start, start + size


def _each(data: Bytes, limit: int, read: Callable[[Bytes, int], T]) -> Iterator[T | Damage]:
    """What `read` makes of the messages in a wrapper's decompressed value, with their places; damage ends the walk.

    A message of more than `limit` bytes counts as damage.
    """
    at, last = 0, len(data)
    begin, held = 0, b""
    while at < last:
        if last - at < LOG_OVERHEAD:
            yield Damage(Span(at, last), Truncated(LOG_OVERHEAD, last - at, "offset and size"))
            return
        if begin + len(held) < at + LOG_OVERHEAD:
            begin, held = window_of(data, at, LOG_OVERHEAD)
        (size,) = _SIZE.unpack_from(held, at - begin)
        end = at + LOG_OVERHEAD + size
        try:
            if size < MIN_MESSAGE_SIZE or end > last:
                allowed = f"{MIN_MESSAGE_SIZE} to {last - at - LOG_OVERHEAD}"
                raise BadLength(size, allowed, "size", LEGACY_HEADER_V0.span_of("size", at))
            if size > limit:
                yield Damage(Span(at, last), record_over(limit, size))
                return
            if size >= HELD:
                found = read(part_of(data, at, end), at)
            else:
                if begin + len(held) < end:
                    begin, held = window_of(data, at, end - at)
                found = read(held[at - begin : end - begin], at)
        except FormatError as error:
            yield Damage(Span(at, last), error)
            return
        yield found
        del found
        at = end


class LegacyBatch:
    """What is between two shallow offsets in a log of magic 0 or 1: one message, or a wrapper full of them.

    Args:
        header: The fixed fields as stored.
        position: Where it starts in its file, in bytes.
        data: All its bytes, offset and size included.
    """

    __slots__ = ("_computed_crc", "data", "header", "position")

    def __init__(self, header: LegacyHeaderV0 | LegacyHeaderV1, position: int, data: Bytes) -> None:
        self.header = header
        self.position = position
        self.data = data
        self._computed_crc: int | None = None

    @classmethod
    def read(cls, data: Bytes, position: int = 0) -> LegacyBatch:
        """A batch from exactly its own bytes.

        Raises:
            Truncated: too few bytes for its fixed fields.
            UnknownMagic: not magic 0 or 1.
        """
        if len(data) < LEGACY_HEADER_V0.size:
            raise Truncated(LEGACY_HEADER_V0.size, len(data), "message", Span(position, position + len(data)))
        magic = data[MAGIC_AT]
        if magic > 1:
            raise UnknownMagic((magic ^ 0x80) - 0x80, LEGACY_HEADER_V0.span_of("magic", position))
        layout: Layout[LegacyHeaderV0] | Layout[LegacyHeaderV1] = LEGACY_HEADER_V1 if magic else LEGACY_HEADER_V0
        return cls(layout.read(data[: layout.size]), position, data)

    @property
    def layout(self) -> Layout[LegacyHeaderV0] | Layout[LegacyHeaderV1]:
        """The layout of its fixed fields."""
        return LEGACY_HEADER_V1 if self.header.magic else LEGACY_HEADER_V0

    @property
    def magic(self) -> int:
        """Message format version, 0 or 1."""
        return self.header.magic

    @property
    def size(self) -> int:
        """Bytes, offset and size fields included."""
        return len(self.data)

    @property
    def span(self) -> Span:
        """Its bytes in the file."""
        return Span(self.position, self.position + len(self.data))

    def span_of(self, field: str) -> Span:
        """The bytes of a fixed field in the file."""
        return self.layout.span_of(field, self.position)

    @property
    def base_offset(self) -> int:
        """Offset of its first message; that of a wrapper is only known by decompressing it.

        Raises:
            FormatError, LimitExceeded: the wrapper cannot be read.
        """
        if not self.compression_id:
            return self.header.offset
        return next(self.records()).offset

    @property
    def last_offset(self) -> int:
        """Offset of its last message."""
        return self.header.offset

    @property
    def next_offset(self) -> int:
        """The offset after `last_offset`."""
        return wrap64(self.header.offset + 1)

    @property
    def max_timestamp(self) -> int:
        """Milliseconds; -1 in magic 0."""
        return self.header.timestamp if isinstance(self.header, LegacyHeaderV1) else NO_TIMESTAMP

    @property
    def compression_id(self) -> int:
        """Codec id, 0 … 7; not 0: a wrapper."""
        return self.header.attributes & bits.CODEC_MASK

    @property
    def timestamp_type(self) -> str:
        """`NoTimestampType` in magic 0, else `CreateTime` or `LogAppendTime`."""
        return bits.timestamp_type_name(self.header.attributes) if self.header.magic else "NoTimestampType"

    @property
    def computed_crc(self) -> int:
        """The CRC-32 of the bytes as they are."""
        if self._computed_crc is None:
            self._computed_crc = checksum(crc32, self.data, LEGACY_HEADER_V0["magic"].at)
        return self._computed_crc

    @property
    def crc_ok(self) -> bool:
        """Whether the stored CRC matches the bytes."""
        return self.header.crc == self.computed_crc

    def inflate(self, limit: int | None = None) -> Inflated:
        """A wrapper's value, decompressed as far as it goes; a problem is a value.

        Raises:
            FormatError: the wrapper itself cannot be read, has no value, or an unknown codec.
            LimitExceeded: it would be larger than `limit` bytes.
        """
        value = self._value()
        compression_type(self.compression_id, self.magic)
        if value is None:
            raise FormatError("a compressed wrapper message without a value", "value", self.span)
        result = inflate(self.compression_id, value, magic=self.magic, limit=limit)
        if result.problem is not None:
            result.problem.span = self.span
        return result

    def _value(self) -> Bytes | None:
        """A wrapper's value, of a large one in windows."""
        _, place = _extent(self.data, self.layout.size, "keyLength")
        start, end = _extent(self.data, place, "valueLength")
        return None if start is None else part_of(self.data, start, end)

    def records(self, *, limit: int | None = None) -> Iterator[LegacyRecord]:
        """Its messages with absolute offsets. May be called again.

        Raises:
            FormatError: at the place of damage, after the messages before it have been given.
            LimitExceeded: the value would decompress to more than `limit` bytes.
        """
        for item in self.walk_records(limit=limit):
            if isinstance(item, Damage):
                raise item.error
            yield item

    def walk_records(self, *, limit: int | None = None, inflated: Inflated | None = None) -> Iterator[LegacyRecord | Damage]:
        """Its messages with absolute offsets; damage is a value, the last one.

        Args:
            limit: Bytes that a wrapper may decompress to.
            inflated: What `inflate` gave, where that was asked for before.
        """
        limit = MAX_DECOMPRESSED.get() if limit is None else limit
        try:
            if not self.compression_id:
                if len(self.data) > limit:
                    raise record_over(limit, len(self.data))
                yield read_message(self.data)
                return
            result = self.inflate(limit) if inflated is None else inflated
        except (FormatError, LimitExceeded) as error:
            yield Damage(self.span, error)
            return
        last: int | None = None
        damage: Damage | None = None
        # Magic 1 stores offsets relative to the last one, so that the messages are gone over twice.
        for found in _each(result.data, limit, _parts):
            if isinstance(found, Damage):
                damage = found._replace(span=found.span._replace(space=self.position))
            else:
                last = found[0][0]
        if result.problem is not None:
            damage = Damage(self.span, result.problem)
        elif last is None and damage is None:
            damage = Damage(self.span, FormatError("a compressed wrapper message with no messages inside", "value"))
        try:
            base = 0 if last is None else self._inner_base(last)
        except FormatError as error:
            yield Damage(self.span, error)
            return
        header = self.header
        time = header.timestamp if isinstance(header, LegacyHeaderV1) and header.attributes & bits.LOG_APPEND_TIME else None
        for item in _each(result.data, limit, lambda data, begin: read_message(data, begin, base, time)):
            if isinstance(item, Damage):
                break
            yield item
            del item
        if damage is not None:
            yield damage

    def _inner_base(self, last: int) -> int:
        """What is added to the stored offsets of its messages, of which `last` is the last: 0 in magic 0.

        Raises:
            FormatError: they do not fit its own offset.
        """
        offset = self.header.offset
        if not self.magic:
            return 0
        if offset != 0 and offset < last:
            problem = f"the wrapper's offset {offset} is below that of its last message, {last}"
            raise FormatError(problem, "offset", self.span_of("offset"))
        # Some releases of librdkafka sent wrappers with offset 0 and absolute offsets inside.
        return offset - last if offset != 0 else 0

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        what = "wrapper" if self.compression_id else "message"
        return (
            f"LegacyBatch(magic {self.magic} {what}, last offset {self.last_offset}, position {self.position}, "
            f"{self.size} bytes{'' if self.crc_ok else ', CRC WRONG'})"
        )
