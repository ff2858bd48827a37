"""A producer snapshot's entry against the state that a replay of the log gives."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from kafkalog.verify.rules.snapshots import FieldDifference

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.core.producer_snapshot import ProducerEntry
    from kafkalog.replay.producers import ProducerState

__all__ = ["differences_of_entry", "missing_producers"]


def differences_of_entry(
    entry: ProducerEntry, state: ProducerState | None, *, compacted: bool, complete: bool, start: int
) -> Iterator[FieldDifference]:
    """What a snapshot says otherwise than the log.

    Args:
        entry: The snapshot's.
        state: The replayed one; None when the log does not know the producer.
        compacted: Batches may have been removed since the snapshot was written; only what is still there is compared.
        complete: The replay knows all producers that a snapshot at its offset can hold.
        start: The log's start: a broker that loaded the log may not know of what stands below.
    """
    if state is None:
        if complete and not compacted:
            yield FieldDifference("producerId", entry.producer_id, None)
        return
    if compacted:
        yield from _differences_still_there(entry, state)
        return
    if not complete and not state.seen_data:
        return
    if entry.producer_epoch != state.epoch:
        yield FieldDifference("producerEpoch", entry.producer_epoch, state.epoch)
    unseen = state.last_offset < start
    if not (unseen and (entry.last_sequence, entry.last_offset, entry.offset_delta) == (-1, -1, 0)):
        yield from _differences_of_last_batch(entry, state, complete=complete)
    if not _time_fits(entry, state):
        yield FieldDifference("timestamp", entry.timestamp, state.timestamp)
    whole = complete or state.marker_offset >= 0
    if whole and state.marker_known and entry.coordinator_epoch not in (-1, state.coordinator_epoch):
        yield FieldDifference("coordinatorEpoch", entry.coordinator_epoch, state.coordinator_epoch)
    if entry.current_txn_first_offset != state.first_offset and whole and not _begins_later(entry, state, start):
        yield FieldDifference("currentTxnFirstOffset", entry.current_txn_first_offset, state.first_offset)


def _begins_later(entry: ProducerEntry, state: ProducerState, start: int) -> bool:
    """Whether a broker that saw the log from its start only lets an open transaction begin later, or does not know it."""
    if not 0 <= state.first_offset < start:
        return False
    first = entry.current_txn_first_offset
    return first > state.first_offset or (first < 0 and state.last_offset < start)


def _differences_of_last_batch(entry: ProducerEntry, state: ProducerState, *, complete: bool) -> Iterator[FieldDifference]:
    stored = (entry.last_sequence, entry.last_offset)
    if stored == (state.last_sequence, state.last_offset):
        # Up to 2.x the delta counts sequence numbers, which wrap.
        if entry.offset_delta not in (state.offset_delta, state.offset_delta - 0x80000000):
            yield FieldDifference("offsetDelta", entry.offset_delta, state.offset_delta)
        return
    # 0.11.0 lets a marker overwrite the last batch.
    overwritten = entry.last_offset == state.marker_offset and entry.offset_delta == 0
    if overwritten and entry.last_sequence in (-1, state.last_sequence):
        return
    if not complete and not state.seen_data:
        return
    if entry.last_sequence != state.last_sequence:
        yield FieldDifference("lastSequence", entry.last_sequence, state.last_sequence)
    if entry.last_offset != state.last_offset:
        yield FieldDifference("lastOffset", entry.last_offset, state.last_offset)


def _time_fits(entry: ProducerEntry, state: ProducerState) -> bool:
    if entry.timestamp == -1:
        return entry.last_offset == -1 or state.data_timestamp == -1
    of_log = {state.data_timestamp, state.marker_timestamp}
    return entry.timestamp in of_log or (state.partial and entry.timestamp > state.data_timestamp)


def _differences_still_there(entry: ProducerEntry, state: ProducerState) -> Iterator[FieldDifference]:
    """What differs although the producer's last batch is still in the log."""
    if entry.last_offset < 0 or entry.last_offset != state.last_offset:
        return
    if entry.producer_epoch != state.epoch and state.marker_offset < state.last_offset:
        yield FieldDifference("producerEpoch", entry.producer_epoch, state.epoch)
    if entry.last_sequence != state.last_sequence:
        yield FieldDifference("lastSequence", entry.last_sequence, state.last_sequence)
    if entry.timestamp < state.data_timestamp and entry.timestamp != state.marker_timestamp:
        yield FieldDifference("timestamp", entry.timestamp, state.data_timestamp)


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
