"""What the coordinators of each release make of a partition of an internal topic."""

from __future__ import annotations

import gzip
import shutil
import struct
import uuid

import pytest

from kafkalog.core.properties import format_uuid, read_partition_metadata
from kafkalog.core.release import NEWEST, OLDEST, parse_release
from kafkalog.replay.groups import read_groups
from kafkalog.replay.transactions import read_transactions
from kafkalog.verify import verify
from tests import encode
from tests.internal_topics import (
    group_key,
    group_value,
    offset_key,
    offset_value,
    share_key,
    share_snapshot,
    string,
    transaction_key,
    transaction_value,
)
from tests.log_dirs import FIXTURES
from tests.replay.coordinator_cases import GROUP_CASES, log
from tests.replay.test_commands import lines, of_type, run
from tests.replay.test_groups import write_log

#: Case → release → offset at which the load fails, None where it succeeds. They are what live brokers did.
FAILS = {
    "sound": {"2.0.1": 0, "2.1.0": None, "3.4.0": None, "4.4": None},
    "consumer group": {"3.4.0": 1, "3.4.1": None, "3.9.1": None, "4.0": None, "4.4": None},
    "consumer group that went": {"3.4.0": 0, "4.1.1": None},
    "tombstones without a group": {"3.4.0": 0, "3.9.1": None, "4.0": None},
    "classic, then consumer": {"3.4.0": 1, "3.9.1": None, "4.0": 1, "4.4": 1},
    "classic with nobody, then consumer": {"4.1.1": None},
    "classic that went, then consumer": {"4.1.1": None},
    "consumer, then share": {"3.9.1": None, "4.1.1": 1},
    "offsets, then share": {"4.1.1": 1, "4.4": 1},
    "offsets, then streams": {"4.1.1": 1, "4.2.1": 1, "4.3.0": None, "4.4": None},
    "member goes before its assignment": {"4.1.1": 3},
    "group goes before its members": {"4.1.1": 3},
    "group goes before its target": {"4.1.1": 1},
    "unknown type": {"2.3.1": 1, "3.4.0": 1, "3.4.1": None, "4.4": None},
    "unknown version": {"2.3.1": 1, "3.9.1": 1, "4.4": 1},
    "value cut short": {"2.3.1": 1, "3.9.1": 1, "4.4": 1},
    "no key": {"2.3.1": 1, "3.9.1": 1, "4.4": 1},
    "key of one byte": {"2.3.1": 1, "4.4": 1},
}


def failure(load, release):
    return load.failure(parse_release(release))


@pytest.mark.parametrize("name", GROUP_CASES)
def test_a_group_coordinator_fails_where_its_release_does(name, tmp_path):
    write_log(tmp_path, [log(*GROUP_CASES[name])])
    (load,) = read_groups(tmp_path).loads
    found = {release: failure(load, release) for release in FAILS[name]}
    assert {release: item.offset if item else None for release, item in found.items()} == FAILS[name]


def test_a_version_is_unknown_to_the_releases_before_it(tmp_path):
    write_log(tmp_path, [log((offset_key("g", "t", 0), offset_value(1)))])
    (load,) = read_groups(tmp_path).loads
    assert failure(load, "2.0.1").reason == "version 3 of OffsetCommitValue is unknown"
    assert failure(load, "2.1.0") is None


def test_records_that_cannot_be_opened_end_the_load(tmp_path):
    packed = gzip.compress(b"not records", mtime=0)[:-6]
    write_log(tmp_path, [log(GROUP_CASES["sound"][0]), encode.batch(packed, base_offset=1, attributes=1, count=1)])
    (load,) = read_groups(tmp_path).loads
    assert failure(load, "4.1.1").offset == failure(load, "2.3.1").offset == 1


def test_all_groups_of_the_partition_go_with_it_and_no_others(tmp_path):
    other = group_key("other"), group_value([("m", b"")])
    write_log(tmp_path, [log(*GROUP_CASES["classic, then consumer"], other)])
    write_log(tmp_path, [log((offset_key("far", "t", 0), offset_value(1)))], "__consumer_offsets-1")
    (line,) = of_type("load", lines("groups", str(tmp_path), "--kafka-version", "4.1.1", status=1))
    assert line["lost"] == ["g", "other"]
    assert (line["offset"], line["cause"], line["partition"]) == (1, "another-kind", 0)
    text = run("groups", str(tmp_path), "--kafka-version", "4.1.1", status=1)
    assert "fails to load it at offset 1: group g is not a consumer group." in text
    assert text.index("fails to load") < text.index("Groups (")
    assert "load" not in run("groups", str(tmp_path), "--kafka-version", "3.9.1").replace("loads", "")


def test_before_4_0_clients_see_an_empty_partition(tmp_path):
    write_log(tmp_path, [log(*GROUP_CASES["unknown type"])])
    assert "as if it were empty" in run("groups", str(tmp_path), "--kafka-version", "3.4.0", status=1)
    run("groups", str(tmp_path), "--kafka-version", "3.4.1", status=1)  # the record is a note all the same


def empty_segments(folder, topic, *bases, first=b""):
    directory = folder / f"{topic}-0"
    directory.mkdir(parents=True)
    for base in bases:
        (directory / f"{base:020}.log").write_bytes(first if base == bases[0] else b"")
    (folder / "meta.properties").write_text("version=0\nbroker.id=0\n")
    return directory


@pytest.mark.parametrize("command", ["groups", "transactions"])
@pytest.mark.parametrize("first", [b"", log(GROUP_CASES["sound"][0])], ids=["nothing", "one-batch"])
def test_an_end_that_no_batch_reaches_is_waited_for_before_2_4_1(command, first, tmp_path):
    topic = "__consumer_offsets" if command == "groups" else "__transaction_state"
    if first and command == "transactions":
        first = log((transaction_key("x"), transaction_value(1, 0, None)))
    empty_segments(tmp_path, topic, 0, 20, first=first)
    for release in ("0.11", "2.3.1", "2.4.0"):
        text = run(command, str(tmp_path), "--kafka-version", release, status=1)
        assert "never finishes loading" in text or "fails to load" in text
    assert "never" not in run(command, str(tmp_path), "--kafka-version", "2.4.1")
    # The log dir does not say which release of ZooKeeper's time it is of.
    assert "before Kafka 2.4.1 never finishes loading it" in run(command, str(tmp_path))
    assert {f.id: f.severity.name for f in verify(tmp_path).all_findings()}["coordinator-load-never-ends"] == "INFO"
    found = {f.id: f.severity.name for f in verify(tmp_path, kafka_version="2.4.0").all_findings()}
    assert found["coordinator-load-never-ends"] == "ERROR"


def test_a_partition_without_a_name_concerns_nobody_whose_name_is_known(tmp_path):
    empty_segments(tmp_path, "__consumer_offsets", 0, 20)
    (found,) = [f for f in verify(tmp_path, kafka_version="2.3.1").all_findings() if f.id == "coordinator-load-never-ends"]
    assert found.consequence.endswith("This concerns nobody whose name the partition still holds.")


def test_a_log_that_starts_at_its_end_is_loaded_at_once(tmp_path):
    empty_segments(tmp_path, "__consumer_offsets", 0, 20)
    (tmp_path / "log-start-offset-checkpoint").write_text("0\n1\n__consumer_offsets 0 20\n")
    assert "never" not in run("groups", str(tmp_path))


def test_a_transaction_coordinator_keeps_what_comes_before_the_failure(tmp_path):
    records = [(transaction_key(name), transaction_value(1, 0, None)) for name in ("a", "b")]
    bad = transaction_key("c"), transaction_value(1, 0, None, version=9)
    write_log(tmp_path, [log(*records, bad, records[0])], "__transaction_state-0")
    (load,) = read_transactions(tmp_path).loads
    found = load.failure(NEWEST)
    assert found.offset == 2
    assert load.lost(found) == ["a", "c"]
    (line,) = of_type("load", lines("transactions", str(tmp_path), status=1))
    assert line["lost"] == ["a", "c"]


def test_a_last_batch_without_records_is_read_for_ever_before_4_0(tmp_path):
    emptied = encode.batch(b"", base_offset=1, count=0)
    write_log(tmp_path, [log((transaction_key("a"), transaction_value(1, 0, None))), emptied], "__transaction_state-0")
    (load,) = read_transactions(tmp_path).loads
    assert not failure(load, "3.9.1").ends
    assert failure(load, "4.0.0") is None


def test_a_share_coordinator_fails_at_an_update_without_a_value(tmp_path):
    topic = uuid.UUID(int=7)
    records = [(share_key("g", topic, 0), share_snapshot(1)), (share_key("g", topic, 0, update=True), None)]
    write_log(tmp_path, [log(*records)], "__share_group_state-0")
    (load,) = read_groups(tmp_path).loads
    assert failure(load, "4.1.1").offset == 1
    assert load.lost(failure(load, "4.1.1")) == ["g"]


def test_a_moment_before_the_end_says_nothing_of_loads(tmp_path):
    write_log(tmp_path, [log(*GROUP_CASES["unknown version"])])
    assert of_type("load", lines("groups", str(tmp_path), "--at", "0")) == []


def test_the_oldest_release_is_not_blamed_for_what_came_before_it(tmp_path):
    write_log(tmp_path, [log((group_key("g"), group_value([("m", b"")])))])
    (load,) = read_groups(tmp_path).loads
    assert load.failure(OLDEST) is None
    assert load.failures == ()


# --- the same on real brokers' directories ------------------------------------------------------------------------------

CASES = FIXTURES / "cases"


@pytest.mark.parametrize(("release", "status"), [("4.1.1", 1), ("4.4", 1), ("3.4.0", 1), ("3.9.1", 0)])
def test_a_classic_group_that_became_a_consumer_group_stops_the_load(release, status):
    directory = str(CASES / "group-coordinator-does-not-load/__consumer_offsets-1")
    loads = of_type("load", lines("groups", directory, "--kafka-version", release, status=status))
    told = [(load["offset"], load["reason"]) for load in loads]
    if release == "3.9.1":
        assert told == []
    elif release != "3.4.0":
        assert told == [(28, "group next-billing is not a consumer group")]
        found = [f for f in verify(directory, kafka_version=release).all_findings() if f.id == "coordinator-load-fails"]
        assert [(f.severity.name, f.offsets) for f in found] == [("ERROR", (28, 28))]
        assert "next-billing" in found[0].consequence
        assert "copier-2" in found[0].consequence


def test_a_partition_of_empty_segments_is_waited_for():
    before = str(CASES / "offsets-partition-of-empty-segments/before")
    (load,) = of_type("load", lines("groups", before, "--kafka-version", "2.3.1", status=1))
    assert (load["cause"], load["offset"]) == ("empty-end", 0)
    assert of_type("load", lines("groups", before, "--kafka-version", "2.8")) == []


def test_the_commits_of_a_real_broker_outside_the_log():
    d1 = str(CASES / "committed-offset-out-of-range/d1")
    found = of_type("offset", lines("groups", d1, status=1))
    assert {line["topic"]: line["problem"] for line in found} == {"a": "after-log-end", "b": "before-log-start", "c": None}


# --- committed offsets and their logs -----------------------------------------------------------------------------------


@pytest.fixture
def committed(tmp_path):
    """Commits of a:50 (log 0 to 10), b:2 (log 5 to 10), c:10 (log 0 to 10), d:3 (no log)."""
    commits = [
        (offset_key("snuba", topic, 0), offset_value(offset)) for topic, offset in zip("abcd", (50, 2, 10, 3), strict=True)
    ]
    write_log(tmp_path, [log(*commits)])
    for topic in "abc":
        write_log(tmp_path, [encode.batch([encode.R(at, b"k", b"v") for at in range(10)])], f"{topic}-0")
    (tmp_path / "log-start-offset-checkpoint").write_text("0\n1\nb 0 5\n")
    return str(tmp_path)


def test_committed_offsets_outside_the_log_are_told(committed):
    problems = {line["topic"]: (line["problem"], line["lag"]) for line in of_type("offset", lines("groups", committed))}
    assert problems == {
        "a": ("after-log-end", -40),
        "b": ("before-log-start", 8),
        "c": (None, 0),
        "d": (None, None),
    }
    text = run("groups", committed)
    assert "committed offset 50 of a-0 lies 40 after the end of the log, 10" in text
    assert "committed offset 2 of b-0 lies before the start of the log, 5. Offsets 2 to 4 were deleted" in text
    assert " start " in text
    assert lines("groups", committed)[-1]["out_of_range"] == 2


def stopped(tmp_path, *commits, source=CASES / "committed-offset-out-of-range/d1"):
    """A copy of a log dir that its broker closed with a clean stop, with these commits as its `__consumer_offsets-0`."""
    target = tmp_path / "copy"
    shutil.copytree(source, target)
    if commits:
        shutil.rmtree(target / "__consumer_offsets-0", ignore_errors=True)
        write_log(target, [log(*commits)])
    return target


def severities(log_dir, status, *more):
    found = of_type("offset", lines("groups", str(log_dir), *more, status=status))
    return {f"{line['topic']}-{line['partition']}": line["severity"] for line in found}


def test_offsets_outside_the_log_of_a_stopped_broker_without_other_replicas_are_warnings(tmp_path):
    d1 = stopped(tmp_path)
    assert severities(d1, 1) == {"a-0": "WARNING", "b-0": "WARNING", "c-0": None}
    assert "The log was lost or created again: the next fetch" in run("groups", str(d1), status=1)
    run("groups", str(d1), "--fail-on", "error")


def test_offsets_outside_the_log_of_a_copy_that_no_stop_closed_may_be_of_another_moment(tmp_path):
    d1 = stopped(tmp_path)
    (d1 / ".kafka_cleanshutdown").unlink()
    assert severities(d1, 0) == {"a-0": "INFO", "b-0": "INFO", "c-0": None}
    assert "or this copy of it is older or was not in sync" in run("groups", str(d1))
    run("groups", str(d1), "--fail-on", "info", status=1)


def test_offsets_after_the_end_of_a_follower_are_no_warning(tmp_path):
    """It may still have been on its way when it was stopped."""
    commit = offset_key("g", "ledger", 0), offset_value(100_000)
    follower = stopped(tmp_path, commit, source=FIXTURES / "broker/3.9.1/cluster-final-n1")
    assert severities(follower, 0) == {"ledger-0": "INFO"}


def offset_value_with_topic_id(offset, topic_id):
    """Version 4: the id is a tagged field."""
    return struct.pack(">hqi", 4, offset, 7) + b"\x01" + struct.pack(">q", 5) + b"\x01\x00\x10" + topic_id.bytes


def test_offsets_of_topics_that_the_metadata_does_not_have_are_told(tmp_path):
    own = read_partition_metadata((CASES / "committed-offset-out-of-range/d1/a-0/partition.metadata").read_bytes()).topic_id
    commits = {
        ("gone", 0): offset_value(3),
        ("a", 7): offset_value(3),
        ("b", 0): offset_value_with_topic_id(7, uuid.UUID(int=9)),
        ("a", 0): offset_value_with_topic_id(7, own),
        ("c", 0): offset_value(3),
    }
    d1 = stopped(tmp_path, *((offset_key("g", *place), value) for place, value in commits.items()))
    found = {(line["topic"], line["partition"]): line["topicProblem"] for line in of_type("offset", lines("groups", str(d1)))}
    assert found == {
        ("gone", 0): "no-topic",
        ("a", 7): "no-partition",
        ("b", 0): "earlier-topic",
        ("a", 0): None,
        ("c", 0): None,
    }
    text = run("groups", str(d1))
    assert "offset 3 is committed for gone-0, but the cluster's metadata has no such topic" in text
    assert "offset 7 is committed for b-0, but it is of an earlier topic of that name" in text
    assert lines("groups", str(d1))[-1]["without_topic"] == 3
    run("groups", str(d1), "--fail-on", "info", status=1)
    shutil.rmtree(d1 / "__cluster_metadata-0")
    assert lines("groups", str(d1))[-1]["without_topic"] == 0


def test_a_share_group_that_begins_after_the_end_of_the_log_is_told(tmp_path):
    topic = uuid.UUID(int=5)
    write_log(tmp_path, [log((share_key("g", topic, 0), share_snapshot(50, 0)))], "__share_group_state-0")
    write_log(tmp_path, [encode.batch([encode.R(0, b"k", b"v")])], "t-0")
    (tmp_path / "t-0/partition.metadata").write_text(f"version: 0\ntopic_id: {format_uuid(topic)}\n")
    (line,) = of_type("share_offset", lines("groups", str(tmp_path)))
    assert (line["problem"], line["lag"]) == ("after-log-end", -49)
    assert "g: the share group begins at offset 50 of t-0, 49 after the end of the log, 1." in run("groups", str(tmp_path))


DAY = 24 * 60 * 60 * 1000


def stored_expiry(commit_time, expire_time):
    """Version 1: with the time from which on it is to be deleted."""
    return struct.pack(">hq", 1, 3) + string("") + struct.pack(">qq", commit_time, expire_time)


def test_offsets_that_a_coordinator_will_delete_are_told(tmp_path):
    write_log(
        tmp_path,
        [
            log(
                (offset_key("simple", "t", 0), offset_value(1, time=1000)),
                (offset_key("told", "t", 0), stored_expiry(1000, 2000)),
                (offset_key("at-once", "t", 0), stored_expiry(1000, 1000)),
                (offset_key("busy", "t", 0), stored_expiry(1000, 2000)),
                (group_key("busy"), group_value([("m", b"")])),
                (offset_key("left", "t", 0), offset_value(1, time=1000)),
                (group_key("left"), struct.pack(">h", 2) + group_value([])[2:-4] + struct.pack(">qi", 5 * DAY, 0)),
            )
        ],
    )
    found = {line["group"]: line["expiresAt"] for line in of_type("offset", lines("groups", str(tmp_path)))}
    assert found == {"simple": 7 * DAY + 1000, "told": 2000, "at-once": 1000, "busy": None, "left": 12 * DAY}

    def expired(now):
        return lines("groups", str(tmp_path), "--now", str(now))[-1]["expired"]

    assert [expired(now) for now in (999, 1000, 2000, 7 * DAY + 999, 7 * DAY + 1000, 12 * DAY)] == [0, 1, 2, 2, 3, 4]
    text = run("groups", str(tmp_path), "--now", str(7 * DAY + 1000))
    assert (
        "2 committed offsets of groups without members expired, by the time stored with them: "
        "at-once, told. 1 had expired when committed"
    ) in text
    assert "1 committed offset of groups without members expired, if offsets.retention" in text
    assert lines("groups", str(tmp_path), "--at", "1", "--now", str(12 * DAY))[-1]["expired"] is None


def test_a_log_whose_last_segment_is_empty_ends_there(tmp_path):
    write_log(tmp_path, [log((offset_key("g", "t", 0), offset_value(12)))])
    directory = tmp_path / "t-0"
    directory.mkdir()
    (directory / f"{0:020}.log").write_bytes(encode.batch([encode.R(0, b"k", b"v")]))
    (directory / f"{20:020}.log").write_bytes(b"")
    (commit,) = read_groups(tmp_path).offsets
    assert (commit.log_end_offset, commit.lag, commit.problem) == (20, 8, None)


# --- members of other clients -------------------------------------------------------------------------------------------


def test_a_subscription_that_ends_before_owned_partitions_is_decoded(tmp_path):
    """KafkaJS writes version 1 so."""
    topics = struct.pack(">hi", 1, 1) + string("orders") + struct.pack(">i", 0)
    given = struct.pack(">hi", 1, 1) + string("orders") + struct.pack(">iii", 1, 0, 0)
    value = struct.pack(">h", 1) + string("consumer") + struct.pack(">i", 1) + string("RoundRobinAssigner") + string("k")
    value += struct.pack(">i", 1) + string("k") + string("kafkajs") + string("/127.0.0.1") + struct.pack(">ii", 60000, 30000)
    value += struct.pack(">i", len(topics)) + topics + struct.pack(">i", len(given)) + given
    write_log(tmp_path, [log((group_key("g1"), value))])
    found = read_groups(tmp_path)
    (member,) = found.groups["g1"].members.values()
    assert found.notes == []
    assert member.subscription == {"topics": ["orders"], "userData": b""}
    (line,) = of_type("member", lines("groups", str(tmp_path)))
    assert line["subscription"]["topics"] == ["orders"]
    dumped = run("dump", "--offsets-decoder", "--format", "jsonl", str(tmp_path / "__consumer_offsets-0"))
    assert '"topics":["orders"]' in dumped
