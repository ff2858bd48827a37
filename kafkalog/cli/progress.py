"""A line of progress on a terminal's stderr, while stdout goes elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Progress"]

_EVERY_SECONDS = 0.5
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows which file is read and how far, at most twice a second, and not before the first half second has passed."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _EVERY_SECONDS
        self._shown = False

    def __call__(self, path: str, position: int, size: int) -> None:
        """How far a file has been read."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        self._shown = True
        sys.stderr.write(f"{_CLEAR}{path}: {100 * position // max(size, 1)} % of {size >> 20} MiB")
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False

    def around(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """`say`, with the line out of its way."""

        def said(line: str) -> None:
            self.clear()
            say(line)

        return said
