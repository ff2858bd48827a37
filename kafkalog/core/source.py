"""Bytes that are handed out in windows: what a file, a batch larger than memory and a decompressed section have in common.

A `Source` is anything that can hand out a window of its bytes. `WindowedBytes` makes a range of one look like `bytes`, so
that the readers of this package go over either, and hold no more than a window of what is large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "HELD",
    "PIECE",
    "Bytes",
    "BytesSource",
    "Part",
    "Source",
    "Window",
    "WindowedBytes",
    "checksum",
    "part_of",
    "window_of",
]

#: Bytes of one batch, stored or decompressed, that are held at once; what is larger is read in windows.
HELD = 8 << 20
#: Bytes that are looked at in one go of what is larger.
PIECE = 1 << 20


class Window(NamedTuple):
    """Bytes of a source: `data` starts at `start`."""

    start: int
    data: bytes


class Source(Protocol):
    """Something with bytes. `size` is how many; `window` hands out those from `position` on.

    A window holds at least `need` bytes, or all up to the end if there are fewer, and usually many more. It stays valid
    when the next one is taken.
    """

    @property
    def size(self) -> int:
        """Bytes in all."""

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on."""


class BytesSource:
    """A source over bytes in memory."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.data)

    def window(self, position: int, need: int) -> Window:  # noqa: ARG002 - everything is there anyway
        """All bytes."""
        return Window(0, self.data)


class Part:
    """A source over a byte range of another one."""

    __slots__ = ("_start", "_whole", "size")

    def __init__(self, whole: Source, start: int, size: int) -> None:
        self._whole = whole
        self._start = start
        self.size = size

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on; what stands around the range may be among them."""
        begin, data = self._whole.window(self._start + position, need)
        return Window(begin - self._start, data)


class WindowedBytes:
    """The bytes of a source, to be indexed and sliced like `bytes`; read when they are asked for, best from front to back.

    Args:
        source: Where they are.
        start: The first of them.
        size: How many; all up to the end of the source by default.
    """

    __slots__ = ("_data", "_first", "_last", "_size", "_source", "_start")

    def __init__(self, source: Source, start: int = 0, size: int | None = None) -> None:
        self._source = source
        self._start = start
        self._size = source.size - start if size is None else size
        #: The window taken last, and its first and last byte by number.
        self._data = b""
        self._first = self._last = 0

    def __len__(self) -> int:
        return self._size

    @property
    def size(self) -> int:
        """How many there are."""
        return self._size

    @overload
    def __getitem__(self, key: int) -> int: ...

    @overload
    def __getitem__(self, key: slice) -> bytes: ...

    def __getitem__(self, key: int | slice) -> int | bytes:
        if isinstance(key, slice):
            start, stop, _ = key.indices(self._size)
            return self._read(start, max(start, stop))
        at = key if key >= 0 else key + self._size
        if not self._first <= at < self._last:
            if not 0 <= at < self._size:
                raise IndexError(key)
            self.window(at, 1)
        return self._data[at - self._first]

    def window(self, at: int, need: int) -> Window:
        """Bytes from number `at` on: at least `need` of them, or all up to the end."""
        if not (self._first <= at and at + need <= self._last):
            begin, self._data = self._source.window(self._start + at, min(need, self._size - at))
            self._first = begin - self._start
            self._last = self._first + len(self._data)
        return Window(self._first, self._data)

    def _read(self, start: int, stop: int) -> bytes:
        # A window of its own, which a large slice gets, is no copy.
        begin, data = self.window(start, stop - start)
        return data[start - begin : stop - begin]

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to `stop`, a piece at a time."""
        stop = self._size if stop is None else min(stop, self._size)
        while start < stop:
            begin, data = self.window(start, min(PIECE, stop - start))
            piece = data[start - begin : min(start + PIECE, stop) - begin]
            if not piece:
                return
            yield piece
            start += len(piece)

    def part(self, start: int, stop: int | None = None) -> WindowedBytes:
        """Those from `start` to `stop`."""
        stop = self._size if stop is None else stop
        return WindowedBytes(self._source, self._start + start, stop - start)

    def __bytes__(self) -> bytes:
        return self[:]


#: What the readers go over.
Bytes = bytes | WindowedBytes


def part_of(data: Bytes | bytearray, start: int, stop: int | None = None) -> Bytes:
    """The bytes from `start` to `stop`, in windows where they are in windows."""
    return data.part(start, stop) if isinstance(data, WindowedBytes) else bytes(data[start:stop])


def window_of(data: Bytes, at: int, need: int) -> Window:
    """Bytes from number `at` on: at least `need` of them, or all up to the end."""
    return data.window(at, need) if isinstance(data, WindowedBytes) else Window(0, data)


def checksum(function: Callable[..., int], data: Bytes, start: int, stop: int | None = None) -> int:
    """`crc32` or `crc32c` of the bytes from `start` to `stop`."""
    if not isinstance(data, WindowedBytes):
        return function(memoryview(data)[start:stop])
    value = 0
    for piece in data.pieces(start, stop):
        value = function(piece, value)
    return value
