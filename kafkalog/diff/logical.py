"""Two replicas compared record by record: compaction, recompression and other batches are no difference then."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

from kafkalog.diff.values import DifferingRecord, LogicalDifference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.record import Record
    from kafkalog.diff.replica import Replica

    AnyRecord = Record | LegacyRecord

__all__ = ["LogicalComparison"]

#: Keys that are held until it is known whether later records have them.
_MOST_KEYS = 500_000


class _Lacking:
    """Records that only one of the replicas has: those that compaction explains, and those that are lost.

    A record is explained by a later one of its key in either replica. Of each key only the last record is held, by a hash of
    the key; of more keys than can be held, both logs are read once more for each lot.
    """

    def __init__(self, replicas: tuple[Replica, Replica]) -> None:
        self.superseded = self.lost = 0
        self.first_lost: int | None = None
        self.last_lost: int | None = None
        self._replicas = replicas
        self._last: dict[bytes, int] = {}

    def add(self, record: AnyRecord) -> None:
        if record.is_aborted:
            self.superseded += 1
            return
        if record.key is None:
            self._lose(record.offset)
            return
        key = _hash(record.key)
        if self._last.pop(key, None) is not None:
            self.superseded += 1
        if record.value is None:
            self.superseded += 1
            return
        self._last[key] = record.offset
        if len(self._last) >= _MOST_KEYS:
            self.settle()

    def settle(self) -> None:
        """Look for later records of the keys that are held."""
        for replica in self._replicas if self._last else ():
            for record in replica.partition.records():
                if record.key is not None and self._last:
                    key = _hash(record.key)
                    if self._last.get(key, record.offset) < record.offset:
                        del self._last[key]
                        self.superseded += 1
        for offset in sorted(self._last.values()):
            self._lose(offset)
        self._last.clear()

    def _lose(self, offset: int) -> None:
        self.lost += 1
        self.first_lost = offset if self.first_lost is None else min(self.first_lost, offset)
        self.last_lost = offset if self.last_lost is None else max(self.last_lost, offset)

    @property
    def offsets(self) -> tuple[int, int] | None:
        return None if self.first_lost is None or self.last_lost is None else (self.first_lost, self.last_lost)


def _hash(key: bytes) -> bytes:
    return blake2b(key, digest_size=16).digest()


class LogicalComparison:
    """Compares two replicas record by record.

    Args:
        one: The one.
        other: The other.
        compared_from: The offset from which both can have records.
        log_ends: Log end offsets of both.
        show: How many records that differ are kept, of each replica.
    """

    def __init__(self, one: Replica, other: Replica, compared_from: int, log_ends: tuple[int, int], show: int = 0) -> None:
        self._both = (one, other)
        self._from = compared_from
        self._ends = log_ends
        self._show = show
        self._shown: tuple[list[DifferingRecord], list[DifferingRecord]] = ([], [])
        self._same = self._differing = 0
        self._lacking = (_Lacking(self._both), _Lacking(self._both))

    def run(self, *, is_settled: bool = True) -> LogicalDifference:
        """Compare them.

        Args:
            is_settled: Whether it is looked for what explains the records that one of them lacks.

        Raises:
            UnreadableFile: a segment cannot be read.
        """
        end = min(self._ends)
        for a, b in _by_offset(*(replica.partition.records() for replica in self._both)):
            if a is not None and b is not None:
                self._pair(a, b)
            else:
                side, record = (0, a) if a is not None else (1, b)
                assert record is not None
                self._alone(side, record, counts=record.offset < end and is_settled)
                del record
            # Large ones must not lie in memory beside the next ones.
            del a, b
        for lacking in self._lacking:
            lacking.settle()
        first, second = self._lacking
        return LogicalDifference(
            self._same,
            self._differing,
            (first.superseded, second.superseded),
            (first.lost, second.lost),
            (first.offsets, second.offsets),
        )

    def _alone(self, side: int, record: AnyRecord, *, counts: bool) -> None:
        if record.offset < self._from:
            return
        self._keep(side, "only", record)
        if counts:
            self._lacking[side].add(record)

    @property
    def shown(self) -> tuple[DifferingRecord, ...]:
        """The first records of each replica that the other has not, or has otherwise."""
        return (*self._shown[0], *self._shown[1])

    def _pair(self, a: AnyRecord, b: AnyRecord) -> None:
        if a[1:4] == b[1:4] and a.headers == b.headers:
            self._same += 1
        elif a.offset >= self._from:
            self._differing += 1
            self._keep(0, "other", a)
            self._keep(1, "other", b)

    def _keep(self, side: int, kind: str, record: AnyRecord) -> None:
        if len(self._shown[side]) < self._show:
            headers = tuple((header.key, header.value) for header in record.headers)
            self._shown[side].append(
                DifferingRecord(self._both[side].side, kind, record.offset, record.timestamp, record.key, record.value, headers)
            )


def _by_offset(left: Iterable[AnyRecord], right: Iterable[AnyRecord]) -> Iterator[tuple[AnyRecord | None, AnyRecord | None]]:
    """The records of two logs, paired by their offsets."""
    ours, theirs = iter(left), iter(right)
    a, b = next(ours, None), next(theirs, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.offset < b.offset):
            yield a, None
            a = next(ours, None)
        elif a is None or b.offset < a.offset:
            yield None, b
            b = next(theirs, None)
        else:
            yield a, b
            del a, b
            a, b = next(ours, None), next(theirs, None)
