"""Earlier states of the metadata that its records show and the image at their end no longer has.

A copy of a broker's directory is hardly ever as old as the copy of the metadata beside it. An earlier state explains how
the two may differ without anything being wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uuid

    from kafkalog.core.messages.reader import Message
    from kafkalog.replay.image import Image

__all__ = ["MetadataHistory"]


@dataclass
class MetadataHistory:
    """Changes seen while records were replayed, by what they changed.

    Attributes:
        since: Offset from which on every change has been seen: the end of the snapshot that came first, 0 without one.
        removed: Topic id → offset of its removal.
        moved: Topic id, partition and broker → offset of the change that took the replica from the broker.
        stopped: Broker → offset at which it announced a controlled shutdown; only while it has not registered again.
    """

    since: int = 0
    removed: dict[uuid.UUID, int] = field(default_factory=dict)
    moved: dict[tuple[uuid.UUID, int, int], int] = field(default_factory=dict)
    stopped: dict[int, int] = field(default_factory=dict)

    def see(self, image: Image, name: str, value: Message, offset: int) -> None:
        """Take in a record that is about to be applied to the image.

        Source: BrokerRegistrationInControlledShutdownChange, ReplicationControlManager, Kafka 3.9.1.
        """
        if name == "RemoveTopicRecord":
            self.removed[value["topicId"]] = offset
        elif name == "PartitionChangeRecord" and value.get("replicas") is not None:
            topic = image.topics.get(value["topicId"])
            old = topic.partitions.get(value["partitionId"]) if topic else None
            for broker in set(old.replicas if old else ()) - set(value["replicas"]):
                self.moved[value["topicId"], value["partitionId"], broker] = offset
        elif name == "RegisterBrokerRecord":
            self.stopped.pop(value["brokerId"], None)
        elif name == "BrokerRegistrationChangeRecord" and (value.get("inControlledShutdown") or 0) > 0:
            self.stopped[value["brokerId"]] = offset
