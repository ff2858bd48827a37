"""While many partitions are still to be looked at, what is wrong in one is said on stderr as soon as it is known."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from kafkalog.cli import early_word
from kafkalog.cli.main import main
from kafkalog.verify import Policy, verify
from tests.encode import R, batch

NOW = "2026-11-30T00:00Z"


@pytest.fixture
def log_dir(tmp_path):
    """Six partitions; the first, the second and the last are damaged."""
    (tmp_path / "meta.properties").write_text("version=0\nbroker.id=1\n")
    for number in range(6):
        folder = tmp_path / f"orders-{number}"
        folder.mkdir()
        data = bytearray(b"".join(batch([R(0, b"k", b"v")], base_offset=n) for n in range(3)))
        if number in (0, 1, 5):
            data[30] ^= 1
        (folder / f"{0:020}.log").write_bytes(data)
    return tmp_path


def told(log_dir, *options):
    return CliRunner().invoke(main, ["verify", "--now", NOW, *options, str(log_dir)])


@pytest.mark.parametrize("options", [(), ("--format", "jsonl"), ("--jobs", "2"), ("--quick",)])
def test_what_is_wrong_is_said_while_enough_is_left_to_be_looked_at(log_dir, monkeypatch, options):
    report = told(log_dir, *options)
    assert report.stderr == ""  # five are too few to wait for
    monkeypatch.setattr(early_word, "MOST_PARTITIONS", 3)
    early = told(log_dir, *options)
    assert early.stdout == report.stdout
    assert early.stderr.splitlines() == [
        f"kafkalog: {log_dir}/orders-{number}: batch-crc-mismatch; {5 - number} partitions are still to be looked at"
        for number in (0, 1)
    ]


def test_after_as_many_as_a_report_tells_in_full_no_more_are_said(log_dir, monkeypatch):
    monkeypatch.setattr(early_word, "MOST_PARTITIONS", 1)
    assert told(log_dir).stderr.splitlines()[1:] == ["kafkalog: what else is found stands only in the report"]


def test_what_was_not_asked_for_is_not_said(log_dir, monkeypatch):
    monkeypatch.setattr(early_word, "MOST_PARTITIONS", 3)
    assert told(log_dir, "--ignore", "batch-crc-mismatch").stderr == ""


def test_the_library_tells_of_each_partition_in_the_order_of_the_report(log_dir):
    seen = []
    only = Policy(select=("batch-crc-mismatch",))
    report = verify(
        log_dir, now=0, policy=only, on_partition=lambda one, left: seen.append((one.path, len(one.findings), left))
    )
    assert seen == [(one.path, len(one.findings), 5 - number) for number, one in enumerate(report.partitions)]
    assert [count for _, count, _ in seen] == [1, 1, 0, 0, 0, 1]
