"""The records of `__remote_log_metadata`: segments in remote storage, in the frame of metadata records.

Source: `storage/src/main/resources/message/*.json` of Kafka 3.0 to 3.9, the generated classes of 4.0.0 to 4.4.0.
"""

from __future__ import annotations

from kafkalog.core.messages.schema import Schema, schema

__all__ = ["REMOTE_LOG_RECORDS", "REMOTE_PARTITION_STATES", "REMOTE_SEGMENT_STATES"]

_SOURCE = "storage/src/main/resources/message/{}.json"

#: Names of the values of `remoteLogSegmentState`.
REMOTE_SEGMENT_STATES = (
    "COPY_SEGMENT_STARTED",
    "COPY_SEGMENT_FINISHED",
    "DELETE_SEGMENT_STARTED",
    "DELETE_SEGMENT_FINISHED",
)
#: Names of the values of `remotePartitionDeleteState`.
REMOTE_PARTITION_STATES = ("DELETE_PARTITION_MARKED", "DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED")

_SEGMENT_ID = """
    remoteLogSegmentId   struct   name=RemoteLogSegmentIdEntry
      topicIdPartition   struct   name=TopicIdPartitionEntry
        name             string
        id               uuid
        partition        int32
      id                 uuid
    """
_SEGMENT = """
    startOffset             int64
    endOffset               int64
    brokerId                int32
    maxTimestampMs          int64
    eventTimestampMs        int64
    segmentLeaderEpochs     []struct   name=SegmentLeaderEpochEntry
      leaderEpoch           int32
      offset                int64
    segmentSizeInBytes      int32
    customMetadata          bytes?     default=null since=3.6.0
    remoteLogSegmentState   int8
    txnIndexEmpty           bool       tag=0 since=4.0.0
    """


def _record(key: int, name: str, table: str, since: str = "3.0.0") -> Schema:
    return schema(name, table, versions=f"0={since}", flexible=0, source=_SOURCE, key=key)


#: The records by API key.
REMOTE_LOG_RECORDS: dict[int, Schema] = {
    0: _record(0, "RemoteLogSegmentMetadataRecord", _SEGMENT_ID + _SEGMENT),
    1: _record(
        1,
        "RemoteLogSegmentMetadataUpdateRecord",
        _SEGMENT_ID
        + """
    brokerId                int32
    eventTimestampMs        int64
    customMetadata          bytes?   default=null since=3.6.0
    remoteLogSegmentState   int8
    """,
    ),
    2: _record(
        2,
        "RemotePartitionDeleteMetadataRecord",
        """
    topicIdPartition             struct   name=TopicIdPartitionEntry
      name                       string
      id                         uuid
      partition                  int32
    brokerId                     int32
    eventTimestampMs             int64
    remotePartitionDeleteState   int8
    """,
    ),
    3: _record(
        3,
        "RemoteLogSegmentMetadataSnapshotRecord",
        """
    segmentId               uuid
    """
        + _SEGMENT,
        "3.1.0",
    ),
}
