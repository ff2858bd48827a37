"""Records that a segment had at its end, as its indexes still name them after the log was cut.

The log cleaner and retention write or delete a segment together with its indexes, so an entry for a later record than the last
one says that bytes went. One flipped bit changes one field of an entry: only where both agree is it taken at its word.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.errors import KafkalogError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.files.segment import Segment

__all__ = ["NamedEnd", "max_timestamp_of", "named_after_end"]


class NamedEnd(NamedTuple):
    """An index that names a record after the end of its log: its path, and what it says of that, as a verb with its object."""

    path: str
    says: str

    def __str__(self) -> str:
        return f"{os.path.basename(self.path)} {self.says}"


def named_after_end(segment: Segment, end: int, before: int, max_timestamp: Callable[[], int]) -> NamedEnd | None:
    """Who names a record that a segment had between its last batch and the next segment; None when nobody does.

    Args:
        segment: The segment.
        end: The offset after its last batch.
        before: Base offset of the next segment.
        max_timestamp: Gives the largest timestamp of its batches; -1 when there is none.
    """
    try:
        return _named_by_index(segment, end, before) or _named_by_time_index(segment, end, before, max_timestamp)
    except KafkalogError:
        return None


def _named_by_index(segment: Segment, end: int, before: int) -> NamedEnd | None:
    index = segment.offset_index
    if index is None or index.damage is not None:
        return None
    size = segment.size
    lost = -1
    for entry in index.entries:
        offset = segment.base_offset + entry.relative_offset
        # An index of another log contradicts this one sooner or later.
        if (entry.position >= size) != (offset >= end) or not lost < offset < before:
            return None
        lost = offset if entry.position >= size else lost
    return NamedEnd(segment.paths[".index"], f"names offset {lost}, after the end of its log") if lost >= 0 else None


def _named_by_time_index(segment: Segment, end: int, before: int, max_timestamp: Callable[[], int]) -> NamedEnd | None:
    index = segment.time_index
    if index is None or index.damage is not None or not index.entries:
        return None
    last = index.entries[-1]
    offset = segment.base_offset + last.relative_offset
    if not end <= offset < before or last.timestamp <= max_timestamp():
        return None
    says = f"names offset {offset}, after the end of its log and of a later time than all in it"
    return NamedEnd(segment.paths[".timeindex"], says)


def max_timestamp_of(segment: Segment) -> int:
    """The largest timestamp of a segment's batches; -1 when there is none.

    Raises:
        UnreadableFile: the `.log` cannot be read.
    """
    times = (b.header.max_timestamp if isinstance(b, RecordBatch) else b.max_timestamp for b in segment.batches())
    return max(times, default=-1)
