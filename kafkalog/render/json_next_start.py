"""Predictions of the next start as JSON lines: schema `kafkalog.next-start/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.core.command_line import Command
    from kafkalog.kafka.gone_offsets import Gone
    from kafkalog.next_start.outcome import Assumed, ConsumerRead, Outcome

__all__ = ["commands_json", "outcome_json", "outcome_line"]

SCHEMA = "kafkalog.next-start/1"
_ONLY_WHERE_KNOWN = ("evidence", "condition", "caveat")


def outcome_line(outcome: Outcome) -> dict[str, Any]:
    """The line of a prediction, as `kafkalog next-start` prints it."""
    return {"schema": SCHEMA, "type": "next_start", **outcome_json(outcome)}


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """A `next_start` line, without the fields every line has."""
    consumer = outcome.consumer
    return {
        "path": outcome.path,
        "assumed": _assumed(outcome.assumed),
        "broker": outcome.broker,
        "log_dir": outcome.log_dir,
        "partition": outcome.partition,
        "reason": outcome.reason,
        "truncate": None if outcome.truncate is None else [cut._asdict() for cut in outcome.truncate],
        "delete": _lists(outcome.delete),
        "rename": _lists(outcome.rename),
        "create": _lists(outcome.create),
        "rebuild": _lists(outcome.rebuild),
        "log_start_offset": outcome.log_start_offset,
        "log_end_offset": outcome.log_end_offset,
        "records_lost": outcome.records_lost,
        "bytes_lost": outcome.bytes_lost,
        "time_range_lost": _lists(outcome.time_range_lost),
        "epochs_after": _lists(outcome.epochs_after),
        "consumer": {
            "uncommitted": _reading(consumer.uncommitted if consumer else None),
            "committed": _reading(consumer.committed if consumer else None),
        },
        "set_aside": None if outcome.set_aside is None else outcome.set_aside._asdict(),
        "already_gone": None if outcome.already_gone is None else [_gone(gone) for gone in outcome.already_gone],
        "why": outcome.why,
        "actions": list(outcome.actions),
        "commands": commands_json(outcome.commands),
    }


def commands_json(commands: Iterable[Command]) -> list[dict[str, Any]]:
    """Commands to paste."""
    return [{"line": command.line, "use": command.use, "notes": list(command.notes)} for command in commands]


def _assumed(assumed: Assumed) -> dict[str, Any]:
    """What a prediction is based on: the evidence only where there is some."""
    return {name: value for name, value in assumed._asdict().items() if value or name not in _ONLY_WHERE_KNOWN}


def _gone(gone: Gone) -> dict[str, Any]:
    doubts = {name: value for name, value in (("unless", gone.unless), ("against", gone.against)) if value}
    told = {"first": gone.first, "last": gone.last, "place": gone.place, "witness": gone.witness}
    return {**told, "certain": gone.certain, "at_most": gone.at_most, **doubts}


def _lists(value: tuple[Any, ...] | None) -> list[Any] | None:
    """Tuples as lists, as JSON reads them back."""
    return None if value is None else [list(item) if isinstance(item, tuple) else item for item in value]


def _reading(read: ConsumerRead | None) -> dict[str, Any] | None:
    if read is None:
        return None
    stretches = {
        "read": [list(stretch) for stretch in read.read],
        "skipped": [skipped._asdict() for skipped in read.skipped],
        "unreached": None if read.unreached is None else list(read.unreached),
    }
    return {**read._asdict(), **stretches}
