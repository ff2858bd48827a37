"""A line of progress on a terminal's stderr: bytes, rate, time left, and what is being read."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.cli import streams
from kafkalog.files import meter
from kafkalog.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["shown"]

#: Seconds before the line is shown.
_FIRST = 1.0


@contextmanager
def shown(
    paths: Sequence[str] | None, *, beside_output: bool = True, counts: Callable[[str], bool] = lambda _: True
) -> Iterator[None]:
    """Show how far a command is while it runs, after a second; erased at its end, and before anything else is said.

    Args:
        paths: What the command reads as a whole; None: nobody knows how much it reads, nor is it known of what is at a URL.
        beside_output: Also where stdout is printed on a terminal meanwhile.
        counts: Whether a command reads the files of a directory of this name; without it, all.
    """
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb" or (sys.stdout.isatty() and not beside_output):
        yield
        return
    # Imported by this thread: workers that are forked while another imports would wait for it for ever.
    from kafkalog.render.progress_line import ProgressLine
    from kafkalog.render.screen import columns_of

    counted = meter.Meter()
    line = ProgressLine(
        sys.stderr,
        counted,
        lambda: None if paths is None or any(map(is_url, paths)) else _size_of(paths, counts),
        after=_FIRST,
        columns=columns_of(sys.stderr),
    )
    meter.use(counted)
    streams.say_beside = line.say
    line.show_later()
    try:
        yield
    finally:
        streams.say_beside = None
        meter.use(None)
        line.end()


def _size_of(paths: Iterable[str], counts: Callable[[str], bool]) -> int:
    """Bytes of the files under paths."""
    from kafkalog.files.image import size_of_image

    total = 0
    for path in paths:
        try:
            total += _size_in(path, counts) if os.path.isdir(path) else size_of_image(path)
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
