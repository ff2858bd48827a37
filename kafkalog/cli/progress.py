"""A line of progress on a terminal's stderr."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from kafkalog.core.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Progress", "progress_of"]

_EVERY_SECONDS = 0.5
_CLEAR = "\r\x1b[K"


class Progress:
    """Shows how far a command is, at most twice a second, and not before the first half second has passed."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._next = self._began + _EVERY_SECONDS
        self._shown = False

    def of_file(self, path: str, position: int, size: int) -> None:
        """How far a file has been read."""
        self._show(lambda _: f"{path}: {100 * position // max(size, 1)} % of {size >> 20} MiB")

    def of_all(self, done: int, total: int) -> None:
        """How many bytes of all have been read, and the time left."""
        if done >= total:
            self.clear()
        else:
            self._show(lambda spent: f"{done >> 20} of {total >> 20} MiB, {spent * (total - done) / max(done, 1):.0f} s left")

    def _show(self, text_after: Callable[[float], str]) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        self._shown = True
        sys.stderr.write(_CLEAR + printable(text_after(now - self._began)))
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
            self._shown = False

    def cleared_before(self, say: Callable[[str], None]) -> Callable[[str], None]:
        """`say`, with the line out of its way."""

        def said(line: str) -> None:
            self.clear()
            say(line)

        return said


def progress_of(*, beside_output: bool) -> Progress | None:
    """The line, where there is a terminal to show it; `beside_output`: also where stdout is printed on it meanwhile."""
    return Progress() if sys.stderr.isatty() and (beside_output or not sys.stdout.isatty()) else None
