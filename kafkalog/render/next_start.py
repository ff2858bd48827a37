"""A prediction of the next start, as JSON lines and as text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kafkalog.files.source import printable
from kafkalog.render.quantities import duration_text, size_text, utc

if TYPE_CHECKING:
    from kafkalog.recovery.outcome import ConsumerRead, Outcome

__all__ = ["SCHEMA", "next_start_fields", "next_start_line", "next_start_text"]

#: Of the lines that `kafkalog next-start` prints; inside a report of `verify` they carry that one's.
SCHEMA = "kafkalog.next-start/1"
#: Files of one kind that the text names before it only counts.
_NAMED = 6


def next_start_fields(outcome: Outcome) -> dict[str, Any]:
    """The fields of a `next_start` line, in order, without schema and type."""
    consumer = outcome.consumer
    return {
        "path": outcome.path,
        "assumed": outcome.assumed._asdict(),
        "broker": outcome.broker,
        "log_dir": outcome.log_dir,
        "partition": outcome.partition,
        "reason": outcome.reason,
        "truncate": None if outcome.truncate is None else [cut._asdict() for cut in outcome.truncate],
        "delete": outcome.delete,
        "rename": outcome.rename,
        "create": outcome.create,
        "rebuild": outcome.rebuild,
        "log_start_offset": outcome.log_start_offset,
        "log_end_offset": outcome.log_end_offset,
        "records_lost": outcome.records_lost,
        "bytes_lost": outcome.bytes_lost,
        "time_range_lost": outcome.time_range_lost,
        "epochs_after": outcome.epochs_after,
        "consumer": {
            "uncommitted": _read(consumer.uncommitted if consumer else None),
            "committed": _read(consumer.committed if consumer else None),
        },
        "why": outcome.why,
    }


def _read(read: ConsumerRead | None) -> dict[str, Any] | None:
    return None if read is None else read._asdict()


def next_start_line(outcome: Outcome, schema: str = SCHEMA) -> str:
    """One JSON line; undecodable names come out as lone surrogates, escaped."""
    return json.dumps({"schema": schema, "type": "next_start", **next_start_fields(outcome)}, ensure_ascii=True)


def next_start_text(outcome: Outcome) -> list[str]:
    """The lines that people read."""
    assumed = outcome.assumed
    release = f"Kafka {assumed.release}" if assumed.release else "any Kafka from 2.8 on"
    point = "" if assumed.stop == "clean" or assumed.recovery_point is None else f", recovery point {assumed.recovery_point}"
    lines = [
        f"{printable(outcome.path)} ({assumed.stop} stop{point}, {release})",
        f"  partition {outcome.partition} · log dir {outcome.log_dir or 'unknown'} · broker {outcome.broker or 'unknown'}",
        f"  {printable(outcome.reason)}",
    ]
    if outcome.log_end_offset is not None:
        lines.append(f"  log from offset {outcome.log_start_offset} to {outcome.log_end_offset}")
    if outcome.bytes_lost and not outcome.records_lost:
        lines.append(f"  cuts {size_text(outcome.bytes_lost)} that hold no record")
    elif outcome.records_lost:
        lines.append(f"  lost: {outcome.records_lost} records, {size_text(outcome.bytes_lost or 0)}{_duration(outcome)}")
    for cut in outcome.truncate or ():
        where = "" if cut.offset is None else f", before offset {cut.offset}"
        lines.append(f"  cuts     {printable(cut.path)} at position {cut.position}{where}")
    lines += _files("deletes ", outcome.delete)
    lines += _files("renames ", tuple(f"{before} -> {now}" for before, now in outcome.rename or ()))
    lines += _files("makes   ", outcome.create)
    lines += _files("rebuilds", outcome.rebuild)
    if outcome.consumer is not None:
        for name, read in zip(outcome.consumer._fields, outcome.consumer, strict=True):
            if read is not None:
                lines.append(f"  a consumer (read_{name}) gets {_consumer(read)}")
    lines += [f"  unknown: {name}: {printable(text)}" for name, text in outcome.why.items() if _worth_saying(outcome, name)]
    if outcome.actions:
        lines.append("  before the restart:")
        lines += [f"    {number}. {printable(action)}" for number, action in enumerate(outcome.actions, 1)]
    return lines


def _worth_saying(outcome: Outcome, name: str) -> bool:
    """What follows from the state of the partition the line above has said."""
    return outcome.partition == "loaded" or (outcome.partition == "unknown" and name == "partition")


def _files(verb: str, paths: tuple[str, ...] | None) -> list[str]:
    paths = paths or ()
    lines = [f"  {verb} {printable(path)}" for path in paths[:_NAMED]]
    return [*lines, f"  {verb} {len(paths) - _NAMED} more"] if len(paths) > _NAMED else lines


def _consumer(read: ConsumerRead) -> str:
    if read.stuck and read.error is None:
        return f"{read.records} records and gets no further than offset {read.stops_at_offset}, without an error"
    if read.error is not None:
        return f"{read.records} records and fails at offset {read.stops_at_offset}: {read.error}"
    return f"all {read.records} records, up to offset {read.stops_at_offset}"


def _duration(outcome: Outcome) -> str:
    if outcome.time_range_lost is None:
        return ""
    first, last = outcome.time_range_lost
    return f", {duration_text(last - first)} of data ({utc(first)} to {utc(last)})"
