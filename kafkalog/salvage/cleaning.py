"""Whether the log cleaner explains that a log lacks offsets."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.core.filename import COORDINATOR_TOPICS
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import CLEANER_OFFSETS
from kafkalog.kafka.gone_offsets import gone_offsets, is_uncleaned
from kafkalog.kafka.remains import remains_of

if TYPE_CHECKING:
    from kafkalog.files.log_dir import PartitionContext
    from kafkalog.files.partition import Partition
    from kafkalog.kafka.gone_offsets import Gone
    from kafkalog.kafka.remains import Remains

__all__ = ["Cleaning"]


class Cleaning:
    """What is known of the log cleaner's work on a log.

    Args:
        partition: The partition directory.
        context: What its log dir says of it.
    """

    def __init__(self, partition: Partition, context: PartitionContext) -> None:
        self._partition = partition
        self._context = context
        #: Whether the cleaner is known to have been there.
        self.is_known = CLEANER_OFFSETS in context.lines or partition.topic in COORDINATOR_TOPICS

    @cached_property
    def _remains(self) -> Remains | None:
        try:
            return remains_of(self._partition, is_compacted=self.is_known)
        except UnreadableFile:
            return None

    def may_explain(self, holes: int) -> bool:
        """Whether the cleaner may have removed what a log lacks.

        Args:
            holes: How many holes the log has that no damage explains; a cleaned log seldom has one alone.
        """
        remains = self._remains
        is_cleaned = remains is not None and (remains.is_compacted or remains.traces.is_cleaned)
        return self.is_known or is_cleaned or holes > 1

    def cannot_explain(self, offset: int, holes: int) -> bool:
        """Whether it is certain that the cleaner did not remove an offset."""
        remains = self._remains
        if remains is None or self.is_known or remains.is_compacted or remains.traces.is_cleaned:
            return False
        return is_uncleaned(offset, remains, self._context, lone_hole=holes == 1)

    def gone(self) -> tuple[Gone, ...]:
        """What the files beside the log tell of offsets that it has lost for certain."""
        if self._remains is None:
            return ()
        return tuple(one for one in gone_offsets(self._remains, self._context) if one.certain)
