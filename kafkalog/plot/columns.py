"""Numbers along a log, in a few hundred columns: least, median and largest of each."""

from __future__ import annotations

from statistics import median_low
from typing import NamedTuple

__all__ = ["Column", "Columns"]

#: Numbers of a column that its median is taken from.
_KEPT = 128


class Column(NamedTuple):
    """Some batches that follow each other; `median` is one of their numbers, exact while there are few."""

    first_offset: int
    last_offset: int
    batches: int
    least: int
    median: int
    largest: int


class _Part:
    """What is known of a column: every `step`-th number is kept."""

    __slots__ = ("batches", "first_offset", "kept", "largest", "last_offset", "least", "seen", "step")

    def __init__(self, first_offset: int) -> None:
        self.first_offset = self.last_offset = first_offset
        self.batches = self.seen = 0
        self.least = self.largest = 0
        self.kept: list[int] = []
        self.step = 1

    def add(self, number: int) -> None:
        self.least = number if not self.seen else min(self.least, number)
        self.largest = number if not self.seen else max(self.largest, number)
        if self.seen % self.step == 0:
            self.kept.append(number)
            self._thin()
        self.seen += 1

    def _thin(self) -> None:
        if len(self.kept) > _KEPT:
            self.kept = self.kept[::2]
            self.step *= 2

    def take(self, following: _Part) -> None:
        """Become one with the column after it."""
        self.last_offset = following.last_offset
        self.batches += following.batches
        if following.seen:
            self.least = min(self.least, following.least) if self.seen else following.least
            self.largest = max(self.largest, following.largest) if self.seen else following.largest
        step = max(self.step, following.step)
        self.kept = self.kept[:: step // self.step] + following.kept[:: step // following.step]
        self.step = step
        self.seen += following.seen
        self._thin()


class Columns:
    """Sorts numbers of batches, in the order of the log, into columns of as many batches each; memory is bounded.

    Args:
        most: Columns that there may be at the end; there are at least half as many once there are enough batches.
    """

    def __init__(self, most: int = 400) -> None:
        self._most = most
        self._of_each = 1
        self._parts: list[_Part] = []

    def add(self, first_offset: int, last_offset: int, *numbers: int) -> None:
        """Add a batch and its numbers; there may be none."""
        if not self._parts or self._parts[-1].batches == self._of_each:
            if len(self._parts) == self._most:
                self._halve()
            if not self._parts or self._parts[-1].batches == self._of_each:
                self._parts.append(_Part(first_offset))
        part = self._parts[-1]
        part.last_offset = last_offset
        part.batches += 1
        for number in numbers:
            part.add(number)

    def _halve(self) -> None:
        for part, following in zip(self._parts[::2], self._parts[1::2], strict=False):
            part.take(following)
        self._parts = self._parts[::2]
        self._of_each *= 2

    def columns(self) -> tuple[Column, ...]:
        """The columns that have numbers."""
        return tuple(
            Column(part.first_offset, part.last_offset, part.batches, part.least, median_low(part.kept), part.largest)
            for part in self._parts
            if part.kept
        )
