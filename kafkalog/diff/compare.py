"""Two replicas compared batch by batch, and what each would throw away if it followed the other."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.checkpoint import EpochEntry
from kafkalog.diff.values import FirstDifference, Following, OnlyThere, ReplicaDiff
from kafkalog.files.replicas import Difference, placed_batches, side_by_side
from kafkalog.kafka.follower import ReplicaLog, truncation

if TYPE_CHECKING:
    from kafkalog.core.log import Batch
    from kafkalog.core.release import Release
    from kafkalog.diff.replica import Replica
    from kafkalog.files.replicas import PlacedBatch, Step

__all__ = ["Both", "compare"]

#: Rows of batches whose offsets are told one by one.
_MOST_RANGES = 1000


class _Tally:
    """Counts batches."""

    def __init__(self) -> None:
        self.batches = self.records = self.size = self.more_ranges = 0
        self.ranges: list[list[int]] = []
        self.times: list[int] = []
        self._end: int | None = None

    def add(self, base_offset: int, last_offset: int, batch: Batch) -> None:
        self.batches += 1
        self.size += batch.size
        records, times = _records_of(batch)
        self.records += records
        times = [time for time in (*self.times, *times) if time >= 0]
        self.times = [min(times), max(times)] if times else []
        if self._end == base_offset and not self.more_ranges:
            self.ranges[-1][1] = last_offset
        elif self._end != base_offset:
            if len(self.ranges) < _MOST_RANGES:
                self.ranges.append([base_offset, last_offset])
            else:
                self.more_ranges += 1
        self._end = last_offset + 1

    def result(self) -> OnlyThere:
        return OnlyThere(
            self.batches,
            self.records,
            self.size,
            tuple((first, last) for first, last in self.ranges),
            self.more_ranges,
            (self.times[0], self.times[1]) if self.times else None,
        )


def _records_of(batch: Batch) -> tuple[int, list[int]]:
    """Data records of a batch, and timestamps that say when it is from."""
    if isinstance(batch, RecordBatch):
        if batch.is_control:
            return 0, []
        header = batch.header
        base = header.max_timestamp if batch.delete_horizon_ms is not None else header.base_timestamp
        return max(0, header.records_count), [base, header.max_timestamp]
    return sum(not isinstance(item, Damage) for item in batch.walk_records()), [batch.max_timestamp]


class _Log:
    """What is learnt of one of the two logs on the way."""

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.only = _Tally()
        self.damaged: list[int] = []
        self.epochs: list[EpochEntry] = []
        self.after_last = 0

    def take(self, batch: PlacedBatch, *, is_only_here: bool) -> None:
        self.after_last = batch.last_offset + 1
        if batch.epoch >= 0 and (not self.epochs or batch.epoch > self.epochs[-1].epoch):
            self.epochs.append(EpochEntry(batch.epoch, batch.base_offset))
        if is_only_here and batch.batch is not None:
            self.only.add(batch.base_offset, batch.last_offset, batch.batch)

    def whole(self) -> ReplicaLog:
        end = self.replica.log_end_offset(self.after_last)
        epochs = self.replica.epochs(self.epochs, end)
        return ReplicaLog(epochs, self.replica.log_start_offset, end, self.replica.high_watermark)


class Both(NamedTuple):
    """Of which of two replicas it is wanted what it would do as the follower of the other."""

    a_follows: bool
    b_follows: bool


def compare(one: Replica, other: Replica, release: Release | None, follows: Both) -> ReplicaDiff:
    """Compare two replicas.

    Args:
        one: The one.
        other: The other.
        release: The release of Kafka that truncates; None: what the follower's log dir shows.
        follows: Of which of them it is wanted what it would do as a follower.

    Raises:
        UnreadableFile: a segment cannot be read.
    """
    a, b = _Log(one), _Log(other)
    compared_from = max(one.log_start_offset, other.log_start_offset)
    counts: Counter[str] = Counter()
    first: FirstDifference | None = None
    for step in side_by_side(placed_batches(one.partition, a.damaged), placed_batches(other.partition, b.damaged)):
        is_only_here = step.difference not in (None, Difference.EPOCH)
        if step.difference is not None and not _explained(step, one, other, compared_from):
            counts[step.difference.value] += 1
            first = first or _described(step, step.difference, compared_from)
        if step.takes_left and step.left is not None:
            a.take(step.left, is_only_here=is_only_here)
        if step.takes_right and step.right is not None:
            b.take(step.right, is_only_here=is_only_here)
    log_a, log_b = a.whole(), b.whole()
    common_end = min(log_a.log_end_offset, log_b.log_end_offset) if first is None else first.offset
    return ReplicaDiff(
        a=one.path,
        b=other.path,
        sides=(one.side, other.side),
        topic=one.partition.topic,
        partition=one.partition.number,
        topic_id_equal=None if None in (one.topic_id, other.topic_id) else one.topic_id == other.topic_id,
        relation=_relation(first, log_a, log_b),
        compared_from=compared_from,
        same_through_offset=common_end - 1 if common_end > compared_from else None,
        first_difference=first,
        differences=dict(counts),
        a_only=a.only.result(),
        b_only=b.only.result(),
        log_start=(log_a.log_start_offset, log_b.log_start_offset),
        log_end=(log_a.log_end_offset, log_b.log_end_offset),
        high_watermark=(log_a.high_watermark, log_b.high_watermark),
        epochs_a=tuple(log_a.epochs.entries),
        epochs_b=tuple(log_b.epochs.entries),
        damaged_bytes=(sum(a.damaged), sum(b.damaged)),
        if_a_follows_b=_following(one, log_a, log_b, release) if follows.a_follows else None,
        if_b_follows_a=_following(other, log_b, log_a, release) if follows.b_follows else None,
    )


def _explained(step: Step, one: Replica, other: Replica, compared_from: int) -> bool:
    """Whether a batch that only one has is no contradiction: the other begins later, or ends before it."""
    batch, lacking, beyond = (step.left, other, step.right) if step.takes_left else (step.right, one, step.left)
    if batch is None or batch.last_offset < compared_from:
        return True
    return step.difference is Difference.MISSING and beyond is None and batch.base_offset >= lacking.log_end_offset(0)


def _described(step: Step, kind: Difference, compared_from: int) -> FirstDifference:
    """The first difference; of what is missing only the one batch that is there."""
    left, right = step.left, step.right
    if kind in (Difference.MISSING, Difference.ORDER) and not (step.takes_left and step.takes_right):
        left, right = (left, None) if step.takes_left else (None, right)
    both = [batch for batch in (left, right) if batch is not None]
    return FirstDifference(
        max(compared_from, min(batch.base_offset for batch in both)),
        kind.value,
        (None if left is None else left.epoch, None if right is None else right.epoch),
        (_place(left), _place(right)),
    )


def _place(batch: PlacedBatch | None) -> tuple[str, int] | None:
    return None if batch is None else (batch.path, batch.position)


def _relation(first: FirstDifference | None, a: ReplicaLog, b: ReplicaLog) -> str:
    if first is not None:
        return "diverge"
    if a.log_end_offset == b.log_end_offset:
        return "equal"
    return "a-is-prefix" if a.log_end_offset < b.log_end_offset else "b-is-prefix"


def _following(replica: Replica, follower: ReplicaLog, leader: ReplicaLog, release: Release | None) -> Following:
    """What a replica would do as a follower, and what that costs."""
    release = release or replica.release
    cut = truncation(follower, leader, release)
    lost: OnlyThere | None = OnlyThere()
    if cut.offset is None:
        lost = None
    elif cut.starts_over or cut.offset < follower.log_end_offset:
        lost = _from(replica, 0 if cut.starts_over else cut.offset)
    return Following(
        cut.offset,
        None if lost is None else lost.records,
        None if lost is None else lost.size,
        cut.steps,
        cut.by_high_watermark,
        cut.starts_over,
        cut.why,
        release,
    )


def _from(replica: Replica, offset: int) -> OnlyThere:
    """The batches that go when the log is cut at an offset: those that end at it or later."""
    tally = _Tally()
    segments = [segment for segment in replica.partition.segments if ".log" in segment.paths]
    ends = [segment.base_offset for segment in segments[1:]]
    for number, segment in enumerate(segments):
        if number < len(ends) and ends[number] <= offset:
            continue
        for batch in segment.batches():
            if batch.last_offset >= offset:
                tally.add(batch.last_offset, batch.last_offset, batch)
    return tally.result()
