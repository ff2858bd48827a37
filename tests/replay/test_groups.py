"""Groups against what the brokers said of them, and against hand-made logs."""

from __future__ import annotations

import pytest

from kafkalog.replay.groups import read_groups
from kafkalog.replay.until import Until
from tests import encode
from tests.internal_topics import accounted, assignment, group_key, group_value, offset_key, offset_value
from tests.log_dirs import FIXTURES, corpus_log_dirs, fixture, fixture_log_dirs

NO_PRODUCER = -1


def write_log(folder, batches, name="__consumer_offsets-0"):
    directory = folder / name
    directory.mkdir(parents=True)
    (directory / "00000000000000000000.log").write_bytes(b"".join(batches))
    return str(directory)


def batch(offset, key, value, *, producer_id=NO_PRODUCER, time=1_000):
    attributes = 0 if producer_id == NO_PRODUCER else 0x10
    epoch = -1 if producer_id == NO_PRODUCER else 0
    records = [encode.R(key=key, value=value)]
    return encode.batch(
        records, base_offset=offset, attributes=attributes, producer_id=producer_id, producer_epoch=epoch, base_timestamp=time
    )


def committed(found):
    return {(item.group, item.topic, item.partition): item.offset for item in found.offsets}


def wrong_groups(case):
    """Groups of a log dir whose committed offsets are not what the admin client said."""
    truth = case.account().get("ground_truth", {}).get("groups")
    if not truth:
        return None
    found = read_groups([case.path()])
    assert found.notes == []
    assert found.problems == ()
    mine: dict = {}
    for item in found.offsets:
        mine.setdefault(item.group, {})[f"{item.topic}-{item.partition}"] = [item.offset, item.metadata, item.leader_epoch]
    return {name: (offsets, mine.get(name)) for name, offsets in truth.items() if offsets != mine.get(name, {})}


def test_committed_offsets_are_those_that_the_admin_client_told():
    results = {case.id: wrong_groups(case) for case in fixture_log_dirs()}
    judged = {name: wrong for name, wrong in results.items() if wrong is not None}
    assert len(judged) >= 6
    assert all(wrong == {} for wrong in judged.values()), judged


def test_committed_offsets_are_those_that_the_admin_client_told_in_the_whole_corpus():
    assert all(not wrong_groups(case) for case in accounted(corpus_log_dirs()))


@pytest.mark.parametrize("release", ["0.10.2.2", "2.1.1", "2.8.2"])
def test_the_last_commits_of_clients_are_what_is_left(release):
    case = fixture(release, "groups")
    found = read_groups([case.path()])
    assert found.notes == []
    last: dict = {}
    for row in case.records():
        if row["by"] == "group-commit":
            last.setdefault((row["topic"], row["partition"]), {})[row["consumer"]] = (row["committed"], row["metadata"] or "")
    checked = 0
    for item in found.offsets:
        # One row per client: a group's last commit is the last one of one of its clients.
        told = {
            commit
            for client, commit in last.get((item.topic, item.partition), {}).items()
            if client.startswith(item.group) or (item.group, client) == ("no-members", "solo")
        }
        if told:
            assert (item.offset, item.metadata) in told, item
            checked += 1
    assert checked >= 8
    if release != "0.10.2.2":
        assert "ghost" not in found.groups  # the admin client deleted it


def test_lag_is_the_distance_to_the_end_of_the_partition_beside():
    found = read_groups([fixture("2.8.2", "groups").path()])
    known = [item for item in found.offsets if item.lag is not None]
    assert known
    assert all(item.lag == item.log_end_offset - item.offset >= 0 for item in known)
    alone = read_groups([f"{fixture('2.8.2', 'groups').path()}/__consumer_offsets-1"])
    assert [item.lag for item in alone.offsets] == [None] * len(alone.offsets)


def test_the_last_commit_counts_and_a_tombstone_removes_it(tmp_path):
    key, other = offset_key("g", "t", 0), offset_key("g", "t", 1)
    path = write_log(
        tmp_path,
        [
            batch(0, key, offset_value(1)),
            batch(1, key, offset_value(2)),
            batch(2, other, offset_value(9)),
            batch(3, other, None),
        ],
    )
    assert committed(read_groups([path])) == {("g", "t", 0): 2}


def test_an_offset_committed_in_a_transaction_counts_from_its_commit_on(tmp_path):
    key = offset_key("g", "t", 0)
    start = [batch(0, key, offset_value(1)), batch(1, key, offset_value(2), producer_id=7)]
    end = {"offset": 2, "producer_id": 7, "producer_epoch": 0}
    opened = write_log(tmp_path / "a", start)
    done = write_log(tmp_path / "b", [*start, encode.marker(commit=True, **end)])
    undone = write_log(tmp_path / "c", [*start, encode.marker(commit=False, **end)])
    assert committed(read_groups([opened])) == {("g", "t", 0): 1}
    assert [(producer, item.offset) for producer, item in read_groups([opened]).pending] == [(7, 2)]
    assert committed(read_groups([done])) == {("g", "t", 0): 2}
    assert committed(read_groups([undone])) == {("g", "t", 0): 1}
    assert read_groups([undone]).pending == []


def test_a_newer_plain_commit_beats_an_older_one_in_a_transaction(tmp_path):
    key = offset_key("g", "t", 0)
    path = write_log(
        tmp_path,
        [
            batch(0, key, offset_value(2), producer_id=7),
            batch(1, key, offset_value(3)),
            encode.marker(commit=True, offset=2, producer_id=7, producer_epoch=0),
        ],
    )
    assert committed(read_groups([path])) == {("g", "t", 0): 3}


def test_members_have_what_they_were_assigned(tmp_path):
    value = group_value([("m-1", assignment([("t", [0, 1])])), ("m-2", b"")])
    group = read_groups([write_log(tmp_path, [batch(0, group_key("g"), value)])]).groups["g"]
    assert (group.kind, group.state, group.generation, group.protocol) == ("classic", "Stable", 4, "range")
    assert group.members["m-1"].assignment["assignedPartitions"] == [{"topic": "t", "partitions": [0, 1]}]
    assert group.members["m-2"].assignment is None


def test_a_group_is_shown_as_it_was_at_an_offset_and_at_a_time(tmp_path):
    key = offset_key("g", "t", 0)
    path = write_log(tmp_path, [batch(n, key, offset_value(10 + n), time=1000 * n) for n in range(5)])
    assert committed(read_groups([path], Until(offset=2))) == {("g", "t", 0): 12}
    assert committed(read_groups([path], Until(time=3000))) == {("g", "t", 0): 13}
    assert committed(read_groups([path], Until(time=-5))) == {}


def test_damage_is_noted_and_the_rest_is_used(tmp_path):
    key = offset_key("g", "t", 0)
    broken = batch(1, key, b"\x00\x03\x00")
    path = write_log(
        tmp_path, [batch(0, key, offset_value(1)), broken, b"\xff" * 30, batch(2, offset_key("g", "t", 1), offset_value(5))]
    )
    found = read_groups([path])
    assert committed(found) == {("g", "t", 0): 1, ("g", "t", 1): 5}
    assert [note.offset for note in found.notes] == [1, None]
    assert "the bytes end too early" in found.notes[0].message


def test_of_two_copies_of_a_partition_the_one_that_reaches_further_counts(tmp_path):
    key = offset_key("g", "t", 0)
    short = write_log(tmp_path / "a", [batch(0, key, offset_value(1))])
    long = write_log(tmp_path / "b", [batch(0, key, offset_value(1)), batch(1, key, offset_value(2))])
    for order in ([short, long], [long, short]):
        found = read_groups(order)
        assert committed(found) == {("g", "t", 0): 2}
        assert found.records == 2


def test_streams_and_share_groups_are_told_by_kind():
    found = read_groups([fixture("4.3.1", "streams").path()])
    assert found.groups["wordcount"].kind == "streams"
    found = read_groups([fixture("4.3.1", "txn").path()])
    assert {group.kind for group in found.groups.values()} >= {"classic", "consumer", "share", "offsets"}


def test_a_path_without_the_topic_is_a_problem(tmp_path):
    missing, without = (read_groups([str(path)]).problems for path in (tmp_path / "nowhere", FIXTURES / "broker/2.1.1/plain"))
    assert [note.message for note in missing] == ["no such file or directory"]
    assert [note.message for note in without][-1].startswith("no partition of __consumer_offsets was given")


def test_single_files_of_one_directory_are_one_log(tmp_path):
    key = offset_key("g", "t", 0)
    path = write_log(tmp_path, [batch(0, key, offset_value(1)), batch(1, offset_key("g", "t", 1), offset_value(2))])
    first = f"{path}/00000000000000000000.log"
    second = f"{path}/00000000000000000002.log"
    (tmp_path / "__consumer_offsets-0" / "00000000000000000002.log").write_bytes(batch(2, key, offset_value(7)))
    for order in ([first, second], [second, first], [first, second, first]):
        found = read_groups(order)
        assert committed(found) == {("g", "t", 0): 7, ("g", "t", 1): 2}
        assert found.records == 3


def test_a_file_in_a_folder_of_another_name_is_taken_at_its_word(tmp_path):
    (tmp_path / "evidence").mkdir()
    path = tmp_path / "evidence" / "00000000000000000000.log"
    path.write_bytes(batch(0, offset_key("g", "t", 0), offset_value(1)))
    assert committed(read_groups(str(path))) == {("g", "t", 0): 1}
    assert committed(read_groups(path.parent)) == {("g", "t", 0): 1}


def test_notes_are_counted_beyond_those_that_are_kept(tmp_path, monkeypatch):
    from kafkalog.render.json_replay import group_lines
    from kafkalog.replay.logs import Notes

    monkeypatch.setattr(Notes, "LIMIT", 3)
    path = write_log(tmp_path, [batch(n, b"\x7f\xff", b"") for n in range(8)])
    found = read_groups([path])
    assert (len(found.notes), found.notes.dropped) == (3, 5)
    assert list(group_lines(found))[-1]["notes"] == 8
