"""Names in a row, of which the first few are given and the rest is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["listed"]


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
