"""Where a follower cuts its log before it follows a leader: AbstractFetcherThread (KIP-101, and KIP-279 since 2.0)."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.kafka.behaviours import EPOCHS_ASKED_AGAIN, EPOCHS_IN_EVERY_LOG

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.kafka.epochs import LeaderEpochs

__all__ = ["Asked", "ReplicaLog", "Truncation", "truncation"]


class ReplicaLog(NamedTuple):
    """What of a replica's log decides: its epochs, start and end offset, and its high watermark (None: not known)."""

    epochs: LeaderEpochs
    log_start_offset: int
    log_end_offset: int
    high_watermark: int | None = None


class Asked(NamedTuple):
    """A question of the follower, and the leader's answer; None where the leader knows nothing of such an epoch."""

    asked_epoch: int
    answered_epoch: int | None
    end_offset: int | None


class Truncation(NamedTuple):
    """What a follower does to its log.

    Args:
        offset: The end of its log after it; None: it is not known, and `why` says what is missing.
        steps: What it asks the leader, in this order.
        by_high_watermark: Whether it is cut to the high watermark, because epochs tell nothing.
        starts_over: Whether the whole log goes: what the leader has begins after it.
        why: What is not known, or why epochs do not decide; "" where they do.
    """

    offset: int | None
    steps: tuple[Asked, ...] = ()
    by_high_watermark: bool = False
    starts_over: bool = False
    why: str = ""


def truncation(follower: ReplicaLog, leader: ReplicaLog, release: Release) -> Truncation:
    """Where a replica cuts its log when it becomes the follower of another one.

    The leader is taken to have just been elected: its new epoch, which is higher than all before, begins at its end.

    Args:
        follower: The log that is cut.
        leader: The log that it then follows.
        release: The release of both brokers.
    """
    elected = copy(leader.epochs)
    elected.entries = list(leader.epochs.entries)
    is_empty = leader.log_end_offset <= leader.log_start_offset
    new = max((entry.epoch for entry in (*follower.epochs.entries, *elected.entries)), default=-1) + 1
    if elected.entries or is_empty or EPOCHS_IN_EVERY_LOG.applies_to(release):
        elected.assign(new, leader.log_end_offset)
    asks_again = EPOCHS_ASKED_AGAIN.applies_to(release)
    cut, steps = _by_epochs(follower, elected, leader.log_end_offset, asks_again=asks_again)
    if cut is not None:
        return _in_range(Truncation(cut, steps), leader)
    why = _why(follower, elected)
    if follower.high_watermark is None:
        return Truncation(None, steps, by_high_watermark=True, why=f"{why}, and its high watermark is not known")
    at = min(follower.high_watermark, follower.log_end_offset)
    return _in_range(Truncation(at, steps, by_high_watermark=True, why=why), leader)


def _by_epochs(
    follower: ReplicaLog, leader: LeaderEpochs, leader_end: int, *, asks_again: bool
) -> tuple[int | None, tuple[Asked, ...]]:
    """Where epochs say that the follower cuts, None where they do not; and what it asked for that."""
    own = copy(follower.epochs)
    own.entries = list(follower.epochs.entries)
    end = follower.log_end_offset
    steps: list[Asked] = []
    while own.latest_epoch is not None:
        asked = own.latest_epoch
        answer = leader.end_offset_for(asked, leader_end, floor=asks_again)
        steps.append(Asked(asked, *(answer or (None, None))))
        if answer is None:
            return None, tuple(steps)
        epoch, leader_offset = answer
        known = own.end_offset_for(epoch, end) if asks_again else None
        if known is None:
            return min(leader_offset, end), tuple(steps)
        end = min(known[1], end, *([leader_offset] if known[0] == epoch else []))
        if known[0] == epoch:
            return end, tuple(steps)
        # The follower does not know the epoch of the answer: it cuts what is later, and asks about the epoch before.
        own.truncate_from_end(end)
    return None, tuple(steps)


def _why(follower: ReplicaLog, leader: LeaderEpochs) -> str:
    if not follower.epochs.entries:
        return "the follower has no leader epochs"
    if not leader.entries:
        return "the leader has no leader epochs"
    return "no epoch of the follower is known to the leader"


def _in_range(cut: Truncation, leader: ReplicaLog) -> Truncation:
    """What the leader's answer to the first fetch makes of it: it has offsets from its start to its end only."""
    assert cut.offset is not None
    if cut.offset < leader.log_start_offset:
        return cut._replace(offset=leader.log_start_offset, starts_over=True)
    return cut._replace(offset=min(cut.offset, leader.log_end_offset))
