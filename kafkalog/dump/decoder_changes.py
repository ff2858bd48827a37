"""What the decoders of internal topics, and the classes for keys and values, print and read, and from which release on."""

from __future__ import annotations

from kafkalog.kafka.behaviours import Behaviour

__all__ = [
    "BRACKETS",
    "DECODERS_MOVED",
    "GROUPS_AS_JSON",
    "JSON_ESCAPED",
    "KEYS_NAMED",
    "METADATA_FRAMED",
    "OFFSETS_AS_JSON",
    "OLD_DECODERS_GONE",
    "PROTOCOL_TYPE_STORED",
    "RECORD_INTERNAL",
    "SHARE_VALUE_VERSION",
    "STATE_DEAD_KNOWN",
    "TRANSACTIONS_AS_JSON",
    "UNKNOWN_KEYS_PASS",
    "VALUE_VERSIONS_STRICT",
]

GROUPS_AS_JSON = Behaviour((1, 0, 0), "groups-as-json", "A group is JSON.", "DumpLogSegments.scala, tag 1.0.0")
STATE_DEAD_KNOWN = Behaviour(
    (1, 0, 0), "state-dead-known", "The last state of a transaction is known.", "TransactionMetadata.scala, tag 1.0.0"
)
PROTOCOL_TYPE_STORED = Behaviour(
    (1, 0, 1),
    "protocol-type-stored",
    "A group without members keeps its protocol type; before, a group took it from its members.",
    "GroupMetadataManager.readGroupMessageValue, tag 1.0.1",
)
JSON_ESCAPED = Behaviour(
    (1, 1, 0),
    "json-escaped",
    "JSON is made by Jackson; before, by Kafka, which escaped nothing.",
    "Json.scala, tag 1.1.0",
)
KEYS_NAMED = Behaviour(
    (2, 4, 1),
    "keys-named",
    "Keys name what they are of, and tombstones have a text.",
    "GroupMetadataManager.scala, tag 2.4.1",
)
BRACKETS = Behaviour(
    (2, 5, 0),
    "brackets",
    "Partitions of a transaction stand in brackets; before, in `Set(…)`.",
    "TransactionLog.scala, tag 2.5.0",
)
METADATA_FRAMED = Behaviour(
    (3, 0, 0),
    "metadata-framed",
    "Metadata records have a frame; before, they had three numbers.",
    "MetadataRecordSerde.java",
)
UNKNOWN_KEYS_PASS = Behaviour(
    (3, 4, 1), "unknown-keys-pass", "A key of an unknown version is reported; before, the tool died of it.", "KAFKA-14869"
)
OFFSETS_AS_JSON = Behaviour(
    (3, 8, 0), "offsets-as-json", "Records of `__consumer_offsets` are JSON.", "DumpLogSegments.OffsetsMessageParser, tag 3.8.0"
)
DECODERS_MOVED = Behaviour(
    (3, 8, 0),
    "decoders-moved",
    "The classes for keys and values are in org.apache.kafka.tools.api; those of kafka.serializer are deprecated.",
    "DumpLogSegments.newDecoder, tag 3.8.0",
)
VALUE_VERSIONS_STRICT = Behaviour(
    (4, 0, 0),
    "value-versions-strict",
    "A value of an unknown version is passed over; before, it was read as far as the known fields go.",
    "CoordinatorRecordSerde.java, tag 4.0.0",
)
OLD_DECODERS_GONE = Behaviour(
    (4, 0, 0), "old-decoders-gone", "The classes of kafka.serializer are gone.", "DumpLogSegments.newDecoder, tag 4.0.0"
)
TRANSACTIONS_AS_JSON = Behaviour(
    (4, 1, 0),
    "transactions-as-json",
    "Records of `__transaction_state` are JSON.",
    "DumpLogSegments.TransactionLogMessageParser, tag 4.1.0",
)
SHARE_VALUE_VERSION = Behaviour(
    (4, 1, 0),
    "share-value-version",
    "The JSON of `__share_group_state` calls the version of a value `version`; before, `type`.",
    "DumpLogSegments.ShareGroupStateMessageParser, tag 4.1.0",
)
RECORD_INTERNAL = Behaviour(
    (4, 3, 0), "record-internal", "Kafka's class Record is in another package, which a text names.", "Record.java, tag 4.3.0"
)
