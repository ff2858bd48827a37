"""How values look in a notebook, and on a console of rich: the lines and tables that people are shown of each."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from rich.text import Text

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.layout import kafka_name
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.errors import KafkalogError
from kafkalog.files.log_dir import LogDir
from kafkalog.files.partition import Partition
from kafkalog.files.segment import Segment
from kafkalog.files.source import size_of
from kafkalog.render.html import html_of_items
from kafkalog.render.items import Line
from kafkalog.render.items import Table as Grid
from kafkalog.render.quantities import count_text, size_text, utc
from kafkalog.render.screen import Screen
from kafkalog.render.text_groups import groups_text
from kafkalog.render.text_metadata import image_text
from kafkalog.render.text_transactions import transactions_text
from kafkalog.render.text_verify import report_text
from kafkalog.render.verify_causes import folded
from kafkalog.render.verify_findings import alone, place_text
from kafkalog.replay.groups import Groups
from kafkalog.replay.image import Image
from kafkalog.replay.transactions import Transactions
from kafkalog.table.records import compression_name
from kafkalog.table.request import inputs_of
from kafkalog.table.table import Table
from kafkalog.verify import Finding, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, ConsoleOptions, RenderResult

    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.record import Record
    from kafkalog.render.items import Item

__all__ = ["drawn", "html_of"]

#: Rows of a table, records of a batch and rules of a report that are shown.
_ROWS, _RECORDS, _RULES = 10, 5, 10
#: Bytes of logs that a cell reads by itself.
_AT_ONCE = 256 << 20
#: Bytes of a key or a value that are shown.
_BYTES = 48
_SUFFIXES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")


def html_of(value: Any) -> str:
    """A value as a piece of HTML. What cannot be read is said in it: a cell that only shows a value shall not fail."""

    def items() -> Iterator[Item]:
        try:
            yield from next(_VIEWS[kind] for kind in type(value).__mro__ if kind in _VIEWS)(value)
        except KafkalogError as error:
            yield Line(0, "error", str(error))

    return html_of_items(items())


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A value on a console of rich, which says how wide it is."""

    items: Callable[[], Iterator[Item]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        del console
        stream = StringIO()
        Screen(stream, options.max_width, is_coloured=True).show(self.items())
        yield Text.from_ansi(stream.getvalue())


def drawn(value: Report | Finding) -> _Drawn:
    """A value as rich prints it: a report as `kafkalog verify` shows it."""
    return _Drawn(lambda: report_text(value) if isinstance(value, Report) else alone(value))


# --- what is read ---


def _log_dir(log_dir: LogDir) -> Iterator[Item]:
    names = log_dir.partition_names
    yield Line(0, log_dir.path, count_text(len(names), "partition directory"), style="title")
    stop = {True: "clean", False: "not clean", None: "not known"}[log_dir.clean_stop]
    yield Line(
        0, "", f"node {log_dir.identity.node_id or '-'}, cluster {log_dir.identity.cluster_id or '-'}; last stop: {stop}"
    )
    rows = []
    for name in islice(names, _ROWS):
        segments = log_dir.partition(name).segments
        rows.append([name, len(segments), size_text(sum(_size(one, ".log") or 0 for one in segments))])
    yield Grid(("partition", "segments", "log"), rows)
    yield from _rest(len(names) - len(rows), "partition directory")


def _partition(partition: Partition) -> Iterator[Item]:
    segments = partition.segments
    name = partition.path if partition.name is None else f"{partition.topic}-{partition.number}"
    size = size_text(sum(_size(one, ".log") or 0 for one in segments))
    yield Line(0, name, f"{count_text(len(segments), 'segment')}, {size}", style="title")
    yield Line(0, "", partition.path)
    shown = segments if len(segments) <= _ROWS else (*segments[: _ROWS // 2], *segments[-_ROWS // 2 :])
    suffixes = [suffix for suffix in _SUFFIXES if any(suffix in one.paths for one in shown)]
    rows: list[list[object]] = [[one.base_offset, *(_size(one, suffix) for suffix in suffixes)] for one in shown]
    yield Grid(("base offset", *(f"{suffix} bytes" for suffix in suffixes)), rows)
    if len(segments) > len(shown):
        yield f"… {len(segments) - len(shown):,} more between the first {_ROWS // 2} and the last {_ROWS // 2}"
    others = [*partition.others, *(path.rpartition("/")[2] for _, path in partition.pending)]
    if others:
        yield Line(0, "", f"also there: {', '.join(others[:_ROWS])}{' …' if len(others) > _ROWS else ''}")


def _segment(segment: Segment) -> Iterator[Item]:
    yield Line(0, f"segment {segment.base_offset}", size_text(_size(segment, ".log") or 0), style="title")
    yield Grid(("file", "bytes"), [[path, size_of(path)] for path in segment.paths.values()])


def _size(segment: Segment, suffix: str) -> int | None:
    return size_of(segment.paths.get(suffix))


def _rest(count: int, noun: str) -> Iterator[Item]:
    if count > 0:
        yield f"… and {count_text(count, f'more {noun}')}"


# --- batches ---


def _batch(batch: RecordBatch | LegacyBatch) -> Iterator[Item]:
    kind = ("control batch" if batch.is_control else "batch") if isinstance(batch, RecordBatch) else "message"
    yield Line(
        0,
        f"{kind} at position {batch.position}",
        f"{size_text(batch.size)}, compression {compression_name(batch.compression_id)}",
        style="title",
    )
    yield (
        Line(0, "", "its checksum is right")
        if batch.crc_ok
        else Line(0, "error", f"CRC WRONG: the bytes have {batch.computed_crc:#010x}")
    )
    fields = zip(batch.header._fields, batch.header, strict=True)
    cells = [
        f"{kafka_name(name)} {value:#x}" if name in ("crc", "attributes") else f"{kafka_name(name)} {value}"
        for name, value in fields
    ]
    yield Line(0, "", ", ".join(cells))
    items = list(islice(batch.walk_records(), _RECORDS))
    records = [item for item in items if not isinstance(item, Damage)]
    yield Grid(("offset", "time (UTC)", "key", "value", "headers"), [_record(one) for one in records])
    for item in items:
        if isinstance(item, Damage):
            yield Line(0, "error", f"its records cannot be read further: {item.reason}")
    if isinstance(batch, RecordBatch) and len(items) == _RECORDS:
        yield from _rest(batch.header.records_count - _RECORDS, "record")


def _record(record: Record | LegacyRecord) -> list[object]:
    time = None if record.timestamp == NO_TIMESTAMP else utc(record.timestamp)
    headers = " ".join(f"{_bytes(key)}={_bytes(value)}" for key, value in record.headers[:3])
    return [record.offset, time, _bytes(record.key), _bytes(record.value), headers or None]


def _bytes(data: bytes | None) -> str:
    """The beginning of a key or a value: text in quotation marks, or hex; `null` when there is none."""
    if data is None:
        return "null"
    head = data[:_BYTES]
    more = f"… ({len(data):,} bytes)" if len(data) > _BYTES else ""
    try:
        return f'"{_whole_text(head) if more else head.decode()}{more}"'
    except UnicodeDecodeError:
        return f"{head[: _BYTES // 3].hex(' ')}{more or (f'… ({len(data)} bytes)' if len(data) > _BYTES // 3 else '')}"


def _whole_text(head: bytes) -> str:
    """Text of a beginning that may end in the middle of a character."""
    for end in range(len(head), len(head) - 4, -1):
        try:
            return head[:end].decode()
        except UnicodeDecodeError as error:
            if error.end < len(head):
                raise
    return head.decode()


# --- tables and results ---


def _table(table: Table) -> Iterator[Item]:
    title, columns = f"table {table.name}", count_text(len(table.columns), "column")
    size = sum(_size(segment, ".log") or 0 for log in inputs_of(table.request.items) for segment in log.segments)
    if size > _AT_ONCE:
        # Even the first row may need all that is in a log: how its transactions ended, what is damaged.
        yield Line(0, title, f"{columns}, {size_text(size)} of logs: .head() reads rows of it", style="title")
        yield Grid(("column", "type"), [[name, column.type] for name, column in zip(table.names, table.columns, strict=True)])
        return
    yield Line(0, title, f"{columns}; the first rows:", style="title")
    rows = [[_value(cell, column.type) for cell, column in zip(row, table.columns, strict=True)] for row in table.head(_ROWS)]
    yield Grid(table.names, rows)
    if not rows:
        yield "no rows"


def _value(value: Any, kind: str) -> object:
    """A cell of a table, by the type of its column."""
    if value is None:
        return "null" if kind == "binary" else None
    if kind == "binary":
        return _bytes(value)
    if kind == "timestamp":
        return utc(value)
    if kind == "headers":
        return " ".join(f"{key}={_bytes(data)}" for key, data in value)
    return value


def _report(report: Report) -> Iterator[Item]:
    yield from report_text(report, detail="headline")
    # What follows from something else is not what should be read first.
    groups = folded(sorted(report.all_findings(), key=lambda finding: finding.cause is not None))
    groups.sort(key=lambda group: group.findings[0].cause is not None)
    rows: list[list[object]] = [
        [first.severity.label, first.id, len(findings), place_text(first, _folder(first)), first.message]
        for first, findings in ((group.findings[0], group.findings) for group in groups[:_RULES])
    ]
    if rows:
        yield Grid(("severity", "rule", "times", "where, the first", "what"), rows, styled=0)
    yield from _rest(sum(len(group.findings) for group in groups[_RULES:]), "finding")


def _folder(finding: Finding) -> str:
    """What needs not be said of a finding's place: where the partition's directory is."""
    return os.path.dirname(os.path.dirname(finding.path))


_VIEWS: dict[type, Callable[[Any], Iterator[Item]]] = {
    Finding: alone,
    Groups: groups_text,
    Image: image_text,
    LegacyBatch: _batch,
    LogDir: _log_dir,
    Partition: _partition,
    RecordBatch: _batch,
    Report: _report,
    Segment: _segment,
    Table: _table,
    Transactions: lambda found: transactions_text(found, found.aborted),
}
