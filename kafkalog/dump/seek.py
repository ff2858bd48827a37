"""Where in a log the wanted records begin, by the indexes where they can be trusted; and whether none follow."""

from __future__ import annotations

from bisect import bisect_right
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, RecordBatch
from kafkalog.core.log import walk
from kafkalog.core.offset_index import padded_end
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.errors import KafkalogError
from kafkalog.files.index_look_up import index_beside
from kafkalog.files.source import read_file
from kafkalog.kafka.log_input_stream import SizeFieldTooSmall, walk_batches

if TYPE_CHECKING:
    from kafkalog.core.filters import Filters
    from kafkalog.core.source import Source
    from kafkalog.files.index_look_up import IndexLookUp

__all__ = ["nothing_wanted", "start_position"]


def start_position(path: str, filters: Filters, source: Source) -> int:
    """A position at or before the first wanted record of a `.log`; 0 when the indexes are missing or contradict the log.

    Args:
        path: The `.log`; its indexes stand beside it.
        filters: What is wanted.
        source: The log's bytes.
    """
    look_up = index_beside(path)
    try:
        start = 0 if filters.first_offset is None else look_up.before_offset(filters.first_offset, source)
        if filters.since is not None:
            start = max(start, _by_time(path, look_up, filters.since, source))
    except KafkalogError:
        return 0
    return start if nothing_wanted(source, 0, start, filters) else 0


def nothing_wanted(source: Source, start: int, stop: int, filters: Filters) -> bool:
    """Whether the headers between two positions leave no doubt: a chain of ascending batches without a wanted record."""
    end, last = start, -1
    with suppress(SizeFieldTooSmall):
        for position, base, size, magic, data, at in walk_batches(source, start, source.size, stop=stop):
            if magic != 2 or size < BATCH_HEADER.size:
                return False
            header = BATCH_HEADER.read(data, at)
            highest = base + header.last_offset_delta
            if not last < base <= highest or filters.batch_may_pass(base, highest, header.max_timestamp):
                return False
            last, end = highest, position + size
    return end == stop


def _by_time(path: str, look_up: IndexLookUp, since: int, source: Source) -> int:
    """An entry (T, O) promises that all later timestamps come after O; it is trusted if its batch's largest is T."""
    times = read_file(f"{path.removesuffix('.log')}.timeindex")
    stamps = TIME_INDEX_ENTRY.column("timestamp", times, padded_end(times, TIME_INDEX_ENTRY.size))
    if any(a >= b for a, b in pairwise(stamps)):
        return 0
    number = bisect_right(stamps, since - 1) - 1
    if number < 0:
        return 0
    offset = TIME_INDEX_ENTRY.read(times, number * TIME_INDEX_ENTRY.size).relative_offset + look_up.base_offset
    for item in walk(source, look_up.before_offset(offset, source)):
        if not isinstance(item, RecordBatch) or not item.crc_ok:
            return 0
        if item.last_offset >= offset:
            trusted = item.base_offset <= offset and item.header.max_timestamp == stamps[number]
            return item.position if trusted else 0
    return 0
