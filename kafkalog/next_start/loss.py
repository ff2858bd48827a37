"""What a start takes away: records, bytes and time of the `.log` files that are cut, replaced, deleted or left behind."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import walk
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.failure import LoadFailure
from kafkalog.kafka.file_names import SWAP
from kafkalog.kafka.overlay import open_disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record
    from kafkalog.files.directory import Directory
    from kafkalog.kafka.loader import LoadedLog
    from kafkalog.kafka.overlay import Disk, DiskFile

__all__ = ["Loss", "everything_in", "left_behind", "lost_from", "records_from"]


class Loss(NamedTuple):
    """Records, bytes, and the first and last timestamp ≥ 0 in milliseconds (None: there is none)."""

    records: int = 0
    size: int = 0
    first_timestamp: int | None = None
    last_timestamp: int | None = None

    def __add__(self, other: tuple[object, ...]) -> Loss:
        assert isinstance(other, Loss)
        times = [time for time in (*self[2:], *other[2:]) if time is not None]
        return Loss(self.records + other.records, self.size + other.size, min(times, default=None), max(times, default=None))

    @property
    def time_range(self) -> tuple[int, int] | None:
        """First and last timestamp."""
        if self.first_timestamp is None or self.last_timestamp is None:
            return None
        return self.first_timestamp, self.last_timestamp


def lost_from(disk: Disk, replaced: AbstractSet[str]) -> Loss:
    """What is cut and deleted when the overlay has become as it is.

    Args:
        disk: The directory after the start.
        replaced: Names of the `.log` files that an interrupted swap of the log cleaner was to replace, and has: what the
            new ones leave out is what compaction leaves out.
    """
    lost = Loss()
    for name, now in disk.fates():
        if not name.endswith((".log", f".log{SWAP}")) or name in replaced:
            continue
        file = disk.original[name]
        kept = file.size if now is not None and now.endswith(".log") else 0
        if kept < file.original_size and (kept or name.endswith(".log")):
            lost += _count(file, kept, file.original_size)
    for name, file in disk.files.items():
        if lost.size and name.endswith(".log") and file.origin is None and file.size:
            # The parts of a segment that was split.
            part = _count(file, 0, file.size)
            lost = Loss(max(0, lost.records - part.records), max(0, lost.size - part.size), *lost[2:])
    return lost if lost.records else Loss(0, lost.size)


def everything_in(directory: Directory) -> Loss:
    """All that the `.log` files of a directory hold."""
    lost = Loss()
    with suppress(UnreadableFile), open_disk(directory) as disk:
        for name, file in disk.files.items():
            if name.endswith(".log"):
                lost += _count(file, 0, file.size)
    return lost


def left_behind(log: LoadedLog) -> Loss:
    """The batches of the active segment that the log's end lies below: they stay in the file, and nobody reads them."""
    active = log.segments.last
    file = active.log.file
    start = 0
    with suppress(LoadFailure):
        fetched = active.read(active.offset_index.last_offset, active.size)
        last = None if fetched is None else fetched.records.last_batch()
        if fetched is not None and last is not None and last.position + last.size == file.size:
            start = fetched.position
    return _count(file, start, file.size, log.log_end_offset)


def records_from(file: DiskFile, offset: int) -> int:
    """How many records in sound batches of a `.log` have that offset or a higher one, or share a batch with one."""
    return _count(file, 0, file.size, offset).records


def _count(file: DiskFile, start: int, end: int, from_offset: int | None = None) -> Loss:
    """The sound batches of a byte range; with `from_offset`, those that end at or above it, and the bytes from the first on."""
    records = 0
    times: list[int] = []
    begin = start if from_offset is None else None
    for item in walk(file.source, start, end):
        if not isinstance(item, RecordBatch | LegacyBatch) or not item.crc_ok:
            continue
        if from_offset is not None and item.last_offset < from_offset:
            continue
        begin = item.span.start if begin is None else begin
        count, first, last = _records_of(item)
        records += count
        times = [time for time in (*times, first, last) if time >= 0]
        times = [min(times), max(times)] if times else []
    if begin is None:
        return Loss()
    return Loss(records, end - begin, times[0] if times else None, times[-1] if times else None)


def _records_of(batch: Batch) -> tuple[int, int, int]:
    """Data records of a batch, and the first and last of their timestamps that are not negative, -1 for none."""
    if isinstance(batch, RecordBatch) and batch.is_control:
        return 0, -1, -1
    count, first, last = 0, -1, -1
    items: Iterator[Record | LegacyRecord | Damage] = batch.walk_records()
    for item in items:
        if isinstance(item, Damage):
            continue
        count += 1
        if item.timestamp >= 0:
            first = item.timestamp if first < 0 else min(first, item.timestamp)
            last = max(last, item.timestamp)
    return count, first, last
