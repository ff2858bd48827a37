"""Text tables: what stands in their cells, how they look where nothing is fitted, and which columns a terminal has room for."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from rich.cells import cell_len

from kafkalog.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from kafkalog.render.items import Rows

__all__ = ["LEAST", "cell_of", "column_groups", "is_numbers", "plain_table", "shortened"]

#: What stands for "there is none".
NONE = "-"
BETWEEN = "  "
#: The fewest columns of a terminal that a text is shortened to.
LEAST = 12
#: Rows of which texts are held at once.
_AT_ONCE = 1 << 10
#: Rows of a table that are held, and not made a second time.
_HELD = 100_000
#: Columns that are repeated where a table goes on below, at most.
_MOST_KEYS = 3


def cell_of(value: object) -> str:
    """The text of a value; None is shown as `-`, what cannot be printed by its code."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def is_numbers(rows: Rows, column: int) -> bool:
    """Whether a column holds numbers, which stand below each other."""
    return bool(len(rows)) and all(row[column] is None or isinstance(row[column], int) for row in rows)


def plain_table(headings: Sequence[str], rows: Rows, indent: int = 0) -> Iterator[str]:
    """The lines of a table that is as wide as its cells, gone over twice, some rows at a time; many are made twice."""
    if len(rows) <= _HELD:
        rows = list(rows)
    names = [cell_of(heading) for heading in headings]
    widths, right = [_columns_of(name) for name in names], [bool(rows)] * len(names)
    for columns in _blocks(rows):
        for at, column in enumerate(columns):
            texts = _cells(column)
            is_plain = "".join(texts).isascii()
            widths[at] = max(widths[at], *map(len if is_plain else cell_len, texts))
            right[at] = right[at] and all(value is None or isinstance(value, int) for value in column)
    blocks = chain(([[name] for name in names],), (list(map(_cells, columns)) for columns in _blocks(rows)))
    padded = [_to_the_right if at_right else _to_the_left for at_right in right]
    for texts_of in blocks:
        cells = [pad(texts, width) for pad, texts, width in zip(padded, texts_of, widths, strict=True)]
        for row in zip(*cells, strict=True):
            yield (" " * indent + BETWEEN.join(row)).rstrip()


def _blocks(rows: Rows) -> Iterator[list[tuple[object, ...]]]:
    """The columns of some rows after the other."""
    left = iter(rows)
    while some := list(islice(left, _AT_ONCE)):
        yield list(zip(*some, strict=True))


def _cells(column: Sequence[object]) -> list[str]:
    """The texts of a column; where all of it is of one kind, that is decided once."""
    kinds = set(map(type, column))
    if kinds == {int}:
        return list(map(str, column))
    if kinds == {str} and printable(text := "".join(column)) == text:  # type: ignore[arg-type]  # strings, as said
        return list(column)  # type: ignore[arg-type]
    return list(map(cell_of, column))


def _to_the_left(texts: list[str], width: int) -> list[str]:
    return [text.ljust(width) if text.isascii() else text + " " * (width - cell_len(text)) for text in texts]


def _to_the_right(texts: list[str], width: int) -> list[str]:
    return [text.rjust(width) for text in texts]


def _columns_of(cell: str) -> int:
    """Columns of a terminal that the text of a cell takes."""
    return len(cell) if cell.isascii() else cell_len(cell)


def shortened(text: str, width: int) -> str:
    """A name in so many columns of a terminal, without its middle."""
    if cell_len(text) <= width:
        return text
    head, tail = _taken(text, (width - 1) // 2), _taken(text[::-1], width // 2)[::-1]
    return f"{head}…{tail}"


def _taken(text: str, width: int) -> str:
    """As much of the beginning as so many columns hold."""
    used = 0
    for at, char in enumerate(text):
        used += cell_len(char)
        if used > width:
            return text[:at]
    return text


def column_groups(
    headings: Sequence[str],
    rows: Rows,
    width: int,
    whole: Collection[int] = (),
    spare: Collection[int] = (),
) -> list[list[int]]:
    """The columns of the one or more tables, none wider than a terminal, as which a table is shown there.

    Columns without a value are left out. Columns for which there is no room, long texts shortened, stand in further tables
    below, after the first columns, which say what the rows are.

    Args:
        headings: Of the columns.
        rows: Values; None where there is none.
        width: Columns of the terminal.
        whole: Columns, by number, whose texts are not shortened.
        spare: Those that are left out unless there is room for all columns as they are.

    Returns:
        Numbers of columns, table by table.
    """
    least, full = {}, {}
    for at, heading in enumerate(headings):
        texts = [row[at] for row in rows]
        if any(text is not None for text in texts) or not len(rows):
            full[at] = columns = max(cell_len(cell_of(text)) for text in (heading, *texts))
            least[at] = columns if at in whole or is_numbers(rows, at) else min(columns, LEAST)
    if sum(full.values()) + len(BETWEEN) * (len(full) - 1) > width:
        least = {at: columns for at, columns in least.items() if at not in spare}
    first = _key(rows, list(least)) or [0]
    groups = [[*first]]
    for at in least:
        if at in first:
            continue
        used = sum(least[one] + len(BETWEEN) for one in groups[-1])
        if len(groups[-1]) > len(first) and used + least[at] > width:
            groups.append([*first])
        groups[-1].append(at)
    return groups


def _key(rows: Rows, columns: list[int]) -> list[int]:
    """The first columns, as many as tell the rows apart; the first one where only more than a few would."""
    for count in range(1, _MOST_KEYS + 1):
        if len({tuple(row[at] for at in columns[:count]) for row in rows}) == len(rows):
            return columns[:count]
    return columns[:1]
