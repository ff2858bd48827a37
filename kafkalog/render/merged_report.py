"""The reports of many hosts as one: their JSON lines put together, and replicas named that have what another has lost."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.log_digests import first_difference
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import RequestError
from kafkalog.render.earlier_report import read_report
from kafkalog.verify.finding import Finding
from kafkalog.verify.fitting import restored_from
from kafkalog.verify.report import DAMAGED, in_order
from kafkalog.verify.rule import RULES, loss_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkalog.verify import PartitionReport, Report

__all__ = ["Run", "merged_report"]

#: The rule of replicas that differ.
_DIVERGES = "replica-diverges"
#: Fields of the lines that hold a path, a list of paths, or a list of pairs of paths.
_PATHS = ("path", "file", "delete", "create", "rebuild", "rename")


class Run(NamedTuple):
    """What one run of verify printed.

    Args:
        name: What it is called: the host, as a rule.
        text: Its JSON lines.
    """

    name: str
    text: str


def merged_report(runs: Sequence[Run]) -> Report:
    """One report of several runs of `kafkalog verify --format jsonl`.

    Where two runs name the same path, as hosts with the same log dirs do, the name of the run stands before every path, with
    a colon between them. The clock and the release are those of the first run. A partition that has lost records is told
    where another run has a sound replica of it, by topic id. Sound replicas whose digests differ are told, too.

    Raises:
        RequestError: lines are none of that output, or end without a summary; two runs have one name.
    """
    twice = [name for name, count in Counter(run.name for run in runs).items() if count > 1]
    if twice:
        raise RequestError(f"two runs are called {twice[0]!r}: give each its own name, NAME=FILE")
    found = [_read(run) for run in runs]
    paths = Counter(path for report in found for path in {partition.path for partition in report.partitions})
    if any(count > 1 for count in paths.values()):
        found = [_read(Run(run.name, "\n".join(_placed(line, run.name) for line in run.text.splitlines()))) for run in runs]
    partitions = tuple(partition for report in found for partition in report.partitions)
    return replace(found[0].merge(*found[1:]), partitions=tuple(_fitted(partitions)))


def _read(run: Run) -> Report:
    try:
        return read_report(run.text)
    except RequestError as error:
        raise RequestError(f"{run.name}: {error}") from None


def _placed(line: str, name: str) -> str:
    """A line with the name of its run before each path."""
    if not line.strip():
        return line
    row = json.loads(line)
    _place(row, f"{name}:")
    return json.dumps(row)


def _place(value: Any, prefix: str) -> None:
    if isinstance(value, list):
        for one in value:
            _place(one, prefix)
    elif isinstance(value, dict):
        for key, held in value.items():
            if key in _PATHS:
                value[key] = _prefixed(held, prefix)
            elif key == "hashes" and isinstance(held, dict):
                value[key] = {prefix + path: digest for path, digest in held.items()}
            elif key == "unread":
                value[key] = _prefixed(held, prefix)
            if isinstance(held, (dict, list)):
                _place(held, prefix)


def _prefixed(value: Any, prefix: str) -> Any:
    if isinstance(value, str):
        return prefix + value
    if isinstance(value, list):
        return [_prefixed(one, prefix) for one in value]
    return value


def _fitted(partitions: Sequence[PartitionReport]) -> Iterable[PartitionReport]:
    """The partitions; what has lost records says which other run has them."""
    by_replica: dict[tuple[str, int | None], list[PartitionReport]] = {}
    for one in partitions:
        if one.topic_id is not None and not one.is_remote:
            by_replica.setdefault((one.topic_id, one.partition), []).append(one)
    for one in partitions:
        others = [] if one.topic_id is None or one.is_remote else by_replica[one.topic_id, one.partition]
        sound = [other for other in others if other is not one and other.verdict not in (*DAMAGED, "unknown")]
        findings = tuple(_with_source(f, sound) for f in one.findings) if sound else one.findings
        differing = [found for other in others if other is not one and (found := _difference(one, other)) is not None]
        yield replace(one, findings=in_order((*findings, *differing))) if sound or differing else one


def _with_source(finding: Finding, sound: Sequence[PartitionReport]) -> Finding:
    """A finding about lost records whose remedy is the replica that has them all."""
    holders = [other for other in sound if _holds(other, finding.offsets)]
    words = "" if loss_of(finding) is None else restored_from(finding, holders)
    return finding._replace(remedy=words) if words else finding


def _difference(one: PartitionReport, other: PartitionReport) -> Finding | None:
    """Where two replicas differ, by their digests; None: nowhere, or these do not tell."""
    starts = (one.log_start_offset, other.log_start_offset)
    ends = (one.log_end_offset, other.log_end_offset)
    if one.digests is None or other.digests is None or None in starts or None in ends:
        return None
    start, end = max(filter(None, starts), default=0), min(filter(None, ends), default=0)
    found = first_difference(one.digests, other.digests, start, end)
    if found is None:
        return None
    return Finding(
        id=_DIVERGES,
        severity=RULES[_DIVERGES].severity,
        path=one.path,
        span=None,
        offsets=found,
        message=f"differs from {other.path}, first in {offsets_spoken(*found)}, by the digests of both",
        facts={"file": other.path, "offset": found[0], "end": one.log_end_offset, "other_end": other.log_end_offset},
        consequence="After an unclean election the replica with the older epoch truncates to the common part. Without one, "
        "replicas are equal below the high watermark: one of the two is damaged then.",
        remedy="Keep both copies until it is known which one was the leader's. Copied to one host, `kafkalog diff` says what "
        "differs, and what each would throw away if it followed the other.",
    )


def _holds(replica: PartitionReport, offsets: tuple[int, int] | None) -> bool:
    """Whether a replica reaches over offsets; over whatever is lost, where that is not known."""
    start, end = replica.log_start_offset, replica.log_end_offset
    return offsets is None or (start is not None and end is not None and start <= offsets[0] and offsets[1] < end)
