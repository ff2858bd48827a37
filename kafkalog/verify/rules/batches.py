"""Rules about the header of one batch: magic 2, and the checksum of any."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, MAGIC_AT, Damage, RecordBatch
from kafkalog.core.bit_flips import CRC32, CRC32C, find_flipped_bit
from kafkalog.core.dates import date_text, timestamp_cause
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import Foretold, rule
from kafkalog.verify.rules.shared import BatchStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.log import Batch


class ZeroProducers(NamedTuple):
    """The batches of a segment that have no producer id, and epoch 0 and sequence 0; the first one's place and offsets."""

    path: str
    batches: int
    span: Span
    offsets: tuple[int, int]


_NO_FLIP = "no single flipped bit explains it"
_FLIP_OF_CHECKSUM = "bit {bit} of the stored checksum itself is flipped"
_FLIP_OF_BYTE = "flipping bit {bit} of byte {byte} makes it match"
#: Records counted at most in a damaged batch.
_MOST_COUNTED = 100_000
#: Runs of offsets without a record that are reported of one batch.
_MOST_HOLES = 100


def _magic_2(step: BatchStep) -> RecordBatch | None:
    """The batch, if it is one of magic 2 whose header is vouched for by its checksum."""
    return step.batch if step.crc_ok and isinstance(step.batch, RecordBatch) else None


def _field(batch: RecordBatch, name: str, **facts: Any) -> Hit:
    """A field of a batch's header; its base offset is among the facts."""
    return Hit(batch.span_of(name), (batch.base_offset, batch.last_offset), **facts, offset=batch.base_offset)


@rule(
    "batch-crc-mismatch",
    Severity.ERROR,
    on=BatchStep,
    message="stored checksum {stored:#010x}, computed {computed:#010x}; {diagnosis}; {readable}",
    consequence="Followers stop at offset {offset}.",
    foretold=Foretold(
        consumers="Consumers that check CRCs fail there.",
        unclean="A recovery that comes here truncates the log at byte {position} and deletes all later segments.",
    ),
    remedy=RESTORE,
    source="DefaultRecordBatch.ensureValid, LegacyRecord.ensureValid, LogSegment.recover (Kafka 3.9.1)",
    proof="crc-one-bit",
    near_miss="epoch-outside-the-checksum",
    loses="unreadable",
    invariants="A3 B2",
)
def batch_crc_mismatch(step: BatchStep) -> Iterator[Hit]:
    """The stored checksum does not match the bytes it covers.

    Magic 2 stores a CRC-32C of everything from `attributes` on, magic 0 and 1 a CRC-32 of everything from `magic` on.
    The base offset, the length, the leader epoch and (magic 2) the magic are not covered. A single flipped bit is found
    by algebra: the finding then names the byte and the bit, which speaks for failing memory or a failing disk; several
    wrong bytes speak for a lost or misplaced write.
    """
    if step.crc_ok:
        return
    batch = step.batch
    flip = _flipped_bit(batch)
    yield Hit(
        batch.span,
        step.lost,
        offsets_unknown=None if step.lost is not None else "the batch's own fields are damaged, and no batch follows it",
        stored=batch.header.crc,
        computed=batch.computed_crc,
        diagnosis=step.zeros or _diagnosis(batch, flip),
        repairable=None if flip is None else True,
        readable=_readable(batch),
        offset=step.spot.base_offset if step.lost is None else step.lost[0],
        position=batch.position,
    )


def _covered_from(batch: Batch) -> int:
    """The first byte of a batch that its checksum covers."""
    return ATTRIBUTES_AT if batch.magic == 2 else MAGIC_AT


def _flipped_bit(batch: Batch) -> tuple[int, int] | None:
    """The byte after the first covered one, and its bit, whose flip explains a wrong checksum; None: no single one does."""
    size, polynomial = batch.size - _covered_from(batch), CRC32C if batch.magic == 2 else CRC32
    return find_flipped_bit(size, batch.header.crc, batch.computed_crc, polynomial)


def _diagnosis(batch: Batch, flip: tuple[int, int] | None) -> str:
    """What explains a wrong checksum."""
    if flip is None:
        return _NO_FLIP
    byte, bit = flip
    return (_FLIP_OF_CHECKSUM if byte < 0 else _FLIP_OF_BYTE).format(bit=bit, byte=batch.position + _covered_from(batch) + byte)


def _readable(batch: Batch) -> str:
    """What can still be read of a batch with a wrong checksum."""
    read = 0
    whole = True
    for item in islice(batch.walk_records(), _MOST_COUNTED):
        whole = not isinstance(item, Damage)
        read += whole
        del item
    if whole:
        return f"its {read} records can be read" if 1 < read < _MOST_COUNTED else "all of it can be read"
    return f"{read} of its records can be read"


@rule(
    "batch-codec-unknown",
    Severity.ERROR,
    on=BatchStep,
    message="compression type id {codec}; there are 0 to 4",
    consequence="Consumers and the log cleaner fail at offset {offset}; Kafka's own dump tool dies there.",
    remedy=RESTORE,
    source="CompressionType.forId (Kafka 3.9.1)",
    proof="codec-7",
    near_miss="last-codec-that-there-is",
    loses="unreadable",
    invariants="A4",
)
def batch_codec_unknown(step: BatchStep) -> Iterator[Hit]:
    """The low three attribute bits name a codec that does not exist, although the checksum is right.

    A broker that loads the log does not look at them; whoever wants the records does.
    """
    batch = _magic_2(step)
    if batch is not None and batch.compression_id > 4:
        yield _field(
            batch,
            "attributes",
            codec=batch.compression_id,
        )


@rule(
    "batch-attributes-unknown",
    Severity.INFO,
    on=BatchStep,
    message="attribute bits {bits:#06x} have no meaning",
    consequence="None: Kafka ignores them. Its own clients do not set them.",
    remedy="Find out which client wrote offset {offset}, if it is not known.",
    source="DefaultRecordBatch.attributes (Kafka 3.9.1)",
    proof="attribute-bit-7",
    near_miss="delete-horizon-set",
    invariants="A5",
)
def batch_attributes_unknown(step: BatchStep) -> Iterator[Hit]:
    """Attribute bits 7 to 15 are set, which no release of Kafka has used."""
    batch = _magic_2(step)
    if batch is not None and batch.header.attributes & ~bits.KNOWN_BITS:
        yield _field(
            batch,
            "attributes",
            bits=batch.header.attributes & ~bits.KNOWN_BITS & 0xFFFF,
        )


@rule(
    "batch-offsets-invalid",
    Severity.ERROR,
    on=BatchStep,
    message="baseOffset {base} and lastOffsetDelta {delta} make no offset range",
    consequence="Nobody can say which offsets these records have; a recovery refuses or cuts the log here.",
    remedy=RESTORE,
    source="LogValidator.validateBatch (Kafka 3.9.1)",
    proof="delta-negative",
    near_miss="offsets-up-to-the-largest",
    loses="unreadable",
    invariants="A6",
)
def batch_offsets_invalid(step: BatchStep) -> Iterator[Hit]:
    """The base offset or the last offset delta is negative, or their sum leaves 64 bits."""
    batch = _magic_2(step)
    if batch is None:
        return
    base, delta = batch.base_offset, batch.header.last_offset_delta
    if base < 0 or delta < 0 or base + delta > 0x7FFFFFFFFFFFFFFF:
        end = batch.span_of("last_offset_delta").end if delta < 0 else batch.span_of("base_offset").end
        yield Hit(
            Span(batch.position, end), None, base=base, delta=delta, offsets_unknown="the offsets themselves are what is wrong"
        )


@rule(
    "batch-count-mismatch",
    Severity.ERROR,
    on=BatchStep,
    message="recordsCount {count}, but lastOffsetDelta {delta} allows 0 to {most}",
    consequence="Consumers fail or skip records at offset {offset}.",
    remedy=RESTORE,
    source="DefaultRecordBatch.iterator, LogValidator.validateBatch (Kafka 3.9.1)",
    proof="count-too-large",
    near_miss="count-zero",
    loses="unreadable",
    invariants="A7",
)
def batch_count_mismatch(step: BatchStep) -> Iterator[Hit]:
    """The batch claims a negative number of records, or more records than it has offsets.

    Fewer are legal: that is what compaction leaves.
    """
    batch = _magic_2(step)
    if batch is None or batch.header.last_offset_delta < 0:
        return
    count, delta = batch.header.records_count, batch.header.last_offset_delta
    if not 0 <= count <= delta + 1:
        yield _field(
            batch,
            "records_count",
            count=count,
            delta=delta,
            most=delta + 1,
        )


@rule(
    "batch-records-missing",
    Severity.ERROR,
    on=BatchStep,
    message="{count} records for the {room} offsets {offset} to {last}: {hole} hold none",
    consequence="{missing} offsets hold no record, and no log cleaner has been here that could have removed them: they are "
    "lost on this replica.",
    if_cleaned="{missing} offsets hold no record. The log cleaner may have removed them; if it never ran here, they are lost.",
    remedy=RESTORE,
    source="LogValidator.validateBatch (Kafka 3.9.1)",
    proof="last-offset-raised",
    near_miss="compacted-batch",
    history=True,
    loses="gone",
    invariants="A8 A10 A13 A14",
)
def batch_records_missing(step: BatchStep) -> Iterator[Hit]:
    """A batch has fewer records than offsets, or none at all.

    That is the mark of compaction. It is reported where records before it say that no cleaner came so far: records without
    a key, or of an aborted transaction.
    """
    batch = _magic_2(step)
    if batch is None or batch.is_control:
        return
    count, delta = batch.header.records_count, batch.header.last_offset_delta
    if not 0 <= count <= delta or step.compacted:
        return
    for first, last in islice(_without_record(batch), _MOST_HOLES):
        yield Hit(
            Span(batch.span_of("last_offset_delta").start, batch.span_of("records_count").end),
            (first, last),
            count=count,
            room=delta + 1,
            offset=batch.base_offset,
            last=batch.last_offset,
            hole=f"{first} to {last}",
            missing=last + 1 - first,
        )


def _without_record(batch: RecordBatch) -> Iterator[tuple[int, int]]:
    """First and last of each run of offsets of a batch that hold no record; what cannot be read is no such run."""
    expected = batch.base_offset
    for item in batch.walk_records():
        if isinstance(item, Damage):
            return
        if item.offset > expected:
            yield expected, item.offset - 1
        expected = item.offset + 1
    if expected <= batch.last_offset:
        yield expected, batch.last_offset


@rule(
    "batch-emptied-malformed",
    Severity.WARNING,
    on=BatchStep,
    message="a batch without records has {size} bytes, codec {codec} and baseTimestamp {base_timestamp}; "
    "the cleaner leaves 61, 0 and -1",
    consequence="Only the log cleaner writes batches without records, and not this one: nobody reads its {unread} bytes "
    "after the header.",
    remedy=COMPARE,
    source="DefaultRecordBatch.writeEmptyHeader (Kafka 3.9.1)",
    proof="count-zero",
    near_miss="empty-batch-appended",
    loses="unreadable",
    invariants="A9 A10",
)
def batch_emptied_malformed(step: BatchStep) -> Iterator[Hit]:
    """A batch says that it has no records, but is not the bare header that compaction leaves."""
    batch = _magic_2(step)
    if batch is None or batch.header.records_count != 0:
        return
    header = batch.header
    horizon = header.attributes & bits.DELETE_HORIZON
    if batch.size != BATCH_HEADER.size or batch.compression_id or header.base_timestamp != -1 or horizon:
        yield Hit(
            batch.span,
            (batch.base_offset, batch.last_offset),
            size=batch.size,
            codec=batch.compression_id,
            base_timestamp=header.base_timestamp,
            unread=batch.size - BATCH_HEADER.size,
        )


@rule(
    "batch-emptied-without-producer",
    Severity.INFO,
    on=BatchStep,
    message="a batch without records and without a producer",
    consequence="None: its offsets {offset} to {last} are taken and hold nothing.",
    remedy="Nothing to do: the log cleaner of 3.9.2, 4.0 and later leaves such batches.",
    source="KAFKA-17076, MemoryRecords.filterTo (Kafka 4.0.0)",
    proof="empty-batch-appended",
    near_miss="emptied-batch-of-a-producer",
    invariants="A10",
)
def batch_emptied_without_producer(step: BatchStep) -> Iterator[Hit]:
    """A bare header without a producer id: newer cleaners leave it when it is the last batch of a round."""
    batch = _magic_2(step)
    if batch is not None and batch.header.records_count == 0 and not batch.has_producer and not batch.is_control:
        yield Hit(batch.span, (batch.base_offset, batch.last_offset), offset=batch.base_offset, last=batch.last_offset)


@rule(
    "batch-base-timestamp-odd",
    Severity.INFO,
    on=BatchStep,
    message="baseTimestamp {base_timestamp}, {date}: {cause}",
    consequence="None for Kafka: some clients write negative timestamps. Time-based retention takes the records for very old.",
    remedy="Look at the client that wrote offset {offset}.",
    source="LogValidator.validateTimestamp (Kafka 3.9.1)",
    proof="odd-times",
    near_miss="base-timestamp-minus-one",
    invariants="A17",
)
def batch_base_timestamp_odd(step: BatchStep) -> Iterator[Hit]:
    """The base timestamp is below -1. Java's producer refuses such timestamps, librdkafka does not."""
    batch = _magic_2(step)
    if batch is not None and batch.header.base_timestamp < -1 and not batch.header.attributes & bits.DELETE_HORIZON:
        yield _field(
            batch,
            "base_timestamp",
            base_timestamp=batch.header.base_timestamp,
            date=date_text(batch.header.base_timestamp),
            cause=timestamp_cause(batch.header.base_timestamp),
        )


@rule(
    "batch-delete-horizon-odd",
    Severity.INFO,
    on=BatchStep,
    message="the delete horizon bit is set with {count} records and baseTimestamp {base_timestamp}",
    consequence="The cleaner sets it only on batches with records, to a time in milliseconds; not on that at offset {offset}.",
    remedy=COMPARE,
    source="MemoryRecords.filterTo (Kafka 3.1.0), KIP-534",
    proof="horizon-without-records",
    near_miss="delete-horizon-set",
    invariants="A18",
)
def batch_delete_horizon_odd(step: BatchStep) -> Iterator[Hit]:
    """Bit 6 of the attributes says that baseTimestamp is a delete horizon, but it is none."""
    batch = _magic_2(step)
    if batch is None or not batch.header.attributes & bits.DELETE_HORIZON:
        return
    header = batch.header
    if header.records_count <= 0 or header.base_timestamp < 0:
        yield _field(
            batch,
            "attributes",
            count=header.records_count,
            base_timestamp=header.base_timestamp,
        )


@rule(
    "batch-delete-horizon-uncompacted",
    Severity.WARNING,
    on=BatchStep,
    message="the delete horizon bit is set, but {what}",
    consequence="Time-based look-ups and the cleaner take baseTimestamp {base_timestamp} of the batch at offset {offset} for a "
    "date of deletion.",
    remedy=COMPARE,
    source="MemoryRecords.filterTo (Kafka 3.1.0), KIP-534",
    proof="horizon-bit-set",
    near_miss="horizon-after-its-records",
    invariants="A18",
)
def batch_delete_horizon_uncompacted(step: BatchStep) -> Iterator[Hit]:
    """A delete horizon lies before the batch's own records: no cleaner computes that.

    The cleaner stores its own clock plus delete.retention.ms, which is later than records that arrived before. A horizon
    that equals the timestamp of the first record is a producer's baseTimestamp under a bit that was set by damage.
    """
    batch = _magic_2(step)
    if batch is None or not batch.header.attributes & bits.DELETE_HORIZON or batch.is_control:
        return
    header = batch.header
    if header.records_count == header.last_offset_delta + 1 and 0 <= header.base_timestamp <= header.max_timestamp:
        first = next(iter(batch.walk_records()), None)
        if first is not None and getattr(first, "timestamp", None) == header.base_timestamp:
            yield Hit(
                batch.span_of("attributes"),
                (batch.base_offset, batch.last_offset),
                what="baseTimestamp is that of the first record",
                base_timestamp=header.base_timestamp,
                offset=batch.base_offset,
            )


@rule(
    "batch-delete-horizon-unexplained",
    Severity.WARNING,
    on=BatchStep,
    message="the delete horizon bit is set, {horizon}, in a log that no cleaner has been over",
    consequence="A cleaner that comes to offset {offset} later takes baseTimestamp for a date of deletion.",
    remedy=COMPARE,
    source="MemoryRecords.filterTo (Kafka 3.1.0), KIP-534",
    proof="horizon-behind-keyless",
    near_miss="delete-horizon-set",
    history=True,
    invariants="A18",
)
def batch_delete_horizon_unexplained(step: BatchStep) -> Iterator[Hit]:
    """A batch has a delete horizon, which only the log cleaner sets.

    It is reported where records before it say that no cleaner came so far: records without a key, or of an aborted
    transaction.
    """
    batch = _magic_2(step)
    if batch is not None and batch.delete_horizon_ms is not None:
        yield Hit(
            Span(batch.span_of("attributes").start, batch.span_of("base_timestamp").end),
            (batch.base_offset, batch.last_offset),
            horizon=date_text(batch.delete_horizon_ms),
            offset=batch.base_offset,
        )


@rule(
    "batch-producer-fields-odd",
    Severity.INFO,
    on=BatchStep,
    message="no producer id, but producerEpoch {epoch} and baseSequence {sequence}",
    consequence="None: without a producer id Kafka looks at neither.",
    remedy="Nothing to do; it shows which client wrote offset {offset}.",
    source="DefaultRecordBatch (Kafka 3.9.1)",
    proof="producer-epoch-without-id",
    near_miss="coordinator-sequence-0",
    invariants="A19",
)
def batch_producer_fields_odd(step: BatchStep) -> Iterator[Hit]:
    """A batch without a producer id has a producer epoch, or a sequence other than -1 and 0.

    Sequence 0 is what group coordinators and aiokafka write. Epoch 0 with sequence 0 has a rule of its own.
    """
    batch = _magic_2(step)
    if batch is None or batch.header.producer_id != -1:
        return
    header = batch.header
    zeros = header.producer_epoch == header.base_sequence == 0
    if not zeros and (header.producer_epoch != -1 or header.base_sequence not in (-1, 0)):
        yield Hit(
            Span(batch.span_of("producer_epoch").start, batch.span_of("base_sequence").end),
            (batch.base_offset, batch.last_offset),
            epoch=header.producer_epoch,
            sequence=header.base_sequence,
            offset=batch.base_offset,
        )


@rule(
    "batch-producer-fields-zero",
    Severity.INFO,
    on=ZeroProducers,
    message="producerEpoch 0 and baseSequence 0 in {count} batches without a producer id, the first at offset {offset}",
    consequence="None: without a producer id Kafka looks at neither. KafkaJS writes them so.",
    remedy="Nothing to do.",
    source="DefaultRecordBatch (Kafka 3.9.1); KafkaJS 2.2.4, protocol/recordBatch/v0",
    proof="kafkajs",
    near_miss="coordinator-sequence-0",
    invariants="A19",
)
def batch_producer_fields_zero(zeros: ZeroProducers) -> Iterator[Hit]:
    """Batches without a producer id have epoch 0 and sequence 0, where Java's producer has -1 and -1.

    Reported once a segment.
    """
    yield Hit(zeros.span, zeros.offsets, count=zeros.batches, offset=zeros.offsets[0])


@rule(
    "batch-producer-fields-missing",
    Severity.WARNING,
    on=BatchStep,
    message="producer id {producer_id} with producerEpoch {epoch} and baseSequence {sequence}",
    consequence="Leaders refuse such batches. Duplicates of that at offset {offset} cannot be recognised.",
    remedy=COMPARE,
    source="LogValidator.validateBatch (Kafka 3.9.1)",
    proof="sequence-missing",
    near_miss="producer-of-zeros",
    invariants="A19 A20",
)
def batch_producer_fields_missing(step: BatchStep) -> Iterator[Hit]:
    """A data batch with a producer id has no epoch or no sequence, or the producer id itself is impossible."""
    batch = _magic_2(step)
    if batch is None:
        return
    header = batch.header
    lacks = header.producer_id >= 0 and (header.producer_epoch < 0 or (header.base_sequence < 0 and not batch.is_control))
    if lacks or header.producer_id < -1:
        yield Hit(
            Span(batch.span_of("producer_id").start, batch.span_of("base_sequence").end),
            (batch.base_offset, batch.last_offset),
            producer_id=header.producer_id,
            epoch=header.producer_epoch,
            sequence=header.base_sequence,
            offset=batch.base_offset,
        )


@rule(
    "batch-transactional-without-producer",
    Severity.WARNING,
    on=BatchStep,
    message="the transactional bit is set, but there is no producer id",
    consequence="Leaders refuse such batches; read_committed consumers cannot know whether that at offset {offset} was "
    "aborted.",
    remedy=COMPARE,
    source="LogValidator.validateBatch (Kafka 3.9.1)",
    proof="transactional-without-producer",
    near_miss="producer-of-zeros",
    invariants="A21",
)
def batch_transactional_without_producer(step: BatchStep) -> Iterator[Hit]:
    """The batch is marked transactional, but has no producer id."""
    batch = _magic_2(step)
    if batch is not None and batch.is_transactional and batch.header.producer_id == -1 and not step.kraft:
        yield Hit(batch.span_of("attributes"), (batch.base_offset, batch.last_offset), offset=batch.base_offset)


@rule(
    "batch-epoch-missing",
    Severity.INFO,
    on=BatchStep,
    message="no partition leader epoch in magic 2",
    consequence="None for offset {offset}: brokers up to 2.0 and cleaners that convert old formats leave it so.",
    remedy="Nothing to do.",
    source="MemoryRecords.filterTo (Kafka 4.0.0)",
    proof="epoch-minus-one",
    near_miss="old-message-appended",
    invariants="A24",
)
def batch_epoch_missing(step: BatchStep) -> Iterator[Hit]:
    """The partition leader epoch is -1. A WARNING after batches that have an epoch: leaders always set one."""
    batch = _magic_2(step)
    if batch is not None and batch.header.partition_leader_epoch == -1:
        yield _field(
            batch,
            "partition_leader_epoch",
            severity=None if step.top_epoch is None else Severity.WARNING,
        )


@rule(
    "batch-epoch-negative",
    Severity.WARNING,
    on=BatchStep,
    message="partition leader epoch {epoch}",
    consequence="No leader has it. Followers that ask for the end of an epoch get wrong answers around offset {offset}.",
    remedy=f"The checksum does not cover the field. {COMPARE}",
    source="DefaultRecordBatch.partitionLeaderEpoch (Kafka 3.9.1)",
    proof="epoch-negative",
    near_miss="epoch-minus-one",
    invariants="A24",
)
def batch_epoch_negative(step: BatchStep) -> Iterator[Hit]:
    """The partition leader epoch is below -1, which nothing writes."""
    batch = _magic_2(step)
    if batch is not None and batch.header.partition_leader_epoch < -1:
        yield _field(
            batch,
            "partition_leader_epoch",
            epoch=batch.header.partition_leader_epoch,
        )
