"""A rule of verify as text, as Markdown and as JSON."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kafkalog.verify import Rule

__all__ = ["rule_json", "rule_markdown", "rule_text"]


def _paragraphs(rule: Rule) -> list[tuple[str, str]]:
    return [
        ("Says", rule.message),
        ("Consequence", rule.consequence),
        ("Remedy", rule.remedy),
        ("Source", rule.source),
        ("Invariants", ", ".join(rule.invariants)),
    ]


def rule_text(rule: Rule) -> str:
    """What `kafkalog rules ID` prints."""
    lines = [f"{rule.id} ({rule.severity.label})", "", rule.explanation, ""]
    if rule.history:
        lines += ["Holds only for logs that were never compacted; INFO where nothing shows whether one was.", ""]
    for name, text in _paragraphs(rule):
        lines.append(textwrap.fill(f"{name}: {text}", 100, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(lines) + "\n"


def rule_markdown(rule: Rule) -> str:
    """A rule's page of the documentation."""
    lines = [f"## {rule.id}", "", f"Severity: **{rule.severity.label}**", "", rule.explanation, ""]
    if rule.history:
        lines += ["Holds only for logs that were never compacted; INFO where nothing shows whether one was.", ""]
    for name, text in _paragraphs(rule):
        lines += [f"**{name}.** {text}", ""]
    return "\n".join(lines).rstrip() + "\n"


def rule_json(rule: Rule) -> dict[str, Any]:
    """A line of `kafkalog rules --format jsonl`."""
    return {
        "schema": "kafkalog.rules/1",
        "type": "rule",
        "id": rule.id,
        "severity": rule.severity.label,
        "explanation": rule.explanation,
        "message": rule.message,
        "consequence": rule.consequence,
        "remedy": rule.remedy,
        "source": rule.source,
        "invariants": list(rule.invariants),
    }
