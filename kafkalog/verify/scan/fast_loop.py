"""The loop over ordinary batches of magic 2, with `.index` and `.timeindex` followed along.

What is out of the ordinary in any way leaves the loop and is judged with care, by others.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafkalog.core.attributes import CONTROL, DELETE_HORIZON, LOG_APPEND_TIME, TRANSACTIONAL
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LEAST_BATCH_LENGTH, LOG_OVERHEAD, RecordBatch
from kafkalog.core.checksum import crc32c
from kafkalog.core.dates import ANCIENT_MS
from kafkalog.core.log import NEVER
from kafkalog.replay.producer_events import (
    EPOCH,
    LAST,
    LAST_POSITION,
    MAX_SEQUENCE,
    NEXT_SEQUENCE,
    PLAIN,
    RECORDS,
    RUN_ATTRIBUTES,
)
from kafkalog.span import Span
from kafkalog.verify.rules.shared import BatchSpot

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.files.read_ahead import Buffer
    from kafkalog.replay.producer_events import EventRecorder
    from kafkalog.verify.scan.record_lanes import LanesLook
    from kafkalog.verify.scan.records import RecordLook
    from kafkalog.verify.scan.segment_indexes import SegmentIndexes
    from kafkalog.verify.scan.walk_state import WalkState

__all__ = ["FastLoop"]

_UNPACK = BATCH_HEADER.partial(
    "base_offset",
    "batch_length",
    "partition_leader_epoch",
    "magic",
    "crc",
    BATCH_HEADER["attributes"].unsigned,
    "last_offset_delta",
    "base_timestamp",
    "max_timestamp",
    "producer_id",
    "producer_epoch",
    "base_sequence",
    "records_count",
).unpack_from
_UNPACK_NEXT = BATCH_HEADER.partial("base_offset", "magic").unpack_from
#: The most that an offset may be above the segment's base offset.
_MOST_RELATIVE = 0x7FFFFFFF
#: Attributes of a transaction marker.
_MARKER = TRANSACTIONAL | CONTROL


@dataclass(frozen=True, slots=True, kw_only=True)
class FastLoop:
    """Goes over ordinary batches.

    Args:
        state: Where the walk over the log is.
        base_offset: The segment's.
        indexes: Its indexes.
        producers: Takes the batches of producers.
        look: Looks at the records of batches, many at once; None: that is not wanted.
        judge: Judges a batch that is out of the ordinary.
        latest: The largest timestamp that is ordinary.
        largest: The largest `batchLength` that is ordinary.
        is_compacted: Whether the log is known by now to have been compacted: batches and records may be missing.
        note_hole: Takes the first and last offset that are missing between two batches, and the bytes of both.
        has_horizons: Whether a batch with a delete horizon has been judged.
        note_horizon: Takes the delete horizons of others.
        checksum: Of a batch's bytes from its attributes on, to be compared with the one in its header.
    """

    state: WalkState
    base_offset: int
    indexes: SegmentIndexes
    producers: EventRecorder
    look: RecordLook | LanesLook | None
    judge: Callable[..., None]
    latest: int
    largest: int
    is_compacted: Callable[[], bool]
    note_hole: Callable[[int, int, Span], None]
    has_horizons: Callable[[], bool]
    note_horizon: Callable[[int], None]
    checksum: Callable[[memoryview], object] = crc32c

    def run(self, buffer: Buffer, position: int) -> tuple[int, bool]:
        """Go over batches with right checksums that lie wholly in a buffer, from `position` in the file; stop at any other.

        Returns:
            The position reached, and whether the batch there is only not all here.
        """
        return _walk(self, buffer, position)


def _walk(loop: FastLoop, buffer: Buffer, position: int) -> tuple[int, bool]:  # noqa: PLR0915 - calls cost too much
    state, checksum, unpack, unpack_next, producers = loop.state, loop.checksum, _UNPACK, _UNPACK_NEXT, loop.producers
    runs, most_sequence, takes, takes_marker = producers.runs, MAX_SEQUENCE, producers.takes, producers.takes_marker
    most_base, marker, header_size = loop.base_offset + _MOST_RELATIVE, _MARKER, BATCH_HEADER.size
    committed, plain, append_time, horizon = producers.committed, PLAIN, LOG_APPEND_TIME, DELETE_HORIZON
    look, index, times = loop.look, loop.indexes.offsets, loop.indexes.times
    wait = None if look is None else look.waiting.append
    low, high, most, next_base = ANCIENT_MS, loop.latest, loop.largest, loop.base_offset + 1
    data, begin, limit = buffer.data, buffer.begin, buffer.limit
    view = buffer.view[:limit]
    at, batches = position - begin, 0
    while True:
        # Everything that the loop needs, read again after each batch that was out of the ordinary. The entry of an index
        # that comes next is wanted at a place of the buffer, or where the next offset, `expected`, goes beyond it.
        expected, epoch = state.expected if state.expected >= 0 else -NEVER, state.epoch
        top, top_at = state.max_timestamp, -1
        # The first batch with missing records is judged, and so is the first with a delete horizon.
        compacted, cut = loop.is_compacted(), producers.cut
        records_may_lack = compacted and state.compaction_evidence is not None
        horizons_may_be = compacted and loop.has_horizons()
        want = want_next = NEVER
        entry_number = entry_next = entry_before = entry_at = -1
        if index is not None:
            entry_number, want, entry_next, entry_before = index.wanted(begin)
            positions, offsets = index.positions, index.offsets
        time_number = time_entry = time_seen = -1
        if times is not None:
            time_number, time_entry, want_next = times.wanted()
            timestamps, time_offsets = times.timestamps, times.offsets
        records, last_at, odd, end = 0, -1, False, 0
        while True:
            try:
                (
                    base, length, e, magic, crc, attributes, delta, base_time, time, producer, producer_epoch, sequence, count,
                ) = head = unpack(view, at)  # fmt: skip
            except struct.error:
                end = NEVER
                break
            end = at + LOG_OVERHEAD + length
            if checksum(view[at + ATTRIBUTES_AT : end]) != crc or magic != 2 or length < LEAST_BATCH_LENGTH or end > limit:
                break
            following = base + delta + 1
            if base != expected or delta + 1 != count or count <= 0:
                # Offsets are missing in or before it. Where the batch that comes next leaves no doubt about its offsets, this
                # alone is to be said, and of a compacted log not even this.
                if base < expected or expected < 0 or not 0 < count <= delta + 1 or base >= cut:
                    odd = True
                    break
                if (count <= delta and not records_may_lack) or following - 1 > most_base:
                    odd = True
                    break
                try:
                    base_after, magic_after = unpack_next(view, end)
                except struct.error:
                    odd = True
                    break
                if base_after < following or magic_after != 2:
                    odd = True
                    break
                if base != expected:
                    producers.last_hole = base
            if e != epoch or base_time < -1 or length > most or not low <= time <= high:
                odd = True
                break
            if producer == -1 == sequence == producer_epoch and (attributes < 5 or attributes in plain):
                pass
            elif (
                (run := runs.get(producer)) is not None
                and run[NEXT_SEQUENCE] == sequence
                and run[EPOCH] == producer_epoch
                and run[RUN_ATTRIBUTES] == attributes
                and base < cut
                and sequence + delta < most_sequence
            ):
                run[NEXT_SEQUENCE] = sequence + delta + 1
                run[LAST] = head
                run[LAST_POSITION] = begin + at
                run[RECORDS] += count
            elif (
                run is None
                and attributes in plain
                and producer >= 0 <= producer_epoch
                and sequence >= 0
                and not committed
                and base < cut
                and sequence + delta < most_sequence
            ):
                # The fields of a `ProducerRun`: there may be as many as batches.
                runs[producer] = [
                    sequence + delta + 1, producer_epoch, attributes, head, begin + at, head, begin + at, count,
                    producers.last_hole, -1, -1,
                ]  # fmt: skip
            elif attributes & ~append_time == marker:
                if not takes_marker(data[at + header_size : end], head, begin + at):
                    odd = True
                    break
            elif not attributes & horizon:
                if not takes(head, begin + at):
                    odd = True
                    break
            elif horizons_may_be and base_time > time and takes(head, begin + at):
                loop.note_horizon(base_time)
            else:
                odd = True
                break
            if base != expected and not compacted:
                if look is not None:
                    look.settle(data, begin)  # what is found in the batches before comes first
                start = begin + last_at if last_at >= 0 else state.place_before(begin + at)[0]
                loop.note_hole(expected, base - 1, Span(start, begin + end))
            expected = following
            records += count
            if wait is not None:
                wait((at, end, attributes, count, delta, base_time, time))
            if at >= want:
                assert index is not None
                if at == want and expected == entry_next and entry_before < base:
                    entry_at, entry_number = at, entry_number + 1
                    want, entry_next = positions[entry_number] - begin, next_base + offsets[entry_number]
                else:
                    if entry_at >= 0:
                        index.settle(entry_number, _batch_at(view, entry_at, begin))
                    before = (begin + last_at, begin + at) if last_at >= 0 else state.place_before(begin + at)
                    index.arrive(begin + at, base, expected - 1, *before)
                    entry_number, want, entry_next, entry_before = index.wanted(begin)
                    entry_at = -1
            if expected >= want_next:
                assert times is not None
                if expected == want_next and time == time_entry and time > top:
                    time_seen, time_next, time_number = time, expected, time_number + 1
                    time_entry, want_next = timestamps[time_number], next_base + time_offsets[time_number]
                else:
                    if time_seen >= 0:
                        times.settle(time_number, (time_seen, time_next - 1))
                    if top_at >= 0:
                        state.raise_timestamp(_spot_at(view, top_at, begin))
                    times.arrive(_spot_at(view, at, begin), 2, state.max_timestamp, state.max_position, state.max_offset)
                    time_number, time_entry, want_next = times.wanted()
                    time_seen = -1
            if time > top:
                top, top_at = time, at
            batches += 1
            last_at = at
            at = end
        if entry_at >= 0:
            assert index is not None
            index.settle(entry_number, _batch_at(view, entry_at, begin))
        if time_seen >= 0:
            assert times is not None
            times.settle(time_number, (time_seen, time_next - 1))
        if last_at >= 0:
            state.records += records
            if top_at >= 0:
                state.raise_timestamp(_spot_at(view, top_at, begin))
            state.pass_ordinary(_spot_at(view, last_at, begin))
        if look is not None:
            look.settle(data, begin)
        if not odd:
            break
        loop.judge(RecordBatch.read(bytes(view[at:end]), begin + at), crc_ok=True)
        at = end
    state.batches += batches
    return begin + at, end > limit


def _batch_at(view: memoryview, at: int, begin: int) -> tuple[int, int, int]:
    """Position, first and last offset of an ordinary batch in a buffer."""
    base, _, _, _, _, _, delta, *_ = _UNPACK(view, at)
    return begin + at, base, base + delta


def _spot_at(view: memoryview, at: int, begin: int) -> BatchSpot:
    base, length, epoch, _, _, _, delta, _, time, *_ = _UNPACK(view, at)
    return BatchSpot(
        position=begin + at,
        end=begin + at + LOG_OVERHEAD + length,
        base_offset=base,
        last_offset=base + delta,
        epoch=epoch,
        max_timestamp=time,
    )
