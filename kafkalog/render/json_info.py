"""What `info` found as plain JSON objects: the lines of `--format jsonl`, with the names of `kafkalog.describe`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.info.values import Description, LogDirInfo, NotRead, PartitionInfo, SegmentInfo

__all__ = ["info_lines"]

Line = dict[str, Any]
_SCHEMA = "kafkalog.info/1"


def info_lines(
    described: Iterable[Description], not_read: Iterable[NotRead], *, with_segments: bool | None = None
) -> Iterator[Line]:
    """For each path `log_dir`, then `partition` lines, each followed by its `segment` lines; last the `summary`.

    Args:
        described: What is at each path.
        not_read: What could not be read, known when the last of these was given.
        with_segments: Whether to give the segments; None: not those of a log dir.
    """
    found = []
    for one in described:
        found.append(one)
        yield from _description(one, with_segments=one.kind != "log dir" if with_segments is None else with_segments)
    records = [one.records for one in found]
    yield {
        "schema": _SCHEMA,
        "type": "summary",
        "partitions": sum(len(one.partitions) for one in found),
        "segments": sum(one.segments for one in found),
        "records": None if None in records else sum(count or 0 for count in records),
        "size": sum(one.size for one in found),
        "files_size": sum(one.files_size for one in found),
        "open_transactions": sum(one.open_transactions for one in found),
        "bytes_not_read": sum(one.bytes_not_read for one in found),
        "not_read": [one._asdict() for one in not_read],
    }


def _description(found: Description, *, with_segments: bool) -> Iterator[Line]:
    if found.log_dir is not None:
        yield _log_dir(found.log_dir)
    for partition in found.partitions:
        yield _partition(partition)
        if with_segments:
            for segment in partition.segments:
                yield _segment(partition, segment)


def _log_dir(found: LogDirInfo) -> Line:
    return _line("log_dir", found)


def _partition(found: PartitionInfo) -> Line:
    return _line("partition", found) | {"segments": len(found.segments)}


def _segment(partition: PartitionInfo, found: SegmentInfo) -> Line:
    return _line("segment", found) | {"topic": partition.topic, "partition": partition.partition}


def _line(kind: str, found: LogDirInfo | PartitionInfo | SegmentInfo) -> Line:
    """What was found, under the names of its fields and of what follows from these."""
    names = [one.name for one in fields(found)]
    names += [name for name, value in vars(type(found)).items() if isinstance(value, property) and name not in names]
    return {"schema": _SCHEMA, "type": kind} | {name: _plain(getattr(found, name)) for name in names if name != "segments"}


def _plain(value: Any) -> Any:
    """A value as JSON has it: what has named fields as an object."""
    if hasattr(value, "_asdict"):
        return value._asdict()
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value
