"""A partition directory: loaded in the model, or by itself, without a log dir around it."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import UnreadableFile
from kafkalog.recovery.advice import with_advice
from kafkalog.recovery.alternatives import told
from kafkalog.recovery.behaviours import is_zookeeper_era
from kafkalog.recovery.disk import open_disk
from kafkalog.recovery.era import OPEN
from kafkalog.recovery.partition import Prediction, Situation, predict_partition, unknown_outcome
from kafkalog.recovery.remedies import remedy_for

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.recovery.options import Options
    from kafkalog.recovery.outcome import Outcome

__all__ = ["predict_directory", "predict_in_situation"]


def predict_in_situation(path: str, situation: Situation) -> Prediction:
    """What becomes of a directory with given surroundings; `unknown` when it cannot be listed."""
    try:
        with open_disk(path) as disk:
            prediction = predict_partition(path, disk, situation)
        remedy = remedy_for(path, prediction.outcome, situation)
    except UnreadableFile as error:
        return Prediction(unknown_outcome(path, situation.assumed, f"it cannot be read: {error.reason}"), reads_log=False)
    return prediction._replace(outcome=replace(prediction.outcome, actions=(remedy,))) if remedy else prediction


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
