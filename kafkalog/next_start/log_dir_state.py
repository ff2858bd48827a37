"""What is in a log dir beside the partitions, and what LogManager makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import REMOTE_INDEX_CACHE, parse_partition_name
from kafkalog.core.foreign import move_of
from kafkalog.files.log_dir import CLEAN_SHUTDOWN, CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
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
from kafkalog.next_start.meta_proposal import missing_values
from kafkalog.next_start.obstacle import Noted, Obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.core.checkpoint import OffsetEntry
    from kafkalog.core.filename import PartitionName
    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import Identity, LogDir
    from kafkalog.next_start.era import Era
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.next_start.metadata_start import MetadataStart
    from kafkalog.replay.image import Image

__all__ = ["LogDirState", "read_log_dir"]

_ANEW = "the broker starts without it and writes a new one"
_Offsets = dict[tuple[str, int], int]


@dataclass(frozen=True)
class LogDirState:
    """A log dir as the broker finds it.

    Args:
        evidence: The log dir, and what it shows of its broker.
        release: The release that starts, taken from what the log dir shows unless it was given.
        is_given: Whether the release was given.
        kraft: Whether the broker runs with KRaft.
        recovery_points: (topic, partition) → offset; no line means 0.
        log_starts: The same of the log start offsets.
        high_watermarks: The same of the high watermarks.
        compacted: (topic, partition) that the log cleaner has worked on.
        partitions: Directory name → what it says, by name.
        in_place: Name of a regular file → the partition whose directory is called so, and has been here.
        noted: What a start does not get over, and what is worth knowing.
        unplaced: Why it is not known which partitions of it are served; empty: nothing speaks against it.
        image: What the controller says, from a metadata log in a log dir of the same broker; None: not at hand.
        metadata_start: What the start makes of that metadata log; None: it stays as it is, or that is not known.
        lacks_metadata: Whether no log dir of the same broker that is looked at has a metadata log.
        condition: What must hold for this to be how the broker finds the log dir, in words; "": nothing is assumed.
        siblings: Directory ids of the log dirs of the same broker that are looked at.
    """

    evidence: BrokerEvidence
    release: Release
    is_given: bool
    kraft: bool
    recovery_points: _Offsets
    log_starts: _Offsets
    high_watermarks: _Offsets
    compacted: frozenset[tuple[str, int]]
    partitions: Mapping[str, PartitionName]
    in_place: Mapping[str, tuple[str, int]]
    noted: Noted = field(default_factory=Noted)
    unplaced: str = ""
    image: Image | None = None
    metadata_start: MetadataStart | None = None
    lacks_metadata: bool = False
    condition: str = ""
    siblings: frozenset[str | None] = frozenset()

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

    @property
    def metadata_log(self) -> str:
        """The metadata log that the image is of, in words."""
        start = self.metadata_start
        return f"the metadata log, which {start.text}," if start is not None and self.is_metadata_cut else "the metadata log"

    @property
    def is_metadata_cut(self) -> bool:
        """Whether the image is that of a metadata log which says less after the start than before."""
        start = self.metadata_start
        return start is not None and start.is_changed and start.image is self.image

    @property
    def is_tiered(self) -> bool:
        """Whether tiered storage has been used here."""
        return REMOTE_INDEX_CACHE in self.log_dir.others


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
    releases = evidence.era.releases if release is None else (release,)
    return [_state_of(evidence, one, is_given=release is not None) for one in releases]


def _state_of(evidence: BrokerEvidence, release: Release, *, is_given: bool) -> LogDirState:
    log_dir, era = evidence.log_dir, evidence.era
    kraft = not is_zookeeper_era(release) and (era.kraft is not False or KRAFT_ONLY.applies_to(release))
    meta = check_meta(log_dir, release, kraft=kraft, proposed=missing_values(evidence) if kraft else "")
    points = _start_offsets(log_dir, release, RECOVERY_POINTS, "every recovery point is 0")
    starts = _start_offsets(log_dir, release, LOG_STARTS, "every log starts at its first segment")
    watermarks = _late_offsets(log_dir, release, HIGH_WATERMARKS)
    cleaned = _late_offsets(log_dir, release, CLEANER_OFFSETS)
    partitions, misnamed = _directories(log_dir, release)
    has_future_check = kraft and log_dir.identity.directory_id is not None
    conflicts = Noted(conflicts=_conflicts(partitions, has_future_check=has_future_check))
    return LogDirState(
        evidence=evidence,
        release=release,
        is_given=is_given,
        kraft=kraft,
        recovery_points=points.offsets,
        log_starts=starts.offsets,
        high_watermarks=watermarks.offsets,
        compacted=frozenset(cleaned.offsets),
        partitions=partitions,
        in_place=_files_in_place(log_dir, {*points.offsets, *watermarks.offsets}),
        noted=meta.and_also(points.noted, starts.noted, watermarks.noted, cleaned.noted, misnamed, conflicts),
    )


class _Read(NamedTuple):
    """A checkpoint file: (topic, partition) → the offset in its last line; and what was noted about it."""

    offsets: _Offsets
    noted: Noted


def _start_offsets(log_dir: LogDir, release: Release, name: str, otherwise: str) -> _Read:
    """A checkpoint that is read before the partitions load."""
    try:
        return _Read(_read_offsets(log_dir, release, name), Noted())
    except LogDirOffline as failure:
        # The exception is caught, but the log dir has been marked offline by then.
        is_spared = log_dir.has_clean_marker and name == RECOVERY_POINTS
        remedy = f"Move {name} away: after a clean stop nothing is recovered, whatever it says." if is_spared else ""
        obstacle = Obstacle(log_dir.directory.path_of(name), "offline", str(failure), remedy)
        return _Read({}, Noted(obstacles=(obstacle,)))
    except BrokerAborts as failure:
        return _Read({}, Noted(remarks=(f"{name} cannot be read ({failure}), so {otherwise}",)))


def _late_offsets(log_dir: LogDir, release: Release, name: str) -> _Read:
    """A checkpoint that is read when the partitions are loaded already."""
    is_watermarks = name == HIGH_WATERMARKS
    path, remedy = log_dir.directory.path_of(name), f"Move {name} away: {_ANEW}."
    try:
        return _Read(_read_offsets(log_dir, release, name), Noted())
    except LogDirOffline as failure:
        when = "when the first partition gets its leader" if is_watermarks else "when the log cleaner first looks"
        return _Read({}, Noted(obstacles=(Obstacle(path, "late", f"{failure}, found {when}", remedy),)))
    except BrokerAborts as failure:
        if not is_watermarks:
            return _Read({}, Noted(remarks=(f"the log cleaner's thread ends: {failure}",)))
        text = f"{failure}: no partition of the log dir is served"
        return _Read({}, Noted(obstacles=(Obstacle(path, "unserved", text, remedy),)))


def _read_offsets(log_dir: LogDir, release: Release, name: str) -> _Offsets:
    entries = _read_entries(log_dir, release, name)
    return {(entry.topic, entry.partition): entry.offset for entry in entries}


def _read_entries(log_dir: LogDir, release: Release, name: str) -> tuple[OffsetEntry, ...]:
    if name in log_dir.others:
        # It cannot be opened, which its reader takes for malformed; the first releases have no place to note that.
        kind = LogDirOffline if LOG_DIRS_FAIL.applies_to(release) else BrokerAborts
        raise kind("IOException", f"{name} is a directory", file=name)
    if name not in log_dir.files:
        return ()
    data = log_dir.directory.read(name)
    try:
        return read_offset_file(data, name, numbers_abort=CHECKPOINT_NUMBERS_ABORT.applies_to(release))
    except LogDirOffline as failure:
        if LOG_DIRS_FAIL.applies_to(release):
            raise
        raise BrokerAborts(failure.kafka_class, failure.text, file=name) from None


def _directories(log_dir: LogDir, release: Release) -> tuple[dict[str, PartitionName], Noted]:
    """The partition directories by name; those whose names the broker does not know stop it."""
    partitions: dict[str, PartitionName] = {}
    misnamed = []
    for name in (*log_dir.partition_names, *log_dir.others):
        parsed = parse_partition_name(name)
        if parsed is not None and name in log_dir.partition_names and _is_known_mark(parsed.mark, release):
            partitions[name] = parsed
        elif name not in (REMOTE_INDEX_CACHE, CLEAN_SHUTDOWN):
            text = f"KafkaException: the directory {name} is not named topic-partition"
            move = move_of(name)
            remedy = f"{move[0].upper()}{move[1:]}."
            misnamed.append(Obstacle(log_dir.directory.path_of(name), "aborts", text, remedy))
    return partitions, Noted(obstacles=tuple(misnamed))


def _is_known_mark(mark: str, release: Release) -> bool:
    """Whether a release knows what the end of a directory's name stands for."""
    since = {"future": FUTURE_NAMES, "stray": STRAY_NAMES}.get(mark)
    return since is None or since.applies_to(release)


def _conflicts(partitions: Mapping[str, PartitionName], *, has_future_check: bool) -> dict[str, str]:
    """Directories of one partition beside each other."""
    conflicts: dict[str, str] = {}
    seen: dict[tuple[str, int, bool], str] = {}
    for name, parsed in partitions.items():
        if parsed.mark not in ("", "future"):
            continue
        key = (parsed.topic, parsed.partition, bool(parsed.mark))
        if key in seen:
            text = f"IllegalStateException: {seen[key]} and {name} are the same partition"
            conflicts[name] = conflicts[seen[key]] = text
        seen[key] = name
        if parsed.mark and f"{parsed.topic}-{parsed.partition}" in partitions and has_future_check:
            text = "a future replica cannot take the place of the current one in the same log dir"
            conflicts[name] = f"KafkaStorageException: {text}"
    return conflicts


def _files_in_place(log_dir: LogDir, known: set[tuple[str, int]]) -> dict[str, tuple[str, int]]:
    """Regular files that are called like the directory of a partition that a checkpoint knows."""
    in_place = {}
    for name in log_dir.files:
        parsed = parse_partition_name(name)
        if parsed is not None and not parsed.mark and (parsed.topic, parsed.partition) in known:
            in_place[name] = (parsed.topic, parsed.partition)
    return in_place
