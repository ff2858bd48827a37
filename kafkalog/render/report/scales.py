"""Ticks of axes, and numbers as pictures have them: pure functions of numbers."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

__all__ = ["Scale", "place", "spread", "ticks", "time_ticks"]

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
#: Distances of ticks on an axis of time, milliseconds.
_STEPS = (
    *(step * unit for unit in (1, 10, 100) for step in (1, 2, 5)),
    *(step * unit for unit in (_SECOND, _MINUTE) for step in (1, 2, 5, 10, 15, 30)),
    *(step * _HOUR for step in (1, 2, 3, 6, 12)),
    *(step * _DAY for step in (1, 2, 7, 14, 30, 91, 182, 365, 730, 1825)),
)


class Scale(NamedTuple):
    """From numbers to places of a picture: `first` lies at `start`, `last` at `end`; what is outside lies at the border."""

    first: int
    last: int
    start: float
    end: float

    def at(self, value: float) -> float:
        """The place of a number."""
        part = (value - self.first) / max(self.last - self.first, 1)
        return self.start + min(max(part, 0), 1) * (self.end - self.start)


def place(value: float) -> str:
    """A place to a tenth, as short as it goes."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def ticks(first: int, last: int, most: int) -> list[int]:
    """Round whole numbers between two numbers, about as many as wanted."""
    raw = max(last - first, 1) / most
    unit = 10 ** math.floor(math.log10(raw)) if raw > 1 else 1
    step = max(1, round(next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= raw)))
    return list(range(-(-first // step) * step, last + 1, step))


def time_ticks(first: int, last: int, most: int) -> list[tuple[int, str]]:
    """Round times between two, milliseconds, each with its text in UTC."""
    width = max(last - first, 1)
    step = next((step for step in _STEPS if width / step <= most), _STEPS[-1])
    form = "%Y-%m-%d" if step >= _DAY else "%m-%d %H:%M" if width > _DAY and step >= _MINUTE else "%H:%M"
    seconds = "" if step >= _MINUTE else ":%S"
    found = []
    for time in range(-(-first // step) * step, last + 1, step):
        moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time)
        text = moment.strftime(form + seconds) + (f".{time % _SECOND:03d}" if step < _SECOND else "")
        found.append((time, text))
    return found


def spread(places: list[float], gap: float, last: float) -> list[float]:
    """Places of labels, ascending, moved apart to be at least `gap` from each other, none after `last` if that can be."""
    moved: list[float] = []
    for one in places:
        moved.append(max(one, moved[-1] + gap) if moved else one)
    limit = last
    for at in range(len(moved) - 1, -1, -1):
        moved[at] = min(moved[at], limit)
        limit = moved[at] - gap
    return moved
