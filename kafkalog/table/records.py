"""The table `records`: its columns, and its rows by the plain walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.attributes import LOG_APPEND_TIME
from kafkalog.core.batch import NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Damage, RecordBatch
from kafkalog.core.compression import COMPRESSION_TYPES
from kafkalog.core.dates import DATES
from kafkalog.core.legacy import LegacyBatch, LegacyRecord
from kafkalog.core.log import Batch, walk
from kafkalog.core.record import NO_TIMESTAMP, Record
from kafkalog.files.segment import transaction_ends
from kafkalog.files.source import FileSource
from kafkalog.table.columns import Column, Definition, columns_of_log
from kafkalog.table.request import Input, Request, inputs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.transaction_ends import TransactionEnds
    from kafkalog.files.segment import Segment

__all__ = [
    "RECORDS",
    "BatchAt",
    "EndOfCommitted",
    "LogWalk",
    "RecordAt",
    "batch_problem",
    "compression_name",
    "date_of",
    "logs_of",
    "record_problem",
]

_CODECS = {row.id: row.name for row in COMPRESSION_TYPES}


class EndOfCommitted(Exception):
    """From here on a consumer of committed records gets nothing."""


def compression_name(codec_id: int) -> str:
    """The codec's name; of an id that no codec has, the id."""
    return _CODECS.get(codec_id, str(codec_id))


def date_of(timestamp: int) -> int | None:
    """A timestamp as the column of dates has it."""
    return timestamp if timestamp in DATES and timestamp != NO_TIMESTAMP else None


class BatchAt:
    """A batch, where it is, and what it says of each of its records.

    Args:
        log: The log it is in.
        batch: The batch.
    """

    __slots__ = (
        "batch", "compression", "crc_ok", "epoch", "is_control", "is_transactional", "leader_epoch", "log", "path",
        "producer_id", "timestamp_type", "transaction",
    )  # fmt: skip

    def __init__(self, log: LogWalk, batch: Batch) -> None:
        self.log = log.log
        self.path = log.path
        self.batch = batch
        self.crc_ok = batch.crc_ok
        self.compression = compression_name(batch.compression_id)
        self.transaction: str | None = None
        if isinstance(batch, RecordBatch):
            header = batch.header
            self.timestamp_type = int(bool(header.attributes & LOG_APPEND_TIME))
            self.leader_epoch = header.partition_leader_epoch
            self.producer_id, self.epoch = header.producer_id, header.producer_epoch
            self.is_transactional, self.is_control = batch.is_transactional, batch.is_control
            self.transaction = log.transaction_of(batch)
        else:
            self.timestamp_type = int(bool(batch.header.attributes & LOG_APPEND_TIME)) if batch.magic else -1
            self.leader_epoch, self.producer_id, self.epoch = -1, NO_PRODUCER_ID, NO_PRODUCER_EPOCH
            self.is_transactional = self.is_control = False

    def sequence_of(self, record: Record | LegacyRecord) -> int:
        """The sequence number of one of its records, -1 when it has none."""
        if isinstance(self.batch, RecordBatch) and isinstance(record, Record):
            return self.batch.sequence_of(record)
        return NO_SEQUENCE

    def position_of(self, record: Record | LegacyRecord) -> int | None:
        """Where one of its records begins in the file; None when it is compressed."""
        if self.batch.compression_id:
            return None
        return self.batch.position + record.start


class RecordAt(NamedTuple):
    """A record, and the batch it is in."""

    at: BatchAt
    record: Record | LegacyRecord

    @property
    def crc_ok(self) -> bool:
        """Whether the CRC of its batch, and its own if it has one, are right."""
        return self.at.crc_ok and (not isinstance(self.record, LegacyRecord) or self.record.crc_ok)


def batch_problem(*, crc_ok: bool) -> str | None:
    """What makes all records of a batch doubtful."""
    return None if crc_ok else "crc"


def record_problem(of_batch: str | None, timestamp: int, *, keys_are_text: bool) -> str | None:
    """Everything that makes a record or one of its fields doubtful."""
    found = [] if of_batch is None else [of_batch]
    if timestamp not in DATES:
        found.append("timestamp-range")
    if not keys_are_text:
        found.append("header-key-utf8")
    return ",".join(found) or None


def _headers(record: Record | LegacyRecord) -> list[tuple[str, bytes | None]] | None:
    return [(key.decode("utf-8", "backslashreplace"), value) for key, value in record.headers] or None


def _problem(row: RecordAt) -> str | None:
    return record_problem(
        batch_problem(crc_ok=row.crc_ok), row.record.timestamp, keys_are_text=all(map(_is_text, row.record.headers))
    )


def _is_text(header: tuple[bytes, bytes | None]) -> bool:
    try:
        header[0].decode()
    except UnicodeDecodeError:
        return False
    return True


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _of_batch(name: str) -> Callable[[RecordAt], Any]:
    return lambda row: getattr(row.at, name)


class LogWalk:
    """The records of one partition's log, batch by batch.

    Args:
        request: What is asked for.
        log: The partition.
    """

    def __init__(self, request: Request, log: Input) -> None:
        self.request = request
        self.log = log
        self.path = ""
        self._ends: TransactionEnds | None = None

    @property
    def ends(self) -> TransactionEnds:
        """How its transactions ended, looked up when it is first asked for."""
        if self._ends is None:
            self._ends = transaction_ends(self.log.segments)
        return self._ends

    def transaction_of(self, batch: RecordBatch) -> str | None:
        """How the transaction of a batch ended; None: it belongs to none, or nobody wants to know."""
        if not batch.is_transactional or batch.is_control or not self.request.with_transactions:
            return None
        aborted = self.ends.is_aborted(batch)
        return "open" if aborted is None else "aborted" if aborted else "committed"

    def sources(self) -> Iterator[FileSource]:
        """Its `.log` files that can hold what is wanted, opened one after the other."""
        for segment in _may_hold(self.log.segments, self.request):
            self.path = segment.paths[".log"]
            with FileSource(self.path) as source:
                yield source

    def wants(self, batch: Batch, *, is_sound: bool = False) -> bool:
        """Whether records of a batch are wanted.

        Args:
            batch: The batch.
            is_sound: Whether its checksum has been found right already.

        Raises:
            EndOfCommitted: from this batch on none are.
        """
        request, filters = self.request, self.request.filters
        if isinstance(batch, RecordBatch):
            if request.committed:
                # Of a log whose batches are all gone over, the first one of a transaction asks.
                asks = batch.is_transactional or self._ends is not None or filters.first_offset is not None
                first_open = self.ends.first_open_offset if asks else None
                if first_open is not None and batch.base_offset >= first_open:
                    raise EndOfCommitted
                if self.ends.is_aborted(batch) if batch.is_transactional else False:
                    return False
            if batch.is_control and not request.control:
                return False
            if not filters.producer_passes(batch.header.producer_id):
                return False
            newest: int | None = batch.header.max_timestamp
        else:
            if not filters.producer_passes(NO_PRODUCER_ID):
                return False
            newest = None
        if not filters.active or (isinstance(batch, LegacyBatch) and batch.compression_id):
            return True
        # Of one whose checksum is wrong each record is looked at, whatever its header says.
        return filters.batch_may_pass(batch.base_offset, batch.last_offset, newest) or not (is_sound or batch.crc_ok)

    def rows(self, batch: Batch) -> Iterator[RecordAt]:
        """The records of a batch that are wanted."""
        if not self.wants(batch):
            return
        at, filters = BatchAt(self, batch), self.request.filters
        items: Iterator[Record | LegacyRecord | Damage] = batch.walk_records()
        for item in items:
            if isinstance(item, Damage):
                self.request.on_damage(self.path, item)
            elif not filters.active or filters.passes(item):
                yield RecordAt(at, item)


def _may_hold(segments: tuple[Segment, ...], request: Request) -> Iterator[Segment]:
    """The segments that can hold offsets that are wanted, by their base offsets."""
    first, end = request.filters.first_offset, request.filters.end_offset
    logs = [segment for segment in segments if ".log" in segment.paths]
    for number, segment in enumerate(logs):
        following = logs[number + 1].base_offset if number + 1 < len(logs) else None
        is_before = first is not None and following is not None and following <= first
        is_after = end is not None and segment.base_offset >= end
        if not is_before and not (is_after and number):
            yield segment


def logs_of(request: Request) -> Iterator[LogWalk]:
    """The logs that are asked for."""
    for log in inputs_of(request.items):
        yield LogWalk(request, log)


def _subjects(request: Request) -> Iterator[RecordAt]:
    for log in logs_of(request):
        try:
            for source in log.sources():
                for item in walk(source):
                    if isinstance(item, Damage):
                        request.on_damage(log.path, item)
                    elif isinstance(item, Batch):
                        yield from log.rows(item)
        except EndOfCommitted:
            continue


RECORDS = Definition(
    "records",
    "A row for each record that can be read. The first eight columns are those of Spark's Kafka source.",
    (
        Column("key", "binary", "The key; None is null, empty is empty.", lambda row: row.record.key),
        Column("value", "binary", "The value; None is null, a tombstone in a compacted topic.", lambda row: row.record.value),
        *columns_of_log(lambda row: row.at.log),
        Column("offset", "int64", "The record's log offset.", lambda row: row.record.offset),
        Column(
            "timestamp",
            "timestamp",
            "The record's time; None where it has none or lies outside the years 1 to 9999.",
            lambda row: date_of(row.record.timestamp),
        ),
        Column(
            "timestamp_type",
            "int32",
            "0 CreateTime, 1 LogAppendTime, -1 none (magic 0).",
            _of_batch("timestamp_type"),
        ),
        Column(
            "headers",
            "headers",
            r"The headers in stored order, keys as text (`\xNN` for what is no UTF-8); None when it has none.",
            lambda row: _headers(row.record),
        ),
        Column("timestamp_ms", "int64", "The timestamp as stored, milliseconds; -1 none.", lambda row: row.record.timestamp),
        Column("key_size", "int32", "Bytes of the key, -1 for null.", lambda row: _size(row.record.key), is_default=False),
        Column(
            "value_size", "int32", "Bytes of the value, -1 for null.", lambda row: _size(row.record.value), is_default=False
        ),
        Column("partition_leader_epoch", "int32", "Epoch of the leader that appended it, -1 none.", _of_batch("leader_epoch")),
        Column("producer_id", "int64", "Id of an idempotent or transactional producer, -1 none.", _of_batch("producer_id")),
        Column("producer_epoch", "int16", "The producer's epoch, -1 none.", _of_batch("epoch"), is_default=False),
        Column(
            "sequence",
            "int32",
            "The record's sequence number, -1 none.",
            lambda row: row.at.sequence_of(row.record),
            is_default=False,
        ),
        Column("is_transactional", "bool", "Whether it was sent in a transaction.", _of_batch("is_transactional")),
        Column("is_control", "bool", "Whether it is a control record, such as a transaction marker.", _of_batch("is_control")),
        Column(
            "transaction",
            "category",
            "How its transaction ended: committed, aborted, or open; None: it belongs to none.",
            _of_batch("transaction"),
        ),
        Column("compression", "category", "The codec of its batch.", _of_batch("compression"), is_default=False),
        Column("magic", "int8", "Message format version.", lambda row: row.at.batch.magic, is_default=False),
        Column("crc_ok", "bool", "Whether the checksum over it is right.", lambda row: row.crc_ok, is_default=False),
        Column("path", "name", "The file it is in.", _of_batch("path"), is_default=False),
        Column(
            "batch_position",
            "int64",
            "Where its batch begins in the file.",
            lambda row: row.at.batch.position,
            is_default=False,
        ),
        Column("batch_size", "int32", "Bytes of its batch.", lambda row: row.at.batch.size, is_default=False),
        Column(
            "position",
            "int64",
            "Where it begins in the file; None when its batch is compressed.",
            lambda row: row.at.position_of(row.record),
            is_default=False,
        ),
        Column(
            "problem",
            "name",
            "Why it, or a field of it, is doubtful: crc, timestamp-range, header-key-utf8, with commas; None: nothing.",
            _problem,
        ),
    ),
    _subjects,
    selects=True,
)
