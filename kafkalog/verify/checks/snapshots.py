"""A producer snapshot's entry against the state that a replay of the log gives."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.core.producer_snapshot import ProducerEntry
    from kafkalog.replay.producers import ProducerState

__all__ = ["describe_differences", "missing_producers"]


def describe_differences(
    entry: ProducerEntry, state: ProducerState | None, *, compacted: bool, complete: bool, start: int
) -> tuple[str, ...]:
    """What a snapshot says otherwise than the log, a few words each.

    Args:
        entry: The snapshot's.
        state: The replayed one; None when the log does not know the producer.
        compacted: Batches may have been removed since the snapshot was written; only what is still there is compared.
        complete: The replay knows all producers that a snapshot at its offset can hold.
        start: The log's start: a broker that loaded the log may not know of what stands below.
    """
    if state is None:
        return ("the log does not know the producer",) if complete and not compacted else ()
    if compacted:
        return _still_there(entry, state)
    if not complete and not state.seen_data:
        return ()
    problems = []
    if entry.producer_epoch != state.epoch:
        problems.append(f"producerEpoch {entry.producer_epoch}, by the log {state.epoch}")
    unseen = state.last_offset < start
    if not (unseen and (entry.last_sequence, entry.last_offset, entry.offset_delta) == (-1, -1, 0)):
        problems += _last_batch(entry, state, complete=complete)
    if not _time_fits(entry, state):
        expected = state.timestamp
        problems.append(f"timestamp {entry.timestamp}, by the log {expected}")
    whole = complete or state.marker_offset >= 0
    if whole and state.marker_known and entry.coordinator_epoch not in (-1, state.coordinator_epoch):
        problems.append(f"coordinatorEpoch {entry.coordinator_epoch}, by the log {state.coordinator_epoch}")
    if entry.current_txn_first_offset != state.first_offset and whole and not _begins_later(entry, state, start):
        problems.append(f"currentTxnFirstOffset {entry.current_txn_first_offset}, by the log {state.first_offset}")
    return tuple(problems)


def _begins_later(entry: ProducerEntry, state: ProducerState, start: int) -> bool:
    """Whether a broker that saw the log from its start only lets an open transaction begin later, or does not know it."""
    if not 0 <= state.first_offset < start:
        return False
    first = entry.current_txn_first_offset
    return first > state.first_offset or (first < 0 and state.last_offset < start)


def _last_batch(entry: ProducerEntry, state: ProducerState, *, complete: bool) -> list[str]:
    stored = (entry.last_sequence, entry.last_offset)
    if stored == (state.last_sequence, state.last_offset):
        # Up to 2.x the delta counts sequence numbers, which wrap.
        if entry.offset_delta not in (state.offset_delta, state.offset_delta - 0x80000000):
            return [f"offsetDelta {entry.offset_delta}, by the log {state.offset_delta}"]
        return []
    # 0.11.0 lets a marker overwrite the last batch.
    overwritten = entry.last_offset == state.marker_offset and entry.offset_delta == 0
    if overwritten and entry.last_sequence in (-1, state.last_sequence):
        return []
    if not complete and not state.seen_data:
        return []
    problems = []
    if entry.last_sequence != state.last_sequence:
        problems.append(f"lastSequence {entry.last_sequence}, by the log {state.last_sequence}")
    if entry.last_offset != state.last_offset:
        problems.append(f"lastOffset {entry.last_offset}, by the log {state.last_offset}")
    return problems


def _time_fits(entry: ProducerEntry, state: ProducerState) -> bool:
    if entry.timestamp == -1:
        return entry.last_offset == -1 or state.data_timestamp == -1
    known = {state.data_timestamp, state.marker_timestamp}
    return entry.timestamp in known or (state.partial and entry.timestamp > state.data_timestamp)


def _still_there(entry: ProducerEntry, state: ProducerState) -> tuple[str, ...]:
    if entry.last_offset < 0 or entry.last_offset != state.last_offset:
        return ()
    problems = []
    if entry.producer_epoch != state.epoch and state.marker_offset < state.last_offset:
        problems.append(f"producerEpoch {entry.producer_epoch}, by the log {state.epoch}")
    if entry.last_sequence != state.last_sequence:
        problems.append(f"lastSequence {entry.last_sequence}, by the log {state.last_sequence}")
    if entry.timestamp < state.data_timestamp and entry.timestamp != state.marker_timestamp:
        problems.append(f"timestamp {entry.timestamp}, by the log {state.data_timestamp}")
    return tuple(problems)


def missing_producers(
    entries: Sequence[ProducerEntry], states: Mapping[int, ProducerState], heard_of: Iterable[int], before: int
) -> Iterator[ProducerState]:
    """The producers that a snapshot must list and does not.

    A broker forgets a producer whose last timestamp is too old; but none with an open transaction, and none while it knows
    an older one that wrote earlier.

    Args:
        entries: The snapshot's.
        states: The replayed ones, by producer id.
        heard_of: Ids of all producers that wrote since `before`, and perhaps of more.
        before: Offset of the snapshot before, or the log's start; who wrote nothing since may have been lost earlier.
    """
    listed = {entry.producer_id for entry in entries}
    older = sorted(
        (states[entry.producer_id].last_offset, entry.timestamp)
        for entry in entries
        if entry.current_txn_first_offset < 0 and entry.producer_id in states and states[entry.producer_id].last_offset >= 0
    )
    oldest = list(accumulate((timestamp for _, timestamp in older), min))
    for producer_id in heard_of:
        state = states.get(producer_id)
        if state is None or producer_id in listed or state.last_offset < before or not state.seen_data:
            continue
        earlier = bisect_left(older, (state.last_offset,))
        still_known = earlier > 0 and oldest[earlier - 1] <= state.timestamp
        if state.first_offset >= 0 or still_known:
            yield state
