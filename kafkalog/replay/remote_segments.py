"""Which segments of which partitions are in remote storage, by the records of `__remote_log_metadata`.

Source: RemoteLogMetadataCache, TopicBasedRemoteLogMetadataManager and RemoteLogSegmentState of Kafka 3.9.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.records import read_remote_log_record
from kafkalog.core.messages.remote_log import REMOTE_PARTITION_STATES, REMOTE_SEGMENT_STATES
from kafkalog.core.properties import format_uuid
from kafkalog.replay.logs import Log, LogRecord, Notes, log_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafkalog.files.partition import Partition

__all__ = ["TOPIC", "KnownPartition", "KnownSegment", "RemoteLogs", "read_remote_logs"]

TOPIC = "__remote_log_metadata"
COPY_STARTED, COPY_FINISHED, DELETE_STARTED, DELETE_FINISHED = REMOTE_SEGMENT_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSegment:
    """A segment, as the last record about it left it.

    Offsets are the first one and the last one, both included; None, as are `size` and `epochs`, where the record that tells
    them is no longer there. `epochs`: leader epoch → its first offset in the segment. `event_ms` is the time of the last
    record, `path` and `offset` are where that is.
    """

    segment_id: str
    state: str
    path: str
    offset: int
    event_ms: int
    start_offset: int | None = None
    end_offset: int | None = None
    size: int | None = None
    epochs: Mapping[int, int] = field(default_factory=dict)
    custom_metadata: bytes | None = None


@dataclass(slots=True, kw_only=True)
class KnownPartition:
    """A partition of a topic, by the id of that. `deleted` is how far its deletion has come, "" for not begun."""

    topic: str
    topic_id: str
    partition: int
    segments: dict[str, KnownSegment] = field(default_factory=dict)
    deleted: str = ""

    def in_state(self, *states: str) -> list[KnownSegment]:
        """Its segments in one of some states, by their first offset."""
        found = [one for one in self.segments.values() if one.state in states]
        return sorted(found, key=lambda one: (-1 if one.start_offset is None else one.start_offset, one.offset))


@dataclass(slots=True)
class RemoteLogs:
    """What `__remote_log_metadata` says.

    `partitions` by topic id and partition. `is_whole`: the logs that were read begin with offset 0, and every record of them
    could be read, so that what they do not tell of was never there.
    """

    partitions: dict[tuple[str, int], KnownPartition] = field(default_factory=dict)
    is_whole: bool = True
    notes: Notes = field(default_factory=Notes)

    def add(self, found: LogRecord) -> None:
        """Take a record in."""
        record = read_remote_log_record(found.record.value)
        message: Any = record.value
        if message is None:
            self.is_whole = False
            return
        if "remotePartitionDeleteState" in message:
            place = message["topicIdPartition"]
            self._partition(place).deleted = REMOTE_PARTITION_STATES[message["remotePartitionDeleteState"]]
            return
        if "remoteLogSegmentId" not in message:
            return  # a snapshot record belongs to files, not to the topic
        place, number = message["remoteLogSegmentId"]["topicIdPartition"], message["remoteLogSegmentState"]
        if not 0 <= number < len(REMOTE_SEGMENT_STATES):
            self.is_whole = False
            return
        partition, segment_id = self._partition(place), format_uuid(message["remoteLogSegmentId"]["id"])
        segment = partition.segments.get(segment_id)
        state = REMOTE_SEGMENT_STATES[number]
        now = {"state": state, "path": found.path, "offset": found.record.offset, "event_ms": message["eventTimestampMs"]}
        if segment is None:
            segment = KnownSegment(segment_id=segment_id, **now)
        if "startOffset" in message:
            segment = replace(
                segment,
                start_offset=message["startOffset"],
                end_offset=message["endOffset"],
                size=message["segmentSizeInBytes"],
                epochs={one["leaderEpoch"]: one["offset"] for one in message["segmentLeaderEpochs"]},
            )
        custom = message.get("customMetadata")
        kept = segment.custom_metadata if custom is None else custom
        partition.segments[segment_id] = replace(segment, custom_metadata=kept, **now)

    def _partition(self, place: Mapping[str, Any]) -> KnownPartition:
        key = format_uuid(place["id"]), place["partition"]
        if key not in self.partitions:
            self.partitions[key] = KnownPartition(topic=place["name"], topic_id=key[0], partition=key[1])
        return self.partitions[key]


def read_remote_logs(partitions: Iterable[Partition]) -> RemoteLogs:
    """Replay partitions of the topic; of several replicas of one the longest counts.

    Raises:
        UnreadableFile: one of them cannot be read.
    """
    found = RemoteLogs()
    longest: dict[int | None, tuple[int, Log]] = {}
    for partition in partitions:
        log = log_of(partition)
        end = log.end_offset() or 0
        if partition.number not in longest or end > longest[partition.number][0]:
            longest[partition.number] = end, log
    for _, log in longest.values():
        before = 0
        for record in log.records(found.notes):
            found.is_whole &= record.record.offset == before
            before = record.record.offset + 1
            found.add(record)
    found.is_whole &= not any(note.is_finding for note in found.notes)
    return found
