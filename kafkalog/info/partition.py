"""What a partition directory holds: its segments, where its log begins and ends, and the transactions that are open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.properties import format_uuid
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.files.paths import has_gone
from kafkalog.info.segment import SegmentReader
from kafkalog.info.values import NotRead, OpenTransactionInfo, PartitionInfo
from kafkalog.replay.producers import ProducerReplay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.files.partition import Partition
    from kafkalog.info.values import SegmentInfo

__all__ = ["read_partition"]


def read_partition(
    partition: Partition,
    lines: Mapping[str, CheckpointLine],
    *,
    is_full: bool,
    on_unreadable: Callable[[NotRead], object],
    only: int | None = None,
) -> PartitionInfo:
    """What a partition directory holds.

    Args:
        partition: The directory.
        lines: The partition's lines in the checkpoint files of the log dir, by the file's name.
        is_full: Whether all batches are gone over; else the ends of the logs.
        on_unreadable: Told of each file that cannot be read.
        only: Base offset of the only segment that is wanted; None: all of them.
    """
    problems: list[str] = []
    bases = [segment.base_offset for segment in partition.segments]
    # From a snapshot on the transactions can be followed: from the log's first one, or from the one at its last segment.
    followed_from = bases[0 if is_full else -1] if bases else 0
    replay = ProducerReplay() if is_full or followed_from in partition.snapshots or followed_from == 0 else None
    if replay is not None:
        _adopt(replay, partition, followed_from)
    infos: list[SegmentInfo] = []
    for segment, until in zip(partition.segments, (*bases[1:], None), strict=False):
        if only not in (None, segment.base_offset):
            continue
        followed = replay if segment.base_offset >= followed_from else None
        reader = SegmentReader(segment, partition.directory, until, followed, is_full=is_full)
        infos.append(reader.read())
        for problem in reader.unreadable:
            if not has_gone(problem.path):  # a running broker deletes segments
                on_unreadable(problem)
    end = _end(infos)
    start = max([bases[0], *(line.offset for file, line in lines.items() if file == LOG_STARTS)]) if bases else None
    if not is_full and not (infos and infos[-1].is_scanned):
        replay = None
    transactions, known_at = _open_transactions(partition, replay, end, on_unreadable, problems)
    mark = "" if partition.name is None else partition.name.mark
    return PartitionInfo(
        path=partition.path,
        topic=partition.topic,
        partition=partition.number,
        mark=mark,
        topic_id=_topic_id(partition, problems),
        log_start_offset=start,
        log_end_offset=end,
        high_watermark=_offset(lines, HIGH_WATERMARKS),
        recovery_point=_offset(lines, RECOVERY_POINTS),
        segments=tuple(_with_transactions(infos, bases, transactions)),
        leader_epochs=_leader_epochs(partition, problems),
        open_transactions=transactions,
        open_transactions_at=known_at,
        pending=len(partition.pending) + sum(bool(name.pending) for name, _ in partition.checkpoints),
        snapshots=sum(not name.pending for name, _ in partition.checkpoints),
        others=tuple(partition.others),
        files_size=sum(entry.size or 0 for entry in partition.directory.entries if not entry.is_directory),
        problems=tuple(problems),
    )


def _offset(lines: Mapping[str, CheckpointLine], file: str) -> int | None:
    line = lines.get(file)
    return None if line is None else line.offset


def _end(infos: list[SegmentInfo]) -> int | None:
    """The end of the log as a broker takes it: after the last batch, or the base offset of an empty last segment."""
    if not infos or infos[-1].size is None:
        return None
    last = infos[-1]
    if last.last_offset is None:
        return last.base_offset if last.size == last.padding + last.damaged_bytes else None
    return max(last.last_offset + 1, last.base_offset)


def _adopt(replay: ProducerReplay, partition: Partition, offset: int) -> None:
    """Take over what the snapshot at an offset says of transactions that began before it."""
    path = partition.snapshots.get(offset, "")
    try:
        snapshot = read_producer_snapshot(partition.directory.read(path.rpartition("/")[2])) if path else None
    except UnreadableFile:
        return
    for entry in snapshot.entries if snapshot is not None and snapshot.crc_ok else ():
        if entry.current_txn_first_offset >= 0:
            replay.adopt(entry, path)


def _open_transactions(
    partition: Partition,
    replay: ProducerReplay | None,
    end: int | None,
    on_unreadable: Callable[[NotRead], object],
    problems: list[str],
) -> tuple[tuple[OpenTransactionInfo, ...], int | None]:
    """The transactions that are open, and up to which offset this is known: the newest snapshot's, or the log's end."""
    if replay is not None:
        begun = replay.open_transactions(partition.topic or "", partition.number or 0)
        return tuple(
            OpenTransactionInfo(one.producer_id, one.producer_epoch, one.first_offset, one.last_timestamp) for one in begun
        ), end
    at = max(partition.snapshots, default=None)
    if at is None:
        return (), None
    name = partition.snapshots[at].rpartition("/")[2]
    try:
        snapshot = read_producer_snapshot(partition.directory.read(name))
    except UnreadableFile as error:
        on_unreadable(NotRead(error.path, error.reason))
        problems.append(f"{name} cannot be read: {error.reason}")
        return (), None
    if not snapshot.crc_ok:
        problems.append(f"{name} has a wrong CRC, so it does not tell which transactions are open")
        return (), None
    found = [
        OpenTransactionInfo(entry.producer_id, entry.producer_epoch, entry.current_txn_first_offset, entry.timestamp)
        for entry in snapshot.entries
        if entry.current_txn_first_offset >= 0
    ]
    return tuple(sorted(found, key=lambda one: one.first_offset)), at


def _with_transactions(
    infos: Iterable[SegmentInfo], bases: list[int], transactions: Iterable[OpenTransactionInfo]
) -> Iterable[SegmentInfo]:
    """The segments with the number of open transactions that begin in each."""
    counts: dict[int, int] = {}
    for one in transactions:
        base = max((base for base in bases if base <= one.first_offset), default=None)
        if base is not None:
            counts[base] = counts.get(base, 0) + 1
    for info in infos:
        yield replace(info, open_transactions=counts[info.base_offset]) if info.base_offset in counts else info


def _topic_id(partition: Partition, problems: list[str]) -> str | None:
    try:
        metadata = partition.metadata
    except UnreadableFile as error:
        problems.append(f"partition.metadata cannot be read: {error.reason}")
        return None
    if metadata is None:
        return None
    if metadata.damage is not None:
        problems.append(f"partition.metadata: {metadata.damage.error}")
    return None if metadata.topic_id is None else format_uuid(metadata.topic_id)


def _leader_epochs(partition: Partition, problems: list[str]) -> int | None:
    try:
        epochs = partition.leader_epochs
    except UnreadableFile as error:
        problems.append(f"leader-epoch-checkpoint cannot be read: {error.reason}")
        return None
    if epochs is None:
        return None
    if epochs.damages:
        problems.append(f"leader-epoch-checkpoint: {epochs.damages[0].error}")
    return len(epochs.entries)
