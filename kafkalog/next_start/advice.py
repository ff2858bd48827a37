"""What to do before the restart, in order, where it is certain."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.next_start.partition import METADATA_FILE

if TYPE_CHECKING:
    from kafkalog.next_start.outcome import Outcome

__all__ = ["with_advice"]


#: Fields that are None only for a reason.
_EXPLAINED = (
    "truncate",
    "delete",
    "rename",
    "create",
    "rebuild",
    "log_start_offset",
    "log_end_offset",
    "records_lost",
    "bytes_lost",
    "epochs_after",
    "consumer",
)


def with_advice(outcome: Outcome) -> Outcome:
    """The outcome with its actions, and a reason for every field that is None."""
    because = outcome.why.get("partition", f"the partition is {outcome.partition}")
    missing = {name: because for name in _EXPLAINED if getattr(outcome, name) is None and name not in outcome.why}
    return replace(outcome, actions=tuple(_actions(outcome)), why={**outcome.why, **missing})


def _actions(outcome: Outcome) -> list[str]:
    if outcome.severity != "error":
        return []
    steps = ["Do not start the broker yet. Copy the log dir with its checkpoint files while the broker is stopped."]
    if outcome.assumed.stop == "clean":
        steps.append("Keep `.kafka_cleanshutdown` in the copy: the first start deletes it, and the next one counts as unclean.")
    if outcome.actions:
        # Tried in the model: nothing is lost then.
        return [*steps, *outcome.actions]
    if outcome.partition == "stray" or (outcome.partition == "failed" and METADATA_FILE in outcome.reason):
        steps.append(
            "Put `partition.metadata` right (two lines, `version: 0` and `topic_id: ` with the topic's id, which"
            " `kafka-topics.sh --describe` prints); only if the topic still exists, and has that id."
        )
    elif outcome.partition == "deleted":
        steps.append("Move the directory out of the log dir, or the broker deletes it a minute after its start.")
        steps.append(
            "If the topic still exists and the partition belongs here, put its id into `partition.metadata` of the directory"
            " (`kafka-topics.sh --describe` prints it) and move it back while the broker is stopped."
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
