"""Rules about a batch and the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.dates import date_text
from kafkalog.core.legacy import LegacyBatch
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import BatchStep, MissingOffsets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkalog.verify.rules.shared import BatchSpot


class OddTimes(NamedTuple):
    """Batches or records whose timestamps are odd for the same cause: how many, and the one that stands for them."""

    number: int
    spot: BatchSpot
    offset: int
    timestamp: int


class SegmentTimes(NamedTuple):
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


class OverwrittenBatch(NamedTuple):
    """A batch where the one of offsets `first` to `last` belongs: a copy of the batch that rightly has its offset, `stored`.

    `span` is its place in the log at `path`; its `original` is at `original_position` of a log of the same partition.
    """

    path: str
    span: Span
    first: int
    last: int
    stored: int
    original: str
    original_position: int


_MOST_RELATIVE = 0x7FFFFFFF


@rule(
    "batch-base-offset-wrong",
    Severity.ERROR,
    on=BatchStep,
    message="the base offset of the batch at byte {position} is {stored}; by its neighbours it is {offset}: {difference}",
    consequence="Consumers get the records of offsets {offset} to {last} under other offsets, or skip records. A recovery "
    "that comes here ends the log, or fails.",
    remedy="No record of this batch is damaged: only the field is, which the checksum does not cover. " + RESTORE,
    source="DefaultRecordBatch.ensureValid, LogSegment.recover (Kafka 3.9.1)",
    proof="base-flipped",
    near_miss="batch-removed",
    invariants="C1 C3",
)
def batch_base_offset_wrong(step: BatchStep) -> Iterator[Hit]:
    """A sound batch has a base offset that does not fit between its neighbours, and they leave room for one other.

    The checksum does not cover the field. The batch fills with the other offset exactly what is free between the batch before
    and the one after, or, in a log with holes, only one flipped bit brings it there. Everything else about the batch is
    judged by the offset that it had.
    """
    if step.stored_base is not None:
        # What is stored of a wrapper of magic 0 or 1 is the offset of its last message.
        delta = step.spot.last_offset - step.spot.base_offset if isinstance(step.batch, LegacyBatch) else 0
        bits = ((step.stored_base + delta) ^ (step.spot.base_offset + delta)).bit_count()
        yield Hit(
            BATCH_HEADER.span_of("base_offset", step.spot.position),
            (step.spot.base_offset, step.spot.last_offset),
            position=step.spot.position,
            stored=step.stored_base,
            offset=step.spot.base_offset,
            last=step.spot.last_offset,
            difference="one bit is flipped" if bits == 1 else f"{bits} bits differ",
        )


@rule(
    "batch-overwritten",
    Severity.ERROR,
    on=OverwrittenBatch,
    message="the batch of offsets {first} to {last}, at byte {position}, was overwritten with a copy of that of offset "
    "{stored}, at byte {original_position} of {original}",
    consequence="This replica has lost offsets {first} to {last}. Consumers get the records of offset {stored} twice, or skip "
    "the copy. A recovery that comes here ends the log, or fails.",
    remedy=RESTORE,
    source="DefaultRecordBatch.ensureValid, LogSegment.recover (Kafka 3.9.1)",
    proof="batch-written-over-another",
    near_miss="base-flipped",
    loses="gone",
    invariants="C1 C3",
)
def batch_overwritten(batch: OverwrittenBatch) -> Iterator[Hit]:
    """A copy of another batch of the log stands where a batch belongs.

    A write that went to the wrong place leaves that. The copy is sound, and by its neighbours its base offset is wrong; but
    the batch is in the log once more, with the same bytes, where the offset is right.
    """
    yield Hit(
        batch.span,
        (batch.first, batch.last),
        first=batch.first,
        last=batch.last,
        position=batch.span.start,
        stored=batch.stored,
        original=batch.original,
        original_position=batch.original_position,
    )


@rule(
    "batch-before-segment",
    Severity.ERROR,
    on=BatchStep,
    message="baseOffset {offset} is below the segment's base offset {base}",
    consequence="A broker that recovers the segment does not start: the offset has no place in the index.",
    remedy=RESTORE,
    source="LogSegment.recover, OffsetIndex.append (Kafka 3.9.1)",
    proof="base-below-segment",
    near_miss="base-at-the-segments",
    loses="unreadable",
    invariants="C1",
)
def batch_before_segment(step: BatchStep) -> Iterator[Hit]:
    """The offset of a batch is smaller than the one in the file's name."""
    if step.crc_ok and 0 <= step.spot.base_offset < step.segment_base and step.snapshot_epoch is None:
        yield Hit(
            BATCH_HEADER.span_of("base_offset", step.spot.position),
            None,
            offset=step.spot.base_offset,
            base=step.segment_base,
            offsets_unknown="its base offset does not fit, and nothing proves which one it had",
        )


@rule(
    "segment-offset-overflow",
    Severity.ERROR,
    on=BatchStep,
    message="last offset {offset} is {distance} above the segment's base offset {base}; an index can hold 2147483647",
    consequence="Kafka 2.0 and later splits the segment at the next start if it is the last batch, and does not start if not.",
    remedy="Segments of releases before 2.0 may be so: then let the broker split it. " + RESTORE,
    source="LogSegment.hasOverflow, LogLoader.retryOnOffsetOverflow (Kafka 3.9.1), KAFKA-6264",
    proof="base-overflow",
    near_miss="last-offset-that-an-index-can-hold",
    invariants="C5",
)
def segment_offset_overflow(step: BatchStep) -> Iterator[Hit]:
    """A batch lies more than 2^31-1 offsets above the base offset of its segment."""
    distance = step.spot.last_offset - step.segment_base
    if step.crc_ok and distance > _MOST_RELATIVE and step.snapshot_epoch is None:
        yield Hit(
            BATCH_HEADER.span_of("base_offset", step.spot.position),
            (step.spot.base_offset, step.spot.last_offset),
            offset=step.spot.last_offset,
            distance=distance,
            base=step.segment_base,
        )


@rule(
    "offset-not-monotonic",
    Severity.ERROR,
    on=BatchStep,
    message="offset {offset} after {before}: {what} (leader epochs {epoch_before} and {epoch})",
    consequence="Consumers skip or repeat records, some loop for ever; a recovery can empty the whole segment.",
    remedy=RESTORE,
    source="LogSegment.recover, OffsetIndex.append (Kafka 3.9.1), KAFKA-3919",
    proof="batches-swapped",
    near_miss="batch-removed",
    loses="unreadable",
    invariants="C3",
)
def offset_not_monotonic(step: BatchStep) -> Iterator[Hit]:
    """A batch does not follow the one before it: its offsets are lower, or some are there twice.

    Consumers that have passed the batch before do not get it. Nothing is unreadable where both have the same offsets.
    """
    previous, spot = step.previous, step.spot
    if not step.crc_ok or previous is None or spot.base_offset > previous.last_offset or spot.base_offset < 0:
        return
    is_twice = spot.base_offset == previous.base_offset and spot.last_offset == previous.last_offset
    if is_twice:
        what = "the same offsets twice"
    elif spot.last_offset < previous.base_offset:
        what = "offsets go backwards"
    else:
        what = "the ranges overlap"
    yield Hit(
        Span(previous.position, spot.end),
        None if is_twice else (spot.base_offset, spot.last_offset),
        offset=spot.base_offset,
        before=previous.last_offset,
        what=what,
        epoch_before=previous.epoch,
        epoch=spot.epoch,
    )


@rule(
    "offset-gap",
    Severity.ERROR,
    on=MissingOffsets,
    message="offsets {first} to {last} are missing",
    consequence="{count} offsets hold no record, and no log cleaner has been here that could have removed them: they are lost "
    "on this replica.",
    if_cleaned="{count} offsets hold no record. The log cleaner may have removed them; if it never ran here, they are lost.",
    remedy=RESTORE,
    source="UnifiedLog.append (Kafka 3.9.1); KIP-101 for holes in logs of magic 0 and 1",
    proof="batch-removed",
    near_miss="compacted-gap",
    history=True,
    loses="gone",
    invariants="C4",
)
def offset_gap(hole: MissingOffsets) -> Iterator[Hit]:
    """Offsets are missing between two batches of a segment.

    Leaders give out offsets without a gap; only compaction takes records away from the middle. In a log of magic 0 or 1 a
    hole whose left edge is the end of a wrapper may be the trace of an unclean election before leader epochs existed
    (KIP-101): a follower cut a whole wrapper away and went on fetching in its middle.
    """
    first, last = hole.first, hole.last
    yield Hit(hole.span, (first, last), first=first, last=last, count=last - first + 1)


def hole_before(step: BatchStep) -> MissingOffsets | None:
    """The hole before a batch; None: there is none, or it proves nothing."""
    spot = step.spot
    if step.crc_ok and step.previous is not None and 0 <= step.expected < spot.base_offset and _is_confined(step):
        return MissingOffsets(step.path, Span(step.previous.position, spot.end), step.expected, spot.base_offset - 1)
    return None


def _is_confined(step: BatchStep) -> bool:
    """Whether a batch after a hole has offsets that it can have: a hole before one that has not is no loss."""
    is_low = step.limit is None or step.spot.last_offset < step.limit
    return is_low and step.spot.last_offset - step.segment_base <= _MOST_RELATIVE


@rule(
    "segment-start-gap",
    Severity.ERROR,
    on=BatchStep,
    message="the first batch has offset {offset}, the file is named {base}",
    consequence="Offsets {base} to {last} hold no record, and no log cleaner has been here that could have removed them: they "
    "are lost on this replica, or the file has a wrong name.",
    if_cleaned="Offsets {base} to {last} hold no record. The log cleaner may have removed them; if it never ran here, they are "
    "lost, or the file has a wrong name.",
    remedy=RESTORE,
    source="UnifiedLog.roll (Kafka 3.9.1)",
    proof="first-batch-removed",
    near_miss="compacted-gap",
    history=True,
    loses="gone",
    invariants="C2",
)
def segment_start_gap(step: BatchStep) -> Iterator[Hit]:
    """The first batch of a segment does not have the offset that the file is named after."""
    if not (step.crc_ok and step.first and step.spot.base_offset > step.segment_base and _is_confined(step)):
        return
    if step.snapshot_epoch is None:
        yield Hit(
            Span(step.spot.position, step.spot.end),
            (step.segment_base, step.spot.base_offset - 1),
            offset=step.spot.base_offset,
            base=step.segment_base,
            last=step.spot.base_offset - 1,
        )


@rule(
    "epoch-decreases",
    Severity.WARNING,
    on=BatchStep,
    message="leader epoch {epoch} after {before} at offset {offset_before}",
    consequence="The epoch of a log never goes down. Followers that ask for the end of epoch {epoch} get a wrong answer, and "
    "truncate at a wrong place around offset {offset}.",
    remedy=f"The checksum does not cover the field. {COMPARE}",
    source="LeaderEpochFileCache.assign (Kafka 3.9.1), KAFKA-18723",
    proof="epoch-lower",
    near_miss="epoch-rises-in-the-last-segment",
    invariants="C8",
)
def epoch_decreases(step: BatchStep) -> Iterator[Hit]:
    """A batch was appended by an older leader than a batch before it.

    Reported at the first of the batches in a row that have the epoch.
    """
    spot, top, previous = step.spot, step.top_epoch, step.previous
    falls = previous is None or previous.epoch != spot.epoch
    if step.crc_ok and falls and top is not None and 0 <= spot.epoch < top.epoch:
        yield Hit(
            Span(_epoch_span(top).start, _epoch_span(spot).end),
            (top.base_offset, spot.last_offset),
            epoch=spot.epoch,
            before=top.epoch,
            offset_before=top.base_offset,
            offset=spot.base_offset,
        )


def _epoch_span(spot: BatchSpot) -> Span:
    return BATCH_HEADER.span_of("partition_leader_epoch", spot.position)


def _odd(found: Mapping[str, OddTimes]) -> Iterator[Hit]:
    """A hit for each cause, at the first batch or record of it."""
    for cause, times in found.items():
        yield Hit(
            Span(times.spot.position, times.spot.end),
            (times.spot.base_offset, times.spot.last_offset),
            count=times.number,
            offset=times.offset,
            timestamp=times.timestamp,
            date=date_text(times.timestamp),
            cause=cause,
        )


@rule(
    "timestamp-future",
    Severity.INFO,
    on=SegmentTimes,
    message="{count} batches are dated after now; the largest timestamp is {largest}, {date}, in the batch that ends at offset "
    "{offset}: {cause}",
    consequence="Time-based retention keeps the segment until retention.ms after {date}, and every segment after it.",
    remedy="Delete by offset (kafka-delete-records.sh) or by size, and correct the producer; see "
    "message.timestamp.after.max.ms.",
    source="UnifiedLog.deleteRetentionMsBreachedSegments (Kafka 3.9.1), KIP-937",
    proof="odd-times",
    near_miss="dated-a-day-from-now",
    invariants="C10",
)
def timestamp_future(segment: SegmentTimes) -> Iterator[Hit]:
    """Batches carry timestamps more than a day after the given clock (`--now`)."""
    for cause, times in segment.future.items():
        yield Hit(
            BATCH_HEADER.span(times.spot.position),
            (times.offset, times.offset),
            count=times.number,
            largest=times.timestamp,
            date=date_text(times.timestamp),
            offset=times.offset,
            cause=cause,
        )


@rule(
    "timestamp-ancient",
    Severity.INFO,
    on=SegmentTimes,
    message="{count} batches are dated before 2011, the first at offset {offset} with {timestamp}, {date}: {cause}",
    consequence="Time-based retention takes them for older than Kafka: the segment can be deleted at once, with younger "
    "records in it.",
    remedy="Correct the producer.",
    source="UnifiedLog.deleteRetentionMsBreachedSegments (Kafka 3.9.1), KIP-937",
    proof="seconds-for-milliseconds",
    near_miss="dated-2011",
    invariants="C10",
)
def timestamp_ancient(segment: SegmentTimes) -> Iterator[Hit]:
    """Batches carry timestamps from before Kafka's first release."""
    yield from _odd(segment.ancient)


@rule(
    "timestamp-ancient-among-others",
    Severity.INFO,
    on=SegmentTimes,
    message="{count} records are dated before 2011 in batches whose maxTimestamp is later, the first at offset {offset} with "
    "{timestamp}, {date}: {cause}",
    consequence="Look-ups by time and retention go by maxTimestamp: only who reads the records' own times meets these.",
    remedy="Correct the producer.",
    source="LogValidator.validateTimestamp (Kafka 3.9.1), KIP-937",
    proof="one-record-of-go",
    near_miss="one-record-of-2011",
    invariants="C10",
)
def timestamp_ancient_among_others(segment: SegmentTimes) -> Iterator[Hit]:
    """Records have no timestamp, or one from before Kafka's first release, beside records of the same batch that have one."""
    yield from _odd(segment.records)


@rule(
    "timestamp-missing",
    Severity.INFO,
    on=SegmentTimes,
    message="{count} batches have no timestamp, or one before 1970: the first at offset {offset} with {timestamp} ({cause})",
    consequence="They are found by no look-up by time; a segment of such batches alone is deleted by its file's age.",
    remedy="Nothing to do if the producer means it.",
    source="LogSegment.largestTimestamp (Kafka 3.9.1)",
    proof="odd-times",
    near_miss="dated-1970",
    invariants="C10",
)
def timestamp_missing(segment: SegmentTimes) -> Iterator[Hit]:
    """Batches carry the timestamp -1, or another negative one: brokers then store maxTimestamp -1, whatever the records say."""
    for hit in _odd(segment.missing):
        del hit.facts["date"]
        yield hit
