"""Rules about a partition directory: its names, its segments in a row, `partition.metadata`, the log dir's checkpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kafkalog.core.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.remedies import RESTORE
from kafkalog.verify.views import PartitionCheckpoints, PartitionFiles, PartitionMetadataFile, SegmentStep

if TYPE_CHECKING:
    from collections.abc import Iterator

_INDEXES = (".index", ".timeindex", ".txnindex")
_PARSED_BY_BROKER = re.compile(r"([^.]*)\.(?:.*\.)?(log|index|timeindex|txnindex|snapshot|swap|cleaned)")
_MOST_LOG_SIZE = 0x7FFFFFFF


# --- segments in a row ---


@rule(
    "segment-overlap",
    Severity.ERROR,
    on=SegmentStep,
    message="{file} goes up to offset {last}, this segment begins at {base}",
    consequence="Offsets {base} to {last} are there twice: readers get the one or the other, recovery may refuse the log.",
    remedy="Compare both segments with another replica. " + RESTORE,
    source="LogSegments, LogLoader (Kafka 3.9.1)",
    proof="segment-renamed-lower",
    near_miss="healthy",
    invariants="D2",
)
def segment_overlap(step: SegmentStep) -> Iterator[Hit]:
    """A segment holds offsets that belong to the next one, by its name."""
    last = step.previous_last
    if last is not None and last.last_offset >= step.base:
        yield Hit(
            Span(0, min(step.size, 61)),
            (step.base, last.last_offset),
            file=step.previous_path,
            last=last.last_offset,
            base=step.base,
        )


def _segment_path(sibling: str, base: int) -> str:
    """Path of the log of a base offset, beside another one."""
    folder, slash, _ = sibling.rpartition("/")
    return f"{folder}{slash}{base:020d}.log"


@rule(
    "segment-gap",
    Severity.WARNING,
    on=SegmentStep,
    message="{before} ends at offset {last}, this segment begins at {base}, and there is no {file}",
    consequence="{count} offsets hold no record. In a log that was never compacted a segment or the end of one is missing.",
    remedy="Compare with another replica. Normal if the topic is, or ever was, compacted.",
    source="UnifiedLog.roll (Kafka 3.9.1)",
    proof="middle-segment-deleted",
    near_miss="compacted-gap",
    history=True,
    loses=True,
    invariants="D3",
)
def segment_gap(step: SegmentStep) -> Iterator[Hit]:
    """A segment does not begin where the one before it ends."""
    end = step.previous_last.last_offset + 1 if step.previous_last is not None else step.previous_base
    if not step.previous_torn and step.base > end:
        yield Hit(
            Span(0, min(step.size, 61)),
            (end, step.base - 1),
            before=step.previous_path,
            file=_segment_path(step.path, end),
            last=end - 1,
            base=step.base,
            count=step.base - end,
        )


@rule(
    "segment-epoch-decreases",
    Severity.WARNING,
    on=SegmentStep,
    message="the first batch has leader epoch {epoch}; {file} has batches of epoch {before}",
    consequence="The epoch of a log never goes down. Followers that ask for the end of an epoch get a wrong answer.",
    remedy="Compare both segments with another replica; the field is not covered by the checksum.",
    source="LeaderEpochFileCache.assign (Kafka 3.9.1)",
    proof="segment-epoch-lower",
    near_miss="healthy",
    invariants="C8",
)
def segment_epoch_decreases(step: SegmentStep) -> Iterator[Hit]:
    """A segment begins with an older leader epoch than a segment before it holds."""
    first = step.first
    if first is not None and 0 <= first.epoch < step.top_epoch:
        yield Hit(
            Span(first.position + 12, first.position + 16),
            (first.base_offset, first.last_offset),
            epoch=first.epoch,
            before=step.top_epoch,
            file=step.top_epoch_path,
        )


@rule(
    "segment-empty",
    Severity.INFO,
    on=SegmentStep,
    message="{file} holds nothing, though it is not the last segment",
    consequence="None in a compacted log: the cleaner left nothing of it.",
    remedy="Compare with another replica if the topic was never compacted.",
    source="LogCleaner (Kafka 3.9.1)",
    proof="segment-emptied",
    near_miss="active-empty",
    invariants="D4",
)
def segment_empty(step: SegmentStep) -> Iterator[Hit]:
    """A closed segment has 0 bytes."""
    if step.previous_size == 0:
        yield Hit(Span(0, 0), None, path=step.previous_path, file=step.previous_path)


@rule(
    "segment-too-large",
    Severity.ERROR,
    on=SegmentStep,
    message="{size} bytes; Kafka opens no log of more than 2147483647",
    consequence="The broker does not start.",
    remedy=RESTORE,
    source="FileRecords (Kafka 3.9.1)",
    proof="sparse-3-gib",
    near_miss="healthy",
    invariants="C11",
)
def segment_too_large(step: SegmentStep) -> Iterator[Hit]:
    """The `.log` is larger than positions of 31 bits can address."""
    if step.size > _MOST_LOG_SIZE:
        yield Hit(Span(0, step.size), None, size=step.size)


# --- names ---


@rule(
    "index-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing beside its log of {size} bytes",
    consequence="The broker rebuilds the segment's indexes at the next start, and cuts the segment at the first bad batch.",
    remedy="Nothing to do if the log is sound; let the broker rebuild it, or copy it again.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="index-deleted",
    near_miss="active-empty",
    invariants="D5",
)
def index_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A segment with data has no `.index`.

    An empty active segment may lack one, and so may one that is being swapped. INFO when the last segment of a broker that
    was not stopped cleanly holds a single batch and has neither index: both are made with the first append, which a copy
    of a running broker may have met halfway.
    """
    yield from _missing(files, ".index")


@rule(
    "timeindex-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing beside its log of {size} bytes",
    consequence="The broker makes an empty one and never fills it: look-ups by time skip the segment, retention uses the "
    "file's age.",
    remedy="With the broker stopped, move the segment's `.index` away too: then both are rebuilt.",
    source="LogSegment.open (Kafka 3.9.1)",
    proof="timeindex-deleted",
    near_miss="active-empty",
    invariants="D6",
)
def timeindex_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A segment with data has no `.timeindex`."""
    yield from _missing(files, ".timeindex")


def _missing(files: PartitionFiles, suffix: str) -> Iterator[Hit]:
    if files.log_only or files.mark == "delete":
        return
    for base, paths in files.segments.items():
        if ".log" in paths and suffix not in paths and files.sizes.get(base) and base not in files.covered:
            path = paths[".log"].removesuffix(".log") + suffix
            new = base == files.active and files.just_rolled and not files.clean and not {".index", ".timeindex"} & paths.keys()
            severity = Severity.INFO if new else None
            yield Hit(None, None, path=path, severity=severity, file=path, size=files.sizes[base])


@rule(
    "siblings-not-copied",
    Severity.INFO,
    on=PartitionFiles,
    message="the directory holds logs and nothing else: {segments} segments without any index",
    consequence="Indexes, epochs and producers' state could not be checked. A broker would rebuild the indexes.",
    remedy="Copy the whole directory for a complete check.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="logs-only",
    near_miss="healthy",
    invariants="D5 D6",
)
def siblings_not_copied(files: PartitionFiles) -> Iterator[Hit]:
    """Only `.log` files are there: a partial copy."""
    if files.log_only and any(files.sizes.values()):
        yield Hit(None, None, segments=len(files.segments))


@rule(
    "index-without-log",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} has no log of base offset {base}",
    consequence="The broker deletes it at the next start. If the log was there before, its records are gone.",
    remedy="Look for the log in other copies; a gap between the segments tells whether it is missed.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="log-deleted",
    near_miss="swap-under-way",
    invariants="D8",
)
def index_without_log(files: PartitionFiles) -> Iterator[Hit]:
    """An index file stands alone. While a cleaned segment is being swapped in, or a segment deleted, that is normal."""
    if files.mark == "delete":
        return
    for base, paths in files.segments.items():
        if ".log" not in paths and base not in files.covered:
            for suffix in _INDEXES:
                if suffix in paths:
                    log = paths[suffix].removesuffix(suffix) + ".log"
                    yield Hit(None, None, path=paths[suffix], file=log, base=base)


@rule(
    "partition-without-log",
    Severity.WARNING,
    on=PartitionFiles,
    message="there is no log in the directory, not even {file}",
    consequence="The broker makes a new empty segment: the partition begins anew.",
    remedy="If it had data and another replica is in sync, start the broker: it fetches the partition. Else look for a copy "
    "first.",
    source="LogLoader.load (Kafka 3.9.1)",
    proof="logs-deleted",
    near_miss="delete-directory",
    loses=True,
    invariants="D1",
)
def partition_without_log(files: PartitionFiles) -> Iterator[Hit]:
    """No `.log` at all stands in the directory.

    INFO for an empty directory without an offset in the checkpoints of a log dir that was not stopped cleanly: the broker had
    just made it.
    """
    has_log = any(".log" in paths for paths in files.segments.values())
    swapped = any(name.suffix == ".log" and name.pending == ".swap" for name, _, _ in files.pending)
    if not has_log and not swapped and files.mark != "delete":
        first = min((*files.segments, *files.snapshots), default=0)
        yield Hit(None, None, severity=Severity.INFO if files.just_made else None, file=f"{files.path}/{first:020d}.log")


def _pending(files: PartitionFiles, pending: str) -> Iterator[Hit]:
    for name, path, size in files.pending:
        if name.pending == pending:
            yield Hit(Span(0, size), None, path=path, size=size)


@rule(
    "leftover-deleted",
    Severity.INFO,
    on=PartitionFiles,
    message="waits to be deleted; {size} bytes",
    consequence="A running broker removes it after file.delete.delay.ms, any broker at its next start.",
    remedy="`kafkalog dump` still reads it, if deleted records are wanted.",
    source="LogLoader.removeTempFilesAndCollectSwapFiles (Kafka 3.9.1)",
    proof="pending-delete",
    near_miss="healthy",
    invariants="D9",
)
def leftover_deleted(files: PartitionFiles) -> Iterator[Hit]:
    """A `.deleted` file: retention, DeleteRecords, compaction or a truncation put the segment aside."""
    yield from _pending(files, ".deleted")


@rule(
    "leftover-temporary",
    Severity.INFO,
    on=PartitionFiles,
    message="a file that was being written",
    consequence="None: it is replaced the next time that the file of its name is written.",
    remedy="Nothing to do.",
    source="CheckpointFile.write, PartitionMetadataFile.maybeFlush (Kafka 3.9.1)",
    proof="epoch-file-tmp",
    near_miss="healthy",
    invariants="D9",
)
def leftover_temporary(files: PartitionFiles) -> Iterator[Hit]:
    """A `.tmp` file: the broker was stopped between writing a small file and renaming it."""
    for name, is_directory in files.others:
        if not is_directory and name.endswith(".tmp"):
            yield Hit(None, None, path=f"{files.path}/{name}")
    for parsed, path, size in files.pending:
        if parsed.pending == ".part":
            yield Hit(Span(0, size), None, path=path)


@rule(
    "leftover-cleaned",
    Severity.INFO,
    on=PartitionFiles,
    message="an unfinished result of the log cleaner; {size} bytes",
    consequence="The broker removes it at its next start and cleans again; the segments that it was made from are still there.",
    remedy="Nothing to do.",
    source="LogLoader.removeTempFilesAndCollectSwapFiles (Kafka 3.9.1), KAFKA-12520",
    proof="cleaner-killed",
    near_miss="healthy",
    invariants="D9",
)
def leftover_cleaned(files: PartitionFiles) -> Iterator[Hit]:
    """A `.cleaned` file: the broker was stopped while the cleaner wrote it."""
    yield from _pending(files, ".cleaned")


@rule(
    "leftover-swap",
    Severity.INFO,
    on=PartitionFiles,
    message="a complete result of the log cleaner about to replace its segments; {size} bytes",
    consequence="At its next start the broker renames it into place and deletes the regular files of the offsets it covers; "
    "that is right if the file is whole.",
    remedy="Nothing to do if the file has no findings of its own. If it is damaged, move it away while the broker is stopped.",
    source="LogLoader.completeSwapOperations (Kafka 3.9.1), KAFKA-12520",
    proof="swap-under-way",
    near_miss="healthy",
    invariants="D9",
)
def leftover_swap(files: PartitionFiles) -> Iterator[Hit]:
    """A `.swap` file: the broker was stopped while a cleaned or split segment replaced its predecessors."""
    yield from _pending(files, ".swap")


@rule(
    "leftover-swap-incomplete",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} has {size} bytes; the regular segment of its base offset has {full}",
    consequence="At its next start the broker deletes the full segment and takes this one.",
    remedy="With the broker stopped, move the `.swap` files of this base offset away, after making a copy.",
    source="LogLoader.completeSwapOperations (Kafka 3.9.1), KAFKA-12520",
    proof="swap-empty",
    near_miss="swap-under-way",
    invariants="D9",
)
def leftover_swap_incomplete(files: PartitionFiles) -> Iterator[Hit]:
    """A `.log.swap` without a byte stands beside a full segment with all of its indexes: no cleaner leaves that."""
    for name, path, size in files.pending:
        full = files.sizes.get(name.base_offset, 0)
        if name.pending == ".swap" and name.suffix == ".log" and size == 0 and full:
            siblings = [other for other, _, _ in files.pending if other.base_offset == name.base_offset]
            if len(siblings) == 1:
                yield Hit(Span(0, 0), None, path=path, file=path, size=size, full=full)


@rule(
    "unexpected-file",
    Severity.WARNING,
    on=PartitionFiles,
    message="{what} that is none of Kafka's",
    consequence="The broker ignores it.",
    remedy="Nothing to do.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="foreign-file",
    near_miss="healthy",
    invariants="D14",
)
def unexpected_file(files: PartitionFiles) -> Iterator[Hit]:
    """A file or directory whose name means nothing to Kafka."""
    for name, is_directory in files.others:
        if not is_directory and name.endswith(".tmp"):
            continue
        if is_directory or not _PARSED_BY_BROKER.fullmatch(name):
            what = "a directory" if is_directory else "a file"
            if is_directory and _PARSED_BY_BROKER.fullmatch(name):
                continue
            yield Hit(None, None, path=f"{files.path}/{name}", what=what)


@rule(
    "segment-is-directory",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file} is a directory",
    consequence="The broker ignores it: the file that should be there is missing.",
    remedy=RESTORE,
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="log-is-directory",
    near_miss="foreign-file",
    loses=True,
    invariants="D14",
)
def segment_is_directory(files: PartitionFiles) -> Iterator[Hit]:
    """A directory has the name of a file of Kafka's."""
    names = ("leader-epoch-checkpoint", "partition.metadata")
    for name, is_directory in files.others:
        if is_directory and (_PARSED_BY_BROKER.fullmatch(name) or name in names):
            yield Hit(None, None, path=f"{files.path}/{name}", file=f"{files.path}/{name}")


@rule(
    "file-name-unparsable",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file}: {text!r} is not a base offset",
    consequence="The broker does not start: it parses what stands before the first dot as a number.",
    remedy="With the broker stopped, move the file out of the directory.",
    source="LocalLog.offsetFromFile, LogLoader (Kafka 3.9.1)",
    proof="notes-log",
    near_miss="foreign-file",
    invariants="D14 D1",
)
def file_name_unparsable(files: PartitionFiles) -> Iterator[Hit]:
    """A file has the suffix of a segment's, but no number in front of it."""
    for name, is_directory in files.others:
        match = _PARSED_BY_BROKER.fullmatch(name)
        if match and not is_directory and _java_long(match[1]) is None and not name.endswith(".deleted"):
            yield Hit(None, None, path=f"{files.path}/{name}", file=f"{files.path}/{name}", text=match[1])


@rule(
    "file-name-not-canonical",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file}: the name of base offset {base} has 20 digits: {right}",
    consequence="The broker opens, or makes, {right}; the records of this file stay unseen.",
    remedy="With the broker stopped, rename the file if its content begins at offset {base}.",
    source="LogFileUtils.filenamePrefixFromOffset, LogLoader (Kafka 3.9.1)",
    proof="name-short",
    near_miss="foreign-file",
    loses=True,
    invariants="D1",
)
def file_name_not_canonical(files: PartitionFiles) -> Iterator[Hit]:
    """The number in a segment file's name is not written the way Kafka writes it."""
    for name, is_directory in files.others:
        match = _PARSED_BY_BROKER.fullmatch(name)
        base = _java_long(match[1]) if match else None
        if match and base is not None and not is_directory:
            right = f"{'-' if base < 0 else ''}{abs(base):020d}{name[len(match[1]) :]}"
            path = f"{files.path}/{name}"
            if right != name or base < 0:
                yield Hit(None, None, path=path, file=path, base=base, right=right)


def _java_long(text: str) -> int | None:
    if not re.fullmatch(r"[+-]?\d+", text):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


@rule(
    "snapshot-missing-for-segment",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing, though there are snapshots before and after it and producers wrote in between",
    consequence="The broker replays more of the log when it needs the producers' state there.",
    remedy="Nothing to do if the log is sound.",
    source="UnifiedLog.roll, ProducerStateManager.takeSnapshot (Kafka 2.8 and later)",
    proof="snapshot-deleted",
    near_miss="healthy",
    invariants="D12",
)
def snapshot_missing_for_segment(files: PartitionFiles) -> Iterator[Hit]:
    """A segment in the middle has no snapshot although its neighbours have one.

    Brokers before 2.8 keep only the newest ones; nothing is written when no producer has written since the last one.
    """
    bases = [base for base, paths in files.segments.items() if ".log" in paths]
    if not files.snapshots or files.log_only:
        return
    for base in bases:
        between = min(files.snapshots) < base < max(files.snapshots)
        if between and base not in files.snapshots and base in files.changed:
            path = f"{files.path}/{base:020d}.snapshot"
            yield Hit(None, (base, base), path=path, file=path)


@rule(
    "snapshot-at-end-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="the broker was stopped cleanly, but {file} is missing",
    consequence="The broker replays the last segment; if no snapshot is left, it forgets the producers and open transactions.",
    remedy="Nothing to do if an older snapshot is there.",
    source="UnifiedLog.close, ProducerStateManager.takeSnapshot (Kafka 3.9.1)",
    proof="snapshot-last-deleted",
    near_miss="healthy",
    invariants="K2",
)
def snapshot_at_end_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A clean stop writes a snapshot at the end of the log."""
    end = files.log_end
    empty = files.active is None or not files.sizes.get(files.active) or files.log_start == end
    if not files.clean or not end or files.mark or empty:
        return
    if end not in files.snapshots and (files.has_producers or files.snapshots):
        path = f"{files.path}/{end:020d}.snapshot"
        yield Hit(None, (end, end), path=path, file=path)


@rule(
    "index-zero-capacity",
    Severity.INFO,
    on=PartitionFiles,
    message="{file} has 0 bytes beside an empty active segment",
    consequence="Some releases can not roll such a segment ('segment already exists') until they are restarted.",
    remedy="Restart the broker if it complains; nothing is lost.",
    source="KAFKA-6388, KAFKA-13603",
    proof="index-zero-capacity",
    near_miss="active-empty",
    invariants="D4 E3",
)
def index_zero_capacity(files: PartitionFiles) -> Iterator[Hit]:
    """The index of the empty active segment has no room for an entry, and the broker was not stopped cleanly."""
    if files.active is None or files.clean is not False or files.sizes.get(files.active) != 0 or files.mark:
        return
    if files.active_index_size != 0:
        return
    path = files.segments[files.active].get(".index")
    if path is not None and files.active in files.covered:
        yield Hit(Span(0, 0), None, path=path, file=path)


# --- partition.metadata ---


@rule(
    "partition-metadata-malformed",
    Severity.ERROR,
    on=PartitionMetadataFile,
    message="{reason}",
    consequence="The broker takes the log dir offline or does not start.",
    remedy="With the broker stopped, write `version: 0` and `topic_id:` with the topic's id (`kafka-topics.sh --describe`).",
    source="PartitionMetadataFile.PartitionMetadataReadBuffer (Kafka 3.9.1)",
    proof="metadata-zero-id",
    near_miss="healthy",
    invariants="K11",
)
def partition_metadata_malformed(file: PartitionMetadataFile) -> Iterator[Hit]:
    """`partition.metadata` can not be read, or holds the id of no topic."""
    if file.metadata is not None and file.metadata.damage is not None:
        yield Hit(Span(0, file.size), None, reason=file.metadata.damage.reason)


@rule(
    "partition-metadata-edited",
    Severity.WARNING,
    on=PartitionMetadataFile,
    message="the file can be read, but Kafka writes it otherwise: {size} bytes",
    consequence="None for the broker. Somebody or something else than a broker wrote it.",
    remedy="Compare the topic id with that of the controller (`kafka-topics.sh --describe`).",
    source="PartitionMetadata.encode (Kafka 3.9.1)",
    proof="metadata-final-newline",
    near_miss="healthy",
    invariants="K11",
)
def partition_metadata_edited(file: PartitionMetadataFile) -> Iterator[Hit]:
    """A further line, another version or a line break at the end show that no broker wrote the file."""
    if file.metadata is not None and file.metadata.damage is None and not file.canonical:
        yield Hit(Span(0, file.size), None, size=file.size)


@rule(
    "partition-metadata-missing",
    Severity.INFO,
    on=PartitionMetadataFile,
    message="there is no partition.metadata",
    consequence="A KRaft broker of 3.7.1 or later takes the directory for a stray one, renames it and makes an empty "
    "partition. With ZooKeeper it is normal.",
    remedy="KRaft: with the broker stopped, write it with the topic's id (`kafka-topics.sh --describe`).",
    source="LogManager.isStrayKraftReplica (Kafka 3.9.1), KAFKA-16814",
    proof="metadata-missing",
    near_miss="zookeeper-era",
    invariants="K11",
)
def partition_metadata_missing(file: PartitionMetadataFile) -> Iterator[Hit]:
    """`partition.metadata` is missing, and nothing says that the broker is of the ZooKeeper era.

    A WARNING when the log dir is one of a KRaft broker. The metadata log's is made anew.
    """
    wanted = not file.log_only and not file.mark and not file.metadata_log
    if file.metadata is None and file.kraft is not False and wanted:
        yield Hit(None, None, severity=Severity.WARNING if file.kraft else None)


# --- checkpoints ---


def _bounds(view: PartitionCheckpoints) -> bool:
    return not view.mark


@rule(
    "recovery-point-beyond-end",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the recovery point is {point}, but {file} ends at offset {end}",
    consequence="{count} offsets that were flushed to disk are gone. The broker clips the recovery point.",
    remedy="Compare the end of the log with another replica before this broker becomes leader.",
    source="LogManager.loadLog, LogLoader (Kafka 3.9.1)",
    proof="log-cut-clean",
    near_miss="crash",
    loses=True,
    invariants="K1 K2",
)
def recovery_point_beyond_end(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The log was flushed up to the recovery point, and is shorter now.

    INFO when the broker may have been running: the checkpoint can have been copied after the log was.
    """
    point = view.recovery_point
    if point is not None and _bounds(view) and point.offset > view.log_end:
        yield Hit(
            point.span,
            (view.log_end, point.offset - 1),
            path=point.path,
            severity=Severity.INFO if view.in_use else None,
            point=point.offset,
            file=view.log_path,
            end=view.log_end,
            count=point.offset - view.log_end,
        )


@rule(
    "recovery-point-behind-end",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the recovery point is {point}, but {file} ends at offset {end} ({stop})",
    consequence="{count} offsets were added after the stop, or belong to another log.",
    remedy="Find out who wrote them; compare with another replica.",
    source="LogManager.shutdown (Kafka 3.9.1)",
    proof="log-longer-clean",
    near_miss="crash",
    invariants="K2",
)
def recovery_point_behind_end(view: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop sets the recovery point to the end of the log; and it is never negative."""
    point = view.recovery_point
    if point is None or not _bounds(view) or view.metadata_log:
        return
    if point.offset < 0 or (view.clean and point.offset < view.log_end):
        yield Hit(
            point.span,
            (max(0, point.offset), view.log_end),
            path=point.path,
            stop="the broker was stopped cleanly" if view.clean else "no offset is negative",
            point=point.offset,
            file=view.log_path,
            end=view.log_end,
            count=view.log_end - point.offset,
        )


@rule(
    "recovery-point-missing",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the broker was stopped cleanly, but {file} has no line for the partition",
    consequence="The broker takes 0: after an unclean stop it would recover the whole log.",
    remedy="Nothing to do if the directory was put here after the stop.",
    source="LogManager.shutdown (Kafka 3.9.1)",
    proof="recovery-line-removed",
    near_miss="crash",
    invariants="K2 K8",
)
def recovery_point_missing(view: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop writes a recovery point for every log of the log dir."""
    if view.clean and view.recovery_point is None and view.recovery_file and not view.mark and not view.metadata_log:
        yield Hit(None, None, file=view.recovery_file)


@rule(
    "hw-missing",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the broker was stopped cleanly, but {file} has no line for the partition",
    consequence="The broker takes the log's start for the high watermark until the leader tells it: until then consumers see "
    "nothing, and a follower without leader epochs truncates there.",
    remedy="Nothing to do if the directory was put here after the stop.",
    source="ReplicaManager.checkpointHighWatermarks (Kafka 3.9.1)",
    proof="hw-line-removed",
    near_miss="crash",
    invariants="K3 K8",
)
def hw_missing(view: PartitionCheckpoints) -> Iterator[Hit]:
    """A clean stop writes a high watermark for every partition that the broker serves."""
    if view.clean and view.high_watermark is None and view.watermark_file and not view.mark and not view.metadata_log:
        yield Hit(None, None, file=view.watermark_file)


@rule(
    "hw-beyond-end",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the high watermark is {offset}, but the log ends at offset {end}, and there is no {file}",
    consequence="{count} offsets that consumers may have read are not in this log.",
    remedy="Compare the end of the log with another replica before this broker becomes leader.",
    source="Partition.createLog, ReplicaManager.checkpointHighWatermarks (Kafka 3.9.1)",
    proof="log-cut-clean",
    near_miss="crash",
    invariants="K3",
)
def hw_beyond_end(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed high watermark lies behind the end of the log.

    INFO unless the broker was stopped cleanly, or the missing offsets had been flushed.
    """
    mark = view.high_watermark
    flushed = view.recovery_point is not None and view.recovery_point.offset > view.log_end and not view.in_use
    if mark is not None and _bounds(view) and mark.offset > view.log_end:
        yield Hit(
            mark.span,
            (view.log_end, mark.offset - 1),
            path=mark.path,
            severity=None if view.clean or flushed else Severity.INFO,
            offset=mark.offset,
            file=_segment_path(view.log_path, view.log_end),
            end=view.log_end,
            count=mark.offset - view.log_end,
        )


@rule(
    "hw-below-log-start",
    Severity.WARNING,
    on=PartitionCheckpoints,
    message="the high watermark is {offset}, but the log starts at {start}",
    consequence="The broker raises it. After a clean stop it never lies there.",
    remedy="Compare with another replica.",
    source="UnifiedLog.updateHighWatermark (Kafka 3.9.1)",
    proof="hw-lowered",
    near_miss="crash",
    invariants="K3",
)
def hw_below_log_start(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed high watermark lies before the log's start. INFO unless the broker was stopped cleanly."""
    mark = view.high_watermark
    start = max(view.first_base, view.log_start.offset if view.log_start is not None else 0)
    if mark is not None and _bounds(view) and (mark.offset < 0 or (mark.offset < start and not view.swapping)):
        yield Hit(
            mark.span,
            None,
            path=mark.path,
            severity=None if view.clean or mark.offset < 0 else Severity.INFO,
            offset=mark.offset,
            start=start,
        )


@rule(
    "log-start-beyond-end",
    Severity.ERROR,
    on=PartitionCheckpoints,
    message="the log start offset is {offset}, but {file} ends at offset {end}",
    consequence="At the next start the broker deletes every segment of the partition and begins anew at {offset}.",
    remedy="Do not start the broker: correct the line, or restore the end of the log from another replica.",
    source="LogLoader.load (Kafka 3.9.1), KAFKA-10101",
    proof="log-start-raised",
    near_miss="delete-records",
    invariants="K4",
)
def log_start_beyond_end(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed log start offset lies behind the end of the log."""
    start = view.log_start
    if start is not None and _bounds(view) and start.offset > view.log_end:
        yield Hit(
            start.span, (view.log_end, start.offset), path=start.path, offset=start.offset, file=view.log_path, end=view.log_end
        )


@rule(
    "log-start-outside-first-segment",
    Severity.INFO,
    on=PartitionCheckpoints,
    message="the log start offset is {offset}; the first segment covers {first} to {last}",
    consequence="Whole segments wait to be deleted; or, when it lies lower, older segments are in remote storage or are gone.",
    remedy="Nothing to do if DeleteRecords, retention or tiered storage is at work.",
    source="UnifiedLog.maybeIncrementLogStartOffset (Kafka 3.9.1)",
    proof="log-start-lowered",
    near_miss="delete-records",
    invariants="K5 K6",
)
def log_start_outside_first_segment(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The checkpointed log start offset does not lie in the first segment."""
    start = view.log_start
    if start is None or not _bounds(view) or start.offset > view.log_end:
        return
    last = view.second_base - 1 if view.second_base is not None else view.log_end
    if not view.first_base <= start.offset <= last:
        negative = start.offset < 0
        yield Hit(
            start.span,
            None,
            path=start.path,
            severity=Severity.WARNING if negative else None,
            offset=start.offset,
            first=view.first_base,
            last=last,
        )


@rule(
    "cleaner-checkpoint-out-of-range",
    Severity.INFO,
    on=PartitionCheckpoints,
    message="the cleaner stands at {offset}, but {file} ends at offset {end}",
    consequence="The broker resets it and cleans from the log's start. The line is that of an earlier topic of this name, the "
    "checkpoint was copied after the log, or the log lost its end.",
    remedy="Nothing to do if the topic was deleted and made anew. Else compare the end of the log with another replica.",
    source="LogCleanerManager.cleanableOffsets, LogManager.addStrayLog (Kafka 3.9.1)",
    proof="cleaner-raised",
    near_miss="compacted-gap",
    invariants="K7",
)
def cleaner_checkpoint_out_of_range(view: PartitionCheckpoints) -> Iterator[Hit]:
    """The first dirty offset of the log cleaner lies behind the end of the log.

    Of all checkpoints only the cleaner's keeps the lines of logs that are gone. A WARNING when the offset is negative.
    """
    cleaner = view.cleaner
    if cleaner is not None and _bounds(view) and (cleaner.offset > view.log_end or cleaner.offset < 0):
        yield Hit(
            cleaner.span,
            None,
            path=cleaner.path,
            severity=Severity.WARNING if cleaner.offset < 0 else None,
            offset=cleaner.offset,
            file=view.log_path,
            end=view.log_end,
        )
