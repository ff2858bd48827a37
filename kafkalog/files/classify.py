"""What a path is: the one place that decides what an argument is."""

from __future__ import annotations

import enum
import os
import stat
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import (
    LOG_DIR_FILES,
    PARTITION_FILES,
    is_kafka_file,
    parse_partition_name,
    parse_remote_file_name,
    parse_remote_partition_path,
    parse_segment_file_name,
)
from kafkalog.core.printable import printable
from kafkalog.core.spoken import count_text, listed
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.directory import Directory, list_directory
from kafkalog.files.mounted import STDIN, is_mount, node_at, problems_since
from kafkalog.files.nodes import Folder
from kafkalog.files.paths import join, real_name, trim
from kafkalog.files.source import unreadable
from kafkalog.files.urls import is_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkalog.files.directory import Entry

__all__ = ["NOTHING_OF_KAFKA", "Classified", "Kind", "NothingOfKafka", "classify", "kind_of_directory"]

#: Why a directory is refused that is neither a partition directory nor a log dir.
NOTHING_OF_KAFKA = "holds nothing of Kafka: no segment files, no partition directories"

#: How many folders are looked into for log dirs, and at how many names in each of them.
_MOST = 1000
_SHOWN = 3


class Kind(enum.Enum):
    """What a path is."""

    FILE = "file"
    PARTITION = "partition directory"
    LOG_DIR = "log dir"
    TIER = "remote storage"


#: What the library opens each kind with.
_OPENS = {Kind.FILE: "open_segment", Kind.PARTITION: "open_partition", Kind.LOG_DIR: "open_log_dir"}


class NothingOfKafka(UnreadableFile):
    """A directory that was listed, and holds nothing of Kafka."""


class Classified(NamedTuple):
    """A path, without trailing slashes, and what it is; a directory as it was listed for that.

    Of an archive it is the path in it; what of the archive could not be read `files.intake.problems_since` says.
    """

    path: str
    kind: Kind
    directory: Directory | None = None


def classify(path: str, *, tier: bool = False) -> Classified:
    """What a path is: a file, a partition directory or a log dir. Every command asks here, so that all of them agree.

    >>> classify("fixtures/broker/2.1.1/plain/").kind
    <Kind.LOG_DIR: 'log dir'>

    Args:
        path: The path.
        tier: Whether remote storage with several partitions is taken too; a partition or a file in it always is.

    Raises:
        UnreadableFile: it is missing, may not be read, or is a directory that holds nothing of Kafka, or log dirs.
    """
    path = trim(path)
    _view_around(path)
    is_folder = _is_folder(path)
    if is_folder is None:
        from kafkalog.files.intake import taken_in

        path = taken_in(path)
        is_folder = _is_folder(path, taken_in=True)
    if not is_folder:
        return Classified(path, Kind.FILE)
    directory = Directory(path)
    entries = directory.entries
    from kafkalog.files.tier import is_remote, take_in

    if is_remote(path, directory.names):
        take_in(path)
        return Classified(path, Kind.PARTITION, Directory(path))
    if remote := _partitions_of_tier(path, entries):
        if not tier:
            what = f"is remote storage with {count_text(len(remote), 'partition')}"
            reason = f"{what}, which `kafkalog verify`, `dump` and `export` read together: give one, as {remote[0]}"
            raise UnreadableFile(path, reason)
        return Classified(path, Kind.TIER, directory)
    kind = kind_of_directory(real_name(path), entries)
    log_dirs = _log_dirs_in(path, kind, entries)
    if log_dirs:
        raise UnreadableFile(path, f"holds no partition directories itself, but {_names(log_dirs)}")
    if kind is None or not any(is_kafka_file(entry.name) for entry in entries):
        from kafkalog.files.mistakes import mistaken_directory

        mistaken = mistaken_directory(path, entries)
        if mistaken is not None or kind is None:
            raise next(iter(problems_since()), NothingOfKafka(path, mistaken or NOTHING_OF_KAFKA))
    return Classified(path, kind, directory)


def _is_folder(path: str, *, taken_in: bool = False) -> bool | None:
    """Whether a path is a directory; None: it may be what is taken in first (`files.intake`).

    Raises:
        UnreadableFile: it is missing, or may not be read.
    """
    if not taken_in and (path.partition("/")[0] == STDIN or is_mount(path) or is_url(path)):
        return None
    try:
        node = node_at(path)
        if node is not None:
            return isinstance(node, Folder)
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        if isinstance(error, NotADirectoryError) and not taken_in:
            return None
        raise unreadable(path, error) from None
    name = os.path.basename(path)
    may_be_packed = stat.S_ISREG(mode) and not is_kafka_file(name)
    return None if may_be_packed and not taken_in else stat.S_ISDIR(mode)


def _view_around(path: str) -> None:
    """Of an object of remote storage: have it read as what it was made of."""
    name = parse_remote_file_name(os.path.basename(path))
    if name is not None:
        from kafkalog.files.tier import take_in

        with suppress(UnreadableFile):
            take_in(os.path.dirname(path) or ".", name.stem)


def _partitions_of_tier(path: str, entries: Sequence[Entry]) -> list[str]:
    """The partitions of remote storage below a folder that has no file of Kafka's own, nor a partition directory."""
    from kafkalog.files.tier import partitions_below

    folders = [entry.name for entry in entries if entry.is_directory]
    if any(is_kafka_file(entry.name) for entry in entries):
        return []
    # The end of a topic's id may look like the number of a partition.
    is_local = any(parse_partition_name(name) and not parse_remote_partition_path(name) for name in folders)
    return [] if is_local else partitions_below(path, entries)


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


def _log_dirs_in(path: str, kind: Kind | None, entries: Sequence[Entry]) -> list[str]:
    """The log dirs in a folder that has no file of Kafka's own.

    By their names, `broker-1` and `broker-2` pass for partition directories, and the folder around them for a log dir. It is
    none if all that are called so are log dirs; the first that is not ends the search.
    """
    if any(is_kafka_file(entry.name) for entry in entries):
        return []
    found: list[str] = []
    for name in islice((one.name for one in entries if one.is_directory), _MOST):
        if _is_log_dir(join(path, name), by_files=kind is not None):
            found.append(name)
        elif kind is Kind.LOG_DIR and parse_partition_name(name) is not None:
            return []
    return found


def _is_log_dir(path: str, *, by_files: bool) -> bool:
    """Whether a folder is a log dir; with `by_files`, one that has some of a log dir's own files."""
    try:
        entries = list_directory(path, _MOST)
    except UnreadableFile:
        return False
    kind = kind_of_directory(real_name(path), entries)
    return kind is Kind.LOG_DIR and (not by_files or any(entry.name in LOG_DIR_FILES for entry in entries))


def _names(log_dirs: list[str]) -> str:
    if len(log_dirs) == 1:
        return f"a log dir: {printable(log_dirs[0])}: give its path"
    return f"log dirs: {listed(list(map(printable, log_dirs)), _SHOWN)}: give their paths"


def classify_as(wanted: Kind, path: str) -> Classified:
    """Tell what a path is that has to be of one kind.

    Raises:
        RequestError: it is of another one; the error says what opens that.
        UnreadableFile: as for `classify`.
    """
    found = classify(path)
    if found.kind is not wanted:
        instead = "" if wanted is Kind.FILE else f", no {wanted.value}"
        raise RequestError(f"{found.path} is a {found.kind.value}{instead}: kafkalog.{_OPENS[found.kind]} opens it")
    return found
