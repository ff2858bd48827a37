"""What members of the protocol type `consumer` put into group metadata: an int16 version and one of these messages.

Newer versions are read as the newest known one, as Kafka does.
Source: `clients/src/main/resources/common/message/ConsumerProtocol*.json`, Kafka 2.8 to 4.3.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.json_form import json_object
from kafkalog.core.messages.reader import Message, read_message
from kafkalog.core.messages.schema import NEWEST, Release, Schema, schema
from kafkalog.errors import FormatError

__all__ = ["ASSIGNMENT", "SUBSCRIPTION", "consumer_protocol_object", "read_as_clients_write", "read_consumer_protocol"]

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


def read_as_clients_write(data: bytes, schema: Schema) -> tuple[int, Message, int]:
    """Version, message and the number of bytes left over; a message may end where one of a lower version does.

    Versions only add fields at the end, and clients leave them out: KafkaJS writes subscriptions of version 1 without
    `ownedPartitions`. Coordinators pass the bytes on as they are, and other members read what is there.

    Raises:
        FormatError: the bytes are something else.
    """
    cursor = Cursor(data)
    version = cursor.int16("version")
    start = cursor.at
    try:
        return version, read_message(cursor, schema, version), cursor.remaining
    except FormatError:
        for lower in range(min(version, schema.highest(NEWEST)) - 1, -1, -1):
            cursor.at = start
            with suppress(FormatError):
                message = read_message(cursor, schema, lower)
                if not cursor.remaining:
                    return version, message, 0
        raise


def consumer_protocol_object(data: bytes, schema: Schema) -> Any:
    """Version and message as plain JSON values; the bytes when they are something else, or hold more than is known."""
    try:
        version, message, left = read_as_clients_write(data, schema)
    except FormatError:
        return json_object(data)
    if left or not 0 <= version <= schema.highest(NEWEST):
        return json_object(data)
    return {"version": version, "data": json_object(message)}
