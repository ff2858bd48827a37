"""The JSON of what records of internal topics say, made while they are read: of perfectly regular records.

What it is, `as_object` of `records` says; these give the same text, and None for a record that has to be read with care.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.messages.cluster_metadata import find_metadata_type
from kafkalog.core.messages.compiled import NOT_REGULAR
from kafkalog.core.messages.group import GROUP_METADATA_VALUE
from kafkalog.core.messages.json_form import regular_object
from kafkalog.core.messages.record_types import RecordType, find_record_type
from kafkalog.core.messages.records import value_schema
from kafkalog.core.messages.schema import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable

    Tell = Callable[[bytes, int], tuple[str, int]]

__all__ = ["CoordinatorTexts", "MetadataTexts"]

#: Keys come again and again: so many are kept, of so many bytes at most.
_MOST_KEYS, _SHORT = 1 << 14, 512
#: Bytes of a frame of one-byte numbers: its version, the type and its version.
_FRAME, _FRAME_VERSION = 3, 1


class CoordinatorTexts:
    """Those of the records of a coordinator's topic.

    Args:
        types: The topic's record types.
    """

    def __init__(self, types: tuple[RecordType, ...]) -> None:
        self._types = types
        #: Of a key what stands before the value, and what makes the texts of values, by their first two bytes.
        self._keys: dict[bytes, tuple[str, dict[bytes, Tell]]] = {}
        #: What makes these, by the version in front of a key: that text, and the others.
        self._versions: dict[bytes, tuple[Tell, dict[bytes, Tell]]] = {}

    def of(self, key: bytes | None, value: bytes | None) -> str | None:
        """The text of a record."""
        if key is None:
            return None
        known = self._keys.get(key) or self._learn(key)
        if known is None:
            return None
        front, values = known
        if value is None:
            return f"{front}null}}"
        tell = values.get(value[:2]) or self._teller(int.from_bytes(key[:2], "big", signed=True), value[:2])
        if tell is None:
            return None
        values[value[:2]] = tell
        try:
            text, end = tell(value, 2)
        except NOT_REGULAR:
            return None
        return f"{front}{text}" if end == len(value) else None

    def _learn(self, key: bytes) -> tuple[str, dict[bytes, Tell]] | None:
        found = self._versions.get(key[:2]) or self._version(key[:2])
        if found is None:
            return None
        tell, values = found
        try:
            text, end = tell(key, 2)
        except NOT_REGULAR:
            return None
        if end != len(key):
            return None
        known = text, values
        if len(key) <= _SHORT:
            if len(self._keys) >= _MOST_KEYS:
                self._keys.clear()
            self._keys[key] = known
        return known

    def _version(self, head: bytes) -> tuple[Tell, dict[bytes, Tell]] | None:
        number = int.from_bytes(head, "big", signed=True)
        kind = find_record_type(self._types, number) if len(head) > 1 else None
        if kind is None or not 0 <= number <= kind.key.highest(NEWEST):
            return None
        begin = f'{{"key":{{"type":{number},"name":"{kind.name}","data":'
        values: dict[bytes, Tell] = {}
        self._versions[head] = found = regular_object(kind.key, number, before=begin, after='},"value":'), values
        return found

    def _teller(self, number: int, head: bytes) -> Tell | None:
        """What makes the texts of values of a type and a version; None: what consumers have put into them is decoded, too."""
        kind, version = find_record_type(self._types, number), int.from_bytes(head, "big", signed=True)
        assert kind is not None
        schema = value_schema(self._types, kind, version)
        if len(head) < 2 or schema is GROUP_METADATA_VALUE or not 0 <= version <= schema.highest(NEWEST):
            return None
        return regular_object(schema, version, before=f'{{"version":{version},"data":', after="}}")


class MetadataTexts:
    """Those of the records of `__cluster_metadata`."""

    def __init__(self) -> None:
        self._values: dict[bytes, Tell] = {}

    def of(self, value: bytes | None) -> str | None:
        """The text of a record."""
        if value is None:
            return None
        tell = self._values.get(value[:_FRAME]) or self._teller(value[:_FRAME])
        if tell is None:
            return None
        self._values[value[:_FRAME]] = tell
        try:
            text, end = tell(value, _FRAME)
        except NOT_REGULAR:
            return None
        return text if end == len(value) else None

    @staticmethod
    def _teller(head: bytes) -> Tell | None:
        if len(head) < _FRAME or not head.isascii() or head[0] != _FRAME_VERSION:
            return None
        _, number, version = head
        schema = find_metadata_type(number, NEWEST)
        if schema is None or version > schema.highest(NEWEST):
            return None
        begin = (
            f'{{"value":{{"frameVersion":{_FRAME_VERSION},"type":{number},"name":"{schema.name}","version":{version},"data":'
        )
        return regular_object(schema, version, before=begin, after="}}")
