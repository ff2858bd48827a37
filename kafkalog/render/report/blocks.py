"""What text screens are made of, as a page has it: the same sentences and numbers, laid out by the template."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.render.items import Line, Pieces, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.render.items import Item

__all__ = ["Block", "Label", "blocks_of", "labels_of", "pieces_of"]

_CODE = re.compile(r"`([^`]+)`")


class Block(NamedTuple):
    """A line or a table: `indent` in steps of two columns; `table` is None for a line."""

    indent: int
    word: str
    text: str
    table: Table | None = None


class Label(NamedTuple):
    """A word, and the lines that stand beside it."""

    word: str
    texts: tuple[str, ...]


def blocks_of(items: Iterable[Item]) -> Iterator[Block]:
    """Each line and table; empty lines are left out."""
    for item in items:
        if isinstance(item, Table):
            yield Block(item.indent // 2, "", "", item)
        elif isinstance(item, Line):
            if item.word or item.text:
                yield Block(item.indent // 2, item.word.removesuffix(":"), item.text)
        else:
            text = "".join(piece for piece, _ in item.pieces) if isinstance(item, Pieces) else item
            if text:
                yield Block(0, "", text)


def labels_of(blocks: Iterable[Block]) -> list[Label]:
    """Lines by the word they begin with; those without one go on with the one before."""
    found: list[Label] = []
    for block in blocks:
        if block.table is not None:
            continue
        if block.word or not found:
            found.append(Label(block.word, (block.text,)))
        else:
            found[-1] = Label(found[-1].word, (*found[-1].texts, block.text))
    return found


def pieces_of(text: str) -> list[tuple[bool, str]]:
    """A sentence in pieces, and whether each is a command: what stands between backticks.

    >>> pieces_of("run `kafkalog show` now")
    [(False, 'run '), (True, 'kafkalog show'), (False, ' now')]
    """
    return [(at % 2 == 1, piece) for at, piece in enumerate(_CODE.split(text)) if piece]
