"""`--offsets-decoder` up to Kafka 3.7: texts of their own for offset commits and group metadata.

Source: DumpLogSegments.scala 0.11.0.2 to 2.4.0, GroupMetadataManager.scala 2.4.1 to 3.7.1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT
from kafkalog.core.messages.group import (
    GROUP_METADATA_KEY,
    GROUP_METADATA_VALUE,
    GROUP_RECORDS,
    OFFSET_COMMIT_KEY,
    OFFSET_COMMIT_VALUE,
)
from kafkalog.core.messages.json_form import compact_json
from kafkalog.core.messages.object_texts import CoordinatorTexts
from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.dump.decoder_changes import GROUPS_AS_JSON, JSON_ESCAPED, KEYS_NAMED, PROTOCOL_TYPE_STORED, UNKNOWN_KEYS_PASS
from kafkalog.dump.decoders.base import DELETED, Texts, Values, read_or_die, version_or_die
from kafkalog.errors import DecoderFailed
from kafkalog.kafka.hash_orders import scala_map_order

if TYPE_CHECKING:
    from kafkalog.core.messages.schema import Release

__all__ = ["OffsetsText"]

_OFFSET_KEYS, _GROUP_KEY = (b"\0\0", b"\0\1"), 2
#: Keys come again and again: so many are kept, of so many bytes at most.
_MOST_KEPT, _SHORT = 4096, 512
_CONSUMER = "consumer"


class OffsetsText:
    """The decoder of one release up to 3.7."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.named_keys = KEYS_NAMED.applies_to(release)
        self.json_group = GROUPS_AS_JSON.applies_to(release)
        self.unknown_keys = UNKNOWN_KEYS_PASS.applies_to(release)
        self._objects = CoordinatorTexts(GROUP_RECORDS)
        self._commits = Values(OFFSET_COMMIT_VALUE, release, "Unknown offset message version {}")
        self._groups = Values(GROUP_METADATA_VALUE, release, "Unknown group metadata version {}")
        self._offset_key = lru_cache(_MOST_KEPT)(self._read_offset_key)

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:  # noqa: ARG002
        """See `Decoder`."""
        return read_coordinator_record(GROUP_RECORDS, key, value).as_object()

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:
        """See `Decoder`."""
        return self._objects.of(key, value)

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:  # noqa: ARG002
        """See `Decoder`."""
        if value is None and not self.named_keys:
            return None, None
        if key is None:
            raise DecoderFailed("Failed to decode message using offset topic decoder (message had a missing key)")
        if key[:2] in _OFFSET_KEYS:
            return (self._offset_key if len(key) <= _SHORT else self._read_offset_key)(key), self._offset(value)
        cursor = Cursor(key)
        version = version_or_die(cursor, "key")
        if version == _GROUP_KEY:
            group: str = read_or_die(cursor, GROUP_METADATA_KEY, version, self.release)["group"]
            return self._group_key(group).encode(), self._group(value)
        if self.unknown_keys:
            return f"unknown::version={version}".encode(), None
        raise DecoderFailed(f"Unknown message key schema version {version}")

    def _read_offset_key(self, data: bytes) -> bytes:
        cursor = Cursor(data)
        key = read_or_die(cursor, OFFSET_COMMIT_KEY, version_or_die(cursor, "key"), self.release)
        group, topic, partition = key["group"], key["topic"], key["partition"]
        if self.named_keys:
            return f"offset_commit::group={group},partition={topic}-{partition}".encode()
        return f"offset::{group}:{topic}:{partition}".encode()

    def _offset(self, value: bytes | None) -> bytes:
        if value is None:
            return DELETED
        commit = self._commits.read(value)
        offset, metadata = commit["offset"], commit["metadata"]
        if self.named_keys:
            payload = f"offset={offset},metadata={metadata}" if metadata else f"offset={offset}"
        else:
            payload = f"{offset}:{metadata}" if metadata else f"{offset}"
        return payload.encode()

    def _group_key(self, group: str) -> str:
        if self.named_keys:
            return f"group_metadata::group={group}"
        return f'{{"metadata":{self._json(group)}}}' if self.json_group else f"metadata::{group}"

    def _group(self, value: bytes | None) -> bytes:
        if value is None:
            return DELETED
        metadata = self._groups.read(value)
        kind, protocol, generation = metadata["protocolType"], metadata["protocol"], metadata["generation"]
        if not metadata["members"] and not PROTOCOL_TYPE_STORED.applies_to(self.release):
            kind = ""
        members: dict[str, bytes] = {member["memberId"]: member["assignment"] for member in metadata["members"]}
        ordered = scala_map_order(members, self.release)
        assignment = ",".join(self._member(name, members[name], kind) for name in ordered)
        assignment = f"{{{assignment}}}"
        if not self.json_group:
            return f"{kind}:{'null' if protocol is None else protocol}:{generation}:{assignment}".encode()
        return (
            f'{{"protocolType":{self._json(kind)},"protocol":{self._json(protocol)},'
            f'"generationId":{generation},"assignment":{self._json(assignment)}}}'
        ).encode()

    def _json(self, text: str | None) -> str:
        return f'"{text}"' if text is not None and not JSON_ESCAPED.applies_to(self.release) else compact_json(text)

    def _member(self, name: str, assignment: bytes, kind: str) -> str:
        if kind != _CONSUMER:
            return f"{name}={_hex(assignment)}"
        cursor = Cursor(assignment)
        version = version_or_die(cursor, "assignment")
        if version < 0:
            raise DecoderFailed(f"Unsupported assignment version: {version}")
        known = min(version, ASSIGNMENT.highest(self.release))
        decoded = read_or_die(cursor, ASSIGNMENT, known, self.release)
        if decoded["userData"] is None and not self.named_keys:
            raise DecoderFailed("the assignment has no user data")
        partitions = ", ".join(
            f"{item['topic']}-{partition}" for item in decoded["assignedPartitions"] for partition in item["partitions"]
        )
        user_data = _hex(decoded["userData"] or b"")
        return f"{name}=[{partitions}]:{user_data}" if user_data else f"{name}=[{partitions}]"


def _hex(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big'):X}" if data else ""
