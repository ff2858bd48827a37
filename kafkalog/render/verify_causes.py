"""Findings of a report put together: those of one rule, and those that follow from one cause."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.render.items import Line
from kafkalog.render.quantities import count_text
from kafkalog.verify import Severity
from kafkalog.verify.finding import Cause

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.verify import Finding, Report

__all__ = ["Causes", "Group", "folded", "spread"]


class Group(NamedTuple):
    """Findings of one rule and severity."""

    findings: list[Finding]


def folded(findings: Iterable[Finding], first: Finding | None = None) -> list[Group]:
    """Findings of one rule and severity together, the worst first; before all, those that are like `first`."""
    groups: dict[tuple[bool, int, str], Group] = {}
    for finding in findings:
        is_like_first = first is not None and (finding.id, finding.severity) == (first.id, first.severity)
        groups.setdefault((not is_like_first, -finding.severity, finding.id), Group([])).findings.append(finding)
    return [groups[key] for key in sorted(groups)]


def spread(group: Group) -> str:
    """In how many directories a finding was made, when it is more than one."""
    places = {os.path.dirname(finding.path) for finding in group.findings}
    return f" in {count_text(len(places), 'directory')}" if len(places) > 1 else ""


class Causes:
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
            yield Line(2, "", f"follows from {cause_id}, above: {_ids_text(following)}", prose=True)

    def below(self, finding: Finding) -> Iterator[Line]:
        """The line for what follows from a cause."""
        following = self.following.get(Cause(finding.id, finding.path), ())
        if following:
            yield Line(4, "", f"Follows from it: {_ids_text(following)}", prose=True)


def _ids_text(findings: Iterable[Finding]) -> str:
    """The rules of findings, with how often each was broken, the worst first."""
    groups = folded(findings)
    times = ((group.findings[0].id, len(group.findings), spread(group)) for group in groups)
    return ", ".join(f"{name} ({count:,} times{where})" if count > 1 else name for name, count, where in times)
