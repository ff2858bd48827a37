"""Which broker a log dir is one of: with KRaft or with ZooKeeper, and as which release its next start is predicted.

It is decided here alone, once for a log dir, from all that it shows; the evidence goes along with every prediction.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.features import METADATA_VERSION, level_text, levels_of, releases_for
from kafkalog.core.filename import BOOTSTRAP_CHECKPOINT, is_metadata_log
from kafkalog.core.release import NEWEST, Release
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import META_PROPERTIES
from kafkalog.kafka.behaviours import LAST_OF_ZOOKEEPER

if TYPE_CHECKING:
    from kafkalog.files.log_dir import LogDir
    from kafkalog.next_start.cluster_metadata import ClusterMetadata

__all__ = ["OPEN", "Era", "era_of"]

#: What only the nodes of a KRaft cluster write there.
_OF_KRAFT = ("node.id", "directory.id")


class Era(NamedTuple):
    """What a log dir shows of its broker.

    Args:
        kraft: Whether it runs with KRaft; None: nothing shows it.
        releases: As what the next start is predicted when nothing is asked for. Several when the era is open: one of each.
        evidence: What it is taken from, in words.
    """

    kraft: bool | None
    releases: tuple[Release, ...]
    evidence: str


def open_era(what: str) -> Era:
    """The era of something that shows none."""
    return Era(None, (NEWEST, LAST_OF_ZOOKEEPER), f"nothing shows whether the broker runs with KRaft or with ZooKeeper: {what}")


#: The era of a partition directory by itself.
OPEN = open_era("this is a partition directory by itself")


def era_of(log_dir: LogDir, metadata: ClusterMetadata) -> Era:
    """What a log dir shows of its broker.

    Args:
        log_dir: The log dir.
        metadata: What it holds of the cluster's metadata.

    Source: MetaPropertiesEnsemble, MetaPropertiesVersion (Kafka 3.9.1); BrokerMetadataCheckpoint (Kafka 2.8.2).
    """
    meta = None
    with suppress(UnreadableFile):
        meta = log_dir.meta_properties
    values = {} if meta is None else meta.values
    version = values.get("version")
    fields = ["version=1"] if version == "1" else []
    fields += [name for name in _OF_KRAFT if name in values]
    shown = [f"{', '.join(fields)} in {META_PROPERTIES}"] if fields else []
    logs = [name for name in log_dir.partition_names if is_metadata_log(name)]
    shown += [f"a metadata log ({name})" for name in logs]
    of_zookeeper = [f"version={version}"] if version == "0" else []
    of_zookeeper += ["broker.id"] if "broker.id" in values else []
    if BOOTSTRAP_CHECKPOINT in log_dir.files and (shown or not of_zookeeper):
        shown.append(f"a {BOOTSTRAP_CHECKPOINT}")
    if shown:
        level = _level(metadata, logs)
        shown += [f"{METADATA_VERSION} {level_text(METADATA_VERSION, level)}"] if level is not None else []
        return Era(
            kraft=True,
            releases=(_newest_that_fits(level),),
            evidence=f"this is a log dir of a KRaft node, by {', '.join(shown)}",
        )
    if of_zookeeper:
        by = f"{' and '.join(of_zookeeper)} in {META_PROPERTIES}, while nothing shows KRaft"
        evidence = f"this is a log dir of a broker with ZooKeeper, by {by}"
        return Era(kraft=False, releases=(LAST_OF_ZOOKEEPER,), evidence=evidence)
    lacks = f"{META_PROPERTIES} is missing" if meta is None else f"{META_PROPERTIES} names no node"
    for name in log_dir.partition_names:
        with suppress(UnreadableFile):
            if "partition.metadata" in log_dir.partition(name).files:
                by = f"partition.metadata in {name}; {lacks}"
                return Era(kraft=True, releases=(NEWEST,), evidence=f"this is a log dir of Kafka 2.8 or later, by {by}")
    return open_era(f"{lacks}, there is no metadata log and no partition.metadata")


def _level(metadata: ClusterMetadata, logs: list[str]) -> int | None:
    """The level of metadata.version that a log dir was formatted with; of a low one, what the metadata log has made of it."""
    level = metadata.bootstrap_level
    if logs and (level is None or level not in levels_of(METADATA_VERSION, NEWEST)):
        replayed = metadata.of_small_log(logs[0])
        return level if replayed is None else replayed.image.features.get(METADATA_VERSION, level)
    return level


def _newest_that_fits(level: int | None) -> Release:
    """The newest release that knows a level; the newest of all for one that none of them knows."""
    fitting = releases_for(METADATA_VERSION, level) if level is not None else []
    return fitting[-1] if fitting else NEWEST
