"""Splitting a segment whose last batch does not fit into its indexes: LocalLog.splitOverflowedSegment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import SPLIT_INDEXES_BATCHES
from kafkalog.kafka.failure import BrokerAborts, CorruptRecord
from kafkalog.kafka.file_names import DELETED, SWAP
from kafkalog.kafka.indexes import fits_index
from kafkalog.kafka.log_segment import LogSegment

if TYPE_CHECKING:
    from kafkalog.kafka.log_segments import LogSegments
    from kafkalog.kafka.producer_states import ProducerStates

NEWEST_MAGIC = 2

__all__ = ["replace_segments", "split_segment"]


def split_segment(segment: LogSegment, segments: LogSegments, producers: ProducerStates) -> None:
    """Put the batches of a segment into new ones, each as long as its offsets fit.

    Raises:
        BrokerAborts: it is not the last batch that does not fit, or a batch fits nowhere, or cannot be taken apart.
    """
    if not segment.has_overflow:
        text = f"{segment.name('.log')} holds an offset that its indexes cannot, and its last batch is not the one"
        raise BrokerAborts("IllegalArgumentException", text, file=segment.name(".log"))
    new: list[LogSegment] = []
    for base_offset, start, size in _ranges(segment):
        part = LogSegment(segment.context, base_offset, SWAP)
        part.append_range(segment, start, size)
        new.append(part)
    segment.context.remark(f"{segment.name('.log')} is split into {len(new)} segments, for its offsets span more than 2^31-1")
    for base_offset in replace_segments(segments, new, [segment]):
        producers.mark_snapshot_deleted(base_offset)


def _ranges(segment: LogSegment) -> list[tuple[int, int, int]]:
    """(base offset, position, size) of the segments that come out of a split."""
    ranges: list[tuple[int, int, int]] = []
    base_offset = start = end = 0
    in_memory = SPLIT_INDEXES_BATCHES.applies_to(segment.context.release)
    for batch in segment.log.batches():
        if in_memory and not 0 <= batch.magic <= NEWEST_MAGIC:
            # Where they are taken one by one they are read from memory, and more strictly.
            raise CorruptRecord(f"magic {batch.magic} at position {batch.position} of {segment.name('.log')}")
        if end == start or not fits_index(batch.last_offset, base_offset):
            if end > start:
                ranges.append((base_offset, start, end - start))
            base_offset, start = batch.base_offset, batch.position
            if not fits_index(batch.last_offset, base_offset):
                text = f"the batch at position {batch.position} of {segment.name('.log')} fits into no segment"
                raise BrokerAborts("IllegalStateException", text)
        end = batch.position + batch.size
    if end != segment.size:
        text = f"{segment.size - end} bytes at the end of {segment.name('.log')} belong to no batch, it cannot be split"
        raise BrokerAborts("NoSuchElementException", text)
    if end > start:
        ranges.append((base_offset, start, end - start))
    return ranges


def replace_segments(segments: LogSegments, new: list[LogSegment], old: list[LogSegment]) -> list[int]:
    """Put segments with the suffix `.swap` in the place of others; returns the base offsets that are gone.

    Source: LocalLog.replaceSegments, Kafka 3.9.1.
    """
    new = sorted(new, key=lambda segment: segment.base_offset)
    replaced = [segment for segment in sorted(old, key=lambda one: one.base_offset) if segment.base_offset in segments]
    for segment in new:
        segments.add(segment)
    kept = {segment.base_offset for segment in new}
    gone = []
    for segment in replaced:
        if segment.base_offset != new[0].base_offset:
            segments.remove(segment.base_offset)
        segment.change_suffix(DELETED)
        if segment.base_offset not in kept:
            gone.append(segment.base_offset)
    for segment in new:
        segment.change_suffix("")
    return gone
