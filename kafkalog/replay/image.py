"""The image of a cluster's metadata at one moment, and what differs between two."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.properties import format_uuid
from kafkalog.services import service

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

__all__ = ["Change", "Image", "PartitionState", "Topic", "diff_images", "partition_object"]


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

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        return (
            f"Image(up to offset {self.last_offset}, {len(self.topics)} topics, {len(self.brokers)} brokers, "
            f"{len(self.features)} features, {sum(map(len, self.configs.values()))} settings, {len(self.others)} others)"
        )


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
