"""What each rule's proof must find: `stated/*.toml`, a file for each module of rules.

    [rule-id]
    how = "how a value follows from the proof, where one cannot see it there"

    [[rule-id.finding]]
    severity = "warning"
    path = "d1/orders-0/00000000000000000000.log"   # relative to the folder of the log dirs
    span = [17, 21]                                 # none: the finding is about a file that is gone, or a directory
    offsets = [5, 9]                                # none: it is about no offset
    message = "the literal text"                    # consequence and remedy too, when their templates name facts
    facts = { position = 0 }                        # facts that templates name and that are not here are None

Write an entry by hand, or have it written and check each value against what the proof does:
`python -m tests.verify.stated RULE...`. After a change of words it shows in the diff what they have become.
"""

from __future__ import annotations

import json
import pathlib
import re
import sys
import tempfile
import tomllib
from functools import cache
from typing import TYPE_CHECKING, Any

from kafkalog.verify import RULES
from kafkalog.verify.remedies import COMPARE, READ_ON, REFETCH, RESTORE
from tests.verify.proofs import PROOFS

if TYPE_CHECKING:
    from kafkalog.verify import Finding, Rule

_COMPARED = re.compile(r"Compare it with another replica: `kafkalog diff \S+ OTHER`\.")
_RESTORED = re.compile(rf"{re.escape(REFETCH)}(?: If none is: .*? serves\.)? {re.escape(READ_ON)}")
STATED = pathlib.Path(__file__).parent / "stated"


def file_of(rule: Rule) -> pathlib.Path:
    """The file that states the proof of a rule."""
    return STATED / f"{rule.check.__module__.rpartition('.')[2]}.toml"


@cache
def read_stated(path: pathlib.Path) -> dict[str, Any]:
    """A file, by rule id."""
    return tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def stated(rule: Rule) -> list[dict[str, Any]]:
    """What the proof of a rule must find, in the order of the report."""
    found: list[dict[str, Any]] = read_stated(file_of(rule)).get(rule.id, {}).get("finding", [])
    return found


def texts_of(rule: Rule) -> list[str]:
    """Which texts of its findings are stated: those about facts."""
    return ["message", *(name for name in ("consequence", "remedy") if "{" in getattr(rule, name))]


def as_stated(rule: Rule, finding: Finding) -> dict[str, Any]:
    """A finding as it is stated."""
    row: dict[str, Any] = {"severity": finding.severity.label, "path": finding.path}
    if finding.span is not None:
        row["span"] = [finding.span.start, finding.span.end]
    if finding.offsets is not None:
        row["offsets"] = list(finding.offsets)
    # What to compare with, and what to do with the records, goes by the partition, not by the rule.
    row |= {name: _in_general(getattr(finding, name)) for name in texts_of(rule)}
    facts = {name: value for name, value in finding.facts.items() if value is not None}
    return row | {"facts": {name: _in_general(value) if isinstance(value, str) else value for name, value in facts.items()}}


def _in_general(text: str) -> str:
    return _RESTORED.sub(lambda _: RESTORE, _COMPARED.sub(COMPARE, text))


def look_at_proof(rule: Rule, where: pathlib.Path) -> Any:
    """Make a rule's proof and look at it; without predictions where these would take the place of the rule's own words."""
    return PROOFS[rule.proof].look(where, next_start=not any(rule.foretold))


def found_by_proof(rule: Rule) -> list[dict[str, Any]]:
    """What it does find."""
    with tempfile.TemporaryDirectory() as where:
        findings = look_at_proof(rule, pathlib.Path(where)).findings
    return [as_stated(rule, finding) for finding in findings if finding.id == rule.id]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(one)}" for name, one in value.items()) + " }" if value else "{}"
    return json.dumps(value, ensure_ascii=False)


def render(rows: dict[str, Any]) -> str:
    """The text of a file, in the order of the rules."""
    text = []
    for rule in [rule for rule in RULES.values() if rule.id in rows]:
        row = rows[rule.id]
        text.append(f"[{rule.id}]\n" + (f"how = {_value(row['how'])}\n" if "how" in row else ""))
        text += [
            f"[[{rule.id}.finding]]\n" + "".join(f"{name} = {_value(value)}\n" for name, value in finding.items())
            for finding in row["finding"]
        ]
    return "\n".join(text)


def main() -> None:
    """Write what the proofs of some rules find."""
    for rule in map(RULES.__getitem__, sys.argv[1:]):
        read_stated.cache_clear()
        rows = read_stated(file_of(rule))
        rows[rule.id] = rows.get(rule.id, {}) | {"finding": found_by_proof(rule)}
        file_of(rule).write_text(render(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
