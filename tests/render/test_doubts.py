"""What may be gone though nothing proves it: the headline of a report says so, and with it what else may explain it."""

from __future__ import annotations

import shutil

import pytest

import kafkalog
from kafkalog.render.text_verify import report_text
from tests.log_dirs import fixture
from tests.screens import plain

NOW = 1795500000000


def headline(log_dir):
    report = kafkalog.verify(log_dir, now=NOW)
    return report, plain(report_text(report, detail="headline"))


@pytest.fixture
def killed(tmp_path):
    """A broker that was killed: it had its indexes open, and its last checkpoints are older than its logs."""
    return shutil.copytree(fixture("3.9.1", "cluster-n2-divergent").path(), tmp_path / "logs")


def test_a_high_watermark_that_an_unclean_stop_may_explain_is_told_with_the_offsets_and_with_what_else_explains_it(killed):
    log = max((killed / "ledger-0").glob("*.log"))
    log.write_bytes(b"")
    report, lines = headline(killed)
    assert report.verdict == "benign"
    (said,) = (line for line in lines if line.startswith("but"))
    assert f"ledger-0: offsets {int(log.stem)}.." in said
    assert "unless the broker was running" in said
    assert not any("nothing is lost" in line for line in lines)


def test_a_log_that_ends_before_its_high_watermark_is_not_said_to_be_missing_where_it_is_empty(killed):
    log = max((killed / "ledger-0").glob("*.log"))
    log.write_bytes(b"")
    report, _ = headline(killed)
    (found,) = (one for one in report.all_findings() if one.id == "hw-beyond-end")
    assert found.message.endswith(f"{log} holds no batch")
    assert "unless the broker was running" in found.consequence


@pytest.mark.parametrize("names", [["risky-0"], ["risky-0", "ledger-txn-0"]], ids=["one", "two"])
def test_partitions_without_a_directory_that_only_checkpoints_name_are_told(names, killed):
    for name in ("__cluster_metadata-0", *names):
        shutil.rmtree(killed / name)
    report, lines = headline(killed)
    assert report.verdict == "benign"
    (said,) = (line for line in lines if "in checkpoint files, but no directory" in line)
    assert all(name in said for name in names)


def test_a_partition_that_may_be_lost_keeps_the_start_from_being_called_without_loss(tmp_path):
    log_dir = shutil.copytree(fixture("2.1.1", "unclean").path(), tmp_path / "logs")
    shutil.rmtree(log_dir / "compacting-0")
    _, lines = headline(log_dir)
    assert any("nothing is lost of what is here" in line for line in lines)
    assert any(line.startswith("but         compacting-0 has a line") for line in lines)


def test_a_partition_that_is_told_as_missing_is_not_told_as_doubtful_too(tmp_path):
    log_dir = shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")
    shutil.rmtree(log_dir / "big-0")
    report, lines = headline(log_dir)
    assert report.verdict == "data-loss"
    assert not any("has a line in checkpoint files" in line for line in lines)


def test_a_sound_log_dir_has_no_doubts(killed):
    _, lines = headline(killed)
    assert [line.split()[0] for line in lines] == ["benign", "next", "notes"]


@pytest.mark.parametrize(
    ("release", "workload", "partition", "said"),
    [
        ("4.3.1", "edge", "e-tomb-0", "none is known to be gone or unreadable"),
        ("2.1.1", "plain", "twitter-status-0", "none is gone or unreadable"),
    ],
    ids=["compacted", "not compacted"],
)
def test_that_no_record_of_a_compacted_log_is_gone_is_not_said(release, workload, partition, said, tmp_path):
    log_dir = shutil.copytree(fixture(release, workload).path(), tmp_path / "logs")
    max((log_dir / partition).glob("*.index")).unlink()
    report, lines = headline(log_dir)
    assert report.verdict == "damaged"
    assert f"records     {said}" in lines


def test_that_no_record_is_gone_is_not_said_of_a_hole_that_the_log_cleaner_may_have_made(tmp_path):
    log_dir = shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")
    (log,) = (log_dir / "big-0").glob("*.log")
    data = log.read_bytes()
    log.write_bytes(data[12 + int.from_bytes(data[8:12], "big") :])
    report, lines = headline(log_dir)
    (found,) = (one for one in report.all_findings() if one.id == "segment-start-gap")
    assert found.severity.name == "INFO"
    assert report.verdict == "damaged"
    assert "records     none is known to be gone or unreadable" in lines


def test_a_partition_that_the_metadata_log_does_not_place_here_is_no_doubt(tmp_path):
    log_dir = shutil.copytree(fixture("4.3.1", "edge").path(), tmp_path / "logs")
    marks = log_dir / "replication-offset-checkpoint"
    version, count, *lines = marks.read_text().splitlines()
    marks.write_text("\n".join((version, str(int(count) + 1), *lines, "nobody 0 5", "")))
    report, said = headline(log_dir)
    assert [one.id for one in report.findings if one.facts.get("partition") == "nobody-0"] == ["checkpoint-line-unknown"]
    assert not any(line.startswith("but") for line in said)
