"""How large a file may be that is read as a whole: what Kafka writes is far smaller, and what is larger is not looked at.

Their entries take several times their bytes, and a log dir has several such files at a time.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, TEXT_FILES
from kafkalog.errors import UnreadableFile

__all__ = ["Ceiling", "ceiling_of", "ensure_lines", "ensure_size"]


class Ceiling(NamedTuple):
    """The most bytes, how to look at a file that has more, and of a text file the most lines."""

    size: int
    look: str
    lines: int | None = None


_PRINT = "print it with `kafkalog dump`, which has no limit here,"
_FIRST_BYTES = "look at its first bytes (`head -c 200`)"
_FIRST_LINES = "look at its first lines (`head`)"


#: By the end of the name. `segment.index.bytes` is 10 MiB unless it was raised.
_BY_SUFFIX = {
    ".index": Ceiling(32 << 20, _PRINT),
    ".timeindex": Ceiling(32 << 20, _PRINT),
    ".txnindex": Ceiling(16 << 20, _PRINT),
    ".snapshot": Ceiling(16 << 20, _FIRST_BYTES),
}
_LINES = Ceiling(8 << 20, _FIRST_LINES, 100_000)
_BY_NAME = {
    **dict.fromkeys(TEXT_FILES, Ceiling(1 << 20, _FIRST_LINES, 10_000)),
    **dict.fromkeys(("leader-epoch-checkpoint", *LOG_DIR_CHECKPOINTS), _LINES),
}
_OTHERS = Ceiling(64 << 20, _FIRST_BYTES)


def ceiling_of(path: str) -> Ceiling:
    """That of a file, by its name."""
    name = path.rpartition("/")[2]
    suffix = f".{name.split('.')[1]}" if "." in name else ""
    return _BY_NAME.get(name) or _BY_SUFFIX.get(suffix) or _OTHERS


def ensure_size(path: str, size: int) -> None:
    """See that a file is not too large to be read.

    Raises:
        UnreadableFile: it is.
    """
    ceiling = ceiling_of(path)
    if size > ceiling.size:
        raise _too_large(path, f"{size} bytes", ceiling.size, ceiling.look)


def ensure_lines(path: str, data: bytes) -> None:
    """See that a text file has not too many lines to be read.

    Raises:
        UnreadableFile: it has.
    """
    ceiling = ceiling_of(path)
    if ceiling.lines is not None and (lines := data.count(b"\n")) > ceiling.lines:
        raise _too_large(path, f"{lines} lines", ceiling.lines, ceiling.look)


def _too_large(path: str, has: str, most: int, look: str) -> UnreadableFile:
    reason = f"has {has}, at most {most} are read, and Kafka seldom writes more; {look} to learn what wrote it"
    return UnreadableFile(path, reason)
