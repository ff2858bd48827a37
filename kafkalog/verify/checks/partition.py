"""One partition: which segments to scan, and what the scans and the files beside them say together."""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kafkalog.core.checkpoint import read_leader_epochs
from kafkalog.core.filename import COORDINATOR_TOPICS, METADATA_TOPICS, PARTITION_FILES
from kafkalog.core.line_ends import change_of_entries, unix_line_ends
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.errors import UnreadableFile
from kafkalog.files.partition import Partition
from kafkalog.files.paths import join
from kafkalog.files.source import hashes_of, read_file
from kafkalog.verify.checks.compaction import CompactionHistory
from kafkalog.verify.checks.files import judge_files
from kafkalog.verify.checks.metadata_log import judge_metadata_log
from kafkalog.verify.checks.producers import ProducerChecks
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.report import NotChecked, PartitionReport, in_order
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.rules.compaction import LargeBatches, Tombstones
from kafkalog.verify.rules.copies import BinaryLineEnds, TextLineEnds
from kafkalog.verify.rules.partitions import SegmentStep
from kafkalog.verify.rules.snapshots import SnapshotFile
from kafkalog.verify.scan.results import SegmentScan, SegmentTask, Settings

if TYPE_CHECKING:
    from uuid import UUID

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.producer_snapshot import ProducerSnapshot
    from kafkalog.files.segment import Segment
    from kafkalog.replay.producers import AbortedSpan, OpenTransaction
    from kafkalog.verify.rules.shared import CheckpointLine

__all__ = ["PartitionCheck", "Surroundings"]

_HOLES_INSIDE = frozenset({"offset-gap", "segment-start-gap"})


@dataclass(frozen=True)
class Surroundings:
    """What the log dir says of a partition.

    `clean` and `kraft` are None when nothing tells. `lines` are those of the checkpoint files, by the file's name;
    `in_use`: an active segment of some partition is preallocated, so that the broker was running, or was killed.
    `cleaner_known` says that the log cleaner's checkpoint could be read. The paths are those of checkpoint files: that of
    the log start is always told, the others "" when no line can be expected of them.
    """

    in_log_dir: bool = False
    clean: bool | None = None
    kraft: bool | None = None
    in_use: bool = False
    lines: dict[str, CheckpointLine] = field(default_factory=dict)
    cleaner_known: bool = False
    log_start_path: str = ""
    log_starts_known: bool = False
    recovery_path: str = ""
    watermark_path: str = ""


class PartitionCheck:
    """The check of one partition directory: `tasks` are to be scanned, in any order and anywhere; `finish` judges.

    Args:
        path: The directory, spelled as it shall be printed.
        surroundings: What the log dir says.
        settings: What the caller wants.

    Raises:
        UnreadableFile: the directory cannot be listed.
    """

    def __init__(self, path: str, surroundings: Surroundings, settings: Settings) -> None:
        self.partition = partition = Partition(path)
        self.path = partition.path
        self.around = surroundings
        self.settings = settings
        name = partition.name
        self.topic = name.topic if name else None
        self.mark = name.mark if name else ""
        # A clean stop does not close the directories that wait to be deleted.
        self.clean = False if self.mark in ("delete", "stray") else surroundings.clean
        self.topic_id: UUID | None = None
        self.kraft_log = self.topic in METADATA_TOPICS
        self.not_checked: list[NotChecked] = []
        self.findings: list[Finding] = []
        self.files = 0
        self.bytes = 0
        self.readable = True
        #: Path of a binary file → how its line ends were changed; text files whose lines end in CR LF.
        self.line_ends: dict[str, str] = {}
        self.texts_of_windows: list[str] = []
        self.segments = [segment for segment in partition.segments if ".log" in segment.paths]
        self.active = self.segments[-1].base_offset if self.segments else None
        siblings = {suffix for segment in partition.segments for suffix in segment.paths}
        self.log_only = (
            siblings == {".log"} and not surroundings.in_log_dir and partition.file("leader-epoch-checkpoint") is None
        )
        swapping = any(pending.pending in (".cleaned", ".swap") for pending, _ in partition.pending)
        self.compacted = "cleaner-offset-checkpoint" in surroundings.lines or self.topic in COORDINATOR_TOPICS or swapping
        self.snapshots = self._read_snapshots()
        self.snapshot_offsets = sorted(self.snapshots)
        bounds = [*(segment.base_offset for segment in self.segments), 1 << 63]
        self.tasks = [self._task(*item) for item in zip(self.segments, bounds[1:], strict=True)]
        self.tasks += [
            SegmentTask(base_offset=0, paths={".log": file}, settings=settings, kraft=True, snapshot_epoch=parsed.epoch)
            for parsed, file in partition.checkpoints
            if not parsed.pending
        ]
        self.tasks += [
            SegmentTask(
                base_offset=parsed.base_offset,
                paths={".log": file},
                settings=settings,
                active=True,
                mark="pending",
                kraft=self.kraft_log,
                compacted=self.compacted,
            )
            for parsed, file in partition.pending
            if parsed.suffix == ".log" and self.mark != "delete"
        ]

    def _task(self, segment: Segment, following: int) -> SegmentTask:
        base, offsets = segment.base_offset, self.snapshot_offsets
        return SegmentTask(
            base_offset=base,
            paths={suffix: path for suffix, path in segment.paths.items() if suffix in (".log", ".index", ".timeindex")},
            settings=self.settings,
            active=base == self.active,
            clean=self.clean,
            mark=self.mark,
            kraft=self.kraft_log,
            compacted=self.compacted,
            cuts=tuple(offsets[bisect_left(offsets, base) : bisect_left(offsets, following)]),
            in_use=base == self.active and self.around.in_use,
        )

    # --- reading the small files ---

    def read(self, path: str) -> bytes | None:
        """A small file's bytes; None, and noted, when it cannot be read."""
        self.files += 1
        try:
            data = read_file(path)
        except UnreadableFile as error:
            self._failed(error)
            return None
        self.bytes += len(data)
        if os.path.basename(path) in PARTITION_FILES and unix_line_ends(data) is not None:
            self.texts_of_windows.append(path)
        return data

    @cached_property
    def epoch_data(self) -> bytes | None:
        """The `leader-epoch-checkpoint`, read and counted once; None when it is gone or cannot be read."""
        path = self.partition.file("leader-epoch-checkpoint")
        return None if path is None else self.read(path)

    @cached_property
    def epochs(self) -> Checkpoint[EpochEntry] | None:
        """What it says; None as for `epoch_data`."""
        return None if self.epoch_data is None else read_leader_epochs(self.epoch_data)

    def _failed(self, error: UnreadableFile) -> None:
        self.readable = False
        self.not_checked.append(NotChecked(error.path, error.reason, failed=True))

    def _read_snapshots(self) -> dict[int, tuple[str, ProducerSnapshot, int]]:
        found = {}
        for offset, path in self.partition.snapshots.items():
            data = self.read(path)
            if data is None:
                continue
            if change := change_of_entries(data, lambda data: read_producer_snapshot(data).damage is None):
                self.line_ends[path] = change
            found[offset] = (path, read_producer_snapshot(data), len(data))
        return found

    def emit(self, subject: Any) -> None:
        """What the rules say about a subject."""
        self.findings.extend(findings_of(subject))

    # --- judging ---

    def finish(self, scans: list[SegmentScan]) -> PartitionReport:
        """Judge the partition by the scans of its tasks, in their order."""
        self.scans = scans[: len(self.segments)]
        self._own_logs = {segment.paths[".log"] for segment in self.segments}
        for scan in scans:
            self.line_ends |= scan.line_ends
        #: Aborted transactions whose data are still there.
        self.aborted: list[AbortedSpan] = []
        #: Transactions without a marker.
        self.open_transactions: tuple[OpenTransaction, ...] = ()
        self.history = CompactionHistory(self.segments, self.scans, self.aborted, quick=self.settings.quick)
        for scan in scans:
            self._take(scan)
        traces = [scan.compaction_evidence for scan in self.scans if scan.compaction_evidence is not None]
        self.compacted |= bool(traces) and not self.history.never_reached(min(traces))
        log_end = self.log_end()
        for offset, (path, snapshot, size) in self.snapshots.items():
            newest = offset == self.snapshot_offsets[-1] and self.in_use()
            self.emit(
                SnapshotFile(
                    path=path,
                    offset=offset,
                    snapshot=snapshot,
                    size=size,
                    log_end=log_end,
                    clean=self.clean,
                    being_written=newest,
                )
            )
        self._segments_in_a_row()
        self.producers = ProducerChecks(self)
        self.producers.run(log_end)
        judge_files(self, log_end)
        self._compaction()
        if self.kraft_log:
            judge_metadata_log(self, [scan for scan in scans[len(self.segments) :] if scan.path.endswith(".checkpoint")])
        self._line_ends(scans)
        return self._report(scans, log_end)

    def _line_ends(self, scans: list[SegmentScan]) -> None:
        """Tell of changed line ends, in the place of what follows from them."""
        if self.texts_of_windows and not self.around.in_log_dir:
            self.emit(TextLineEnds(path=self.path, files=tuple(sorted(self.texts_of_windows))))
        if not self.line_ends:
            return
        if not self._own_logs.isdisjoint(self.line_ends):
            # What the segments say of each other, and the other files of them, cannot be judged then.
            self.findings = [finding for scan in scans for finding in scan.findings]
        self.findings = [finding for finding in self.findings if finding.path not in self.line_ends]
        self.emit(BinaryLineEnds(path=self.path, files=tuple(sorted(self.line_ends.items()))))

    def _take(self, scan: SegmentScan) -> None:
        own = scan.path in self._own_logs
        # What is being cleaned or deleted may have any gaps.
        self.findings.extend(finding for finding in scan.findings if own or not RULES[finding.id].history)
        self.files += scan.files
        self.bytes += scan.bytes_read
        for failure in scan.failures:
            self._failed(UnreadableFile(*failure))
        self.not_checked.extend(NotChecked(path, reason) for path, reason in scan.not_checked)

    def log_end(self) -> int | None:
        """The offset after the last; None when it is not known."""
        if not self.scans or self.scans[-1].is_unread:
            return None
        last = self.scans[-1]
        return last.base_offset if last.last is None else last.last.last_offset + 1

    def in_use(self) -> bool:
        """Whether the broker may have been running: it was not stopped cleanly, and active indexes are preallocated.

        If not here, then in another partition: this one may have rolled its segment between the listing of the directory and
        the copying of its files.
        """
        return self.clean is not True and bool(self.scans) and (self.scans[-1].preallocated or self.around.in_use)

    def log_start(self) -> int | None:
        """The first offset that counts, by the log dir and the names; None without a log."""
        if not self.segments:
            return None
        base = self.segments[0].base_offset
        if self.kraft_log:
            oldest = min((p.base_offset for p, _ in self.partition.checkpoints if not p.pending), default=0)
            data = self.epoch_entries()
            return oldest if data and data[0][1] == oldest else base
        line = self.around.lines.get("log-start-offset-checkpoint")
        return base if line is None else max(base, line.offset)

    def known_start(self) -> int:
        """The offset below which a broker that loaded the log need not have looked.

        When it rebuilds what it knows of producers it begins at the log's start, wherever that lies in the segments. Of a
        directory without its log dir the epoch file tells it: its first entry is raised to the start.
        """
        start = self.log_start() or 0
        entries = [] if self.kraft_log else self.epoch_entries()
        return max(start, entries[0][1]) if entries else start

    def epoch_entries(self) -> list[tuple[int, int]]:
        """Epoch and start offset of each line of `leader-epoch-checkpoint`."""
        return [] if self.epochs is None else list(self.epochs.entries)

    def _segments_in_a_row(self) -> None:
        top, top_path = -1, ""
        for number, scan in enumerate(self.scans):
            before = self.scans[number - 1] if number else None
            self.emit(
                SegmentStep(
                    path=scan.path,
                    base=scan.base_offset,
                    size=scan.size,
                    first=scan.first,
                    previous_path=before.path if before else "",
                    previous_base=before.base_offset if before else scan.base_offset,
                    previous_last=before.last if before else None,
                    previous_size=before.size if before and not before.is_unread else -1,
                    previous_torn=before is None or before.damaged,
                    top_epoch=top,
                    top_epoch_path=top_path,
                    active=scan.base_offset == self.active,
                )
            )
            for run in scan.epochs:
                if run.epoch > top:
                    top, top_path = run.epoch, scan.path

    @cached_property
    def swapped(self) -> frozenset[int]:
        """Base offsets of the segments that are being swapped in."""
        return frozenset(parsed.base_offset for parsed, _ in self.partition.pending if parsed.pending == ".swap")

    @property
    def kinds(self) -> frozenset[str]:
        """Of the files that are there: suffixes of the segments' files, names of the others."""
        suffixes = {suffix for segment in self.partition.segments for suffix in segment.paths}
        names = {name for name in PARTITION_FILES if self.partition.file(name) is not None}
        return frozenset(suffixes | names | ({".snapshot"} if self.partition.snapshots else set()))

    @property
    def cleaned(self) -> bool:
        """Whether batches show that the log cleaner went over them."""
        return any(scan.compaction_evidence for scan in self.scans)

    def _compaction(self) -> None:
        """What a compacted log should not hold, and what the cleaner will take away next."""
        largest = self.settings.max_message_bytes
        for scan in self.scans:
            if scan.large is not None and (self.compacted or largest is not None):
                self.emit(LargeBatches(path=scan.path, large=scan.large, limit=largest))
            # The cleaner does not go near the active segment: its tombstones only wait for a roll.
            waiting = scan.tombstones and scan.base_offset != self.active
            if self.compacted and (waiting or scan.horizons is not None):
                self.emit(
                    Tombstones(
                        path=scan.path, count=scan.tombstones, horizons=scan.horizons, now=self.settings.now, size=scan.size
                    )
                )
        cleaner = self.around.lines.get("cleaner-offset-checkpoint")
        if cleaner is not None and not self.settings.quick and not self.mark:
            part = self.history.clean_part(cleaner)
            if part is not None:
                self.emit(part)

    # --- the result ---

    def _graded(self) -> list[Finding]:
        """The findings, those that only hold for logs that were never compacted graded by what is known of that."""
        kept = []
        lone_hole = sum(finding.id in _HOLES_INSIDE for finding in self.findings) <= 1
        for finding in self.findings:
            if not RULES[finding.id].history:
                kept.append(finding)
            elif self.compacted:
                continue
            elif self._is_certain(finding, lone_hole=lone_hole):
                kept.append(finding)
            else:
                kept.append(finding._replace(severity=min(finding.severity, Severity.INFO)))
        return kept

    def _is_certain(self, finding: Finding, *, lone_hole: bool) -> bool:
        """Whether no log cleaner explains a finding.

        A compacted log with a closed segment soon gets its line in the cleaner's checkpoint. One of a single segment may
        have none, and still have holes: those that the cleaner of its leader made before this broker got the partition. So
        may any log with several holes: this broker may have got it when the topic was compacted no longer. But leaders take no
        record without a key into a compacted topic.
        """
        if finding.offsets is not None and self.history.is_uncleaned_below(finding.offsets[0]):
            return True
        # A line leaves the checkpoint when its directory is renamed, and comes when it is put in its place.
        if self.mark or not self.around.cleaner_known:
            return False
        return (len(self.segments) > 1 and lone_hole) or self.history.has_keyless

    def _hashes(self, scans: list[SegmentScan]) -> tuple[tuple[str, str], ...]:
        """Path and SHA-256 of every file of the directory: those of the scans, and the others."""
        found = {path: digest for scan in scans for path, digest in scan.hashes.items()}
        known = {*found, *(item.path for item in self.not_checked)}
        others = [path for path in (join(self.path, name) for name in self.partition.files) if path not in known]
        found |= hashes_of(others, self._failed)
        return tuple(sorted(found.items()))

    def _report(self, scans: list[SegmentScan], log_end: int | None) -> PartitionReport:
        hashes = self._hashes(scans) if self.settings.hash else ()
        damaged = next((scan for scan in self.scans if scan.damaged), None)
        whole = damaged or (self.scans[-1] if self.scans else None)
        valid = None
        if whole is not None:
            valid = whole.valid_offset if whole.valid_offset is not None else whole.base_offset - 1
        return PartitionReport(
            path=self.path,
            topic=self.topic,
            partition=self.partition.number,
            findings=in_order(self._graded()),
            valid_through_offset=valid,
            valid_file=whole.path if whole is not None else "",
            valid_position=whole.valid_position if whole is not None else 0,
            log_start_offset=self.log_start(),
            log_end_offset=log_end,
            segments=len(self.segments),
            batches=sum(scan.batches for scan in scans),
            records=sum(scan.records for scan in scans),
            bytes=self.bytes,
            readable=self.readable,
            files=self.files,
            last_segment=self.active,
            hashes=hashes,
        )
