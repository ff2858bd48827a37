"""Rules about the sequence of a producer's batches and markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.replay.producers import ProducerStep
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.command_line import Command
    from kafkalog.replay.producer_events import ProducerRun
    from kafkalog.replay.producers import OpenTransaction, ProducerState


class HangingTransaction(NamedTuple):
    """An open transaction that its coordinator will not end, by `__transaction_state`."""

    path: str
    span: Span
    producer_id: int
    producer_epoch: int
    first_offset: int
    last_offset: int
    why: str
    commands: tuple[Command, ...]


class UnendedTransaction(NamedTuple):
    """A transaction without an end, seen from a clock and from the end of the log.

    `pinned` is the last stable offset. `kraft` tells the broker's era, None when nothing does.
    """

    path: str
    transaction: OpenTransaction
    now: int
    log_end: int
    topic: str | None
    partition: int | None
    pinned: int
    kraft: bool | None


#: Sequence numbers are counted modulo this; what is more than half of it ahead is a step back.
_SEQUENCES = 1 << 31
_HALF_A_CYCLE = _SEQUENCES // 2
AND_PRODUCER = f"{COMPARE} Look at the producer, too."


def _numbered(step: ProducerStep) -> tuple[ProducerState, ProducerRun] | None:
    """The state and the run, when the run's sequence numbers can be judged against the state."""
    if step.run is None or step.before is None or step.coordinator or step.run.first_sequence < 0:
        return None
    if not step.before.seen_data or step.before.last_sequence < 0:
        return None
    return step.before, step.run


def _ahead(state: ProducerState, run: ProducerRun) -> int:
    """How many sequence numbers were left out before the run, across the wrap from 2147483647 to 0."""
    return (run.first_sequence - state.last_sequence - 1) % _SEQUENCES


def _span(step: ProducerStep) -> Span:
    """From the producer's last batch to this run, when both are in one file: either of the two may be wrong."""
    run, state = step.run, step.before
    assert run is not None
    start = run.position
    if state is not None and state.run_path == step.path and 0 <= state.last_position < start:
        start = state.last_position
    return Span(start, run.position + run.size)


def _marker_span(step: ProducerStep) -> Span:
    marker, state = step.marker, step.before
    assert marker is not None
    start = marker.position
    if state is not None and state.run_path == step.path:
        start = min(p for p in (start, state.last_position, state.marker_position) if p >= 0)
    return Span(start, marker.position + marker.size)


def _numbers(step: ProducerStep, run: ProducerRun, offsets: tuple[int, int], before: int | None = None) -> Hit:
    """Sequence numbers that do not follow; INFO when the partition's leader changed in between."""
    return Hit(
        _span(step),
        offsets,
        severity=Severity.INFO if step.leader_changed else None,
        producer_id=run.producer_id,
        epoch=run.epoch,
        sequence=run.first_sequence,
        before=before,
        offset=run.first_offset,
    )


@rule(
    "sequence-gap",
    Severity.WARNING,
    on=ProducerStep,
    message="producer {producer_id} epoch {epoch}: sequence {sequence} after {before}",
    consequence="Batches of the producer are missing before offset {offset}, or its state was lost.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkSequence (Kafka 3.9.1)",
    proof="sequence-changed",
    near_miss="sequence-wrap",
    invariants="J7 J11",
)
def sequence_gap(step: ProducerStep) -> Iterator[Hit]:
    """Within one epoch the sequence numbers of a producer do not continue, although no offset is missing in between.

    Compaction does not explain it: a cleaner that takes batches away leaves a hole in the offsets. INFO when the partition's
    leader epoch changed in between: while there is no leader clients give batches up, and a broker that has lost the
    producer's state meanwhile takes any number.
    """
    if not step.over_hole:
        yield from _gap(step)


@rule(
    "sequence-gap-over-hole",
    Severity.WARNING,
    on=ProducerStep,
    message="producer {producer_id} epoch {epoch}: sequence {sequence} after {before}, and offsets are missing in between",
    consequence="In a log that was never compacted, batches of the producer are missing before offset {offset}.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkSequence (Kafka 3.9.1)",
    proof="producer-batch-removed",
    near_miss="compacted-gap",
    history=True,
    invariants="J7 J11",
)
def sequence_gap_over_hole(step: ProducerStep) -> Iterator[Hit]:
    """Within one epoch the sequence numbers of a producer do not continue after offsets that are missing.

    INFO when the partition's leader epoch changed in between.
    """
    if step.over_hole:
        yield from _gap(step)


def _gap(step: ProducerStep) -> Iterator[Hit]:
    pair = _numbered(step)
    if pair is None:
        return
    state, run = pair
    if run.epoch == state.epoch and 0 < _ahead(state, run) < _HALF_A_CYCLE:
        yield _numbers(step, run, (state.last_offset, run.first_offset), before=state.last_sequence)


@rule(
    "sequence-duplicate",
    Severity.WARNING,
    on=ProducerStep,
    message="producer {producer_id} epoch {epoch}: sequence {sequence} again after {before}",
    consequence="The records from offset {offset} on are in the log twice, or the fields of one of the batches are damaged.",
    remedy=AND_PRODUCER,
    source="ProducerStateEntry.findDuplicateBatch (Kafka 3.9.1)",
    proof="batch-duplicated",
    near_miss="sequence-wrap",
    invariants="J9 J10",
)
def sequence_duplicate(step: ProducerStep) -> Iterator[Hit]:
    """Within one epoch a producer's sequence numbers repeat or go back. 0 after 2147483647 is no repetition.

    Compaction makes gaps in them, but never repeats one. INFO when the partition's leader epoch changed in between: a leader
    that has lost the producer's state takes what a client sends again.
    """
    pair = _numbered(step)
    if pair is None:
        return
    state, run = pair
    if run.epoch == state.epoch and _ahead(state, run) >= _HALF_A_CYCLE:
        first, last = sorted((state.last_offset, run.first_offset))
        yield _numbers(step, run, (first, last), before=state.last_sequence)


@rule(
    "sequence-restart",
    Severity.WARNING,
    on=ProducerStep,
    message="producer {producer_id} begins epoch {epoch} with sequence {sequence}",
    consequence="The first batches of the epoch are missing before offset {offset}, or its fields are damaged.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkSequence (Kafka 3.9.1)",
    proof="epoch-sequence-changed",
    near_miss="producer-unknown",
    history=True,
    invariants="J8",
)
def sequence_restart(step: ProducerStep) -> Iterator[Hit]:
    """A producer whose earlier epoch is in the log does not begin its new epoch with sequence 0.

    The new epoch may have begun with a marker: transactions of version 2 end with one. INFO when the partition's leader epoch
    changed in between.
    """
    run, state = step.run, step.before
    if run is None or state is None or step.coordinator or run.first_sequence <= 0:
        return
    begins = state.seen_data and state.last_sequence >= 0 and run.epoch > state.epoch
    begins |= state.restarted and not state.seen_data and run.epoch >= state.epoch
    if begins:
        yield _numbers(step, run, (run.first_offset, run.last_offset))


@rule(
    "sequence-begins-late",
    Severity.INFO,
    on=ProducerStep,
    message="producer {producer_id} epoch {epoch} begins with sequence {sequence} in a log that was never cut or cleaned",
    consequence="Never written here, or not for good: {sequence} records with the sequence numbers from 0 on, though "
    "the producer is idempotent: they reached the broker after those at offset {offset} and were refused, an unclean election "
    "dropped them, or they went to an earlier topic of this name.",
    remedy="Look for OutOfOrderSequenceException in the producer's own log, and whether the topic was deleted and created "
    "again while the producer ran. If neither is so, write those records again from their source.",
    source="ProducerAppendInfo.checkSequence (Kafka 3.9.1), KAFKA-15591, KAFKA-18202: any first sequence number is taken",
    proof="first-sequences-refused",
    near_miss="first-segment-deleted-by-retention",
    history=True,
    invariants="J8",
)
def sequence_begins_late(step: ProducerStep) -> Iterator[Hit]:
    """The first batch of a producer does not have sequence 0, although the log reaches back to offset 0 without a hole.

    A leader that does not know a producer takes whatever comes first. Every client counts from 0 in each partition. A log that
    was cut by retention, DeleteRecords or the cleaner proves nothing, for the first batches may have been in it.
    """
    run = step.run
    if run is not None and step.before is None and step.whole and not step.coordinator and run.first_sequence > 0:
        yield Hit(
            Span(run.position, run.position + run.size),
            (run.first_offset, run.last_offset),
            producer_id=run.producer_id,
            epoch=run.epoch,
            sequence=run.first_sequence,
            offset=run.first_offset,
        )


@rule(
    "producer-epoch-decreases",
    Severity.WARNING,
    on=ProducerStep,
    message="producer {producer_id}: epoch {epoch} after {before}",
    consequence="A leader that knows the producer refuses batches of an older epoch. One that has forgotten it takes them: "
    "what a fenced producer still sends from offset {offset} on, and a transaction that it begins may never end.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkProducerEpoch (Kafka 3.9.1)",
    proof="producer-epoch-lower",
    near_miss="producer-unknown",
    invariants="J4",
)
def producer_epoch_decreases(step: ProducerStep) -> Iterator[Hit]:
    """The epoch of a producer goes down from one batch, or from a marker, to the next.

    INFO when the leader may have forgotten the producer in between: the partition's leader epoch changed, or the producer was
    silent for a while.
    """
    if step.run is not None and step.before is not None and step.run.epoch < step.before.newest_epoch:
        run = step.run
        yield Hit(
            _span(step),
            (run.first_offset, run.last_offset),
            severity=Severity.INFO if step.forgotten else None,
            producer_id=run.producer_id,
            epoch=run.epoch,
            before=step.before.newest_epoch,
            offset=run.first_offset,
        )


@rule(
    "txn-data-not-transactional",
    Severity.ERROR,
    on=ProducerStep,
    message="producer {producer_id} writes without a transaction while that from offset {first} is open",
    consequence="A broker that has to replay offset {offset} does not start (InvalidTxnStateException).",
    remedy=f"A marker may be missing. {COMPARE}",
    source="ProducerAppendInfo.appendDataBatch (Kafka 3.9.1)",
    proof="transactional-bit-cleared",
    near_miss="another-producer-inside-a-transaction",
    invariants="J2",
)
def txn_data_not_transactional(step: ProducerStep) -> Iterator[Hit]:
    """A batch outside a transaction is inside an open one of the same producer."""
    run, state = step.run, step.before
    if run is not None and state is not None and not run.transactional and state.first_offset >= 0:
        yield Hit(
            _span(step),
            (state.first_offset, run.last_offset),
            producer_id=run.producer_id,
            first=state.first_offset,
            offset=run.first_offset,
        )


@rule(
    "marker-epoch-decreases",
    Severity.WARNING,
    on=ProducerStep,
    message="a marker of epoch {epoch} for producer {producer_id}, whose epoch is {before}",
    consequence="A leader refuses such a marker: the transaction that offset {offset} ends may be another one.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkProducerEpoch (Kafka 3.9.1)",
    proof="marker-epoch-lower",
    near_miss="marker-of-the-next-epoch",
    invariants="J5",
)
def marker_epoch_decreases(step: ProducerStep) -> Iterator[Hit]:
    """A marker has a lower epoch than the data of the transaction that it ends.

    INFO when the partition's leader epoch changed in between.
    """
    marker, state = step.marker, step.before
    if marker is not None and state is not None and marker.epoch < state.epoch:
        yield Hit(
            _marker_span(step),
            (marker.offset, marker.offset),
            severity=Severity.INFO if step.leader_changed else None,
            epoch=marker.epoch,
            producer_id=marker.producer_id,
            before=state.epoch,
            offset=marker.offset,
        )


@rule(
    "marker-coordinator-epoch-decreases",
    Severity.WARNING,
    on=ProducerStep,
    message="a marker of coordinator epoch {epoch} for producer {producer_id} after {before}",
    consequence="A leader refuses markers of a fenced coordinator; that at offset {offset} should not be there.",
    remedy=AND_PRODUCER,
    source="ProducerAppendInfo.checkCoordinatorEpoch (Kafka 3.9.1)",
    proof="coordinator-epoch-lower",
    near_miss="marker-of-the-next-coordinator",
    invariants="J6",
)
def marker_coordinator_epoch_decreases(step: ProducerStep) -> Iterator[Hit]:
    """The coordinator epoch of a producer's markers goes down.

    INFO when the partition's leader epoch changed in between.
    """
    marker, state = step.marker, step.before
    if marker is None or state is None or marker.coordinator_epoch is None or state.coordinator_epoch is None:
        return
    if marker.coordinator_epoch < state.coordinator_epoch:
        yield Hit(
            _marker_span(step),
            (marker.offset, marker.offset),
            severity=Severity.INFO if step.leader_changed else None,
            epoch=marker.coordinator_epoch,
            producer_id=marker.producer_id,
            before=state.coordinator_epoch,
            offset=marker.offset,
        )


@rule(
    "txn-open",
    Severity.INFO,
    on=UnendedTransaction,
    message="producer {producer_id} epoch {epoch} has a transaction open since offset {first}; its last record {age}",
    consequence="read_committed consumers stop at offset {pinned} and do not get {blocked} offsets from there on; the cleaner "
    "cannot pass. Normal while it is young; hanging if its coordinator has forgotten it.",
    remedy="If it hangs, abort it with the command for the release of the partition's leader.",
    source="ProducerStateManager.firstUnstableOffset (Kafka 3.9.1), KIP-664",
    proof="open-transaction",
    near_miss="idempotent-without-a-transaction",
    invariants="J3 J13",
)
def txn_open(transaction: UnendedTransaction) -> Iterator[Hit]:
    """A transaction has data, but no marker ends it.

    The log cannot show whether it hangs: a merely open one looks the same. `kafka-transactions.sh find-hanging`
    asks the coordinator.
    """
    txn = transaction.transaction
    yield Hit(
        BATCH_HEADER.span(txn.position),
        (txn.first_offset, txn.last_offset),
        producer_id=txn.producer_id,
        epoch=txn.producer_epoch,
        first=txn.first_offset,
        age=_age(transaction),
        pinned=transaction.pinned,
        blocked=transaction.log_end - transaction.pinned,
        commands=_commands(transaction),
    )


def _age(transaction: UnendedTransaction) -> str:
    if transaction.transaction.last_timestamp < 0:
        return "has no timestamp"
    seconds = (transaction.now - transaction.transaction.last_timestamp) // 1000
    if seconds < 0:
        return "is dated after now"
    return f"is {seconds // 86400} d {seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02} old"


def _commands(transaction: UnendedTransaction) -> tuple[Command, ...]:
    """What to run, in the form that the broker's release asks for; in both where nothing shows the release."""
    txn = transaction.transaction._replace(topic=transaction.topic or "TOPIC", partition=transaction.partition or 0)
    return (txn.abort_command,) if transaction.kraft else txn.abort_commands


@rule(
    "txn-hanging",
    Severity.WARNING,
    on=HangingTransaction,
    message="the transaction of producer {producer_id} epoch {epoch} since offset {first} hangs: {why}",
    consequence="No marker will ever come: read_committed consumers stop there for good, and the cleaner cannot pass.",
    remedy="Make sure that the producer is gone, then abort it with the command for the release of the partition's leader.",
    source="KIP-664, TransactionStateManager (Kafka 3.9.1)",
    proof="hanging-transaction",
    near_miss="open-transaction",
    invariants="J3",
)
def txn_hanging(transaction: HangingTransaction) -> Iterator[Hit]:
    """A transaction is open here, and `__transaction_state` in the same log dir says that its coordinator is done with it.

    Only what is proven is told. When no transactional id has the producer id, all partitions of `__transaction_state` must be
    here. The two logs must be of one moment: the broker was stopped cleanly and other brokers have no replicas; or later
    markers in the partition, and later records in `__transaction_state`, show that neither is too old.
    """
    yield Hit(
        transaction.span,
        (transaction.first_offset, transaction.last_offset),
        producer_id=transaction.producer_id,
        epoch=transaction.producer_epoch,
        first=transaction.first_offset,
        why=transaction.why,
        commands=transaction.commands,
    )
