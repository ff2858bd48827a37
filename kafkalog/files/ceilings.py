"""How large a file may be that is read as a whole: what Kafka writes is far smaller, and what is larger is not looked at.

Their entries take several times their bytes, and a log dir has several such files at a time.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, TEXT_FILES
from kafkalog.errors import UnreadableFile

__all__ = ["Ceiling", "ceiling_of", "ensure_lines", "ensure_size"]


class Ceiling(NamedTuple):
    """The most bytes, and of a text file the most lines."""

    size: int
    lines: int | None = None


#: By the end of the name. `segment.index.bytes` is 10 MiB unless it was raised.
_BY_SUFFIX = {
    ".index": Ceiling(32 << 20),
    ".timeindex": Ceiling(32 << 20),
    ".txnindex": Ceiling(16 << 20),
    ".snapshot": Ceiling(16 << 20),
}
_LINES = Ceiling(8 << 20, 100_000)
_BY_NAME = {
    **dict.fromkeys(TEXT_FILES, Ceiling(1 << 20, 10_000)),
    **dict.fromkeys(("leader-epoch-checkpoint", *LOG_DIR_CHECKPOINTS), _LINES),
}
_OTHERS = Ceiling(64 << 20)


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
    _ensure(path, size, ceiling_of(path).size, "bytes")


def ensure_lines(path: str, data: bytes) -> None:
    """See that a text file has not too many lines to be read.

    Raises:
        UnreadableFile: it has.
    """
    most = ceiling_of(path).lines
    if most is not None:
        _ensure(path, data.count(b"\n"), most, "lines")


def _ensure(path: str, count: int, most: int, unit: str) -> None:
    if count > most:
        raise UnreadableFile(path, f"has {count} {unit}, at most {most} are read; see whether Kafka wrote it")
