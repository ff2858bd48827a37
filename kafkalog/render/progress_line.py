"""How far a command is, drawn by rich as a line on a terminal: bytes, rate, time left, and what is being read."""

from __future__ import annotations

import os
from threading import Timer
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.progress import DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from kafkalog.core.printable import printable
from kafkalog.render.quantities import size_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from kafkalog.files.meter import Meter

__all__ = ["ProgressLine"]


class _Terminal(Console):
    """A terminal whose cursor stays: a command that is killed cannot bring it back."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: FBT001, FBT002 -- rich's own signature
        """Leave the cursor as it is."""
        del show
        return False


class _Rate(ProgressColumn):
    """Bytes a second."""

    def render(self, task: Task) -> Text:
        """The rate of the last seconds."""
        return Text(f"{size_text(int(task.speed or 0))}/s")


class ProgressLine(Progress):
    """A line that erases itself.

    Args:
        stream: The terminal.
        meter: Counts what is read.
        total: Gives the bytes there are to read; called when the line is first shown.
        after: Seconds before it is shown.
    """

    def __init__(self, stream: TextIO, meter: Meter, total: Callable[[], int], *, after: float) -> None:
        self._meter, self._total = meter, total
        super().__init__(
            DownloadColumn(binary_units=True),
            TextColumn("{task.percentage:>3.0f} %"),
            _Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=_Terminal(file=stream, no_color=True, highlight=False, markup=False, emoji=False),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            refresh_per_second=4,
        )
        self._read = self.add_task("", total=None)
        self._timer = Timer(after, self._begin)
        self._timer.daemon = True

    def _begin(self) -> None:
        self.update(self._read, total=self._total())
        self.start()

    def get_renderables(self) -> Iterable[RenderableType]:
        """The line, with what the meter shows now."""
        if not self.tasks:  # rich asks while it is being made
            return []
        folder, name = os.path.split(self._meter.path)
        self.update(self._read, completed=self._meter.total, description=printable(os.path.basename(folder) or name))
        return super().get_renderables()

    def show_later(self) -> None:
        """Show the line, unless the command ends before."""
        self._timer.start()

    def say(self, line: str) -> None:
        """Write a line above it."""
        self.console.print(Text(line), soft_wrap=True)

    def end(self) -> None:
        """Take the line away for good."""
        self._timer.cancel()
        self.stop()
