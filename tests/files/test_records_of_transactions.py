"""What `Partition.records` knows of transactions."""

from __future__ import annotations

import shutil

import pytest

import kafkalog
from kafkalog.errors import RequestError
from tests.log_dirs import fixture

LEDGER = fixture("2.1.1", "txn").path() + "/ledger-0"


@pytest.fixture(scope="module")
def ledger():
    return kafkalog.open_partition(LEDGER)


def markers_of(partition):
    return [record for batch in partition.batches() if batch.is_control for record in batch.records()]


def test_markers_are_left_out_unless_they_are_asked_for(ledger):
    markers = {record.offset for record in markers_of(ledger)}
    plain = [record.offset for record in ledger.records()]
    assert markers
    assert markers.isdisjoint(plain)
    assert [record.offset for record in ledger.records(control=True)] == sorted({*plain, *markers})
    segment = ledger.segments[0]
    assert len(list(segment.records(control=True))) > len(list(segment.records()))


@pytest.mark.parametrize("control", ["x", 1, None])
def test_what_is_no_flag_is_refused_where_markers_are_asked_for(control, ledger):
    for each in (ledger, ledger.segments[0]):
        with pytest.raises(RequestError, match="control is bool"):
            each.records(control=control)


def test_records_of_aborted_transactions_are_those_that_the_brokers_indexes_name(ledger):
    aborted = {record.offset for record in ledger.records() if record.is_aborted}
    entries = [entry for segment in ledger.segments if segment.transaction_index for entry in segment.transaction_index.entries]
    named = {
        record.offset
        for batch in ledger.batches()
        if batch.is_transactional and not batch.is_control
        for entry in entries
        if entry.producer_id == batch.header.producer_id and entry.first_offset <= batch.base_offset < entry.last_offset
        for record in batch.records()
    }
    assert aborted == named
    assert aborted


def test_committed_records_end_where_the_oldest_open_transaction_begins(ledger):
    open_ones = [record.offset for record in ledger.records() if record.is_aborted is None]
    committed = list(ledger.records(isolation="read_committed"))
    assert {record.is_aborted for record in committed} == {False}
    wanted = [record for record in ledger.records() if record.is_aborted is False and record.offset < min(open_ones)]
    assert committed == wanted
    everything = {record.is_aborted for record in ledger.records(control=True)}
    assert everything == {True, False, None}


def test_the_account_of_the_producers_says_the_same(ledger):
    found = kafkalog.read_transactions(LEDGER)
    assert found.open
    assert min(one.first_offset for one in found.open) == min(
        record.offset for record in ledger.records() if record.is_aborted is None
    )


def test_where_a_marker_cannot_be_read_the_index_stands_for_it(tmp_path, ledger):
    copy = tmp_path / "ledger-0"
    shutil.copytree(LEDGER, copy)
    segment = ledger.segments[0]
    entry = segment.transaction_index.entries[0]
    marker = next(batch for batch in segment.batches() if batch.base_offset == entry.last_offset)
    log = copy / f"{segment.base_offset:020}.log"
    data = bytearray(log.read_bytes())
    data[marker.position : marker.position + marker.size] = bytes(marker.size)
    log.write_bytes(data)
    damaged = kafkalog.open_partition(copy)
    assert [batch.base_offset for batch in damaged.segments[0].batches()] != [batch.base_offset for batch in segment.batches()]

    def aborted(partition):
        return [record.offset for record in partition.records() if record.is_aborted]

    assert aborted(damaged) == aborted(ledger)
    (copy / f"{segment.base_offset:020}.txnindex").unlink()
    assert aborted(kafkalog.open_partition(copy)) != aborted(ledger)


def test_records_without_transactions_are_not_aborted_and_a_batch_alone_cannot_tell():
    partition = kafkalog.open_partition(fixture("2.1.1", "plain").path() + "/twitter-status-0")
    assert {record.is_aborted for record in partition.records()} == {False}
    assert next(next(partition.batches()).records()).is_aborted is None
    assert "aborted" not in repr(next(partition.records()))


def test_an_aborted_record_says_so_and_survives_a_pickle(ledger):
    import pickle

    record = next(record for record in ledger.records() if record.is_aborted)
    assert repr(record).endswith(", aborted)")
    again = pickle.loads(pickle.dumps(record))
    assert (again, again.is_aborted) == (record, True)
    assert record._replace(key=b"x").is_aborted


@pytest.mark.parametrize("level", ["read-committed", "", None, 1])
def test_another_isolation_level_is_refused_at_once(ledger, level):
    with pytest.raises(RequestError, match="there are read_uncommitted and read_committed"):
        ledger.records(isolation=level)
