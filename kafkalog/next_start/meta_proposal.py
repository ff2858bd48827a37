"""What a missing `meta.properties` held, as far as what lies beside it tells: each value with its source."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC
from kafkalog.core.properties import format_uuid, read_properties
from kafkalog.errors import UnreadableFile
from kafkalog.files.directory import list_directory
from kafkalog.files.log_dir import META_PROPERTIES
from kafkalog.files.mounted import is_file
from kafkalog.files.paths import real_path
from kafkalog.files.source import read_file
from kafkalog.next_start.metadata_start import METADATA_LOG
from kafkalog.replay.quorum import read_quorum

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.log_dir import LogDir
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.replay.image import Image, PartitionState

__all__ = ["Proposed", "missing_values", "proposed_values"]

#: Directories beside a log dir that are looked at for another log dir of the cluster.
_MOST_BESIDE = 1_000
_UNTOLD = {
    "node.id": "as in the node's settings",
    "cluster.id": "as in meta.properties of the other nodes, or as `kafka-cluster.sh cluster-id` prints it",
    "directory.id": "the log dir's own, since 3.7: as the broker's registration says it (`kafkalog metadata` on another node)",
}


class Proposed(NamedTuple):
    """A value of `meta.properties` and what it is taken from; None: nothing here tells it, and `source` says what would."""

    name: str
    value: str | None
    source: str


def proposed_values(evidence: BrokerEvidence) -> tuple[Proposed, ...]:
    """The values to write into the `meta.properties` of a KRaft node's log dir, in the order in which Kafka's tools name them.

    Args:
        evidence: The log dir without one.
    """
    log_dir = evidence.log_dir
    metadata = evidence.metadata.of_small_log(METADATA_LOG) if METADATA_LOG in log_dir.partition_names else None
    image = None if metadata is None else metadata.image
    here = [] if image is None else list(_placed(log_dir, image))
    node, node_source = _node(log_dir, image, here)
    found = {
        "node.id": (None if node is None else str(node), node_source),
        "cluster.id": _cluster_beside(log_dir.path),
        "directory.id": (None, "") if image is None or node is None else _directory(image, node, here),
    }
    told = [Proposed("version", "1", "of every KRaft node")]
    return (
        *told,
        *(Proposed(name, value, source if value is not None else _UNTOLD[name]) for name, (value, source) in found.items()),
    )


def missing_values(evidence: BrokerEvidence) -> str:
    """What a missing `meta.properties` of a KRaft node held, in a sentence or two; "" when it is there, or no KRaft node's.

    Raises:
        UnreadableFile: it is there, and cannot be read.
    """
    if evidence.log_dir.meta_properties is not None or not evidence.era.kraft:
        return ""
    return _text(proposed_values(evidence))


def _text(values: tuple[Proposed, ...]) -> str:
    """The values in a sentence or two."""
    told = ", ".join(f"{one.name}={one.value} ({one.source})" for one in values if one.value is not None)
    untold = [f"Nothing here tells {one.name}: {one.source}." for one in values if one.value is None]
    return " ".join([f"By what lies beside, it held {told}.", *untold])


def _placed(log_dir: LogDir, image: Image) -> Iterator[PartitionState]:
    """What the metadata log says of the partitions that are in a log dir."""
    for partition in log_dir.partitions():
        name = partition.name
        topic = None if name is None or name.mark or name.topic == CLUSTER_METADATA_TOPIC else image.topic(name.topic)
        if topic is not None and name is not None and name.partition in topic.partitions:
            yield topic.partitions[name.partition]


def _node(log_dir: LogDir, image: Image | None, here: list[PartitionState]) -> tuple[int | None, str]:
    """The node's id and its source."""
    if image is not None and len(image.brokers) == 1:
        return next(iter(image.brokers)), "the only broker that the metadata log registers"
    common = set.intersection(*(set(one.replicas) for one in here)) if here else set()
    if len(common) == 1:
        return common.pop(), "the only broker on which the metadata log places all the partitions that are here"
    if METADATA_LOG in log_dir.partition_names:
        with suppress(UnreadableFile):
            voters = read_quorum(log_dir.partition(METADATA_LOG)).voters
            if len(voters) == 1:
                return voters[0].node_id, "the only voter of the metadata quorum"
    return None, ""


def _directory(image: Image, node: int, here: list[PartitionState]) -> tuple[str | None, str]:
    """The log dir's id and its source."""
    registered = image.brokers.get(node, {}).get("logDirs", [])
    if len(registered) == 1:
        return str(registered[0]), f"the only log dir that node {node} registered"
    placed = {format_uuid(dict(zip(one.replicas, one.directories, strict=False))[node]) for one in here if one.directories}
    if len(placed) == 1:
        return placed.pop(), "where the metadata log places all the partitions that are here"
    return None, ""


def _cluster_beside(path: str) -> tuple[str | None, str]:
    """The cluster's id in the log dirs beside one, and its source; nothing where they differ."""
    real = real_path(path)
    found: dict[str, str] = {}
    with suppress(UnreadableFile):
        for entry in list_directory(os.path.dirname(real), _MOST_BESIDE):
            file = os.path.join(os.path.dirname(real), entry.name, META_PROPERTIES)
            if not entry.is_directory or entry.name == os.path.basename(real) or not is_file(file):
                continue
            with suppress(UnreadableFile):
                cluster = read_properties(read_file(file)).values.get("cluster.id")
                if cluster is not None:
                    found.setdefault(cluster, os.path.join(entry.name, META_PROPERTIES))
    if len(found) == 1:
        ((cluster, name),) = found.items()
        return cluster, f"{name} beside this log dir; see that it is of the same cluster"
    return None, ""
