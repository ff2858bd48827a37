"""Two metadata logs against each other: whether one quorum can have written both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.errors import UnreadableFile
from kafkalog.replay.quorum import conflict_of, read_quorum
from kafkalog.verify.checks.replicas import compare_replicas
from kafkalog.verify.finding import Severity
from kafkalog.verify.rules.clusters import QuorumPair

if TYPE_CHECKING:
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.rules.replicas import ReplicaPair
    from kafkalog.verify.verified import Verified

__all__ = ["compare_quorums"]


def compare_quorums(one: Verified, other: Verified) -> QuorumPair | ReplicaPair | None:
    """What two metadata logs differ in: as those of two quorums, or as replicas of one; None when they do not."""
    pair = compare_replicas(one.partition, other.partition)
    try:
        quorums = read_quorum(one.partition), read_quorum(other.partition)
    except UnreadableFile:
        return pair  # the checks of the two have said so
    # Bytes that are damaged differ, too.
    sound = not (_is_damaged(one.report) or _is_damaged(other.report))
    epochs = None if pair is None or not sound else (pair.epoch, pair.other_epoch)
    conflict = conflict_of(*quorums, epochs)
    if conflict is None:
        return pair
    cluster = (one.owner and one.owner.identity.cluster_id) or (other.owner and other.owner.identity.cluster_id) or "unknown"
    path = one.report.path if pair is None else pair.log_path
    span, offset = (None, None) if pair is None else (pair.span, pair.offset)
    return QuorumPair(
        path=path,
        other=other.report.path,
        span=span,
        offset=offset,
        cluster=cluster,
        conflict=conflict,
        voters=quorums[0].voters,
        other_voters=quorums[1].voters,
    )


def _is_damaged(report: PartitionReport) -> bool:
    return not report.readable or any(finding.severity is Severity.ERROR for finding in report.findings)
