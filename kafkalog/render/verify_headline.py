"""The last lines of a report: what is wrong, what it costs, what to do first, where to read on."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import is_metadata_log
from kafkalog.render.outcome_words import certain_harms, consumer_texts
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text, when
from kafkalog.render.screen import Line, Table
from kafkalog.verify import Severity
from kafkalog.verify.account import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.render.screen import Item
    from kafkalog.verify import PartitionReport, Report
    from kafkalog.verify.account import Account, Ranges

__all__ = ["DAMAGED", "headline", "is_loud", "name_of"]

#: Verdicts that say that something is wrong.
DAMAGED = ("data-loss", "damaged")
#: Rules that say, from a severity on, that partitions are not here.
_LACKING = {"partitions-not-copied": Severity.INFO, "checkpoint-line-unknown": Severity.WARNING}
#: Columns of the words on the left, rows of the table, letters of a sentence, paths that could not be read.
_HANG = 12
_ROWS = 8
_LETTERS = 400
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


def name_of(partition: PartitionReport, report: Report) -> str:
    """What a partition is called: its directory's name, or its path where another one has that name."""
    name = os.path.basename(partition.path)
    return name if sum(os.path.basename(other.path) == name for other in report.partitions) == 1 else partition.path


def badness(partition: PartitionReport) -> tuple[object, ...]:
    """How bad a partition is, to be compared."""
    account = partition.account
    lost = count_of(account.gone) + count_of(account.unreadable)
    at_start = sum(start.records or 0 for start in account.starts)
    return DAMAGED[::-1].index(partition.verdict) + 1 if partition.verdict in DAMAGED else 0, lost, at_start


def headline(report: Report) -> Iterator[Item]:
    """The block that ends a report; without damage it has three lines."""
    subjects = list(_subjects(report))
    yield Line(0, report.verdict, _sentence(report, subjects))
    if len(subjects) == 1:
        yield from _one(subjects[0])
    elif subjects:
        yield from _several(subjects)
    yield _labelled("next start", _start_text(report)) if _is_predicted(report) else _labelled("next start", "not predicted")
    if subjects:
        yield from _what_to_do(subjects[0])
    else:
        yield _labelled("notes", _notes_text(report))
    yield from _unread(report)


def _subjects(report: Report) -> Iterator[_Subject]:
    """What is damaged, the worst first."""
    loud = [partition for partition in report.partitions if is_loud(partition)]
    for one in sorted(loud, key=badness, reverse=True):
        yield _Subject(one.path, name_of(one, report), one.verdict, one.account, one.next_start)
    account = report.account
    if account.cause is not None or report.next_start:
        about = report.next_start[0].path if account.cause is None else account.cause.path
        verdict = report.verdict if report.verdict in DAMAGED else "damaged"
        yield _Subject(about, os.path.basename(about) or about, verdict, account, report.next_start)


def _labelled(word: str, text: str) -> Line:
    return Line(0, word, text, prose=True, hang=_HANG, style="label")


def _sentence(report: Report, subjects: list[_Subject]) -> str:
    count = len(report.partitions)
    wrong = sum(is_loud(partition) for partition in report.partitions)
    if not subjects:
        records, size = sum(p.records for p in report.partitions), size_text(report.bytes)
        checked = "nothing is damaged" + (" (records not checked: --quick)" if report.quick else "")
        return f"{count_text(count, 'partition')}, {count_text(records, 'record')}, {size}: {checked}"
    if not wrong:
        return f"none of {count_text(count, 'partition')} is damaged, but what stands beside them is: {subjects[0].name}"
    among = f"{wrong:,} of {count_text(count, 'partition')} {agreeing(wrong, 'is', 'are')} {_wrong_word(report)}"
    return f"{subjects[0].name}: {among}" if wrong == 1 and count > 1 else subjects[0].path if count == 1 else among


def _wrong_word(report: Report) -> str:
    verdicts = {partition.verdict for partition in report.partitions if is_loud(partition)}
    return "damaged" if verdicts & set(DAMAGED) else "in danger"


def _one(subject: _Subject) -> Iterator[Item]:
    """What one partition has lost, and what of it consumers do not get."""
    account = subject.account
    yield from _lost_lines(account)
    troubles: dict[str, list[str]] = {}
    for outcome in subject.outcomes:
        reads = [read for read in outcome.consumer or () if read is not None]
        if any(read.error is not None or read.stuck or read.skipped for read in reads):
            for text in consumer_texts(outcome):
                troubles.setdefault(text, []).append(outcome.assumed.stop)
    for text, stops in troubles.items():
        when_so = "" if len(stops) == len(subject.outcomes) else f"after {_article(stops)} stop: "
        yield _labelled("consumers", f"{when_so}{text.removeprefix('consumers ')}")
    if account.unreached:
        yield _labelled("unreached", f"{_part(account.unreached, account.offsets)}, sound, but consumers do not get so far")


def _lost_lines(account: Account) -> Iterator[Item]:
    if account.gone:
        yield _labelled("gone", _part(account.gone, account.offsets))
    if account.unreadable:
        size = f", {size_text(account.unreadable_bytes)}" if account.unreadable_bytes else ""
        yield _labelled("unreadable", f"{_part(account.unreadable, account.offsets)}{size}")
    for why in account.uncounted:
        yield _labelled("not counted", why)
    if account.offsets is not None and not (account.gone or account.unreadable or account.uncounted):
        yield _labelled("records", "none is gone or unreadable")


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
    headings = ("verdict", "what", "gone", "unreadable", "not read", "lost at start", "finding")
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


def _is_predicted(report: Report) -> bool:
    return bool(report.next_start) or any(partition.next_start for partition in report.partitions)


def _start_text(report: Report) -> str:
    """What the next start takes away, after each kind of stop that was predicted."""
    predicted = [partition for partition in report.partitions if partition.next_start]
    # A metadata log is recovered whatever the stop was: it does not say what the stop was.
    asked = [one for one in predicted if not is_metadata_log(os.path.basename(one.path))] or predicted
    stops = [outcome.assumed.stop for one in asked for outcome in one.next_start] or [o.assumed.stop for o in report.next_start]
    texts: dict[str, list[str]] = {}
    for stop in sorted(set(stops)):
        texts.setdefault("; ".join(_at_stop(report, stop)), []).append(stop)
    release = f" (Kafka {report.version})" if report.version is not None else ""
    return "; ".join(f"after {_article(names)} stop: {text}" for text, names in texts.items()) + release


def _article(stops: Sequence[str]) -> str:
    return "a clean or an unclean" if len(set(stops)) > 1 else "an unclean" if "unclean" in stops else "a clean"


def _at(stop: str, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The predictions for a kind of stop; the one there is, where that does not depend on it."""
    return [outcome for outcome in outcomes if outcome.assumed.stop == stop] or list(outcomes)


def _at_stop(report: Report, stop: str) -> Iterator[str]:
    """What one start does, in half sentences."""
    harms: dict[str, list[tuple[PartitionReport, Outcome]]] = {}
    unknown = 0
    for partition in report.partitions:
        outcomes = _at(stop, partition.next_start)
        harmful = certain_harms(outcomes)
        kind = _kind_of(harmful[0]) if harmful else ""
        if kind:
            harms.setdefault(kind, []).append((partition, harmful[0]))
        elif not harmful:
            unknown += any(outcome.is_unknown or outcome.severity == "error" for outcome in outcomes)
    yield from _beside_texts(_at(stop, report.next_start))
    for kind, places in harms.items():
        yield _harm_sentence(kind, places, report)
    logless = [p for p in report.partitions if p.next_start and not p.segments and p.verdict not in ("clean", "benign")]
    if logless:
        yield f"{count_text(len(logless), 'partition')} without a log {agreeing(len(logless), 'gets', 'get')} an empty one"
    if unknown:
        yield f"{count_text(unknown, 'partition')} cannot be predicted"
    if not (harms or logless or unknown or report.next_start):
        yield _nothing_lost(report)


def _beside_texts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What is done beside the partitions."""
    aborts = [outcome for outcome in outcomes if outcome.broker == "aborts"]
    if aborts:
        yield _cut(aborts[0].reason)
    made = sum(outcome.partition == "loaded" for outcome in outcomes)
    if made:
        yield f"{count_text(made, 'partition')} placed here and missing {agreeing(made, 'is', 'are')} created again, empty"
    others = [outcome for outcome in outcomes if outcome not in aborts and outcome.partition != "loaded"]
    if others:
        yield _cut(others[0].reason)


def _kind_of(outcome: Outcome) -> str:
    """What a harmful start does; "" where only consumers fail, of which more is said by itself."""
    if outcome.broker == "aborts":
        return "stops"
    if outcome.log_dir == "offline":
        return "offline"
    if outcome.records_lost:
        return "loses"
    if outcome.partition == "loaded":
        return "empty" if outcome.records_lost is None else ""
    return outcome.partition


_DOES = {
    "stops": "the broker does not start because of {them}",
    "offline": "the log dir goes offline because of {them}",
    "stray": "{them} would be set aside as -stray, with {held}",
    "deleted": "{them} would be deleted, with {held}",
    "failed": "{them} would not be served, with {held}",
    "empty": "{them} would begin empty; how much is lost is not known",
}


def _harm_sentence(kind: str, places: list[tuple[PartitionReport, Outcome]], report: Report) -> str:
    them = name_of(places[0][0], report) if len(places) == 1 else count_text(len(places), "partition")
    if kind == "loses":
        records = sum(outcome.records_lost or 0 for _, outcome in places)
        size = size_text(sum(outcome.bytes_lost or 0 for _, outcome in places))
        return f"{them} {agreeing(len(places), 'loses', 'lose')} {count_text(records, 'record')}, {size}"
    records, size = sum(p.records for p, _ in places), size_text(sum(p.bytes for p, _ in places))
    return _DOES.get(kind, "{them}: " + kind).format(them=them, held=f"{count_text(records, 'record')}, {size}")


def _nothing_lost(report: Report) -> str:
    """The good news, as far as it goes."""
    if any(partition.account.gone or partition.account.uncounted for partition in report.partitions):
        return "nothing more is removed"
    lacking = any(f.severity >= _LACKING.get(f.id, Severity.ERROR) for f in report.findings)
    is_damaged = any(partition.account.unreadable for partition in report.partitions)
    return "nothing is removed" if is_damaged else f"nothing is lost{' of what is here' if lacking else ''}"


def _what_to_do(subject: _Subject) -> Iterator[Item]:
    cause = subject.account.cause
    if cause is not None:
        yield _labelled("because", f"{cause.id}: {_cut(cause.message.replace(f'{subject.path}/', ''))}")
    first = subject.account.first_action
    if first is not None:
        yield _labelled("first", _cut(first))
    if cause is not None and cause.remedy != first:
        yield _labelled("then", _cut(cause.remedy))
    for at, command in enumerate(subject.account.more):
        yield Line(0, "" if at else "more", command.line, hang=_HANG, style="label")


def _cut(text: str) -> str:
    """The first sentences of a text."""
    if len(text) <= _LETTERS:
        return text
    end = text.rfind(". ", 0, _LETTERS)
    return text[: end + 1] if end > 0 else f"{text[: text.rfind(' ', 0, _LETTERS)]} …"


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
