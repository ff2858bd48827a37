"""Following the producers up to an offset: UnifiedLog.rebuildProducerState (Log.rebuildProducerState in 2.x)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import READS_UP_TO_POSITION, SNAPSHOT_AT_END, SNAPSHOT_BEFORE_RECOVERY

if TYPE_CHECKING:
    from kafkalog.kafka.log_segments import LogSegments
    from kafkalog.kafka.producer_states import ProducerStates

__all__ = ["rebuild_producers"]


def rebuild_producers(
    producers: ProducerStates,
    segments: LogSegments,
    log_start_offset: int,
    end_offset: int,
    *,
    after_clean_stop: bool,
    recovers: bool = False,
) -> None:
    """Load the latest snapshot and follow the log from there to `end_offset`; writes snapshots on the way.

    Args:
        producers: Filled.
        segments: Those loaded so far.
        log_start_offset: Snapshots up to it do not count.
        end_offset: Where to stop.
        after_clean_stop: Whether the absence of any snapshot means that there is nothing to follow.
        recovers: Whether a segment is recovered next.

    Raises:
        LoadFailure: the log cannot be followed.
    """
    with_end = SNAPSHOT_AT_END.applies_to(producers.release)
    if recovers and not with_end:
        _follow_whole_segments(producers, segments, log_start_offset, end_offset)
        return
    snapshot_at = segments.base_offsets[-2:]
    if not producers.snapshots and after_clean_stop:
        for offset in (*snapshot_at, end_offset):
            producers.map_end_offset = offset
            producers.take_snapshot()
        return
    empty_before = producers.is_empty and producers.map_end_offset >= end_offset
    producers.truncate_and_reload(log_start_offset, end_offset)
    if end_offset > producers.map_end_offset and not empty_before:
        last_segment = segments.floor(end_offset)
        by_position = READS_UP_TO_POSITION.applies_to(producers.release)
        for segment in segments.values(producers.map_end_offset, end_offset):
            start = max(segment.base_offset, producers.map_end_offset, log_start_offset)
            producers.map_end_offset = start
            if segment.base_offset in snapshot_at or segment.base_offset == end_offset or not with_end:
                producers.take_snapshot()
            end_position = segment.size
            if segment is last_segment and by_position:
                place = segment.translate(end_offset)
                end_position = segment.size if place is None else place.position
            elif not by_position and end_offset < start:
                continue
            elif not by_position:
                first = segment.translate(start)
                place = None if first is None else segment.translate(end_offset, first.position)
                end_position = segment.size if place is None else place.position
            fetched = segment.read(start, 0x7FFFFFFF, end_position)
            if fetched is not None:
                producers.append_all(fetched.records)
    producers.map_end_offset = end_offset
    if with_end:
        producers.take_snapshot()


def _follow_whole_segments(producers: ProducerStates, segments: LogSegments, log_start_offset: int, end_offset: int) -> None:
    """Follow whole segments up to one that is recovered next, as releases before 2.0 do: Log.recoverSegment."""
    producers.truncate_and_reload(log_start_offset, end_offset)
    known_up_to = producers.map_end_offset
    for segment in segments.values(known_up_to, end_offset):
        fetched = segment.read(max(segment.base_offset, known_up_to), 0x7FFFFFFF)
        if fetched is not None:
            producers.append_all(fetched.records)
    producers.map_end_offset = end_offset
    if SNAPSHOT_BEFORE_RECOVERY.applies_to(producers.release):
        producers.take_snapshot()
