"""Text tables: columns as wide as their widest cell, numbers to the right; on a terminal fitted to its width."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from kafkalog.files.source import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

__all__ = ["columns_of", "fitted", "shortened", "table"]

#: What stands for "there is none".
NONE = "-"
_BETWEEN = "  "
#: The fewest columns that a text is shortened to.
_LEAST = 12


def columns_of(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in ("F", "W") else 1 for char in text
    )


def _cell(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def _is_right(rows: Sequence[Sequence[object]], column: int) -> bool:
    """Whether a column holds numbers, which stand below each other."""
    return bool(rows) and all(row[column] is None or isinstance(row[column], int) for row in rows)


def table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a table; None is shown as `-`, what cannot be printed by its code."""
    names = list(map(_cell, headings))
    values = [list(row) for row in rows]
    cells = [names, *([_cell(value) for value in row] for row in values)]
    widths = [max(columns_of(row[column]) for row in cells) for column in range(len(names))]
    right = [_is_right(values, at) for at in range(len(names))]
    for row in cells:
        parts = []
        for text, width, to_the_right in zip(row, widths, right, strict=True):
            blanks = " " * (width - columns_of(text))
            parts.append(blanks + text if to_the_right else text + blanks)
        yield _BETWEEN.join(parts).rstrip()


def shortened(text: str, width: int) -> str:
    """A name in so many columns: its middle is left out, because names that look alike differ at their ends."""
    if columns_of(text) <= width:
        return text
    head, tail = _taken(text, (width - 1) // 2), _taken(text[::-1], width // 2)[::-1]
    return f"{head}…{tail}"


def _taken(text: str, width: int) -> str:
    """As much of the beginning as so many columns hold."""
    used = 0
    for at, char in enumerate(text):
        used += columns_of(char)
        if used > width:
            return text[:at]
    return text


Part = tuple[list[str], list[list[object]]]


def fitted(headings: Sequence[str], rows: Sequence[Sequence[object]], width: int, whole: Collection[int] = ()) -> list[Part]:
    """A table as one or more that are not wider than a terminal.

    Columns without a value are left out, long texts shortened; columns for which there is still no room stand in further
    tables below, after the first column, which says what the rows are.

    Args:
        headings: Of the columns.
        rows: Values; None where there is none.
        width: Columns of the terminal.
        whole: Columns, by number, whose texts are not shortened.
    """
    names = list(map(_cell, headings))
    used = [at for at in range(len(names)) if any(row[at] is not None for row in rows)]
    columns = {at: [row[at] for row in rows] for at in used}
    cells = {at: [names[at], *map(_cell, values)] for at, values in columns.items()}
    widths = {at: max(map(columns_of, texts)) for at, texts in cells.items()}
    least = {
        at: widths[at] if at in whole or _is_right(rows, at) else min(widths[at], max(_LEAST, columns_of(names[at])))
        for at in columns
    }
    parts = []
    for group in _grouped(used, least, width):
        room = _room(group, widths, least, width)
        shown: list[list[object]] = []
        for number in range(len(rows)):
            values = [columns[at][number] for at in group]
            shown.append([_short(value, room[at]) for at, value in zip(group, values, strict=True)])
        parts.append(([names[at] for at in group], shown))
    return parts


def _short(value: object, width: int) -> object:
    return value if value is None or isinstance(value, int) else shortened(_cell(value), width)


def _grouped(used: Sequence[int], least: dict[int, int], width: int) -> Iterator[list[int]]:
    """The columns of each table: as many as there is room for."""
    first, *others = used
    group = [first]
    for at in others:
        if len(group) > 1 and _total([*group, at], least) > width:
            yield group
            group = [first]
        group.append(at)
    yield group


def _room(group: Sequence[int], widths: dict[int, int], least: dict[int, int], width: int) -> dict[int, int]:
    """How wide each column may be: the widest give way first."""
    room = {at: widths[at] for at in group}
    while _total(group, room) > width:
        at = max((at for at in group if room[at] > least[at]), key=lambda at: room[at], default=None)
        if at is None:
            break
        room[at] -= 1
    return room


def _total(group: Sequence[int], widths: dict[int, int]) -> int:
    return sum(widths[at] for at in group) + len(_BETWEEN) * (len(group) - 1)
