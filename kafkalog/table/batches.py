"""The tables of what a log consists of: `batches`, `segments`, `damage`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.log import Batch, first_offset, told_base_offset, walk
from kafkalog.core.tally import LogTally
from kafkalog.files.paths import join
from kafkalog.files.source import size_of
from kafkalog.span import Padding
from kafkalog.table.columns import OF_LOG, Column, Definition
from kafkalog.table.records import BatchAt, batch_problem, date_of, logs_of
from kafkalog.table.request import Input, inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.files.segment import Segment
    from kafkalog.table.request import Request

__all__ = ["BATCHES", "DAMAGE", "SEGMENTS"]


def _batches(request: Request) -> Iterator[BatchAt]:
    for log in logs_of(request):
        for source in log.sources():
            for item in walk(source):
                if isinstance(item, Damage):
                    request.on_damage(log.path, item)
                elif isinstance(item, Batch):
                    yield BatchAt(log, item)


def _header(name: str) -> Callable[[BatchAt], Any]:
    """A field that only magic 2 has."""
    return lambda row: getattr(row.batch.header, name) if isinstance(row.batch, RecordBatch) else None


def _max_timestamp(row: BatchAt) -> int:
    return row.batch.header.max_timestamp if isinstance(row.batch, RecordBatch) else row.batch.max_timestamp


BATCHES = Definition(
    "batches",
    "A row for each batch; in magic 0 and 1 for each message, and each wrapper of compressed ones.",
    (
        *OF_LOG,
        Column(
            "base_offset",
            "int64",
            "Offset of its first record; None for a wrapper, which does not say it.",
            lambda row: told_base_offset(row.batch),
        ),
        Column("last_offset", "int64", "Offset of its last record.", lambda row: row.batch.last_offset),
        Column("records_count", "int32", "Records in it; None in magic 0 and 1.", _header("records_count")),
        Column("position", "int64", "Where it begins in the file.", lambda row: row.batch.position),
        Column("size", "int32", "Its bytes.", lambda row: row.batch.size),
        Column("magic", "int8", "Message format version.", lambda row: row.batch.magic),
        Column("compression", "category", "Its codec.", lambda row: row.compression),
        Column("timestamp_type", "int32", "0 CreateTime, 1 LogAppendTime, -1 none (magic 0).", lambda row: row.timestamp_type),
        Column(
            "base_timestamp",
            "int64",
            "As stored, milliseconds: the first record's, or the delete horizon; None in magic 0 and 1.",
            _header("base_timestamp"),
        ),
        Column(
            "max_timestamp",
            "timestamp",
            "The largest timestamp; None where it has none or lies outside the years 1 to 9999.",
            lambda row: date_of(_max_timestamp(row)),
        ),
        Column("max_timestamp_ms", "int64", "The largest timestamp as stored, milliseconds; -1 none.", _max_timestamp),
        Column(
            "partition_leader_epoch", "int32", "Epoch of the leader that appended it, -1 none.", lambda row: row.leader_epoch
        ),
        Column("producer_id", "int64", "Id of an idempotent or transactional producer, -1 none.", lambda row: row.producer_id),
        Column("producer_epoch", "int16", "The producer's epoch, -1 none.", lambda row: row.epoch),
        Column(
            "base_sequence", "int32", "Its first sequence number, -1 none; None in magic 0 and 1.", _header("base_sequence")
        ),
        Column("is_transactional", "bool", "Whether it was sent in a transaction.", lambda row: row.is_transactional),
        Column("is_control", "bool", "Whether its records are control records.", lambda row: row.is_control),
        Column(
            "transaction",
            "category",
            "How its transaction ended: committed, aborted, or open; None: it belongs to none.",
            lambda row: row.transaction,
        ),
        Column(
            "delete_horizon_ms",
            "int64",
            "When its tombstones or markers may go, milliseconds; None when not set.",
            lambda row: row.batch.delete_horizon_ms if isinstance(row.batch, RecordBatch) else None,
        ),
        Column("crc_ok", "bool", "Whether its checksum is right.", lambda row: row.crc_ok),
        Column("path", "name", "The file it is in.", lambda row: row.path),
        Column("problem", "name", "Why it is doubtful: crc; None: nothing.", lambda row: batch_problem(crc_ok=row.crc_ok)),
    ),
    _batches,
)


class SegmentSums(NamedTuple):
    """A segment, and what its log holds."""

    log: Input
    segment: Segment
    tally: LogTally


def _segments(request: Request) -> Iterator[SegmentSums]:
    for log in inputs_of(request.items):
        for segment in log.segments:
            tally = LogTally(unpacks=True)
            for item in segment.walk():
                if isinstance(item, Damage):
                    request.on_damage(segment.paths[".log"], item)
                tally.add(item)
            yield SegmentSums(log, segment, tally)


def _size(suffix: str) -> Callable[[SegmentSums], int | None]:
    return lambda row: size_of(row.segment.paths.get(suffix))


SEGMENTS = Definition(
    "segments",
    "A row for each segment.",
    (
        *OF_LOG,
        Column("base_offset", "int64", "Its base offset, by its name.", lambda row: row.segment.base_offset),
        Column(
            "first_offset",
            "int64",
            "Offset of its first record; None without any.",
            lambda row: None if row.tally.first is None else first_offset(row.tally.first),
        ),
        Column(
            "last_offset",
            "int64",
            "Offset of its last record; None without any.",
            lambda row: None if row.tally.last is None else row.tally.last.last_offset,
        ),
        Column("batches", "int64", "Batches in its log.", lambda row: row.tally.batches),
        Column("records", "int64", "Records in its log, by the counts in its batches.", lambda row: row.tally.records),
        Column("size", "int64", "Bytes of its log; None when there is none.", _size(".log")),
        Column(
            "max_timestamp",
            "timestamp",
            "The largest timestamp of a batch; None where there is none that is a date.",
            lambda row: None if row.tally.newest is None else date_of(row.tally.newest),
        ),
        Column("damaged_bytes", "int64", "Bytes of the log that are no batch.", lambda row: row.tally.damaged_bytes),
        Column("padding_bytes", "int64", "Zeros at the end of the log.", lambda row: row.tally.padding),
        Column("wrong_crcs", "int64", "Batches whose checksum is wrong.", lambda row: row.tally.bad_crcs),
        Column("index_size", "int64", "Bytes of its .index; None when there is none.", _size(".index")),
        Column("time_index_size", "int64", "Bytes of its .timeindex; None when there is none.", _size(".timeindex")),
        Column("transaction_index_size", "int64", "Bytes of its .txnindex; None when there is none.", _size(".txnindex")),
        Column("snapshot_size", "int64", "Bytes of its .snapshot; None when there is none.", _size(".snapshot")),
        Column("path", "name", "Its log, or another of its files.", lambda row: next(iter(row.segment.paths.values()))),
    ),
    _segments,
)


class DamageAt(NamedTuple):
    """Damage, and the file and the partition it is in."""

    log: Input
    path: str
    damage: Damage


def _damage(request: Request) -> Iterator[DamageAt]:
    for log in inputs_of(request.items):
        for segment in log.segments:
            for path, damage in _damage_of(segment):
                yield DamageAt(log, path, damage)
        epochs = None if log.partition is None else log.partition.leader_epochs
        for damage in () if epochs is None else epochs.damages:
            yield DamageAt(log, join(log.path, "leader-epoch-checkpoint"), damage)


def _damage_of(segment: Segment) -> Iterator[tuple[str, Damage]]:
    for item in segment.walk():
        if isinstance(item, Damage):
            yield segment.paths[".log"], item
        elif not isinstance(item, Padding):
            for record in item.walk_records():
                if isinstance(record, Damage):
                    yield segment.paths[".log"], record
    for suffix, read in _SIBLINGS.items():
        sibling = read(segment)
        if sibling is not None and sibling.damage is not None:
            yield segment.paths[suffix], sibling.damage


_SIBLINGS: dict[str, Callable[[Segment], Any]] = {
    ".index": lambda segment: segment.offset_index,
    ".timeindex": lambda segment: segment.time_index,
    ".txnindex": lambda segment: segment.transaction_index,
    ".snapshot": lambda segment: segment.producer_snapshot,
}


DAMAGE = Definition(
    "damage",
    "A row for each range of bytes that cannot be read: between batches, among the records of one, at the end of an index.",
    (
        *OF_LOG,
        Column("path", "name", "The file it is in.", lambda row: row.path),
        Column("start", "int64", "First byte, in the file or in the decompressed records.", lambda row: row.damage.span.start),
        Column("end", "int64", "The byte after the last.", lambda row: row.damage.span.end),
        Column(
            "batch_position",
            "int64",
            "Where the batch begins whose decompressed records it is in; None: start and end are bytes of the file.",
            lambda row: row.damage.span.space,
        ),
        Column("reason", "string", "Why, in one line.", lambda row: row.damage.reason),
    ),
    _damage,
)
