"""The unit of work: one segment, and what its scan brings back. Both travel between processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.subjects import BatchSpot

__all__ = ["Cut", "EpochRun", "Event", "Marker", "ProducerRun", "SegmentScan", "SegmentTask", "Settings"]


class Settings(NamedTuple):
    """What the caller wants of a scan: `now` in milliseconds, `quick` without decompression and records, `hash` of inputs."""

    now: int
    quick: bool = False
    hash: bool = False


class SegmentTask(NamedTuple):
    """A segment to scan.

    `paths` by suffix. `active`: it has the highest base offset of its directory. `clean`: the broker was stopped cleanly
    (None: not known). `mark`: of the directory, "", "delete", "future" or "stray". `kraft`: the metadata log or a snapshot
    of it. `snapshot_epoch`: the epoch in the name of a KRaft snapshot, None for a segment. `compacted`: the log is known
    to have been compacted. `cuts`: offsets at which the producers' state is wanted, ascending. `log_start`: from the
    checkpoint, None when not known.
    """

    base_offset: int
    paths: dict[str, str]
    active: bool
    clean: bool | None
    mark: str
    kraft: bool
    compacted: bool
    cuts: tuple[int, ...]
    settings: Settings
    snapshot_epoch: int | None = None


class EpochRun(NamedTuple):
    """Batches in a row with the same leader epoch, by offsets and positions."""

    epoch: int
    first_base: int
    position: int
    last_base: int
    last_offset: int


class ProducerRun(NamedTuple):
    """Data batches of one producer in a row, without a gap in their sequence numbers.

    `last_*` are about the last batch; `partial` says that it lost records to compaction. `cut` alone is set in an event
    that only says: here the producers' state is wanted. `position` is that of the first batch.
    """

    producer_id: int
    epoch: int
    transactional: bool
    first_sequence: int
    next_sequence: int
    first_offset: int
    last_offset: int
    last_base: int
    last_timestamp: int
    partial: bool
    position: int
    last_position: int
    first_last_sequence: int
    size: int


class Marker(NamedTuple):
    """A transaction marker; `coordinator_epoch` is None when the cleaner emptied it, `committed` too then."""

    producer_id: int
    epoch: int
    committed: bool | None
    coordinator_epoch: int | None
    offset: int
    timestamp: int
    position: int
    size: int


class Cut(NamedTuple):
    """The producers' state is wanted here; `blind`: from here on nothing is known, bytes could not be read."""

    offset: int
    blind: bool = False


Event = ProducerRun | Marker | Cut


@dataclass(slots=True)
class SegmentScan:
    """What the scan of one segment brought back. Offsets are None when there is no batch."""

    base_offset: int
    path: str
    findings: list[Finding] = field(default_factory=list)
    size: int = 0
    batches: int = 0
    records: int = 0
    first: BatchSpot | None = None
    last: BatchSpot | None = None
    #: End of the last batch before the first damage, and the offset after it.
    valid_position: int = 0
    valid_offset: int | None = None
    max_timestamp: int = -1
    epochs: list[EpochRun] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    compaction_evidence: bool = False
    magics: set[int] = field(default_factory=set)
    damaged: bool = False
    hashes: dict[str, str] = field(default_factory=dict)
    not_checked: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)
    files: int = 0
    bytes_read: int = 0
    has_log: bool = False
    #: (last offset, position) of a batch in every mebibyte, for searches that come later.
    places: list[tuple[int, int]] = field(default_factory=list)
    #: Offset of the first batch with a record that has no key; the cleaner keeps none of these.
    first_keyless: int | None = None
    #: Of the metadata log: epoch and base offset of the batches with a LEADER_CHANGE.
    leader_changes: list[tuple[int, int]] = field(default_factory=list)
