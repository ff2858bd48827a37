"""Rules about the records of a magic 2 batch, control records included."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.control import ABORT, COMMIT, CONTROL_RECORD_TYPES, ControlRecord
from kafkalog.errors import DecompressionFailed, FormatError, LimitExceeded, UnknownCompression
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import Damage, RecordBatch
    from kafkalog.core.record import Record


class Disorder(NamedTuple):
    """The first record, by number, whose offset delta does not fit after that of the record before it."""

    number: int
    before: int
    delta: int


class Records(NamedTuple):
    """The records of a magic 2 batch, decoded as far as they go.

    `read` is how many can be read, `last_delta` the offset delta of the last of them (-1: none), `problem` what ended the
    decoding early, `trailing` that everything Kafka reads was whole and only bytes after the codec's end are odd.
    """

    path: str
    batch: RecordBatch
    read: int
    last_delta: int
    disorder: Disorder | None
    max_timestamp: int | None
    null_keys: int
    first_null_key: int | None
    problem: Damage | None
    trailing: bool
    compacted: bool


class ControlRecords(NamedTuple):
    """The records of a control batch: each with its decoded content, or the error that decoding gave."""

    path: str
    batch: RecordBatch
    records: tuple[tuple[Record, ControlRecord | FormatError], ...]
    problem: Damage | None
    kraft: bool


@rule(
    "records-unreadable",
    Severity.ERROR,
    on=Records,
    message="{read} of {count} records can be read, then: {reason}",
    consequence="Consumers fail at offset {offset}, although the checksum is right: the batch was damaged before it was sent, "
    "or by who wrote it. The broker does not notice when it loads the log.",
    remedy="Let consumers seek past offset {last}, or write the records again from their source. Other replicas have the same "
    "bytes.",
    source="DefaultRecordBatch.iterator, DefaultRecord.readFrom (Kafka 3.9.1)",
    proof="record-too-long",
    near_miss="trailing-bytes",
    loses="unreadable",
    invariants="A11 A26",
)
def records_unreadable(records: Records) -> Iterator[Hit]:
    """The records do not decode: a length, a count or a header does not fit, or bytes are left over.

    Exactly `recordsCount` records must fill the batch, each as long as it says, each header with a key.
    """
    problem, batch = records.problem, records.batch
    if problem is None or isinstance(problem.error, DecompressionFailed | LimitExceeded | UnknownCompression):
        return
    yield Hit(
        batch.span,
        (batch.base_offset, batch.last_offset),
        read=records.read,
        count=batch.header.records_count,
        reason=problem.reason,
        offset=batch.base_offset + records.last_delta + 1,
        last=batch.last_offset,
    )


@rule(
    "records-decompression-failed",
    Severity.ERROR,
    on=Records,
    message="the {codec} section of {size} bytes is no whole stream: {reason}; {read} of {count} records can be read",
    consequence="Consumers fail at offset {offset}, and so does the log cleaner, although the checksum is right.",
    remedy="Let consumers seek past offset {last}, or write the records again from their source. Other replicas have the same "
    "bytes.",
    source="CompressionType.wrapForInput (Kafka 3.9.1)",
    proof="codec-lie",
    near_miss="unusual-framing",
    loses="unreadable",
    invariants="A11",
)
def records_decompression_failed(records: Records) -> Iterator[Hit]:
    """The compressed section cannot be decompressed to its end."""
    problem, batch = records.problem, records.batch
    if problem is None or not isinstance(problem.error, DecompressionFailed) or records.trailing:
        return
    yield Hit(
        Span(batch.position, batch.position + batch.size),
        (batch.base_offset, batch.last_offset),
        codec=problem.error.codec,
        size=batch.size - BATCH_HEADER.size,
        reason=problem.error.reason,
        read=records.read,
        count=batch.header.records_count,
        offset=batch.base_offset,
        last=batch.last_offset,
    )


@rule(
    "records-trailing-bytes",
    Severity.INFO,
    on=Records,
    message="all {count} records can be read; {reason}",
    consequence="None for offsets {offset} and on: Kafka's readers stop before those bytes.",
    remedy="Nothing to do; it shows which kind of client compressed the batch.",
    source="DefaultRecordBatch.compressedIterator (Kafka 3.9.1)",
    proof="trailing-bytes",
    near_miss="unusual-framing",
    invariants="A11",
)
def records_trailing_bytes(records: Records) -> Iterator[Hit]:
    """After the end of the compressed stream are bytes that belong to nothing, or its content checksum disagrees."""
    if records.problem is not None and records.trailing:
        yield Hit(
            records.batch.span,
            (records.batch.base_offset, records.batch.last_offset),
            count=records.read,
            reason=records.problem.reason,
            offset=records.batch.base_offset,
        )


@rule(
    "records-offsets-disordered",
    Severity.WARNING,
    on=Records,
    message="offset delta {delta} of record {number} after {before}; allowed are {least} to {most}",
    consequence="Consumers get offset {offset} out of order or twice; committed positions skip or repeat records.",
    remedy="Look at the producer: brokers do not check the deltas of uncompressed batches.",
    source="LogValidator.assignOffsetsNonCompressed (Kafka 3.9.1)",
    proof="record-deltas-disordered",
    near_miss="compacted-batch",
    invariants="A12 A13 A14",
)
def records_offsets_disordered(records: Records) -> Iterator[Hit]:
    """The offset deltas of the records do not increase strictly, or leave the range of the batch."""
    if records.disorder is not None:
        number, before, delta = records.disorder
        yield Hit(
            records.batch.span,
            (records.batch.base_offset, records.batch.last_offset),
            delta=delta,
            number=number,
            before=before,
            least=before + 1,
            most=records.batch.header.last_offset_delta,
            offset=records.batch.base_offset + delta,
        )


@rule(
    "batch-max-timestamp-mismatch",
    Severity.WARNING,
    on=Records,
    message="maxTimestamp {stored}, but the largest of its records is {largest}",
    consequence="Look-ups by time and time-based retention use {stored} for offsets {offset} and on.",
    remedy="Look at who wrote the batch: the leader computes this field.",
    source="LogValidator (Kafka 3.9.1)",
    proof="max-timestamp-changed",
    near_miss="odd-times-of-clients",
    invariants="A15 A16",
)
def batch_max_timestamp_mismatch(records: Records) -> Iterator[Hit]:
    """CreateTime: the header's maxTimestamp is not the largest timestamp of the records.

    With LogAppendTime the header holds the broker's clock, and the records' own deltas mean nothing. If all records are
    older than -1, the header says -1.
    """
    batch = records.batch
    if records.problem is not None or records.max_timestamp is None or batch.timestamp_type == "LogAppendTime":
        return
    stored = batch.header.max_timestamp
    if stored != max(records.max_timestamp, -1):
        yield Hit(
            Span(batch.span_of("attributes").start, batch.span_of("max_timestamp").end),
            (batch.base_offset, batch.last_offset),
            stored=stored,
            largest=records.max_timestamp,
            offset=batch.base_offset,
        )


@rule(
    "compacted-null-key",
    Severity.INFO,
    on=Records,
    message="{count} records without a key in a log that is compacted",
    consequence="The log cleaner drops them in its next pass, the first at offset {offset}. Leaders refuse new ones.",
    remedy="Copy them (`kafkalog dump`) if they are wanted. They were written before the topic became compacted.",
    source="LogValidator.validateKey (Kafka 3.9.1), KAFKA-7332",
    proof="null-key-in-compacted",
    near_miss="tombstone-in-compacted",
    invariants="A25",
)
def compacted_null_key(records: Records) -> Iterator[Hit]:
    """The topic is compacted now, and records without a key are in its log."""
    if records.compacted and records.null_keys and records.first_null_key is not None:
        yield Hit(
            records.batch.span,
            (records.batch.base_offset, records.batch.last_offset),
            count=records.null_keys,
            offset=records.first_null_key,
        )


@rule(
    "control-record-unreadable",
    Severity.ERROR,
    on=ControlRecords,
    message="a control record cannot be read: {reason}",
    consequence="A start that replays the log cuts it at offset {offset}, or fails. The transaction that the record should "
    "end stays open.",
    remedy=RESTORE,
    source="EndTransactionMarker.deserialize, ControlRecordType.parse (Kafka 3.9.1)",
    proof="marker-version-negative",
    near_miss="version-1-of-a-marker",
    loses="unreadable",
    invariants="A22 A23",
)
def control_record_unreadable(control: ControlRecords) -> Iterator[Hit]:
    """The key or value of a control record is too short, or has a negative version."""
    batch = control.batch
    for record, content in control.records:
        if isinstance(content, FormatError):
            yield Hit(batch.span, (record.offset, record.offset), reason=str(content), offset=record.offset)
    if control.problem is not None:
        yield Hit(batch.span, (batch.base_offset, batch.last_offset), reason=control.problem.reason, offset=batch.base_offset)


@rule(
    "control-type-unexpected",
    Severity.ERROR,
    on=ControlRecords,
    message="control record type {type} ({name}) in {where}",
    consequence="A broker that has to replay offset {offset} does not start: it knows only markers in a partition's log.",
    remedy=RESTORE,
    source="EndTransactionMarker.deserialize, ControlRecordType (Kafka 3.9.1)",
    proof="marker-type-5",
    near_miss="kraft-control",
    loses="unreadable",
    invariants="A22 A23",
)
def control_type_unexpected(control: ControlRecords) -> Iterator[Hit]:
    """A control record is neither COMMIT nor ABORT; or, in the metadata log, it is one of these.

    Types that are not known at all are left alone in the metadata log: newer releases add some.
    """
    wrong = {ABORT, COMMIT} if control.kraft else {row.id for row in CONTROL_RECORD_TYPES} - {ABORT, COMMIT}
    for record, content in control.records:
        if isinstance(content, ControlRecord) and (
            content.type_id in wrong or (not control.kraft and content.name == "UNKNOWN") or content.type_id < 0
        ):
            yield Hit(
                control.batch.span,
                (record.offset, record.offset),
                type=content.type_id,
                name=content.name,
                where="the metadata log" if control.kraft else "a partition's log",
                offset=record.offset,
            )


@rule(
    "control-batch-odd",
    Severity.WARNING,
    on=ControlRecords,
    message="a control batch with {what}",
    consequence="No coordinator or controller writes it so; offset {offset} may end a transaction in a way nobody asked for.",
    remedy=COMPARE,
    source="MemoryRecords.withEndTransactionMarker, LogValidator (Kafka 3.9.1)",
    proof="control-bit-set",
    near_miss="emptied-marker",
    invariants="A22 A23",
)
def control_batch_odd(control: ControlRecords) -> Iterator[Hit]:
    """The fields of a control batch are not those of a transaction marker, or of a KRaft control batch.

    A marker is transactional, has a producer, no sequence, no codec and one record (none when the cleaner emptied it).
    A KRaft control batch has no producer, is not transactional and holds at least one record.
    """
    batch, header = control.batch, control.batch.header
    odd = []
    if control.kraft:
        odd += ["a producer id"] if header.producer_id != -1 else []
        odd += ["the transactional bit"] if batch.is_transactional else []
        odd += ["no records"] if header.records_count < 1 else []
    else:
        odd += [] if batch.is_transactional else ["no transactional bit"]
        odd += ["no producer id"] if header.producer_id < 0 else []
        odd += [f"baseSequence {header.base_sequence}"] if header.base_sequence != -1 else []
        odd += [f"lastOffsetDelta {header.last_offset_delta}"] if header.last_offset_delta else []
        odd += [f"{header.records_count} records"] if header.records_count > 1 else []
        for record, content in control.records:
            if isinstance(content, ControlRecord):
                versions = (content.version, content.fields.get("version", 0))
                odd += [f"versions {versions[0]} and {versions[1]} at offset {record.offset}"] if any(versions) else []
    odd += [f"codec {batch.compression_id}"] if batch.compression_id else []
    if odd:
        yield Hit(batch.span, (batch.base_offset, batch.last_offset), what=" and ".join(odd), offset=batch.base_offset)
