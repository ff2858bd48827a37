"""What a broker makes of the `meta.properties` of a log dir, or of a log dir without one.

Source: MetaPropertiesEnsemble (Kafka 3.9.1, 4.4.0), KafkaRaftServer (3.3.2), BrokerMetadataCheckpoint (1.1.1 to 2.8.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import BOOTSTRAP_CHECKPOINT, CLUSTER_METADATA_TOPIC
from kafkalog.files.log_dir import META_PROPERTIES
from kafkalog.kafka.behaviours import LOG_DIRS_FAIL, META_COMPLETED, META_MADE_ANEW
from kafkalog.next_start.obstacle import Noted, Obstacle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.core.release import Release
    from kafkalog.files.log_dir import LogDir

__all__ = ["META_CONTENT", "WRITE_META", "check_meta"]

#: What is in one.
META_CONTENT = (
    "For a KRaft node it holds version=1, node.id (as in the node's settings), the"
    " cluster.id of the other nodes and, since 3.7, directory.id, the log dir's own (`kafkalog metadata` shows it); for a"
    " broker with ZooKeeper version=0, broker.id and cluster.id."
)
#: What to do about one that is gone or cannot be used.
WRITE_META = f"Restore meta.properties from a backup. {META_CONTENT}"


def check_meta(log_dir: LogDir, release: Release, *, kraft: bool, proposed: str = "") -> Noted:
    """What a broker of a release makes of the `meta.properties` of a log dir.

    Args:
        log_dir: The log dir.
        release: The release.
        kraft: Whether it runs with KRaft.
        proposed: What a missing one held, as far as that is told by what lies beside.

    Raises:
        UnreadableFile: it cannot be read.
    """
    meta = log_dir.meta_properties
    path = log_dir.directory.path_of(META_PROPERTIES)
    if meta is None and kraft:
        return _missing_meta(log_dir, release, path, proposed)
    if meta is None:
        return Noted(remarks=("meta.properties is missing: the broker writes a new one, with the broker.id of its settings",))
    return (_kraft_meta if kraft else _zookeeper_meta)(meta.values, release, path)


def _missing_meta(log_dir: LogDir, release: Release, path: str, proposed: str) -> Noted:
    """A KRaft node's log dir without `meta.properties`: seen of 3.3.2, 3.9.1 and 4.4.0."""
    holds_metadata = BOOTSTRAP_CHECKPOINT in log_dir.files or f"{CLUSTER_METADATA_TOPIC}-0" in log_dir.partition_names
    if holds_metadata:
        remedy = "If this is a copy, copy meta.properties too. Restore it from a backup, or write a new one."
        remedy = f"{remedy} {proposed or META_CONTENT}"
        return _obstacle(path, "aborts", "RuntimeException: No `meta.properties` found: it is missing", remedy)
    text = "meta.properties is missing: the node exits"
    if META_MADE_ANEW.applies_to(release):
        text += " if no other of its log dirs has one; else it makes a new one, with a new directory.id, and partitions"
        text += " that the controller has placed by the old one are not served"
    return Noted(remarks=(text,))


def _obstacle(path: str, effect: str, text: str, remedy: str = WRITE_META) -> Noted:
    return Noted(obstacles=(Obstacle(path, effect, text, remedy),))


def _kraft_meta(values: Mapping[str, str], release: Release, path: str) -> Noted:
    """What a KRaft node makes of `meta.properties`: seen of 3.3.2, 3.9.1 and 4.4.0."""
    version = values.get("version", "0")
    is_late = META_MADE_ANEW.applies_to(release)
    if not is_late and version != "1":
        return _obstacle(path, "aborts", f"RuntimeException: Expected version 1, but got version {version}, in meta.properties")
    if version not in ("0", "1"):
        return _obstacle(path, "unloaded", f"meta.properties has the unknown version {version}")
    if version == "0" and parse_java_integer(values.get("broker.id", ""), 32) is None:
        text = "RuntimeException: meta.properties holds no node id that counts"
        text += (
            " (in version 0 it is called broker.id)" if "version" in values else " (without a version it is called broker.id)"
        )
        return _obstacle(path, "aborts", text)
    if version == "1" and (lacking := _lacking_of_kraft(values)):
        text = f"meta.properties holds no {lacking}"
        return _obstacle(path, "unloaded", text) if is_late else _obstacle(path, "aborts", f"RuntimeException: {text}")
    if version == "1" and "directory.id" not in values and is_late:
        text = "meta.properties holds no directory.id, so a new one is made"
        return Noted(remarks=(f"{text}; partitions that the controller has placed by the old one are not served",))
    return Noted()


def _lacking_of_kraft(values: Mapping[str, str]) -> str:
    if parse_java_integer(values.get("node.id", ""), 32) is None:
        return "node.id"
    return "" if "cluster.id" in values else "cluster.id"


def _zookeeper_meta(values: Mapping[str, str], release: Release, path: str) -> Noted:
    """What a broker with ZooKeeper makes of it: seen of 1.1.1, 2.3.1, 2.8.2 and 3.9.1."""
    is_completed = META_COMPLETED.applies_to(release)
    version = values.get("version", "0" if is_completed else None)
    if version == "1":
        remedy = "The log dir is one of a KRaft node: start a release with KRaft. There is no way back to ZooKeeper."
    else:
        remedy = WRITE_META
    if version not in (None, "0"):
        text = f"meta.properties has version {version}; a broker with ZooKeeper takes only 0"
        is_offline = LOG_DIRS_FAIL.applies_to(release) and not is_completed
        is_offline |= META_MADE_ANEW.applies_to(release) and (version != "1" or bool(_lacking_of_kraft(values)))
        effect, text = ("unloaded", text) if is_offline else ("aborts", f"RuntimeException: {text}")
        return _obstacle(path, effect, text, remedy)
    lacking = next((name for name in ("version", "broker.id") if name not in values), None)
    if lacking is not None and not is_completed:
        text = f"IllegalArgumentException: requirement failed: Missing required property '{lacking}', in meta.properties"
        return _obstacle(path, "aborts", text, remedy)
    return Noted()
