"""The findings of a report in the order of the page: the worst first, each followed by what follows from it."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.render.effects import describe_effects
from kafkalog.render.quantities import size_text, time_span_text
from kafkalog.render.report.evidence import evidence_of, show_command
from kafkalog.render.verify_findings import place_text
from kafkalog.verify import Severity
from kafkalog.verify.finding import Cause
from kafkalog.verify.rule import loss_of
from kafkalog.verify.subjects import subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from kafkalog.core.command_line import Command
    from kafkalog.render.report.evidence import Evidence
    from kafkalog.verify import Finding, Report

__all__ = ["Folded", "Link", "Shown", "severities", "shown_findings"]

#: Findings that are all shown; of more, so many of each rule.
_ALL, _OF_RULE = 500, 20
#: Findings that follow from one, of one rule.
_FOLLOWING = 20
#: Findings whose bytes are shown, and letters of all of them together.
_WITH_BYTES, _LETTERS = 120, 400_000
#: How often the same advice stands on the page.
_ADVICE = 20
#: Links to what follows from a finding.
_LINKS = 12


class Link(NamedTuple):
    """To another finding."""

    anchor: str
    text: str


class Shown(NamedTuple):
    """A finding on the page.

    Args:
        anchor: Its id there.
        finding: What was found.
        where: The file, the bytes, the offsets.
        file: The name of the file, with its partition directory.
        effects: What the next start does there.
        first_step: Commands of the remedy.
        command: What shows the place again.
        cause: What it follows from.
        following: What follows from it.
        more_following: How many more there are.
        evidence: The bytes.
        same_bytes: The finding whose bytes are the same.
        same_advice: The finding of which the same is said about the next start and what is to be done; None: it stands here.
    """

    anchor: str
    finding: Finding
    where: str
    file: str
    effects: str
    first_step: tuple[Command, ...]
    command: Command | None
    cause: Link | None
    following: tuple[Link, ...]
    more_following: int
    evidence: Evidence | None
    same_bytes: Link | None
    same_advice: Link | None

    @property
    def severity(self) -> str:
        """Its severity as the page spells it."""
        return self.finding.severity.label


class Folded(NamedTuple):
    """Findings that are only counted: of one rule and severity."""

    id: str
    severity: str
    number: int


def shown_findings(report: Report, payload: str, *, with_bytes: bool) -> tuple[list[Shown], list[Folded]]:
    """The findings that are shown, and how many others there are.

    Args:
        report: All of them.
        payload: How bytes of records are shown.
        with_bytes: Whether to read the files.
    """
    ordered, folded = _folded(_ordered(report))
    anchors = {id(finding): f"f{number}" for number, finding in enumerate(ordered, 1)}
    of_cause: dict[Cause, Link] = {}
    for finding in ordered:
        of_cause.setdefault(Cause(finding.id, finding.path), Link(anchors[id(finding)], finding.id))
    following: dict[Cause, list[Link]] = {}
    for finding in ordered:
        if finding.cause is not None:
            following.setdefault(finding.cause, []).append(Link(anchors[id(finding)], finding.id))
    reader = _Reader(payload) if with_bytes else None
    partitions = {one.path for one in report.partitions}
    advice = _Advice()
    shown = []
    for finding in ordered:
        links = following.get(Cause(finding.id, finding.path), [])
        anchor = anchors[id(finding)]
        evidence, same = (None, None) if reader is None else reader.read(finding, anchor)
        shown.append(
            Shown(
                anchor=anchor,
                finding=finding,
                where=place_text(finding),
                file=_file_text(finding.path, partitions),
                effects=describe_effects(finding.next_start, size_text, time_span_text) if finding.next_start else "",
                first_step=finding.commands,
                command=show_command(finding),
                cause=None if finding.cause is None else of_cause.get(finding.cause),
                following=tuple(links[:_LINKS]),
                more_following=max(0, len(links) - _LINKS),
                evidence=evidence,
                same_bytes=same,
                same_advice=advice.same(finding, anchor),
            )
        )
    return shown, folded


def _file_text(path: str, partitions: AbstractSet[str]) -> str:
    """The name of a file, after that of its partition directory."""
    folder, name = os.path.split(path)
    return f"{os.path.basename(folder)}/{name}" if folder in partitions else name or path


def _ordered(report: Report) -> list[Finding]:
    """Causes by how bad they are, what they cost, where they are; after each what follows from it."""
    findings = list(report.all_findings())
    known = {Cause(finding.id, finding.path) for finding in findings}
    following: dict[Cause, list[Finding]] = {}
    for finding in findings:
        if finding.cause is not None and finding.cause in known:
            following.setdefault(finding.cause, []).append(finding)
    first = {id(one.account.cause): number for number, one in enumerate(subjects_of(report))}
    order = sorted(findings, key=lambda f: (-f.severity, loss_of(f) is None, first.get(id(f), len(first))))
    taken: dict[int, Finding] = {}
    for finding in order:
        if finding.cause is None or finding.cause not in known:
            _take(finding, following, taken)
    for finding in order:  # what is its own cause, in a circle
        _take(finding, following, taken)
    return list(taken.values())


def _take(finding: Finding, following: dict[Cause, list[Finding]], taken: dict[int, Finding]) -> None:
    waiting = [finding]
    while waiting:
        one = waiting.pop()
        if id(one) not in taken:
            taken[id(one)] = one
            after = following.get(Cause(one.id, one.path), [])[::-1]
            waiting += sorted(after, key=lambda f: f.severity)


def _folded(findings: Sequence[Finding]) -> tuple[list[Finding], list[Folded]]:
    kept: list[Finding] = []
    counts: Counter[tuple[str, str]] = Counter()
    seen: Counter[object] = Counter()
    is_long = len(findings) > _ALL
    for finding in findings:
        keys: list[tuple[object, int]] = [((finding.id, finding.severity), _OF_RULE)] if is_long else []
        if finding.cause is not None:
            keys.append(((finding.id, finding.cause), _FOLLOWING))
        if any(seen[key] >= most for key, most in keys):
            counts[finding.id, finding.severity.label] += 1
            continue
        seen.update(key for key, _ in keys)
        kept.append(finding)
    return kept, [Folded(name, severity, count) for (name, severity), count in counts.most_common()]


class _Advice:
    """Notices advice that stands on the page often enough."""

    def __init__(self) -> None:
        self._first: dict[object, str] = {}
        self._times: Counter[object] = Counter()

    def same(self, finding: Finding, anchor: str) -> Link | None:
        """The first finding with the same advice, where it would be told once more too often."""
        key = (finding.remedy, finding.commands, finding.next_start)
        self._times[key] += 1
        first = self._first.setdefault(key, anchor)
        return Link(first, finding.id) if self._times[key] > _ADVICE else None


class _Reader:
    """Reads the bytes of findings, each place once, up to a limit."""

    def __init__(self, payload: str) -> None:
        self._payload = payload
        self._seen: dict[tuple[str, int], Link] = {}
        self._places = 0
        self._letters = 0

    def read(self, finding: Finding, anchor: str) -> tuple[Evidence | None, Link | None]:
        """The bytes, or the finding that has them already."""
        if finding.severity is Severity.INFO or self._places >= _WITH_BYTES or self._letters >= _LETTERS:
            return None, None
        evidence = evidence_of(finding, self._payload)
        if evidence is None:
            return None, None
        same = self._seen.setdefault((evidence.path, evidence.start), Link(anchor, finding.id))
        if same.anchor != anchor:
            return None, same
        self._places += 1
        self._letters += sum(len(line.text) for line in evidence.lines)
        return evidence, None


def severities(findings: Iterable[Finding]) -> Iterator[tuple[str, int]]:
    """Each severity that there is, the worst first, with the number of findings."""
    counts = Counter(finding.severity for finding in findings)
    for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO):
        if counts[severity]:
            yield severity.label, counts[severity]
