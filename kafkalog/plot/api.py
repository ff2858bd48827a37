"""`partition.plot`: what can be drawn, as plain columns and as charts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from kafkalog.core.printable import printable
from kafkalog.errors import ExtraMissing
from kafkalog.plot.marks import MARKS, Marks
from kafkalog.plot.overview import overview_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.files.partition import Partition
    from kafkalog.plot.overview import Overview

__all__ = ["Plot", "Plots"]


@dataclass(frozen=True, repr=False)
class Plot:
    """A plot: called it gives an altair chart, `data` is what that is drawn from.

    Args:
        name: Which plot it is.
        title: What it is of.
        read: Gives what is to be drawn.
    """

    name: str
    title: str
    read: Callable[[], Marks]

    @cached_property
    def _marks(self) -> Marks:
        return self.read()

    @property
    def data(self) -> dict[str, list[Any]]:
        """What is drawn: columns by their names, all of the same length, at most 2,000 rows; needs nothing else.

        Times are milliseconds in UTC, sizes bytes, both ends of a range of offsets are in it.
        """
        marks = self._marks
        return {name: [row[at] for row in marks.rows] for at, name in enumerate(marks.columns)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture does not show, in a sentence each: timestamps that cannot be right, marks that are left out."""
        return self._marks.notes

    def __call__(self, *, width: int = 720, height: int = 320) -> Any:
        """The chart, of altair.

        Args:
            width: Pixels.
            height: Pixels.

        Raises:
            ExtraMissing: altair is not installed.
            UnreadableFile: a file cannot be read.
        """
        try:
            charts = import_module("kafkalog.plot.charts")
        except ModuleNotFoundError:
            raise ExtraMissing(f"plot.{self.name}()", "kafkalog[notebook]") from None
        return getattr(charts, self.name)(self.data, self._marks.time_range, (self.title, *self.notes), width, height)

    def __repr__(self) -> str:
        return f"Plot({self.name} of {self.title}: call it for a chart, .data has what is drawn)"


class Plots:
    """The plots of a partition. Its batches are read when the first of them is asked for, and once for all of them.

    Args:
        partition: The partition.
        now: The clock that tells what is in the future, milliseconds; the computer's by default.
    """

    def __init__(self, partition: Partition, now: int | None = None) -> None:
        self._partition = partition
        self._now = now

    @cached_property
    def overview(self) -> Overview:
        """All that was found.

        Raises:
            UnreadableFile: a file cannot be read.
        """
        return overview_of(self._partition.segments, self._now)

    def _plot(self, name: str) -> Plot:
        partition = self._partition
        title = printable(partition.path if partition.name is None else f"{partition.topic}-{partition.number}")
        return Plot(name, title, lambda: MARKS[name](self.overview))

    @property
    def timeline(self) -> Plot:
        """Segments by time and offset, coloured by leader epoch; gaps, damage, open transactions, segments without an index."""
        return self._plot("timeline")

    @property
    def throughput(self) -> Plot:
        """Records and bytes per second, by the largest timestamps of the batches."""
        return self._plot("throughput")

    @property
    def batch_sizes(self) -> Plot:
        """Least, median and largest size of the batches, along the log."""
        return self._plot("batch_sizes")

    @property
    def timestamps(self) -> Plot:
        """Timestamps along the log, of the first record and the largest one of each batch, and those that cannot be right."""
        return self._plot("timestamps")

    @property
    def transactions(self) -> Plot:
        """Transactions from their first batch to their marker, by how they ended."""
        return self._plot("transactions")

    def __repr__(self) -> str:
        return f"Plots({self._partition.path!r}: {', '.join(MARKS)})"
