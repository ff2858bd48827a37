"""Two replicas of a partition side by side, batch by batch: the one comparison, for all who ask where replicas differ."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.log import NEVER, first_offset
from kafkalog.span import Padding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.log import Batch
    from kafkalog.files.partition import Partition

__all__ = ["NO_LEADER_EPOCH", "Difference", "PlacedBatch", "Step", "epoch_of", "placed_batches", "side_by_side"]

#: The leader epoch of messages that have none: those of magic 0 and 1.
NO_LEADER_EPOCH = -1


class Difference(Enum):
    """In what a batch of one replica differs from what the other has of the same offsets.

    The leader epoch is not covered by the CRC, so that the same bytes of another epoch are a kind of their own.
    """

    MISSING = "missing"
    ORDER = "order"
    SIZE = "size"
    BYTES = "bytes"
    EPOCH = "epoch"


class PlacedBatch(NamedTuple):
    """A batch, the file and the position it is at, and what must be equal in two replicas.

    `crc`: that of the bytes as they are. `batch`: itself; None where no more is known of it than this.
    """

    base_offset: int
    last_offset: int
    epoch: int
    size: int
    crc: int
    stored_crc: int
    path: str
    position: int
    batch: Batch | None = None


class Step(NamedTuple):
    """The next batch of one replica, or of both.

    `left` and `right` are the batches that are looked at; `takes_left` and `takes_right` whether this step is about them: a
    batch that overlaps several of the other replica is looked at several times. `difference` is None where both are equal.
    """

    left: PlacedBatch | None
    right: PlacedBatch | None
    takes_left: bool
    takes_right: bool
    difference: Difference | None


def epoch_of(batch: Batch) -> int:
    """The leader epoch of a batch."""
    return batch.header.partition_leader_epoch if isinstance(batch, RecordBatch) else NO_LEADER_EPOCH


def placed_batches(partition: Partition, damaged: list[int] | None = None) -> Iterator[PlacedBatch]:
    """The batches of a partition.

    Args:
        partition: The partition.
        damaged: Bytes of damage are added to it, a number for each of them.

    Raises:
        UnreadableFile: a segment cannot be read.
    """
    for segment in partition.segments:
        for item in segment.walk():
            if isinstance(item, Damage):
                if damaged is not None:
                    damaged.append(item.span.end - item.span.start)
                continue
            if isinstance(item, Padding):
                continue
            yield PlacedBatch(
                first_offset(item),
                item.last_offset,
                epoch_of(item),
                item.size,
                item.computed_crc,
                item.header.crc,
                segment.paths[".log"],
                item.position,
                item,
            )


def side_by_side(left: Iterator[PlacedBatch], right: Iterator[PlacedBatch]) -> Iterator[Step]:
    """The batches of two replicas, paired by their offsets, in the order of both logs.

    One batch of each is held.
    """
    a, b = next(left, None), next(right, None)
    #: Last offsets of what has been gone over: a batch below them has its counterpart among that.
    done_a = done_b = -1
    while a is not None or b is not None:
        if a is not None and (b is None or a.base_offset < b.base_offset):
            yield Step(a, b, True, False, _of_one(a, b, done_a, done_b))  # noqa: FBT003 - a row
        elif b is not None and (a is None or b.base_offset < a.base_offset):
            yield Step(a, b, False, True, _of_one(b, a, done_b, done_a))  # noqa: FBT003 - a row
        elif a is not None and b is not None:
            is_back = a.base_offset <= done_a or b.base_offset <= done_b
            yield Step(a, b, True, True, Difference.ORDER if is_back else _of_both(a, b))  # noqa: FBT003 - a row
        first_a, first_b = NEVER if a is None else a.base_offset, NEVER if b is None else b.base_offset
        if a is not None and first_a <= first_b:
            done_a, a = max(done_a, a.last_offset), next(left, None)
        if b is not None and first_b <= first_a:
            done_b, b = max(done_b, b.last_offset), next(right, None)


def _of_one(batch: PlacedBatch, later: PlacedBatch | None, done: int, others_done: int) -> Difference:
    """The difference that a batch makes which the other replica has not as it is; `later` is the next one there."""
    if batch.base_offset <= done:
        return Difference.ORDER
    is_covered = batch.base_offset <= others_done or (later is not None and later.base_offset <= batch.last_offset)
    return Difference.SIZE if is_covered else Difference.MISSING


def _of_both(a: PlacedBatch, b: PlacedBatch) -> Difference | None:
    if (a.last_offset, a.size) != (b.last_offset, b.size):
        return Difference.SIZE
    if (a.crc, a.stored_crc) != (b.crc, b.stored_crc):
        return Difference.BYTES
    return None if a.epoch == b.epoch else Difference.EPOCH
