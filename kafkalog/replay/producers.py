"""The one replay of a partition's producers: states, transactions, and each step that does not follow from the last.

Kafka's own bookkeeping, with the behaviours of its releases, is `kafka.producer_states`; this one goes over all that a log
holds, damaged or not, and notes what is odd.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain, filterfalse
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command
from kafkalog.core.log import NEVER
from kafkalog.replay.producer_events import Cut, LoneRuns, TransactionEnd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kafkalog.core.command_line import Command
    from kafkalog.core.producer_snapshot import ProducerEntry
    from kafkalog.replay.producer_events import Event, ProducerRun

__all__ = ["AbortedSpan", "OpenTransaction", "ProducerReplay", "ProducerState", "ProducerStep", "SegmentEvents"]

_MAX_SEQUENCE = 0x7FFFFFFF
_SOONEST_EXPIRATION_MS = 1000
_ABORT = ("kafka-transactions.sh", "--bootstrap-server", "BROKER:PORT", "abort")


class SegmentEvents(NamedTuple):
    """What producers did in a segment.

    `epochs` are the leader epochs: base offset of the first batch with it, and the epoch. `first_offset` is the base offset
    of the first batch, `end_offset` follows the last one; None without batches. `last_hole` is the offset at which the last
    hole between its batches ends, -1 when there is none. `damaged`: not all of it could be read.
    """

    path: str
    events: Sequence[Event]
    epochs: Sequence[tuple[int, int]] = ()
    first_offset: int | None = None
    end_offset: int | None = None
    last_hole: int = -1
    damaged: bool = False


class ProducerState(NamedTuple):
    """What a broker knows of a producer, as its snapshots store it; `known` is False for what the log does not tell.

    `seen_data`: a data batch of this epoch has been seen. `restarted`: a marker began its epoch after data of an older one.
    `marker_offset` is that of its last marker, -1 none. `epoch` is that of its last batch or marker, as in Kafka
    (ProducerStateEntry.update), `newest_epoch` the highest since the last batch.
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
    newest_epoch: int = -1


@dataclass(frozen=True, slots=True)
class ProducerStep:
    """A run of batches or a marker, and the state of its producer before (None: the producer was not known).

    `coordinator`: an internal topic whose writers do not number their batches. `leader_changed`: the partition's leader
    epoch is another one than at the producer's last batch. `over_hole`: offsets are missing after that one. `whole`: every
    offset from 0 on, up to this step, holds a record that has been read.
    `elapsed`: milliseconds since the producer was last heard of, by the timestamps.
    """

    path: str
    before: ProducerState | None
    run: ProducerRun | None
    marker: TransactionEnd | None
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


class AbortedSpan(NamedTuple):
    """An aborted transaction as a replay finds it. `first_offset` -1: its data are not in the log.

    `data_offset` is the last offset of its data, `records` how many of them are in the log; `next_begin` is the offset of the
    next batch in the segment with which another producer begins a transaction, -1 when there is none. `begin_known`: the
    producer cannot have begun it before the log's first batch. `last_stable_offset` is None when transactions that began before
    the log's first batch may still be open.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int | None
    position: int
    size: int
    data_offset: int
    next_begin: int = -1
    records: int = 0
    begin_known: bool = True


def abort_command(topic: str, partition: int, start_offset: int) -> Command:
    """The command that aborts a transaction on brokers of 3.0 and later (KIP-664)."""
    return command(_ABORT, {"--topic": topic, "--partition": partition, "--start-offset": start_offset}, "Kafka 3.0 or later")


def old_abort_command(topic: str, partition: int, producer_id: int, producer_epoch: int, coordinator_epoch: int) -> Command:
    """The command that aborts a transaction on brokers before 3.0, which have to be told what to write into the marker.

    Args:
        topic: Its topic.
        partition: The partition.
        producer_id: Of the transaction.
        producer_epoch: The newest one.
        coordinator_epoch: That of the producer's last marker; -1 when it has none, which the tool takes for 0.
    """
    options: dict[str, str | int] = {
        "--topic": topic,
        "--partition": partition,
        "--producer-id": producer_id,
        "--producer-epoch": producer_epoch,
        "--coordinator-epoch": max(0, coordinator_epoch),
    }
    return command(_ABORT, options, "Kafka before 3.0")


class OpenTransaction(NamedTuple):
    """Transactional records of one producer in one partition that no marker has ended yet.

    Offsets and timestamps are of its first and last records, `path` and `position` of its first batch. `coordinator_epoch`
    is that of the producer's last marker, -1 when it has none, None when the cleaner emptied it. `verdict` is "ongoing" (the
    coordinator knows it), "hanging" (it does not, and it is proven) or "unknown"; `why` says what decided,
    `transactional_id` whose it is. `next_marker_timestamp` and `last_marker_timestamp` are those of the first and the last
    marker that any producer has in the partition after its first record, -1 when there is none: a broker's clock wrote them.
    `blocked_records` and `blocked_bytes` are what read_committed consumers do not get while it is open: records of all
    producers from its first one on, without markers, and the size of their batches; None where that was not looked at.
    """

    path: str
    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    first_offset: int
    last_offset: int
    first_timestamp: int
    last_timestamp: int
    records: int
    position: int
    coordinator_epoch: int | None
    next_marker_timestamp: int = -1
    last_marker_timestamp: int = -1
    blocked_records: int | None = None
    blocked_bytes: int | None = None
    verdict: str = "unknown"
    why: str = "no partition of __transaction_state was given"
    transactional_id: str | None = None

    @property
    def abort_command(self) -> Command:
        """The command that makes the partition's leader write an ABORT marker, for brokers of 3.0 and later."""
        return abort_command(self.topic, self.partition, self.first_offset)

    @property
    def abort_commands(self) -> tuple[Command, Command]:
        """That command, and the one for older brokers."""
        ids = self.producer_id, self.producer_epoch, self.coordinator_epoch or 0
        return self.abort_command, old_abort_command(self.topic, self.partition, *ids)


class _Begun:
    """Where a transaction began that has not ended yet; place and time of its first records in the log, and how many it has.

    `next_marker` is the timestamp of the first marker after it began, -1 when there is none.
    """

    __slots__ = ("next_marker", "offset", "path", "position", "records", "timestamp")

    def __init__(self, offset: int, path: str, next_marker: int = -1) -> None:
        self.offset = offset
        self.path = path
        self.position = 0
        self.timestamp = -1
        self.records = 0
        self.next_marker = next_marker


class ProducerReplay:
    """The producers of a partition, segment by segment.

    Args:
        emit: Gets a `ProducerStep` for every note that does not simply follow from the state before.
        at_cut: Called with an offset, the states there by producer id, and whether they are reliable, where the events
            have a `Cut`.
        coordinator: The partition is one of an internal topic whose coordinator does not number its batches.
        from_start: The log reaches down to offset 0, so that nothing can be open before its first batch.
    """

    def __init__(
        self,
        emit: Callable[[ProducerStep], None] | None = None,
        at_cut: Callable[[int, dict[int, ProducerState], bool], None] | None = None,
        *,
        coordinator: bool = False,
        from_start: bool = False,
    ) -> None:
        self._states: dict[int, ProducerState] = {}
        #: Those that only wrote outside of transactions, and of which nothing is odd: the file and the runs among which their
        #: last one is. Their states are made when they are asked for.
        self._lone: dict[int, tuple[str, LoneRuns]] = {}
        #: Ids of those that wrote since the last snapshot, or at its offset or above.
        self.heard_of: set[int] = set()
        self._begun: dict[int, _Begun] = {}  # by producer id, in log order
        self._since_marker: list[_Begun] = []  # those of earlier segments that no marker has followed yet
        self._last_marker = self._last_marker_position = -1  # its timestamp, and its position in the segment
        self._emit = emit
        self._at_cut = at_cut
        self._coordinator = coordinator
        self._epochs: list[tuple[int, int]] = []  # first offset and leader epoch, as far as the log was replayed
        self.complete = from_start
        self.reliable = True
        self._end = self._hole = -1

    @property
    def states(self) -> dict[int, ProducerState]:
        """The producers' states, by id."""
        for producer_id in tuple(self._lone):
            self._state(producer_id)
        return self._states

    @property
    def has_producers(self) -> bool:
        """Whether any are known."""
        return bool(self._states or self._lone)

    def adopt(self, entry: ProducerEntry, path: str) -> None:
        """Take a producer over from a snapshot, whose data lie below the log's first batch.

        A transaction of it that is open begins, for those who look for a place, in the file `path` of the log.
        """
        self._states[entry.producer_id] = ProducerState(
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
            newest_epoch=entry.producer_epoch,
        )
        if entry.current_txn_first_offset >= 0:
            self._begin(entry.producer_id, _Begun(entry.current_txn_first_offset, path))

    def _begin(self, producer_id: int, begun: _Begun) -> None:
        self._begun[producer_id] = begun
        if begun.next_marker < 0:
            self._since_marker.append(begun)

    def feed(self, segment: SegmentEvents) -> list[AbortedSpan]:
        """Go over the notes of a segment; gives the transactions that were aborted in it."""
        found: list[AbortedSpan] = []
        waiting: dict[int, list[int]] = {}  # those without a `next_begin` yet, by producer id
        self._last_marker_position = -1
        self._epochs.extend(segment.epochs)
        if segment.first_offset is not None and segment.first_offset != self._end:
            self._hole = segment.first_offset
        if segment.damaged:
            self._hole = NEVER
        for event in segment.events:
            if isinstance(event, Cut):
                self._cut(event)
            elif isinstance(event, TransactionEnd):
                aborted = self._ended(event, segment.path)
                if aborted is not None:
                    waiting.setdefault(aborted.producer_id, []).append(len(found))
                    found.append(aborted)
            elif isinstance(event, LoneRuns):
                self._take_lone(event, segment.path)
            elif self._run(event, segment.path) and waiting:
                own = waiting.pop(event.producer_id, None)
                for at in chain.from_iterable(waiting.values()):
                    found[at] = found[at]._replace(next_begin=event.first_offset)
                waiting = {} if own is None else {event.producer_id: own}
        self._hole = max(self._hole, segment.last_hole)
        if segment.end_offset is not None:
            self._end = segment.end_offset
        return found

    def _cut(self, cut: Cut) -> None:
        if cut.blind:
            self.forget()
            return
        if self._at_cut is not None:
            self._at_cut(cut.offset, self.states, self.reliable)
        states = self.states
        self.heard_of = {one for one in self.heard_of if one in states and states[one].last_offset >= cut.offset}

    def _epoch_at(self, offset: int) -> int:
        """The leader epoch of the batch at an offset; -1 before the first."""
        at = bisect_right(self._epochs, offset, key=lambda run: run[0])
        return self._epochs[at - 1][1] if at else -1

    def _is_led_by_another(self, state: ProducerState | None, offset: int) -> bool:
        """Whether the leader epoch at an offset is another one than where the producer was last heard of."""
        return state is not None and self._epoch_at(max(state.last_offset, state.marker_offset)) != self._epoch_at(offset)

    def forget(self) -> None:
        """What was replayed so far is not reliable: bytes could not be read."""
        self._states.clear()
        self._lone.clear()
        self._begun.clear()
        self._since_marker.clear()
        self.heard_of.clear()
        self.complete = self.reliable = False

    def drop_idle(self) -> None:
        """Keep only the producers with an open transaction: for those who ask for nothing else, whatever their number."""
        self._states = {producer_id: self._states[producer_id] for producer_id in self._begun}
        self._lone.clear()
        self.heard_of.clear()

    def _run(self, run: ProducerRun, path: str) -> bool:
        """Take a run in; whether a transaction begins with it."""
        producer_id = run.producer_id
        state = self._state(producer_id)
        if self._emit is not None and not (_follows(run, state) if state is not None else self._may_begin(run)):
            self._emit(self._step(run, state, path))
        first = state.first_offset if state is not None else -1
        transactional = run.transactional
        begins = transactional and first < 0
        if begins:
            first = run.first_offset
            self._begin(producer_id, _Begun(first, path, run.next_marker))
        if transactional:
            begun = self._begun[producer_id]
            if not begun.records:
                begun.path, begun.position, begun.timestamp = path, run.position, run.first_timestamp
            begun.records += run.records
        self.heard_of.add(producer_id)
        self._states[producer_id] = _after(run, state, path, first)
        return begins

    def _state(self, producer_id: int) -> ProducerState | None:
        """The state of a producer; None when it is not known."""
        held = self._lone.pop(producer_id, None)
        if held is not None:
            path, event = held
            self._states[producer_id] = _after(event.run_of(producer_id), None, path, -1)
        return self._states.get(producer_id)

    def _take_lone(self, event: LoneRuns, path: str) -> None:
        """Take in the runs of producers that wrote outside of transactions."""
        lone, ids = self._lone, event.fields.keys()
        odd = self._states.keys() & ids
        again = lone.keys() & ids
        odd.update(one for one in again if not _goes_on(event.run_of(one), lone[one][1].run_of(one)))
        if self.complete and self._emit is not None:
            odd.update(one for one in event.begun_late() if one not in again and not self._may_begin(event.run_of(one)))
        for producer_id in filter(odd.__contains__, ids):
            self._run(event.run_of(producer_id), path)
        self.heard_of.update(ids)
        lone |= dict.fromkeys(filterfalse(odd.__contains__, ids) if odd else ids, (path, event))

    def _is_whole_before(self, run: ProducerRun) -> bool:
        """Whether every offset from 0 up to a run holds a record that has been read."""
        return self.complete and run.hole <= 0 and self._hole <= 0

    def _may_begin(self, run: ProducerRun) -> bool:
        """Whether a run is what a producer that is not known may begin with."""
        return run.first_sequence <= 0 or not self._is_whole_before(run)

    def _step(self, run: ProducerRun, state: ProducerState | None, path: str) -> ProducerStep:
        hole = max(run.hole, self._hole)
        return ProducerStep(
            path,
            state,
            run,
            None,
            self._coordinator,
            0,
            leader_changed=self._is_led_by_another(state, run.first_offset),
            over_hole=state is not None and hole > state.last_offset,
            elapsed=_elapsed(state, run.last_timestamp),
            whole=self._is_whole_before(run),
        )

    def _ended(self, marker: TransactionEnd, path: str) -> AbortedSpan | None:
        """Take a marker in; the transaction if it was aborted."""
        state = self._state(marker.producer_id)
        begun = self._begun.pop(marker.producer_id, None)
        for other in self._since_marker:
            other.next_marker = marker.timestamp
        self._since_marker.clear()
        if marker.position >= self._last_marker_position:
            self._last_marker, self._last_marker_position = marker.timestamp, marker.position
        first = -1 if begun is None else begun.offset
        if state is not None and self._emit is not None and not _ends(marker, state):
            changed = self._is_led_by_another(state, marker.offset)
            elapsed = _elapsed(state, marker.timestamp)
            self._emit(ProducerStep(path, state, None, marker, self._coordinator, first, changed, elapsed=elapsed))
        base = state if state is not None else ProducerState(marker.producer_id, marker.epoch)
        same_epoch = marker.epoch == base.epoch
        self._states[marker.producer_id] = ProducerState(
            marker.producer_id,
            marker.epoch,
            base.last_sequence if same_epoch else -1,
            base.last_offset if same_epoch else -1,
            base.offset_delta if same_epoch else 0,
            marker.timestamp,
            marker.coordinator_epoch,
            first_offset=-1,
            data_timestamp=base.data_timestamp,
            marker_timestamp=marker.timestamp,
            marker_offset=marker.offset,
            marker_known=marker.coordinator_epoch is not None,
            partial=base.partial,
            seen_data=base.seen_data and same_epoch,
            restarted=base.restarted or (base.seen_data and marker.epoch > base.epoch),
            run=None,
            run_path=path,
            last_position=base.last_position if base.run_path == path else -1,
            marker_position=marker.position,
            newest_epoch=max(base.newest_epoch, marker.epoch),
        )
        if marker.committed is not False:
            return None
        oldest = next((other.offset for other in self._begun.values()), marker.offset + 1)
        return AbortedSpan(
            producer_id=marker.producer_id,
            first_offset=first,
            last_offset=marker.offset,
            last_stable_offset=oldest if self.complete else None,
            position=marker.position,
            size=marker.size,
            data_offset=state.last_offset if state is not None and first >= 0 else -1,
            records=0 if begun is None else begun.records,
            begin_known=self.complete or base.marker_offset >= 0,
        )

    def first_open_offset(self) -> int | None:
        """Where the oldest transaction that is open begins, which is the last stable offset; None when none is."""
        return min((begun.offset for begun in self._begun.values()), default=None)

    def open_transactions(self, topic: str, partition: int) -> Iterator[OpenTransaction]:
        """The transactions that no marker has ended, oldest first."""
        for producer_id, begun in self._begun.items():
            state = self._states[producer_id]
            yield OpenTransaction(
                path=begun.path,
                topic=topic,
                partition=partition,
                producer_id=producer_id,
                producer_epoch=state.epoch,
                first_offset=begun.offset,
                last_offset=state.last_offset,
                first_timestamp=begun.timestamp,
                last_timestamp=state.data_timestamp,
                records=begun.records,
                position=begun.position,
                coordinator_epoch=state.coordinator_epoch,
                next_marker_timestamp=begun.next_marker,
                last_marker_timestamp=self._last_marker if begun.next_marker >= 0 else -1,
            )


def _after(run: ProducerRun, state: ProducerState | None, path: str, first_offset: int) -> ProducerState:
    """The state of a producer after a run in the file `path`; `first_offset` is that of its open transaction, -1 none."""
    last_sequence = _MAX_SEQUENCE if run.next_sequence == 0 else run.next_sequence - 1
    return ProducerState(
        run.producer_id,
        run.epoch,
        last_sequence if run.first_sequence >= 0 else -1,
        run.last_offset,
        run.last_offset - run.last_base,
        run.last_timestamp,
        -1 if state is None else state.coordinator_epoch,
        first_offset,
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
        newest_epoch=run.epoch,
    )


def _goes_on(run: ProducerRun, before: ProducerRun) -> bool:
    """Whether a run is what a producer must write next of which nothing is known but the run before."""
    return run.first_sequence == before.next_sequence and run.epoch == before.epoch and before.first_sequence >= 0


def _follows(run: ProducerRun, state: ProducerState) -> bool:
    """Whether a run is what its producer must write next."""
    return (
        run.epoch == state.epoch and run.first_sequence == _following(state) and (run.transactional or state.first_offset < 0)
    )


def _ends(marker: TransactionEnd, state: ProducerState) -> bool:
    """Whether a marker has no lower epoch, of the producer or of the coordinator, than there was before."""
    known, before = marker.coordinator_epoch, state.coordinator_epoch
    return marker.epoch >= state.epoch and (known is None or before is None or known >= before)


def _elapsed(state: ProducerState | None, timestamp: int) -> int:
    """Milliseconds since the last batch or marker of a producer; 0 when one of the two has no timestamp."""
    return 0 if state is None or state.timestamp < 0 or timestamp < 0 else timestamp - state.timestamp


def _following(state: ProducerState) -> int:
    """The sequence number that must come next; -1 when any may."""
    if not state.seen_data or state.last_sequence < 0:
        return -1
    return 0 if state.last_sequence == _MAX_SEQUENCE else state.last_sequence + 1
