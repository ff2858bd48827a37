"""Walking a log through damage: nothing behind it is lost, nothing is lost at all, and hostile bytes do not slow it down."""

from __future__ import annotations

import itertools
import random
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import BytesSource, Window, find_batch, walk
from kafkalog.errors import BadLength, FormatError, Truncated, UnknownMagic
from kafkalog.span import Padding
from tests import encode
from tests.encode import R


def offsets(items):
    return [item.last_offset for item in items if isinstance(item, RecordBatch | LegacyBatch)]


def damages(items):
    return [item for item in items if isinstance(item, Damage)]


def read(data):
    return list(walk(BytesSource(data)))


def batches(count=6, size=100):
    return [encode.batch([R(value=bytes([n]) * size)], base_offset=n) for n in range(count)]


def messages(count=6):
    return [encode.message(n, b"key", bytes([n]) * 40, magic=n % 2) for n in range(count)]


@pytest.mark.parametrize("sound", [batches(), messages()], ids=["magic-2", "magic-0-and-1"])
@pytest.mark.parametrize(
    "garbage", [b"\xff", b"\0" * 7, b"\0" * 4096, b"garbage " * 100, bytes(range(256)) * 20, b"\x02" * 500]
)
def test_garbage_between_batches_is_one_damage_and_the_rest_is_read(sound, garbage):
    items = read(sound[0] + sound[1] + garbage + b"".join(sound[2:]))
    assert offsets(items) == [0, 1, 2, 3, 4, 5]
    (damage,) = damages(items)
    start = len(sound[0]) + len(sound[1])
    assert damage.span == (start, start + len(garbage), None)


@pytest.mark.parametrize("sound", [batches(), messages()], ids=["magic-2", "magic-0-and-1"])
@pytest.mark.parametrize("wrong", [0, -1, 13, 14, 30, 48, 49, 60, 70, 150, 300, 10_000, 2**31 - 1, -(2**31)])
def test_a_wrong_length_field_costs_its_own_batch_only(sound, wrong):
    changed = sound[2][:8] + struct.pack(">i", wrong) + sound[2][12:]
    items = read(b"".join([*sound[:2], changed, *sound[3:]]))
    assert {0, 1, 3, 4, 5} <= {item.last_offset for item in items if not isinstance(item, Damage | Padding) and item.crc_ok}
    end = len(sound[0]) + len(sound[1]) + len(changed)
    assert any(item.span.start == end for item in items)


def test_a_wrong_checksum_is_a_batch_that_can_be_read():
    sound = batches(3)
    sound[1] = sound[1][:-2] + b"X" + sound[1][-1:]
    items = read(b"".join(sound))
    assert [item.crc_ok for item in items] == [True, False, True]
    assert "CRC WRONG" in repr(items[1])
    (record,) = items[1].records()
    assert record.value.endswith(b"X")


def test_the_last_batch_may_have_a_wrong_checksum_too():
    (item,) = read(batches(1)[0][:-1] + b"?")
    assert not item.crc_ok


@pytest.mark.parametrize(
    ("tail", "kind"),
    [
        (b"\x01", Truncated),
        (b"\x01" * 17, Truncated),
        (struct.pack(">qii", 9, 13, 0) + b"\x02" + bytes(60), BadLength),
        (struct.pack(">qii", 9, 48, 0) + b"\x02" + bytes(60), BadLength),
        (struct.pack(">qii", 9, 21, 0) + b"\x01" + bytes(60), BadLength),
        (struct.pack(">qii", 9, 60, 0) + b"\x03" + bytes(60), UnknownMagic),
        (struct.pack(">qii", 9, 60, 0) + b"\xff" + bytes(60), UnknownMagic),
        (struct.pack(">qii", 9, 5000, 0) + b"\x02" + bytes(60), Truncated),
    ],
)
def test_damage_says_what_is_wrong(tail, kind):
    items = read(b"".join(batches(2)) + tail)
    (damage,) = damages(items)
    assert type(damage.error) is kind
    assert damage.span.size == len(tail)
    assert str(damage.error) in repr(damage)


def test_zeros_up_to_the_end_are_padding_and_zeros_before_a_batch_are_damage():
    sound = batches(2)
    assert [type(item) for item in read(sound[0] + bytes(5000))] == [RecordBatch, Padding]
    assert [type(item) for item in read(sound[0] + bytes(5000) + sound[1])] == [RecordBatch, Damage, RecordBatch]
    assert [type(item) for item in read(bytes(100))] == [Padding]
    assert read(b"") == []


def test_a_walk_may_begin_and_end_anywhere():
    sound = batches(4)
    data = b"".join(sound)
    size = len(sound[0])
    assert offsets(walk(BytesSource(data), size)) == [1, 2, 3]
    assert offsets(walk(BytesSource(data), size, 3 * size)) == [1, 2]
    assert [type(item) for item in walk(BytesSource(data), size, 3 * size - 1)] == [RecordBatch, Damage]
    assert offsets(walk(BytesSource(data), size - 5)) == [1, 2, 3]


def test_a_batch_inside_a_larger_buffer_is_read_like_alone():
    sound = b"".join(batches(3))
    alone = read(sound)
    inside = list(walk(BytesSource(b"junk" * 10 + sound + b"tail"), 40, 40 + len(sound)))
    assert [item.data for item in inside] == [item.data for item in alone]
    assert [item.position for item in inside] == [item.position + 40 for item in alone]


def test_batches_kept_in_values_are_not_taken_for_the_logs_own():
    inner = encode.batch([R(value=b"inner")], base_offset=77)
    outer = [encode.batch([R(value=inner)], base_offset=n) for n in range(3)]
    outer[1] = outer[1][:17] + b"\0\0\0\0" + outer[1][21:]  # its checksum is wrong; its length is right
    assert offsets(read(b"".join(outer))) == [0, 1, 2]


class SmallWindows:
    """A source that hands out as little as it may."""

    def __init__(self, data, more=0):
        self.data = data
        self.more = more
        self.size = len(data)

    def window(self, position, need):
        return Window(position, self.data[position : position + need + self.more])


@given(st.integers(0, 2**32), st.integers(0, 200))
def test_the_same_is_seen_through_the_smallest_windows(seed, more):
    rng = random.Random(seed)
    pieces = []
    for n in range(rng.randrange(8)):
        kind = rng.randrange(6)
        if kind < 2:
            pieces.append(encode.batch([R(value=rng.randbytes(rng.randrange(200)))], base_offset=n))
        elif kind == 2:
            pieces.append(encode.message(n, None, rng.randbytes(rng.randrange(80)), magic=rng.randrange(2)))
        elif kind == 3:
            pieces.append(rng.randbytes(rng.randrange(1, 100)))
        elif kind == 4:
            pieces.append(bytes(rng.randrange(1, 2000)))
        else:
            good = bytearray(encode.batch([R(value=rng.randbytes(30))], base_offset=n))
            good[rng.randrange(len(good))] ^= 1 << rng.randrange(8)
            pieces.append(bytes(good[: rng.choice([len(good), rng.randrange(len(good))])]))
    data = b"".join(pieces)

    def look(source):
        return [(type(item), item.span, str(getattr(item, "error", "")), getattr(item, "data", b"")) for item in walk(source)]

    seen = look(BytesSource(data))
    assert look(SmallWindows(data, more)) == seen
    assert list(itertools.accumulate((span.size for _, span, _, _ in seen), initial=0))[-1] == len(data)
    assert all(span.size > 0 for _, span, _, _ in seen)


@pytest.mark.parametrize("sound", [batches(), messages()], ids=["magic-2", "magic-0-and-1"])
@pytest.mark.parametrize("last", [3, 4, 5])
def test_a_length_that_ends_where_a_later_batch_does_hides_none(sound, last):
    wrong = sum(map(len, sound[2 : last + 1])) - 12
    items = read(b"".join([*sound[:2], sound[2][:8] + struct.pack(">i", wrong) + sound[2][12:], *sound[3:]]))
    assert offsets(items) == [0, 1, 3, 4, 5]
    assert [damage.span.start for damage in damages(items)] == [sum(map(len, sound[:2]))]


def test_batches_in_a_record_are_no_batches_of_the_log():
    inner = b"".join(batches())
    for records in ([R(value=inner)], [R(value=b"", headers=[(b"h", inner)])]):
        outer = bytearray(encode.batch(records, base_offset=100))
        outer[30] ^= 1
        assert [type(item) for item in read(bytes(outer) + batches()[0])] == [RecordBatch, RecordBatch]


@given(st.binary(max_size=400))
def test_any_bytes_are_walked_to_their_end(data):
    position = 0
    for item in walk(BytesSource(data)):
        assert item.span.start == position
        position = item.span.end
        if not isinstance(item, Damage | Padding):
            list(item.walk_records())
    assert position == len(data)


def fake(length):
    """A head that looks sound and claims `length` bytes, so that they must be checksummed in vain."""
    return struct.pack(">qiibIhiqqqhii", 5, length, 0, 2, 1, 0, 0, 0, 0, -1, -1, -1, 1)


GOOD = encode.batch([R(value=b"v")])
HOSTILE = {
    "zeros with a few bytes": b"".join(b"\x07" + bytes(9_999) for _ in range(100)),
    "small numbers": b"\0\0\0\x01" * 100_000,
    "heads that claim half a megabyte": b"x" + fake(500_000) * 15_000,
    "a byte of garbage after each batch": (GOOD + b"\xff") * 12_000,
    "a false head after each batch": (GOOD + b"\xff" + fake(300_000)) * 6_000,
    "wrong checksums": (GOOD[:-1] + b"w") * 12_000,
    "false heads of old messages": b"\xff" + (struct.pack(">qiIbb", 5, 300_000, 1, 1, 0) + bytes(20)) * 15_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_walked_in_time_that_grows_with_their_size_only(name):
    # 0.4 to 1 MB each take well under a second; what grows with the square takes minutes.
    data = HOSTILE[name]
    start = time.process_time()
    items = read(data)
    assert time.process_time() - start < 20
    assert items[-1].span.end == len(data)


def test_a_sound_batch_is_found_behind_many_false_heads():
    data = b"\xff" + fake(500_000) * 15_000 + GOOD
    items = read(data)
    assert [type(item) for item in items] == [Damage, RecordBatch]


def test_the_search_for_a_batch_can_be_bounded():
    sound = b"".join(batches(2))
    source = BytesSource(b"\xff" * 100 + sound)
    assert find_batch(source, 0, source.size) == 100
    assert find_batch(source, 0, source.size, before=100) is None
    assert find_batch(source, 0, source.size, before=101) == 100
    assert find_batch(source, 0, 150) is None
    assert find_batch(source, 101, source.size) == 100 + len(sound) // 2


def test_every_error_of_the_walk_is_of_the_one_family():
    rng = random.Random(3)
    for _ in range(300):
        for item in read(rng.randbytes(rng.randrange(300))):
            assert not isinstance(item, Damage) or isinstance(item.error, FormatError)


def test_a_message_that_takes_in_the_tiny_ones_after_it_is_damage_and_these_are_found():
    tiny = [encode.message(n, None, None, magic=0) for n in range(4)]
    assert len(tiny[0]) < 61
    wrong = bytearray(tiny[0])
    wrong[8:12] = struct.pack(">i", 4 * len(tiny[0]) - 12)
    found = read(bytes(wrong) + b"".join(tiny[1:]))
    assert offsets(found) == [1, 2, 3]
    assert [item.span.end for item in damages(found)] == [len(tiny[0])]
