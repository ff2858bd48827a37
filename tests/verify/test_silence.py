"""Silence: nothing above INFO on what healthy brokers left."""

from __future__ import annotations

import json
import os
import pathlib
import shutil

import pytest

import kafkalog
from kafkalog.files.classify import NOTHING_OF_KAFKA
from kafkalog.verify import Severity, verify
from tests.log_dirs import CORPUS, FIXTURES

NOW = 1795500000000
UNPACKED = sorted(path for path in (FIXTURES / "broker").glob("*/*") if path.is_dir())
PARTITIONS = sorted(path for log_dir in UNPACKED for path in log_dir.iterdir() if path.is_dir())


def loud(report):
    failed = [(item.path, item.reason) for item in report.not_checked if item.failed]
    return failed + [(f.id, f.path, f.message) for f in report.all_findings() if f.severity > Severity.INFO]


@pytest.mark.parametrize("log_dir", UNPACKED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_healthy_log_dir_has_nothing_above_info(log_dir):
    assert loud(verify(log_dir, now=NOW)) == []
    assert loud(verify(log_dir, now=NOW, quick=True)) == []


def test_healthy_partition_directories_taken_alone_have_nothing_above_info():
    for partition in PARTITIONS:
        assert loud(verify(partition, now=NOW, next_start=False)) == []


def test_copies_that_hold_logs_only_have_nothing_above_info_and_say_what_is_missing(tmp_path):
    for number, partition in enumerate(PARTITIONS):
        target = tmp_path / f"{number}-{partition.name}" / partition.name.split(".")[0]
        target.mkdir(parents=True)
        logs = sorted(partition.glob("*.log"))
        for log in logs:
            shutil.copy(log, target)
        if any(log.stat().st_size for log in logs):
            report = verify(target, now=NOW, next_start=False)
            assert loud(report) == []
            assert "siblings-not-copied" in {f.id for f in report.all_findings()}


def hanging(account):
    """The partition in which a producer of nobody's left its transaction, as the broker itself told."""
    truth = (account.get("ground_truth") or {}).get("hanging")
    return [f"{truth['topic']}-{truth['partition']}"] if isinstance(truth, dict) else []


@pytest.mark.skipif(not CORPUS, reason="KAFKALOG_CORPUS names no corpus")
def test_every_healthy_log_dir_of_the_corpus_has_nothing_above_info_also_in_part(tmp_path):
    accounts = sorted(pathlib.Path(CORPUS).glob("*/*/*.json"))
    assert accounts
    for account in accounts:
        told = json.loads(account.read_text("utf-8"))
        if told["healthy"]:
            log_dir = account.with_suffix("")
            hangs = [("txn-hanging", name) for name in hanging(told)]
            for quick in (False, True):
                found = [
                    (rule, os.path.basename(os.path.dirname(path)))
                    for rule, path, *_ in loud(verify(log_dir, now=NOW, quick=quick))
                ]
                assert found == hangs, log_dir
            for partition in log_dir.iterdir():
                if partition.is_dir() and partition.name != "remote-log-index-cache":
                    report = verify(partition, now=NOW)
                    assert [entry for entry in loud(report) if entry[1] != NOTHING_OF_KAFKA] == [], partition
                    only_logs = tmp_path / partition.name.split(".")[0]
                    only_logs.mkdir()
                    for log in partition.glob("*.log"):
                        shutil.copy(log, only_logs)
                    report = verify(only_logs, now=NOW, quick=True)
                    assert [entry for entry in loud(report) if entry[1] != NOTHING_OF_KAFKA] == [], partition
                    shutil.rmtree(only_logs)


def test_files_that_wait_to_be_deleted_are_not_counted_as_the_log():
    users = FIXTURES / "broker/1.1.1/swap/users-0"
    (report,) = kafkalog.verify(users).partitions
    assert report.records == sum(1 for _ in kafkalog.open_partition(users).records())
    assert report.batches == sum(1 for segment in kafkalog.open_partition(users).segments for _ in segment.batches())
