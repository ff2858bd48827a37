"""What people are shown, before it is known where: lines and tables."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["HANG", "Item", "Line", "Pieces", "Table", "labelled"]

#: Columns of the words on the left of a headline.
HANG = 12


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

    `whole`: the columns whose texts are not shortened to fit a terminal. `spare`: the columns that a terminal does not show
    where the others, none shortened, leave no room for them.
    """

    headings: tuple[str, ...]
    rows: list[list[object]]
    indent: int = 0
    styled: int | None = None
    whole: tuple[int, ...] = ()
    spare: tuple[int, ...] = ()


class Pieces(NamedTuple):
    """A line of pieces, each with its style ("": none); it is not wrapped."""

    pieces: tuple[tuple[str, str], ...]


Item: TypeAlias = "str | Line | Pieces | Table"


def labelled(word: str, text: str, style: str = "label") -> Line:
    """A line of a headline: a word, and beside it what is to be said of it."""
    return Line(0, word, text, prose=True, hang=HANG, style=style)
