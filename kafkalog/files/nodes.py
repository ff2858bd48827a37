"""What stands at a path that the system does not read as a file by itself: directories and files as they are handed around."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from kafkalog.files import restraint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Descriptor", "Folder", "InChunks", "Later", "Opened", "Piece", "Versioned"]


class Opened(Protocol):
    """Bytes that are open for reading, wherever they are."""

    def read(self, size: int, position: int) -> bytes:
        """Bytes from a position on; fewer only where it suits, none only after the end.

        Raises:
            OSError: the system refused.
            UnreadableFile: they could not be fetched.
        """
        ...

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer as far as it suits from a position on; gives how many bytes that were.

        Raises:
            OSError, UnreadableFile: as for `read`.
        """
        ...

    def state(self) -> tuple[int, int]:
        """The size now, and the time of the last modification in nanoseconds since 1970."""
        ...

    def again(self) -> Opened:
        """The same, to be closed by itself."""
        ...

    def close(self) -> None:
        """Give it back; may be called again."""
        ...


class Descriptor:
    """A file that the system has opened."""

    def __init__(self, number: int = -1) -> None:
        self.number = number

    def read(self, size: int, position: int) -> bytes:
        """Bytes from a position on."""
        return restraint.read(self.number, size, position)

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer from a position on."""
        return restraint.read_into(self.number, buffer, position)

    def state(self) -> tuple[int, int]:
        """Its size, and when it was written to last."""
        status = os.fstat(self.number)
        return status.st_size, status.st_mtime_ns

    def again(self) -> Descriptor:
        """Another descriptor of it."""
        return Descriptor(os.dup(self.number))

    def close(self) -> None:
        """Close it; may be called again."""
        if self.number >= 0:
            os.close(self.number)
            self.number = -1


class Later:
    """What is opened when somebody wants it: it gives others, and nothing itself."""

    def __init__(self, make: Callable[[], Opened]) -> None:
        self._make = make

    def read(self, size: int, position: int) -> bytes:
        """Nothing is open."""
        raise NotImplementedError

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Nothing is open."""
        raise NotImplementedError

    def state(self) -> tuple[int, int]:
        """Nothing is open."""
        raise NotImplementedError

    def again(self) -> Opened:
        """What it opens."""
        return self._make()

    def close(self) -> None:
        """Nothing is open."""


class InChunks:
    """Marks what is put together from chunks, of which one may be unreadable and its neighbours not."""


class Versioned:
    """Marks what has a version, so that the `number` of its piece tells it from what may stand there another time."""


class Piece(NamedTuple):
    """A file: bytes of what is open, from a position on. `number` tells it from others, as an inode does."""

    opened: Opened
    begin: int
    size: int
    modified_ns: int
    number: int


class Folder:
    """A directory, by name."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: dict[str, Piece | Folder] = {}

    def below(self, names: Iterable[str]) -> Piece | Folder | None:
        """What stands below it under these names; None: nothing."""
        found: Piece | Folder | None = self
        for name in names:
            found = found.nodes.get(name) if isinstance(found, Folder) else None
        return found
