"""What a table is made of: the caller's paths, the conditions, and who is told of damage and progress."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kafkalog.core.filename import (
    PartitionName,
    parse_any_segment_file_name,
    parse_partition_name,
    parse_remote_partition_path,
)
from kafkalog.core.filters import Filters
from kafkalog.errors import UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import LogDir
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.partition import Partition
from kafkalog.files.segment import Segment
from kafkalog.files.tier import partitions_below

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.batch import Damage

__all__ = ["Input", "Item", "Request", "inputs_of"]

#: What a caller may name: a path, or what was opened already.
Item: TypeAlias = "str | os.PathLike[str] | Partition | LogDir | Segment"


#: No condition.
_ALL = Filters()


def _nothing(*_: object) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for.

    Args:
        items: Where the logs are.
        filters: Conditions on records.
        committed: Whether to leave out what a consumer of committed records does not get.
        control: Whether to give control records too.
        with_transactions: Whether anyone wants to know how the transactions of records ended.
        on_damage: Called with the path of a file and what of it cannot be read.
    """

    items: tuple[Item, ...]
    filters: Filters = _ALL
    committed: bool = False
    control: bool = False
    with_transactions: bool = True
    on_damage: Callable[[str, Damage], object] = _nothing


class Input(NamedTuple):
    """The segments of one partition, and the directory they are in; None where a file was given by itself."""

    path: str
    name: PartitionName | None
    segments: tuple[Segment, ...]
    partition: Partition | None

    @property
    def topic(self) -> str | None:
        """The topic; None when the directory's name does not parse."""
        return None if self.name is None else self.name.topic

    @property
    def number(self) -> int | None:
        """The partition's number; None when the directory's name does not parse."""
        return None if self.name is None else self.name.partition


def inputs_of(items: tuple[Item, ...]) -> Iterator[Input]:
    """The partitions that items stand for.

    In a log dir, directories marked `-delete`, `-future` or `-stray` are left out: they count when they are named themselves.

    Raises:
        UnreadableFile: a path is missing, may not be read, or holds nothing of Kafka.
    """
    for item in items:
        if isinstance(item, Partition):
            yield _of_partition(item)
        elif isinstance(item, LogDir):
            yield from _of_log_dir(item)
        elif isinstance(item, Segment):
            yield _of_segment(item)
        else:
            path, kind, directory = classify(os.fspath(item), tier=True)
            if kind is Kind.TIER:
                yield from inputs_of(tuple(partitions_below(path)))
            elif kind is Kind.LOG_DIR:
                yield from _of_log_dir(LogDir(path, directory))
            elif kind is Kind.PARTITION:
                yield _of_partition(Partition(path, directory))
            else:
                yield _of_segment(_segment_of(path))


def _of_log_dir(log_dir: LogDir) -> Iterator[Input]:
    for name in log_dir.partition_names:
        parsed = parse_partition_name(name)
        if parsed is not None and not parsed.mark:
            yield _of_partition(log_dir.partition(name))


def _of_partition(partition: Partition) -> Input:
    return Input(partition.path, partition.name, partition.segments, partition)


def _of_segment(segment: Segment) -> Input:
    path = next(iter(segment.paths.values()), "")
    folder = os.path.dirname(os.path.realpath(path))
    remote = parse_remote_partition_path(folder)
    name = parse_partition_name(os.path.basename(folder)) if remote is None else PartitionName(remote.topic, remote.partition)
    return Input(path, name, (segment,), None)


def _segment_of(path: str) -> Segment:
    """A file given by itself: those beside it are not looked at."""
    check_file_name(path)
    parsed = parse_any_segment_file_name(os.path.basename(path))
    if parsed is None:
        stem = os.path.basename(path).rpartition(".")
        if stem[1] and stem[2] == "log":
            return Segment(0, {".log": path})
        raise UnreadableFile(path, "is no file of a segment, by its name")
    return Segment(parsed.base_offset, {".log" if parsed.suffix == ".checkpoint" else parsed.suffix: path})
