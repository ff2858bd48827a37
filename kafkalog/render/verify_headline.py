"""The last lines of a report: what is wrong, what it costs, what to do first, where to read on."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.render.items import Line, Table
from kafkalog.render.outcome_words import caveats_of, consumer_texts
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text, when
from kafkalog.render.verify_start import article, cut, every_outcome, is_predicted, names_of, start_text
from kafkalog.verify import Severity
from kafkalog.verify.account import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.render.items import Item
    from kafkalog.verify import PartitionReport, Report
    from kafkalog.verify.account import Account, Ranges

__all__ = ["DAMAGED", "badness", "headline", "is_loud"]

#: Verdicts that say that something is wrong.
DAMAGED = ("data-loss", "damaged")
#: Columns of the words on the left, rows of the table, paths that could not be read.
_HANG = 12
_ROWS = 8
_PATHS = 3


class _Subject(NamedTuple):
    """Something that is damaged: a partition, or a log dir itself."""

    path: str
    name: str
    verdict: str
    account: Account
    outcomes: tuple[Outcome, ...]


def is_loud(partition: PartitionReport) -> bool:
    """Whether a partition is spoken of by itself: it is damaged, could not be judged, or a start does it harm."""
    if partition.verdict in DAMAGED or any(outcome.severity == "error" for outcome in partition.next_start):
        return True
    # Of a copy without logs the log dir speaks, once.
    return partition.verdict == "unknown" and bool(partition.segments or partition.findings)


def badness(partition: PartitionReport) -> tuple[object, ...]:
    """How bad a partition is, to be compared."""
    account = partition.account
    lost = count_of(account.gone) + count_of(account.unreadable)
    at_start = sum(start.records or 0 for start in account.starts)
    return DAMAGED[::-1].index(partition.verdict) + 1 if partition.verdict in DAMAGED else 0, lost, at_start


def headline(report: Report) -> Iterator[Item]:
    """The block that ends a report; without damage it has three lines."""
    subjects = list(_subjects(report))
    yield Line(0, report.verdict, _sentence(report, subjects), prose=True)
    if len(subjects) == 1:
        yield from _one(subjects[0])
    elif subjects:
        yield from _several(subjects)
    yield _labelled("next start", start_text(report)) if is_predicted(report) else _labelled("next start", "not predicted")
    if subjects:
        yield from _what_to_do(subjects[0])
    else:
        yield _labelled("notes", _notes_text(report))
    for text in caveats_of(every_outcome(report)):
        yield _labelled("but", text)
    yield from _unread(report)


def _subjects(report: Report) -> Iterator[_Subject]:
    """What is damaged, the worst first."""
    loud = [partition for partition in report.partitions if is_loud(partition)]
    names = names_of(report)
    for one in sorted(loud, key=badness, reverse=True):
        yield _Subject(one.path, names[one.path], one.verdict, one.account, one.next_start)
    account = report.account
    if account.cause is not None or report.next_start:
        about = report.next_start[0].path if account.cause is None else account.cause.path
        verdict = report.verdict if report.verdict in DAMAGED else "damaged"
        yield _Subject(about, os.path.basename(about) or about, verdict, account, report.next_start)


def _labelled(word: str, text: str) -> Line:
    return Line(0, word, text, prose=True, hang=_HANG, style="label")


def _sentence(report: Report, subjects: list[_Subject]) -> str:
    count = len(report.partitions)
    damaged = sum(partition.verdict in DAMAGED for partition in report.partitions)
    others = sum(is_loud(partition) for partition in report.partitions) - damaged
    if not subjects:
        records, size = sum(p.records for p in report.partitions), size_text(report.bytes)
        checked = "nothing is damaged" + (" (records not checked: --quick)" if report.quick else "")
        return f"{count_text(count, 'partition')}, {count_text(records, 'record')}, {size}: {checked}"
    if not damaged and not others:
        return f"none of {count_text(count, 'partition')} is damaged, but what stands beside them is: {subjects[0].name}"
    if count == 1:
        return subjects[0].path
    name = f"{subjects[0].name}: " if damaged + others == 1 else ""
    more = f"; a start endangers {others:,} more" if others and damaged else ""
    told, what = (damaged, "damaged") if damaged else (others, "in danger")
    return f"{name}{told:,} of {count_text(count, 'partition')} {agreeing(told, 'is', 'are')} {what}{more}"


def _one(subject: _Subject) -> Iterator[Item]:
    """What one partition has lost, and what of it consumers do not get."""
    account = subject.account
    yield from _lost_lines(account, is_judged=subject.verdict != "unknown")
    troubles: dict[str, list[str]] = {}
    for outcome in subject.outcomes:
        reads = [read for read in outcome.consumer or () if read is not None]
        if any(read.error is not None or read.stuck or read.skipped for read in reads):
            for text in consumer_texts(outcome):
                troubles.setdefault(text, []).append(outcome.assumed.stop)
    for text, stops in troubles.items():
        when_so = "" if len(stops) == len(subject.outcomes) else f"after {article(stops)} stop: "
        yield _labelled("consumers", f"{when_so}{text.removeprefix('consumers ')}")
    if account.unreached:
        yield _labelled("unreached", f"{_part(account.unreached, account.offsets)}, sound, but consumers do not get so far")


def _lost_lines(account: Account, *, is_judged: bool) -> Iterator[Item]:
    if account.gone:
        yield _labelled("gone", _part(account.gone, account.offsets))
    if account.unreadable:
        size = f", {size_text(account.unreadable_bytes)}" if account.unreadable_bytes else ""
        yield _labelled("unreadable", f"{_part(account.unreadable, account.offsets)}{size}")
    for why in account.uncounted:
        yield _labelled("not counted", why)
    if account.offsets is not None and not (account.gone or account.unreadable or account.uncounted):
        yield _labelled("records", "none is gone or unreadable" if is_judged else "none is known to be gone or unreadable")


def _part(ranges: Ranges, offsets: int | None) -> str:
    """Offsets, and how many of all they are."""
    count = f"{count_of(ranges):,}"
    return f"{offsets_text(ranges)}: {count}" + (f" of {offsets:,}" if offsets is not None else "")


def _several(subjects: list[_Subject]) -> Iterator[Item]:
    """A table of what is damaged, the worst first, and the sums."""
    rows: list[list[object]] = []
    for subject in subjects[:_ROWS]:
        account = subject.account
        at_start = max((start.records or 0 for start in account.starts if start.is_harm), default=0)
        rows.append(
            [
                subject.verdict,
                subject.name,
                count_of(account.gone) or None,
                count_of(account.unreadable) or None,
                count_of(account.skipped) + count_of(account.unreached) or None,
                at_start or None,
                None if account.cause is None else account.cause.id,
            ]
        )
    headings = ("verdict", "what", "gone", "unreadable", "not read", "start takes", "finding")
    yield Table(headings, rows, styled=0)
    if len(subjects) > _ROWS:
        yield f"… and {len(subjects) - _ROWS:,} more"
    for word in ("gone", "unreadable"):
        count = sum(count_of(getattr(subject.account, word)) for subject in subjects)
        places = sum(bool(getattr(subject.account, word)) for subject in subjects)
        if count:
            yield _labelled(word, f"{count_text(count, 'offset')} in {count_text(places, 'partition')}")
    for why in dict.fromkeys(why for subject in subjects for why in subject.account.uncounted):
        yield _labelled("not counted", why)


def _what_to_do(subject: _Subject) -> Iterator[Item]:
    cause = subject.account.cause
    if cause is not None:
        yield _labelled("because", f"{cause.id}: {cut(cause.message.replace(f'{subject.path}/', ''))}")
    first = subject.account.first_action
    if first is not None:
        yield _labelled("first", cut(first))
    remedies = () if cause is None else (cause.remedy,)
    yield from (_labelled("then", cut(remedy)) for remedy in remedies if remedy != first)
    for at, command in enumerate(subject.account.more):
        yield Line(0, "" if at else "more", command.line, hang=_HANG, style="label")


def _notes_text(report: Report) -> str:
    notes = Counter(finding.id for finding in report.all_findings() if finding.severity is Severity.INFO)
    checked = f"checked as of {when(report.now)} UTC"
    if not notes:
        return f"none; {checked}"
    kinds = f" of {len(notes)} kinds" if len(notes) > 1 else ""
    return f"{notes.total():,}{kinds}, which healthy directories have too (-v shows them); {checked}"


def _unread(report: Report) -> Iterator[Item]:
    failed = [item for item in report.not_checked if item.failed]
    for item in failed[:_PATHS]:
        yield Line(0, "not checked", f"{item.path}: {item.reason}", prose=True, hang=_HANG + 1, style="unknown")
    if len(failed) > _PATHS:
        yield Line(0, "", f"and {count_text(len(failed) - _PATHS, 'more path')}", hang=_HANG + 1)
