"""What other programs leave in log dirs: what it is, what a broker does with it, and no false alarm.

What the broker does was seen with 2.3.1, 2.8.2, 3.9.1 and 4.4.0: each was started on partition directories that held these
files, and the directories were listed again.
"""

from __future__ import annotations

import os

import pytest

from kafkalog import next_start, next_starts
from kafkalog.verify import Severity, verify
from tests.verify.lab import Lab

NOW = 1795500000000
PLAIN = "2.1.1/plain/twitter-status-0"
SEGMENT = f"{0:020d}"
IGNORED = (
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    "._leader-epoch-checkpoint",
    f"{SEGMENT}.log~",
    f".{SEGMENT}.log.swp",
    f"{SEGMENT}.log.bak",
    f"#{SEGMENT}.log#",
    f"{SEGMENT}.log.gz",
    ".gitkeep",
    "notes.txt",
)


def findings(lab):
    return [f for f in verify(lab.root, now=NOW).all_findings() if lab.name in f.path]


def ids(found, least=Severity.INFO):
    return {f.id for f in found if f.severity >= least}


@pytest.mark.parametrize("name", IGNORED)
def test_a_file_that_brokers_ignore_does_not_damage_a_partition(name, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / name).write_bytes(b"x")
    report = verify(lab.root, now=NOW)
    assert report.verdict == "benign"
    (found,) = [f for f in report.all_findings() if f.id == "unexpected-file"]
    assert found.path == str(lab.dir / name)
    assert "deleted with its directory" in found.consequence
    outcome = next_start(lab.dir)
    assert (outcome.delete, outcome.rename) == ((), ())


def test_files_that_nfs_holds_open_are_told_with_what_they_do_to_a_deletion(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / ".nfs000000000016e8d100000009").write_bytes(b"x")
    (lab.dir / f"{94:020d}.log.deleted.deleted").write_bytes(b"x")
    (lab.dir / "notes.deleted").write_bytes(b"x")
    report = verify(lab.root, now=NOW)
    assert report.verdict == "benign"
    found = {f.id: f for f in findings(lab)}
    assert "goes offline" in found["file-held-open"].consequence
    assert "Nothing to do" not in found["file-held-open"].remedy
    assert "unexpected-file" not in found
    outcome = next_start(lab.dir)
    assert {os.path.basename(path) for path in outcome.delete} == {f"{94:020d}.log.deleted.deleted", "notes.deleted"}


def test_a_file_held_open_damages_no_directory_that_waits_for_its_deletion(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / ".nfs000000000016e8d100000009").write_bytes(b"x")
    lab.dir.rename(lab.root / f"twitter-status-0.{'a' * 32}-delete")
    (found,) = [f for f in verify(lab.root, now=NOW).all_findings() if f.id == "file-held-open"]
    assert found.severity is Severity.INFO


@pytest.mark.parametrize("name", [f"._{SEGMENT}.log", f"{SEGMENT} (1).log", "notes.index"])
def test_a_file_whose_ending_is_a_segments_stops_the_broker(name, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.dir / name).write_bytes(b"x")
    found = {f.id: f for f in findings(lab)}
    assert found["file-name-unparsable"].severity is Severity.ERROR
    assert "AppleDouble" in found["file-name-unparsable"].message or not name.startswith("._")
    outcome = next_start(lab.dir)
    assert outcome.broker == "aborts"


def test_directories_and_links_that_lead_nowhere_are_ignored_by_brokers(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    for name in ("sub", "sub.deleted", "old.log", ".snapshot"):
        (lab.dir / name).mkdir()
    (lab.dir / f".#{SEGMENT}.log").symlink_to("engineer@host.4711")
    found = findings(lab)
    assert ids(found, Severity.WARNING) == set()
    told = [f for f in found if f.id == "unexpected-file"]
    assert len(told) == 5
    outcome = next_start(lab.dir)
    assert (outcome.broker, outcome.partition, outcome.delete) == ("starts", "loaded", ())


def test_a_log_in_capitals_is_not_seen_by_brokers(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.path(1).rename(lab.dir / f"{74:020d}.LOG")
    found = {f.id: f for f in findings(lab)}
    assert found["segment-renamed"].severity is Severity.ERROR
    assert found["segment-renamed"].facts["right"] == f"{74:020d}.log"


@pytest.mark.parametrize("name", ["lost+found", "zookeeper", ".git", "kafka-logs"])
def test_a_directory_that_is_no_partitions_stops_the_broker_and_the_remedy_fits_its_owner(name, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    (lab.root / name).mkdir()
    (found,) = [f for f in verify(lab.root, now=NOW).all_findings() if f.id == "directory-name-unparsable"]
    (trouble,) = [outcome for outcome in next_starts([lab.root]) if outcome.path.endswith(name)]
    assert trouble.broker == "aborts"
    move = found.facts["move"]
    assert f"{move[0].upper()}{move[1:]}." in trouble.actions
    assert ("mount point" in move) == (name == "lost+found")
    assert ("ZooKeeper" in move) == (name == "zookeeper")


def test_zookeepers_data_in_a_log_dir_is_told_once(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    folder = lab.root / "version-2"
    folder.mkdir()
    for name in ("log.1", "log.2f", "snapshot.0", "currentEpoch", "acceptedEpoch"):
        (folder / name).write_bytes(b"x")
    found = [f for f in verify(lab.root, now=NOW).all_findings() if "version-2" in f.path]
    assert [f.id for f in found if f.severity > Severity.INFO] == ["zookeeper-in-log-dir"]


def test_hidden_files_of_the_log_dir_are_left_alone_and_others_are_an_info(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    for name in (".lock", ".DS_Store", ".gitignore"):
        (lab.root / name).write_bytes(b"")
    assert not [f for f in verify(lab.root, now=NOW).all_findings() if f.id == "log-dir-unexpected-file"]
    for name in ("Thumbs.db", ".nfs000000000016e8d200000002"):
        (lab.root / name).write_bytes(b"x")
    report = verify(lab.root, now=NOW)
    assert report.verdict == "benign"
    assert len([f for f in report.all_findings() if f.id == "log-dir-unexpected-file"]) == 2
