"""The page of a report: what stands on it, in its order, before it is HTML."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command_on, quoted
from kafkalog.render.outcome_words import assumed_text, certain_harms, details, harm_text, in_short
from kafkalog.render.quantities import agreeing, count_text, size_text, utc, when
from kafkalog.render.report.blocks import Block, Label, blocks_of, labels_of
from kafkalog.render.report.findings import severities, shown_findings
from kafkalog.render.report.pictures import chosen_partitions, picture_of, picture_of_lines
from kafkalog.render.report.replicas import replicas_among
from kafkalog.render.report.svg import picture, times_shown
from kafkalog.render.text_verify import next_start_section
from kafkalog.render.verify_headline import headline_of_page
from kafkalog.render.verify_start import is_predicted, names_of
from kafkalog.timeline.topic_settings import newest_image
from kafkalog.verify.subjects import badness, is_loud

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from markupsafe import Markup

    from kafkalog.render.report.findings import Folded, Shown
    from kafkalog.render.report.replicas import Replicas
    from kafkalog.timeline.event import Event
    from kafkalog.verify import PartitionReport, Report

__all__ = ["Page", "Wanted", "page_of"]

#: Rows of partitions, with something wrong and without; starts told in full; hashes; what could not be checked.
_LOUD_ROWS, _SOUND_ROWS, _STARTS, _HASHES, _UNCHECKED = 1000, 200, 50, 4000, 500
#: Events below a picture, and those that stay out where there are more.
_EVENTS = 80
_USUAL = ("transaction-begun", "transaction-committed", "segment-created", "eligible-for-retention")
#: Names in a title.
_TITLE = 4
#: What is not on a page that reads nothing.
_OF_LINES = (
    "the result of an earlier run: the files were not read again, so bytes, times, events and replicas are not on this page; "
    "`kafkalog report PATH` shows them where the files are"
)
#: Labels of a headline that say what is to be done.
_NOW_WHAT = ("first", "then", "more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a page shall have.

    Args:
        title: Its title; None: the paths.
        payload: How bytes of records are shown.
        timelines: How many partitions are drawn.
        reads: Whether files may be read: without, there are no pictures and no bytes.
        paths: What was examined.
        command: The command line that it was made with; "" when it was no command.
        version: Of kafkalog.
        data: JSON lines that the page carries.
    """

    title: str | None = None
    payload: str = "none"
    timelines: int = 12
    reads: bool = True
    paths: Sequence[str] = ()
    command: str = ""
    version: str = ""
    data: str = ""


class Figure(NamedTuple):
    """A number and what it counts; `kind` is a severity, or ""."""

    label: str
    value: str
    kind: str = ""


class Start(NamedTuple):
    """What the next start does to something: in short, and in blocks."""

    name: str
    is_harm: bool
    short: str
    blocks: tuple[Block, ...]


class Ranked(NamedTuple):
    """The table at the head: the worst, and how many more there are."""

    block: Block
    more: str


class Happened(NamedTuple):
    """An event in the table below a picture."""

    time: str
    clock: str
    kind: str
    offset: str
    message: str


class Drawn(NamedTuple):
    """A picture with what is said below it; `more_events` are those that are only counted."""

    anchor: str
    name: str
    verdict: str
    svg: Markup
    notes: tuple[str, ...]
    events: tuple[Happened, ...]
    more_events: int
    command: str


class Row(NamedTuple):
    """A partition in the table."""

    verdict: str
    name: str
    offsets: str
    segments: int
    records: int
    size: str
    found: str
    start: str
    drawn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What stands on the page."""

    title: str
    verdict: str
    sentence: str
    facts: Sequence[Label]
    now_what: Sequence[Label]
    table: Ranked | None
    figures: Sequence[Figure]
    starts: Sequence[Start]
    starts_left_out: int
    starts_note: str
    replicas: Replicas | None
    findings: Sequence[Shown]
    folded: Sequence[Folded]
    counts: Sequence[tuple[str, int]]
    drawn: Sequence[Drawn]
    rows: Sequence[Row]
    rows_left_out: int
    hashes: Sequence[tuple[str, str]]
    hashes_left_out: int
    unchecked: Sequence[tuple[str, str]]
    unchecked_left_out: int
    made: Sequence[tuple[str, str]]
    data: str


def page_of(report: Report, wanted: Wanted) -> Page:
    """The page of a report."""
    first, *rest = blocks_of(headline_of_page(report))
    table, rest = _ranked(rest)
    labels = labels_of(rest)
    replicas = replicas_among(one.path for one in report.partitions if one.segments) if wanted.reads else None
    if replicas is not None:
        labels.append(Label("replicas", (replicas.sum,)))
    if not wanted.reads:
        labels.append(Label("made of", (_OF_LINES,)))
    shown, folded = shown_findings(report, wanted.payload, with_bytes=wanted.reads)
    names = names_of(report)
    drawn = list(_drawn(report, names, shown, wanted) if wanted.reads else _drawn_by_lines(report, names, shown, wanted))
    starts, starts_left_out = _starts(report, names)
    rows, rows_left_out = _rows(report, names, {one.name: one.anchor for one in drawn})
    unchecked = [(item.path, item.reason) for item in report.not_checked]
    return Page(
        title=wanted.title or _title(report, wanted, names),
        verdict=first.word,
        sentence=first.text,
        facts=[label for label in labels if label.word not in _NOW_WHAT],
        now_what=[label for label in labels if label.word in _NOW_WHAT],
        table=table,
        figures=list(_figures(report)),
        starts=starts,
        starts_left_out=starts_left_out,
        starts_note=_starts_note(report),
        replicas=replicas,
        findings=shown,
        folded=folded,
        counts=list(severities(report.all_findings())),
        drawn=drawn,
        rows=rows,
        rows_left_out=rows_left_out,
        hashes=[(path, digest) for path, digest in report.hashes[:_HASHES]],
        hashes_left_out=max(0, len(report.hashes) - _HASHES),
        unchecked=unchecked[:_UNCHECKED],
        unchecked_left_out=max(0, len(unchecked) - _UNCHECKED),
        made=list(_made(report, wanted)),
        data=wanted.data,
    )


def _title(report: Report, wanted: Wanted, names: dict[str, str]) -> str:
    """What was examined: the paths, else the partitions, else where they lie."""
    folders = list(dict.fromkeys(os.path.dirname(one.path) or one.path for one in report.partitions))
    found = next((few for few in (list(wanted.paths), list(names.values()), folders) if 0 < len(few) <= _TITLE), [])
    return ", ".join(found) or (count_text(len(names), "partition") if names else "nothing was examined")


def _ranked(blocks: list[Block]) -> tuple[Ranked | None, list[Block]]:
    """The table among blocks with the line below it that has no word, and the other blocks."""
    at = next((at for at, block in enumerate(blocks) if block.table is not None), None)
    if at is None:
        return None, blocks
    has_more = at + 1 < len(blocks) and not blocks[at + 1].word
    more = blocks[at + 1].text if has_more else ""
    return Ranked(blocks[at], more), [*blocks[:at], *blocks[at + 1 + has_more :]]


def _figures(report: Report) -> Iterator[Figure]:
    for label, count in report.counts.items():
        yield Figure(f"{label}{'' if count == 1 else 's'}", f"{count:,}", label if count else "")
    parts = report.partitions
    for noun, number in (
        ("partition", len(parts)),
        ("segment", sum(one.segments for one in parts)),
        ("batch", sum(one.batches for one in parts)),
        ("record", sum(one.records for one in parts)),
    ):
        yield Figure(count_text(number, noun).partition(" ")[2], f"{number:,}")
    yield Figure("of files", size_text(report.bytes))


def _starts(report: Report, names: dict[str, str]) -> tuple[list[Start], int]:
    """What a start does that is worth telling: beside the partitions, then to each, the worst first."""
    starts = []
    for outcome in report.next_start:
        blocks = [Block(0, "", assumed_text(outcome.assumed)), *blocks_of(details(outcome, 2, is_full=True))]
        starts.append(Start(outcome.path, outcome.severity == "error", in_short(outcome), tuple(blocks)))
    touched = [
        one for one in report.partitions if any(o.severity in ("error", "warning") or o.is_unknown for o in one.next_start)
    ]
    for one in sorted(touched, key=lambda one: (bool(certain_harms(one.next_start)), badness(one)), reverse=True):
        blocks = list(blocks_of(next_start_section(one, is_full=True)))
        short = harm_text(one.next_start) or blocks[0].text
        starts.append(Start(names[one.path], bool(certain_harms(one.next_start)), short, tuple(blocks)))
    return starts[:_STARTS], max(0, len(starts) - _STARTS)


def _starts_note(report: Report) -> str:
    """What becomes of all the others."""
    if not is_predicted(report):
        return "The next start was not predicted."
    spared = [
        one
        for one in report.partitions
        if one.next_start and not any(o.severity in ("error", "warning") or o.is_unknown for o in one.next_start)
    ]
    if not spared:
        return ""
    loaded = all(o.partition == "loaded" for one in spared for o in one.next_start)
    what = f"{agreeing(len(spared), 'loads', 'load')}, and the start removes no record" if loaded else "no harm is done"
    return f"{count_text(len(spared), 'partition')}{' ' if loaded else ': '}{what}."


def _drawn(report: Report, names: dict[str, str], shown: Sequence[Shown], wanted: Wanted) -> Iterator[Drawn]:
    chosen = chosen_partitions(report, wanted.timelines, reads=True)
    image = newest_image(one.path for one in report.partitions) if chosen else None
    for number, one in enumerate(chosen, 1):
        found = picture_of(number, one, names[one.path], shown, report.now, image)
        if found is None:
            continue
        made, events = found
        overview = made.overview
        odd = overview.odd_times_count + overview.without_time
        notes = []
        if not overview.stretches:
            notes.append("No batch is left of it.")
        elif times_shown(overview) is None:
            why = "No batch has a timestamp that can be right"
            why = why if overview.time_range is None else "All batches are of one time"
            notes.append(f"{why}: segments stand side by side, in the order of the log.")
        elif odd:
            have = agreeing(odd, "has", "have")
            notes.append(f"{count_text(odd, 'batch')} {have} no timestamp, or one that cannot be right: arrows at the border.")
        told = _told(events)
        command = command_on(("kafkalog", "timeline"), one.path).line
        rows, more = tuple(map(_happened, told)), len(events) - len(told)
        yield Drawn(f"t{number}", names[one.path], one.verdict, picture(made), tuple(notes), rows, more, command)


def _drawn_by_lines(report: Report, names: dict[str, str], shown: Sequence[Shown], wanted: Wanted) -> Iterator[Drawn]:
    """Pictures of what the findings tell, where no file is read."""
    for number, one in enumerate(chosen_partitions(report, wanted.timelines, reads=False), 1):
        made = picture_of_lines(number, one, names[one.path], shown)
        if made is not None:
            note = "Only its offsets are drawn: when its segments were written is in none of the lines."
            yield Drawn(f"t{number}", names[one.path], one.verdict, picture(made), (note,), (), 0, "")


def _told(events: Sequence[Event]) -> list[Event]:
    """The events that are listed, by time; of many, transactions that ended stay out, then those in the middle."""
    ordered = sorted(events, key=lambda event: (event.time is None, event.time or 0))
    if len(ordered) > _EVENTS:
        ordered = [event for event in ordered if event.kind not in _USUAL]
    half = _EVENTS // 2
    return ordered if len(ordered) <= _EVENTS else [*ordered[:half], *ordered[-half:]]


def _happened(event: Event) -> Happened:
    time = "" if event.time is None else (utc(event.time) or "").replace("T", " ").removesuffix("Z")
    return Happened(time, event.source, event.kind, "" if event.offset is None else f"{event.offset:,}", event.message)


def _rows(report: Report, names: dict[str, str], drawn: dict[str, str]) -> tuple[list[Row], int]:
    """The partitions: what is wrong first, the worst before the others, then the sound ones."""
    loud = sorted((one for one in report.partitions if is_loud(one)), key=badness, reverse=True)
    sound = [one for one in report.partitions if not is_loud(one)]
    chosen = [*loud[:_LOUD_ROWS], *sound[:_SOUND_ROWS]]
    return [_row(one, names[one.path], drawn) for one in chosen], len(report.partitions) - len(chosen)


def _row(one: PartitionReport, name: str, drawn: dict[str, str]) -> Row:
    counts = Counter(finding.severity.label for finding in one.findings)
    return Row(
        verdict=one.verdict,
        name=name,
        offsets="" if one.log_end_offset is None else f"{one.log_start_offset:,}..{one.log_end_offset:,}",
        segments=one.segments,
        records=one.records,
        size=size_text(one.bytes),
        found=", ".join(f"{counts[label]:,} {label}" for label in ("error", "warning", "info") if counts[label]),
        start=harm_text(one.next_start),
        drawn=drawn.get(name, ""),
    )


def _made(report: Report, wanted: Wanted) -> Iterator[tuple[str, str]]:
    yield "kafkalog", wanted.version
    if wanted.command:
        yield "command", wanted.command
    if wanted.paths:
        yield "examined", " ".join(quoted(path) for path in wanted.paths)
    yield "as of", f"{when(report.now)} UTC"
    if report.version is not None:
        yield "release taken", report.version + (f": {report.evidence}" if report.evidence else "")
    yield "checked", "headers, checksums, indexes and names; no records (--quick)" if report.quick else "every byte"
    if report.suppressed:
        yield "left out", f"{count_text(report.suppressed, 'finding')}, by the options"
    masks = {
        "none": "masked: nothing on this page shows what records hold",
        "length": "masked: only their lengths are shown",
        "sha256": "masked: their SHA-256 stands for them",
    }
    if wanted.reads:
        yield "keys, values and headers", masks.get(wanted.payload, f"shown as {wanted.payload}")
    else:
        yield "data", _OF_LINES.replace("`", "")
