"""Groups of the newer kinds, by hand-made records: what their state is, in whatever order compaction left them."""

from __future__ import annotations

import itertools
import uuid

import pytest

from kafkalog.core.properties import format_uuid
from kafkalog.render.text_groups import groups_text
from kafkalog.replay.groups import read_groups
from tests import encode
from tests.internal_topics import (
    compact,
    consumer_assignment,
    consumer_epoch,
    consumer_member,
    modern_key,
    offset_key,
    offset_value,
    share_assignment,
    share_epoch,
    share_key,
    share_member,
    share_snapshot,
    share_update,
    streams_assignment,
    streams_epoch,
    streams_member,
    topology,
)
from tests.log_dirs import fixture
from tests.replay.test_groups import batch, write_log
from tests.screens import plain

ORDERS = uuid.UUID(int=0x4B1D_0001)


def groups(folder, *pairs, name="__consumer_offsets-0", beside=()):
    path = write_log(folder, [batch(at, key, value) for at, (key, value) in enumerate(pairs)], name)
    found = read_groups([path, *map(str, beside)])
    assert found.notes == []
    return found


def consumer_group(epoch=3, assignment_epoch=3, member_epoch=3, state=0):
    return (
        (modern_key(3, "g"), consumer_epoch(epoch)),
        (modern_key(5, "g", "m"), consumer_member("client")),
        (modern_key(6, "g"), consumer_epoch(assignment_epoch)),
        (modern_key(8, "g", "m"), consumer_assignment(member_epoch, {ORDERS: [0, 1]}, state)),
    )


@pytest.mark.parametrize(
    ("made", "state"),
    [
        ({}, "Stable"),
        ({"epoch": 4}, "Assigning"),
        ({"member_epoch": 2}, "Reconciling"),
        ({"state": 1}, "Reconciling"),  # it has to give partitions back
        ({"state": 2}, "Reconciling"),  # it waits for partitions of others
    ],
)
def test_a_consumer_group_is_stable_when_every_member_has_what_it_shall_have(tmp_path, made, state):
    group = groups(tmp_path, *consumer_group(**made)).groups["g"]
    assert (group.kind, group.state, len(group.members)) == ("consumer", state, 1)


def test_the_table_shows_what_a_member_has_and_what_it_shall_give_back(tmp_path):
    assigned = consumer_assignment(3, {ORDERS: [0]}, 1, {ORDERS: [1, 2]})
    beside = [partition(tmp_path / "logs", "orders-1", ORDERS)]
    found = groups(tmp_path, *consumer_group()[:3], (modern_key(8, "g", "m"), assigned), beside=beside)
    (row,) = (line for line in plain(groups_text(found)) if "client" in line and "/127" in line)
    assert row.endswith("UNREVOKED_PARTITIONS  orders-0 revoking orders-1 orders-2")
    tasks = groups(tmp_path / "streams", (modern_key(22, "g", "m"), streams_assignment(4, {"0": [1], "2": [0]})))
    assert any(line.endswith("active 0_1 2_0") for line in plain(groups_text(tasks)))


def test_a_share_group_with_members_is_stable_whatever_it_assigns(tmp_path):
    found = groups(
        tmp_path,
        (modern_key(10, "g", "m"), share_member("client")),
        (modern_key(11, "g"), share_epoch(5)),
        (modern_key(12, "g"), consumer_epoch(2)),
        (modern_key(14, "g", "m"), share_assignment(2, {ORDERS: [0]})),
    )
    assert (found.groups["g"].kind, found.groups["g"].state) == ("share", "Stable")


@pytest.mark.parametrize(
    ("validated", "tasks", "state"),
    [
        (1, {"0": [0]}, "Stable"),
        (0, {"0": [0]}, "NotReady"),
        (None, {}, "NotReady"),
        (None, {"0": [0]}, "Stable"),  # 4.1 does not store which topology it found good
    ],
)
def test_a_streams_group_is_not_ready_until_its_topology_was_found_good(tmp_path, validated, tasks, state):
    found = groups(
        tmp_path,
        (modern_key(19, "g", "m"), streams_member("client")),
        (modern_key(23, "g"), topology(1)),
        (modern_key(17, "g"), streams_epoch(4, validated)),
        (modern_key(20, "g"), consumer_epoch(4)),
        (modern_key(22, "g", "m"), streams_assignment(4, tasks)),
    )
    assert (found.groups["g"].kind, found.groups["g"].state) == ("streams", state)


def test_a_streams_group_without_a_topology_is_not_ready(tmp_path):
    found = groups(
        tmp_path,
        (modern_key(23, "g"), topology(1)),
        (modern_key(19, "g", "m"), streams_member("client")),
        (modern_key(17, "g"), streams_epoch(4, 1)),
        (modern_key(23, "g"), None),
    )
    assert found.groups["g"].state == "NotReady"


def test_records_of_a_group_count_in_any_order(tmp_path):
    told = set()
    for number, order in enumerate(itertools.permutations(consumer_group())):
        group = groups(tmp_path / str(number), *order).groups["g"]
        member = group.members["m"]
        told.add((group.state, group.generation, member.client_id, member.epoch, repr(member.assignment["assignedPartitions"])))
    assert len(told) == 1
    assert told.pop()[:4] == ("Stable", 3, "client", 3)


def test_a_member_that_has_left_has_no_assignment_and_then_is_gone(tmp_path):
    leaving = groups(tmp_path / "a", *consumer_group(), (modern_key(8, "g", "m"), None))
    member = leaving.groups["g"].members["m"]
    assert (member.epoch, member.state, member.assignment) == (None, None, None)
    gone = groups(tmp_path / "b", *consumer_group(), (modern_key(8, "g", "m"), None), (modern_key(5, "g", "m"), None))
    assert (gone.groups["g"].state, gone.groups["g"].members) == ("Empty", {})


def test_the_assignor_is_the_one_that_most_members_asked_for(tmp_path):
    def chosen(folder, *asked):
        members = [(modern_key(5, "g", f"m{number}"), consumer_member("c", name)) for number, name in enumerate(asked)]
        return groups(tmp_path / folder, *members).groups["g"].protocol

    assert chosen("a", "range", "uniform", "range") == "range"
    assert chosen("b", None, "uniform") == "uniform"
    assert chosen("c", None, None) is None
    assert chosen("d", "range", "uniform") is None


# --- names of topics ---


def partition(folder, name, topic_id=None, end=7):
    directory = folder / name
    write_log(folder, [encode.batch([encode.R(value=b"v")], base_offset=end - 1)], name)
    if topic_id is not None:
        (directory / "partition.metadata").write_text(f"version: 0\ntopic_id: {format_uuid(topic_id)}")
    return directory


def topics_of(found):
    return [entry.get("topic") for entry in found.groups["g"].members["m"].assignment["assignedPartitions"]]


def test_assignments_name_topics_when_something_tells_the_name(tmp_path):
    assert topics_of(groups(tmp_path / "a", *consumer_group())) == [None]
    beside = [partition(tmp_path / "logs", "orders-1", ORDERS)]
    assert topics_of(groups(tmp_path / "b", *consumer_group(), beside=beside)) == ["orders"]
    told = b"\x00\x00" + b"\x02" + ORDERS.bytes + compact("orders") + b"\x00\x00\x00\x02" + b"\x01" + b"\x00" + b"\x00"
    assert topics_of(groups(tmp_path / "c", *consumer_group(), (modern_key(4, "g"), told))) == ["orders"]


def test_the_metadata_of_the_cluster_tells_names_too(tmp_path):
    topic = encode.batch([encode.R(value=b"\x01\x02\x00" + compact("orders") + ORDERS.bytes + b"\x00")])
    metadata = write_log(tmp_path, [topic], "__cluster_metadata-0")
    assert topics_of(groups(tmp_path, *consumer_group(), beside=[metadata])) == ["orders"]


# --- share groups' offsets ---


def test_share_groups_are_where_the_last_snapshot_and_the_updates_behind_it_say(tmp_path):
    beside = [partition(tmp_path / "logs", "orders-0", ORDERS, end=30)]
    found = groups(
        tmp_path,
        (share_key("g", ORDERS, 0), share_snapshot(10, 1)),
        (share_key("g", ORDERS, 0, update=True), share_update(20, 4)),
        (share_key("g", ORDERS, 0, update=True), share_update(-1, 6)),
        (share_key("g", ORDERS, 1), share_snapshot(5)),
        (share_key("gone", ORDERS, 0), share_snapshot(5)),
        (share_key("gone", ORDERS, 0), None),
        name="__share_group_state-0",
        beside=beside,
    )
    assert found.problems == ()
    first, second = found.share_offsets
    assert (first.group, first.topic, first.partition, first.start_offset) == ("g", "orders", 0, 20)
    assert (first.state_epoch, first.leader_epoch, first.delivery_complete_count) == (2, 3, 6)
    assert (first.log_end_offset, first.lag) == (30, 4)
    assert (second.start_offset, second.delivery_complete_count, second.lag) == (5, -1, None)


def test_real_share_groups_have_delivered_what_their_clients_got():
    found = read_groups([fixture("4.3.1", "txn").path()])
    ahead = {item.topic: item.start_offset for item in found.share_offsets if item.start_offset > 0}
    assert ahead
    assert all(item.topic is not None and item.log_end_offset is not None for item in found.share_offsets)
    assert all(item.lag is None or 0 <= item.lag <= item.log_end_offset for item in found.share_offsets)


# --- offsets in transactions ---


def test_a_tombstone_removes_what_is_pending_for_the_same_partition(tmp_path):
    key, other = offset_key("g", "t", 0), offset_key("g", "t", 1)
    path = write_log(
        tmp_path,
        [
            batch(0, key, offset_value(2), producer_id=7),
            batch(1, other, offset_value(3), producer_id=7),
            batch(2, key, None),
            encode.marker(commit=True, offset=3, producer_id=7, producer_epoch=0),
        ],
    )
    assert [(item.partition, item.offset) for item in read_groups(path).offsets] == [(1, 3)]


def test_a_marker_ends_the_transaction_in_its_own_partition_only(tmp_path):
    opened = write_log(tmp_path, [batch(0, offset_key("a", "t", 0), offset_value(1), producer_id=7)], "__consumer_offsets-0")
    ended = [
        batch(0, offset_key("b", "t", 0), offset_value(2), producer_id=7),
        encode.marker(commit=True, offset=1, producer_id=7, producer_epoch=0),
    ]
    for paths in ([opened, write_log(tmp_path, ended, "__consumer_offsets-1")], [f"{tmp_path}/__consumer_offsets-1", opened]):
        found = read_groups(paths)
        assert [item.group for item in found.offsets] == ["b"]
        assert [(producer, item.group) for producer, item in found.pending] == [(7, "a")]


def test_a_group_that_has_only_pending_offsets_is_a_group(tmp_path):
    found = read_groups(write_log(tmp_path, [batch(0, offset_key("g", "t", 0), offset_value(2), producer_id=7)]))
    assert (found.groups["g"].kind, found.groups["g"].state, found.offsets) == ("offsets", "Empty", [])


def test_who_reads_the_groups_own_topic_has_a_lag_too(tmp_path):
    found = groups(tmp_path, (offset_key("g", "__consumer_offsets", 0), offset_value(0)))
    assert [item.lag for item in found.offsets] == [1]


def test_notebooks_show_groups_in_one_line(tmp_path):
    found = groups(tmp_path, *consumer_group())
    assert repr(found) == "Groups(1 groups, 0 offsets, 0 pending, 0 share offsets, 0 notes, 0 problems)"
    assert repr(found.groups["g"]) == "Group('g', consumer, Stable, 1 members)"
