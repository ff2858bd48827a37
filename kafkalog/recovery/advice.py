"""What to do before the restart, in order, where it is certain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kafkalog.recovery.outcome import Outcome

__all__ = ["with_advice"]


def with_advice(outcome: Outcome) -> Outcome:
    """The outcome with its actions."""
    return replace(outcome, actions=tuple(_actions(outcome)))


def _actions(outcome: Outcome) -> list[str]:
    if _is_fine(outcome):
        return []
    steps = ["Do not start the broker yet. Copy the log dir with its checkpoint files while the broker is stopped."]
    if outcome.assumed.stop == "clean" and outcome.partition in ("loaded", "failed"):
        steps.append("Keep `.kafka_cleanshutdown` in the copy: the first start deletes it, and the next one counts as unclean.")
    if outcome.partition == "stray":
        steps.append(
            "Put `partition.metadata` back (two lines, `version: 0` and `topic_id: ` with the topic's id, which"
            " `kafka-topics.sh --describe` prints); only if the topic still exists, and has that id."
        )
    elif outcome.partition == "failed" and outcome.broker == "aborts":
        steps.append("The start stops here until the cause is gone: " + outcome.reason.rpartition("; ")[2] + ".")
    if outcome.records_lost:
        steps.append(
            "If another replica has these records, let it lead: do not let this one be elected (no unclean leader election),"
            " then start it, and it will fetch what it lost."
        )
        steps.append("If no replica has them, take the records out of the copy first, with `kafkalog dump`.")
    return steps


def _is_fine(outcome: Outcome) -> bool:
    if outcome.partition == "unknown" and outcome.broker != "aborts":
        return True
    if outcome.partition == "deleted" and outcome.broker == "starts":
        return True
    return outcome.is_harmless
