"""Time axes that one wrong clock does not spoil, and what falls into each part of them."""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.dates import ANCIENT_MS, FUTURE_MS

__all__ = ["Moment", "TimeColumns", "plausible_times"]

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
#: Widths of a column, milliseconds: each is a multiple of the one before, so that columns can be put together.
_WIDTHS = (
    1, 10, 100, _SECOND, 5 * _SECOND, 15 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, _DAY // 2,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY,
)  # fmt: skip
#: Columns that are held while it is not known which ones are wanted.
_HELD = 20_000
#: The part of the batches at each end of the times that an axis need not reach.
_LEFT_OUT = 200


class Moment(NamedTuple):
    """A column of a time axis, from `time` up to, but not including, `end`; milliseconds. `size` is in bytes."""

    time: int
    end: int
    batches: int
    records: int
    size: int


def plausible_times(now: int) -> range:
    """The timestamps that can be right: from 2011, when Kafka was first released, to a day from now; milliseconds."""
    return range(ANCIENT_MS, now + FUTURE_MS + 1)


class TimeColumns:
    """Counts batches by their times; memory is bounded, and a time far from all others costs no resolution."""

    def __init__(self) -> None:
        self._width = 0
        self._counts: dict[int, list[int]] = {}

    def add(self, time: int, records: int, size: int) -> None:
        """Add a batch."""
        found = self._counts.get(time // _WIDTHS[self._width])
        if found is None:
            self._counts[time // _WIDTHS[self._width]] = [1, records, size]
            while len(self._counts) > _HELD and self._width + 1 < len(_WIDTHS):
                self._counts = _wider(self._counts, _WIDTHS[self._width + 1] // _WIDTHS[self._width])
                self._width += 1
            return
        found[0] += 1
        found[1] += records
        found[2] += size

    def range(self) -> tuple[int, int] | None:
        """First and last time of an axis: all but one batch in 200 at each end; None without any batch."""
        if not self._counts:
            return None
        width = _WIDTHS[self._width]
        first, last = _spanning({key: counts[0] for key, counts in self._counts.items()})
        return first * width, last * width + width - 1

    def moments(self, most: int = 400) -> tuple[Moment, ...]:
        """The columns within `range`, of equal width, those without a batch too.

        Args:
            most: How many there may be.
        """
        found = self.range()
        if found is None:
            return ()
        counts, at = self._counts, self._width
        first, last = found[0] // _WIDTHS[at], found[1] // _WIDTHS[at]
        while last - first >= most and at + 1 < len(_WIDTHS):
            counts = _wider(counts, _WIDTHS[at + 1] // _WIDTHS[at])
            at += 1
            first, last = found[0] // _WIDTHS[at], found[1] // _WIDTHS[at]
        width = _WIDTHS[at]
        return tuple(
            Moment(key * width, (key + 1) * width, *counts.get(key, (0, 0, 0)))
            for key in range(first, min(last, first + most - 1) + 1)
        )


def _wider(counts: dict[int, list[int]], factor: int) -> dict[int, list[int]]:
    """The same counts in columns that are so many times as wide."""
    wider: dict[int, list[int]] = {}
    for key, (batches, records, size) in counts.items():
        found = wider.setdefault(key // factor, [0, 0, 0])
        found[0] += batches
        found[1] += records
        found[2] += size
    return wider


def _spanning(counts: dict[int, int]) -> tuple[int, int]:
    """The least and the largest key that are left when one in 200 is left out at each end."""
    left_out = sum(counts.values()) // _LEFT_OUT
    return _after(counts, sorted(counts), left_out), _after(counts, sorted(counts, reverse=True), left_out)


def _after(counts: dict[int, int], keys: list[int], left_out: int) -> int:
    seen = 0
    for key in keys:
        seen += counts[key]
        if seen > left_out:
            return key
    return keys[-1]
