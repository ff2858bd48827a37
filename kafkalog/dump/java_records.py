"""Records as Kafka's own classes hand them out: the same errors at the same record.

An uncompressed batch gives its records one by one, and the last one only if nothing follows it; a compressed one gives all
or none. Bytes behind the end of a gzip or lz4 stream are not looked at, behind a zstd stream they are.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kafkalog.core import attributes as bits
from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD, RecordBatch
from kafkalog.core.checksum import crc32
from kafkalog.core.compression import Inflated, inflate
from kafkalog.core.cursor import Cursor
from kafkalog.core.legacy import MIN_MESSAGE_SIZE
from kafkalog.core.record import NO_TIMESTAMP, Record, read_record, wrap64
from kafkalog.dump.output import Died
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["JavaMessage", "records_of_batch", "records_of_message", "shallow_message"]


def _inflated(codec_id: int, data: bytes, magic: int) -> bytes:
    return _inflate(codec_id, data, magic).data


def _inflate(codec_id: int, data: bytes, magic: int, *, zstd_ends_with_frame: bool = False) -> Inflated:
    try:
        result: Inflated = inflate(codec_id, data, magic=min(magic, 2))
    except (FormatError, LimitExceeded) as error:
        raise Died(str(error)) from None
    # Such a reader never asks what stands behind the last frame.
    unseen = result.trailing or (zstd_ends_with_frame and bool(result.frame_ends))
    if result.problem is not None and not unseen:
        raise Died(str(result.problem))
    return result


def records_of_batch(batch: RecordBatch, *, zstd_ends_with_frame: bool = False) -> Iterator[Record]:
    """The records of a magic 2 batch of at least 61 bytes.

    Args:
        batch: The batch.
        zstd_ends_with_frame: The dialect's quirk of that name.

    Raises:
        Died: where DefaultRecordBatch.iterator throws; its place is left to the caller.
    """
    count = batch.header.records_count
    if count == 0:
        return
    if count < 0:
        raise Died(f"record count {count}")
    if batch.compression_id == 0:
        yield from _records(batch, batch.data, BATCH_HEADER.size)
    else:
        body = batch.data[BATCH_HEADER.size :]
        found = _inflate(batch.compression_id, body, batch.magic, zstd_ends_with_frame=zstd_ends_with_frame)
        records = list(_records(batch, found.data, 0))
        if zstd_ends_with_frame:
            # The length in front of a record is read byte by byte, and there the end of a frame is noticed.
            heads = {place for record in records for place in (record.start, *_second_byte_of_length(found.data, record))}
            if heads.intersection(found.frame_ends):
                raise Died("a zstd frame ends where a record begins, which this release takes for the end of the records")
        yield from records


def _second_byte_of_length(data: bytes, record: Record) -> tuple[int, ...]:
    return (record.start + 1,) if data[record.start] >= 0x80 else ()


def _records(batch: RecordBatch, data: bytes, at: int) -> Iterator[Record]:
    header = batch.header
    append_time = header.max_timestamp if header.attributes & bits.LOG_APPEND_TIME else None
    cursor = Cursor(data, at)
    try:
        for number in range(1, header.records_count + 1):
            record = read_record(cursor, header.base_offset, header.base_timestamp, append_time)
            if number == header.records_count and cursor.remaining:
                raise Died(f"{cursor.remaining} bytes follow the {header.records_count} records of the batch")
            yield record
    except FormatError as error:
        raise Died(str(error)) from None


class JavaMessage:
    """A message of magic 0 or 1 through the eyes of LegacyRecord: every field is read where it is due, when it is asked for.

    Args:
        offset: Its absolute offset.
        data: Its bytes behind offset and size: at least 14.
        wrapper: Timestamp and timestamp type of the wrapper of a magic 1 message.
    """

    __slots__ = ("_wrapper", "data", "offset")

    def __init__(self, offset: int, data: bytes, wrapper: tuple[int, str] | None = None) -> None:
        self.offset = offset
        self.data = data
        self._wrapper = wrapper

    def _int(self, code: str, at: int) -> int:
        try:
            value: int = struct.unpack_from(code, self.data, at)[0]
        except struct.error:
            raise Died(f"the message of offset {self.offset} ends inside a field") from None
        return value

    @property
    def crc(self) -> int:
        """The stored CRC-32."""
        return self._int(">I", 0)

    @property
    def valid(self) -> bool:
        """Whether the CRC matches the bytes."""
        return self.crc == crc32(memoryview(self.data)[4:])

    @property
    def magic(self) -> int:
        """Message format version, as a signed byte."""
        return self._int(">b", 4)

    @property
    def codec_id(self) -> int:
        """Low three bits of the attributes."""
        return self.data[5] & bits.CODEC_MASK

    @property
    def timestamp_type(self) -> str:
        """`NoTimestampType`, `CreateTime` or `LogAppendTime`."""
        if self.magic == 0:
            return "NoTimestampType"
        return self._wrapper[1] if self._wrapper else bits.timestamp_type_name(self.data[5])

    @property
    def timestamp(self) -> int:
        """Milliseconds; the wrapper's where the broker's clock counts; -1 in magic 0."""
        if self.magic == 0:
            return NO_TIMESTAMP
        if self._wrapper and self._wrapper[1] == "LogAppendTime":
            return self._wrapper[0]
        return self._int(">q", 6)

    @property
    def _key_at(self) -> int:
        return 6 if self.magic == 0 else 14

    @property
    def key_size(self) -> int:
        """The stored length of the key."""
        return self._int(">i", self._key_at)

    @property
    def _value_at(self) -> int:
        return self._key_at + 4 + max(0, self.key_size)

    @property
    def value_size(self) -> int:
        """The stored length of the value."""
        return self._int(">i", self._value_at)

    def _sized(self, at: int) -> bytes | None:
        size = self._int(">i", at)
        if size < 0:
            return None
        if size > len(self.data) - at - 4:
            raise Died(f"the message of offset {self.offset} says {size} bytes and has {len(self.data) - at - 4}")
        return self.data[at + 4 : at + 4 + size]

    @property
    def key(self) -> bytes | None:
        """The key."""
        return self._sized(self._key_at)

    @property
    def value(self) -> bytes | None:
        """The value."""
        return self._sized(self._value_at)


def shallow_message(data: bytes) -> JavaMessage:
    """The message or wrapper whose bytes, offset and size included, are `data`."""
    return JavaMessage(struct.unpack_from(">q", data)[0], data[LOG_OVERHEAD:])


def records_of_message(outer: JavaMessage, *, zstd: bool) -> Iterator[JavaMessage]:
    """The message itself, or the messages of a wrapper.

    Args:
        outer: What stands in the log.
        zstd: Whether the release knows that codec.

    Raises:
        Died: where AbstractLegacyRecordBatch.iterator throws.
    """
    codec = outer.codec_id
    if codec > (4 if zstd else 3):
        raise Died(f"compression type id {codec}")
    if codec == 0:
        yield outer
        return
    magic = outer.magic
    if magic not in (0, 1) or codec == 4:
        raise Died(f"a wrapper message of magic {magic} with compression type id {codec}")
    value = outer.value
    if value is None:
        raise Died("a compressed wrapper message without a value")
    inner = _inner_messages(_inflated(codec, value, magic), (outer.timestamp, outer.timestamp_type))
    if not inner:
        raise Died("a compressed wrapper message with no messages inside")
    base = 0
    if magic == 1 and outer.offset != 0:
        last = inner[-1].offset
        if outer.offset < last:
            raise Died(f"the wrapper's offset {outer.offset} is below that of its last message, {last}")
        base = outer.offset - last
    for message in inner:
        if message.codec_id > (4 if zstd else 3):
            raise Died(f"compression type id {message.codec_id} inside a wrapper message")
        if message.codec_id:
            raise Died("a compressed message inside a compressed message")
        message.offset = wrap64(message.offset + base)
        yield message


def _inner_messages(data: bytes, wrapper: tuple[int, str]) -> list[JavaMessage]:
    messages = []
    at = 0
    while len(data) - at >= LOG_OVERHEAD:
        offset, size = struct.unpack_from(">qi", data, at)
        if size < MIN_MESSAGE_SIZE:
            raise Died(f"a message of {size} bytes inside a wrapper message")
        if size > len(data) - at - LOG_OVERHEAD:
            break  # a cut last message is passed over in silence
        body = data[at + LOG_OVERHEAD : at + LOG_OVERHEAD + size]
        messages.append(JavaMessage(offset, body, wrapper if body[4] == 1 else None))
        at += LOG_OVERHEAD + size
    return messages
