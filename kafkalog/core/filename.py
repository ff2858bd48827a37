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
    "RemoteFileName",
    "RemotePartitionName",
    "SegmentFileName",
    "is_kafka_file",
    "is_metadata_log",
    "parse_any_segment_file_name",
    "parse_partition_name",
    "parse_remote_file_name",
    "parse_remote_partition_path",
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
#: A UUID as Kafka writes it: the base64 of its 16 bytes, for URLs, without padding.
_ID = r"([A-Za-z0-9_-]{22})"
#: What each plug-in calls the objects of a segment; Kafka's `.log` and indexes are files of their own, Aiven packs the indexes.
REMOTE_SUFFIXES = (*SEGMENT_SUFFIXES, ".leader_epoch_checkpoint", ".indexes", ".rsm-manifest")
_REMOTE = re.compile(rf"{_OFFSET}-{_ID}({'|'.join(map(re.escape, REMOTE_SUFFIXES))})", re.ASCII)
_REMOTE_PARTITION = re.compile(rf"(.+)-(\d{{1,10}})-{_ID}", re.ASCII | re.DOTALL)
_REMOTE_TOPIC = re.compile(rf"(.+)-{_ID}", re.ASCII | re.DOTALL)
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


class RemoteFileName(NamedTuple):
    """A file of a segment in remote storage; `segment_id` tells apart those of one base offset: every upload has its own."""

    base_offset: int
    segment_id: str
    suffix: str

    @property
    def stem(self) -> str:
        """The name without the suffix."""
        return f"{self.base_offset:0{OFFSET_DIGITS}}-{self.segment_id}"


class RemotePartitionName(NamedTuple):
    """A partition's directory in remote storage."""

    topic: str
    partition: int
    topic_id: str


def parse_remote_file_name(name: str) -> RemoteFileName | None:
    """What the name of a file in remote storage says, or None for other files.

    >>> parse_remote_file_name("00000000000000000042-NfY3HzBJQZKbCsxiyN44TA.log")
    RemoteFileName(base_offset=42, segment_id='NfY3HzBJQZKbCsxiyN44TA', suffix='.log')

    Source: RemoteLogSegmentFileset.RemoteLogSegmentFileType (Kafka 3.9.1), ObjectKeyFactory (Aiven's plug-in 1.0).
    """
    match = _REMOTE.fullmatch(name)
    return None if match is None else RemoteFileName(int(match[1]), match[2], match[3])


def parse_remote_partition_path(path: str) -> RemotePartitionName | None:
    """What the last names of a path in remote storage say, or None.

    They are `TOPIC-PARTITION-ID` in Kafka's LocalTieredStorage, `TOPIC-ID/PARTITION` in what Aiven's plug-in writes.

    >>> parse_remote_partition_path("remote/orders-0-Qfz-izVOSma1rj1aj6gMMQ")
    RemotePartitionName(topic='orders', partition=0, topic_id='Qfz-izVOSma1rj1aj6gMMQ')
    >>> parse_remote_partition_path("bucket/orders-Qfz-izVOSma1rj1aj6gMMQ/3").partition
    3
    """
    above, _, name = path.rpartition("/")
    if (match := _REMOTE_PARTITION.fullmatch(name)) is not None:
        return RemotePartitionName(match[1], int(match[2]), match[3])
    match = _REMOTE_TOPIC.fullmatch(above.rpartition("/")[2]) if re.fullmatch(r"\d{1,10}", name, re.ASCII) else None
    return None if match is None else RemotePartitionName(match[1], int(name), match[2])


def parse_any_segment_file_name(name: str) -> SegmentFileName | None:
    """The same as `parse_segment_file_name`, of a file in remote storage too; its id is not told."""
    remote = parse_remote_file_name(name)
    if remote is None or remote.suffix not in SEGMENT_SUFFIXES:
        return parse_segment_file_name(name)
    return SegmentFileName(remote.base_offset, remote.suffix)


def is_kafka_file(name: str) -> bool:
    """Whether a name is that of a file of Kafka's: of a segment, here or remote, a snapshot of the metadata, or a text file."""
    return name in TEXT_FILES or parse_segment_file_name(name) is not None or parse_remote_file_name(name) is not None


def is_metadata_log(name: str) -> bool:
    """Whether a directory name is that of a metadata log in use."""
    parsed = parse_partition_name(name)
    return parsed is not None and not parsed.mark and parsed.topic in METADATA_TOPICS
