"""`describe`: from a path to what is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.filename import (
    BOOTSTRAP_CHECKPOINT,
    LOCK_FILE,
    LOG_DIR_CHECKPOINTS,
    LOG_DIR_FILES,
    PENDING_SUFFIXES,
    REMOTE_INDEX_CACHE,
    SEGMENT_SUFFIXES,
    parse_any_segment_file_name,
)
from kafkalog.core.release import release_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.arguments import path_of
from kafkalog.files.classify import Kind, classify
from kafkalog.files.directory import Directory
from kafkalog.files.log_dir import META_PROPERTIES, LogDir, log_dir_at
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.mounted import problems_since
from kafkalog.files.partition import Partition
from kafkalog.files.paths import has_gone, real_name, real_path
from kafkalog.files.segment import Segment
from kafkalog.info.partition import read_partition
from kafkalog.info.segment import SegmentReader
from kafkalog.info.values import Description, LogDirInfo, NotRead, PartitionInfo
from kafkalog.next_start.evidence import BrokerEvidence

if TYPE_CHECKING:
    from kafkalog.files.log_dir import CheckpointLine

__all__ = ["describe"]

#: What lies in a log dir beside its partitions.
_OWN = {*LOG_DIR_FILES, BOOTSTRAP_CHECKPOINT, LOCK_FILE, REMOTE_INDEX_CACHE}
#: Bytes of logs up to which all batches are gone over when nobody says whether they shall be.
_SMALL = 32 << 20


def describe(path: str | os.PathLike[str], *, full: bool | None = None) -> Description:
    """What is in a log dir, a partition directory or a segment, without judging it.

    >>> found = describe("fixtures/broker/2.1.1/plain/twitter-status-0")
    >>> found.partitions[0].log_end_offset, found.partitions[0].records
    (533, 533)

    Args:
        path: A log dir, a partition directory, or a file of a segment.
        full: Whether to go over all batches; else the first one of each segment and those after its last index entry are
            read. None: all of them where the logs have up to 32 MiB together.

    Raises:
        UnreadableFile: the path is missing, may not be read, or holds nothing of Kafka.
    """
    text, kind, directory = classify(path_of(path))
    not_read = [NotRead(error.path, error.reason) for error in problems_since()]
    if kind is Kind.FILE:
        return _of_file(text, full=full)
    if kind is Kind.PARTITION:
        partition = Partition(text, directory)
        around = log_dir_at(os.path.dirname(real_path(text)))
        return _of_partitions(text, kind, around if partition.name else None, [partition], not_read, full=full)
    log_dir = LogDir(text, directory)
    partitions = []
    for name in log_dir.partition_names:
        try:
            partitions.append(log_dir.partition(name))
        except UnreadableFile as error:
            if not has_gone(error.path):  # a running broker deletes topics
                not_read.append(NotRead(error.path, error.reason))
    return _of_partitions(text, kind, log_dir, partitions, not_read, full=full)


def _of_partitions(
    path: str,
    kind: Kind,
    log_dir: LogDir | None,
    partitions: list[Partition],
    not_read: list[NotRead],
    *,
    full: bool | None,
) -> Description:
    is_full = sum(map(_log_bytes, partitions)) <= _SMALL if full is None else full
    infos = [
        read_partition(partition, _lines(log_dir, partition), is_full=is_full, on_unreadable=not_read.append)
        for partition in partitions
    ]
    return Description(
        path=path,
        kind=kind.value,
        log_dir=None if log_dir is None else _log_dir_info(log_dir, not_read if kind is Kind.LOG_DIR else []),
        partitions=tuple(infos),
        is_full=is_full,
        not_read=tuple(not_read),
    )


def _log_bytes(partition: Partition) -> int:
    paths = (segment.paths[".log"] for segment in partition.segments if ".log" in segment.paths)
    return sum(partition.directory.size_of(os.path.basename(path)) or 0 for path in paths)


def _lines(log_dir: LogDir | None, partition: Partition) -> dict[str, CheckpointLine]:
    if log_dir is None:
        return {}
    return log_dir.context_of(real_name(partition.path)).lines


def _of_file(path: str, *, full: bool | None) -> Description:
    """The segment that a file belongs to; a log that waits to be deleted or renamed, or is a snapshot, stands for itself."""
    folder, name = os.path.dirname(path) or ".", os.path.basename(path)
    parsed = parse_any_segment_file_name(name)
    check_file_name(path)
    not_read: list[NotRead] = []
    directory = Directory(folder)
    if parsed is not None and not parsed.pending and parsed.suffix in SEGMENT_SUFFIXES:
        partition = Partition(folder, directory)
        size = directory.size_of(f"{name.removesuffix(parsed.suffix)}.log")
        is_full = (size or 0) <= _SMALL if full is None else full
        info = read_partition(partition, {}, is_full=is_full, on_unreadable=not_read.append, only=parsed.base_offset)
    elif _is_log(name):
        is_full = (directory.size_of(name) or 0) <= _SMALL if full is None else full
        segment = Segment(0 if parsed is None else parsed.base_offset, {".log": path})
        reader = SegmentReader(segment, directory, None, None, is_full=is_full)
        found = reader.read()
        info = PartitionInfo(path=folder, segments=(found,), files_size=found.size or 0)
        not_read += reader.unreadable
    else:
        raise UnreadableFile(path, "is no segment; `kafkalog show` shows what is in such a file")
    if not info.segments and not not_read:
        raise UnreadableFile(path, "belongs to no segment here; `kafkalog show` shows what is in such a file")
    return Description(path=path, kind=Kind.FILE.value, partitions=(info,), is_full=is_full, not_read=tuple(not_read))


def _is_log(name: str) -> bool:
    for pending in PENDING_SUFFIXES:
        name = name.removesuffix(pending)
    return name.endswith((".log", ".checkpoint"))


def _log_dir_info(log_dir: LogDir, not_read: list[NotRead]) -> LogDirInfo:
    problems = []
    identity = log_dir.identity
    try:
        meta = log_dir.meta_properties
        if meta is not None and meta.damage is not None:
            problems.append(f"{META_PROPERTIES}: {meta.damage.error}")
    except UnreadableFile as error:
        problems.append(f"{META_PROPERTIES} cannot be read: {error.reason}")
        not_read.append(NotRead(error.path, error.reason))
    era = BrokerEvidence(log_dir).era
    return LogDirInfo(
        path=log_dir.path,
        cluster_id=identity.cluster_id,
        node_id=identity.node_id,
        directory_id=identity.directory_id,
        written=identity.written,
        kraft=era.kraft,
        releases=tuple(map(release_text, era.releases)),
        evidence=era.evidence,
        clean_stop=log_dir.clean_stop,
        is_in_use=log_dir.in_use,
        checkpoints={name: _checkpoint_lines(log_dir, name, problems, not_read) for name in LOG_DIR_CHECKPOINTS},
        others=tuple(sorted({*log_dir.files, *log_dir.others} - _OWN)),
        problems=tuple(problems),
    )


def _checkpoint_lines(log_dir: LogDir, name: str, problems: list[str], not_read: list[NotRead]) -> int | None:
    try:
        checkpoint = log_dir.checkpoint(name)
    except UnreadableFile as error:
        problems.append(f"{name} cannot be read: {error.reason}")
        not_read.append(NotRead(error.path, error.reason))
        return None
    if checkpoint is None:
        return None
    if checkpoint.damages:
        problems.append(f"{name}: {checkpoint.damages[0].error}")
    return len(checkpoint.entries)
