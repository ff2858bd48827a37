"""A log is read once for all kinds of stops and all releases, and again where that could tell something else."""

from __future__ import annotations

import shutil

import pytest

from kafkalog.core.release import parse_release
from kafkalog.files.directory import Directory
from kafkalog.kafka import consumer
from kafkalog.kafka.known_fetches import KnownFetches
from kafkalog.next_start.api import next_starts
from kafkalog.next_start.partition import Situation
from kafkalog.next_start.predict import predict_in_situation
from tests.verify.lab import BROKER

TWITTER = BROKER / "2.1.1/plain/twitter-status-0"
LEDGER = BROKER / "2.1.1/txn/ledger-0"
#: With a topic id, so that it is read with every release.
PLAIN = BROKER / "3.9.1/edge/e-idem-0"
IN_TRANSACTIONS = BROKER / "3.9.1/edge/e-txn-0"


@pytest.fixture
def taken(monkeypatch):
    """The fetches whose batches a client looked at: where they begin, and whether committed records were asked for."""
    found = []
    take = consumer._Client.take

    def noted(client, fetched, *, committed):
        found.append((fetched.segment, fetched.position, committed))
        return take(client, fetched, committed=committed)

    monkeypatch.setattr(consumer._Client, "take", noted)
    return found


def read(path, known, *, release="3.9.1", clean=True):
    situation = Situation(clean=clean, release=parse_release(release), known=known, kraft=False)
    return predict_in_situation(Directory(str(path)), situation).outcome.consumer


def bases(path):
    """The base offsets of the segments that are not empty."""
    return sorted(int(log.stem) for log in path.glob("*.log") if log.stat().st_size)


def test_a_log_without_transactions_is_read_once_for_both_stops_and_both_releases_and_both_levels(taken):
    clean, unclean = next_starts(PLAIN)
    assert clean.consumer == unclean.consumer
    assert clean.consumer.committed.records > 10
    assert taken == [(base, 0, False) for base in bases(PLAIN)]


def test_a_log_with_transactions_is_read_once_a_level(taken):
    clean, unclean = next_starts(IN_TRANSACTIONS)
    assert clean.consumer == unclean.consumer
    assert clean.consumer.committed.records > 10
    assert taken == [(base, 0, committed) for committed in (False, True) for base in bases(IN_TRANSACTIONS)]


def test_what_a_broker_has_written_meanwhile_is_read(tmp_path):
    path = shutil.copytree(TWITTER, tmp_path / TWITTER.name)
    known = KnownFetches()
    before = read(path, known)
    log = max(path.glob("*.log"), key=lambda file: file.stat().st_size)
    data = bytearray(log.read_bytes())
    data[200] ^= 1
    log.write_bytes(data)
    after = read(path, known)
    assert before.uncommitted.error is None
    assert after.uncommitted.error == "crc"
    assert after == read(path, KnownFetches())


def test_a_release_that_does_not_know_the_codec_reads_it_anew():
    path = BROKER / "2.1.1/codec/java-zstd-0"
    known = KnownFetches()
    assert read(path, known, release="2.8.2").uncommitted.error is None
    assert read(path, known, release="2.0.1").uncommitted.error == "unsupported"


def test_a_log_that_was_cut_meanwhile_is_another_one(tmp_path):
    path = shutil.copytree(LEDGER, tmp_path / LEDGER.name)
    known = KnownFetches()
    read(path, known)
    for file in path.iterdir():
        if file.suffix in (".index", ".timeindex", ".txnindex", ".snapshot"):
            file.unlink()
    log = max(path.glob("*.log"))
    log.write_bytes(log.read_bytes()[:-100])
    assert read(path, known, clean=False) == read(path, KnownFetches(), clean=False)


def test_records_of_aborted_transactions_show_although_no_index_names_them(tmp_path):
    path = shutil.copytree(BROKER / "2.1.1/txn/ledger-plain-mix-0", tmp_path / "ledger-plain-mix-0")
    for file in path.glob("*.txnindex"):
        file.unlink()
    read_of = read(path, KnownFetches())
    assert read_of.uncommitted.aborted_visible == 0
    assert read_of.committed.aborted_visible > 0
