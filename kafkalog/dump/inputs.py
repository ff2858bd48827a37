"""From paths to files: what of a partition directory or a log dir is printed, in which order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import (
    CLUSTER_METADATA_TOPIC,
    LOCK_FILE,
    LOG_DIR_FILES,
    PARTITION_FILES,
    REMOTE_INDEX_CACHE,
    SEGMENT_SUFFIXES,
    parse_segment_file_name,
)
from kafkalog.errors import UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.mounted import problems_since
from kafkalog.files.paths import has_gone, join
from kafkalog.files.source import FileSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.filters import Filters
    from kafkalog.files.log_dir import LogDir
    from kafkalog.files.partition import Partition

__all__ = ["Listing", "PlannedFile", "files_of"]

#: Said of what is no longer there when its turn comes.
_GONE = "gone since its directory was listed, as a running broker deletes and renames"

#: Files of a log dir that say nothing.
_SILENT = (LOCK_FILE,)


class Listing:
    """What a directory held when it was listed.

    Args:
        names: Its files.
        say: Takes a line for stderr.
    """

    def __init__(self, names: Iterable[str], say: Callable[[str], object]) -> None:
        self._names = frozenset(names)
        self._say = say
        self._told: set[str] = set()

    def has_lost(self, path: str) -> bool:
        """Whether a file of the directory has gone since, which is reported once for the files of a segment."""
        name = path.rpartition("/")[2]
        if name not in self._names or not has_gone(path):
            return False
        stem = name.split(".", 1)[0]
        if stem not in self._told:
            self._told.add(stem)
            self._say(f"kafkalog: {path}: {_GONE}")
        return True


class PlannedFile(NamedTuple):
    """A file to print, and the topic that its directory is named after; None when it was given by itself.

    `listing` is that of the directory which it was found in, None when it was given by itself.
    """

    path: str
    topic: str | None = None
    listing: Listing | None = None


def files_of(path: str, filters: Filters, say: Callable[[str], object]) -> Iterator[PlannedFile]:
    """The files that a PATH argument stands for.

    Args:
        path: A file, a partition directory or a log dir, as given.
        filters: With any condition only logs are printed, and only those that can hold wanted records.
        say: Takes a line for stderr about what is there and not printed.

    Raises:
        UnreadableFile: the path is missing, may not be read, or holds nothing of Kafka; at the end, that something of an
            archive could not be read.
    """
    path, kind, directory = classify(path, tier=True)
    if kind is Kind.TIER:
        from kafkalog.files.tier import partitions_below

        for partition in partitions_below(path):
            yield from files_of(partition, filters, say)
    elif kind is Kind.LOG_DIR:
        from kafkalog.files.log_dir import LogDir

        yield from _log_dir_files(LogDir(path, directory), filters, say)
    elif kind is Kind.PARTITION:
        from kafkalog.files.partition import Partition

        yield from _partition_files(Partition(path, directory), filters, say)
    else:
        FileSource(path).close()  # says so when it cannot be read
        from kafkalog.files.mistakes import check_file_name

        check_file_name(path)
        yield PlannedFile(path)
    for problem in problems_since():
        raise problem


def _partition_files(partition: Partition, filters: Filters, say: Callable[[str], object]) -> Iterator[PlannedFile]:
    listing = Listing(partition.files, say)
    for path in _ordered(partition, filters):
        yield PlannedFile(path, partition.topic, listing)
    for _, path in partition.pending:
        say(f"kafkalog: {path}: not printed, its name says that it is waiting; give it as a file to see it")
    for name in partition.others:
        if name != REMOTE_INDEX_CACHE:
            say(f"Ignoring unknown file {join(partition.path, name)}")


def _ordered(partition: Partition, filters: Filters) -> list[str]:
    files: list[str] = []
    lone = sorted(partition.snapshots)
    bases = [segment.base_offset for segment in partition.segments]
    for number, segment in enumerate(partition.segments):
        end = bases[number + 1] if number + 1 < len(bases) else None
        if not filters.active:
            # A snapshot without a segment of its own follows the last lower segment.
            files += [partition.snapshots[offset] for offset in lone if offset < segment.base_offset and offset not in bases]
            lone = [offset for offset in lone if offset > segment.base_offset]
            files += [segment.paths[suffix] for suffix in SEGMENT_SUFFIXES if suffix in segment.paths]
        elif ".log" in segment.paths and _may_hold(filters, segment.base_offset, end):
            files.append(segment.paths[".log"])
    if not filters.active:
        files += [partition.snapshots[offset] for offset in lone if offset not in bases]
    files += [path for _, path in partition.checkpoints]
    if not filters.active:
        files += [join(partition.path, name) for name in PARTITION_FILES if name in partition.files]
    return files


def _may_hold(filters: Filters, base: int, end: int | None) -> bool:
    if filters.end_offset is not None and base >= filters.end_offset:
        return False
    return filters.first_offset is None or end is None or end > filters.first_offset


def _log_dir_files(log_dir: LogDir, filters: Filters, say: Callable[[str], object]) -> Iterator[PlannedFile]:
    for name in log_dir.partition_names:
        try:
            partition = log_dir.partition(name)
        except UnreadableFile as error:
            if not has_gone(error.path):
                raise
            say(f"kafkalog: {error.path}: {_GONE}")
            continue
        yield from _partition_files(partition, filters, say)
    for name in log_dir.others:
        if name == REMOTE_INDEX_CACHE:
            say(f"kafkalog: {join(log_dir.path, name)}: skipped, a cache of remote indexes")
        else:
            say(f"Ignoring unknown file {join(log_dir.path, name)}")
    for name in log_dir.files:
        path = join(log_dir.path, name)
        if name.endswith(".checkpoint"):
            yield PlannedFile(path, CLUSTER_METADATA_TOPIC)
        elif name in LOG_DIR_FILES:
            if not filters.active:
                yield PlannedFile(path)
        elif parse_segment_file_name(name) is not None:
            say(f"kafkalog: {path}: not printed, a segment file outside a partition directory; give it as a file to see it")
        elif name not in _SILENT:
            say(f"Ignoring unknown file {path}")
