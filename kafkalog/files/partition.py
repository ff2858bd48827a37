"""A partition directory: its segments and the files beside them."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import Checkpoint, EpochEntry, read_leader_epochs
from kafkalog.core.filename import (
    PARTITION_FILES,
    SEGMENT_SUFFIXES,
    PartitionName,
    SegmentFileName,
    parse_partition_name,
    parse_segment_file_name,
)
from kafkalog.core.properties import PartitionMetadata, read_partition_metadata
from kafkalog.files.segment import Segment
from kafkalog.files.source import read_file, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kafkalog.core.batch import Damage
    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record

__all__ = ["FileState", "Partition", "file_states", "has_gone", "is_directory", "join", "list_directory", "open_partition"]

#: What changes when a file does: device, inode, size, and when it was last written to.
FileState = tuple[int, int, int, int]


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


class Partition:
    """A partition directory: lazy, re-iterable, read-only.

    The directory is listed once, when the object is made; files are opened when they are asked for.

    Args:
        path: The directory, in the spelling that paths below it shall have.

    Raises:
        UnreadableFile: the directory is missing or may not be read.
    """

    def __init__(self, path: str) -> None:
        self.path = trim(path)
        by_offset: dict[int, dict[str, str]] = {}
        #: Names of all regular files, ascending; and of those that are no segment's (by what they are, or None: unknown).
        self.files: list[str] = []
        self.snapshots: dict[int, str] = {}
        self.checkpoints: list[tuple[SegmentFileName, str]] = []
        self.pending: list[tuple[SegmentFileName, str]] = []
        self.others: list[str] = []
        self._irregular: set[str] = set()
        entries = list_directory(self.path)
        self.name: PartitionName | None = parse_partition_name(os.path.basename(os.path.realpath(path)))
        for entry in entries:
            if is_directory(entry):
                self.others.append(entry.name)
                continue
            if not is_regular(entry):
                self._irregular.add(entry.name)
            self.files.append(entry.name)
            self._sort_in(entry.name, by_offset)
        self.segments: tuple[Segment, ...] = tuple(
            Segment(offset, {suffix: paths[suffix] for suffix in SEGMENT_SUFFIXES if suffix in paths})
            for offset, paths in sorted(by_offset.items())
            if paths.keys() - {".snapshot"}
        )

    def _sort_in(self, name: str, by_offset: dict[int, dict[str, str]]) -> None:
        path = join(self.path, name)
        parsed = parse_segment_file_name(name)
        if parsed is None:
            if name not in PARTITION_FILES:
                self.others.append(name)
        elif parsed.pending:
            self.pending.append((parsed, path))
        elif parsed.suffix == ".checkpoint":
            self.checkpoints.append((parsed, path))
        else:
            by_offset.setdefault(parsed.base_offset, {})[parsed.suffix] = path
            if parsed.suffix == ".snapshot":
                self.snapshots[parsed.base_offset] = path

    @property
    def topic(self) -> str | None:
        """The topic, from the directory's name; None when the name does not parse."""
        return self.name.topic if self.name else None

    @property
    def number(self) -> int | None:
        """The partition's number, from the directory's name; None when the name does not parse."""
        return self.name.partition if self.name else None

    def kind_of(self, name: str) -> str:
        """What an entry of the directory is, in words: only a "file" is one to a broker."""
        if name not in self.files:
            return "directory"
        return "link that leads nowhere, or no regular file" if name in self._irregular else "file"

    def file(self, name: str) -> str | None:
        """Path of a file of this directory, or None if it is not there."""
        return join(self.path, name) if name in self.files else None

    @property
    def leader_epochs(self) -> Checkpoint[EpochEntry] | None:
        """`leader-epoch-checkpoint`; None when it is not there."""
        path = self.file("leader-epoch-checkpoint")
        return None if path is None else read_leader_epochs(read_file(path))

    @property
    def metadata(self) -> PartitionMetadata | None:
        """`partition.metadata`; None when it is not there."""
        path = self.file("partition.metadata")
        return None if path is None else read_partition_metadata(read_file(path))

    def batches(self) -> Iterator[Batch]:
        """The batches of all segments."""
        for segment in self.segments:
            yield from segment.batches()

    def damages(self) -> Iterator[tuple[Segment, Damage]]:
        """The damage between the batches of all segments."""
        for segment in self.segments:
            for damage in segment.damages():
                yield segment, damage

    def records(self) -> Iterator[Record | LegacyRecord]:
        """All records that can be read, control records too."""
        for segment in self.segments:
            yield from segment.records()

    def __enter__(self) -> Partition:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for segment in self.segments:
            segment.__exit__(kind, error, trace)

    def __repr__(self) -> str:
        offsets = f", from offset {self.segments[0].base_offset}" if self.segments else ""
        return f"Partition({self.path!r}, {len(self.segments)} segments{offsets})"


def open_partition(path: str | os.PathLike[str]) -> Partition:
    """Open a partition directory for reading.

    >>> partition = open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
    >>> partition.segments[0].base_offset
    0

    Raises:
        UnreadableFile: it is missing, no directory, or may not be read.
    """
    return Partition(os.fspath(path))
