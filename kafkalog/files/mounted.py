"""What is read as a directory though it is none: an archive, standard input, a file under another name, a URL, encoded objects.

Below the path of such a thing stand its members, each a piece of an open file, an object of a store (`files.remote`), or put
together when it is opened: nothing is unpacked, and no name that an archive holds ever reaches the system. All that asks the
system about a path to examine asks here first.
"""

from __future__ import annotations

import errno
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

from kafkalog.errors import UnreadableFile
from kafkalog.files.nodes import Folder, Piece
from kafkalog.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "DEFAULT_SPOOL",
    "EXAMINED",
    "MAX_SPOOL",
    "STDIN",
    "TELL",
    "exists",
    "is_directory",
    "is_file",
    "is_mount",
    "mount",
    "node_at",
    "problems_since",
    "unmount",
    "view",
    "view_of",
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


_mounts: dict[str, Folder] = {}
#: Directories of encoded objects → what is read in their place; what they really hold is still there beneath.
_views: dict[str, Folder] = {}
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


def view(path: str, folder: Folder | None) -> None:
    """From now on read other files in the place of those in a directory; None: read these themselves."""
    for spelling in {path, os.path.normpath(path), os.path.abspath(path)}:
        if folder is None:
            _views.pop(spelling, None)
        else:
            _views[spelling] = folder


def view_of(path: str) -> Folder | None:
    """What is read in the place of what a directory holds; None: that itself."""
    return _views.get(os.path.normpath(path))


def node_at(path: str, *, beneath: bool = False) -> Piece | Folder | None:
    """What stands at a path; None: what the system says.

    Args:
        path: The path.
        beneath: Whether what is read in the place of encoded objects is passed over.

    Raises:
        FileNotFoundError: the path leads into something mounted, in which there is no such thing.
        UnreadableFile: what is at a URL cannot be asked.
    """
    if "\0" in path:
        return None
    node: Piece | Folder | None = None
    folder, names = _mount_towards(path, beneath=beneath) if _mounts or _views else (None, [])
    if folder is not None:
        node = folder.below(names)
    elif is_url(path):
        from kafkalog.files.remote import node_of

        node = node_of(path)
    else:
        return None
    if node is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return node


def _mount_towards(path: str, *, beneath: bool) -> tuple[Folder | None, list[str]]:
    """What is mounted on the way to a path, and the names that are left from there."""
    parts = os.path.normpath(path).split("/")
    for end in range(len(parts), 0, -1):
        at = "/".join(parts[:end])
        folder = None if beneath else _views.get(at)
        if folder is None:
            folder = _mounts.get(at)
        if folder is not None:
            return folder, parts[end:]
    return None, []


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
    except (FileNotFoundError, UnreadableFile):
        return False
    return os.path.isdir(path) if node is None else isinstance(node, Folder)


def is_file(path: str) -> bool:
    """Whether a path is a regular file, links followed."""
    try:
        node = node_at(path)
    except (FileNotFoundError, UnreadableFile):
        return False
    return os.path.isfile(path) if node is None else isinstance(node, Piece)


def exists(path: str) -> bool:
    """Whether anything is called so, be it a link that leads nowhere."""
    try:
        return node_at(path) is not None or os.path.lexists(path)
    except FileNotFoundError:
        return False
    except UnreadableFile:
        return True
