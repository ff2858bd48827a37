"""Logs of internal topics on which coordinators differ: by name, the batches; what they make of them is for the tests."""

from __future__ import annotations

import struct

from tests import encode
from tests.internal_topics import (
    consumer_assignment,
    consumer_epoch,
    consumer_member,
    group_key,
    group_value,
    modern_key,
    offset_key,
    offset_value,
    share_epoch,
    streams_epoch,
)

_COMMIT = offset_key("g", "orders", 0), offset_value(5)
_EPOCH = modern_key(3, "g"), consumer_epoch(4)
_MEMBER = modern_key(5, "g", "m"), consumer_member("c")
_CURRENT = modern_key(8, "g", "m"), consumer_assignment(4, {})
_TARGET_EPOCH = modern_key(6, "g"), consumer_epoch(4)


def _gone(record):
    return record[0], None


def log(*records, base_offset=0):
    """A batch a record."""
    return b"".join(encode.batch([encode.R(0, *record)], base_offset=base_offset + at) for at, record in enumerate(records))


#: Records of `__consumer_offsets`, all of group g but for the last one, of group other.
GROUP_CASES: dict[str, tuple[tuple[bytes | None, bytes | None], ...]] = {
    "sound": (_COMMIT, (group_key("g"), group_value([("m", b"")]))),
    "consumer group": (_COMMIT, _EPOCH, _MEMBER, _TARGET_EPOCH, _CURRENT),
    "consumer group that went": (
        _EPOCH,
        _MEMBER,
        _TARGET_EPOCH,
        _CURRENT,
        *map(_gone, (_CURRENT, _MEMBER, _TARGET_EPOCH, _EPOCH)),
    ),
    "tombstones without a group": tuple(map(_gone, (_CURRENT, _MEMBER, _TARGET_EPOCH, _EPOCH))),
    "classic, then consumer": ((group_key("g"), group_value([("m", b"")])), _EPOCH),
    "classic with nobody, then consumer": ((group_key("g"), group_value([], kind="", protocol=None)), _EPOCH),
    "classic that went, then consumer": ((group_key("g"), group_value([("m", b"")])), (group_key("g"), None), _EPOCH),
    "consumer, then share": (_EPOCH, (modern_key(11, "g"), share_epoch(1))),
    "offsets, then share": (_COMMIT, (modern_key(11, "g"), share_epoch(1))),
    "offsets, then streams": (_COMMIT, (modern_key(17, "g"), streams_epoch(1))),
    "member goes before its assignment": (_EPOCH, _MEMBER, _CURRENT, _gone(_MEMBER)),
    "group goes before its members": (_EPOCH, _MEMBER, _CURRENT, _gone(_EPOCH)),
    "group goes before its target": (_EPOCH, _gone(_EPOCH)),
    "unknown type": (_COMMIT, (struct.pack(">h", 99) + b"x", b"y")),
    "unknown version": (_COMMIT, (offset_key("g", "orders", 1), struct.pack(">h", 9) + offset_value(1)[2:])),
    "value cut short": (_COMMIT, (offset_key("g", "orders", 1), offset_value(1)[:9])),
    "no key": (_COMMIT, (None, b"x")),
    "key of one byte": (_COMMIT, (b"\x00", b"x")),
}
