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


def _gone(record):
    return record[0], None


def log(*records, base_offset=0):
    """A batch a record."""
    return b"".join(encode.batch([encode.R(0, *record)], base_offset=base_offset + at) for at, record in enumerate(records))


def group_cases(group: str) -> dict[str, tuple[tuple[bytes | None, bytes | None], ...]]:
    """Records of `__consumer_offsets` about one group, by name of the case."""
    commit = offset_key(group, "orders", 0), offset_value(5)
    epoch = modern_key(3, group), consumer_epoch(4)
    member = modern_key(5, group, "m"), consumer_member("c")
    current = modern_key(8, group, "m"), consumer_assignment(4, {})
    target_epoch = modern_key(6, group), consumer_epoch(4)
    return {
        "sound": (commit, (group_key(group), group_value([("m", b"")]))),
        "consumer group": (commit, epoch, member, target_epoch, current),
        "consumer group that went": (
            epoch,
            member,
            target_epoch,
            current,
            *map(_gone, (current, member, target_epoch, epoch)),
        ),
        "tombstones without a group": tuple(map(_gone, (current, member, target_epoch, epoch))),
        "classic, then consumer": ((group_key(group), group_value([("m", b"")])), epoch),
        "classic with nobody, then consumer": ((group_key(group), group_value([], kind="", protocol=None)), epoch),
        "classic that went, then consumer": ((group_key(group), group_value([("m", b"")])), (group_key(group), None), epoch),
        "consumer, then share": (epoch, (modern_key(11, group), share_epoch(1))),
        "offsets, then share": (commit, (modern_key(11, group), share_epoch(1))),
        "offsets, then streams": (commit, (modern_key(17, group), streams_epoch(1))),
        "member goes before its assignment": (epoch, member, current, _gone(member)),
        "group goes before its members": (epoch, member, current, _gone(epoch)),
        "group goes before its target": (epoch, _gone(epoch)),
        "unknown type": (commit, (struct.pack(">h", 99) + b"x", b"y")),
        "unknown version": (commit, (offset_key(group, "orders", 1), struct.pack(">h", 9) + offset_value(1)[2:])),
        "value cut short": (commit, (offset_key(group, "orders", 1), offset_value(1)[:9])),
        "no key": (commit, (None, b"x")),
        "key of one byte": (commit, (b"\x00", b"x")),
    }


GROUP_CASES = group_cases("g")
