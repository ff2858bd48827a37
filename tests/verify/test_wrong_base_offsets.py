"""What is wrong with offsets alone costs no record, and what it costs is never more than its neighbours allow."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.verify import verify
from kafkalog.verify.account import account_of
from tests.verify.lab import Lab, header
from tests.verify.proofs import PLAIN

NOW = 1_797_500_000_000


def _account(lab):
    (report,) = [one for one in verify(lab.root, now=NOW, next_start=False).partitions if one.path == str(lab.dir)]
    return report, account_of(report.path, report.findings, ())


@pytest.mark.parametrize("flip", [1 << 2, 1 << 42, 1 << 62, (1 << 9) | (1 << 33)])
@pytest.mark.parametrize("at", [0, 2])
def test_a_wrong_base_offset_between_sound_neighbours_is_told_as_that_and_no_record_counts_as_lost(at, flip, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    right = header(lab.batches(1)[at]).base_offset
    lab.field(1, at, base_offset=right ^ flip)
    report, account = _account(lab)
    (found,) = (f for f in report.findings if f.severity.name != "INFO")
    assert found.id == "batch-base-offset-wrong"
    assert (found.facts["stored"], found.facts["offset"]) == (right ^ flip, right)
    assert (account.gone, account.unreadable) == ((), ())


def test_a_batch_that_is_there_twice_makes_nothing_unreadable(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    batches = lab.batches(1)
    lab.write(1, [*batches[:3], batches[2], *batches[3:]])
    report, account = _account(lab)
    assert "offset-not-monotonic" in {f.id for f in report.findings}
    assert (account.gone, account.unreadable) == ((), ())


def test_a_log_in_the_place_of_another_of_its_partition_costs_the_offsets_of_its_place_and_is_named(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    shutil.copyfile(lab.path(0), lab.path(2))
    report, account = _account(lab)
    (found,) = (f for f in report.findings if f.id == "log-replaced")
    assert str(lab.path(0)) in found.message
    assert account.gone == ((int(lab.path(2).stem), int(lab.path(3).stem) - 1),)
    assert account.unreadable == ()
