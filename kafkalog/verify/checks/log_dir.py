"""What a log dir says of its partitions: checkpoints, the clean-shutdown marker, `meta.properties`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from kafkalog.core.checkpoint import is_as_kafka_writes, parse_java_integer, read_offset_checkpoint
from kafkalog.core.filename import (
    BOOTSTRAP_CHECKPOINT,
    LOG_DIR_CHECKPOINTS,
    LOG_DIR_FILES,
    METADATA_TOPICS,
    REMOTE_INDEX_CACHE,
    is_metadata_log,
    parse_partition_name,
    parse_segment_file_name,
)
from kafkalog.core.line_ends import unix_line_ends
from kafkalog.core.properties import parse_uuid
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import CLEAN_SHUTDOWN, CLEANER_OFFSETS, META_PROPERTIES
from kafkalog.files.paths import join
from kafkalog.files.source import hashes_of
from kafkalog.kafka.gone_offsets import is_partial_copy
from kafkalog.next_start.evidence import BrokerEvidence
from kafkalog.next_start.meta_proposal import missing_values
from kafkalog.next_start.metadata_start import METADATA_LOG
from kafkalog.next_start.placement import placement_in
from kafkalog.verify.report import NotChecked
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.copies import BinaryLineEnds, PartitionsNotCopied, TextLineEnds
from kafkalog.verify.rules.log_dir_files import BootstrapFile, CleanedLogs, LogDirFiles
from kafkalog.verify.rules.log_dirs import CheckpointFile, LogDirNames, MissingPartition, UnlistedPartition
from kafkalog.verify.scan.results import SegmentTask
from kafkalog.verify.scan.segment import scan_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkalog.core.checkpoint import Checkpoint, OffsetEntry
    from kafkalog.core.properties import Properties
    from kafkalog.files.log_dir import Identity, LogDir, PartitionContext
    from kafkalog.next_start.era import Era
    from kafkalog.replay.transaction_state import Copy
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.results import Settings

__all__ = ["LogDirCheck"]

_TIERED_SINCE = (3, 6, 0)


class LogDirCheck:
    """What is wrong with a log dir's own files, and what it says of its partitions.

    Args:
        log_dir: The log dir.
        settings: What the caller wants.
    """

    def __init__(self, log_dir: LogDir, settings: Settings) -> None:
        self.settings = settings
        self.log_dir = log_dir
        self.path = log_dir.path
        self.findings: list[Finding] = []
        self.not_checked: list[NotChecked] = []
        self.files = 0
        self.evidence = BrokerEvidence(log_dir)
        self._checkpoints()
        self.meta: Properties | None = self._reading(META_PROPERTIES, lambda: log_dir.meta_properties)
        self.clean = log_dir.clean_stop
        #: Text files, of partitions too, whose lines end in CR LF.
        self.texts_of_windows = [
            log_dir.directory.path_of(name)
            for name in LOG_DIR_FILES
            if name in log_dir.files and self._has_line_ends_of_windows(name)
        ]
        #: Binary files, of partitions too, whose line ends were changed, and how.
        self.line_ends: dict[str, str] = {}
        #: Partition directories that show the work of the log cleaner.
        self.cleaned: list[str] = []
        #: The broker epoch under which the broker was stopped cleanly, since 3.7; None when nothing shows it.
        self.registration = self._registration()
        self._names()
        self._files()
        self._bootstrap()
        self.hashes = self._hashes() if settings.hash else ()

    def _reading(self, name: str, read: Any) -> Any:
        if name not in self.log_dir.files:
            return None
        self.files += 1
        try:
            return read()
        except UnreadableFile as error:
            self._failed(error)
            return None

    def _hashes(self) -> tuple[tuple[str, str], ...]:
        """Path and SHA-256 of every file of the log dir itself."""
        unread = {item.path for item in self.not_checked}
        paths = [path for path in (join(self.path, name) for name in sorted(self.log_dir.files)) if path not in unread]
        return tuple(hashes_of(paths, self._failed).items())

    def _failed(self, error: UnreadableFile) -> None:
        self.not_checked.append(NotChecked(error.path, error.reason, failed=True))

    def _registration(self) -> int | None:
        marker = self._reading(CLEAN_SHUTDOWN, lambda: self.log_dir.clean_shutdown)
        epoch = None if marker is None or marker.value is None else marker.value.get("brokerEpoch")
        return epoch if isinstance(epoch, int) else None

    def copy(self) -> Copy:
        """How its partitions came to be here."""
        logs = filter(is_metadata_log, self.log_dir.partition_names)
        image = next((self.evidence.metadata.replayed(name).image for name in logs), None)
        from kafkalog.replay.transaction_state import Copy

        return Copy(is_one_stop=self.clean is True, image=image)

    def emit(self, subject: Any) -> None:
        """What the rules say about a subject."""
        self.findings.extend(findings_of(subject))

    def _checkpoints(self) -> None:
        """Read the checkpoint files, and judge their lines by the directories that are there."""
        read: dict[str, tuple[bytes, Checkpoint[OffsetEntry]]] = {}
        for name in LOG_DIR_CHECKPOINTS:
            data = self._reading(name, partial(self.log_dir.directory.read, name))
            if data is not None:
                read[name] = data, read_offset_checkpoint(data)
        here = {
            (parsed.topic, parsed.partition)
            for parsed in map(parse_partition_name, self.log_dir.partition_names)
            if parsed is not None
        }
        # The cleaner's keeps lines of partitions that are gone.
        listed = {
            (entry.topic, entry.partition)
            for name, (_, file) in read.items()
            if name != CLEANER_OFFSETS
            for entry in file.entries
        }
        gone = listed - here - self._in_place()
        placed = self._placed(gone)
        missing = sorted(key for key in gone if placed.get(key) is not False)
        present = listed & here
        is_part = is_partial_copy(len(missing), len(present))
        if is_part:
            names = tuple(f"{topic}-{number}" for topic, number in missing)
            sure = sum(map(bool, placed.values())) if any(word is not None for word in placed.values()) else None
            self.emit(PartitionsNotCopied(path=self.path, present=len(present), missing=names, placed=sure))
            here |= set(missing)
        else:
            self._unlisted(here, listed)
        largest: Counter[tuple[str, int]] = Counter()
        for _, file in read.values():
            for entry in file.entries:
                key = (entry.topic, entry.partition)
                largest[key] = max(largest[key], entry.offset)
        for name, (data, file) in read.items():
            self._checkpoint(name, data, file, here, placed, largest)
            # A loss is reported once.
            here |= {(entry.topic, entry.partition) for entry in file.entries if placed.get((entry.topic, entry.partition))}

    def _unlisted(self, here: set[tuple[str, int]], listed: set[tuple[str, int]]) -> None:
        """Tell of partitions that are placed here and that no directory and no line is of; but not in a copy of a few."""
        placed = self._placed_here()
        missing = placed - here - listed - self._in_place()
        if is_partial_copy(len(missing), len(placed & here)):
            return
        for topic, number in sorted(missing):
            self.emit(UnlistedPartition(path=join(self.path, f"{topic}-{number}"), witness=join(self.path, METADATA_LOG)))

    def _placed_here(self) -> set[tuple[str, int]]:
        """The partitions that the metadata log in the log dir places there; none unless both are of one clean stop."""
        if METADATA_LOG not in self.log_dir.partition_names or not self.log_dir.clean_stop:
            return set()
        metadata = self.evidence.metadata.of_small_log(METADATA_LOG)
        if metadata is None or metadata.damage is not None:
            return set()
        every = {(topic.name, number) for topic in metadata.image.topics.values() for number in topic.partitions}
        return {key for key, is_placed in self._placed(every).items() if is_placed}

    def _placed(self, partitions: Iterable[tuple[str, int]]) -> dict[tuple[str, int], bool | None]:
        """Whether the metadata log in the log dir places partitions there; None where it cannot be asked."""
        if METADATA_LOG not in self.log_dir.partition_names:
            return dict.fromkeys(partitions)
        placement = self._placement
        if placement is None:
            return dict.fromkeys(partitions)
        metadata = self.evidence.metadata.of_small_log(METADATA_LOG)
        if metadata is None or metadata.damage is None:
            return {(topic, number): placement(topic, number) for topic, number in partitions}
        # A log that is damaged may have placed more.
        return {(topic, number): placement(topic, number) or None for topic, number in partitions}

    @cached_property
    def _placement(self) -> Callable[[str, int], bool | None] | None:
        """Says of a topic and a number whether the partition is placed here; None: a file cannot be read."""
        try:
            return placement_in(self.evidence)
        except UnreadableFile:
            return None

    def _in_place(self) -> set[tuple[str, int]]:
        """Partitions whose directory's name a file has; they are reported by themselves."""
        parsed = map(parse_partition_name, self.log_dir.files)
        return {(name.topic, name.partition) for name in parsed if name is not None}

    def _checkpoint(
        self,
        name: str,
        data: bytes,
        checkpoint: Checkpoint[OffsetEntry],
        present: set[tuple[str, int]],
        placed: Mapping[tuple[str, int], bool | None],
        largest: Mapping[tuple[str, int], int],
    ) -> None:
        path = join(self.path, name)
        found: set[tuple[str, int]] = set()
        duplicates, unknown = [], []
        for entry, span in zip(checkpoint.entries, checkpoint.spans, strict=True):
            key = (entry.topic, entry.partition)
            text = f"{entry.topic}-{entry.partition}"
            if key in found:
                duplicates.append((text, span))
            if key not in present:
                unknown.append(MissingPartition(text, span, placed.get(key), largest[key]))
            found.add(key)
        canonical = is_as_kafka_writes(data, checkpoint.entries)
        self.emit(
            CheckpointFile(
                path=path,
                name=name,
                damages=checkpoint.damages,
                duplicates=tuple(duplicates),
                unknown=tuple(unknown),
                clean=self.log_dir.has_clean_marker,
                canonical=canonical,
                size=len(data),
            )
        )

    def _names(self) -> None:
        names = self.log_dir.partition_names
        current = {
            (parsed.topic, parsed.partition)
            for parsed in map(parse_partition_name, names)
            if parsed is not None and not parsed.mark
        }
        futures = []
        for name in names:
            parsed = parse_partition_name(name)
            if parsed is not None and parsed.mark == "future" and (parsed.topic, parsed.partition) in current:
                futures.append(name)
        listed = {f"{topic}-{number}" for lines in self.log_dir.lines.values() for topic, number in lines}
        meta_path = join(self.path, META_PROPERTIES)
        if self.meta is None and META_PROPERTIES not in self.log_dir.files:
            reason = "missing: the broker, its cluster and its era are not known; a broker does not start without it"
            self.not_checked.append(NotChecked(meta_path, reason))
        problem, size = "", self.log_dir.directory.size_of(META_PROPERTIES) or 0
        if self.meta is not None:
            problem = self._meta_problem(self.meta)
        self.emit(
            LogDirNames(
                path=self.path,
                bad_directories=tuple(name for name in self.log_dir.others if name not in (REMOTE_INDEX_CACHE, CLEAN_SHUTDOWN)),
                bad_files=tuple(name for name in self.log_dir.files if name in listed),
                meta_problem=problem,
                meta_path=meta_path,
                meta_size=size,
                same_dir_futures=tuple(futures),
                strays=tuple(name for name in self.log_dir.files if parse_segment_file_name(name) is not None),
            )
        )

    def finish(self) -> None:
        """Judge what only the partitions' logs tell."""
        if self.cleaned and META_PROPERTIES in self.log_dir.files and CLEANER_OFFSETS not in self.log_dir.files:
            self.emit(CleanedLogs(path=join(self.path, CLEANER_OFFSETS), log=self.cleaned[0]))
        if len({path.rpartition("/")[0] for path in self.line_ends}) > 1:
            self.emit(BinaryLineEnds(path=self.path, files=tuple(sorted(self.line_ends.items()))))
        if self.texts_of_windows:
            self.emit(TextLineEnds(path=self.path, files=tuple(self.texts_of_windows)))

    def _files(self) -> None:
        sizes = {name: self.log_dir.directory.size_of(name) or 0 for name in self.log_dir.files}
        logs = [
            name
            for name in self.log_dir.partition_names
            if (parsed := parse_partition_name(name)) is not None
            and parsed.mark in ("", "future")
            and parsed.topic not in METADATA_TOPICS
        ]
        values = {} if self.meta is None else self.meta.values
        problem, newer = self._marker_problem()
        self.emit(
            LogDirFiles(
                path=self.path,
                sizes=sizes,
                log=logs[0] if logs else "",
                listed=frozenset(f"{topic}-{number}" for lines in self.log_dir.lines.values() for topic, number in lines),
                kraft=values.get("version") == "1",
                clean=self.log_dir.has_clean_marker,
                marker=problem,
                marker_size=sizes.get(CLEAN_SHUTDOWN, 0),
                newer_marker=newer,
                has_directory_id="directory.id" in values,
                proposed_meta="" if META_PROPERTIES in self.log_dir.files else missing_values(self.evidence),
            )
        )

    def _bootstrap(self) -> None:
        """Scan `bootstrap.checkpoint`: batches like those of a snapshot of the metadata log, of epoch 0."""
        if BOOTSTRAP_CHECKPOINT not in self.log_dir.files:
            return
        paths = {".log": join(self.path, BOOTSTRAP_CHECKPOINT)}
        scan = scan_segment(SegmentTask(base_offset=0, paths=paths, settings=self.settings, kraft=True, snapshot_epoch=0))
        self.files += scan.files
        self.findings.extend(scan.findings)
        self.not_checked.extend(NotChecked(path, reason, failed=True) for path, reason in scan.failures)
        self.line_ends |= scan.line_ends
        if scan.line_ends:
            self.emit(BinaryLineEnds(path=paths[".log"], files=tuple(scan.line_ends.items())))
        elif not scan.failures:
            has_version = self._names_a_version()
            self.emit(
                BootstrapFile(
                    path=paths[".log"], size=scan.size, batches=scan.batches, damaged=scan.damaged, has_version=has_version
                )
            )

    def _marker_problem(self) -> tuple[str, bool]:
        """What is wrong with the clean-shutdown marker, "" if nothing is; and whether it is one of 3.7 or later."""
        if self.log_dir.has_clean_marker and CLEAN_SHUTDOWN not in self.log_dir.files:
            return "the marker is a directory", False
        content = self._reading(CLEAN_SHUTDOWN, lambda: self.log_dir.clean_shutdown)
        if content is None:
            return "", False
        if content.damage is not None:
            return content.damage.reason, False
        if content.value is None:
            return "", False
        for name in ("version", "brokerEpoch"):
            if not isinstance(content.value.get(name), int):
                return f"there is no {name} in it", False
        if content.value["version"] != 0:
            return f"version {content.value['version']}, known is 0", False
        return "", True

    @staticmethod
    def _meta_problem(meta: Properties) -> str:
        if meta.damage is not None:
            return meta.damage.reason
        version = meta.values.get("version")
        if version is None:
            return "there is no version"
        if version not in ("0", "1"):
            return f"version {version}, known are 0 and 1"
        name = "node.id" if version == "1" else "broker.id"
        number = meta.values.get(name)
        if number is None:
            return f"there is no {name}"
        if (parse_java_integer(number, 32) or 0) < 0 or parse_java_integer(number, 32) is None:
            return f"{name} {number!r} is no node's number"
        if version == "1" and "cluster.id" not in meta.values:
            return "there is no cluster.id"
        cluster_id = meta.values.get("cluster.id", "")
        if not (cluster_id.isascii() and cluster_id.isprintable()):
            return f"cluster.id {cluster_id!r} is no cluster's id"
        directory_id = meta.values.get("directory.id")
        if directory_id is not None and parse_uuid(directory_id) is None:
            return f"directory.id {directory_id!r} is no id of 22 characters"
        return ""

    @property
    def marker_path(self) -> str:
        """Where its clean-shutdown marker stands, if there is one."""
        return self.log_dir.directory.path_of(CLEAN_SHUTDOWN)

    @property
    def era(self) -> Era:
        """What it shows of its broker."""
        return self.evidence.era

    @property
    def identity(self) -> Identity:
        """Whose log dir it is."""
        return self.log_dir.identity

    @property
    def partition_names(self) -> list[str]:
        """The names of its partition directories."""
        return self.log_dir.partition_names

    def of(self, name: str) -> PartitionContext:
        """What the log dir says of a partition directory."""
        return replace(self.log_dir.context_of(name, kraft=self.era.kraft), may_be_tiered=self._may_be_tiered(name))

    def now_of(self, name: str) -> PartitionContext:
        """The same by the checkpoint files as they are now."""
        return replace(self.log_dir.context_now(name, kraft=self.era.kraft), may_be_tiered=self._may_be_tiered(name))

    def _may_be_tiered(self, name: str) -> bool:
        """Whether older segments of a partition may be in remote storage: only a topic's own setting puts them there."""
        if REMOTE_INDEX_CACHE in self.log_dir.others:
            return True
        parsed, metadata = parse_partition_name(name), None
        if METADATA_LOG in self.log_dir.partition_names:
            metadata = self.evidence.metadata.of_small_log(METADATA_LOG)
        if metadata is None or metadata.damage is not None or parsed is None:
            return self.era.releases[0] >= _TIERED_SINCE
        return metadata.image.configs.get(("topic", parsed.topic), {}).get("remote.storage.enable") == "true"

    def _has_line_ends_of_windows(self, name: str) -> bool:
        try:
            return unix_line_ends(self.log_dir.directory.read(name)) is not None
        except UnreadableFile:
            return False

    def _names_a_version(self) -> bool:
        """Whether `bootstrap.checkpoint` holds a record about the feature metadata.version."""
        try:
            return b"metadata.version" in self.log_dir.directory.read(BOOTSTRAP_CHECKPOINT)
        except UnreadableFile:
            return False
