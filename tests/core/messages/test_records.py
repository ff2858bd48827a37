"""Every record of an internal topic is decoded to its last byte; what is unknown or broken is said."""

from __future__ import annotations

import json
import struct
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.records import read_coordinator_record, read_metadata_record
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from tests.internal_topics import (
    READERS,
    assignment,
    compact,
    group_key,
    group_value,
    internal_records,
    offset_key,
    offset_value,
    share_key,
    share_update,
    string,
)
from tests.log_dirs import corpus_log_dirs, fixture_log_dirs


def unread(case):
    return [
        f"{path} offset {record.offset}: {decoded}"
        for topic, path, record in internal_records(case.path())
        if (decoded := READERS[topic](record.key, record.value)).problem
    ]


@pytest.mark.parametrize("case", fixture_log_dirs(), ids=lambda case: case.id)
def test_every_record_of_the_fixtures_is_decoded_to_its_last_byte(case):
    assert unread(case) == []


def test_every_record_of_the_corpus_is_decoded_to_its_last_byte():
    assert [line for case in corpus_log_dirs() for line in unread(case)] == []


def test_the_fixtures_hold_records_of_many_kinds():
    kinds = set()
    for case in fixture_log_dirs():
        for topic, _, record in internal_records(case.path()):
            kinds.add(READERS[topic](record.key, record.value).name)
    assert len(kinds) > 40
    assert "" not in kinds


def test_an_offset_commit_is_read_field_by_field():
    decoded = read_coordinator_record(GROUP_RECORDS, offset_key("g", "orders", 3), offset_value(42, "note"))
    assert decoded.key == {"group": "g", "topic": "orders", "partition": 3}
    assert decoded.value == {"offset": 42, "leaderEpoch": 7, "metadata": "note", "commitTimestamp": 5}
    assert (decoded.type, decoded.name, decoded.version, decoded.problem) == (1, "OffsetCommit", 3, "")


def test_the_flexible_version_has_compact_strings_and_tagged_fields():
    topic_id = bytes(range(16))
    value = (
        struct.pack(">hqi", 4, 42, -1) + compact("x") + struct.pack(">q", 9) + b"\x02" + b"\x00\x10" + topic_id + b"\x05\x02ab"
    )
    decoded = read_coordinator_record(GROUP_RECORDS, offset_key("g", "t", 0), value)
    assert decoded.problem == ""
    assert decoded.value["topicId"].bytes == topic_id
    assert decoded.value["unknownTaggedFields"] == [(5, b"ab")]
    assert decoded.as_object()["value"]["data"]["unknownTaggedFields"] == [{"tag": 5, "hex": "6162"}]


def test_a_tombstone_has_a_key_and_no_value():
    decoded = read_coordinator_record(GROUP_RECORDS, group_key("g"), None)
    assert (decoded.name, decoded.key, decoded.version, decoded.value, decoded.problem) == (
        "GroupMetadata",
        {"group": "g"},
        None,
        None,
        "",
    )


def test_an_unknown_record_type_is_named():
    decoded = read_coordinator_record(GROUP_RECORDS, b"\x03\xe8abc", b"\x00\x00")
    assert (decoded.type, decoded.name, decoded.problem) == (1000, "", "unknown record type 1000")


def test_a_value_of_an_unknown_version_is_read_as_far_as_known_and_said_to_be_so():
    value = offset_value(42).replace(b"\x00\x03", b"\x00\x09", 1)
    value = struct.pack(">hqi", 9, 42, 7) + compact("m") + struct.pack(">q", 5) + b"\x00" + b"more"
    decoded = read_coordinator_record(GROUP_RECORDS, offset_key("g", "t", 0), value)
    assert decoded.value["offset"] == 42
    assert decoded.problem == "value: 4 bytes after OffsetCommitValue version 9, known are versions up to 4"


def test_a_negative_version_is_read_as_the_first_and_said_to_be_unknown():
    for kind, body in ((SHARE_GROUP_RECORDS, share_update(5)), (GROUP_RECORDS, offset_value(5))):
        key = share_key("g", uuid.UUID(int=7), 0, update=True) if kind is SHARE_GROUP_RECORDS else offset_key("g", "t", 0)
        assert "version -30992, known are versions up to" in read_coordinator_record(kind, key, b"\x86\xf0" + body[2:]).problem
        assert "the bytes end too early" in read_coordinator_record(kind, key, b"\x86\xf0").problem


def test_bytes_behind_a_message_are_said():
    decoded = read_coordinator_record(GROUP_RECORDS, offset_key("g", "t", 0), offset_value(1) + b"\x00")
    assert decoded.value["offset"] == 1
    assert decoded.problem == "value: 1 bytes after OffsetCommitValue version 3"


@pytest.mark.parametrize("cut", range(len(group_value([("m", b"abc")]))))
def test_every_truncation_of_group_metadata_is_said(cut):
    decoded = read_coordinator_record(GROUP_RECORDS, group_key("g"), group_value([("m", b"abc")])[:cut])
    assert decoded.problem
    assert decoded.value is None
    json.dumps(decoded.as_object())


def test_a_negative_array_size_is_said():
    value = (
        struct.pack(">h", 1) + string("consumer") + struct.pack(">i", 4) + string(None) + string(None) + struct.pack(">i", -1)
    )
    decoded = read_coordinator_record(GROUP_RECORDS, group_key("g"), value)
    assert decoded.problem == "value: GroupMetadataValue version 1: non-nullable field members was serialized as null"


def test_a_huge_array_size_costs_nothing():
    value = struct.pack(">h", 1) + string("") + struct.pack(">i", 4) + string(None) + string(None) + struct.pack(">i", 1 << 30)
    assert "there are only 0 bytes remaining" in read_coordinator_record(GROUP_RECORDS, group_key("g"), value).problem


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "no value"),
        (b"", "frame version: the bytes end too early"),
        (b"\x07", "unknown frame version 7"),
        (b"\x01\x63\x00", "unknown record type 99"),
        (b"\x01\x02", "version: the bytes end too early"),
    ],
)
def test_a_metadata_record_that_cannot_be_read_says_why(value, problem):
    assert read_metadata_record(value).problem == problem


def test_a_record_of_the_preview_of_2_8_is_read_by_its_own_form():
    value = b"\x00\x02\x00" + string("orders") + bytes(16)
    decoded = read_metadata_record(value)
    assert (decoded.frame, decoded.name, decoded.value["name"], decoded.problem) == (0, "TopicRecord", "orders", "")


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (compact("metadata.version") + struct.pack(">hh", 1, 4) + b"\x00", {"name", "minFeatureLevel", "maxFeatureLevel"}),
        (compact("metadata.version") + struct.pack(">h", 4) + b"\x00", {"name", "featureLevel"}),
    ],
)
def test_a_record_that_changed_within_its_version_is_read_in_the_form_that_fits(body, names):
    decoded = read_metadata_record(b"\x01\x0c\x00" + body)
    assert decoded.problem == ""
    assert set(decoded.value) == names


@given(st.sampled_from(sorted(READERS)), st.none() | st.binary(max_size=60), st.none() | st.binary(max_size=120))
def test_any_bytes_give_an_object_and_nothing_is_raised(topic, key, value):
    json.dumps(READERS[topic](key, value).as_object())


@given(st.data())
def test_any_change_of_a_real_record_gives_an_object_and_nothing_is_raised(data):
    records = real_records()
    topic, record = data.draw(st.sampled_from(records))
    value = bytearray(record.value)
    for place in data.draw(st.lists(st.integers(0, len(value) - 1), max_size=4)):
        value[place] = data.draw(st.integers(0, 255))
    json.dumps(READERS[topic](record.key, bytes(value)).as_object())


_found = []


def real_records():
    if not _found:
        kinds = set()
        for case in fixture_log_dirs():
            for topic, _, record in internal_records(case.path()):
                kind = (topic, (record.key or record.value or b"")[:3])
                if record.value and kind not in kinds:
                    kinds.add(kind)
                    _found.append((topic, record))
    return _found


#: Values of Kafka 3.7.2's own classes, version 0; its brokers gave early access to the new groups, and 3.8 changed the
#: messages without counting their version up.
OF_3_7 = [
    (
        8,
        "0000000000000000000000000101010000000100",
        {"memberEpoch": 0, "previousMemberEpoch": 0, "targetMemberEpoch": 0, "partitionsPendingAssignment": [], "error": 0},
    ),
    (
        5,
        (
            "09f09f9880f09f98800627f09f988008c3a9e280a8272603c3a90103017f00000001070a3c27e280a803023cc050024499ffff021d000196ff0001ff"
            "8939057434ebbf0000"
        ),
        {"rebalanceTimeoutMs": 1, "serverAssignor": "\n<'\u2028"},
    ),
    (4, "5836770102bab65b5ff7df2471fd420a2fe460393505c3a92f7f3d870b23010000", {"epoch": 1479964417}),
    (
        7,
        (
            "d904000000000000000000000000000000000300000000a769d0930026fdf3c977248a093f4113148b041ff602000002f700cf11e090010164691fb7"
            "868e34b40a72020000000000ffff0100"
        ),
        {"error": -39, "metadataVersion": -1, "metadataBytes": b""},
    ),
]


@pytest.mark.parametrize(("number", "data", "fields"), OF_3_7, ids=lambda value: str(value) if isinstance(value, int) else "")
def test_what_early_access_to_the_new_groups_wrote_is_read_to_its_last_byte(number, data, fields):
    member = string("m") if number != 4 else b""
    decoded = read_coordinator_record(
        GROUP_RECORDS, struct.pack(">h", number) + string("g") + member, b"\0\0" + bytes.fromhex(data)
    )
    assert decoded.problem == ""
    assert {name: decoded.value[name] for name in fields} == fields


def embedded(kind, data):
    found = read_coordinator_record(GROUP_RECORDS, group_key("g"), group_value([("m", data)], kind=kind)).as_object()
    return found["value"]["data"]["members"][0]["assignment"]


def test_what_consumers_put_into_group_metadata_is_decoded_and_nothing_of_it_lost():
    data = assignment([("t", [0, 1])], None, 1)
    topics = [{"topic": "t", "partitions": [0, 1]}]
    assert embedded("consumer", data) == {"version": 1, "data": {"assignedPartitions": topics, "userData": None}}
    assert embedded("connect", data) == {"hex": data.hex()}
    for other in (data + b"more", data[:-1], b"", b"\x00\x09" + data[2:]):
        assert embedded("consumer", other) == {"hex": other.hex()}
