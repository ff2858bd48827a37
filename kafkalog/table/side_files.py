"""The tables of the files beside a log: indexes, snapshots, epochs."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.layout import INT8, INT16, INT32, INT64, Layout
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, OffsetIndexEntry
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, ProducerEntry, read_producer_snapshot
from kafkalog.core.time_index import TIME_INDEX_ENTRY, TimeIndexEntry
from kafkalog.core.transaction_index import ABORTED_TXN, AbortedTxn
from kafkalog.files.paths import join
from kafkalog.files.source import read_file
from kafkalog.table.columns import OF_LOG, Column, ColumnType, Definition
from kafkalog.table.records import date_of
from kafkalog.table.request import Input, inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.files.segment import Segment
    from kafkalog.table.request import Request

__all__ = ["ABORTED_TRANSACTIONS", "EPOCHS", "INDEX_ENTRIES", "PRODUCERS", "TIME_INDEX_ENTRIES"]

_TYPES: dict[str, ColumnType] = {INT8.name: "int8", INT16.name: "int16", INT32.name: "int32", INT64.name: "int64"}


class EntryAt(NamedTuple):
    """An entry of a segment's side file, and its number in the file, from 0."""

    log: Input
    path: str
    base_offset: int
    number: int
    entry: OffsetIndexEntry | TimeIndexEntry | AbortedTxn | ProducerEntry
    crc_ok: bool = True


def _entries(suffix: str, read: Callable[[Segment], Any]) -> Callable[[Request], Iterator[EntryAt]]:
    def subjects(request: Request) -> Iterator[EntryAt]:
        for log in inputs_of(request.items):
            for segment in log.segments:
                found = read(segment)
                if found is None:
                    continue
                path = segment.paths[suffix]
                if found.damage is not None:
                    request.on_damage(path, found.damage)
                for number, entry in enumerate(found.entries):
                    yield EntryAt(log, path, segment.base_offset, number, entry)

    return subjects


def _absolute(row: EntryAt) -> int:
    return row.base_offset + row.entry.relative_offset if isinstance(row.entry, OffsetIndexEntry | TimeIndexEntry) else -1


def _fields(layout: Layout[Any], **renamed: str) -> tuple[Column, ...]:
    return tuple(
        Column(renamed.get(field.name, field.name), _TYPES[field.type.name], field.meaning, attrgetter(f"entry.{field.name}"))
        for field in layout.fields
    )


_OF_SEGMENT = (*OF_LOG, Column("base_offset", "int64", "Base offset of the file, by its name.", lambda row: row.base_offset))
_NUMBER = Column("number", "int32", "Number of the entry in its file, from 0.", lambda row: row.number)
_PATH = Column("path", "name", "The file it is in.", lambda row: row.path)

INDEX_ENTRIES = Definition(
    "index_entries",
    "A row for each entry of an .index.",
    (
        *_OF_SEGMENT,
        _NUMBER,
        Column("offset", "int64", "The entry's log offset.", _absolute),
        *_fields(OFFSET_INDEX_ENTRY),
        _PATH,
    ),
    _entries(".index", lambda segment: segment.offset_index),
)
TIME_INDEX_ENTRIES = Definition(
    "time_index_entries",
    "A row for each entry of a .timeindex.",
    (
        *_OF_SEGMENT,
        _NUMBER,
        Column("offset", "int64", "The entry's log offset.", _absolute),
        Column(
            "timestamp",
            "timestamp",
            "The entry's time; None where it has none or lies outside the years 1 to 9999.",
            lambda row: date_of(row.entry.timestamp),
        ),
        *_fields(TIME_INDEX_ENTRY, timestamp="timestamp_ms"),
        _PATH,
    ),
    _entries(".timeindex", lambda segment: segment.time_index),
)
ABORTED_TRANSACTIONS = Definition(
    "aborted_transactions",
    "A row for each entry of a .txnindex.",
    (*_OF_SEGMENT, _NUMBER, *_fields(ABORTED_TXN), _PATH),
    _entries(".txnindex", lambda segment: segment.transaction_index),
)


def _producers(request: Request) -> Iterator[EntryAt]:
    for log in inputs_of(request.items):
        for offset, path in _snapshots_of(log):
            found = read_producer_snapshot(read_file(path))
            if found.damage is not None:
                request.on_damage(path, found.damage)
            for number, entry in enumerate(found.entries):
                yield EntryAt(log, path, offset, number, entry, found.crc_ok)


def _snapshots_of(log: Input) -> list[tuple[int, str]]:
    """The snapshots of a partition: one need not have a segment of its own."""
    if log.partition is not None:
        return sorted(log.partition.snapshots.items())
    return [(one.base_offset, one.paths[".snapshot"]) for one in log.segments if ".snapshot" in one.paths]


PRODUCERS = Definition(
    "producers",
    "A row for each producer in a .snapshot: what the broker knew of it at that offset.",
    (
        *OF_LOG,
        Column("snapshot_offset", "int64", "Offset of the snapshot, by its name.", lambda row: row.base_offset),
        _NUMBER,
        *_fields(PRODUCER_ENTRY, timestamp="timestamp_ms"),
        Column("crc_ok", "bool", "Whether the checksum of the file is right.", lambda row: row.crc_ok),
        _PATH,
    ),
    _producers,
)


class EpochAt(NamedTuple):
    """A line of a partition's `leader-epoch-checkpoint`."""

    log: Input
    path: str
    number: int
    entry: EpochEntry


def _epochs(request: Request) -> Iterator[EpochAt]:
    for log in inputs_of(request.items):
        found = None if log.partition is None else log.partition.leader_epochs
        if found is None:
            continue
        path = join(log.path, "leader-epoch-checkpoint")
        for damage in found.damages:
            request.on_damage(path, damage)
        for number, entry in enumerate(found.entries):
            yield EpochAt(log, path, number, entry)


EPOCHS = Definition(
    "epochs",
    "A row for each line of a leader-epoch-checkpoint.",
    (
        *OF_LOG,
        _NUMBER,
        Column("epoch", "int32", "The leader epoch.", lambda row: row.entry.epoch),
        Column("start_offset", "int64", "The first offset of the epoch.", lambda row: row.entry.start_offset),
        _PATH,
    ),
    _epochs,
)
