"""Directories that change while they are read: no exception, no false alarm, and what could not be read is said."""

from __future__ import annotations

import shutil
import time

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.live_log import LiveLog

SECONDS = 1.5
#: More appends than fit into the time: a roll between the copies of two files of one segment can not be told from damage.
NO_ROLL = 1 << 30
ACTS = {
    "appended": lambda _: None,
    "appended and deleted": lambda log: log.delete_first() if log.next % 5 == 0 else None,
    "appended and truncated": lambda log: log.truncate() if log.next % 5 == 0 else None,
}


def watch(target, seconds=SECONDS, **options):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield verify(target, **options)


@pytest.mark.parametrize("act", ACTS)
def test_a_log_that_is_being_written_has_nothing_above_info(act, tmp_path):
    changed = reports = 0
    with LiveLog(tmp_path / "d1", ACTS[act]) as log:
        for report in watch(log.dir.parent):
            reports += 1
            loud = [f for f in report.all_findings() if f.severity > Severity.INFO]
            assert loud == []
            failed = [item for item in report.not_checked if item.failed]
            changed += bool(failed) or any("appended" in item.reason for item in report.not_checked)
            if act == "appended":
                assert failed == []
    assert reports > 3
    assert changed
    assert verify(tmp_path / "d1").worst <= Severity.INFO


@pytest.mark.parametrize("act", ACTS)
def test_a_copy_of_a_log_that_is_being_written_has_nothing_above_info(act, tmp_path):
    end = time.monotonic() + SECONDS
    with LiveLog(tmp_path / "d1", ACTS[act], then=NO_ROLL) as log:
        number = 0
        while time.monotonic() < end:
            copy = tmp_path / f"copy-{number}"
            number += 1
            try:
                shutil.copytree(log.dir.parent, copy)
            except shutil.Error:
                continue  # a file went while the folder was copied
            report = verify(copy)
            loud = [f for f in report.all_findings() if f.severity > Severity.INFO]
            assert loud == [], [sorted((f.name, f.stat().st_size) for f in (copy / "topic-0").iterdir())]
            assert not [item for item in report.not_checked if item.failed]
    assert number > 5


def test_a_partition_that_goes_while_it_is_read_is_not_judged(tmp_path):
    log = LiveLog(tmp_path / "d1", lambda _: None)
    with log:
        report = verify(tmp_path / "d1", progress=lambda *_: None)
    shutil.rmtree(log.dir)
    assert report.worst <= Severity.INFO
    assert [item.failed for item in verify(log.dir).not_checked] == [True]
