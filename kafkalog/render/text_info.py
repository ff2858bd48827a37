"""What is in log dirs, partitions and segments, as text for people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from kafkalog.core.dates import DATES, date_text
from kafkalog.core.spoken import listed
from kafkalog.files.log_dir import CLEANER_OFFSETS, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.info.values import PartitionInfo, SegmentInfo
from kafkalog.render.items import Line, Table
from kafkalog.render.quantities import agreeing, count_text, size_text, stretch_text
from kafkalog.render.tables import column_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkalog.info.values import Description, LogDirInfo
    from kafkalog.render.items import Item

__all__ = ["info_items"]

T = TypeVar("T", PartitionInfo, SegmentInfo)

#: How rows are ordered: by name (by offset), or the largest first.
SORTS: dict[str, Callable[[PartitionInfo | SegmentInfo], int]] = {
    "name": lambda _: 0,
    "size": lambda info: -(info.size or 0),
    "records": lambda info: -_most_records(info),
    "time": lambda info: -(info.newest_timestamp or 0),
}
#: What the lines of the checkpoint files are.
_CHECKPOINTS = {
    CLEANER_OFFSETS: "of the cleaner",
    LOG_STARTS: "with log starts",
    RECOVERY_POINTS: "with recovery points",
    HIGH_WATERMARKS: "with high watermarks",
}
#: Sentences about single files that are shown, and names.
_MOST = 20
_NAMES = 5
#: Columns that are said once where they are the same in every row.
_SAID_ONCE = ("start", "codecs", "magic", "epochs")
#: Columns whose texts may be shortened to fit a terminal.
_SHORTENED = ("partition", "codecs")


def info_items(
    described: Iterable[Description],
    *,
    with_segments: bool | None = None,
    sort: str = "name",
    width: int | None = None,
) -> Iterator[Item]:
    """What is at each path: whose it is, then its partitions, or the segments of each; last the totals.

    Args:
        described: What is at each path.
        with_segments: Whether to show the segments of each partition; None: not those of a log dir.
        sort: How rows are ordered, one of `SORTS`.
        width: Columns of the terminal; of a log dir what does not fit into them is left out. None: nothing is.
    """
    found = []
    for one in described:
        found.append(one)
        wanted = one.kind != "log dir" if with_segments is None else with_segments
        yield from _description(one, with_segments=wanted, sort=sort, width=width)
        yield ""
    yield from _totals(found)


def _description(found: Description, *, with_segments: bool, sort: str, width: int | None) -> Iterator[Item]:
    if found.log_dir is not None and found.kind == "log dir":
        yield from _log_dir(found.log_dir)
    if found.kind == "log dir" and not with_segments:
        yield ""
        yield from _rows(_partition_columns(_in_order(found.partitions, sort)), width)
        yield from _problems([problem for info in found.partitions for problem in _all_problems(info)])
        return
    for partition in _in_order(found.partitions, sort):
        if found.kind == "log dir":
            yield ""
        yield from _partition(partition, found)
        yield ""
        yield from _rows(_segment_columns(_in_order(partition.segments, sort)))
        yield from _problems(_all_problems(partition))


def _totals(found: Sequence[Description]) -> Iterator[Item]:
    """The last lines: what was not read, and the totals."""
    if not found:
        return
    partitions = sum(len(one.partitions) for one in found)
    left = sum(one.bytes_not_read for one in found)
    if left:
        text = f"Read were the ends of the logs. {size_text(left)} between them were not: --full goes over all batches."
        yield Line(0, "", text, prose=True)
    records = sum(_most_records(partition) for one in found for partition in one.partitions)
    exact = all(one.records is not None for one in found)
    logs = sum(one.size for one in found)
    parts = [
        count_text(partitions, "partition"),
        count_text(sum(one.segments for one in found), "segment"),
        f"{'' if exact else 'at most '}{count_text(records, 'record')}",
        f"{size_text(logs)} of logs",
        f"{size_text(sum(one.files_size for one in found) - logs)} of other files",
    ]
    open_count = sum(one.open_transactions for one in found)
    parts += [count_text(open_count, "open transaction")] if open_count else []
    yield Line(0, "", ", ".join(parts), prose=True)


# --- whose it is -------------------------------------------------------------------------------------------------------


def _log_dir(found: LogDirInfo) -> Iterator[Item]:
    node = "a node that it does not name" if found.node_id is None else f"node {found.node_id}"
    cluster = "" if found.cluster_id is None else f" of cluster {found.cluster_id}"
    yield Line(0, found.path, f"log dir of {node}{cluster}", style="title", prose=True)
    kinds = {True: "KRaft", False: "ZooKeeper", None: "KRaft or ZooKeeper"}
    releases = " or ".join(found.releases)
    yield Line(
        2, "", f"{kinds[found.kraft]}; the next start is predicted as that of Kafka {releases}: {found.evidence}", prose=True
    )
    yield Line(2, "", _stop(found), prose=True)
    if found.directory_id is not None:
        yield Line(2, "", f"directory id {found.directory_id}")
    held = [f"{count:,} {_CHECKPOINTS[name]}" for name, count in found.checkpoints.items() if count is not None]
    missing = [name for name, count in found.checkpoints.items() if count is None]
    texts = [f"Lines in the checkpoint files: {', '.join(held)}."] if held else []
    texts += [f"Missing or unreadable: {', '.join(missing)}."] if missing else []
    yield from (Line(2, "", text, prose=True) for text in texts)
    yield from _others(found.others)
    yield from (Line(2, "", text, prose=True) for text in found.problems)


def _stop(found: LogDirInfo) -> str:
    if found.clean_stop:
        return "The broker was stopped cleanly."
    if found.is_in_use:
        return "The broker was running when this was copied, or was killed: an active segment is preallocated."
    if found.clean_stop is None:
        return "Nothing shows how the broker was stopped: this is no whole log dir."
    return "No marker of a clean stop: the broker was running when this was copied, or was not stopped cleanly."


def _others(names: Sequence[str]) -> Iterator[Item]:
    if names:
        yield Line(2, "", f"Not Kafka's: {listed(names, _NAMES)}", prose=True)


def _partition(found: PartitionInfo, description: Description) -> Iterator[Item]:
    name = (
        "a directory that is not named as a partition"
        if found.topic is None
        else f"partition {found.partition} of {found.topic}"
    )
    mark = f", marked {found.mark}" if found.mark else ""
    of_file = description.kind == "file"
    yield Line(
        0, description.path if of_file else found.path, f"{'a segment of ' if of_file else ''}{name}{mark}", style="title"
    )
    if not of_file:
        ends = [] if found.log_start_offset is None else [f"log start {found.log_start_offset}"]
        ends += [f"log end {'not known' if found.log_end_offset is None else found.log_end_offset}"] if found.segments else []
        ends += [] if found.high_watermark is None else [f"high watermark {found.high_watermark}"]
        ends += [] if found.recovery_point is None else [f"recovery point {found.recovery_point}"]
        yield Line(2, "", ", ".join(ends) or "no segments", prose=True)
        beside = [] if found.topic_id is None else [f"topic id {found.topic_id}"]
        beside += [] if found.leader_epochs is None else [count_text(found.leader_epochs, "leader epoch")]
        beside += [count_text(found.snapshots, "metadata snapshot")] if found.snapshots else []
        beside += [f"{count_text(found.pending, 'file')} marked .deleted, .cleaned, .swap or .part"] if found.pending else []
        yield from [Line(2, "", ", ".join(beside), prose=True)] if beside else []
        yield from _others(found.others)
        if description.log_dir is not None and description.kind != "log dir":
            node = "" if description.log_dir.node_id is None else f" of node {description.log_dir.node_id}"
            yield Line(2, "", f"In the log dir {description.log_dir.path}{node}. {_stop(description.log_dir)}", prose=True)
    yield from _transactions(found)


def _transactions(found: PartitionInfo) -> Iterator[Item]:
    if not found.open_transactions:
        return
    count = len(found.open_transactions)
    since = "" if found.open_transactions_at in (None, found.log_end_offset) else f" at offset {found.open_transactions_at}"
    where = f", by the newest snapshot; the log goes on to {found.log_end_offset}" if since else ""
    verb = agreeing(count, "is", "are")
    yield Line(2, "", f"{count_text(count, 'transaction')} {verb} open{since}{where}:", prose=True)
    for one in found.open_transactions[:_MOST]:
        text = f"producer {one.producer_id} epoch {one.producer_epoch}, first offset {one.first_offset}"
        yield Line(4, "", f"{text}, last heard of {_date(one.last_timestamp)}", prose=True)
    if count > _MOST:
        yield Line(4, "", f"and {count - _MOST} more")


# --- tables ------------------------------------------------------------------------------------------------------------


def _in_order(infos: Sequence[T], sort: str) -> list[T]:
    return sorted(infos, key=SORTS[sort])


def _partition_columns(found: Sequence[PartitionInfo]) -> dict[str, list[object]]:
    return {
        "partition": [os.path.basename(one.path) or one.path for one in found],
        "start": [one.log_start_offset for one in found],
        "end": [one.log_end_offset for one in found],
        "records": [_records(one) for one in found],
        "size": _to_the_right([size_text(one.size) for one in found]),
        "segments": [len(one.segments) for one in found],
        "newest": [_date(one.newest_timestamp) for one in found],
        "open txns": [len(one.open_transactions) or None for one in found],
        "codecs": [", ".join(one.codecs) or None for one in found],
        "magic": [_numbers(one.magics) for one in found],
        "epochs": [_epochs(one) for one in found],
    }


def _segment_columns(found: Sequence[SegmentInfo]) -> dict[str, list[object]]:
    def entries(suffix: str) -> list[object]:
        return [one.indexes[suffix].entries if suffix in one.indexes else None for one in found]

    return {
        "base offset": [one.base_offset for one in found],
        "last": [one.last_offset for one in found],
        "records": [_records(one) for one in found],
        "size": _to_the_right(["no .log" if one.size is None else size_text(one.size) for one in found]),
        "oldest": [_date(one.oldest_timestamp) for one in found],
        "newest": [_date(one.newest_timestamp) for one in found],
        "batches": [one.batches for one in found],
        "codecs": [_codecs(one) for one in found],
        "magic": [_numbers(one.magics) for one in found],
        "epochs": [_epochs(one) for one in found],
        "open txns": [one.open_transactions or None for one in found],
        "modified": [_date(one.modified) for one in found],
        "indexes": _to_the_right([size_text(one.files_size - (one.size or 0)) for one in found]),
        ".index": entries(".index"),
        ".timeindex": entries(".timeindex"),
        ".txnindex": entries(".txnindex"),
        ".snapshot": entries(".snapshot"),
    }


def _rows(columns: dict[str, list[object]], width: int | None = None) -> Iterator[Item]:
    """A table; what is the same in all its rows stands above it. With a width, one table: what does not fit is named."""
    count = len(next(iter(columns.values())))
    if not count:
        return
    known = {name: {value for value in values if value is not None} for name, values in columns.items()}
    once = {name: values.pop() for name, values in known.items() if name in _SAID_ONCE and count > 1 and len(values) == 1}
    if once:
        said = ", ".join(f"{name} {value}" for name, value in once.items())
        yield Line(2, "", f"Everywhere, as far as it is known: {said}.", prose=True)
    names = [name for name in columns if name not in once and any(value is not None for value in columns[name])]
    whole = tuple(number for number, name in enumerate(names) if name not in _SHORTENED)
    rows = [list(row) for row in zip(*(columns[name] for name in names), strict=True)]
    left_out: list[str] = []
    if width is not None:
        fitting = len(column_groups(names, rows, width, whole)[0])
        names, left_out = names[:fitting], names[fitting:]
        rows = [row[:fitting] for row in rows]
    yield Table(tuple(names), rows, whole=tuple(number for number in whole if number < len(names)))
    if left_out:
        yield Line(0, "", f"(no room for {' and '.join(left_out)}: give a partition, or --format jsonl)", prose=True)


def _problems(found: Sequence[tuple[str, str]]) -> Iterator[Item]:
    for path, text in found[:_MOST]:
        yield Line(0, "", f"{path}: {text}", prose=True)
    if len(found) > _MOST:
        yield Line(0, "", f"and {len(found) - _MOST} more; --format jsonl has all of them")


def _all_problems(found: PartitionInfo) -> list[tuple[str, str]]:
    """What is odd in a partition and in its segments, with the path of each."""
    own = [(found.path, text) for text in found.problems]
    return own + [(segment.path, text) for segment in found.segments for text in segment.problems]


def _to_the_right(texts: Sequence[str]) -> list[object]:
    width = max(map(len, texts), default=0)
    return [text.rjust(width) for text in texts]


def _date(timestamp: int | None) -> str | None:
    """To the minute, UTC."""
    if timestamp is None:
        return None
    date = date_text(timestamp)
    return (
        date[:-7] if 0 <= timestamp < DATES.stop else f"year {date.partition('-')[0]}" if timestamp > 0 else f"{timestamp} ms"
    )


def _most_records(info: PartitionInfo | SegmentInfo) -> int:
    """How many records there are; as many as there are offsets where that is not known."""
    if info.records is not None:
        return info.records
    if isinstance(info, SegmentInfo):
        first = info.base_offset if info.first_offset is None else info.first_offset
        return 0 if info.last_offset is None else max(0, info.last_offset - first + 1)
    return sum(map(_most_records, info.segments))


def _records(info: PartitionInfo | SegmentInfo) -> int | str | None:
    if info.records is not None:
        return info.records
    most = _most_records(info)
    return f"≤ {most}" if most else None


def _codecs(info: PartitionInfo | SegmentInfo) -> str | None:
    """The codecs; where several are used, with the share of batches of each."""
    total = sum(info.codecs.values())
    if len(info.codecs) < 2:
        return next(iter(info.codecs), None)
    shares = sorted(info.codecs.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {100 * count / total:.0f} %" for name, count in shares)


def _numbers(values: Iterable[int]) -> str | None:
    return ", ".join(map(str, values)) or None


def _epochs(info: PartitionInfo | SegmentInfo) -> str | None:
    if info.epochs is None:
        return None
    return stretch_text(*info.epochs)
