"""Control records: the transaction markers and KRaft records in control batches."""

from __future__ import annotations

import contextlib
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.cursor import Cursor
from kafkalog.errors import BadLength, FormatError, Truncated

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

__all__ = [
    "ABORT",
    "COMMIT",
    "CONTROL_RECORD_TYPES",
    "ControlRecord",
    "ControlRecordType",
    "read_control_record",
    "read_control_type",
]

ABORT = 0
COMMIT = 1


class ControlRecordType(NamedTuple):
    """One row of Kafka's table of control record types; `since` is the release the id has had this meaning from."""

    id: int
    name: str
    since: str


CONTROL_RECORD_TYPES = (
    ControlRecordType(0, "ABORT", "0.11.0.0"),
    ControlRecordType(1, "COMMIT", "0.11.0.0"),
    ControlRecordType(2, "LEADER_CHANGE", "3.0.0"),
    ControlRecordType(3, "SNAPSHOT_HEADER", "3.0.0"),
    ControlRecordType(4, "SNAPSHOT_FOOTER", "3.0.0"),
    ControlRecordType(5, "KRAFT_VERSION", "3.8.0"),
    ControlRecordType(6, "KRAFT_VOTERS", "3.8.0"),
)


class ControlRecord(NamedTuple):
    """A decoded control record.

    `type_id` as stored in the key; `name` is "UNKNOWN" for ids of no known type. `fields` are the value's fields under
    Kafka's names, in stored order: a transaction marker has `version` and `coordinatorEpoch`.
    """

    type_id: int
    name: str
    version: int
    fields: dict[str, Any]


def read_control_type(key: bytes | None) -> tuple[int, int]:
    """Version and type id from a control record's key.

    **On disk**: int16 version, int16 type; longer keys are tolerated.

    Raises:
        Truncated: no key, or fewer than 4 bytes.
        BadLength: a negative version.
    """
    if key is None or len(key) < 4:
        raise Truncated(4, len(key or b""), "control record key")
    version, type_id = struct.unpack_from(">hh", key)
    if version < 0:
        raise BadLength(version, "0 or more", "control record key version")
    return version, type_id


def read_control_record(key: bytes | None, value: bytes | None) -> ControlRecord:
    """Decode a control record.

    Raises:
        FormatError: the key or the value is cut or malformed.
    """
    version, type_id = read_control_type(key)
    reader = _READERS.get(type_id)
    if reader is None:
        return ControlRecord(type_id, "UNKNOWN", version, {})
    if value is None:
        raise FormatError("a control record without a value", "value")
    cursor = Cursor(value)
    return ControlRecord(type_id, CONTROL_RECORD_TYPES[type_id].name, version, reader(cursor))


def _end_transaction(cursor: Cursor) -> dict[str, Any]:
    version = cursor.int16("version")
    if version < 0:
        raise BadLength(version, "0 or more", "version")
    return {"version": version, "coordinatorEpoch": cursor.int32("coordinatorEpoch")}


def _tags(cursor: Cursor) -> None:
    for _ in range(cursor.unsigned_varint("tagged fields")):
        cursor.unsigned_varint("tag")
        cursor.take(cursor.unsigned_varint("tag size"), "tagged field")


def _array(cursor: Cursor, field: str, item: Callable[[Cursor], dict[str, Any]]) -> list[dict[str, Any]]:
    count = cursor.unsigned_varint(field) - 1
    if count < 0 or count > cursor.remaining:
        raise BadLength(count, f"0 to {cursor.remaining}", field)
    return [item(cursor) for _ in range(count)]


def _string(cursor: Cursor, field: str) -> str:
    size = cursor.unsigned_varint(field) - 1
    raw = cursor.take(size, field)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8: {error.reason}", field) from None


def _uuid(cursor: Cursor, field: str) -> uuid.UUID:
    import uuid

    return uuid.UUID(bytes=cursor.take(16, field))


def _voter_id(cursor: Cursor) -> dict[str, Any]:
    voter = {"voterId": cursor.int32("voterId")}
    _tags(cursor)
    return voter


def _leader_change(cursor: Cursor) -> dict[str, Any]:
    """Since 3.0 it begins with a version; in the preview of 2.8 it did not. The form that fills the bytes is the right one."""
    start = cursor.at
    found: dict[str, Any] | FormatError
    try:
        found = {"version": cursor.int16("version")} | _leader(cursor)
        if not cursor.remaining:
            return found
    except FormatError as error:
        found = error
    cursor.at = start
    with contextlib.suppress(FormatError):
        preview = _leader(cursor)
        if not cursor.remaining:
            return preview
    if isinstance(found, FormatError):
        raise found
    return found


def _leader(cursor: Cursor) -> dict[str, Any]:
    fields = {
        "leaderId": cursor.int32("leaderId"),
        "voters": _array(cursor, "voters", _voter_id),
        "grantingVoters": _array(cursor, "grantingVoters", _voter_id),
    }
    _tags(cursor)
    return fields


def _snapshot_header(cursor: Cursor) -> dict[str, Any]:
    fields = {
        "version": cursor.int16("version"),
        "lastContainedLogTimestamp": cursor.int64("lastContainedLogTimestamp"),
    }
    _tags(cursor)
    return fields


def _snapshot_footer(cursor: Cursor) -> dict[str, Any]:
    fields = {"version": cursor.int16("version")}
    _tags(cursor)
    return fields


def _kraft_version(cursor: Cursor) -> dict[str, Any]:
    fields = {"version": cursor.int16("version"), "kRaftVersion": cursor.int16("kRaftVersion")}
    _tags(cursor)
    return fields


def _endpoint(cursor: Cursor) -> dict[str, Any]:
    fields = {
        "name": _string(cursor, "name"),
        "host": _string(cursor, "host"),
        "port": cursor.uint16("port"),
    }
    _tags(cursor)
    return fields


def _voter(cursor: Cursor) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "voterId": cursor.int32("voterId"),
        "voterDirectoryId": _uuid(cursor, "voterDirectoryId"),
        "endpoints": _array(cursor, "endpoints", _endpoint),
    }
    fields["kRaftVersionFeature"] = {
        "minSupportedVersion": cursor.int16("minSupportedVersion"),
        "maxSupportedVersion": cursor.int16("maxSupportedVersion"),
    }
    _tags(cursor)
    _tags(cursor)
    return fields


def _kraft_voters(cursor: Cursor) -> dict[str, Any]:
    fields = {"version": cursor.int16("version"), "voters": _array(cursor, "voters", _voter)}
    _tags(cursor)
    return fields


_READERS: dict[int, Callable[[Cursor], dict[str, Any]]] = {
    0: _end_transaction,
    1: _end_transaction,
    2: _leader_change,
    3: _snapshot_header,
    4: _snapshot_footer,
    5: _kraft_version,
    6: _kraft_voters,
}
