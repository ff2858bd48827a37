"""What stands beside the logs of a partition: names, epochs, topic id, the lines of its log dir's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import is_as_kafka_writes
from kafkalog.core.foreign import is_of_zookeeper
from kafkalog.core.line_ends import unix_line_ends
from kafkalog.core.properties import format_uuid, read_partition_metadata
from kafkalog.files.paths import join
from kafkalog.files.source import size_of
from kafkalog.verify.rules.checkpoints import PartitionCheckpoints
from kafkalog.verify.rules.epochs import EpochFile
from kafkalog.verify.rules.names import PartitionFiles
from kafkalog.verify.rules.shared import PartitionMetadataFile

if TYPE_CHECKING:
    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.properties import PartitionMetadata
    from kafkalog.files.segment import Segment
    from kafkalog.verify.checks.partition import PartitionCheck
    from kafkalog.verify.rules.shared import EpochRun

__all__ = ["judge_files"]


def judge_files(check: PartitionCheck, log_end: int | None) -> None:
    """Judge them all, for a partition whose producers were replayed; `log_end` is None when it is not known."""
    _names(check, log_end)
    _epochs(check, log_end)
    _metadata(check)
    _checkpoints(check, log_end)


def _names(check: PartitionCheck, log_end: int | None) -> None:
    sizes = {scan.base_offset: scan.size for scan in check.scans}
    covered = set(check.swapped)
    if check.active is not None and sizes.get(check.active) == 0:
        covered.add(check.active)
    covered.update(segment.base_offset for segment in check.partition.segments if _is_being_deleted(segment))
    pending = []
    for parsed, path in check.partition.pending:
        pending.append((parsed, path, size_of(path) or 0))
    check.emit(
        PartitionFiles(
            path=check.path,
            segments={segment.base_offset: _paths_now(segment) for segment in check.partition.segments},
            sizes=sizes,
            active=check.active,
            active_index_size=size_of(check.segments[-1].paths.get(".index")) if check.segments else None,
            pending=tuple(pending),
            others=tuple((name, check.partition.kind_of(name)) for name in check.partition.others),
            snapshots=check.partition.snapshots,
            changed=frozenset(check.producers.changed),
            mark=check.mark,
            log_only=check.log_only,
            clean=check.clean,
            kraft=check.kraft_log,
            in_log_dir=check.around.in_log_dir,
            log_start=check.log_start(),
            log_end=log_end,
            has_producers=check.producers.has_producers or (bool(sizes.get(check.active or 0)) and bool(check.epoch_entries())),
            covered=frozenset(covered),
            just_rolled=bool(check.scans) and check.scans[-1].batches == 1,
            just_made=_is_just_made(check),
            is_foreign=not check.segments and is_of_zookeeper(check.partition.others),
        )
    )


def _is_just_made(check: PartitionCheck) -> bool:
    """Whether the directory is empty as a broker has made it, which had no time for a file yet."""
    empty = not check.partition.files and not check.partition.others
    return empty and check.clean is False and not any(line.offset > 0 for line in check.around.lines.values())


def _paths_now(segment: Segment) -> dict[str, str]:
    """A segment's files; if one is missing, asked for again: a running broker makes and removes them one by one."""
    paths = dict(segment.paths)
    if {".log", ".index", ".timeindex"} <= paths.keys():
        return paths
    stem = next(iter(paths.values())).rpartition(".")[0]
    names = {suffix: f"{stem}{suffix}" for suffix in (*paths, ".log", ".index", ".timeindex")}
    return {suffix: path for suffix, path in names.items() if size_of(path) is not None}


def _epochs(check: PartitionCheck, log_end: int | None) -> None:
    path = check.partition.file("leader-epoch-checkpoint")
    if "leader-epoch-checkpoint" in check.partition.others:
        return
    data = check.epoch_data
    if path is not None and data is None:
        return
    checkpoint = check.epochs
    start = check.log_start() or 0
    every = [run for scan in check.scans for run in scan.epochs]
    raised = not check.kraft_log and (check.clean is not True or _is_cut_inside(checkpoint, every))
    floor = start
    if checkpoint is not None and checkpoint.entries and raised:
        floor = max(start, checkpoint.entries[0].start_offset)
    runs = tuple((run, scan.path) for scan in check.scans for run in scan.epochs if run.last_offset >= floor)
    check.emit(
        EpochFile(
            path=path or join(check.path, "leader-epoch-checkpoint"),
            checkpoint=checkpoint,
            size=len(data or b""),
            runs=runs,
            log_end=log_end,
            legacy=any(scan.magics for scan in check.scans),
            last_legacy=max((scan.last_legacy for scan in check.scans), default=-1),
            clean=check.clean,
            log_only=check.log_only or not check.scans,
            rebuilt=_rebuilt(every, start),
            mark=check.mark,
            log_start=start,
            raised=raised,
            start_known=check.around.log_starts_known,
            canonical=data is None or checkpoint is None or is_as_kafka_writes(data, checkpoint.entries),
            log_start_path=check.around.log_start_path if check.clean is True and not check.kraft_log else "",
            log_start_line=check.around.lines.get("log-start-offset-checkpoint"),
            first_log=check.scans[0].path if _begins_with_first_segment(check) else "",
            first_base=check.segments[0].base_offset if check.segments else 0,
        )
    )


def _begins_with_first_segment(check: PartitionCheck) -> bool:
    """Whether nothing but the first segment's name says where the log begins: no line, nothing half done."""
    lined = "log-start-offset-checkpoint" in check.around.lines
    settled = bool(check.scans) and not check.swapped and not check.mark and not check.kraft_log
    return settled and check.around.log_starts_known and not lined


def _metadata(check: PartitionCheck) -> None:
    if "partition.metadata" in check.partition.others:
        return
    path = check.partition.file("partition.metadata")
    data = None if path is None else check.read(path)
    if path is not None and data is None:
        return
    metadata = None if data is None else read_partition_metadata(data)
    if metadata is not None and metadata.damage is None and not check.kraft_log:
        check.topic_id = metadata.topic_id
    check.emit(
        PartitionMetadataFile(
            path=path or join(check.path, "partition.metadata"),
            metadata=metadata,
            size=len(data or b""),
            canonical=data is None or metadata is None or _is_as_kafka_writes(data, metadata),
            kraft=check.around.kraft,
            log_only=check.log_only,
            mark=check.mark,
            metadata_log=check.kraft_log,
        )
    )


def _checkpoints(check: PartitionCheck, log_end: int | None) -> None:
    lines = check.around.lines
    if log_end is None or not check.segments or not check.around.in_log_dir:
        return
    bases = [segment.base_offset for segment in check.segments]
    check.emit(
        PartitionCheckpoints(
            path=check.path,
            log_path=check.scans[-1].path,
            recovery_point=lines.get("recovery-point-offset-checkpoint"),
            high_watermark=lines.get("replication-offset-checkpoint"),
            log_start=lines.get("log-start-offset-checkpoint"),
            cleaner=lines.get("cleaner-offset-checkpoint"),
            first_base=bases[0],
            second_base=bases[1] if len(bases) > 1 else None,
            log_end=log_end,
            clean=check.clean,
            mark=check.mark,
            damaged=any(scan.damaged for scan in check.scans),
            swapping=bool(check.swapped),
            metadata_log=check.kraft_log,
            recovery_file=check.around.recovery_path,
            watermark_file=check.around.watermark_path,
            zookeeper=check.around.kraft is False,
            in_use=check.in_use(),
        )
    )


def _is_cut_inside(checkpoint: Checkpoint[EpochEntry] | None, runs: list[EpochRun]) -> bool:
    """Whether the first epoch begins in the middle of its batches.

    Deleting records cuts the file at once. The log dir's line for the log start follows within a minute; a crash in between
    undoes the deletion, but not the cut.
    """
    if checkpoint is None or not checkpoint.entries:
        return False
    epoch, start = checkpoint.entries[0]
    return any(run.epoch == epoch and run.first_base < start for run in runs)


def _is_being_deleted(segment: Segment) -> bool:
    """Whether the log of a segment was put aside, and its other files were not yet: they are renamed one by one."""
    paths = segment.paths
    stem = next(iter(paths.values())).rpartition(".")[0]
    return ".log" not in paths and size_of(f"{stem}.log.deleted") is not None


def _is_as_kafka_writes(data: bytes, metadata: PartitionMetadata) -> bool:
    """Whether a `partition.metadata` has the bytes that Kafka writes; it reads more than that."""
    topic_id = metadata.topic_id
    data = unix_line_ends(data) or data
    return topic_id is not None and data == f"version: 0\ntopic_id: {format_uuid(topic_id)}".encode()


def _rebuilt(runs: list[EpochRun], start: int) -> str:
    """The text of the `leader-epoch-checkpoint` that the batches ask for."""
    entries: list[tuple[int, int]] = []
    for run in runs:
        if not entries or run.epoch > entries[-1][0]:
            entries.append((run.epoch, run.first_base))
    while len(entries) > 1 and entries[1][1] <= start:
        entries.pop(0)
    if entries:
        entries[0] = (entries[0][0], max(entries[0][1], start))
    return f"0\n{len(entries)}\n" + "".join(f"{epoch} {offset}\n" for epoch, offset in entries)
