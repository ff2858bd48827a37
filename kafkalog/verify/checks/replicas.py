"""Comparing replicas of a partition, batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.errors import UnreadableFile
from kafkalog.files.replicas import NO_LEADER_EPOCH, PlacedBatch, placed_batches, side_by_side
from kafkalog.span import Span
from kafkalog.verify.rules.replicas import Divergence, ReplicaPair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.partition import Partition

__all__ = ["compare_batches", "compare_replicas"]


def compare_replicas(one: Partition, other: Partition) -> ReplicaPair | None:
    """The first difference of two replicas below the end of the shorter one; None when there is none, or one cannot be read."""
    try:
        return compare_batches(one.path, placed_batches(one), placed_batches(other))
    except UnreadableFile:
        return None


def compare_batches(path: str, left: Iterator[PlacedBatch], right: Iterator[PlacedBatch]) -> ReplicaPair | None:
    """The first difference of the batches of two replicas, the one at `path` and another, below the end of the shorter one.

    Holes of compaction are no difference: batches are only compared where both replicas have one of the same offsets. Nor is
    a damaged batch: what is wrong with it is said of itself.
    """
    ends: list[dict[int, int]] = [{}, {}]
    difference: tuple[PlacedBatch, PlacedBatch] | None = None
    last = [-1, -1]
    for step in side_by_side(left, right):
        a, b = step.left, step.right
        if step.difference is not None and difference is None and a is not None and b is not None and _contradict(a, b):
            difference = (a, b)
        for number, batch, is_new in ((0, a, step.takes_left), (1, b, step.takes_right)):
            if batch is not None and is_new:
                ends[number][batch.epoch], last[number] = batch.last_offset + 1, batch.last_offset
    if difference is None:
        return None
    mine, theirs = difference
    epochs = sorted(ends[0].keys() | ends[1].keys())
    if mine.epoch != theirs.epoch:
        kind = Divergence.LEADERS
    elif mine.epoch == NO_LEADER_EPOCH:
        kind = Divergence.BEFORE_EPOCHS
    else:
        kind = Divergence.BYTES
    return ReplicaPair(
        path=path,
        other=theirs.path,
        log_path=mine.path,
        span=Span(mine.position, mine.position + mine.size),
        offset=min(mine.base_offset, theirs.base_offset),
        epoch=mine.epoch,
        other_epoch=theirs.epoch,
        kind=kind,
        ends=tuple((epoch, ends[0].get(epoch), ends[1].get(epoch)) for epoch in epochs),
        log_end=last[0] + 1,
        other_log_end=last[1] + 1,
    )


def _contradict(a: PlacedBatch, b: PlacedBatch) -> bool:
    """Whether two batches have offsets in common, and not all of what their writers wrote into the header."""
    have_common = a.base_offset <= b.last_offset and b.base_offset <= a.last_offset
    return have_common and (a.base_offset, a.last_offset, a.epoch, a.stored_crc, a.size) != (
        b.base_offset,
        b.last_offset,
        b.epoch,
        b.stored_crc,
        b.size,
    )
