"""What lies beside the logs of a partition: names, epochs, topic id, the lines of its log dir's checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import is_as_kafka_writes
from kafkalog.core.foreign import is_of_zookeeper
from kafkalog.core.line_ends import unix_line_ends
from kafkalog.core.properties import format_uuid
from kafkalog.files.log_dir import CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.files.paths import join
from kafkalog.files.source import size_of
from kafkalog.kafka.gone_offsets import gone_at_end
from kafkalog.verify.rules.checkpoints import PartitionCheckpoints
from kafkalog.verify.rules.epochs import EpochFile, WrongBatchEpoch
from kafkalog.verify.rules.names import PartitionFiles
from kafkalog.verify.rules.shared import PartitionMetadataFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.properties import PartitionMetadata
    from kafkalog.files.segment import Segment
    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.rules.shared import EpochRun
    from kafkalog.verify.wrong_epochs import WrongEpoch

__all__ = ["file_subjects"]


def file_subjects(
    facts: PartitionFacts,
) -> Iterator[PartitionFiles | EpochFile | PartitionMetadataFile | PartitionCheckpoints | WrongBatchEpoch]:
    """What lies beside the logs, and what it proves wrong in them."""
    yield _names(facts)
    yield from (_wrong_epoch(facts, wrong) for wrong in facts.wrong_epochs)
    for subject in (_epochs(facts), _metadata(facts), _checkpoints(facts)):
        if subject is not None:
            yield subject


def _names(facts: PartitionFacts) -> PartitionFiles:
    directory, partition = facts.directory, facts.partition
    sizes = {scan.base_offset: scan.size for scan in facts.scans}
    covered = set(directory.swapped)
    if directory.active is not None and sizes.get(directory.active) == 0:
        covered.add(directory.active)
    covered.update(segment.base_offset for segment in partition.segments if _is_being_deleted(segment))
    has_records = bool(sizes.get(directory.active or 0))
    return PartitionFiles(
        path=facts.path,
        segments={segment.base_offset: _paths_now(segment) for segment in partition.segments},
        sizes=sizes,
        active=directory.active,
        active_index_size=size_of(directory.segments[-1].paths.get(".index")) if directory.segments else None,
        pending=tuple((parsed, path, size_of(path) or 0) for parsed, path in partition.pending),
        others=tuple((name, partition.kind_of(name)) for name in partition.others),
        snapshots=partition.snapshots,
        changed=facts.producers.changed,
        mark=directory.mark,
        log_only=directory.log_only,
        clean=directory.clean,
        kraft=directory.kraft_log,
        in_log_dir=facts.context.in_log_dir,
        log_start=facts.log_start,
        log_end=facts.log_end,
        has_producers=facts.producers.has_producers or (has_records and bool(facts.epoch_entries)),
        covered=frozenset(covered),
        just_rolled=bool(facts.scans) and facts.scans[-1].batches == 1,
        just_made=_is_just_made(facts),
        gone=_gone_with_all_segments(facts),
        is_foreign=not directory.segments and is_of_zookeeper(partition.others),
    )


def _gone_with_all_segments(facts: PartitionFacts) -> tuple[int, int | None] | None:
    """First and last offset that a log without any segment had; None: there is a segment, or nothing tells of records."""
    gone = None if facts.directory.segments else gone_at_end(facts.remains, facts.context)
    return None if gone is None else (gone.first, gone.last)


def _is_just_made(facts: PartitionFacts) -> bool:
    """Whether the directory is empty as a broker has made it, which had no time for a file yet."""
    empty = not facts.partition.files and not facts.partition.others
    return empty and facts.directory.clean is False and not any(line.offset > 0 for line in facts.context.lines.values())


def _paths_now(segment: Segment) -> dict[str, str]:
    """A segment's files; if one is missing, asked for again: a running broker makes and removes them one by one."""
    paths = dict(segment.paths)
    if {".log", ".index", ".timeindex"} <= paths.keys():
        return paths
    stem = next(iter(paths.values())).rpartition(".")[0]
    names = {suffix: f"{stem}{suffix}" for suffix in (*paths, ".log", ".index", ".timeindex")}
    return {suffix: path for suffix, path in names.items() if size_of(path) is not None}


def _epochs(facts: PartitionFacts) -> EpochFile | None:
    directory, file, checkpoint = facts.directory, facts.epoch_file, facts.epochs
    data = None if file is None else file.data
    if "leader-epoch-checkpoint" in facts.partition.others or (file is not None and data is None):
        return None
    start = facts.log_start or 0
    every = [run for run, _ in facts.epoch_runs]
    raised = not directory.kraft_log and (directory.clean is not True or _is_cut_inside(checkpoint, every))
    floor = start
    if checkpoint is not None and checkpoint.entries and raised:
        floor = max(start, checkpoint.entries[0].start_offset)
    return EpochFile(
        path=join(facts.path, "leader-epoch-checkpoint") if file is None else file.path,
        checkpoint=checkpoint,
        size=len(data or b""),
        runs=tuple(placed for placed in facts.epoch_runs if placed.run.last_offset >= floor),
        log_end=facts.log_end,
        legacy=any(scan.magics for scan in facts.scans),
        last_legacy=max((scan.last_legacy for scan in facts.scans), default=-1),
        clean=directory.clean,
        log_only=directory.log_only or not facts.scans,
        rebuilt=_rebuilt(every, start),
        mark=directory.mark,
        log_start=start,
        raised=raised,
        start_known=facts.context.log_starts_known,
        canonical=data is None or checkpoint is None or is_as_kafka_writes(data, checkpoint.entries),
        log_start_path=facts.context.log_start_path if directory.clean is True and not directory.kraft_log else "",
        log_start_line=facts.line(LOG_STARTS),
        end_confirmed=facts.end_confirmed,
    )


def _wrong_epoch(facts: PartitionFacts, wrong: WrongEpoch) -> WrongBatchEpoch:
    run, path = wrong.placed
    file = facts.epoch_file
    return WrongBatchEpoch(
        path=path,
        run=run,
        right=wrong.right,
        by_neighbours=wrong.by_neighbours,
        file=file.path if file is not None and wrong.by_file else "",
    )


def _metadata(facts: PartitionFacts) -> PartitionMetadataFile | None:
    directory, file, metadata = facts.directory, facts.metadata_file, facts.metadata
    data = None if file is None else file.data
    if "partition.metadata" in facts.partition.others or (file is not None and data is None):
        return None
    return PartitionMetadataFile(
        path=join(facts.path, "partition.metadata") if file is None else file.path,
        metadata=metadata,
        size=len(data or b""),
        canonical=data is None or metadata is None or _is_as_kafka_writes(data, metadata),
        kraft=facts.context.kraft,
        log_only=directory.log_only,
        mark=directory.mark,
        metadata_log=directory.kraft_log,
    )


def _checkpoints(facts: PartitionFacts) -> PartitionCheckpoints | None:
    directory, log_end = facts.directory, facts.log_end
    if log_end is None or not directory.segments or not facts.context.in_log_dir:
        return None
    bases = [segment.base_offset for segment in directory.segments]
    return PartitionCheckpoints(
        path=facts.path,
        log_path=facts.scans[-1].path,
        recovery_point=facts.line(RECOVERY_POINTS),
        high_watermark=facts.line(HIGH_WATERMARKS),
        log_start=facts.line(LOG_STARTS),
        cleaner=facts.line(CLEANER_OFFSETS),
        first_base=bases[0],
        second_base=bases[1] if len(bases) > 1 else None,
        log_end=log_end,
        clean=directory.clean,
        mark=directory.mark,
        damaged=any(scan.damaged for scan in facts.scans),
        swapping=bool(directory.swapped),
        metadata_log=directory.kraft_log,
        recovery_file=facts.context.recovery_path,
        watermark_file=facts.context.watermark_path,
        zookeeper=facts.context.kraft is False,
        in_use=facts.in_use,
        is_torn=facts.remains.segments[-1].is_torn,
        is_end_named=any(offset > log_end for offset in (*facts.remains.snapshots, *_epoch_starts(facts))),
    )


def _epoch_starts(facts: PartitionFacts) -> Iterator[int]:
    return (entry.start_offset for entry in facts.remains.epochs)


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
