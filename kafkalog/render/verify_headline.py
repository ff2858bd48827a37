"""The last lines of a report: what is wrong, what it costs, what to do first, where to read on."""

from __future__ import annotations

import os
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.spoken import listed
from kafkalog.render.items import HANG, Line, Table, labelled
from kafkalog.render.outcome_words import caveats_of, consumer_texts, gone_text
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text, when
from kafkalog.render.verify_start import article, every_outcome, is_predicted, missing_perhaps, names_of, start_text
from kafkalog.render.wrapping import Room, cut, on_one_screen
from kafkalog.verify import Severity
from kafkalog.verify.account import count_of
from kafkalog.verify.report import DAMAGED
from kafkalog.verify.subjects import first_action_of, is_loud, subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.render.items import Item
    from kafkalog.verify import Report
    from kafkalog.verify.account import Account, Ranges
    from kafkalog.verify.subjects import Subject

__all__ = ["headline", "headline_of_page"]

#: Names in a sentence.
_MISSING = 3
#: A page has more room than a screen, and what is cut here stands whole on it.
_PAGE = Room(3, 3, 400, 1000, "they stand below")


class _Named(NamedTuple):
    """Something that is spoken of, by its name."""

    name: str
    subject: Subject


def headline(report: Report) -> list[Item]:
    """The block that ends a report: one screen at most; without damage it has three lines."""
    return on_one_screen(partial(_block, report, _named(report)))


def headline_of_page(report: Report) -> list[Item]:
    """The same at the head of a page."""
    return list(_block(report, _named(report), _PAGE))


def _block(report: Report, subjects: list[_Named], room: Room) -> Iterator[Item]:
    yield Line(0, report.verdict, _sentence(report, subjects), prose=True)
    if len(subjects) == 1:
        yield from _one(subjects[0].subject, room)
    elif subjects:
        yield from _several(subjects, room)
    start = start_text(report, room.letters) if is_predicted(report) else "not predicted"
    yield labelled("next start", start)
    if subjects:
        yield from _what_to_do([subject for _, subject in subjects], room)
    else:
        yield labelled("notes", _notes_text(report, room.rest))
    yield from _first_of("but", [*caveats_of(every_outcome(report)), *_doubts(report)], room)
    yield from _unread(report, room)


def _doubts(report: Report) -> list[str]:
    """What may be gone from partitions that are not spoken of, each with what else may explain it."""
    names = names_of(report)
    quiet = [partition for partition in report.partitions if not is_loud(partition)]
    texts = [f"{names[one.path]}: {gone_text(outcome)}" for one in quiet for outcome in one.next_start if outcome.already_gone]
    missing = [os.path.basename(path) for path in missing_perhaps(report)]
    if missing:
        one, which = len(missing) == 1, listed(missing, _MISSING)
        why = "it was deleted or moved, or it is lost" if one else "they were deleted or moved, or they are lost"
        texts = [f"{which} {'has' if one else 'have'} a line in checkpoint files, but no directory: {why}", *texts]
    return list(dict.fromkeys(texts))


def _named(report: Report) -> list[_Named]:
    """What is spoken of, with its names."""
    names = names_of(report)
    return [_Named(names.get(one.path) or os.path.basename(one.path) or one.path, one) for one in subjects_of(report)]


def _sentence(report: Report, subjects: list[_Named]) -> str:
    count = len(report.partitions)
    damaged = sum(partition.verdict in DAMAGED for partition in report.partitions)
    others = sum(is_loud(partition) for partition in report.partitions) - damaged
    if not subjects and report.left_out and not count:
        return f"no partition was looked at: the options leave out {_all_of(report.left_out)}"
    if not subjects:
        records, size = sum(p.records for p in report.partitions), size_text(report.bytes)
        what = "nothing of what could be read" if report.failed else "nothing"
        checked = f"{what} is damaged" + (" (records not checked: --quick)" if report.quick else "")
        files = count_text(report.files, "file")
        held = f"{count_text(count, 'partition')}, {count_text(records, 'record')}, {size}"
        return f"{held if count else f'no partition, {files}'}: {checked}"
    missing = [name for name, subject in subjects if subject.is_missing]
    lacking = _missing_text(missing) if missing else ""
    if not damaged and not others:
        beside = [name for name, subject in subjects if not subject.is_missing]
        if missing:
            return lacking + (f"; damaged is {beside[0]}" if beside else "")
        others_beside = (os.path.basename(one.path) for one in report.findings if one.severity >= Severity.WARNING)
        names = listed(list(dict.fromkeys((beside[0], *others_beside))), _MISSING)
        none = f"none of the {count:,} partitions is" if count > 1 else "the partition is not"
        return f"{names}; {none} damaged" if count else names
    more = f"; {lacking}" if lacking else ""
    if count == 1 and len(subjects) == 1:
        return subjects[0].subject.path
    name = next((f"{name}: " for name, subject in subjects if len(subjects) == 1), "")
    more = (f"; a start endangers {others:,} more" if others and damaged else "") + more
    if report.left_out:
        more += f"; the options leave out {report.left_out:,} {agreeing(report.left_out, 'other', 'others')}"
    told, what = (damaged, "damaged") if damaged else (others, "in danger")
    return f"{name}{told:,} of {count_text(count, 'partition')} {agreeing(told, 'is', 'are')} {what}{more}"


def _all_of(count: int) -> str:
    return f"all {count:,}" if count > 1 else "the only one"


def _missing_text(names: Sequence[str]) -> str:
    """Which partitions should be here and are not."""
    if len(names) == 1:
        return f"{names[0]}: its directory is missing"
    return f"the directories of {count_text(len(names), 'partition')} are missing: {listed(names, _MISSING)}"


def _one(subject: Subject, room: Room) -> Iterator[Item]:
    """What one partition has lost, and what of it consumers do not get."""
    account = subject.account
    yield from _lost_lines(subject, room)
    troubles: dict[str, list[str]] = {}
    for outcome in subject.outcomes:
        reads = [read for read in outcome.consumer or () if read is not None]
        if any(read.error is not None or read.stuck or read.skipped or read.aborted_visible for read in reads):
            for text in consumer_texts(outcome):
                troubles.setdefault(text, []).append(outcome.assumed.stop)
    texts = []
    for text, stops in troubles.items():
        when_so = "" if len(stops) == len(subject.outcomes) else f"after {article(stops)} stop: "
        texts.append(f"{when_so}{text.removeprefix('consumers ')}")
    yield from _first_of("consumers", texts, room)
    if account.unreached:
        yield labelled("unreached", f"{_part(account.unreached, account)}, sound, but consumers do not get so far")


def _lost_lines(subject: Subject, room: Room) -> Iterator[Item]:
    account = subject.account
    if account.gone:
        yield labelled("gone", _part(account.gone, account))
    if account.unreadable:
        size = f", {size_text(account.unreadable_bytes)}" if account.unreadable_bytes else ""
        yield labelled("unreadable", f"{_part(account.unreadable, account)}{size}{_repair_text(account)}")
    yield from _first_of("gone" if subject.is_missing else "not counted", account.uncounted, room)
    if account.offsets is not None and not (account.gone or account.unreadable or account.uncounted):
        is_known = subject.verdict != "unknown" and not account.cleaned
        yield labelled("records", "none is gone or unreadable" if is_known else "none is known to be gone or unreadable")


def _repair_text(account: Account) -> str:
    """What of unreadable offsets a flipped bit explains."""
    if not account.repairable:
        return ""
    count = count_of(account.repairable)
    what = "a flipped bit in each batch" if len(account.repairable) > 1 else "one flipped bit"
    which = "it" if account.repairable == account.unreadable else f"{count:,} of them"
    sound = "it is sound" if count == 1 else f"all {count:,} are sound"
    return f"; {what} explains {which}: with that put right, {sound}"


def _part(ranges: Ranges, account: Account) -> str:
    """Offsets, and how many of all they are."""
    count = f"up to {count_of(ranges):,}" if account.at_most else f"{count_of(ranges):,}"
    return f"{offsets_text(ranges)}: {count}" + (f" of {account.offsets:,}" if account.offsets is not None else "")


def _several(subjects: list[_Named], room: Room) -> Iterator[Item]:
    """A table of what is damaged, the worst first, and the sums."""
    rows: list[list[object]] = []
    for name, subject in subjects[: room.rows]:
        account = subject.account
        at_start = max((start.records or 0 for start in account.starts if start.is_harm), default=0)
        rows.append(
            [
                subject.verdict if subject.verdict in DAMAGED or subject.verdict == "unknown" else "in danger",
                name,
                count_of(account.gone) or None,
                count_of(account.unreadable) or None,
                count_of(account.skipped) + count_of(account.unreached) or None,
                at_start or None,
                None if account.cause is None else account.cause.id,
            ]
        )
    headings = ("verdict", "what", "gone", "unreadable", "not read", "start takes", "finding")
    yield Table(headings, rows, styled=0, whole=(0, len(headings) - 1), spare=(len(headings) - 1,))
    if len(subjects) > room.rows:
        yield f"… and {len(subjects) - room.rows:,} more"
    for word in ("gone", "unreadable"):
        count = sum(count_of(getattr(subject.account, word)) for _, subject in subjects)
        places = sum(bool(getattr(subject.account, word)) for _, subject in subjects)
        up_to = "up to " if any(subject.account.at_most for _, subject in subjects) else ""
        if places > 1 or (count and up_to):
            yield labelled(word, f"{up_to}{count_text(count, 'offset')} in {count_text(places, 'partition')}")
    for label, is_missing in (("gone", True), ("not counted", False)):
        reasons = [why for _, subject in subjects if subject.is_missing is is_missing for why in subject.account.uncounted]
        yield from _first_of(label, list(dict.fromkeys(reasons)), room)


def _first_of(label: str, texts: Sequence[str], room: Room) -> Iterator[Item]:
    """Some of the texts, and how many more there are."""
    for text in texts[: room.texts]:
        yield labelled(label, cut(text, room.letters))
    if len(texts) > room.texts:
        yield labelled("", f"and {len(texts) - room.texts:,} more: {room.rest}")


def _what_to_do(subjects: Sequence[Subject], room: Room) -> Iterator[Item]:
    subject = subjects[0]
    cause = subject.account.cause
    if cause is not None:
        yield labelled("because", f"{cause.id}: {cut(_in_place(cause.message, subject.path), room.reason)}")
    first = first_action_of(subjects)
    if first is not None:
        yield labelled("first", cut(first, room.letters))
    remedies = () if cause is None else (cause.remedy,)
    yield from (labelled("then", cut(remedy, room.letters)) for remedy in remedies if remedy != first)
    for at, command in enumerate(subject.account.more):
        yield Line(0, "" if at else "more", command.line, hang=HANG, style="label")


def _in_place(message: str, path: str) -> str:
    """A message that names files as those of a directory, or of its log dir."""
    return message.replace(f"{path}/", "").replace(f"{os.path.dirname(path) or path}/", "")


def _notes_text(report: Report, rest: str) -> str:
    notes = Counter(finding.id for finding in report.all_findings() if finding.severity is Severity.INFO)
    checked = f"checked as of {when(report.now)} UTC"
    if report.left_out:
        checked = f"{count_text(report.left_out, 'partition')} left out by the options; {checked}"
    if not notes:
        return f"none; {checked}"
    kinds = f" of {len(notes)} kinds" if len(notes) > 1 else ""
    return f"{notes.total():,}{kinds}, which healthy directories have too ({rest}); {checked}"


def _unread(report: Report, room: Room) -> Iterator[Item]:
    failed = [item for item in report.not_checked if item.failed]
    for item in failed[: room.texts]:
        yield Line(0, "not checked", f"{item.path}: {item.reason}", prose=True, hang=HANG + 1, style="unknown")
    if len(failed) > room.texts:
        yield Line(0, "", f"and {count_text(len(failed) - room.texts, 'more path')}", hang=HANG + 1)
