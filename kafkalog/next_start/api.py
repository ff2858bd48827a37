"""What the next start does to a partition directory, to a log dir, to several of them."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.arguments import check_type, items_of, path_of
from kafkalog.files.broker import Broker, different_brokers, same_broker
from kafkalog.files.classify import Kind, classify
from kafkalog.files.cores import cores
from kafkalog.files.log_dir import META_PROPERTIES, LogDir, log_dir_at
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.mounted import problems_since
from kafkalog.files.paths import join, real_path
from kafkalog.files.workers import workers_or
from kafkalog.next_start.alternatives import merged
from kafkalog.next_start.evidence import BrokerEvidence
from kafkalog.next_start.log_dir import predict_log_dirs, predict_partitions_of
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.next_start.obstacle import Noted, Obstacle
from kafkalog.next_start.options import STOPS, options_of
from kafkalog.next_start.placement import by_metadata, places_here, why_unplaced, with_shared_metadata
from kafkalog.next_start.predict import given_up, predict_directory
from kafkalog.next_start.work import each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Executor

    from kafkalog.files.directory import Directory
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.options import Options
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.next_start.partition import Prediction, Situation

__all__ = ["link_log_dirs", "next_start", "next_starts"]

#: Partitions from which on worker processes pay, as `benchmarks/fleet.py` measures.
_PAYS_FROM = 100


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
        path: The partition directory. What is in the log dir around it is taken into account.
        assume_stop: `clean`, `unclean`, or `auto`: by the marker in the log dir around it; unclean when there is no log dir.
        recovery_point: Offset up to which the log is flushed; None: by the checkpoint of the log dir, 0 without one.
        kafka_version: `X.Y.Z`, `X.Y` or `auto`: by what the log dir shows.
        consumer: Whether to work out what consumers read, which takes decoding every record; None: up to 64 MiB of logs.

    Raises:
        RequestError: the path is no partition directory, or an argument makes no sense.
        UnreadableFile: the path is missing, may not be read, or holds nothing of Kafka.
    """
    options = options_of(assume_stop, recovery_point, kafka_version, consumer=consumer)
    text, kind, directory = _classify_directory(path_of(path))
    if kind is Kind.LOG_DIR:
        raise RequestError(f"{text} is a log dir, no partition directory: kafkalog.next_starts takes it")
    real = real_path(text)
    parent, name = os.path.split(real)
    log_dir = None if parse_partition_name(name) is None else log_dir_at(parent)
    if log_dir is None:
        return predict_directory(directory, [options.stop or "unclean"], options)[0]
    log_dir.take(name, directory)
    (states,) = link_log_dirs([read_log_dir(BrokerEvidence(log_dir), options.release)])
    return merged([list(predict_partitions_of(state, options, [name])) for state in states])[0]


def next_starts(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    assume_stop: str = "auto",
    recovery_point: int | None = None,
    kafka_version: str = "auto",
    consumer: bool | None = None,
    jobs: int | None = 1,
    executor: Executor | None = None,
    on_unreadable: Callable[[UnreadableFile], None] | None = None,
) -> Iterator[Outcome]:
    """What the next start does to partition directories and log dirs, path by path.

    A log dir gives an outcome for everything that stops its loading, then one for each of its partitions by name. A
    partition directory given by itself gives one for a clean stop and one for an unclean stop, unless `assume_stop` says which.

    Args:
        paths: A partition directory, a log dir, or several of them.
        assume_stop: As for `next_start`.
        recovery_point: As for `next_start`, for every partition.
        kafka_version: As for `next_start`.
        consumer: As for `next_start`.
        jobs: Processes to work in; partitions are the unit. None: as many as there are cores, one where that would not pay.
        executor: Where to work instead: any `concurrent.futures.Executor`.
        on_unreadable: Called for a path that cannot be read, which is then left out; None: the error is raised.

    Raises:
        RequestError: an argument makes no sense.
        UnreadableFile: a path is missing, may not be read, or holds nothing of Kafka.
    """
    options = options_of(assume_stop, recovery_point, kafka_version, consumer=consumer)
    check_type("jobs", jobs, int, None)
    return _predicted([path_of(item) for item in items_of(paths)], options, jobs, executor, on_unreadable)


def _predicted(
    paths: Iterable[str],
    options: Options,
    jobs: int | None,
    executor: Executor | None,
    on_unreadable: Callable[[UnreadableFile], None] | None,
) -> Iterator[Outcome]:
    states: dict[str, list[LogDirState] | Directory] = {}
    for path in paths:
        try:
            text, kind, directory = _classify_directory(path)
            states[text] = directory
            if kind is Kind.LOG_DIR:
                states[text] = read_log_dir(BrokerEvidence(LogDir(text, directory)), options.release)
            for problem in problems_since():
                raise problem
        except UnreadableFile as error:
            if on_unreadable is None:
                raise
            on_unreadable(error)
    every = link_log_dirs([found for found in states.values() if isinstance(found, list)])
    linked = iter(every)
    with workers_or(executor, _jobs_that_pay(every) if jobs is None else jobs) as pool:
        for found in states.values():
            if isinstance(found, list):
                yield from predict_log_dirs(next(linked), options, partial(_in_situations, pool))
            else:
                yield from predict_directory(found, STOPS if options.stop is None else [options.stop], options)


def _in_situations(
    executor: Executor | None,
    predict: Callable[..., Prediction],
    directories: Iterable[Directory],
    situations: Iterable[Situation],
) -> Iterator[Prediction]:
    """What becomes of each directory in its situation; unknown where workers were lost over it."""
    return each(
        executor,
        predict,
        zip(directories, situations, strict=True),
        lambda directory, situation, why: given_up(directory.path, situation, why),
    )


def _jobs_that_pay(log_dirs: Iterable[Sequence[LogDirState]]) -> int:
    """How many processes to work in: one each core, but one for few partitions."""
    return cores() if sum(len(state.partitions) for states in log_dirs for state in states) >= _PAYS_FROM else 1


def _classify_directory(path: str) -> tuple[str, Kind, Directory]:
    text, kind, directory = classify(path)
    if directory is None:
        check_file_name(text)
        raise UnreadableFile(text, "is a file; a start loads directories: give the one it is in, or the log dir")
    return text, kind, directory


def link_log_dirs(log_dirs: Iterable[Sequence[LogDirState]]) -> list[list[LogDirState]]:
    """The log dirs with what those of one broker have of each other: metadata, and what two of them must not share.

    Args:
        log_dirs: Each log dir as a broker of each era that it may be of finds it.
    """
    alternatives = [list(states) for states in log_dirs]
    every = with_shared_metadata([state for states in alternatives for state in states])
    linked = iter([_linked(state, every) for state in every])
    return [[one for _ in states for one in by_metadata(next(linked))] for states in alternatives]


def _linked(state: LogDirState, states: Sequence[LogDirState]) -> LogDirState:
    group = [other for other in states if other is state or same_broker(other.log_dir, state.log_dir)]
    noted = state.noted.and_also(
        Noted(remarks=tuple(_of_other_brokers(state, states))),
        Noted(obstacles=tuple(_files_in_place(state, group))),
        _future_elsewhere(state, group),
        _doubled(state, Broker(tuple(dict.fromkeys(one.log_dir for one in group)))),
    )
    return replace(state, noted=noted, unplaced=why_unplaced(state, group))


def _of_other_brokers(state: LogDirState, states: Iterable[LogDirState]) -> Iterator[str]:
    """Log dirs that name different nodes or clusters are those of different brokers; if they are not, the broker stops."""
    keys = {(one.topic, one.partition) for one in state.partitions.values()}
    for other in states:
        if not different_brokers(state.log_dir, other.log_dir):
            continue
        if keys.isdisjoint((one.topic, one.partition) for one in other.partitions.values()):
            text = f"{other.path} is of node {other.identity.node_id} of cluster {other.identity.cluster_id}"
            yield f"{text}, so of another broker than this log dir; one that has both stops"


def _files_in_place(state: LogDirState, group: Sequence[LogDirState]) -> Iterator[Obstacle]:
    """Files where the directory of a partition has been: when the broker creates that again, the log dir goes offline."""
    for name, key in state.in_place.items():
        if any((one.topic, one.partition) == key and not one.mark for other in group for one in other.partitions.values()):
            continue
        certain = places_here(state, *key)
        if certain is False:
            continue
        text = f"a file is where the directory of {name} has been; "
        text += "the log dir goes offline" if certain else "if the broker creates that again, the log dir goes offline"
        remedy = "Move the file out of the log dir."
        yield Obstacle(join(state.path, name), "late" if certain else "doubtful", text, remedy)


def _future_elsewhere(state: LogDirState, group: Iterable[LogDirState]) -> Noted:
    """Partitions whose future replica is in another log dir of the broker, and takes their place."""
    notes = {}
    for other in group:
        for name, parsed in other.partitions.items():
            current = f"{parsed.topic}-{parsed.partition}"
            if parsed.mark == "future" and other is not state and current in state.partitions:
                text = "is its future replica: once that has caught up the broker puts it in the place of this directory"
                notes[current] = f"{join(other.path, name)} {text}, which is then deleted"
    return Noted(notes=notes)


def _doubled(state: LogDirState, broker: Broker[LogDir]) -> Noted:
    """What two log dirs of one broker must not share: a partition, a `directory.id`."""
    conflicts = {}
    for place, first in broker.doubled_partitions():
        if place.log_dir is not first.log_dir:
            for own in (place, first):
                if own.log_dir is state.log_dir:
                    conflicts[own.name] = f"IllegalStateException: {first.path} and {place.path} are one partition"
    shared = [other for log_dir, other in broker.shared_directory_ids() if log_dir is state.log_dir and state.kraft]
    path = state.log_dir.directory.path_of(META_PROPERTIES)
    texts = (f"RuntimeException: {other.path} has the same directory.id" for other in shared)
    return Noted(obstacles=tuple(Obstacle(path, "aborts", text) for text in texts), conflicts=conflicts)
