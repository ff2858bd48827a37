"""The keys of committed offsets as bytes: what a replay of a million of them compares and keeps, without reading each."""

from __future__ import annotations

import struct
from functools import lru_cache

__all__ = ["OFFSET_COMMIT", "group_of_key", "offset_key", "place_of_key"]

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


def place_of_key(key: bytes) -> tuple[str, str, int]:
    """Group, topic and partition in such a key."""
    end = _GROUP_AT + int.from_bytes(key[2:_GROUP_AT], "big")
    return key[_GROUP_AT:end].decode(), *_topic_and_partition(key[end:])


@lru_cache(maxsize=4096)
def _topic_and_partition(rest: bytes) -> tuple[str, int]:
    """Those in the rest of a key: most groups have some of the same."""
    return rest[2:-4].decode(), int.from_bytes(rest[-4:], "big", signed=True)
