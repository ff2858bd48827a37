"""How gently files are read, so that a broker beside does not suffer: at what rate, with what priority, past whose cache.

What is set here holds for this process and for the workers that it forks afterwards.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "idle_io",
    "is_limited",
    "limit_rate",
    "lower_priority",
    "read",
    "read_into",
    "set_cache",
    "sparing_cache",
    "wait_for",
]

#: preadv2(2), Linux 6.14: what this read brings into the page cache leaves it again; what was there stays.
RWF_DONTCACHE = 0x80
#: ioprio_set(2): this process, and the class that reads only when nobody else does.
_IOPRIO_WHO_PROCESS, _IOPRIO_IDLE = 1, 3 << 13
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "ppc64le": 273, "s390x": 282, "riscv64": 30}
#: Seconds for which bytes may be read at once after a pause.
_BURST = 0.1


class _Bucket:
    """Bytes per second for all processes together: the moment from which the next may be read is in memory that they share."""

    def __init__(self, rate: float) -> None:
        import mmap
        import tempfile

        self.rate = rate
        self._among_threads = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)
        # A lock on a file goes with the process that holds it, however that ends.
        self._among_processes = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._next = memoryview(mmap.mmap(-1, 8)).cast("d")

    def _forked(self) -> None:
        self._among_threads = threading.Lock()

    def take(self, size: int) -> None:
        """Wait until so many bytes may be read."""
        with self._among_threads:
            os.lockf(self._among_processes.fileno(), os.F_LOCK, 0)
            try:
                begin = max(self._next[0], time.monotonic() - _BURST)
                self._next[0] = begin + size / self.rate
            finally:
                os.lockf(self._among_processes.fileno(), os.F_ULOCK, 0)
        wait = begin - time.monotonic()
        if wait > 0:
            time.sleep(wait)


_bucket: list[_Bucket] = []
#: What was asked for, None when nothing was; and what seems right now.
_cache: list[bool | None] = [None]
_spares_cache = [False]
#: Devices whose file system knows no such flag.
_without_flag: set[int] = set()


def limit_rate(rate: float | None) -> None:
    """Read no more than so many bytes per second from now on, all processes together; None: as fast as it goes."""
    _bucket[:] = [] if rate is None else [_Bucket(rate)]


def is_limited() -> bool:
    """Whether only so many bytes per second are read: then the disk is what takes the time."""
    return bool(_bucket)


def lower_priority(nice: int) -> None:
    """Add to the niceness of this process.

    Raises:
        RequestError: the system does not let it be lowered.
    """
    try:
        os.nice(nice)
    except OSError as error:
        raise RequestError(f"--nice {nice}: {(error.strerror or str(error)).lower()}") from None


def idle_io() -> None:
    """Read only when no other process wants the disk; up to the I/O scheduler (BFQ and mq-deadline do).

    Raises:
        RequestError: the system has no such class, or does not give it.
    """
    import ctypes

    number = _IOPRIO_SET.get(os.uname().machine) if os.uname().sysname == "Linux" else None
    if number is None:
        raise RequestError("--idle-io: this system has no idle class of I/O")
    if ctypes.CDLL(None, use_errno=True).syscall(number, _IOPRIO_WHO_PROCESS, 0, _IOPRIO_IDLE):
        raise RequestError(f"--idle-io: {os.strerror(ctypes.get_errno()).lower()}")


def set_cache(spare: bool | None) -> None:  # noqa: FBT001 - the one thing that there is to say
    """Leave the page cache as it is, or fill it as usual, whatever is read; None: by what it looks like."""
    _cache[0] = spare
    _spares_cache[0] = bool(spare)


@contextmanager
def sparing_cache(seems_right: bool) -> Iterator[None]:  # noqa: FBT001 - the one thing that there is to say
    """Leave the page cache as it is while this lasts, unless something else was asked for: a broker has better use for it."""
    before = _spares_cache[0]
    _spares_cache[0] = seems_right if _cache[0] is None else _cache[0]
    try:
        yield
    finally:
        _spares_cache[0] = before


def read(descriptor: int, size: int, position: int) -> bytes:
    """Bytes from a position of a file on, as gently as was asked; fewer at its end.

    Raises:
        OSError: the system refused.
    """
    if not _spares_cache[0]:
        wait_for(size)
        return os.pread(descriptor, size, position)
    buffer = bytearray(size)
    return bytes(memoryview(buffer)[: read_into(descriptor, buffer, position)])


def read_into(descriptor: int, buffer: memoryview | bytearray, position: int) -> int:
    """Fill a buffer from a position of a file on, as gently as was asked; gives how many bytes there were.

    Raises:
        OSError: the system refused.
    """
    wait_for(len(buffer))
    if _spares_cache[0] and (device := os.fstat(descriptor).st_dev) not in _without_flag:
        try:
            if hasattr(os, "posix_fadvise"):
                # Nothing is read ahead: what was and is not read would stay in the cache.
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
            return os.preadv(descriptor, [buffer], position, RWF_DONTCACHE)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise
            _without_flag.add(device)
    return os.preadv(descriptor, [buffer], position)


def wait_for(size: int) -> None:
    """Wait until so many bytes may be read."""
    for bucket in _bucket:
        bucket.take(size)
