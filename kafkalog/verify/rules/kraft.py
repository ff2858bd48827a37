"""Rules about the metadata log of a KRaft cluster and its snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from kafkalog.core.batch import BATCH_HEADER, RecordBatch
from kafkalog.core.properties import format_uuid
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import BatchStep, PartitionMetadataFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.properties import QuorumState
    from kafkalog.verify.rules.shared import EpochRun


class KraftLog(NamedTuple):
    """The metadata log as a whole."""

    path: str
    log_start: int
    checkpoints: tuple[tuple[int, int, str], ...]
    runs: tuple[tuple[EpochRun, str], ...]
    late_leaders: tuple[tuple[int, int, str, int], ...]
    log_end: int


class QuorumFile(NamedTuple):
    """`quorum-state` beside the metadata log, None when it is gone.

    `log_epoch` is the last epoch of the log's batches, -1 when there is none; `in_use`: the node may have been running.
    """

    path: str
    size: int
    state: QuorumState | None
    log_path: str
    log_epoch: int
    in_use: bool


class KraftSnapshot(NamedTuple):
    """A `.checkpoint` file of the metadata log; `is_replaceable`: the log, or an older one, has what it says."""

    path: str
    size: int
    first_control: str
    last_control: str
    first_span: Span
    last_span: Span
    is_replaceable: bool


class MetadataRecord(NamedTuple):
    """A record of the metadata log that does not decode; `newer`: its type or version may be one of a later release."""

    path: str
    batch: RecordBatch
    offset: int
    name: str
    problem: str
    newer: bool


_TOPIC_ID = UUID(int=1)


@rule(
    "kraft-topic-id-differs",
    Severity.ERROR,
    on=PartitionMetadataFile,
    message="topic id {topic_id}; the metadata log has {expected} in every cluster",
    consequence="The node does not start (InconsistentTopicIdException).",
    remedy="With the node stopped, move the file out of the directory: the node writes a new one.",
    source="UnifiedLog.initializeTopicId, KafkaMetadataLog (Kafka 3.8.1)",
    proof="kraft-topic-id-changed",
    near_miss="partition-that-the-controller-knows",
    invariants="K11",
)
def kraft_topic_id_differs(file: PartitionMetadataFile) -> Iterator[Hit]:
    """`partition.metadata` of the metadata log has the id of another topic."""
    metadata = file.metadata
    if file.metadata_log and metadata is not None and metadata.topic_id not in (None, _TOPIC_ID):
        assert metadata.topic_id is not None
        yield Hit(Span(0, file.size), None, topic_id=format_uuid(metadata.topic_id), expected=format_uuid(_TOPIC_ID))


@rule(
    "kraft-batch-odd",
    Severity.WARNING,
    on=BatchStep,
    message="a batch of the metadata log with {what}",
    consequence="No controller writes it so; replaying offset {offset} gives another cluster than there was.",
    remedy=COMPARE,
    source="BatchAccumulator, KafkaRaftLog (Kafka 3.9.1)",
    proof="kraft-producer-id",
    near_miss="kraft-no-op-record",
    invariants="L1 L3",
)
def kraft_batch_odd(step: BatchStep) -> Iterator[Hit]:
    """Batches of the metadata log have an epoch and no producer, in CreateTime, without a gap in their offsets."""
    batch, spot = step.batch, step.spot
    if not step.kraft or not step.crc_ok:
        return
    odd = []
    if not isinstance(batch, RecordBatch):
        odd.append(f"magic {batch.magic}")
    else:
        odd += [f"leader epoch {spot.epoch}"] if spot.epoch < 0 else []
        odd += ["the transactional bit"] if batch.is_transactional and not batch.is_control else []
        odd += [f"producer id {batch.header.producer_id}"] if batch.has_producer else []
        odd += ["LogAppendTime"] if batch.timestamp_type == "LogAppendTime" else []
        odd += [f"offset {spot.base_offset} instead of {step.expected}"] if 0 <= step.expected < spot.base_offset else []
        if step.snapshot_epoch is not None:
            odd += [f"leader epoch {spot.epoch}"] if spot.epoch != step.snapshot_epoch else []
            odd += [f"first offset {spot.base_offset}"] if step.first and spot.base_offset else []
    if odd:
        yield Hit(
            Span(spot.position, spot.end),
            (spot.base_offset, spot.last_offset),
            what=" and ".join(odd),
            offset=spot.base_offset,
        )


@rule(
    "kraft-record-unreadable",
    Severity.ERROR,
    on=MetadataRecord,
    message="the record at offset {offset} ({name}) cannot be replayed: {problem}",
    consequence="A controller or broker that knows no such record stops when it comes to offset {offset}, at every start.",
    remedy="Find out first which release wrote it: that one reads it. If none does, copy the metadata log from another "
    "controller. Never empty that of the last one.",
    source="AbstractApiMessageSerde.read, MetadataRecordSerde (Kafka 3.9.1), KAFKA-19069",
    proof="kraft-record-cut",
    near_miss="kraft-no-op-record",
    loses="unreadable",
    invariants="L1 L3",
)
def kraft_record_unreadable(record: MetadataRecord) -> Iterator[Hit]:
    """A metadata record does not decode, although the checksum is right.

    INFO when its type or version is not known here: a later release than those this program knows may have written it.
    """
    yield Hit(
        record.batch.span,
        (record.offset, record.offset),
        severity=Severity.INFO if record.newer else None,
        offset=record.offset,
        name=record.name or "unknown",
        problem=record.problem,
    )


@rule(
    "kraft-snapshot-missing",
    Severity.ERROR,
    on=KraftLog,
    message="the log starts at {start}, and no snapshot reaches that far",
    consequence="The controller or broker does not start: the records before the log's start are nowhere.",
    remedy="Copy a `.checkpoint` of offset {start} or more from another controller.",
    source="KafkaMetadataLog.apply (Kafka 3.9.1), KAFKA-14240",
    proof="kraft-snapshot-deleted",
    near_miss="kraft-snapshots-but-one-deleted",
    loses="gone",
    invariants="L2",
)
def kraft_snapshot_missing(log: KraftLog) -> Iterator[Hit]:
    """A metadata log that does not start at 0 needs a snapshot at or after its start."""
    if log.log_start > 0 and not any(offset >= log.log_start for offset, _, _ in log.checkpoints):
        yield Hit(None, (0, log.log_start - 1), start=log.log_start)


@rule(
    "kraft-leader-change-missing",
    Severity.WARNING,
    on=KraftLog,
    message="epoch {epoch} begins at offset {offset} without a LEADER_CHANGE",
    consequence="A leader writes one first in its epoch: the start of the epoch is missing or changed.",
    remedy=COMPARE,
    source="LeaderState.appendStartOfEpochControlRecords (Kafka 3.9.1)",
    proof="kraft-epoch-changed",
    near_miss="kraft-new-leader",
    invariants="L1",
)
def kraft_leader_change_missing(log: KraftLog) -> Iterator[Hit]:
    """Each epoch of the metadata log has a LEADER_CHANGE as its first or second batch."""
    for epoch, offset, path, position in log.late_leaders:
        yield Hit(BATCH_HEADER.span(position), (offset, offset), path=path, epoch=epoch, offset=offset)


@rule(
    "kraft-snapshot-epoch-mismatch",
    Severity.WARNING,
    on=KraftLog,
    message="the snapshot says epoch {epoch} at offset {offset}; {file} has epoch {actual} there",
    consequence="Followers that fetch the snapshot diverge from the log.",
    remedy=COMPARE,
    source="KafkaMetadataLog.createNewSnapshot (Kafka 3.9.1)",
    proof="kraft-snapshot-renamed",
    near_miss="kraft-snapshot-where-an-epoch-ends",
    invariants="L4",
)
def kraft_snapshot_epoch_mismatch(log: KraftLog) -> Iterator[Hit]:
    """The epoch in a snapshot's name is not that of the batch before its offset."""
    for offset, epoch, path in log.checkpoints:
        for run, log_path in log.runs:
            if run.first_base <= offset - 1 <= run.last_offset and run.epoch != epoch:
                yield Hit(None, (offset, offset), path=path, epoch=epoch, offset=offset, file=log_path, actual=run.epoch)


_OF_SNAPSHOT = "the records of a snapshot have no offsets of the log"
_NOT_LOADED = "The snapshot cannot be loaded, and no node starts with it."
_AND_LOST = "What it says is nowhere else in this directory."
_MOVE_SNAPSHOT = (
    "With the node stopped, move the file out of the directory, and keep it: what it says is in the log, or in an older "
    "snapshot, too."
)
_COPY_SNAPSHOT = "Copy a `.checkpoint` of this offset or more from another controller."


@rule(
    "kraft-snapshot-incomplete",
    Severity.ERROR,
    on=KraftSnapshot,
    message="the first record is {first} and the last {last}; they must be SNAPSHOT_HEADER and SNAPSHOT_FOOTER",
    consequence="{effect}",
    remedy="{advice}",
    source="RecordsSnapshotReader, RecordsSnapshotWriter (Kafka 3.9.1)",
    proof="kraft-snapshot-cut",
    near_miss="kraft-snapshot-part",
    loses="unreadable",
    invariants="L3 L5",
)
def kraft_snapshot_incomplete(file: KraftSnapshot) -> Iterator[Hit]:
    """A snapshot lacks its header or its footer; only a `.part` may."""
    is_cut = file.last_control != "SNAPSHOT_FOOTER"
    if file.first_control != "SNAPSHOT_HEADER" or is_cut:
        yield Hit(
            file.last_span if file.first_control == "SNAPSHOT_HEADER" else file.first_span,
            None,
            first=file.first_control,
            last=file.last_control,
            offsets_unknown=_OF_SNAPSHOT,
            effect=_NOT_LOADED if file.is_replaceable else f"{_NOT_LOADED} {_AND_LOST}",
            advice=_MOVE_SNAPSHOT if file.is_replaceable else _COPY_SNAPSHOT,
        )


@rule(
    "quorum-state-unreadable",
    Severity.ERROR,
    on=QuorumFile,
    message="{problem}",
    consequence="The node does not start, or drops the file and with it whom it voted for in this epoch: it could vote twice.",
    remedy="With the node stopped, keep a copy and compare with another controller. Without the file the node asks the quorum "
    "who leads; let only one controller at a time start so.",
    source="QuorumState.readElectionState, FileQuorumStateStore.readStateFromFile (Kafka 3.9.1)",
    proof="quorum-state-cut",
    near_miss="quorum-state-of-a-later-epoch",
)
def quorum_state_unreadable(file: QuorumFile) -> Iterator[Hit]:
    """`quorum-state` is no JSON object of a known version with all of its fields."""
    if file.state is not None and file.state.damage is not None:
        yield Hit(Span(0, file.size), None, problem=str(file.state.damage.error))


@rule(
    "quorum-state-missing",
    Severity.WARNING,
    on=QuorumFile,
    message="there is no quorum-state beside a metadata log with batches of epoch {log_epoch}",
    consequence="The node starts, and does not know whom it voted for in that epoch: it could vote twice.",
    remedy="Put it back from the place that the directory was copied from. Where there is none, let only one controller at a "
    "time start without it.",
    source="QuorumState.initialize, FileQuorumStateStore (Kafka 3.9.1)",
    proof="quorum-state-removed",
    near_miss="quorum-state-of-nothing-written",
)
def quorum_state_missing(file: QuorumFile) -> Iterator[Hit]:
    """`quorum-state` is gone. Every node writes it when it first hears of a leader."""
    if file.state is None and file.log_epoch >= 0:
        yield Hit(None, None, log_epoch=file.log_epoch)


@rule(
    "quorum-epoch-behind-log",
    Severity.WARNING,
    on=QuorumFile,
    message="leaderEpoch is {epoch}, but {file} has batches of epoch {log_epoch}",
    consequence="The file is written before the first batch of an epoch: it is an old one, or was changed. The node takes the "
    "log's epoch, and does not know whom it voted for in it.",
    remedy="Find out who put the older file there. Let only one controller at a time start with such a file.",
    source="QuorumState.initialize (Kafka 3.9.1)",
    proof="quorum-state-old",
    near_miss="quorum-state-of-a-later-epoch",
)
def quorum_epoch_behind_log(file: QuorumFile) -> Iterator[Hit]:
    """The epoch of `quorum-state` is never smaller than that of the log's last batch.

    INFO for a node that may have been running: the log may have been copied later.
    """
    epoch = None if file.state is None or file.state.damage is not None else file.state.leader_epoch
    if epoch is not None and epoch < file.log_epoch:
        severity = Severity.INFO if file.in_use else None
        yield Hit(Span(0, file.size), None, severity=severity, epoch=epoch, log_epoch=file.log_epoch, file=file.log_path)
