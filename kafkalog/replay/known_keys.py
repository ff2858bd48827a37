"""Keys whose records have been read with care before: of a regular next one, only what it says is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from kafkalog.core.messages.reader import NOT_REGULAR
from kafkalog.core.messages.records import value_reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.record_types import RecordType
    from kafkalog.core.messages.records import CoordinatorRecord

__all__ = ["KnownKeys"]

T = TypeVar("T")


class KnownKeys(Generic[T]):
    """Keys of one record type in one partition, and what each stands for.

    A coordinator's topic tells of the same few keys again and again. What has been learned of one, of its group and of the
    version of its values, need not be worked out for each record.

    Args:
        types: The record types of the topic.
        number: The record type.
    """

    def __init__(self, types: tuple[RecordType, ...], number: int) -> None:
        self._types = types
        self._number = number
        self._places: dict[bytes, T] = {}
        self._readers: dict[bytes, Callable[[bytes, int], tuple[Message, int]]] = {}

    def learn(self, key: bytes | None, value: bytes | None, decoded: CoordinatorRecord, place: T) -> None:
        """A record of the type has been read: `decoded`; its key stands for `place`."""
        if key is None or value is None or decoded.type != self._number or decoded.problem or decoded.version is None:
            return
        self._places[key] = place
        self._readers.setdefault(value[:2], value_reader(self._types, self._number, decoded.version))

    def forget(self, key: bytes | None) -> None:
        """The key has been removed."""
        self._places.pop(key or b"", None)

    def forget_all(self) -> None:
        """What was learned may be true no longer."""
        self._places.clear()

    def read(self, key: bytes | None, value: bytes | None) -> tuple[T, bytes, Message] | None:
        """What a known key stands for, its regular value, and what that says; None: the record has to be read with care."""
        place = self._places.get(key)  # type: ignore[arg-type]  # None is no key of it
        if place is None or value is None:
            return None
        try:
            message, end = self._readers[value[:2]](value, 2)
        except (KeyError, *NOT_REGULAR):
            return None
        return (place, value, message) if end == len(value) else None
