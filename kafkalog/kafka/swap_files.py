"""The files that an interrupted deletion, cleaning or split leaves: `.deleted`, `.cleaned`, `.swap`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import INDEX_SWAP_COUNTS, KRAFT_SNAPSHOTS_KEPT, LATER_SWAPS_GO, SWAP_RENAMED
from kafkalog.kafka.failure import LogDirOffline
from kafkalog.kafka.file_names import CLEANED, DELETED, INDEX_SUFFIXES, SWAP, offset_of_name, parse_offset, segment_file_name
from kafkalog.kafka.log_segment import LogSegment

if TYPE_CHECKING:
    from kafkalog.kafka.load_context import LoadContext

__all__ = ["collect_swap_files", "complete_swaps_by_renaming"]

#: A KRaft snapshot that waits for its deletion: KafkaMetadataLog's business.
_KRAFT_SNAPSHOT_DELETED = ".checkpoint.deleted"


def collect_swap_files(context: LoadContext) -> list[str]:
    """Remove what was not finished; returns the names of the `.swap` files that count.

    Raises:
        LogDirOffline: a file may not be read.
        BrokerAborts: a `.cleaned` or `.swap` name does not begin with an offset.

    Source: LogLoader.removeTempFilesAndCollectSwapFiles, Kafka 3.9.1.
    """
    disk = context.disk
    cleaned: list[str] = []
    swaps: list[str] = []
    keeps_snapshots = KRAFT_SNAPSHOTS_KEPT.applies_to(context.release)
    later_go = LATER_SWAPS_GO.applies_to(context.release)
    for name in disk.names():
        if name in disk.unreadable:
            raise LogDirOffline("IOException", f"{name} may not be read", file=name)
        if name.endswith(DELETED) and not (keeps_snapshots and name.endswith(_KRAFT_SNAPSHOT_DELETED)):
            disk.delete(name)
        elif name.endswith(CLEANED):
            if later_go:
                cleaned.append(name)
            else:
                disk.delete(name)
        elif name.endswith(SWAP) and (SWAP_RENAMED.applies_to(context.release) or _drop_indexes_of_swap(context, name)):
            swaps.append(name)
    least_cleaned = min((offset_of_name(name) for name in cleaned), default=None)
    valid: list[str] = []
    for name in swaps:
        offset = offset_of_name(name)
        if least_cleaned is not None and offset >= least_cleaned:
            disk.delete(name)
            if not SWAP_RENAMED.applies_to(context.release):
                _delete_indexes(context, offset, SWAP)
        else:
            valid.append(name)
    for name in cleaned:
        disk.delete(name)
    return valid


def _drop_indexes_of_swap(context: LoadContext, name: str) -> bool:
    """Before 3.0: the indexes that a `.swap` file stands for go at once; returns whether it is a `.log.swap`."""
    plain = name.removesuffix(SWAP)
    if plain.endswith(INDEX_SUFFIXES) and not INDEX_SWAP_COUNTS.applies_to(context.release):
        context.disk.delete(name)
    elif plain.endswith((*INDEX_SUFFIXES, ".log")):
        _delete_indexes(context, offset_of_name(plain), "")
    return plain.endswith(".log")


def _delete_indexes(context: LoadContext, offset: int, suffix: str) -> None:
    for extension in INDEX_SUFFIXES:
        context.disk.delete(segment_file_name(offset, extension) + suffix)


def complete_swaps_by_renaming(context: LoadContext, swaps: list[str]) -> None:
    """Delete what the `.swap` files cover and drop their suffix: LogLoader.load, second and third pass, since 3.0."""
    disk = context.disk
    least, end, size = None, 0, 0
    for name in swaps:
        if name.removesuffix(SWAP).endswith(".log"):
            segment = LogSegment(context, offset_of_name(name), SWAP)
            following = segment.read_next_offset()
            size += segment.size
            end = following if least is None else max(end, following)
            least = segment.base_offset if least is None else min(least, segment.base_offset)
    if least is not None:
        context.remark(f"an interrupted swap is completed: files of the offsets {least} to {end - 1} are replaced")
        for name in disk.names():
            offset = None if name.endswith(SWAP) else parse_offset(name)
            if offset is not None and least <= offset < end:
                disk.delete(name)
                if size or context.settings.is_compacted:
                    context.replaced.add(name)
    for name in disk.names():
        if name.endswith(SWAP):
            disk.rename(name, name.removesuffix(SWAP), over_directory=False)
