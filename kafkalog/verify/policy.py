"""What the caller wants reported: chosen rules, changed severities, and no findings of the baseline."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kafkalog.errors import RequestError
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.rule import RULES, no_such_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Policy", "read_baseline"]

Known = tuple[str, str, tuple[int, int] | None, tuple[int, int] | None]


def _matching(patterns: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for pattern in patterns:
        ids = fnmatch.filter(RULES, pattern)
        if not ids:
            raise no_such_rule(pattern)
        found.update(ids)
    return frozenset(found)


@dataclass(frozen=True)
class Policy:
    """How findings are graded after they were found; detection never looks at it.

    Args:
        select: Ids or patterns (`index-*`) of the rules that may speak; all when empty.
        ignore: Ids or patterns of rules that may not.
        levels: Severities by rule id, `Severity.IGNORE` for silence.
        strict: INFO counts as WARNING.
        baseline: Findings that are known already, see `read_baseline`.

    Raises:
        RequestError: an id or pattern names no rule.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    levels: Mapping[str, Severity] = field(default_factory=dict)
    strict: bool = False
    baseline: frozenset[Known] = frozenset()

    def __post_init__(self) -> None:
        _matching(self.select), _matching(self.ignore), _matching(self.levels)

    def graded(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """The findings that are left, with the severities that they have now."""
        if self == _ALL:
            return findings
        chosen = _matching(self.select) if self.select else frozenset(RULES)
        chosen -= _matching(self.ignore)
        kept = []
        for finding in findings:
            severity = self.levels.get(finding.id, finding.severity)
            if self.strict and severity is Severity.INFO and finding.id not in self.levels:
                severity = Severity.WARNING
            if finding.id in chosen and severity is not Severity.IGNORE and _known(finding) not in self.baseline:
                kept.append(finding if severity is finding.severity else finding._replace(severity=severity))
        return tuple(kept)


#: Everything, as the rules grade it.
_ALL = Policy()


def _known(finding: Finding) -> Known:
    span = None if finding.span is None else (finding.span.start, finding.span.end)
    return finding.id, finding.path, span, finding.offsets


def read_baseline(text: str) -> frozenset[Known]:
    """The findings of an earlier `kafkalog verify --format jsonl`, to be left out of this one.

    A finding is the same when rule, path, span and offsets are.

    Raises:
        RequestError: a line is no JSON line of that output.
    """

    def pair(value: object) -> tuple[int, int] | None:
        return (int(value[0]), int(value[1])) if isinstance(value, list) else None

    known = set()
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line) if line.strip() else {}
            if row.get("type") == "finding":
                known.add((row["id"], row["path"], pair(row["span"]), pair(row["offsets"])))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise RequestError(f"the baseline's line {number} is no line of `kafkalog verify --format jsonl`") from None
    return frozenset(known)
