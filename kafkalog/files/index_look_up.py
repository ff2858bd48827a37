"""Where in a log an offset or a position may be looked for, by the `.index` beside it."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.log import walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.errors import UnreadableFile
from kafkalog.files.source import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.core.source import Source

__all__ = ["IndexLookUp", "index_beside"]


class IndexLookUp(NamedTuple):
    """The two columns of a `.index`, and the base offset in its name.

    Positions that are looked up are those of sound batches that agree with the entry; 0 where the index is silent, or
    contradicts itself or the log.
    """

    base_offset: int
    relative_offsets: Sequence[int]
    positions: Sequence[int]

    def before_offset(self, offset: int, source: Source) -> int:
        """The position of a batch at or before the one that has an offset."""
        return self._trusted(self.relative_offsets, offset - self.base_offset, source)

    def before_position(self, position: int, source: Source) -> int:
        """The position of a batch at or before a position."""
        return self._trusted(self.positions, position, source)

    def _trusted(self, column: Sequence[int], wanted: int, source: Source) -> int:
        if any(a >= b for a, b in pairwise(column)):
            return 0
        number = bisect_right(column, wanted) - 1
        if number < 0:
            return 0
        position = self.positions[number]
        if not 0 <= position < source.size:
            return 0
        item = next(walk(source, position))
        offset = self.base_offset + self.relative_offsets[number]
        trusted = isinstance(item, RecordBatch) and item.crc_ok and item.base_offset <= offset
        return position if trusted else 0


def index_beside(path: str) -> IndexLookUp:
    """The index of a `.log`; without entries where it cannot be read, or the log has an odd name."""
    stem = path.removesuffix(".log")
    base = stem.rpartition("/")[2]
    if stem == path or not base.isdecimal():
        return IndexLookUp(0, (), ())
    try:
        index = read_file(f"{stem}.index")
    except UnreadableFile:
        return IndexLookUp(int(base), (), ())
    end = padded_end(index, OFFSET_INDEX_ENTRY.size)
    return IndexLookUp(int(base), *(OFFSET_INDEX_ENTRY.column(name, index, end) for name in ("relative_offset", "position")))
