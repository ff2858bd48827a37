"""A partition directory: loaded in the model, or by itself, without a log dir around it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import UnreadableFile
from kafkalog.files.paths import file_states
from kafkalog.kafka.behaviours import is_zookeeper_era
from kafkalog.kafka.overlay import open_disk
from kafkalog.next_start.advice import with_advice
from kafkalog.next_start.alternatives import told
from kafkalog.next_start.era import OPEN
from kafkalog.next_start.partition import Prediction, Situation, predict_partition, unknown_outcome
from kafkalog.next_start.remedies import remedy_for

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.next_start.options import Options
    from kafkalog.next_start.outcome import Outcome

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


def predict_directory(path: str, stop: str, options: Options) -> list[Outcome]:
    """A directory without a log dir around it.

    Args:
        path: The partition directory.
        stop: `clean` or `unclean`.
        options: What is assumed beside.

    Returns:
        One outcome; where no release is given and it depends on the release, all of them, the worst first.
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
        outcome = predict_in_situation(path, situation).outcome
        evidence = "" if options.release is not None else OPEN.evidence
        return with_advice(replace(outcome, assumed=outcome.assumed._replace(evidence=evidence)))

    return told([[predict(release)] for release in ([options.release] if options.release else OPEN.releases)])
