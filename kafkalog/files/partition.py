"""A partition directory: its segments and the files beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from kafkalog.core.batch import RecordBatch
from kafkalog.core.checkpoint import Checkpoint, EpochEntry, read_leader_epochs
from kafkalog.core.filename import (
    PARTITION_FILES,
    SEGMENT_SUFFIXES,
    PartitionName,
    SegmentFileName,
    parse_partition_name,
    parse_remote_file_name,
    parse_remote_partition_path,
    parse_segment_file_name,
)
from kafkalog.core.legacy import LegacyBatch, LegacyRecord
from kafkalog.core.properties import PartitionMetadata, read_partition_metadata
from kafkalog.core.record import AbortedRecord, KeptRecord
from kafkalog.errors import RequestError
from kafkalog.files.arguments import check_type, path_of
from kafkalog.files.classify import Kind, classify_as
from kafkalog.files.directory import Directory
from kafkalog.files.paths import real_name
from kafkalog.files.segment import Segment, readable_records, transaction_ends
from kafkalog.files.tier import is_remote
from kafkalog.services import service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from kafkalog.core.batch import Damage
    from kafkalog.core.log import Batch
    from kafkalog.core.record import Record
    from kafkalog.core.transaction_ends import TransactionEnds

__all__ = ["IsolationLevel", "Partition", "open_partition", "snapshot_offsets"]

#: Kafka's names for what a consumer gets of transactions.
IsolationLevel: TypeAlias = Literal["read_uncommitted", "read_committed"]


class Partition:
    """A partition directory: lazy, re-iterable, read-only.

    The directory is listed once, when the object is made; files are opened when they are asked for, the small ones once.

    >>> partition = open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
    >>> sum(1 for record in partition.records() if record.value is None)
    36
    >>> len(partition.plot.batch_sizes.data["median"])
    160

    Args:
        path: The directory, in the spelling that paths below it shall have.
        directory: The same, when it has been listed already.

    Raises:
        UnreadableFile: the directory is missing or may not be read.
    """

    def __init__(self, path: str, directory: Directory | None = None) -> None:
        self.directory = Directory(path) if directory is None else directory
        self.path = self.directory.path
        #: Whether it is in remote storage: its segments have ids, and there may be several of one base offset.
        self.is_remote = is_remote(self.path, self.directory.names)
        by_offset: dict[tuple[int, str], dict[str, str]] = {}
        #: Names of all regular files, ascending; and of those that are no segment's (by what they are, or None: unknown).
        self.files: list[str] = []
        self.snapshots: dict[int, str] = {}
        self.checkpoints: list[tuple[SegmentFileName, str]] = []
        self.pending: list[tuple[SegmentFileName, str]] = []
        self.others: list[str] = []
        self._irregular: set[str] = set()
        self.name: PartitionName | None = self._parsed_name(path)
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
            for (offset, _), paths in sorted(by_offset.items())
            if paths.keys() - {".snapshot"}
        )

    def _parsed_name(self, path: str) -> PartitionName | None:
        if not self.is_remote:
            return parse_partition_name(real_name(path))
        remote = parse_remote_partition_path(os.path.realpath(path))
        return None if remote is None else PartitionName(remote.topic, remote.partition)

    def _sort_in(self, name: str, by_offset: dict[tuple[int, str], dict[str, str]]) -> None:
        path = self.directory.path_of(name)
        parsed = parse_segment_file_name(name)
        if self.is_remote:
            remote = parse_remote_file_name(name)
            if remote is None or remote.suffix not in SEGMENT_SUFFIXES:
                self.others += [name] if remote is None else []
            else:
                by_offset.setdefault((remote.base_offset, remote.segment_id), {})[remote.suffix] = path
        elif parsed is None:
            if name not in PARTITION_FILES:
                self.others.append(name)
        elif parsed.pending:
            self.pending.append((parsed, path))
        elif parsed.suffix == ".checkpoint":
            self.checkpoints.append((parsed, path))
        else:
            by_offset.setdefault((parsed.base_offset, ""), {})[parsed.suffix] = path
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

    def records(
        self, *, control: bool = False, isolation: IsolationLevel = "read_uncommitted"
    ) -> Iterator[Record | LegacyRecord]:
        """All records that can be read, in the order of the log; each knows whether its transaction was aborted.

        The first batch of a transaction makes the log's batches be read once more than its records are: only what follows
        tells how the transaction ends.

        Args:
            control: Whether to give control records too, such as transaction markers.
            isolation: `read_uncommitted`: all; `read_committed`: those that a consumer of this isolation level gets: none of
                aborted transactions, and none from where the oldest transaction that is open begins.

        Raises:
            RequestError: there is no such isolation level, or `control` is neither True nor False.
        """
        check_type("control", control, bool)
        if isolation not in get_args(IsolationLevel):
            raise RequestError(f"{isolation!r} is no isolation level; there are {' and '.join(get_args(IsolationLevel))}")
        return self._records(control=control, committed=isolation == "read_committed")

    def _records(self, *, control: bool, committed: bool) -> Iterator[Record | LegacyRecord]:
        ends: TransactionEnds | None = None
        for batch in self.batches():
            aborted: bool | None = False
            if isinstance(batch, RecordBatch):
                if batch.is_transactional and ends is None:
                    ends = transaction_ends(self.segments)
                if ends is not None:
                    aborted = ends.is_aborted(batch)
                    if committed and ends.first_open_offset is not None and batch.base_offset >= ends.first_open_offset:
                        return
                if (committed and aborted) or (batch.is_control and not control):
                    continue
            records = readable_records(batch)
            if isinstance(batch, LegacyBatch) or aborted is None:
                yield from records
            else:
                yield from map(AbortedRecord if aborted else KeptRecord, records)

    def table(self, name: str = "records", **options: Any) -> Any:
        """A table of what it holds, as `kafkalog.table` gives it with the same arguments."""
        return service("table")(self, name, **options)

    @property
    def plot(self) -> Any:
        """Plots of it, for notebooks: `plot.timeline()`, `throughput`, `batch_sizes`, `timestamps`, `transactions`."""
        return service("plots")(self)

    def __enter__(self) -> Partition:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for segment in self.segments:
            segment.__exit__(kind, error, trace)

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        offsets = f", from offset {self.segments[0].base_offset}" if self.segments else ""
        return f"Partition({self.path!r}, {len(self.segments)} segments{offsets})"


def snapshot_offsets(directory: Directory) -> set[int]:
    """The offsets of the `.snapshot` files in a partition directory, without a look at the others."""
    named = ((name, parse_segment_file_name(name)) for name in directory.names if name.endswith(".snapshot"))
    return {one.base_offset for name, one in named if one is not None and not directory.is_directory(name)}


def open_partition(path: str | os.PathLike[str]) -> Partition:
    """Open a partition directory for reading.

    >>> partition = open_partition("fixtures/broker/2.1.1/plain/twitter-status-0")
    >>> partition.segments[0].base_offset
    0

    A directory that only you know to be one is opened with `Partition(path)`.

    Raises:
        RequestError: it is a log dir, or a file.
        UnreadableFile: it is missing, may not be read, or holds nothing of Kafka.
    """
    found = classify_as(Kind.PARTITION, path_of(path))
    return Partition(found.path, found.directory)
