"""Leader epochs of batches that a flipped bit made wrong: which side is wrong, and by which witness."""

from __future__ import annotations

import shutil
import struct

import pytest

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.verify import Severity, verify
from kafkalog.verify.rules.shared import EpochRun
from kafkalog.verify.wrong_epochs import PlacedRun, wrong_epochs
from tests.log_dirs import fixture

NOW = 1795500000000
EPOCH = 12


@pytest.fixture
def partition(tmp_path):
    return shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs") / "twitter-status-0"


def set_epoch(log, number, epoch):
    data = bytearray(log.read_bytes())
    at = 0
    for _ in range(number):
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    struct.pack_into(">i", data, at + EPOCH, epoch)
    log.write_bytes(data)


def loud(partition):
    report = verify(partition.parent, now=NOW, next_start=False, topics=[partition.name])
    return [finding for one in report.partitions for finding in one.findings if finding.severity > Severity.INFO]


@pytest.mark.parametrize(("segment", "number"), [(0, 0), (0, 7), (1, 0), (2, 9), (-1, 5), (-1, -1)])
@pytest.mark.parametrize("epoch", [2, 1 << 24])
def test_the_log_is_what_is_wrong_and_the_epoch_file_is_left_as_it_is(segment, number, epoch, partition):
    log = sorted(partition.glob("*.log"))[segment]
    set_epoch(log, number if number >= 0 else 11, epoch)
    found = loud(partition)
    (cause,) = [finding for finding in found if finding.cause is None]
    assert (cause.id, cause.path, cause.facts["epoch"], cause.facts["right"]) == ("batch-epoch-wrong", str(log), epoch, 0)
    assert "leader-epoch-checkpoint" in cause.message
    assert "as it is" in cause.remedy
    assert not any(str(epoch) in command.line for finding in found for command in finding.commands)


def test_without_an_epoch_file_the_lines_to_write_leave_the_wrong_epoch_out(partition):
    (partition / "leader-epoch-checkpoint").unlink()
    set_epoch(sorted(partition.glob("*.log"))[1], 4, 3)
    found = {finding.id: finding for finding in loud(partition)}
    assert found["batch-epoch-wrong"].facts["witnesses"] == "the batches before and after it"
    assert "`0 0`" in found["epoch-file-missing"].remedy
    assert "`3 " not in found["epoch-file-missing"].remedy


def run(epoch, first, count=1):
    return PlacedRun(EpochRun(epoch, first, 0, first + 10 * (count - 1), first + 10 * count - 1), "log")


@pytest.mark.parametrize(
    ("runs", "entries", "right"),
    [
        ([run(3, 0, 5), run(2, 50), run(3, 60, 5)], [], 3),
        ([run(3, 0, 5), run(11, 50), run(4, 60, 5)], [(3, 0), (4, 50)], 4),
        ([run(3, 0, 5), run(1, 50)], [(3, 0)], 3),
        ([run(7, 0), run(3, 10, 5)], [(3, 0)], 3),
        ([run(4, 0), run(5, 10, 5)], [(5, 0)], 5),
        ([run(2, 0, 5), run(10, 50)], [(2, 0)], 2),
    ],
    ids=["below equals", "above both", "below at the end", "above at the beginning", "below at the beginning", "far above"],
)
def test_a_wrong_epoch_is_told_with_the_right_one(runs, entries, right):
    (wrong,) = wrong_epochs(runs, [EpochEntry(*entry) for entry in entries])
    assert wrong.right == right


@pytest.mark.parametrize(
    ("runs", "entries"),
    [
        ([run(0, 0, 5), run(1, 50), run(2, 60, 5)], [(0, 0), (1, 50), (2, 60)]),
        ([run(0, 0, 5), run(1, 50), run(2, 60, 5)], [(0, 0), (2, 60)]),
        ([run(0, 0, 5), run(1, 50)], [(0, 0)]),
        ([run(3, 0, 5), run(1, 50)], []),
        ([run(3, 0, 5), run(1, 50, 3), run(3, 80, 5)], [(3, 0)]),
        ([run(2, 0), run(5, 10, 5)], [(5, 5)]),
    ],
    ids=["in order", "a lost entry", "a lost last entry", "nothing to tell it", "several batches", "below the file's start"],
)
def test_an_epoch_that_may_be_right_is_not_called_wrong(runs, entries):
    assert list(wrong_epochs(runs, [EpochEntry(*entry) for entry in entries])) == []
