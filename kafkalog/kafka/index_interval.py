"""`index.interval.bytes`, which no file of a log dir holds: read off the indexes that are there."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING

from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.release import NEWEST
from kafkalog.kafka.failure import LoadFailure
from kafkalog.kafka.file_names import parse_offset
from kafkalog.kafka.log_input_stream import FileRecords
from kafkalog.kafka.reading_rules import reading_rules

if TYPE_CHECKING:
    from kafkalog.kafka.overlay import Disk

__all__ = ["DEFAULT_INDEX_INTERVAL", "infer_index_interval"]

#: The value unless the topic or the broker says otherwise, in bytes.
DEFAULT_INDEX_INTERVAL = 4096
#: Segments and batches looked at.
_SEGMENTS = 8
_BATCHES = 2000
#: People write round numbers: the roundest one that agrees with the indexes is taken.
_STEPS = (1 << 20, 1 << 16, 4096, 1024, 1000, 500, 100, 512, 256, 50, 64, 16, 10, 1)


def infer_index_interval(disk: Disk) -> int:
    """The distance in bytes that batches must exceed to get an index entry of their own.

    Every entry is more than the interval after the one before it (or the start of the file), and a batch that is further
    away than that has one. The default is taken unless the indexes contradict it.
    """
    low, high = 0, 1 << 31
    lows: list[int] = []
    # Those that this start has written say nothing of the setting.
    for name in [name for name in disk.names() if name.endswith(".index") and not disk[name].changed][:_SEGMENTS]:
        log = disk.get(name.removesuffix(".index") + ".log")
        if log is None or parse_offset(name) is None:
            continue
        begun, taken = _distances(
            FileRecords(log, reading_rules(NEWEST)), disk[name].read(0, OFFSET_INDEX_ENTRY.size * _BATCHES)
        )
        if taken:
            high = min(high, *taken)
            lows.append(max(begun, default=0))
    if high > DEFAULT_INDEX_INTERVAL:
        return DEFAULT_INDEX_INTERVAL
    low = max((low for low in lows if low < high), default=0)
    for step in _STEPS:
        value = max(1, -(-low // step)) * step
        if value < high:
            return value
    return low


def _distances(log: FileRecords, index: bytes) -> tuple[list[int], list[int]]:
    """Bytes since the last entry: at the batches without an entry of their own, and at those with one."""
    entries = [entry.position for entry in OFFSET_INDEX_ENTRY.read_all(index) if entry.position > 0]
    try:
        starts = [batch.position for batch in islice(log.batches(), _BATCHES)]
    except LoadFailure:
        return [], []
    known = set(starts)
    if not entries or not starts or any(later <= earlier for earlier, later in pairwise(entries)):
        return [], []
    if any(position not in known for position in entries if position <= starts[-1]):
        return [], []
    wanted, last = set(entries), 0
    without: list[int] = []
    having: list[int] = []
    for start in starts:
        (having if start in wanted else without).append(start - last)
        if start in wanted:
            last = start
    return without, having
