"""What the model keeps for logs of many segments, transactions and producers is what a plain look at all of them gives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.core.log import BytesSource
from kafkalog.core.producer_snapshot import read_producer_snapshot
from kafkalog.core.release import parse_release
from kafkalog.core.transaction_index import AbortedTxn
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.failure import BrokerAborts
from kafkalog.kafka.file_names import SnapshotNames, offset_of_name
from kafkalog.kafka.indexes import BrokerTransactionIndex
from kafkalog.kafka.load_context import LoadContext, LoadSettings
from kafkalog.kafka.overlay import Disk
from kafkalog.kafka.producer_states import CompletedTransaction, ProducerStates
from kafkalog.kafka.written_snapshots import Producer, ProducerTable, WrittenSnapshot
from tests import encode

offsets = st.integers(0, 12)
names = st.builds(lambda offset, width: f"{offset:0{width}d}.snapshot", offsets, st.sampled_from([1, 20]))


@given(st.lists(names), st.lists(names), offsets, offsets)
def test_snapshot_names_are_those_of_a_sorted_directory(added, removed, start, end):
    kept = SnapshotNames(added)
    for name in removed:
        kept.remove(name)
    left = sorted((offset_of_name(name), name) for name in set(added) - set(removed))
    plain = dict(left)
    assert kept.offsets() == list(plain)
    assert kept.newest == max(plain, default=None)
    assert kept.offsets(start, end) == [offset for offset in plain if start < offset <= end]
    assert kept.name_at(start) == plain.get(start)
    assert bool(kept) == bool(plain)
    own = kept.copy()
    own.forget(start)
    assert own.offsets() == [offset for offset in plain if offset != start]
    assert kept.offsets() == list(plain)


def test_a_snapshot_without_an_offset_in_its_name_is_told_as_before():
    kept = SnapshotNames(["5.snapshot", "x.snapshot"])
    with pytest.raises(BrokerAborts, match=r"x\.snapshot"):
        kept.check()
    kept.remove("x.snapshot")
    kept.check()


entries = st.lists(
    st.builds(AbortedTxn, st.sampled_from([0, 0, 0, 255, 256]), st.integers(0, 3), offsets, offsets, offsets), max_size=6
)


@given(entries, st.lists(st.tuples(offsets, offsets), min_size=1, max_size=4))
def test_fetches_get_the_aborted_transactions_of_a_look_at_all_entries(rows, asked):
    data = b"".join(encode.struct.pack(">hqqqq", *row) for row in rows)
    index = BrokerTransactionIndex(Disk({"a.txnindex": BytesSource(data)}), "a.txnindex", 0, parse_release("4.3.1"))
    for fetch_offset, upper_bound in asked:
        found, complete, fails = [], False, False
        for row in rows:
            if row.version > 255:
                fails = True
                break
            if row.last_offset >= fetch_offset and row.first_offset < upper_bound:
                found.append(row)
            if row.last_stable_offset >= upper_bound:
                complete = True
                break
        if fails:
            with pytest.raises(BrokerAborts):
                index.collect(fetch_offset, upper_bound)
        else:
            assert index.collect(fetch_offset, upper_bound) == (found, complete)


def test_entries_that_are_appended_are_there_for_the_next_fetch():
    disk = Disk({})
    index = BrokerTransactionIndex(disk, "a.txnindex", 0, parse_release("4.3.1"))
    first, second = AbortedTxn(0, 1, 0, 3, 4), AbortedTxn(0, 2, 5, 8, 9)
    index.append(first)
    assert index.collect(0, 100) == ([first], False)
    index.append(second)
    assert index.collect(0, 100) == ([first, second], False)
    index.truncate(8)
    assert index.collect(0, 100) == ([first], False)
    index = BrokerTransactionIndex(disk, "a.txnindex", 0, parse_release("4.3.1"))
    index.append(second)
    assert disk["a.txnindex"].read() == b"".join(encode.struct.pack(">hqqqq", *row) for row in (first, second))


producers = st.builds(Producer, st.none() | offsets, st.integers(0, 2), st.integers(-1, 2), offsets)
steps = st.lists(st.tuples(st.integers(0, 4), producers) | st.just("write") | st.integers(0, 5), max_size=25)


@given(steps)
def test_a_row_of_written_snapshots_holds_what_each_would_hold_alone(done):
    """Whoever writes, goes on, and begins again from any of them finds the producers that stood there."""
    base, changed, table = None, {}, ProducerTable()
    written, expected, now = [], [], {}
    for step in done:
        if step == "write":
            base = WrittenSnapshot(base, changed, table)
            written.append(base)
            expected.append(dict(now))
            changed, table = {}, base.take()
        elif isinstance(step, int):
            if step < len(written):
                base, changed = written[step], {}
                table, now = base.take(), dict(expected[step])
        else:
            table.put(*step)
            changed[step[0]] = step[1]
            now[step[0]] = step[1]
        assert table.producers == now
        assert table.ongoing() == {one.open_from: number for number, one in now.items() if one.open_from is not None}
    for snapshot, held in zip(written, expected, strict=True):
        read = read_producer_snapshot(snapshot.window(0, snapshot.size).data)
        assert read.crc_ok
        assert snapshot.size == 10 + 46 * len(held)
        assert {
            entry.producer_id: (
                entry.current_txn_first_offset,
                entry.producer_epoch,
                entry.coordinator_epoch,
                entry.last_offset,
            )
            for entry in read.entries
        } == {number: (-1 if one.open_from is None else one.open_from, *one[1:]) for number, one in held.items()}


@given(st.dictionaries(offsets, st.integers(0, 3)), offsets, st.integers(0, 3), st.sampled_from(["0.11.0.3", "4.3.1"]))
def test_the_last_stable_offset_is_the_first_of_the_other_open_transactions(ongoing, first, producer_id, version):
    release = parse_release(version)
    states = ProducerStates(LoadContext(Disk({}), LoadSettings(release=release, clean=True)))
    for offset, number in ongoing.items():
        states.ongoing.add(offset, number)
    others = {offset for offset, number in ongoing.items() if number != producer_id}, set(ongoing) - {first}
    found = states.last_stable_offset(CompletedTransaction(producer_id, first, 50, is_aborted=True))
    assert found in {min(left, default=51) for left in others}
    assert states.ongoing.first == min(ongoing, default=None)
    assert states.ongoing.remove(first) == (first in ongoing)
    assert states.ongoing.first == min(set(ongoing) - {first}, default=None)


epoch_entries = st.lists(st.builds(EpochEntry, st.integers(0, 6), offsets), max_size=6)


@given(epoch_entries, epoch_entries, offsets, st.booleans())
def test_lines_that_ascend_are_kept_as_any_list_of_lines_is(lines, assigned, start, ascending):
    """Before 2.7 the lines are taken as they are; the short way for those in order ends with the same lines."""
    lines = sorted(set(lines)) if ascending else lines
    epochs = LeaderEpochs(lines, as_they_are=True)
    plain = list(lines)
    for new in assigned:
        epochs.assign(*new)
        if plain and new.epoch == plain[-1].epoch and new.start_offset >= plain[-1].start_offset:
            continue
        plain = [*(one for one in plain if one.epoch < new.epoch and one.start_offset < new.start_offset), new]
    assert epochs.entries == plain
    epochs.truncate_from_start(start)
    before = [one for one in plain if one.start_offset <= start]
    after = [one for one in plain if one.start_offset > start]
    assert epochs.entries == ([EpochEntry(before[-1].epoch, start)] if before else []) + after
