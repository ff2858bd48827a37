"""What is wrong with a partition, in numbers: the one value that headline, tables and JSON lines read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command, command_on, salvage_command
from kafkalog.core.filename import is_metadata_log
from kafkalog.verify.finding import Cause, Severity
from kafkalog.verify.rule import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.core.command_line import Command
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.span import Span
    from kafkalog.verify.finding import Finding

__all__ = ["Account", "AtStart", "Ranges", "account_of", "count_of"]

#: Offsets from the first to the last of each range, in order, without overlaps.
Ranges = tuple[tuple[int, int], ...]


class AtStart(NamedTuple):
    """What the next start does, after one kind of stop.

    `does` is `loads`, `stray`, `deleted`, `failed`, `offline` (the log dir), `stops` (the broker) or `unknown`; `records` and
    `size` (bytes) are what it takes: lost, or set aside with the directory; None where that is not known. `is_harm`: it costs
    data or service.
    """

    stop: str
    release: str | None
    does: str
    records: int | None
    size: int | None
    is_harm: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A partition's damage in numbers.

    Args:
        offsets: How many offsets the log had, as far as that is known; None without a log.
        gone: Offsets that the copy no longer holds.
        unreadable: Offsets whose bytes are there, but whose records cannot be read as they are.
        unreadable_bytes: How many bytes these are.
        repairable: Those unreadable offsets whose batch one known flipped bit explains: with the bit back it is sound.
        at_most: Whether the log was compacted, so that not each of these offsets need have had a record.
        cleaned: Whether the log cleaner has been over the log, or may have been: what it lacks may be gone without a trace.
        uncounted: Why offsets that are lost cannot be counted.
        unreached: Offsets that consumers never get to, though they are in the log: from where they fail or are stuck.
        skipped: Offsets that consumers jump over without an error.
        starts: What the next start does, for each kind of stop that was predicted.
        cause: The finding that explains most: it has no cause of its own; None where nothing is above INFO.
        first_action: What to do first; None where nothing is to be done.
        more: Commands that tell more.
    """

    offsets: int | None = None
    gone: Ranges = ()
    unreadable: Ranges = ()
    unreadable_bytes: int = 0
    repairable: Ranges = ()
    at_most: bool = False
    cleaned: bool = False
    uncounted: tuple[str, ...] = ()
    unreached: Ranges = ()
    skipped: Ranges = ()
    starts: tuple[AtStart, ...] = ()
    cause: Finding | None = None
    first_action: str | None = None
    more: tuple[Command, ...] = ()


def count_of(ranges: Iterable[tuple[int, int]]) -> int:
    """How many offsets ranges have."""
    return sum(last - first + 1 for first, last in ranges)


def account_of(
    path: str,
    findings: Sequence[Finding],
    outcomes: Sequence[Outcome],
    otherwise: Sequence[Outcome] = (),
    log_start_offset: int | None = None,
    log_end_offset: int | None = None,
    *,
    cleaned: bool = False,
) -> Account:
    """The account of a partition, or of a log dir.

    Args:
        path: Its directory, or the file that was asked for.
        findings: What was found in it.
        outcomes: The predictions of its next start.
        otherwise: Those of a start after the kind of stop that its log dir does not show.
        log_start_offset: First offset that is there; None without a log.
        log_end_offset: The one after the last.
        cleaned: Whether the log cleaner has been over the log, or may have been.
    """
    loud = [finding for finding in findings if finding.severity >= Severity.WARNING]
    losses = {kind: [f for f in loud if loss_of(f) == kind and not _is_of_another_log(f)] for kind in ("gone", "unreadable")}
    # What only seems to be gone, because it cannot be read.
    broken = {Cause(finding.id, finding.path) for finding in losses["unreadable"]}
    losses["gone"] = [finding for finding in losses["gone"] if finding.cause not in broken]
    gone = _merged(finding.offsets for finding in losses["gone"])
    unreadable = _without(_merged(finding.offsets for finding in losses["unreadable"]), gone)
    repairable = _merged(f.offsets for f in losses["unreadable"] if "repairable" in f.facts)
    cause = max(loud, key=_weight, default=None)
    unreached, skipped = _unread(outcomes)
    return Account(
        offsets=_extent(log_start_offset, log_end_offset, (*gone, *unreadable)),
        gone=gone,
        unreadable=unreadable,
        unreadable_bytes=_bytes_of((f.path, f.span) for f in losses["unreadable"]),
        repairable=repairable,
        at_most=any("at_most" in finding.facts for each in losses.values() for finding in each),
        cleaned=cleaned,
        uncounted=tuple(
            dict.fromkeys(
                str(f.facts["offsets_unknown"]) for kind in losses.values() for f in kind if "offsets_unknown" in f.facts
            )
        ),
        unreached=_without(unreached, (*gone, *unreadable)),
        skipped=_without(skipped, (*gone, *unreadable)),
        starts=tuple(_at_start(outcome) for outcome in (*outcomes, *otherwise)),
        cause=cause,
        first_action=_first_action(outcomes, cause),
        more=tuple(_more(path, cause, outcomes, is_repairable=bool(repairable))),
    )


def _is_of_another_log(finding: Finding) -> bool:
    """Whether a finding only compares the offsets of a foreign log with its place: what that lost is told by its cause."""
    return finding.cause is not None and finding.cause.id == "log-replaced"


def _merged(ranges: Iterable[tuple[int, int] | None]) -> Ranges:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(each for each in ranges if each is not None):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        elif first <= last:
            merged.append((first, last))
    return tuple(merged)


def _without(ranges: Ranges, others: Iterable[tuple[int, int]]) -> Ranges:
    """The offsets of ranges that are in none of the others."""
    left = list(ranges)
    for first, last in others:
        left = [
            piece
            for begin, end in left
            for piece in ((begin, min(end, first - 1)), (max(begin, last + 1), end))
            if piece[0] <= piece[1]
        ]
    return _merged(left)


def _bytes_of(places: Iterable[tuple[str, Span | None]]) -> int:
    """How many bytes places are, each byte once."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for path, span in places:
        if span is not None:
            spans.setdefault(path, []).append((span.start, span.end - 1))
    return sum(count_of(_merged(ranges)) for ranges in spans.values())


def _extent(start: int | None, end: int | None, lost: Sequence[tuple[int, int]]) -> int | None:
    """How many offsets a log had, with those that are lost before its start and after its end."""
    if start is None or end is None:
        return None
    first = min((start, *(first for first, _ in lost)))
    return max((end, *(last + 1 for _, last in lost))) - first


def _weight(finding: Finding) -> tuple[object, ...]:
    """How much a finding explains: what follows from another explains nothing; the first one of equals is taken."""
    loses = loss_of(finding) is not None
    lost = 0 if finding.offsets is None or not loses else count_of((finding.offsets,))
    return finding.cause is None, loses, finding.severity, lost


def _unread(outcomes: Sequence[Outcome]) -> tuple[Ranges, Ranges]:
    """What consumers do not get: offsets that they never reach, and those that they skip."""
    reads = [outcome.consumer.uncommitted for outcome in outcomes if outcome.consumer is not None]
    unreached = _merged(read.unreached for read in reads if read is not None)
    return unreached, _merged((one.first, one.last) for read in reads if read is not None for one in read.skipped)


def _at_start(outcome: Outcome) -> AtStart:
    does = {"loaded": "loads"}.get(outcome.partition, outcome.partition)
    if outcome.broker == "aborts":
        does = "stops"
    elif outcome.log_dir == "offline":
        does = "offline"
    aside = outcome.set_aside
    return AtStart(
        stop=outcome.assumed.stop,
        release=outcome.assumed.release,
        does=does,
        records=outcome.records_lost if aside is None else aside.records,
        size=outcome.bytes_lost if aside is None else aside.size,
        is_harm=outcome.severity == "error",
    )


def _first_action(outcomes: Sequence[Outcome], cause: Finding | None) -> str | None:
    """What spares the data first: a start that takes something away is put off, whatever else is wrong."""
    takes = [outcome for outcome in outcomes if outcome.severity == "error" and not outcome.is_harmless]
    action = next((outcome.actions[0] for outcome in takes if outcome.actions), None)
    if action is not None:
        return action
    return None if cause is None else cause.remedy


def _more(path: str, cause: Finding | None, outcomes: Iterable[Outcome], *, is_repairable: bool) -> Iterator[Command]:
    yield command_on(("kafkalog", "verify", "-v"), path)
    if cause is not None:
        yield command(("kafkalog", "rules", cause.id), {})
    if is_repairable and not is_metadata_log(os.path.basename(path)):
        yield salvage_command(path, unflips=True)
    else:
        yield from dict.fromkeys(command for outcome in outcomes for command in outcome.commands)
