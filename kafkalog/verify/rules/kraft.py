"""Rules about the metadata log of a KRaft cluster and its snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import RecordBatch
from kafkalog.core.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.batches import RESTORE
from kafkalog.verify.subjects import BatchStep
from kafkalog.verify.views import KraftLog, KraftSnapshot, QuorumStateFile

if TYPE_CHECKING:
    from collections.abc import Iterator


@rule(
    "kraft-batch-odd",
    Severity.WARNING,
    on=BatchStep,
    message="a batch of the metadata log with {what}",
    consequence="No controller writes it so; replaying offset {offset} gives another cluster than there was.",
    remedy="Compare with the metadata log of another controller.",
    source="BatchAccumulator, KafkaRaftLog (Kafka 3.9.1)",
    proof="kraft-producer-id",
    near_miss="kraft-log",
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
    "kraft-snapshot-missing",
    Severity.ERROR,
    on=KraftLog,
    message="the log starts at {start}, and no snapshot reaches that far",
    consequence="The controller or broker does not start: the records before the log's start are nowhere.",
    remedy="Copy a `.checkpoint` of offset {start} or more from another controller.",
    source="KafkaMetadataLog.apply (Kafka 3.9.1), KAFKA-14240",
    proof="kraft-snapshot-deleted",
    near_miss="kraft-log",
    loses=True,
    invariants="L2",
)
def kraft_snapshot_missing(log: KraftLog) -> Iterator[Hit]:
    """A metadata log that does not begin at 0 needs a snapshot at or behind its start."""
    if log.log_start > 0 and not any(offset >= log.log_start for offset, _, _ in log.checkpoints):
        yield Hit(None, (0, log.log_start), start=log.log_start)


@rule(
    "kraft-leader-change-missing",
    Severity.WARNING,
    on=KraftLog,
    message="epoch {epoch} begins at offset {offset} without a LEADER_CHANGE",
    consequence="A leader writes one first in its epoch: the begin of the epoch is missing or changed.",
    remedy="Compare with the metadata log of another controller.",
    source="LeaderState.appendStartOfEpochControlRecords (Kafka 3.9.1)",
    proof="kraft-epoch-changed",
    near_miss="kraft-log",
    invariants="L1",
)
def kraft_leader_change_missing(log: KraftLog) -> Iterator[Hit]:
    """Each epoch of the metadata log has a LEADER_CHANGE as its first or second batch."""
    for epoch, offset, path, position in log.late_leaders:
        yield Hit(Span(position, position + 61), (offset, offset), path=path, epoch=epoch, offset=offset)


@rule(
    "kraft-snapshot-epoch-mismatch",
    Severity.WARNING,
    on=KraftLog,
    message="the snapshot says epoch {epoch} at offset {offset}; {file} has epoch {actual} there",
    consequence="Followers that fetch the snapshot diverge from the log.",
    remedy="Compare with the files of another controller.",
    source="KafkaMetadataLog.createNewSnapshot (Kafka 3.9.1)",
    proof="kraft-snapshot-renamed",
    near_miss="kraft-log",
    invariants="L4",
)
def kraft_snapshot_epoch_mismatch(log: KraftLog) -> Iterator[Hit]:
    """The epoch in a snapshot's name is not that of the batch before its offset."""
    for offset, epoch, path in log.checkpoints:
        for run, log_path in log.runs:
            if run.first_base <= offset - 1 <= run.last_offset and run.epoch != epoch:
                yield Hit(None, (offset, offset), path=path, epoch=epoch, offset=offset, file=log_path, actual=run.epoch)


@rule(
    "kraft-snapshot-incomplete",
    Severity.ERROR,
    on=KraftSnapshot,
    message="the first record is {first} and the last {last}; they must be SNAPSHOT_HEADER and SNAPSHOT_FOOTER",
    consequence="The snapshot can not be loaded: metadata up to its offset is lost if the log starts behind 0.",
    remedy=RESTORE,
    source="RecordsSnapshotReader, RecordsSnapshotWriter (Kafka 3.9.1)",
    proof="kraft-snapshot-cut",
    near_miss="kraft-log",
    loses=True,
    invariants="L3 L5",
)
def kraft_snapshot_incomplete(file: KraftSnapshot) -> Iterator[Hit]:
    """A snapshot lacks its header or its footer; only a `.part` may."""
    if file.first_control != "SNAPSHOT_HEADER":
        yield Hit(file.first_span, None, first=file.first_control, last=file.last_control)
    elif file.last_control != "SNAPSHOT_FOOTER":
        yield Hit(file.last_span, None, first=file.first_control, last=file.last_control)


def _quorum_state_problem(file: QuorumStateFile) -> str:
    value = file.content.value
    if file.content.damage is not None:
        return file.content.damage.reason
    if value is None:
        return "the first line is empty"
    version = value.get("data_version")
    if version not in (0, 1):
        return f"data_version {version!r}, known are 0 and 1"
    for name in ("leaderId", "leaderEpoch", "votedId"):
        if not isinstance(value.get(name), int):
            return f"{name} is {value.get(name)!r}"
    if value["leaderEpoch"] < 0 or min(value["leaderId"], value["votedId"]) < -1:
        return f"leaderEpoch {value['leaderEpoch']}, leaderId {value['leaderId']}, votedId {value['votedId']}"
    return ""


@rule(
    "quorum-state-malformed",
    Severity.ERROR,
    on=QuorumStateFile,
    message="{reason}",
    consequence="The node does not start.",
    remedy="With the node stopped, move the file away: the node asks the other voters for the epoch. A node that is the only "
    "voter starts with epoch 0.",
    source="FileQuorumStateStore, QuorumStateData (Kafka 3.9)",
    proof="quorum-state-cut",
    near_miss="kraft-log",
    invariants="L1",
)
def quorum_state_malformed(file: QuorumStateFile) -> Iterator[Hit]:
    """`quorum-state` is not one line of JSON with a known version and the numbers of an election."""
    problem = _quorum_state_problem(file)
    if problem:
        yield Hit(Span(0, file.size), None, reason=problem)
