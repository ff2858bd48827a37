"""What is read of a partition directory, once: the facts that every check looks at. No rule is in here."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import read_leader_epochs
from kafkalog.core.filename import COORDINATOR_TOPICS, METADATA_TOPICS, PARTITION_FILES
from kafkalog.core.line_ends import change_of_entries, unix_line_ends
from kafkalog.core.log import NEVER
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.properties import read_partition_metadata
from kafkalog.files.log_dir import CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.files.partition import Partition
from kafkalog.kafka.cleaner_traces import RECORDS_LOOKED_AT, CleanerTraces
from kafkalog.kafka.remains import Remains, SegmentEnd, bases_without_log, sound_epochs, with_cut_ends
from kafkalog.replay.logs import Ends
from kafkalog.verify.compaction_history import CompactionHistory
from kafkalog.verify.producer_history import SnapshotRead, replay_producers
from kafkalog.verify.report import NotChecked
from kafkalog.verify.scan.key_notes import KeyNotes
from kafkalog.verify.scan.results import SegmentTask
from kafkalog.verify.wrong_epochs import PlacedRun, wrong_epochs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.properties import PartitionMetadata
    from kafkalog.files.directory import Directory, SmallFile
    from kafkalog.files.log_dir import CheckpointLine, PartitionContext
    from kafkalog.files.segment import Segment
    from kafkalog.replay.regular_records import RegularLog
    from kafkalog.verify.producer_history import ProducerHistory
    from kafkalog.verify.scan.results import SegmentScan, Settings
    from kafkalog.verify.wrong_epochs import WrongEpoch

__all__ = ["DirectoryFacts", "PartitionFacts", "read_facts"]

_EPOCHS, _METADATA, _QUORUM_STATE = "leader-epoch-checkpoint", "partition.metadata", "quorum-state"


@dataclass(frozen=True)
class DirectoryFacts:
    """A partition directory before its segments are scanned.

    Args:
        listed: The directory, as it was listed.
        context: What its log dir says of it.
        settings: What the caller wants.
    """

    listed: Directory
    context: PartitionContext
    settings: Settings

    @cached_property
    def partition(self) -> Partition:
        """The directory as a partition's; made when it is asked for, because a worker may be who asks."""
        return Partition(self.listed.path, self.listed)

    @property
    def path(self) -> str:
        """The directory, spelled as it is printed."""
        return self.listed.path

    @property
    def mark(self) -> str:
        """What its name is marked with: "", "delete", "future" or "stray"."""
        name = self.partition.name
        return name.mark if name else ""

    @property
    def clean(self) -> bool | None:
        """Whether it was closed by a clean stop, which does not close the directories that wait to be deleted."""
        return False if self.mark in ("delete", "stray") else self.context.clean

    @property
    def kraft_log(self) -> bool:
        """Whether it is the metadata log."""
        return self.partition.topic in METADATA_TOPICS

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Those that have a log, ascending."""
        return tuple(segment for segment in self.partition.segments if ".log" in segment.paths)

    @property
    def active(self) -> int | None:
        """Base offset of the last segment; None when there is none."""
        return self.segments[-1].base_offset if self.segments else None

    @cached_property
    def log_only(self) -> bool:
        """Whether it is a copy that holds nothing but logs."""
        siblings = {suffix for segment in self.partition.segments for suffix in segment.paths}
        return siblings == {".log"} and not self.context.in_log_dir and self.partition.file(_EPOCHS) is None

    @cached_property
    def named_compacted(self) -> bool:
        """Whether a line, the topic or a name says that the log was compacted."""
        swapping = any(pending.pending in (".cleaned", ".swap") for pending, _ in self.partition.pending)
        return CLEANER_OFFSETS in self.context.lines or self.partition.topic in COORDINATOR_TOPICS or swapping

    @cached_property
    def keys(self) -> KeyNotes | None:
        """What the scans are to note of the keys that the cleaner has gone over; None: nothing."""
        line = self.context.lines.get(CLEANER_OFFSETS)
        return None if line is None or self.settings.quick or self.mark else KeyNotes(line.offset, RECORDS_LOOKED_AT)

    @cached_property
    def swapped(self) -> frozenset[int]:
        """Base offsets of the segments that are being swapped in."""
        return frozenset(parsed.base_offset for parsed, _ in self.partition.pending if parsed.pending == ".swap")

    @property
    def kinds(self) -> frozenset[str]:
        """Of the files that are there: suffixes of the segments' files, names of the others."""
        suffixes = frozenset(suffix for segment in self.partition.segments for suffix in segment.paths)
        names = {name for name in PARTITION_FILES if self.partition.file(name) is not None}
        return suffixes | names | ({".snapshot"} if self.partition.snapshots else set())

    def small_file(self, path: str) -> SmallFile:
        """A small file of the directory, by its path."""
        return self.partition.directory.small_file(path.rpartition("/")[2])

    def small_file_named(self, name: str) -> SmallFile | None:
        """One of `PARTITION_FILES`; None when it is not there."""
        return None if self.partition.file(name) is None else self.partition.directory.small_file(name)

    @cached_property
    def snapshot_files(self) -> Mapping[int, SmallFile]:
        """The `.snapshot` files by offset, ascending."""
        return {offset: self.small_file(path) for offset, path in sorted(self.partition.snapshots.items())}

    @cached_property
    def snapshots(self) -> Mapping[int, SnapshotRead]:
        """Those of them that could be read."""
        return {
            offset: SnapshotRead(file.path, read_producer_snapshot(file.data), len(file.data))
            for offset, file in self.snapshot_files.items()
            if file.data is not None
        }

    @cached_property
    def tasks(self) -> tuple[SegmentTask, ...]:
        """What is to be scanned: the segments, then the metadata log's snapshots, then logs that were set aside."""
        bounds = [*(segment.base_offset for segment in self.segments), NEVER]
        segments = (self._task(*item) for item in zip(self.segments, bounds[1:], strict=True))
        return (*segments, *self._snapshot_tasks(), *self._pending_tasks())

    def _snapshot_tasks(self) -> Iterator[SegmentTask]:
        for parsed, path in self.partition.checkpoints:
            if not parsed.pending:
                yield SegmentTask(
                    base_offset=0, paths={".log": path}, settings=self.settings, kraft=True, snapshot_epoch=parsed.epoch
                )

    def _pending_tasks(self) -> Iterator[SegmentTask]:
        for parsed, path in self.partition.pending:
            if parsed.suffix == ".log" and self.mark != "delete":
                yield SegmentTask(
                    base_offset=parsed.base_offset,
                    paths={".log": path},
                    settings=self.settings,
                    active=True,
                    mark="pending",
                    kraft=self.kraft_log,
                    compacted=self.named_compacted,
                )

    def _task(self, segment: Segment, following: int) -> SegmentTask:
        base, offsets = segment.base_offset, tuple(self.snapshots)
        return SegmentTask(
            base_offset=base,
            paths={suffix: path for suffix, path in segment.paths.items() if suffix in (".log", ".index", ".timeindex")},
            settings=self.settings,
            active=base == self.active,
            clean=self.clean,
            mark=self.mark,
            kraft=self.kraft_log,
            compacted=self.named_compacted,
            cuts=offsets[bisect_left(offsets, base) : bisect_left(offsets, following)],
            in_use=base == self.active and self.context.in_use,
            following=None if following == NEVER else following,
            topic="" if self.mark or self.partition.topic not in COORDINATOR_TOPICS else self.partition.topic,
        )


@dataclass(frozen=True)
class PartitionFacts:
    """A partition directory after its segments have been scanned.

    Args:
        directory: What was known before.
        all_scans: Of its tasks, in their order.
        epoch_file: `leader-epoch-checkpoint`; None when it is not there.
        metadata_file: `partition.metadata`; None when it is not there.
        quorum_file: `quorum-state` of the metadata log; None when it is not there.
        transaction_indexes: The `.txnindex` files, by base offset.
    """

    directory: DirectoryFacts
    all_scans: tuple[SegmentScan, ...]
    epoch_file: SmallFile | None
    metadata_file: SmallFile | None
    quorum_file: SmallFile | None
    transaction_indexes: Mapping[int, SmallFile]

    @property
    def path(self) -> str:
        """The directory, spelled as it is printed."""
        return self.directory.path

    @property
    def partition(self) -> Partition:
        """The directory, as it was listed."""
        return self.directory.partition

    @property
    def context(self) -> PartitionContext:
        """What its log dir says of it."""
        return self.directory.context

    def line(self, checkpoint: str) -> CheckpointLine | None:
        """The partition's line in a checkpoint file of its log dir; None when there is none."""
        return self.context.lines.get(checkpoint)

    # --- the scans ---

    @cached_property
    def scans(self) -> tuple[SegmentScan, ...]:
        """Of its segments, ascending."""
        return self.all_scans[: len(self.directory.segments)]

    @property
    def snapshot_scans(self) -> tuple[SegmentScan, ...]:
        """Of the metadata log's snapshots."""
        others = self.all_scans[len(self.directory.segments) :]
        return tuple(scan for scan in others if scan.path.endswith(".checkpoint"))

    @property
    def log_end(self) -> int | None:
        """The offset after the last; None when it is not known."""
        if not self.scans or self.scans[-1].is_unread:
            return None
        last = self.scans[-1]
        return last.base_offset if last.last is None else last.last.last_offset + 1

    @property
    def regular(self) -> RegularLog | None:
        """Of a coordinator's topic what its scans say of the records, where all are regular; else None."""
        versions: set[tuple[int, int]] = set()
        for scan in self.scans:
            if scan.regular_versions is None:
                return None
            versions |= scan.regular_versions
        filled = [scan for scan in self.scans if scan.size]
        if not filled or filled[-1].last is None:
            return None
        from kafkalog.replay.regular_records import RegularLog

        end = filled[-1].last.last_offset + 1
        return RegularLog(frozenset(versions), Ends(end, max(end, self.scans[-1].base_offset)))

    @property
    def end_confirmed(self) -> bool:
        """Whether the log ends where the recovery point of a clean stop is, and the high watermark does not contradict that."""
        point, mark, end = self.line(RECOVERY_POINTS), self.line(HIGH_WATERMARKS), self.log_end
        is_noted = self.directory.clean is True and point is not None and point.offset == end
        return is_noted and (mark is None or end is None or mark.offset <= end)

    @property
    def in_use(self) -> bool:
        """Whether the broker may have been running: it was not stopped cleanly, and active indexes are preallocated.

        If not here, then in another partition: this one may have rolled its segment between the listing of the directory and
        the copying of its files.
        """
        preallocated = bool(self.scans) and (self.scans[-1].preallocated or self.context.in_use)
        return self.directory.clean is not True and preallocated

    @property
    def is_cleaned(self) -> bool:
        """Whether batches show that the log cleaner went over them."""
        return any(scan.compaction_evidence for scan in self.scans)

    @cached_property
    def _keyless(self) -> int:
        """The first record without a key that the scans have seen; `NEVER` when there was none."""
        return min((scan.first_keyless for scan in self.scans if scan.first_keyless is not None), default=NEVER)

    @cached_property
    def _traces(self) -> CleanerTraces:
        if self.directory.settings.quick:
            return CleanerTraces((), self._keyless)  # keys are records
        return CleanerTraces(self.directory.segments, self._keyless, is_read=True)

    @cached_property
    def compacted(self) -> bool:
        """Whether the log was compacted, by what is said of it and by its batches."""
        traces = [scan.compaction_evidence for scan in self.scans if scan.compaction_evidence is not None]
        is_believed = self.directory.settings.quick or (bool(traces) and self._traces.first_keyless >= min(traces))
        return self.directory.named_compacted or (bool(traces) and is_believed)

    # --- the small files ---

    @cached_property
    def epochs(self) -> Checkpoint[EpochEntry] | None:
        """What `leader-epoch-checkpoint` says; None when it is gone or cannot be read."""
        file = self.epoch_file
        return None if file is None or file.data is None else read_leader_epochs(file.data)

    @property
    def epoch_entries(self) -> Sequence[EpochEntry]:
        """Epoch and start offset of each of its lines."""
        return () if self.epochs is None else self.epochs.entries

    @cached_property
    def wrong_epochs(self) -> tuple[WrongEpoch, ...]:
        """Batches whose leader epoch is not the one that they had."""
        if any(scan.magics for scan in self.scans):
            return ()
        runs = [PlacedRun(run, scan.path) for scan in self.scans for run in scan.epochs]
        return tuple(wrong_epochs(runs, sound_epochs(self.epochs)))

    @cached_property
    def epoch_runs(self) -> tuple[PlacedRun, ...]:
        """The leader epochs of the batches, ascending, but for those that are wrong."""
        wrong = {one.placed for one in self.wrong_epochs}
        runs = (PlacedRun(run, scan.path) for scan in self.scans for run in scan.epochs)
        return tuple(placed for placed in runs if placed not in wrong)

    @cached_property
    def metadata(self) -> PartitionMetadata | None:
        """What `partition.metadata` says; None when it is gone or cannot be read."""
        file = self.metadata_file
        return None if file is None or file.data is None else read_partition_metadata(file.data)

    @property
    def topic_id(self) -> UUID | None:
        """By `partition.metadata`; None when nothing shows it."""
        sound = self.metadata is not None and self.metadata.damage is None and not self.directory.kraft_log
        return self.metadata.topic_id if sound and self.metadata is not None else None

    def _files(self) -> Iterator[SmallFile]:
        yield from self.directory.snapshot_files.values()
        yield from self._files_after_scans()

    def _files_after_scans(self) -> Iterator[SmallFile]:
        for file in (self.epoch_file, *self.transaction_indexes.values(), self.metadata_file, self.quorum_file):
            if file is not None:
                yield file

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        """What could not be read, or was not looked at."""
        return (
            *_failures(self.directory.snapshot_files.values()),
            *(item for scan in self.all_scans for item in _not_checked_of(scan)),
            *_failures(self._files_after_scans()),
        )

    @property
    def file_count(self) -> int:
        """Files that were opened."""
        return sum(1 for _ in self._files()) + sum(scan.files for scan in self.all_scans)

    @property
    def byte_count(self) -> int:
        """Bytes that were read."""
        return sum(len(file.data or b"") for file in self._files()) + sum(scan.bytes_read for scan in self.all_scans)

    @property
    def texts_of_windows(self) -> tuple[str, ...]:
        """Text files whose lines end in CR LF."""
        texts = (self.epoch_file, self.metadata_file, self.quorum_file)
        return tuple(f.path for f in texts if f is not None and f.data is not None and unix_line_ends(f.data) is not None)

    @cached_property
    def line_ends(self) -> Mapping[str, str]:
        """Path of a binary file → how its line ends were changed."""
        found = {}
        for file in self.directory.snapshot_files.values():
            if file.data is not None and (change := change_of_entries(file.data, _is_sound_snapshot)):
                found[file.path] = change
        for scan in self.all_scans:
            found |= scan.line_ends
        return found

    # --- what they say together ---

    @property
    def log_start(self) -> int | None:
        """The first offset that counts, by the log dir and the names; None without a log."""
        if not self.directory.segments:
            return None
        base = self.directory.segments[0].base_offset
        if self.directory.kraft_log:
            oldest = min((parsed.base_offset for parsed, _ in self.partition.checkpoints if not parsed.pending), default=0)
            entries = self.epoch_entries
            return oldest if entries and entries[0].start_offset == oldest else base
        line = self.line(LOG_STARTS)
        return base if line is None else max(base, line.offset)

    @property
    def known_start(self) -> int:
        """The offset below which a broker that loaded the log need not have looked.

        When it rebuilds what it knows of producers it begins at the log's start, wherever that lies in the segments. Of a
        directory without its log dir the epoch file tells it: its first entry is raised to the start.
        """
        start = self.log_start or 0
        entries = () if self.directory.kraft_log else self.epoch_entries
        return max(start, entries[0].start_offset) if entries else start

    @cached_property
    def producers(self) -> ProducerHistory:
        """What a replay of its producers shows."""
        directory = self.directory
        end = None if directory.kraft_log else self.log_end
        return replay_producers(
            self.scans,
            directory.snapshots,
            start=self.known_start,
            end=end,
            compacted=self.compacted,
            topic=self.partition.topic or "",
            partition=-1 if self.partition.number is None else self.partition.number,
        )

    @cached_property
    def cleaner_traces(self) -> CleanerTraces:
        """What its records say about the log cleaner."""
        return self._traces.with_aborted(min((span.last_offset for span in self.producers.aborted), default=NEVER))

    @cached_property
    def remains(self) -> Remains:
        """What is left of its log, as far as it tells of offsets that are gone."""
        directory = self.directory
        return Remains(
            segments=with_cut_ends(
                directory.segments, tuple(map(_end_of, self.scans)), [scan.max_timestamp for scan in self.scans]
            ),
            traces=self.cleaner_traces,
            epochs=sound_epochs(self.epochs),
            without_log=bases_without_log(self.partition),
            snapshots=tuple(sorted(self.partition.snapshots)),
            mark=directory.mark,
            is_swapping=bool(directory.swapped),
            is_metadata=directory.kraft_log,
            is_compacted=self.compacted,
            is_tiered=self.context.may_be_tiered and LOG_STARTS in self.context.lines,
        )

    @cached_property
    def compaction(self) -> CompactionHistory:
        """The part that the log cleaner cleaned."""
        return CompactionHistory(self.cleaner_traces, self.producers.aborted, self.directory.keys)


def _end_of(scan: SegmentScan) -> SegmentEnd:
    base = scan.base_offset
    if scan.is_unread:
        return SegmentEnd(base, base, is_damaged=True)
    is_torn = any(finding.id == "log-tail-torn" for finding in scan.findings)
    last = scan.last
    end, position = (base, 0) if last is None else (last.last_offset + 1, last.end)
    return SegmentEnd(base, end, is_damaged=position < scan.size and not is_torn, is_torn=is_torn)


def read_facts(directory: DirectoryFacts, scans: Sequence[SegmentScan]) -> PartitionFacts:
    """Read the small files of a directory whose segments have been scanned.

    Args:
        directory: The directory.
        scans: Of its tasks, in their order.
    """
    return PartitionFacts(
        directory=directory,
        all_scans=tuple(scans),
        epoch_file=directory.small_file_named(_EPOCHS),
        metadata_file=directory.small_file_named(_METADATA),
        quorum_file=directory.small_file_named(_QUORUM_STATE) if directory.kraft_log else None,
        transaction_indexes={
            segment.base_offset: directory.small_file(segment.paths[".txnindex"])
            for segment in directory.segments
            if ".txnindex" in segment.paths
        },
    )


def _failures(files: Iterable[SmallFile]) -> Iterator[NotChecked]:
    for file in files:
        if file.error is not None:
            yield NotChecked(file.error.path, file.error.reason, failed=True)


def _not_checked_of(scan: SegmentScan) -> Iterator[NotChecked]:
    for path, reason in scan.failures:
        yield NotChecked(path, reason, failed=True)
    if scan.over_limit:
        yield NotChecked(scan.path, scan.over_limit, failed=True)
    for path, reason in scan.not_checked:
        yield NotChecked(path, reason)


def _is_sound_snapshot(data: bytes) -> bool:
    return read_producer_snapshot(data).damage is None
