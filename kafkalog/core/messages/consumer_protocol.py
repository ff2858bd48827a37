"""What members of the protocol type `consumer` put into group metadata: an int16 version and one of these messages.

Newer versions are read as the newest known one, as Kafka does.
Source: `clients/src/main/resources/common/message/ConsumerProtocol*.json`, Kafka 2.8 to 4.3.
"""

from __future__ import annotations

from typing import Any

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.json_form import json_object
from kafkalog.core.messages.reader import Message, read_message
from kafkalog.core.messages.schema import NEWEST, Release, Schema, schema
from kafkalog.errors import FormatError

__all__ = ["ASSIGNMENT", "SUBSCRIPTION", "consumer_protocol_object", "read_consumer_protocol"]

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


def consumer_protocol_object(data: bytes, schema: Schema) -> Any:
    """The same as plain JSON values; the bytes when they are something else, or hold more than is known."""
    cursor = Cursor(data)
    try:
        version = cursor.int16("version")
        message = read_message(cursor, schema, version)
    except FormatError:
        return json_object(data)
    if cursor.remaining or not 0 <= version <= schema.highest(NEWEST):
        return json_object(data)
    return {"version": version, "data": json_object(message)}
