"""What partitions say about each other: log dirs of one broker, replicas, transactions and their coordinator."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.files.paths import join
from kafkalog.verify.checks.quorums import compare_quorums
from kafkalog.verify.checks.replicas import compare_replicas
from kafkalog.verify.checks.topic_ids import clusters_of_one_topic, judge_topic_ids
from kafkalog.verify.report import PartitionReport, in_order
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.clusters import QuorumPair
from kafkalog.verify.rules.log_dirs import BrokerView
from kafkalog.verify.rules.replicas import FuturePair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from kafkalog.kafka.scanned_log import KnownLog
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.verify.checks.controller import Controllers, PartitionClaim
    from kafkalog.verify.checks.log_dir import LogDirCheck
    from kafkalog.verify.finding import Finding

__all__ = ["Verified", "add_findings", "findings_of_brokers"]


@dataclass
class Verified:
    """A partition that was judged by itself.

    Args:
        directory: Its directory.
        report: What was found; findings that others lead to are added.
        topic_id: From its `partition.metadata`.
        owner: The log dir it was looked at in, None for a directory or a file given by itself.
        claim: What it says of itself that a controller may know otherwise.
        open_transactions: Those without a marker in its log.
        known: Name of a `.log` → the part of it that was found sound.
        is_file: Whether a single file of it was asked for.
        kinds: Of the files that are there: suffixes of the segments' files, names of the others.
    """

    directory: str
    report: PartitionReport
    topic_id: UUID | None
    owner: LogDirCheck | None
    claim: PartitionClaim | None
    known: dict[str, KnownLog] = field(default_factory=dict)
    open_transactions: tuple[OpenTransaction, ...] = ()
    is_file: bool = False
    kinds: frozenset[str] = frozenset()


def findings_of_brokers(verified: list[Verified], log_dirs: list[LogDirCheck]) -> Iterator[Finding]:
    """Findings about the log dirs of one broker."""
    brokers: dict[tuple[str, str], list[LogDirCheck]] = {}
    for log_dir in log_dirs:
        if log_dir.broker is not None:
            brokers.setdefault(log_dir.broker, []).append(log_dir)
    for group in brokers.values():
        duplicates = tuple(_duplicates(verified, group))
        yield from findings_of(BrokerView(path=group[0].path, duplicates=duplicates, id_problems=tuple(_directory_ids(group))))
    yield from _clusters(log_dirs)
    yield from clusters_of_one_topic(verified)


def _clusters(log_dirs: list[LogDirCheck]) -> Iterator[Finding]:
    """Findings about log dirs of one node id that were written in one go, with different cluster ids."""
    for number, log_dir in enumerate(log_dirs):
        for other in log_dirs[:number]:
            one, two = other.broker, log_dir.broker
            if one is None or two is None or one[0] == two[0] or one[1] != two[1]:
                continue
            if other.meta_written is not None and other.meta_written == log_dir.meta_written:
                what = f"cluster.id {two[0]} and node id {two[1]}, written together with one of cluster.id {one[0]}"
                paths = join(log_dir.path, "meta.properties"), join(other.path, "meta.properties")
                yield from findings_of(BrokerView(path=log_dir.path, duplicates=(), id_problems=((*paths, what),)))


def _directory_ids(group: list[LogDirCheck]) -> Iterator[tuple[str, str, str]]:
    seen: dict[str, str] = {}
    for log_dir in group:
        directory_id, path = log_dir.directory_id, join(log_dir.path, "meta.properties")
        if directory_id is not None and directory_id in seen:
            yield path, seen[directory_id], f"directory.id {directory_id} twice"
        elif directory_id is not None:
            seen[directory_id] = path


def _duplicates(verified: list[Verified], group: list[LogDirCheck]) -> Iterator[tuple[str, str, str]]:
    placed: dict[tuple[str, int], PartitionReport] = {}
    for log_dir in group:
        for one in verified:
            parsed = parse_partition_name(os.path.basename(one.report.path))
            if one.owner is not log_dir or parsed is None or parsed.mark:
                continue
            here, there = one.report, placed.setdefault((parsed.topic, parsed.partition), one.report)
            if there is not here:
                ranges = (
                    f"offsets {here.log_start_offset} to {here.log_end_offset} here, "
                    f"{there.log_start_offset} to {there.log_end_offset} there"
                )
                yield here.path, there.path, ranges


def add_findings(
    verified: list[Verified], controllers: Controllers, more: Iterable[tuple[int, Iterable[Finding]]]
) -> list[Finding]:
    """Add to each partition what its replicas and the controller say about it; and `more`, by place in `verified`.

    Returns:
        What all of them together say about the controller's metadata.
    """
    found: dict[int, list[Finding]] = defaultdict(list)
    others = (*_replicas(verified, controllers), *judge_topic_ids(verified, controllers))
    for number, findings in (*others, *_controlled(verified, controllers), *more):
        found[number] += _only_of(verified[number], findings)
    for number, added in found.items():
        report = verified[number].report
        verified[number].report = replace(report, findings=in_order((*report.findings, *added)))
    return list(controllers.producer_ids(one.claim for one in verified if one.claim is not None and not one.is_file))


def _controlled(verified: list[Verified], controllers: Controllers) -> Iterator[tuple[int, Iterable[Finding]]]:
    """Findings about partitions that the controller knows otherwise."""
    for number, one in enumerate(verified):
        if one.claim is None:
            continue
        yield number, controllers.findings(one.claim)


def _only_of(one: Verified, found: Iterable[Finding]) -> Iterable[Finding]:
    """The findings about a partition; those about the named file where only that was asked for: the others are witnesses."""
    if not one.is_file:
        return found
    own = join(one.directory, os.path.basename(one.report.path))
    return [finding._replace(path=one.report.path) for finding in found if finding.path == own]


def _replicas(verified: list[Verified], controllers: Controllers) -> Iterator[tuple[int, Iterable[Finding]]]:
    """Findings about replicas: the same partition on another broker, or in another copy."""
    earlier: dict[tuple[str, int], list[int]] = defaultdict(list)
    for number, one in enumerate(verified):
        parsed = parse_partition_name(os.path.basename(os.path.realpath(one.report.path)))
        if parsed is None or one.is_file:
            continue
        if parsed.mark == "future":
            yield from _future(verified, number)
        if parsed.mark:
            continue
        others = earlier[parsed.topic, parsed.partition]
        at = next((other for other in others if _may_be_replicas(one, verified[other])), None)
        others.append(number)
        if at is None:
            continue
        if parsed.topic in METADATA_TOPICS:
            quorums = compare_quorums(one, verified[at])
            if isinstance(quorums, QuorumPair):
                controllers.part(one.report.path, verified[at].report.path)
                yield number, findings_of(quorums)
            elif quorums is not None and not _same_broker(one.owner, verified[at].owner):
                yield number, findings_of(quorums)
        elif not _same_broker(one.owner, verified[at].owner):
            pair = compare_replicas(one.report.path, verified[at].report.path)
            if pair is not None:
                yield number, findings_of(pair)


def _may_be_replicas(one: Verified, other: Verified) -> bool:
    """Whether two directories of one name may be of one partition: not those of different clusters or topic ids."""
    clusters = {v.owner.cluster for v in (one, other) if v.owner is not None} - {None}
    return len(clusters) < 2 and len({one.topic_id, other.topic_id} - {None}) < 2


def _future(verified: list[Verified], number: int) -> Iterator[tuple[int, Iterable[Finding]]]:
    """Findings about a `-future` directory: it is a copy of the current one in another log dir of the same broker."""
    future = verified[number]
    parsed = parse_partition_name(os.path.basename(future.report.path))
    for current in verified:
        name = parse_partition_name(os.path.basename(current.report.path))
        if parsed is None or name is None or name.mark or (name.topic, name.partition) != (parsed.topic, parsed.partition):
            continue
        if _same_broker(future.owner, current.owner):
            pair = compare_replicas(future.report.path, current.report.path)
            if pair is not None:
                yield number, findings_of(FuturePair(pair=pair))


def _same_broker(one: LogDirCheck | None, other: LogDirCheck | None) -> bool:
    if one is None or other is None:
        return False
    return one is other or (one.broker is not None and one.broker == other.broker)
