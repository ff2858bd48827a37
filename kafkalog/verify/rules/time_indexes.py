"""Rules about `.timeindex`: each entry says that everything up to an offset is at most so old."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import REBUILD
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import IndexEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.rules.shared import BatchSpot


class TimeIndexStep(NamedTuple):
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


class TimeIndexEnd(NamedTuple):
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


def _span(step: TimeIndexStep) -> Span:
    return TIME_INDEX_ENTRY.span_of_entries(step.number)


def _ordered(step: TimeIndexStep) -> bool:
    return (
        step.overtaken is None
        and step.timestamp >= 0
        and step.offset >= max(step.segment_base, step.previous_offset)
        and step.timestamp > step.previous_timestamp
    )


@rule(
    "timeindex-not-monotonic",
    Severity.ERROR,
    on=TimeIndexStep,
    message="entry {number} (timestamp {timestamp}, offset {offset}) {place} timestamp {other_timestamp}, "
    "offset {other_offset}",
    consequence="Look-ups by time go astray; Kafka before 2.3 rebuilds the file at the next start.",
    remedy=REBUILD,
    source="TimeIndex.maybeAppend, TimeIndex.sanityCheck (Kafka 3.9.1)",
    proof="timeindex-swapped",
    near_miss="timeindex-entry-of-the-same-offset",
    invariants="F2 F3",
)
def timeindex_not_monotonic(step: TimeIndexStep) -> Iterator[Hit]:
    """Timestamps must grow from entry to entry, offsets must not fall, and neither may be negative."""
    if step.batch is None and not _ordered(step):
        before = step.previous_timestamp, max(step.previous_offset, step.segment_base)
        other_timestamp, other_offset = step.overtaken or before
        yield Hit(
            _span(step),
            (step.offset, step.offset) if step.offset >= 0 else None,
            number=step.number,
            timestamp=step.timestamp,
            offset=step.offset,
            place="comes after" if step.overtaken is None else "comes before",
            other_timestamp=other_timestamp,
            other_offset=other_offset,
        )


@rule(
    "timeindex-offset-not-in-log",
    Severity.ERROR,
    on=TimeIndexStep,
    message="entry {number} (timestamp {timestamp}) names offset {offset}, which no batch of {file} holds",
    consequence="Look-ups by time start after the records that are wanted.",
    remedy=REBUILD,
    source="TimeIndex.lookup (Kafka 3.9.1)",
    proof="timeindex-past-end",
    near_miss="timeindex-entry-of-the-last-batch",
    invariants="F4",
)
def timeindex_offset_not_in_log(step: TimeIndexStep) -> Iterator[Hit]:
    """The offset of an entry is after the end of the segment, or in a hole of the log."""
    if step.batch is None and _ordered(step):
        yield Hit(
            _span(step),
            (step.offset, step.offset),
            number=step.number,
            timestamp=step.timestamp,
            offset=step.offset,
            file=step.log_path,
        )


@rule(
    "timeindex-timestamp-mismatch",
    Severity.WARNING,
    on=TimeIndexStep,
    message="entry {number} says {timestamp} for offset {offset}; the batch of offsets {first} to {last} "
    "in {file} has {actual}",
    consequence="Look-ups by time around {actual} find a wrong offset.",
    remedy=REBUILD,
    source="TimeIndex (Kafka 3.9.1), KAFKA-16310, KAFKA-19407",
    proof="timeindex-timestamp",
    near_miss="timeindex-entry-of-a-first-offset",
    invariants="F5",
)
def timeindex_timestamp_mismatch(step: TimeIndexStep) -> Iterator[Hit]:
    """The batch that holds the entry's offset has another maxTimestamp.

    Which offset of the batch the entry names differs between releases, and does not matter.
    """
    batch = step.batch
    if batch is not None and batch.max_timestamp != step.timestamp:
        yield Hit(
            _span(step),
            (step.offset, step.offset),
            number=step.number,
            timestamp=step.timestamp,
            offset=step.offset,
            first=batch.base_offset,
            last=batch.last_offset,
            actual=batch.max_timestamp,
            file=step.log_path,
        )


@rule(
    "timeindex-not-running-max",
    Severity.WARNING,
    on=TimeIndexStep,
    message="entry {number} says {timestamp} at offset {offset}, but {file} reached {largest} before, at offset {earlier}",
    consequence="Look-ups by time for {largest} and below miss records.",
    remedy=REBUILD,
    source="TimeIndex.maybeAppend (Kafka 3.9.1), KAFKA-19407",
    proof="timeindex-not-max",
    near_miss="batch-before-one-millisecond-younger",
    invariants="F7",
)
def timeindex_not_running_max(step: TimeIndexStep) -> Iterator[Hit]:
    """A batch before that of the entry already has a timestamp as large."""
    batch = step.batch
    if batch is not None and batch.max_timestamp == step.timestamp and step.max_before >= step.timestamp:
        yield Hit(
            _span(step),
            (step.offset, step.offset),
            number=step.number,
            timestamp=step.timestamp,
            offset=step.offset,
            largest=step.max_before,
            earlier=step.max_offset,
            file=step.log_path,
        )


@rule(
    "timeindex-last-entry",
    Severity.WARNING,
    on=TimeIndexEnd,
    message="the last entry says {timestamp}, the largest timestamp of {file} is {largest} (batch at byte {position})",
    consequence="Look-ups by time miss the records after it; retention uses {timestamp} for the segment.",
    remedy=REBUILD,
    source="LogSegment.onBecomeInactiveSegment (Kafka 3.9.1)",
    proof="timeindex-last-lost",
    near_miss="timeindex-of-a-crash",
    invariants="F8 F9",
)
def timeindex_last_entry(end: TimeIndexEnd) -> Iterator[Hit]:
    """A closed segment's last entry holds its largest timestamp: one is forced at the roll and at a clean stop.

    In the active segment of a running or crashed broker the entry may be older than the log. Since 4.4 that is so in the
    metadata log after a clean stop too: only the LogManager's shutdown forces the entry and trims the indexes, and that log
    is not one of its logs.
    """
    if end.last_timestamp is None or end.max_timestamp < 0 or (end.active and not end.clean):
        return
    if end.last_timestamp not in (end.max_timestamp, end.max_timestamp_with_records):
        yield Hit(
            TIME_INDEX_ENTRY.span_of_entries(end.entries - 1),
            (end.max_offset, end.max_offset),
            timestamp=end.last_timestamp,
            largest=end.max_timestamp,
            position=end.max_position,
            file=end.log_path,
        )


@rule(
    "timeindex-empty",
    Severity.WARNING,
    on=TimeIndexEnd,
    message="no entries, but the segment has timestamps up to {largest}",
    consequence="Look-ups by time skip the segment's records (the largest is at offset {offset}); the broker never fills it.",
    remedy=REBUILD,
    source="LogSegment.onBecomeInactiveSegment (Kafka 3.9.1)",
    proof="timeindex-emptied",
    near_miss="timeindex-emptied-by-a-crash",
    invariants="F13",
)
def timeindex_empty(end: TimeIndexEnd) -> Iterator[Hit]:
    """A closed segment with timestamps has a `.timeindex` without an entry.

    Silent when compaction left nothing but empty batches, for logs of magic 0, and for the last segment of the metadata log
    while its indexes are preallocated: since 4.4 a clean stop does not close it as it does the others.
    """
    if end.last_timestamp is None and end.max_timestamp >= 0 and not end.all_emptied and not (end.active and not end.clean):
        yield Hit(Span(0, end.size), (end.max_offset, end.max_offset), largest=end.max_timestamp, offset=end.max_offset)


@rule(
    "timeindex-legacy-offset",
    Severity.INFO,
    on=IndexEnd,
    message="entries that name a record in the middle of a batch: {count} of {entries}, the first is number {number}",
    consequence="None: leaders up to 3.6 write the offset of the record that has the timestamp. Kafka's own dump tool reports "
    "such entries as not found.",
    remedy="Nothing to do. Do not delete the index.",
    source="LogValidator (Kafka 0.10.1 to 3.6), KAFKA-16310",
    proof="record-level-timeindex",
    near_miss="batch-level-timeindex",
    invariants="F6",
)
def timeindex_legacy_offset(end: IndexEnd) -> Iterator[Hit]:
    """Entries name an offset that is not the last of its batch."""
    if end.kind == "timeindex" and end.others and end.first_other is not None:
        span = TIME_INDEX_ENTRY.span_of_entries(end.first_other, end.entries)
        yield Hit(span, None, count=end.others, entries=end.entries, number=end.first_other)
