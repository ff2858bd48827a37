"""What partitions say about each other: log dirs of one broker, replicas, transactions and their coordinator."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.errors import UnreadableFile
from kafkalog.files.broker import brokers_of, same_broker
from kafkalog.files.log_dir import META_PROPERTIES
from kafkalog.files.paths import join, real_name
from kafkalog.replay.quorum import read_quorum
from kafkalog.verify.checks.quorums import compare_quorums
from kafkalog.verify.checks.replicas import compare_replicas
from kafkalog.verify.checks.topic_ids import clusters_of_one_topic, pairs_of_topic_ids
from kafkalog.verify.report import in_order
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.clusters import QuorumPair
from kafkalog.verify.rules.log_dirs import DoubledPartition, SharedIds
from kafkalog.verify.rules.replicas import FuturePair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.files.broker import Broker
    from kafkalog.replay.quorum import Quorum
    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.rules.replicas import ReplicaPair
    from kafkalog.verify.told import Owner
    from kafkalog.verify.verified import Compared, Verified

__all__ = ["Logs", "LogsHere", "Subject", "add_findings", "compare_log_dirs", "compare_partitions"]

#: What rules are asked about; it has a `path`.
Subject = Any


def compare_log_dirs(verified: Sequence[Compared], log_dirs: Sequence[Owner]) -> Iterator[Subject]:
    """What log dirs, of one broker or of several, say of each other."""
    for broker in brokers_of(log_dirs):
        yield from _doubled_partitions(verified, broker)
        yield from _shared_directory_ids(broker)
    yield from _parted_clusters(log_dirs)
    yield from clusters_of_one_topic(verified)


def _parted_clusters(log_dirs: Sequence[Owner]) -> Iterator[SharedIds]:
    """Log dirs of one node id that were written in one go, with different cluster ids."""
    for number, log_dir in enumerate(log_dirs):
        for other in log_dirs[:number]:
            one, two = other.identity, log_dir.identity
            if one.broker is None or two.broker is None or one.cluster_id == two.cluster_id or one.node_id != two.node_id:
                continue
            if one.written is not None and one.written == two.written:
                yield _shared_ids(log_dir, other)


def _shared_directory_ids(broker: Broker[Owner]) -> Iterator[SharedIds]:
    for log_dir, other in broker.shared_directory_ids():
        yield _shared_ids(log_dir, other)._replace(directory_id=log_dir.identity.directory_id)


def _shared_ids(log_dir: Owner, other: Owner) -> SharedIds:
    return SharedIds(
        path=join(log_dir.path, META_PROPERTIES),
        other=join(other.path, META_PROPERTIES),
        node_id=log_dir.identity.node_id,
        cluster_id=log_dir.identity.cluster_id,
        other_cluster_id=other.identity.cluster_id,
    )


def _doubled_partitions(verified: Sequence[Compared], broker: Broker[Owner]) -> Iterator[DoubledPartition]:
    """Directories of a partition that the broker has another one of, as far as both were looked at."""
    reports = {one.report.path: one.report for one in verified if one.owner is not None}
    for place, other in broker.doubled_partitions():
        here, there = reports.get(place.path), reports.get(other.path)
        if here is not None and there is not None:
            yield DoubledPartition(
                path=here.path,
                other=there.path,
                offsets=(here.log_start_offset, here.log_end_offset),
                other_offsets=(there.log_start_offset, there.log_end_offset),
            )


class Logs(Protocol):
    """What of the logs of partitions is compared."""

    def differ(self, number: int, other: int) -> ReplicaPair | None:
        """In what two replicas differ, by their places among the partitions; None: in nothing, or that is not known."""

    def quorum(self, number: int) -> Quorum | None:
        """What a metadata log says of its quorum; None: that cannot be read."""


class LogsHere:
    """The logs of partitions on this machine."""

    def __init__(self, verified: Sequence[Verified]) -> None:
        self._verified = verified

    def differ(self, number: int, other: int) -> ReplicaPair | None:
        """In what two replicas differ."""
        return compare_replicas(self._verified[number].partition, self._verified[other].partition)

    def quorum(self, number: int) -> Quorum | None:
        """What a metadata log says of its quorum."""
        try:
            return read_quorum(self._verified[number].partition)
        except UnreadableFile:
            return None


def compare_partitions(verified: Sequence[Compared], logs: Logs, controllers: Controllers) -> Iterator[tuple[int, Subject]]:
    """What replicas, other topics and the controllers say of each partition, with its place in `verified`."""
    # All replicas first: they show which metadata logs do not speak for each other's log dirs.
    yield from list(_replicas(verified, logs, controllers))
    yield from pairs_of_topic_ids(verified, controllers)
    for number, one in enumerate(verified):
        for difference in () if one.claim is None else controllers.differences(one.claim):
            yield number, difference


def add_findings(verified: Sequence[Compared], subjects: Iterable[tuple[int, Subject]]) -> None:
    """Ask the rules about subjects, each by the place of its partition in `verified`, and add the findings to the reports."""
    found: dict[int, list[Finding]] = defaultdict(list)
    for number, subject in subjects:
        found[number] += _only_of(verified[number], findings_of(subject))
    for number, added in found.items():
        report = verified[number].report
        verified[number].report = replace(report, findings=in_order((*report.findings, *added)))


def _only_of(one: Compared, found: Iterable[Finding]) -> Iterable[Finding]:
    """The findings about a partition; only those about the named file where only that was asked for."""
    if not one.is_file:
        return found
    own = join(one.directory, os.path.basename(one.report.path))
    return [finding._replace(path=one.report.path) for finding in found if finding.path == own]


def _replicas(verified: Sequence[Compared], logs: Logs, controllers: Controllers) -> Iterator[tuple[int, Subject]]:
    """Replicas that differ: the same partition on another broker, or in another copy."""
    earlier: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, one in enumerate(verified):
        parsed = parse_partition_name(real_name(one.report.path))
        if parsed is None or one.is_file:
            continue
        if parsed.mark == "future":
            yield from _future(verified, logs, number)
        if parsed.mark:
            continue
        others = earlier[parsed.topic, parsed.partition]
        at = next((other for other in others if _may_be_replicas(one, verified[other])), None)
        others.append(number)
        if at is None:
            continue
        if parsed.topic in METADATA_TOPICS:
            told = logs.quorum(number), logs.quorum(at)
            quorums = compare_quorums(one, verified[at], logs.differ(number, at), told)
            if isinstance(quorums, QuorumPair):
                controllers.part(one.report.path, verified[at].report.path)
                yield number, quorums
            elif quorums is not None and not _same_broker(one.owner, verified[at].owner):
                yield number, quorums
        elif not _same_broker(one.owner, verified[at].owner):
            pair = logs.differ(number, at)
            if pair is not None:
                yield number, pair


def _may_be_replicas(one: Compared, other: Compared) -> bool:
    """Whether two directories of one name may be of one partition: not those of different clusters or topic ids."""
    clusters = {v.owner.identity.cluster_id for v in (one, other) if v.owner is not None} - {None}
    return len(clusters) < 2 and len({one.topic_id, other.topic_id} - {None}) < 2


def _future(verified: Sequence[Compared], logs: Logs, number: int) -> Iterator[tuple[int, FuturePair]]:
    """What differs in a `-future` directory: it is a copy of the current one in another log dir of the same broker."""
    future = verified[number]
    parsed = parse_partition_name(os.path.basename(future.report.path))
    for place, current in enumerate(verified):
        name = parse_partition_name(os.path.basename(current.report.path))
        if parsed is None or name is None or name.mark or (name.topic, name.partition) != (parsed.topic, parsed.partition):
            continue
        if _same_broker(future.owner, current.owner):
            pair = logs.differ(number, place)
            if pair is not None:
                yield number, FuturePair(pair=pair)


def _same_broker(one: Owner | None, other: Owner | None) -> bool:
    if one is None or other is None:
        return False
    return one is other or same_broker(one, other)
