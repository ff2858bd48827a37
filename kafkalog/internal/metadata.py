"""The cluster's metadata: the image that the records of `__cluster_metadata` add up to, from a snapshot and the log.

Source: the `replay` methods of org.apache.kafka.image.*Delta and org.apache.kafka.metadata.PartitionRegistration, 3.9 to 4.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import read_control_record
from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, METADATA_TOPICS
from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.messages.records import FramedRecord, read_metadata_record
from kafkalog.core.properties import format_uuid
from kafkalog.errors import FormatError, UnreadableFile
from kafkalog.internal.given import Log, LogRecord, Note, Notes, collect, read_file_records
from kafkalog.internal.moment import END, Moment
from kafkalog.internal.past import Past
from kafkalog.internal.snapshots import choose_snapshot

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterable, Iterator

    from kafkalog.core.messages.reader import Message
    from kafkalog.internal.given import Paths

__all__ = ["Change", "Image", "Metadata", "PartitionState", "Topic", "diff_images", "read_metadata"]

_NO_LEADER_CHANGE = -2
_KRAFT_VERSION = "kraft.version"
_RESOURCE_TOPIC = 2
_RESOURCES = {0: "unknown", 2: "topic", 4: "broker", 8: "broker-logger", 16: "client-metrics", 32: "group"}


class PartitionState(NamedTuple):
    """A partition as the controller sees it. `leader` is -1 when there is none.

    `directories` are those of the replicas, in their order; none when no broker has told them (Kafka then stores zeros).
    """

    partition: int
    leader: int
    leader_epoch: int
    partition_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    removing_replicas: tuple[int, ...] = ()
    adding_replicas: tuple[int, ...] = ()
    leader_recovery_state: int = 0
    eligible_leader_replicas: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    directories: tuple[uuid.UUID, ...] = ()


class Topic(NamedTuple):
    """A topic with its partitions by number."""

    name: str
    topic_id: uuid.UUID
    partitions: dict[int, PartitionState]

    def __repr__(self) -> str:
        return f"Topic({self.name!r}, {format_uuid(self.topic_id)}, {len(self.partitions)} partitions)"


@dataclass(repr=False)
class Image:
    """Everything that the metadata says at one moment.

    Attributes:
        topics: By id.
        configs: Settings by resource type and name: `configs["topic", "orders"]["retention.ms"]`.
        brokers: Registrations by broker id, as plain values; `fenced` and `inControlledShutdown` kept up to date.
        controllers: Registrations of controllers by id.
        features: Levels by name; a level of 0 is no feature.
        others: Access control entries, quotas, SCRAM users (never their secrets), delegation tokens and the like, by kind
            and a text that names them.
        last_offset: Offset of the last record that counts, -1 none.
        last_epoch: Its leader epoch.
        last_timestamp: Its timestamp, milliseconds.
    """

    topics: dict[uuid.UUID, Topic] = field(default_factory=dict)
    configs: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)
    brokers: dict[int, dict[str, Any]] = field(default_factory=dict)
    controllers: dict[int, dict[str, Any]] = field(default_factory=dict)
    features: dict[str, int] = field(default_factory=dict)
    others: dict[tuple[str, str], Any] = field(default_factory=dict)
    last_offset: int = -1
    last_epoch: int = -1
    last_timestamp: int = -1

    def topic(self, name: str) -> Topic | None:
        """The topic of that name, or None."""
        return next((topic for topic in self.topics.values() if topic.name == name), None)

    def __repr__(self) -> str:
        return (
            f"Image(up to offset {self.last_offset}, {len(self.topics)} topics, {len(self.brokers)} brokers, "
            f"{len(self.features)} features, {sum(map(len, self.configs.values()))} settings, {len(self.others)} others)"
        )


class Metadata(NamedTuple):
    """An image with the snapshot it began with (None: the log's first record), and what went wrong on the way.

    `past` is what the replayed records show to have been so before.
    """

    image: Image
    snapshot: str | None
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    past: Past

    def __repr__(self) -> str:
        return f"Metadata({self.image!r}, {len(self.notes)} notes, {len(self.problems)} problems)"


class _Replay:
    """Applies metadata records to an image."""

    def __init__(self) -> None:
        self.image = Image()
        self.past = Past()
        self.notes = Notes()
        self.records = 0
        #: Records of an open metadata transaction, which counts as a whole or not at all.
        self.transaction: list[tuple[LogRecord, FramedRecord]] | None = None

    def feed(self, items: Iterable[LogRecord], moment: Moment = END, start: int = 0) -> None:
        for item in items:
            record = item.record
            if record.offset < start or not moment.holds(record.offset, record.timestamp):
                continue
            self.records += 1
            image = self.image
            image.last_offset = max(image.last_offset, record.offset)
            image.last_timestamp = record.timestamp
            if isinstance(item.batch, RecordBatch):
                image.last_epoch = item.batch.header.partition_leader_epoch
                if item.batch.is_control:
                    self.control(item)
                    continue
            decoded = read_metadata_record(record.value)
            if decoded.problem:
                self.notes.append(Note(item.path, record.offset, decoded.problem))
            if decoded.value is not None:
                self.one(item, decoded)

    def control(self, item: LogRecord) -> None:
        """The quorum's own records: its protocol version and its voters."""
        try:
            decoded = read_control_record(item.record.key, item.record.value)
        except FormatError as error:
            self.notes.append(Note(item.path, item.record.offset, f"a control record that cannot be read: {error}"))
            return
        if decoded.name == "KRAFT_VERSION":
            self.image.features[_KRAFT_VERSION] = decoded.fields["kRaftVersion"]
        elif decoded.name == "KRAFT_VOTERS":
            self.image.others["quorum", "voters"] = json_object(decoded.fields["voters"])

    def one(self, item: LogRecord, decoded: FramedRecord) -> None:
        if decoded.name == "BeginTransactionRecord":
            self.transaction = []
        elif decoded.name == "AbortTransactionRecord":
            self.transaction = None
        elif decoded.name == "EndTransactionRecord":
            held, self.transaction = self.transaction or [], None
            for pair in held:
                self.apply(*pair)
        elif self.transaction is not None:
            self.transaction.append((item, decoded))
        else:
            self.apply(item, decoded)

    def apply(self, item: LogRecord, decoded: FramedRecord) -> None:
        method = _APPLY.get(decoded.name)
        value = decoded.value
        if method is None or value is None:
            return
        self.past.see(self.image, decoded.name, value, item.record.offset)
        problem = method(self.image, value)
        if problem:
            self.notes.append(Note(item.path, item.record.offset, f"{decoded.name}: {problem}"))


# --- one function for each kind of record; a text says what does not fit ------------------------------------------------


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
        value["partitionId"],
        value["leader"],
        value["leaderEpoch"],
        value["partitionEpoch"],
        tuple(value["replicas"]),
        tuple(value["isr"]),
        tuple(value["removingReplicas"] or ()),
        tuple(value["addingReplicas"] or ()),
        value.get("leaderRecoveryState", 0),
        tuple(value.get("eligibleLeaderReplicas") or ()),
        tuple(value.get("lastKnownElr") or ()),
        _directories(value.get("directories") or ()),
    )
    return ""


def _directories(ids: Iterable[uuid.UUID]) -> tuple[uuid.UUID, ...]:
    known = tuple(ids)
    return known if any(directory.int for directory in known) else ()


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


def _feature(image: Image, value: Message) -> str:
    if value["name"] == _KRAFT_VERSION:
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
    image.others["producer-ids", "next"] = value.get("nextProducerId", value.get("producerIdsEnd"))
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


def read_metadata(paths: Paths, moment: Moment = END) -> Metadata:
    """The image from the `__cluster_metadata` found at `paths`.

    Args:
        paths: Log dirs, the partition's directory, or single `.log` and `.checkpoint` files of it.
        moment: Up to where the records count; the newest snapshot that does not reach beyond it is the base.
    """
    given = collect(paths, *METADATA_TOPICS)
    problems = list(given.problems)
    replay = _Replay()
    base: str | None = None
    if not given.wanted:
        problems.append(Note("", None, f"no partition of {CLUSTER_METADATA_TOPIC} was given"))
    for log in given.wanted:
        try:
            base = _replay_log(replay, log, moment, problems) or base
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    if replay.transaction is not None:
        replay.notes.append(Note("", None, f"{len(replay.transaction)} records of a metadata transaction without an end"))
    return Metadata(replay.image, base, replay.notes, tuple(problems), replay.records, replay.past)


def _replay_log(replay: _Replay, log: Log, moment: Moment, problems: list[Note]) -> str | None:
    first = _first_offset(log)
    base = choose_snapshot(log, moment, replay.notes)
    if base is not None and base.damage and first == 0:
        base = None  # The log tells everything.
    start = 0
    if base is not None:
        # A snapshot numbers its records from 0; what they say is the state before its end offset.
        replay.feed(read_file_records(base.path, replay.notes))
        start = base.end_offset
        replay.image.last_offset = start - 1
        replay.image.last_epoch = base.epoch
        replay.past.since = start
        if base.damage:
            problems.append(Note(base.path, None, f"{base.damage}: the image is not whole"))
    if first is not None and first > start:
        where = "the snapshot's end" if base else "offset 0 and there is no snapshot"
        problems.append(Note(log.path, first, f"the log begins at {first}, behind {where}: the image is not whole"))
    replay.feed(log.records(replay.notes), moment, start)
    return base.path if base else None


def _first_offset(log: Log) -> int | None:
    for _, item in log.walk():
        if isinstance(item, RecordBatch):
            return item.base_offset
    return None


# --- differences ------------------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """Something that differs between two images: what it is, its name, and its values (None: not there)."""

    what: str
    name: str
    before: Any
    after: Any


def diff_images(before: Image, after: Image) -> list[Change]:
    """What changed from one image to the other, by kind and name."""
    old, new = dict(_flat(before)), dict(_flat(after))
    changes = []
    for key in sorted(old.keys() | new.keys()):
        if old.get(key) != new.get(key):
            changes.append(Change(*key, old.get(key), new.get(key)))
    return changes


def _flat(image: Image) -> Iterator[tuple[tuple[str, str], Any]]:
    """Every fact of an image under its kind and name, as plain values."""
    for topic in image.topics.values():
        yield ("topic", topic.name), {"topicId": format_uuid(topic.topic_id)}
        for state in topic.partitions.values():
            yield ("partition", f"{topic.name}-{state.partition}"), partition_object(state)
    for (kind, name), settings in image.configs.items():
        for key, value in settings.items():
            yield ("config", f"{kind} {name or '<default>'} {key}"), value
    for number, broker in image.brokers.items():
        yield ("broker", str(number)), broker
    for number, controller in image.controllers.items():
        yield ("controller", str(number)), controller
    for name, level in image.features.items():
        yield ("feature", name), level
    for (kind, name), value in image.others.items():
        yield (kind, name), value


def partition_object(state: PartitionState) -> dict[str, Any]:
    """A partition as plain JSON values, under Kafka's names."""
    return {
        "leader": state.leader,
        "leaderEpoch": state.leader_epoch,
        "partitionEpoch": state.partition_epoch,
        "replicas": list(state.replicas),
        "isr": list(state.isr),
        "removingReplicas": list(state.removing_replicas),
        "addingReplicas": list(state.adding_replicas),
        "leaderRecoveryState": state.leader_recovery_state,
        "eligibleLeaderReplicas": list(state.eligible_leader_replicas),
        "lastKnownElr": list(state.last_known_elr),
        "directories": [format_uuid(directory) for directory in state.directories],
    }
