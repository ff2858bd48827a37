"""A replica that is compared: its directory, and what its log dir says of it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import HIGH_WATERMARKS, LOG_STARTS, log_dir_at
from kafkalog.files.paths import real_name, real_path
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.failure import BrokerAborts
from kafkalog.next_start.era import OPEN
from kafkalog.next_start.evidence import BrokerEvidence

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import CheckpointLine, LogDir
    from kafkalog.files.partition import Partition

__all__ = ["Replica"]


class Replica:
    """A replica of a partition.

    Args:
        side: The letter of the path that it was given by.
        partition: Its directory.
        log_dir: The log dir it is in; None: the one around the directory, if that is one.
    """

    def __init__(self, side: str, partition: Partition, log_dir: LogDir | None = None) -> None:
        self.side = side
        self.partition = partition
        self._given_log_dir = log_dir

    @property
    def path(self) -> str:
        """Path of the directory."""
        return self.partition.path

    @property
    def is_of_log_dir(self) -> bool:
        """Whether it was given by its log dir."""
        return self._given_log_dir is not None

    @cached_property
    def _log_dir(self) -> LogDir | None:
        if self._given_log_dir is not None or self.partition.name is None:
            return self._given_log_dir
        return log_dir_at(os.path.dirname(real_path(self.path)))

    @cached_property
    def _lines(self) -> dict[str, CheckpointLine]:
        if self._log_dir is None:
            return {}
        return self._log_dir.context_of(real_name(self.path)).lines

    @cached_property
    def release(self) -> Release:
        """The release whose rules its broker follows, by what the log dir shows; the newest where nothing does."""
        return (OPEN if self._log_dir is None else BrokerEvidence(self._log_dir).era).releases[0]

    @cached_property
    def topic_id(self) -> UUID | None:
        """The topic id in `partition.metadata`."""
        try:
            metadata = self.partition.metadata
        except UnreadableFile:
            return None
        return None if metadata is None else metadata.topic_id

    @property
    def high_watermark(self) -> int | None:
        """The high watermark, by the log dir's checkpoint."""
        line = self._lines.get(HIGH_WATERMARKS)
        return None if line is None else line.offset

    @property
    def log_start_offset(self) -> int:
        """The first offset of the log: that of its first segment, or the one to which records were deleted."""
        line = self._lines.get(LOG_STARTS)
        first = min((segment.base_offset for segment in self.partition.segments if ".log" in segment.paths), default=0)
        return max(first, 0 if line is None else line.offset)

    def log_end_offset(self, after_last_batch: int) -> int:
        """The end of the log, of which the last batch ends before an offset."""
        last = max((segment.base_offset for segment in self.partition.segments if ".log" in segment.paths), default=0)
        return max(after_last_batch, last, self.log_start_offset)

    def epochs(self, of_batches: Iterable[EpochEntry], log_end_offset: int) -> LeaderEpochs:
        """The leader epochs as its broker has them when it has loaded the log.

        Args:
            of_batches: The epochs in the batches, each with the first offset of a batch that has it, ascending.
            log_end_offset: The end of the log.
        """
        try:
            found = self.partition.leader_epochs
            epochs = LeaderEpochs(() if found is None or found.damages else found.entries)
        except (BrokerAborts, UnreadableFile):
            epochs = LeaderEpochs()
        for entry in of_batches:
            if epochs.latest_epoch is None or entry.epoch > epochs.latest_epoch:
                epochs.assign(*entry)
        epochs.truncate_from_start(self.log_start_offset)
        epochs.truncate_from_end(log_end_offset)
        return epochs
