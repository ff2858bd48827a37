"""A partition directory: loaded in the model, or by itself, without a log dir around it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kafkalog.core.filename import parse_partition_name
from kafkalog.core.release import NEWEST, Release, release_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.partition import file_states
from kafkalog.recovery.advice import with_advice
from kafkalog.recovery.behaviours import LAST_OF_ZOOKEEPER, is_zookeeper_era
from kafkalog.recovery.disk import open_disk
from kafkalog.recovery.partition import Prediction, Situation, predict_partition, unknown_outcome
from kafkalog.recovery.remedies import remedy_for

if TYPE_CHECKING:
    from kafkalog.recovery.options import Options
    from kafkalog.recovery.outcome import Outcome

__all__ = ["given_up", "predict_directory", "predict_in_situation"]

#: How often the directory of a running broker is read.
_TRIES = 5


def predict_in_situation(path: str, situation: Situation) -> Prediction:
    """What becomes of a directory with given surroundings; `unknown` when it cannot be listed.

    Harm is believed when the directory did not change while it was read, or when it is found twice: a running broker's
    files, read at different moments, can contradict each other.
    """
    before: Outcome | None = None
    for _ in range(_TRIES):
        try:
            states = file_states(path)
            known = {name: log for name, log in situation.known.items() if name in states and log.inode == states[name][1]}
            prediction = _predict(path, replace(situation, known=known))
            if prediction.outcome.is_harmless or prediction.outcome == before or file_states(path) == states:
                return prediction
        except UnreadableFile as error:
            return given_up(path, situation, f"it cannot be read: {error.reason}")
        before = prediction.outcome
    return given_up(path, situation, f"it changed each of the {_TRIES} times that it was read")


def _predict(path: str, situation: Situation) -> Prediction:
    with open_disk(path) as disk:
        prediction = predict_partition(path, disk, situation)
    remedy = remedy_for(path, prediction.outcome, situation)
    return prediction._replace(outcome=replace(prediction.outcome, actions=(remedy,))) if remedy else prediction


def given_up(path: str, situation: Situation, why: str) -> Prediction:
    """What is said of a directory whose prediction could not be worked out."""
    return Prediction(unknown_outcome(path, situation.assumed, why), reads_log=False)


def predict_directory(path: str, stop: str, options: Options) -> Outcome:
    """A directory without a log dir around it: what depends on the release is only known for a given one.

    Args:
        path: The partition directory.
        stop: `clean` or `unclean`.
        options: What is assumed beside.
    """
    parsed = parse_partition_name(os.path.basename(os.path.realpath(path)))

    def predict(release: Release) -> Outcome:
        situation = Situation(
            clean=stop == "clean",
            release=release,
            recovery_point=options.recovery_point,
            mark=parsed.mark if parsed else "",
            kraft=not is_zookeeper_era(release),
            read=options.read,
            read_up_to=options.read_up_to(path),
            replay=options.replay_of(path),
            known=options.known_of(path),
        )
        return predict_in_situation(path, situation).outcome

    if options.release is not None:
        return with_advice(predict(options.release))
    return with_advice(_common(predict(LAST_OF_ZOOKEEPER), predict(NEWEST)))


def _common(old: Outcome, new: Outcome) -> Outcome:
    """What two releases agree on; the rest is not known."""
    first, second = release_text(LAST_OF_ZOOKEEPER), release_text(NEWEST)
    changes: dict[str, Any] = {"assumed": old.assumed._replace(release=None)}
    if old.actions != new.actions:
        changes["actions"] = ()
    why = {**old.why, **new.why}
    for name in _COMPARED:
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            changes[name] = "unknown" if name == "partition" else None
            why[name] = f"depends on the release: {_told(before)} with {first}, {_told(after)} with {second}"
    if old.reason != new.reason:
        changes["reason"] = f"with {first}: {old.reason}; with {second}: {new.reason}"
    return replace(old, **changes, why=why)


_COMPARED = (
    "broker",
    "log_dir",
    "partition",
    "truncate",
    "delete",
    "rename",
    "create",
    "rebuild",
    "log_start_offset",
    "log_end_offset",
    "records_lost",
    "bytes_lost",
    "time_range_lost",
    "epochs_after",
    "consumer",
)


def _told(value: object) -> str:
    if isinstance(value, str | int):
        return str(value)
    if value is None:
        return "nothing"
    return f"{len(value)} of them" if isinstance(value, tuple) and not hasattr(value, "_fields") else "something else"
