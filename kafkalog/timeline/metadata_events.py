"""The events of the cluster's metadata: what the controller has decided, by its clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import RecordBatch
from kafkalog.core.messages.records import read_metadata_record
from kafkalog.replay.logs import Notes, log_of
from kafkalog.replay.metadata import read_metadata
from kafkalog.timeline.event import CONTROLLER, Event

if TYPE_CHECKING:
    from kafkalog.core.messages.reader import Message
    from kafkalog.files.partition import Partition
    from kafkalog.replay.image import Image

__all__ = ["metadata_events"]

#: PartitionChangeRecord: the leader stays as it is; there is none.
_SAME, _NONE = -2, -1


def metadata_events(partition: Partition, broker: str) -> list[Event]:
    """What happened to topics, partitions and brokers by a copy of `__cluster_metadata`; the log only, no snapshot.

    Args:
        partition: Its directory.
        broker: The node id of its log dir; "".

    Raises:
        UnreadableFile: a file cannot be read.
    """
    teller = _Teller()
    events = []
    for item in log_of(partition).records(Notes()):
        if isinstance(item.batch, RecordBatch) and item.batch.is_control:
            continue
        decoded = read_metadata_record(item.record.value)
        told = None if decoded.value is None else teller.told(decoded.name, decoded.value)
        if told is not None:
            kind, message, facts = told
            time, offset, name = item.record.timestamp, item.record.offset, os.path.basename(partition.path)
            events.append(Event(time, CONTROLLER, kind, broker, name, item.path, offset, message, facts))
    if teller.elections:
        teller.count_back(read_metadata(partition).image)
    return events


class _Teller:
    """Says what records say happened, and numbers the elections of each partition by the leader epochs that they begin."""

    def __init__(self) -> None:
        self._names: dict[Any, str] = {}
        #: (topic id, partition) → the facts of each election.
        self.elections: dict[tuple[Any, int], list[dict[str, Any]]] = {}

    def told(self, name: str, value: Message) -> tuple[str, str, dict[str, Any]] | None:
        """The kind of event, the words, the facts; None: it is about nothing that is told."""
        match name:
            case "TopicRecord":
                self._names[value["topicId"]] = value["name"]
                return "topic-created", f"topic {value['name']}", {"topic": value["name"]}
            case "RemoveTopicRecord":
                topic = self._topic(value)
                return "topic-deleted", f"topic {topic}", {"topic": topic}
            case "PartitionRecord" | "PartitionChangeRecord":
                return self._election(value)
            case "RegisterBrokerRecord":
                node = value["brokerId"]
                return "broker-registered", f"broker {node}", {"broker": node}
            case "FenceBrokerRecord" | "UnfenceBrokerRecord":
                kind = "broker-fenced" if name.startswith("Fence") else "broker-unfenced"
                return kind, f"broker {value['id']}", {"broker": value["id"]}
            case "BrokerRegistrationChangeRecord":
                fenced = value.get("fenced") or 0
                kind = "broker-fenced" if fenced > 0 else "broker-unfenced"
                return (kind, f"broker {value['brokerId']}", {"broker": value["brokerId"]}) if fenced else None
        return None

    def _topic(self, value: Message) -> str:
        return self._names.get(value["topicId"], str(value["topicId"]))

    def _election(self, value: Message) -> tuple[str, str, dict[str, Any]] | None:
        leader = value.get("leader")
        if leader is None or leader == _SAME:
            return None
        topic, number = self._topic(value), value["partitionId"]
        before = self.elections.setdefault((value["topicId"], number), [])
        # A partition is made with an epoch; each further election adds one to it.
        epoch = value.get("leaderEpoch")
        if epoch is None and before and before[-1]["epoch"] is not None:
            epoch = before[-1]["epoch"] + 1
        facts = {"topic": topic, "partition": number, "leader": leader, "epoch": epoch}
        before.append(facts)
        place = f"{topic}-{number}"
        return "leader-elected", f"{place} has no leader" if leader == _NONE else f"broker {leader} leads {place}", facts

    def count_back(self, image: Image) -> None:
        """Number the elections of partitions that were made before the log begins, from the last one on."""
        for (topic_id, number), elections in self.elections.items():
            topic = image.topics.get(topic_id)
            state = None if topic is None else topic.partitions.get(number)
            if topic is None or state is None:
                continue
            for back, facts in enumerate(reversed(elections)):
                if facts["epoch"] is None:
                    facts["epoch"] = state.leader_epoch - back
