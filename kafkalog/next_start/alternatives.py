"""What brokers of several releases, or on several conditions, would do: once where it is the same, else the worst first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.release import parse_release
from kafkalog.kafka.behaviours import is_zookeeper_era

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.next_start.cause import Cause
    from kafkalog.next_start.outcome import Outcome

__all__ = ["merged"]


def merged(alternatives: Sequence[Sequence[Outcome]]) -> list[Outcome]:
    """The outcomes for each path.

    Args:
        alternatives: What each release would do: an outcome for each path.
    """
    if len(alternatives) == 1:
        return list(alternatives[0])
    by_path: dict[str, list[Outcome]] = {}
    for outcomes in alternatives:
        for outcome in outcomes:
            by_path.setdefault(outcome.path, []).append(outcome)
    found: list[Outcome] = []
    for outcomes in by_path.values():
        if len(outcomes) == len(alternatives) and all(_is_same(outcomes[0], other) for other in outcomes[1:]):
            found.append(_in_common(outcomes))
        else:
            found += [_conditional(outcome) for outcome in sorted(outcomes, key=lambda one: one.harm, reverse=True)]
    return found


def _is_same(one: Outcome, other: Outcome) -> bool:
    """Whether the same is done in both; why need not be the same."""
    told = {name: getattr(other, name) for name in ("assumed", "causes", "why", "actions", "commands")}
    return replace(one, **told) == other


def _in_common(outcomes: Sequence[Outcome]) -> Outcome:
    first = outcomes[0]
    causes = first.causes
    if any(outcome.reason != first.reason for outcome in outcomes):
        causes = tuple(one for outcome in outcomes for one in _introduced(outcome, _assumption(outcome)))
    is_same_advice = all(outcome.actions == first.actions for outcome in outcomes)
    actions, commands = (first.actions, first.commands) if is_same_advice else ((), ())
    is_one_release = len({outcome.assumed.release for outcome in outcomes}) == 1
    assumed = first.assumed._replace(release=first.assumed.release if is_one_release else None, condition="")
    return replace(first, assumed=assumed, causes=causes, actions=actions, commands=commands)


def _assumption(outcome: Outcome) -> str:
    return outcome.assumed.condition or f"with {outcome.assumed.release}"


def _conditional(outcome: Outcome) -> Outcome:
    if outcome.assumed.condition:
        return replace(outcome, causes=_introduced(outcome, outcome.assumed.condition))
    release = outcome.assumed.release or ""
    mode = "ZooKeeper" if is_zookeeper_era(parse_release(release)) else "KRaft"
    return replace(outcome, causes=_introduced(outcome, f"if the broker runs with {mode}, as Kafka {release}"))


def _introduced(outcome: Outcome, condition: str) -> tuple[Cause, ...]:
    """The causes of an outcome, reported under a condition."""
    first, *others = outcome.causes
    return first._replace(text=f"{condition}: {first.text}"), *others
