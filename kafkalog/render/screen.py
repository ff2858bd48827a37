"""What people are shown, and where: lines and tables that fit a terminal, and are plain and whole everywhere else.

Everything that people read goes through `Screen`: names and payloads out of files cannot reach the terminal but as
printable text.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.files.source import printable
from kafkalog.render.tables import columns_of, fitted, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO, TypeAlias

__all__ = ["Item", "Line", "Pieces", "Screen", "Table"]

#: Columns of a terminal that does not say how many it has, and the fewest that anything is fitted to.
_COLUMNS, _FEWEST = 80, 40

#: Style → SGR attributes, out of the sixteen colours of the terminal's own theme, and those that can be read on a dark and on
#: a light background: no yellow, no cyan, nothing faint.
_STYLES = {
    "error": "1;31",
    "data-loss": "1;31",
    "damaged": "1;35",
    "warning": "1;35",
    "unknown": "1;35",
    "benign": "32",
    "clean": "1;32",
    "title": "1",
    "label": "1",
    "time": "35",
    "checksum": "1",
    "payload": "32",
}


class Line(NamedTuple):
    """A line of output: indentation, a word that may be coloured, the rest.

    `prose` is wrapped on a terminal, and goes on under its own beginning; paths and commands are not wrapped. `hang` is how
    many columns the word takes, where several lines stand below each other. `style` is that of the word; without it the
    word is its own.
    """

    indent: int
    word: str
    text: str
    prose: bool = False
    hang: int = 0
    style: str = ""

    @property
    def head(self) -> str:
        """The word with what stands between it and the text."""
        gap = "" if not self.word else " " if self.word.endswith(":") else "  "
        return f"{self.word}{gap}".ljust(self.hang)


class Table(NamedTuple):
    """Rows under headings; None is shown as `-`. `styled`: the column whose words are coloured.

    `whole`: the columns whose texts are not shortened to fit a terminal.
    """

    headings: tuple[str, ...]
    rows: list[list[object]]
    indent: int = 0
    styled: int | None = None
    whole: tuple[int, ...] = ()


class Pieces(NamedTuple):
    """A line of pieces, each with its style ("": none); it is not wrapped."""

    pieces: tuple[tuple[str, str], ...]


Item: TypeAlias = "str | Line | Pieces | Table"


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
        return cls(stream, _columns(stream) if is_terminal else None, _wants_colour(color, is_terminal=is_terminal))

    def show(self, items: Iterable[Item]) -> None:
        """Write lines and tables; an empty line only between two others."""
        is_gap = False
        for item in items:
            for line in self._lines(item):
                if line:
                    self.stream.write(f"\n{line}\n" if is_gap else f"{line}\n")
                is_gap = not line

    def _lines(self, item: Item) -> Iterator[str]:
        if isinstance(item, str):
            yield printable(item)
        elif isinstance(item, Pieces):
            yield "".join(self._painted(printable(text), style) for text, style in item.pieces).rstrip()
        elif isinstance(item, Table):
            yield from self._table(item)
        else:
            yield from self._line(item)

    def _table(self, item: Table) -> Iterator[str]:
        indent = " " * item.indent
        width = None if self.width is None else self.width - item.indent
        parts = [(item.headings, item.rows)] if width is None else fitted(item.headings, item.rows, width, item.whole)
        for number, (headings, rows) in enumerate(parts):
            if number:
                yield ""
            for at, line in enumerate(table(headings, rows)):
                style = "title" if at == 0 else ""
                if at and item.styled is not None and not number:
                    word = str(rows[at - 1][item.styled])
                    yield indent + line.replace(word, self._painted(word, word), 1)
                else:
                    yield indent + self._painted(line, style)

    def _line(self, item: Line) -> Iterator[str]:
        head, text = printable(item.head), printable(item.text)
        first = " " * item.indent + self._painted(head, item.style or item.word)
        if not item.prose or self.width is None:
            yield (first + text).rstrip()
            return
        under = " " * (item.indent + len(head)) if item.hang or not item.word else " " * (item.indent + 2)
        lines = _wrapped(text, self.width, item.indent + len(head), len(under))
        yield (first + lines[0]).rstrip()
        yield from (under + line for line in lines[1:])

    def _painted(self, text: str, style: str) -> str:
        """Text with the attributes of a style, blanks at its end without them."""
        attributes = _STYLES.get(style) if self.is_coloured else None
        word = text.rstrip()
        return f"\x1b[{attributes}m{word}\x1b[0m{text[len(word) :]}" if attributes and word else text


def _columns(stream: TextIO) -> int:
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


def _wrapped(text: str, width: int, first: int, others: int) -> list[str]:
    """Text as lines for a terminal, of which the first begins at one column and the others at another.

    Between its words it is taken apart; one that is too long, like a path, stays whole, so that it can be copied.
    """
    lines, at = [""], first
    for word in text.split(" "):
        columns = columns_of(word)
        if lines[-1] and at + columns > width:
            lines.append("")
            at = others
        lines[-1] += f"{word} "
        at += columns + 1
    return [line.rstrip() for line in lines]
