"""Paths as the caller gave them, and what is there: the one place that decides what an argument is."""

from __future__ import annotations

import enum
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import (
    LOG_DIR_FILES,
    PARTITION_FILES,
    PENDING_SUFFIXES,
    SEGMENT_SUFFIXES,
    TEXT_FILES,
    parse_partition_name,
    parse_segment_file_name,
)
from kafkalog.errors import UnreadableFile
from kafkalog.files.source import unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "NOTHING_OF_KAFKA",
    "Classified",
    "FileState",
    "Kind",
    "check_file_name",
    "classify",
    "file_states",
    "has_gone",
    "is_directory",
    "is_regular",
    "join",
    "kind_of_directory",
    "list_directory",
    "trim",
]

#: Why a directory is refused that is neither a partition directory nor a log dir.
NOTHING_OF_KAFKA = "holds nothing of Kafka: no segment files, no partition directories"


class Kind(enum.Enum):
    """What a path is."""

    FILE = "file"
    PARTITION = "partition directory"
    LOG_DIR = "log dir"


#: What changes when a file does: device, inode, size, and when it was last written to.
FileState = tuple[int, int, int, int]


class Classified(NamedTuple):
    """A path, without trailing slashes, and what it is; a directory with its entries by name."""

    path: str
    kind: Kind
    entries: tuple[os.DirEntry[str], ...] = ()


def join(path: str, name: str) -> str:
    """A path below the path that the caller gave, in the caller's spelling."""
    return f"{path}/{name}" if path != "/" else f"/{name}"


def trim(path: str) -> str:
    """A path as the caller gave it, without trailing slashes."""
    return path.rstrip("/") or path[:1]


def list_directory(path: str) -> list[os.DirEntry[str]]:
    """The entries of a directory by name.

    Raises:
        UnreadableFile: it is missing, no directory, or may not be read.
    """
    try:
        with os.scandir(path) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None


def file_states(path: str) -> dict[str, FileState]:
    """The state of everything in a directory, by name; what goes while it is asked for is left out.

    Raises:
        UnreadableFile: the directory is missing, or may not be read.
    """
    states = {}
    for entry in list_directory(path):
        with suppress(OSError):
            status = os.stat(entry.path)
            states[entry.name] = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return states


def has_gone(path: str) -> bool:
    """Whether nothing is called so: of a path that was listed, that it was deleted or renamed since."""
    return not os.path.lexists(path)


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a directory; a link that leads nowhere, or round in circles, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def is_regular(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a regular file, or a link to one: Java's `File.isFile`."""
    try:
        return entry.is_file()
    except OSError:
        return False


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
    entries = tuple(list_directory(path))
    kind = kind_of_directory(os.path.basename(os.path.realpath(path)), entries)
    if kind is None:
        raise UnreadableFile(path, NOTHING_OF_KAFKA)
    return Classified(path, kind, entries)


def kind_of_directory(name: str, entries: Iterable[os.DirEntry[str]]) -> Kind | None:
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
        elif is_directory(entry) and parse_partition_name(entry.name) is not None:
            partitions += 1
    is_named = parse_partition_name(name) is not None
    if not partitions and not has_log_dir_files:
        return Kind.PARTITION if segments or is_named else None
    if (partitions and has_log_dir_files) or not (segments or is_named):
        return Kind.LOG_DIR
    surplus = len(segments) + partition_files - max(partitions, 1)
    return Kind.PARTITION if surplus > 0 or (surplus == 0 and is_named) else Kind.LOG_DIR


def check_file_name(path: str) -> None:
    """Refuse a file that no command can make anything of.

    Raises:
        UnreadableFile: it has neither a name of Kafka's nor the suffix of one.
    """
    name = os.path.basename(path)
    if name in TEXT_FILES or parse_segment_file_name(name) is not None:
        return
    for pending in (*PENDING_SUFFIXES, ".part"):
        name = name.removesuffix(pending)
    if not name.endswith((*SEGMENT_SUFFIXES, ".checkpoint")):
        raise UnreadableFile(path, "is no file of Kafka's, by its name")
