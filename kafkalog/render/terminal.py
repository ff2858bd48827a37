"""Lines and tables on a terminal, drawn by rich: its one address, with the line of progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as Grid
from rich.text import Text

from kafkalog.core.printable import printable
from kafkalog.render.tables import LEAST, cell_of, column_groups, is_numbers, shortened
from kafkalog.render.wrapping import indentation, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

    from rich.console import ConsoleOptions, RenderResult

    from kafkalog.render.items import Line, Table

__all__ = ["Terminal"]

#: Style → colours of the terminal's own theme, and those that can be read on a dark and on a light background: no yellow, no
#: cyan, nothing faint.
_STYLES = {
    "error": "bold red",
    "data-loss": "bold red",
    "damaged": "bold magenta",
    "warning": "bold magenta",
    "unknown": "bold magenta",
    "benign": "green",
    "clean": "bold green",
    "title": "bold",
    "label": "bold",
    "time": "magenta",
    "checksum": "bold",
    "payload": "green",
}
#: Columns of what does not have to fit anything.
_UNBOUNDED = 1 << 20


class _Name:
    """A cell whose middle is left out where there is no room, because names that look alike differ at their ends."""

    def __init__(self, text: str, style: str) -> None:
        self._text, self._style = text, style

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        del console, options
        columns = cell_len(self._text)
        return Measurement(min(columns, LEAST), columns)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        yield Text(shortened(self._text, options.max_width), self._style, no_wrap=True)


class Terminal:
    """Draws what people are shown.

    Args:
        stream: The terminal, or what is coloured like one.
        width: Columns that everything is fitted to; None: nothing is wrapped or shortened.
        is_coloured: Whether words are coloured.
    """

    def __init__(self, stream: TextIO, width: int | None, *, is_coloured: bool) -> None:
        self._width = width
        self._console = Console(
            file=stream,
            width=width or _UNBOUNDED,
            color_system="standard" if is_coloured else None,
            force_terminal=is_coloured,
            no_color=not is_coloured,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    def pieces(self, pieces: Iterable[tuple[str, str]]) -> None:
        """A line of pieces with their styles; it is not wrapped."""
        text = Text.assemble(*((printable(text), _STYLES.get(style, "")) for text, style in pieces))
        text.rstrip()
        self._console.print(text, soft_wrap=True)

    def line(self, line: Line) -> None:
        """A line; prose is wrapped."""
        head, text = printable(line.head), printable(line.text)
        style = line.style or line.word
        if not line.prose or self._width is None:
            self.pieces(((" " * line.indent, ""), (head, style), (text, "")))
            return
        begin, under = indentation(line)
        first, *others = wrapped(text, self._width, begin, under)
        self.pieces(((" " * line.indent, ""), (head, style), (first, "")))
        for other in others:
            self.pieces(((" " * under + other, ""),))

    def table(self, table: Table) -> None:
        """A table, or several below each other where there is no room for all columns side by side."""
        width = _UNBOUNDED if self._width is None else self._width - table.indent
        for number, columns in enumerate(column_groups(table.headings, table.rows, width, table.whole, table.spare)):
            if number:
                self._console.print()
            self._console.print(self._grid(table, columns))

    def _grid(self, table: Table, columns: list[int]) -> Grid:
        grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=_STYLES["title"])
        if table.indent:
            grid.add_column(width=table.indent - 2)
        is_fixed = {at: at in table.whole or is_numbers(table.rows, at) for at in columns}
        for at in columns:
            name = cell_of(table.headings[at])
            heading = Text(name) if is_fixed[at] else _Name(name, _STYLES["title"])
            grid.add_column(heading, justify="right" if is_numbers(table.rows, at) else "left", no_wrap=is_fixed[at])
        for row in table.rows:
            cells: list[Text | _Name] = [Text()] if table.indent else []
            for at in columns:
                text = cell_of(row[at])
                style = _STYLES.get(text, "") if at == table.styled else ""
                cells.append(Text(text, style) if is_fixed[at] else _Name(text, style))
            grid.add_row(*cells)
        return grid
