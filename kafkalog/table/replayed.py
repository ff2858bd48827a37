"""The tables of what was worked out from logs: `transactions`, `findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LogDir
from kafkalog.files.segment import Segment
from kafkalog.replay.transactions import AbortedTransaction, OpenTransaction, read_transactions
from kafkalog.services import service
from kafkalog.table.columns import Column, Definition

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator

    from kafkalog.files.partition import Partition
    from kafkalog.table.request import Request

__all__ = ["FINDINGS", "TRANSACTIONS"]


def _paths(request: Request, *suffixes: str) -> list[str | os.PathLike[str] | Partition]:
    """The caller's items, as those take them who read whole directories; of a segment the files with these suffixes, or all."""
    paths: list[str | os.PathLike[str] | Partition] = []
    for item in request.items:
        if isinstance(item, LogDir):
            paths.append(item.path)
        elif isinstance(item, Segment):
            paths += [path for suffix, path in item.paths.items() if not suffixes or suffix in suffixes]
        else:
            paths.append(item)
    return paths


def _transactions(request: Request) -> Iterator[AbortedTransaction | OpenTransaction]:
    found = read_transactions(_paths(request, ".log"))
    for note in found.notes:
        if note.damage is not None:
            request.on_damage(note.path, note.damage)
    yield from found.aborted
    yield from found.open
    for problem in found.problems:
        raise UnreadableFile(problem.path, problem.message)


def _of_aborted(name: str) -> Callable[[AbortedTransaction | OpenTransaction], Any]:
    return lambda row: getattr(row, name) if isinstance(row, AbortedTransaction) else None


def _of_open(name: str) -> Callable[[AbortedTransaction | OpenTransaction], Any]:
    return lambda row: getattr(row, name) if isinstance(row, OpenTransaction) else None


TRANSACTIONS = Definition(
    "transactions",
    "A row for each transaction that was aborted in a partition, then for each that is open at its end.",
    (
        Column("topic", "name", "The topic.", lambda row: row.topic),
        Column("partition", "int32", "The partition.", lambda row: row.partition),
        Column(
            "state",
            "category",
            "How it ended: aborted, or open.",
            lambda row: "aborted" if isinstance(row, AbortedTransaction) else "open",
        ),
        Column("producer_id", "int64", "Its producer's id.", lambda row: row.producer_id),
        Column("producer_epoch", "int16", "Its producer's epoch.", lambda row: row.producer_epoch),
        Column(
            "transactional_id",
            "string",
            "Whose it is, by __transaction_state; None where that is not given or does not know.",
            lambda row: row.transactional_id,
        ),
        Column("first_offset", "int64", "Its first offset; None: its data are no longer there.", lambda row: row.first_offset),
        Column("last_offset", "int64", "Its last offset so far; None: it has ended.", _of_open("last_offset")),
        Column("records", "int64", "Its records so far; None: it has ended.", _of_open("records")),
        Column("marker_offset", "int64", "Offset of its marker; None: it is open.", _of_aborted("marker_offset")),
        Column(
            "marker_timestamp",
            "int64",
            "When the marker was written, milliseconds; None: it is open.",
            _of_aborted("marker_timestamp"),
        ),
        Column(
            "coordinator_epoch", "int32", "Epoch of the producer's last marker, -1 none.", lambda row: row.coordinator_epoch
        ),
        Column("verdict", "category", "Of an open one: ongoing, hanging, unknown.", _of_open("verdict")),
        Column("why", "string", "What decided about the verdict.", _of_open("why")),
        Column("path", "name", "The file with its first batch, or with its marker.", lambda row: row.path),
    ),
    _transactions,
)


def _findings(request: Request) -> Iterator[Any]:
    report = service("verify")([getattr(item, "path", item) for item in _paths(request)])
    yield from report.all_findings()
    for unread in report.not_checked:
        if unread.failed:
            raise UnreadableFile(unread.path, unread.reason)


def _of_span(name: str) -> Callable[[Any], Any]:
    return lambda row: None if row.span is None else getattr(row.span, name)


FINDINGS = Definition(
    "findings",
    "A row for each finding of verify.",
    (
        Column("rule", "name", "The rule's id.", lambda row: row.id),
        Column("severity", "category", "error, warning or info.", lambda row: row.severity.label),
        Column("path", "name", "The file it is about.", lambda row: row.path),
        Column("start", "int64", "First byte concerned; None where that file is gone.", _of_span("start")),
        Column("end", "int64", "The byte after the last.", _of_span("end")),
        Column(
            "first_offset",
            "int64",
            "First log offset concerned; None: none is.",
            lambda row: None if row.offsets is None else row.offsets[0],
        ),
        Column("last_offset", "int64", "The last one.", lambda row: None if row.offsets is None else row.offsets[1]),
        Column("message", "string", "What is wrong.", lambda row: row.message),
        Column("consequence", "string", "What it costs.", lambda row: row.consequence),
        Column("remedy", "string", "What to do.", lambda row: row.remedy),
        Column(
            "cause",
            "name",
            "The rule of the finding that this one follows from; None: it follows from none.",
            lambda row: None if row.cause is None else row.cause.id,
        ),
    ),
    _findings,
)
