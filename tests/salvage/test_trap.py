"""Sound logs and indexes without what tells of aborted transactions: a broker hands those out, and verify says how many."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

import kafkalog
from kafkalog.cli.main import main
from tests.log_dirs import FIXTURES

TXN = FIXTURES / "broker/3.9.1/cluster-final-n1/ledger-txn-0"


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    target = tmp_path_factory.mktemp("trap") / TXN.name
    shutil.copytree(TXN, target, ignore=shutil.ignore_patterns("*.txnindex", "*.snapshot"))
    return target


def aborted_in(path):
    return sum(record.is_aborted for record in kafkalog.open_partition(path).records())


def test_a_clean_start_hands_aborted_records_to_consumers_of_committed_ones(trap):
    clean = kafkalog.next_start(trap, assume_stop="clean")
    assert aborted_in(TXN) == 23
    assert clean.consumer.committed.aborted_visible == 23
    assert clean.severity == "error"
    unclean = kafkalog.next_start(trap, assume_stop="unclean")
    assert unclean.consumer.committed.aborted_visible == 0
    assert unclean.severity is None


def test_with_the_indexes_no_aborted_record_is_handed_out():
    for stop in ("clean", "unclean"):
        consumer = kafkalog.next_start(TXN, assume_stop=stop).consumer
        assert consumer.committed.aborted_visible == consumer.uncommitted.aborted_visible == 0


def test_verify_grades_it_an_error_with_the_number_of_records(trap):
    report = kafkalog.verify(trap)
    missing = [finding for finding in report.all_findings() if finding.id == "txnindex-missing-entry"]
    assert {finding.severity for finding in missing} == {kafkalog.Severity.ERROR}
    assert sum(finding.facts["records"] for finding in missing) == aborted_in(TXN)
    assert report.verdict == "damaged"


def test_the_headlines_agree_and_the_advice_does_not_doubt_the_log(trap):
    verified = CliRunner().invoke(main, ["verify", str(trap)], standalone_mode=False).output
    said = "after a clean stop: read_committed consumers of ledger-txn-0 get 23 records of aborted transactions"
    assert said in verified
    assert "The log of the segment is sound" in verified
    foretold = CliRunner().invoke(main, ["next-start", str(trap)], standalone_mode=False).output
    assert "read_committed consumers get 23 aborted records" in foretold
    assert "nothing is lost" not in foretold
