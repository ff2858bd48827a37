"""States that only a copy of a running broker, or a broker without its producers' state, leaves: no more than INFO."""

from __future__ import annotations

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.lab import Lab, header
from tests.verify.proofs import PLAIN, TXN

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
    assert (found["recovery-point-beyond-end"], found["hw-beyond-end"]) == (Severity.WARNING, Severity.WARNING)


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
