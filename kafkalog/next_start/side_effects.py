"""What one partition of a log dir, or a file beside them, does to the others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.kafka.behaviours import OFFLINE_STOPS_READS
from kafkalog.next_start.cause import LOAD_FAILURE, LOG_DIR, OTHER_PARTITION, STOPS, Cause
from kafkalog.next_start.outcome import NOTHING_TOLD, Assumed, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.obstacle import Obstacle
    from kafkalog.next_start.partition import Prediction

__all__ = ["obstacle_outcomes", "with_side_effects"]

_BESIDE = "this line is about the log dir, not about a partition"
_HALTS = "a broker whose only log dir this is exits"


def obstacle_outcomes(state: LogDirState, assumed: Assumed, predictions: list[Prediction]) -> list[Outcome]:
    """A line for everything beside the partitions that stops the broker or takes the log dir offline."""
    return [_obstacle_outcome(state, assumed, obstacle, predictions) for obstacle in state.noted.obstacles]


def _obstacle_outcome(state: LogDirState, assumed: Assumed, obstacle: Obstacle, predictions: list[Prediction]) -> Outcome:
    broker, partition, text = "starts", "unknown", obstacle.reason
    log_dir: str | None = "offline"
    why = {"partition": _BESIDE}
    if obstacle.effect == "aborts":
        broker, log_dir, text = "aborts", "online", f"{STOPS}{text}"
    elif obstacle.effect == "doubtful":
        log_dir = None
        why["log_dir"] = text
    elif obstacle.effect == "unserved":
        log_dir, partition = "online", "failed"
    elif (
        obstacle.effect == "offline"
        and OFFLINE_STOPS_READS.applies_to(state.release)
        and any(one.reads_log for one in predictions)
    ):
        broker = "aborts"
        text = f"the log dir goes offline: {text}; the broker then stops at a partition with an open transaction"
    else:
        text = f"the log dir goes offline: {text}; {_HALTS}"
    actions = (obstacle.remedy,) if obstacle.remedy else ()
    causes = (Cause(LOG_DIR, text, obstacle.path),)
    return Outcome(
        path=obstacle.path,
        assumed=assumed,
        broker=broker,
        log_dir=log_dir,
        partition=partition,
        causes=causes,
        **NOTHING_TOLD,
        why=why,
        actions=actions,
    )


def with_side_effects(state: LogDirState, predictions: Mapping[str, Prediction]) -> dict[str, Outcome]:
    """The outcomes of the partitions, each seen with what happens around it, by the directory's name.

    Args:
        state: The log dir.
        predictions: What each would be by itself.

    Source: LogManager.loadLogs and LocalLog.maybeHandleIOException, Kafka 3.9.1.
    """
    effects = {obstacle.effect: obstacle for obstacle in state.noted.obstacles}
    offline = [name for name, one in predictions.items() if one.outcome.log_dir == "offline"]
    not_led = [name for name, one in predictions.items() if one.not_led is not None]

    def seen(name: str, prediction: Prediction) -> Outcome:
        outcome, conflict = prediction.outcome, state.noted.conflicts.get(name)
        if "aborts" in effects and outcome.broker == "starts":
            # What it would be once the cause is gone.
            why = f"the broker stops before, at {effects['aborts'].path}"
            cause = Cause(LOG_DIR, why, effects["aborts"].path)
            return outcome.because(cause, broker=None, why={**outcome.why, "broker": why})
        if conflict is not None and outcome.broker == "starts":
            return _failed(outcome, Cause(OTHER_PARTITION, f"{STOPS}{conflict}"), broker="aborts")
        if "unloaded" in effects:
            return _not_loaded(outcome, effects["unloaded"])
        if outcome.broker != "starts":
            return outcome
        if "offline" in effects:
            return _in_offline_dir(state, prediction, effects["offline"])
        if offline and name not in offline:
            return _beside_offline(state, prediction, offline[0])
        if offline:
            return _takes_offline(state, prediction, predictions.values())
        if "late" in effects:
            late = effects["late"]
            cause = Cause(LOG_DIR, f"the log dir goes offline after loading: {late.reason}", late.path)
            return _failed(outcome, cause, log_dir="offline")
        if "doubtful" in effects:
            return _may_go_offline(outcome, effects["doubtful"])
        if prediction.not_led is not None:
            return _failed(outcome, Cause(LOAD_FAILURE, f"nobody leads it: {prediction.not_led}"))
        if not_led:
            return _beside_one_not_led(outcome, not_led[0])
        if "unserved" in effects:
            return _failed(outcome, Cause(LOG_DIR, effects["unserved"].reason, effects["unserved"].path))
        return outcome

    return {name: seen(name, prediction) for name, prediction in predictions.items()}


def _failed(outcome: Outcome, cause: Cause, *, broker: str = "starts", log_dir: str = "online") -> Outcome:
    if outcome.partition in ("stray", "deleted"):
        return outcome.because(cause, broker=broker, log_dir=log_dir)
    return outcome.because(cause, broker=broker, log_dir=log_dir, partition="failed", consumer=None)


def _not_loaded(outcome: Outcome, obstacle: Obstacle) -> Outcome:
    """The log dir is offline before anything in it is looked at: all stays as it is."""
    causes = (Cause(LOG_DIR, f"the log dir is offline: {obstacle.reason}", obstacle.path),)
    return Outcome(
        path=outcome.path,
        assumed=outcome.assumed,
        broker="starts",
        log_dir="offline",
        partition="failed",
        causes=causes,
        records_lost=0,
        bytes_lost=0,
    )


def _in_offline_dir(state: LogDirState, prediction: Prediction, obstacle: Obstacle) -> Outcome:
    """The log dir was marked offline before this partition loads."""
    reason = obstacle.reason
    if prediction.reads_log and OFFLINE_STOPS_READS.applies_to(state.release):
        text = f"{STOPS}KafkaStorageException: its open transaction is looked up in a log dir that is offline"
        cause = Cause(LOG_DIR, f"{text} ({reason})", obstacle.path)
        return _failed(prediction.outcome, cause, broker="aborts", log_dir="offline")
    cause = Cause(LOG_DIR, f"the log dir is offline: {reason}", obstacle.path)
    return _failed(prediction.outcome, cause, log_dir="offline")


def _beside_offline(state: LogDirState, prediction: Prediction, other: str) -> Outcome:
    """Another partition takes the log dir offline, before or after this one loads."""
    why = f"{other} takes the log dir offline; what that does to the others depends on the order in which they load"
    risky = prediction.reads_log and OFFLINE_STOPS_READS.applies_to(state.release)
    return replace(
        prediction.outcome,
        broker=None if risky else "starts",
        log_dir="offline",
        partition="unknown",
        causes=(Cause(OTHER_PARTITION, why, other),),
        consumer=None,
        why={**prediction.outcome.why, "partition": why, "consumer": why, **({"broker": why} if risky else {})},
    )


def _may_go_offline(outcome: Outcome, obstacle: Obstacle) -> Outcome:
    """It loads; whether the log dir goes offline afterwards is not known."""
    why = obstacle.reason
    whys = {**outcome.why, "partition": why, "log_dir": why, "consumer": why}
    cause = Cause(LOG_DIR, why, obstacle.path)
    return outcome.because(cause, log_dir=None, partition="unknown", consumer=None, why=whys)


def _beside_one_not_led(outcome: Outcome, other: str) -> Outcome:
    """The broker fails to lead another partition, and leads none of those that come after it."""
    if outcome.partition != "loaded":
        return outcome
    why = f"the broker fails to lead {other}; it then leads none of the partitions that come after it, in an order not known"
    return outcome.because(Cause(OTHER_PARTITION, why, other), consumer=None, why={**outcome.why, "consumer": why})


def _takes_offline(state: LogDirState, prediction: Prediction, predictions: Iterable[Prediction]) -> Outcome:
    outcome = prediction.outcome
    others = [one for one in predictions if one is not prediction]
    if not OFFLINE_STOPS_READS.applies_to(state.release) or not any(one.reads_log for one in others):
        return outcome
    why = "a partition of the log dir has a transaction open; if it loads after this one, the broker stops"
    return outcome.because(Cause(OTHER_PARTITION, why), broker=None, why={**outcome.why, "broker": why})
