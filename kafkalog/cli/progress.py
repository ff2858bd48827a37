"""A line of progress on a terminal's stderr: bytes, rate, time left, and what is being read."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.cli import streams
from kafkalog.files import meter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["line_of", "shown"]

#: Seconds before the line is shown for the first time, and between two of it.
_FIRST = 1.0
_EVERY = 0.25
_CLEAR = "\r\x1b[K"


@contextmanager
def shown(
    paths: Iterable[str], *, beside_output: bool = True, counts: Callable[[str], bool] = lambda _: True
) -> Iterator[None]:
    """Show how far a command is while it runs, after a second; erased at its end, and before anything else is said.

    Args:
        paths: What the command reads.
        beside_output: Also where stdout is printed on a terminal meanwhile.
        counts: Whether a command reads the files of a directory of this name; without it, all.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or (sys.stdout.isatty() and not beside_output):
        yield
        return
    line = _Progress(tuple(paths), counts)
    meter.use(line.meter)
    streams.before_saying = line.clear
    line.start()
    try:
        yield
    finally:
        streams.before_saying = None
        meter.use(None)
        line.end()


class _Progress(threading.Thread):
    """Draws the line until it is told to end."""

    def __init__(self, paths: tuple[str, ...], counts: Callable[[str], bool]) -> None:
        super().__init__(name="progress", daemon=True)
        self.meter = meter.Meter()
        self._paths, self._counts = paths, counts
        self._over = threading.Event()
        self._drawing = threading.Lock()
        self._is_drawn = False

    def run(self) -> None:
        """Draw, from time to time."""
        began = time.monotonic()
        if self._over.wait(_FIRST):
            return
        total = _size_of(self._paths, self._counts)
        while True:
            text = line_of(self.meter.path, self.meter.total, total, time.monotonic() - began)
            import shutil  # brings the codecs of archives along

            self._draw(text[: shutil.get_terminal_size().columns - 1])
            if self._over.wait(_EVERY):
                return

    def _draw(self, text: str) -> None:
        with self._drawing:
            if not self._over.is_set():
                sys.stderr.write(f"{_CLEAR}{text}")
                sys.stderr.flush()
                self._is_drawn = True

    def clear(self) -> None:
        """Take the line away; it comes back."""
        with self._drawing:
            if self._is_drawn:
                sys.stderr.write(_CLEAR)
                sys.stderr.flush()
                self._is_drawn = False

    def end(self) -> None:
        """Take the line away for good."""
        self._over.set()
        self.clear()


def line_of(path: str, done: int, total: int, seconds: float) -> str:
    """The line: `1.2 of 8.4 GiB, 14 %, 310.0 MiB/s, 24 s left: orders-0`.

    Args:
        path: The file that was read last.
        done: Bytes read.
        total: Bytes there are to read; what is read a second time is more than that.
        seconds: How long it took.
    """
    from kafkalog.core.printable import printable
    from kafkalog.render.quantities import duration_text, size_text

    rate = done / max(seconds, 0.001)
    parts = [f"{size_text(done)} of {size_text(total)}", f"{100 * done // total} %"] if done < total else [size_text(done)]
    parts.append(f"{size_text(int(rate))}/s")
    if done < total and rate:
        parts.append(f"{duration_text(1000 * (1 + int((total - done) / rate)))} left")
    folder, name = os.path.split(path)
    return ", ".join(parts) + (f": {printable(os.path.basename(folder) or name)}" if path else "")


def _size_of(paths: Iterable[str], counts: Callable[[str], bool]) -> int:
    """Bytes of the files under paths."""
    total = 0
    for path in paths:
        try:
            total += os.stat(path).st_size if not os.path.isdir(path) else _size_in(path, counts)
        except OSError:
            continue
    return total


def _size_in(path: str, counts: Callable[[str], bool]) -> int:
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                total += entry.stat(follow_symlinks=False).st_size
            elif entry.is_dir(follow_symlinks=False) and counts(entry.name):
                total += _size_in(entry.path, counts)
    return total
