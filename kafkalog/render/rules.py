"""A rule of verify as text, as Markdown and as JSON."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from kafkalog.render.items import Line, Pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.render.items import Item
    from kafkalog.verify import Rule

__all__ = ["rule_json", "rule_markdown", "rule_text", "rules_text"]


_OF_HISTORY = "Holds only for logs that were never compacted; INFO where nothing shows whether one was."


def _paragraphs(rule: Rule) -> list[tuple[str, str]]:
    return [
        ("Says", rule.message),
        ("Consequence", rule.consequence),
        ("Remedy", rule.remedy),
        ("Source", rule.source),
        ("Invariants", ", ".join(rule.invariants)),
    ]


def rules_text(rules: Sequence[Rule], columns: int) -> Iterator[Item]:
    """The list of `kafkalog rules`, a line of so many columns for each."""
    width = max(len(rule.id) for rule in rules)
    for rule in rules:
        label = rule.severity.label
        head = f"{rule.id:{width}}  {label:7}  "
        text = textwrap.shorten(rule.explanation.splitlines()[0], columns - len(head), placeholder=" …")
        yield Pieces(((head[: width + 2], ""), (label.ljust(7), label), (f"  {text}", "")))


def rule_text(rule: Rule) -> Iterator[Item]:
    """What `kafkalog rules ID` prints."""
    yield Pieces(((rule.id, "title"), (" (", ""), (rule.severity.label, rule.severity.label), (")", "")))
    yield ""
    for paragraph in rule.explanation.split("\n\n"):
        yield Line(0, "", " ".join(paragraph.splitlines()), prose=True)
        yield ""
    if rule.history:
        yield Line(0, "", _OF_HISTORY, prose=True)
        yield ""
    for name, text in _paragraphs(rule):
        yield Line(0, f"{name}:", text, prose=True, style="label")


def rule_markdown(rule: Rule) -> str:
    """A rule's page of the documentation."""
    lines = [f"## {rule.id}", "", f"Severity: **{rule.severity.label}**", "", rule.explanation, ""]
    if rule.history:
        lines += [_OF_HISTORY, ""]
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
