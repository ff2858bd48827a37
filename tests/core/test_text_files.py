"""The text files of a partition and of a log dir, sound and odd, as Java would take them."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.checkpoint import EpochEntry, OffsetEntry, parse_java_integer, read_leader_epochs, read_offset_checkpoint
from kafkalog.core.properties import (
    format_uuid,
    parse_uuid,
    read_json_file,
    read_partition_metadata,
    read_properties,
    read_quorum_state,
)
from kafkalog.errors import FormatError


def test_leader_epochs_are_read_in_order_with_their_bytes():
    checkpoint = read_leader_epochs(b"0\n2\n0 0\n3 120\n")
    assert checkpoint.entries == (EpochEntry(0, 0), EpochEntry(3, 120))
    assert (checkpoint.version, checkpoint.declared_count, checkpoint.damages) == (0, 2, ())
    assert checkpoint.spans == ((4, 8, None), (8, 14, None))


@pytest.mark.parametrize("data", [b"0\n2\n0 0\n3 120", b"0\r\n2\r\n0 0\r\n3 120\r\n", b"0\n2\n0\t0\n3   120\n"])
def test_what_java_accepts_is_accepted(data):
    checkpoint = read_leader_epochs(data)
    assert checkpoint.entries == (EpochEntry(0, 0), EpochEntry(3, 120))
    assert checkpoint.damages == ()


@pytest.mark.parametrize("data", [b"", b"0\n", b"0", b"0\n0\n"])
def test_empty_checkpoints_are_legal(data):
    assert read_leader_epochs(data).entries == ()
    assert read_leader_epochs(data).damages == ()


@pytest.mark.parametrize(
    ("data", "good"),
    [
        (b"1\n1\n0 0\n", 1),  # version
        (b"x\n1\n0 0\n", 1),
        (b"0\nx\n0 0\n", 1),
        (b"0\n2\n0 0\n", 1),  # count too high
        (b"0\n1\n0 0\n1 5\n", 2),  # count too low
        (b"0\n-1\n", 0),
        (b"0\n1\n0 0 0\n", 0),  # words
        (b"0\n1\n0\n", 0),
        (b"0\n1\n 0 0\n", 0),  # Java keeps an empty word in front of a leading blank
        (b"0\n2\n0 0\n\n", 1),  # blank line
        (b"0\n1\n4 153x\n", 0),
        (b"0\n1\n2147483648 0\n", 0),  # more than an int
        (b"0\n1\n0 9223372036854775808\n", 0),  # more than a long
        (b"\0\0\0\0", 0),
        (b"\xef\xbb\xbf0\n1\n0 0\n", 1),  # byte order mark
        (b"free text", 0),
    ],
)
def test_what_java_refuses_is_damage_and_the_other_lines_are_read(data, good):
    checkpoint = read_leader_epochs(data)
    assert checkpoint.damages
    assert all(isinstance(damage.error, FormatError) for damage in checkpoint.damages)
    assert len(checkpoint.entries) == good


def test_offset_checkpoints_have_topic_partition_and_offset():
    checkpoint = read_offset_checkpoint(b"0\n2\norders 0 120\nmy.topic_x-1 11 -1\n")
    assert checkpoint.entries == (OffsetEntry("orders", 0, 120), OffsetEntry("my.topic_x-1", 11, -1))


@pytest.mark.parametrize(
    ("text", "bits", "value"),
    [
        ("0", 32, 0), ("+5", 32, 5), ("-0", 32, 0), ("007", 32, 7), ("2147483647", 32, 2**31 - 1),
        ("-2147483648", 32, -(2**31)), ("0" * 50 + "7", 32, 7),
        ("2147483648", 32, None), ("2147483648", 64, 2**31), ("9223372036854775808", 64, None), ("", 32, None), ("-", 32, None),
        ("1_000", 32, None), (" 1", 32, None), ("1.0", 32, None), ("0x1", 32, None), ("٣", 32, 3),
        ("9" * 5000, 64, None),
    ],
)  # fmt: skip
def test_numbers_are_parsed_as_java_does(text, bits, value):
    assert parse_java_integer(text, bits) == value


def test_partition_metadata_is_read():
    topic_id = uuid.UUID("0cd3c9c4-32a5-4b77-8b2c-05c1ae1a8d24")
    data = f"version: 0\ntopic_id: {format_uuid(topic_id)}".encode()
    assert read_partition_metadata(data) == (0, topic_id, None)
    assert read_partition_metadata(data + b"\n") == (0, topic_id, None)
    assert parse_uuid(format_uuid(topic_id)) == topic_id
    assert len(format_uuid(topic_id)) == 22


@pytest.mark.parametrize(
    "data",
    [
        b"", b"version: 0", b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA", b"version: -1\ntopic_id: DNPJxDKlS3eLLAXBrhqNJA",
        b"version: x\ntopic_id: DNPJxDKlS3eLLAXBrhqNJA", b"version: 0\ntopic_id: short",
        b"version: 0\nother: DNPJxDKlS3eLLAXBrhqNJA",
        b"\0" * 43, b"free text\nand more",
    ],
)  # fmt: skip
def test_malformed_partition_metadata_is_damage(data):
    assert read_partition_metadata(data).damage is not None


def test_properties_are_read_as_java_does():
    data = b"#Mon Jan 01 00:00:00 UTC 2024\n! more\ncluster.id=abc\\=d\n broker.id : 1\nversion 0\nempty=\n"
    data += b"broker.id=2\nu=\\u00e9\\t\n"
    properties = read_properties(data)
    assert properties.values == {"cluster.id": "abc=d", "broker.id": "2", "version": "0", "empty": "", "u": "é\t"}
    assert properties.damage is None
    assert read_properties(b"a=1\n\0\0\0\nb=2\n").damage is not None


def test_json_files_may_be_empty_but_not_broken():
    assert read_json_file(b"") == (None, None)
    assert read_json_file(b'{"version":0,"brokerEpoch":7}').value == {"version": 0, "brokerEpoch": 7}
    for data in (b"{", b"[1]", b"\xff\xfe", b"\0\0", b"[" * 100_000, b"1" * 5000):
        assert read_json_file(data).damage is not None


@given(st.binary(max_size=120))
def test_any_bytes_are_read_without_an_exception(data):
    for reader in (read_leader_epochs, read_offset_checkpoint, read_partition_metadata, read_properties, read_json_file):
        reader(data)


@given(st.text(alphabet="019 -+\n\r\tx\x85\u2028\x1c\x0b", max_size=40))
def test_spans_of_lines_are_in_order_and_inside_the_file(text):
    data = text.encode()
    checkpoint = read_leader_epochs(data)
    for span in (*checkpoint.spans, *(damage.span for damage in checkpoint.damages)):
        assert 0 <= span.start <= span.end <= len(data)
    assert list(checkpoint.spans) == sorted(checkpoint.spans)
    for entry, span in zip(checkpoint.entries, checkpoint.spans, strict=True):
        words = data[span.start : span.end].decode().split()
        assert [int(word) for word in words] == list(entry)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "the first line is empty"),
        (b"{", "not JSON"),
        (b'{"leaderId":1}', "there is no data_version"),
        (b'{"data_version":7}', "data_version 7 is neither 0 nor 1"),
        (b'{"leaderId":"1","leaderEpoch":1,"votedId":-1,"data_version":1}', "leaderId and votedDirectoryId missing"),
    ],
)
def test_a_quorum_state_that_kafka_cannot_read_says_why(text, problem):
    state = read_quorum_state(text)
    assert problem in str(state.damage.error)


@pytest.mark.parametrize(
    "text",
    [
        b'{"clusterId":"","leaderId":1,"leaderEpoch":3,"votedId":-1,"appliedOffset":0,"currentVoters":null,"data_version":0}\nmore',
        b'{"leaderId":1,"leaderEpoch":3,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}',
    ],
)
def test_a_quorum_state_of_either_version_is_read(text):
    state = read_quorum_state(text)
    assert (state.leader_id, state.leader_epoch, state.voted_id, state.damage) == (1, 3, -1, None)
