"""Copies that lack files say so once; what may be a loss is told file by file, partition by partition."""

from __future__ import annotations

import re
import shutil

import pytest

from kafkalog.render.json_verify import report_json_lines
from kafkalog.render.text_verify import report_text
from kafkalog.verify import Severity, verify
from tests.screens import plain
from tests.verify.lab import BROKER, Lab

NOW = 1795500000000
PLAIN = "2.1.1/plain/twitter-status-0"


@pytest.fixture
def log_dir(tmp_path):
    """A whole log dir of a broker that was stopped cleanly."""
    return shutil.copytree(BROKER / "3.9.1/cluster-final-n1", tmp_path / "d1")


def without(log_dir, *suffixes, keep=""):
    for path in log_dir.glob("*/*"):
        if path.suffix in suffixes and str(path) != str(keep):
            path.unlink()


def ids(report, least=Severity.INFO):
    return [f.id for f in report.all_findings() if f.severity >= least]


def test_a_copy_without_logs_is_one_statement_and_its_verdict_is_unknown(log_dir):
    without(log_dir, ".log")
    report = verify(log_dir, now=NOW, next_start=False)
    assert ids(report) == ["logs-not-copied"]
    assert report.verdict == "unknown"
    assert {partition.verdict for partition in report.partitions} == {"unknown"}
    assert report.failed
    (found,) = report.all_findings()
    assert found.path == str(log_dir)
    assert found.severity is Severity.INFO


def test_a_copy_in_which_only_the_metadata_log_survived_is_one_statement_about_the_others(log_dir):
    for path in log_dir.glob("*/*.log"):
        if path.parent.name != "__cluster_metadata-0":
            path.unlink()
    report = verify(log_dir, now=NOW, next_start=False)
    (found,) = report.all_findings()
    assert (found.id, found.path) == ("logs-not-copied", str(log_dir))
    assert "in 5 partitions (the metadata log has its own)" in found.message
    verdicts = {one.path.rpartition("/")[2]: one.verdict for one in report.partitions}
    assert verdicts.pop("__cluster_metadata-0") == "clean"
    assert set(verdicts.values()) == {"unknown"}
    assert report.verdict == "unknown"
    assert report.failed


def test_a_copy_of_nothing_but_text_files_is_one_statement_about_the_logs(log_dir):
    without(log_dir, ".log", ".index", ".timeindex", ".txnindex", ".snapshot")
    report = verify(log_dir, now=NOW, next_start=False)
    assert ids(report) == ["logs-not-copied"]
    assert report.verdict == "unknown"


def test_a_log_that_is_missing_in_the_metadata_log_is_told_of_it_by_itself(log_dir):
    metadata = log_dir / "__cluster_metadata-0"
    for path in log_dir.glob("*/*.log"):
        if path.parent != metadata:
            path.unlink()
    shutil.copy(metadata / f"{0:020d}.index", metadata / f"{230:020d}.index")
    found = ids(verify(log_dir, now=NOW, next_start=False))
    assert {"logs-not-copied", "index-without-log"} <= set(found)


def test_a_copy_in_which_only_the_metadata_log_has_indexes_is_one_statement(log_dir):
    for path in log_dir.glob("*/*.index"):
        if path.parent.name != "__cluster_metadata-0":
            path.unlink()
    (found,) = verify(log_dir, now=NOW, next_start=False).all_findings()
    assert found.id == "files-not-copied"
    assert found.message.startswith("no partition but the metadata log has any `.index`: ")


def test_one_partition_beside_the_metadata_log_that_lost_its_logs_is_a_possible_loss(log_dir):
    for path in log_dir.iterdir():
        if path.is_dir() and path.name not in ("ledger-0", "__cluster_metadata-0"):
            shutil.rmtree(path)
    for path in log_dir.glob("ledger-0/*.log"):
        path.unlink()
    found = ids(verify(log_dir, now=NOW, next_start=False))
    assert "partition-without-log" in found
    assert "logs-not-copied" not in found


def test_directories_that_were_just_made_beside_a_metadata_log_are_no_copy_without_logs(log_dir):
    for path in log_dir.iterdir():
        if path.is_dir() and path.name != "__cluster_metadata-0":
            for file in path.iterdir():
                file.unlink()
        elif path.name.endswith("-checkpoint") or path.name == ".kafka_cleanshutdown":
            path.unlink()
    report = verify(log_dir, now=NOW, next_start=False)
    found = [f for f in report.all_findings() if f.id in ("partition-without-log", "logs-not-copied")]
    assert {(f.id, f.severity) for f in found} == {("partition-without-log", Severity.INFO)}
    assert report.verdict != "unknown"


@pytest.mark.parametrize("partitions", ["*", "ledger-0"])
def test_no_summary_says_that_nothing_is_lost_where_logs_are_missing(log_dir, partitions):
    for path in log_dir.glob(f"{partitions}/*.log"):
        path.unlink()
    lines = plain(report_text(verify(log_dir, now=NOW)))
    (summary,) = [line for line in lines if line.startswith("next start ")]
    assert re.search("without a log gets? an empty one|would begin empty", summary)
    assert "nothing is lost" not in summary


def test_a_single_log_that_is_there_makes_every_missing_one_a_possible_loss(log_dir):
    kept = next(path for path in log_dir.glob("ledger-0/*.log"))
    without(log_dir, ".log", keep=kept)
    found = ids(verify(log_dir, now=NOW, next_start=False), Severity.WARNING)
    others = [path for path in log_dir.iterdir() if path.is_dir() and path.name != "ledger-0"]
    assert found.count("partition-without-log") == len(others)
    assert "index-without-log" in found
    assert "logs-not-copied" not in found


def test_one_partition_without_its_logs_among_others_is_told_once_as_a_loss(log_dir):
    for path in log_dir.glob("ledger-0/*.log"):
        path.unlink()
    found = [f for f in verify(log_dir, now=NOW, next_start=False).all_findings() if f.severity >= Severity.WARNING]
    assert [f.id for f in found] == ["partition-without-log"]
    assert found[0].facts["segments"] > 1


@pytest.mark.parametrize(
    "suffixes",
    [
        (".index",),
        (".timeindex",),
        (".index", ".timeindex"),
        (".index", ".timeindex", ".txnindex", ".snapshot"),
        (".snapshot",),
    ],
)
def test_a_copy_without_indexes_is_benign_and_one_statement(log_dir, suffixes):
    without(log_dir, *suffixes)
    report = verify(log_dir, now=NOW, next_start=False)
    assert ids(report) == ["files-not-copied"]
    assert report.verdict == "benign"
    assert not report.failed
    (found,) = report.all_findings()
    for suffix in suffixes:
        assert f"`{suffix}`" in found.message
    assert found.consequence


def test_a_single_index_that_is_there_makes_each_missing_one_a_finding(log_dir):
    kept = next(path for path in log_dir.glob("ledger-0/*.index"))
    without(log_dir, ".index", keep=kept)
    found = ids(verify(log_dir, now=NOW, next_start=False), Severity.WARNING)
    assert set(found) == {"index-missing"}
    assert len(found) > 1


def test_transaction_indexes_that_alone_are_missing_are_told_one_by_one(log_dir):
    without(log_dir, ".txnindex")
    assert set(ids(verify(log_dir, now=NOW, next_start=False))) == {"txnindex-missing-entry"}


def test_a_copy_of_nothing_but_logs_is_one_statement(log_dir):
    for path in log_dir.glob("*/*"):
        if path.suffix != ".log":
            path.unlink()
    report = verify(log_dir, now=NOW, next_start=False)
    assert ids(report) == ["files-not-copied"]
    (found,) = report.all_findings()
    assert "-stray" in found.consequence
    assert "quorum-state" in found.message


def test_epoch_files_and_topic_ids_that_alone_are_missing_are_told_one_by_one(log_dir):
    for path in [*log_dir.glob("*/leader-epoch-checkpoint"), *log_dir.glob("*/partition.metadata")]:
        path.unlink()
    found = ids(verify(log_dir, now=NOW, next_start=False), Severity.WARNING)
    assert {"epoch-file-missing", "partition-metadata-missing"} <= set(found)


def test_a_directory_given_by_itself_is_a_copy_if_no_segment_has_the_file(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    bare = shutil.copytree(lab.dir, tmp_path / "bare" / lab.name)
    without(bare.parent, ".log")
    report = verify(bare, now=NOW, next_start=False)
    assert ids(report) == ["logs-not-copied", "partition-metadata-missing"]
    assert report.verdict == "unknown"
    shutil.rmtree(bare.parent)
    bare = shutil.copytree(lab.dir, tmp_path / "bare" / lab.name)
    without(bare.parent, ".index", ".timeindex")
    report = verify(bare, now=NOW, next_start=False)
    assert "files-not-copied" in ids(report)
    assert report.verdict == "benign"


def test_a_lone_segment_without_its_index_is_told_as_ever(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    for path in lab.dir.iterdir():
        if path.suffix and path.stem != f"{74:020d}":
            path.unlink()
    lab.dir.joinpath(f"{74:020d}.index").unlink()
    assert "index-missing" in ids(verify(lab.dir, now=NOW, next_start=False), Severity.WARNING)


# --- partitions that are not here ---


def with_missing(tmp_path, count):
    lab = Lab(tmp_path / "d1", PLAIN)
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        lab.lines(name, ["twitter-status 0 533", *(f"gone {number} 5" for number in range(count))])
    return verify(lab.root, now=NOW, next_start=False), lab


def test_more_missing_than_present_partitions_are_a_copy_of_a_part(tmp_path):
    report, lab = with_missing(tmp_path, 40)
    (found,) = report.findings
    assert (found.id, found.severity, found.path) == ("partitions-not-copied", Severity.INFO, str(lab.root))
    assert (found.facts["missing"], found.facts["listed"]) == (40, 41)
    assert report.verdict == "benign"


def test_as_many_missing_as_present_partitions_are_told_one_by_one(tmp_path):
    report, _ = with_missing(tmp_path, 1)
    assert ids(report, Severity.WARNING) == ["checkpoint-line-unknown"]
    assert "partitions-not-copied" not in ids(report)


def test_one_missing_partition_of_a_whole_log_dir_is_a_possible_loss(log_dir):
    shutil.rmtree(log_dir / "ledger-0")
    report = verify(log_dir, now=NOW, next_start=False)
    found = [f for f in report.all_findings() if f.severity >= Severity.WARNING]
    assert {f.facts["partition"] for f in found} == {"ledger-0"}
    assert "is lost" in found[0].consequence
    assert "partitions-not-copied" not in ids(report)


def test_a_log_dir_of_which_no_partition_is_left_is_a_warning(log_dir):
    for path in log_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    report = verify(log_dir, now=NOW, next_start=False)
    found = [f for f in report.all_findings() if f.severity >= Severity.WARNING]
    assert [f.id for f in found] == ["partitions-not-copied"]


# --- the metadata log's word ---


def test_the_headline_names_partitions_whose_directories_are_missing(log_dir):
    shutil.rmtree(log_dir / "ledger-0")
    lines = plain(report_text(verify(log_dir, now=NOW), detail="headline"))
    assert lines[0] == "data-loss  ledger-0: its directory is missing"
    assert re.fullmatch(r"gone +ledger-0: all offsets up to \d+, by the checkpoints", lines[1])
    shutil.rmtree(next(path for path in log_dir.glob("*-0") if path.name[0] != "_"))
    assert "the directories of 2 partitions are missing: " in next(
        iter(plain(report_text(verify(log_dir, now=NOW), detail="headline")))
    )


def test_what_stops_the_broker_stands_before_the_partition_that_lost_most(log_dir):
    log = max(log_dir.glob("ledger-0/*.log"), key=lambda path: path.stat().st_size)
    log.write_bytes(log.read_bytes()[:-20])
    (log_dir / "meta.properties").unlink()
    report = verify(log_dir, now=NOW)
    because, first = (
        next(line for line in plain(report_text(report)) if line.startswith(word)) for word in ("because", "first")
    )
    assert "meta-properties-missing" in because
    assert "Do not start the broker yet." in first


def test_the_summary_of_a_partition_given_by_itself_says_what_to_do(log_dir):
    log = max(log_dir.glob("ledger-0/*.log"), key=lambda path: path.stat().st_size)
    log.write_bytes(log.read_bytes()[:-20])
    path = str(log_dir / "ledger-0")
    summary = list(report_json_lines(verify(path, now=NOW)))[-1]
    assert summary["more"][0] == f"kafkalog verify -v {path}"
    assert summary["first_action"]


def test_the_snapshot_of_a_format_says_nothing_of_topics_where_the_metadata_log_was_not_copied(tmp_path):
    log_dir = shutil.copytree(BROKER / "4.1.1/meta-n1", tmp_path / "d1")
    _format, *later = sorted(log_dir.glob("__cluster_metadata-0/*.checkpoint"))
    for path in later:
        path.unlink()
    without(log_dir, ".log")
    report = verify(log_dir, now=NOW, next_start=False)
    assert "logs-not-copied" in ids(report)
    assert [name for name in ids(report) if name.startswith("controller-")] == []


def test_a_partition_that_the_metadata_log_places_here_and_that_is_gone_is_a_loss_told_once(log_dir):
    shutil.rmtree(log_dir / "ledger-0")
    report = verify(log_dir, now=NOW)
    (found,) = [f for f in report.findings if f.severity >= Severity.WARNING]
    assert (found.id, found.severity) == ("checkpoint-line-unknown", Severity.ERROR)
    assert "places the partition here" in found.consequence
    assert sum("ledger-0" in f.message for f in report.findings) == 1
    assert report.verdict == "data-loss"
    assert any("1 partition placed here and missing" in line for line in plain(report_text(report)))


def test_lines_of_partitions_that_the_metadata_log_does_not_place_here_are_no_loss(log_dir):
    for name in ("recovery-point-offset-checkpoint", "replication-offset-checkpoint"):
        version, count, *lines = (log_dir / name).read_text().splitlines()
        added = [f"gone {number} 5" for number in range(20)]
        (log_dir / name).write_text("\n".join((version, str(int(count) + 20), *lines, *added, "")))
    (log_dir / ".kafka_cleanshutdown").touch()
    found = [f for f in verify(log_dir, now=NOW, next_start=False).findings if "gone-" in f.message]
    assert {(f.id, f.severity) for f in found} == {("checkpoint-line-unknown", Severity.INFO)}
    assert "does not place" in found[0].consequence


def test_a_copy_of_a_part_says_how_many_of_the_others_are_placed_here(log_dir):
    for path in log_dir.iterdir():
        if path.is_dir() and path.name not in ("ledger-0", "__cluster_metadata-0"):
            shutil.rmtree(path)
    (found,) = verify(log_dir, now=NOW, next_start=False).findings
    assert (found.id, found.severity) == ("partitions-not-copied", Severity.INFO)
    assert "the metadata log places 4 of them here" in found.message


def test_nothing_is_lost_is_only_said_of_what_is_here(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.lines("recovery-point-offset-checkpoint", ["twitter-status 0 533", "gone 0 5", "gone 1 5"])
    lab.lines("replication-offset-checkpoint", ["twitter-status 0 533"])
    assert any("nothing is lost of what is here" in line for line in plain(report_text(verify(lab.root, now=NOW))))
