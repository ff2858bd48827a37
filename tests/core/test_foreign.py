"""What other programs leave among Kafka's files is told by its name, and nothing of Kafka's is taken for it."""

from __future__ import annotations

import pytest

from kafkalog.core.filename import LOG_DIR_FILES, PARTITION_FILES
from kafkalog.core.foreign import describe_directory, describe_file, is_held_open, is_of_zookeeper, move_of

KAFKAS = (
    *LOG_DIR_FILES,
    *PARTITION_FILES,
    ".lock",
    "bootstrap.checkpoint",
    "leader-epoch-checkpoint.tmp",
    f"{0:020d}.log",
    f"{0:020d}.timeindex",
    f"{0:020d}.snapshot",
    f"{0:020d}-{1:010d}.checkpoint",
)


@pytest.mark.parametrize("name", KAFKAS)
def test_no_file_of_kafkas_is_taken_for_another_programs(name):
    assert describe_file(name) is None
    assert not is_held_open(name)


@pytest.mark.parametrize("name", ["orders-0", "remote-log-index-cache", "zookeeper-0", "__cluster_metadata-0"])
def test_no_directory_of_kafkas_is_taken_for_another_programs(name):
    assert describe_directory(name) is None


@pytest.mark.parametrize(
    ("name", "says"),
    [
        (".DS_Store", "macOS"),
        ("._00000000000000000000.log", "AppleDouble"),
        ("Thumbs.db", "Windows"),
        ("Desktop.ini", "Windows"),
        (".00000000000000000000.log.swp", "Vim"),
        (".#leader-epoch-checkpoint", "Emacs"),
        ("leader-epoch-checkpoint~", "backup"),
        ("00000000000000000000.log.bak", "backup"),
        (".00000000000000000000.log.k3Xb9Q", "not finished"),
        (r"orders-0\00000000000000000000.log", "path of Windows"),
        (".nfs000000000016e8d200000002", "still has open"),
        (".fuse_hidden0000000200000001", "still has open"),
    ],
)
def test_the_programs_that_leave_files_are_known_by_their_names(name, says):
    assert says in describe_file(name)


def test_lost_and_found_is_not_moved_away_but_the_log_dir_is():
    assert "below the mount point" in move_of("lost+found")
    assert move_of("backup") == "move the directory out of the log dir"


def test_zookeeper_is_known_by_its_logs_and_snapshots():
    assert is_of_zookeeper(["acceptedEpoch", "log.1a"])
    assert is_of_zookeeper(["snapshot.0"])
    assert is_of_zookeeper(["currentEpoch"])
    assert not is_of_zookeeper(["catalog.1", "00000000000000000000.log", "snapshot.json"])
