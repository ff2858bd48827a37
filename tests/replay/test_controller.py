"""The controller's word: what differs, what explains it, and when it proves something."""

from __future__ import annotations

import struct
import uuid

import pytest

from kafkalog.errors import FormatError
from kafkalog.replay.controller import (
    Claim,
    PartitionStateNode,
    against_metadata,
    against_state,
    covers_stop,
    read_partition_state,
)
from kafkalog.replay.metadata import read_metadata
from kafkalog.verify import RULES
from kafkalog.verify.rules.controllers import ControllerDifference
from tests.internal_topics import compact
from tests.log_dirs import fixture
from tests.replay.test_metadata import PARTITION, TOPIC, TOPIC_ID, image_of, ints, record

STATE = b'{"controller_epoch":3,"leader":1,"version":1,"leader_epoch":7,"isr":[1,2]}'
OTHER_ID = bytes(15) + b"\x07"
CLAIM = Claim("orders", 0, uuid.UUID(bytes=TOPIC_ID), 5, 1)
REMOVED = record(9, TOPIC_ID)
MADE_ANEW = record(2, compact("orders") + OTHER_ID)
#: A change of replicas to broker 2 alone.
MOVED = bytes([1, 5, 0]) + struct.pack(">i", 0) + TOPIC_ID + bytes([1, 2, 5]) + ints(2)


def words(claim, item):
    """The controller's value and the directory's, as the rules word them."""
    subject = ControllerDifference(path="p", span=None, claim=claim, difference=item, source="m", covers_stop=False)
    (hit,) = (hit for row in RULES.values() if row.on is ControllerDifference for hit in row.check(subject))
    return hit.facts["told"], hit.facts["found"]


def kinds(claim, found):
    return [(item.kind, *words(claim, item), item.explained) for item in against_metadata(claim, found)]


def test_a_partition_as_the_controller_knows_it_differs_in_nothing(tmp_path):
    found = image_of(tmp_path, TOPIC, PARTITION)
    assert kinds(CLAIM, found) == []
    assert kinds(CLAIM._replace(epoch=2), found) == []
    assert kinds(CLAIM._replace(epoch=None, broker=None), found) == []


def test_nothing_is_said_without_a_topic_id(tmp_path):
    assert kinds(CLAIM._replace(topic="nobody", topic_id=None), image_of(tmp_path, TOPIC, PARTITION)) == []


def test_a_deleted_topic_is_explained_by_its_removal(tmp_path):
    assert kinds(CLAIM, image_of(tmp_path / "a", TOPIC, PARTITION, REMOVED)) == [
        ("no-topic", "no topic", "orders with id AAECAwQFBgcICQoLDA0ODw", 2)
    ]
    unknown = CLAIM._replace(topic_id=uuid.UUID(bytes=OTHER_ID), topic="late")
    assert kinds(unknown, image_of(tmp_path / "b", TOPIC, PARTITION))[0][-1] is None


def test_a_topic_made_anew_is_explained_when_the_old_one_was_removed(tmp_path):
    found = image_of(tmp_path / "a", TOPIC, PARTITION, REMOVED, MADE_ANEW)
    assert kinds(CLAIM, found) == [("topic-id", "AAAAAAAAAAAAAAAAAAAABw", "AAECAwQFBgcICQoLDA0ODw", 2)]
    assert kinds(CLAIM, image_of(tmp_path / "b", MADE_ANEW))[0][-1] is None


def test_a_moved_replica_is_explained_by_the_move(tmp_path):
    assert kinds(CLAIM, image_of(tmp_path / "a", TOPIC, PARTITION, MOVED)) == [("assigned-elsewhere", "2", "1", 2)]
    assert kinds(CLAIM._replace(broker=9), image_of(tmp_path / "b", TOPIC, PARTITION, MOVED)) == [
        ("assigned-elsewhere", "2", "9", None)
    ]


def test_a_renamed_directory_a_partition_too_many_and_an_epoch_ahead_are_told(tmp_path):
    found = image_of(tmp_path, TOPIC, PARTITION)
    assert kinds(CLAIM._replace(topic="other"), found) == [("topic-renamed", "orders", "AAECAwQFBgcICQoLDA0ODw", None)]
    assert kinds(CLAIM._replace(partition=1), found) == [("no-partition", "1 partitions", "orders-1", None)]
    assert kinds(CLAIM._replace(epoch=6), found) == [("epoch-behind", "5", "6", None)]


def test_metadata_covers_a_stop_that_it_has_seen_and_no_later_start():
    found = read_metadata(fixture("4.3.1", "meta-n1").path())
    assert 1 in found.history.stopped
    epoch = found.image.brokers[1]["brokerEpoch"]
    assert covers_stop(found, 1, epoch, own=False)
    assert covers_stop(found, 1, None, own=False)
    assert not covers_stop(found, 1, epoch + 1, own=True)
    assert not covers_stop(found, 9, None, own=True)
    found.history.stopped.clear()
    assert not covers_stop(found, 1, epoch, own=True), "records were compacted into the snapshot since the start"
    found.history.since = epoch
    assert covers_stop(found, 1, epoch, own=True)
    assert not covers_stop(found, 1, epoch, own=False)


def test_a_state_out_of_zookeeper_is_read_alone_and_from_what_the_shell_prints():
    node = PartitionStateNode(3, 1, 7, (1, 2))
    assert read_partition_state(STATE) == node
    shell = b"Connecting to localhost:2181\n\nWATCHER::\n\nWatchedEvent state:SyncConnected type:None path:null\n"
    assert read_partition_state(shell + STATE + b"\ncZxid = 0x4c\n") == node
    assert read_partition_state(STATE.replace(b'"version":1,', b"")) == node


def test_a_state_differs_by_a_lower_epoch_and_an_isr_without_the_broker():
    node = PartitionStateNode(3, 1, 7, (1, 2))
    assert against_state(CLAIM._replace(epoch=7), node) == []
    claim = CLAIM._replace(epoch=8)
    (only,) = against_state(claim, node)
    assert (only.kind, *words(claim, only)) == ("epoch-behind", "7", "8")
    claim = CLAIM._replace(broker=3)
    (only,) = against_state(claim, node)
    assert (only.kind, *words(claim, only)) == ("out-of-isr", "1, 2 with leader 1", "3")
    assert words(claim, against_state(claim, node._replace(leader=-1))[0])[0] == "1, 2 with no leader"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not one JSON object"),
        (b"{", "not one JSON object"),
        (b"[]", "not one JSON object"),
        (STATE + b"\n" + STATE, "not one JSON object"),
        (b"\xff", "not one JSON object"),
        (b'{"controller_epoch":1,"leader":1}', "leader_epoch is missing"),
        (STATE.replace(b"7", b'"7"'), 'leader_epoch is "7"'),
        (STATE.replace(b"7", b"true"), "leader_epoch is true"),
        (STATE.replace(b"7", b"99999999999"), "leader_epoch is 99999999999"),
        (STATE.replace(b"[1,2]", b"1"), "isr is 1"),
        (STATE.replace(b"[1,2]", b"[null]"), "isr is"),
    ],
)
def test_what_is_no_partition_state_is_refused_with_the_field(data, said):
    with pytest.raises(FormatError, match="no partition state: ") as caught:
        read_partition_state(data)
    assert said in str(caught.value)
