"""Which batches of a log stand in their order, where not all of them do."""

from __future__ import annotations

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
    """Numbers of the longest row of batches with ascending base offsets; of several, of the one with most offsets.

    The best row that a batch goes on with is found among those that end at a lower base offset: a Fenwick tree of maxima.
    """
    ranks = {base: rank for rank, base in enumerate(sorted({one.base for one in batches}), 1)}
    # Batches of a row, its offsets, the number of its last batch (negative, so that the first of equal ones is taken).
    nothing = (0, 0, 1)
    tree = [nothing] * (len(ranks) + 1)
    before: list[int] = []
    best = nothing
    for number, one in enumerate(batches):
        found, at = nothing, ranks[one.base] - 1
        while at:
            found = max(found, tree[at])
            at &= at - 1
        before.append(-found[2])
        row = (found[0] + 1, found[1] + one.last - one.base + 1, -number)
        best, at = max(best, row), ranks[one.base]
        while at < len(tree):
            tree[at] = max(tree[at], row)
            at += at & -at
    numbers: list[int] = []
    number = -best[2]
    while number >= 0:
        numbers.append(number)
        number = before[number]
    return numbers[::-1]


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
