"""A verify report as text for people: the damaged partitions, the worst last, and a headline that fits a screen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kafkalog.render.ceilings import MOST_PARTITIONS
from kafkalog.render.items import Line, Table
from kafkalog.render.outcome_words import assumed_text, certain_harms, details, harm_text, in_short, one_line
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text, stretch_text, when
from kafkalog.render.verify_causes import Causes, folded
from kafkalog.render.verify_findings import Style, finding_lines
from kafkalog.render.verify_headline import headline
from kafkalog.render.verify_start import names_of
from kafkalog.verify import Severity
from kafkalog.verify.report import VERDICTS
from kafkalog.verify.subjects import badness, is_loud

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from kafkalog.render.items import Item
    from kafkalog.verify import Finding, PartitionReport, Report

__all__ = ["next_start_section", "report_text"]


def report_text(
    report: Report,
    *,
    detail: str | None = None,
    max_findings: int | None = None,
    only: Collection[str] = VERDICTS,
    max_partitions: int = MOST_PARTITIONS,
) -> Iterator[Item]:
    """A report.

    Args:
        report: What verify found.
        detail: `headline`: only the end; `everything`: with infos, bytes, all partitions, the files that a start touches.
        max_findings: Rules shown per partition; the totals are exact all the same.
        only: Verdicts of the partitions that are shown before the headline.
        max_partitions: How many damaged ones are told in full, the worst; the others have a row in a table.
    """
    if detail != "headline":
        yield from _body(report, Style(detail == "everything", max_findings), only, max_partitions)
    yield from headline(report)


def _body(report: Report, style: Style, only: Collection[str], max_partitions: int) -> Iterator[Item]:
    """Everything before the headline; nothing about a report without damage."""
    rows = sorted((p for p in report.partitions if p.verdict in only), key=lambda p: (badness(p), p.path))
    loud = [row for row in rows if is_loud(row)]
    in_full = loud[max(0, len(loud) - max_partitions) :]
    sound = [row for row in rows if not is_loud(row)]
    causes = Causes(report)
    least = Severity.IGNORE if style.is_full else Severity.WARNING
    if style.is_full and len(rows) > 1:
        yield from _table(rows, report)
    elif len(in_full) < len(loud):
        yield from _table(loud[: len(loud) - len(in_full)], report)
    blocks = [
        _sound_block(sound, causes, style) if style.is_full else (),
        _block("What explains other findings:", [f for f in causes.first(report) if f.severity >= least], causes, style),
        _log_dirs(report, causes, style, least),
        *(_partition_block(row, causes, style, least) for row in in_full),
    ]
    before = list(_counts(report, sound, loud, style))
    is_needed = bool(loud) or style.is_full or any(f.severity >= least for f in report.findings)
    if before and (is_needed or report.hashes or report.suppressed):
        yield from before
        yield ""
    for block in blocks:
        lines = list(block)
        yield from lines
        yield from [""] if lines else []


def _block(title: str, findings: Iterable[Finding], causes: Causes, style: Style) -> Iterator[Item]:
    groups = folded(findings)
    if groups:
        yield Line(0, title, "", style="title")
        yield from finding_lines(groups, causes, Style(style.is_full))


def _sound_block(sound: list[PartitionReport], causes: Causes, style: Style) -> Iterator[Item]:
    """What partitions without damage hold besides, told once for all of them."""
    groups = folded(finding for row in sound for finding in causes.shown(row.findings))
    if groups:
        count = len(sound)
        yield Line(0, "benign", f"what the {count_text(count, 'sound partition')} {agreeing(count, 'holds', 'hold')} besides:")
        yield from finding_lines(groups, causes, style)


def _log_dirs(report: Report, causes: Causes, style: Style, least: Severity) -> Iterator[Item]:
    findings = [finding for finding in causes.shown(report.findings) if finding.severity >= least]
    if findings or report.next_start:
        yield Line(0, "The log dirs themselves:", "", style="title")
        yield from finding_lines(folded(findings), causes, style)
        for outcome in report.next_start:
            yield Line(2, "Next start:", one_line(outcome), prose=True, style="label")


def _partition_block(partition: PartitionReport, causes: Causes, style: Style, least: Severity) -> Iterator[Item]:
    yield Line(0, partition.verdict, partition.path)
    yield Line(2, "", _validity(partition), prose=True)
    shown = [finding for finding in causes.shown(partition.findings) if finding.severity >= least]
    yield from finding_lines(folded(shown, partition.account.cause), causes, style, partition.path)
    yield from causes.named(partition.findings)
    yield from next_start_section(partition, is_full=style.is_full)


def _validity(partition: PartitionReport) -> str:
    if partition.valid_through_offset is None:
        return "no log"
    if not partition.batches:
        return f"no records; log end {partition.log_end_offset}"
    held = f"{count_text(partition.records, 'record')} in {count_text(partition.segments, 'segment')}"
    start, end = partition.log_start_offset or 0, partition.log_end_offset or 0
    log = f"{offsets_text([(start, end - 1)])}: {held}, {size_text(partition.bytes)}"
    # The lines of an earlier run do not tell the place.
    name = partition.valid_file.rpartition("/")[2]
    where = f"byte {partition.valid_position:,} of {name}" if name else ""
    if partition.valid_through_offset < start:
        return f"{log}; nothing is valid before {where}" if where else f"{log}; none of it is valid"
    return f"{log}; valid through offset {partition.valid_through_offset}{where and f', {where}'}"


def next_start_section(partition: PartitionReport, *, is_full: bool = False) -> Iterator[Item]:
    """What the next start does to a partition: one line when nothing happens, more when something does.

    Args:
        partition: With its predictions, one for each kind of stop.
        is_full: Whether to name the files that are touched, too.
    """
    outcomes = partition.next_start
    certain = certain_harms(outcomes)
    by_lines: dict[tuple[Item, ...], list[str]] = {}
    for outcome in outcomes:
        own = details(outcome, 4, is_full=is_full) if outcome in certain or is_full else ()
        lines = (in_short(outcome, partition.segments), *own)
        by_lines.setdefault((assumed_text(outcome.assumed, "{stops}"), *lines), []).append(outcome.assumed.stop)
    for (assumed, short, *more), stops in by_lines.items():
        head = str(assumed).replace("{stops}", " or ".join(dict.fromkeys(stops)))
        yield Line(2, "Next start", f"{head}: {short}", prose=True, style="label")
        yield from more


def _counts(report: Report, sound: list[PartitionReport], loud: list[PartitionReport], style: Style) -> Iterator[Item]:
    """What was checked, in a few lines."""
    verdicts = Counter(row.verdict for row in sound if row.segments or row.findings)
    if loud and sound:
        kinds = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items(), reverse=True))
        yield Line(0, "", f"{count_text(len(sound), 'other partition')}: {kinds or 'without a log'}", prose=True)
    notes = Counter(f.id for f in report.all_findings() if f.severity is Severity.INFO)
    if notes and not style.is_full:
        kinds = ", ".join(f"{name} {count:,}" if count > 1 else name for name, count in notes.most_common())
        yield Line(0, "", f"{count_text(notes.total(), 'note')} (-v shows them): {kinds}", prose=True)
    records = sum(partition.records for partition in report.partitions)
    counts = f"{count_text(report.files, 'file')}, {count_text(records, 'record')}, {size_text(report.bytes)}"
    how = " without decompression and records" if report.quick else ""
    yield Line(0, "", f"{counts}; checked{how} as of {when(report.now)} UTC", prose=True)
    if report.version is not None:
        evidence = f": {report.evidence}" if report.evidence else ""
        yield Line(0, "", f"release taken: {report.version}{evidence}", prose=True)
    if report.suppressed:
        yield Line(0, "", f"{count_text(report.suppressed, 'finding')} left out by the options")
    for item in report.not_checked:
        if not item.failed:
            yield Line(0, "", f"not checked: {item.path}: {item.reason}", prose=True)
    for path, digest in report.hashes:
        yield Line(0, "", f"sha256 {digest}  {path}")


def _table(rows: list[PartitionReport], report: Report) -> Iterator[Item]:
    """One line per partition, the worst last."""
    names = names_of(report)
    yield Table(
        ("verdict", "partition", "offsets", "segments", "records", "size", "errors", "warnings", "infos", "next start"),
        [
            [
                row.verdict,
                names[row.path],
                _offsets(row),
                row.segments,
                row.records,
                size_text(row.bytes),
                *(_count(row, severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)),
                harm_text(row.next_start) or None,
            ]
            for row in rows
        ],
        styled=0,
    )
    yield ""


def _offsets(row: PartitionReport) -> str | None:
    """From the first to the last; None where there are none."""
    if row.log_end_offset is None or row.log_start_offset == row.log_end_offset:
        return None
    return stretch_text(row.log_start_offset or 0, row.log_end_offset - 1)


def _count(row: PartitionReport, severity: Severity) -> int | None:
    return sum(finding.severity is severity for finding in row.findings) or None
