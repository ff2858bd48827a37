"""Plain text tables: columns as wide as their widest cell, numbers to the right, nothing wrapped or cut."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from kafkalog.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["table"]

#: What stands for "there is none".
NONE = "-"


def _width(text: str) -> int:
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in ("F", "W") else 1 for char in text
    )


def _cell(value: object) -> str:
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def table(headings: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """The lines of a table; None is shown as `-`, names as `printable` shows them."""
    names = list(headings)
    values = [list(row) for row in rows]
    cells = [names, *([_cell(value) for value in row] for row in values)]
    widths = [max(_width(row[column]) for row in cells) for column in range(len(names))]
    right = [bool(values) and all(row[at] is None or isinstance(row[at], int) for row in values) for at in range(len(names))]
    for row in cells:
        parts = []
        for text, width, to_the_right in zip(row, widths, right, strict=True):
            blanks = " " * (width - _width(text))
            parts.append(blanks + text if to_the_right else text + blanks)
        yield "  ".join(parts).rstrip()
