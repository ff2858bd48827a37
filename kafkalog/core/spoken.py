"""Words for one and for several: names of which the first few are given, offsets from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["listed", "offsets_spoken"]


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
