"""What the broker makes of file names in a partition directory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import EPOCH_DIGITS, OFFSET_DIGITS
from kafkalog.kafka.failure import BrokerAborts

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CLEANED",
    "DELETED",
    "INDEX_SUFFIXES",
    "SNAPSHOT",
    "SWAP",
    "SnapshotNames",
    "offset_of_name",
    "parse_kraft_snapshot_name",
    "parse_offset",
    "segment_file_name",
]

DELETED = ".deleted"
CLEANED = ".cleaned"
SWAP = ".swap"
SNAPSHOT = ".snapshot"
INDEX_SUFFIXES = (".index", ".timeindex", ".txnindex")


@lru_cache(maxsize=1 << 16)
def parse_offset(name: str) -> int | None:
    """The number before the first dot of a file name, None when there is no dot or no number of 64 bits."""
    number, dot, _ = name.partition(".")
    return parse_java_integer(number, 64) if dot else None


def offset_of_name(name: str) -> int:
    """The number before the first dot of a file name.

    Raises:
        BrokerAborts: there is none.

    Source: LogFileUtils.offsetFromFileName, Kafka 3.9.1.
    """
    offset = parse_offset(name)
    if offset is None:
        kind = "NumberFormatException" if "." in name else "StringIndexOutOfBoundsException"
        raise BrokerAborts(kind, f"the name of {name} does not begin with an offset", file=name)
    return offset


def segment_file_name(offset: int, suffix: str) -> str:
    """The name a segment's file is opened under: 20 digits. Source: LogFileUtils.filenamePrefixFromOffset."""
    return f"{'-' if offset < 0 else ''}{abs(offset):0{OFFSET_DIGITS}d}{suffix}"


class KraftSnapshotName(NamedTuple):
    """What the name of a KRaft snapshot says: the offset after the last one it holds, and the epoch of that one."""

    offset: int
    epoch: int


def parse_kraft_snapshot_name(name: str) -> KraftSnapshotName | None:
    """Offset and epoch of `<20 digits>-<10 digits>.checkpoint`, from their places alone; None: they are no numbers.

    Source: Snapshots.parse, Kafka 3.9.1, which looks at nothing else of the name.
    """
    start = OFFSET_DIGITS + 1
    end = start + EPOCH_DIGITS
    offset, epoch = parse_java_integer(name[:OFFSET_DIGITS], 64), parse_java_integer(name[start:end], 32)
    return None if len(name) < end or offset is None or epoch is None else KraftSnapshotName(offset, epoch)


class SnapshotNames:
    """Names of producer snapshots by their offsets, ascending.

    They are asked for with every segment, so nothing here goes over all of them but `copy`, which is a copy of a list.

    Args:
        names: File names.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._entries: list[tuple[int, str]] = []
        #: Names that do not begin with an offset, in the order they came.
        self._others: dict[str, None] = {}
        for name in names:
            self.add(name)

    def add(self, name: str) -> None:
        """Add a name, unless it is there."""
        offset = parse_offset(name)
        if offset is None:
            self._others[name] = None
            return
        at = bisect_left(self._entries, (offset, name))
        if self._entries[at : at + 1] != [(offset, name)]:
            insort(self._entries, (offset, name))

    def remove(self, name: str) -> None:
        """Forget a name, if it is there."""
        self._others.pop(name, None)
        offset = parse_offset(name)
        if offset is not None:
            at = bisect_left(self._entries, (offset, name))
            if self._entries[at : at + 1] == [(offset, name)]:
                del self._entries[at]

    def check(self) -> None:
        """Raises BrokerAborts when one of them does not begin with an offset."""
        for name in self._others:
            offset_of_name(name)

    def copy(self) -> SnapshotNames:
        """A copy of the names that changes on its own."""
        copied = SnapshotNames()
        copied._entries = self._entries.copy()
        copied._others = self._others.copy()
        return copied

    def __bool__(self) -> bool:
        return bool(self._entries)

    @property
    def newest(self) -> int | None:
        """The largest offset; None when there is no name."""
        return self._entries[-1][0] if self._entries else None

    def offsets(self, start: int | None = None, end: int | None = None) -> list[int]:
        """The offsets above `start` and not above `end`, ascending."""
        first = 0 if start is None else bisect_right(self._entries, start, key=_offset)
        last = len(self._entries) if end is None else bisect_right(self._entries, end, key=_offset)
        return list(dict.fromkeys(offset for offset, _ in self._entries[first:last]))

    def name_at(self, offset: int) -> str | None:
        """The name with an offset, the last of several; None when there is none."""
        at = bisect_right(self._entries, offset, key=_offset)
        return self._entries[at - 1][1] if at and self._entries[at - 1][0] == offset else None

    def forget(self, offset: int) -> None:
        """Forget all names with an offset."""
        first = bisect_left(self._entries, offset, key=_offset)
        del self._entries[first : bisect_right(self._entries, offset, key=_offset)]


def _offset(entry: tuple[int, str]) -> int:
    return entry[0]
