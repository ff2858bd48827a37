"""What the controller knows of a partition, held against the partition's own files.

The controller's word comes from `__cluster_metadata` (`against_metadata`), or from the state that ZooKeeper holds under
`/brokers/topics/TOPIC/partitions/PARTITION/state` (`read_partition_state`, `against_state`).

Two copies are hardly ever taken at the same time. A difference is *explained* where the metadata shows that the partition
once was as its directory says. Any other difference is a contradiction only when the metadata *covers the stop* of the broker
that left the directory (`covers_stop`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.errors import FormatError

if TYPE_CHECKING:
    import uuid

    from kafkalog.replay.metadata import Metadata

__all__ = [
    "Claim",
    "Difference",
    "PartitionStateNode",
    "against_metadata",
    "against_state",
    "covers_stop",
    "read_partition_state",
]


class Claim(NamedTuple):
    """What a partition's directory says of itself: None for what it does not.

    `epoch` is the highest leader epoch in its files, `broker` the id in the log dir's `meta.properties`.
    """

    topic: str
    partition: int
    topic_id: uuid.UUID | None
    epoch: int | None
    broker: int | None


class Difference(NamedTuple):
    """One thing in which a partition and the controller differ.

    `kind` is `topic-renamed`, `topic-id`, `no-topic`, `no-partition`, `assigned-elsewhere`, `epoch-behind` or `out-of-isr`.
    `controller` is what the controller has, by name; the directory's side is in the `Claim`. `explained` is the offset of the
    metadata record that explains the difference, None when nothing does.
    """

    kind: str
    controller: dict[str, Any]
    explained: int | None = None


class PartitionStateNode(NamedTuple):
    """The state of a partition as ZooKeeper holds it; `leader` is -1 when there is none."""

    controller_epoch: int
    leader: int
    leader_epoch: int
    isr: tuple[int, ...]


def read_partition_state(data: bytes) -> PartitionStateNode:
    """Read ZooKeeper's JSON of a partition's state, alone or as a line of what `zookeeper-shell.sh` prints.

    Source: TopicPartitionStateZNode.decode, Kafka 2.8.2: these four are read, others are not looked at.

    Raises:
        FormatError: it is no such JSON.
    """
    state = _json_object(data)
    for name in ("controller_epoch", "leader", "leader_epoch"):
        if not _is_int32(state.get(name)):
            raise FormatError(f"no partition state: {name} is {_shown(state, name)}, not a number")
    isr = state.get("isr")
    if not isinstance(isr, list) or not all(map(_is_int32, isr)):
        raise FormatError(f"no partition state: isr is {_shown(state, 'isr')}, not a list of broker ids")
    return PartitionStateNode(state["controller_epoch"], state["leader"], state["leader_epoch"], tuple(isr))


def _json_object(data: bytes) -> dict[str, Any]:
    # The shell prints its own lines around it.
    lines = [line for line in data.splitlines() if line.lstrip().startswith(b"{")]
    for text in (data, lines[0] if len(lines) == 1 else data):
        try:
            state = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(state, dict):
            return state
        break
    raise FormatError("no partition state: not one JSON object")


def _is_int32(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31


def _shown(state: dict[str, Any], name: str) -> str:
    text = json.dumps(state[name]) if name in state else "missing"
    return text if len(text) <= 40 else f"{text[:40]}…"


def against_state(claim: Claim, state: PartitionStateNode) -> list[Difference]:
    """In what a partition and its state in ZooKeeper differ."""
    found = []
    if claim.epoch is not None and claim.epoch > state.leader_epoch:
        found.append(Difference("epoch-behind", {"leader_epoch": state.leader_epoch}))
    if claim.broker is not None and claim.broker not in state.isr:
        found.append(Difference("out-of-isr", {"isr": state.isr, "leader": state.leader}))
    return found


def against_metadata(claim: Claim, metadata: Metadata) -> list[Difference]:
    """In what a partition and the cluster's metadata differ.

    Without a topic id, from `partition.metadata`, nothing is said: a name alone does not tell which topic is meant.
    """
    if claim.topic_id is None:
        return []
    image, history = metadata.image, metadata.history
    topic = image.topics.get(claim.topic_id)
    if topic is None:
        namesake = image.topic(claim.topic)
        explained = history.removed.get(claim.topic_id)
        if namesake is not None:
            return [Difference("topic-id", {"own_topic_id": namesake.topic_id}, explained)]
        return [Difference("no-topic", {}, explained)]
    if topic.name != claim.topic:
        return [Difference("topic-renamed", {"name": topic.name})]
    state = topic.partitions.get(claim.partition)
    if state is None:
        return [Difference("no-partition", {"partitions": len(topic.partitions)})]
    found = []
    if claim.broker is not None and claim.broker not in state.replicas:
        explained = history.moved.get((claim.topic_id, claim.partition, claim.broker))
        found.append(Difference("assigned-elsewhere", {"replicas": state.replicas}, explained))
    if claim.epoch is not None and claim.epoch > state.leader_epoch:
        found.append(Difference("epoch-behind", {"leader_epoch": state.leader_epoch}))
    return found


def covers_stop(metadata: Metadata, broker: int, registration: int | None, *, own: bool) -> bool:
    """Whether the metadata has everything that a cleanly stopped broker knew when it stopped, and all changes since.

    Args:
        metadata: Of the broker's cluster.
        broker: Its id.
        registration: The broker epoch in `.kafka_cleanshutdown`, None when it holds none (before 3.7).
        own: The metadata was left by the same stop, in a log dir of the broker itself.
    """
    registered = metadata.image.brokers.get(broker)
    if registered is None or metadata.notes or metadata.problems:
        return False
    # The broker epoch is the offset of the record that registered it.
    epoch = registered["brokerEpoch"]
    if registration is not None and registration != epoch:
        return False
    return broker in metadata.history.stopped or (own and metadata.history.since <= epoch)
