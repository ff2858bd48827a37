"""A log dir as a whole: each of its partitions, and what they and the files beside them do to each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, PartitionName
from kafkalog.core.release import release_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.paths import has_gone, join
from kafkalog.next_start.advice import with_advice
from kafkalog.next_start.alternatives import told
from kafkalog.next_start.directory import given_up, predict_in_situation
from kafkalog.next_start.loss import everything_in
from kafkalog.next_start.options import STOPS, Options
from kafkalog.next_start.outcome import Assumed, Consumer, ConsumerRead, Outcome
from kafkalog.next_start.partition import Prediction, Situation
from kafkalog.next_start.placement import Doubt, doubts_of, missing_directories
from kafkalog.next_start.together import settle, trouble_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkalog.files.directory import Directory
    from kafkalog.next_start.log_dir_state import LogDirState

__all__ = ["predict_log_dirs", "predict_partitions"]


def predict_log_dirs(
    alternatives: Sequence[LogDirState], options: Options, run: Callable[..., Iterable[Prediction]] = map
) -> list[Outcome]:
    """Everything in a log dir, of each era that it may be of.

    Args:
        alternatives: The log dir as a broker of each finds it.
        options: What is assumed.
        run: `map`, or one that works in other processes.
    """
    return told([list(_predict_log_dir(state, options, run)) for state in alternatives])


def _predict_log_dir(state: LogDirState, options: Options, run: Callable[..., Iterable[Prediction]]) -> Iterator[Outcome]:
    """First what stands beside the partitions, then each partition by name."""
    return predict_partitions(state, options, sorted(state.partitions), run, with_troubles=True)


def predict_partitions(
    state: LogDirState,
    options: Options,
    names: list[str],
    run: Callable[..., Iterable[Prediction]] = map,
    *,
    with_troubles: bool = False,
) -> Iterator[Outcome]:
    """Some partitions of a log dir.

    Args:
        state: The log dir.
        options: What is assumed.
        names: The directories' names.
        run: As for `predict_log_dir`.
        with_troubles: Whether what stands beside the partitions is told too.
    """
    predictions = _predict_all(state, options, names, run)
    if with_troubles:
        # A running broker deletes topics.
        there = [number for number, one in enumerate(predictions) if not has_gone(one.outcome.path)]
        names, predictions = [names[number] for number in there], [predictions[number] for number in there]
        stop = STOPS[not _is_clean(state, options)]
        assumed = Assumed(stop, options.recovery_point, release_text(state.release), _evidence(state))
        for outcome in trouble_outcomes(state, assumed, predictions):
            yield with_advice(outcome)
        for name in missing_directories(state):
            yield with_advice(_made_anew(join(state.path, name), assumed))
    doubts = doubts_of(state)
    mixed_up = next((name for name, doubt in doubts.items() if doubt.partition == "failed"), None)
    unserved = (
        f"the broker stops taking partitions over where it meets {mixed_up}; which it does before, it decides"
        if mixed_up
        else ""
    )
    for name, outcome in zip(names, settle(state, names, predictions), strict=True):
        parsed = state.partitions.get(name)
        settled = outcome
        if parsed is not None and parsed.mark == "future" and outcome.partition == "loaded":
            text = "a future replica is promoted, kept, cut or dropped as the controller decides"
            settled = _unknown_state(outcome, text)
        elif name in doubts and outcome.partition == "loaded":
            settled = _doubted(state, name, outcome, doubts[name])
        elif unserved and outcome.partition == "loaded":
            settled = _unknown_state(outcome, unserved)
        elif state.unplaced and outcome.partition == "loaded":
            settled = _unknown_state(outcome, state.unplaced)
        if name in state.notes:
            settled = replace(settled, reason=f"{settled.reason}; {state.notes[name]}")
        if state.remarks:
            settled = replace(settled, reason="; ".join((settled.reason, *state.remarks)))
        yield with_advice(replace(settled, assumed=settled.assumed._replace(evidence=_evidence(state))))


def _evidence(state: LogDirState) -> str:
    """What the release is taken from, "" when it was given."""
    return "" if state.is_given else state.era.evidence


def _made_anew(path: str, assumed: Assumed) -> Outcome:
    """A partition whose directory is gone."""
    nothing = ConsumerRead(0, 0, None, stuck=False)
    why = "what the directory held is not in this log dir"
    return Outcome(
        path,
        assumed,
        "starts",
        "online",
        "loaded",
        "the directory is missing, though the metadata log places the partition here: an empty one is made",
        create=(path,),
        log_start_offset=0,
        log_end_offset=0,
        epochs_after=(),
        consumer=Consumer(nothing, nothing),
        why={"records_lost": why, "bytes_lost": why},
    )


def _doubted(state: LogDirState, name: str, outcome: Outcome, doubt: Doubt) -> Outcome:
    """A log that loads, and is not the one that the controller means."""
    if doubt.partition == "unknown":
        return _unknown_state(outcome, doubt.reason)
    if doubt.partition == "failed":
        return replace(outcome, partition="failed", reason=f"{outcome.reason}; {doubt.reason}", consumer=None)
    nothing = ConsumerRead(0, 0, None, stuck=False)
    if doubt.partition == "deleted":
        lost = everything_in(state.log_dir.partition(name).directory)
        outcome = replace(outcome, records_lost=lost.records, bytes_lost=lost.size, time_range_lost=lost.time_range)
    mark = "delete" if doubt.partition == "deleted" else "stray"
    return replace(
        outcome,
        partition=doubt.partition,
        reason=f"{outcome.reason}; {doubt.reason}",
        rename=(*(outcome.rename or ()), (outcome.path, f"{outcome.path}.*-{mark}")),
        log_start_offset=0 if doubt.is_replaced else None,
        log_end_offset=0 if doubt.is_replaced else None,
        epochs_after=(),
        consumer=Consumer(nothing, nothing) if doubt.is_replaced else None,
    )


def _predict_all(
    state: LogDirState, options: Options, names: list[str], run: Callable[..., Iterable[Prediction]]
) -> list[Prediction]:
    """What each partition would be by itself."""
    directories: dict[str, Directory] = {}
    found: dict[str, Prediction] = {}
    situations = {name: _situation(state, name, options) for name in names}
    for name in names:
        try:
            directories[name] = state.log_dir.partition(name).directory
        except UnreadableFile as error:
            found[name] = given_up(error.path, situations[name], f"it cannot be read: {error.reason}")
    general = options.consumer_limit("")
    plain = [directory for name, directory in directories.items() if situations[name].consumer_limit == general]
    if sum(map(_log_size, plain)) > general:
        # Together they are too large: of those only what is empty is read.
        for name, one in situations.items():
            situations[name] = replace(one, consumer_limit=0) if one.consumer_limit == general else one
    own = [situations[name] for name in directories]
    found |= zip(directories, run(predict_in_situation, directories.values(), own), strict=True)
    left_out = [name for name, one in found.items() if one.is_left_out]
    if left_out and (state.troubles or any(one.outcome.log_dir == "offline" for one in found.values())):
        # What happens to each in a log dir that goes offline depends on the others, so none may be left out.
        whole = [replace(situations[name], replay=None) for name in left_out]
        found |= zip(left_out, run(predict_in_situation, [directories[name] for name in left_out], whole), strict=True)
    return [found[name] for name in names]


def _is_clean(state: LogDirState, options: Options) -> bool:
    return state.clean if options.stop is None else options.stop == "clean"


def _log_size(directory: Directory) -> int:
    """Bytes of the `.log` files of a directory."""
    return sum(entry.size or 0 for entry in directory.entries if entry.name.endswith(".log"))


def _unknown_state(outcome: Outcome, why: str) -> Outcome:
    whys = {**outcome.why, "partition": why, "consumer": why}
    return replace(outcome, partition="unknown", reason=f"{outcome.reason}; {why}", consumer=None, why=whys)


def _situation(state: LogDirState, name: str, options: Options) -> Situation:
    path = state.log_dir.directory.path_of(name)
    parsed = state.partitions.get(name) or PartitionName(name, 0)
    key = (parsed.topic, parsed.partition)
    is_metadata = parsed.topic == CLUSTER_METADATA_TOPIC
    recovery_point = state.recovery_points.get(key, 0) if options.recovery_point is None else options.recovery_point
    return Situation(
        # The metadata log is opened by another hand: always as after an unclean stop, from its begin.
        clean=_is_clean(state, options) and not is_metadata,
        release=state.release,
        recovery_point=0 if is_metadata else recovery_point,
        log_start=0 if is_metadata else state.log_starts.get(key, 0),
        high_watermark=None if is_metadata else state.high_watermarks.get(key, 0),
        mark=parsed.mark,
        kraft=state.kraft and not is_metadata,
        is_compacted=key in state.compacted,
        # With remote storage the line stands for every log; without, only for one whose start lies inside a segment.
        is_tiered=state.is_tiered and key in state.log_starts,
        consumer=options.consumer,
        consumer_limit=options.consumer_limit(path),
        replay=options.replay_of(path),
        known=options.known_of(path),
    )
