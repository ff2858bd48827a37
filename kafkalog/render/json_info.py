"""What `info` found as plain JSON objects: the lines of `--format jsonl`, with the names of `kafkalog.describe`."""

from __future__ import annotations

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
    return {
        "schema": _SCHEMA,
        "type": "log_dir",
        "path": found.path,
        "cluster_id": found.cluster_id,
        "node_id": found.node_id,
        "directory_id": found.directory_id,
        "written": found.written,
        "kraft": found.kraft,
        "releases": list(found.releases),
        "evidence": found.evidence,
        "clean_stop": found.clean_stop,
        "is_in_use": found.is_in_use,
        "checkpoints": dict(found.checkpoints),
        "others": list(found.others),
        "problems": list(found.problems),
    }


def _partition(found: PartitionInfo) -> Line:
    return {
        "schema": _SCHEMA,
        "type": "partition",
        "path": found.path,
        "topic": found.topic,
        "partition": found.partition,
        "mark": found.mark,
        "topic_id": found.topic_id,
        "log_start_offset": found.log_start_offset,
        "log_end_offset": found.log_end_offset,
        "high_watermark": found.high_watermark,
        "recovery_point": found.recovery_point,
        "segments": len(found.segments),
        "batches": found.batches,
        "records": found.records,
        "size": found.size,
        "files_size": found.files_size,
        "oldest_timestamp": found.oldest_timestamp,
        "newest_timestamp": found.newest_timestamp,
        "modified": found.modified,
        "codecs": dict(found.codecs),
        "magics": list(found.magics),
        "epochs": None if found.epochs is None else list(found.epochs),
        "leader_epochs": found.leader_epochs,
        "open_transactions": [one._asdict() for one in found.open_transactions],
        "open_transactions_at": found.open_transactions_at,
        "pending": found.pending,
        "snapshots": found.snapshots,
        "others": list(found.others),
        "bytes_not_read": found.bytes_not_read,
        "problems": list(found.problems),
    }


def _segment(partition: PartitionInfo, found: SegmentInfo) -> Line:
    return {
        "schema": _SCHEMA,
        "type": "segment",
        "path": found.path,
        "topic": partition.topic,
        "partition": partition.partition,
        "base_offset": found.base_offset,
        "first_offset": found.first_offset,
        "last_offset": found.last_offset,
        "is_scanned": found.is_scanned,
        "batches": found.batches,
        "records": found.records,
        "size": found.size,
        "files_size": found.files_size,
        "bytes_not_read": found.bytes_not_read,
        "oldest_timestamp": found.oldest_timestamp,
        "newest_timestamp": found.newest_timestamp,
        "modified": found.modified,
        "codecs": dict(found.codecs),
        "magics": list(found.magics),
        "epochs": None if found.epochs is None else list(found.epochs),
        "indexes": {suffix: index._asdict() for suffix, index in found.indexes.items()},
        "open_transactions": found.open_transactions,
        "bad_crcs": found.bad_crcs,
        "damaged_bytes": found.damaged_bytes,
        "padding": found.padding,
        "problems": list(found.problems),
    }
