"""Images of disks, block devices, and files of any name: bytes in which logs are looked for, opened for reading only."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from kafkalog.core.source import Window
from kafkalog.errors import UnreadableFile
from kafkalog.files import restraint
from kafkalog.files.meter import note_read
from kafkalog.files.source import describe_os_error, unreadable
from kafkalog.files.urls import is_url, shown

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Image", "holds", "size_of_image"]

#: Bytes that are read at a time where the device gives errors.
_SECTOR = 4096
#: Bytes read at a time otherwise.
_WINDOW = 1 << 20


class Image:
    """A regular file or a block device, open for reading; a `Source`.

    Where a device cannot be read there are zeros in the place of its bytes; `unreadable` has these places, by their ends.

    Args:
        path: Where it is.

    Raises:
        UnreadableFile: it is missing, may not be read, or is something else.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1
        self._window = Window(0, b"")
        self.unreadable: dict[int, int] = {}
        if is_url(path):
            raise UnreadableFile(shown(path), "is not on this machine, where images are read: copy it to a disk first")
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            status = os.fstat(self._fd)
            mode = status.st_mode
            #: When a file was last written, nanoseconds; of a device that says nothing: 0.
            self.changed = status.st_mtime_ns if stat.S_ISREG(mode) else 0
            self.is_device = stat.S_ISBLK(mode)
            if not (stat.S_ISREG(mode) or self.is_device):
                self.close()
                raise UnreadableFile(path, "is neither a file nor a block device")
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
        except (OSError, ValueError) as error:
            self.close()
            raise unreadable(path, error) from None

    def fill(self, buffer: memoryview, position: int) -> int:
        """Fill a buffer with the bytes from `position` on; gives how many there were before the end.

        Raises:
            UnreadableFile: the system refuses for another reason than an error of the device.
        """
        want = max(0, min(len(buffer), self.size - position))
        have = 0
        while have < want:
            try:
                # By pieces, so that a rate is kept to evenly.
                got = restraint.read_into(self._fd, buffer[have : min(want, have + _WINDOW)], position + have)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise UnreadableFile(self.path, describe_os_error(error)) from None
                got = self._fill_slowly(buffer[have:want], position + have)
            if not got:
                # It has been cut meanwhile.
                break
            have += got
        note_read(self.path, have)
        return have

    def _fill_slowly(self, buffer: memoryview, position: int) -> int:
        """The next bytes up to the end of a sector, or zeros for them."""
        size = min(len(buffer), _SECTOR - position % _SECTOR)
        try:
            return restraint.read_into(self._fd, buffer[:size], position)
        except OSError as error:
            if error.errno != errno.EIO:
                raise UnreadableFile(self.path, describe_os_error(error)) from None
        buffer[:size] = bytes(size)
        self.unreadable[position] = position + size
        return size

    def read(self, position: int, size: int) -> bytes:
        """`size` bytes from `position` on, fewer at the end."""
        data = bytearray(max(0, min(size, self.size - position)))
        return bytes(data[: self.fill(memoryview(data), position)])

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on: at least `need` of them, or all up to the end."""
        held = self._window
        end = min(position + need, self.size)
        if not held.start <= position <= end <= held.start + len(held.data):
            held = self._window = Window(position, self.read(position, max(need, _WINDOW)))
        return held

    def close(self) -> None:
        """Give it back; may be called again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Image:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def size_of_image(path: str) -> int:
    """Bytes of a file or a block device; 0 when it cannot be asked."""
    try:
        if stat.S_ISBLK(os.stat(path).st_mode):
            with Image(path) as image:
                return image.size
        return os.stat(path).st_size
    except (OSError, UnreadableFile):
        return 0


def holds(path: str, out: str) -> bool:
    """Whether a path is the block device, or the disk with the partition, whose file system would hold a new file."""
    try:
        status = os.stat(path)
        above = os.path.realpath(out)
        while not os.path.exists(above):
            above = os.path.dirname(above)
        device = os.stat(above).st_dev
    except OSError:
        return False
    if not stat.S_ISBLK(status.st_mode):
        return False
    disk, part = (
        os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}") for number in (status.st_rdev, device)
    )
    return status.st_rdev == device or part.startswith(f"{disk}/")
