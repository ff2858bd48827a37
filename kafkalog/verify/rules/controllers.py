"""Rules about a partition and what the controller says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from kafkalog.core.properties import format_uuid
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import WEIGHT_OF_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.replay.controller import Claim, Difference
    from kafkalog.span import Span


class ControllerDifference(NamedTuple):
    """One thing in which a partition and the controller differ.

    `claim` is what the partition says of itself. `source` is the metadata log that holds the controller's word, "" when it is
    a state out of ZooKeeper. `covers_stop`: it has everything that the broker knew when it was stopped.
    `was` is the name of the partition that the directory was, where the topic of its id has one that should be here and is not.
    """

    path: str
    span: Span | None
    claim: Claim
    difference: Difference
    source: str
    covers_stop: bool
    was: str | None = None

    @property
    def explained(self) -> int | None:
        """The offset in the metadata log of what explains the difference."""
        return self.difference.explained

    @property
    def certain(self) -> bool:
        """Whether nothing healthy explains it."""
        return (self.covers_stop or not self.source) and self.explained is None

    @property
    def why(self) -> str:
        """What makes it weigh, in words."""
        if self.explained is not None:
            return f"changed at offset {self.explained} of it"
        return WEIGHT_OF_METADATA[self.covers_stop] if self.source else _GIVEN_STATE_WEIGHS


#: What is named where the controller's word comes out of ZooKeeper.
GIVEN_STATE = "the given state"
_GIVEN_STATE_WEIGHS = "unless it was exported before the directory was copied"
_STRAY = (
    "A broker of 3.6.2 or later that starts renames the directory to `-stray` and serves nothing of it, earlier ones delete it."
)
_KEEP = "Copy the directory away before the broker starts, if its records may be wanted."
_IS_STRAY = "LogManager.isStrayKraftReplica (Kafka 3.9.1), BrokerMetadataPublisher.findStrayPartitions (Kafka 3.3.2)"


#: Kind of difference → what the controller has, and what the partition says of itself.
_TOLD_AND_FOUND = {
    "topic-id": ("{own_topic_id}", "{topic_id}"),
    "topic-renamed": ("{name}", "{topic_id}"),
    "no-topic": ("no topic", "{topic} with id {topic_id}"),
    "no-partition": ("{partitions} partitions", "{topic}-{partition}"),
    "assigned-elsewhere": ("{replicas}", "{broker}"),
    "epoch-behind": ("{leader_epoch}", "{epoch}"),
    "out-of-isr": ("{isr} with {leader}", "{broker}"),
}


def _in_words(name: str, value: object) -> str:
    if isinstance(value, UUID):
        return format_uuid(value)
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if name == "leader":
        return "no leader" if isinstance(value, int) and value < 0 else f"leader {value}"
    return str(value)


def _facts(subject: ControllerDifference) -> dict[str, Any]:
    """What the rules have in common: the controller's value, the partition's, and where the controller's stands."""
    values = {**subject.claim._asdict(), **subject.difference.controller}
    words = {name: _in_words(name, value) for name, value in values.items()}
    told, found = (text.format(**words) for text in _TOLD_AND_FOUND[subject.difference.kind])
    return {"told": told, "found": found, "witness": subject.source or GIVEN_STATE}


def _hits(subject: ControllerDifference, *kinds: str) -> Iterator[Hit]:
    """The difference if it is of one of these kinds; INFO when something healthy explains it."""
    if subject.difference.kind in kinds:
        yield Hit(subject.span, None, severity=None if subject.certain else Severity.INFO, **_facts(subject), why=subject.why)


@rule(
    "controller-topic-id-differs",
    Severity.ERROR,
    on=ControllerDifference,
    message="topic id {found}, but the topic's is {told} by {witness}: {why}",
    consequence=_STRAY,
    remedy=_KEEP + " Do not change the id unless it is known to be the wrong one.",
    source=_IS_STRAY,
    proof="topic-made-anew",
    near_miss="partition-that-the-controller-knows",
    invariants="K11 K12",
)
def controller_topic_id_differs(subject: ControllerDifference) -> Iterator[Hit]:
    """`partition.metadata` and the controller give the topic different ids.

    INFO when the metadata shows that the topic of this id was deleted, or when the metadata may be of another moment than
    the directory: only that of the broker's clean stop proves that this id was never there.
    """
    yield from _hits(subject, "topic-id")


@rule(
    "controller-topic-name-differs",
    Severity.ERROR,
    on=ControllerDifference,
    message="{what} {was}: topic id {found} is that of topic {told} by {witness}",
    consequence="{effect}",
    remedy="{advice}",
    source="LogManager.isStrayKraftReplica, Partition.createLogIfNotExists (Kafka 3.9.1)",
    proof="directory-renamed",
    near_miss="partition-that-the-controller-knows",
    invariants="K11 K12",
)
def controller_topic_name_differs(subject: ControllerDifference) -> Iterator[Hit]:
    """The topic id in `partition.metadata` is that of another topic than the directory's. An id never changes its name."""
    if subject.difference.kind != "topic-renamed":
        return
    what, was = "no topic made the directory", f"{subject.claim.topic}-{subject.claim.partition}"
    effect = "The broker loads it under a name that no topic has, or that of another one, or sets it aside: it is not served."
    advice = (
        "With the broker stopped, find out where the directory or its partition.metadata came from, and move the directory out "
        "of the log dir. Keep both."
    )
    if subject.was is not None:
        what, was = "under another name this is", subject.was
        effect += f" And it makes {subject.was} again, empty."
        advice = f"With the broker stopped, rename the directory back to {subject.was}. No record is lost."
    yield Hit(None, None, **_facts(subject), what=what, effect=effect, advice=advice, was=was)


@rule(
    "controller-knows-no-partition",
    Severity.ERROR,
    on=ControllerDifference,
    message="the controller has no {found} ({told}) by {witness}: {why}",
    consequence=_STRAY,
    remedy=_KEEP,
    source=_IS_STRAY,
    proof="partition-of-no-topic",
    near_miss="partition-that-the-controller-knows",
    invariants="K8 K12",
)
def controller_knows_no_partition(subject: ControllerDifference) -> Iterator[Hit]:
    """The cluster has no topic of this id, or fewer partitions of it.

    INFO when the metadata shows that the topic was deleted, or may be of another moment than the directory.
    """
    yield from _hits(subject, "no-topic", "no-partition")


@rule(
    "controller-assigns-elsewhere",
    Severity.ERROR,
    on=ControllerDifference,
    message="broker {found} is no replica, the controller has {told} by {witness}: {why}",
    consequence=_STRAY,
    remedy=_KEEP,
    source=_IS_STRAY,
    proof="replica-of-another-broker",
    near_miss="partition-that-the-controller-knows",
    invariants="K8 K12",
)
def controller_assigns_elsewhere(subject: ControllerDifference) -> Iterator[Hit]:
    """The broker is not among the partition's replicas.

    INFO when the metadata shows that the partition was moved away, or may be of another moment than the directory.
    """
    yield from _hits(subject, "assigned-elsewhere")


@rule(
    "controller-epoch-behind",
    Severity.WARNING,
    on=ControllerDifference,
    message="leader epoch {found}, but the controller has only come to {told} by {witness}: {why}",
    consequence="The controller begins these epochs again: a leader drops the entries from its epoch file, and followers "
    "truncate to where they think that the histories part.",
    remedy="Find out whether the controller's data was restored from an older copy. Keep both until that is known.",
    source="PartitionRegistration.merge, LeaderEpochFileCache.assign (Kafka 3.9.1), KIP-101",
    proof="epoch-not-begun",
    near_miss="epoch-that-the-controller-has-begun",
    invariants="I2 K12",
)
def controller_epoch_behind(subject: ControllerDifference) -> Iterator[Hit]:
    """The partition has a leader epoch that the controller has not begun.

    INFO when the metadata may be older than the directory. The other way round is no finding: an epoch in which nobody wrote
    leaves no trace in a log.
    """
    yield from _hits(subject, "epoch-behind")


@rule(
    "controller-isr-without-broker",
    Severity.INFO,
    on=ControllerDifference,
    message="broker {found} is not in the ISR: {told} by {witness}",
    consequence="This copy may lack committed records, or hold some that it truncates when it follows the leader.",
    remedy="Take the copy of a broker in the ISR for the true one.",
    source="TopicPartitionStateZNode, Partition.makeFollower (Kafka 2.8.2)",
    proof="state-without-broker",
    near_miss="state-with-the-broker",
    invariants="D17 K12",
)
def controller_isr_without_broker(subject: ControllerDifference) -> Iterator[Hit]:
    """The given state does not have the log dir's broker among the in-sync replicas, which a stopped broker leaves."""
    if subject.difference.kind == "out-of-isr":
        yield Hit(None, None, **_facts(subject))
