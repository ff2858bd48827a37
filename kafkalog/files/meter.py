"""How many bytes have been read so far, by this process and by the workers that it forks: what a line of progress shows."""

from __future__ import annotations

import os

__all__ = ["Meter", "note_read", "use"]

#: Processes that count by themselves; two that share a place may lose some bytes of the count, and nothing else.
_PLACES = 1024
#: Bytes of a path that are kept, from its end.
_PATH = 256


class Meter:
    """Counts bytes in memory that forked processes share."""

    def __init__(self) -> None:
        # Nobody but who shows progress needs these.
        import mmap
        import struct

        self._counts = memoryview(mmap.mmap(-1, _PLACES * struct.calcsize("Q"))).cast("Q")
        self._path = mmap.mmap(-1, _PATH)

    def add(self, path: str, size: int) -> None:
        """So many bytes of a file have been read."""
        self._counts[os.getpid() % _PLACES] += size
        self._path[:] = os.fsencode(path)[-_PATH:].ljust(_PATH, b"\0")

    @property
    def total(self) -> int:
        """Bytes read by all processes."""
        return sum(self._counts)

    @property
    def path(self) -> str:
        """The end of the path of the file that any of them read last; "" before the first."""
        return os.fsdecode(self._path[:].rstrip(b"\0"))


_in_use: list[Meter] = []


def use(meter: Meter | None) -> None:
    """Let a meter count what is read from now on; None: nothing counts."""
    _in_use[:] = [] if meter is None else [meter]


def note_read(path: str, size: int) -> None:
    """Tell the meter, if there is one, that so many bytes of a file have been read."""
    for meter in _in_use:
        meter.add(path, size)
