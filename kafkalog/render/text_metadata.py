"""The cluster's metadata, and what changed in it, as text for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.metadata_version import metadata_version_name
from kafkalog.core.properties import format_uuid
from kafkalog.render.replay_parts import notes_text, section
from kafkalog.replay.image import diff_images

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.render.items import Item
    from kafkalog.replay.image import Image
    from kafkalog.replay.metadata import Metadata

__all__ = ["change_text", "image_text", "metadata_text"]


def metadata_text(found: Metadata) -> Iterator[Item]:
    """The image: features, brokers, topics, partitions, settings and the rest."""
    image = found.image
    if found.records:
        base = f", from snapshot {found.snapshot}" if found.snapshot else ""
        yield f"Metadata up to offset {image.last_offset}, epoch {image.last_epoch}{base}"
        yield ""
    elif not found.problems:
        yield "No records of metadata."
        yield ""
    yield from image_text(image)
    yield from notes_text(found.notes)


def _level(feature: str, level: int) -> str:
    """A feature's level; that of the metadata itself with the name that Kafka's tools want."""
    name = metadata_version_name(level) if feature == "metadata.version" else ""
    return f"{level} ({name})" if name else str(level)


def image_text(image: Image) -> Iterator[Item]:
    """Features, brokers, topics, partitions, settings and the rest."""
    yield from section(
        "Features", ("feature", "level"), [[name, _level(name, at)] for name, at in sorted(image.features.items())]
    )
    yield from section(
        "Brokers",
        ("broker", "fenced", "in shutdown", "rack", "epoch", "incarnation", "listeners"),
        [
            [
                number,
                broker["fenced"],
                broker["inControlledShutdown"],
                broker.get("rack"),
                broker["brokerEpoch"],
                broker["incarnationId"],
                " ".join(f"{point['name']}://{point['host']}:{point['port']}" for point in broker["endPoints"]),
            ]
            for number, broker in sorted(image.brokers.items())
        ],
    )
    topics = sorted(image.topics.values(), key=lambda topic: topic.name)
    yield from section(
        "Topics",
        ("topic", "id", "partitions"),
        [[topic.name, format_uuid(topic.topic_id), len(topic.partitions)] for topic in topics],
    )
    yield from section(
        "Partitions",
        ("partition", "leader", "leader epoch", "partition epoch", "replicas", "isr", "elr"),
        [
            [
                f"{topic.name}-{number}",
                state.leader,
                state.leader_epoch,
                state.partition_epoch,
                _numbers(state.replicas),
                _numbers(state.isr),
                _numbers(state.eligible_leader_replicas),
            ]
            for topic in topics
            for number, state in sorted(topic.partitions.items())
        ],
    )
    yield from section(
        "Settings",
        ("resource", "name", "setting", "value"),
        [
            [kind, name or "<default>", key, value]
            for (kind, name), settings in sorted(image.configs.items())
            for key, value in sorted(settings.items())
        ],
    )
    others = sorted(image.others.items(), key=lambda item: item[0])
    yield from section(
        "Others", ("kind", "name", "value"), [[kind, name, _other(kind, value)] for (kind, name), value in others]
    )


#: Names of the numbers in access control entries. Source: AclOperation, AclPermissionType, ResourceType, PatternType, 4.3.1.
_OPERATIONS = (
    "UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT",
)  # fmt: skip
_PERMISSIONS = ("UNKNOWN", "ANY", "DENY", "ALLOW")
_RESOURCES = ("UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER")
_PATTERNS = ("UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED")


def _other(kind: str, value: Any) -> str:
    """Access control entries in words, what else there is as JSON."""
    if kind != "acl":
        return _shown(value)
    may, does = _named(_PERMISSIONS, value["permissionType"]), _named(_OPERATIONS, value["operation"])
    what, how = _named(_RESOURCES, value["resourceType"]), _named(_PATTERNS, value["patternType"])
    return f"{may} {value['principal']} from {value['host']}: {does} on {what} {how} {value['resourceName']}"


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _numbers(values: tuple[int, ...]) -> str | None:
    return ",".join(map(str, values)) or None


def change_text(before: Metadata, after: Metadata) -> Iterator[Item]:
    """What differs between two images, one line each."""
    yield f"From offset {before.image.last_offset} to offset {after.image.last_offset}"
    for change in diff_images(before.image, after.image):
        if change.before is None:
            yield f"+ {change.what} {change.name}: {_other(change.what, change.after)}"
        elif change.after is None:
            yield f"- {change.what} {change.name}: {_other(change.what, change.before)}"
        else:
            yield f"~ {change.what} {change.name}: {_differences(change.before, change.after)}"
    yield from notes_text(dict.fromkeys((*before.notes, *after.notes)))


def _shown(value: Any) -> str:
    return compact_json(json_object(value))


def _differences(before: Any, after: Any) -> str:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return f"{_shown(before)} -> {_shown(after)}"
    parts = [
        f"{name} {_shown(before.get(name))} -> {_shown(after.get(name))}"
        for name in after | before
        if before.get(name) != after.get(name)
    ]
    return ", ".join(parts)
