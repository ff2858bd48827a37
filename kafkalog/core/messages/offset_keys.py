"""The keys of committed offsets as bytes: what a replay of a million of them compares and keeps, without reading each."""

from __future__ import annotations

import struct

__all__ = ["OFFSET_COMMIT", "group_of_key", "offset_key"]

#: The record type of committed offsets in all releases since 0.9.
OFFSET_COMMIT = 1

#: After the record type and the length of the name.
_GROUP_AT = 4


def offset_key(group: str, topic: str, partition: int) -> bytes | None:
    """The key that a coordinator writes; None: a name is too long for one, or no text."""
    try:
        name, of = group.encode(), topic.encode()
        return struct.pack(f">hh{len(name)}sh{len(of)}si", OFFSET_COMMIT, len(name), name, len(of), of, partition)
    except (struct.error, UnicodeEncodeError):
        return None


def group_of_key(key: bytes) -> str:
    """The group in a key of `offset_key`."""
    return key[_GROUP_AT : _GROUP_AT + int.from_bytes(key[2:_GROUP_AT], "big")].decode()
