"""Records of internal topics, decoded as far as possible: what is unknown or broken is reported, not dropped."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.cluster_metadata import find_metadata_type
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION, consumer_protocol_object
from kafkalog.core.messages.json_form import json_object
from kafkalog.core.messages.reader import Message, kafka_reason, read_message, regular_reader
from kafkalog.core.messages.record_types import RecordType, find_record_type
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS
from kafkalog.core.messages.schema import NEWEST, Release, Schema
from kafkalog.errors import FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "CoordinatorRecord",
    "FramedRecord",
    "key_reader",
    "read_coordinator_record",
    "read_metadata_record",
    "read_remote_log_record",
    "value_reader",
    "value_schema",
]

#: The record type and the protocol type whose members' bytes are messages of the consumer protocol.
_GROUP_METADATA, _CONSUMER = "GroupMetadata", "consumer"


class CoordinatorRecord(NamedTuple):
    """A record with a typed key and a versioned value: of `__consumer_offsets`, `__transaction_state` and the like.

    Attributes:
        type: The record type, None when the key has no two bytes for it.
        name: Kafka's name of the type, "" when nobody knows it.
        key: The key's fields, None when they cannot be read.
        version: The value's version, None for a tombstone or when it cannot be read.
        value: The value's fields, None for a tombstone or when they cannot be read.
        problem: What keeps key or value from being read, or what is left over after them; "" when all is well.
    """

    type: int | None
    name: str
    key: Message | None
    version: int | None
    value: Message | None
    problem: str = ""

    def as_object(self) -> dict[str, Any]:
        """As plain JSON values; what consumers have put into group metadata is decoded, too."""
        key = {"type": self.type, "name": self.name or None, "data": json_object(self.key)}
        value = None if self.version is None else {"version": self.version, "data": self._value_object()}
        result: dict[str, Any] = {"key": None if self.type is None else key, "value": value}
        return result | {"problem": self.problem} if self.problem else result

    def _value_object(self) -> Any:
        data = json_object(self.value)
        if self.name == _GROUP_METADATA and self.value is not None and self.value["protocolType"] == _CONSUMER:
            for shown, member in zip(data["members"], self.value["members"], strict=True):
                shown["subscription"] = consumer_protocol_object(member["subscription"], SUBSCRIPTION)
                shown["assignment"] = consumer_protocol_object(member["assignment"], ASSIGNMENT)
        return data


def read_coordinator_record(types: tuple[RecordType, ...], key: bytes | None, value: bytes | None) -> CoordinatorRecord:
    """Decode a coordinator's record in its newest form. Never fails."""
    if key is None or len(key) < 2:
        return CoordinatorRecord(None, "", None, None, None, "no key" if key is None else "the key is too short for a type")
    number = int.from_bytes(key[:2], "big", signed=True)
    kind = find_record_type(types, number)
    if kind is None:
        return CoordinatorRecord(number, "", None, None, None, f"unknown record type {number}")
    read_key = _read_key_again if len(key) <= _SHORT else _read_key
    fields, problem = read_key(key, kind.key, number)
    if value is None or problem:
        return CoordinatorRecord(number, kind.name, fields, None, None, problem)
    if len(value) < 2:
        return CoordinatorRecord(number, kind.name, fields, None, None, "the value is too short for a version")
    version = int.from_bytes(value[:2], "big", signed=True)
    schema = value_schema(types, kind, version)
    content, problem = _read_all(Cursor(value, 2), schema, version, NEWEST, "value")
    if problem and version <= schema.highest(NEWEST):
        content, problem = _read_as_before(Cursor(value, 2), schema, version, content, problem)
    return CoordinatorRecord(number, kind.name, fields, version, content, problem)


def _read_key(key: bytes, schema: Schema, number: int) -> tuple[Message | None, str]:
    return _read_all(Cursor(key, 2), schema, number, NEWEST, "key")


#: Keys up to this length are kept: the same ones come again and again.
_SHORT = 512
_read_key_again = lru_cache(maxsize=4096)(_read_key)


def key_reader(types: tuple[RecordType, ...], number: int) -> Callable[[bytes, int], tuple[Message, int]]:
    """What reads regular keys of a known record type, after the type itself (see `regular_reader`)."""
    kind = find_record_type(types, number)
    assert kind is not None
    return regular_reader(kind.key, number, NEWEST)


def value_reader(
    types: tuple[RecordType, ...], number: int, version: int, only: frozenset[str] | None = None
) -> Callable[[bytes, int], tuple[Message, int]]:
    """What reads regular values of a known record type and version, in their newest form (see `regular_reader`)."""
    kind = find_record_type(types, number)
    assert kind is not None
    return regular_reader(value_schema(types, kind, version), version, NEWEST, only)


def value_schema(types: tuple[RecordType, ...], kind: RecordType, version: int) -> Schema:
    """The message of that version: some types had other ones in older releases."""
    if kind.value.highest(NEWEST) < version:
        for other in types:
            if other.number == kind.number and other.value.highest(NEWEST) >= version:
                return other.value
    return kind.value


#: Last releases before messages changed within their version, newest first.
_BEFORE_CHANGES: tuple[Release, ...] = ((4, 0, 99), (3, 7, 99), (3, 5, 99), (3, 2, 99), (3, 1, 99))


def _read_as_before(
    cursor: Cursor, schema: Schema, version: int, newest: Message | None, problem: str
) -> tuple[Message | None, str]:
    """What a release wrote that had another message under this version, if that fits the bytes; else the newest reading."""
    start = cursor.at
    for release in _BEFORE_CHANGES:
        if not 0 <= version <= schema.highest(release):
            continue
        cursor.at = start
        message, other_problem = _read_all(cursor, schema, version, release, "value")
        if not other_problem:
            return message, ""
    return newest, problem


def _read_all(cursor: Cursor, schema: Schema, version: int, release: Release, place: str) -> tuple[Message | None, str]:
    """The message and what is wrong with it: it must fill its bytes."""
    try:
        message = read_message(cursor, schema, version, release)
    except FormatError as error:
        return None, f"{place}: {schema.name} version {version}: {describe(error)}"
    highest = schema.highest(NEWEST)
    if cursor.remaining:
        known = "" if 0 <= version <= highest else f", known are versions up to {highest}"
        return message, f"{place}: {cursor.remaining} bytes after {schema.name} version {version}{known}"
    if not 0 <= version <= highest:
        return message, f"{place}: {schema.name} version {version}, known are versions up to {highest}"
    return message, ""


def describe(error: FormatError) -> str:
    """What is wrong, for people."""
    reason = kafka_reason(error)
    return f"{error.field}: the bytes end too early" if reason == "null" else reason


class FramedRecord(NamedTuple):
    """A record of `__cluster_metadata` or `__remote_log_metadata`.

    Attributes:
        frame: The frame version, None when it cannot be read.
        type: The API key.
        name: Kafka's name of the record, "" when nobody knows it.
        version: The version.
        value: Its fields, None when they cannot be read.
        problem: What keeps it from being read, or what is left over after it; "" when all is well.
    """

    frame: int | None
    type: int | None
    name: str
    version: int | None
    value: Message | None
    problem: str = ""

    def as_object(self) -> dict[str, Any]:
        """As plain JSON values."""
        value = {
            "frameVersion": self.frame,
            "type": self.type,
            "name": self.name or None,
            "version": self.version,
            "data": json_object(self.value),
        }
        result: dict[str, Any] = {"value": value}
        return result | {"problem": self.problem} if self.problem else result


_PREVIEW: Release = (2, 8, 2)
#: Versions are int16, whatever the varint holds.
_MAX_VERSION = 0x7FFF


def read_metadata_record(value: bytes | None) -> FramedRecord:
    """Decode a record of `__cluster_metadata`, of any release since 2.8. Never fails."""
    return _read_framed(value, metadata=True)


def read_remote_log_record(value: bytes | None) -> FramedRecord:
    """Decode a record of `__remote_log_metadata`. Never fails."""
    return _read_framed(value, metadata=False)


def _read_framed(value: bytes | None, *, metadata: bool) -> FramedRecord:
    if value is None:
        return FramedRecord(None, None, "", None, None, "no value")
    cursor = Cursor(value)
    frame = key = version = None
    try:
        frame = cursor.unsigned_varint("frame version")
        if frame not in ((0, 1) if metadata else (1,)):
            return FramedRecord(frame, None, "", None, None, f"unknown frame version {frame}")
        key = cursor.unsigned_varint("type")
        version = cursor.unsigned_varint("version")
    except FormatError as error:
        return FramedRecord(frame, key, "", version, None, f"{error.field}: the bytes end too early")
    release = _PREVIEW if frame == 0 else NEWEST
    schema = find_metadata_type(key, release) if metadata else REMOTE_LOG_RECORDS.get(key)
    if schema is None:
        return FramedRecord(frame, key, "", version, None, f"unknown record type {key}")
    if version > _MAX_VERSION:
        return FramedRecord(frame, key, schema.name, version, None, f"{schema.name}: {version} is no version")
    start = cursor.at
    message, problem = _read_all(cursor, schema, version, release, "value")
    if problem and release is NEWEST and version <= schema.highest(NEWEST):
        cursor.at = start
        message, problem = _read_as_before(cursor, schema, version, message, problem)
    return FramedRecord(frame, key, schema.name, version, message, problem)
