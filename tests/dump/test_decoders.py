"""The texts of the decoders, release by release; the golden tests compare them on every record there is."""

from __future__ import annotations

import json
import random
import struct

import pytest

from kafkalog.core.messages.text import string_hash
from kafkalog.dump.decoder_names import DECODERS, TOPIC_DECODERS
from kafkalog.dump.decoders import decoder_for
from kafkalog.errors import DecoderFailed, RequestError
from kafkalog.kafka.hash_orders import partition_hash, scala_map_order, scala_set_order
from tests.encode import unsigned_varint
from tests.internal_topics import (
    assignment,
    compact,
    group_key,
    group_value,
    internal_records,
    modern_key,
    offset_key,
    offset_value,
    string,
    transaction_key,
    transaction_value,
)
from tests.log_dirs import fixture_log_dirs

OLD_VALUE = struct.pack(">hq", 1, 42) + string("note") + struct.pack(">qq", 5, -1)


def texts(name, release, key, value, offset=7):
    decoded = decoder_for(name, tuple(map(int, release.split(".")))).decode(offset, key, value)
    return tuple(None if part is None else part.decode() for part in decoded)


def test_the_text_of_what_a_regular_record_says_is_that_of_its_object():
    told = dict.fromkeys(DECODERS, 0)
    chance = random.Random(7)
    decoders = {topic: decoder_for(name, (4, 4, 0)) for topic, name in TOPIC_DECODERS.items()}
    for case in fixture_log_dirs()[::4]:
        for topic, _, record in internal_records(case.path()):
            damaged = bytearray(record.value or b"x")
            damaged[chance.randrange(len(damaged))] = chance.choice((0, 1, 127, 128, 255))
            for value in (record.value, bytes(damaged)):
                text = decoders[topic].object_text(record.key, value)
                told[TOPIC_DECODERS[topic]] += text is not None
                plain = decoders[topic].decode_object(7, record.key, value)
                assert text in (None, json.dumps(plain, ensure_ascii=False, separators=(",", ":")))
    assert {name for name, times in told.items() if not times} <= {"remote-log-metadata", "share-group-state"}


def test_every_internal_topic_has_a_decoder():
    assert set(TOPIC_DECODERS.values()) == set(DECODERS)


def test_an_unknown_decoder_is_refused():
    with pytest.raises(RequestError, match="no decoder 'x'"):
        decoder_for("x", (3, 9, 1))


@pytest.mark.parametrize(
    ("release", "key", "payload"),
    [
        ("0.11.0.3", "offset::g:orders:3", "42:note"),
        ("2.4.0", "offset::g:orders:3", "42:note"),
        ("2.4.1", "offset_commit::group=g,partition=orders-3", "offset=42,metadata=note"),
        ("3.7.2", "offset_commit::group=g,partition=orders-3", "offset=42,metadata=note"),
        (
            "3.8.0",
            '{"type":"1","data":{"group":"g","topic":"orders","partition":3}}',
            '{"version":"1","data":{"offset":42,"metadata":"note","commitTimestamp":5,"expireTimestamp":-1}}',
        ),
    ],
)
def test_an_offset_commit(release, key, payload):
    assert texts("offsets", release, offset_key("g", "orders", 3), OLD_VALUE) == (key, payload)


@pytest.mark.parametrize(
    ("release", "want"),
    [
        ("2.3.1", (None, None)),
        ("2.4.1", ("group_metadata::group=g", "<DELETE>")),
        ("4.3.1", ('{"type":"2","data":{"group":"g"}}', "<DELETE>")),
    ],
)
def test_a_tombstone(release, want):
    assert texts("offsets", release, group_key("g"), None) == want


@pytest.mark.parametrize(
    ("release", "payload"),
    [
        ("0.11.0.3", "consumer:range:4:{m=[a-0, a-2, b-1]:FF}"),
        ("1.0.2", '{"protocolType":"consumer","protocol":"range","generationId":4,"assignment":"{m=[a-0, a-2, b-1]:FF}"}'),
        ("3.7.2", '{"protocolType":"consumer","protocol":"range","generationId":4,"assignment":"{m=[a-0, a-2, b-1]:FF}"}'),
    ],
)
def test_group_metadata(release, payload):
    value = group_value([("m", assignment([("a", [0, 2]), ("b", [1])], b"\x00\xff"))])
    assert texts("offsets", release, group_key("g"), value)[1] == payload


def test_group_metadata_as_json_shows_what_the_members_sent():
    value = group_value([("m", assignment([("a", [0, 2])]))])
    payload = texts("offsets", "4.3.1", group_key("g"), value)[1]
    assert '"subscription":"","assignment":{"assignedPartitions":[{"topic":"a","partitions":[0,2]}],"userData":""}}' in payload


def test_what_a_member_of_another_protocol_sent_stays_as_it_is():
    value = group_value([("m", b"\x00\xab")], kind="connect")
    assert texts("offsets", "2.8.2", group_key("g"), value)[1].endswith('"assignment":"{m=AB}"}')
    assert '"assignment":"AKs="' in texts("offsets", "3.9.1", group_key("g"), value)[1]


def test_kafka_1_0_escaped_nothing_in_its_json():
    assert texts("offsets", "1.0.2", group_key('a"b'), group_value([]))[0] == '{"metadata":"a"b"}'
    assert texts("offsets", "1.1.0", group_key('a"b'), group_value([]))[0] == '{"metadata":"a\\"b"}'


@pytest.mark.parametrize("release", ["0.11.0.3", "2.3.1", "2.4.0"])
def test_an_assignment_without_user_data_killed_the_tool_up_to_2_4_0(release):
    value = group_value([("m", assignment([("a", [0])], None))])
    with pytest.raises(DecoderFailed):
        texts("offsets", release, group_key("g"), value)
    assert texts("offsets", "2.4.1", group_key("g"), value)[1].endswith('{m=[a-0]}"}')


@pytest.mark.parametrize(
    ("release", "want"),
    [
        ("3.4.1", ("unknown::version=99", None)),
        ("3.8.0", ("Unknown record type 99 at offset 7, skipping.", None)),
    ],
)
def test_an_unknown_key_is_told(release, want):
    assert texts("offsets", release, b"\x00\x63", b"") == want


@pytest.mark.parametrize("release", ["0.11.0.3", "2.8.2", "3.4.0"])
def test_an_unknown_key_killed_the_tool_before_3_4_1(release):
    with pytest.raises(DecoderFailed, match="99"):
        texts("offsets", release, b"\x00\x63", b"")


@pytest.mark.parametrize("name", ["offsets", "transaction-log", "share-group-state"])
@pytest.mark.parametrize("release", ["0.11.0.3", "2.8.2", "3.9.1", "4.0.0", "4.3.1"])
def test_a_missing_key_kills_the_tool(name, release):
    if tuple(map(int, release.split("."))) >= DECODERS[name]:
        with pytest.raises(DecoderFailed):
            texts(name, release, None, b"x")


@pytest.mark.parametrize(
    ("release", "payload"),
    [
        ("2.4.1", "state=Ongoing,partitions=Set(a-0, a-1),txnLastUpdateTimestamp=2000,txnTimeoutMs=60000"),
        ("2.5.0", "state=Ongoing,partitions=[a-0,a-1],txnLastUpdateTimestamp=2000,txnTimeoutMs=60000"),
    ],
)
def test_a_transaction(release, payload):
    got = texts("transaction-log", release, transaction_key("id"), transaction_value(9, 1, [("a", [0, 1])], epoch=2))
    assert got == ("transaction_metadata::transactionalId=id", f"producerId:9,producerEpoch:2,{payload}")


def test_a_transaction_as_json():
    got = texts("transaction-log", "4.1.1", transaction_key("id"), transaction_value(9, 0, None))
    assert got[0] == '{"type":"0","data":{"transactionalId":"id"}}'
    assert got[1] == (
        '{"version":"0","data":{"producerId":9,"producerEpoch":0,"transactionTimeoutMs":60000,"transactionStatus":0,'
        '"transactionPartitions":null,"transactionLastUpdateTimestampMs":2000,"transactionStartTimestampMs":1000}}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            b"\x01\x02\x00" + compact("t") + bytes(16) + b"\x00",
            '{"type":"TOPIC_RECORD","version":0,"data":{"name":"t","topicId":"AAAAAAAAAAAAAAAAAAAAAA"}}',
        ),
        (b"\x01\x02\x00\x02", "Failed to deserialize record with type 2"),
        (b"\x01\x14\x00\x00abc", "Found 3 byte(s) of garbage after 20"),
        (b"\x01\x63\x00", "org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id 99"),
        (b"\x02", "Could not deserialize metadata record due to unknown frame version 2(only frame version 1 is supported)"),
        (b"\xff\xff\xff\xff\x07", "Value for frame version was too large."),
        (b"", "Error while reading frame version"),
        (None, "Error while reading frame version"),
    ],
)
def test_cluster_metadata(value, text):
    want = text if text.startswith("{") else f"Error at 7, skipping. {text}"
    assert texts("cluster-metadata", "3.9.1", None, value) == (None, want)


def test_a_tag_of_a_later_version_is_an_error_as_in_kafka():
    value = b"\x01\x11\x01" + struct.pack(">iq", 2, 167) + b"\x01\x02\x01\x01"
    assert (
        texts("cluster-metadata", "4.3.1", None, value)[1] == "Error at 7, skipping. Failed to deserialize record with type 17"
    )


@pytest.mark.parametrize(
    ("status", "name"),
    [(0, "Empty"), (1, "Ongoing"), (5, "CompleteAbort"), (7, "PrepareEpochFence"), (8, "8"), (-1, "-1")],
)
def test_the_state_of_a_transaction_is_a_number_up_to_4_3_and_a_name_since(status, name):
    key, value = transaction_key("id"), transaction_value(5, status, None)
    assert f'"transactionStatus":{status},' in texts("transaction-log", "4.3.1", key, value)[1]
    assert f'"transactionStatus":"{name}",' in texts("transaction-log", "4.4.0", key, value)[1]


def test_controllers_are_unregistered_since_4_4():
    value = b"\x01\x1d\x00" + struct.pack(">i", 7) + b"\x00"
    assert texts("cluster-metadata", "4.3.1", None, value)[1].endswith("Unknown metadata id 29")
    want = '{"type":"UNREGISTER_CONTROLLER_RECORD","version":0,"data":{"controllerId":7}}'
    assert texts("cluster-metadata", "4.4.0", None, value)[1] == want


@pytest.mark.parametrize(
    ("stored", "failed", "shown"),
    [
        (3, 2, ',"storedDescriptionTopologyEpoch":3,"failedDescriptionTopologyEpoch":2'),
        (-2, None, ',"storedDescriptionTopologyEpoch":-2'),
        (None, 0, ',"failedDescriptionTopologyEpoch":0'),
        (-1, -1, ""),
    ],
)
def test_descriptions_of_topologies_are_shown_since_4_4_when_there_is_one(stored, failed, shown):
    tags = [(tag, epoch) for tag, epoch in ((2, stored), (3, failed)) if epoch is not None]
    value = struct.pack(">hiqb", 0, 5, 0, len(tags)) + b"".join(struct.pack(">bbi", tag, 4, epoch) for tag, epoch in tags)
    key = modern_key(17, "wc")
    assert texts("offsets", "4.3.1", key, value)[1] == '{"version":"0","data":{"epoch":5,"metadataHash":0}}'
    assert texts("offsets", "4.4.0", key, value)[1] == f'{{"version":"0","data":{{"epoch":5,"metadataHash":0{shown}}}}}'


@pytest.mark.parametrize(
    ("behind", "before", "since"),
    [
        (
            unsigned_varint(200) + bytes(10),
            "null",
            "Tried to read 200 tagged fields, but there are only 10 bytes remaining.",
        ),
        (
            unsigned_varint(10_001) + bytes([9, 0]) * 10_001,
            None,
            "Tried to read 10001 tagged fields, which exceeds the maximum allowed count of 10000.",
        ),
        (unsigned_varint(10_000) + bytes([9, 0]) * 10_000, None, None),
        (b"\xff\xff\xff\xff\x0f", None, "Invalid negative number of tagged fields -1"),
        (
            b"\x01\x01\x05" + unsigned_varint(1_000_002) + bytes([1, 1, 0]) * 1_000_001,
            None,
            "Tried to read a collection of size 1000001, which exceeds the maximum allowed size of 1000000.",
        ),
    ],
)
def test_messages_of_too_many_parts_are_refused_since_4_4(behind, before, since):
    key, value = modern_key(17, "wc"), struct.pack(">hiq", 0, 5, 0) + behind
    error = "Error at offset 7, skipping. Could not read record with version 0 from value's buffer due to: {}."
    for release, reason in (("4.3.1", before), ("4.4.0", since)):
        shown, payload = texts("offsets", release, key, value)
        assert shown == (error.format(reason) if reason else '{"type":"17","data":{"groupId":"wc"}}')
        assert (payload is None) == (reason is not None)


def test_the_label_of_share_group_values_changed_with_4_1():
    key = struct.pack(">h", 1) + string("g") + bytes(16) + struct.pack(">i", 0)
    old = struct.pack(">hHiq", 0, 1, 2, 3) + b"\x01\x00"
    new = struct.pack(">hiiq", 0, 1, 2, 3) + b"\x01\x00"
    want = '"data":{"snapshotEpoch":1,"leaderEpoch":2,"startOffset":3,"stateBatches":[]}}'
    assert texts("share-group-state", "4.0.0", key, old)[1] == '{"type":"0",' + want
    assert texts("share-group-state", "4.1.0", key, new)[1] == '{"version":"0",' + want


def test_objects_are_the_newest_form_whatever_the_release():
    for release in ("0.11.0.3", "3.9.1", "4.3.1"):
        decoder = decoder_for("offsets", tuple(map(int, release.split("."))))
        decoded = decoder.decode_object(0, offset_key("g", "t", 0), offset_value(1))
        assert decoded["value"] == {"version": 3, "data": {"offset": 1, "leaderEpoch": 7, "metadata": "", "commitTimestamp": 5}}


# --- Scala's hash tables: known answers are what the real tools printed -------------------------------------------------


def test_hashes_are_javas():
    assert string_hash("hello") == 99162322
    assert string_hash("\U0001d518") == (31 * 0xD835 + 0xDD18) & 0xFFFFFFFF
    assert partition_hash("a", 1) == 31 * 32 + 97


def test_the_order_of_a_map_depends_on_the_release():
    members = [f"consumer-{number}" for number in range(14)]
    old, new = scala_map_order(members, (2, 8, 2)), scala_map_order(members, (3, 7, 2))
    assert old == [f"consumer-{number}" for number in (11, 3, 6, 5, 8, 10, 2, 13, 12, 4, 7, 1, 0, 9)]
    assert new == [f"consumer-{number}" for number in (11, 10, 6, 5, 4, 3, 13, 2, 12, 1, 0, 9, 8, 7)]


def test_the_order_of_a_set_depends_on_the_release():
    groups = [[("orders", number) for number in range(9)], [("pay", number) for number in range(9)]]
    old, new = scala_set_order(groups, (2, 8, 2)), scala_set_order(groups, (3, 9, 1))
    assert " ".join(f"{topic[0]}{number}" for topic, number in old) == "p0 o1 p4 o5 o2 p8 p5 o6 p1 p2 o3 p6 o7 o0 p3 o4 p7 o8"
    assert " ".join(f"{topic[0]}{number}" for topic, number in new) == "o7 p8 o8 p6 p7 p4 p5 p2 p3 p0 o0 p1 o1 o2 o3 o4 o5 o6"


def test_a_set_poured_into_another_does_not_make_it_grow():
    told = {"orders": [0, 17, 34], "pay": [3, 40, 500, 6], "c": [7], "d": [8], "long-topic-name": [11, 222, 333, 44, 5, 66]}
    groups = [[(topic, number) for number in numbers] for topic, numbers in told.items()]
    order = "pay40 long5 pay6 pay500 pay3 long11 long44 orders0 long333 orders17 long222 orders34 c7 d8 long66"
    assert " ".join(f"{topic.partition('-')[0]}{number}" for topic, number in scala_set_order(groups, (3, 9, 1))) == order
