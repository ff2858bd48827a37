"""One partition: which segments to scan, and what the scans and the files beside them say together."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from kafkalog.core.checkpoint import is_as_kafka_writes, read_leader_epochs
from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.filename import METADATA_TOPICS
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.properties import format_uuid, read_partition_metadata, read_quorum_state
from kafkalog.core.span import Span
from kafkalog.core.transaction_index import read_transaction_index
from kafkalog.errors import FormatError, KafkalogError, UnreadableFile
from kafkalog.files.partition import Partition, join
from kafkalog.files.segment import Segment
from kafkalog.files.source import read_file, size_of
from kafkalog.verify.compaction import CompactionHistory
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.producers import AbortedSpan, ProducerState, Replay
from kafkalog.verify.report import NotChecked, PartitionReport, in_order
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.snapshot_checks import describe_differences, missing_producers
from kafkalog.verify.task import EpochRun, Marker, SegmentScan, SegmentTask, Settings
from kafkalog.verify.views import (
    CheckpointLine,
    EpochFile,
    KraftLog,
    KraftSnapshot,
    LargeBatches,
    MissingProducer,
    OpenTransactionView,
    PartitionCheckpoints,
    PartitionFiles,
    PartitionMetadataFile,
    QuorumFile,
    SegmentStep,
    SnapshotEntryView,
    SnapshotFile,
    Tombstones,
    TransactionIndexFile,
)

if TYPE_CHECKING:
    from uuid import UUID

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.producer_snapshot import ProducerSnapshot
    from kafkalog.core.properties import PartitionMetadata

__all__ = ["COMPACTED_TOPICS", "COORDINATOR_TOPICS", "PartitionCheck", "Surroundings"]

COORDINATOR_TOPICS = ("__consumer_offsets", "__transaction_state", "__share_group_state")
COMPACTED_TOPICS = COORDINATOR_TOPICS
_FAR = 1 << 62
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
        self.segments = [segment for segment in partition.segments if ".log" in segment.paths]
        self.active = self.segments[-1].base_offset if self.segments else None
        siblings = {suffix for segment in partition.segments for suffix in segment.paths}
        self.log_only = (
            siblings == {".log"} and not surroundings.in_log_dir and partition.file("leader-epoch-checkpoint") is None
        )
        swapping = any(pending.pending in (".cleaned", ".swap") for pending, _ in partition.pending)
        self.compacted = "cleaner-offset-checkpoint" in surroundings.lines or self.topic in COMPACTED_TOPICS or swapping
        self.snapshots = self._read_snapshots()
        self.tasks = [self._task(segment) for segment in self.segments]
        self.tasks += [
            SegmentTask(0, {".log": file}, False, None, "", True, False, (), settings, parsed.epoch)
            for parsed, file in partition.checkpoints
            if not parsed.pending
        ]
        self.tasks += [
            SegmentTask(parsed.base_offset, {".log": file}, True, None, "pending", self.kraft_log, self.compacted, (), settings)
            for parsed, file in partition.pending
            if parsed.suffix == ".log" and self.mark != "delete"
        ]

    def _task(self, segment: Segment) -> SegmentTask:
        base = segment.base_offset
        following = min((other.base_offset for other in self.segments if other.base_offset > base), default=1 << 63)
        return SegmentTask(
            base,
            {suffix: path for suffix, path in segment.paths.items() if suffix in (".log", ".index", ".timeindex")},
            base == self.active,
            self.clean,
            self.mark,
            self.kraft_log,
            self.compacted,
            tuple(offset for offset in sorted(self.snapshots) if base <= offset < following),
            self.settings,
            in_use=base == self.active and self.around.in_use,
        )

    # --- reading the small files ---

    def _read(self, path: str) -> bytes | None:
        self.files += 1
        try:
            data = read_file(path)
        except UnreadableFile as error:
            self._failed(error.path, error.reason)
            return None
        self.bytes += len(data)
        return data

    @cached_property
    def _epoch_data(self) -> bytes | None:
        """The `leader-epoch-checkpoint`, read and counted once; None when it is gone or cannot be read."""
        path = self.partition.file("leader-epoch-checkpoint")
        return None if path is None else self._read(path)

    def _failed(self, path: str, reason: str) -> None:
        self.readable = False
        self.not_checked.append(NotChecked(path, reason, failed=True))

    def _read_snapshots(self) -> dict[int, tuple[str, ProducerSnapshot, int]]:
        found = {}
        for offset, path in self.partition.snapshots.items():
            data = self._read(path)
            if data is not None:
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
        #: Aborted transactions whose data are still there.
        self.aborted: list[AbortedSpan] = []
        self.history = CompactionHistory(self.segments, self.scans, self.aborted, quick=self.settings.quick)
        for scan in scans:
            self._take(scan)
        traces = [scan.compaction_evidence for scan in self.scans if scan.compaction_evidence is not None]
        self.compacted |= bool(traces) and not self.history.never_reached(min(traces))
        log_end = self._log_end()
        for path, snapshot, size in self.snapshots.values():
            offset = next(o for o, row in self.snapshots.items() if row[0] == path)
            newest = offset == max(self.snapshots) and self._in_use()
            self.emit(SnapshotFile(path, offset, snapshot, size, log_end, self.clean, newest))
        self._segments_in_a_row()
        self._replay(log_end)
        self._names(log_end)
        self._epochs(log_end)
        self._metadata()
        self._checkpoints(log_end)
        self._compaction()
        if self.kraft_log:
            self._kraft([scan for scan in scans[len(self.segments) :] if scan.path.endswith(".checkpoint")])
        return self._report(scans, log_end)

    def _take(self, scan: SegmentScan) -> None:
        own = scan.path in self._own_logs
        # What is being cleaned or deleted may have any gaps.
        self.findings.extend(finding for finding in scan.findings if own or not RULES[finding.id].history)
        self.files += scan.files
        self.bytes += scan.bytes_read
        for path, reason in scan.failures:
            self._failed(path, reason)
        self.not_checked.extend(NotChecked(path, reason) for path, reason in scan.not_checked)

    def _log_end(self) -> int | None:
        if not self.scans or self.scans[-1].is_unread:
            return None
        last = self.scans[-1]
        return last.base_offset if last.last is None else last.last.last_offset + 1

    def _in_use(self) -> bool:
        """Whether the broker may have been running: it was not stopped cleanly, and active indexes are preallocated.

        If not here, then in another partition: this one may have rolled its segment between the listing of the directory and
        the copying of its files.
        """
        return self.clean is not True and bool(self.scans) and (self.scans[-1].preallocated or self.around.in_use)

    def _log_start(self) -> int | None:
        if not self.segments:
            return None
        base = self.segments[0].base_offset
        if self.kraft_log:
            oldest = min((p.base_offset for p, _ in self.partition.checkpoints if not p.pending), default=0)
            data = self._epoch_entries()
            return oldest if data and data[0][1] == oldest else base
        line = self.around.lines.get("log-start-offset-checkpoint")
        return base if line is None else max(base, line.offset)

    def _known_start(self) -> int:
        """The offset below which a broker that loaded the log need not have looked.

        When it rebuilds what it knows of producers it begins at the log's start, wherever that lies in the segments. Of a
        directory without its log dir the epoch file tells it: its first entry is raised to the start.
        """
        start = self._log_start() or 0
        entries = [] if self.kraft_log else self._epoch_entries()
        return max(start, entries[0][1]) if entries else start

    def _epoch_entries(self) -> list[tuple[int, int]]:
        data = self._epoch_data
        return [] if data is None else list(read_leader_epochs(data).entries)

    def _segments_in_a_row(self) -> None:
        top, top_path = -1, ""
        for number, scan in enumerate(self.scans):
            before = self.scans[number - 1] if number else None
            self.emit(
                SegmentStep(
                    scan.path,
                    scan.base_offset,
                    scan.size,
                    scan.first,
                    before.path if before else "",
                    before.base_offset if before else scan.base_offset,
                    before.last if before else None,
                    before.size if before and not before.is_unread else -1,
                    before is None or before.damaged,
                    top,
                    top_path,
                    scan.base_offset == self.active,
                )
            )
            for run in scan.epochs:
                if run.epoch > top:
                    top, top_path = run.epoch, scan.path

    def _replay(self, log_end: int | None) -> None:
        """Replay producers over all segments; compare `.txnindex` and `.snapshot` on the way."""
        self.start = self._known_start()
        self.changed: set[int] = set()
        self.seeded = self.start == 0
        current = {"path": ""}

        def at_cut(offset: int, states: dict[int, ProducerState], reliable: bool) -> None:  # noqa: FBT001 - a callback
            self._compare_snapshot(offset, states, current["path"], reliable=reliable, replay=replay)

        replay = Replay(self.emit, at_cut, coordinator=self.topic in COORDINATOR_TOPICS, from_start=self.start == 0)
        written = False
        for segment, scan in zip(self.segments, self.scans, strict=True):
            current["path"] = scan.path
            if scan.is_unread:
                replay.forget()
            if written:
                self.changed.add(segment.base_offset)
            written = any(not hasattr(event, "blind") for event in scan.events)
            aborted = tuple(replay.feed(scan))
            self.aborted += [span for span in aborted if span.first_offset >= 0]
            self._transaction_index(segment, scan, aborted, complete=replay.complete and replay.reliable)
            if scan.is_unread:
                replay.forget()
            elif scan.damaged:
                replay.reliable = replay.complete = False
        self.has_producers = bool(replay.states)
        if log_end is not None and not self.kraft_log:
            pinned = min(replay.open.values(), default=0)
            for transaction in replay.open_transactions():
                self.emit(
                    OpenTransactionView(
                        transaction.path,
                        transaction,
                        self.settings.now,
                        log_end,
                        self.topic,
                        self.partition.number,
                        pinned,
                        self.around.kraft,
                    )
                )

    def _compare_snapshot(
        self, offset: int, states: dict[int, ProducerState], log_path: str, *, reliable: bool, replay: Replay
    ) -> None:
        path, snapshot, _ = self.snapshots[offset]
        end = self._log_end()
        if end is None or offset > end:
            return
        if not snapshot.crc_ok or snapshot.damage is not None or self.kraft_log:
            return
        if not reliable:
            return
        for number, entry in enumerate(snapshot.entries):
            state = states.get(entry.producer_id)
            problems = describe_differences(entry, state, compacted=self.compacted, complete=self.seeded, start=self.start)
            if problems:
                span = snapshot.span_of_entry(number)
                self.emit(SnapshotEntryView(path, offset, number, entry, state, problems, span, log_path))
        before = max((other for other in self.snapshots if other < offset), default=None)
        if before is not None and not self.compacted:
            size = self.snapshots[offset][2]
            for state in missing_producers(snapshot.entries, states, max(before, self.start)):
                self.emit(MissingProducer(path, offset, before, state, size, log_path))
        if not self.seeded and not self.compacted:
            self.seeded = True
            for entry in snapshot.entries:
                if entry.producer_id not in states:
                    self._adopt(entry, states, replay)

    @staticmethod
    def _adopt(entry: Any, states: dict[int, ProducerState], replay: Replay) -> None:
        """Take a producer over from a snapshot, whose data lie below the log's first batch."""
        states[entry.producer_id] = ProducerState(
            entry.producer_id,
            entry.producer_epoch,
            entry.last_sequence,
            entry.last_offset,
            entry.offset_delta,
            entry.timestamp,
            entry.coordinator_epoch,
            entry.current_txn_first_offset,
            data_timestamp=entry.timestamp,
            marker_timestamp=entry.timestamp,
            seen_data=False,
        )
        if entry.current_txn_first_offset >= 0:
            replay.open[entry.producer_id] = entry.current_txn_first_offset

    def _transaction_index(
        self, segment: Segment, scan: SegmentScan, aborted: tuple[AbortedSpan, ...], *, complete: bool
    ) -> None:
        path = segment.paths.get(".txnindex")
        index = None
        if path is not None:
            data = self._read(path)
            if data is None:
                return
            index = read_transaction_index(data)
        if path is None and not aborted:
            return
        self.emit(
            TransactionIndexFile(
                path or segment.paths[".log"].removesuffix(".log") + ".txnindex",
                index,
                aborted,
                segment.base_offset,
                _FAR if scan.is_unread else scan.last.last_offset if scan.last is not None else segment.base_offset - 1,
                self.start,
                complete,
                self.compacted,
                scan.damaged
                or scan.is_unread
                or any(isinstance(event, Marker) and event.committed is None for event in scan.events),
                self.log_only,
                segment.base_offset in self._swapped(),
                scan.path,
                segment.base_offset == self.active and self._in_use(),
            )
        )

    def _swapped(self) -> frozenset[int]:
        return frozenset(parsed.base_offset for parsed, _ in self.partition.pending if parsed.pending == ".swap")

    def _names(self, log_end: int | None) -> None:
        sizes = {scan.base_offset: scan.size for scan in self.scans}
        covered = set(self._swapped())
        if self.active is not None and sizes.get(self.active) == 0:
            covered.add(self.active)
        covered.update(segment.base_offset for segment in self.partition.segments if _is_being_deleted(segment))
        pending = []
        for parsed, path in self.partition.pending:
            pending.append((parsed, path, size_of(path) or 0))
        directories = {name for name in self.partition.others if name not in self.partition.files}
        self.emit(
            PartitionFiles(
                self.path,
                {segment.base_offset: self._paths_now(segment) for segment in self.partition.segments},
                sizes,
                self.active,
                size_of(self.segments[-1].paths.get(".index")) if self.segments else None,
                tuple(pending),
                tuple((name, name in directories) for name in self.partition.others),
                self.partition.snapshots,
                frozenset(self.changed),
                self.mark,
                self.log_only,
                self.clean,
                self.kraft_log,
                self.around.in_log_dir,
                self._log_start(),
                log_end,
                self.has_producers or (bool(sizes.get(self.active or 0)) and bool(self._epoch_entries())),
                frozenset(covered),
                bool(self.scans) and self.scans[-1].batches == 1,
                self._is_just_made(),
            )
        )

    def _is_just_made(self) -> bool:
        """Whether the directory is empty as a broker has made it, which had no time for a file yet."""
        empty = not self.partition.files and not self.partition.others
        return empty and self.clean is False and not any(line.offset > 0 for line in self.around.lines.values())

    @staticmethod
    def _paths_now(segment: Segment) -> dict[str, str]:
        """A segment's files; if one is missing, asked for again: a running broker makes and removes them one by one."""
        paths = dict(segment.paths)
        if {".log", ".index", ".timeindex"} <= paths.keys():
            return paths
        stem = next(iter(paths.values())).rpartition(".")[0]
        names = {suffix: f"{stem}{suffix}" for suffix in (*paths, ".log", ".index", ".timeindex")}
        return {suffix: path for suffix, path in names.items() if size_of(path) is not None}

    def _epochs(self, log_end: int | None) -> None:
        path = self.partition.file("leader-epoch-checkpoint")
        if "leader-epoch-checkpoint" in self.partition.others:
            return
        data = self._epoch_data
        if path is not None and data is None:
            return
        checkpoint = None if data is None else read_leader_epochs(data)
        start = self._log_start() or 0
        every = [run for scan in self.scans for run in scan.epochs]
        raised = not self.kraft_log and (self.clean is not True or _is_cut_inside(checkpoint, every))
        floor = start
        if checkpoint is not None and checkpoint.entries and raised:
            floor = max(start, checkpoint.entries[0].start_offset)
        runs = tuple((run, scan.path) for scan in self.scans for run in scan.epochs if run.last_offset >= floor)
        self.emit(
            EpochFile(
                path or join(self.path, "leader-epoch-checkpoint"),
                checkpoint,
                len(data or b""),
                runs,
                log_end,
                any(scan.magics for scan in self.scans),
                max((scan.last_legacy for scan in self.scans), default=-1),
                self.clean,
                self.log_only or not self.scans,
                _rebuilt(every, start),
                self.mark,
                start,
                raised,
                self.around.log_starts_known,
                data is None or checkpoint is None or is_as_kafka_writes(data, checkpoint.entries),
                self.around.log_start_path if self.clean is True and not self.kraft_log else "",
                self.around.lines.get("log-start-offset-checkpoint"),
                self.scans[0].path if self._begins_with_first_segment() else "",
                self.segments[0].base_offset if self.segments else 0,
            )
        )

    def _begins_with_first_segment(self) -> bool:
        """Whether nothing but the first segment's name says where the log begins: no line, nothing half done."""
        lined = "log-start-offset-checkpoint" in self.around.lines
        settled = bool(self.scans) and not self._swapped() and not self.mark and not self.kraft_log
        return settled and self.around.log_starts_known and not lined

    def _metadata(self) -> None:
        if "partition.metadata" in self.partition.others:
            return
        path = self.partition.file("partition.metadata")
        data = None if path is None else self._read(path)
        if path is not None and data is None:
            return
        metadata = None if data is None else read_partition_metadata(data)
        if metadata is not None and metadata.damage is None and not self.kraft_log:
            self.topic_id = metadata.topic_id
        self.emit(
            PartitionMetadataFile(
                path or join(self.path, "partition.metadata"),
                metadata,
                len(data or b""),
                data is None or metadata is None or _is_as_kafka_writes(data, metadata),
                self.around.kraft,
                self.log_only,
                self.mark,
                self.kraft_log,
            )
        )

    @property
    def cleaned(self) -> bool:
        """Whether batches show that the log cleaner went over them."""
        return any(scan.compaction_evidence for scan in self.scans)

    def _checkpoints(self, log_end: int | None) -> None:
        lines = self.around.lines
        if log_end is None or not self.segments or not self.around.in_log_dir:
            return
        bases = [segment.base_offset for segment in self.segments]
        self.emit(
            PartitionCheckpoints(
                self.path,
                self.scans[-1].path,
                lines.get("recovery-point-offset-checkpoint"),
                lines.get("replication-offset-checkpoint"),
                lines.get("log-start-offset-checkpoint"),
                lines.get("cleaner-offset-checkpoint"),
                bases[0],
                bases[1] if len(bases) > 1 else None,
                bases[-1],
                log_end,
                self.clean,
                self.mark,
                any(scan.damaged for scan in self.scans),
                bool(self._swapped()),
                self.kraft_log,
                self.around.recovery_path,
                self.around.watermark_path,
                self._in_use(),
            )
        )

    def _compaction(self) -> None:
        """What a compacted log should not hold, and what the cleaner will take away next."""
        largest = self.settings.max_message_bytes
        for scan in self.scans:
            if scan.large is not None and (self.compacted or largest is not None):
                self.emit(LargeBatches(scan.path, scan.large, largest))
            # The cleaner does not go near the active segment: its tombstones only wait for a roll.
            waiting = scan.tombstones and scan.base_offset != self.active
            if self.compacted and (waiting or scan.horizons is not None):
                self.emit(Tombstones(scan.path, scan.tombstones, scan.horizons, self.settings.now, scan.size))
        cleaner = self.around.lines.get("cleaner-offset-checkpoint")
        if cleaner is not None and not self.settings.quick and not self.mark:
            part = self.history.clean_part(cleaner)
            if part is not None:
                self.emit(part)

    def _kraft(self, snapshots: list[SegmentScan]) -> None:
        checkpoints = tuple((p.base_offset, p.epoch or 0, path) for p, path in self.partition.checkpoints if not p.pending)
        changes = {epoch for scan in self.scans for epoch, _ in scan.leader_changes}
        late = []
        seen: set[int] = set()
        for number, scan in enumerate(self.scans):
            for at, run in enumerate(scan.epochs):
                begins = bool(number or at or run.first_base == 0)
                if run.epoch not in seen and run.epoch not in changes and begins:
                    late.append((run.epoch, run.first_base, scan.path, run.position))
                seen.add(run.epoch)
        start = 0 if self.log_only else self._log_start() or 0
        runs = tuple((run, scan.path) for scan in self.scans for run in scan.epochs)
        self.emit(KraftLog(self.path, start, checkpoints, runs, tuple(late), self._log_end() or 0))
        self._quorum()
        for scan in snapshots:
            self._kraft_snapshot(scan)

    def _quorum(self) -> None:
        path = self.partition.file("quorum-state")
        data = None if path is None else self._read(path)
        if (path is not None and data is None) or "quorum-state" in self.partition.others or self.log_only:
            return
        epochs = [run.epoch for scan in self.scans for run in scan.epochs]
        log_path = self.scans[-1].path if self.scans else self.path
        state = None if data is None else read_quorum_state(data)
        path = path or join(self.path, "quorum-state")
        self.emit(QuorumFile(path, len(data or b""), state, log_path, max(epochs, default=-1), self._in_use()))

    def _kraft_snapshot(self, scan: SegmentScan) -> None:
        first = last = "nothing"
        first_span = last_span = Span(0, scan.size)
        try:
            for number, batch in enumerate(Segment(0, {".log": scan.path}).batches()):
                control = "data"
                for record in batch.walk_records() if batch.magic == 2 and getattr(batch, "is_control", False) else ():
                    try:
                        content: Any = read_control_record(record.key, record.value)  # type: ignore[union-attr]
                    except (FormatError, AttributeError):
                        continue
                    if isinstance(content, ControlRecord):
                        control = content.name
                        if not number:
                            break
                if not number:
                    first, first_span = control, batch.span
                last, last_span = control, batch.span
        except KafkalogError:
            return
        self.emit(KraftSnapshot(scan.path, 0, scan.size, first, last, first_span, last_span, ()))

    # --- the result ---

    def _graded(self) -> list[Finding]:
        """The findings, those that only hold for logs that were never compacted graded by what is known of that."""
        kept = []
        for finding in self.findings:
            if not RULES[finding.id].history:
                kept.append(finding)
            elif self.compacted:
                continue
            elif self._is_certain(finding):
                kept.append(finding)
            else:
                kept.append(finding._replace(severity=min(finding.severity, Severity.INFO)))
        return kept

    def _is_certain(self, finding: Finding) -> bool:
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
        lone = len(self.segments) > 1 and sum(found.id in _HOLES_INSIDE for found in self.findings) <= 1
        return lone or self.history.has_keyless

    def _report(self, scans: list[SegmentScan], log_end: int | None) -> PartitionReport:
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
            log_start_offset=self._log_start(),
            log_end_offset=log_end,
            segments=len(self.segments),
            batches=sum(scan.batches for scan in scans),
            records=sum(scan.records for scan in scans),
            bytes=self.bytes,
            readable=self.readable,
            files=self.files,
            last_segment=self.active,
            hashes=tuple(sorted((path, digest) for scan in scans for path, digest in scan.hashes.items())),
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
