"""What somebody who mistyped a word may have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean"]

_MOST = 3


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """` Did you mean …?` with the words that are like the one given; "" when none is.

    >>> did_you_mean("verfy", ["dump", "verify"])
    ' Did you mean verify?'
    """
    from difflib import get_close_matches

    by_lower = {one.lower(): one for one in words}
    found = [by_lower[one] for one in get_close_matches(word.lower(), by_lower, _MOST, 0.6)]
    # A beginning or an end is what people remember of a long name.
    longer = (one for lower, one in by_lower.items() if len(word) > 2 and word.lower() in lower)
    found += [one for one in longer if one not in found][: _MOST - len(found)]
    return f" Did you mean {' or '.join(found)}?" if found else ""
