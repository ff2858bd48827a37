"""Rules about a partition's lines in the checkpoint files of its log dir."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import segment_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.log_dir import CheckpointLine


class PartitionCheckpoints(NamedTuple):
    """What the log dir's checkpoint files say of a partition.

    `is_end_named`: a snapshot or an epoch is after the end of the log, too. `is_torn`: the log ends in the middle of a batch.
    `in_use`: the active segment's indexes are preallocated, and the broker was not stopped cleanly. Then the checkpoints may
    have been copied after the log was.
    """

    path: str
    log_path: str
    recovery_point: CheckpointLine | None
    high_watermark: CheckpointLine | None
    log_start: CheckpointLine | None
    cleaner: CheckpointLine | None
    first_base: int
    second_base: int | None
    log_end: int
    clean: bool | None
    mark: str
    damaged: bool
    swapping: bool
    metadata_log: bool
    recovery_file: str
    watermark_file: str
    zookeeper: bool
    in_use: bool
    is_end_named: bool
    is_torn: bool


def _bounds(partition: PartitionCheckpoints) -> bool:
    return not partition.mark


@rule(
    "recovery-point-beyond-end",
    Severity.ERROR,
    on=PartitionCheckpoints,
    message="the recovery point is {point}, but {file} ends at offset {end}",
    consequence="Of what was flushed to disk {count} offsets are gone. The broker clips the recovery point.",
    remedy=RESTORE,
    source="LogManager.loadLog, LogLoader (Kafka 3.9.1)",
    proof="log-cut-clean",
    near_miss="log-cut-with-its-checkpoints",
    loses="gone",
    invariants="K1 K2",
)
def recovery_point_beyond_end(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The log was flushed up to the recovery point, and is shorter now.

    INFO when the broker may have been running: the checkpoint can have been copied after the log was.
    """
    point = partition.recovery_point
    if point is not None and _bounds(partition) and point.offset > partition.log_end:
        yield Hit(
            point.span,
            (partition.log_end, point.offset - 1),
            path=point.path,
            severity=Severity.INFO if partition.in_use else None,
            point=point.offset,
            file=partition.log_path,
            end=partition.log_end,
            count=point.offset - partition.log_end,
        )


@rule(
    "recovery-point-behind-end",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the recovery point is {point}, but {file} ends at offset {end} ({stop})",
    consequence="After the stop {count} offsets were added, or the log is another one, or the stop was no clean one.",
    remedy=f"Find out who wrote them, and whether the clean-shutdown marker is the broker's own. {COMPARE}",
    source="LogManager.shutdown (Kafka 3.9.1)",
    proof="log-longer-clean",
    near_miss="log-longer-after-a-crash",
    invariants="K2",
)
def recovery_point_behind_end(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop sets the recovery point to the end of the log; and it is never negative."""
    point = partition.recovery_point
    if point is None or not _bounds(partition) or partition.metadata_log:
        return
    if point.offset < 0 or (partition.clean and point.offset < partition.log_end):
        yield Hit(
            point.span,
            (max(0, point.offset), partition.log_end),
            path=point.path,
            stop="the broker was stopped cleanly" if partition.clean else "no offset is negative",
            point=point.offset,
            file=partition.log_path,
            end=partition.log_end,
            count=partition.log_end - point.offset,
        )


@rule(
    "recovery-point-missing",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the broker was stopped cleanly, but {file} has no line for the partition",
    consequence="None at the next start, which recovers nothing after the clean stop, and writes the line again.",
    remedy="Nothing to do for the start. The broker that was stopped did not have this directory open: find out who put it "
    "here.",
    source="LogManager.shutdown (Kafka 3.9.1)",
    proof="recovery-line-removed",
    near_miss="lines-missing-after-a-crash",
    invariants="K2 K8",
)
def recovery_point_missing(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop writes a recovery point for every log of the log dir."""
    if (
        partition.clean
        and partition.recovery_point is None
        and partition.recovery_file
        and not partition.mark
        and not partition.metadata_log
    ):
        yield Hit(None, None, file=partition.recovery_file)


@rule(
    "hw-missing",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the broker was stopped cleanly, but {file} has no line for the partition",
    consequence="The broker takes the log's start for the high watermark until the leader reports it: until then consumers see "
    "nothing, and a follower without leader epochs truncates there.",
    remedy="Nothing to do for the start. The broker that was stopped did not serve this directory: it was put here after the "
    "stop, or the replica was moved to another broker while this one was down.",
    source="ReplicaManager.checkpointHighWatermarks (Kafka 2.6.3, 3.9.1)",
    proof="hw-line-removed",
    near_miss="lines-missing-after-a-crash",
    invariants="K3 K8",
)
def hw_missing(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop writes a high watermark for every partition that the broker serves.

    INFO in the ZooKeeper era: a broker keeps the directories of replicas that were moved away while it was down, and serves
    them no more.
    """
    if (
        partition.clean
        and partition.high_watermark is None
        and partition.watermark_file
        and not partition.mark
        and not partition.metadata_log
    ):
        yield Hit(None, None, severity=Severity.INFO if partition.zookeeper else None, file=partition.watermark_file)


@rule(
    "hw-beyond-end",
    Severity.ERROR,
    on=PartitionCheckpoints,
    message="the high watermark is {offset}, but {log} ends at offset {end}, and {file} {says}",
    consequence="{effect}",
    remedy=RESTORE,
    source="Partition.createLog, ReplicaManager.checkpointHighWatermarks (Kafka 3.9.1)",
    proof="log-cut-clean",
    near_miss="log-cut-with-its-checkpoints",
    loses="gone",
    invariants="K3",
)
def hw_beyond_end(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed high watermark is after the end of the log.

    INFO where the broker may have been running: then the checkpoint was copied after the log. The same where the log ends in
    the middle of a batch after an unclean stop, and the offsets had not been flushed: a crash of the machine takes what
    consumers read out of the page cache. A WARNING where the recovery point of a clean stop is the log's end: one of the two
    is wrong.
    """
    mark = partition.high_watermark
    if mark is None or not _bounds(partition) or mark.offset <= partition.log_end:
        return
    point, count = partition.recovery_point, mark.offset - partition.log_end
    file = segment_path(partition.log_path, partition.log_end)
    says = "holds no batch" if file == partition.log_path else "is not there"
    effect = f"This log lacks {count} offset{'' if count == 1 else 's'} that consumers may have read"
    if partition.in_use:
        effect = f"{effect}, unless the broker was running and its checkpoint files were copied after the log"
    is_flushed = point is not None and point.offset > partition.log_end
    is_explained = partition.in_use or (partition.is_torn and not partition.clean and not is_flushed)
    severity = Severity.INFO if is_explained else None
    if partition.clean and point is not None and point.offset == partition.log_end:
        file, says = point.path, "has the same end, noted at the clean stop"
        if not partition.is_end_named:
            effect, severity = f"{effect}, or the line of the high watermark is wrong", Severity.WARNING
    yield Hit(
        mark.span,
        (partition.log_end, mark.offset - 1),
        path=mark.path,
        severity=severity,
        offset=mark.offset,
        file=file,
        says=says,
        log=partition.log_path,
        end=partition.log_end,
        effect=f"{effect}.",
    )


@rule(
    "hw-below-log-start",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the high watermark is {offset}, but the log starts at {start}",
    consequence="The broker raises it. After a clean stop it never lies there.",
    remedy=COMPARE,
    source="UnifiedLog.updateHighWatermark (Kafka 3.9.1)",
    proof="hw-lowered",
    near_miss="hw-at-log-start",
    invariants="K3",
)
def hw_below_log_start(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed high watermark lies before the log's start. INFO unless the broker was stopped cleanly."""
    mark = partition.high_watermark
    start = max(partition.first_base, partition.log_start.offset if partition.log_start is not None else 0)
    if mark is not None and _bounds(partition) and (mark.offset < 0 or (mark.offset < start and not partition.swapping)):
        yield Hit(
            mark.span,
            None,
            path=mark.path,
            severity=None if partition.clean or mark.offset < 0 else Severity.INFO,
            offset=mark.offset,
            start=start,
        )


@rule(
    "log-start-beyond-end",
    Severity.ERROR,
    on=PartitionCheckpoints,
    message="the log start offset is {offset}, but {file} ends at offset {end}",
    consequence="At the next start the broker deletes every segment of the partition and starts a new log at {offset}.",
    remedy="Do not start the broker before the line is corrected: the log starts at offset {first} by its files. " + RESTORE,
    source="LogLoader.load (Kafka 3.9.1), KAFKA-10101",
    proof="log-start-raised",
    near_miss="log-start-at-end",
    invariants="K4",
)
def log_start_beyond_end(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed log start offset is after the end of the log."""
    start = partition.log_start
    if start is not None and _bounds(partition) and start.offset > partition.log_end:
        yield Hit(
            start.span,
            (partition.log_end, start.offset),
            path=start.path,
            offset=start.offset,
            file=partition.log_path,
            end=partition.log_end,
            first=partition.first_base,
        )


_BEFORE_FIRST = "The segments from there on are in remote storage, or they are gone."


@rule(
    "log-start-outside-first-segment",
    Severity.INFO,
    on=PartitionCheckpoints,
    message="the log start offset is {offset}; the first segment covers {first} to {last}",
    consequence="{effect}",
    remedy="{advice}",
    source="UnifiedLog.maybeIncrementLogStartOffset (Kafka 3.9.1)",
    proof="log-start-in-the-second-segment",
    near_miss="log-start-at-the-end-of-the-first-segment",
    invariants="K5 K6",
)
def log_start_outside_first_segment(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed log start offset does not lie in the first segment."""
    start = partition.log_start
    if start is None or not _bounds(partition) or start.offset > partition.log_end:
        return
    last = partition.second_base - 1 if partition.second_base is not None else partition.log_end
    if not partition.first_base <= start.offset <= last:
        negative = start.offset < 0
        is_lower = start.offset < partition.first_base
        yield Hit(
            start.span,
            None,
            path=start.path,
            severity=Severity.WARNING if negative else None,
            offset=start.offset,
            first=partition.first_base,
            last=last,
            effect=_BEFORE_FIRST if is_lower else "Whole segments wait to be deleted: the broker deletes them after its start.",
            advice=f"With tiered storage, nothing is to be done. {COMPARE}" if is_lower else "Nothing to do.",
        )


@rule(
    "cleaner-beyond-high-watermark",
    Severity.INFO,
    on=PartitionCheckpoints,
    message="the cleaner is at {offset}, but the high watermark is {watermark}, after a clean stop",
    consequence="The cleaner does not go beyond the high watermark. It was set back since, by an unclean election or with its "
    "checkpoint, or the cleaner's position was moved forward by hand or with a moved partition: it then skips what it has not "
    "cleaned.",
    remedy=f"{COMPARE} To have the log cleaned again, set the partition's offset in {{file}} to 0 while the broker is stopped.",
    source="LogCleanerManager.cleanableOffsets (Kafka 3.9.1)",
    proof="cleaner-beyond-watermark",
    near_miss="cleaner-at-high-watermark",
    invariants="K3 K7",
)
def cleaner_beyond_high_watermark(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The first dirty offset of the log cleaner is after the high watermark, although a clean stop writes both.

    What an unclean stop leaves proves nothing: the cleaner writes its checkpoint at once, the high watermark every few seconds.
    """
    cleaner, mark = partition.cleaner, partition.high_watermark
    if cleaner is None or mark is None or not partition.clean or not _bounds(partition):
        return
    if 0 <= mark.offset < cleaner.offset <= partition.log_end:
        yield Hit(
            cleaner.span,
            (mark.offset, cleaner.offset - 1),
            path=cleaner.path,
            offset=cleaner.offset,
            watermark=mark.offset,
            file=cleaner.path,
        )


@rule(
    "cleaner-checkpoint-out-of-range",
    Severity.INFO,
    on=PartitionCheckpoints,
    message="the cleaner is at {offset}, but {file} ends at offset {end}",
    consequence="The broker resets it and cleans from the log's start. The line is that of an earlier topic of this name, the "
    "checkpoint was copied after the log, or the log lost its end.",
    remedy=f"Nothing where the topic was deleted and created again. Where it was not, its end may be gone. {COMPARE}",
    source="LogCleanerManager.cleanableOffsets, LogManager.addStrayLog (Kafka 3.9.1)",
    proof="cleaner-raised",
    near_miss="cleaner-at-end",
    invariants="K7",
)
def cleaner_checkpoint_out_of_range(partition: PartitionCheckpoints) -> Iterator[Hit]:
    """The first dirty offset of the log cleaner is after the end of the log.

    Of all checkpoints only the cleaner's keeps the lines of logs that are gone. A WARNING when the offset is negative.
    """
    cleaner = partition.cleaner
    if cleaner is not None and _bounds(partition) and (cleaner.offset > partition.log_end or cleaner.offset < 0):
        yield Hit(
            cleaner.span,
            None,
            path=cleaner.path,
            severity=Severity.WARNING if cleaner.offset < 0 else None,
            offset=cleaner.offset,
            file=partition.log_path,
            end=partition.log_end,
        )
