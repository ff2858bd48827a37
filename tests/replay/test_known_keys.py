"""A record of a known key says the same as one that is read with care, whatever stands before it."""

from __future__ import annotations

import random
import struct
from dataclasses import asdict

import pytest

from kafkalog.core.messages.records import read_coordinator_record
from kafkalog.replay.groups import read_groups
from kafkalog.replay.known_keys import KnownKeys
from kafkalog.replay.transactions import read_transactions
from tests import encode
from tests.internal_topics import (
    compact,
    group_key,
    group_value,
    modern_key,
    offset_key,
    offset_value,
    streams_epoch,
    string,
    transaction_key,
    transaction_value,
)
from tests.replay.test_groups import batch, write_log

COMMIT, ABORT = 1, 0
#: Values of versions 0, 1, 2, 3 and 4, the last with the id of a topic; one that is cut, one too long, two with
#: odd metadata, one of a version that nobody knows.
VALUES = (
    struct.pack(">hq", 0, 3) + string("") + struct.pack(">q", 9),
    struct.pack(">hq", 1, 4) + string("m") + struct.pack(">qq", 9, 10),
    struct.pack(">hq", 2, 5) + string("") + struct.pack(">q", 9),
    offset_value(6),
    struct.pack(">hqi", 4, 7, 1) + compact("") + struct.pack(">q", 9) + b"\x01\x00\x10" + bytes(range(16)),
    struct.pack(">hqi", 4, 8, 1) + compact("x") + struct.pack(">q", 9) + b"\x01\x09\x02ab",
    offset_value(9)[:-3],
    offset_value(10) + b"left",
    struct.pack(">hqih", 3, 11, 0, 1) + b"\xff" + struct.pack(">q", 9),
    struct.pack(">hqih", 3, 12, 0, -1) + struct.pack(">q", 9),
    struct.pack(">hqi", 9, 13, 1) + compact("") + struct.pack(">q", 9) + b"\x00",
    b"\x00",
    None,
)
KEYS = [offset_key(group, "t", partition, kind) for group in "ab" for partition in (0, 1) for kind in (0, 1, 1)]
KEYS.append(offset_key("a", "t", 0) + b"left")
OTHERS = [
    *((group_key(group), value) for group in "ab" for value in (group_value([("m", b"")]), group_value([], kind=""), None)),
    *((modern_key(17, group), value) for group in "ab" for value in (streams_epoch(1), None)),
]


def end_of_transaction(offset, producer_id, kind):
    key, value = struct.pack(">hh", 0, kind), struct.pack(">hi", 0, 0)
    return encode.batch(
        [encode.R(key=key, value=value)], base_offset=offset, attributes=0x30, producer_id=producer_id, producer_epoch=0
    )


def group_log(rng):
    batches = []
    for offset in range(60):
        chance = rng.random()
        producer_id = rng.choice((-1, -1, 7, 8))
        if chance < 0.08:
            batches.append(batch(offset, *rng.choice(OTHERS)))
        elif chance < 0.16:
            batches.append(end_of_transaction(offset, rng.choice((7, 8)), rng.choice((COMMIT, ABORT))))
        else:
            value = rng.choice(VALUES) if chance < 0.5 else offset_value(100 + offset)
            batches.append(batch(offset, rng.choice(KEYS), value, producer_id=producer_id))
    return batches


def without_known_keys(monkeypatch, read, path):
    with monkeypatch.context() as patch:
        patch.setattr(KnownKeys, "read", lambda *_: None)
        return read(path)


def all_of(found):
    return [*found, *(asdict(group) for group in getattr(found, "groups", {}).values())]


@pytest.mark.parametrize("seed", range(40))
def test_groups_are_the_same(seed, tmp_path, monkeypatch):
    rng = random.Random(seed)
    for number in (0, 1):
        write_log(tmp_path, group_log(rng), f"__consumer_offsets-{number}")
    slow = without_known_keys(monkeypatch, read_groups, tmp_path)
    assert all_of(read_groups(tmp_path)) == all_of(slow)


def test_a_group_that_a_tombstone_removed_is_there_again_after_its_next_commit(tmp_path):
    key = offset_key("a", "t", 0)
    records = (key, offset_value(1)), (group_key("a"), None), (key, offset_value(2)), (modern_key(17, "a"), streams_epoch(1))
    write_log(tmp_path, [batch(offset, *record) for offset, record in enumerate(records)])
    (load,) = read_groups(tmp_path).loads
    assert [(failure.cause, failure.offset) for failure in load.failures if not failure.cause.startswith("unknown")] == [
        ("streams-after-offsets", 3)
    ]


@pytest.mark.parametrize("seed", range(20))
def test_transactions_are_the_same(seed, tmp_path, monkeypatch):
    rng = random.Random(seed)
    values = [
        transaction_value(7, 1, [("t", [0, 1])]),
        transaction_value(7, 4, []),
        transaction_value(8, 1, None),
        transaction_value(9, 99, []),
        transaction_value(9, 1, [("t", [0])])[:-2],
        transaction_value(9, 1, []) + b"left",
        None,
    ]
    batches = []
    for offset in range(40):
        key = transaction_key(rng.choice("abc")) + rng.choice((b"", b"", b"", b"left"))
        batches.append(batch(offset, key, rng.choice(values)))
    write_log(tmp_path, batches, "__transaction_state-0")
    slow = without_known_keys(monkeypatch, read_transactions, tmp_path)
    assert tuple(read_transactions(tmp_path)) == tuple(slow)


def test_only_the_first_value_of_a_version_is_read_with_care(tmp_path, monkeypatch):
    with_care = []

    def read(types, key, value):
        with_care.append(key)
        return read_coordinator_record(types, key, value)

    monkeypatch.setattr("kafkalog.replay.group_replay.read_coordinator_record", read)
    write_log(tmp_path, [batch(offset, offset_key("a", "t", offset % 3), offset_value(offset)) for offset in range(30)])
    assert [item.offset for item in read_groups(tmp_path).offsets] == [27, 28, 29]
    assert len(with_care) == 1


def test_a_name_that_is_no_text_is_one_place_with_the_text_that_it_is_shown_as(tmp_path):
    regular, broken = offset_key("�", "t", 0), b"\0\1\0\1\xff" + offset_key("", "t", 0)[4:]
    write_log(tmp_path, [batch(offset, key, offset_value(offset)) for offset, key in enumerate((regular, regular, broken))])
    assert [(item.group, item.offset) for item in read_groups(tmp_path).offsets] == [("�", 2)]


def test_a_name_of_bytes_that_are_no_text_can_be_longer_than_any_that_a_regular_key_holds(tmp_path):
    long = b"\0\1\x7f\xff" + b"\xff" * 0x7FFF + offset_key("", "t", 0)[4:]
    write_log(tmp_path, [batch(offset, long, offset_value(offset)) for offset in range(2)])
    assert [(len(item.group), item.offset) for item in read_groups(tmp_path).offsets] == [(0x7FFF, 1)]


def test_committed_offsets_are_a_sequence_by_group_topic_and_partition(tmp_path):
    places = [("b", "t", 10), ("a", "u", 1), ("b", "s", 3), ("b", "t", 9), ("a", "t", 2)]
    write_log(tmp_path, [batch(offset, offset_key(*place), offset_value(offset)) for offset, place in enumerate(places)])
    offsets = read_groups(tmp_path).offsets
    assert [item[:3] for item in offsets] == sorted(places)
    assert [offsets[at] for at in range(5)] == [offsets[at - 5] for at in range(5)] == list(offsets) == offsets[:]
    assert offsets[1:3] == list(offsets)[1:3]
    assert [offsets.count_of(group) for group in "abc"] == [2, 3, 0]
    for at in (5, -6):
        with pytest.raises(IndexError):
            offsets[at]
