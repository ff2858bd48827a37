"""Remedies say what is known of the partition: which replica has what is lost, or that none has, and what its files allow."""

from __future__ import annotations

import pathlib
import shutil

import pytest

from kafkalog.core.log import BytesSource, walk
from kafkalog.replay import quorum
from kafkalog.replay.quorum import Quorum, Voter
from kafkalog.verify import Severity, verify
from kafkalog.verify.remedies import LET_REBUILD, READ_ON, REBUILD, REFETCH, REPLAY
from tests.log_dirs import fixture
from tests.verify.lab import Lab

NOW = 1797500000000
LEDGER = "3.9.1/cluster-final-n1/ledger-0"
SEVERAL, ONLY = "3.9.1/cluster-final-n1/__cluster_metadata-0", "4.3.1/meta-n1/__cluster_metadata-0"
OBSERVER = "4.1.1/meta-n2/__cluster_metadata-0"
TWITTER = "2.1.1/plain/twitter-status-0"


def flip(lab, number=0, at=2):
    """Damage a batch; gives its first and last offset."""
    lab.change(number, at, lambda batch: batch[:-1] + bytes([batch[-1] ^ 1]))
    (found,) = (f for f in look(lab.root) if f.id == "batch-crc-mismatch")
    return found.offsets


def look(*paths):
    return list(verify(paths, now=NOW, next_start=False).all_findings())


def rescued(directory):
    """What is to be done where no other replica is known: one bit explains what is damaged."""
    command = f"`kafkalog salvage -o NEWDIR --unflip {directory}`"
    kept = "writes the sound batches, and those with one flipped bit, put right, into a new directory that a broker serves."
    return f"{REFETCH} If none is: {command} {kept} {READ_ON}"


def remedy_of(finding_id, *paths):
    return next(f.remedy for f in look(*paths) if f.id == finding_id)


# --- another replica ---


@pytest.fixture
def damaged(tmp_path):
    return Lab(tmp_path / "n1", LEDGER)


@pytest.fixture
def replica(tmp_path):
    """The log dir of the second node of the same cluster, with its replica of the partition."""
    source = fixture("3.9.1", "cluster-final-n2").path()
    root = tmp_path / "n2"
    root.mkdir()
    shutil.copytree(f"{source}/ledger-0", root / "ledger-0")
    shutil.copy(f"{source}/meta.properties", root)
    return root


def test_the_sound_replica_among_the_paths_is_named_with_the_offsets_that_this_one_lacks(damaged, replica):
    first, last = flip(damaged)
    told = remedy_of("batch-crc-mismatch", damaged.root, replica)
    assert told.startswith(f"{replica}/ledger-0 is a replica that has offsets {first} to {last}, which this one lacks, sound:")


def test_a_replica_that_lacks_the_same_offsets_is_not_named(damaged, replica):
    flip(damaged)
    log = replica / "ledger-0" / damaged.path(0).name
    log.write_bytes(damaged.path(0).read_bytes())
    assert [f.remedy for f in look(damaged.root, replica) if f.id == "batch-crc-mismatch"] == [
        rescued(damaged.dir),
        rescued(log.parent),
    ]


@pytest.mark.parametrize("change", ["other cluster", "other topic id", "other partition", "ends before", "future"])
def test_what_is_no_replica_of_it_or_ends_before_it_is_not_named(change, damaged, replica):
    flip(damaged, -1, -1)
    directory = replica / "ledger-0"
    if change == "other cluster":
        meta = replica / "meta.properties"
        meta.write_text(meta.read_text().replace("cluster.id=", "cluster.id=X"))
    elif change == "other topic id":
        (directory / "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA")
    elif change == "other partition":
        directory.rename(replica / "ledger-1")
    elif change == "future":
        directory.rename(replica / f"ledger-0.{'a' * 32}-future")
    else:
        max(directory.glob("*.log")).write_bytes(b"")
    assert remedy_of("batch-crc-mismatch", damaged.root, replica) == rescued(damaged.dir)


def test_a_partition_without_another_replica_is_not_advised_to_fetch_from_one(tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/edge/e-idem-0")
    lab.beside("__cluster_metadata-0")
    flip(lab, 0, 0)
    told = remedy_of("batch-crc-mismatch", lab.root)
    assert "the partition has no other replica" in told
    assert "move this directory" not in told
    assert "move the partition's directory" not in told


# --- the metadata log ---


def of_metadata(tmp_path, source):
    lab = Lab(tmp_path / "d1", source)
    flip(lab, -1, len(lab.batches(-1)) // 2)
    return remedy_of("batch-crc-mismatch", lab.root)


def test_the_metadata_log_of_the_only_voter_is_never_advised_to_be_moved_away(tmp_path):
    told = of_metadata(tmp_path, ONLY)
    assert "only voter (node 1)" in told
    assert "no other node has these records. Do not start the node, and leave the directory where it is" in told
    assert "out of the log dir" not in told


def test_the_metadata_log_of_one_of_several_voters_waits_for_the_majority_of_the_others(tmp_path):
    told = of_metadata(tmp_path, SEVERAL)
    assert "one of 3 voters (1, 2, 3)" in told
    assert "until a majority of the voters is up without it and has caught up" in told
    assert "remove-controller" not in told
    assert "out of the log dir" not in told


def test_a_voter_with_a_directory_id_is_taken_out_of_the_voters_first(tmp_path, monkeypatch):
    voters = tuple(Voter(number, f"{'A' * 21}{number}") for number in (1, 2, 3))
    monkeypatch.setattr(quorum, "read_quorum", lambda _: Quorum({}, voters))
    told = of_metadata(tmp_path, SEVERAL)
    assert told.index("remove-controller") < told.index("--no-initial-controllers") < told.index("add-controller`)")


def test_the_metadata_log_of_an_observer_may_be_fetched_again(tmp_path):
    told = of_metadata(tmp_path, OBSERVER)
    assert told.startswith("This node (2) is no voter (voters: 1). It fetches what it lacks from the controllers")
    assert "move the directory out of the log dir" in told


# --- indexes and snapshots ---


def test_an_index_of_a_sound_log_is_rebuilt_and_one_of_a_damaged_log_is_left(tmp_path):
    lab = Lab(tmp_path / "d1", TWITTER)
    lab.entry(lab.path(0, ".index"), 3, ">ii", 10, 7)
    sound = remedy_of("index-not-monotonic", lab.root)
    assert sound.startswith("The log of the segment is sound. With the broker stopped, move its `.index`")
    flip(lab, 0, -1)
    assert remedy_of("index-not-monotonic", lab.root).startswith("Leave it: the log of the segment is damaged")


def test_a_missing_index_of_a_sound_log_is_nothing_to_do(tmp_path):
    lab = Lab(tmp_path / "d1", TWITTER)
    lab.path(0, ".index").unlink()
    assert remedy_of("index-missing", lab.root).startswith("Nothing to do: the log of the segment is sound")


def test_indexes_of_the_metadata_log_are_left_to_the_start(tmp_path):
    lab = Lab(tmp_path / "d1", ONLY)
    lab.path(0, ".index").unlink()
    told = [f.remedy for f in look(lab.root) if f.path.endswith((".index", ".timeindex")) and f.severity > Severity.INFO]
    assert told
    assert all(text.startswith("Nothing needs to be moved") for text in told)


@pytest.mark.parametrize("has_older", [True, False])
def test_a_wrong_snapshot_is_replayed_from_an_older_one_when_there_is_one(has_older, tmp_path):
    lab = Lab(tmp_path / "d1", LEDGER)
    snapshots = sorted(lab.dir.glob("*.snapshot"))
    assert len(snapshots) > 1
    lab.patch(snapshots[-1], 3, b"\x55")
    if not has_older:
        for path in snapshots[:-1]:
            path.unlink()
    told = remedy_of("snapshot-crc-mismatch", lab.root)
    assert (f"replayed from {snapshots[-2].name} on" in told) == has_older
    assert ("no older snapshot is here" in told) != has_older


def test_a_wrong_snapshot_of_a_damaged_log_is_left(tmp_path):
    lab = Lab(tmp_path / "d1", LEDGER)
    lab.patch(max(lab.dir.glob("*.snapshot")), 3, b"\x55")
    flip(lab)
    assert remedy_of("snapshot-crc-mismatch", lab.root).startswith("Leave it: the log is damaged")


def test_no_finding_of_a_partition_keeps_general_words_where_the_log_tells(tmp_path):
    lab = Lab(tmp_path / "d1", TWITTER)
    lab.entry(lab.path(0, ".index"), 3, ">ii", 10, 7)
    lab.path(1, ".index").unlink()
    assert not [f.id for f in look(lab.root) if any(words in f.remedy for words in (REBUILD, LET_REBUILD, REPLAY))]


# --- what follows from lost bytes, and a log put in another's place ---


def test_a_log_put_in_the_place_of_another_is_one_finding_that_names_the_file_with_its_bytes(tmp_path):
    lab = Lab(tmp_path / "d1", TWITTER)
    lab.beside("twitter-status-0", "other-7")
    original = sorted((lab.root / "other-7").glob("*.log"))[2]
    shutil.copyfile(original, lab.path(0))
    found = [f for f in look(lab.root) if f.path.startswith(str(lab.dir)) and f.severity > Severity.INFO]
    (cause,) = (f for f in found if f.cause is None)
    assert cause.id == "log-replaced"
    assert len(found) > 20
    assert "its bytes are those of " in cause.message
    assert str(original) in cause.message or str(lab.path(2)) in cause.message


def test_what_producers_and_snapshots_say_after_a_hole_is_told_under_it(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    for path in lab.dir.glob(f"{lab.path(1).stem}.*"):
        path.unlink()
    found = [f for f in look(lab.root) if f.severity > Severity.INFO]
    assert [f.id for f in found if f.cause is None] == ["segment-gap"]
    assert {f.id for f in found if f.cause is not None} == {
        *("sequence-gap-over-hole", "snapshot-differs-from-log", "txnindex-first-offset-mismatch", "txnindex-lso-mismatch")
    }


def test_what_indexes_say_after_a_cut_end_is_told_under_it(tmp_path):
    lab = Lab(tmp_path / "d1", TWITTER)
    lab.cut(lab.path(1), -300)
    found = [f for f in look(lab.root) if f.severity > Severity.INFO]
    assert [(f.id, f.cause and f.cause.id) for f in found] == [("index-past-eof", "log-tail-torn"), ("log-tail-torn", None)]


def test_indexes_that_name_offsets_after_the_end_of_a_cleaned_log_are_not_to_be_moved_away(tmp_path):
    """After a cleaning an offset that is not in the log is nothing by itself; but indexes are made with the log."""
    directory = pathlib.Path(shutil.copytree(f"{fixture('2.8.2', 'compact').path()}/txn-compact-0", tmp_path / "txn-compact-0"))
    log = directory / "00000000000000000106.log"
    first = next(walk(BytesSource(log.read_bytes())))
    log.write_bytes(log.read_bytes()[: first.span.end])
    told = {finding.remedy for finding in look(directory) if finding.path.startswith(str(log.with_suffix("")))}
    assert any(remedy.startswith("Do not move the indexes away: they name offset ") for remedy in told), told
    assert not any("The log of the segment is sound" in remedy for remedy in told)


# --- what to compare with ---


def test_what_to_compare_with_another_replica_is_a_command_line_with_the_partitions_path(tmp_path):
    lab = Lab(tmp_path / "d 1", TWITTER)
    lab.field(1, 1, partition_leader_epoch=-5)
    assert f"Compare it with another replica: `kafkalog diff '{lab.dir}' OTHER`." in remedy_of("batch-epoch-negative", lab.root)


def test_a_sound_replica_among_the_paths_is_what_to_compare_with(damaged, replica):
    damaged.field(0, 1, partition_leader_epoch=-5)
    first, last = next(f.offsets for f in look(damaged.root) if f.id == "batch-epoch-negative")
    told = remedy_of("batch-epoch-negative", damaged.root, replica)
    assert (
        f"{replica}/ledger-0 is a replica, sound there (offsets {first} to {last}): take its bytes for the right ones." in told
    )


def test_the_metadata_log_is_compared_with_that_of_another_controller(tmp_path):
    lab = Lab(tmp_path / "d1", SEVERAL)
    lab.field(-1, 3, producer_id=7)
    told = remedy_of("kraft-batch-odd", lab.root)
    assert told == f"Compare it with the metadata log of another controller: `kafkalog diff {lab.dir} OTHER`."


def test_a_partition_without_another_replica_has_nothing_to_compare_with(tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/edge/e-idem-0")
    lab.beside("__cluster_metadata-0")
    lab.field(0, 0, partition_leader_epoch=-5)
    assert "there is no other replica to compare it with" in remedy_of("batch-epoch-negative", lab.root)


def test_a_replica_with_a_part_of_what_is_lost_is_named_with_that_part(damaged, replica):
    logs = sorted((replica / "ledger-0").glob("*.log"))
    first, last = flip(damaged, -1, 0)
    logs[-1].write_bytes(logs[-1].read_bytes()[: len(damaged.batches(-1)[0])])
    assert first < last
    assert remedy_of("batch-crc-mismatch", damaged.root, replica).startswith(
        f"{replica}/ledger-0 is a replica that has offsets"
    )


def test_a_missing_snapshot_between_others_is_nothing_to_do_where_the_log_is_sound(tmp_path):
    lab = Lab(tmp_path / "d1", "2.8.2/repl-b1/orders-0")
    snapshots = sorted(lab.dir.glob("*.snapshot"))
    snapshots[len(snapshots) // 2].unlink()
    found = [f.remedy for f in look(lab.root) if f.id == "snapshot-missing-for-segment"]
    assert found == ["Nothing to do: the log is sound, and the state is replayed from it."]


@pytest.mark.parametrize("damage", ["missing", "malformed"])
def test_the_topic_id_that_a_metadata_log_beside_knows_is_in_the_remedy(damage, tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/meta-n1/__cluster_metadata-0")
    file = lab.beside("kept-0") / "partition.metadata"
    text = file.read_text()
    file.unlink() if damage == "missing" else file.write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA")
    (found,) = (one for one in look(lab.root) if one.id == f"partition-metadata-{damage}")
    assert text.splitlines()[1] in found.remedy
    assert str(lab.dir) in found.remedy
    assert "If the topic was deleted and created again" in found.remedy
