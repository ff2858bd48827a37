"""The events of consumer groups: when they committed offsets, by the coordinator's log."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import COMMIT
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.core.spoken import count_text
from kafkalog.core.transaction_ends import kind_of_marker
from kafkalog.replay.logs import Notes, log_of
from kafkalog.timeline.event import APPEND, Event, LeftOut

if TYPE_CHECKING:
    from kafkalog.files.partition import Partition
    from kafkalog.replay.logs import LogRecord

__all__ = ["CONSUMER_OFFSETS", "group_events"]

CONSUMER_OFFSETS = "__consumer_offsets"
_OFFSET_COMMIT = "OffsetCommit"
_HOUR = 3_600_000
#: Events of a partition.
_MOST = 2000


class _Commits:
    """What a group committed in an hour."""

    def __init__(self, first: LogRecord, time: int) -> None:
        self.first = first
        self.time = self.last_time = time
        self.number = 0
        self.partitions: set[tuple[str, int]] = set()


class _Commit(NamedTuple):
    group: str
    partition: tuple[str, int]
    time: int
    item: LogRecord


class _Hours:
    """Commits by group and hour, as many of these as are told."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, int], _Commits] = {}
        self.left_out: set[tuple[str, int]] = set()
        self._open: dict[int, list[_Commit]] = {}

    def take(self, item: LogRecord) -> None:
        """Take a record; a transaction's commits count when it is committed."""
        batch = item.batch
        if isinstance(batch, RecordBatch) and batch.is_control:
            commits = self._open.pop(batch.header.producer_id, ())
            for one in commits if kind_of_marker(batch) == COMMIT else ():
                self._count(one)
            return
        commit = _commit_of(item)
        if commit is None:
            return
        if isinstance(batch, RecordBatch) and batch.is_transactional:
            self._open.setdefault(batch.header.producer_id, []).append(commit)
        else:
            self._count(commit)

    def _count(self, commit: _Commit) -> None:
        key = (commit.group, commit.time // _HOUR)
        found = self.told.get(key)
        if found is None:
            if len(self.told) >= _MOST:
                self.left_out.add(key)
                return
            found = self.told[key] = _Commits(commit.item, commit.time)
        found.number += 1
        found.last_time = max(found.last_time, commit.time)
        found.partitions.add(commit.partition)


def _commit_of(item: LogRecord) -> _Commit | None:
    """The offset that a record commits; None: it commits none."""
    decoded = read_coordinator_record(GROUP_RECORDS, item.record.key, item.record.value)
    key, value = decoded.key, decoded.value
    if decoded.name != _OFFSET_COMMIT or key is None or value is None:
        return None
    return _Commit(key["group"], (key["topic"], key["partition"]), value["commitTimestamp"], item)


def group_events(partition: Partition, broker: str) -> tuple[list[Event], list[LeftOut]]:
    """When groups committed offsets: one event for each group and hour, of what the cleaner has left in the log.

    Args:
        partition: A directory of `__consumer_offsets`.
        broker: The node id of its log dir; "".

    Raises:
        UnreadableFile: a file cannot be read.
    """
    hours = _Hours()
    for item in log_of(partition).records(Notes()):
        hours.take(item)
    name = os.path.basename(partition.path)
    events = []
    for (group, _), found in hours.told.items():
        kept = f"{count_text(found.number, 'commit')} of {count_text(len(found.partitions), 'partition')} in this hour"
        facts = {
            "group": group,
            "commits": found.number,
            "partitions": len(found.partitions),
            "last_time": found.last_time,
        }
        message = f"group {group} commits offsets: {kept}"
        offset, path = found.first.record.offset, found.first.path
        events.append(Event(found.time, APPEND, "group-committed", broker, name, path, offset, message, facts))
    left_out = [LeftOut(partition.path, "group-committed", len(hours.left_out))] if hours.left_out else []
    return events, left_out
