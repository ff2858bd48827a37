"""What a path is: the one place that decides what an argument is."""

from __future__ import annotations

import enum
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import LOG_DIR_FILES, PARTITION_FILES, parse_partition_name, parse_segment_file_name
from kafkalog.errors import UnreadableFile
from kafkalog.files.directory import Directory
from kafkalog.files.paths import trim
from kafkalog.files.source import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.files.directory import Entry

__all__ = ["NOTHING_OF_KAFKA", "Classified", "Kind", "classify", "kind_of_directory"]

#: Why a directory is refused that is neither a partition directory nor a log dir.
NOTHING_OF_KAFKA = "holds nothing of Kafka: no segment files, no partition directories"


class Kind(enum.Enum):
    """What a path is."""

    FILE = "file"
    PARTITION = "partition directory"
    LOG_DIR = "log dir"


class Classified(NamedTuple):
    """A path, without trailing slashes, and what it is; a directory as it was listed for that."""

    path: str
    kind: Kind
    directory: Directory | None = None


def classify(path: str) -> Classified:
    """What a path is: a file, a partition directory or a log dir. Every command asks here, so that all of them agree.

    >>> classify("fixtures/broker/2.1.1/plain/").kind
    <Kind.LOG_DIR: 'log dir'>

    Raises:
        UnreadableFile: it is missing, may not be read, or is a directory that holds nothing of Kafka.
    """
    path = trim(path)
    try:
        is_folder = stat.S_ISDIR(os.stat(path).st_mode)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if not is_folder:
        return Classified(path, Kind.FILE)
    directory = Directory(path)
    kind = kind_of_directory(os.path.basename(os.path.realpath(path)), directory.entries)
    if kind is None:
        raise UnreadableFile(path, NOTHING_OF_KAFKA)
    return Classified(path, kind, directory)


def kind_of_directory(name: str, entries: Iterable[Entry]) -> Kind | None:
    """What a directory is, by its own name (links followed) and its entries; None when it holds nothing of Kafka.

    Partition directories and a log dir's own files show a log dir. Segments, a partition's other files and the name,
    topic-partition, show a partition directory. A directory that shows both has strays in it, or folders of another
    program. Of those,

    1. one with partition directories and a log dir's own files is a log dir, whatever else is in it;
    2. one with neither a segment nor the name is a log dir;
    3. any other is what it has more of: partition directories (files of a log dir count as one of these), or segments and
       a partition's other files; when it has as many of both, its name decides. So one stray segment does not make a
       partition directory of a log dir, nor one folder a log dir of a partition directory.
    """
    segments: set[int] = set()
    partitions = partition_files = 0
    has_log_dir_files = False
    for entry in entries:
        segment = parse_segment_file_name(entry.name)
        if segment is not None:
            segments.add(segment.base_offset)
        elif entry.name in LOG_DIR_FILES:
            has_log_dir_files = True
        elif entry.name in PARTITION_FILES:
            partition_files += 1
        elif entry.is_directory and parse_partition_name(entry.name) is not None:
            partitions += 1
    is_named = parse_partition_name(name) is not None
    if not partitions and not has_log_dir_files:
        return Kind.PARTITION if segments or is_named else None
    if (partitions and has_log_dir_files) or not (segments or is_named):
        return Kind.LOG_DIR
    surplus = len(segments) + partition_files - max(partitions, 1)
    return Kind.PARTITION if surplus > 0 or (surplus == 0 and is_named) else Kind.LOG_DIR
