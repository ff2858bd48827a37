"""Files that are written: whole or not at all, and never among those that are examined."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import RequestError, UnwritableFile
from kafkalog.files.source import unreadable
from kafkalog.files.urls import is_url, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PARTIAL", "NewTree", "check_apart", "open_to_append", "written_whole"]

#: What is added to a file's name while it is being written.
PARTIAL = ".partial"


def check_apart(out: str, paths: Iterable[str]) -> None:
    """Refuse to write among what is examined: in a directory that was given, or in the partition directory of a file that was.

    Raises:
        RequestError: it is there, or not on this machine.
    """
    if is_url(out):
        raise RequestError(
            f"{shown(out)} is not on this machine, where all is written: write it to a disk, and copy it from there"
        )
    # What is written has the second name until it is whole.
    for name in (out, out.rstrip("/") + PARTIAL):
        real = os.path.realpath(name)
        for path in paths:
            for examined in _examined_with(path):
                if real == examined:
                    raise RequestError(f"{name} is examined and must not be changed: write {out} somewhere else")
                if real.startswith(f"{examined.rstrip('/')}/"):
                    raise RequestError(
                        f"{out} is in {path}, which is examined and must not be changed: write it somewhere else"
                    )


def _examined_with(path: str) -> Iterator[str]:
    """What is examined with a path, links followed: it, and the directories that links in it lead to."""
    examined = os.path.realpath(path)
    if not os.path.isdir(examined):
        file = _file_on_the_way(examined)
        folder = os.path.dirname(file)
        yield folder if parse_partition_name(os.path.basename(folder)) is not None else file
        return
    yield examined
    with contextlib.suppress(OSError), os.scandir(examined) as entries:
        yield from (os.path.realpath(entry.path) for entry in entries if entry.is_symlink())


def _file_on_the_way(path: str) -> str:
    """The file that a path is, or leads through (an archive, a file that is read under another name); itself where none is."""
    at = path
    while at != os.path.dirname(at) and not os.path.lexists(at):
        at = os.path.dirname(at)
    return path if os.path.isdir(at) else at


def open_to_append(path: str) -> int:
    """A descriptor of a file that this process alone writes to, at its end; one that is not there is made, with its folders.

    The file is locked as long as the process has it open; workers that it forks do not hold the lock.

    Raises:
        UnwritableFile: the system refuses.
        RequestError: another process has it open so, or it is no regular file.
    """
    real = os.path.realpath(path)
    try:
        os.makedirs(os.path.dirname(real), exist_ok=True)
        # Without O_NONBLOCK, opening a FIFO could wait for ever.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(real, flags, 0o666)
    except (OSError, ValueError) as error:
        raise UnwritableFile(path, unreadable(path, error).reason) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RequestError(f"{path} is no regular file")
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise RequestError(f"{path} is in use by another run") from None
    except RequestError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def written_whole(path: str, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """A new file: it gets its name when all is written. What an error or an interrupt leaves unfinished is removed.

    Args:
        path: Its name; folders above it are made.
        replace: Whether a file of this name may be replaced.

    Raises:
        RequestError: there is one already, it is no regular file, or another run writes it.
        OSError: the system refuses.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise RequestError(f"{path} is there already, and no regular file: name another one, or - for stdout")
        if not replace:
            raise RequestError(f"{path} is there already: --force replaces it")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = path + PARTIAL
    _remove_left(partial)
    # A new file always: one that is there may have another name too, and what is written would be seen there.
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise


def _remove_left(partial: str) -> None:
    """Remove what a run left that was killed.

    Raises:
        RequestError: the run is still writing it.
    """
    try:
        descriptor = os.open(partial, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(partial)
    except BlockingIOError:
        raise RequestError(f"{partial} is being written by another run") from None
    finally:
        os.close(descriptor)


#: Stands in a directory that is being written, and tells that what is in it may be removed when that is begun again.
_MARK = ".kafkalog-partial"


class NewTree:
    """A new directory, which gets its name when all of it is written and on the disk.

    Until then its name has `.partial` at the end. Whatever ends the writing early leaves only that; the next run begins with
    removing it.

    Args:
        path: Its name; folders above it are made.

    Raises:
        RequestError: it is there already, something else has the other name, or another run writes it.
        OSError: the system refuses.
    """

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/") or path
        self.partial = self.path + PARTIAL
        if os.path.lexists(self.path):
            raise RequestError(f"{self.path} is there already: name a directory that is not")
        os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.partial)
        self._lock = self._take()
        for name in os.listdir(self.partial):
            if name != _MARK:
                shutil.rmtree(os.path.join(self.partial, name))

    def _take(self) -> int:
        """Make the directory this run's own."""
        names = os.listdir(self.partial)
        if names and _MARK not in names:
            raise RequestError(f"{self.partial} is there already and not an earlier run's: move it away")
        mark = os.open(os.path.join(self.partial, _MARK), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(mark)
            raise RequestError(f"{self.partial} is being written by another run") from None
        return mark

    def make_folder(self, name: str) -> str:
        """A new folder in it; returns its path while it is written."""
        path = os.path.join(self.partial, name)
        os.mkdir(path)
        return path

    @contextmanager
    def file(self, path: str) -> Iterator[IO[bytes]]:
        """A new file in one of its folders; at the end all its bytes are on the disk."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    def publish(self, folder: str | None = None) -> None:
        """Give it its name; or, with the name of one of its folders, let that be the new directory."""
        for name in os.listdir(self.partial):
            if name != _MARK:
                _sync(os.path.join(self.partial, name))
        if folder is None:
            os.unlink(os.path.join(self.partial, _MARK))
            _sync(self.partial)
            os.rename(self.partial, self.path)
        else:
            os.rename(os.path.join(self.partial, folder), self.path)
            shutil.rmtree(self.partial)
        _sync(os.path.dirname(self.path) or ".")
        self.close()

    def close(self) -> None:
        """Let others write it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> NewTree:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _sync(folder: str) -> None:
    """See that the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
