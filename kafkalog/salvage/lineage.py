"""Which of several copies of a log counts, and up to where another one has the same history."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.checkpoint import EpochEntry
from kafkalog.core.release import NEWEST
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.follower import ReplicaLog, truncation
from kafkalog.kafka.remains import sound_epochs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.files.partition import Partition

__all__ = ["History", "history_of", "shared_end"]


class History(NamedTuple):
    """The leader epochs of a log, ascending, and the offset after its last sound batch."""

    epochs: tuple[EpochEntry, ...]
    end: int

    @property
    def rank(self) -> tuple[int, int]:
        """The log with the larger one counts: it had the later leader, or is longer."""
        return (self.epochs[-1].epoch if self.epochs else -1), self.end

    @property
    def log(self) -> ReplicaLog:
        """What of it decides where a follower cuts its log."""
        return ReplicaLog(LeaderEpochs(self.epochs), 0, self.end)


def history_of(partition: Partition) -> History:
    """The history of a partition directory: by `leader-epoch-checkpoint`, or by its batches where that cannot be believed."""
    end = _end_of(partition)
    try:
        epochs = tuple(entry for entry in sound_epochs(partition.leader_epochs) if entry.start_offset < end)
    except UnreadableFile:
        epochs = ()
    return History(epochs or tuple(_epochs_by_batches(partition)), end)


def _end_of(partition: Partition) -> int:
    for segment in reversed(partition.segments):
        end = None
        try:
            for batch in segment.batches():
                if batch.crc_ok and batch.last_offset >= segment.base_offset:
                    end = batch.last_offset + 1 if end is None else max(end, batch.last_offset + 1)
        except UnreadableFile:
            pass
        if end is not None:
            return end
    return 0


def _epochs_by_batches(partition: Partition) -> Sequence[EpochEntry]:
    found: list[EpochEntry] = []
    try:
        for batch in partition.batches():
            if isinstance(batch, RecordBatch) and batch.crc_ok:
                epoch = batch.header.partition_leader_epoch
                if epoch >= 0 and (not found or epoch > found[-1].epoch):
                    found.append(EpochEntry(epoch, batch.base_offset))
    except UnreadableFile:
        pass
    # An epoch that was damaged upwards would hide the ones after it.
    return found if all(one.start_offset < other.start_offset for one, other in pairwise(found)) else []


def shared_end(follower: History, leader: History) -> int:
    """Up to which offset a follower has what its leader has: where it would cut its log to follow."""
    cut = truncation(follower.log, leader.log, NEWEST)
    return min(follower.end, leader.end) if cut.offset is None else cut.offset
