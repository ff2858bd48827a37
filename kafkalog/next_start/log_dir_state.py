"""What stands in a log dir beside the partitions, and what LogManager makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafkalog.core.filename import REMOTE_INDEX_CACHE, parse_partition_name
from kafkalog.core.foreign import move_of
from kafkalog.files.log_dir import CLEAN_SHUTDOWN, CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.files.paths import join
from kafkalog.kafka.behaviours import (
    CHECKPOINT_NUMBERS_ABORT,
    FUTURE_NAMES,
    KRAFT_ONLY,
    LOG_DIRS_FAIL,
    STRAY_NAMES,
    is_zookeeper_era,
)
from kafkalog.kafka.checkpoint_file import read_offset_file
from kafkalog.kafka.failure import BrokerAborts, LogDirOffline
from kafkalog.next_start.meta_properties import check_meta
from kafkalog.next_start.trouble import Trouble

if TYPE_CHECKING:
    from kafkalog.core.checkpoint import OffsetEntry
    from kafkalog.core.filename import PartitionName
    from kafkalog.core.properties import Properties
    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import Identity, LogDir
    from kafkalog.next_start.era import Era
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.replay.image import Image

__all__ = ["LogDirState", "read_log_dir"]

_ANEW = "the broker starts without it and writes a new one"


@dataclass
class LogDirState:
    """A log dir as the broker finds it.

    Args:
        evidence: The log dir, and what it shows of its broker.
        release: The release that starts, taken from what the log dir shows unless it was given.
        is_given: Whether the release was given.
        kraft: Whether the broker runs with KRaft.
        clean: Whether the marker of a clean shutdown is there.
        recovery_points: (topic, partition) → offset; no line means 0.
        log_starts: The same of the log start offsets.
        high_watermarks: The same of the high watermarks.
        compacted: (topic, partition) that the log cleaner has worked on.
        partitions: Directory name → what it says, by name.
        troubles: What a start does not get over.
        conflicts: Directory name → why the broker exits when it has loaded it.
        remarks: What it does, and is worth knowing.
        notes: Directory name → the same of one partition.
        in_place: Name of a regular file → the partition whose directory is called so, and has been here.
        unplaced: Why it is not known which partitions of it are served; empty: nothing speaks against it.
        is_tiered: Whether tiered storage has been used here.
        image: What the controller has told, from a metadata log in a log dir of the same broker; None: not at hand.
        siblings: Directory ids of the log dirs of the same broker that are looked at.
    """

    evidence: BrokerEvidence
    release: Release
    is_given: bool
    kraft: bool
    clean: bool
    recovery_points: dict[tuple[str, int], int] = field(default_factory=dict)
    log_starts: dict[tuple[str, int], int] = field(default_factory=dict)
    high_watermarks: dict[tuple[str, int], int] = field(default_factory=dict)
    compacted: set[tuple[str, int]] = field(default_factory=set)
    partitions: dict[str, PartitionName] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    in_place: dict[str, tuple[str, int]] = field(default_factory=dict)
    unplaced: str = ""
    is_tiered: bool = False
    image: Image | None = None
    siblings: set[str | None] = field(default_factory=set)

    @property
    def log_dir(self) -> LogDir:
        """The log dir."""
        return self.evidence.log_dir

    @property
    def path(self) -> str:
        """Its path, as given."""
        return self.log_dir.path

    @property
    def era(self) -> Era:
        """What it shows of its broker."""
        return self.evidence.era

    @property
    def identity(self) -> Identity:
        """Whose log dir it is."""
        return self.log_dir.identity


def read_log_dir(evidence: BrokerEvidence, release: Release | None = None) -> list[LogDirState]:
    """Look at a log dir the way LogManager does before it loads a partition.

    Args:
        evidence: The log dir, and what it shows of its broker.
        release: The release that starts; None: by what the log dir shows.

    Returns:
        What the broker finds; where no release is given and the era is open, what one of each era finds.

    Raises:
        UnreadableFile: a file of it cannot be read.

    Source: LogManager.loadLogs, Kafka 3.9.1; MetaPropertiesEnsemble, Kafka 3.9.1.
    """
    meta = evidence.log_dir.meta_properties
    releases = evidence.era.releases if release is None else (release,)
    return [_state_of(evidence, meta, one, is_given=release is not None) for one in releases]


def _state_of(evidence: BrokerEvidence, meta: Properties | None, release: Release, *, is_given: bool) -> LogDirState:
    log_dir, era = evidence.log_dir, evidence.era
    kraft = not is_zookeeper_era(release) and (era.kraft is not False or KRAFT_ONLY.applies_to(release))
    state = LogDirState(evidence, release, is_given, kraft, log_dir.has_clean_marker)
    state.is_tiered = REMOTE_INDEX_CACHE in log_dir.others
    check_meta(state, log_dir, meta)
    state.recovery_points = _start_offsets(state, log_dir, RECOVERY_POINTS, "every recovery point is 0")
    state.log_starts = _start_offsets(state, log_dir, LOG_STARTS, "every log starts at its first segment")
    _check_late_files(state, log_dir)
    for name in (*log_dir.partition_names, *log_dir.others):
        parsed = parse_partition_name(name)
        if parsed is not None and name in log_dir.partition_names and _is_known_mark(parsed.mark, state.release):
            state.partitions[name] = parsed
        elif name not in (REMOTE_INDEX_CACHE, CLEAN_SHUTDOWN):
            text = f"KafkaException: the directory {name} is not named topic-partition"
            move = move_of(name)
            state.troubles.append(Trouble(join(log_dir.path, name), "aborts", text, f"{move[0].upper()}{move[1:]}."))
    _check_duplicates(state)
    for name in log_dir.files:
        parsed = parse_partition_name(name)
        key = None if parsed is None or parsed.mark else (parsed.topic, parsed.partition)
        if key is not None and (key in state.recovery_points or key in state.high_watermarks):
            state.in_place[name] = key
    return state


def _is_known_mark(mark: str, release: Release) -> bool:
    """Whether a release knows what the end of a directory's name stands for."""
    since = {"future": FUTURE_NAMES, "stray": STRAY_NAMES}.get(mark)
    return since is None or since.applies_to(release)


def _start_offsets(state: LogDirState, log_dir: LogDir, name: str, otherwise: str) -> dict[tuple[str, int], int]:
    """The offsets of a checkpoint that is read before the partitions load; the last line of a partition counts."""
    try:
        entries = _read_offsets(state, log_dir, name)
    except LogDirOffline as failure:
        # The exception is caught, but the log dir has been marked offline by then.
        is_spared = state.clean and name == RECOVERY_POINTS
        remedy = f"Move {name} away: after a clean stop nothing is recovered, whatever it says." if is_spared else ""
        state.troubles.append(Trouble(join(log_dir.path, name), "offline", str(failure), remedy))
        return {}
    except BrokerAborts as failure:
        state.remarks.append(f"{name} cannot be read ({failure}), so {otherwise}")
        return {}
    return {(entry.topic, entry.partition): entry.offset for entry in entries}


def _read_offsets(state: LogDirState, log_dir: LogDir, name: str) -> tuple[OffsetEntry, ...]:
    if name in log_dir.others:
        # It cannot be opened, which its reader takes for malformed; the first releases have no place to note that.
        kind = LogDirOffline if LOG_DIRS_FAIL.applies_to(state.release) else BrokerAborts
        raise kind("IOException", f"{name} is a directory")
    if name not in log_dir.files:
        return ()
    data = log_dir.directory.read(name)
    try:
        return read_offset_file(data, name, numbers_abort=CHECKPOINT_NUMBERS_ABORT.applies_to(state.release))
    except LogDirOffline as failure:
        if LOG_DIRS_FAIL.applies_to(state.release):
            raise
        raise BrokerAborts(failure.kafka_class, failure.text) from None


def _check_late_files(state: LogDirState, log_dir: LogDir) -> None:
    """The two checkpoints that are read when the partitions are loaded already."""
    path = join(log_dir.path, HIGH_WATERMARKS)
    try:
        entries = _read_offsets(state, log_dir, HIGH_WATERMARKS)
        state.high_watermarks = {(entry.topic, entry.partition): entry.offset for entry in entries}
    except LogDirOffline as failure:
        text = f"{failure}, found when the first partition gets its leader"
        state.troubles.append(Trouble(path, "late", text, f"Move {HIGH_WATERMARKS} away: {_ANEW}."))
    except BrokerAborts as failure:
        text = f"{failure}: no partition of the log dir is served"
        state.troubles.append(Trouble(path, "unserved", text, f"Move {HIGH_WATERMARKS} away: {_ANEW}."))
    path = join(log_dir.path, CLEANER_OFFSETS)
    try:
        state.compacted = {(entry.topic, entry.partition) for entry in _read_offsets(state, log_dir, CLEANER_OFFSETS)}
    except LogDirOffline as failure:
        text = f"{failure}, found when the log cleaner first looks"
        state.troubles.append(Trouble(path, "late", text, f"Move {CLEANER_OFFSETS} away: {_ANEW}."))
    except BrokerAborts as failure:
        state.remarks.append(f"the log cleaner's thread ends: {failure}")


def _check_duplicates(state: LogDirState) -> None:
    seen: dict[tuple[str, int, bool], str] = {}
    for name, parsed in state.partitions.items():
        if parsed.mark in ("", "future"):
            key = (parsed.topic, parsed.partition, bool(parsed.mark))
            if key in seen:
                text = f"IllegalStateException: {seen[key]} and {name} are the same partition"
                state.conflicts[name] = state.conflicts[seen[key]] = text
            seen[key] = name
            if (
                parsed.mark
                and f"{parsed.topic}-{parsed.partition}" in state.partitions
                and state.kraft
                and state.identity.directory_id
            ):
                text = "KafkaStorageException: a future replica cannot take the place of the current one in the same log dir"
                state.conflicts[name] = text
