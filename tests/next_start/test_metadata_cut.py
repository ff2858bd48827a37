"""A metadata log that the start will cut: what the controller knows afterwards decides which directories are stray."""

from __future__ import annotations

import json
import shutil
import struct

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.core.log import BytesSource, walk
from kafkalog.next_start.api import next_starts
from kafkalog.next_start.metadata_start import METADATA_LOG
from kafkalog.replay import quorum
from kafkalog.replay.quorum import Quorum, Voter
from tests.log_dirs import fixture

#: A node that is the only voter, one of three voters, and one with many snapshots.
ALONE, ONE_OF_THREE, WITH_SNAPSHOTS = ("3.9.1", "edge"), ("3.9.1", "cluster-final-n1"), ("4.1.1", "meta-n1")


def copied(case, tmp_path):
    return shutil.copytree(fixture(*case).path(), tmp_path / "logs")


def batch_of(data, topic):
    """The batch that makes a topic."""
    return next(item for item in walk(BytesSource(data)) if bytes([len(topic) + 1]) + topic.encode() in bytes(item.data))


def _flip(data, batch):
    return data[: batch.span.end - 3] + bytes([data[batch.span.end - 3] ^ 4]) + data[batch.span.end - 2 :]


def _length(data, batch, length):
    at = batch.position + 8
    return data[:at] + struct.pack(">i", length) + data[at + 4 :]


DAMAGES = {
    "a flipped bit": _flip,
    "a torn tail": lambda data, batch: data[: batch.position + 40],
    "cut between batches": lambda data, batch: data[: batch.position],
    "a page of zeros": lambda data, batch: data[: batch.position] + bytes(512) + data[batch.position + 512 :],
    "a length too long": lambda data, batch: _length(data, batch, 900_000),
    "no length": lambda data, batch: _length(data, batch, 0),
}


def damage(log_dir, kind, topic="e-txn"):
    """Damage the batch of the metadata log that makes a topic; gives its first offset."""
    path = log_dir / METADATA_LOG / f"{0:020d}.log"
    data = path.read_bytes()
    batch = batch_of(data, topic)
    path.write_bytes(DAMAGES[kind](data, batch))
    return batch.base_offset


def by_name(outcomes):
    found = {}
    for outcome in outcomes:
        found.setdefault(outcome.path.rpartition("/")[2], []).append(outcome)
    return found


def strays(outcomes):
    return sorted({outcome.path.rpartition("/")[2] for outcome in outcomes if outcome.partition == "stray" and outcome.rename})


def test_a_sound_metadata_log_knows_all_topics(tmp_path):
    assert strays(next_starts([copied(ALONE, tmp_path)])) == []


@pytest.mark.parametrize("kind", DAMAGES)
def test_what_only_records_after_the_cut_made_is_stray_for_the_only_voter(kind, tmp_path):
    log_dir = copied(ALONE, tmp_path)
    end = damage(log_dir, kind)
    outcomes = by_name(next_starts([log_dir]))
    assert {name for name, (one, *_) in outcomes.items() if one.partition == "stray"} >= {"e-txn-0"}
    assert all(len(found) == 1 for found in outcomes.values())
    (stray,) = outcomes["e-txn-0"]
    how = f"ends at offset {end}, though it reached 107 before," if "between" in kind else f"the start cuts at offset {end},"
    assert f"the metadata log, which {how} knows no topic with its id" in stray.reason
    assert stray.set_aside.records > 0
    assert stray.set_aside.size == sum(path.stat().st_size for path in (log_dir / "e-txn-0").glob("*.log"))


def test_the_metadata_log_tells_how_much_goes_with_it_and_what_to_do(tmp_path):
    log_dir = copied(ALONE, tmp_path)
    damage(log_dir, "a flipped bit")
    outcomes = list(next_starts([log_dir]))
    (cut,) = by_name(outcomes)[METADATA_LOG]
    count = len(strays(outcomes))
    held = sum(one.set_aside.records for one in outcomes if one.set_aside)
    are = "directory is" if count == 1 else "directories are"
    assert f"{count} partition {are} renamed -stray then ({held} records, " in cut.reason
    advice = " ".join(cut.actions)
    assert "no other node has these records" in advice
    assert "move the partition's directory out" not in advice
    assert "unclean leader election" not in advice
    assert "put the metadata log right first" in " ".join(by_name(outcomes)["e-txn-0"][0].actions)


def test_one_of_several_voters_is_told_both_ways_the_worst_first_each_with_its_condition(tmp_path):
    log_dir = copied(ONE_OF_THREE, tmp_path)
    end = damage(log_dir, "a flipped bit", "ledger")
    outcomes = by_name(next_starts([log_dir]))
    alone, fetched = outcomes["ledger-0"]
    assert (alone.partition, fetched.partition) == ("stray", "loaded")
    assert f"if the other voters of the metadata quorum lack the metadata records from offset {end} on" in alone.reason
    assert "only voter" not in alone.reason
    assert f"if the other voters of the metadata quorum have the metadata records from offset {end} on" in fetched.reason
    assert alone.assumed.release == fetched.assumed.release
    (cut,) = outcomes[METADATA_LOG]
    advice = " ".join(cut.actions)
    assert "majority of the voters is up without it" in advice
    assert "Do not start a voter with an empty log" in advice


def test_without_a_log_one_of_several_voters_is_not_told_that_all_is_stray(tmp_path):
    log_dir = copied(ONE_OF_THREE, tmp_path)
    for path in (log_dir / METADATA_LOG).glob(f"{0:020d}.*"):
        path.unlink()
    alone, fetched = by_name(next_starts([log_dir]))["ledger-0"]
    assert (alone.partition, fetched.partition) == ("stray", "loaded")
    assert "which is missing" in alone.reason


@pytest.mark.parametrize("text", ["", '{"leaderId":1,"leaderEpoch":1,"votedId":-1,"data_version":1}'])
def test_without_a_word_on_the_voters_both_are_told(text, tmp_path):
    log_dir = copied(ALONE, tmp_path)
    for path in (log_dir / METADATA_LOG).glob(f"{0:020d}.*"):
        path.unlink()
    (log_dir / METADATA_LOG / "quorum-state").write_text(text)
    alone, fetched = by_name(next_starts([log_dir]))["e-txn-0"]
    assert (alone.partition, fetched.partition) == ("stray", "loaded")


def test_an_emptied_metadata_log_of_the_only_voter_knows_no_topic(tmp_path):
    log_dir = copied(ALONE, tmp_path)
    (log_dir / METADATA_LOG / f"{0:020d}.log").write_bytes(b"")
    here = sorted(path.name for path in log_dir.iterdir() if path.is_dir() and path.name != METADATA_LOG)
    assert strays(next_starts([log_dir])) == here


def test_a_node_that_does_not_vote_fetches_what_it_lacks(tmp_path, monkeypatch):
    log_dir = copied(ONE_OF_THREE, tmp_path)
    damage(log_dir, "a flipped bit", "ledger")
    controllers = Quorum({}, tuple(Voter(number, None) for number in (101, 102, 103)))
    monkeypatch.setattr(quorum, "read_quorum", lambda _: controllers)
    outcomes = list(next_starts([log_dir]))
    assert strays(outcomes) == []
    assert "is no voter (voters: 101, 102, 103)" in " ".join(by_name(outcomes)[METADATA_LOG][0].actions)


@pytest.mark.parametrize("kind", ["a flipped bit", "cut in half", "emptied"])
def test_no_node_starts_with_a_latest_snapshot_that_is_damaged(kind, tmp_path):
    log_dir = copied(WITH_SNAPSHOTS, tmp_path)
    latest = max((log_dir / METADATA_LOG).glob("*.checkpoint"))
    data = latest.read_bytes()
    bad = {
        "a flipped bit": data[:90] + bytes([data[90] ^ 4]) + data[91:],
        "cut in half": data[: len(data) // 2],
        "emptied": b"",
    }
    latest.write_bytes(bad[kind])
    first = next(iter(next_starts([log_dir])))
    assert (first.path, first.broker) == (str(latest), "aborts")
    assert f"Move {latest.name} out of {METADATA_LOG}" in " ".join(first.actions)
    # As it says, the node starts without it.
    latest.unlink()
    assert not [one.reason for one in next_starts([log_dir]) if one.broker == "aborts"]


def test_the_log_begins_anew_at_a_snapshot_that_the_cut_lies_before(tmp_path):
    log_dir = copied(WITH_SNAPSHOTS, tmp_path)
    before = strays(next_starts([log_dir]))
    logs = sorted((log_dir / METADATA_LOG).glob("*.log"))
    data = bytearray(logs[-2].read_bytes())
    data[len(data) // 2] ^= 4
    logs[-2].write_bytes(data)
    outcomes = list(next_starts([log_dir]))
    assert strays(outcomes) == before


def test_the_command_ends_with_how_many_are_set_aside(tmp_path):
    log_dir = copied(ALONE, tmp_path)
    damage(log_dir, "a flipped bit")
    done = CliRunner().invoke(main, ["next-start", str(log_dir)], standalone_mode=False)
    assert done.return_value == 1
    assert "sets it aside as -stray" in done.output
    assert "already gone" not in done.output  # what the start cuts is still there
    lines = CliRunner().invoke(main, ["next-start", "--format", "jsonl", str(log_dir)], standalone_mode=False).output
    aside = {line["path"].rpartition("/")[2]: line["set_aside"] for line in map(json.loads, lines.splitlines())}
    assert aside["e-txn-0"]["records"] > 0
    assert aside[METADATA_LOG] is None


def test_a_renamed_directory_is_served_by_nobody_and_the_one_that_it_was_is_made_empty(tmp_path):
    log_dir = copied(ALONE, tmp_path)
    (log_dir / "e-txn-0").rename(log_dir / "payments-0")
    outcomes = by_name(next_starts([log_dir]))
    (renamed,), (missing,) = outcomes["payments-0"], outcomes["e-txn-0"]
    # As a node of 4.3.1 does: it finds the partition by the id, leaves the directory alone, and makes another.
    assert (renamed.partition, renamed.rename, renamed.severity) == ("failed", (), "error")
    assert "its topic id is that of e-txn, so it was e-txn-0" in renamed.reason
    assert "what it held is in payments-0" in missing.reason
    assert missing.already_gone == ()
    back = "While the broker is stopped, rename the directory payments-0 back to e-txn-0."
    assert renamed.actions[-1] == missing.actions[-1] == back
    assert {one.partition for name, (one,) in outcomes.items() if name not in ("payments-0", METADATA_LOG)} == {"loaded"}


# --- what no node starts with: real nodes of 3.9.1 and 4.3.1 exit then ---


def without_segment(tmp_path, topic):
    """Cut a metadata log into a segment for each batch, and take out the one that makes a topic."""
    log_dir = copied(ALONE, tmp_path)
    path = log_dir / METADATA_LOG / f"{0:020d}.log"
    data = path.read_bytes()
    path.unlink()
    lost = batch_of(data, topic)
    for batch in walk(BytesSource(data)):
        if batch.base_offset != lost.base_offset:
            (path.parent / f"{batch.base_offset:020d}.log").write_bytes(bytes(batch.data))
    return log_dir, lost


def test_a_metadata_log_whose_later_records_speak_of_a_topic_in_a_missing_segment_stops_the_node(tmp_path):
    log_dir, lost = without_segment(tmp_path, "e-txn")
    outcomes = list(next_starts([log_dir]))
    (stopped,) = [one for one in outcomes if one.path.endswith(".log")]
    assert stopped.broker == "aborts"
    assert "does not fit those before it (PartitionChangeRecord: unknown topic id" in stopped.reason
    assert "only voter (node 1)" in " ".join(stopped.actions)
    (log,) = by_name(outcomes)[METADATA_LOG]
    assert [(one.first, one.last) for one in log.already_gone] == [(lost.base_offset, lost.last_offset)]


def test_a_metadata_log_that_begins_late_without_a_snapshot_stops_the_node(tmp_path):
    log_dir, _ = without_segment(tmp_path, "e-txn")
    first, second, *_ = sorted((log_dir / METADATA_LOG).glob("*.log"))
    first.unlink()
    outcomes = by_name(next_starts([log_dir], kafka_version="4.3.1"))
    reasons = [one.reason for one in outcomes[METADATA_LOG] if one.broker == "aborts"]
    assert any(f"begins at offset {int(second.stem)}, and no snapshot has what was before" in reason for reason in reasons)
