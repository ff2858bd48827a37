"""The registry of rules: what is looked for, how bad it is, what it costs, what to do."""

from __future__ import annotations

import inspect
import re
import string
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from kafkalog.core.suggestion import did_you_mean
from kafkalog.errors import RequestError
from kafkalog.verify.finding import Finding, Hit, Severity
from kafkalog.verify.remedies import COMPARE, GENERAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["RULES", "Foretold", "Loss", "Rule", "also_on", "findings_of", "loss_of", "no_such_rule", "rule", "rule_of"]

#: What the offsets of a finding have lost.
Loss = Literal["gone", "unreadable"]

#: Every rule by its id, in the order of the modules; filled by importing `kafkalog.verify.rules`.
RULES: dict[str, Rule] = {}
_BY_SUBJECT: dict[type, list[Rule]] = {}

_IF_CLEANED = f"Nothing to do where the topic is, or ever was, compacted. Where it never was, the offsets are gone. {COMPARE}"
_NOUNS = {
    "batches": "batch", "bytes": "byte", "entries": "entry", "logs": "log", "messages": "message", "offsets": "offset",
    "partitions": "partition", "records": "record", "segments": "segment",
}  # fmt: skip
_VERBS = {"are": "is", "have": "has", "hold": "holds", "were": "was"}
_NUMBER_AND_NOUN = re.compile(rf"\{{(\w+)\}} (zero )?({'|'.join(_NOUNS)})\b(?: ({'|'.join(_VERBS)})\b)?")
_FIRST_AND_LAST = re.compile(rf"(offset)s \{{(\w+)\}} to \{{(\w+)\}}(?: ({'|'.join(_VERBS)})\b)?", re.IGNORECASE)


class Foretold(NamedTuple):
    """What is said in general of the next start and of consumers; a prediction in the same report knows better.

    Args:
        clean: What a start after a clean stop does at the place of a finding.
        unclean: What one after an unclean stop does there.
        consumers: What consumers do there.
    """

    clean: str = ""
    unclean: str = ""
    consumers: str = ""


NOT_FORETOLD = Foretold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One row of the registry.

    `message`, `consequence` and `remedy` are templates over the facts of a hit. `history` marks a rule that only holds in
    logs that were never compacted; `if_cleaned` is then its consequence where the log cleaner may explain it. `loses` says
    what the offsets of its findings mean: "gone" (the copy holds them no longer), "unreadable" (their bytes are there, but the
    records cannot be read as they are), None (no record is lost). The offsets are then exactly those; a finding that cannot
    know them has none, and says why in the fact `offsets_unknown`; one that has neither loses nothing. `proof` and
    `near_miss` name the cases of the test suite that trigger it and that only look as if.
    `foretold` are the sentences at the end of `consequence` that predictions may take the place of.
    `general` are the general remedies (`verify.remedies`) that its own is made of.
    """

    id: str
    severity: Severity
    on: type
    check: Callable[[Any], Iterator[Hit]]
    message: str
    consequence: str
    remedy: str
    source: str
    explanation: str
    proof: str
    near_miss: str
    history: bool = False
    if_cleaned: str = ""
    loses: Loss | None = None
    invariants: tuple[str, ...] = ()
    foretold: Foretold = NOT_FORETOLD
    general: frozenset[str] = frozenset()

    def finding(self, hit: Hit, path: str) -> Finding:
        """A finding of this rule."""
        facts = {name: value for name, value in hit.facts.items() if value is not None or name in self.named_facts}
        return Finding(
            id=self.id,
            severity=self.severity if hit.severity is None else hit.severity,
            path=path if hit.path is None else hit.path,
            span=hit.span,
            offsets=hit.offsets,
            message=_text(self.message, facts),
            facts=facts,
            consequence=_text(self.consequence, facts),
            remedy=_text(self.remedy, facts),
            commands=hit.commands,
        )

    def retold(self, finding: Finding, facts: dict[str, Any]) -> Finding:
        """A finding of this rule with other facts, and its texts about these."""
        return finding._replace(
            facts=facts,
            message=_text(self.message, facts),
            consequence=_text(self.consequence, facts),
            remedy=_text(self.remedy, facts),
        )

    def if_explained(self, finding: Finding) -> Finding:
        """A finding of this rule where the log cleaner may explain it: no more than an INFO, which says so."""
        finding = finding._replace(severity=min(finding.severity, Severity.INFO))
        if not self.if_cleaned:
            return finding
        return finding._replace(consequence=_text(self.if_cleaned, finding.facts), remedy=_IF_CLEANED)

    def foretold_of(self, finding: Finding) -> Foretold:
        """The general sentences of a finding's consequence."""
        return Foretold(*(_text(template, finding.facts) for template in self.foretold))

    @property
    def named_facts(self) -> frozenset[str]:
        """The facts that its templates name."""
        templates = (self.message, self.consequence, self.remedy, self.if_cleaned)
        return frozenset(name for text in templates for _, name, _, _ in string.Formatter().parse(text) if name)


def _text(template: str, facts: dict[str, Any]) -> str:
    """A template about facts; a 1, or a single offset, takes its noun, and the verb after that, in the singular."""
    numbers, pairs = _compared(template)
    ones = frozenset(name for name in numbers if facts[name] == 1)
    same = frozenset(pair for pair in pairs if facts[pair[0]] == facts[pair[1]])
    return _agreeing(template, ones, same).format(**facts)


@cache
def _compared(template: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The facts of a template that may be 1, and the pairs of them that may be the same."""
    pairs = tuple((match[2], match[3]) for match in _FIRST_AND_LAST.finditer(template))
    return tuple(match[1] for match in _NUMBER_AND_NOUN.finditer(template)), pairs


@cache
def _agreeing(template: str, ones: frozenset[str], same: frozenset[tuple[str, str]]) -> str:
    """A template whose words agree with the facts that are 1, and with the pairs that are the same."""

    def agreeing(match: re.Match[str]) -> str:
        name, adjective, noun, verb = match.groups("")
        if name not in ones:
            return match[0]
        return f"{{{name}}} {adjective}{_NOUNS[noun]}" + (f" {_VERBS[verb]}" if verb else "")

    def single(match: re.Match[str]) -> str:
        noun, first, last, verb = match.groups("")
        if (first, last) not in same:
            return match[0]
        return f"{noun} {{{first}}}" + (f" {_VERBS[verb]}" if verb else "")

    return _FIRST_AND_LAST.sub(single, _NUMBER_AND_NOUN.sub(agreeing, template))


def rule(
    rule_id: str,
    severity: Severity,
    *,
    on: type,
    message: str,
    consequence: str,
    remedy: str,
    source: str,
    proof: str,
    near_miss: str,
    history: bool = False,
    if_cleaned: str = "",
    loses: Loss | None = None,
    invariants: str = "",
    foretold: Foretold = NOT_FORETOLD,
) -> Callable[[Callable[[Any], Iterator[Hit]]], Callable[[Any], Iterator[Hit]]]:
    """Register the decorated generator as a rule; its docstring is the explanation that people read."""

    def register(check: Callable[[Any], Iterator[Hit]]) -> Callable[[Any], Iterator[Hit]]:
        assert rule_id not in RULES, rule_id
        row = Rule(
            id=rule_id,
            severity=severity,
            on=on,
            check=check,
            message=message,
            consequence=" ".join(filter(None, (consequence, foretold.consumers, foretold.unclean, foretold.clean))),
            remedy=remedy,
            source=source,
            explanation=inspect.cleandoc(check.__doc__ or ""),
            proof=proof,
            near_miss=near_miss,
            history=history,
            if_cleaned=if_cleaned,
            loses=loses,
            invariants=tuple(invariants.split()),
            foretold=foretold,
            general=frozenset(words for words in GENERAL if words in remedy),
        )
        RULES[rule_id] = row
        _BY_SUBJECT.setdefault(on, []).append(row)
        return check

    return register


def also_on(
    on: type, rule_id: str, *, message: str, consequence: str, remedy: str
) -> Callable[[Callable[[Any], Iterator[Hit]]], Callable[[Any], Iterator[Hit]]]:
    """Register the decorated generator for another subject of a rule, of which less is known: it is told in other words."""

    def register(check: Callable[[Any], Iterator[Hit]]) -> Callable[[Any], Iterator[Hit]]:
        row = replace(RULES[rule_id], on=on, check=check, message=message, consequence=consequence, remedy=remedy)
        _BY_SUBJECT.setdefault(on, []).append(row)
        return check

    return register


def findings_of(subject: Any) -> Iterator[Finding]:
    """What all rules say about a subject; a subject has a `path`, the file or directory it stands for."""
    for row in _BY_SUBJECT.get(type(subject), ()):
        for hit in row.check(subject):
            yield row.finding(hit, subject.path)


def loss_of(finding: Finding) -> Loss | None:
    """What the offsets of a finding have lost; None when no record is lost, or when it is no more than an INFO."""
    known = RULES.get(finding.id)
    if known is None or finding.severity < Severity.WARNING:
        return None
    return known.loses if finding.offsets is not None or "offsets_unknown" in finding.facts else None


def rule_of(rule_id: str) -> Rule:
    """The rule of an id.

    Raises:
        RequestError: there is none of that id.
    """
    try:
        return RULES[rule_id]
    except KeyError:
        raise no_such_rule(rule_id) from None


def no_such_rule(text: str) -> RequestError:
    """What to say of an id, or a pattern, of no rule."""
    return RequestError(f"no rule {text!r}: `kafkalog rules` lists the ids.{did_you_mean(text.strip('*'), RULES)}")
