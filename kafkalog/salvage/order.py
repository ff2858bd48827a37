"""Which batches of a log stand in their order, where not all of them do."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Placed", "in_order"]


class Placed(Protocol):
    """What has a first and a last offset."""

    @property
    def base(self) -> int:
        """The first."""

    @property
    def last(self) -> int:
        """The last."""


class _Row(Protocol):
    def __len__(self) -> int: ...
    def __getitem__(self, number: int, /) -> Placed: ...
    def __iter__(self) -> Iterator[Placed]: ...


def in_order(batches: _Row) -> list[int] | None:
    """Numbers of the batches that stand in order, as many as can; None: all do.

    A base offset is outside the checksum: one that is wrong must not cost the batches after it.
    """
    if all(one.last < other.base for one, other in pairwise(batches)):
        return None
    return _without_overlaps(batches, _longest_ascending(batches))


def _longest_ascending(batches: _Row) -> list[int]:
    """Numbers of the longest row of batches with ascending base offsets (patience sorting)."""
    tops: list[int] = []
    numbers: list[int] = []
    before: list[int] = []
    for number, one in enumerate(batches):
        at = bisect_left(tops, one.base)
        before.append(numbers[at - 1] if at else -1)
        if at == len(tops):
            tops.append(one.base)
            numbers.append(number)
        else:
            tops[at], numbers[at] = one.base, number
    row: list[int] = []
    number = numbers[-1] if numbers else -1
    while number >= 0:
        row.append(number)
        number = before[number]
    return row[::-1]


def _without_overlaps(batches: _Row, row: list[int]) -> list[int]:
    """Of two batches that overlap the one stays that joins its other neighbour; the first, if both do, or neither."""
    kept: list[int] = []
    for at, number in enumerate(row):
        one = batches[number]
        if kept and batches[kept[-1]].last >= one.base:
            joins_next = at + 1 < len(row) and batches[row[at + 1]].base == one.last + 1
            joins_before = len(kept) == 1 or batches[kept[-2]].last + 1 == batches[kept[-1]].base
            if joins_before or not joins_next or (len(kept) > 1 and batches[kept[-2]].last >= one.base):
                continue
            kept.pop()
        kept.append(number)
    return kept
