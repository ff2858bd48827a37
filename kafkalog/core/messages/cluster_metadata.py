"""The records of `__cluster_metadata`: everything a KRaft controller decides, and its snapshots.

A value is a frame version, an API key and a version, each an unsigned varint, and a message. Frame version 0 is the
preview of Kafka 2.8, whose messages were others; 3.0 started over with frame version 1.
Source: `metadata/src/main/resources/common/metadata/*.json` of Kafka 2.8 to 3.9, the generated classes of 4.0.0 to 4.4.0.
"""

from __future__ import annotations

import re
from functools import cache

from kafkalog.core.messages.schema import NEWEST, Release, Schema, schema

__all__ = ["METADATA_RECORDS", "MetadataRecordType", "find_metadata_type", "type_name"]

_SOURCE = "metadata/src/main/resources/common/metadata/{}.json"
_PREVIEW_END: Release = (3, 0, 0)

MetadataRecordType = tuple[Schema, Release, Release]


def _record(
    key: int, name: str, table: str, versions: str, until: Release = NEWEST, flexible: int | None = 0
) -> MetadataRecordType:
    built = schema(name, table, versions=versions, flexible=flexible, source=_SOURCE, key=key)
    return built, built.versions[0][1], until


_FENCE = """
    id      int32
    epoch   int64
    """
_ENDPOINTS_AND_FEATURES = """
    endPoints               []struct   name={0}Endpoint
      name                  string
      host                  string
      port                  uint16
      securityProtocol      int16
    features                []struct   name={0}Feature
      name                  string
      minSupportedVersion   int16
      maxSupportedVersion   int16
    """
_QUOTA = """
    entity         []struct   name=EntityData
      entityType   string
      entityName   string?
    key            string
    value          float64
    remove         bool
    """
_UNREGISTER = """
    brokerId      int32
    brokerEpoch   int64
    """
_TOPIC = """
    name      string
    topicId   uuid
    """
_TOPIC_ID = """
    topicId   uuid
    """

_PREVIEW = "0=2.8.0"

#: Every record with the releases that know it.
METADATA_RECORDS: tuple[MetadataRecordType, ...] = (
    _record(
        0,
        "RegisterBrokerRecord",
        """
    brokerId        int32
    incarnationId   uuid
    brokerEpoch     int64
    """
        + _ENDPOINTS_AND_FEATURES.format("Broker")
        + """
    rack            string?
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        0,
        "RegisterBrokerRecord",
        """
    brokerId               int32
    isMigratingZkBroker    bool       2+
    incarnationId          uuid
    brokerEpoch            int64
    """
        + _ENDPOINTS_AND_FEATURES.format("Broker")
        + """
    rack                   string?
    fenced                 bool            default=true
    inControlledShutdown   bool       1+
    logDirs                []uuid     3+   tag=0
    cordonedLogDirs        []uuid?    4+   tag=1 default=null
    """,
        "0=3.0.0 1=3.3.0 2=3.4.0 3=3.7.0 4=4.3.0",
    ),
    _record(1, "UnregisterBrokerRecord", _UNREGISTER, _PREVIEW, _PREVIEW_END, None),
    _record(1, "UnregisterBrokerRecord", _UNREGISTER, "0=3.0.0"),
    _record(2, "TopicRecord", _TOPIC, _PREVIEW, _PREVIEW_END, None),
    _record(2, "TopicRecord", _TOPIC, "0=3.0.0"),
    _record(
        3,
        "PartitionRecord",
        """
    partitionId        int32      default=-1
    topicId            uuid
    replicas           []int32
    isr                []int32
    removingReplicas   []int32?
    addingReplicas     []int32?
    leader             int32      default=-1
    leaderEpoch        int32      default=-1
    partitionEpoch     int32      default=-1
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        3,
        "PartitionRecord",
        """
    partitionId              int32           default=-1
    topicId                  uuid
    replicas                 []int32
    isr                      []int32
    removingReplicas         []int32
    addingReplicas           []int32
    leader                   int32           default=-1
    leaderRecoveryState      int8            tag=0 since=3.2.0
    leaderEpoch              int32           default=-1
    partitionEpoch           int32           default=-1
    directories              []uuid     1+
    eligibleLeaderReplicas   []int32?   2+   tag=1 default=null
    lastKnownELR             []int32?   2+   tag=2 default=null until=3.8.0
    lastKnownElr             []int32?   2+   tag=2 default=null since=3.8.0
    """,
        "0=3.0.0 1=3.7.0 2=3.7.0",
    ),
    _record(
        4,
        "ConfigRecord",
        """
    resourceType   int8
    resourceName   string
    name           string
    value          string
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        4,
        "ConfigRecord",
        """
    resourceType   int8
    resourceName   string
    name           string
    value          string?
    """,
        "0=3.0.0",
    ),
    _record(
        5,
        "PartitionChangeRecord",
        """
    partitionId              int32           default=-1
    topicId                  uuid
    isr                      []int32?        tag=0 default=null
    leader                   int32           tag=1 default=-2
    replicas                 []int32?        tag=2 default=null since=3.0.0
    removingReplicas         []int32?        tag=3 default=null since=3.0.0
    addingReplicas           []int32?        tag=4 default=null since=3.0.0
    leaderRecoveryState      int8            tag=5 default=-1 since=3.2.0
    directories              []uuid?    1+   tag=8 default=null
    eligibleLeaderReplicas   []int32?   2+   tag=6 default=null
    lastKnownELR             []int32?   2+   tag=7 default=null until=3.8.0
    lastKnownElr             []int32?   2+   tag=7 default=null since=3.8.0
    """,
        "0=2.8.0 1=3.7.0 2=3.7.0",
    ),
    _record(
        6,
        "AccessControlRecord",
        """
    resourceType     int8
    resourceName     string?
    patternType      int8
    principal        string
    host             string
    operation        int8
    permissionType   int8
    """,
        "0=2.8.0",
        (3, 5, 0),
    ),
    _record(7, "FenceBrokerRecord", _FENCE, _PREVIEW, _PREVIEW_END, None),
    _record(7, "FenceBrokerRecord", _FENCE, "0=3.0.0"),
    _record(8, "UnfenceBrokerRecord", _FENCE, _PREVIEW, _PREVIEW_END, None),
    _record(8, "UnfenceBrokerRecord", _FENCE, "0=3.0.0"),
    _record(9, "RemoveTopicRecord", _TOPIC_ID, _PREVIEW, _PREVIEW_END, None),
    _record(9, "RemoveTopicRecord", _TOPIC_ID, "0=3.0.0"),
    _record(
        10,
        "DelegationTokenRecord",
        """
    owner                 string
    renewers              []string
    issueTimestamp        int64
    maxTimestamp          int64
    expirationTimestamp   int64
    tokenId               string
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        10,
        "DelegationTokenRecord",
        """
    owner                 string
    requester             string     since=3.6.0
    renewers              []string
    issueTimestamp        int64
    maxTimestamp          int64
    expirationTimestamp   int64
    tokenId               string
    """,
        "0=3.0.0",
    ),
    _record(
        11,
        "UserScramCredentialRecord",
        """
    name               string
    credentialInfos    []struct   name=CredentialInfo
      mechanism        int8
      salt             bytes
      saltedPassword   bytes
      iterations       int32
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        11,
        "UserScramCredentialRecord",
        """
    name               string
    credentialInfos    []struct   name=CredentialInfo until=3.5.0
      mechanism        int8
      salt             bytes
      saltedPassword   bytes
      iterations       int32
    mechanism          int8       since=3.5.0
    salt               bytes      since=3.5.0
    storedKey          bytes      since=3.5.0
    serverKey          bytes      since=3.5.0
    iterations         int32      since=3.5.0
    """,
        "0=3.0.0",
    ),
    _record(
        12,
        "FeatureLevelRecord",
        """
    name              string
    minFeatureLevel   int16
    maxFeatureLevel   int16
    """,
        _PREVIEW,
        _PREVIEW_END,
        None,
    ),
    _record(
        12,
        "FeatureLevelRecord",
        """
    name              string
    minFeatureLevel   int16    until=3.3.0
    maxFeatureLevel   int16    until=3.3.0
    featureLevel      int16    since=3.3.0
    """,
        "0=3.0.0",
    ),
    _record(14, "QuotaRecord", _QUOTA, _PREVIEW, _PREVIEW_END, None),
    _record(14, "ClientQuotaRecord", _QUOTA, "0=3.0.0"),
    _record(
        15,
        "ProducerIdsRecord",
        """
    brokerId         int32
    brokerEpoch      int64   default=-1
    producerIdsEnd   int64   until=3.2.0
    nextProducerId   int64   since=3.2.0
    """,
        "0=3.0.0",
    ),
    _record(
        16,
        "RemoveFeatureLevelRecord",
        """
    name   string
    """,
        "0=3.0.0",
        (3, 3, 0),
    ),
    _record(
        17,
        "BrokerRegistrationChangeRecord",
        """
    brokerId               int32
    brokerEpoch            int64
    fenced                 int8           tag=0
    inControlledShutdown   int8      1+   tag=1
    logDirs                []uuid    2+   tag=2
    cordonedLogDirs        []uuid?   3+   tag=3 default=null
    """,
        "0=3.0.0 1=3.3.0 2=3.7.0 3=4.3.0",
    ),
    _record(
        18,
        "AccessControlEntryRecord",
        """
    id               uuid
    resourceType     int8
    resourceName     string
    patternType      int8
    principal        string
    host             string
    operation        int8
    permissionType   int8
    """,
        "0=3.2.0",
    ),
    _record(
        19,
        "RemoveAccessControlEntryRecord",
        """
    id   uuid
    """,
        "0=3.2.0",
    ),
    _record(20, "NoOpRecord", "", "0=3.3.0"),
    _record(
        21,
        "ZkMigrationStateRecord",
        """
    zkMigrationState   int8
    """,
        "0=3.4.0",
    ),
    _record(
        22,
        "RemoveUserScramCredentialRecord",
        """
    name        string
    mechanism   int8
    """,
        "0=3.5.0",
    ),
    _record(
        23,
        "BeginTransactionRecord",
        """
    name   string?   tag=0 default=null
    """,
        "0=3.6.0",
    ),
    _record(24, "EndTransactionRecord", "", "0=3.6.0"),
    _record(
        25,
        "AbortTransactionRecord",
        """
    reason   string?   tag=0 default=null
    """,
        "0=3.6.0",
    ),
    _record(
        26,
        "RemoveDelegationTokenRecord",
        """
    tokenId   string
    """,
        "0=3.6.0",
    ),
    _record(
        27,
        "RegisterControllerRecord",
        """
    controllerId       int32
    incarnationId      uuid
    zkMigrationReady   bool
    """
        + _ENDPOINTS_AND_FEATURES.format("Controller"),
        "0=3.7.0",
    ),
    _record(
        28,
        "ClearElrRecord",
        """
    topicName   string
    """,
        "0=4.0.0",
    ),
    _record(
        29,
        "UnregisterControllerRecord",
        """
    controllerId   int32
    """,
        "0=4.4.0",
    ),
)


@cache
def find_metadata_type(key: int, release: Release = NEWEST) -> Schema | None:
    """The record of that API key as `release` knows it; for the newest form, records that are gone count, too."""
    found = None
    for built, since, until in METADATA_RECORDS:
        if built.key == key:
            if since <= release and (release < until or until is NEWEST):
                return built
            found = built
    return found if release is NEWEST else None


@cache
def type_name(built: Schema) -> str:
    """The name of the record's type, as Kafka's enum MetadataRecordType spells it: `TOPIC_RECORD`."""
    return re.sub(r"(?<=.)([A-Z])", r"_\1", built.name).upper()
