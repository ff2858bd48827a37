"""The producers of a partition: a replay of its scans, compared with its `.snapshot` files."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import COORDINATOR_TOPICS
from kafkalog.replay.producer_events import Cut
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.verify.checks.snapshots import differences_of_entry, missing_producers
from kafkalog.verify.rules.snapshots import MissingProducer, SnapshotEntry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkalog.core.producer_snapshot import ProducerSnapshot
    from kafkalog.replay.producers import AbortedSpan, OpenTransaction, ProducerState, ProducerStep
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["ProducerHistory", "SegmentAborts", "replay_producers"]


class SegmentAborts(NamedTuple):
    """The aborted transactions that end in a segment; `complete`: it is known of all what was open there."""

    spans: tuple[AbortedSpan, ...]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerHistory:
    """What a replay shows.

    Args:
        steps: Runs of batches and markers that do not simply follow from the state before.
        entries: Entries of snapshots that differ from the state at their offset.
        missing: Producers that a snapshot must list and does not.
        aborts: The aborted transactions, by the base offset of the segment they end in.
        open: Transactions without an end, oldest first; none where the log's end is not known.
        last_stable_offset: Where the oldest of them begins, 0 when there is none.
        changed: Base offsets of segments whose producers' state differs from that at the snapshot before.
        has_producers: Whether there are any at the log's end.
    """

    steps: tuple[ProducerStep, ...]
    entries: tuple[SnapshotEntry, ...]
    missing: tuple[MissingProducer, ...]
    aborts: Mapping[int, SegmentAborts]
    open: tuple[OpenTransaction, ...]
    last_stable_offset: int
    changed: frozenset[int]
    has_producers: bool

    @property
    def aborted(self) -> tuple[AbortedSpan, ...]:
        """The aborted transactions whose data are still there."""
        return tuple(span for aborts in self.aborts.values() for span in aborts.spans if span.first_offset >= 0)


class SnapshotRead(NamedTuple):
    """A `.snapshot` that was read, and its bytes."""

    path: str
    snapshot: ProducerSnapshot
    size: int


def replay_producers(
    scans: Sequence[SegmentScan],
    snapshots: Mapping[int, SnapshotRead],
    *,
    start: int,
    end: int | None,
    compacted: bool,
    topic: str,
    partition: int,
) -> ProducerHistory:
    """Replay the producers of a log.

    Args:
        scans: Of its segments, ascending.
        snapshots: Its producer snapshots by offset, ascending.
        start: The offset below which a broker that loaded the log need not have looked.
        end: The log's end; None when it is not known, or when snapshots and open transactions mean nothing.
        compacted: Batches may have been removed.
        topic: Its topic, "" when the directory's name does not tell; coordinators do not number the batches of theirs.
        partition: Its number, -1 when the directory's name does not tell.
    """
    comparison = _Comparison(snapshots, start=start, end=end, compacted=compacted)
    steps: list[ProducerStep] = []
    replay = ProducerReplay(steps.append, comparison.at_cut, coordinator=topic in COORDINATOR_TOPICS, from_start=start == 0)
    comparison.replay = replay
    aborts: dict[int, SegmentAborts] = {}
    changed: set[int] = set()
    is_written = False
    for scan in scans:
        comparison.log_path = scan.path
        if scan.is_unread:
            replay.forget()
        if is_written:
            changed.add(scan.base_offset)
        is_written = any(not isinstance(event, Cut) for event in scan.events)
        spans = tuple(replay.feed(_events_of(scan)))
        aborts[scan.base_offset] = SegmentAborts(spans, replay.complete and replay.reliable)
        if scan.is_unread:
            replay.forget()
        elif scan.damaged:
            replay.reliable = replay.complete = False
    return ProducerHistory(
        steps=tuple(steps),
        entries=tuple(comparison.entries),
        missing=tuple(comparison.missing),
        aborts=aborts,
        open=() if end is None else tuple(replay.open_transactions(topic, partition)),
        last_stable_offset=replay.first_open_offset() or 0,
        changed=frozenset(changed),
        has_producers=replay.has_producers,
    )


def _events_of(scan: SegmentScan) -> SegmentEvents:
    """What the replay wants to know of a segment."""
    return SegmentEvents(
        path=scan.path,
        events=scan.events,
        epochs=[(run.first_base, run.epoch) for run in scan.epochs],
        first_offset=None if scan.first is None else scan.first.base_offset,
        end_offset=None if scan.last is None else scan.last.last_offset + 1,
        last_hole=scan.last_hole,
        damaged=scan.damaged,
    )


@dataclass
class _Comparison:
    """The snapshots of a log against the replay that passes their offsets."""

    snapshots: Mapping[int, SnapshotRead]
    start: int
    end: int | None
    compacted: bool
    log_path: str = ""
    entries: list[SnapshotEntry] = field(default_factory=list)
    missing: list[MissingProducer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.replay: ProducerReplay | None = None
        #: Whether the replay knows all producers that a snapshot at its offset can hold.
        self._seeded = self.start == 0

    def at_cut(self, offset: int, states: dict[int, ProducerState], reliable: bool) -> None:  # noqa: FBT001 - a callback
        """Compare the snapshot at an offset with the state there."""
        path, snapshot, size = self.snapshots[offset]
        if self.end is None or offset > self.end or not reliable or not snapshot.crc_ok or snapshot.damage is not None:
            return
        assert self.replay is not None
        for number, entry in enumerate(snapshot.entries):
            differences = tuple(
                differences_of_entry(
                    entry,
                    states.get(entry.producer_id),
                    compacted=self.compacted,
                    complete=self._seeded,
                    start=self.start,
                )
            )
            if differences:
                self.entries.append(
                    SnapshotEntry(
                        path=path,
                        offset=offset,
                        number=number,
                        producer_id=entry.producer_id,
                        differences=differences,
                        span=snapshot.span_of_entry(number),
                        log_path=self.log_path,
                    )
                )
        if self.compacted:
            return
        offsets = tuple(self.snapshots)
        older = bisect_left(offsets, offset)
        if older:
            before = offsets[older - 1]
            for state in missing_producers(snapshot.entries, states, self.replay.heard_of, max(before, self.start)):
                self.missing.append(
                    MissingProducer(path=path, offset=offset, before=before, state=state, size=size, log_path=self.log_path)
                )
        if not self._seeded:
            self._seeded = True
            for entry in snapshot.entries:
                if entry.producer_id not in states:
                    self.replay.adopt(entry, self.log_path)
