"""Settings of a topic that decide when segments are rolled and deleted: by the metadata log, else Kafka's defaults."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import COORDINATOR_TOPICS, METADATA_TOPICS, is_metadata_log
from kafkalog.errors import KafkalogError
from kafkalog.files.log_dir import CLEANER_OFFSETS, log_dir_at
from kafkalog.files.partition import Partition
from kafkalog.files.paths import real_path
from kafkalog.replay.metadata import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.replay.image import Image

__all__ = ["TopicSettings", "newest_image", "settings_of"]

_WEEK = 7 * 86_400_000


class TopicSettings(NamedTuple):
    """What is known of a topic's settings.

    Args:
        segment_bytes: `segment.bytes`, or what Kafka's own tests set in its place since 4.0; None: nothing tells.
        segment_ms: `segment.ms`.
        index_bytes: `segment.index.bytes`.
        retention_ms: `retention.ms`; -1: for ever.
        is_retention_known: Whether the topic has one of its own; else it is Kafka's default, and the broker's may be another.
        compacts: Whether its log is compacted.
        deletes: Whether old segments are deleted.
    """

    segment_bytes: int | None = None
    segment_ms: int = _WEEK
    index_bytes: int = 10 << 20
    retention_ms: int = _WEEK
    is_retention_known: bool = False
    compacts: bool = False
    deletes: bool = True


def settings_of(partition: Partition, image: Image | None) -> TopicSettings:
    """The settings of a partition's topic.

    Args:
        partition: Its directory.
        image: The cluster's metadata; None: there are none.
    """
    topic = partition.topic or ""
    if topic in METADATA_TOPICS:
        return TopicSettings(deletes=False)
    if topic in COORDINATOR_TOPICS:
        return TopicSettings(compacts=True, deletes=False)
    own = {} if image is None else image.configs.get(("topic", topic), {})
    default = TopicSettings()
    policy = own.get("cleanup.policy", "")
    return TopicSettings(
        segment_bytes=_number(own, "internal.segment.bytes", 0) or _number(own, "segment.bytes", 0) or None,
        segment_ms=_number(own, "segment.ms", default.segment_ms),
        index_bytes=_number(own, "segment.index.bytes", default.index_bytes),
        retention_ms=_number(own, "retention.ms", default.retention_ms),
        is_retention_known="retention.ms" in own,
        compacts="compact" in policy or (not policy and _is_cleaned(partition)),
        deletes="delete" in policy if policy else not _is_cleaned(partition),
    )


def _number(own: dict[str, str], name: str, default: int) -> int:
    try:
        return int(own[name])
    except (KeyError, ValueError):
        return default


def _is_cleaned(partition: Partition) -> bool:
    """Whether the log cleaner has worked on it, by its checkpoint."""
    log_dir = log_dir_at(os.path.dirname(real_path(partition.path)))
    return log_dir is not None and CLEANER_OFFSETS in log_dir.context_of(os.path.basename(partition.path)).lines


def newest_image(directories: Iterable[str]) -> Image | None:
    """The cluster's metadata by the longest of its logs among partition directories; None where there is none to be read."""
    logs = []
    for path in directories:
        if not is_metadata_log(os.path.basename(path)):
            continue
        try:
            partition = Partition(path)
            last = partition.segments[-1]
            logs.append((last.base_offset, last.size, path))
        except (KafkalogError, IndexError):
            continue
    try:
        return read_metadata(max(logs)[2]).image if logs else None
    except KafkalogError:
        return None
