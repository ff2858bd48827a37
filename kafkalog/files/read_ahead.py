"""Reading a file in windows while what was read before is looked at.

Copying bytes out of the page cache takes longer than their checksum. With two threads, one looks at its window while the
other reads the next; then they change places. So each window is read and looked at by one core, which has in its cache
what it has just read, and no two looks are at the same time, so that they need no locks.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from queue import SimpleQueue

    from kafkalog.files.source import FileSource

    Look: TypeAlias = Callable[["Slot", int], tuple[int, bool]]
    Batons: TypeAlias = tuple[SimpleQueue[int | None], SimpleQueue[int | None]]

__all__ = ["WINDOW", "Relay", "Slot"]

#: Bytes read at a time, into the same buffers again and again: fresh memory costs more than the checksums, and what does
#: not fit the cache of a core is fetched twice.
WINDOW = 1 << 20
#: Windows for which a second thread pays.
_ENOUGH_FOR_TWO = 16


class Slot:
    """A buffer: `data[at]`, for `at` from `first` up to `limit`, is the byte at `begin + at` in the file.

    A window is read to the second half of it; what the look at the window before has left over is put in front.
    `view` is a view of all of `data`.
    """

    __slots__ = ("begin", "data", "first", "half", "limit", "view")

    def __init__(self, half: int) -> None:
        self.half = half
        self.data = bytearray(2 * half)
        self.view = memoryview(self.data)
        self.begin = -half
        self.first = self.limit = half

    def fill(self, source: FileSource, position: int) -> None:
        """Read the window that begins at a position."""
        self.limit = self.half + source.read_into(self.view[self.half :], position)
        self.begin = position - self.half

    def restart(self, source: FileSource, position: int) -> None:
        """Read a window with nothing in front of it."""
        self.first = self.half
        self.fill(source, position)

    @property
    def end(self) -> int:
        """Position in the file behind the last byte that is here."""
        return self.begin + self.limit

    def holds(self, position: int) -> bool:
        """Whether the byte at a position of the file is here."""
        return self.begin + self.first <= position < self.end

    def leave(self, position: int, other: Slot) -> bool:
        """Put what is here from `position` on in front of the window of a slot, maybe this one; False if it is too much."""
        rest = self.end - position
        if rest > self.half:
            return False
        other.first = other.half - rest
        other.view[other.first : other.half] = self.view[self.limit - rest : self.limit]
        return True


class Relay:
    """Shows a file, window by window, to a look at it.

    Args:
        source: The file.
        threads: 2 to read ahead in a second thread.
    """

    def __init__(self, source: FileSource, threads: int = 1) -> None:
        self._source = source
        self._threads = threads
        self._window = min(WINDOW, source.size)
        self._slot = Slot(self._window)
        self._second: Slot | None = None
        self._reached = 0
        self._error: BaseException | None = None

    def run(self, position: int, look: Look) -> int:
        """Let `look` go over the file from `position` on; gives the position where it stopped.

        `look` gets a slot and the position where to begin in it. It returns the position it has come to, and whether it
        wants to see more: then it is shown what follows, together with what it left, which is less than a window; or it
        has stopped for good. It runs in either thread, but never in both.

        Raises:
            FileChanged, UnreadableFile: as for `FileSource.read_into`.
        """
        slot, size = self._slot, self._source.size
        if not slot.holds(position):
            slot.restart(self._source, position)
        while True:
            position, more = look(slot, position)
            if not more or slot.end >= size:
                return position
            if self._threads > 1 and size - position >= _ENOUGH_FOR_TWO * self._window:
                return self._run_in_turns(position, look)
            end = slot.end
            if not slot.leave(position, slot):
                return position
            slot.fill(self._source, end)

    def _run_in_turns(self, position: int, look: Look) -> int:
        from queue import SimpleQueue

        if self._second is None:
            self._second = Slot(self._window)
        slots = self._slot, self._second
        batons: Batons = SimpleQueue(), SimpleQueue()
        self._slot.first = self._window
        self._reached, self._error = position, None

        def help_out() -> None:
            try:
                self._take_turns(1, slots, batons, position, look)
            except BaseException as error:  # noqa: BLE001 - raised again where the work was asked for
                self._error = error
                batons[0].put(None)

        helper = threading.Thread(target=help_out, name="kafkalog-relay", daemon=True)
        batons[0].put(position)
        helper.start()
        try:
            self._take_turns(0, slots, batons, position, look)
        finally:
            batons[1].put(None)
            helper.join()
        if self._error is not None:
            raise self._error
        return self._reached

    def _take_turns(self, me: int, slots: tuple[Slot, Slot], batons: Batons, origin: int, look: Look) -> None:
        """Read every other window; look at it when the baton arrives, which is the position that the other has come to."""
        slot, other, size = slots[me], slots[1 - me], self._source.size
        for start in range(origin + me * self._window, size, 2 * self._window):
            slot.fill(self._source, start)
            position = batons[me].get()
            if position is None:
                return
            position, more = look(slot, position)
            if not more or slot.end >= size or not slot.leave(position, other):
                self._slot, self._second, self._reached = slot, other, position
                batons[1 - me].put(None)
                return
            batons[1 - me].put(position)
