"""What the next start does to a partition directory, to a log dir, to several of them."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, PartitionName, parse_partition_name
from kafkalog.core.properties import read_partition_metadata
from kafkalog.core.release import NEWEST, Release, parse_release, release_text
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.log_dir import looks_like_log_dir, looks_like_partition
from kafkalog.files.partition import join, list_directory, trim
from kafkalog.files.source import read_file
from kafkalog.recovery.advice import with_advice
from kafkalog.recovery.behaviours import LAST_OF_ZOOKEEPER, is_zookeeper_era
from kafkalog.recovery.disk import open_disk
from kafkalog.recovery.limits import CONSUMER_BYTES
from kafkalog.recovery.log_dir import LogDirState, Trouble, read_log_dir
from kafkalog.recovery.outcome import Assumed, Outcome
from kafkalog.recovery.partition import Prediction, Situation, predict_partition, unknown_outcome
from kafkalog.recovery.together import settle, trouble_outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Options", "next_start", "next_starts", "predict_log_dir"]

STOPS = ("clean", "unclean")


@dataclass(frozen=True)
class Options:
    """What is assumed instead of being looked up.

    Args:
        stop: `clean`, `unclean`, or None: by the marker in the log dir.
        recovery_point: An offset for every partition, or None: by the checkpoint.
        release: The release that starts, or None: by what the log dir shows.
        read: Whether to work out what consumers read; None: where the log is not too large.
    """

    stop: str | None = None
    recovery_point: int | None = None
    release: Release | None = None
    read: bool | None = None


def next_start(
    path: str | os.PathLike[str],
    *,
    assume_stop: str = "auto",
    recovery_point: int | None = None,
    kafka_version: str = "auto",
    consumer: bool | None = None,
) -> Outcome:
    """What the next start of a broker does to one partition directory. Nothing is written.

    >>> outcome = next_start("fixtures/broker/2.1.1/plain/twitter-status-0", assume_stop="unclean", kafka_version="2.8")
    >>> outcome.partition, outcome.log_end_offset, outcome.records_lost
    ('loaded', 533, 0)

    Args:
        path: The partition directory. What stands in the log dir around it is taken into account.
        assume_stop: `clean`, `unclean`, or `auto`: by the marker in the log dir around it; unclean when there is no log dir.
        recovery_point: Offset up to which the log is flushed; None: by the checkpoint of the log dir, 0 without one.
        kafka_version: `X.Y.Z`, `X.Y` or `auto`: by what the log dir shows.
        consumer: Whether to work out what consumers read, which takes decoding every record; None: up to 64 MiB of logs.

    Raises:
        RequestError: the path is no partition directory, or an argument makes no sense.
        UnreadableFile: the path is missing or may not be read.
    """
    options = _options(assume_stop, recovery_point, kafka_version, read=consumer)
    text = trim(os.fspath(path))
    if looks_like_log_dir(text) and not looks_like_partition(text):
        raise RequestError(f"{text} is a log dir; `next_starts` takes it")
    real = os.path.realpath(text)
    parent, name = os.path.split(real)
    if parse_partition_name(name) is not None and _has_log_dir_files(parent):
        state = read_log_dir(parent, options.release)
        return next(_predict_partitions(state, options, [name], {name: text}))
    stop = options.stop or "unclean"
    return _predict_bare(text, stop, options)


def next_starts(
    paths: Iterable[str | os.PathLike[str]],
    *,
    assume_stop: str = "auto",
    recovery_point: int | None = None,
    kafka_version: str = "auto",
    consumer: bool | None = None,
    on_unreadable: Callable[[UnreadableFile], None] | None = None,
) -> Iterator[Outcome]:
    """What the next start does to partition directories and log dirs, path by path.

    A log dir gives an outcome for everything that stops its loading, then one for each of its partitions by name. A
    partition directory given by itself gives one for a clean stop and one for an unclean stop, unless `assume_stop` tells.

    Args:
        paths: Partition directories and log dirs.
        assume_stop: As for `next_start`.
        recovery_point: As for `next_start`, for every partition.
        kafka_version: As for `next_start`.
        consumer: As for `next_start`.
        on_unreadable: Called for a path that cannot be read, which is then left out; None: the error is raised.

    Raises:
        RequestError: an argument makes no sense.
        UnreadableFile: a path is missing, may not be read, or holds nothing of Kafka.
    """
    options = _options(assume_stop, recovery_point, kafka_version, read=consumer)
    states: dict[str, LogDirState | None] = {}
    for path in paths:
        text = trim(os.fspath(path))
        try:
            states[text] = read_log_dir(text, options.release) if _is_log_dir(text) else None
        except UnreadableFile as error:
            if on_unreadable is None:
                raise
            on_unreadable(error)
    _find_shared([state for state in states.values() if state is not None])
    for text, state in states.items():
        if state is not None:
            yield from predict_log_dir(state, options)
        else:
            for stop in STOPS if options.stop is None else (options.stop,):
                yield _predict_bare(text, stop, options)


def _options(assume_stop: str, recovery_point: int | None, kafka_version: str, *, read: bool | None) -> Options:
    if assume_stop not in ("auto", *STOPS):
        raise RequestError(f"{assume_stop!r} is no kind of stop; there are auto, clean, unclean")
    if recovery_point is not None and not 0 <= recovery_point < 1 << 63:
        raise RequestError(f"a recovery point is an offset, 0 or more, not {recovery_point}")
    release = None if kafka_version == "auto" else parse_release(kafka_version)
    return Options(None if assume_stop == "auto" else assume_stop, recovery_point, release, read)


def _is_log_dir(path: str) -> bool:
    if looks_like_log_dir(path):
        return True
    if looks_like_partition(path):
        return False
    raise UnreadableFile(path, "neither a partition directory nor a log dir")


def _has_log_dir_files(path: str) -> bool:
    try:
        return looks_like_log_dir(path)
    except UnreadableFile:
        return False


def _find_shared(states: list[LogDirState]) -> None:
    """Log dirs of one broker must not hold the same partition, nor the same directory id."""
    brokers: dict[tuple[str, str], list[LogDirState]] = defaultdict(list)
    for state in states:
        cluster, node, _ = state.identity
        if cluster is not None and node is not None:
            brokers[cluster, node].append(state)
    for group in brokers.values():
        homes: dict[tuple[str, int], tuple[LogDirState, str]] = {}
        directories: dict[str, LogDirState] = {}
        for state in group:
            for name, parsed in state.partitions.items():
                home, first = (
                    homes.setdefault((parsed.topic, parsed.partition), (state, name)) if not parsed.mark else (state, name)
                )
                if home is not state:
                    text = f"IllegalStateException: {join(home.path, first)} and {join(state.path, name)} are one partition"
                    state.conflicts[name] = home.conflicts[first] = text
            directory = state.identity[2]
            if directory is not None and state.kraft and directories.setdefault(directory, state) is not state:
                text = f"RuntimeException: {directories[directory].path} has the same directory.id"
                state.troubles.append(Trouble(join(state.path, "meta.properties"), "aborts", text))


def predict_log_dir(state: LogDirState, options: Options) -> Iterator[Outcome]:
    """Everything in a log dir: first what stands beside the partitions, then each partition by name."""
    return _predict_partitions(state, options, sorted(state.partitions), {}, with_troubles=True)


def _predict_partitions(
    state: LogDirState, options: Options, names: list[str], paths: dict[str, str], *, with_troubles: bool = False
) -> Iterator[Outcome]:
    clean = state.clean if options.stop is None else options.stop == "clean"
    if options.read is None and sum(_log_size(join(state.path, name)) for name in names) > CONSUMER_BYTES:
        options = replace(options, read=False)
    predictions = [_predict_one(state, name, paths.get(name, join(state.path, name)), options, clean=clean) for name in names]
    if with_troubles:
        assumed = Assumed(STOPS[not clean], options.recovery_point, release_text(state.release))
        for outcome in trouble_outcomes(state, assumed, predictions):
            yield with_advice(outcome)
    disputed = _disputed_topics(state)
    for name, outcome in zip(names, settle(state, names, predictions), strict=True):
        parsed = state.partitions.get(name)
        settled = outcome
        if parsed is not None and parsed.mark == "future" and outcome.partition == "loaded":
            settled = _unknown_state(outcome, "a future replica is promoted, kept or dropped as the controller decides")
        elif parsed is not None and parsed.topic in disputed and outcome.partition == "loaded":
            settled = _unknown_state(outcome, disputed[parsed.topic])
        if state.remarks:
            settled = replace(settled, reason="; ".join((settled.reason, *state.remarks)))
        yield with_advice(settled)


def _log_size(path: str) -> int:
    """Bytes of the `.log` files of a directory; 0 when it cannot be listed, which others report."""
    size = 0
    with suppress(UnreadableFile, OSError):
        for entry in list_directory(path):
            if entry.name.endswith(".log"):
                size += entry.stat().st_size
    return size


def _unknown_state(outcome: Outcome, why: str) -> Outcome:
    return replace(outcome, partition="unknown", reason=f"{outcome.reason}; {why}", why={**outcome.why, "partition": why})


def _predict_one(state: LogDirState, name: str, path: str, options: Options, *, clean: bool) -> Prediction:
    parsed = state.partitions.get(name) or PartitionName(name, 0)
    key = (parsed.topic, parsed.partition)
    is_metadata = parsed.topic == CLUSTER_METADATA_TOPIC
    recovery_point = state.recovery_points.get(key, 0) if options.recovery_point is None else options.recovery_point
    situation = Situation(
        # The metadata log is opened by another hand: always as after an unclean stop, from its begin.
        clean=clean and not is_metadata,
        release=state.release,
        recovery_point=0 if is_metadata else recovery_point,
        log_start=0 if is_metadata else state.log_starts.get(key, 0),
        high_watermark=None if is_metadata else state.high_watermarks.get(key, 0),
        mark=parsed.mark,
        kraft=state.kraft and not is_metadata,
        is_compacted=key in state.compacted,
        # With remote storage the line stands for every log; without, only for one whose start lies inside a segment.
        is_tiered=state.is_tiered and key in state.log_starts,
        read=options.read,
    )
    return _predict(path, situation)


def _predict(path: str, situation: Situation) -> Prediction:
    try:
        with open_disk(path) as disk:
            return predict_partition(path, disk, situation)
    except UnreadableFile as error:
        return Prediction(unknown_outcome(path, situation.assumed, f"it cannot be read: {error.reason}"), reads_log=False)


def _disputed_topics(state: LogDirState) -> dict[str, str]:
    """Topics whose partitions do not agree on the topic's id: only the controller knows the right one."""
    ids: dict[str, set[object]] = defaultdict(set)
    if state.kraft:
        for name, parsed in state.partitions.items():
            if not parsed.mark:
                try:
                    found = read_partition_metadata(read_file(join(join(state.path, name), "partition.metadata"))).topic_id
                except UnreadableFile:
                    continue
                if found is not None:
                    ids[parsed.topic].add(found)
    why = "the partitions of {} hold different topic ids; which is right, and which directory is stray, the controller knows"
    return {topic: why.format(topic) for topic, found in ids.items() if len(found) > 1}


# --- a partition directory by itself ---


def _predict_bare(path: str, stop: str, options: Options) -> Outcome:
    """A directory without a log dir around it: what depends on the release is only known for a given one."""
    parsed = parse_partition_name(os.path.basename(os.path.realpath(path)))

    def predict(release: Release) -> Outcome:
        situation = Situation(
            clean=stop == "clean",
            release=release,
            recovery_point=options.recovery_point,
            mark=parsed.mark if parsed else "",
            kraft=not is_zookeeper_era(release),
            read=options.read,
        )
        return _predict(path, situation).outcome

    if options.release is not None:
        return with_advice(predict(options.release))
    return with_advice(_common(predict(LAST_OF_ZOOKEEPER), predict(NEWEST)))


def _common(old: Outcome, new: Outcome) -> Outcome:
    """What two releases agree on; the rest is not known."""
    first, second = release_text(LAST_OF_ZOOKEEPER), release_text(NEWEST)
    changes: dict[str, Any] = {"assumed": old.assumed._replace(release=None)}
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
