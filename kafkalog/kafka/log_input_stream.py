"""The batches of a segment file as the broker's own reader meets them: FileRecords and FileLogInputStream.

This reader is not the one of `kafkalog.core.log`: it stops in silence at a torn end, trusts a size field wherever it
leads, and looks at a header only when a value of it is asked for.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import CODEC_MASK
from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    HEADER_UP_TO_MAGIC,
    LOG_OVERHEAD,
    MAGIC_AT,
    BatchHeader,
    RecordBatch,
)
from kafkalog.core.checksum import crc32, crc32c
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1, MIN_MESSAGE_SIZE, LegacyBatch, read_message
from kafkalog.core.record import NO_TIMESTAMP, wrap64
from kafkalog.core.source import Bytes, checksum
from kafkalog.errors import BadLength, DecompressionFailed, FormatError, LimitExceeded, Truncated
from kafkalog.kafka.failure import BrokerAborts, CorruptRecord, InvalidRecord
from kafkalog.kafka.record_iterators import unpacking_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Source
    from kafkalog.kafka.overlay import DiskFile
    from kafkalog.kafka.reading_rules import ReadingRules

__all__ = [
    "MAX_SEGMENT_SIZE",
    "BatchPlace",
    "FileRecords",
    "LogOffsetPosition",
    "LoggedBatch",
    "SizeFieldTooSmall",
    "walk_batches",
]

_PREFIX = BATCH_HEADER.partial("base_offset", "batch_length", "magic")
_CRC = BATCH_HEADER.partial("crc")
_LEGACY_CRC = LEGACY_HEADER_V0.partial("crc")
#: Where a message of magic 0 or 1 says how it is compressed; a batch has 26 bytes at least.
_LEGACY_ATTRIBUTES = LEGACY_HEADER_V0["attributes"].at
_TIMESTAMP = LEGACY_HEADER_V1.partial("timestamp")

#: Largest file that can be opened as a segment, in bytes.
MAX_SEGMENT_SIZE = 0x7FFFFFFF


class LogOffsetPosition(NamedTuple):
    """Where a search for an offset ended: FileRecords.LogOffsetPosition. The offset is the batch's last one, or its base."""

    offset: int
    position: int
    size: int


class SizeFieldTooSmall(CorruptRecord):
    """CorruptRecordException of FileLogInputStream: `size` is what the field at `position` holds."""

    def __init__(self, size: int, position: int) -> None:
        self.size = size
        self.position = position
        super().__init__(f"size field {size} at position {position}, {MIN_MESSAGE_SIZE} or more is allowed")


#: Of a batch: its position, its stored offset, its size with offset and size fields, its magic; then a window of the file, and
#: where in it the batch begins: as much of a header as the file has is there.
BatchPlace = tuple[int, int, int, int, bytes, int]


def walk_batches(
    source: Source, position: int, end: int, *, stop: int | None = None, sizes_overflow: bool = False
) -> Iterator[BatchPlace]:
    """The batches from a position on, as far as their size fields lead.

    Args:
        source: The log.
        position: Where the first one begins.
        end: First byte that does not belong to it.
        stop: Where none may begin any more; None: at its end.
        sizes_overflow: Whether the release believes in a batch that would end after the 2^31st byte: it is the last one.

    Raises:
        SizeFieldTooSmall: a size field is below 14.
        BrokerAborts: the position is negative.

    Source: FileLogInputStream.nextBatch, Kafka 3.9.1.
    """
    if position < 0:
        raise BrokerAborts("IllegalArgumentException", f"a batch is looked for at position {position}")
    read, head = _PREFIX.unpack_from, BATCH_HEADER.size
    last = end - HEADER_UP_TO_MAGIC
    last = last if stop is None else min(stop, last)
    begin = held = 0
    data = b""
    while position < last:
        at = position - begin
        if held - at < head:
            begin, data = source.window(position, head)
            at, held = position - begin, len(data)
        offset, size, magic = read(data, at)
        if size < MIN_MESSAGE_SIZE:
            raise SizeFieldTooSmall(size, position)
        size += LOG_OVERHEAD
        following = position + size
        if following > end:
            if sizes_overflow and following > MAX_SEGMENT_SIZE:
                yield position, offset, size, magic, data, at
                text = f"a batch is looked for after size {size - LOG_OVERHEAD} at {position}"
                raise BrokerAborts("IllegalArgumentException", text)
            return
        yield position, offset, size, magic, data, at
        position = following


class LoggedBatch:
    """A batch whose size field has been read: FileLogInputStream.FileChannelRecordBatch.

    `size` counts the whole entry, offset and size fields included.
    """

    __slots__ = ("_at", "_base_offset", "_file", "_header", "_window", "magic", "offset", "position", "rules", "size")

    def __init__(self, file: DiskFile, rules: ReadingRules, place: BatchPlace) -> None:
        position, offset, size, magic, self._window, self._at = place
        self._file = file
        self.rules = rules
        self.position = position
        self.offset = offset
        self.size = size
        self.magic = magic
        self._header: BatchHeader | None = None
        self._base_offset: int | None = None

    @property
    def is_v2(self) -> bool:
        """Whether it is read as a magic 2 batch: any magic from 2 up is."""
        return self.magic >= 2

    @property
    def header(self) -> BatchHeader:
        """Its header; that of a batch shorter than a header goes on into the bytes after the batch.

        Raises:
            BrokerAborts: the file ends inside the header.
        """
        if self._header is None:
            if len(self._window) - self._at < BATCH_HEADER.size:
                raise BrokerAborts("KafkaException", f"the file ends inside the batch header at position {self.position}")
            self._header = BATCH_HEADER.read(self._window, self._at)
        return self._header

    @property
    def last_offset(self) -> int:
        """Offset of its last record."""
        return wrap64(self.offset + self.header.last_offset_delta) if self.is_v2 else self.offset

    @property
    def next_offset(self) -> int:
        """The offset after it."""
        return wrap64(self.last_offset + 1)

    @property
    def base_offset(self) -> int:
        """Offset of its first record; a compressed message of magic 0 or 1 is decompressed for it.

        Raises:
            InvalidRecord: that message cannot be read.
            BrokerAborts: it is malformed, or its codec does not exist, or does not understand it.
        """
        if self.is_v2:
            return self.offset
        if self._base_offset is None:
            self._base_offset = self._first_offset()
        return self._base_offset

    def _first_offset(self) -> int:
        codec = self._file.read(self.position + _LEGACY_ATTRIBUTES, 1)[0] & CODEC_MASK
        if not codec:
            return self.offset
        if codec >= self.rules.codecs:
            raise BrokerAborts("IllegalArgumentException", f"unknown compression type id {codec}")
        whole = self.bytes()
        try:
            read_message(whole)
            batch = LegacyBatch.read(whole, self.position)
            problem = unpacking_problem(batch, self.rules)
            if problem is not None:
                raise problem
            return batch.base_offset
        except DecompressionFailed as error:
            raise BrokerAborts(
                "KafkaException", f"the message at position {self.position} cannot be unpacked: {error}"
            ) from None
        except (FormatError, LimitExceeded, StopIteration) as error:
            if isinstance(error, BadLength | Truncated) and not _holds_message(whole):
                text = f"the message at position {self.position} cannot be taken apart: {error}"
                raise BrokerAborts("IndexOutOfBoundsException", text) from None
            raise InvalidRecord(f"the message at position {self.position} cannot be unpacked: {error}") from None

    @property
    def max_timestamp(self) -> int:
        """Milliseconds, -1 for none."""
        if self.is_v2:
            return self.header.max_timestamp
        if self.magic == 0:
            return NO_TIMESTAMP
        if self.magic < 0:
            raise InvalidRecord(f"magic {self.magic} at position {self.position}")
        stored = self._file.read(self.position, _TIMESTAMP.size)
        if len(stored) < _TIMESTAMP.size:
            raise BrokerAborts("KafkaException", f"the file ends inside the message header at position {self.position}")
        value: int = _TIMESTAMP.unpack(stored)[0]
        return value

    @property
    def has_producer(self) -> bool:
        """Whether an idempotent or transactional producer wrote it."""
        return self.is_v2 and self.header.producer_id > -1

    def bytes(self) -> Bytes:
        """All its bytes."""
        if len(self._window) - self._at >= self.size:
            return self._window[self._at : self._at + self.size]
        return self._file.bytes_at(self.position, self.size)

    def ensure_valid(self) -> None:
        """Check size and checksum.

        Raises:
            CorruptRecord: either is wrong.

        Source: DefaultRecordBatch.ensureValid, LegacyRecord.ensureValid, Kafka 3.9.1.
        """
        if self.position + self.size > MAX_SEGMENT_SIZE:
            raise BrokerAborts("OutOfMemoryError", f"the batch at position {self.position} has {self.size} bytes")
        whole = self.bytes()
        if self.is_v2:
            if self.size < BATCH_HEADER.size:
                raise CorruptRecord(
                    f"the batch at position {self.position} has {self.size} bytes, {BATCH_HEADER.size} are needed"
                )
            stored, computed = _CRC.unpack(whole[: _CRC.size])[0], checksum(crc32c, whole, ATTRIBUTES_AT)
        else:
            stored, computed = _LEGACY_CRC.unpack(whole[: _LEGACY_CRC.size])[0], checksum(crc32, whole, MAGIC_AT)
        if stored != computed:
            raise CorruptRecord(
                f"the CRC of the batch at position {self.position} is {stored:#010x}, computed {computed:#010x}"
            )

    def as_record_batch(self) -> RecordBatch:
        """The magic 2 batch, for reading its records."""
        return RecordBatch(self.header, self.position, self.bytes())


def _holds_message(data: Bytes) -> bool:
    """Whether key and value of a message of magic 0 or 1 lie inside it; what is in a wrapper may be malformed still."""
    try:
        read_message(data)
    except FormatError:
        return False
    return True


class FileRecords:
    """A `.log` file, or a slice of one.

    Args:
        file: The file.
        rules: How the release reads batches.
        start: First byte that belongs to it.
        end: First byte that does not; None: the end of the file, as it is when asked.
    """

    def __init__(self, file: DiskFile, rules: ReadingRules, start: int = 0, end: int | None = None) -> None:
        self.file = file
        self.rules = rules
        self.start = start
        self._end = end

    @property
    def end(self) -> int:
        """First byte after it."""
        return self.file.size if self._end is None else self._end

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start

    def slice(self, position: int, size: int) -> FileRecords:
        """A part of it; what goes beyond the end is left off.

        Raises:
            BrokerAborts: the part starts outside (before 2.1: before the start), or its size is negative.

        Source: FileRecords.slice, Kafka 3.9.1; FileRecords.read before 2.1.
        """
        start, end = self.start + position, self.end
        if position < 0 or size < 0 or (self.rules.slices_checked and start > end):
            raise BrokerAborts("IllegalArgumentException", f"a slice of {size} bytes from position {position}, of {self.size}")
        stop = start + size
        return FileRecords(self.file, self.rules, start, end if stop > MAX_SEGMENT_SIZE else min(stop, end))

    def batches(self, start: int | None = None) -> Iterator[LoggedBatch]:
        """The batches from position `start` on.

        Raises:
            SizeFieldTooSmall, BrokerAborts: see `walk_batches`.
        """
        position = self.start if start is None else start
        places = walk_batches(self.file, position, self.end, sizes_overflow=self.rules.sizes_overflow)
        return map(partial(LoggedBatch, self.file, self.rules), places)

    def last_batch(self) -> LoggedBatch | None:
        """Its last batch."""
        last = None
        for batch in self.batches():
            last = batch
        return last

    def search(self, offset: int, start: int, *, names_base: bool, by_base_offset: bool) -> LogOffsetPosition | None:
        """The first batch from position `start` on that reaches `offset`.

        Args:
            offset: The offset looked for.
            start: Where to begin, in bytes.
            names_base: Whether the release names the base offset of the batch found (4.0 and later), not its last one.
            by_base_offset: Whether the release compares base offsets first (4.1 and later).

        Source: FileRecords.searchForOffsetWithSize, Kafka 3.9.1; searchForOffsetFromPosition, Kafka 4.1.
        """
        if not by_base_offset:
            for batch in self.batches(start):
                last = batch.last_offset
                if last >= offset:
                    return LogOffsetPosition(batch.base_offset if names_base else last, batch.position, batch.size)
            return None
        previous: LoggedBatch | None = None
        for batch in self.batches(start):
            base = batch.base_offset
            if base >= offset:
                if base > offset and previous is not None and previous.last_offset >= offset:
                    batch = previous  # noqa: PLW2901 - the one before it holds the offset
                return LogOffsetPosition(batch.base_offset, batch.position, batch.size)
            previous = batch
        if previous is not None and previous.last_offset >= offset:
            return LogOffsetPosition(previous.base_offset, previous.position, previous.size)
        return None
