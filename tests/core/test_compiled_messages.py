"""Generated readers and writers of messages agree with the readable ones, on whatever bytes there are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkalog.core.cursor import Cursor
from kafkalog.core.messages import json_form, reader
from kafkalog.core.messages.cluster_metadata import METADATA_RECORDS
from kafkalog.core.messages.compiled import NOT_REGULAR
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.remote_log import REMOTE_LOG_RECORDS
from kafkalog.core.messages.schema import NEWEST
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.core.messages.transaction import TRANSACTION_RECORDS
from kafkalog.errors import FormatError

SCHEMAS = [
    *(schema for kinds in (GROUP_RECORDS, SHARE_GROUP_RECORDS, TRANSACTION_RECORDS) for kind in kinds for schema in kind[1:3]),
    *(schema for schema, _, _ in METADATA_RECORDS),
    *REMOTE_LOG_RECORDS.values(),
    ASSIGNMENT,
    SUBSCRIPTION,
]
# Small numbers are lengths and counts that fit, zeros are absent tags.
some_bytes = st.lists(
    st.sampled_from([b"\0", b"\0\0", b"\1", b"\2", b"\0\2ab", b"\3ab", b"\xff\xff", b"\x16\x0b", b"\x0f", b'"\\', b"\xc3\xa9"])
    | st.binary(max_size=3),
    max_size=60,
).map(b"".join)


def all_fields(fields):
    for field in fields:
        yield field
        yield from all_fields(field.fields)


@given(
    schema=st.sampled_from(SCHEMAS),
    version=st.integers(-1, 6),
    release=st.sampled_from([NEWEST, (2, 8, 2), (3, 5, 1), (3, 9, 1), (4, 1, 1), (4, 4, 0)]),
    data=some_bytes,
)
@settings(max_examples=400)
def test_what_a_generated_reader_takes_is_read_and_written_as_the_readable_way_does(schema, version, release, data):
    try:
        message, end = reader.regular_reader(schema, version, release)(data, 0)
    except NOT_REGULAR:
        return
    cursor = Cursor(data)
    assert reader._Reader(cursor, schema, version, release).struct(schema.fields) == message
    assert cursor.at == end
    text = json_form.compact_json(json_form.kafka_json(message, schema, version, release))
    try:
        told = json_form.regular_json(schema, version, release, before="<{", after="}>")(data, 0)
    except NOT_REGULAR:
        # A tagged field that holds its default is written by nobody.
        assert any(field.tag is not None for field in all_fields(schema.fields))
    else:
        assert told == (f"<{{{text}}}>", end)
    if release is NEWEST:
        plain = json.dumps(json_form.json_object(message), ensure_ascii=False, separators=(",", ":"))
        assert json_form.regular_object(schema, version, before="<{", after="}>")(data, 0) == (f"<{{{plain}}}>", end)


@given(schema=st.sampled_from(SCHEMAS), version=st.integers(-1, 6), data=some_bytes, number=st.integers(0, 10))
@settings(max_examples=400)
def test_a_reader_of_some_fields_takes_what_a_reader_of_all_takes_and_gives_these(schema, version, data, number):
    only = frozenset(field.name for field in schema.fields[number : number + 2])
    try:
        message, end = reader.regular_reader(schema, version, NEWEST)(data, 0)
    except NOT_REGULAR:
        message, end = None, None
    try:
        part, end_of_part = reader.regular_reader(schema, version, NEWEST, only)(data, 0)
    except NOT_REGULAR:
        assert message is None
        return
    if message is None:
        # Of what nobody asks for the bytes are counted, not looked for.
        assert end_of_part > len(data)
    else:
        assert (part, end_of_part) == ({name: value for name, value in message.items() if name in only}, end)


@pytest.mark.parametrize("schema", [schema for schema in SCHEMAS if schema.fields], ids=lambda schema: schema.name)
def test_a_message_of_zeros_is_regular_when_it_is_one_at_all(schema):
    data, version = bytes(400), schema.highest(NEWEST)
    try:
        message = reader._Reader(Cursor(data), schema, version, NEWEST).struct(schema.fields)
    except FormatError:
        # A compact length of 0 is null, which some fields must not be.
        with pytest.raises(NOT_REGULAR):
            reader.regular_reader(schema, version, NEWEST)(data, 0)
    else:
        assert reader.regular_reader(schema, version, NEWEST)(data, 0)[0] == message
