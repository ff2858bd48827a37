"""What the controller knows of a partition, as a witness against the partition's own files.

The controller's word comes from `__cluster_metadata` (`told_by_metadata`), or from the state that ZooKeeper holds under
`/brokers/topics/TOPIC/partitions/PARTITION/state` (`read_partition_state`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.properties import format_uuid
from kafkalog.errors import FormatError

if TYPE_CHECKING:
    import uuid

    from kafkalog.files.partition import Partition
    from kafkalog.internal.metadata import Image

__all__ = ["Disagreement", "Told", "disagreements", "read_partition_state", "told_by_metadata"]


class Told(NamedTuple):
    """What the controller says of a partition: None for what its record does not hold.

    `topic_gone` means that it knows no topic of this name.
    """

    leader: int | None = None
    leader_epoch: int | None = None
    isr: tuple[int, ...] | None = None
    replicas: tuple[int, ...] | None = None
    topic_id: uuid.UUID | None = None
    topic_gone: bool = False


class Disagreement(NamedTuple):
    """One thing in which the partition's files and the controller differ; `what` is a fixed word for it."""

    what: str
    told: object
    found: object
    message: str


def told_by_metadata(image: Image, topic: str, partition: int) -> Told:
    """What the metadata image says of a partition."""
    known = image.topic(topic)
    state = known.partitions.get(partition) if known else None
    if known is None or state is None:
        return Told(topic_gone=True)
    return Told(state.leader, state.leader_epoch, state.isr, state.replicas, known.topic_id)


def read_partition_state(data: bytes) -> Told:
    """Read ZooKeeper's JSON: `controller_epoch`, `leader`, `version`, `leader_epoch`, `isr`.

    Source: TopicPartitionStateZNode, Kafka 2.8.

    Raises:
        FormatError: it is no such JSON.
    """
    try:
        state = json.loads(data)
        leader, epoch, isr = state["leader"], state["leader_epoch"], tuple(state["isr"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(f"no partition state: {type(error).__name__}: {error}") from None
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in (leader, epoch, *isr)):
        raise FormatError("no partition state: leader, leader_epoch and isr are whole numbers")
    return Told(leader, epoch, isr)


def disagreements(told: Told, partition: Partition, broker_id: int | None = None) -> list[Disagreement]:
    """In what the partition's own files and the controller differ.

    Args:
        told: The controller's word.
        partition: The partition directory.
        broker_id: The broker that has it, from `meta.properties`; None when not known.

    Returns:
        `topic-gone` (the directory is a stray), `topic-id-differs` (it belongs to an earlier topic of that name),
        `leader-epoch-ahead` (it has records of an epoch that the controller has not begun) and `not-a-replica`.
    """
    found: list[Disagreement] = []
    if told.topic_gone:
        message = "the controller knows no such partition: a broker that starts takes the directory for a stray"
        return [Disagreement("topic-gone", None, partition.topic, message)]
    metadata = partition.metadata
    if told.topic_id is not None and metadata is not None and metadata.topic_id not in (None, told.topic_id):
        mine, theirs = format_uuid(metadata.topic_id), format_uuid(told.topic_id)
        message = f"partition.metadata says topic id {mine}, the controller {theirs}: the topic has been made anew"
        found.append(Disagreement("topic-id-differs", theirs, mine, message))
    epochs = partition.leader_epochs
    last = max((entry.epoch for entry in epochs.entries), default=None) if epochs is not None else None
    if told.leader_epoch is not None and last is not None and last > told.leader_epoch:
        message = f"leader-epoch-checkpoint goes up to epoch {last}, the controller to {told.leader_epoch}"
        found.append(Disagreement("leader-epoch-ahead", told.leader_epoch, last, message))
    if broker_id is not None and told.replicas is not None and broker_id not in told.replicas:
        message = f"broker {broker_id} is no replica: the controller has {', '.join(map(str, told.replicas))}"
        found.append(Disagreement("not-a-replica", list(told.replicas), broker_id, message))
    return found
