"""Two metadata logs against each other: whether one quorum can have written both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.replay.quorum import conflict_of
from kafkalog.verify.finding import Severity
from kafkalog.verify.rules.clusters import QuorumPair

if TYPE_CHECKING:
    from kafkalog.replay.quorum import Quorum
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.rules.replicas import ReplicaPair
    from kafkalog.verify.verified import Compared

__all__ = ["compare_quorums"]


def compare_quorums(
    one: Compared, other: Compared, pair: ReplicaPair | None, quorums: tuple[Quorum | None, Quorum | None]
) -> QuorumPair | ReplicaPair | None:
    """What two metadata logs differ in: as those of two quorums, or as replicas of one; None when they do not.

    Args:
        one: The one.
        other: The other.
        pair: In what their batches differ.
        quorums: What they say of their quorum; None: it cannot be read, and the checks of the log say so.
    """
    here, there = quorums
    if here is None or there is None:
        return pair
    # Bytes that are damaged differ, too.
    sound = not (_is_damaged(one.report) or _is_damaged(other.report))
    epochs = None if pair is None or not sound else (pair.epoch, pair.other_epoch)
    conflict = conflict_of(here, there, epochs)
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
        voters=here.voters,
        other_voters=there.voters,
    )


def _is_damaged(report: PartitionReport) -> bool:
    return not report.readable or any(finding.severity is Severity.ERROR for finding in report.findings)
