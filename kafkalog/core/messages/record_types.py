"""The record types of a coordinator's topic: which messages a key's type stands for, in which releases."""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.messages.schema import NEWEST, Release, Schema, schema

__all__ = ["RecordType", "find_record_type", "record_type"]


class RecordType(NamedTuple):
    """A record type: its number, its messages, the first release that knows it and the first that does not any more."""

    number: int
    key: Schema
    value: Schema
    since: Release
    until: Release

    @property
    def name(self) -> str:
        """Kafka's name of the type: that of its key message without `Key`."""
        return self.key.name.removesuffix("Key")


def record_type(number: int, name: str, key: str, value: str, *, since: str, until: str = "", source: str) -> RecordType:
    """A record type whose key is version 0 in plain form and whose value is version 0 in flexible form."""
    key_schema = schema(f"{name}Key", key, versions=f"{number}={since}", source=source, key=number)
    value_schema = schema(f"{name}Value", value, versions=f"0={since}", flexible=0, source=source, key=number)
    end = tuple(int(part) for part in until.split(".")) if until else NEWEST
    return RecordType(number, key_schema, value_schema, key_schema.versions[0][1], end)


def find_record_type(types: tuple[RecordType, ...], number: int, release: Release = NEWEST) -> RecordType | None:
    """The type of that number as `release` knows it, or None; for the newest form, types that are gone count, too."""
    found = None
    for item in types:
        if item.number == number:
            if item.since <= release < item.until:
                return item
            found = item
    if release is not NEWEST:
        return None
    return found
