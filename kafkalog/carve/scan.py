"""Looking through a range of an image for batches whose checksums fit, and rows of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.carve.candidates import best_finder, plain_candidates
from kafkalog.carve.values import MOST_PRODUCERS, Run, Skipped
from kafkalog.core import attributes as bits
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LEAST_BATCH_LENGTH, LOG_OVERHEAD, BatchHeader
from kafkalog.core.checksum import crc32c
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.log import legacy_candidates, legacy_message_at
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.files.image import Image
from kafkalog.files.replicas import NO_LEADER_EPOCH

if TYPE_CHECKING:
    from kafkalog.carve.candidates import Finder
    from kafkalog.core.legacy import LegacyBatch

__all__ = ["RANGE", "Scanned", "Search", "batch_key", "follows", "is_plausible", "join", "scan"]

#: Bytes that are looked through as one task: batches that begin in it are its own.
RANGE = 256 << 20
#: Bytes that are read at once.
_WINDOW = 8 << 20
#: Bytes in which places are sought at once: they stay in the cache, and what a batch was found to fill is left out.
_AT_ONCE = 1 << 18
#: Bytes that may be checksummed in vain for each byte that is gone over, and before the first.
_PER_BYTE, _AT_FIRST = 64, 64 << 20
#: Messages of magic 0 and 1 that must follow each other: their checksum has 32 bits, and little else is known of them.
_LEAST_MESSAGES = 3
#: Of each window this much is looked at to tell what kind of data it is; and how many different bytes random data have in it.
_SAMPLE, _FLAT = 4096, 240

_OFFSET = BATCH_HEADER["base_offset"]
_CODECS = max(row.id for row in COMPRESSION_TYPES)


class Search(NamedTuple):
    """What is looked for.

    Args:
        max_batch: Bytes of the largest batch.
        legacy: Whether messages of magic 0 and 1 are looked for, too.
        live: What tells the batches that need not be found (`batch_key`).
        block_size: Bytes of a block of the file system: where a border lies in the part of a header that the checksum does not
            cover, what stands before it may be of something else.
        with_numpy: Whether to use it; None: where it is installed.
    """

    max_batch: int = 16 << 20
    legacy: bool = False
    live: frozenset[int] = frozenset()
    block_size: int = 4096
    with_numpy: bool | None = None

    @property
    def finder(self) -> Finder:
        """What finds the places where a batch could begin."""
        return plain_candidates if self.with_numpy is False else best_finder()


def batch_key(base_offset: int, crc: int, size: int) -> int:
    """What tells a batch from others."""
    return hash((base_offset, crc, size))


@dataclass(slots=True)
class Scanned:
    """What is in a range. `over`: where the last batch that begins in it ends."""

    runs: list[Run] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    over: int = 0
    flat_bytes: int = 0
    sampled_bytes: int = 0


def is_plausible(header: BatchHeader, max_batch: int) -> bool:
    """Whether all fields of a header are such as Kafka writes them."""
    return (
        LEAST_BATCH_LENGTH <= header.batch_length <= max_batch - LOG_OVERHEAD
        and header.magic == 2
        and header.base_offset >= 0
        and not header.attributes & ~bits.KNOWN_BITS
        and header.attributes & bits.CODEC_MASK <= _CODECS
        and 0 <= header.records_count <= header.last_offset_delta + 1
        and header.last_offset_delta >= 0
        and header.partition_leader_epoch >= -1
        and header.producer_id >= -1
        and header.producer_epoch >= -1
        and header.base_sequence >= -1
    )


def scan(path: str, number: int, begin: int, end: int, search: Search) -> Scanned:
    """Look through a range.

    Args:
        path: The image.
        number: Its number.
        begin: Where the first batch may begin.
        end: Where the last one may no longer begin.
        search: What is looked for.

    Raises:
        UnreadableFile: it cannot be read.
    """
    with Image(path) as image:
        return _Scan(image, number, search).run(begin, end)


class _Scan:
    def __init__(self, image: Image, number: int, search: Search) -> None:
        self.image = image
        self.number = number
        self.search = search
        self.result = Scanned()
        self.find = search.finder
        self.most = (search.max_batch - LOG_OVERHEAD) >> 24
        self.budget = _AT_FIRST
        self.next = 0
        self.buffer = bytearray(_WINDOW + BATCH_HEADER.size)
        self.view = memoryview(self.buffer)
        self.base = self.held = 0

    def run(self, begin: int, end: int) -> Scanned:
        end = min(end, self.image.size)
        self.next = begin
        for base in range(begin, end, _WINDOW):
            if self.next >= base + _WINDOW and self.next >= end:
                break
            stop = min(base + _WINDOW, end)
            self.base, self.held = base, self.image.fill(self.view[: stop - base + BATCH_HEADER.size], base)
            # What an earlier, fuller window has left behind the end.
            self.view[self.held : self.held + BATCH_HEADER.size] = bytes(
                len(self.view[self.held : self.held + BATCH_HEADER.size])
            )
            self._sample()
            self._window(stop)
        runs = self.result.runs
        if runs and runs[-1].batches == 1 and self._is_doubtful(runs[-1], None):
            runs.pop()
        self.result.over = self.next
        self.result.skipped += (
            Skipped(self.number, start, to, "unreadable") for start, to in sorted(self.image.unreadable.items()) if start < end
        )
        return self.result

    def _sample(self) -> None:
        piece = bytes(self.view[: min(_SAMPLE, self.held)])
        self.result.sampled_bytes += len(piece)
        if len(piece) == _SAMPLE and len(counts := Counter(piece)) >= _FLAT and max(counts.values()) <= _SAMPLE // 64:
            self.result.flat_bytes += len(piece)

    def _window(self, stop: int) -> None:
        end = min(stop - self.base, self.held)
        for first in range(0, end, _AT_ONCE):
            last = min(first + _AT_ONCE, end)
            self.budget += _PER_BYTE * (last - first)
            for at, is_legacy in self._places(max(first, self.next - self.base), last):
                if self.base + at < self.next:
                    continue
                if not (self._legacy_at(at) if is_legacy else self._batch_at(at, end)):
                    self._skip(max(self.base + at, self.next), max(self.base + last, self.next))
                    break

    def _skip(self, begin: int, end: int) -> None:
        skipped = self.result.skipped
        if skipped and skipped[-1].end == begin:
            skipped[-1] = skipped[-1]._replace(end=end)
        else:
            skipped.append(Skipped(self.number, begin, end, "budget"))

    def _places(self, begin: int, end: int) -> list[tuple[int, bool]]:
        if begin >= end:
            return []
        found = [(at, False) for at in self.find(self.buffer, begin, end, self.most)]
        if self.search.legacy:
            piece = bytes(self.view[begin : end + BATCH_HEADER.size])
            found += [(begin + at, True) for at in legacy_candidates(piece) if begin + at < end]
            found.sort()
        return found

    def _batch_at(self, at: int, end: int) -> bool:
        """Take in the batch at a place of the window, and those that follow; whether the budget allows to go on."""
        while at < end:
            header = BATCH_HEADER.read(self.buffer, at)
            if not is_plausible(header, self.search.max_batch):
                return True
            size = header.batch_length + LOG_OVERHEAD
            if self.base + at + size > self.image.size:
                return True
            if size > self.budget:
                return False
            if at + size <= self.held:
                crc = crc32c(self.view[at + ATTRIBUTES_AT : at + size])
            else:
                data = self.image.read(self.base + at + ATTRIBUTES_AT, size - ATTRIBUTES_AT)
                crc = crc32c(data) if len(data) == size - ATTRIBUTES_AT else -1
            if crc != header.crc:
                self.budget -= size
                return True
            self._take(self.base + at, size, header)
            at += size
            self.next = self.base + at
        return True

    def _take(self, position: int, size: int, header: BatchHeader) -> None:
        base_offset = header.base_offset
        is_live = bool(self.search.live) and batch_key(base_offset, header.crc, size) in self.search.live
        run = self.result.runs[-1] if self.result.runs else None
        if run is not None and run.batches == 1 and self._is_doubtful(run, base_offset if run.end == position else None):
            self.result.runs.pop()
            run = None
        if (
            run is None
            or run.end != position
            or run.next_offset > base_offset
            or run.is_live is not is_live
            or run.magic != header.magic
        ):
            run = Run(
                self.number, position, base_offset, header.crc, header.magic, header.partition_leader_epoch, is_live=is_live
            )
            self.result.runs.append(run)
        attributes = header.attributes
        run.end = position + size
        run.next_offset = base_offset + header.last_offset_delta + 1
        run.batches += 1
        run.last_epoch = header.partition_leader_epoch
        run.codecs.add(attributes & bits.CODEC_MASK)
        if not attributes & bits.CONTROL:
            run.records += header.records_count
        if header.producer_id >= 0 and len(run.producers) < MOST_PRODUCERS:
            run.producers.add(header.producer_id)
        last = header.max_timestamp
        if last >= 0:
            first = last if attributes & bits.DELETE_HORIZON else header.base_timestamp
            if run.last_timestamp is None or last > run.last_timestamp:
                run.last_timestamp = last
            if run.first_timestamp is None or 0 <= first < run.first_timestamp:
                run.first_timestamp = max(first, 0)

    def _is_doubtful(self, run: Run, following: int | None) -> bool:
        """Whether the only batch of a run may have got its offset from other bytes, to which the rest of it does not belong.

        That is so where a block begins after the first bytes of the offset, and nothing confirms them.

        Args:
            run: The run.
            following: First offset of the batch after it; None: there is none.
        """
        before = -run.start % self.search.block_size
        if not 0 < before < BATCH_HEADER["batch_length"].end or run.magic != 2:
            return False
        if following is not None:
            return following != run.next_offset
        return before >= _OFFSET.end or any(run.first_offset.to_bytes(_OFFSET.type.size, "big")[:before])

    def _legacy_at(self, at: int) -> bool:
        """Take in the row of messages at a place of the window, if there are enough; whether the budget allows to go on."""
        position = self.base + at
        found: list[Run] = []
        while True:
            message = legacy_message_at(self.image, position, min(self.image.size, position + self.search.max_batch))
            if message is None:
                break
            if not message.crc_ok:
                self.budget -= message.size
                break
            one = _legacy_run(self.number, message, self.search)
            if found and not follows(found[-1], one):
                break
            found.append(one)
            position += message.size
        if len(found) >= _LEAST_MESSAGES:
            for one in found:
                runs = self.result.runs
                if runs and follows(runs[-1], one):
                    join(runs[-1], one)
                else:
                    runs.append(one)
            self.next = position
        return self.budget > 0


def _legacy_run(number: int, message: LegacyBatch, search: Search) -> Run:
    try:
        first = message.base_offset
        records = sum(1 for _ in message.records())
    except (FormatError, LimitExceeded):
        first, records = message.last_offset, 1
    time = message.max_timestamp if message.max_timestamp >= 0 else None
    return Run(
        number,
        message.position,
        first,
        message.header.crc,
        message.magic,
        NO_LEADER_EPOCH,
        end=message.span.end,
        next_offset=message.last_offset + 1,
        batches=1,
        records=records,
        last_epoch=NO_LEADER_EPOCH,
        first_timestamp=time,
        last_timestamp=time,
        codecs={message.compression_id},
        is_live=bool(search.live) and batch_key(first, message.header.crc, message.size) in search.live,
    )


def follows(one: Run, other: Run) -> bool:
    """Whether a run goes on with another one."""
    return (
        one.image == other.image
        and one.end == other.start
        and one.next_offset <= other.first_offset
        and one.is_live == other.is_live
        and (one.magic == 2) == (other.magic == 2)
    )


def join(one: Run, other: Run) -> None:
    """Make one run of two."""
    one.end, one.next_offset, one.last_epoch = other.end, other.next_offset, other.last_epoch
    one.batches += other.batches
    one.records += other.records
    if len(one.producers) < MOST_PRODUCERS:
        one.producers |= other.producers
    one.codecs |= other.codecs
    if other.first_timestamp is not None and (one.first_timestamp is None or other.first_timestamp < one.first_timestamp):
        one.first_timestamp = other.first_timestamp
    if other.last_timestamp is not None and (one.last_timestamp is None or other.last_timestamp > one.last_timestamp):
        one.last_timestamp = other.last_timestamp
