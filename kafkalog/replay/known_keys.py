"""Keys whose records have been read with care before: of a regular next one, only what it says is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from kafkalog.core.messages.reader import NOT_REGULAR
from kafkalog.core.messages.records import key_reader, value_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.record_types import RecordType
    from kafkalog.core.messages.records import CoordinatorRecord

__all__ = ["KnownKeys"]

T = TypeVar("T")


class KnownKeys(Generic[T]):
    """Keys of one record type in one partition, of which regular records need not be read with care.

    A coordinator's topic tells of the same few keys again and again, or of very many in the same way. What has been learned
    of a version of their values, and of a key, need not be worked out for each record.

    Args:
        types: The record types of the topic.
        number: The record type.
        begin: Called with the fields of a regular key that was not known; gives what it stands for.
        only: The fields of values that are asked for.
    """

    def __init__(self, types: tuple[RecordType, ...], number: int, begin: Callable[[Message], T], only: frozenset[str]) -> None:
        self._types = types
        self._number = number
        self._begin = begin
        self._only = only
        self._type = number.to_bytes(2, "big")
        self._read_key = key_reader(types, number)
        self._keys: dict[bytes, T] = {}
        self._readers: dict[bytes, Callable[[bytes, int], tuple[Message, int]]] = {}

    def learn(self, value: bytes | None, decoded: CoordinatorRecord) -> None:
        """A record has been read with care: others with values of its version need not be."""
        if value is None or decoded.type != self._number or decoded.problem or decoded.version is None:
            return
        self._readers.setdefault(value[:2], value_reader(self._types, self._number, decoded.version, self._only))

    def forget(self, key: bytes | None) -> None:
        """The key has been removed."""
        self._keys.pop(key or b"", None)

    def forget_all(self) -> None:
        """What was learned of keys may be true no longer."""
        self._keys.clear()

    def read(self, key: bytes | None, value: bytes | None) -> tuple[T, bytes, Message] | None:
        """What a regular key stands for, its regular value, and what is asked of that; None: it has to be read with care."""
        if key is None or value is None:
            return None
        try:
            message, end = self._readers[value[:2]](value, 2)
            if end != len(value):
                return None
            if key in self._keys:
                return self._keys[key], value, message
            fields, end = self._read_key(key, 2)
        except (KeyError, *NOT_REGULAR):
            return None
        if end != len(key) or key[:2] != self._type:
            return None
        known = self._keys[key] = self._begin(fields)
        return known, value, message
