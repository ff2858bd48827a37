"""The fast record loop reads exactly as the readable definition does, on sound and on damaged bytes."""

from __future__ import annotations

import copy
import pickle
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.cursor import Cursor
from kafkalog.core.log import BytesSource, walk
from kafkalog.core.record import AbortedRecord, KeptRecord, Record, read_headers, read_record
from kafkalog.core.record_counts import count_records
from kafkalog.errors import FormatError, LimitExceeded
from tests import encode
from tests.encode import R
from tests.log_dirs import fixture

INT64 = st.integers(-(2**63), 2**63 - 1)
small_bytes = st.binary(max_size=200)
records = st.lists(
    st.builds(
        R,
        offset_delta=st.integers(-(2**31), 2**31 - 1),
        key=st.none() | small_bytes,
        value=st.none() | small_bytes | st.binary(min_size=8000, max_size=8400),
        headers=st.lists(st.tuples(small_bytes, st.none() | small_bytes), max_size=3).map(tuple),
        timestamp_delta=st.integers(-(2**40), 2**40) | INT64,
        attributes=st.integers(-128, 127),
    ),
    max_size=6,
)


def slowly(batch):
    """The records by the definition alone, and the error that ends them."""
    data = batch.records_data() if batch.compression_id else batch.data[61:]
    append_time = batch.header.max_timestamp if batch.header.attributes & 8 else None
    cursor = Cursor(data)
    shift = 0 if batch.compression_id else 61
    good = []
    try:
        for _ in range(batch.header.records_count):
            record = read_record(cursor, batch.header.base_offset, batch.header.base_timestamp, append_time)
            good.append(record._replace(start=record.start + shift, end=record.end + shift))
        error = "left over" if cursor.remaining else None
    except FormatError as problem:
        error = type(problem)
    return good, error


def assert_equal_ways(batch):
    try:
        expected, error = slowly(batch)
    except (FormatError, LimitExceeded):
        return
    seen = list(batch.walk_records())
    if error is None and batch.header.records_count >= 0:
        assert seen == expected
        return
    *good, damage = seen
    assert good == expected
    assert isinstance(damage, Damage)
    if isinstance(error, type):
        assert type(damage.error) is error


@given(records, st.sampled_from([0, 8, 1, 2, 3, 4, 12]), st.integers(0, 2**62), INT64, st.integers(-2, 2))
@settings(max_examples=300)
def test_batches_of_the_independent_encoder_are_read_back(rows, attributes, base_offset, base_timestamp, miscount):
    codec = attributes & 7
    data = encode.batch(
        rows,
        attributes=attributes,
        base_offset=base_offset,
        base_timestamp=base_timestamp,
        max_timestamp=7,
        count=max(0, len(rows) + miscount),
        last_offset_delta=0,
        compress=encode.CODECS.get(codec),
    )
    batch = RecordBatch.read(data)
    assert batch.crc_ok
    assert_equal_ways(batch)
    if miscount:
        return
    seen = list(batch.records())
    assert [(r.key, r.value, r.headers) for r in seen] == [(r.key, r.value, r.headers) for r in rows]
    for record, row in zip(seen, rows, strict=True):
        assert (record.offset - base_offset - row.offset_delta) % 2**64 == 0
        assert -(2**63) <= record.offset < 2**63
        if attributes & 8:
            assert record.timestamp == 7
        else:
            assert (record.timestamp - base_timestamp - row.timestamp_delta) % 2**64 == 0
            assert -(2**63) <= record.timestamp < 2**63
        assert batch.detail(record).attributes == row.attributes
        assert batch.detail(record).timestamp_delta == row.timestamp_delta
    assert list(batch.records()) == seen


@given(st.binary(max_size=80), st.integers(-3, 6))
@settings(max_examples=500)
def test_any_record_bytes_are_read_the_same_both_ways(section, count):
    assert_equal_ways(RecordBatch.read(encode.batch(section, count=count)))


@given(records.filter(bool), st.data())
@settings(max_examples=300)
def test_damaged_records_are_read_the_same_both_ways(rows, data):
    section = bytearray(b"".join(encode.record(row) for row in rows))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(section) - 1))
        section[place] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(section)) | st.just(len(section)))
    assert_equal_ways(RecordBatch.read(encode.batch(bytes(section[:cut]), count=len(rows))))


@given(
    st.lists(st.tuples(st.binary(max_size=3) | st.just(b"k" * 70), st.none() | st.binary(max_size=3) | st.just(b"v" * 9000))),
    st.data(),
)
@settings(max_examples=300)
def test_header_sections_sound_and_damaged_are_read_the_same_both_ways(headers, data):
    (row,) = RecordBatch.read(encode.batch([R(key=None, value=None, headers=tuple(headers))])).records()
    section = bytearray(row.raw_headers or b"\0")
    if data.draw(st.booleans()):
        section[data.draw(st.integers(0, len(section) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        section = section[: data.draw(st.integers(1, len(section)))]
    record = Record(0, 0, None, None, bytes(section), 0, 0)
    try:
        expected = read_headers(Cursor(bytes(section)))
    except FormatError as error:
        with pytest.raises(type(error)):
            _ = record.headers
    else:
        assert record.headers == expected


def test_a_record_that_a_batch_gave_is_copied_and_pickled_like_any_other():
    (record,) = RecordBatch.read(encode.batch([R(key=b"k", value=b"v")])).records()
    for other in (record, AbortedRecord(record), KeptRecord(record)):
        for same in (copy.copy(other), copy.deepcopy(other), pickle.loads(pickle.dumps(other))):
            assert (same, type(same), same.is_aborted) == (other, type(other), other.is_aborted)
        assert isinstance(other, Record)
        assert other._replace(offset=7) == (7, *other[1:])


@pytest.mark.parametrize("name", ["twitter-status-0", "many-0", "append-time-0", "odd-times-0"])
def test_real_batches_sound_and_damaged_are_read_the_same_both_ways(name):
    rng = random.Random(name)
    with open(f"{fixture('2.1.1', 'plain').path()}/{name}/00000000000000000000.log", "rb") as file:
        data = file.read()
    for batch in list(walk(BytesSource(data)))[:20]:
        assert_equal_ways(batch)
        for _ in range(10):
            changed = bytearray(batch.data)
            changed[rng.randrange(61, len(changed))] ^= 1 << rng.randrange(8)
            assert_equal_ways(RecordBatch.read(bytes(changed)))


FAT = {
    "varint in five bytes": b"\x80\x80\x80\x80\x00",
    "varint whose last byte is too fat": b"\x80\x80\x80\x80\x7f",
    "varint of six bytes": b"\x80\x80\x80\x80\x80\x00",
    "nothing but continuation": b"\xff" * 12,
}


@pytest.mark.parametrize("name", FAT)
@pytest.mark.parametrize("place", range(6))
def test_odd_varints_are_read_the_same_both_ways(name, place):
    fields = [b"\x00", b"\x00", b"\x00", b"\x01", b"\x01", b"\x00"]  # attributes, timestamp, offset, key, value, headers
    fields[place] = FAT[name] if place else b"\x05"
    body = b"".join(fields)
    assert_equal_ways(RecordBatch.read(encode.batch(encode.varint(len(body)) + body, count=1)))


def test_spans_of_records_and_of_their_parts_are_the_bytes():
    rows = [R(0, b"key-0", b"value-0", ((b"h", b"x"),)), R(1, None, b"value-1")]
    batch = RecordBatch.read(encode.batch(rows), position=1000)
    first, second = batch.records()
    assert batch.span_of_record(first).start == 1061
    assert batch.span_of_record(first).end == batch.span_of_record(second).start
    assert batch.span_of_record(second).end == 1000 + batch.size
    detail = batch.detail(first)
    assert batch.data[detail.key_span.start - 1000 : detail.key_span.end - 1000] == b"key-0"
    assert batch.data[detail.value_span.start - 1000 : detail.value_span.end - 1000] == b"value-0"
    packed = RecordBatch.read(encode.batch(rows, attributes=1, compress=encode.gzip_member), position=1000)
    detail = packed.detail(next(packed.records()))
    assert detail.value_span.space == 1000
    assert packed.records_data()[detail.value_span.start : detail.value_span.end] == b"value-0"


@pytest.mark.parametrize("count", [-1, -(2**31)])
def test_a_negative_count_is_damage_not_an_endless_or_empty_list(count):
    batch = RecordBatch.read(encode.batch([R()], count=count))
    (damage,) = batch.walk_records()
    assert isinstance(damage, Damage)
    with pytest.raises(FormatError):
        list(batch.records())


def test_a_count_in_the_billions_costs_no_time():
    batch = RecordBatch.read(encode.batch([R()], count=2**31 - 1))
    first, damage = batch.walk_records()
    assert first.offset == 0
    assert isinstance(damage, Damage)


def test_a_record_that_claims_a_billion_headers_is_damage():
    body = b"\0\0\0\x01\x01" + encode.varint(10**9)
    (damage,) = RecordBatch.read(encode.batch(encode.varint(len(body)) + body, count=1)).walk_records()
    assert isinstance(damage, Damage)


def test_bytes_behind_the_last_record_are_damage_with_their_place():
    batch = RecordBatch.read(encode.batch(encode.record(R()) + b"extra", count=1), position=500)
    record, damage = batch.walk_records()
    assert damage.span == (500 + record.end, 500 + batch.size, None)
    assert struct.unpack_from(">i", batch.data, 57) == (1,)


some_deltas = st.lists(st.integers(-(2**40), 2**40) | st.integers(-3, 3), min_size=1, max_size=6)


@given(some_deltas | some_deltas.map(lambda deltas: [-abs(delta) - 1 for delta in deltas]))
def test_the_counters_hold_the_extremes_of_all_timestamps_those_below_the_base_too(deltas):
    data = encode.batch([R(offset_delta=at, timestamp_delta=delta) for at, delta in enumerate(deltas)])
    counts = count_records(data, 61, len(data), len(deltas), 0)
    assert (counts.largest, counts.smallest) == (max(deltas), min(0, *deltas))
