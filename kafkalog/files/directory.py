"""A directory as it was when it was listed: read once, and passed on to all who ask what is in it."""

from __future__ import annotations

import os
import sys
from array import array
from bisect import bisect_left
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kafkalog.errors import UnreadableFile
from kafkalog.files.mounted import node_at
from kafkalog.files.nodes import Folder, Piece
from kafkalog.files.paths import join, trim
from kafkalog.files.source import read_file, unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEPT_BYTES", "Directory", "Entry", "FileState", "Room", "SmallFile", "list_directory"]

#: Bytes of small files that one log dir, or one partition directory by itself, keeps for those who ask later.
KEPT_BYTES = 32 << 20

#: What changes when a file does: device, inode, size, and when it was last written to.
FileState: TypeAlias = tuple[int, int, int, int]
_UNSIGNED = 1 << 64


class Entry(NamedTuple):
    """One name in a directory, links followed.

    Args:
        name: The name.
        is_directory: Whether it is a directory; a link that leads nowhere, or round in circles, is none.
        is_regular: Whether it is a regular file, or a link to one: Java's `File.isFile`.
        state: Its state when the directory was listed; None: the system did not tell, as of a link that leads nowhere.
    """

    name: str
    is_directory: bool
    is_regular: bool
    state: FileState | None

    @property
    def size(self) -> int | None:
        """Bytes of the file; None when they are not known."""
        return None if self.state is None else self.state[2]


class SmallFile(NamedTuple):
    """A small file, read once: its bytes, or why they could not be read."""

    path: str
    data: bytes | None
    error: UnreadableFile | None

    @property
    def content(self) -> bytes:
        """Its bytes.

        Raises:
            UnreadableFile: they could not be read, or are too many (`files.ceilings`).
        """
        if self.error is not None:
            raise self.error.with_traceback(None)
        assert self.data is not None
        return self.data


class Room:
    """How many bytes of small files may still be kept, in all the directories that share it."""

    def __init__(self, size: int = KEPT_BYTES) -> None:
        self.left = size

    def takes(self, size: int) -> bool:
        """Take up room for so many bytes, if there is enough."""
        if size > self.left:
            return False
        self.left -= size
        return True


class Directory:
    """A directory: listed once, when the object is made; each of its small files is read once, when it is first asked for.

    So all who are handed the object see one moment. It can be pickled, with the files that have been read.

    Args:
        path: The directory, in the spelling that paths below it shall have.
        parent: The log dir around it, when that has been listed: the two share the room for files that are kept.

    Raises:
        UnreadableFile: it is missing, no directory, or may not be read.
    """

    def __init__(self, path: str, parent: Directory | None = None) -> None:
        self.path = trim(path)
        self.parent = parent
        self.room: Room = Room() if parent is None else parent.room
        listed = list_directory(self.path)
        # A broker has hundreds of thousands of files: what is kept of one is its name, a byte and four numbers.
        self._names = tuple(entry.name for entry in listed)
        self._kinds = bytes(entry.is_directory | entry.is_regular << 1 | (entry.state is not None) << 2 for entry in listed)
        self._states = array("Q", (number % _UNSIGNED for entry in listed for number in entry.state or (0, 0, 0, 0)))
        #: Bytes of all regular files in it, links followed, as far as the system told them.
        self.size = sum(size for size, kind in zip(self._states[2::4], self._kinds, strict=True) if kind & 2)
        self._read: dict[str, bytes | UnreadableFile] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "parent": None}

    def again(self) -> Directory:
        """The directory as it is now.

        Raises:
            UnreadableFile: as for the first time.
        """
        return Directory(self.path, self.parent)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of everything in it, ascending."""
        return self._names

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything in it, by name."""
        return tuple(map(self._entry, range(len(self._names))))

    def _entry(self, number: int) -> Entry:
        kind = self._kinds[number]
        return Entry(self._names[number], bool(kind & 1), bool(kind & 2), self._state(number))

    def _state(self, number: int) -> FileState | None:
        if not self._kinds[number] & 4:
            return None
        device, inode, size, written = self._states[4 * number : 4 * number + 4]
        return device, inode, size, written if written < _UNSIGNED // 2 else written - _UNSIGNED

    def size_of_all(self, ending: str) -> int:
        """Bytes of everything in it whose name has an ending, as far as the system told them."""
        return sum(size for name, size in zip(self._names, self._states[2::4], strict=True) if name.endswith(ending))

    def path_of(self, name: str) -> str:
        """The path of an entry."""
        return join(self.path, name)

    def __contains__(self, name: str) -> bool:
        return self.entry(name) is not None

    def entry(self, name: str) -> Entry | None:
        """The entry of a name; None: there was none."""
        at = bisect_left(self._names, name)
        return self._entry(at) if at < len(self._names) and self._names[at] == name else None

    def is_directory(self, name: str) -> bool:
        """Whether there is a directory of a name."""
        entry = self.entry(name)
        return entry is not None and entry.is_directory

    def size_of(self, name: str) -> int | None:
        """Bytes of a file when the directory was listed; None when it was not there, or cannot be asked."""
        entry = self.entry(name)
        return None if entry is None else entry.size

    def inode_of(self, name: str) -> int | None:
        """The inode of a file when the directory was listed; None when it was not there, or cannot be asked."""
        entry = self.entry(name)
        return None if entry is None or entry.state is None else entry.state[1]

    @property
    def states(self) -> dict[str, FileState]:
        """The state of everything that told one, by name."""
        return {name: state for number, name in enumerate(self._names) if (state := self._state(number)) is not None}

    def has_changed(self) -> bool:
        """Whether a file has come, gone or been written to since, or the directory is no longer there."""
        try:
            return self.again().states != self.states
        except UnreadableFile:
            return True

    def small_file(self, name: str) -> SmallFile:
        """A small file; a second call gives what the first one read."""
        path, found = self.path_of(name), self._read.get(name)
        if found is None:
            try:
                found = read_file(path)
            except UnreadableFile as error:
                found = error
            # Of what is too large to be kept, each who asks reads the bytes there are.
            self._keep(name, found)
        return SmallFile(path, found, None) if isinstance(found, bytes) else SmallFile(path, None, found)

    @property
    def files_read(self) -> Mapping[str, bytes | UnreadableFile]:
        """The small files that have been read and are kept: their bytes, or why these could not be read."""
        return self._read

    def take_over(self, files: Mapping[str, bytes | UnreadableFile]) -> None:
        """Keep what was read by a copy of it, which had been handed to a worker."""
        for name, found in files.items():
            if name not in self._read:
                self._keep(name, found)

    def _keep(self, name: str, found: bytes | UnreadableFile) -> None:
        if self.room.takes(len(found) if isinstance(found, bytes) else 0):
            self._read[sys.intern(name)] = found  # as it was listed

    def read(self, name: str) -> bytes:
        """The bytes of a small file, as for `small_file`.

        Raises:
            UnreadableFile: it cannot be read, or is larger than such a file may be (`files.ceilings`).
        """
        return self.small_file(name).content


def list_directory(path: str, most: int | None = None, *, beneath: bool = False) -> list[Entry]:
    """The entries of a directory by name; with `most`, no more of them than that.

    Args:
        path: The directory.
        most: How many of them, at most.
        beneath: Whether what really is there is listed, also where something else is read in its place.

    Raises:
        UnreadableFile: it is missing, no directory, or may not be read.
    """
    try:
        node = node_at(path, beneath=beneath)
        if isinstance(node, Folder):
            return [_entry_of(name, node.nodes[name]) for name in islice(sorted(node.nodes), most)]
        with os.scandir(path) as entries:
            return sorted(map(_entry, islice(entries, most)))
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def _entry_of(name: str, node: Piece | Folder) -> Entry:
    if isinstance(node, Folder):
        return Entry(sys.intern(name), is_directory=True, is_regular=False, state=None)
    return Entry(sys.intern(name), is_directory=False, is_regular=True, state=(0, node.number, node.size, node.modified_ns))


def _entry(entry: os.DirEntry[str]) -> Entry:
    state, is_directory, is_regular = None, False, False
    try:
        is_directory = entry.is_dir()
        is_regular = entry.is_file()
        status = entry.stat()
        state = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:  # no context: for each of a hundred thousand files that takes as long as one of these questions
        pass
    # The directories of a log dir have the same names again and again.
    return Entry(sys.intern(entry.name), is_directory, is_regular, state)
