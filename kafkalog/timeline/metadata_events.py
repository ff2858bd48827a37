"""The events of the cluster's metadata: what the controller has decided, by its clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import RecordBatch
from kafkalog.core.messages.records import read_metadata_record
from kafkalog.replay.logs import Notes, log_of
from kafkalog.timeline.event import CONTROLLER, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.messages.reader import Message
    from kafkalog.files.partition import Partition
    from kafkalog.replay.logs import LogRecord

__all__ = ["metadata_events"]


def metadata_events(partition: Partition, broker: str) -> Iterator[Event]:
    """What happened to topics, partitions and brokers by a copy of `__cluster_metadata`; the log only, no snapshot.

    Args:
        partition: Its directory.
        broker: The node id of its log dir; "".

    Raises:
        UnreadableFile: a file cannot be read.
    """
    names: dict[Any, str] = {}
    for item in log_of(partition).records(Notes()):
        if isinstance(item.batch, RecordBatch) and item.batch.is_control:
            continue
        decoded = read_metadata_record(item.record.value)
        if decoded.value is None:
            continue
        told = _told(decoded.name, decoded.value, names)
        if told is not None:
            yield _event(item, partition, broker, *told)


def _event(item: LogRecord, partition: Partition, broker: str, kind: str, message: str, facts: dict[str, Any]) -> Event:
    time, offset = item.record.timestamp, item.record.offset
    return Event(time, CONTROLLER, kind, broker, os.path.basename(partition.path), item.path, offset, message, facts)


def _told(name: str, value: Message, names: dict[Any, str]) -> tuple[str, str, dict[str, Any]] | None:
    """What a record says happened: the kind, the words, the facts."""
    match name:
        case "TopicRecord":
            names[value["topicId"]] = value["name"]
            return "topic-created", f"topic {value['name']}", {"topic": value["name"]}
        case "RemoveTopicRecord":
            topic = names.get(value["topicId"], str(value["topicId"]))
            return "topic-deleted", f"topic {topic}", {"topic": topic}
        case "PartitionRecord" | "PartitionChangeRecord":
            # -2: the leader stays as it is.
            leader = value.get("leader")
            if leader is None or leader == -2:
                return None
            topic = names.get(value["topicId"], str(value["topicId"]))
            place = f"{topic}-{value['partitionId']}"
            words = f"{place} has no leader" if leader == -1 else f"broker {leader} leads {place}"
            return "leader-elected", words, {"topic": topic, "partition": value["partitionId"], "leader": leader}
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
