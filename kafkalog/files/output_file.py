"""Files that are written: whole or not at all, and never among those that are examined."""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["PARTIAL", "check_apart", "written_whole"]

#: What is added to a file's name while it is being written.
PARTIAL = ".partial"


def check_apart(out: str, paths: Iterable[str]) -> None:
    """Refuse to write among what is examined: in a directory that was given, or in the partition directory of a file that was.

    Raises:
        RequestError: it is there.
    """
    real = os.path.realpath(out)
    for path in paths:
        examined = os.path.realpath(path)
        if not os.path.isdir(examined):
            folder = os.path.dirname(examined)
            examined = folder if parse_partition_name(os.path.basename(folder)) is not None else examined
        if real == examined or real.startswith(f"{examined.rstrip('/')}/"):
            raise RequestError(f"{out} is in {path}, which is examined and must not be changed: write it somewhere else")


@contextmanager
def written_whole(path: str, *, replace: bool = False) -> Iterator[IO[bytes]]:
    """A new file: it gets its name when all is written. What an error or an interrupt leaves unfinished is removed.

    Args:
        path: Its name; folders above it are made.
        replace: Whether a file of this name may be replaced.

    Raises:
        RequestError: there is one already.
        OSError: the system refuses.
    """
    if os.path.lexists(path) and not replace:
        raise RequestError(f"{path} is there already: --force replaces it")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    partial = path + PARTIAL
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(partial)
        raise
