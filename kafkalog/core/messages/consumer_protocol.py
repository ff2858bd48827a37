"""What members of the protocol type `consumer` put into group metadata: an int16 version and one of these messages.

Newer versions are read as the newest known one, as Kafka does.
Source: `clients/src/main/resources/common/message/ConsumerProtocol*.json`, Kafka 2.8 to 4.3.
"""

from __future__ import annotations

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.reader import Message, read_message
from kafkalog.core.messages.schema import NEWEST, Release, Schema, schema

__all__ = ["ASSIGNMENT", "SUBSCRIPTION", "read_consumer_protocol"]

_SOURCE = "clients/src/main/resources/common/message/{}.json"
_VERSIONS = "0=0.11.0 1=2.4.0 2=3.4.0 3=3.4.0"

SUBSCRIPTION = schema(
    "ConsumerProtocolSubscription",
    """
    topics            []string
    userData          bytes?     default=null
    ownedPartitions   []struct   1+   name=TopicPartition
      topic           string
      partitions      []int32
    generationId      int32      2+   default=-1
    rackId            string?    3+   default=null
    """,
    versions=_VERSIONS,
    source=_SOURCE,
)

ASSIGNMENT = schema(
    "ConsumerProtocolAssignment",
    """
    assignedPartitions   []struct   name=TopicPartition
      topic              string
      partitions         []int32
    userData             bytes?     default=null
    """,
    versions=_VERSIONS,
    source=_SOURCE,
)


def read_consumer_protocol(data: bytes, schema: Schema, release: Release = NEWEST) -> tuple[int, Message]:
    """The version and the message in the `subscription` or `assignment` bytes of a member.

    Raises:
        FormatError: the bytes are something else.
    """
    cursor = Cursor(data)
    version = cursor.int16("version")
    return version, read_message(cursor, schema, version, release)
