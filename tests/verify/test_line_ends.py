"""Log dirs that were checked out on Windows, or copied in text mode: the cause is told once."""

from __future__ import annotations

import shutil

import pytest

from kafkalog import next_start
from kafkalog.verify import Severity, verify
from tests.verify.lab import BROKER, Lab

NOW = 1795500000000
PLAIN = "2.1.1/plain/twitter-status-0"
TEXTS = ("*checkpoint", "meta.properties", "partition.metadata", ".kafka_cleanshutdown", "quorum-state")


@pytest.fixture(params=["3.9.1/cluster-final-n1", "2.1.1/plain"])
def log_dir(request, tmp_path):
    return shutil.copytree(BROKER / request.param, tmp_path / "d1")


def to_windows(path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


def test_text_files_with_the_line_ends_of_windows_are_told_once_and_are_harmless(log_dir):
    healthy = {(f.id, f.path) for f in verify(log_dir, now=NOW).all_findings()}
    for pattern in TEXTS:
        for path in log_dir.rglob(pattern):
            if path.name != "bootstrap.checkpoint":
                to_windows(path)
    report = verify(log_dir, now=NOW)
    new = [f for f in report.all_findings() if (f.id, f.path) not in healthy]
    assert [(f.id, f.severity, f.path) for f in new] == [("text-line-ends", Severity.INFO, str(log_dir))]
    assert new[0].facts["count"] > 3
    assert report.verdict == "benign"


def test_a_broker_loads_the_same_from_text_files_of_windows(tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    before = next_start(lab.dir)
    for pattern in TEXTS:
        for path in lab.root.rglob(pattern):
            if path.name != "bootstrap.checkpoint":
                to_windows(path)
    assert next_start(lab.dir) == before


def test_a_directory_given_by_itself_tells_its_own_line_ends(tmp_path):
    lab = Lab(tmp_path / "d1", "3.9.1/cluster-final-n1/ledger-0")
    bare = shutil.copytree(lab.dir, tmp_path / "bare" / lab.name)
    to_windows(bare / "partition.metadata")
    (found,) = verify(bare, now=NOW).all_findings()
    assert (found.id, found.path) == ("text-line-ends", str(bare))


def test_a_text_file_of_mixed_line_ends_was_edited(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / "leader-epoch-checkpoint").write_bytes(b"0\r\n1\n0 0\n")
    ids = {f.id for f in verify(lab.root, now=NOW).all_findings()}
    assert "epoch-file-edited" in ids
    assert "text-line-ends" not in ids


def test_binary_files_that_were_taken_for_text_are_one_finding_for_a_log_dir(log_dir):
    changed = set()
    for path in log_dir.rglob("*"):
        if path.is_file() and b"\n" in path.read_bytes():
            to_windows(path)
            if path.suffix == ".log":
                changed.add(str(path.parent))
    report = verify(log_dir, now=NOW, next_start=False)
    found = [f for f in report.all_findings() if f.severity >= Severity.WARNING and f.cause is None]
    assert [(f.id, f.path) for f in found] == [("binary-line-ends", str(log_dir))]
    parts = [f.path for f in report.all_findings() if f.cause is not None and f.cause.path == str(log_dir)]
    assert sorted(parts) == sorted(set(parts))
    assert changed <= set(parts)
    assert found[0].facts["count"] >= len(parts)
    assert {one.path for one in report.partitions if one.verdict == "data-loss"} >= changed


def test_one_damaged_batch_beside_a_changed_segment_is_still_told(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    to_windows(lab.path(1))
    lab.field(2, 2, seal=False, max_timestamp=5)
    found = {f.id for f in verify(lab.root, now=NOW, next_start=False).all_findings() if f.severity >= Severity.WARNING}
    assert {"binary-line-ends", "batch-crc-mismatch"} <= found


def test_an_index_alone_that_was_taken_for_text_leaves_the_log_to_be_judged(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    paths = [path for path in lab.dir.glob("*.index") if b"\n" in path.read_bytes()]
    to_windows(paths[0])
    found = [f for f in verify(lab.root, now=NOW, next_start=False).all_findings() if f.severity >= Severity.WARNING]
    assert [f.id for f in found] == ["binary-line-ends"]
    assert found[0].facts["file"] == str(paths[0])
