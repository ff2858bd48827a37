"""A log dir as a whole: each of its partitions, and what they and the files beside them do to each other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, PartitionName, parse_partition_name
from kafkalog.core.release import release_text
from kafkalog.core.spoken import agreeing, count_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import CLEAN_SHUTDOWN, META_PROPERTIES, RECOVERY_POINTS
from kafkalog.files.partition import snapshot_offsets
from kafkalog.files.paths import has_gone, join
from kafkalog.kafka.cleaner_traces import CleanerTraces
from kafkalog.kafka.gone_offsets import AT_END, Gone, gone_offsets, is_partial_copy
from kafkalog.kafka.remains import Remains
from kafkalog.next_start.advice import with_advice
from kafkalog.next_start.alternatives import merged
from kafkalog.next_start.cause import CONTROLLER, FALSE_MARKER, LOADED, NOTE, OTHER_PARTITION, Cause
from kafkalog.next_start.clean_marker import StopTraces, contradiction, is_against, is_closed_by_a_stop
from kafkalog.next_start.loss import everything_in
from kafkalog.next_start.metadata_advice import METADATA_FIRST, metadata_advice
from kafkalog.next_start.metadata_start import METADATA_LOG
from kafkalog.next_start.misplaced_advice import write_its_id
from kafkalog.next_start.options import CONSUMER_BYTES, STOPS, Options
from kafkalog.next_start.outcome import Assumed, Consumer, ConsumerRead, Outcome, SetAside
from kafkalog.next_start.partition import METADATA_FILE, Prediction, Situation
from kafkalog.next_start.placement import (
    Misplacement,
    listed_and_missing,
    misplacements,
    missing_directories,
    placed_directories,
    renamed_to,
)
from kafkalog.next_start.predict import given_up, predict_in_situation
from kafkalog.next_start.rescue_advice import sought
from kafkalog.next_start.side_effects import obstacle_outcomes, with_side_effects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kafkalog.files.directory import Directory
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.metadata_start import MetadataStart

__all__ = ["predict_log_dirs", "predict_partitions_of"]


_POLICY = "cleanup.policy"
_NO_METADATA = (
    "no metadata log is in the log dirs looked at: if the node has none anywhere else, and no other controller has it, the"
    " controller knows no topic, and every directory is renamed -stray"
)


def predict_log_dirs(
    alternatives: Sequence[LogDirState], options: Options, run: Callable[..., Iterable[Prediction]] = map
) -> list[Outcome]:
    """Everything in a log dir, of each era that it may be of: first what lies beside the partitions, then these by name.

    Args:
        alternatives: The log dir as a broker of each finds it.
        options: What is assumed.
        run: `map`, or one that works in other processes.
    """
    return merged([list(_predict_log_dir(state, options, run)) for state in alternatives])


def _predict_log_dir(state: LogDirState, options: Options, run: Callable[..., Iterable[Prediction]]) -> Iterator[Outcome]:
    predictions = _predict_all(state, options, sorted(state.partitions), run)
    # A running broker deletes topics.
    there = {name: one for name, one in predictions.items() if not has_gone(one.outcome.path)}
    stop = STOPS[not _is_clean(state, options)]
    caveat = _caveat(state)
    assumed = Assumed(stop, options.recovery_point, release_text(state.release), _evidence(state), state.condition, caveat)
    for outcome in obstacle_outcomes(state, assumed, list(there.values())):
        yield with_advice(outcome)
    missing = missing_directories(state)
    for name in () if is_partial_copy(len(missing), len(state.partitions)) else missing:
        yield with_advice(_created_empty(state, name, assumed), is_alone=_is_alone(state, name))
    listed = listed_and_missing(state)
    for name in () if is_partial_copy(len(listed), len(state.partitions)) else listed:
        yield with_advice(_taken_away(state, name, assumed))
    yield from _in_context(state, options, there, misplacements(state), caveat)


def predict_partitions_of(
    state: LogDirState, options: Options, names: Sequence[str], run: Callable[..., Iterable[Prediction]] = map
) -> Iterator[Outcome]:
    """Partitions of a log dir, by the names of their directories, each as if it were alone there; `run` as above."""
    misplaced, caveat = misplacements(state), _caveat(state)
    for name, prediction in _predict_all(state, options, names, run, alone=True).items():
        yield from _in_context(state, options, {name: prediction}, misplaced, caveat)


def _in_context(
    state: LogDirState,
    options: Options,
    predictions: Mapping[str, Prediction],
    misplaced: Mapping[str, Misplacement],
    caveat: str,
) -> Iterator[Outcome]:
    """The outcomes of partitions with what their log dir, their broker and the controller do to them."""
    mixed_up = next((name for name, one in misplaced.items() if one.partition == "failed"), None)
    marker = _false_marker(state, predictions) if options.stop is None else None
    outcomes = {
        name: _placed(state, name, outcome, misplaced.get(name), mixed_up)
        for name, outcome in with_side_effects(state, predictions).items()
    }
    for name, outcome in outcomes.items():
        if (aside := _set_aside(state, name, outcome)) is not None:
            outcomes[name] = replace(outcome, set_aside=aside)
    start = state.metadata_start
    if METADATA_LOG in outcomes and start is not None and (start.is_changed or start.gone):
        outcomes[METADATA_LOG] = _of_metadata_log(state, start, outcomes)
    evidence = _evidence(state)
    for name, found in outcomes.items():
        causes = [Cause(NOTE, state.noted.notes[name])] if name in state.noted.notes else []
        causes += [Cause(NOTE, remark) for remark in state.noted.remarks]
        causes += [marker[name]] if marker is not None and name in marker else []
        assumed = found.assumed._replace(evidence=evidence, condition=state.condition, caveat=caveat)
        yield with_advice(found.because(*causes, assumed=assumed), is_alone=_is_alone(state, name))


def _is_alone(state: LogDirState, name: str) -> bool:
    """Whether the controller knows no replica of a partition but that of this broker."""
    parsed = parse_partition_name(name)
    topic = None if state.image is None or parsed is None else state.image.topic(parsed.topic)
    partition = None if topic is None or parsed is None else topic.partitions.get(parsed.partition)
    return partition is not None and partition.replicas == (state.identity.number,)


def _of_metadata_log(state: LogDirState, start: MetadataStart, outcomes: Mapping[str, Outcome]) -> Outcome:
    """The outcome of a metadata log that lacks records or is cut, with what that does to the partitions of its log dir."""
    outcome = outcomes[METADATA_LOG]
    aside = [one.set_aside for one in outcomes.values() if one.set_aside is not None and state.is_metadata_cut]
    causes = []
    if aside:
        records = [one.records for one in aside if one.records is not None]
        count = f"{count_text(sum(records), 'record')}, " if len(records) == len(aside) else ""
        are = f"{count_text(len(aside), 'partition directory')} {agreeing(len(aside), 'is', 'are')}"
        text = f"{are} renamed -stray then ({count}{sum(one.size for one in aside)} bytes): the controller does not know them"
        causes.append(Cause(CONTROLLER, text))
    gone = () if start.gone is None else (Gone(*start.gone, AT_END, f"{start.gone[1] + 1:020d}.snapshot"),)
    return outcome.because(*causes, actions=metadata_advice(start.role), already_gone=gone or outcome.already_gone)


def _set_aside(state: LogDirState, name: str, outcome: Outcome) -> SetAside | None:
    """What a directory holds that is renamed as a whole."""
    if outcome.partition != "stray" or not any(before == outcome.path for before, _ in outcome.rename or ()):
        return None
    directory = state.log_dir.partition_directory(name)
    size = _log_size(directory)
    return SetAside(everything_in(directory).records if size <= CONSUMER_BYTES else None, size)


def _placed(state: LogDirState, name: str, outcome: Outcome, misplaced: Misplacement | None, mixed_up: str | None) -> Outcome:
    """An outcome with what the controller makes of the directory."""
    parsed = state.partitions.get(name)
    if outcome.partition != "loaded":
        return _with_its_id(state, parsed, outcome)
    if parsed is not None and parsed.mark == "future":
        text = "a future replica is promoted, kept, cut or dropped as the controller decides"
        return outcome.unknown_because(Cause(CONTROLLER, text))
    if misplaced is not None:
        return _misplaced(state, name, outcome, misplaced)
    if mixed_up is not None:
        text = f"the broker stops taking partitions over where it meets {mixed_up}; which it does before, it decides"
        return outcome.unknown_because(Cause(OTHER_PARTITION, text, mixed_up))
    if state.unplaced:
        return outcome.unknown_because(Cause(CONTROLLER, state.unplaced, META_PROPERTIES))
    return outcome


def _with_its_id(state: LogDirState, parsed: PartitionName | None, outcome: Outcome) -> Outcome:
    """The outcome of a directory whose `partition.metadata` is missing or damaged, with the id that the topic has."""
    if parsed is None or parsed.mark or outcome.actions or not any(one.file == METADATA_FILE for one in outcome.causes):
        return outcome
    topic = None if state.image is None else state.image.topic(parsed.topic)
    return outcome if topic is None else replace(outcome, actions=(write_its_id(topic.name, topic.topic_id),))


def _false_marker(state: LogDirState, predictions: Mapping[str, Prediction]) -> dict[str, Cause] | None:
    """Why the marker of a clean shutdown is not to be believed, for each partition that recovery may do good; None: it is."""
    if not state.log_dir.has_clean_marker:
        return None
    no_points = state.log_dir.directory.size_of(RECOVERY_POINTS) == 0
    traces = {
        name: _stop_traces(state, name, one.outcome)
        for name, one in predictions.items()
        if is_closed_by_a_stop(name) and one.outcome.log_end_offset
    }
    found = contradiction(traces.values(), no_points=no_points)
    if found is None:
        return None
    cause = Cause(FALSE_MARKER, found.text, state.log_dir.directory.path_of(CLEAN_SHUTDOWN))
    against = {name for name, one in traces.items() if is_against(one, no_points=no_points)}
    # What fails to load without being recovered may load with it.
    against |= {name for name, one in predictions.items() if is_closed_by_a_stop(name) and one.outcome.severity == "error"}
    return dict.fromkeys(against, cause)


def _stop_traces(state: LogDirState, name: str, outcome: Outcome) -> StopTraces:
    """What a log shows of a clean stop, by its directory and the end that loading finds."""
    parsed, end = state.partitions[name], outcome.log_end_offset or 0
    point = state.recovery_points.get((parsed.topic, parsed.partition))
    is_marked = bool(parsed.mark)
    directory = state.log_dir.partition_directory(name)
    snapshots = snapshot_offsets(directory)
    active = max((file for file in directory.names if file.endswith(".log")), default=None)
    has_records = active is not None and bool(directory.size_of(active))
    has_producers = bool(snapshots) or (has_records and bool(outcome.epochs_after))
    lacks_snapshot = end not in snapshots and has_producers and has_records and outcome.log_start_offset != end
    return StopTraces(
        is_point_before_end=not is_marked and point is not None and point < end,
        lacks_point=not is_marked and point is None and bool(state.recovery_points),
        lacks_snapshot=not is_marked and lacks_snapshot,
        is_padded=(point is None or point < end) and state.log_dir.is_preallocated(name),
    )


def _evidence(state: LogDirState) -> str:
    """What the release is taken from, "" when it was given."""
    return "" if state.is_given else state.era.evidence


def _caveat(state: LogDirState) -> str:
    """What the log dir as a whole lacks."""
    caveats = [_NO_METADATA] if state.lacks_metadata and state.era.kraft else []
    missing = missing_directories(state) or listed_and_missing(state)
    if is_partial_copy(len(missing), len(state.partitions)):
        there = {name for name, parsed in state.partitions.items() if not parsed.mark}
        belong = set(placed_directories(state)) or {*there, *missing}
        here, lost = len(belong & there), len(belong - there)
        all_of_them = count_text(len(belong), "partition")
        text = f"{here:,} of the {all_of_them} that belong here {agreeing(here, 'is', 'are')} in this copy"
        caveats.append(f"{text}; if this is the log dir itself, {lost:,} {agreeing(lost, 'is', 'are')} lost")
    return "; ".join(caveats)


def _created_empty(state: LogDirState, name: str, assumed: Assumed) -> Outcome:
    """A partition whose directory is gone."""
    path = join(state.path, name)
    other = renamed_to(state, name)
    nothing = ConsumerRead(0, 0, None, stuck=False)
    why = "what the directory held is not in this log dir" if other is None else f"what it held is in {other}"
    text = "the directory is missing, though the metadata log places the partition here: an empty one is made"
    if other is not None:
        text += f"; what it held is in {other}, by the topic id"
    return Outcome(
        path=path,
        assumed=assumed,
        broker="starts",
        log_dir="online",
        partition="loaded",
        causes=(Cause(CONTROLLER, text),),
        create=(path,),
        log_start_offset=0,
        log_end_offset=0,
        epochs_after=(),
        consumer=Consumer(nothing, nothing),
        already_gone=() if other is not None else _gone_with(state, name),
        why={"records_lost": why, "bytes_lost": why},
        actions=() if other is None else (f"While the broker is stopped, rename the directory {other} back to {name}.",),
    )


def _taken_away(state: LogDirState, name: str, assumed: Assumed) -> Outcome:
    """A partition whose directory is gone, and of which nobody says whether it still belongs here."""
    topic, _, number = name.rpartition("-")
    end = state.recovery_points[topic, int(number)]
    start = state.log_starts.get((topic, int(number)), 0)
    text = f"the directory is missing, and was there at the clean stop, by {RECOVERY_POINTS}"
    nothing = ConsumerRead(0, 0, None, stuck=False)
    why = "the log dir does not tell whether the partition still belongs here"
    return Outcome(
        path=join(state.path, name),
        assumed=assumed,
        broker="starts",
        log_dir="online",
        partition="loaded",
        causes=(Cause(NOTE, f"{text}: if the partition still belongs here, an empty one is made"),),
        create=None,
        log_start_offset=0,
        log_end_offset=0,
        records_lost=0,
        bytes_lost=0,
        epochs_after=(),
        already_gone=(Gone(start, end - 1, AT_END, f"the recovery point {end}"),),
        consumer=Consumer(nothing, nothing),
        why={"create": why},
        actions=("Look for the directory: in the broker's other log dirs, in lost+found, in copies.", sought(state.path)),
    )


def _gone_with(state: LogDirState, name: str) -> tuple[Gone, ...]:
    """What is gone with a directory, by the checkpoints."""
    return gone_offsets(Remains(segments=(), traces=CleanerTraces(())), state.log_dir.context_of(name))


def _misplaced(state: LogDirState, name: str, outcome: Outcome, misplaced: Misplacement) -> Outcome:
    """A log that loads, and is not the one that the controller means."""
    cause = Cause(CONTROLLER, misplaced.reason)
    if misplaced.partition == "unknown":
        return outcome.unknown_because(cause)
    # That it loads before is nothing to anybody.
    outcome = replace(outcome, causes=tuple(one for one in outcome.causes if one.kind != LOADED))
    actions = (misplaced.action,) if misplaced.action else ()
    if misplaced.partition in ("failed", "unserved"):
        return outcome.because(cause, partition="failed", consumer=None, actions=actions)
    nothing = ConsumerRead(0, 0, None, stuck=False)
    is_deleted = misplaced.partition == "deleted"
    if is_deleted:
        lost = everything_in(state.log_dir.partition_directory(name))
        outcome = replace(outcome, records_lost=lost.records, bytes_lost=lost.size, time_range_lost=lost.time_range)
    mark = "delete" if is_deleted else "stray"
    return outcome.because(
        cause,
        partition=misplaced.partition,
        rename=(*(outcome.rename or ()), (outcome.path, f"{outcome.path}.*-{mark}")),
        log_start_offset=0 if misplaced.is_replaced else None,
        log_end_offset=0 if misplaced.is_replaced else None,
        epochs_after=(),
        consumer=Consumer(nothing, nothing) if misplaced.is_replaced else None,
        actions=(METADATA_FIRST,) if state.is_metadata_cut and not is_deleted else actions,
    )


def _predict_all(
    state: LogDirState, options: Options, names: Sequence[str], run: Callable[..., Iterable[Prediction]], *, alone: bool = False
) -> dict[str, Prediction]:
    """What each partition would be by itself, by the directory's name.

    Args:
        state: The log dir.
        options: What is assumed.
        names: The names of the directories.
        run: `map`, or one that works in other processes.
        alone: Whether how much is worked out of one does not depend on the others.
    """
    directories: dict[str, Directory] = {}
    found: dict[str, Prediction] = {}
    for name in names:
        try:
            directories[name] = state.log_dir.partition_directory(name)
        except UnreadableFile as error:
            found[name] = given_up(error.path, _situation(state, name, options), f"it cannot be read: {error.reason}")
    general = options.consumer_limit("")
    path_of = state.log_dir.directory.path_of
    sizes = {name: _log_size(one) for name, one in directories.items() if options.consumer_limit(path_of(name)) == general}
    together = sum(sizes.values())

    def situation(name: str) -> Situation:
        one = _situation(state, name, options)
        # Where they are too large together, of those only what is empty is read.
        is_too_large = name in sizes and (sizes[name] if alone else together) > general
        return replace(one, consumer_limit=0) if is_too_large else one

    # One after the other: there may be thousands, and the workers need not wait for all.
    found |= zip(directories, run(predict_in_situation, directories.values(), map(situation, directories)), strict=True)
    is_offline = bool(state.noted.obstacles) or (not alone and any(one.outcome.log_dir == "offline" for one in found.values()))
    left_out = [name for name, one in found.items() if one.is_left_out and is_offline]
    if left_out:
        # What happens to each in a log dir that goes offline depends on the others, so none may be left out.
        whole = [replace(situation(name), replay=None) for name in left_out]
        found |= zip(left_out, run(predict_in_situation, [directories[name] for name in left_out], whole), strict=True)
    return {name: found[name] for name in names}


def _is_clean(state: LogDirState, options: Options) -> bool:
    return state.log_dir.has_clean_marker if options.stop is None else options.stop == "clean"


def _log_size(directory: Directory) -> int:
    """Bytes of the `.log` files of a directory."""
    return directory.size_of_all(".log")


def _situation(state: LogDirState, name: str, options: Options) -> Situation:
    path = state.log_dir.directory.path_of(name)
    parsed = state.partitions.get(name) or PartitionName(name, 0)
    key = (parsed.topic, parsed.partition)
    is_metadata = parsed.topic == CLUSTER_METADATA_TOPIC
    recovery_point = state.recovery_points.get(key, 0) if options.recovery_point is None else options.recovery_point
    return Situation(
        # The metadata log is opened by other code: always as after an unclean stop, from its beginning.
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
        scanned=options.scanned_logs_of(path),
        was_compacted=options.is_compacted(path),
        reads_keys=options.reads_keys,
        context=state.log_dir.context_of(name),
        compacts=state.image is not None and "compact" in state.image.configs.get(("topic", parsed.topic), {}).get(_POLICY, ""),
    )
