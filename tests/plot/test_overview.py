"""What plots are drawn from: exact for few batches, of bounded size for many, and not spoiled by one wrong clock."""

from __future__ import annotations

import os
import random
import shutil
import statistics
from bisect import bisect_left

import pytest

import kafkalog
from kafkalog.core.batch import RecordBatch
from kafkalog.plot.columns import Columns
from kafkalog.plot.overview import overview_of
from kafkalog.plot.times import TimeColumns, plausible_times
from tests.encode import R, batch, marker, message
from tests.log_dirs import fixture

NOW = 1_800_000_000_000
DAY = 86_400_000
T = 1_700_000_000_000


def made(tmp_path, *logs, index=None):
    """A partition directory of segments, each a base offset and its bytes."""
    folder = tmp_path / "made-0"
    folder.mkdir()
    for base, data in logs:
        (folder / f"{base:020}.log").write_bytes(data)
    for base, data in index or ():
        (folder / f"{base:020}.index").write_bytes(data)
    return overview_of(kafkalog.open_partition(folder).segments, NOW)


def one(offset, time=T, **more):
    return batch([R(value=b"v" * 10)], base_offset=offset, base_timestamp=time, max_timestamp=time, **more)


@pytest.mark.parametrize(
    ("release", "workload"),
    [("2.1.1", "plain"), ("0.11.0.3", "txn"), ("2.8.2", "repl-b1"), ("0.10.2.2", "old"), ("4.3.1", "edge")],
)
def test_an_overview_counts_what_the_segments_hold(release, workload):
    for partition in kafkalog.open_log_dir(fixture(release, workload).path()).partitions():
        found = overview_of(partition.segments, NOW)
        batches = list(partition.batches())
        assert sum(bar.batches for bar in found.segments) == len(batches) - found.out_of_order
        assert sum(one.batches for one in found.stretches) == len(batches)
        assert [bar.size for bar in found.segments] == [segment.size for segment in partition.segments]
        assert sum(column.batches for column in found.sizes) == len(batches)
        if batches:
            assert max(column.largest for column in found.sizes) == max(one.size for one in batches)
            assert found.last_offset == batches[-1].last_offset
        epochs = [one.header.partition_leader_epoch for one in batches if isinstance(one, RecordBatch)]
        assert {stretch.epoch for stretch in found.stretches} - {-1} == set(epochs)
        assert len(found.sizes) + len(found.times) + len(found.throughput) <= 1200


def test_transactions_go_from_their_first_batch_to_their_marker():
    found = overview_of(kafkalog.open_partition(f"{fixture('2.1.1', 'txn').path()}/ledger-0").segments, NOW)
    told = kafkalog.read_transactions(f"{fixture('2.1.1', 'txn').path()}/ledger-0")
    assert found.transactions_count == {"committed": told.committed, "aborted": told.aborted_count, "open": len(told.open)}
    aborted = {(bar.producer_id, bar.first_offset, bar.last_offset) for bar in found.transactions if bar.state == "aborted"}
    # A marker without data stands for itself.
    assert aborted == {
        (one.producer_id, one.marker_offset if one.first_offset is None else one.first_offset, one.marker_offset)
        for one in told.aborted
    }
    (begun,) = [bar for bar in found.transactions if bar.state == "open"]
    assert begun.first_offset == told.open[0].first_offset
    assert begun.records == told.open[0].records
    assert all(bar.first_time <= bar.last_time for bar in found.transactions)


def test_gaps_damage_and_index_coverage_are_told(tmp_path):
    source = f"{fixture('2.1.1', 'plain').path()}/twitter-status-0"
    copy = tmp_path / "twitter-status-0"
    shutil.copytree(source, copy)
    log = copy / f"{0:020}.log"
    data = log.read_bytes()
    log.write_bytes(data[:1000] + data[1001:])
    (copy / f"{74:020}.index").unlink()
    found = overview_of(kafkalog.open_partition(copy).segments, NOW)
    ((first, last, before, after, is_damaged),) = found.gaps
    assert (first, last, is_damaged) == (2, 4, True)
    assert before - 2000 < found.time_at(3) <= found.time_at(5) <= after
    assert before < after
    assert (found.gaps_count, found.missing_offsets, found.damages_count) == (1, 3, 1)
    (damage,) = found.damages
    assert (damage.path, damage.start, damage.end, damage.offset) == (str(log), 492, 1275, 2)
    assert found.damaged_bytes == 783
    bars = found.segments[:3]
    assert [bar.index_entries is None for bar in bars] == [False, True, False]
    index = kafkalog.open_segment(source + f"/{0:020}.log").offset_index
    assert (bars[0].index_entries, bars[0].indexed_position) == (len(index.entries), index.entries[-1].position)
    assert bars[0].indexed_offset == index.entries[-1].relative_offset


def test_times_that_cannot_be_right_are_told_and_move_no_axis(tmp_path):
    odd = [(100, NOW + 2 * DAY), (101, 5), (102, 1_292_000_000_000), (103, 1 << 62)]
    data = b"".join(one(n, T + 1000 * n) for n in range(100)) + b"".join(one(*row) for row in odd)
    found = made(tmp_path, (0, data + one(104, -1) + one(105, T + 105_000)))
    assert found.time_range == (T, T + 105_000)
    assert [(row.offset, row.timestamp) for row in found.odd_times] == odd
    assert (found.odd_times_count, found.without_time) == (4, 1)
    assert sum(moment.batches for moment in found.throughput) == 101
    assert found.stretches[0].last_time == T + 105_000
    assert NOW + DAY in plausible_times(NOW)
    assert NOW + DAY + 1 not in plausible_times(NOW)
    assert 1_293_839_999_999 not in plausible_times(NOW)


def test_one_plausible_time_in_two_hundred_moves_no_axis():
    moments = TimeColumns()
    for n in range(995):
        moments.add(T + 1000 * n, 1, 100)
    for n in range(4):
        moments.add(T + 400 * DAY + n, 1, 100)
    first, last = moments.range()
    assert first >= T
    assert last < T + 1_000_000
    columns = moments.moments()
    assert len(columns) <= 400
    assert sum(column.records for column in columns) >= 985
    assert len({column.end - column.time for column in columns}) == 1


def test_throughput_of_many_times_is_counted_exactly_in_few_columns():
    moments, chance = TimeColumns(), random.Random(5)
    times = sorted(T + chance.randrange(40 * DAY) for _ in range(40_000))
    for time in times:
        moments.add(time, 3, 50)
    columns = moments.moments()
    assert 60 <= len(columns) <= 400
    assert len(moments._counts) <= 20_000
    for column in columns[1:-1]:
        inside = bisect_left(times, column.end) - bisect_left(times, column.time)
        assert (column.batches, column.records, column.size) == (inside, 3 * inside, 50 * inside)


def test_columns_are_exact_while_there_are_few_and_near_when_there_are_many():
    few = Columns(4)
    for n in range(4):
        few.add(10 * n, 10 * n + 5, n, n + 7, n + 2)
    assert [tuple(column) for column in few.columns()] == [(10 * n, 10 * n + 5, 1, n, n + 2, n + 7) for n in range(4)]
    many, chance = Columns(100), random.Random(3)
    numbers = [chance.randrange(1000) for _ in range(100_000)]
    for n, number in enumerate(numbers):
        many.add(n, n, number)
    columns = many.columns()
    assert 50 <= len(columns) <= 100
    assert [column.first_offset for column in columns[1:]] == [column.last_offset + 1 for column in columns[:-1]]
    for column in columns:
        part = numbers[column.first_offset : column.last_offset + 1]
        assert (column.batches, column.least, column.largest) == (len(part), min(part), max(part))
        assert abs(column.median - statistics.median(part)) < 200
    assert all(len(part.kept) <= 128 for part in many._parts)


def test_a_column_without_numbers_is_none():
    columns = Columns()
    columns.add(0, 5)
    assert columns.columns() == ()


def test_a_wild_base_offset_is_left_out_and_counted(tmp_path):
    wild = [(0, one(0) + one(1) + one(1 << 40) + one(2)), (3, one(3) + one(900) + one(4) + one(1) + one(5) + one(1 << 50))]
    found = made(tmp_path, *wild)
    assert found.out_of_order == 4
    assert (found.first_offset, found.last_offset) == (0, 5)
    assert found.gaps == ()


def test_of_many_gaps_the_largest_are_kept_and_all_are_counted(tmp_path):
    offsets = [0]
    for n in range(1, 700):
        offsets.append(offsets[-1] + 1 + n)
    found = made(tmp_path, (0, b"".join(map(one, offsets))))
    assert (len(found.gaps), found.gaps_count) == (500, 699)
    assert found.missing_offsets == sum(range(1, 700))
    assert min(gap.offsets for gap in found.gaps) == 200
    assert [gap.first_offset for gap in found.gaps] == sorted(gap.first_offset for gap in found.gaps)


def test_transactions_whose_beginning_is_gone_and_those_of_two_producers_are_told_apart(tmp_path):
    transactional = {"attributes": 0x10, "producer_epoch": 2, "base_sequence": 0}
    data = marker(commit=False, offset=0, producer_id=7, producer_epoch=2)
    data += one(1, T, producer_id=5, **transactional) + one(2, T + 5, producer_id=6, **transactional)
    data += one(3, T + 9, producer_id=5, **transactional) + marker(commit=True, offset=4, producer_id=5, producer_epoch=2)
    found = made(tmp_path, (0, data))
    told = [(bar.producer_id, bar.state, bar.first_offset, bar.last_offset, bar.records) for bar in found.transactions]
    assert told == [(7, "aborted", 0, 0, 0), (5, "committed", 1, 4, 2), (6, "open", 2, 2, 1)]


def test_old_messages_and_directories_without_batches_have_an_overview(tmp_path):
    data = b"".join(message(n, b"k", b"v", magic=1, timestamp=T + n) for n in range(5)) + message(5, b"k", b"v", magic=0)
    found = made(tmp_path, (0, data), (9, b""))
    assert [(stretch.epoch, stretch.batches) for stretch in found.stretches] == [(-1, 6)]
    assert found.without_time == 1
    assert found.segments[1].first_offset is None
    os.mkdir(tmp_path / "empty-0")
    nothing = overview_of((), NOW)
    assert (nothing.time_range, nothing.last_offset, nothing.time_at(5), nothing.throughput) == (None, None, None, ())
