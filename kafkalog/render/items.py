"""What people are shown, before it is known where: lines and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["HANG", "Item", "Line", "MadeRows", "Pieces", "Rows", "Table", "labelled"]

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


class Rows(Protocol):
    """Rows of a table, which are gone over several times: a list, or what makes each when it is asked for."""

    def __iter__(self) -> Iterator[Sequence[object]]:
        """One row after the other."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


class MadeRows:
    """Rows that are made each time they are gone over: there can be millions.

    Args:
        count: How many there are.
        make: Begins to make them.
    """

    def __init__(self, count: int, make: Callable[[], Iterator[Sequence[object]]]) -> None:
        self._count = count
        self._make = make

    def __iter__(self) -> Iterator[Sequence[object]]:
        return self._make()

    def __len__(self) -> int:
        return self._count


class Table(NamedTuple):
    """Rows under headings; None is shown as `-`. `styled`: the column whose words are coloured.

    `whole`: the columns whose texts are not shortened to fit a terminal. `spare`: the columns that a terminal does not show
    where the others, none shortened, leave no room for them.
    """

    headings: tuple[str, ...]
    rows: Rows
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
