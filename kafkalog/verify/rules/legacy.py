"""Rules about messages of magic 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core import attributes as bits
from kafkalog.core.batch import Damage
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1, LegacyBatch
from kafkalog.errors import DecompressionFailed
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import BatchStep

if TYPE_CHECKING:
    from collections.abc import Iterator


class OddMessage(NamedTuple):
    """The offset of the first message with something odd, and what it has: unused bytes, another magic."""

    offset: int
    value: int


class LegacyRecords(NamedTuple):
    """What the messages of magic 0 or 1 are that one shallow message holds, and what ended the decoding early.

    `first_offset` and `last_offset` are those of the first and last message, -1 without any; `ordered`: every offset is above
    the one before it. `largest_timestamp` is that of the messages of magic 1, None without any. `nested`: a message is itself
    compressed. `sound_crcs`: the checksums of all match.
    """

    path: str
    batch: LegacyBatch
    messages: int
    first_offset: int
    last_offset: int
    ordered: bool
    largest_timestamp: int | None
    nested: bool
    sound_crcs: bool
    unused: OddMessage | None
    other_magic: OddMessage | None
    problem: Damage | None


@rule(
    "legacy-message-unreadable",
    Severity.ERROR,
    on=LegacyRecords,
    message="magic {magic}: {reason}",
    consequence="Consumers fail at offset {offset}. Kafka 4 does not start when the message is the last of the log.",
    remedy=RESTORE,
    source="AbstractLegacyRecordBatch.DeepRecordsIterator, LegacyRecord.ensureValid (Kafka 3.9.1)",
    proof="legacy-value-length",
    near_miss="legacy-value",
    loses="unreadable",
    invariants="B3 B4 B6 B10 B11",
)
def legacy_message_unreadable(records: LegacyRecords) -> Iterator[Hit]:
    """Key or value do not fit into the message, or a compressed wrapper does not give whole messages."""
    problem, batch = records.problem, records.batch
    if problem is not None:
        reason = problem.reason
        if isinstance(problem.error, DecompressionFailed):
            reason = f"the wrapper does not decompress: {reason}"
        yield Hit(
            batch.span, (batch.last_offset, batch.last_offset), magic=batch.magic, reason=reason, offset=batch.last_offset
        )
    elif batch.compression_id and records.nested:
        reason = "a compressed message inside a compressed wrapper"
        yield Hit(
            batch.span, (batch.last_offset, batch.last_offset), magic=batch.magic, reason=reason, offset=batch.last_offset
        )


@rule(
    "legacy-offset-negative",
    Severity.ERROR,
    on=BatchStep,
    message="offset {offset}",
    consequence="A recovery refuses the segment; look-ups that come here skip or repeat messages.",
    remedy=RESTORE,
    source="OffsetIndex.append (Kafka 3.9.1)",
    proof="legacy-offset-negative",
    near_miss="legacy-largest-offset",
    loses="unreadable",
    invariants="B1 C3",
)
def legacy_offset_negative(step: BatchStep) -> Iterator[Hit]:
    """The offset of a message of magic 0 or 1 is negative. The field is not covered by the checksum."""
    if step.crc_ok and isinstance(step.batch, LegacyBatch) and step.spot.last_offset < 0:
        yield Hit(
            LEGACY_HEADER_V0.span_of("offset", step.spot.position),
            None,
            offset=step.spot.last_offset,
            offsets_unknown="the field with the offset is what is wrong",
        )


@rule(
    "legacy-wrapper-has-key",
    Severity.WARNING,
    on=LegacyRecords,
    message="the compressed wrapper has a key of {size} bytes",
    consequence="Readers pass over the key; no client writes one: the wrapper of offset {offset} was changed, or is no "
    "wrapper.",
    remedy=COMPARE,
    source="AbstractLegacyRecordBatch (Kafka 3.9.1)",
    proof="legacy-wrapper-key",
    near_miss="legacy-wrapper",
    invariants="B4",
)
def legacy_wrapper_has_key(records: LegacyRecords) -> Iterator[Hit]:
    """Keys belong to the messages inside a wrapper; the wrapper itself has none."""
    batch = records.batch
    if not batch.compression_id:
        return
    at = LEGACY_HEADER_V1.size if batch.magic else LEGACY_HEADER_V0.size
    size = int.from_bytes(batch.data[at : at + 4], "big", signed=True)
    if size >= 0:
        span = Span(batch.position + at, min(batch.position + at + 4 + size, batch.span.end))
        yield Hit(span, (batch.last_offset, batch.last_offset), size=size, offset=batch.last_offset)


@rule(
    "legacy-message-unused-bytes",
    Severity.ERROR,
    on=LegacyRecords,
    message="no field holds {unused} bytes of the message at offset {offset}",
    consequence="Kafka's readers refuse or misread the message.",
    remedy=RESTORE,
    source="LegacyRecord (Kafka 3.9.1)",
    proof="legacy-unused-bytes",
    near_miss="legacy-value",
    invariants="B3",
)
def legacy_message_unused_bytes(records: LegacyRecords) -> Iterator[Hit]:
    """The size of a message is larger than its fields need."""
    if records.unused is not None:
        offset, unused = records.unused
        yield Hit(records.batch.span, (offset, offset), unused=unused, offset=offset)


@rule(
    "legacy-inner-crc-mismatch",
    Severity.ERROR,
    on=LegacyRecords,
    message="message {number} inside the wrapper: stored CRC-32 {stored:#010x}, computed {computed:#010x}",
    consequence="Consumers fail at offset {offset}. No recovery looks at checksums inside a wrapper.",
    remedy=RESTORE,
    source="LegacyRecord.ensureValid (Kafka 3.9.1)",
    proof="legacy-inner-crc",
    near_miss="legacy-wrapper",
    loses="unreadable",
    invariants="B2",
)
def legacy_inner_crc_mismatch(records: LegacyRecords) -> Iterator[Hit]:
    """The checksum of a message inside a compressed wrapper does not match, although the wrapper's own does."""
    if records.batch.compression_id and not records.sound_crcs:
        # There may be too many to be held: they are read again.
        for number, message in enumerate(records.batch.walk_records()):
            if not isinstance(message, Damage) and not message.crc_ok:
                yield Hit(
                    records.batch.span,
                    (message.offset, message.offset),
                    number=number,
                    stored=message.crc,
                    computed=message.computed_crc,
                    offset=message.offset,
                )


@rule(
    "legacy-inner-magic-differs",
    Severity.WARNING,
    on=LegacyRecords,
    message="messages of magic {inner} inside a wrapper of magic {magic}",
    consequence="Their timestamps are not those that were sent; old brokers did this when converting (KAFKA-4298).",
    remedy="Nothing can be repaired; readers cope with it. First offset: {offset}.",
    source="KAFKA-4298",
    proof="legacy-inner-magic",
    near_miss="legacy-wrapper",
    invariants="B5",
)
def legacy_inner_magic_differs(records: LegacyRecords) -> Iterator[Hit]:
    """A wrapper holds messages of another format version than its own."""
    batch = records.batch
    if batch.compression_id and records.other_magic is not None:
        offset, magic = records.other_magic
        yield Hit(batch.span, (offset, batch.last_offset), inner=magic, magic=batch.magic, offset=offset)


@rule(
    "legacy-wrapper-gap",
    Severity.ERROR,
    on=LegacyRecords,
    message="the wrapper holds {count} messages for offsets {offset} to {last}",
    consequence="{missing} offsets hold no message, and no log cleaner has been here that could have removed them: they are "
    "lost on this replica.",
    if_cleaned="{missing} offsets hold no message. The log cleaner may have removed them; if it never ran here, they are lost.",
    remedy=RESTORE,
    source="AbstractLegacyRecordBatch.DeepRecordsIterator (Kafka 3.9.1)",
    proof="legacy-wrapper-gap",
    near_miss="legacy-wrapper",
    history=True,
    loses="gone",
    invariants="B7",
)
def legacy_wrapper_gap(records: LegacyRecords) -> Iterator[Hit]:
    """The offsets inside a wrapper have gaps."""
    batch = records.batch
    if batch.compression_id and records.messages and records.problem is None:
        first, count = records.first_offset, records.messages
        missing = batch.last_offset - first + 1 - count
        if missing > 0:
            lost = next(_holes(records))
            yield Hit(
                batch.span,
                lost if lost[1] - lost[0] + 1 == missing else None,
                offsets_unknown=None if lost[1] - lost[0] + 1 == missing else "they lie in several places of the wrapper",
                count=count,
                offset=first,
                last=batch.last_offset,
                missing=missing,
            )


def _holes(records: LegacyRecords) -> Iterator[tuple[int, int]]:
    """First and last of each run of offsets that a wrapper leaves out."""
    expected = records.first_offset
    for message in records.batch.walk_records():
        if not isinstance(message, Damage):
            if message.offset > expected:
                yield expected, message.offset - 1
            expected = message.offset + 1
    yield expected, records.batch.last_offset


@rule(
    "legacy-wrapper-offset-mismatch",
    Severity.WARNING,
    on=LegacyRecords,
    message="the wrapper says that its last offset is {stored}, its messages go from {first} to {last}",
    consequence="Consumers get offsets twice, or skip some.",
    remedy=COMPARE,
    source="AbstractLegacyRecordBatch (Kafka 3.9.1)",
    proof="legacy-wrapper-offset",
    near_miss="legacy-wrapper",
    invariants="B6 B8",
)
def legacy_wrapper_offset_mismatch(records: LegacyRecords) -> Iterator[Hit]:
    """The offset of a wrapper is not that of its last message, or its messages are not in order."""
    batch = records.batch
    if batch.compression_id and records.messages and records.problem is None:
        first, last = records.first_offset, records.last_offset
        if batch.last_offset not in (last, 0) or not records.ordered:
            offsets = min(first, batch.last_offset), max(first, batch.last_offset)
            yield Hit(batch.span, offsets, stored=batch.last_offset, first=first, last=last)


@rule(
    "legacy-wrapper-timestamp-mismatch",
    Severity.WARNING,
    on=LegacyRecords,
    message="the wrapper's timestamp is {stored}, the largest of its messages {largest}",
    consequence="Look-ups by time and retention use {stored} for offset {offset}.",
    remedy="Nothing can be repaired.",
    source="LogValidator (Kafka 0.10.2.2)",
    proof="legacy-wrapper-timestamp",
    near_miss="legacy-wrapper",
    invariants="B9",
)
def legacy_wrapper_timestamp_mismatch(records: LegacyRecords) -> Iterator[Hit]:
    """Magic 1 with CreateTime: the timestamp of a wrapper is not the largest of its messages."""
    batch = records.batch
    if batch.compression_id and batch.magic == 1 and batch.timestamp_type == "CreateTime":
        largest = records.largest_timestamp
        if largest is not None and records.problem is None and largest != batch.max_timestamp:
            yield Hit(
                batch.span,
                (records.first_offset, batch.last_offset),
                stored=batch.max_timestamp,
                largest=largest,
                offset=batch.last_offset,
            )


@rule(
    "legacy-attributes-unknown",
    Severity.INFO,
    on=LegacyRecords,
    message="attribute bits {bits:#04x} have no meaning in magic {magic}",
    consequence="None: Kafka ignores them at offset {offset}.",
    remedy="Nothing to do.",
    source="LegacyRecord.attributes (Kafka 3.9.1)",
    proof="legacy-attribute-bit",
    near_miss="legacy-append-time",
    invariants="B10",
)
def legacy_attributes_unknown(records: LegacyRecords) -> Iterator[Hit]:
    """Attribute bits above those of the format version are set."""
    batch = records.batch
    odd = batch.header.attributes & 0xFF & ~bits.LEGACY_KNOWN_BITS
    if odd:
        yield Hit(
            batch.span_of("attributes"),
            (batch.last_offset, batch.last_offset),
            bits=odd,
            magic=batch.magic,
            offset=batch.last_offset,
        )
