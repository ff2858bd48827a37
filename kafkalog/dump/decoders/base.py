"""What a decoder is, and the reading that all of them share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages.reader import NOT_REGULAR, Message, kafka_reason, read_message, regular_reader
from kafkalog.errors import DecoderFailed, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.messages.schema import Release, Schema

__all__ = ["DELETED", "Decoder", "Texts", "Values", "read_or_die", "version_or_die"]

#: UTF-8 texts of key and payload; None: nothing is printed, not even the label.
Texts = tuple[bytes | None, bytes | None]

#: What stands for a tombstone.
DELETED = b"<DELETE>"


class Decoder(Protocol):
    """Makes the texts that one release's DumpLogSegments prints for the records of one internal topic."""

    def decode(self, offset: int, key: bytes | None, value: bytes | None) -> Texts:
        """The texts for a record that is no control record.

        Raises:
            DecoderFailed: the real tool dies here.
        """

    def decode_object(self, offset: int, key: bytes | None, value: bytes | None) -> dict[str, Any]:
        """The record as plain JSON values, in the newest form; never fails."""

    def object_text(self, key: bytes | None, value: bytes | None) -> str | None:
        """The same as JSON text, in which only what has to be is escaped; None where that is not made faster."""


def read_or_die(cursor: Cursor, schema: Schema, version: int, release: Release) -> Message:
    """A message, where the real tool dies of one that cannot be read."""
    try:
        return read_message(cursor, schema, version, release)
    except FormatError as error:
        raise DecoderFailed(kafka_reason(error)) from None


def version_or_die(cursor: Cursor, field: str) -> int:
    """The two bytes before a message, where the real tool dies when they are missing."""
    try:
        return cursor.int16(field)
    except FormatError:
        raise DecoderFailed(f"the {field} ends before its version") from None


class Values:
    """Reads values, which begin with their version, where the real tool dies of those that cannot be read.

    Args:
        schema: What they are.
        release: Read them as this release does.
        unknown: What the tool says of a version that it does not know, with `{}` for it.
    """

    def __init__(self, schema: Schema, release: Release, unknown: str) -> None:
        self._schema, self._release, self._unknown = schema, release, unknown
        self._regular: dict[bytes, Callable[[bytes, int], tuple[Message, int]]] = {}

    def read(self, value: bytes) -> Message:
        """The fields of a value."""
        try:
            return self._regular[value[:2]](value, 2)[0]
        except NOT_REGULAR:
            pass
        cursor = Cursor(value)
        version = version_or_die(cursor, "value")
        if not 0 <= version <= self._schema.highest(self._release):
            raise DecoderFailed(self._unknown.format(version))
        self._regular[value[:2]] = regular_reader(self._schema, version, self._release)
        return read_or_die(cursor, self._schema, version, self._release)
