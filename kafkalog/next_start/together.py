"""The partitions of one log dir together: what one of them, or a file beside them, does to the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import OFFLINE_STOPS_READS
from kafkalog.next_start.outcome import Assumed, Outcome

if TYPE_CHECKING:
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.partition import Prediction
    from kafkalog.next_start.trouble import Trouble

__all__ = ["settle", "trouble_outcomes"]

_BESIDE = "this line is about the log dir, not about a partition"
_HALTS = "a broker whose only log dir this is exits"


def trouble_outcomes(state: LogDirState, assumed: Assumed, predictions: list[Prediction]) -> list[Outcome]:
    """A line for everything beside the partitions that stops the broker or takes the log dir offline."""
    return [_trouble_outcome(state, assumed, trouble, predictions) for trouble in state.troubles]


def _trouble_outcome(state: LogDirState, assumed: Assumed, trouble: Trouble, predictions: list[Prediction]) -> Outcome:
    broker, log_dir, partition, reason = "starts", "offline", "unknown", trouble.reason
    if trouble.effect == "aborts":
        broker, log_dir, reason = "aborts", "online", f"the broker stops: {reason}"
    elif (
        trouble.effect == "offline"
        and OFFLINE_STOPS_READS.applies_to(state.release)
        and any(one.reads_log for one in predictions)
    ):
        broker = "aborts"
        reason = f"the log dir goes offline: {reason}; the broker then stops at a partition with an open transaction"
    elif trouble.effect == "unserved":
        log_dir, partition = "online", "failed"
    elif trouble.effect == "doubtful":
        return _doubtful_outcome(assumed, trouble)
    else:
        reason = f"the log dir goes offline: {reason}; {_HALTS}"
    nothing: dict[str, None] = dict.fromkeys(("truncate", "delete", "rename", "create", "rebuild"))
    actions = (trouble.remedy,) if trouble.remedy else ()
    why = {"partition": _BESIDE}
    return Outcome(trouble.path, assumed, broker, log_dir, partition, reason, **nothing, why=why, actions=actions)


def _doubtful_outcome(assumed: Assumed, trouble: Trouble) -> Outcome:
    nothing: dict[str, None] = dict.fromkeys(("truncate", "delete", "rename", "create", "rebuild"))
    why = {"partition": _BESIDE, "log_dir": trouble.reason}
    actions = (trouble.remedy,) if trouble.remedy else ()
    return Outcome(trouble.path, assumed, "starts", None, "unknown", trouble.reason, **nothing, why=why, actions=actions)


def settle(state: LogDirState, names: list[str], predictions: list[Prediction]) -> list[Outcome]:
    """The outcomes of the partitions, each seen with what happens around it.

    Args:
        state: The log dir.
        names: Names of the partition directories.
        predictions: What each would be by itself, in the same order.

    Source: LogManager.loadLogs and LocalLog.maybeHandleIOException, Kafka 3.9.1.
    """
    effects = {trouble.effect: trouble for trouble in state.troubles}
    offline = [name for name, one in zip(names, predictions, strict=True) if one.outcome.log_dir == "offline"]
    spoilers = [name for name, one in zip(names, predictions, strict=True) if one.spoils is not None]
    settled = []
    for name, prediction in zip(names, predictions, strict=True):
        outcome = prediction.outcome
        if "aborts" in effects and outcome.broker == "starts":
            # What it would be once the cause is gone.
            why = f"the broker stops before, at {effects['aborts'].path}"
            outcome = replace(outcome, broker=None, reason=f"{outcome.reason}; {why}", why={**outcome.why, "broker": why})
        elif name in state.conflicts and outcome.broker == "starts":
            outcome = _failed(outcome, f"the broker stops: {state.conflicts[name]}", broker="aborts")
        elif outcome.broker != "starts" and "unloaded" not in effects:
            pass
        elif "unloaded" in effects:
            outcome = _not_loaded(outcome, effects["unloaded"].reason)
        elif "offline" in effects:
            outcome = _in_offline_dir(state, prediction, effects["offline"].reason)
        elif offline and name not in offline:
            outcome = _beside_offline(state, prediction, offline[0])
        elif offline:
            outcome = _takes_offline(state, prediction, predictions)
        elif "late" in effects:
            outcome = _failed(outcome, f"the log dir goes offline after loading: {effects['late'].reason}", log_dir="offline")
        elif "doubtful" in effects:
            outcome = _may_go_offline(outcome, effects["doubtful"].reason)
        elif prediction.spoils is not None:
            outcome = _failed(outcome, f"nobody leads it: {prediction.spoils}")
        elif spoilers:
            outcome = _beside_spoiler(outcome, spoilers[0])
        elif "unserved" in effects:
            outcome = _failed(outcome, effects["unserved"].reason)
        settled.append(outcome)
    return settled


def _failed(outcome: Outcome, reason: str, *, broker: str = "starts", log_dir: str = "online") -> Outcome:
    if outcome.partition in ("stray", "deleted"):
        return replace(outcome, broker=broker, log_dir=log_dir, reason=f"{outcome.reason}; {reason}")
    return replace(
        outcome, broker=broker, log_dir=log_dir, partition="failed", reason=f"{outcome.reason}; {reason}", consumer=None
    )


def _not_loaded(outcome: Outcome, reason: str) -> Outcome:
    """The log dir is offline before anything in it is looked at: all stays as it is."""
    text = f"the log dir is offline: {reason}"
    return Outcome(outcome.path, outcome.assumed, "starts", "offline", "failed", text, records_lost=0, bytes_lost=0)


def _in_offline_dir(state: LogDirState, prediction: Prediction, reason: str) -> Outcome:
    """The log dir was marked offline before this partition loads."""
    if prediction.reads_log and OFFLINE_STOPS_READS.applies_to(state.release):
        text = "the broker stops: KafkaStorageException: its open transaction is looked up in a log dir that is offline"
        return _failed(prediction.outcome, f"{text} ({reason})", broker="aborts", log_dir="offline")
    return _failed(prediction.outcome, f"the log dir is offline: {reason}", log_dir="offline")


def _beside_offline(state: LogDirState, prediction: Prediction, cause: str) -> Outcome:
    """Another partition takes the log dir offline, before or after this one loads."""
    why = f"{cause} takes the log dir offline; what that does to the others depends on the order in which they load"
    risky = prediction.reads_log and OFFLINE_STOPS_READS.applies_to(state.release)
    return replace(
        prediction.outcome,
        broker=None if risky else "starts",
        log_dir="offline",
        partition="unknown",
        reason=why,
        consumer=None,
        why={**prediction.outcome.why, "partition": why, "consumer": why, **({"broker": why} if risky else {})},
    )


def _may_go_offline(outcome: Outcome, why: str) -> Outcome:
    """It loads; whether the log dir goes offline afterwards is not known."""
    whys = {**outcome.why, "partition": why, "log_dir": why, "consumer": why}
    return replace(outcome, log_dir=None, partition="unknown", reason=f"{outcome.reason}; {why}", consumer=None, why=whys)


def _beside_spoiler(outcome: Outcome, cause: str) -> Outcome:
    """The broker fails to lead another partition, and leads none of those that come after it."""
    if outcome.partition != "loaded":
        return outcome
    why = f"the broker fails to lead {cause}; it then leads none of the partitions that come after it, in an order not known"
    return replace(outcome, reason=f"{outcome.reason}; {why}", consumer=None, why={**outcome.why, "consumer": why})


def _takes_offline(state: LogDirState, prediction: Prediction, predictions: list[Prediction]) -> Outcome:
    outcome = prediction.outcome
    if len(predictions) == 1:
        return outcome
    others = [one for one in predictions if one is not prediction]
    if not OFFLINE_STOPS_READS.applies_to(state.release) or not any(one.reads_log for one in others):
        return outcome
    why = "a partition of the log dir has a transaction open; if it loads after this one, the broker stops"
    return replace(outcome, broker=None, reason=f"{outcome.reason}; {why}", why={**outcome.why, "broker": why})
