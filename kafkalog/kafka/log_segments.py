"""The segments of a log in order of their base offsets: LogSegments."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import RANGES_CHECKED
from kafkalog.kafka.failure import BrokerAborts

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.kafka.log_segment import LogSegment

__all__ = ["LogSegments"]


class LogSegments:
    """The segments, by base offset.

    Args:
        release: Whose way of looking for a range it is.
    """

    def __init__(self, release: Release) -> None:
        self._checks_ranges = RANGES_CHECKED.applies_to(release)
        self._by_offset: dict[int, LogSegment] = {}
        self._offsets: list[int] = []

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def base_offsets(self) -> list[int]:
        """All base offsets, ascending."""
        return list(self._offsets)

    def add(self, segment: LogSegment) -> None:
        """Add a segment; it takes the place of one with the same base offset."""
        if segment.base_offset not in self._by_offset:
            insort(self._offsets, segment.base_offset)
        self._by_offset[segment.base_offset] = segment

    def remove(self, base_offset: int) -> None:
        """Forget a segment."""
        if self._by_offset.pop(base_offset, None) is not None:
            self._offsets.remove(base_offset)

    def clear(self) -> None:
        """Forget all."""
        self._by_offset.clear()
        self._offsets.clear()

    @property
    def first(self) -> LogSegment:
        """The first segment."""
        return self._by_offset[self._offsets[0]]

    @property
    def last(self) -> LogSegment:
        """The active segment."""
        return self._by_offset[self._offsets[-1]]

    def __getitem__(self, base_offset: int) -> LogSegment:
        return self._by_offset[base_offset]

    def __contains__(self, base_offset: int) -> bool:
        return base_offset in self._by_offset

    def all(self) -> list[LogSegment]:
        """All segments, ascending."""
        return [self._by_offset[offset] for offset in self._offsets]

    def floor(self, offset: int) -> LogSegment | None:
        """The segment with the greatest base offset not above `offset`."""
        at = bisect_right(self._offsets, offset)
        return self._by_offset[self._offsets[at - 1]] if at else None

    def higher(self, offset: int) -> LogSegment | None:
        """The segment with the least base offset above `offset`."""
        at = bisect_right(self._offsets, offset)
        return self._by_offset[self._offsets[at]] if at < len(self._offsets) else None

    def values(self, start: int, end: int | None = None) -> list[LogSegment]:
        """The segments from the one that holds `start` on, with base offsets below `end`: LogSegments.values.

        Raises:
            BrokerAborts: `end` is below `start`; before 2.5: below the segment that holds `start`.
        """
        first = max(0, bisect_right(self._offsets, start) - 1)
        begin = start if self._checks_ranges else min((start, *self._offsets[first : first + 1]))
        if end is not None and end < begin and (self._checks_ranges or self.floor(start) is not None):
            raise BrokerAborts("IllegalArgumentException", f"segments from offset {start} to {end} are asked for")
        if end == begin:
            return []
        last = len(self._offsets) if end is None else bisect_left(self._offsets, end)
        return [self._by_offset[offset] for offset in self._offsets[first:last]]
