"""The records of `__share_group_state`: what share groups have delivered.

Source: the generated classes `org.apache.kafka.coordinator.share.generated` of Kafka 4.0.0, 4.1.1, 4.2.0, 4.3.1 and 4.4.0.
"""

from __future__ import annotations

from kafkalog.core.messages.record_types import RecordType, record_type

__all__ = ["SHARE_GROUP_RECORDS"]

_SOURCE = "share-coordinator/src/main/resources/common/message/{}.json"

_KEY = """
    groupId     string
    topicId     uuid
    partition   int32
    """
_STATE_BATCHES = """
    stateBatches      []struct   name=StateBatch
      firstOffset     int64
      lastOffset      int64
      deliveryState   int8
      deliveryCount   int16
    """

SHARE_GROUP_RECORDS: tuple[RecordType, ...] = (
    record_type(
        0,
        "ShareSnapshot",
        _KEY,
        """
    snapshotEpoch           uint16   until=4.1.0
    snapshotEpoch           int32    since=4.1.0
    stateEpoch              int32
    leaderEpoch             int32
    startOffset             int64
    deliveryCompleteCount   int32    tag=0 default=-1 since=4.2.0
    createTimestamp         int64    since=4.1.0
    writeTimestamp          int64    since=4.1.0
    """
        + _STATE_BATCHES,
        since="4.0.0",
        source=_SOURCE,
    ),
    record_type(
        1,
        "ShareUpdate",
        _KEY,
        """
    snapshotEpoch           uint16   until=4.1.0
    snapshotEpoch           int32    since=4.1.0
    leaderEpoch             int32
    startOffset             int64
    deliveryCompleteCount   int32    tag=0 default=-1 since=4.2.0
    """
        + _STATE_BATCHES,
        since="4.0.0",
        source=_SOURCE,
    ),
)
