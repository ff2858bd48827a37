"""A partition directory as the modelled broker sees and changes it: an overlay, nothing is written to the real one."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from kafkalog.core.source import HELD, Bytes, BytesSource, Part, Window, WindowedBytes
from kafkalog.errors import FileChanged
from kafkalog.files.ceilings import ensure_lines, ensure_size
from kafkalog.files.source import FileSource
from kafkalog.kafka.failure import LogDirOffline
from kafkalog.kafka.file_names import SNAPSHOT, SWAP, SnapshotNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from kafkalog.core.source import Source
    from kafkalog.files.directory import Directory

__all__ = ["Disk", "DiskFile", "open_disk"]

#: Real files held open at a time.
_OPEN_FILES = 4
#: Bytes up to which a file that is no log is read as a whole, once for all who ask.
_WHOLE = 64 << 10


class _Handles:
    """The real files that are open, the least recently used one closed first."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, FileSource] = OrderedDict()

    def get(self, path: str) -> FileSource:
        source = self._open.pop(path, None)
        if source is None:
            source = FileSource(path)
            while len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
        self._open[path] = source
        return source

    def close(self) -> None:
        for source in self._open.values():
            source.close()
        self._open.clear()


class _RealFile:
    """A `Source` over a file of the examined directory, opened when bytes are wanted; small ones are read once for all."""

    def __init__(self, handles: _Handles, directory: Directory, name: str, size: int) -> None:
        self._handles = handles
        self._directory = directory
        self._name = name
        self.size = size

    def window(self, position: int, need: int) -> Window:
        if self.size <= _WHOLE and not self._name.endswith((".log", f".log{SWAP}")):
            return Window(0, self._directory.read(self._name))
        return self._handles.get(self._directory.path_of(self._name)).window(position, need)


class _Growing:
    """A `Source` over bytes in memory to which more are added."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    @property
    def size(self) -> int:
        return len(self.data)

    def window(self, position: int, need: int) -> Window:
        return Window(position, bytes(self.data[position : position + need]))


class DiskFile:
    """One file: where its bytes come from, how many of them count.

    `origin` is the name it had before the start, None for a file that the start makes. `changed`: its bytes
    are no longer those of `origin`.
    """

    __slots__ = ("_source", "changed", "origin", "original_size", "size")

    def __init__(self, source: Source, origin: str | None = None) -> None:
        self._source = source
        self.origin = origin
        self.size = self.original_size = source.size
        self.changed = origin is None

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on, at least `need` of them or all up to the end.

        Raises:
            FileChanged: the file is shorter than it was when the directory was listed.
        """
        if position + need > self.size:
            need = max(0, self.size - position)
        window = self._source.window(position, need)
        begin, data = window
        end = begin + len(data)
        if end < position + need:
            raise FileChanged(self.origin or "", self.size, self._source.size)
        return Window(begin, data[: max(0, self.size - begin)]) if end > self.size else window

    def read(self, position: int = 0, size: int | None = None) -> bytes:
        """Exactly the bytes asked for, fewer at the end.

        Raises:
            UnreadableFile: they are more than kafkalog reads of such a file (`files.ceilings`).
            FileChanged: the file is shorter than it was when the directory was listed.
        """
        end = self.size if size is None else min(self.size, position + size)
        if position >= end:
            return b""
        ensure_size(self.origin or "", end - position)
        begin, data = self._source.window(position, end - position)
        if begin + len(data) < end:
            raise FileChanged(self.origin or "", self.size, self._source.size)
        found = bytes(data[position - begin : end - begin])
        ensure_lines(self.origin or "", found)
        return found

    def bytes_at(self, position: int, size: int) -> Bytes:
        """The bytes asked for, of many in windows; they must be there, and stay until they have been read."""
        return self.read(position, size) if size <= HELD else WindowedBytes(self, position, size)

    def part(self, start: int, size: int) -> Source:
        """A range of its bytes, for a file made from it."""
        return Part(self._source, start, size)

    @property
    def source(self) -> Source:
        """Where its bytes come from: those that were cut are there too."""
        return self._source

    def truncate(self, size: int) -> None:
        """Cut it to `size` bytes."""
        if size < self.size:
            self.size = size
            self.changed = True

    def write(self, data: bytes) -> None:
        """Give it new bytes."""
        self.replace(BytesSource(data))

    def append(self, data: bytes) -> None:
        """Add bytes at its end."""
        if not isinstance(self._source, _Growing) or self._source.size != self.size:
            self._source = _Growing(self.read())
        self._source.data += data
        self.size += len(data)
        self.changed = True

    def replace(self, source: Source) -> None:
        """Let its bytes come from somewhere else."""
        self._source = source
        self.size = source.size
        self.changed = True


class Disk:
    """The files of one partition directory, by name.

    Args:
        files: Name → bytes of the regular files.
        directories: Names of what else is there: directories, and files that are not regular.
        unreadable: Names of the regular files that may not be read.
    """

    def __init__(
        self, files: Mapping[str, Source], directories: frozenset[str] = frozenset(), unreadable: frozenset[str] = frozenset()
    ) -> None:
        self.files = {name: DiskFile(source, name) for name, source in files.items()}
        self.directories = set(directories)
        self.unreadable = unreadable
        self.original = dict(self.files)
        self.snapshots = SnapshotNames(name for name in sorted(self.files) if name.endswith(SNAPSHOT))
        self._handles: _Handles | None = None

    def names(self) -> list[str]:
        """Names of the regular files, ascending, as they are now."""
        return sorted(self.files)

    def __contains__(self, name: str) -> bool:
        return name in self.files or name in self.directories

    def __getitem__(self, name: str) -> DiskFile:
        return self.files[name]

    def get(self, name: str) -> DiskFile | None:
        """The file of a name, None if there is none."""
        return self.files.get(name)

    def delete(self, name: str) -> None:
        """Remove a file, or a directory (taken to be empty), if it is there: Files.deleteIfExists."""
        self.files.pop(name, None)
        self._forget(name)
        self.directories.discard(name)

    def rename(self, name: str, to: str, *, over_directory: bool = True) -> None:
        """Rename a file over what has the new name; nothing happens when it is not there.

        Args:
            name: Its name.
            to: Its new name.
            over_directory: Whether a directory (taken to be empty) goes for it, as Utils.atomicMoveWithFallback has it;
                otherwise nothing happens.
        """
        if name in self.files and (over_directory or to not in self.directories):
            self.directories.discard(to)
            self.files[to] = self.files.pop(name)
            self._forget(name)
            if to.endswith(SNAPSHOT):
                self.snapshots.add(to)

    def create(self, name: str, source: Source | None = None) -> DiskFile:
        """Make a new file.

        Raises:
            LogDirOffline: a directory has its name.
        """
        if name in self.directories:
            raise LogDirOffline("FileNotFoundException", f"{name} is a directory", file=name)
        file = self.files[name] = DiskFile(source or BytesSource(b""))
        if name.endswith(SNAPSHOT):
            self.snapshots.add(name)
        return file

    def leave_out(self, names: Iterable[str]) -> None:
        """Look at the directory as if these had never been there."""
        for name in names:
            self.files.pop(name, None)
            self._forget(name)
            self.original.pop(name, None)
            self.directories.discard(name)

    def _forget(self, name: str) -> None:
        if name.endswith(SNAPSHOT):
            self.snapshots.remove(name)

    # --- what became of the directory ---

    def fates(self) -> Iterator[tuple[str, str | None]]:
        """Every file that was there before, and the name it has now; None: deleted."""
        now = {id(file): name for name, file in self.files.items()}
        for name, file in sorted(self.original.items()):
            yield name, now.get(id(file))

    @property
    def created(self) -> list[str]:
        """Names of the files that the start made; not of one that takes the place of a deleted one of the same name."""
        moved = {name for name, now in self.fates() if now not in (None, name)}
        return sorted(n for n, file in self.files.items() if file.origin is None and (n not in self.original or n in moved))

    def close(self) -> None:
        """Give the open files back."""
        if self._handles is not None:
            self._handles.close()

    def __enter__(self) -> Disk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _holds(self, handles: _Handles) -> Disk:
        self._handles = handles
        return self


def open_disk(directory: Directory) -> Disk:
    """The overlay over a real directory as it was when it was listed."""
    handles = _Handles()
    files: dict[str, Source] = {}
    others: set[str] = set()
    for entry in directory.entries:
        # A link that leads nowhere, or to itself, is no regular file to the broker either.
        if entry.size is None or not entry.is_regular:
            others.add(entry.name)
        else:
            files[entry.name] = _RealFile(handles, directory, entry.name, entry.size)
    return Disk(files, frozenset(others))._holds(handles)  # noqa: SLF001 - its own module
