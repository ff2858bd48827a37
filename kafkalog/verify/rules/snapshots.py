"""Rules about `.snapshot`: what the broker knew of each producer, against a replay of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.producer_snapshot import SNAPSHOT_HEADER, SNAPSHOT_VERSION
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import REPLAY, RESTORE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import beyond_end

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.producer_snapshot import ProducerSnapshot
    from kafkalog.replay.producers import ProducerState


class SnapshotFile(NamedTuple):
    """A `.snapshot` by itself; `being_written`: it is the newest of a broker that may have been running.

    `end_confirmed`: the recovery point of a clean stop is the log's end.
    """

    path: str
    offset: int
    snapshot: ProducerSnapshot
    size: int
    log_end: int | None
    clean: bool | None
    end_confirmed: bool = False
    being_written: bool = False


class FieldDifference(NamedTuple):
    """A field of an entry, by Kafka's name: what is stored, and what the log says; None: it does not know the producer."""

    field: str
    stored: int
    by_log: int | None


class SnapshotEntry(NamedTuple):
    """An entry of a `.snapshot` that differs from the replayed state."""

    path: str
    offset: int
    number: int
    producer_id: int
    differences: tuple[FieldDifference, ...]
    span: Span
    log_path: str


class MissingProducer(NamedTuple):
    """A producer that wrote between two snapshots, at `before` and `offset`, and is not in the later one."""

    path: str
    offset: int
    before: int
    state: ProducerState
    size: int
    log_path: str


@rule(
    "snapshot-unreadable",
    Severity.WARNING,
    on=SnapshotFile,
    message="{reason}",
    consequence="The broker deletes the file at the next start and takes an older one, or replays the whole log.",
    remedy=REPLAY,
    source="ProducerStateManager.readSnapshot (Kafka 3.9.1)",
    proof="snapshot-truncated",
    near_miss="snapshot-of-no-producer",
    invariants="H1",
)
def snapshot_unreadable(file: SnapshotFile) -> Iterator[Hit]:
    """The version is not 1, or the size is not that of the entries announced.

    INFO for the newest snapshot of a broker that may have been running when it has 0 bytes: it is written in place.
    """
    header = file.snapshot.header
    if header is not None and header.version != SNAPSHOT_VERSION:
        yield Hit(SNAPSHOT_HEADER.span_of("version"), None, reason=f"version {header.version}, known is {SNAPSHOT_VERSION}")
    if file.snapshot.damage is not None:
        span = file.snapshot.damage.span
        severity = Severity.INFO if file.being_written and not file.size else None
        yield Hit(Span(0, max(file.size, span.end)), None, severity=severity, reason=file.snapshot.damage.reason)


@rule(
    "snapshot-crc-mismatch",
    Severity.WARNING,
    on=SnapshotFile,
    message="stored CRC-32C {stored:#010x}, computed {computed:#010x}",
    consequence="The broker deletes the file at the next start and takes an older one, or replays the whole log.",
    remedy=REPLAY,
    source="ProducerStateManager.readSnapshot (Kafka 3.9.1)",
    proof="snapshot-one-bit",
    near_miss="snapshot-sequence-changed",
    invariants="H1",
)
def snapshot_crc_mismatch(file: SnapshotFile) -> Iterator[Hit]:
    """The checksum of the snapshot does not match its entries."""
    if file.snapshot.header is not None and not file.snapshot.crc_ok:
        yield Hit(Span(0, file.size), None, stored=file.snapshot.header.crc, computed=file.snapshot.computed_crc)


@rule(
    "snapshot-entry-invalid",
    Severity.ERROR,
    on=SnapshotFile,
    message="entry {number} (producer {producer_id}): {what}",
    consequence="The broker believes it: valid appends of the producer are refused, or duplicates accepted; a transaction "
    "offset after the end stops Kafka 2.8 from starting.",
    remedy=REPLAY,
    source="ProducerStateManager.readSnapshot (Kafka 3.9.1)",
    proof="snapshot-offset-beyond",
    near_miss="snapshot-entry-up-to-the-end",
    invariants="H2 H3 H4 H5",
)
def snapshot_entry_invalid(file: SnapshotFile) -> Iterator[Hit]:
    """An entry contradicts itself or the offset in the file's name, although the checksum is right."""
    if not file.snapshot.crc_ok or file.snapshot.damage is not None:
        return
    seen: set[int] = set()
    for number, entry in enumerate(file.snapshot.entries):
        odd = []
        odd += ["a negative producer id"] if entry.producer_id < 0 else []
        odd += ["listed twice"] if entry.producer_id in seen else []
        odd += [f"epoch {entry.producer_epoch}"] if entry.producer_epoch < 0 else []
        odd += [f"lastOffset {entry.last_offset}"] if not -1 <= entry.last_offset < file.offset else []
        first = entry.current_txn_first_offset
        odd += [f"currentTxnFirstOffset {first}"] if not -1 <= first < file.offset else []
        odd += ["lastSequence without lastOffset"] if entry.last_offset == -1 < entry.last_sequence else []
        odd += [f"offsetDelta {entry.offset_delta}"] if entry.offset_delta > max(0, entry.last_offset) else []
        odd += [f"coordinatorEpoch {entry.coordinator_epoch}"] if entry.coordinator_epoch < -1 else []
        odd += [f"lastSequence {entry.last_sequence}"] if entry.last_sequence < -1 else []
        seen.add(entry.producer_id)
        if odd:
            yield Hit(
                file.snapshot.span_of_entry(number), None, number=number, producer_id=entry.producer_id, what=" and ".join(odd)
            )


@rule(
    "snapshot-ahead-of-log",
    Severity.ERROR,
    on=SnapshotFile,
    message="the snapshot is at offset {offset}, the log ends at {end}",
    consequence="{effect} The broker deletes the snapshot at the next start.",
    remedy="{advice}",
    source="ProducerStateManager.loadSnapshots (Kafka 3.9.1)",
    proof="snapshot-ahead",
    near_miss="snapshot-mid-segment",
    loses="gone",
    invariants="D11",
)
def snapshot_ahead_of_log(file: SnapshotFile) -> Iterator[Hit]:
    """The name of a snapshot is an offset after the end of the log.

    A crash can leave it: snapshots are flushed independently of the log.
    """
    if file.log_end is not None and file.offset > file.log_end:
        severity, effect = beyond_end(clean=file.clean, confirmed=file.end_confirmed)
        lost = None if file.end_confirmed else (file.log_end, file.offset - 1)
        advice = "Nothing to do." if file.end_confirmed else RESTORE
        yield Hit(
            Span(0, file.size), lost, severity=severity, offset=file.offset, end=file.log_end, effect=effect, advice=advice
        )


@rule(
    "snapshot-differs-from-log",
    Severity.WARNING,
    on=SnapshotEntry,
    message="entry {number}, producer {producer_id} at offset {offset}, against {file}: {problems}",
    consequence="The broker believes the snapshot: valid appends of the producer are refused, duplicates accepted, or a "
    "transaction is held open or forgotten.",
    remedy=REPLAY,
    source="ProducerStateManager, ProducerAppendInfo (Kafka 3.9.1)",
    proof="snapshot-sequence-changed",
    near_miss="snapshot-of-compacted",
    invariants="H6 H7 H8 H9 H10",
)
def snapshot_differs_from_log(entry: SnapshotEntry) -> Iterator[Hit]:
    """What a snapshot says of a producer is not what the log says up to that offset.

    Compared field by field with a replay of the batches and markers; fields that cannot be known (data below the log's
    start, records that compaction took) are left out.
    """
    yield Hit(
        entry.span,
        None,
        number=entry.number,
        producer_id=entry.producer_id,
        offset=entry.offset,
        problems="; ".join(map(_in_words, entry.differences)),
        file=entry.log_path,
    )


def _in_words(difference: FieldDifference) -> str:
    if difference.by_log is None:
        return "the log does not know the producer"
    return f"{difference.field} {difference.stored}, by the log {difference.by_log}"


@rule(
    "snapshot-producer-missing",
    Severity.WARNING,
    on=MissingProducer,
    message="producer {producer_id} wrote up to offset {last} of {file}, after the snapshot at {before}, and is not in the "
    "one at {offset}; {transaction}",
    consequence="The broker believes the snapshot: it does not know the producer, takes its duplicates, and forgets a "
    "transaction that is open.",
    remedy=REPLAY,
    source="ProducerStateManager.isProducerExpired, ProducerStateManager.takeSnapshot (Kafka 3.9.1)",
    proof="snapshot-entry-removed",
    near_miss="snapshot-without-the-oldest-producer",
    invariants="H10 H11",
)
def snapshot_producer_missing(missing: MissingProducer) -> Iterator[Hit]:
    """A snapshot leaves out a producer that the broker cannot have forgotten.

    It forgets producers that are older than producer.id.expiration.ms, but none with an open transaction, and none while
    it still lists one that wrote earlier and has an older timestamp. Not judged in compacted logs.
    """
    state = missing.state
    yield Hit(
        Span(0, missing.size),
        (state.last_offset, state.last_offset),
        producer_id=state.producer_id,
        last=state.last_offset,
        file=missing.log_path,
        before=missing.before,
        offset=missing.offset,
        transaction=f"its transaction from offset {state.first_offset} is open" if state.first_offset >= 0 else "none is open",
    )
