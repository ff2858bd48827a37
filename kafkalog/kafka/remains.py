"""What is left of a log: where each of its segments ends, and what the files beside them tell of the rest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.filename import COORDINATOR_TOPICS, METADATA_TOPICS
from kafkalog.core.log import Batch, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, OffsetIndexEntry, padded_end_by_halving
from kafkalog.errors import Truncated, UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.kafka.cleaner_traces import CleanerTraces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.files.directory import Directory
    from kafkalog.files.partition import Partition
    from kafkalog.files.segment import Segment
    from kafkalog.kafka.scanned_log import ScannedLog

__all__ = ["Remains", "SegmentEnd", "bases_without_log", "remains_of", "sound_epochs"]


class SegmentEnd(NamedTuple):
    """A segment, as the offsets between segments are judged.

    Args:
        base: Its base offset.
        end: The offset after its last whole batch; the base offset without one.
        is_damaged: Whether it ends in other bytes that are no batch: what is missing may be there, and cannot be read.
        indexed: The last offset in its `.index` when that leads to a place after the last byte; else -1.
    """

    base: int
    end: int
    is_damaged: bool = False
    indexed: int = -1


@dataclass(frozen=True, kw_only=True)
class Remains:
    """What is left of a log, as far as it tells of offsets that are gone.

    Args:
        segments: Its segments, ascending.
        epochs: The entries of its `leader-epoch-checkpoint`, if they can be taken at their word; else empty.
        without_log: Base offsets of index files without their `.log`, ascending.
        snapshots: Offsets of its `.snapshot` files.
        mark: What the directory's name is marked with.
        is_swapping: Whether a segment is being swapped in.
        is_metadata: Whether it is the metadata log.
        is_compacted: Whether something says that the topic is compacted, or was.
        is_tiered: Whether the log may begin in remote storage.
        traces: What the records say about the log cleaner.
    """

    segments: tuple[SegmentEnd, ...]
    traces: CleanerTraces
    epochs: Sequence[EpochEntry] = ()
    without_log: tuple[int, ...] = ()
    snapshots: tuple[int, ...] = ()
    mark: str = ""
    is_swapping: bool = False
    is_metadata: bool = False
    is_compacted: bool = False
    is_tiered: bool = False


def remains_of(
    partition: Partition,
    *,
    is_compacted: bool = False,
    is_tiered: bool = False,
    scanned: Mapping[str, ScannedLog] = MappingProxyType({}),
) -> Remains:
    """What is left of a partition's log; of each segment no more is read than from its last index entry on.

    Args:
        partition: The directory.
        is_compacted: Whether something outside says that the topic is compacted.
        is_tiered: Whether the log may begin in remote storage.
        scanned: Name of a `.log` → what a scan found in it; one that is sound to its end is not read again.

    Raises:
        UnreadableFile: a file of it cannot be read.
    """
    segments = tuple(segment for segment in partition.segments if ".log" in segment.paths)
    pending = {parsed.pending for parsed, _ in partition.pending}
    return Remains(
        segments=tuple(_end_of(segment, partition.directory, scanned) for segment in segments),
        traces=CleanerTraces(segments),
        epochs=_epochs_of(partition),
        without_log=bases_without_log(partition),
        snapshots=tuple(sorted(partition.snapshots)),
        mark=partition.name.mark if partition.name else "",
        is_swapping=".swap" in pending,
        is_metadata=partition.topic in METADATA_TOPICS,
        is_tiered=is_tiered,
        is_compacted=is_compacted or bool(pending & {".swap", ".cleaned"}) or partition.topic in COORDINATOR_TOPICS,
    )


def bases_without_log(partition: Partition) -> tuple[int, ...]:
    """Base offsets of index files without their `.log`, ascending; but not where that waits to be deleted with them."""
    put_aside = {
        parsed.base_offset for parsed, _ in partition.pending if (parsed.suffix, parsed.pending) == (".log", ".deleted")
    }
    bases = (segment.base_offset for segment in partition.segments if ".log" not in segment.paths)
    return tuple(base for base in bases if base not in put_aside)


def _epochs_of(partition: Partition) -> Sequence[EpochEntry]:
    try:
        return sound_epochs(partition.leader_epochs)
    except UnreadableFile:
        return ()


def sound_epochs(file: Checkpoint[EpochEntry] | None) -> Sequence[EpochEntry]:
    """The entries of an epoch file; none where they contradict each other or are not whole."""
    if file is None or file.damages:
        return ()
    grow = all(one.epoch < other.epoch and one.start_offset < other.start_offset for one, other in pairwise(file.entries))
    return file.entries if grow and all(min(entry) >= 0 for entry in file.entries) else ()


def _end_of(segment: Segment, directory: Directory, scanned: Mapping[str, ScannedLog]) -> SegmentEnd:
    """Where a segment ends, and how far its `.index` goes."""
    path = segment.paths[".log"]
    entry = _last_indexed(segment.paths.get(".index"), directory)
    known = scanned.get(os.path.basename(path))
    if known is not None and known.places and known.end == directory.size_of(os.path.basename(path)):
        end, size = SegmentEnd(segment.base_offset, known.places[-1][0] + 1), known.end
    else:
        with FileSource(path) as log:
            end, size = _end_in(log, segment.base_offset, 0 if entry is None else entry.position), log.size
    if entry is None or entry.position < size:
        return end
    return end._replace(indexed=segment.base_offset + entry.relative_offset)


def _end_in(log: FileSource, base: int, start: int) -> SegmentEnd:
    """Where a log ends, read from its last index entry on; from its beginning where no batch is at that entry's place."""
    found = _end_from(base, log, start) if 0 <= start < log.size else None
    return found or _end_from(base, log, 0) or SegmentEnd(base, base)


def _end_from(base: int, log: FileSource, start: int) -> SegmentEnd | None:
    """Where a log ends, read from a position on; None where no batch begins there."""
    end, last = base, None
    for last in walk(log, start):
        if isinstance(last, Batch):
            end = last.last_offset + 1
        elif last.span.start == start > 0:
            return None
    is_torn = isinstance(last, Damage) and isinstance(last.error, Truncated)
    is_sound = last is None or is_torn or (isinstance(last, Batch) and last.crc_ok)
    return SegmentEnd(base, end, is_damaged=not is_sound)


def _last_indexed(path: str | None, directory: Directory) -> OffsetIndexEntry | None:
    """The last entry of a `.index`; None without one. A preallocated one is zero after its entries."""
    if path is None:
        return None
    size = OFFSET_INDEX_ENTRY.size
    try:
        index = directory.read(os.path.basename(path))
    except UnreadableFile:
        return None
    used = padded_end_by_halving(lambda number: not any(index[number * size : (number + 1) * size]), len(index) // size)
    return OFFSET_INDEX_ENTRY.read(index, (used - 1) * size) if used else None
