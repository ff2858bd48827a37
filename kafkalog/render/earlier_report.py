"""A verify report out of its JSON lines: what `json_verify` has written, read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.core.command_line import Command
from kafkalog.core.log_digests import LogDigests
from kafkalog.errors import RequestError
from kafkalog.kafka.consumed import Skipped
from kafkalog.kafka.gone_offsets import Gone
from kafkalog.next_start.cause import NOTE
from kafkalog.next_start.cause import Cause as StartCause
from kafkalog.next_start.outcome import Assumed, Consumer, ConsumerRead, Outcome, SetAside, Truncation
from kafkalog.render.effects import describe_effects
from kafkalog.render.json_told import TOLD, read_told
from kafkalog.render.json_verify import SCHEMA
from kafkalog.span import Span
from kafkalog.verify.effects import Effect
from kafkalog.verify.finding import Cause, Finding, Severity
from kafkalog.verify.report import NotChecked, PartitionReport, Report
from kafkalog.verify.told import all_told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.verify.told import Told

__all__ = ["read_report"]

T = TypeVar("T")

#: A consumer that does not get all; how it fails, a line about the other kind of stop does not tell.
_FAILS = ConsumerRead(records=0, stops_at_offset=0, error=None, stuck=True)


def read_report(text: str) -> Report:
    """The report that `kafkalog verify --format jsonl` printed; of several runs one after the other, one report.

    What only the text of a run tells is not in it: where the valid part of a log ends.

    Raises:
        RequestError: a line is none of that output, or the last run has no summary.
    """
    reports: list[Report] = []
    reader = _Run()
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            schema = row["schema"]
            finished = reader.take(row) if schema == SCHEMA else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            if number == len(lines) and line.startswith('{"schema": ') and not line.endswith("}"):
                raise RequestError(f"line {number} is cut off: the run, or the copying of its lines, ended early") from None
            raise RequestError(f"line {number} is no line of `kafkalog verify --format jsonl`") from None
        if schema != SCHEMA:
            raise RequestError(f"line {number} is of the schema {schema!r}, not of {SCHEMA!r}")
        if finished is not None:
            reports.append(finished)
            reader = _Run()
    if not reports or reader.is_begun:
        raise RequestError("the lines end without a summary: they are not all that `kafkalog verify --format jsonl` printed")
    return reports[0].merge(*reports[1:])


class _Run:
    """Takes the lines of one run: findings come before the partition that they belong to, predictions after it."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._partitions: list[dict[str, Any]] = []
        self._beside: list[Outcome] = []
        self._told: list[Told] = []

    @property
    def is_begun(self) -> bool:
        """Whether there was a line."""
        return bool(self._findings or self._partitions or self._beside)

    def take(self, row: dict[str, Any]) -> Report | None:
        """Take a line; a report when it is the last one."""
        _check(row)
        if row["type"] == "finding":
            self._findings.append(_finding(row))
        elif row["type"] == "partition":
            self._partitions.append({"row": row, "findings": tuple(self._findings), "next_start": []})
            self._findings = []
        elif row["type"] == "next_start":
            outcome = _outcome(row)
            last = self._partitions[-1] if self._partitions and not self._findings else None
            is_own = last is not None and last["row"]["path"] == outcome.path
            (last["next_start"] if last is not None and is_own else self._beside).append(outcome)
        elif row["type"] in TOLD:
            self._told.append(read_told(row))
        elif row["type"] == "summary":
            return self._report(row)
        return None

    def _report(self, row: dict[str, Any]) -> Report:
        if row["partitions"] != len(self._partitions):
            have = f"its lines are of {len(self._partitions)} of the {row['partitions']} partitions that it has looked at"
            raise RequestError(f"{have}: run `kafkalog verify` without --only, which can be given here")
        unread = set(row.get("unread", ()))
        return Report(
            now=row["now"],
            partitions=tuple(_partition(**one) for one in self._partitions),
            findings=tuple(self._findings),
            not_checked=tuple(NotChecked(one["path"], one["reason"], one["path"] in unread) for one in row["not_checked"]),
            version=row["version"],
            files=row["files"],
            bytes=row["bytes"],
            hashes=tuple(row["hashes"].items()),
            suppressed=row["suppressed"],
            left_out=row["left_out"],
            quick=row.get("quick", False),
            next_start=tuple(self._beside),
            told=all_told(self._told),
        )


#: Fields that are texts, whole numbers, or either that or null, by the type of the line.
_TEXTS = {
    "claim": ("path",),
    "finding": ("id", "path", "message", "consequence", "remedy"),
    "log_dir": ("path",),
    "metadata_log": ("path",),
    "next_start": ("path", "reason"),
    "partition": ("path",),
}
_NUMBERS = {
    "partition": ("segments", "batches", "records", "bytes"),
    "summary": ("now", "partitions", "files", "bytes", "suppressed", "left_out"),
}
_NUMBERS_OR_NULL = {
    "next_start": ("log_start_offset", "log_end_offset", "records_lost", "bytes_lost"),
    "partition": ("partition", "valid_through_offset", "log_start_offset", "log_end_offset"),
}
_TEXTS_OR_NULL = {
    "claim": ("within",),
    "log_dir": ("cluster_id", "node_id", "directory_id", "written"),
    "metadata_log": ("within",),
    "next_start": ("broker", "log_dir", "partition"),
    "partition": ("topic", "topic_id"),
    "summary": ("version",),
}


def _check(row: dict[str, Any]) -> None:
    """See that a line was not changed by somebody: that its main fields are what they should be.

    Raises:
        TypeError, KeyError: they are not.
    """
    for kinds, fields in (
        ((str,), _TEXTS),
        ((int,), _NUMBERS),
        ((str, type(None)), _TEXTS_OR_NULL),
        ((int, type(None)), _NUMBERS_OR_NULL),
    ):
        for name in fields.get(row["type"], ()):
            if type(row[name]) not in kinds:
                raise TypeError(name)


def _partition(row: dict[str, Any], findings: tuple[Finding, ...], next_start: Iterable[Outcome]) -> PartitionReport:
    return PartitionReport(
        path=row["path"],
        topic=row["topic"],
        partition=row["partition"],
        findings=findings,
        valid_through_offset=row["valid_through_offset"],
        valid_file="",
        valid_position=0,
        is_remote=row.get("remote", False),
        log_start_offset=row["log_start_offset"],
        log_end_offset=row["log_end_offset"],
        segments=row["segments"],
        batches=row["batches"],
        records=row["records"],
        bytes=row["bytes"],
        readable=row["verdict"] != "unknown",
        next_start=tuple(next_start),
        otherwise=_otherwise(row, next_start),
        topic_id=row["topic_id"],
        cleaned=row.get("cleaned", False),
        digests=_digests(row.get("digests")),
    )


def _otherwise(row: dict[str, Any], told: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """What a start after the other kind of stop does, as far as the line of a partition tells."""
    stops = {outcome.assumed.stop for outcome in told}
    return tuple(_start(row["path"], one) for one in row["starts"] if stops and one["stop"] not in stops)


def _start(path: str, row: dict[str, Any]) -> Outcome:
    does, records, size = row["does"], row["records"], row["bytes"]
    moves = does == "stray"
    return Outcome(
        path=path,
        assumed=Assumed(row["stop"], None, row["release"]),
        broker="aborts" if does == "stops" else "starts",
        log_dir="offline" if does == "offline" else "online",
        partition={"loads": "loaded", "stops": "unknown", "offline": "unknown"}.get(does, does),
        causes=(),
        rename=((path, f"{path}-stray"),) if moves else (),
        records_lost=0 if moves else records,
        bytes_lost=0 if moves else size,
        set_aside=SetAside(records, size or 0) if moves else None,
        consumer=Consumer(_FAILS, _FAILS) if row["is_harm"] and does == "loads" and records == 0 else None,
    )


def _digests(row: dict[str, Any] | None) -> LogDigests | None:
    """Earlier versions wrote none."""
    return None if row is None else LogDigests(row["width"], tuple((number, int(digest, 16)) for number, digest in row["sums"]))


def _finding(row: dict[str, Any]) -> Finding:
    facts = {name: value for name, value in row["facts"].items() if name != "next_start"}
    # A rule may have a fact of that name.
    cause = facts.pop("cause") if isinstance(facts.get("cause"), dict) else None
    effects = tuple(_effect(one) for one in row["facts"].get("next_start", ()))
    return Finding(
        id=row["id"],
        severity=Severity.parse(row["severity"]),
        path=row["path"],
        span=None if row["span"] is None else Span(*row["span"]),
        offsets=None if row["offsets"] is None else (row["offsets"][0], row["offsets"][1]),
        message=row["message"],
        facts=facts,
        consequence=row["consequence"].removesuffix(f" {describe_effects(effects)}") if effects else row["consequence"],
        remedy=row["remedy"],
        commands=_commands(row["commands"]),
        cause=None if cause is None else Cause(cause["id"], cause["path"]),
        next_start=effects,
    )


def _effect(row: dict[str, Any]) -> Effect:
    return Effect(
        stop=row["stop"],
        release=row["release"],
        does=row["does"],
        reason=row["reason"],
        path=row["path"],
        position=row["position"],
        segments=row["segments_deleted"],
        records=row["records_lost"],
        size=row["bytes_lost"],
        times=None if row["time_range_lost"] is None else (row["time_range_lost"][0], row["time_range_lost"][1]),
        log_end_offset=row["log_end_offset"],
    )


def _outcome(row: dict[str, Any]) -> Outcome:
    reads = [_read(row["consumer"][level]) for level in ("uncommitted", "committed")]
    aside, gone = row["set_aside"], row["already_gone"]
    return Outcome(
        path=row["path"],
        assumed=_known(Assumed, row["assumed"]),
        broker=row["broker"],
        log_dir=row["log_dir"],
        partition=row["partition"],
        causes=(StartCause(NOTE, row["reason"]),),
        truncate=None if row["truncate"] is None else tuple(_known(Truncation, one) for one in row["truncate"]),
        delete=_tuple(row["delete"]),
        rename=None if row["rename"] is None else tuple((before, after) for before, after in row["rename"]),
        create=_tuple(row["create"]),
        rebuild=_tuple(row["rebuild"]),
        log_start_offset=row["log_start_offset"],
        log_end_offset=row["log_end_offset"],
        records_lost=row["records_lost"],
        bytes_lost=row["bytes_lost"],
        time_range_lost=None if row["time_range_lost"] is None else (row["time_range_lost"][0], row["time_range_lost"][1]),
        epochs_after=None if row["epochs_after"] is None else tuple((epoch, start) for epoch, start in row["epochs_after"]),
        consumer=None if reads == [None, None] else Consumer(*reads),
        set_aside=None if aside is None else _known(SetAside, aside),
        already_gone=None if gone is None else tuple(_known(Gone, one) for one in gone),
        why=dict(row["why"]),
        actions=tuple(row["actions"]),
        commands=_commands(row["commands"]),
    )


def _commands(rows: Iterable[dict[str, Any]]) -> tuple[Command, ...]:
    return tuple(Command(one["line"], one["use"], tuple(one["notes"])) for one in rows)


def _read(row: dict[str, Any] | None) -> ConsumerRead | None:
    if row is None:
        return None
    unreached = row["unreached"]
    stretches = {
        "read": tuple((first, last) for first, last in row["read"]),
        "skipped": tuple(_known(Skipped, one) for one in row["skipped"]),
        "unreached": None if unreached is None else (unreached[0], unreached[1]),
    }
    return _known(ConsumerRead, {**row, **stretches})


def _known(kind: type[T], row: dict[str, Any]) -> T:
    """A value of the fields that it has; later versions may write more."""
    names: Iterator[str] = (name for name in kind._fields if name in row)  # type: ignore[attr-defined]
    return kind(**{name: row[name] for name in names})


def _tuple(values: list[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
