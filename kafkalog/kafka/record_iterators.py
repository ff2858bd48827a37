"""Records as Kafka's own classes hand them out: the same errors at the same record.

An uncompressed batch gives its records one by one, and the last one only if nothing follows it; a compressed one gives all
or none. Bytes after the end of a gzip or lz4 stream are not looked at, those after a zstd stream are.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD, MAGIC_AT, RecordBatch
from kafkalog.core.checksum import crc32
from kafkalog.core.compression import MAX_DECOMPRESSED, Inflated, inflate, record_over
from kafkalog.core.layout import INT32
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1, MIN_MESSAGE_SIZE, LegacyBatch
from kafkalog.core.record import NO_TIMESTAMP, Record, wrap64
from kafkalog.core.record_walk import MOST_AT_ONCE, runs
from kafkalog.core.source import HELD, Bytes, WindowedBytes, checksum, part_of, window_of
from kafkalog.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.kafka.reading_rules import ReadingRules

__all__ = [
    "JavaMessage",
    "problem_met",
    "records_from",
    "records_of_batch",
    "records_of_message",
    "shallow_message",
    "unpacking_problem",
]

_ZSTD = 4

_OFFSET_AND_SIZE = LEGACY_HEADER_V0.partial("offset", "size")
_HEAD_FIELDS = [LEGACY_HEADER_V1[name] for name in ("crc", "magic", "attributes", "timestamp")]
_CRC, _MAGIC, _ATTRIBUTES, _TIMESTAMP = range(len(_HEAD_FIELDS))
#: What comes after offset and size; every message is at least as long.
_HEAD = LEGACY_HEADER_V1.run("crc", "timestamp")
_KEY_LENGTH_AT_V0, _KEY_LENGTH_AT_V1 = LEGACY_HEADER_V0.size - LOG_OVERHEAD, LEGACY_HEADER_V1.size - LOG_OVERHEAD


def problem_met(section: Inflated, rules: ReadingRules) -> FormatError | None:
    """What is wrong with a decompressed section as far as its reader looks: not after the end of a gzip or lz4 stream."""
    # Where a frame may be taken for the end, nothing asks what comes after the last one.
    unseen = section.trailing or (rules.zstd_ends_with_frame and bool(section.frame_ends))
    return None if unseen else section.problem


def _inflate(codec_id: int, data: Bytes, magic: int, rules: ReadingRules) -> Inflated:
    result: Inflated = inflate(codec_id, data, magic=min(magic, 2))
    problem = problem_met(result, rules)
    if problem is not None:
        raise problem
    return result


def unpacking_problem(batch: LegacyBatch, rules: ReadingRules) -> FormatError | None:
    """Why a wrapper of magic 0 or 1 cannot be unpacked to its end, which is done before its first message is given.

    Raises:
        FormatError, LimitExceeded: the wrapper itself cannot be read.

    Source: AbstractLegacyRecordBatch.DeepRecordsIterator, Kafka 3.9.1.
    """
    return problem_met(batch.inflate(), rules)


def records_of_batch(batch: RecordBatch, rules: ReadingRules) -> Iterator[Record]:
    """The records of a magic 2 batch that has a whole header.

    Args:
        batch: The batch.
        rules: How the release reads.

    Raises:
        FormatError, LimitExceeded: where DefaultRecordBatch.iterator throws.

    Source: DefaultRecordBatch.iterator, Kafka 3.9.1.
    """
    count = batch.header.records_count
    if count == 0:
        return
    if count < 0:
        raise FormatError(f"record count {count}")
    if batch.compression_id == 0:
        yield from records_from(batch, batch.data, BATCH_HEADER.size)
        return
    body = part_of(batch.data, BATCH_HEADER.size)
    found = _inflate(batch.compression_id, body, batch.magic, rules)
    ends = found.frame_ends if rules.zstd_ends_with_frame else ()
    # All or none: too many to be held are read twice.
    if count > MOST_AT_ONCE or isinstance(found.data, WindowedBytes):
        for _ in _checked(batch, found.data, ends):
            pass
        yield from records_from(batch, found.data, 0)
    else:
        yield from list(_checked(batch, found.data, ends))


def _checked(batch: RecordBatch, data: Bytes, frame_ends: Sequence[int]) -> Iterator[Record]:
    """The records of a compressed section, none of which may begin where a frame ends."""
    for record in records_from(batch, data, 0):
        # The length in front of a record is read byte by byte, and there the end of a frame is noticed.
        if frame_ends and (
            _holds(frame_ends, record.start) or (data[record.start] >= 0x80 and _holds(frame_ends, record.start + 1))
        ):
            raise FormatError("a zstd frame ends where a record begins, which this release takes for the end of the records")
        yield record


def _holds(ascending: Sequence[int], value: int) -> bool:
    at = bisect_left(ascending, value)
    return at < len(ascending) and ascending[at] == value


def records_from(batch: RecordBatch, data: Bytes, at: int, index: int = 0, most: int | None = None) -> Iterator[Record]:
    """The records of a batch from number `index` on, which begins at `at` of its (decompressed) bytes; at most `most`.

    Raises:
        FormatError, LimitExceeded: one of them cannot be read, or bytes follow the last one.
    """
    count = batch.header.records_count
    end = count if most is None else min(count, index + most)
    for run in runs(data, at, end - index) if batch.is_regular else ():
        at = run.begin + run.start
        if not run.records or (index + run.records == count and run.begin + run.end != len(data)):
            break
        yield from batch.records_of(run)
        index, at = index + run.records, run.begin + run.end
    for number in range(index + 1, end + 1):
        record = batch.record_at(data, at)
        at = record.end
        if number == count and at < len(data):
            raise FormatError(f"{len(data) - at} bytes follow the {count} records", "recordsCount")
        yield record
        del record


class JavaMessage:
    """A message of magic 0 or 1 through the eyes of LegacyRecord: every field is read where it is due, when it is asked for.

    Args:
        offset: Its absolute offset.
        data: Its bytes after offset and size: at least 14.
        wrapper: Timestamp and timestamp type of the wrapper of a magic 1 message.
    """

    __slots__ = ("_head", "_key_size", "_wrapper", "data", "offset")

    def __init__(self, offset: int, data: Bytes, wrapper: tuple[int, str] | None = None) -> None:
        self.offset = offset
        self.data = data
        self._wrapper = wrapper
        self._key_size: int | None = None
        start = data[: _HEAD.size]
        self._head = _HEAD.unpack(start) if len(start) == _HEAD.size else _whole_fields(start)

    def _field(self, number: int) -> int:
        try:
            return self._head[number]
        except IndexError:
            raise self._cut() from None

    def _cut(self) -> FormatError:
        return FormatError(f"the message of offset {self.offset} ends inside a field")

    def _length(self, at: int) -> int:
        found = self.data[at : at + INT32.size]
        if len(found) < INT32.size:
            raise self._cut()
        return int.from_bytes(found, "big", signed=True)

    @property
    def crc(self) -> int:
        """The stored CRC-32."""
        return self._field(_CRC)

    @property
    def valid(self) -> bool:
        """Whether the CRC matches the bytes."""
        return self.crc == checksum(crc32, self.data, MAGIC_AT - LOG_OVERHEAD)

    @property
    def magic(self) -> int:
        """Message format version, as a signed byte."""
        return self._field(_MAGIC)

    @property
    def codec_id(self) -> int:
        """Low three bits of the attributes."""
        return self._field(_ATTRIBUTES) & bits.CODEC_MASK

    @property
    def timestamp_type(self) -> str:
        """`NoTimestampType`, `CreateTime` or `LogAppendTime`."""
        if self.magic == 0:
            return "NoTimestampType"
        return self._wrapper[1] if self._wrapper else bits.timestamp_type_name(self._field(_ATTRIBUTES))

    @property
    def timestamp(self) -> int:
        """Milliseconds; the wrapper's where the broker's clock counts; -1 in magic 0."""
        if self.magic == 0:
            return NO_TIMESTAMP
        if self._wrapper and self._wrapper[1] == "LogAppendTime":
            return self._wrapper[0]
        return self._field(_TIMESTAMP)

    @property
    def _key_at(self) -> int:
        return _KEY_LENGTH_AT_V1 if self.magic else _KEY_LENGTH_AT_V0

    @property
    def key_size(self) -> int:
        """The stored length of the key."""
        if self._key_size is None:
            self._key_size = self._length(self._key_at)
        return self._key_size

    @property
    def _value_at(self) -> int:
        return self._key_at + INT32.size + max(0, self.key_size)

    @property
    def value_size(self) -> int:
        """The stored length of the value."""
        return self._length(self._value_at)

    def _checked(self, at: int, size: int) -> int:
        """The length that stands at `at`, which must not lead out of the message."""
        there = len(self.data) - at - INT32.size
        if size > there:
            raise FormatError(f"the message of offset {self.offset} says {size} bytes and has {there}")
        return size

    def _sized(self, at: int, size: int) -> Bytes | None:
        start = at + INT32.size
        return None if self._checked(at, size) < 0 else part_of(self.data, start, start + size)

    @property
    def key(self) -> bytes | None:
        """The key."""
        return self._held(self._sized(self._key_at, self.key_size))

    @property
    def value(self) -> bytes | None:
        """The value."""
        return self._held(self.body)

    @property
    def body(self) -> Bytes | None:
        """The value, of a large message in windows: that of a wrapper."""
        value_at = self._value_at
        return self._sized(value_at, self._length(value_at))

    def check_lengths(self) -> None:
        """See that key and value fit into the message.

        Raises:
            FormatError: one of them goes beyond its end.
        """
        self._checked(self._key_at, self.key_size)
        value_at = self._value_at
        self._checked(value_at, self._length(value_at))

    @staticmethod
    def _held(data: Bytes | None) -> bytes | None:
        limit = MAX_DECOMPRESSED.get()
        if data is not None and len(data) > limit:
            raise record_over(limit, len(data))
        return None if data is None else bytes(data)


def _whole_fields(start: bytes) -> tuple[int, ...]:
    """Of a message that ends inside its fixed fields: those that are whole."""
    whole = sum(field.end - LOG_OVERHEAD <= len(start) for field in _HEAD_FIELDS)
    return _HEAD.unpack(start.ljust(_HEAD.size, b"\0"))[:whole]


def shallow_message(data: Bytes) -> JavaMessage:
    """The message or wrapper whose bytes, offset and size included, are `data`."""
    return JavaMessage(_OFFSET_AND_SIZE.unpack(data[:LOG_OVERHEAD])[0], part_of(data, LOG_OVERHEAD))


def records_of_message(outer: JavaMessage, rules: ReadingRules) -> Iterator[JavaMessage]:
    """The message itself, or the messages of a wrapper.

    Args:
        outer: What stands in the log.
        rules: How the release reads.

    Raises:
        FormatError, LimitExceeded: where AbstractLegacyRecordBatch.iterator throws.
    """
    codec = outer.codec_id
    if codec >= rules.codecs:
        raise FormatError(f"compression type id {codec}")
    if codec == 0:
        yield outer
        return
    magic = outer.magic
    if magic not in (0, 1) or codec == _ZSTD:
        raise FormatError(f"a wrapper message of magic {magic} with compression type id {codec}")
    value = outer.body
    if value is None:
        raise FormatError("a compressed wrapper message without a value")
    data = _inflate(codec, value, magic, rules).data
    last: int | None = None
    for last, _, _ in _inner_places(data):  # noqa: B007 - the last one is what is wanted
        pass
    if last is None:
        raise FormatError("a compressed wrapper message with no messages inside")
    base = 0
    if magic == 1 and outer.offset != 0:
        if outer.offset < last:
            raise FormatError(f"the wrapper's offset {outer.offset} is below that of its last message, {last}")
        base = outer.offset - last
    wrapper = outer.timestamp, outer.timestamp_type
    for offset, start, end in _inner_places(data):
        body = data[start:end] if end - start < HELD else part_of(data, start, end)
        message = JavaMessage(wrap64(offset + base), body, wrapper if body[MAGIC_AT - LOG_OVERHEAD] == 1 else None)
        codec = message.codec_id
        if codec >= rules.codecs:
            raise FormatError(f"compression type id {codec} inside a wrapper message")
        if codec:
            raise FormatError("a compressed message inside a compressed message")
        yield message


def _inner_places(data: Bytes) -> Iterator[tuple[int, int, int]]:
    """Stored offset, first byte and end of each message in a wrapper, offset and size not counted."""
    at, last = 0, len(data)
    begin, held = 0, b""
    while last - at >= LOG_OVERHEAD:
        if begin + len(held) < at + LOG_OVERHEAD:
            begin, held = window_of(data, at, LOG_OVERHEAD)
        offset, size = _OFFSET_AND_SIZE.unpack_from(held, at - begin)
        if size < MIN_MESSAGE_SIZE:
            raise FormatError(f"a message of {size} bytes inside a wrapper message")
        at += LOG_OVERHEAD
        if size > last - at:
            break  # a cut last message is passed over in silence
        yield offset, at, at + size
        at += size
