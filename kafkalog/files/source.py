"""Files opened for reading only, and seen through a bounded window."""

from __future__ import annotations

import errno
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.core.source import HELD, Window, WindowedBytes
from kafkalog.errors import FileChanged, UnreadableFile
from kafkalog.files.ceilings import ensure_lines, ensure_size
from kafkalog.files.meter import note_read
from kafkalog.files.mounted import node_at
from kafkalog.files.nodes import Descriptor, Folder, InChunks, Opened, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType
    from typing import TextIO

    from kafkalog.core.source import Bytes

__all__ = [
    "FileSource",
    "describe_os_error",
    "hashes_of",
    "nowhere",
    "read_file",
    "size_of",
    "small_or_in_windows",
    "unreadable",
]

#: Bytes read at a time; a batch larger than this gets a window of its own size.
WINDOW = 1 << 20
#: How often a small file is read that shrinks under the eyes.
_TRIES = 3

_WINDOWS = re.compile(r"([A-Za-z]):[\\/](.*)", re.DOTALL)

_KINDS = (
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a FIFO, not a regular file"),
    (stat.S_ISSOCK, "is a socket, not a regular file"),
    (stat.S_ISCHR, "is a character device, not a regular file"),
    (stat.S_ISBLK, "is a block device, not a regular file"),
)


def describe_os_error(error: OSError) -> str:
    """Why the system refused, in a few words."""
    if error.errno == errno.ENOENT:
        return "no such file or directory"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    return (error.strerror or str(error)).lower()


def unreadable(path: str, error: OSError | ValueError) -> UnreadableFile:
    """What to raise when the system refuses a path, or no file can have such a name (Python's own words for it change)."""
    if isinstance(error, OSError):
        reason = describe_os_error(error) + _what_to_do(path, error)
        return UnreadableFile(path, reason, is_missing=error.errno == errno.ENOENT)
    wrong = "a NUL byte" if "\0" in path else "a character that this system cannot spell"
    return UnreadableFile(path, f"no file name can hold {wrong}")


def _what_to_do(path: str, error: OSError) -> str:
    windows = _WINDOWS.fullmatch(path)
    if error.errno == errno.ENOENT and windows is not None:
        rest = windows[2].replace("\\", "/")
        return f": this is a path of Windows; under WSL it is /mnt/{windows[1].lower()}/{rest}"
    if error.errno not in (errno.EACCES, errno.EPERM):
        return ""
    owner = _owner_of(path)
    if owner is None:
        return ": run as the user of the broker, or as root (sudo)"
    return f": it belongs to {owner}; run as that user (sudo -u {owner}) or as root"


def _owner_of(path: str) -> str | None:
    """Who may read a path, or the nearest folder above it that tells; None: the system knows no name."""
    import pwd

    while True:
        try:
            return pwd.getpwuid(os.stat(path).st_uid).pw_name
        except KeyError:
            return None
        except (OSError, ValueError):
            above = os.path.dirname(path)
            if above in (path, ""):
                return None
            path = above


class FileSource:
    """A regular file, open for reading; a `Source` for the walkers of `kafkalog.core`.

    At most one window is held, of 1 MiB or as large as the largest batch. The size is taken once, when it is opened:
    if fewer bytes are there when they are wanted, `FileChanged` is raised; bytes that are appended later are not seen,
    `grown` reports them.

    Args:
        path: Where it is; printed as given.
        window: Bytes read at a time, where not more are asked for; 1 MiB by default.
        beneath: Whether to open what stands there by itself, also where something else is read in its place.

    Raises:
        UnreadableFile: it is missing, no regular file, or may not be read.
    """

    def __init__(self, path: str, window: int | None = None, *, beneath: bool = False) -> None:
        self.path = path
        self._at_once = window
        self._opened: Opened = Descriptor()
        #: Where it begins in what is open: not at 0 when it is a piece of something else.
        self._begin = 0
        self._is_piece = False
        try:
            node = node_at(path, beneath=beneath)
            if node is not None:
                self._open_node(node)
                return
            # Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
            number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._opened = Descriptor(number)
            status = os.fstat(number)
        except (OSError, ValueError) as error:
            self.close()
            raise unreadable(path, error) from None
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise UnreadableFile(path, next((text for test, text in _KINDS if test(status.st_mode)), "is no regular file"))
        self.size = status.st_size
        self.modified_ns = status.st_mtime_ns
        self.inode = status.st_ino
        self._window = Window(0, b"")

    @classmethod
    def of_descriptor(cls, path: str, descriptor: int) -> FileSource:
        """A file that is open already, and will be closed with it; `path` is what it is called."""
        source = cls.__new__(cls)
        source.path, source._at_once = path, None  # noqa: SLF001 - its own
        status = os.fstat(descriptor)
        source._open_node(Piece(Descriptor(descriptor), 0, status.st_size, status.st_mtime_ns, status.st_ino))  # noqa: SLF001 - its own
        os.close(descriptor)
        return source

    def opened(self) -> Opened:
        """What is open, once more and the caller's own."""
        return self._opened.again()

    def _open_node(self, node: Piece | Folder) -> None:
        if isinstance(node, Folder):
            raise UnreadableFile(self.path, "is a directory")
        self._opened = node.opened.again()
        _, self._begin, self.size, self.modified_ns, self.inode = node
        self._is_piece = True
        self._window = Window(0, b"")

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on: at least `need` of them, or all up to the end.

        Raises:
            FileChanged: the file is shorter than it was when it was opened.
            UnreadableFile: the system refused to read on.
        """
        held = self._window
        at = position - held.start
        end = min(position + need, self.size)
        if at < 0 or end - held.start > len(held.data) or at > len(held.data):
            size = min(max(need, self._at_once or WINDOW), self.size - position)
            held = self._window = Window(position, self._read_ahead(position, max(0, size), max(0, end - position)))
        return held

    def _read_ahead(self, position: int, size: int, need: int) -> bytes:
        """Bytes of a window; of what is put together from chunks no more than is needed where the rest cannot be read."""
        try:
            return self._read(position, size)
        except UnreadableFile:
            if not isinstance(self._opened, InChunks) or size == need:
                raise
            return self._read(position, need)

    def _read(self, position: int, size: int) -> bytes:
        try:
            begin = self._begin + position
            data = self._opened.read(size, begin)
            while len(data) < size:
                more = self._opened.read(size - len(data), begin + len(data))
                if not more:
                    raise FileChanged(self.path, self.size, self._opened.state()[0])
                data += more
        except OSError as error:
            raise UnreadableFile(self.path, describe_os_error(error)) from None
        note_read(self.path, size)
        return data

    def read(self, position: int = 0, size: int | None = None) -> bytes:
        """`size` bytes from `position` on, fewer at the end; all of them by default.

        Raises:
            FileChanged, UnreadableFile: as for `window`.
        """
        left = max(0, self.size - position)
        return self._read(position, left if size is None else min(size, left))

    def read_into(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer with the bytes from `position` on; gives how many there were before the file's end.

        Raises:
            FileChanged, UnreadableFile: as for `window`.
        """
        want = max(0, min(len(buffer), self.size - position))
        have = 0
        try:
            while have < want:
                got = self._opened.read_into(buffer[have:want], self._begin + position + have)
                if not got:
                    raise FileChanged(self.path, self.size, self._opened.state()[0])
                have += got
        except OSError as error:
            raise UnreadableFile(self.path, describe_os_error(error)) from None
        note_read(self.path, have)
        return have

    @property
    def grown(self) -> FileChanged | None:
        """What to report when bytes were appended since it was opened, else None."""
        now = self.size if self._is_piece else self._opened.state()[0]
        return FileChanged(self.path, self.size, now) if now != self.size else None

    @property
    def is_rewritten(self) -> bool:
        """Whether it was written to since it was opened, by its time of modification."""
        return not self._is_piece and self._opened.state()[1] != self.modified_ns

    def close(self) -> None:
        """Give the file back; may be called again."""
        self._opened.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def nowhere() -> TextIO:
    """A stream that takes everything and keeps nothing."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC), "w")


def read_file(path: str) -> bytes:
    """All bytes of a small file.

    One that shrinks meanwhile is read again: a broker trims the indexes of a segment when it rolls the next.

    Raises:
        UnreadableFile: it cannot be read, or is larger than such a file may be (`files.ceilings`).
        FileChanged: it shrank each time it was read.
    """
    for _ in range(_TRIES - 1):
        try:
            return _read_once(path)
        except FileChanged:
            continue
    return _read_once(path)


def _read_once(path: str) -> bytes:
    with FileSource(path) as source:
        ensure_size(path, source.size)
        data = source.read()
        ensure_lines(path, data)
        return data


@contextmanager
def small_or_in_windows(path: str) -> Iterator[Bytes]:
    """The bytes of a file of entries: all of a small one, those of a large one as they are asked for.

    Raises:
        UnreadableFile, FileChanged: as for `read_file`.
    """
    with FileSource(path) as source:
        yield read_file(path) if source.size <= HELD else WindowedBytes(source)


def hashes_of(paths: Iterable[str], on_unreadable: Callable[[UnreadableFile], None]) -> dict[str, str]:
    """The SHA-256 of the bytes of each file, in hex; `on_unreadable` is told of those that cannot be read."""
    found = {}
    for path in paths:
        try:
            found[path] = _sha256(path)
        except UnreadableFile as error:
            on_unreadable(error)
    return found


def _sha256(path: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    with FileSource(path) as source:
        for position in range(0, source.size, WINDOW):
            digest.update(source.read(position, WINDOW))
    return digest.hexdigest()


def size_of(path: str | None) -> int | None:
    """Bytes of a file; None when there is none, or it cannot be asked."""
    try:
        node = None if path is None else node_at(path)
        if isinstance(node, Piece):
            return node.size
        return None if path is None else os.stat(path).st_size
    except (OSError, UnreadableFile):
        return None
