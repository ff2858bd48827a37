"""Reading a file in windows, the next one while the last one is worked on.

Copying bytes out of the page cache takes longer than their checksum. With two threads, one works on its window while the
other reads the next; then they change places. So each window is read and worked on by one core, which has in its cache
what it has just read. The work itself is never done by both at once, so it needs no locks.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue

    from kafkalog.files.source import FileSource

    Work: TypeAlias = Callable[["Buffer", int], tuple[int, bool]]
    Turns: TypeAlias = tuple[SimpleQueue[int | None], SimpleQueue[int | None]]

__all__ = ["WINDOW", "Buffer", "ReadAhead"]

#: Bytes read at a time, into the same buffers again and again: fresh memory costs more than the checksums, and what does
#: not fit the cache of a core is fetched twice.
WINDOW = 1 << 20
#: Windows from which on a second thread pays.
_ENOUGH_FOR_TWO = 16


class Buffer:
    """A buffer: `data[at]`, for `at` from `first` up to `limit`, is the byte at `begin + at` in the file.

    A window is read to its second half. What the work on the window before did not use is carried over to the place before it.
    `view` is a view of all of `data`.
    """

    __slots__ = ("begin", "data", "first", "half", "limit", "view")

    def __init__(self, half: int) -> None:
        self.half = half
        self.data = bytearray(2 * half)
        self.view = memoryview(self.data)
        self.begin = -half
        self.first = self.limit = half

    def fill(self, source: FileSource, position: int, end: int) -> None:
        """Read the window that begins at a position, and does not reach beyond `end`."""
        self.limit = self.half + source.read_into(self.view[self.half : self.half + max(0, end - position)], position)
        self.begin = position - self.half

    def restart(self, source: FileSource, position: int, end: int) -> None:
        """Read a window with nothing in front of it."""
        self.first = self.half
        self.fill(source, position, end)

    @property
    def end(self) -> int:
        """Position in the file after the last byte that is here."""
        return self.begin + self.limit

    def holds(self, position: int) -> bool:
        """Whether the byte at a position of the file is here."""
        return self.begin + self.first <= position < self.end

    def carry_over(self, position: int, other: Buffer) -> bool:
        """Copy what is here from `position` on to before a buffer's window, maybe this one's; False if it is too much."""
        rest = self.end - position
        if rest > self.half:
            return False
        other.first = other.half - rest
        other.view[other.first : other.half] = self.view[self.limit - rest : self.limit]
        return True


class ReadAhead:
    """Hands a file, window by window, to a function that works on it.

    Args:
        source: The file.
        threads: 2 to read ahead in a second thread.
        window: Bytes read at a time.
        end: Position up to which it is read; its end by default.
    """

    def __init__(self, source: FileSource, threads: int = 1, window: int | None = None, end: int | None = None) -> None:
        self._source = source
        self._threads = threads
        self._end = source.size if end is None else min(end, source.size)
        self._window = min(window or WINDOW, self._end)
        self._buffer = Buffer(self._window)
        self._second: Buffer | None = None
        self._reached = 0
        self._error: BaseException | None = None

    def run(self, position: int, work: Work) -> int:
        """Let `work` go over the file from `position` on; returns the position where it stopped.

        `work` gets a buffer and the position to begin at. It returns the position that it has reached, and whether to go on. If
        so, it is called with the next window; the bytes that it has not used, fewer than a window, stand before it. If not,
        `run` ends.
        `work` runs in either thread, but never in both at once.

        Raises:
            FileChanged, UnreadableFile: as for `FileSource.read_into`.
        """
        buffer, size = self._buffer, self._end
        if not buffer.holds(position):
            buffer.restart(self._source, position, size)
        while True:
            position, more = work(buffer, position)
            if not more or buffer.end >= size:
                return position
            if self._threads > 1 and size - position >= _ENOUGH_FOR_TWO * self._window:
                return self._run_in_turns(position, work)
            end = buffer.end
            if not buffer.carry_over(position, buffer):
                return position
            buffer.fill(self._source, end, size)

    def _run_in_turns(self, position: int, work: Work) -> int:
        from queue import SimpleQueue

        if self._second is None:
            self._second = Buffer(self._window)
        buffers = self._buffer, self._second
        turns: Turns = SimpleQueue(), SimpleQueue()
        self._buffer.first = self._window
        self._reached, self._error = position, None

        def second_thread() -> None:
            try:
                self._take_turns(1, buffers, turns, position, work)
            except BaseException as error:  # noqa: BLE001 - raised again where the work was asked for
                self._error = error
                turns[0].put(None)

        helper = threading.Thread(target=second_thread, name="kafkalog-read-ahead", daemon=True)
        turns[0].put(position)
        helper.start()
        try:
            self._take_turns(0, buffers, turns, position, work)
        finally:
            turns[1].put(None)
            helper.join()
        if self._error is not None:
            raise self._error
        return self._reached

    def _take_turns(self, me: int, buffers: tuple[Buffer, Buffer], turns: Turns, origin: int, work: Work) -> None:
        """Read every other window; work on it in turn. The turn comes with the position that the other thread has reached."""
        buffer, other, size = buffers[me], buffers[1 - me], self._end
        for start in range(origin + me * self._window, size, 2 * self._window):
            buffer.fill(self._source, start, size)
            position = turns[me].get()
            if position is None:
                return
            position, more = work(buffer, position)
            if not more or buffer.end >= size or not buffer.carry_over(position, other):
                self._buffer, self._second, self._reached = buffer, other, position
                turns[1 - me].put(None)
                return
            turns[1 - me].put(position)
