"""How far a command is, as a line on a terminal: bytes, rate, time left, and what is being read.

Drawn without rich, whose own line takes longer to import than most commands take.
"""

from __future__ import annotations

import os
import time
from collections import deque
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING

from rich.cells import cell_len

from kafkalog.core.printable import printable
from kafkalog.render.quantities import duration_text, size_text
from kafkalog.render.tables import shortened

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from kafkalog.files.meter import Meter

__all__ = ["ProgressLine"]

#: Seconds between two pictures, and pictures over which the rate is taken.
_BETWEEN = 0.25
_PICTURES = 20
#: To the start of the line, and nothing on it.
_ERASE = "\r\x1b[2K"


class ProgressLine:
    """A line that erases itself.

    Args:
        stream: The terminal.
        meter: Counts what is read.
        total: Gives the bytes there are to read, None where nobody knows; called when the line is first shown.
        after: Seconds before it is shown.
        columns: How wide the terminal is.
    """

    def __init__(self, stream: TextIO, meter: Meter, total: Callable[[], int | None], *, after: float, columns: int) -> None:
        self._stream, self._meter, self._total, self._after, self._columns = stream, meter, total, after, columns
        self._process = os.getpid()
        self._over = Event()
        self._lock = RLock()
        self._is_shown = False
        self._seen: deque[tuple[float, int]] = deque(maxlen=_PICTURES)
        self._thread = Thread(target=self._draw_until_over, daemon=True)

    def show_later(self) -> None:
        """Show the line, unless the command ends before."""
        self._thread.start()

    def say(self, line: str) -> None:
        """Write a line above it."""
        if os.getpid() != self._process:  # a worker: the thread that might hold the lock is not here
            self._stream.write(f"{line}\n")
            return
        with self._lock:
            self._stream.write(f"{_ERASE if self._is_shown else ''}{line}\n")
            self._stream.flush()
            self._is_shown = False

    def end(self) -> None:
        """Take the line away for good."""
        self._over.set()
        with self._lock:
            if self._is_shown:
                self._stream.write(_ERASE)
                self._stream.flush()
            self._is_shown = False

    def _draw_until_over(self) -> None:
        self._seen.append((time.monotonic(), self._meter.total))
        if self._over.wait(self._after):
            return
        total = self._total()
        while not self._over.is_set():
            with self._lock:
                if not self._over.is_set():
                    self._stream.write(_ERASE + self._text(total))
                    self._stream.flush()
                    self._is_shown = True
            self._over.wait(_BETWEEN)

    def _text(self, total: int | None) -> str:
        """The line, as the meter is now."""
        done, now = self._meter.total, time.monotonic()
        self._seen.append((now, done))
        since, before = self._seen[0]
        rate = (done - before) / (now - since) if now > since else 0.0
        parts = [size_text(done)]
        if total:
            done = min(done, total)  # some is read twice
            parts = [f"{size_text(done)} of {size_text(total)}", f"{100 * done // total} %"]
        parts.append(f"{size_text(int(rate))}/s")
        if total and rate and done < total:
            parts.append(f"{duration_text(max(1, round((total - done) / rate)) * 1000)} left")
        folder, name = os.path.split(self._meter.path)
        told = "  ".join(parts)
        room = self._columns - cell_len(told) - 3
        name = printable(os.path.basename(folder) or name)
        return f"{told}  {shortened(name, room)}" if room > 0 else told[: self._columns - 1]
