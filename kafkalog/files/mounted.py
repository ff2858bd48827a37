"""What is read as a directory though it is none: an archive, standard input, a file under another name.

Below the path of such a thing stand its members, each a piece of an open file: nothing is unpacked, and no name that an
archive holds ever reaches the system. All that asks the system about a path to examine asks here first.
"""

from __future__ import annotations

import errno
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.errors import UnreadableFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "DEFAULT_SPOOL",
    "EXAMINED",
    "MAX_SPOOL",
    "STDIN",
    "TELL",
    "Folder",
    "Piece",
    "exists",
    "is_directory",
    "is_mount",
    "mount",
    "node_at",
    "problems_since",
    "unmount",
]

#: How standard input is called.
STDIN = "-"
#: Bytes that one archive, or standard input, may take in a temporary file.
DEFAULT_SPOOL = 64 << 30
MAX_SPOOL: ContextVar[int] = ContextVar("MAX_SPOOL", default=DEFAULT_SPOOL)
#: Takes a line about what was taken in, and what of it was left out; None: nobody wants to know.
TELL: ContextVar[Callable[[str], object] | None] = ContextVar("TELL", default=None)
#: Paths that are examined: no temporary file is made below them.
EXAMINED: ContextVar[tuple[str, ...]] = ContextVar("EXAMINED", default=())


class Piece(NamedTuple):
    """A file in it: bytes of an open file, from a position on. `number` tells it from the others."""

    descriptor: int
    begin: int
    size: int
    modified_ns: int
    number: int


class Folder:
    """A directory in it, by name."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: dict[str, Piece | Folder] = {}

    def below(self, names: Iterable[str]) -> Piece | Folder | None:
        """What stands below it under these names; None: nothing."""
        found: Piece | Folder | None = self
        for name in names:
            found = found.nodes.get(name) if isinstance(found, Folder) else None
        return found


_mounts: dict[str, Folder] = {}
_problems: list[UnreadableFile] = []


def mount(path: str, folder: Folder, problems: Iterable[str] = ()) -> None:
    """From now on read a path as a directory, of which some could not be read."""
    _problems.extend(UnreadableFile(path, problem) for problem in problems)
    for spelling in (path, os.path.normpath(path), os.path.abspath(path), os.path.realpath(path)):
        _mounts[spelling] = folder


def unmount(path: str) -> None:
    """From now on read a path as what it is."""
    folder = _mounts.get(path)
    for spelling in [spelling for spelling, one in _mounts.items() if one is folder]:
        del _mounts[spelling]


def node_at(path: str) -> Piece | Folder | None:
    """What stands at a path; None: what the system says.

    Raises:
        FileNotFoundError: the path leads into something mounted, in which there is no such thing.
    """
    if not _mounts or "\0" in path:
        return None
    parts = os.path.normpath(path).split("/")
    for end in range(len(parts), 0, -1):
        folder = _mounts.get("/".join(parts[:end]))
        if folder is not None:
            node = folder.below(parts[end:])
            if node is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            return node
    return None


def is_mount(path: str) -> bool:
    """Whether a path itself is mounted, not what it leads to."""
    return path in _mounts


def problems_since() -> tuple[UnreadableFile, ...]:
    """What could not be read of all that was mounted since this was asked last."""
    found = tuple(_problems)
    _problems.clear()
    return found


def is_directory(path: str) -> bool:
    """Whether a path is a directory, links followed."""
    try:
        node = node_at(path)
    except FileNotFoundError:
        return False
    return os.path.isdir(path) if node is None else isinstance(node, Folder)


def exists(path: str) -> bool:
    """Whether anything is called so, be it a link that leads nowhere."""
    try:
        return node_at(path) is not None or os.path.lexists(path)
    except FileNotFoundError:
        return False
