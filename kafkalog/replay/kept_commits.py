"""Committed offsets as their records have them: of most, a later one comes before anybody asks what it says.

They are kept by place: by the key of a regular record about it, which takes the least memory.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.offset_keys import OFFSET_COMMIT, group_of_key, offset_key, place_of_key
from kafkalog.core.messages.records import value_reader
from kafkalog.replay.group_state import CommittedOffset

if TYPE_CHECKING:
    from kafkalog.core.messages.reader import Message

__all__ = [
    "Commits",
    "Expiry",
    "KeptCommit",
    "Place",
    "commit_of",
    "group_of",
    "key_of",
    "place_of",
    "read_commit",
    "record_offset_of",
]

#: A group, a topic and a partition.
Place = tuple[str, str, int]
#: The value of a regular record, its file and its offset; or what was read with care.
KeptCommit = tuple[bytes, str, int] | CommittedOffset
#: By the key of a regular record about the place; by the place itself where it has no such key.
Commits = dict[bytes | Place, KeptCommit]
#: From the time of a commit and the time of expiry stored with it, -1 none, to the time when it expires.
Expiry = Callable[[int, int], int | None]


def key_of(place: Place) -> bytes | Place:
    """The key of a regular record about a place, or the place, which no such key can name."""
    return offset_key(*place) or place


def group_of(key: bytes | Place) -> str:
    """The group of a place."""
    return key[0] if isinstance(key, tuple) else group_of_key(key)


def place_of(key: bytes | Place) -> Place:
    """The place of a key."""
    return key if isinstance(key, tuple) else place_of_key(key)


def record_offset_of(commit: KeptCommit) -> int:
    """The offset of its record."""
    return commit.record_offset if isinstance(commit, CommittedOffset) else commit[2]


def read_commit(key: bytes | Place, commit: KeptCommit, expiry: Expiry | None = None) -> CommittedOffset:
    """What a commit says, and when it expires; None: that is not asked."""
    if isinstance(commit, CommittedOffset):
        times = commit.commit_timestamp, commit.expire_timestamp
        return commit if expiry is None else commit._replace(expires_at=expiry(*times))
    value, path, record_offset = commit
    message, _ = _reader_of(value[:2])(value, 2)
    return commit_of(place_of(key), message, path, record_offset, expiry)


@cache
def _reader_of(version: bytes) -> Callable[[bytes, int], tuple[Message, int]]:
    return value_reader(GROUP_RECORDS, OFFSET_COMMIT, int.from_bytes(version, "big"))


def commit_of(place: Place, value: Message, path: str, record_offset: int, expiry: Expiry | None = None) -> CommittedOffset:
    """A commit out of the fields of its record's value."""
    get = value.get
    topic_id, committed, expires = get("topicId"), value["commitTimestamp"], get("expireTimestamp", -1)
    return CommittedOffset(
        *place,
        value["offset"],
        get("leaderEpoch", -1),
        value["metadata"],
        committed,
        expires,
        topic_id if topic_id is not None and topic_id.int else None,
        path,
        record_offset,
        expires_at=None if expiry is None else expiry(committed, expires),
    )
