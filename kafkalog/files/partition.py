"""A partition directory: its segments and the files beside them."""

from __future__ import annotations

import os
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
from kafkalog.files.directory import Directory
from kafkalog.files.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kafkalog.core.batch import Damage
    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record

__all__ = ["Partition", "open_partition"]


class Partition:
    """A partition directory: lazy, re-iterable, read-only.

    The directory is listed once, when the object is made; files are opened when they are asked for, the small ones once.

    Args:
        path: The directory, in the spelling that paths below it shall have.
        directory: The same, when it has been listed already.

    Raises:
        UnreadableFile: the directory is missing or may not be read.
    """

    def __init__(self, path: str, directory: Directory | None = None) -> None:
        self.directory = Directory(path) if directory is None else directory
        self.path = self.directory.path
        by_offset: dict[int, dict[str, str]] = {}
        #: Names of all regular files, ascending; and of those that are no segment's (by what they are, or None: unknown).
        self.files: list[str] = []
        self.snapshots: dict[int, str] = {}
        self.checkpoints: list[tuple[SegmentFileName, str]] = []
        self.pending: list[tuple[SegmentFileName, str]] = []
        self.others: list[str] = []
        self._irregular: set[str] = set()
        self.name: PartitionName | None = parse_partition_name(os.path.basename(os.path.realpath(path)))
        for entry in self.directory.entries:
            if entry.is_directory:
                self.others.append(entry.name)
                continue
            if not entry.is_regular:
                self._irregular.add(entry.name)
            self.files.append(entry.name)
            self._sort_in(entry.name, by_offset)
        self.segments: tuple[Segment, ...] = tuple(
            Segment(offset, {suffix: paths[suffix] for suffix in SEGMENT_SUFFIXES if suffix in paths})
            for offset, paths in sorted(by_offset.items())
            if paths.keys() - {".snapshot"}
        )

    def _sort_in(self, name: str, by_offset: dict[int, dict[str, str]]) -> None:
        path = self.directory.path_of(name)
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
        return self.directory.path_of(name) if name in self.files else None

    def _read(self, name: str) -> bytes | None:
        return self.directory.read(name) if name in self.files else None

    @property
    def leader_epochs(self) -> Checkpoint[EpochEntry] | None:
        """`leader-epoch-checkpoint`; None when it is not there."""
        data = self._read("leader-epoch-checkpoint")
        return None if data is None else read_leader_epochs(data)

    @property
    def metadata(self) -> PartitionMetadata | None:
        """`partition.metadata`; None when it is not there."""
        data = self._read("partition.metadata")
        return None if data is None else read_partition_metadata(data)

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
