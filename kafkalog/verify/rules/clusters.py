"""Rules about what several log dirs, of one broker or of several, say of the cluster: its id, its quorum, its topics' ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import WEIGHT_OF_METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.replay.quorum import QuorumConflict, Voter
    from kafkalog.span import Span


class TopicIdPair(NamedTuple):
    """`partition.metadata` with another topic id than a directory of the same topic has, in this log dir or elsewhere.

    `controller_id` is the id by the metadata log `source`, None when it is not known. `deleted_id` is the one of the
    two ids whose topic was deleted, at offset `deleted_at` of that log. `same_cluster`: both are known to be of one cluster.
    """

    path: str
    topic_id: str
    other: str
    other_id: str
    controller_id: str | None
    deleted_id: str | None
    deleted_at: int | None
    source: str
    same_cluster: bool


class SharedTopicId(NamedTuple):
    """`partition.metadata` with the topic id of another topic; `certain`: both are known to be of one cluster."""

    path: str
    topic_id: str
    topic: str
    other: str
    other_topic: str
    certain: bool


class ClusterPair(NamedTuple):
    """Two log dirs that name different clusters although they hold the same topic, by its id; `path` is a `meta.properties`."""

    path: str
    cluster: str
    other: str
    other_cluster: str
    topic: str
    topic_id: str


class QuorumPair(NamedTuple):
    """Two metadata logs that cannot be of one quorum, though nothing says that they are of different clusters.

    `conflict` proves it. `offset` is the first at which they differ, None when they have none in common. `voters` and
    `other_voters` are () where they are not known.
    """

    path: str
    other: str
    span: Span | None
    offset: int | None
    cluster: str
    conflict: QuorumConflict
    voters: tuple[Voter, ...]
    other_voters: tuple[Voter, ...]


_CONFLICTS = {
    "leaders": "epoch {epoch} is led by node {leader} in this one and by node {other_leader} in the other",
    "voters": "none of its voters is a voter of the other",
    "batches": "both have other batches of the same epoch, {epoch}, there",
}


class ProducerIdBlocks(NamedTuple):
    """Producer ids in logs that no block of ids in the cluster's metadata holds; `path` is the metadata log.

    `next_id` is the first id of the block to come; `producer_id` the largest seen, in the log `file`; `partitions` counts the
    directories with such ids. `marker`: a transaction's end has such an id, which only a coordinator writes. `covers_stop`: the
    metadata has everything that the broker knew when it was stopped.
    """

    path: str
    next_id: int
    producer_id: int
    file: str
    partitions: int
    marker: bool
    covers_stop: bool


@rule(
    "quorums-differ",
    Severity.ERROR,
    on=QuorumPair,
    message="this metadata log and {other} have cluster id {cluster}, but they are of two quorums: {difference}; {why}. Voters "
    "here {voters}, there {other_voters}",
    consequence="They are two clusters, not replicas of one. Each has topics, topic ids and producer ids of its own; nodes of "
    "the one refuse those of the other, or truncate their metadata.",
    remedy="Decide which quorum is to stay. Copy away what only the nodes of the other hold, then format these again "
    "(`kafka-storage.sh format --no-initial-controllers`, then add-controller). Do not merge directories.",
    source="KafkaRaftClient.validateVoterOnlyRequest, LeaderState (Kafka 4.1.1), KIP-853, KAFKA-19489",
    proof="two-quorums",
    near_miss="metadata-log-that-is-a-part",
    invariants="D17 L1",
)
def quorums_differ(pair: QuorumPair) -> Iterator[Hit]:
    """Two metadata logs of one cluster id cannot have been written by one quorum.

    What proves it: an epoch has two leaders; an offset has two contents of the same epoch; or the logs part and no voter of
    the one is a voter of the other. A log that is a part of the other, and a tail that only a former leader has, prove nothing.
    """
    offsets = None if pair.offset is None else (pair.offset, pair.offset)
    difference = "they have no offset in common" if pair.offset is None else f"they differ from offset {pair.offset} on"
    yield Hit(
        pair.span,
        offsets,
        other=pair.other,
        cluster=pair.cluster,
        difference=difference,
        why=_CONFLICTS[pair.conflict.kind].format(**pair.conflict._asdict()),
        voters=_listed(pair.voters),
        other_voters=_listed(pair.other_voters),
    )


def _listed(voters: tuple[Voter, ...]) -> str:
    """Node ids, with directory ids where they are known."""
    words = [f"{voter.node_id} ({voter.directory_id})" if voter.directory_id else str(voter.node_id) for voter in voters]
    return ", ".join(words) or "not known"


@rule(
    "cluster-ids-differ",
    Severity.INFO,
    on=ClusterPair,
    message="cluster.id {cluster}, but {file} has {other_cluster}, and both hold topic {topic} with id {topic_id}",
    consequence="A topic id is made once: the two were one cluster. If they still are to be, their nodes refuse each other "
    "(InconsistentClusterIdException). If one is a clone, nothing is wrong.",
    remedy="Find out whether one of the two files was changed, or its log dir copied into another cluster.",
    source="KafkaRaftClient, MetaPropertiesEnsemble (Kafka 3.9.1)",
    proof="cluster-id-changed",
    near_miss="two-clusters",
    invariants="K10 K11",
)
def cluster_ids_differ(pair: ClusterPair) -> Iterator[Hit]:
    """Two log dirs name different clusters and hold the same topic, by its id."""
    yield Hit(
        None,
        None,
        cluster=pair.cluster,
        file=pair.other,
        other_cluster=pair.other_cluster,
        topic=pair.topic,
        topic_id=pair.topic_id,
    )


@rule(
    "topic-id-mismatch",
    Severity.ERROR,
    on=TopicIdPair,
    message="topic id {topic_id}, but {file} has {other_id}{word}",
    consequence="Brokers answer fetches for the wrong id with INCONSISTENT_TOPIC_ID or UNKNOWN_TOPIC_ID: these replicas do not "
    "follow each other, and what the controller does not know by its id is not served.",
    remedy="The controller's id is the right one (`kafka-topics.sh --describe`; with ZooKeeper `topic_id` in "
    "/brokers/topics/TOPIC). With the broker stopped, move the wrong directory out of the log dir and keep it; the replica is "
    "fetched again.",
    source="UnifiedLog.initializeTopicId, ReplicaManager.makeFollowers (Kafka 3.9.1), KAFKA-14616, KAFKA-14190",
    proof="topic-id-differs",
    near_miss="two-partitions-of-one-topic",
    invariants="K11",
)
def topic_id_mismatch(pair: TopicIdPair) -> Iterator[Hit]:
    """Directories of one topic have different topic ids: in one log dir, or in log dirs of one cluster.

    INFO when the controller shows that one of the ids was that of an earlier topic of the name, or when nothing says that the
    two are of one cluster.
    """
    yield Hit(
        None,
        None,
        severity=None if pair.same_cluster and pair.deleted_id is None else Severity.INFO,
        topic_id=pair.topic_id,
        file=pair.other,
        other_id=pair.other_id,
        word=_controller_says(pair),
    )


def _controller_says(pair: TopicIdPair) -> str:
    text = "" if pair.controller_id is None else f"; the controller has {pair.controller_id}, by {pair.source}"
    if pair.deleted_id is not None:
        text += f"; the topic of id {pair.deleted_id} was deleted, at offset {pair.deleted_at} of {pair.source}"
    return text


@rule(
    "topic-id-shared",
    Severity.ERROR,
    on=SharedTopicId,
    message="topic {topic} has topic id {topic_id}, which is that of topic {other_topic} in {file}",
    consequence="A topic id is one topic's: at most one of the two is served, and requests for the id reach the wrong log.",
    remedy="Ask the controller whose id it is (`kafka-topics.sh --describe`). With the broker stopped, move the other "
    "directory out of the log dir and keep it.",
    source="UnifiedLog.initializeTopicId, LogManager.isStrayKraftReplica (Kafka 3.9.1)",
    proof="topic-id-of-another",
    near_miss="two-partitions-of-one-topic",
    invariants="K11",
)
def topic_id_shared(pair: SharedTopicId) -> Iterator[Hit]:
    """Two topics have the same topic id. INFO when nothing says that the two are of one cluster: one may be a renamed copy."""
    yield Hit(
        None,
        None,
        severity=None if pair.certain else Severity.INFO,
        topic=pair.topic,
        topic_id=pair.topic_id,
        other_topic=pair.other_topic,
        file=pair.other,
    )


@rule(
    "producer-id-not-given",
    Severity.INFO,
    on=ProducerIdBlocks,
    message="the next block of producer ids begins at {next_id}, but {file} has producer {producer_id}; logs with such ids: "
    "{partitions}; {why}",
    consequence="If the controller starts with this metadata it gives these ids to other producers: their batches are refused, "
    "or taken for duplicates and dropped, and their transactions mixed up.",
    remedy="Find out whether this metadata log is older than the logs, or of another cluster. If neither is so, a client has "
    "written with ids that no broker gave it.",
    source="ProducerIdControlManager.generateNextProducerId, ProducerIdsRecord (Kafka 3.9.1)",
    proof="producer-id-of-no-block",
    near_miss="last-producer-id-of-the-block",
    invariants="J4 K12",
)
def producer_id_not_given(blocks: ProducerIdBlocks) -> Iterator[Hit]:
    """A producer id in a log belongs to no block that the metadata gave to a broker.

    A WARNING when the metadata holds everything up to the broker's stop, and a marker has such an id: only coordinators write
    these, with ids that they were given. Data batches can come from a client that makes its ids itself.
    """
    yield Hit(
        None,
        None,
        severity=Severity.WARNING if blocks.covers_stop and blocks.marker else None,
        next_id=blocks.next_id,
        file=blocks.file,
        producer_id=blocks.producer_id,
        partitions=blocks.partitions,
        why=WEIGHT_OF_METADATA[blocks.covers_stop],
    )
