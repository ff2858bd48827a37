"""What is left of a log: where each of its segments ends, and what the files beside them tell of the rest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.filename import COORDINATOR_TOPICS, METADATA_TOPICS
from kafkalog.core.log import Batch, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end_by_halving
from kafkalog.errors import Truncated, UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.kafka.cleaner_traces import CleanerTraces
from kafkalog.kafka.named_ends import max_timestamp_of, named_after_end

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.files.directory import Directory
    from kafkalog.files.partition import Partition
    from kafkalog.files.segment import Segment
    from kafkalog.kafka.named_ends import NamedEnd
    from kafkalog.kafka.scanned_log import ScannedLog

__all__ = ["Remains", "SegmentEnd", "bases_without_log", "remains_of", "sound_epochs", "with_cut_ends"]


class SegmentEnd(NamedTuple):
    """A segment, as the offsets between segments are judged.

    Args:
        base: Its base offset.
        end: The offset after its last whole batch; the base offset without one.
        is_damaged: Whether it ends in other bytes that are no batch: what is missing may be there, and cannot be read.
        is_torn: Whether it ends in the middle of a batch, as a crash of the machine leaves it.
        cut: Who names a later record of it, so that its end must have been cut off; None when nobody does.
    """

    base: int
    end: int
    is_damaged: bool = False
    is_torn: bool = False
    cut: NamedEnd | None = None


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
    reads_keys: bool = True,
) -> Remains:
    """What is left of a partition's log; of each segment no more is read than from its last index entry on.

    Args:
        partition: The directory.
        is_compacted: Whether something outside says that the topic is compacted.
        is_tiered: Whether the log may begin in remote storage.
        scanned: Name of a `.log` → what a scan found in it; one that is sound to its end is not read again.
        reads_keys: Whether its traces are looked for in the keys of records.

    Raises:
        UnreadableFile: a file of it cannot be read.
    """
    segments = tuple(segment for segment in partition.segments if ".log" in segment.paths)
    ends = tuple(_end_of(segment, partition.directory, scanned) for segment in segments)
    pending = {parsed.pending for parsed, _ in partition.pending}
    return Remains(
        segments=with_cut_ends(segments, ends),
        traces=CleanerTraces(segments if reads_keys else ()),
        epochs=_epochs_of(partition),
        without_log=bases_without_log(partition),
        snapshots=tuple(sorted(partition.snapshots)),
        mark=partition.name.mark if partition.name else "",
        is_swapping=".swap" in pending,
        is_metadata=partition.topic in METADATA_TOPICS,
        is_tiered=is_tiered,
        is_compacted=is_compacted or bool(pending & {".swap", ".cleaned"}) or partition.topic in COORDINATOR_TOPICS,
    )


def with_cut_ends(
    segments: Sequence[Segment], ends: Sequence[SegmentEnd], max_timestamps: Sequence[int] | None = None
) -> tuple[SegmentEnd, ...]:
    """The ends of segments, with who says that they were cut; the indexes are only read where offsets are missing.

    Args:
        segments: The segments, ascending.
        ends: Where each of them ends.
        max_timestamps: The largest timestamp of each; None: not known, so read where it matters.
    """
    found = list(ends)
    for at, (end, following) in enumerate(pairwise(ends)):
        if not end.is_damaged and end.end < following.base:
            segment = segments[at]
            known = partial(max_timestamp_of, segment) if max_timestamps is None else partial(int, max_timestamps[at])
            found[at] = end._replace(cut=named_after_end(segment, end.end, following.base, known))
    return tuple(found)


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
    """Where a segment ends, from its last index entry on; from its beginning where no batch is at that entry's place."""
    path = segment.paths[".log"]
    known = scanned.get(os.path.basename(path))
    if known is not None and known.places and known.end == directory.size_of(os.path.basename(path)):
        return SegmentEnd(segment.base_offset, known.places[-1][0] + 1)
    with FileSource(path) as log:
        start = _last_indexed(segment.paths.get(".index"), directory)
        found = _end_from(segment.base_offset, log, start) if 0 <= start < log.size else None
        return found or _end_from(segment.base_offset, log, 0) or SegmentEnd(segment.base_offset, segment.base_offset)


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
    return SegmentEnd(base, end, is_damaged=not is_sound, is_torn=is_torn)


def _last_indexed(path: str | None, directory: Directory) -> int:
    """Position of the batch of the last entry of a `.index`; 0 without one. A preallocated one is zero after its entries."""
    if path is None:
        return 0
    size = OFFSET_INDEX_ENTRY.size
    try:
        index = directory.read(os.path.basename(path))
    except UnreadableFile:
        return 0
    used = padded_end_by_halving(lambda number: not any(index[number * size : (number + 1) * size]), len(index) // size)
    return OFFSET_INDEX_ENTRY.read(index, (used - 1) * size).position if used else 0
