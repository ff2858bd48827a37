"""What people give by mistake is told for what it is, with what to give instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

import kafkalog
from kafkalog.errors import UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.source import read_file
from kafkalog.verify import verify
from tests.log_dirs import fixture

PLAIN = fixture("2.1.1", "plain").path()
SOURCES = "kafkalog reads the folders that log.dirs in server.properties names"


def take(path):
    """What every command does with a path first."""
    if classify(path).kind is Kind.FILE:
        check_file_name(path)


def refused(path):
    with pytest.raises(UnreadableFile) as raised:
        take(str(path))
    assert raised.value.path == str(path)
    return raised.value.reason


def write(path, data=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def installation(tmp_path):
    for name in ("bin/kafka-server-start.sh", "libs/kafka-clients-3.9.1.jar", "LICENSE"):
        write(tmp_path / "kafka" / name)
    write(tmp_path / "kafka/config/server.properties", b"#log.dirs=/no\nbroker.id=1\n log.dirs = /data/d1,/data/d2 \r\n")
    write(tmp_path / "kafka/logs/server.log", b"[2024-05-01 12:00:00,123] INFO started (kafka.server.KafkaServer)\n")
    return tmp_path / "kafka"


def test_an_installation_is_told_with_the_log_dirs_that_its_configuration_names(installation):
    named = "server.properties these are in /data/d1,/data/d2"
    assert refused(installation) == f"is an installation of Kafka, not its data: by config/{named}"
    assert refused(installation / "config") == f"is a folder of configurations, not of data: by {named}"
    assert refused(installation / "config/server.properties") == f"is a configuration, not data: by {named}"
    (installation / "config/server.properties").write_text("broker.id=1\n")
    assert refused(installation) == f"is an installation of Kafka, not its data: {SOURCES}"


def test_the_log_messages_of_a_broker_are_not_its_data(installation):
    assert refused(installation / "logs") == f"holds the log messages of a broker, not its data: {SOURCES}"
    text = f"is text, as the log messages of a program are, not data of Kafka: {SOURCES}"
    assert refused(installation / "logs/server.log") == text
    assert refused(write(installation / "logs/server.log.2024-05-01-12", b"[2024]\n")) == text
    assert refused(write(installation / "logs/größe.log", "[2024] größer\n".encode())) == text


def test_data_of_zookeeper_are_told_for_what_they_are(tmp_path):
    write(tmp_path / "zk/myid", b"1")
    write(tmp_path / "zk/version-2/log.100000001", b"ZKLG\0\0\0\2")
    write(tmp_path / "zk/version-2/snapshot.0", b"ZKSN\0\0\0\2")
    assert refused(tmp_path / "zk") == f"is the data directory of ZooKeeper, not of Kafka: {SOURCES}"
    assert refused(tmp_path / "zk/version-2") == f"is data of ZooKeeper, not of Kafka: {SOURCES}"
    assert refused(tmp_path / "zk/version-2/snapshot.0") == f"is a file of ZooKeeper, not of Kafka: {SOURCES}"
    assert refused(write(tmp_path / "saved.log", b"ZKLG\0\0\0\2")) == f"is a file of ZooKeeper, not of Kafka: {SOURCES}"


def test_a_topic_called_version_is_a_topic(tmp_path):
    shutil.copytree(f"{PLAIN}/twitter-status-0", tmp_path / "data/version-2")
    assert classify(str(tmp_path / "data")).kind is Kind.LOG_DIR
    assert classify(str(tmp_path / "data/version-2")).kind is Kind.PARTITION
    (tmp_path / "empty/version-2").mkdir(parents=True)
    assert classify(str(tmp_path / "empty/version-2")).kind is Kind.PARTITION


def test_archives_that_are_not_read_are_to_be_unpacked(tmp_path):
    for name, data in (("copy.rar", b"Rar!\x1a\7"), ("copy.7z", b"7z\xbc\xaf\x27\x1c"), ("copy.tar.lz4", b"\x04\x22\x4d\x18")):
        (tmp_path / name).write_bytes(data + bytes(600))
    for name in os.listdir(tmp_path):
        wanted = "is an archive of a kind that is not read, as tar (packed with gzip, bzip2, xz or zstd) and zip are: unpack it"
        assert refused(tmp_path / name) == wanted


def test_a_log_of_an_odd_name_is_read_all_the_same(tmp_path):
    for name in ("carved.log", "00000000000000000000-abc.log"):
        shutil.copy(f"{PLAIN}/twitter-status-0/{0:020}.log", tmp_path / name)
        check_file_name(str(tmp_path / name))
    write(tmp_path / "empty.log")
    check_file_name(str(tmp_path / "empty.log"))


def test_info_says_the_same_of_a_file_as_the_others_and_counts_nothing_beside_a_log(tmp_path):
    write(tmp_path / "server.log", b"[2024-05-01] INFO started\n")
    with pytest.raises(UnreadableFile, match="is text, as the log messages of a program are"):
        kafkalog.describe(tmp_path / "server.log")
    carved = shutil.copy(f"{PLAIN}/twitter-status-0/{0:020}.log", tmp_path / "carved.log")
    (partition,) = kafkalog.describe(carved).partitions
    assert partition.files_size == partition.size == 16232


def test_a_path_of_windows_is_told_where_it_is_under_wsl(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("C:\\kafka-logs\\orders-0", "c:/kafka-logs/orders-0"):
        wanted = "no such file or directory: this is a path of Windows; under WSL it is /mnt/c/kafka-logs/orders-0"
        assert refused(path) == wanted
    (tmp_path / "C:\\data-0").mkdir()
    assert classify("C:\\data-0").kind is Kind.PARTITION


@pytest.mark.skipif(os.geteuid() != 0, reason="root can be another user")
def test_who_may_not_read_is_told_who_may(tmp_path, monkeypatch):
    path = write(tmp_path / f"orders-0/{0:020}.log", b"x")
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(UnreadableFile) as raised:
        read_file(str(path))
    assert raised.value.reason == "permission denied: it belongs to root; run as that user (sudo -u root) or as root"


def refuse(*_):
    raise PermissionError(13, "Permission denied")


def test_a_topic_that_is_mistyped_is_answered_with_the_one_that_was_meant():
    report = verify(PLAIN, topics="twiter-status", next_start=False)
    (missed,) = (item for item in report.not_checked if item.failed)
    assert missed.reason == "no partition is called 'twiter-status'. Did you mean twitter-status?"


@pytest.mark.parametrize("command", ["verify", "dump", "next-start", "groups", "transactions", "metadata"])
def test_a_missing_path_is_told_on_stderr_alone_and_is_status_3_of_dump_1(command, tmp_path):
    path = str(tmp_path / "nowhere")
    done = subprocess.run([sys.executable, "-m", "kafkalog", command, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1 if command == "dump" else 3, "")
    assert done.stderr == f"kafkalog: {path}: no such file or directory\n"


def test_groups_of_a_partition_of_another_topic_say_what_to_give():
    done = subprocess.run(
        [sys.executable, "-m", "kafkalog", "groups", f"{PLAIN}/twitter-status-0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "__consumer_offsets was given: what was given is of twitter-status; give the log dir, or a directory" in done.stderr
