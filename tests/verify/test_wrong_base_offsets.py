"""What is wrong with offsets alone costs no record, and what it costs is never more than its neighbours allow."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.next_start.api import next_start
from kafkalog.verify import verify
from kafkalog.verify.account import account_of
from tests.verify.lab import Lab, header
from tests.verify.proofs import OLD, OLD_GZIP, PLAIN

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


@pytest.mark.parametrize("source", [OLD, OLD_GZIP], ids=["a message", "a wrapper"])
@pytest.mark.parametrize("bit", [3, 20, 40])
def test_a_wrong_offset_of_magic_1_between_sound_neighbours_costs_no_record_either(bit, source, tmp_path):
    lab = Lab(tmp_path / "d1", source)
    offset = int.from_bytes(lab.batches(0)[5][:8], "big") ^ (1 << bit)
    lab.change(0, 5, lambda stored: offset.to_bytes(8, "big") + stored[8:])
    report, account = _account(lab)
    (found,) = (f for f in report.findings if f.severity.name != "INFO")
    assert found.id == "batch-base-offset-wrong"
    assert found.message.endswith("one bit is flipped")
    assert (account.gone, account.unreadable) == ((), ())


def test_a_copy_of_another_message_of_magic_1_in_the_place_of_one_costs_its_record(tmp_path):
    lab = Lab(tmp_path / "d1", OLD)
    sizes = [len(batch) for batch in lab.batches(0)]
    at, source = next((n, m) for n, size in enumerate(sizes) for m in range(n) if n > 2 and sizes[m] == size)
    lost = int.from_bytes(lab.batches(0)[at][:8], "big")
    lab.change(0, at, lambda _: lab.batches(0)[source])
    _, account = _account(lab)
    assert account.gone == ((lost, lost),)
    assert account.cause.id == "batch-overwritten"


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


def _overwrite(lab, number, at, copy):
    """Put a copy of another batch where one is: the write went to the wrong place."""
    assert len(copy) == len(lab.batches(number)[at])
    right = header(lab.batches(number)[at])
    lab.change(number, at, lambda _: copy)
    return right.base_offset, right.base_offset + right.last_offset_delta


@pytest.mark.parametrize(
    ("number", "at", "source", "source_at"),
    [(2, 11, 2, 7), (2, 7, 2, 11), (0, 22, 2, 23), (2, 23, 0, 22)],
    ids=["earlier in the log", "later in the log", "of a later log", "of an earlier log"],
)
def test_a_copy_of_another_batch_in_the_place_of_one_costs_its_records(number, at, source, source_at, tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    copy = lab.batches(source)[source_at]
    lost = _overwrite(lab, number, at, copy)
    report, account = _account(lab)
    assert report.verdict == "data-loss"
    assert account.gone == (lost,)
    assert account.cause.id == "batch-overwritten"
    assert account.cause.facts["original"] == str(lab.path(source))


def test_consumers_skip_a_batch_whose_base_offset_lies_before_their_position_and_its_records_can_be_taken_out(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    right = header(lab.batches(1)[2])
    lab.field(1, 2, base_offset=right.base_offset ^ (1 << 6))
    assert right.base_offset ^ (1 << 6) < right.base_offset
    read = next_start(lab.dir).consumer.uncommitted
    last = right.base_offset + right.last_offset_delta
    assert read.skipped == ((right.base_offset, last, right.records_count),)


def test_consumers_skip_the_offsets_of_a_batch_that_a_copy_was_written_over_and_nothing_of_it_can_be_taken_out(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    first, last = _overwrite(lab, 2, 23, lab.batches(0)[22])
    assert next_start(lab.dir).consumer.uncommitted.skipped == ((first, last, 0),)


def test_a_batch_that_is_there_twice_makes_consumers_skip_nothing(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    batches = lab.batches(1)
    lab.write(1, [*batches[:3], batches[2], *batches[3:]])
    assert next_start(lab.dir).consumer.uncommitted.skipped == ()


def test_a_batch_that_is_there_twice_makes_no_later_hole_a_skipped_one(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    batches = lab.batches(1)
    lab.write(1, [*batches[:3], batches[2], batches[3], *batches[5:]])
    assert next_start(lab.dir).consumer.uncommitted.skipped == ()


def test_consumers_skip_what_a_batch_lacks_whose_base_offset_is_a_little_too_low(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    right = header(lab.batches(1)[2])
    low = right.base_offset ^ 2
    assert low < right.base_offset <= low + right.last_offset_delta
    lab.field(1, 2, base_offset=low)
    read = next_start(lab.dir).consumer.uncommitted
    last = right.base_offset + right.last_offset_delta
    assert read.skipped == ((low + right.last_offset_delta + 1, last, right.base_offset - low),)


def test_a_log_that_starts_inside_a_batch_skips_nothing(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    first = header(lab.batches(0)[3])
    assert first.last_offset_delta > 1
    lab.write(0, [b for n, b in enumerate(lab.batches(0)) if n != 4])
    lab.checkpoint("log-start-offset-checkpoint", first.base_offset + 1)
    assert next_start(lab.dir).consumer.uncommitted.skipped == ()
