"""A verify report as text for people: findings folded, the worst partition first."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.errors import KafkalogError
from kafkalog.files.source import FileSource, printable
from kafkalog.render.effects import describe_effects
from kafkalog.render.quantities import count_text, duration_text, size_text, utc
from kafkalog.render.text_next_start import next_start_cause, next_start_harm, next_start_section
from kafkalog.verify import Finding, PartitionReport, Report, Severity
from kafkalog.verify.finding import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import TextIO

    from kafkalog.core.layout import Layout

__all__ = ["print_report", "report_lines"]

#: Places that a folded finding shows.
_EXAMPLES = 3
_HEX_BYTES = 64
_STYLES = {
    "error": "bold red",
    "warning": "yellow",
    "info": "cyan",
    "data-loss": "bold red",
    "damaged": "red",
    "unknown": "magenta",
    "benign": "cyan",
    "clean": "green",
}
#: Verdicts of partitions whose findings, all of them info findings, are reported together when there are several.
_SOUND = ("benign", "clean")
#: Rules that say, from a severity on, that partitions are not here.
_LACKING = {"partitions-not-copied": Severity.INFO, "checkpoint-line-unknown": Severity.WARNING}
_ORDER = ("data-loss", "damaged", "unknown", "benign", "clean")


class Line(NamedTuple):
    """A line of output: indentation, a word that may be coloured, the rest; prose is wrapped on a terminal, paths are not."""

    indent: int
    word: str
    text: str
    prose: bool = False


class _Group(NamedTuple):
    findings: list[Finding]


def _layout_of(path: str, finding: Finding) -> tuple[Layout[Any], int] | None:
    """The structure that a finding is about, and where in the file it begins."""
    span = finding.span
    if span is None:
        return None
    for suffix, layout in ((".timeindex", TIME_INDEX_ENTRY), (".index", OFFSET_INDEX_ENTRY), (".txnindex", ABORTED_TXN)):
        if path.endswith(suffix):
            return layout, span.start - span.start % layout.size
    if path.endswith(".snapshot") and span.size == PRODUCER_ENTRY.size:
        return PRODUCER_ENTRY, span.start
    if path.endswith(".log") and span.size >= BATCH_HEADER.size and finding.offsets is not None:
        return BATCH_HEADER, span.start
    return None


def _evidence(finding: Finding) -> Iterator[str]:
    """The bytes concerned in hex, and the fields that they are."""
    span = finding.span
    if span is None or span.size == 0 or finding.severity is Severity.INFO:
        return
    try:
        with FileSource(finding.path) as source:
            data = source.read(span.start, min(span.size, _HEX_BYTES))
            shown = _layout_of(finding.path, finding)
            fields = b"" if shown is None else source.read(shown[1], shown[0].size)
    except KafkalogError:
        return
    more = f" … ({span.size} bytes)" if span.size > len(data) else ""
    yield f"bytes {span.start}..{span.end}: {data.hex(' ', 4)}{more}"
    if shown is not None and len(fields) == shown[0].size:
        values = shown[0].read(fields)
        yield ", ".join(f"{field.kafka_name} {value}" for field, value in zip(shown[0].fields, values, strict=True))


def _place(finding: Finding) -> str:
    parts = [printable(finding.path)]
    if finding.span is not None:
        parts.append(f"bytes {finding.span.start}..{finding.span.end}")
    if finding.offsets is not None:
        first, last = finding.offsets
        parts.append(f"offset {first}" if first == last else f"offsets {first}..{last}")
    return ", ".join(parts)


def _folded(findings: Iterable[Finding]) -> list[_Group]:
    """Findings of one rule and severity together, the worst first."""
    groups: dict[tuple[int, str], _Group] = {}
    for finding in findings:
        groups.setdefault((-finding.severity, finding.id), _Group([])).findings.append(finding)
    return [groups[key] for key in sorted(groups)]


def _spread(group: _Group) -> str:
    """In how many directories a finding was made, when it is more than one."""
    places = {os.path.dirname(finding.path) for finding in group.findings}
    return f" in {len(places)} directories" if len(places) > 1 else ""


class _Causes:
    """Which findings of a report follow from others, and where that is reported.

    A cause with consequences in other places is reported first of all, one with consequences in its own partition there. What
    follows is named in a line, unless it is graver than its cause.
    """

    def __init__(self, report: Report) -> None:
        self.following: dict[Cause, list[Finding]] = {}
        places: dict[Cause, set[str]] = {}
        for place, findings in ((p.path, p.findings) for p in report.partitions):
            for finding in findings:
                self._take(place, finding, places)
        for finding in report.findings:
            self._take("", finding, places)
        homes = {Cause(f.id, f.path): p.path for p in report.partitions for f in p.findings}
        self.wide = [cause for cause in self.following if places[cause] != {homes.get(cause, "")}]
        self.severities = {Cause(f.id, f.path): f.severity for f in report.all_findings()}

    def _take(self, place: str, finding: Finding, places: dict[Cause, set[str]]) -> None:
        if finding.cause is not None:
            self.following.setdefault(finding.cause, []).append(finding)
            places.setdefault(finding.cause, set()).add(place)

    def first(self, report: Report) -> list[Finding]:
        """The causes that are reported first."""
        return [finding for finding in report.all_findings() if Cause(finding.id, finding.path) in self.wide]

    def shown(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those of a partition's or the log dirs' findings that are reported in full there."""
        return [
            finding
            for finding in findings
            if Cause(finding.id, finding.path) not in self.wide
            and (finding.cause is None or finding.severity > self.severities.get(finding.cause, Severity.IGNORE))
        ]

    def named(self, findings: Sequence[Finding]) -> Iterator[Line]:
        """The lines for what was reported first, and for what follows from it."""
        for name in dict.fromkeys(f.id for f in findings if Cause(f.id, f.path) in self.wide):
            yield Line(2, "", f"reported above: {name}")
        by_cause: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.cause in self.wide and finding.cause is not None:
                by_cause.setdefault(finding.cause.id, []).append(finding)
        for cause_id, following in by_cause.items():
            yield Line(2, "", f"follows from {cause_id}, above: {_ids_text(following)}")

    def below(self, finding: Finding) -> Iterator[Line]:
        """The line for what follows from a cause."""
        following = self.following.get(Cause(finding.id, finding.path), ())
        if following:
            yield Line(4, "", f"Follows from it: {_ids_text(following)}", prose=True)


def _ids_text(findings: Iterable[Finding]) -> str:
    """The rules of findings, with how often each was broken, the worst first."""
    groups = _folded(findings)
    times = ((group.findings[0].id, len(group.findings), _spread(group)) for group in groups)
    return ", ".join(f"{name} ({count} times{spread})" if count > 1 else name for name, count, spread in times)


def _finding_lines(groups: list[_Group], most: int | None, causes: _Causes) -> Iterator[Line]:
    for group in groups if most is None else groups[:most]:
        first = group.findings[0]
        count = len(group.findings)
        times = f" ({count} times{_spread(group)})" if count > 1 else ""
        yield Line(2, first.severity.label, f"{first.id}{times}")
        shown = group.findings if count <= _EXAMPLES else [*group.findings[: _EXAMPLES - 1], group.findings[-1]]
        for number, finding in enumerate(shown):
            if number == len(shown) - 1 and count > _EXAMPLES:
                yield Line(6, "", f"… {count - _EXAMPLES} more, and the last one:")
            yield Line(4, "", f"{_place(finding)}")
            yield Line(6, "", printable(finding.message), prose=True)
            for text in _evidence(finding) if number == 0 else ():
                yield Line(6, "", text, prose=True)
        yield Line(4, "", f"Consequence: {printable(first.consequence)}", prose=True)
        effects = next((finding.next_start for finding in group.findings if finding.next_start), ())
        if effects:
            sentences = describe_effects(effects, size_text, duration_text)
            yield Line(4, "", f"Next start: {printable(sentences)}", prose=True)
        yield Line(4, "", f"Remedy: {printable(first.remedy)}", prose=True)
        for finding in shown:
            yield from _command_lines(finding, several=count > 1)
        for finding in group.findings:
            yield from causes.below(finding)
    if most is not None and len(groups) > most:
        hidden = sum(len(group.findings) for group in groups[most:])
        yield Line(2, "", f"{hidden} more findings of {len(groups) - most} rules are not shown (--max-findings)")


def _command_lines(finding: Finding, *, several: bool) -> Iterator[Line]:
    """What the remedy says to run, each on a line of its own that nothing wraps."""
    if several and finding.commands:
        yield Line(6, "", f"for {_place(finding)}:")
    for command in finding.commands:
        if len(finding.commands) > 1:
            yield Line(6, "", f"{command.use}:")
        yield Line(8, "", command.line)
    for note in dict.fromkeys(note for command in finding.commands for note in command.notes):
        yield Line(6, "", f"note: {note}", prose=True)


def _validity(partition: PartitionReport) -> str:
    if partition.valid_through_offset is None:
        return "no log"
    if not partition.batches:
        return f"no records; log end {partition.log_end_offset}"
    where = f"byte {partition.valid_position} of {printable(partition.valid_file)}"
    return f"valid through offset {partition.valid_through_offset}, {where}"


def _partition_lines(partition: PartitionReport, most: int | None, causes: _Causes) -> Iterator[Line]:
    yield Line(0, partition.verdict, f"{printable(partition.path)}: {_validity(partition)}")
    yield from _finding_lines(_folded(causes.shown(partition.findings)), most, causes)
    yield from causes.named(partition.findings)
    for line in next_start_section(partition.next_start, partition.segments):
        yield Line(4, "", line[2:]) if line.startswith(" ") else Line(2, "", f"Next start, {line}")


def _table(report: Report) -> Iterator[Line]:
    """One line per partition, the worst first."""
    rows = sorted(report.partitions, key=lambda p: (_ORDER.index(p.verdict), p.path))
    width = max((len(printable(row.path)) for row in rows), default=0)
    yield Line(
        0, "", f"{'verdict':10}{'partition':{width}}  {'offsets':>24} {'segments':>9} {'records':>12} {'bytes':>14}  findings"
    )
    for row in rows:
        offsets = f"{row.log_start_offset}..{row.log_end_offset}" if row.log_end_offset is not None else "-"
        counts = [
            f"{sum(f.severity is severity for f in row.findings)} {severity.label}"
            for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)
            if any(f.severity is severity for f in row.findings)
        ]
        numbers = f"{offsets:>24} {row.segments:>9} {row.records:>12} {row.bytes:>14}"
        if harm := next_start_harm(row.next_start):
            counts.append(f"next start: {harm}")
        text = f"{printable(row.path):{width}}  {numbers}  {', '.join(counts)}"
        yield Line(0, row.verdict, " " * (8 - len(row.verdict)) + text.rstrip())


def report_lines(report: Report, *, max_findings: int | None = None) -> Iterator[Line]:
    """The lines of a report.

    Args:
        report: What verify found.
        max_findings: Rules shown per partition; the totals are exact all the same.
    """
    rows = sorted(report.partitions, key=lambda p: (_ORDER.index(p.verdict), p.path))
    several = len(rows) > 1
    quiet = [row for row in rows if several and not next_start_harm(row.next_start)]
    sound = [row for row in quiet if row.verdict in _SOUND]
    # Of a copy without logs the log dir speaks, once.
    reported_together = {row.path for row in (*sound, *(row for row in quiet if not row.segments and not row.findings))}
    causes = _Causes(report)
    first = causes.first(report)
    if first:
        yield Line(0, "", "What explains other findings:")
        yield from _finding_lines(_folded(first), None, causes)
        yield Line(0, "", "")
    for row in rows:
        if row.path not in reported_together:
            yield from _partition_lines(row, max_findings, causes)
            yield Line(0, "", "")
    infos = _folded(finding for row in sound for finding in causes.shown(row.findings))
    if infos:
        verb = "holds" if len(sound) == 1 else "hold"
        yield Line(0, "benign", f"what the {count_text(len(sound), 'sound partition')} {verb} besides:")
        yield from _finding_lines(infos, max_findings, causes)
        yield Line(0, "", "")
    about_log_dirs = causes.shown(report.findings)
    if about_log_dirs or report.next_start:
        yield Line(0, "", "The log dirs themselves:")
        yield from _finding_lines(_folded(about_log_dirs), max_findings, causes)
        for outcome in report.next_start:
            yield Line(2, "", f"Next start: {next_start_cause(outcome)}", prose=True)
        yield Line(0, "", "")
    if len(rows) > 1:
        yield from _table(report)
        yield Line(0, "", "")
    yield from _summary(report)


def _summary(report: Report) -> Iterator[Line]:
    counts = report.counts
    now = utc(report.now)
    checked = "checked without decompression and records" if report.quick else "checked"
    batches = sum(p.batches for p in report.partitions)
    records = sum(p.records for p in report.partitions)
    nouns = {"error": "error", "warning": "warning", "info": "info finding"}
    found = ", ".join(count_text(counts[name], noun) for name, noun in nouns.items())
    yield Line(0, report.verdict, f"{found} in {count_text(len(report.partitions), 'partition')}")
    what = ((report.files, "file"), (report.bytes, "byte"), (batches, "batch"), (records, "record"))
    yield Line(0, "", f"{', '.join(count_text(*item) for item in what)} {checked}; now {now}")
    if any(p.next_start for p in report.partitions) or report.next_start:
        yield Line(0, "", _next_start_summary(report))
    if report.version is not None:
        evidence = f": {printable(report.evidence)}" if report.evidence else ""
        yield Line(0, "", f"release taken: {report.version}{evidence}")
    if report.suppressed:
        yield Line(0, "", f"{report.suppressed} findings left out by the options")
    for item in report.not_checked:
        yield Line(0, "unknown" if item.failed else "", f"not checked: {printable(item.path)}: {printable(item.reason)}")
    for path, digest in report.hashes:
        yield Line(0, "", f"sha256 {digest}  {printable(path)}")


def _next_start_summary(report: Report) -> str:
    predicted = [p for p in report.partitions if p.next_start]
    harmed = [p for p in predicted if next_start_harm(p.next_start)]
    unknown = [
        p for p in predicted if p not in harmed and any(one.is_unknown or one.severity == "error" for one in p.next_start)
    ]
    logless = [p for p in predicted if not p.segments and p.verdict not in _SOUND]
    if not harmed and not unknown and not logless and not report.next_start:
        lacking = any(f.severity >= _LACKING.get(f.id, Severity.ERROR) for f in report.findings)
        return f"next start: nothing is lost{' of what is here' if lacking else ''}"
    parts = [f"no log in {count_text(len(logless), 'partition')}, so an empty one is made"] if logless else []
    only_beside = bool(logless or report.next_start) and not harmed
    parts += [] if only_beside else [f"harm to {len(harmed)} of {count_text(len(predicted), 'partition')}"]
    parts += [f"{len(unknown)} unknown"] if unknown else []
    made = sum(outcome.partition == "loaded" for outcome in report.next_start)
    parts += [f"{count_text(made, 'partition')} placed here and missing: created again, empty"] if made else []
    parts += ["the broker stops"] if any(outcome.broker == "aborts" for outcome in report.next_start) else []
    return f"next start: {', '.join(parts)}"


def print_report(report: Report, stream: TextIO, *, max_findings: int | None = None) -> None:
    """Write a report as text: with colours on a terminal, plain elsewhere."""
    lines = report_lines(report, max_findings=max_findings)
    if not stream.isatty():
        for line in lines:
            word = f"{line.word}  " if line.word else ""
            stream.write(f"{' ' * line.indent}{word}{line.text}".rstrip() + "\n")
        return
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    for line in lines:
        text = Text()
        if line.word:
            text.append(line.word, style=_STYLES.get(line.word, ""))
            text.append("  ")
        text.append(line.text)
        if line.prose:
            console.print(Padding(text, (0, 0, 0, line.indent), expand=False))
        else:
            console.print(Text(" " * line.indent) + text, soft_wrap=True)
