"""Producers: what the scan of a segment notes about their batches and markers, and the replay of those notes."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.log import NEVER
from kafkalog.core.record import increment_sequence
from kafkalog.verify.scan.results import Cut, Event, Marker, ProducerRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.batch import RecordBatch
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["AbortedSpan", "EventRecorder", "OpenTransaction", "ProducerState", "ProducerStep", "Replay"]

_MAX_SEQUENCE = 0x7FFFFFFF
_LAST_CODEC = 4
_SOONEST_EXPIRATION_MS = 1000
#: producerId, producerEpoch, baseSequence.
_PRODUCER = BATCH_HEADER.run("producer_id", "base_sequence").unpack


class EventRecorder:
    """Notes a segment's batches with producer ids; batches that continue each other are one note.

    Args:
        cuts: Offsets at which the replay wants to stop, ascending.
    """

    def __init__(self, cuts: tuple[int, ...]) -> None:
        self._open: dict[int, list[int]] = {}
        self._events: list[list[int] | Marker | Cut] = []
        self._cuts = deque(cuts)
        self._cut = self._cuts[0] if self._cuts else NEVER
        self.last_hole = -1
        #: Batches that claim epoch 0 and sequence 0 of no producer: how many; position, first and last offset of the first.
        self.zeros = 0
        self.first_zeros = (-1, -1, -1)

    def regular(self, producer: bytes, base: int, count: int, timestamp: int, attributes: int, position: int) -> bool:
        """Add a whole batch that directly continues its producer's last one; False, and nothing done, when it does not.

        `producer` is its id, epoch and base sequence as they stand in the header. `attributes` are not negative.
        A batch without a producer is fine too.
        """
        producer_id, epoch, sequence = _PRODUCER(producer)
        run = self._open.get(producer_id)
        if run is None:
            if producer_id != -1 or attributes > _LAST_CODEC or sequence > 0:
                return False
            if epoch == sequence == 0:
                self.zero(position, base, base + count - 1)
                return True
            return bool(epoch == -1)
        following = sequence + count
        if (
            run[5] != sequence
            or run[1] != epoch
            or run[2] != attributes >> 4
            or attributes & 15 > _LAST_CODEC
            or base >= self._cut
            or following > _MAX_SEQUENCE
        ):
            return False
        run[5] = following
        run[7] = base + count - 1
        run[8] = base
        run[9] = timestamp
        run[11] = position
        return True

    def zero(self, position: int, base: int, last: int) -> None:
        """Add a batch that has no producer id, and epoch 0 and sequence 0."""
        if not self.zeros:
            self.first_zeros = (position, base, last)
        self.zeros += 1

    def reach(self, offset: int) -> None:
        """A batch begins at `offset`: note the cuts before it."""
        while offset >= self._cut:
            self._events.append(Cut(self._cuts.popleft()))
            self._open.clear()
            self._cut = self._cuts[0] if self._cuts else NEVER

    def data(self, batch: RecordBatch) -> None:
        """Add any data batch that has a producer id."""
        header = batch.header
        last = batch.last_offset
        run = self._open.get(header.producer_id)
        following = increment_sequence(header.base_sequence, max(0, header.last_offset_delta))
        following = 0 if following == _MAX_SEQUENCE else following + 1
        partial = header.records_count < header.last_offset_delta + 1
        if (
            run is not None
            and run[1] == header.producer_epoch
            and run[2] == batch.is_transactional
            and run[5] == header.base_sequence
        ):
            run[5], run[7], run[8], run[9] = following, last, header.base_offset, header.max_timestamp
            run[10], run[11] = partial, batch.position
            return
        run = [
            header.producer_id,
            header.producer_epoch,
            int(batch.is_transactional),
            header.base_sequence,
            0,
            following,
            header.base_offset,
            last,
            header.base_offset,
            header.max_timestamp,
            partial,
            batch.position,
            batch.position,
            batch.size,
            self.last_hole,
        ]
        self._open[header.producer_id] = run
        self._events.append(run)

    def hole(self, offset: int) -> None:
        """Offsets are missing before `offset`."""
        self.last_hole = offset

    def marker(self, marker: Marker) -> None:
        """Add a transaction marker."""
        self._open.pop(marker.producer_id, None)
        self._events.append(marker)

    def blind(self, offset: int) -> None:
        """Bytes could not be read before `offset`: what is known about producers ends here."""
        self._open.clear()
        self._events.append(Cut(offset, blind=True))

    def finish(self) -> list[Event]:
        """All notes in log order; the cuts that no batch reached are the last."""
        self.reach(self._cuts[-1] if self._cuts else -1)
        events: list[Event] = []
        for event in self._events:
            if isinstance(event, list):
                events.append(
                    ProducerRun(
                        producer_id=event[0],
                        epoch=event[1],
                        transactional=bool(event[2]),
                        first_sequence=event[3],
                        next_sequence=event[5],
                        first_offset=event[6],
                        last_offset=event[7],
                        last_base=event[8],
                        last_timestamp=event[9],
                        partial=bool(event[10]),
                        position=event[12],
                        last_position=event[11],
                        size=event[13],
                        hole=event[14],
                    )
                )
            else:
                events.append(event)
        return events


@dataclass(frozen=True, slots=True)
class ProducerState:
    """What a broker knows of a producer, as its snapshots store it; `known` is False for what the log does not tell.

    `seen_data`: a data batch of this epoch has been seen. `restarted`: a marker began its epoch after data of an older one.
    `marker_offset` is that of its last marker, -1 none.
    """

    producer_id: int
    epoch: int
    last_sequence: int = -1
    last_offset: int = -1
    offset_delta: int = 0
    timestamp: int = -1
    coordinator_epoch: int | None = -1
    first_offset: int = -1
    data_timestamp: int = -1
    marker_timestamp: int = -1
    marker_offset: int = -1
    marker_known: bool = True
    partial: bool = False
    seen_data: bool = False
    restarted: bool = False
    run: ProducerRun | None = None
    run_path: str = ""
    last_position: int = -1
    marker_position: int = -1
    open_position: int = -1
    open_path: str = ""


@dataclass(frozen=True, slots=True)
class ProducerStep:
    """A run of batches or a marker, and the state of its producer before (None: the producer was not known).

    `coordinator`: an internal topic whose writers do not number their batches. `leader_changed`: the partition's leader
    epoch is another one than at the producer's last batch. `over_hole`: offsets are missing behind that one. `whole`: every
    offset from 0 on, up to this step, holds a record that has been read.
    `elapsed`: milliseconds since the producer was last heard of, by the timestamps.
    """

    path: str
    before: ProducerState | None
    run: ProducerRun | None
    marker: Marker | None
    coordinator: bool
    ended: int
    leader_changed: bool = False
    over_hole: bool = False
    elapsed: int = 0
    whole: bool = False

    @property
    def forgotten(self) -> bool:
        """Whether the leader need not have known the producer any more: it then takes any epoch and sequence number.

        A new leader may have lost what the old one knew. A leader forgets a producer without an open transaction by itself when
        nothing was heard of it for producer.id.expiration.ms: a day, but it may be set to seconds.
        """
        idle = self.before is not None and self.before.first_offset < 0 and self.elapsed >= _SOONEST_EXPIRATION_MS
        return self.leader_changed or idle


@dataclass(frozen=True, slots=True)
class AbortedSpan:
    """An aborted transaction as a replay finds it. `first_offset` -1: its data are not in the log.

    `data_offset` is the last offset of its data; `next_begin` that of the next batch in the segment with which another producer
    begins a transaction, -1 when there is none. `begin_known`: the producer cannot have begun it before the log's first batch.
    `last_stable_offset` is None when transactions that began before the log's first batch may still be open.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int | None
    position: int
    size: int
    data_offset: int
    next_begin: int = -1
    begin_known: bool = True


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction without an end in the log."""

    producer_id: int
    epoch: int
    first_offset: int
    last_offset: int
    last_timestamp: int
    coordinator_epoch: int | None
    path: str
    position: int


class Replay:
    """The producers of a partition, segment by segment.

    Args:
        emit: Gets a `ProducerStep` for every note that does not simply follow from the state before.
        at_cut: Called with an offset and the state there, by producer id, when a snapshot wants to be compared.
        coordinator: The partition is one of an internal topic whose coordinator does not number its batches.
        from_start: The log reaches down to offset 0, so that nothing can be open before its first batch.
    """

    def __init__(
        self,
        emit: Callable[[ProducerStep], None],
        at_cut: Callable[[int, dict[int, ProducerState], bool], None],
        *,
        coordinator: bool,
        from_start: bool,
    ) -> None:
        self.states: dict[int, ProducerState] = {}
        self.open: dict[int, int] = {}  # producer id → first offset, in log order
        #: Ids of those that wrote since the last snapshot, or at its offset or above.
        self.heard_of: set[int] = set()
        self._emit = emit
        self._at_cut = at_cut
        self._coordinator = coordinator
        self._epochs: list[tuple[int, int]] = []  # first offset and leader epoch, as far as the log was replayed
        self.complete = from_start
        self.reliable = True
        self._end = self._hole = -1

    def feed(self, scan: SegmentScan) -> list[AbortedSpan]:
        """Go over the notes of a segment; gives the transactions that were aborted in it."""
        found: list[AbortedSpan] = []
        waiting: dict[int, list[int]] = {}  # those without a `next_begin` yet, by producer id
        self._epochs.extend((run.first_base, run.epoch) for run in scan.epochs)
        if scan.first is not None and scan.first.base_offset != self._end:
            self._hole = scan.first.base_offset
        if scan.damaged:
            self._hole = NEVER
        for event in scan.events:
            if isinstance(event, Cut):
                if event.blind:
                    self.forget()
                else:
                    self._at_cut(event.offset, self.states, self.reliable)
                    known = self.states
                    self.heard_of = {one for one in self.heard_of if one in known and known[one].last_offset >= event.offset}
            elif isinstance(event, Marker):
                aborted = self._marker(event, scan.path)
                if aborted is not None:
                    waiting.setdefault(aborted.producer_id, []).append(len(found))
                    found.append(aborted)
            elif self._run(event, scan.path) and waiting:
                own = waiting.pop(event.producer_id, None)
                for at in chain.from_iterable(waiting.values()):
                    found[at] = replace(found[at], next_begin=event.first_offset)
                waiting = {} if own is None else {event.producer_id: own}
        self._hole = max(self._hole, scan.last_hole)
        if scan.last is not None:
            self._end = scan.last.last_offset + 1
        return found

    def _epoch_at(self, offset: int) -> int:
        """The leader epoch of the batch at an offset; -1 before the first."""
        at = bisect_right(self._epochs, offset, key=lambda run: run[0])
        return self._epochs[at - 1][1] if at else -1

    def _is_led_by_another(self, state: ProducerState | None, offset: int) -> bool:
        """Whether the leader epoch at an offset is another one than where the producer was last heard of."""
        return state is not None and self._epoch_at(max(state.last_offset, state.marker_offset)) != self._epoch_at(offset)

    def forget(self) -> None:
        """What was replayed so far is not reliable: bytes could not be read."""
        self.states.clear()
        self.open.clear()
        self.heard_of.clear()
        self.complete = self.reliable = False

    def _run(self, run: ProducerRun, path: str) -> bool:
        """Take a run in; whether a transaction begins with it."""
        state = self.states.get(run.producer_id)
        if (
            state is None
            or run.epoch != state.epoch
            or run.first_sequence != _following(state)
            or (not run.transactional and state.first_offset >= 0)
        ):
            changed = self._is_led_by_another(state, run.first_offset)
            over_hole = state is not None and max(run.hole, self._hole) > state.last_offset
            elapsed = _elapsed(state, run.last_timestamp)
            whole = self.complete and max(run.hole, self._hole) <= 0
            self._emit(ProducerStep(path, state, run, None, self._coordinator, 0, changed, over_hole, elapsed, whole))
        first = state.first_offset if state is not None else -1
        open_position, open_path = (state.open_position, state.open_path) if state is not None else (-1, "")
        begins = run.transactional and first < 0
        if begins:
            first, open_position, open_path = run.first_offset, run.position, path
            self.open[run.producer_id] = first
        self.heard_of.add(run.producer_id)
        last_sequence = _MAX_SEQUENCE if run.next_sequence == 0 else run.next_sequence - 1
        self.states[run.producer_id] = ProducerState(
            run.producer_id,
            run.epoch,
            last_sequence if run.first_sequence >= 0 else -1,
            run.last_offset,
            run.last_offset - run.last_base,
            run.last_timestamp,
            -1 if state is None else state.coordinator_epoch,
            first,
            run.last_timestamp,
            -1 if state is None else state.marker_timestamp,
            -1 if state is None else state.marker_offset,
            state is None or state.marker_known,
            run.partial,
            seen_data=True,
            run=run,
            run_path=path,
            last_position=run.last_position,
            marker_position=state.marker_position if state is not None and state.run_path == path else -1,
            open_position=open_position,
            open_path=open_path,
        )
        return begins

    def _marker(self, marker: Marker, path: str) -> AbortedSpan | None:
        state = self.states.get(marker.producer_id)
        first = self.open.pop(marker.producer_id, -1)
        if state is not None:
            changed = self._is_led_by_another(state, marker.offset)
            elapsed = _elapsed(state, marker.timestamp)
            self._emit(ProducerStep(path, state, None, marker, self._coordinator, first, changed, elapsed=elapsed))
        base = state if state is not None else ProducerState(marker.producer_id, marker.epoch)
        if marker.epoch > base.epoch:
            base = replace(
                base,
                epoch=marker.epoch,
                last_sequence=-1,
                last_offset=-1,
                offset_delta=0,
                seen_data=False,
                restarted=base.seen_data or base.restarted,
            )
        self.states[marker.producer_id] = replace(
            base,
            timestamp=marker.timestamp,
            marker_timestamp=marker.timestamp,
            marker_offset=marker.offset,
            marker_known=marker.coordinator_epoch is not None,
            coordinator_epoch=marker.coordinator_epoch,
            first_offset=-1,
            run=None,
            run_path=path,
            last_position=base.last_position if base.run_path == path else -1,
            marker_position=marker.position,
        )
        if marker.committed is not False:
            return None
        oldest = next(iter(self.open.values()), marker.offset + 1)
        return AbortedSpan(
            marker.producer_id,
            first,
            marker.offset,
            oldest if self.complete else None,
            marker.position,
            marker.size,
            state.last_offset if state is not None and first >= 0 else -1,
            begin_known=self.complete or base.marker_offset >= 0,
        )

    def open_transactions(self) -> Iterator[OpenTransaction]:
        """The transactions that no marker has ended, oldest first."""
        for producer_id, first in self.open.items():
            state = self.states[producer_id]
            yield OpenTransaction(
                producer_id,
                state.epoch,
                first,
                state.last_offset,
                state.data_timestamp,
                state.coordinator_epoch,
                state.open_path,
                state.open_position,
            )


def _elapsed(state: ProducerState | None, timestamp: int) -> int:
    """Milliseconds since the last batch or marker of a producer; 0 when one of the two has no timestamp."""
    return 0 if state is None or state.timestamp < 0 or timestamp < 0 else timestamp - state.timestamp


def _following(state: ProducerState) -> int:
    """The sequence number that must come next; -1 when any may."""
    if not state.seen_data or state.last_sequence < 0:
        return -1
    return 0 if state.last_sequence == _MAX_SEQUENCE else state.last_sequence + 1
