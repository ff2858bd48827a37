"""Words for one and for several: names of which the first few are given, offsets from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["agreeing", "count_text", "listed", "offsets_spoken"]


def count_text(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count_text(1, "batch"), count_text(2000, "directory")
    ('1 batch', '2,000 directories')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("ry") else f"{noun}es" if noun.endswith("tch") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def agreeing(number: int, one: str, several: str) -> str:
    """The verb that goes with a number: `is` or `are`."""
    return one if number == 1 else several


def listed(names: Sequence[str], most: int, count: int | None = None) -> str:
    """The first names, and how many more there are.

    >>> listed(["orders-0", "orders-1", "orders-2"], 2)
    'orders-0, orders-1 and 1 more'

    Args:
        names: All of them, or the first ones.
        most: How many are given at most.
        count: How many there are; None: as many as `names`.
    """
    given = names[:most]
    left = (len(names) if count is None else count) - len(given)
    return ", ".join(given) + (f" and {left:,} more" if left > 0 else "")


def offsets_spoken(first: int, last: int) -> str:
    """Offsets from the first to the last.

    >>> offsets_spoken(5, 9), offsets_spoken(5, 5)
    ('offsets 5 to 9', 'offset 5')
    """
    return f"offset {first}" if first == last else f"offsets {first} to {last}"
