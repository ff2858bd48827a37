"""Entries after the end of an index that counted before a truncation.

A broker truncates an index by lowering the count that it keeps in memory. The bytes stay in the preallocated file until
new entries overwrite them or the file is trimmed, at a roll or a clean stop (AbstractIndex.truncateToEntries0, Kafka 0.10
to 4.3). A follower that was truncated, or a copy that took the index after the log, shows them.
"""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING

from kafkalog.core.batch import RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.time_index import TIME_INDEX_ENTRY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Source

__all__ = ["first_stale_offset_entry", "first_stale_time_entry"]


def first_stale_offset_entry(data: bytes, segment_base: int, log: Source) -> int | None:
    """Number of the first entry of a `.index` that no longer counts; None when truncations do not explain it.

    Args:
        data: The entries, without padding.
        segment_base: The segment's base offset.
        log: The `.log`, whose batches are read again.
    """
    entries = [
        OFFSET_INDEX_ENTRY.read(data, at) for at in range(0, len(data) - OFFSET_INDEX_ENTRY.size + 1, OFFSET_INDEX_ENTRY.size)
    ]
    wanted = {entry.position for entry in entries}
    bases: dict[int, int] = {}
    end = segment_base - 1
    for position, base, last, _ in _batches(log, segment_base):
        if position in wanted:
            bases[position] = base
        end = last
    sound = [
        entry.position in bases and bases[entry.position] <= segment_base + entry.relative_offset <= end for entry in entries
    ]
    order = [(segment_base + entry.relative_offset, entry.position) for entry in entries]
    return _first_stale(order, sound, strictly=True)


def first_stale_time_entry(data: bytes, segment_base: int, log: Source) -> int | None:
    """Number of the first entry of a `.timeindex` that no longer counts; see `first_stale_offset_entry`."""
    entries = [TIME_INDEX_ENTRY.read(data, at) for at in range(0, len(data) - TIME_INDEX_ENTRY.size + 1, TIME_INDEX_ENTRY.size)]
    wanted = sorted({segment_base + entry.relative_offset for entry in entries}, reverse=True)
    times: dict[int, int] = {}
    for _, _, last, max_timestamp in _batches(log, segment_base):
        while wanted and wanted[-1] <= last:
            times[wanted.pop()] = max_timestamp
    sound = [times.get(segment_base + entry.relative_offset) == entry.timestamp for entry in entries]
    order = [(entry.timestamp, segment_base + entry.relative_offset) for entry in entries]
    return _first_stale(order, sound, strictly=False)


def _batches(log: Source, segment_base: int) -> Iterator[tuple[int, int, int, int]]:
    """Position, first and last offset and largest timestamp of each batch; a wrapper begins where the last batch ends."""
    following = segment_base
    for item in walk(log):
        if isinstance(item, RecordBatch):
            base, last, time = item.base_offset, item.last_offset, item.header.max_timestamp
        elif isinstance(item, LegacyBatch):
            base, last, time = min(following, item.last_offset), item.last_offset, item.max_timestamp
        else:
            continue
        following = last + 1
        yield item.span.start, base, last, time


def _first_stale(order: list[tuple[int, int]], sound: list[bool], *, strictly: bool) -> int | None:
    """Where the entries that count end: after the longest sound and growing beginning.

    A wrong entry with sound ones after it that go on growing is damage.
    """

    def grows(before: tuple[int, int], entry: tuple[int, int]) -> bool:
        return entry[0] > before[0] and (entry[1] > before[1] or (not strictly and entry[1] == before[1]))

    steps = (grows(before, entry) for before, entry in pairwise(order))
    count = next((at for at, good in enumerate(sound) if not good or (at and not next(steps))), len(order))
    if count == len(order):
        return None
    before = order[count - 1] if count else (-1, -1)
    goes_on = any(good and grows(before, entry) for entry, good in islice(zip(order, sound, strict=True), count, None))
    return None if goes_on and not sound[count] else count
