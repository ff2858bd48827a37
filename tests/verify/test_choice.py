"""Which partitions of many are looked at, and which of them are told."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.errors import RequestError
from kafkalog.verify import verify
from tests.log_dirs import fixture

PLAIN = fixture("2.1.1", "plain").path()
NOW = 1795500000000


def names(report):
    return [partition.path.rpartition("/")[2] for partition in report.partitions]


def run(*words):
    return CliRunner().invoke(main, ["verify", *map(str, words)], standalone_mode=False)


def rows(*words):
    return [json.loads(line) for line in run(*words, "--format", "jsonl").stdout.splitlines()]


@pytest.fixture
def many(tmp_path):
    """A log dir with 25 damaged partitions and seven sound ones."""
    log_dir = shutil.copytree(PLAIN, tmp_path / "logs")
    source = f"{PLAIN}/twitter-status-0"
    for number in range(25):
        folder = shutil.copytree(source, log_dir / f"hurt-{number}")
        path = sorted(folder.glob("*.log"))[1]
        data = bytearray(path.read_bytes())
        data[200] ^= 4
        path.write_bytes(data)
    return log_dir


def test_a_sample_is_the_same_for_the_same_clock_and_says_what_it_left_out():
    whole = names(verify(PLAIN, now=NOW))
    sampled = [verify(PLAIN, now=now, sample=3) for now in (NOW, NOW, *range(NOW + 1, NOW + 9))]
    assert names(sampled[0]) == names(sampled[1])
    assert len({tuple(names(report)) for report in sampled}) > 1
    for report in sampled:
        assert len(report.partitions) == 3
        assert names(report) == [name for name in whole if name in names(report)]
        assert report.left_out == len(whole) - 3
        (item,) = report.not_checked
        assert (item.reason, item.failed) == (f"{len(whole) - 3} partitions left out: not in the sample of 3", False)


def test_a_sample_of_more_than_there_are_leaves_nothing_out():
    report = verify(PLAIN, now=NOW, sample=1000)
    assert (report.left_out, report.not_checked) == (0, ())


def test_partitions_that_nobody_has_written_to_are_left_out(tmp_path):
    log_dir = shutil.copytree(PLAIN, tmp_path / "logs")
    for path in log_dir.glob("*/*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    fresh = next((log_dir / "twitter-status-0").glob("*.timeindex"))
    os.utime(fresh, (1_700_000_000, 1_700_000_000))
    report = verify(log_dir, now=NOW, since_mtime=1_700_000_000_000)
    assert names(report) == ["twitter-status-0"]
    assert report.not_checked[0].reason.endswith("partitions left out: not written to since 2023-11-14 22:13:20+00:00")
    assert names(verify(log_dir, now=NOW, since_mtime=1_700_000_000_001)) == []
    assert len(names(verify(log_dir, now=NOW, since_mtime=1_600_000_000_000))) == report.left_out + 1


def test_a_partition_that_is_given_itself_is_never_left_out():
    path = f"{PLAIN}/twitter-status-0"
    assert names(verify(path, now=NOW, since_mtime=NOW * 10, sample=1)) == ["twitter-status-0"]


def test_what_the_options_left_out_is_in_the_headline_and_the_summary():
    assert "6 partitions left out by the options" in " ".join(run("--include", "twitter-*", PLAIN).output.split())
    assert rows("--topic", "twitter-*", PLAIN)[-1]["left_out"] == 6
    assert "left out" not in run(PLAIN).output


def test_nothing_is_said_to_be_sound_when_the_options_left_out_all():
    words = " ".join(run("--since-mtime", "2099-01-01", PLAIN).output.split())
    assert "no partition was looked at: the options leave out all 7" in words
    assert "nothing is damaged" not in words


def test_what_was_left_out_is_counted_beside_what_is_damaged(many):
    words = " ".join(run("--sample", "31", many).output.split())
    assert "of 31 partitions are damaged; the options leave out 1 other" in words


def test_a_time_is_no_text_for_the_library():
    with pytest.raises(RequestError, match="since_mtime"):
        verify(PLAIN, since_mtime="yesterday")


def test_only_partitions_of_some_verdicts_are_told_and_all_are_counted(many):
    lines = rows("--only", "benign,clean", many)
    assert [row["path"].rpartition("/")[2] for row in lines if row["type"] == "partition"] == names(verify(PLAIN, now=NOW))
    assert lines[-1]["partitions"] == 32
    assert lines[-1]["damaged_partitions"] == 25
    text = run("--only", "benign,clean", many)
    assert "batch-crc-mismatch\n" not in text.stdout.partition("25 of 32 partitions are damaged")[0]
    assert text.return_value == 1


def test_an_unknown_verdict_is_answered_with_the_one_that_was_meant():
    error = run("--only", "data-los", PLAIN).exception
    assert isinstance(error, RequestError)
    assert str(error) == "--only 'data-los' is none of clean, benign, unknown, damaged, data-loss. Did you mean data-loss?"


def test_of_many_damaged_partitions_twenty_are_told_in_full_and_the_others_in_a_table(many):
    before, _, _ = run(many).stdout.partition("25 of 32 partitions are damaged")
    assert before.count("\n  error  batch-crc-mismatch\n") == 20
    table = before.partition("\n\n")[0].splitlines()
    assert len(table) == 1 + 5
    before, _, _ = run("--max-partitions", "25", many).stdout.partition("25 of 32 partitions are damaged")
    assert before.count("\n  error  batch-crc-mismatch\n") == 25
    assert not before.startswith("verdict")
