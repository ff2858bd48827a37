"""A partition directory: loaded in the model, or by itself, without a log dir around it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import PartitionContext
from kafkalog.files.partition import Partition
from kafkalog.files.paths import real_name
from kafkalog.kafka.behaviours import is_zookeeper_era
from kafkalog.kafka.gone_offsets import gone_offsets
from kafkalog.kafka.known_fetches import KnownFetches
from kafkalog.kafka.overlay import open_disk
from kafkalog.kafka.remains import remains_of
from kafkalog.next_start.advice import remedy_for, with_advice
from kafkalog.next_start.alternatives import merged
from kafkalog.next_start.era import OPEN
from kafkalog.next_start.partition import Prediction, Situation, predict_partition, unknown_outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.core.release import Release
    from kafkalog.files.directory import Directory
    from kafkalog.kafka.gone_offsets import Gone
    from kafkalog.next_start.options import Options
    from kafkalog.next_start.outcome import Outcome

__all__ = ["given_up", "predict_directory", "predict_in_situation"]

#: How often the directory of a running broker is read.
_TRIES = 5


def predict_in_situation(directory: Directory, situation: Situation) -> Prediction:
    """What becomes of a directory that is loaded in a situation.

    Harm is believed when the directory has not changed since it was listed, or when it is found twice: a running broker's
    files, read at different moments, can contradict each other.
    """
    before: Outcome | None = None
    scanned = dict(situation.scanned.items())  # in a dict each of them is at hand, however they were kept until now
    for _ in range(_TRIES):
        same = {name: log for name, log in scanned.items() if log.inode == directory.inode_of(name)}
        prediction = _predict(directory, replace(situation, scanned=same))
        outcome = prediction.outcome
        is_final = prediction.is_left_out or not _is_alarming(outcome)
        if is_final or outcome == before or not directory.has_changed():
            return prediction
        before = outcome
        try:
            directory = directory.again()
        except UnreadableFile as error:
            return given_up(directory.path, situation, f"it cannot be read: {error.reason}")
    return given_up(directory.path, situation, f"it changed each of the {_TRIES} times that it was read")


def _is_alarming(outcome: Outcome) -> bool:
    """Whether an outcome is one that files read at different moments could explain."""
    return (not outcome.is_harmless or outcome.has_lost) and (outcome.severity is not None or outcome.is_unknown)


def _predict(directory: Directory, situation: Situation) -> Prediction:
    with open_disk(directory) as disk:
        prediction = predict_partition(directory.path, disk, situation)
    outcome = replace(prediction.outcome, already_gone=_already_gone(directory, situation))
    remedy = remedy_for(directory, outcome, situation)
    return prediction._replace(outcome=replace(outcome, actions=(remedy,)) if remedy else outcome)


def _already_gone(directory: Directory, situation: Situation) -> tuple[Gone, ...] | None:
    """What the log has lost before the start."""
    if situation.context is None:
        return None
    is_compacted = situation.is_compacted or situation.compacts or situation.was_compacted
    partition = Partition(directory.path, directory)
    try:
        remains = remains_of(
            partition,
            is_compacted=is_compacted,
            is_tiered=situation.is_tiered,
            scanned=situation.scanned,
            reads_keys=situation.reads_keys,
        )
    except UnreadableFile:
        return None
    return gone_offsets(remains, situation.context)


def given_up(path: str, situation: Situation, why: str) -> Prediction:
    """What is said of a directory whose prediction could not be worked out."""
    return Prediction(unknown_outcome(path, situation.assumed, why), reads_log=False)


def predict_directory(directory: Directory, stops: Sequence[str], options: Options) -> list[Outcome]:
    """A directory without a log dir around it.

    Args:
        directory: The partition directory.
        stops: Of `clean` and `unclean` those that are asked for.
        options: What is assumed beside.

    Returns:
        For each of these one outcome; where no release is given and it depends on the release, all of them, the worst first.
    """
    path = directory.path
    parsed = parse_partition_name(real_name(path))
    known = KnownFetches()

    def predict(stop: str, release: Release) -> Outcome:
        situation = Situation(
            clean=stop == "clean",
            release=release,
            recovery_point=options.recovery_point,
            mark=parsed.mark if parsed else "",
            kraft=not is_zookeeper_era(release),
            consumer=options.consumer,
            consumer_limit=options.consumer_limit(path),
            replay=options.replay_of(path),
            scanned=options.scanned_logs_of(path),
            was_compacted=options.is_compacted(path),
            reads_keys=options.reads_keys,
            context=PartitionContext(),
            known=known,
        )
        outcome = predict_in_situation(directory, situation).outcome
        evidence = "" if options.release is not None else OPEN.evidence
        return with_advice(replace(outcome, assumed=outcome.assumed._replace(evidence=evidence)))

    releases = [options.release] if options.release else OPEN.releases
    return [outcome for stop in stops for outcome in merged([[predict(stop, release)] for release in releases])]
