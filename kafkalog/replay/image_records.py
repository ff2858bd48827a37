"""What each metadata record does to an image: one function for each kind; a text says what does not fit.

Source: the `replay` methods of org.apache.kafka.image.*Delta and org.apache.kafka.metadata.PartitionRegistration, 3.9 to 4.3.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from kafkalog.core.features import KRAFT_VERSION
from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.properties import format_uuid
from kafkalog.replay.image import PartitionState, Topic

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable

    from kafkalog.core.messages.reader import Message
    from kafkalog.replay.image import Image

__all__ = ["NEXT_PRODUCER_ID", "apply_record", "changes_image"]

#: Among the image's `others`: the first id of the next block of producer ids.
NEXT_PRODUCER_ID = ("producer-ids", "next")

_NO_LEADER_CHANGE = -2
_RESOURCE_TOPIC = 2
_RESOURCES = {0: "unknown", 2: "topic", 4: "broker", 8: "broker-logger", 16: "client-metrics", 32: "group"}


def changes_image(name: str) -> bool:
    """Whether records of that name are about something that an image has."""
    return name in _APPLY


def apply_record(image: Image, name: str, value: Message) -> str:
    """Apply a record to an image; what does not fit, or ""."""
    return _APPLY[name](image, value)


def _topic(image: Image, value: Message) -> str:
    image.topics[value["topicId"]] = Topic(value["name"], value["topicId"], {})
    return ""


def _remove_topic(image: Image, value: Message) -> str:
    topic = image.topics.pop(value["topicId"], None)
    if topic is None:
        return f"unknown topic id {format_uuid(value['topicId'])}"
    image.configs.pop((_RESOURCES[_RESOURCE_TOPIC], topic.name), None)
    return ""


def _partition(image: Image, value: Message) -> str:
    topic = image.topics.get(value["topicId"])
    if topic is None:
        return f"unknown topic id {format_uuid(value['topicId'])}"
    topic.partitions[value["partitionId"]] = PartitionState(
        partition=value["partitionId"],
        leader=value["leader"],
        leader_epoch=value["leaderEpoch"],
        partition_epoch=value["partitionEpoch"],
        replicas=tuple(value["replicas"]),
        isr=tuple(value["isr"]),
        removing_replicas=tuple(value["removingReplicas"] or ()),
        adding_replicas=tuple(value["addingReplicas"] or ()),
        leader_recovery_state=value.get("leaderRecoveryState", 0),
        eligible_leader_replicas=tuple(value.get("eligibleLeaderReplicas") or ()),
        last_known_elr=tuple(value.get("lastKnownElr") or ()),
        directories=_directories(value.get("directories") or ()),
    )
    return ""


def _directories(ids: Iterable[uuid.UUID]) -> tuple[uuid.UUID, ...]:
    directories = tuple(ids)
    return directories if any(directory.int for directory in directories) else ()


#: Fields of a partition that a change record replaces when it has them.
_REPLACED = (
    ("isr", "isr"),
    ("replicas", "replicas"),
    ("removingReplicas", "removing_replicas"),
    ("addingReplicas", "adding_replicas"),
    ("eligibleLeaderReplicas", "eligible_leader_replicas"),
    ("lastKnownElr", "last_known_elr"),
)


def _partition_change(image: Image, value: Message) -> str:
    topic = image.topics.get(value["topicId"])
    if topic is None:
        return f"unknown topic id {format_uuid(value['topicId'])}"
    old = topic.partitions.get(value["partitionId"])
    if old is None:
        return f"unknown partition {topic.name}-{value['partitionId']}"
    changed: dict[str, Any] = {name: tuple(value[key]) for key, name in _REPLACED if value.get(key) is not None}
    if value.get("directories") is not None:
        changed["directories"] = _directories(value["directories"])
    if value["leader"] != _NO_LEADER_CHANGE:
        changed |= {"leader": value["leader"], "leader_epoch": old.leader_epoch + 1}
    recovery = value.get("leaderRecoveryState", -1)
    if recovery != -1:
        changed["leader_recovery_state"] = recovery
    topic.partitions[old.partition] = old._replace(partition_epoch=old.partition_epoch + 1, **changed)
    return ""


def _clear_elr(image: Image, value: Message) -> str:
    name = value["topicName"]
    topics = [topic for topic in image.topics.values() if name in ("", topic.name)]
    if name and not topics:
        return f"unknown topic {name}"
    for topic in topics:
        for number, state in topic.partitions.items():
            if state.eligible_leader_replicas or state.last_known_elr:
                cleared = state._replace(eligible_leader_replicas=(), last_known_elr=())
                topic.partitions[number] = cleared._replace(partition_epoch=state.partition_epoch + 1)
    return ""


def _config(image: Image, value: Message) -> str:
    kind = _RESOURCES.get(value["resourceType"], str(value["resourceType"]))
    place = kind, value["resourceName"]
    settings = image.configs.setdefault(place, {})
    if value["value"] is None:
        settings.pop(value["name"], None)
        if not settings:
            del image.configs[place]
    else:
        settings[value["name"]] = value["value"]
    return ""


def _registration(value: Message) -> dict[str, Any]:
    """A registration as plain values; listeners and features are sets by name, log dirs are a set: here they are sorted."""
    plain: dict[str, Any] = json_object(value)
    for name in ("endPoints", "features"):
        by_name = {item["name"]: item for item in plain[name]}
        plain[name] = [by_name[key] for key in sorted(by_name)]
    return plain | {name: sorted(plain[name]) for name in ("logDirs", "cordonedLogDirs") if plain.get(name)}


def _register_broker(image: Image, value: Message) -> str:
    # In the preview of 2.8 a broker was fenced until a record said otherwise.
    defaults = {"fenced": True, "inControlledShutdown": False}
    image.brokers[value["brokerId"]] = defaults | _registration(value)
    return ""


def _unregister_broker(image: Image, value: Message) -> str:
    return "" if image.brokers.pop(value["brokerId"], None) else f"unknown broker {value['brokerId']}"


def _fence(image: Image, value: Message) -> str:
    return _set_broker(image, value["id"], value["epoch"], fenced=True)


def _unfence(image: Image, value: Message) -> str:
    return _set_broker(image, value["id"], value["epoch"], fenced=False)


def _set_broker(image: Image, number: int, epoch: int, **values: Any) -> str:
    broker = image.brokers.get(number)
    if broker is None:
        return f"unknown broker {number}"
    if broker["brokerEpoch"] != epoch:
        return f"it is for epoch {epoch} of broker {number}, which has epoch {broker['brokerEpoch']}"
    image.brokers[number] = broker | values
    return ""


def _broker_change(image: Image, value: Message) -> str:
    changed: dict[str, Any] = {}
    if value["fenced"]:
        changed["fenced"] = value["fenced"] > 0
    if value.get("inControlledShutdown"):
        changed["inControlledShutdown"] = value["inControlledShutdown"] > 0
    if value.get("logDirs"):
        changed["logDirs"] = sorted(json_object(value["logDirs"]))
    if value.get("cordonedLogDirs") is not None:
        changed["cordonedLogDirs"] = sorted(json_object(value["cordonedLogDirs"]))
    return _set_broker(image, value["brokerId"], value["brokerEpoch"], **changed)


def _controller(image: Image, value: Message) -> str:
    image.controllers[value["controllerId"]] = _registration(value)
    return ""


def _unregister_controller(image: Image, value: Message) -> str:
    return "" if image.controllers.pop(value["controllerId"], None) else f"unknown controller {value['controllerId']}"


def _feature(image: Image, value: Message) -> str:
    if value["name"] == KRAFT_VERSION:
        return ""  # The quorum's control records alone decide; Kafka 3.9 and 4.0 wrote such records by mistake.
    level: int = value["featureLevel"] if "featureLevel" in value else value["maxFeatureLevel"]
    if level == 0:
        image.features.pop(value["name"], None)
    else:
        image.features[value["name"]] = level
    return ""


def _remove_feature(image: Image, value: Message) -> str:
    image.features.pop(value["name"], None)
    return ""


def _producer_ids(image: Image, value: Message) -> str:
    image.others[NEXT_PRODUCER_ID] = value.get("nextProducerId", value.get("producerIdsEnd"))
    return ""


def _migration(image: Image, value: Message) -> str:
    image.others["zk-migration", "state"] = value["zkMigrationState"]
    return ""


def _acl(image: Image, value: Message) -> str:
    image.others["acl", format_uuid(value["id"])] = json_object(value)
    return ""


def _remove_acl(image: Image, value: Message) -> str:
    return _remove(image, "acl", format_uuid(value["id"]))


def _remove(image: Image, kind: str, name: str) -> str:
    if (kind, name) not in image.others:
        return f"unknown {kind} {name}"
    del image.others[kind, name]
    return ""


def _quota(image: Image, value: Message) -> str:
    entity = {part["entityType"]: part["entityName"] for part in value["entity"]}
    name = ",".join(f"{kind}={_entity_name(entity[kind])}" for kind in sorted(entity)) + f":{value['key']}"
    if value["remove"]:
        return _remove(image, "quota", name)
    image.others["quota", name] = {"entity": entity, "key": value["key"], "value": value["value"]}
    return ""


def _entity_name(name: str | None) -> str:
    """In quotes where it could be taken for something else."""
    if name is None:
        return "<default>"
    return name if re.fullmatch(r"[\w.@/+-]+", name) else compact_json(name)


def _scram(image: Image, value: Message) -> str:
    for info in value.get("credentialInfos", [value]):
        image.others["scram", f"{value['name']}:{info['mechanism']}"] = {"iterations": info["iterations"]}
    return ""


def _remove_scram(image: Image, value: Message) -> str:
    return _remove(image, "scram", f"{value['name']}:{value['mechanism']}")


def _token(image: Image, value: Message) -> str:
    image.others["delegation-token", value["tokenId"]] = json_object(value)
    return ""


def _remove_token(image: Image, value: Message) -> str:
    return _remove(image, "delegation-token", value["tokenId"])


_APPLY = {
    "TopicRecord": _topic,
    "RemoveTopicRecord": _remove_topic,
    "PartitionRecord": _partition,
    "PartitionChangeRecord": _partition_change,
    "ClearElrRecord": _clear_elr,
    "ConfigRecord": _config,
    "RegisterBrokerRecord": _register_broker,
    "UnregisterBrokerRecord": _unregister_broker,
    "FenceBrokerRecord": _fence,
    "UnfenceBrokerRecord": _unfence,
    "BrokerRegistrationChangeRecord": _broker_change,
    "RegisterControllerRecord": _controller,
    "UnregisterControllerRecord": _unregister_controller,
    "FeatureLevelRecord": _feature,
    "RemoveFeatureLevelRecord": _remove_feature,
    "ProducerIdsRecord": _producer_ids,
    "ZkMigrationStateRecord": _migration,
    "AccessControlEntryRecord": _acl,
    "RemoveAccessControlEntryRecord": _remove_acl,
    "QuotaRecord": _quota,
    "ClientQuotaRecord": _quota,
    "UserScramCredentialRecord": _scram,
    "RemoveUserScramCredentialRecord": _remove_scram,
    "DelegationTokenRecord": _token,
    "RemoveDelegationTokenRecord": _remove_token,
}
