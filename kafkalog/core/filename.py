"""What the names of files and directories say.

Segment files are named after their base offset, 20 digits: `00000000000000000042.log`. A suffix is appended while a file
waits to be deleted (`.deleted`), is being written by the cleaner (`.cleaned`) or is about to replace another (`.swap`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "BOOTSTRAP_CHECKPOINT",
    "CLUSTER_METADATA_TOPIC",
    "COORDINATOR_TOPICS",
    "LOCK_FILE",
    "LOG_DIR_CHECKPOINTS",
    "LOG_DIR_FILES",
    "METADATA_TOPICS",
    "PARTITION_FILES",
    "SEGMENT_SUFFIXES",
    "TEXT_FILES",
    "PartitionName",
    "SegmentFileName",
    "is_kafka_file",
    "is_metadata_log",
    "parse_partition_name",
    "parse_segment_file_name",
]

#: The files of a segment, in the order they are shown.
SEGMENT_SUFFIXES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot")
#: Suffixes appended to a segment file's name while something is under way.
PENDING_SUFFIXES = (".deleted", ".cleaned", ".swap")
#: The files of a partition directory that belong to no segment.
PARTITION_FILES = ("leader-epoch-checkpoint", "partition.metadata", "quorum-state")
#: The checkpoint files of a log dir: one `topic partition offset` per line.
LOG_DIR_CHECKPOINTS = (
    "cleaner-offset-checkpoint",
    "log-start-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "replication-offset-checkpoint",
)
#: The text files of a log dir, in the order they are shown.
LOG_DIR_FILES = (*LOG_DIR_CHECKPOINTS, "meta.properties", ".kafka_cleanshutdown")
#: Every text file that can be read.
TEXT_FILES = frozenset((*PARTITION_FILES, *LOG_DIR_FILES))
CLUSTER_METADATA_TOPIC = "__cluster_metadata"
#: The internal topics that coordinators write; they are always compacted.
COORDINATOR_TOPICS = ("__consumer_offsets", "__transaction_state", "__share_group_state")
#: What the metadata log is called, and was in the preview of 2.8.
METADATA_TOPICS = (CLUSTER_METADATA_TOPIC, "@metadata")
#: The first records of the metadata log, written by `kafka-storage.sh format`; it stands in the log dir itself.
BOOTSTRAP_CHECKPOINT = "bootstrap.checkpoint"
REMOTE_INDEX_CACHE = "remote-log-index-cache"
#: Empty; held by the broker that uses the log dir.
LOCK_FILE = ".lock"

#: Digits of a file name: of the offset it begins with, and of the epoch of a KRaft snapshot.
OFFSET_DIGITS = 20
EPOCH_DIGITS = 10

_OFFSET = rf"(\d{{{OFFSET_DIGITS}}})"
_EPOCH = rf"(\d{{{EPOCH_DIGITS}}})"
_SEGMENT = re.compile(_OFFSET + r"(\.log|\.index|\.timeindex|\.txnindex|\.snapshot)(\.deleted|\.cleaned|\.swap)?", re.ASCII)
_CHECKPOINT = re.compile(_OFFSET + "-" + _EPOCH + r"(\.checkpoint)(?:(\.deleted)|(?:\..*)?(\.part))?", re.ASCII)
_MARKED = re.compile(r"(\S+)-(\S+)\.(\S+)-(delete|future|stray)")
_NUMBER = re.compile(r"\d{1,10}", re.ASCII)


class SegmentFileName(NamedTuple):
    """A file named after an offset.

    `suffix` is the kind (`.log`, `.index`, …, `.checkpoint`), `pending` is "" or what is under way (`.deleted`,
    `.cleaned`, `.swap`, `.part`); `epoch` only a KRaft snapshot has.
    """

    base_offset: int
    suffix: str
    pending: str = ""
    epoch: int | None = None


class PartitionName(NamedTuple):
    """A partition directory's name. `mark` is "", "delete", "future" or "stray"; such names may have a shortened topic."""

    topic: str
    partition: int
    mark: str = ""


# A log dir has the same names again and again, and asks for each of its partitions many times.
@lru_cache(maxsize=1 << 14)
def parse_segment_file_name(name: str) -> SegmentFileName | None:
    """What a file name in a partition directory says, or None for other files."""
    match = _SEGMENT.fullmatch(name)
    if match:
        return SegmentFileName(int(match[1]), match[2], match[3] or "")
    match = _CHECKPOINT.fullmatch(name)
    if match:
        return SegmentFileName(int(match[1]), match[3], match[4] or match[5] or "", int(match[2]))
    return None


@lru_cache(maxsize=1 << 14)
def parse_partition_name(name: str) -> PartitionName | None:
    """What a directory name says, or None if it is no partition directory.

    Source: LocalLog.parseTopicPartitionName, Kafka 3.9.1.
    """
    mark = ""
    match = _MARKED.fullmatch(name)
    if match:
        name, mark = f"{match[1]}-{match[2]}", match[4]
    topic, dash, number = name.rpartition("-")
    if not dash or not topic or not _NUMBER.fullmatch(number) or int(number) > 0x7FFFFFFF:
        return None
    return PartitionName(topic, int(number), mark)


def is_kafka_file(name: str) -> bool:
    """Whether a name is that of a file of Kafka's: of a segment, a snapshot of the metadata, or a text file."""
    return name in TEXT_FILES or parse_segment_file_name(name) is not None


def is_metadata_log(name: str) -> bool:
    """Whether a directory name is that of a metadata log in use."""
    parsed = parse_partition_name(name)
    return parsed is not None and not parsed.mark and parsed.topic in METADATA_TOPICS
