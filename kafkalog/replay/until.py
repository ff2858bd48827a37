"""Up to where a topic is replayed: to its end, to an offset, or to a time."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["END", "Until"]


class Until(NamedTuple):
    """The last record that counts. Both None: the end.

    Args:
        offset: Records up to and including this offset count.
        time: Records with timestamps up to and including this time count, milliseconds.
    """

    offset: int | None = None
    time: int | None = None

    def holds(self, offset: int, timestamp: int) -> bool:
        """Whether a record of this offset and timestamp counts."""
        if self.offset is not None:
            return offset <= self.offset
        return self.time is None or timestamp <= self.time


END = Until()
