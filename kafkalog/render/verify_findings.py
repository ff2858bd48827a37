"""Findings as text: what is wrong, what it costs, what to do; with the bytes where everything is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.errors import KafkalogError
from kafkalog.files.source import FileSource
from kafkalog.render.effects import describe_effects
from kafkalog.render.items import Line
from kafkalog.render.quantities import count_text, offsets_text, size_text, time_span_text
from kafkalog.render.verify_causes import spread
from kafkalog.verify import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.layout import Layout
    from kafkalog.render.verify_causes import Causes, Group
    from kafkalog.verify import Finding

__all__ = ["Style", "alone", "finding_lines", "place_text"]

#: Places that a folded finding shows, and different consequences.
_EXAMPLES = 3
_HEX_BYTES = 64


class Style(NamedTuple):
    """How much is told.

    Args:
        is_full: With the bytes and the fields that they are, info findings, files that a start touches.
        most: Rules shown per partition; None: all.
    """

    is_full: bool = False
    most: int | None = None


def finding_lines(groups: list[Group], causes: Causes, style: Style, base: str = "") -> Iterator[Line]:
    """Findings in lines.

    Args:
        groups: Those of one rule together.
        causes: What follows from what.
        style: How much is told.
        base: The directory that was named above: places in it are told by the name of the file.
    """
    for group in groups if style.most is None else groups[: style.most]:
        yield from _group_lines(group, causes, style, "" if style.is_full else base)
    if style.most is not None and len(groups) > style.most:
        hidden = sum(len(group.findings) for group in groups[style.most :])
        more = f"{count_text(hidden, 'more finding')} of {count_text(len(groups) - style.most, 'rule')}"
        yield Line(2, "", f"{more} are not shown (--max-findings)")


def alone(finding: Finding) -> Iterator[Line]:
    """One finding by itself."""
    yield Line(0, finding.severity.label, finding.id)
    yield from _alike_lines([finding], Style(), "", with_bytes=False)
    if finding.cause is not None:
        yield Line(4, "", f"Follows from {finding.cause.id}, {finding.cause.path}")


def _group_lines(group: Group, causes: Causes, style: Style, base: str) -> Iterator[Line]:
    first = group.findings[0]
    count = len(group.findings)
    times = f" ({count:,} times{spread(group)})" if count > 1 else ""
    yield Line(2, first.severity.label, f"{first.id}{times}")
    alike = _alike(group.findings)
    shown = _examples(alike)
    for number, findings in enumerate(shown):
        if number == len(shown) - 1 and len(alike) > len(shown):
            yield Line(4, "", f"… {len(alike) - len(shown):,} more that differ in what they cost, and the last one:")
        yield from _alike_lines(findings, style, base, with_bytes=number == 0)
    for finding in group.findings:
        yield from causes.below(finding)


def _alike(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Findings that cost the same, and are remedied alike, together."""
    groups: dict[tuple[Any, ...], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.consequence, finding.remedy, finding.next_start), []).append(finding)
    return list(groups.values())


def _examples(items: list[Any]) -> list[Any]:
    """The first of many, and the last."""
    return items if len(items) <= _EXAMPLES else [*items[: _EXAMPLES - 1], items[-1]]


def _alike_lines(findings: list[Finding], style: Style, base: str, *, with_bytes: bool) -> Iterator[Line]:
    first, count = findings[0], len(findings)
    shown = _examples(findings)
    for number, finding in enumerate(shown):
        if number == len(shown) - 1 and count > len(shown):
            yield Line(6, "", f"… {count - len(shown):,} more, and the last one:")
        yield Line(4, "", place_text(finding, base))
        yield Line(6, "", finding.message, prose=True)
        if with_bytes and style.is_full and number == 0:
            yield from (Line(6, "", text, prose=True) for text in _evidence(finding))
    yield Line(4, "Consequence:", first.consequence, prose=True, style="label")
    # What a start does to a partition is told below its findings.
    if first.next_start and (style.is_full or not base):
        sentences = describe_effects(first.next_start, size_text, time_span_text)
        yield Line(4, "Next start:", sentences, prose=True, style="label")
    yield Line(4, "Remedy:", first.remedy, prose=True, style="label")
    for finding in shown:
        yield from _command_lines(finding, base, several=count > 1)


def _command_lines(finding: Finding, base: str, *, several: bool) -> Iterator[Line]:
    """What the remedy says to run, each on a line of its own that nothing wraps."""
    if several and finding.commands:
        yield Line(6, "", f"for {place_text(finding, base)}:")
    for command in finding.commands:
        if len(finding.commands) > 1:
            yield Line(6, "", f"{command.use}:")
        yield Line(8, "", command.line)
    for note in dict.fromkeys(note for command in finding.commands for note in command.notes):
        yield Line(6, "", f"note: {note}", prose=True)


def place_text(finding: Finding, base: str = "") -> str:
    """Where a finding was made: the file, its bytes, the offsets."""
    path = finding.path
    parts = [path.removeprefix(f"{base}/") if base else path]
    if base and path == base:
        parts = ["the directory"]
    if finding.span is not None:
        parts.append(f"bytes {finding.span.start}..{finding.span.end}")
    if finding.offsets is not None:
        parts.append(offsets_text([finding.offsets]))
    return ", ".join(parts)


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
    more = f" … ({span.size:,} bytes)" if span.size > len(data) else ""
    yield f"bytes {span.start}..{span.end}: {data.hex(' ', 4)}{more}"
    if shown is not None and len(fields) == shown[0].size:
        values = shown[0].read(fields)
        yield ", ".join(f"{field.kafka_name} {value}" for field, value in zip(shown[0].fields, values, strict=True))
