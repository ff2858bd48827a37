"""The records of `__consumer_offsets`: offsets and group metadata, and since Kafka 3.8 the groups of the new coordinator.

A key is an int16 record type and a key message, a value an int16 version and a value message; no value is a tombstone.
Source: `group-coordinator/src/main/resources/common/message` (up to 3.4 `core/…`) of Kafka 2.8 to 3.9, the generated
classes of 4.0.0, 4.1.1, 4.2.0, 4.3.1 and 4.4.0; GroupMetadataManager.scala of 0.11 to 2.7 for when each version came.
"""

from __future__ import annotations

from kafkalog.core.messages.record_types import RecordType, record_type
from kafkalog.core.messages.schema import NEWEST, schema

__all__ = ["GROUP_METADATA_VALUE", "GROUP_RECORDS", "OFFSET_COMMIT_KEY", "OFFSET_COMMIT_VALUE"]

_SOURCE = "group-coordinator/src/main/resources/common/message/{}.json"


OFFSET_COMMIT_KEY = schema(
    "OffsetCommitKey",
    """
    group       string
    topic       string
    partition   int32
    """,
    versions="0=0.11.0 1=0.11.0",
    source=_SOURCE,
)

OFFSET_COMMIT_VALUE = schema(
    "OffsetCommitValue",
    """
    offset            int64
    leaderEpoch       int32   3+   default=-1
    metadata          string
    commitTimestamp   int64
    expireTimestamp   int64   1    default=-1
    topicId           uuid    4+   tag=0 since=4.1.0
    """,
    versions="0=0.11.0 1=0.11.0 2=2.1.0 3=2.1.0 4=3.4.1",
    flexible=4,
    source=_SOURCE,
)

_LEGACY_OFFSET_COMMIT_VALUE = schema(
    "LegacyOffsetCommitValue",
    """
    offset            int64
    metadata          string
    commitTimestamp   int64
    """,
    versions="0=4.1.0",
    source=_SOURCE,
)

GROUP_METADATA_KEY = schema(
    "GroupMetadataKey",
    """
    group   string
    """,
    versions="2=0.11.0",
    source=_SOURCE,
)

GROUP_METADATA_VALUE = schema(
    "GroupMetadataValue",
    """
    protocolType            string
    generation              int32
    protocol                string?
    leader                  string?
    currentStateTimestamp   int64      2+   default=-1
    members                 []struct
      memberId              string
      groupInstanceId       string?    3+   default=null
      clientId              string
      clientHost            string
      rebalanceTimeout      int32      1+   default=-1
      sessionTimeout        int32
      subscription          bytes
      assignment            bytes
    """,
    versions="0=0.11.0 1=0.11.0 2=2.1.0 3=2.3.0 4=3.4.1",
    flexible=4,
    source=_SOURCE,
)

_GROUP = """
    groupId   string
    """
_GROUP_MEMBER = """
    groupId    string
    memberId   string
    """
_EPOCH = """
    epoch          int32
    metadataHash   int64   tag=0 since=4.1.0
    """
_ASSIGNMENT_EPOCH = """
    assignmentEpoch       int32
    assignmentTimestamp   int64   tag=0 since=4.3.0
    """
_PARTITION_METADATA = """
    epoch                 int32      until=3.8.0
    topics                []struct   name=TopicMetadata
      topicId             uuid
      topicName           string
      numPartitions       int32
      partitionMetadata   []struct   name=PartitionMetadata
        partition         int32
        racks             []string
    """
_TARGET_ASSIGNMENT = """
    error             int8       until=3.8.0
    topicPartitions   []struct   name=TopicPartition
      topicId         uuid
      partitions      []int32
    metadataVersion   int16      until=3.8.0
    metadataBytes     bytes      until=3.8.0
    """


def _record(
    number: int,
    name: str,
    key: str,
    value: str,
    since: str,
    until: str = "",
) -> RecordType:
    return record_type(number, name, key, value, since=since, until=until, source=_SOURCE)


#: Every record type, with the releases of which DumpLogSegments knows it; for 3.7, the brokers' early access to types 3 to 8.
GROUP_RECORDS: tuple[RecordType, ...] = (
    RecordType(0, OFFSET_COMMIT_KEY, OFFSET_COMMIT_VALUE, (), (4, 1, 0)),
    RecordType(0, OFFSET_COMMIT_KEY, _LEGACY_OFFSET_COMMIT_VALUE, (4, 1, 0), NEWEST),
    RecordType(1, OFFSET_COMMIT_KEY, OFFSET_COMMIT_VALUE, (), NEWEST),
    RecordType(2, GROUP_METADATA_KEY, GROUP_METADATA_VALUE, (), NEWEST),
    _record(3, "ConsumerGroupMetadata", _GROUP, _EPOCH, "3.7.0"),
    _record(4, "ConsumerGroupPartitionMetadata", _GROUP, _PARTITION_METADATA, "3.7.0"),
    _record(
        5,
        "ConsumerGroupMemberMetadata",
        _GROUP_MEMBER,
        """
        instanceId              string?
        rackId                  string?
        clientId                string
        clientHost              string
        subscribedTopicNames    []string
        subscribedTopicRegex    string?
        rebalanceTimeoutMs      int32      default=-1
        serverAssignor          string?
        assignors               []struct   until=3.8.0 name=Assignor
          name                  string
          minimumVersion        int16
          maximumVersion        int16
          reason                int8
          version               int16
          metadata              bytes
        classicMemberMetadata   struct?    tag=0 default=empty since=3.8.0 name=ClassicMemberMetadata
          sessionTimeoutMs      int32
          supportedProtocols    []struct   name=ClassicProtocol
            name                string
            metadata            bytes
        """,
        "3.7.0",
    ),
    _record(6, "ConsumerGroupTargetAssignmentMetadata", _GROUP, _ASSIGNMENT_EPOCH, "3.7.0"),
    _record(7, "ConsumerGroupTargetAssignmentMember", _GROUP_MEMBER, _TARGET_ASSIGNMENT, "3.7.0"),
    _record(
        8,
        "ConsumerGroupCurrentMemberAssignment",
        _GROUP_MEMBER,
        """
        memberEpoch                   int32
        previousMemberEpoch           int32
        targetMemberEpoch             int32      until=3.8.0
        state                         int8       since=3.8.0
        assignedPartitions            []struct
          topicId                     uuid
          partitions                  []int32
          assignmentEpochs            []int32?   tag=0 since=4.3.0
        partitionsPendingRevocation   []struct
          topicId                     uuid
          partitions                  []int32
          assignmentEpochs            []int32?   tag=0 since=4.3.0
        partitionsPendingAssignment   []struct   until=3.8.0
          topicId                     uuid
          partitions                  []int32
        error                         int8       until=3.8.0
        metadataVersion               int16      until=3.8.0
        metadataBytes                 bytes      until=3.8.0
        """,
        "3.7.0",
    ),
    _record(9, "ShareGroupPartitionMetadata", _GROUP, _PARTITION_METADATA, "4.0.0", "4.1.0"),
    _record(
        10,
        "ShareGroupMemberMetadata",
        _GROUP_MEMBER,
        """
        rackId                 string?
        clientId               string
        clientHost             string
        subscribedTopicNames   []string
        """,
        "4.0.0",
    ),
    _record(
        11,
        "ShareGroupMetadata",
        _GROUP,
        """
        epoch          int32
        metadataHash   int64   since=4.1.0
        """,
        "4.0.0",
    ),
    _record(12, "ShareGroupTargetAssignmentMetadata", _GROUP, _ASSIGNMENT_EPOCH, "4.0.0"),
    _record(13, "ShareGroupTargetAssignmentMember", _GROUP_MEMBER, _TARGET_ASSIGNMENT, "4.0.0"),
    _record(
        14,
        "ShareGroupCurrentMemberAssignment",
        _GROUP_MEMBER,
        """
        memberEpoch           int32
        previousMemberEpoch   int32
        state                 int8
        assignedPartitions    []struct
          topicId             uuid
          partitions          []int32
        """,
        "4.0.0",
    ),
    _record(
        15,
        "ShareGroupStatePartitionMetadata",
        _GROUP,
        """
        initializingTopics   []struct   since=4.1.0
          topicId            uuid
          topicName          string
          partitions         []int32
        initializedTopics    []struct
          topicId            uuid
          topicName          string
          partitions         []int32
        deletingTopics       []struct
          topicId            uuid
          topicName          string
        """,
        "4.0.0",
    ),
    _record(
        16,
        "ConsumerGroupRegularExpression",
        """
        groupId             string
        regularExpression   string
        """,
        """
        topics      []string
        version     int64
        timestamp   int64
        """,
        "4.0.0",
    ),
    _record(
        17,
        "StreamsGroupMetadata",
        _GROUP,
        """
        epoch                            int32
        metadataHash                     int64
        validatedTopologyEpoch           int32       tag=0 default=-1 since=4.2.0
        lastAssignmentConfigs            []struct?   tag=1 since=4.2.0
          key                            string
          value                          string
        storedDescriptionTopologyEpoch   int32       tag=2 default=-1 since=4.4.0
        failedDescriptionTopologyEpoch   int32       tag=3 default=-1 since=4.4.0
        """,
        "4.1.0",
    ),
    _record(
        19,
        "StreamsGroupMemberMetadata",
        _GROUP_MEMBER,
        """
        instanceId           string?
        rackId               string?
        clientId             string
        clientHost           string
        rebalanceTimeoutMs   int32      default=-1
        topologyEpoch        int32
        processId            string
        userEndpoint         struct?
          host               string
          port               uint16
        clientTags           []struct
          key                string
          value              string
        """,
        "4.1.0",
    ),
    _record(20, "StreamsGroupTargetAssignmentMetadata", _GROUP, _ASSIGNMENT_EPOCH, "4.1.0"),
    _record(
        21,
        "StreamsGroupTargetAssignmentMember",
        _GROUP_MEMBER,
        """
        activeTasks       []struct
          subtopologyId   string
          partitions      []int32
        standbyTasks      []struct
          subtopologyId   string
          partitions      []int32
        warmupTasks       []struct
          subtopologyId   string
          partitions      []int32
        """,
        "4.1.0",
    ),
    _record(
        22,
        "StreamsGroupCurrentMemberAssignment",
        _GROUP_MEMBER,
        """
        memberEpoch                     int32
        previousMemberEpoch             int32
        state                           int8
        activeTasks                     []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        standbyTasks                    []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        warmupTasks                     []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        activeTasksPendingRevocation    []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        standbyTasksPendingRevocation   []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        warmupTasksPendingRevocation    []struct
          subtopologyId                 string
          partitions                    []int32
          assignmentEpochs              []int32?   tag=0 since=4.2.0
        """,
        "4.1.0",
    ),
    _record(
        23,
        "StreamsGroupTopology",
        _GROUP,
        """
        epoch                       int32
        subtopologies               []struct   name=Subtopology
          subtopologyId             string
          sourceTopics              []string
          sourceTopicRegex          []string
          stateChangelogTopics      []struct
            name                    string
            partitions              int32
            replicationFactor       int16
            topicConfigs            []struct
              key                   string
              value                 string
          repartitionSinkTopics     []string
          repartitionSourceTopics   []struct
            name                    string
            partitions              int32
            replicationFactor       int16
            topicConfigs            []struct
              key                   string
              value                 string
          copartitionGroups         []struct   name=CopartitionGroup
            sourceTopics            []int16
            sourceTopicRegex        []int16
            repartitionSourceTopics []int16
        """,
        "4.1.0",
    ),
)
