"""Rules about partitions that a coordinator does not load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnloadedPartition(NamedTuple):
    """A partition that the coordinator of `release` does not load.

    It stops at `offset`; `ends` is false when it goes on for ever. `lost` names those concerned. `certain` is false when
    only releases do that which the log dir may or may not be of.
    """

    path: str
    release: str
    offset: int
    reason: str
    outcome: str
    lost: str
    ends: bool
    certain: bool


def _facts(load: UnloadedPartition) -> dict[str, Any]:
    return {"release": load.release, "reason": load.reason, "outcome": load.outcome, "lost": load.lost}


@rule(
    "coordinator-load-fails",
    Severity.ERROR,
    on=UnloadedPartition,
    message="the coordinator of Kafka {release} fails to load the partition at offset {offset}: {reason}",
    consequence="{outcome} This concerns {lost}.",
    remedy=(
        "Start brokers of a release that loads it, or let a replica lead that does not hold the record. Where none is left, "
        "`kafkalog groups` or `kafkalog transactions` still shows what the partition says. Keep a copy before you change it."
    ),
    source="CoordinatorLoaderImpl.doLoad (4.1.1), GroupMetadataManager.doLoadGroupsAndOffsets (2.3.1), KAFKA-14869",
    proof="state-of-a-later-release",
    near_miss="state-of-this-release",
)
def coordinator_load_fails(load: UnloadedPartition) -> Iterator[Hit]:
    """A record that the coordinator cannot get past when it loads the partition.

    When a broker becomes the leader of a partition of `__consumer_offsets`, `__transaction_state` or `__share_group_state`,
    its coordinator replays the partition. It fails where a record has no key or cannot be read, where its type (before 3.4.1)
    or version is unknown to the release, and since 4.0 where it does not fit the records before it: members of a consumer
    group after the record of a classic one of that id, or a tombstone for a group that still has members.
    """
    if load.ends:
        yield Hit(None, (load.offset, load.offset), offset=load.offset, **_facts(load))


@rule(
    "coordinator-load-never-ends",
    Severity.ERROR,
    on=UnloadedPartition,
    message="the coordinator of Kafka {release} never finishes loading the partition: {reason}",
    consequence="{outcome} This concerns {lost}.",
    remedy=(
        "Upgrade to 2.4.1 or later. Or, with the broker stopped, move the files of the empty segments before the last one "
        "away, in every replica: the log then starts where it ends."
    ),
    source="KAFKA-9065; GroupMetadataManager.doLoadGroupsAndOffsets (2.3.1)",
    proof="nothing-before-the-end",
    near_miss="nothing-before-the-end-since-2.4.1",
)
def coordinator_load_never_ends(load: UnloadedPartition) -> Iterator[Hit]:
    """The log ends further on than its last batch, which coordinators before 2.4.1 wait for.

    The cleaner may leave nothing of all segments but the active one, and that one may be empty. INFO when the log dir does not
    show whether the broker is of such an old release; `--kafka-version` decides it.
    """
    if not load.ends:
        yield Hit(None, None, severity=None if load.certain else Severity.INFO, **_facts(load))
