"""Comparing replicas of a partition, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.errors import FormatError, LimitExceeded, UnreadableFile
from kafkalog.files.partition import Partition
from kafkalog.span import Span
from kafkalog.verify.rules.replicas import Divergence, ReplicaPair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.partition import Partition

__all__ = ["compare_replicas"]


class _Mark(NamedTuple):
    """What must be equal in two replicas, and where it stands."""

    base_offset: int
    last_offset: int
    epoch: int
    crc: int
    size: int
    path: str
    position: int


def _marks(partition: Partition) -> Iterator[_Mark]:
    for segment in partition.segments:
        for batch in segment.batches():
            if isinstance(batch, RecordBatch):
                base, epoch = batch.base_offset, batch.header.partition_leader_epoch
            else:
                epoch = -1
                try:
                    base = batch.base_offset
                except (FormatError, LimitExceeded):
                    base = batch.last_offset
            crc = batch.header.crc
            yield _Mark(
                base_offset=base,
                last_offset=batch.last_offset,
                epoch=epoch,
                crc=crc,
                size=batch.size,
                path=segment.paths[".log"],
                position=batch.position,
            )


def compare_replicas(one: Partition, other: Partition) -> ReplicaPair | None:
    """The first difference of two replicas below the end of the shorter one; None when there is none.

    Holes of compaction are no difference: batches are only compared where both replicas have one of the same offsets.
    """
    try:
        return _compare(one, other)
    except UnreadableFile:
        return None


def _compare(left: Partition, right: Partition) -> ReplicaPair | None:
    ends: list[dict[int, int]] = [{}, {}]
    difference: tuple[_Mark, _Mark] | None = None
    ours, theirs = _marks(left), _marks(right)
    a, b = next(ours, None), next(theirs, None)
    last = [-1, -1]
    while a is not None or b is not None:
        step_a = a is not None and (b is None or a.base_offset <= b.base_offset)
        step_b = b is not None and (a is None or b.base_offset <= a.base_offset)
        if a is not None and b is not None and difference is None:
            both = step_a and step_b
            overlap = a.base_offset <= b.last_offset and b.base_offset <= a.last_offset
            if (both or overlap) and a[:5] != b[:5]:
                difference = (a, b)
        if step_a and a is not None:
            ends[0][a.epoch], last[0] = a.last_offset + 1, a.last_offset
            a = next(ours, None)
        if step_b and b is not None:
            ends[1][b.epoch], last[1] = b.last_offset + 1, b.last_offset
            b = next(theirs, None)
    if difference is None:
        return None
    mine, other = difference
    epochs = sorted(ends[0].keys() | ends[1].keys())
    if mine.epoch != other.epoch:
        kind = Divergence.LEADERS
    elif mine.epoch < 0:
        kind = Divergence.BEFORE_EPOCHS
    else:
        kind = Divergence.BYTES
    return ReplicaPair(
        path=left.path,
        other=other.path,
        log_path=mine.path,
        span=Span(mine.position, mine.position + mine.size),
        offset=min(mine.base_offset, other.base_offset),
        epoch=mine.epoch,
        other_epoch=other.epoch,
        kind=kind,
        ends=tuple((epoch, ends[0].get(epoch), ends[1].get(epoch)) for epoch in epochs),
        log_end=last[0] + 1,
        other_log_end=last[1] + 1,
    )
