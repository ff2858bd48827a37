"""What stands in a log dir beside the partitions, and what LogManager makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import OffsetEntry, parse_java_integer
from kafkalog.core.filename import REMOTE_INDEX_CACHE, parse_partition_name
from kafkalog.core.foreign import move_of
from kafkalog.core.properties import Properties, read_properties
from kafkalog.core.release import NEWEST, Release
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LogDir
from kafkalog.files.partition import join
from kafkalog.files.source import read_file
from kafkalog.recovery.behaviours import (
    CHECKPOINT_NUMBERS_ABORT,
    FUTURE_NAMES,
    LAST_OF_ZOOKEEPER,
    LOG_DIRS_FAIL,
    STRAY_NAMES,
    STRAY_PARTITIONS,
    is_zookeeper_era,
)
from kafkalog.recovery.checkpoints import read_offset_file
from kafkalog.recovery.failure import BrokerAborts, LogDirOffline

if TYPE_CHECKING:
    from kafkalog.core.filename import PartitionName
    from kafkalog.internal.image import Image

__all__ = ["LogDirState", "Trouble", "guess_release", "read_log_dir"]

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
META_PROPERTIES = "meta.properties"
#: Written by `kafka-storage.sh format`: a KRaft log dir had a `meta.properties` too.
BOOTSTRAP = "bootstrap.checkpoint"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
CLEANER_OFFSETS = "cleaner-offset-checkpoint"
_ANEW = "the broker goes without it and writes it anew"


@dataclass(frozen=True)
class Trouble:
    """Something in a log dir, outside its partitions, that a start does not get over.

    Args:
        path: The file or directory.
        effect: `aborts`: the broker exits. `unloaded`: the log dir is offline from the begin. `offline`: it goes offline
            before its partitions load, and the broker exits if one of them has a transaction open. `late`: it goes
            offline once they are loaded. `doubtful`: it may. `unserved`: no partition of it is served.
        reason: Why, in words.
        remedy: What to do about it, where that is certain.
    """

    path: str
    effect: str
    reason: str
    remedy: str = ""


@dataclass
class LogDirState:
    """A log dir as the broker finds it.

    Args:
        path: As given.
        release: The release that starts, taken from what the log dir shows unless it was given.
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
        identity: Cluster id, node id and directory id in `meta.properties`, None where it has none.
        siblings: Directory ids of the log dirs of the same broker that are looked at.
    """

    path: str
    release: Release
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
    identity: tuple[str | None, str | None, str | None] = (None, None, None)
    siblings: set[str | None] = field(default_factory=set)


def read_log_dir(path: str, release: Release | None = None) -> LogDirState:
    """Look at a log dir the way LogManager does before it loads a partition.

    Args:
        path: The log dir.
        release: The release that starts; None: 2.8.2 if `meta.properties` says `version=0` or no partition has a
            `partition.metadata`, else the newest.

    Raises:
        UnreadableFile: it, or a file of it, cannot be read.

    Source: LogManager.loadLogs, Kafka 3.9.1; MetaPropertiesEnsemble, Kafka 3.9.1.
    """
    log_dir = LogDir(path)
    meta = read_properties(read_file(join(log_dir.path, META_PROPERTIES))) if META_PROPERTIES in log_dir.files else None
    taken = release or guess_release(log_dir, meta)
    is_zookeeper = is_zookeeper_era(taken) or (meta is not None and meta.values.get("version") == "0" and taken < (4,))
    state = LogDirState(log_dir.path, taken, not is_zookeeper, CLEAN_SHUTDOWN in (*log_dir.files, *log_dir.others))
    state.is_tiered = REMOTE_INDEX_CACHE in log_dir.others
    _check_meta(state, log_dir, meta)
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


def guess_release(log_dir: LogDir, meta: Properties | None) -> Release:
    """The release a log dir speaks for: 2.8.2 if `meta.properties` or its partitions show ZooKeeper, else the newest."""
    if meta is not None and meta.values.get("version") == "0":
        return LAST_OF_ZOOKEEPER
    for name in log_dir.partition_names:
        try:
            read_file(join(join(log_dir.path, name), "partition.metadata"))
        except UnreadableFile:
            continue
        return NEWEST
    return LAST_OF_ZOOKEEPER


def _check_meta(state: LogDirState, log_dir: LogDir, meta: Properties | None) -> None:
    path = join(log_dir.path, META_PROPERTIES)
    if meta is None:
        if state.kraft and BOOTSTRAP in log_dir.files:
            state.troubles.append(Trouble(path, "aborts", "RuntimeException: meta.properties is missing"))
        return
    values = meta.values
    state.identity = (values.get("cluster.id"), values.get("node.id", values.get("broker.id")), values.get("directory.id"))
    if not state.kraft:
        return
    version = values.get("version", "0")
    if version not in ("0", "1"):
        if STRAY_PARTITIONS.applies_to(state.release):
            state.troubles.append(Trouble(path, "unloaded", f"meta.properties has the unknown version {version}"))
        else:
            state.troubles.append(
                Trouble(path, "aborts", f"RuntimeException: meta.properties has the unknown version {version}")
            )
    elif parse_java_integer(values.get("node.id" if version == "1" else "broker.id", ""), 32) is None:
        state.troubles.append(Trouble(path, "aborts", "RuntimeException: meta.properties holds no node id"))
    elif version == "1" and "directory.id" not in values and STRAY_PARTITIONS.applies_to(state.release):
        text = "meta.properties holds no directory.id, so a new one is made"
        state.remarks.append(f"{text}; partitions that the controller has placed by the old one are not served")


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


def _read_offsets(state: LogDirState, log_dir: LogDir, name: str) -> list[OffsetEntry]:
    if name in log_dir.others:
        # It cannot be opened, which its reader takes for malformed; the first releases have no place to note that.
        kind = LogDirOffline if LOG_DIRS_FAIL.applies_to(state.release) else BrokerAborts
        raise kind("IOException", f"{name} is a directory")
    if name not in log_dir.files:
        return []
    data = read_file(join(log_dir.path, name))
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
            if parsed.mark and f"{parsed.topic}-{parsed.partition}" in state.partitions and state.kraft and state.identity[2]:
                text = "KafkaStorageException: a future replica cannot take the place of the current one in the same log dir"
                state.conflicts[name] = text
