"""Parts of a declared structure, read and told by the same declaration."""

from __future__ import annotations

import struct

from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    CRC_AT,
    HEADER_UP_TO_MAGIC,
    LEAST_BATCH_LENGTH,
    MAGIC_AT,
    SIZE_AND_MAGIC,
)
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, OffsetIndexEntry
from kafkalog.span import Span
from tests.encode import R, batch


def test_places_of_a_batch_are_those_of_kafka():
    assert (MAGIC_AT, HEADER_UP_TO_MAGIC, CRC_AT, ATTRIBUTES_AT, LEAST_BATCH_LENGTH) == (16, 17, 17, 21, 49)
    assert {LEGACY_HEADER_V0["magic"].at, LEGACY_HEADER_V1["magic"].at} == {MAGIC_AT}


def test_a_partial_reader_skips_what_it_is_not_asked_for():
    assert SIZE_AND_MAGIC.format == ">8xi4xb"
    data = batch([R(value=b"v")], base_offset=7, leader_epoch=3, producer_id=11, producer_epoch=2, base_sequence=5)
    header = BATCH_HEADER.read(data)
    reader = BATCH_HEADER.partial("base_offset", BATCH_HEADER["attributes"].unsigned, "records_count")
    assert reader.unpack_from(data) == (7, header.attributes, 1)
    producer = BATCH_HEADER.raw("producer_id", "base_sequence")
    (raw,) = BATCH_HEADER.partial(producer).unpack_from(data)
    assert raw == struct.pack(">qhi", 11, 2, 5)
    assert BATCH_HEADER.run("producer_id", "base_sequence").unpack(raw) == (11, 2, 5)


def test_an_unsigned_field_is_never_negative():
    data = bytearray(batch([R(value=b"v")]))
    data[ATTRIBUTES_AT : ATTRIBUTES_AT + 2] = b"\xff\xfe"
    assert BATCH_HEADER.read(data).attributes == -2
    assert BATCH_HEADER.partial(BATCH_HEADER["attributes"].unsigned).unpack_from(data) == (0xFFFE,)


def test_what_is_packed_is_read_back():
    entry = OffsetIndexEntry(12, -1)
    assert OFFSET_INDEX_ENTRY.read(OFFSET_INDEX_ENTRY.pack(entry)) == entry


def test_spans_of_entries_are_counted_in_entries():
    assert OFFSET_INDEX_ENTRY.span_of_entries(3) == Span(24, 32)
    assert OFFSET_INDEX_ENTRY.span_of_entries(1, 4) == Span(8, 32)
    assert BATCH_HEADER.span(100) == Span(100, 161)
