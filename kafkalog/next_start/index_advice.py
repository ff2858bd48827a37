"""Whether indexes may be moved away to be rebuilt: not those that tell of records which their log has lost."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from kafkalog.core.batch import RecordBatch
from kafkalog.core.log import Batch, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.time_index import TIME_INDEX_ENTRY

if TYPE_CHECKING:
    from kafkalog.kafka.overlay import Disk

__all__ = ["KEEP_OF_REPLACED", "keep_of_cut", "why_kept"]

#: The log in their place is another one.
KEEP_OF_REPLACED = "Do not move the indexes away: they are those of the log that should be here. Look for that log in copies."


def keep_of_cut(end: int, named: int) -> str:
    """What to do with indexes that go further than their log.

    Args:
        end: The offset after the log's last one.
        named: The last offset that they name.
    """
    return (
        f"Do not move the indexes away: they name offset {named}, and the log of the segment ends before offset {end}. If "
        "records have been cut from it, the indexes are what tells of them."
    )


def why_kept(disk: Disk, name: str) -> str:
    """What to do with the indexes of a segment instead of moving them away; "" where they tell of nothing that is lost.

    Args:
        disk: The directory as it is.
        name: The `.index`.
    """
    stem = name.removesuffix(".index")
    log, index, times = (disk.get(f"{stem}{suffix}") for suffix in (".log", ".index", ".timeindex"))
    if log is None or index is None or not stem.isdecimal():
        return ""
    batches = [batch for batch in walk(log.source) if isinstance(batch, Batch)]
    places = {batch.span.start: batch for batch in batches}
    entries = [entry for entry in OFFSET_INDEX_ENTRY.read_all(index.read()) if any(entry)]
    fitting = sum(_holds(places.get(entry.position), int(stem) + entry.relative_offset) for entry in entries)
    if not entries or 2 * fitting > len(entries):
        return ""
    moments = [entry for entry in TIME_INDEX_ENTRY.read_all(b"" if times is None else times.read()) if any(entry)]
    bases = [batch.base_offset for batch in batches]
    fitting = 0
    for entry in moments:
        offset = int(stem) + entry.relative_offset
        at = bisect_right(bases, offset) - 1
        fitting += at >= 0 and _holds(batches[at], offset) and _max_timestamp(batches[at]) == entry.timestamp
    if moments and 2 * fitting <= len(moments):
        return KEEP_OF_REPLACED
    end = max((batch.last_offset + 1 for batch in batches), default=int(stem))
    named = int(stem) + max(entry.relative_offset for entry in entries)
    is_whole = max((batch.span.end for batch in batches), default=0) == log.size
    return keep_of_cut(end, named) if is_whole and named >= end else ""


def _max_timestamp(batch: Batch) -> int:
    return batch.header.max_timestamp if isinstance(batch, RecordBatch) else batch.max_timestamp


def _holds(batch: Batch | None, offset: int) -> bool:
    return batch is not None and batch.base_offset <= offset <= batch.last_offset
