"""What log dirs say of their cluster: two quorums of one cluster id, topic ids that differ, producer ids that nobody gave."""

from __future__ import annotations

import pathlib
import shutil
import tarfile

import pytest

from kafkalog.core.properties import format_uuid
from kafkalog.files.partition import Partition
from kafkalog.replay.quorum import Quorum, Voter, conflict_of, read_quorum
from kafkalog.verify import Severity, verify
from kafkalog.verify.rules.clusters import QuorumPair, quorums_differ
from tests import encode
from tests.encode import R
from tests.log_dirs import FIXTURES
from tests.verify.lab import BROKER, Lab, fields, header, seal

NOW = 1797500000000
QUORUMS, MISMATCH, SHARED, CLUSTERS = "quorums-differ", "topic-id-mismatch", "topic-id-shared", "cluster-ids-differ"
PRODUCERS = "producer-id-not-given"
OURS = {QUORUMS, MISMATCH, SHARED, CLUSTERS, PRODUCERS}


def found(paths, **options):
    return [f for f in verify(paths, now=NOW, **options).all_findings() if f.id in OURS]


def ids(paths, **options):
    return [(f.id, f.severity.label) for f in found(paths, **options)]


@pytest.fixture
def two_quorums(tmp_path):
    with tarfile.open(FIXTURES / "cases/two-quorums-one-cluster-id.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(tmp_path)
    return tmp_path / "n1", tmp_path / "n2"


def change_meta(log_dir, **values):
    meta = log_dir / "meta.properties"
    lines = [
        line for line in meta.read_text().splitlines() if line.partition("=")[0] not in {k.replace("_", ".") for k in values}
    ]
    meta.write_text("\n".join([*lines, *(f"{k.replace('_', '.')}={v}" for k, v in values.items())]) + "\n")


# --- quorums ---


def test_two_quorums_of_one_cluster_id_are_an_error_and_no_diverging_replicas(two_quorums):
    n1, n2 = two_quorums
    report = verify([n1, n2], now=NOW)
    (quorums,) = (f for f in report.all_findings() if f.id == QUORUMS)
    assert quorums.severity is Severity.ERROR
    assert quorums.path == f"{n2}/__cluster_metadata-0/{0:020d}.log"
    assert (quorums.facts["other"], quorums.offsets) == (f"{n1}/__cluster_metadata-0", (0, 0))
    assert quorums.facts["cluster"] == "MkU3OEVBNTcwNTJENDM2Qg"
    assert quorums.facts["voters"].startswith("2 (")
    assert quorums.facts["other_voters"].startswith("1 (")
    assert "replica-diverges" not in {f.id for f in report.all_findings()}
    assert [f.path for f in report.all_findings() if f.id == MISMATCH] == [f"{n2}/orders-0/partition.metadata"]


def test_the_other_quorums_metadata_does_not_speak_for_a_log_dir_that_has_its_own(two_quorums):
    assert [f.id for f in verify(two_quorums, now=NOW).all_findings() if f.id.startswith("controller-")] == []


def test_two_quorums_are_told_in_a_quick_look_too(two_quorums):
    assert (QUORUMS, "error") in ids(two_quorums, quick=True)


def test_each_of_the_two_by_itself_is_sound(two_quorums):
    for log_dir in two_quorums:
        assert [f for f in verify(log_dir, now=NOW).all_findings() if f.severity > Severity.INFO] == []


def test_nodes_of_one_id_that_were_both_formatted_as_the_first_one_are_two_quorums(two_quorums):
    change_meta(two_quorums[1], node_id=1)
    assert (QUORUMS, "error") in ids(two_quorums)


def test_metadata_of_two_clusters_is_not_compared(two_quorums):
    change_meta(two_quorums[1], cluster_id="AAAAAAAAAAAAAAAAAAAAAA")
    assert ids(two_quorums) == []
    assert "replica-diverges" not in {f.id for f in verify(two_quorums, now=NOW).all_findings()}


def test_a_damaged_copy_of_a_metadata_log_is_no_other_quorum(tmp_path):
    first, second = (Lab(tmp_path / name, "4.3.1/meta-n1/__cluster_metadata-0") for name in ("d1", "d2"))
    change_meta(second.root, node_id=9)
    second.field(0, 5, max_timestamp=5, seal=False)
    assert QUORUMS not in {f.id for f in found([first.root, second.root])}
    second.field(0, 5, max_timestamp=5)
    assert QUORUMS in {f.id for f in found([first.root, second.root])}


def test_a_metadata_log_that_is_a_part_of_the_other_is_of_its_quorum(tmp_path):
    first, second = (Lab(tmp_path / name, "4.3.1/meta-n1/__cluster_metadata-0") for name in ("d1", "d2"))
    change_meta(second.root, node_id=9)
    second.write(0, second.batches(0)[:-20])
    assert QUORUMS not in {f.id for f in found([first.root, second.root])}


def test_a_tail_that_only_a_former_leader_has_is_no_other_quorum(tmp_path):
    first, second = (Lab(tmp_path / name, "4.3.1/meta-n1/__cluster_metadata-0") for name in ("d1", "d2"))
    change_meta(second.root, node_id=9)
    epoch = header(second.batches(0)[-1]).partition_leader_epoch + 1
    for at in (-2, -1):
        second.change(0, at, lambda batch: fields(batch, partition_leader_epoch=epoch, max_timestamp=1_790_000_000_000))
    assert [f.id for f in verify([first.root, second.root], now=NOW).all_findings() if f.id == "replica-diverges"]
    assert QUORUMS not in {f.id for f in found([first.root, second.root])}


ONE = Quorum({1: 1, 2: 1}, (Voter(1, "A"),))


@pytest.mark.parametrize(
    ("other", "epochs", "why"),
    [
        (Quorum({1: 1}, (Voter(1, "A"),)), None, ""),
        (Quorum({1: 1, 3: 2}, (Voter(1, "A"), Voter(2, "B"))), (2, 3), ""),
        (Quorum({1: 1, 3: 2}, (Voter(1, None), Voter(2, None))), (2, 3), ""),
        (Quorum({}, ()), (2, 3), ""),
        (Quorum({1: 2}, (Voter(1, "A"),)), None, "epoch 1 is led by node 1 in this one and by node 2 in the other"),
        (Quorum({3: 1}, (Voter(1, "B"),)), (2, 3), "none of its voters is a voter of the other"),
        (Quorum({3: 2}, (Voter(2, None),)), (2, 3), "none of its voters is a voter of the other"),
        (Quorum({3: 2}, (Voter(2, None),)), None, ""),
        (Quorum({1: 1, 2: 1}, (Voter(1, "A"),)), (2, 2), "both have other batches of the same epoch, 2, there"),
    ],
)
def test_what_keeps_two_metadata_logs_from_being_of_one_quorum(other, epochs, why):
    conflict = conflict_of(ONE, other, epochs)
    if not why:
        assert conflict is None
        return
    pair = QuorumPair(
        path="p", other="o", span=None, offset=None, cluster="c", conflict=conflict, voters=(), other_voters=other.voters
    )
    (hit,) = quorums_differ(pair)
    assert hit.facts["why"] == why


def test_voters_come_from_quorum_state_when_the_log_has_no_control_records(tmp_path):
    lab = Lab(tmp_path / "d1", "3.7.2/meta-n1/__cluster_metadata-0")
    (lab.dir / "quorum-state").write_text(
        '{"clusterId":"","leaderId":1,"leaderEpoch":1,"votedId":-1,"appliedOffset":0,'
        '"currentVoters":[{"voterId":7},{"voterId":8}],"data_version":0}'
    )
    assert [v.node_id for v in read_quorum(Partition(str(lab.dir))).voters] == [1]
    lab.write(0, [batch for batch in lab.batches(0) if not header(batch).attributes & 0x20])
    assert [v.node_id for v in read_quorum(Partition(str(lab.dir))).voters] == [7, 8]


# --- topic ids ---


@pytest.fixture
def replicas(tmp_path):
    """Two brokers of a cluster with the same partition; no metadata."""
    labs = [Lab(tmp_path / name, "3.9.1/cluster-final-n1/ledger-0") for name in ("n1", "n2")]
    change_meta(labs[1].root, node_id=2, directory_id="RCLNVpKiRwqmdZd9HMvIPQ")
    return labs


def other_id(folder, topic_id="AAAAAAAAAAAAAAAAAAAABA"):
    (folder / "partition.metadata").write_text(f"version: 0\ntopic_id: {topic_id}")


def test_a_topic_of_two_ids_on_two_brokers_is_an_error(replicas):
    one, other = replicas
    assert ids([one.root, other.root]) == []
    other_id(other.dir)
    (mismatch,) = found([one.root, other.root])
    assert (mismatch.id, mismatch.severity, mismatch.path) == (MISMATCH, Severity.ERROR, f"{other.dir}/partition.metadata")
    assert mismatch.facts["other_id"] == "EGZ_737HSdKYUpa7UCgxAg"
    assert mismatch.facts["file"] == f"{one.dir}/partition.metadata"
    report = verify([one.root, other.root], now=NOW)
    assert [p.verdict for p in report.partitions] == ["clean", "damaged"]
    assert "replica-diverges" not in {f.id for f in report.all_findings()}


def test_directories_of_which_nothing_says_that_they_are_of_one_cluster_are_only_told(replicas):
    one, other = replicas
    other_id(other.dir)
    assert ids([one.dir, other.dir]) == [(MISMATCH, "info")]
    change_meta(other.root, cluster_id="AAAAAAAAAAAAAAAAAAAAAA")
    assert ids([one.root, other.root]) == []


def test_two_topics_of_one_id_are_an_error_also_on_two_brokers(replicas):
    one, other = replicas
    other.dir = other.dir.rename(other.root / "other-0")
    assert ids([one.root, other.root]) == [(SHARED, "error")]
    assert ids([one.dir, other.dir]) == [(SHARED, "info")]


def test_each_topic_of_a_shared_id_is_told_once(tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    for name in ("a-0", "a-1", "b-0"):
        shutil.copytree(lab.dir, lab.root / name)
    assert [(f.id, pathlib.Path(f.path).parent.name) for f in found(lab.root)] == [(SHARED, "b-0"), (SHARED, "ledger-0")]


@pytest.mark.parametrize("mark", ["delete", "stray"])
def test_directories_on_their_way_out_may_have_another_id(mark, replicas):
    one, other = replicas
    other_id(other.dir)
    other.dir.rename(other.root / f"ledger-0.{'0' * 32}-{mark}")
    assert ids([one.root, other.root]) == []


def test_the_controller_says_which_id_is_right(tmp_path):
    one = Lab(tmp_path / "n1", "4.3.1/meta-n1/__cluster_metadata-0")
    two = Lab(tmp_path / "n2", "4.3.1/meta-n1/kept-0")
    change_meta(two.root, node_id=2)
    wrong = pathlib.Path(shutil.copytree(two.dir, one.root / "kept-0"))
    other_id(wrong)
    (mismatch,) = (f for f in found([one.root, two.root]) if f.id == MISMATCH)
    assert mismatch.path == f"{wrong}/partition.metadata", "that of the first log dir, by the controller's word"
    assert f"the controller has {mismatch.facts['other_id']}, by {one.dir}" in mismatch.message


def test_the_id_of_a_topic_that_was_deleted_and_made_anew_is_only_told(tmp_path):
    """Copies of two moments: the metadata shows that the id of the one was deleted."""
    lab = Lab(tmp_path / "n1", "4.3.1/meta-n1/__cluster_metadata-0")
    kept = pathlib.Path(shutil.copytree(BROKER / "4.3.1/meta-n1/kept-0", lab.root / "kept-0"))
    topic_id = Partition(str(kept)).metadata.topic_id
    last = header(lab.batches(0)[-1])
    removal = R(0, None, b"\1\x09\0" + topic_id.bytes + b"\0")
    lab.append(lab.path(0), encode.batch([removal], base_offset=last.base_offset + 1, leader_epoch=last.partition_leader_epoch))
    anew = Lab(tmp_path / "n2", "4.3.1/meta-n1/kept-1")
    change_meta(anew.root, node_id=2)
    other_id(anew.dir)
    (mismatch,) = (f for f in found([lab.root, anew.root]) if f.id == MISMATCH)
    assert mismatch.severity is Severity.INFO
    assert f"{format_uuid(topic_id)} was deleted, at offset {last.base_offset + 1} of {lab.dir}" in mismatch.message


def test_one_topic_in_two_clusters_is_told(replicas):
    one, other = replicas
    change_meta(other.root, cluster_id="AAAAAAAAAAAAAAAAAAAAAA")
    assert ids([one.root, other.root]) == [(CLUSTERS, "info")]


# --- producer ids ---


def add_marker(log, **more):
    control = {"attributes": 0x30, "producer_id": 99_999, "producer_epoch": 0, **more}
    marker = encode.batch([R(0, b"\0\0\0\1", b"\0\0\0\0\0\0")], base_offset=21, leader_epoch=0, **control)
    log.write_bytes(log.read_bytes() + marker)


def test_a_producer_id_of_no_block_is_told_once_and_proven_by_a_marker(tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/meta-n1/__cluster_metadata-0")
    kept = pathlib.Path(shutil.copytree(BROKER / "4.3.1/meta-n1/kept-0", lab.root / "kept-0"))
    shutil.copytree(kept, lab.root / "kept-1")
    assert ids(lab.root) == []
    for name in ("kept-0", "kept-1"):
        log = lab.root / name / f"{0:020d}.log"
        batch = encode.batch([R(0, b"k", b"v")], base_offset=21, producer_id=99_999, producer_epoch=0, base_sequence=0)
        log.write_bytes(log.read_bytes() + batch)
    (told,) = (f for f in found(lab.root) if f.id == PRODUCERS)
    assert (told.severity, told.path, told.facts["partitions"]) == (Severity.INFO, str(lab.dir), 2)
    shutil.copy(BROKER / "4.3.1/meta-n1/kept-0" / f"{0:020d}.log", kept)
    add_marker(kept / f"{0:020d}.log")
    (told,) = (f for f in found(lab.root) if f.id == PRODUCERS)
    assert told.severity is Severity.WARNING
    (lab.root / ".kafka_cleanshutdown").unlink()
    assert [f.severity for f in found(lab.root) if f.id == PRODUCERS] == [Severity.INFO], "a copy of a running broker"


def test_control_records_that_cannot_be_read_tell_nothing_of_the_quorum(two_quorums):
    log = two_quorums[0] / "__cluster_metadata-0" / f"{0:020d}.log"
    assert read_quorum(Partition(str(log.parent))).leaders == {1: 1}
    data = log.read_bytes()
    first = 12 + int.from_bytes(data[8:12], "big")
    log.write_bytes(seal(data[:66] + b"\xff\xff" + data[68:first]) + data[first:])
    assert read_quorum(Partition(str(log.parent))).leaders == {}
