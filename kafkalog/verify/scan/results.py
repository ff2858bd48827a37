"""The unit of work: one segment, and what its scan brings back. Both travel between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.verify.rules.compaction import DEFAULT_MAX_MESSAGE_BYTES

if TYPE_CHECKING:
    from kafkalog.core.log_digests import LogDigests
    from kafkalog.files.aiven import BadChunk
    from kafkalog.replay.producer_events import Event
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.rules.compaction import Horizons, Large
    from kafkalog.verify.rules.shared import BatchSpot, EpochRun

__all__ = [
    "SegmentScan",
    "SegmentTask",
    "Settings",
]


class Settings(NamedTuple):
    """What the caller wants of a scan.

    `now` in milliseconds, `quick` without decompression and records, `hash` of inputs; `max_message_bytes` is the topic's
    `max.message.bytes`, None when it is not known. `lanes`: there is enough to scan that importing numpy pays, where it is
    installed. `digests` of the logs.
    """

    now: int
    quick: bool = False
    hash: bool = False
    max_message_bytes: int | None = None
    lanes: bool = False
    digests: bool = False

    @property
    def large(self) -> int:
        """Bytes above which a batch is noted."""
        return DEFAULT_MAX_MESSAGE_BYTES if self.max_message_bytes is None else self.max_message_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTask:
    """A segment to scan.

    `paths` by suffix. `active`: it has the highest base offset of its directory. `clean`: the broker was stopped cleanly
    (None: not known). `mark`: of the directory, "", "delete", "future" or "stray". `kraft`: the metadata log or a snapshot
    of it. `snapshot_epoch`: the epoch in the name of a KRaft snapshot, None for a segment. `compacted`: the log is known
    to have been compacted. `cuts`: offsets at which the producers' state is wanted, ascending. `log_start`: from the
    checkpoint, None when not known. `in_use`: other partitions of the log dir look as if their broker had been running.
    `topic`: that of a coordinator, whose records may be noted, "" for others.
    `following` is the base offset of the next segment, None for the last one.
    """

    base_offset: int
    paths: dict[str, str] = field(hash=False)
    settings: Settings
    active: bool = False
    clean: bool | None = None
    mark: str = ""
    kraft: bool = False
    compacted: bool = False
    cuts: tuple[int, ...] = ()
    snapshot_epoch: int | None = None
    in_use: bool = False
    following: int | None = None
    topic: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentScan:
    """What the scan of one segment brought back. Offsets are None when there is no batch."""

    base_offset: int
    path: str
    findings: tuple[Finding, ...] = ()
    size: int = 0
    batches: int = 0
    records: int = 0
    first: BatchSpot | None = None
    last: BatchSpot | None = None
    #: End of the last batch before the first damage, and its last offset.
    valid_position: int = 0
    valid_offset: int | None = None
    max_timestamp: int = -1
    epochs: tuple[EpochRun, ...] = ()
    events: tuple[Event, ...] = ()
    #: Offset at which the last hole between its batches ends, -1 when there is none.
    last_hole: int = -1
    #: Offset of the first batch that looks as if the log cleaner had been there.
    compaction_evidence: int | None = None
    #: Records without a value, and the delete horizons that the cleaner has set.
    tombstones: int = 0
    horizons: Horizons | None = None
    #: Batches larger than the limit.
    large: Large | None = None
    magics: frozenset[int] = frozenset()
    #: Last offset of the last message of magic 0 or 1.
    last_legacy: int = -1
    damaged: bool = False
    hashes: dict[str, str] = field(default_factory=dict)
    not_checked: tuple[tuple[str, str], ...] = ()
    #: Which records exceed a limit of kafkalog's own and so were not judged; "" for none.
    over_limit: str = ""
    failures: tuple[tuple[str, str], ...] = ()
    files: int = 0
    bytes_read: int = 0
    #: Of the `.log`.
    inode: int = 0
    #: (last offset, position) of a batch in every mebibyte, for searches that come later.
    places: tuple[tuple[int, int], ...] = ()
    #: Path of a file → how its line ends were changed; of a `.log`, nothing else is said about the segment then.
    line_ends: dict[str, str] = field(default_factory=dict)
    #: Whether an index ends in preallocated space.
    preallocated: bool = False
    #: Offset of the first batch with a record that has no key; the cleaner keeps none of these.
    first_keyless: int | None = None
    #: Of the metadata log: epoch and base offset of the batches with a LEADER_CHANGE.
    leader_changes: tuple[tuple[int, int], ...] = ()
    #: Whether the records of all batches were looked at, and none had to be looked at one by one.
    are_records_regular: bool = False
    #: Of a coordinator's topic: what `RegularRecords.versions` says, where all its records are regular.
    regular_versions: frozenset[tuple[int, int]] | None = None
    #: Of its batches, where they were asked for and all are sound and of magic 2.
    digests: LogDigests | None = None
    #: Of a log in remote storage that a plug-in has cut: the chunks that cannot be read.
    bad_chunks: tuple[BadChunk, ...] = ()

    @property
    def is_unread(self) -> bool:
        """Whether the `.log` could not be read to its end: it is gone, was cut meanwhile, or the system refused."""
        return any(path == self.path for path, _ in self.failures)
