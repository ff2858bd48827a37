"""What `diff` gives: frozen values, which the text and the JSON lines show under the same names."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - type of a field
from dataclasses import dataclass, field
from typing import NamedTuple

from kafkalog.core.checkpoint import EpochEntry  # noqa: TC001 - type of a field
from kafkalog.core.release import Release  # noqa: TC001 - type of a field
from kafkalog.kafka.follower import Asked  # noqa: TC001 - type of a field

__all__ = [
    "DifferingRecord",
    "FirstDifference",
    "Following",
    "LogicalDifference",
    "NotCompared",
    "OnlyThere",
    "ReplicaDiff",
    "Replicas",
    "Unpaired",
]


class NotCompared(NamedTuple):
    """A path that could not be read, and why."""

    path: str
    reason: str


class Unpaired(NamedTuple):
    """A partition directory that only one of the paths has; `side` is the letter of that path."""

    side: str
    path: str


class FirstDifference(NamedTuple):
    """Where two replicas begin to differ.

    Args:
        offset: The first offset of which one of them has something else.
        kind: `missing`: one has no batch there; `size`: the batches are of different sizes or offsets; `bytes`: of the same
            size, with different bytes; `epoch`: of the same bytes, with different leader epochs; `order`: the offsets of one do
            not follow those before it in its own log.
        epochs: Leader epochs of the two batches; None where there is none.
        places: File and position of the two batches; None where there is none.
    """

    offset: int
    kind: str
    epochs: tuple[int | None, int | None]
    places: tuple[tuple[str, int] | None, tuple[str, int] | None]


class OnlyThere(NamedTuple):
    """What one replica has and the other has not, by whole batches.

    Args:
        batches: How many batches.
        records: Data records in them.
        size: Bytes of them.
        offsets: First and last offsets of rows of such batches, ascending.
        more_ranges: How many further rows there are.
        time_range: First and last timestamp ≥ 0 in the headers, milliseconds; None: there is none.
    """

    batches: int = 0
    records: int = 0
    size: int = 0
    offsets: tuple[tuple[int, int], ...] = ()
    more_ranges: int = 0
    time_range: tuple[int, int] | None = None


class Following(NamedTuple):
    """What a replica does to its log when it becomes the follower of the other one.

    Args:
        truncate_to: The end of its log then; None: it is not known, `why` says what is missing.
        records_lost: Data records in the batches that it throws away; None: it is not known.
        bytes_lost: Bytes of these.
        steps: What it asks the leader, and the answers.
        by_high_watermark: Whether the high watermark decides, because leader epochs do not.
        starts_over: Whether it throws its whole log away, because the leader's begins later.
        why: Why epochs do not decide, or what is not known; "" when they do.
        release: The release of Kafka whose rules these are.
    """

    truncate_to: int | None
    records_lost: int | None
    bytes_lost: int | None
    steps: tuple[Asked, ...]
    by_high_watermark: bool
    starts_over: bool
    why: str
    release: Release


class DifferingRecord(NamedTuple):
    """A record that the other replica has not, or has otherwise.

    Args:
        side: The letter of the path that has it.
        kind: `only`: the other has none of this offset; `other`: it has another one.
        offset: Its offset.
        timestamp: Milliseconds.
        key: Bytes, or None.
        value: Bytes, or None.
        headers: Names and values.
    """

    side: str
    kind: str
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]


class LogicalDifference(NamedTuple):
    """Two replicas record by record, between the later log start and the earlier log end.

    Args:
        same: Records of the same offset, timestamp, key, value and headers.
        differing: Records of the same offset that are not the same.
        superseded: Records that only the one, only the other has, and of whose key there is a later record, or that are
            tombstones or of aborted transactions: what compaction takes away.
        lost: Records that only the one, only the other has, and that compaction does not explain.
        lost_offsets: First and last offset of each of these two.
    """

    same: int
    differing: int
    superseded: tuple[int, int]
    lost: tuple[int, int]
    lost_offsets: tuple[tuple[int, int] | None, tuple[int, int] | None]

    @property
    def is_equal(self) -> bool:
        """Whether neither of them lacks a record of the other, but for compaction."""
        return not self.differing and not any(self.lost)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaDiff:
    """Two replicas of a partition.

    Args:
        a: Path of the one.
        b: Path of the other.
        sides: The letters of the paths that they were given by.
        topic: The topic, from the directory's name; None when it does not parse.
        partition: The partition's number.
        topic_id_equal: Whether both have the same topic id; None where one of them has none.
        relation: `equal`; `a-is-prefix` or `b-is-prefix`: the other goes on; or `diverge`.
        compared_from: The later of the two log starts.
        same_through_offset: The last offset up to which both are the same; None: they have none in common.
        first_difference: Where they begin to differ; None when they do not diverge.
        differences: Kind of difference → batches with it.
        a_only: What only the one has.
        b_only: What only the other has.
        log_start: Log start offsets.
        log_end: Log end offsets.
        high_watermark: High watermarks, by the checkpoints of their log dirs; None: it is not known.
        epochs_a: Leader epochs of the one.
        epochs_b: Leader epochs of the other.
        damaged_bytes: Bytes of each that are no batch.
        if_a_follows_b: What the one would do if the other was its leader; None when that was not asked for.
        if_b_follows_a: The same the other way round.
        logical: Record by record; None when that was not asked for.
        records: The first records that differ, of each side, as many as were asked for.
    """

    a: str
    b: str
    sides: tuple[str, str]
    topic: str | None
    partition: int | None
    topic_id_equal: bool | None
    relation: str
    compared_from: int
    same_through_offset: int | None
    first_difference: FirstDifference | None
    differences: Mapping[str, int]
    a_only: OnlyThere
    b_only: OnlyThere
    log_start: tuple[int, int]
    log_end: tuple[int, int]
    high_watermark: tuple[int | None, int | None]
    epochs_a: tuple[EpochEntry, ...]
    epochs_b: tuple[EpochEntry, ...]
    damaged_bytes: tuple[int, int]
    if_a_follows_b: Following | None
    if_b_follows_a: Following | None
    logical: LogicalDifference | None = None
    records: tuple[DifferingRecord, ...] = ()

    @property
    def diverge(self) -> bool:
        """Whether one has something that contradicts the other; record by record, where that was asked for."""
        if self.logical is not None:
            return not self.logical.is_equal
        return self.relation == "diverge"

    @property
    def outcome(self) -> str:
        """`equal`, `prefix` or `diverge`: by records, where that was asked for, else by batches."""
        if self.diverge:
            return "diverge"
        return "equal" if self.relation in ("equal", "diverge") else "prefix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """What `kafkalog.diff` gives.

    Args:
        pairs: Each two replicas of a partition.
        unpaired: Partitions of which only one of the paths has a replica.
        not_compared: What could not be read.
    """

    pairs: tuple[ReplicaDiff, ...] = ()
    unpaired: tuple[Unpaired, ...] = ()
    not_compared: tuple[NotCompared, ...] = field(default=())

    @property
    def diverge(self) -> bool:
        """Whether any two replicas diverge."""
        return any(pair.diverge for pair in self.pairs)
