"""What a finding says of the next start and of consumers agrees with the predictions in the same report."""

from __future__ import annotations

import shutil
import struct

import pytest

from kafkalog.verify import Severity, verify
from tests.log_dirs import fixture

NOW = 1795500000000
CUTS = "truncates the log"
SPARES = "does not cut here"


@pytest.fixture
def log_dir(tmp_path):
    return shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")


def flipped(log, at):
    data = bytearray(log.read_bytes())
    data[at] ^= 4
    log.write_bytes(data)


def finding_of(path, rule="batch-crc-mismatch", **options):
    report = verify(path, now=NOW, **options)
    (found,) = [f for f in report.all_findings() if f.id == rule]
    return found, report


def test_what_the_recovery_point_spares_is_not_said_to_be_cut(log_dir):
    flipped(sorted((log_dir / "twitter-status-0").glob("*.log"))[1], 200)
    found, report = finding_of(log_dir)
    (partition,) = [one for one in report.partitions if one.account.cause is not None]
    assert [(one.does, one.records) for one in partition.account.starts] == [("loads", 0), ("loads", 0)]
    assert (CUTS in found.consequence, SPARES in found.consequence) == (False, True)


def test_what_a_recovery_cuts_is_said_to_be_cut(log_dir):
    flipped(sorted((log_dir / "twitter-status-0").glob("*.log"))[1], 200)
    (log_dir / ".kafka_cleanshutdown").unlink()
    (log_dir / "recovery-point-offset-checkpoint").write_text("0\n0\n")
    found, _ = finding_of(log_dir)
    assert (CUTS in found.consequence, SPARES in found.consequence) == (True, False)


def test_without_a_prediction_the_rule_says_what_holds_in_general(log_dir):
    flipped(sorted((log_dir / "twitter-status-0").glob("*.log"))[1], 200)
    found, _ = finding_of(log_dir, next_start=False)
    assert CUTS in found.consequence
    assert "Consumers that check CRCs fail there." in found.consequence


# --- what one flipped bit explains ---


def test_a_batch_that_one_flipped_bit_explains_is_unreadable_and_repairable(log_dir):
    log = sorted((log_dir / "twitter-status-0").glob("*.log"))[1]
    flipped(log, 200)
    found, report = finding_of(log_dir)
    (account,) = [one.account for one in report.partitions if one.account.cause is not None]
    assert account.repairable == account.unreadable == (found.offsets,)


def test_a_batch_with_more_than_a_flipped_bit_is_not_repairable(log_dir):
    log = sorted((log_dir / "twitter-status-0").glob("*.log"))[1]
    flipped(log, 200)
    flipped(log, 250)
    _, report = finding_of(log_dir)
    (account,) = [one.account for one in report.partitions if one.account.cause is not None]
    assert (account.repairable, len(account.unreadable)) == ((), 1)


# --- magic 0 and 1 ---


@pytest.fixture
def old(tmp_path):
    return shutil.copytree(fixture("0.10.2.2", "old").path(), tmp_path / "old")


def messages(data):
    at = 0
    while at < len(data):
        size = 12 + struct.unpack_from(">i", data, at + 8)[0]
        yield at, size, struct.unpack_from(">q", data, at)[0]
        at += size


@pytest.mark.parametrize("topic", ["v0-gzip-0", "v0-lz4-0", "v1-gzip-0", "v1-snappy-0"])
@pytest.mark.parametrize("field", [11, 16, 30], ids=["length", "magic", "body"])
def test_damage_of_an_old_wrapper_is_one_fact_about_its_own_messages(topic, field, old):
    """A wrapper's header names its last offset only: the next one does not begin there."""
    log = min((old / topic).glob("*.log"))
    (_, _, before), (at, _, offset) = list(messages(log.read_bytes()))[1:3]
    flipped(log, at + field)
    report = verify(old, now=NOW, next_start=False, topics=[topic])
    loud = [f for f in report.all_findings() if f.severity > Severity.INFO]
    assert len([f for f in loud if f.cause is None]) == 1
    (account,) = [one.account for one in report.partitions if one.account.cause is not None]
    assert account.unreadable == ((before + 1, offset),)


# --- zeros ---


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (4096, 8192, "one page of zeros, bytes 4096..8192"),
        (4096, 12288, "2 pages of zeros, bytes 4096..12288"),
        (5000, 5700, "700 bytes of zeros, 5000..5700"),
    ],
)
def test_zeros_in_the_middle_of_a_log_are_told_as_what_they_are(start, end, words, log_dir):
    log = min((log_dir / "twitter-status-0").glob("*.log"))
    data = bytearray(log.read_bytes())
    data[start:end] = bytes(end - start)
    data[end] = data[start - 1] = 1
    log.write_bytes(data)
    report = verify(log_dir, now=NOW, next_start=False, topics=["twitter-status"])
    (account,) = [one.account for one in report.partitions if one.account.cause is not None]
    assert words in account.cause.message
