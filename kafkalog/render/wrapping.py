"""How text fits a screen: where its lines are broken, how many it takes, and how it is made shorter."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len

from kafkalog.core.printable import printable
from kafkalog.render.items import Line, Pieces, Table
from kafkalog.render.tables import column_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.render.items import Item

__all__ = ["Room", "cut", "indentation", "on_one_screen", "wrapped"]

#: A terminal as small as they come; its last line is the next prompt's.
_COLUMNS, _LINES = 80, 23


class Room(NamedTuple):
    """How much of everything is told.

    Args:
        rows: Rows of a table.
        texts: Texts of one kind.
        reason: Letters that say why something is so.
        letters: Of any other text.
        rest: Where the rest is told.
    """

    rows: int
    texts: int
    reason: int
    letters: int
    rest: str = "-v shows them"


_ROOMS = (
    Room(8, 3, 400, 1000),
    Room(6, 3, 400, 400),
    Room(6, 2, 130, 400),
    Room(4, 1, 130, 400),
    Room(3, 1, 64, 400),
    Room(3, 1, 64, 270),
    Room(3, 1, 64, 130),
    Room(3, 1, 64, 64),
)


def on_one_screen(block: Callable[[Room], Iterable[Item]]) -> list[Item]:
    """What a block tells with the most room with which it fits a small terminal.

    Args:
        block: Makes the block for so much room.
    """
    items: list[Item] = []
    for room in _ROOMS:
        items = list(block(room))
        if sum(map(_height, items)) <= _LINES:
            break
    return items


def _height(item: Item) -> int:
    """How many lines of a small terminal something takes."""
    if isinstance(item, Table):
        groups = column_groups(item.headings, item.rows, _COLUMNS - item.indent, item.whole, item.spare)
        return len(groups) * (len(item.rows) + 2) - 1
    if isinstance(item, Line) and item.prose:
        begin, under = indentation(item)
        first, *others = wrapped(printable(item.text), _COLUMNS, begin, under)
        return _lines_of(begin + cell_len(first)) + sum(_lines_of(under + cell_len(line)) for line in others)
    if isinstance(item, Line):
        text = " " * item.indent + item.head + item.text
    else:
        text = "".join(text for text, _ in item.pieces) if isinstance(item, Pieces) else item
    return _lines_of(cell_len(printable(text)))


def _lines_of(columns: int) -> int:
    return max(1, -(-columns // _COLUMNS))


def indentation(line: Line) -> tuple[int, int]:
    """The columns at which the text of a line begins, and at which it goes on below."""
    begin = line.indent + cell_len(printable(line.head))
    return begin, begin if line.hang or not line.word else line.indent + 2


def wrapped(text: str, width: int, first: int, others: int) -> list[str]:
    """Text as lines for a terminal, of which the first begins at one column and the others at another.

    Between its words it is taken apart; one that is too long, like a path, stays whole, so that it can be copied.
    """
    lines, at = [""], first
    for word in text.split(" "):
        columns = cell_len(word)
        if lines[-1] and at + columns > width:
            lines.append("")
            at = others
        lines[-1] += f"{word} "
        at += columns + 1
    return [line.rstrip() for line in lines]


def cut(text: str, letters: int) -> str:
    """The first sentences of a text, or its first words where these would be less than half of what there is room for."""
    if len(text) <= letters:
        return text
    end = text.rfind(". ", 0, letters)
    if end > letters // 2:
        return text[: end + 1]
    word = text.rfind(" ", 0, letters)
    return f"{text[: word if word > 0 else letters]} …"
