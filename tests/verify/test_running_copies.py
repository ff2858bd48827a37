"""States that only a copy of a running broker, or a broker without its producers' state, leaves: no more than INFO."""

from __future__ import annotations

import re
import shutil
import struct

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.lab import Lab, header
from tests.verify.proofs import META, PLAIN, TXN

NOW = 1795500000000


def severities(lab):
    found: dict[str, Severity] = {}
    for finding in verify(lab.root, now=NOW).all_findings():
        found[finding.id] = max(finding.severity, found.get(finding.id, Severity.INFO))
    return found


@pytest.fixture
def running(tmp_path):
    """A log dir without the clean-shutdown marker, its active indexes preallocated."""
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    for suffix, size in ((".index", 960), (".timeindex", 960)):
        path = lab.path(-1, suffix)
        path.write_bytes(path.read_bytes().ljust(size, b"\0"))
    return lab


@pytest.fixture
def rolled(tmp_path):
    """A copy of a running broker that listed the partition just before its active segment was rolled, and then copied it.

    That another partition is in use shows that the broker was.
    """
    lab = Lab(tmp_path / "d1", TXN)
    lab.crashed()
    lab.checkpoint("recovery-point-offset-checkpoint", 0)
    other = lab.root / "other-0"
    other.mkdir()
    for suffix, data in ((".log", b""), (".index", bytes(960)), (".timeindex", bytes(960))):
        (other / f"{0:020d}{suffix}").write_bytes(data)
    return lab


def test_checkpoints_that_were_copied_after_a_log_that_was_rolled_meanwhile_are_no_loss(rolled):
    rolled.checkpoint("recovery-point-offset-checkpoint", 600)
    rolled.checkpoint("replication-offset-checkpoint", 600)
    found = severities(rolled)
    assert (found["recovery-point-beyond-end"], found["hw-beyond-end"]) == (Severity.INFO, Severity.INFO)
    assert max(found.values()) is Severity.INFO


@pytest.mark.parametrize(("form", "suffix"), [(">ii", ".index"), (">qi", ".timeindex")])
def test_an_index_that_was_copied_after_its_log_had_grown_and_was_rolled_is_info(rolled, form, suffix):
    rolled.append(rolled.path(-1, suffix), struct.pack(form, *((500, 1 << 20) if suffix == ".index" else (1 << 50, 500))))
    found = severities(rolled)
    assert found["index-stale-entries"] is Severity.INFO
    assert max(found.values()) is Severity.INFO


def test_a_transaction_index_that_was_copied_before_its_log_had_grown_is_info(rolled):
    rolled.cut(rolled.path(-1, ".txnindex"), -34)
    assert severities(rolled)["txnindex-missing-entry"] is Severity.INFO
    shutil.rmtree(rolled.root / "other-0")
    assert severities(rolled)["txnindex-missing-entry"] is Severity.ERROR


@pytest.mark.parametrize("mark", ["delete", "stray"])
def test_epochs_of_a_directory_that_waits_to_be_deleted_may_be_cleared(tmp_path, mark):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / "leader-epoch-checkpoint").write_text("0\n0\n")
    assert severities(lab)["epoch-file-empty"] is Severity.WARNING
    lab.dir.rename(lab.root / f"twitter-status-0.{'ab' * 16}-{mark}")
    assert "epoch-file-empty" not in severities(lab)


@pytest.mark.parametrize(
    ("content", "alone", "severity"),
    [
        ("0\n0\n", True, Severity.INFO),  # as a broker writes it when all records are deleted
        ("0\n0\n", False, Severity.WARNING),  # the log dir says that they are not
        ("", True, Severity.WARNING),
    ],
)
def test_an_epoch_file_without_an_entry_is_info_where_nothing_tells_the_log_start(tmp_path, content, alone, severity):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / "leader-epoch-checkpoint").write_text(content)
    report = verify(lab.dir if alone else lab.root, now=NOW)
    assert [f.severity for f in report.all_findings() if f.id == "epoch-file-empty"] == [severity]


def test_checkpoints_that_were_copied_after_the_log_are_no_loss(running):
    running.checkpoint("recovery-point-offset-checkpoint", 600)
    running.checkpoint("replication-offset-checkpoint", 600)
    found = severities(running)
    assert (found["recovery-point-beyond-end"], found["hw-beyond-end"]) == (Severity.INFO, Severity.INFO)
    assert max(found.values()) is Severity.INFO


def test_the_same_checkpoints_beside_trimmed_indexes_mean_that_flushed_records_are_gone(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    lab.checkpoint("recovery-point-offset-checkpoint", 600)
    lab.checkpoint("replication-offset-checkpoint", 600)
    found = severities(lab)
    assert (found["recovery-point-beyond-end"], found["hw-beyond-end"]) == (Severity.ERROR, Severity.ERROR)


@pytest.mark.parametrize(("batches", "severity"), [(1, Severity.INFO), (2, Severity.WARNING)])
def test_a_segment_that_was_just_rolled_may_lack_both_indexes(tmp_path, batches, severity):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    lab.checkpoint("recovery-point-offset-checkpoint", 0)
    lab.checkpoint("replication-offset-checkpoint", 0)
    lab.write(-1, lab.batches(-1)[:batches])
    for suffix in (".index", ".timeindex"):
        lab.path(-1, suffix).unlink()
    found = severities(lab)
    assert (found["index-missing"], found["timeindex-missing"]) == (severity, severity)


def test_a_broker_that_was_ended_while_it_started_leaves_the_marker_beside_preallocated_indexes(running):
    (running.root / ".kafka_cleanshutdown").write_text("")
    assert severities(running)["index-padded"] is Severity.INFO
    rows = running.path(-1, ".index").read_bytes()
    running.path(-1, ".index").write_bytes(rows[:8])
    assert severities(running)["index-padded"] is Severity.WARNING


def test_a_quorum_state_that_was_copied_before_a_new_leader_wrote_is_info(tmp_path):
    lab = Lab(tmp_path / "d1", META)
    state = lab.dir / "quorum-state"
    state.write_text(re.sub(r'"leaderEpoch":\d+', '"leaderEpoch":0', state.read_text()))
    assert severities(lab)["quorum-epoch-behind-log"] is Severity.WARNING
    (lab.root / ".kafka_cleanshutdown").unlink(missing_ok=True)
    for suffix in (".index", ".timeindex"):
        lab.append(lab.path(-1, suffix), bytes(960))
    assert severities(lab)["quorum-epoch-behind-log"] is Severity.INFO


@pytest.mark.parametrize(
    ("line", "severity", "after_a_clean_stop"), [(0, Severity.INFO, Severity.WARNING), (7, Severity.ERROR, Severity.ERROR)]
)
def test_a_directory_that_was_just_made_is_empty(running, line, severity, after_a_clean_stop):
    (running.root / "new-0").mkdir()
    lines = (running.root / "recovery-point-offset-checkpoint").read_text().splitlines()[2:]
    running.lines("recovery-point-offset-checkpoint", [*lines, f"new 0 {line}"])
    assert severities(running)["partition-without-log"] is severity
    (running.root / ".kafka_cleanshutdown").write_text("")
    assert severities(running)["partition-without-log"] is after_a_clean_stop


def test_a_sequence_gap_across_a_change_of_the_leader_is_info(tmp_path):
    lab = Lab(tmp_path / "d1", TXN)
    lab.field(1, 1, base_sequence=900)
    assert severities(lab)["sequence-gap"] is Severity.WARNING
    for at in range(1, len(lab.batches(1))):
        lab.field(1, at, partition_leader_epoch=header(lab.batches(1)[at]).partition_leader_epoch + 1)
    assert severities(lab)["sequence-gap"] is Severity.INFO


def test_an_index_whose_log_was_just_put_aside_is_info(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    lab.checkpoint("recovery-point-offset-checkpoint", 0)
    lab.path(0).rename(lab.path(0).with_suffix(".log.deleted"))
    assert max(severities(lab).values()) is Severity.INFO
    (lab.dir / f"{0:020d}.log.deleted").unlink()
    assert severities(lab)["index-without-log"] is Severity.WARNING
