"""Messages of magic 0 and 1: wrappers, relative offsets, timestamp types, and what may be wrong with them."""

from __future__ import annotations

import pytest

from kafkalog.core.batch import Damage
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import BytesSource, first_offset, told_base_offset, walk
from kafkalog.errors import BadLength, DecompressionFailed, FormatError, LimitExceeded
from tests import encode

LOG_APPEND_TIME = 8


def wrapper(inner, offset, *, magic=1, codec=1, attributes=0, timestamp=9000, compress=None):
    compress = compress or encode.CODECS[codec]
    return encode.message(
        offset, None, compress(b"".join(inner)), magic=magic, attributes=codec | attributes, timestamp=timestamp
    )


def read(data):
    (batch,) = walk(BytesSource(data))
    assert isinstance(batch, LegacyBatch)
    assert batch.crc_ok
    return batch


@pytest.mark.parametrize("codec", [1, 2, 3])
def test_offsets_inside_a_wrapper_of_magic_1_are_relative(codec):
    inner = [encode.message(n, b"k", b"%d" % n, timestamp=1000 + n) for n in range(3)]
    batch = read(wrapper(inner, 102, codec=codec))
    assert [(r.offset, r.stored_offset, r.timestamp, r.value) for r in batch.records()] == [
        (100, 0, 1000, b"0"),
        (101, 1, 1001, b"1"),
        (102, 2, 1002, b"2"),
    ]
    assert (batch.base_offset, batch.last_offset, batch.next_offset) == (100, 102, 103)


def test_offsets_inside_a_wrapper_may_have_gaps():
    inner = [encode.message(n, None, None) for n in (0, 5, 7)]
    assert [r.offset for r in read(wrapper(inner, 57)).records()] == [50, 55, 57]


def test_a_wrapper_with_offset_zero_has_its_inner_offsets_as_they_are():
    inner = [encode.message(n, None, b"v") for n in range(3)]
    assert [r.offset for r in read(wrapper(inner, 0)).records()] == [0, 1, 2]


def test_offsets_inside_a_wrapper_of_magic_0_are_absolute():
    inner = [encode.message(n, b"k", b"v", magic=0) for n in (40, 41)]
    batch = read(wrapper(inner, 41, magic=0))
    assert [(r.offset, r.timestamp) for r in batch.records()] == [(40, -1), (41, -1)]
    assert batch.timestamp_type == "NoTimestampType"


def test_old_clients_lz4_frames_are_read_in_magic_0():
    inner = [encode.message(3, b"k", b"v", magic=0)]
    data = wrapper(inner, 3, magic=0, codec=3, compress=lambda d: encode.lz4_frame(d, old_header_checksum=True))
    assert [r.value for r in read(data).records()] == [b"v"]


def test_the_time_of_a_wrapper_with_append_time_is_that_of_all_inside():
    inner = [encode.message(n, None, b"v", timestamp=5) for n in range(2)]
    batch = read(wrapper(inner, 11, attributes=LOG_APPEND_TIME, timestamp=777))
    assert [r.timestamp for r in batch.records()] == [777, 777]
    assert batch.timestamp_type == "LogAppendTime"


def test_null_and_empty_keys_and_values_are_told_apart():
    for key in (None, b"", b"k"):
        for value in (None, b"", b"v"):
            for magic in (0, 1):
                (record,) = read(encode.message(0, key, value, magic=magic)).records()
                assert (record.key, record.value, record.headers) == (key, value, ())


def damage_of(data):
    *_, damage = read(data).walk_records()
    assert isinstance(damage, Damage)
    with pytest.raises(type(damage.error)):
        list(read(data).records())
    return damage


def test_a_wrapper_without_a_value_is_damage():
    assert isinstance(damage_of(encode.message(5, None, None, attributes=1)).error, FormatError)


def test_a_wrapper_of_nothing_is_damage():
    assert isinstance(damage_of(wrapper([], 5)).error, FormatError)


def test_a_wrapper_of_nothing_has_no_first_offset_but_that_of_its_header():
    batch = read(wrapper([], 7))
    with pytest.raises(FormatError):
        batch.base_offset  # noqa: B018
    assert (first_offset(batch), told_base_offset(batch)) == (7, None)
    plain = read(encode.message(7, b"k", b"v"))
    assert (first_offset(plain), told_base_offset(plain)) == (7, 7)


def test_a_wrapper_whose_offset_is_below_its_last_message_is_damage():
    inner = [encode.message(n, None, b"v") for n in range(5)]
    assert "below" in str(damage_of(wrapper(inner, 2)).error)


def test_a_cut_stream_inside_a_wrapper_is_damage_behind_what_could_be_read():
    inner = b"".join(encode.message(n, b"k", bytes([65 + n]) * 500) for n in range(10))
    packed = encode.gzip_member(inner)
    data = encode.message(9, None, packed[: len(packed) // 2], attributes=1)
    assert isinstance(damage_of(data).error, DecompressionFailed)


def test_an_inner_length_that_does_not_fit_is_damage_with_its_place():
    inner = encode.message(0, b"k", b"v")
    broken = inner + encode.message(1, b"k", b"v")[:-3]
    damage = damage_of(wrapper([broken], 1))
    assert damage.span == (len(inner), len(broken), 0)
    assert isinstance(damage.error, BadLength)


def test_an_inner_checksum_that_is_wrong_is_a_property():
    inner = [encode.message(0, b"k", b"v", crc=1), encode.message(1, b"k", b"v")]
    assert [r.crc_ok for r in read(wrapper(inner, 1)).records()] == [False, True]


def test_the_limit_holds_for_wrappers_too():
    batch = read(wrapper([encode.message(0, None, bytes(100_000))], 0))
    with pytest.raises(LimitExceeded):
        list(batch.records(limit=1000))
    (damage,) = batch.walk_records(limit=1000)
    assert isinstance(damage.error, LimitExceeded)


def test_key_and_value_lengths_that_do_not_fit_are_errors():
    body = encode.message(0, b"key", b"value")
    for at in (26, 33):
        for wrong in (-2, 1000, 2**31 - 1):
            changed = body[:at] + wrong.to_bytes(4, "big", signed=True) + body[at + 4 :]
            for item in walk(BytesSource(changed)):
                list(item.walk_records())
