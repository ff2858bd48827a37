"""The controller's word against partitions: when it is heard, what it weighs, and that healthy copies stay silent."""

from __future__ import annotations

import json
import pathlib
import shutil

import pytest

from kafkalog.cli.main import run
from kafkalog.errors import RequestError
from kafkalog.verify import Severity, verify
from tests.log_dirs import CORPUS
from tests.verify.lab import BROKER, Lab, header

NOW = 1795500000000
SOURCE = "4.3.1/meta-n1"
ID = "controller-topic-id-differs"


def words(paths, **options):
    found = verify(paths, now=NOW, **options).all_findings()
    return [(f.id, f.severity.label) for f in found if f.id.startswith("controller-")]


@pytest.fixture
def lab(tmp_path):
    """A log dir with metadata, and a partition whose topic id the controller does not know."""
    made = Lab(tmp_path / "d1", f"{SOURCE}/__cluster_metadata-0")
    copied = shutil.copytree(BROKER / SOURCE / "kept-0", made.root / "kept-0")
    pathlib.Path(copied, "partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA")
    return made


def test_the_file_of_the_partition_is_named_with_its_witness(lab):
    (found,) = (f for f in verify(lab.root, now=NOW).all_findings() if f.id == ID)
    assert found.path == f"{lab.root}/kept-0/partition.metadata"
    assert found.facts["witness"] == str(lab.dir)
    assert found.severity is Severity.ERROR


def test_a_killed_or_running_broker_may_have_been_copied_piece_by_piece(lab):
    lab.crashed()
    assert words(lab.root) == [(ID, "info")]


def test_a_quick_look_replays_no_records(lab):
    assert words(lab.root, quick=True) == []


def test_other_partitions_may_be_left_out_and_the_witness_stays(lab):
    assert words(lab.root, topics=["kept"]) == [(ID, "error")]


def test_a_single_file_is_held_against_the_controller_given_beside(lab):
    assert words([lab.root / "kept-0/partition.metadata", lab.dir]) == [(ID, "info")]
    assert words([next((lab.root / "kept-0").glob("*.log")), lab.dir]) == []


@pytest.mark.parametrize("mark", ["delete", "stray", "future"])
def test_marked_directories_are_not_held_against_the_controller(lab, mark):
    (lab.root / "kept-0").rename(lab.root / f"kept-0.{'0' * 32}-{mark}")
    assert words(lab.root) == []


def test_metadata_that_is_damaged_is_no_witness_and_that_is_said_once(lab):
    lab.change(0, len(lab.batches(0)) // 2, lambda batch: batch[:-3] + b"\xff\xff\xff")
    report = verify(lab.root, now=NOW, next_start=False)
    assert [f.id for f in report.all_findings() if "controller" in f.id or f.id == "producer-id-not-given"] == []
    (said,) = (item for item in report.not_checked if "not compared with it" in item.reason)
    assert (said.path, said.failed) == (str(lab.dir), False)
    assert "damaged" in said.reason


@pytest.mark.parametrize(("name", "expected"), [("kept 0 300", "error"), ("kept 7 300", "warning")])
def test_that_damaged_metadata_do_not_place_a_missing_partition_is_no_comfort(lab, name, expected):
    shutil.rmtree(lab.root / "kept-0")
    (lab.root / "recovery-point-offset-checkpoint").write_text(f"0\n1\n{name}\n")
    (lab.root / ".kafka_cleanshutdown").touch()
    lab.change(0, len(lab.batches(0)) // 2, lambda batch: batch[:-3] + b"\xff\xff\xff")
    found = [f for f in verify(lab.root, now=NOW, next_start=False).all_findings() if f.id == "checkpoint-line-unknown"]
    assert [f.severity.label for f in found] == [expected]


def test_metadata_that_is_not_whole_is_no_witness_and_that_is_said(lab):
    for path in lab.dir.glob("*.checkpoint"):
        path.unlink()
    report = verify(lab.root, now=NOW)
    assert [f for f in report.all_findings() if f.id == ID] == []
    assert any("not compared with it" in item.reason for item in report.not_checked)
    assert not report.failed


def cut_before(lab, offset):
    """Metadata of an earlier moment."""
    lab.write(0, [batch for batch in lab.batches(0) if header(batch).base_offset < offset])
    for path in lab.dir.glob("*.checkpoint"):
        if int(path.name[:20]) > offset:
            path.unlink()


def test_metadata_from_before_the_stop_proves_nothing(lab):
    assert words(lab.root) == [(ID, "error")]
    cut_before(lab, 225)  # the broker's own controlled shutdown
    assert words(lab.root) == [(ID, "info")]


def test_metadata_is_heard_from_another_log_dir_a_folder_of_its_own_and_bare(lab, tmp_path):
    broker, meta, bare = tmp_path / "d2", tmp_path / "meta", tmp_path / "x" / "__cluster_metadata-0"
    broker.mkdir()
    for path in lab.root.iterdir():
        if path.is_file():
            shutil.copy(path, broker)
    (lab.root / "kept-0").rename(broker / "kept-0")
    assert words([lab.root, broker]) == words([broker, lab.root]) == [(ID, "error")]
    meta.mkdir()
    shutil.copy(lab.root / "meta.properties", meta)  # metadata.log.dir has no clean-shutdown marker
    shutil.copytree(lab.dir, meta / "__cluster_metadata-0")
    assert words([broker, meta]) == [(ID, "error")]
    shutil.copytree(lab.dir, bare)
    assert words([broker, bare]) == [(ID, "error")]
    (broker / "meta.properties").write_text("version=1\nnode.id=1\n")
    assert words([broker, bare]) == [(ID, "info")], "nothing says that they are of one cluster"
    assert words([broker / "kept-0", bare]) == [(ID, "info")]
    assert words([broker / "kept-0"]) == []


def test_another_cluster_is_no_witness(lab, tmp_path):
    other = Lab(tmp_path / "d2", "3.9.1/cluster-final-n1/ledger-0")
    assert words([lab.root, other.root]) == [(ID, "error")]


def test_the_metadata_that_proves_most_is_taken(lab, tmp_path):
    shutil.copytree(lab.root, tmp_path / "earlier")
    earlier = object.__new__(Lab)
    earlier.root, earlier.name, earlier.dir = tmp_path / "earlier", lab.name, tmp_path / "earlier" / lab.name
    cut_before(earlier, 200)
    shutil.rmtree(earlier.root / "kept-0")
    assert words([earlier.root, lab.root]) == words([lab.root, earlier.root]) == [(ID, "error")]


# --- states out of ZooKeeper ---


@pytest.fixture
def replica(tmp_path):
    """A partition of broker 1 in leader epoch 8."""
    made = Lab(tmp_path / "d1", "2.8.2/repl-b1/orders-0")
    top = max(int(line.split()[0]) for line in (made.dir / "leader-epoch-checkpoint").read_text().splitlines()[2:])
    return made, top


def state(epoch, isr=(0, 1, 2)):
    return json.dumps({"controller_epoch": 1, "leader": 0, "version": 1, "leader_epoch": epoch, "isr": isr}).encode()


def test_a_state_is_held_against_the_epochs_and_the_broker(replica):
    lab, top = replica
    assert words(lab.dir, partition_state=state(top)) == []
    assert words(lab.root, partition_state=state(top + 3)) == []
    assert words(lab.dir, partition_state=state(top - 1)) == [("controller-epoch-behind", "warning")]
    assert words(lab.root, partition_state=state(top, [0])) == [("controller-isr-without-broker", "info")]
    assert words(lab.root, partition_state=state(top, [0]), quick=True) == [("controller-isr-without-broker", "info")]


def test_the_epoch_of_a_batch_counts_without_the_checkpoint(replica):
    lab, _ = replica
    (lab.dir / "leader-epoch-checkpoint").unlink()
    top = header(lab.batches(-1)[-1]).partition_leader_epoch
    (found,) = (f for f in verify(lab.dir, now=NOW, partition_state=state(top - 1)).all_findings() if "behind" in f.id)
    assert found.path.endswith(".log")
    assert pathlib.Path(found.path).read_bytes()[found.span.start : found.span.end] == top.to_bytes(4, "big")


def test_a_state_without_a_name_is_for_the_replicas_of_one_partition(replica, tmp_path):
    lab, top = replica
    other = shutil.copytree(lab.dir, tmp_path / "other" / "orders-0")
    assert len(words([lab.dir, other], partition_state=state(top - 1))) == 2
    shutil.copytree(lab.dir, lab.root / "orders-1")
    with pytest.raises(RequestError, match="TOPIC-PARTITION=FILE"):
        verify(lab.root, partition_state=state(top))
    assert words(lab.root, partition_state={"orders-1": state(top - 1)}) == [("controller-epoch-behind", "warning")]
    with pytest.raises(RequestError, match="orders-7 is not among"):
        verify(lab.root, partition_state={"orders-7": state(top)})
    with pytest.raises(RequestError, match="orders-1: no partition state"):
        verify(lab.root, partition_state={"orders-1": b"{}"})


def command(capsys, monkeypatch, *arguments):
    statuses = []
    monkeypatch.setattr("kafkalog.cli.main._leave", statuses.append)
    run(["verify", *map(str, arguments)])
    captured = capsys.readouterr()
    return statuses[0], captured.out, captured.err


def test_the_command_takes_states_as_files_and_refuses_others_in_one_line(replica, tmp_path, capsys, monkeypatch):
    lab, top = replica
    good, bad = tmp_path / "good=1.json", tmp_path / "bad.json"
    good.write_bytes(state(top - 1))
    bad.write_bytes(b'{"leader":1}')

    def tried(*arguments):
        status, out, error = command(capsys, monkeypatch, lab.dir, *arguments)
        assert "Traceback" not in error
        return status, out, error.splitlines()

    status, out, _ = tried("--fail-on", "warning", "--partition-state", good)
    assert (status, "controller-epoch-behind" in out) == (1, True)
    assert tried("--fail-on", "warning", "--partition-state", f"orders-0={good}")[0] == 1
    status, _, errors = tried("--partition-state", bad)
    assert (status, len(errors)) == (2, 1)
    assert "controller_epoch is missing" in errors[0]
    status, _, errors = tried("--partition-state", tmp_path / "none.json")
    assert (status, len(errors)) == (3, 1)
    status, _, errors = tried("--partition-state", good, "--partition-state", good)
    assert (status, len(errors)) == (2, 1)


# --- silence ---


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
@pytest.mark.parametrize("release", ["3.3.2", "3.7.2", "3.9.1", "4.1.1", "4.3.1"])
def test_no_two_moments_of_one_cluster_in_the_corpus_contradict_each_other(release):
    log_dirs = [path for path in sorted(pathlib.Path(CORPUS, "kraft", release).iterdir()) if path.is_dir()]
    holders = [path for path in log_dirs if (path / "__cluster_metadata-0").is_dir()]
    heard = 0
    for log_dir in log_dirs:
        assert words(log_dir, next_start=False) == []
        for holder in holders:
            if holder.name.split("-")[0] == log_dir.name.split("-")[0]:
                for witness in (holder, holder / "__cluster_metadata-0"):
                    found = words([log_dir, witness], next_start=False)
                    heard += len(found)
                    assert {severity for _, severity in found} <= {"info"}, (log_dir, witness)
    assert heard
