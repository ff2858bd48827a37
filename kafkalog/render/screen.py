"""What people are shown, and where: lines and tables that fit a terminal, and are plain and whole everywhere else.

Everything that people read goes through `Screen`: names and payloads out of files cannot reach the terminal but as
printable text.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkalog.core.printable import printable
from kafkalog.render.items import Line, Pieces, Table
from kafkalog.render.tables import plain_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TextIO

    from kafkalog.render.items import Item

__all__ = ["Screen", "columns_of"]

#: Columns of a terminal that does not say how many it has, and the fewest that anything is fitted to.
_COLUMNS, _FEWEST = 80, 40


@dataclass(frozen=True, slots=True)
class Screen:
    """Where text goes.

    Args:
        stream: What it is written to.
        width: Columns that it is fitted to; None: nothing is wrapped or shortened.
        is_coloured: Whether words are coloured.
    """

    stream: TextIO
    width: int | None = None
    is_coloured: bool = False

    @classmethod
    def of(cls, stream: TextIO, color: str = "auto") -> Screen:
        """The screen that a stream is.

        Args:
            stream: A terminal, or anything else.
            color: `auto`: by the stream and the environment (`NO_COLOR`, `FORCE_COLOR`, `TERM`), `always` or `never`.
        """
        is_terminal = stream.isatty()
        return cls(stream, columns_of(stream) if is_terminal else None, _wants_colour(color, is_terminal=is_terminal))

    def show(self, items: Iterable[Item]) -> None:
        """Write lines and tables; an empty line only between two others."""
        write = self._plain() if self.width is None and not self.is_coloured else self._drawn()
        is_gap = False
        for item in items:
            if item == "" or (isinstance(item, Line) and not item.word and not item.text):
                is_gap = True
                continue
            if is_gap:
                self.stream.write("\n")
            is_gap = False
            write(item)

    def _plain(self) -> Callable[[Item], None]:
        """Writes text as it is, without rich: its lines are programs' input as often as people's, and thousands."""

        def write(item: Item) -> None:
            if isinstance(item, Table):
                lines = plain_table(item.headings, item.rows, item.indent)
            elif isinstance(item, Pieces):
                lines = iter(("".join(printable(text) for text, _ in item.pieces),))
            elif isinstance(item, Line):
                lines = iter((" " * item.indent + printable(item.head) + printable(item.text),))
            else:
                lines = iter((printable(item),))
            for line in lines:
                self.stream.write(f"{line.rstrip()}\n")

        return write

    def _drawn(self) -> Callable[[Item], None]:
        """Draws for a terminal."""
        from kafkalog.render.terminal import Terminal

        terminal = Terminal(self.stream, self.width, is_coloured=self.is_coloured)

        def draw(item: Item) -> None:
            if isinstance(item, Table):
                terminal.table(item)
            elif isinstance(item, Line):
                terminal.line(item)
            else:
                terminal.pieces(item.pieces if isinstance(item, Pieces) else ((item, ""),))

        return draw


def columns_of(stream: TextIO) -> int:
    """How wide a terminal is."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal() and int(named):
        return max(int(named), _FEWEST)
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(columns or _COLUMNS, _FEWEST)


def _wants_colour(color: str, *, is_terminal: bool) -> bool:
    if color != "auto":
        return color == "always"
    # https://no-color.org, https://force-color.org: set and not empty.
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return is_terminal and os.environ.get("TERM") not in (None, "", "dumb", "unknown")
