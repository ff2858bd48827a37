"""Directories that somebody renamed: told by what the clean stop noted of their logs, in either era."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.verify import Severity, verify
from tests.log_dirs import fixture

NOW = 1795500000000
ZOOKEEPER, KRAFT = ("2.1.1", "plain", "twitter-status-0"), ("4.1.1", "basic", "dense-0")


@pytest.fixture
def copy(tmp_path):
    def make(release, workload):
        return shutil.copytree(fixture(release, workload).path(), tmp_path / "logs")

    return make


def roots(report):
    return {finding.id for finding in report.all_findings() if finding.severity > Severity.INFO and finding.cause is None}


@pytest.mark.parametrize(("which", "name"), [(ZOOKEEPER, "birds-3"), (KRAFT, "dense-1"), (KRAFT, "dense-7")])
def test_a_renamed_directory_is_one_fact_and_nothing_is_lost(which, name, copy):
    release, workload, was = which
    log_dir = copy(release, workload)
    (log_dir / was).rename(log_dir / name)
    report = verify(log_dir, now=NOW)
    assert (report.verdict, roots(report)) == ("damaged", {"directory-renamed"})
    (found,) = [finding for finding in report.all_findings() if finding.id == "directory-renamed"]
    assert (found.path, found.facts["was"]) == (f"{log_dir}/{name}", was)
    assert was in found.remedy


def test_two_directories_that_may_each_be_the_missing_one_are_not_told_apart(copy):
    log_dir = copy(*ZOOKEEPER[:2])
    (log_dir / ZOOKEEPER[2]).rename(log_dir / "one-0")
    shutil.copytree(log_dir / "one-0", log_dir / "two-0")
    report = verify(log_dir, now=NOW)
    assert "directory-renamed" not in roots(report)
    assert report.verdict == "data-loss"


def test_a_directory_of_another_topic_is_not_the_missing_one(copy):
    log_dir = copy(*KRAFT[:2])
    (log_dir / "dense-0").rename(log_dir / "dense-1")
    (log_dir / "dense-1/partition.metadata").write_text("version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAABA")
    assert "directory-renamed" not in roots(verify(log_dir, now=NOW))
