"""What rules look at: frozen views that already hold the neighbours a rule needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage as _Damage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkalog.core.batch import Damage, RecordBatch
    from kafkalog.core.control import ControlRecord
    from kafkalog.core.legacy import LegacyBatch, LegacyRecord
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record
    from kafkalog.core.span import Padding, Span
    from kafkalog.errors import FormatError

__all__ = [
    "BatchSpot",
    "BatchStep",
    "ControlRecords",
    "FileChange",
    "IndexEnd",
    "IndexStep",
    "LegacyRecords",
    "MetadataRecord",
    "OddTimes",
    "Records",
    "SegmentTimes",
    "StaleEntries",
    "Tail",
    "TimeIndexEnd",
    "TimeIndexStep",
    "ZeroProducers",
]


class BatchSpot(NamedTuple):
    """Where a batch stands and which offsets it covers; `epoch` is -1 when it has none."""

    position: int
    end: int
    base_offset: int
    last_offset: int
    epoch: int
    max_timestamp: int


@dataclass(frozen=True, slots=True)
class BatchStep:
    """A batch after its predecessor in the segment (None: it is the first, or damage stands between).

    `expected` is the offset that follows the predecessor's, -1 when there is none. `top_epoch` is the batch with the
    largest leader epoch before it. `kraft`: a batch of the metadata log or of one of its snapshots, whose epoch is then
    `snapshot_epoch`. `crc_ok` is its own checksum; a batch with a wrong one proves nothing by its other fields.
    """

    path: str
    batch: Batch
    spot: BatchSpot
    previous: BatchSpot | None
    expected: int
    segment_base: int
    top_epoch: BatchSpot | None
    kraft: bool
    snapshot_epoch: int | None
    crc_ok: bool
    first: bool


class Disorder(NamedTuple):
    """The first record, by number, whose offset delta does not fit after that of the record before it."""

    number: int
    before: int
    delta: int


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a magic 2 batch, decoded as far as they go.

    `read` is how many can be read, `last_delta` the offset delta of the last of them (-1: none), `problem` what ended the
    decoding early, `trailing` that everything Kafka reads was whole and only bytes after the codec's end are odd.
    """

    path: str
    batch: RecordBatch
    read: int
    last_delta: int
    disorder: Disorder | None
    max_timestamp: int | None
    null_keys: int
    first_null_key: int | None
    problem: Damage | None
    trailing: bool
    compacted: bool


@dataclass(frozen=True, slots=True)
class ControlRecords:
    """The records of a control batch: each with its decoded content, or the error that decoding gave."""

    path: str
    batch: RecordBatch
    records: tuple[tuple[Record, ControlRecord | FormatError], ...]
    problem: Damage | None
    kraft: bool


@dataclass(frozen=True, slots=True)
class MetadataRecord:
    """A record of the metadata log that does not decode; `newer`: its type or version may be one of a later release."""

    path: str
    batch: RecordBatch
    offset: int
    name: str
    problem: str
    newer: bool


@dataclass(frozen=True, slots=True)
class LegacyRecords:
    """The messages of magic 0 or 1 that one shallow message holds, and what ended the decoding early.

    `held` are the messages, None when there are too many to be held; `first_offset` is -1 without any.
    """

    path: str
    batch: LegacyBatch
    held: tuple[LegacyRecord, ...] | None
    count: int
    first_offset: int
    problem: Damage | None

    @property
    def messages(self) -> Iterator[LegacyRecord]:
        """The messages that can be read; those that are not held are read again."""
        if self.held is not None:
            yield from self.held
            return
        for item in self.batch.walk_records():
            if not isinstance(item, _Damage):
                yield item


@dataclass(frozen=True, slots=True)
class Tail:
    """Bytes of a `.log` that are no batch: damage in the middle, or what stands behind the last batch.

    `at_end` tells which. `active` is the segment of the highest base, `clean` whether the broker was stopped cleanly
    (None: not known). `next` is the batch that reading went on with.
    """

    path: str
    item: Damage | Padding
    at_end: bool
    active: bool
    clean: bool | None
    previous: BatchSpot | None
    next: BatchSpot | None
    head: bytes
    size: int


@dataclass(frozen=True, slots=True)
class IndexStep:
    """An entry of a `.index` that does not fit the log or the entry before it.

    `batch` is the batch that begins at the entry's position (position, first and last offset), None when none does;
    `inside` where the batch around that position begins and ends.
    `previous_*` are those of the last entry that fitted. `back`: the entry was found wrong by a later one. `overtaken` is the
    next entry (offset and position) if this one stands out between its neighbours.
    """

    path: str
    log_path: str
    number: int
    offset: int
    position: int
    previous_offset: int
    previous_position: int
    batch: tuple[int, int, int] | None
    inside: tuple[int, int] | None
    log_size: int
    back: bool
    overtaken: tuple[int, int] | None
    segment_base: int
    active: bool
    clean: bool | None


class Hole(NamedTuple):
    """Entries of zeros before others: the first such run, entries `number` to `end` - 1, and how many there are in all.

    `page`: a whole page of the file, 4 KiB, is zeros there.
    """

    number: int
    end: int
    zeros: int
    page: bool


@dataclass(frozen=True, slots=True)
class IndexEnd:
    """A `.index` or `.timeindex` as a whole, after all of its entries have been seen.

    `others` counts entries that are the last offset of an append of several batches or the first offset of one.
    `log_is_sound`: nothing is wrong with the segment's `.log`.
    """

    path: str
    log_path: str
    kind: str
    size: int
    entry_size: int
    entries: int
    padding: Padding | None
    leftover: Span | None
    hole: Hole | None
    active: bool
    clean: bool | None
    mark: str
    sibling_size: int | None
    sibling_padded: bool
    others: int
    first_other: int | None
    log_is_sound: bool


@dataclass(frozen=True, slots=True)
class StaleEntries:
    """Entries of a preallocated `.index` or `.timeindex` that counted before a truncation: those from `number` on."""

    path: str
    log_path: str
    number: int
    entries: int
    entry_size: int


@dataclass(frozen=True, slots=True)
class TimeIndexStep:
    """An entry of a `.timeindex` that does not fit the log or the entry before it.

    `batch` is the batch that contains the entry's offset; `max_before` the largest timestamp of the batches before it.
    `overtaken` is the next entry (timestamp and offset) if this one stands out between its neighbours.
    """

    path: str
    log_path: str
    number: int
    timestamp: int
    offset: int
    previous_timestamp: int
    previous_offset: int
    batch: BatchSpot | None
    max_before: int
    max_position: int
    max_offset: int
    last_offset: int
    overtaken: tuple[int, int] | None
    segment_base: int
    active: bool
    clean: bool | None


@dataclass(frozen=True, slots=True)
class TimeIndexEnd:
    """The end of a `.timeindex`: its last entry against the largest timestamp of the segment."""

    path: str
    log_path: str
    entries: int
    size: int
    last_timestamp: int | None
    max_timestamp: int
    max_timestamp_with_records: int
    max_position: int
    max_offset: int
    active: bool
    clean: bool | None
    all_emptied: bool


class OddTimes(NamedTuple):
    """Batches or records whose timestamps are odd for the same cause: how many, and the one that stands for them."""

    number: int
    spot: BatchSpot
    offset: int
    timestamp: int


@dataclass(frozen=True, slots=True)
class SegmentTimes:
    """The timestamps of a segment that are out of the ordinary, against the given clock.

    Batches by their maxTimestamp: `future` with the largest, `ancient` and `missing` with the first of each cause. `records`
    are those from before Kafka in other batches. The keys are the causes.
    """

    path: str
    now: int
    future: Mapping[str, OddTimes]
    ancient: Mapping[str, OddTimes]
    missing: Mapping[str, OddTimes]
    records: Mapping[str, OddTimes]


@dataclass(frozen=True, slots=True)
class ZeroProducers:
    """The batches of a segment that have no producer id, and epoch 0 and sequence 0; the first one's place and offsets."""

    path: str
    count: int
    span: Span
    offsets: tuple[int, int]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A `.log` that changed while it was read; sizes in bytes, equal when it was written to in place."""

    path: str
    size_before: int
    size_now: int
    active: bool
