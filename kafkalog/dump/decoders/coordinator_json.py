"""The JSON texts of coordinators' records: offsets since 3.8, share group state since 4.0, transactions since 4.1.

Source: DumpLogSegments.scala 3.8.0 to 4.2.0, DumpLogSegments.java 4.3.1 and 4.4.0, CoordinatorRecordSerde.java 3.8 to 4.4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION, read_consumer_protocol
from kafkalog.core.messages.group import GROUP_METADATA_VALUE
from kafkalog.core.messages.json_form import compact_json, kafka_json, regular_json
from kafkalog.core.messages.object_texts import CoordinatorTexts
from kafkalog.core.messages.reader import NOT_REGULAR, kafka_reason, read_message
from kafkalog.core.messages.record_types import RecordType, find_record_type
from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.core.messages.transaction import TRANSACTION_LOG_VALUE, TRANSACTION_STATES
from kafkalog.dump.decoder_changes import VALUE_VERSIONS_STRICT
from kafkalog.dump.decoders.base import DELETED, Texts
from kafkalog.dump.dialects import dialect_of
from kafkalog.errors import DecoderFailed, FormatError

if TYPE_CHECKING:
    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.schema import Release, Schema

__all__ = ["CoordinatorJson"]

_CONSUMER = "consumer"
#: Keys come again and again: so many are kept, of so many bytes at most.
_MOST_KEYS, _SHORT = 1 << 14, 512


class _Skipped(Exception):
    """The record cannot be decoded; the real tool prints this in place of the key."""


#: What `regular_json` gives.
_Tell = Callable[[bytes, int], tuple[str, int]]


class _Key(NamedTuple):
    """What a key says: the record type, its text; and what makes the texts of regular values, by the bytes of their version."""

    kind: RecordType
    text: bytes
    values: dict[bytes, _Tell]


class CoordinatorJson:
    """The decoder of one release for one coordinator's topic.

    Args:
        release: The release whose texts are made.
        types: The topic's record types.
        label: What the JSON calls the value's version.
    """

    def __init__(self, release: Release, types: tuple[RecordType, ...], label: str = "version") -> None:
        self.release = release
        self.types = types
        self.label = label
        self.strict_versions = VALUE_VERSIONS_STRICT.applies_to(release)
        self._objects = CoordinatorTexts(types)
        self._keys: dict[bytes, _Key] = {}
        #: By record type.
        self._values: dict[int, dict[bytes, _Tell]] = {}
        self.state_names = dialect_of(release).transaction_state_names
        #: Fields of values whose numbers are shown as names.
        self._names = {TRANSACTION_LOG_VALUE: (("transactionStatus", TRANSACTION_STATES),)} if self.state_names else {}

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:  # noqa: ARG002
        """See `Decoder`."""
        return read_coordinator_record(self.types, key, value).as_object()

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:
        """See `Decoder`."""
        return self._objects.of(key, value)

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:
        """See `Decoder`."""
        found = self._keys.get(key)  # type: ignore[arg-type]  # None is no key of it
        if found is not None and value is not None:
            try:
                return found.text, found.values[value[:2]](value, 2)[0].encode()
            except NOT_REGULAR:
                pass
        if key is None:
            raise DecoderFailed(f"Failed to decode message at offset {offset} (message had a missing key)")
        try:
            if found is None:
                found = self._known(offset, key)
            return found.text, DELETED if value is None else self._payload(offset, found, value)
        except _Skipped as skipped:
            return str(skipped).encode(), None

    def _known(self, offset: int, key: bytes) -> _Key:
        """A key, which is kept."""
        found = self._key(offset, key)
        if len(self._keys) >= _MOST_KEYS:
            self._keys.clear()
        if len(key) <= _SHORT:
            self._keys[key] = found
        return found

    def _key(self, offset: int, key: bytes) -> _Key:
        cursor = Cursor(key)
        number = self._version(offset, cursor, "key")
        kind = find_record_type(self.types, number, self.release)
        if kind is None:
            raise _Skipped(f"Unknown record type {number} at offset {offset}, skipping.")
        begin = f'{{"type":"{number}","data":'
        try:
            text, _ = regular_json(kind.key, number, self.release, before=begin, after="}")(key, 2)
        except NOT_REGULAR:
            fields = self._read(offset, cursor, kind.key, number, "key")
            text = f"{begin}{compact_json(kafka_json(fields, kind.key, number, self.release))}}}"
        return _Key(kind, text.encode(), self._values.setdefault(number, {}))

    def _teller(self, schema: Schema, version: int) -> _Tell:
        """What makes the text of regular values of a version."""
        begin = f'{{"{self.label}":"{version}","data":'
        return regular_json(schema, version, self.release, before=begin, after="}", names=self._names.get(schema, ()))

    def _payload(self, offset: int, key: _Key, value: bytes) -> bytes:
        kind = key.kind
        schema = kind.value
        version = int.from_bytes(value[:2], "big", signed=True)
        if schema is not GROUP_METADATA_VALUE and 0 <= version <= schema.highest(self.release):
            tell = key.values[value[:2]] = self._teller(schema, version)
            try:
                return tell(value, 2)[0].encode()
            except NOT_REGULAR:
                pass
        cursor = Cursor(value)
        version = self._version(offset, cursor, "value")
        if self.strict_versions and not 0 <= version <= schema.highest(self.release):
            raise _Skipped(
                f"Error at offset {offset}, skipping. Found an unknown record version {version} for {kind.number} type"
            )
        message = self._read(offset, cursor, schema, version, "value")
        data = kafka_json(message, schema, version, self.release)
        if schema is GROUP_METADATA_VALUE and message["protocolType"] == _CONSUMER:
            for member, shown in zip(message["members"], data["members"], strict=True):
                self._replace(shown, "subscription", member["subscription"], SUBSCRIPTION)
                self._replace(shown, "assignment", member["assignment"], ASSIGNMENT)
        if schema is TRANSACTION_LOG_VALUE and self.state_names:
            data["transactionStatus"] = _state_name(message["transactionStatus"])
        return compact_json({self.label: str(version), "data": data}).encode()

    def _replace(self, shown: dict[str, Any], field: str, data: bytes, schema: Schema) -> None:
        """Show what the bytes say, if they can be read."""
        try:
            version, message = read_consumer_protocol(data, schema, self.release)
        except FormatError:
            return
        shown[field] = kafka_json(message, schema, version, self.release)

    @staticmethod
    def _version(offset: int, cursor: Cursor, place: str) -> int:
        try:
            return cursor.int16()
        except FormatError:
            reason = f"Could not read version from {place}'s buffer."
            raise _Skipped(f"Error at offset {offset}, skipping. {reason}") from None

    def _read(self, offset: int, cursor: Cursor, schema: Schema, version: int, place: str) -> Message:
        try:
            return read_message(cursor, schema, version, self.release)
        except FormatError as error:
            reason = f"Could not read record with version {version} from {place}'s buffer due to: {kafka_reason(error)}."
            raise _Skipped(f"Error at offset {offset}, skipping. {reason}") from None


def _state_name(number: int) -> str:
    """The name of a transaction's state; a number that is none, as text."""
    return TRANSACTION_STATES[number] if 0 <= number < len(TRANSACTION_STATES) else str(number)
