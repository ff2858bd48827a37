"""Records that come many batches at once are those that come batch by batch, whatever stands between them."""

from __future__ import annotations

import pytest

from kafkalog.core import attributes as bits
from kafkalog.core.batch import RecordBatch
from kafkalog.replay.logs import Log
from tests.encode import R, batch, record
from tests.made_logs import SHAPES, damaged


def log_of(tmp_path, *files):
    paths = []
    for number, data in enumerate(files):
        path = tmp_path / f"{number:020d}.log"
        path.write_bytes(data)
        paths.append(str(path))
    return Log(str(tmp_path), None, tuple(paths))


def both_ways(log, refused=0):
    """The records and notes batch by batch, the same many at once, and the batches that came with some of these."""
    notes, odd = [], []
    one_by_one = [(item.path, *item.record[:4]) for item in log.records(notes, lambda *found: odd.append(found))]
    slow = one_by_one, list(map(str, notes)), odd
    notes, odd, batches, at_once = [], [], [], []
    for path, careful, records in log.plain_records(notes, lambda *found, odd=odd: odd.append(found), refused):
        batches.append(careful)
        at_once += [(path, *record) for record in records]
    return slow, (at_once, list(map(str, notes)), odd), batches


@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_the_same(shape, tmp_path):
    data = SHAPES[shape]
    slow, fast, batches = both_ways(log_of(tmp_path, data, SHAPES["ordinary"]))
    assert fast == slow
    assert batches[-1] is None


@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_the_same_where_bytes_are_damaged(shape, tmp_path):
    for seed in range(12):
        slow, fast, _ = both_ways(log_of(tmp_path, damaged(SHAPES[shape], seed) + SHAPES["nulls"]))
        assert fast == slow, seed


def test_those_of_control_batches_and_of_batches_that_are_refused_come_with_their_batch(tmp_path):
    _, _, batches = both_ways(log_of(tmp_path, SHAPES["transactions"]), bits.TRANSACTIONAL)
    assert None not in batches
    assert all(isinstance(one, RecordBatch) for one in batches)
    _, _, batches = both_ways(log_of(tmp_path, SHAPES["transactions"]))
    assert {one is not None and one.is_control for one in batches} == {True, False}
    assert sum(one is not None and one.is_control for one in batches) == 30


def test_a_log_of_plain_batches_is_read_at_once(tmp_path):
    data = SHAPES["ordinary"]
    _, _, batches = both_ways(log_of(tmp_path, data * 3))
    assert batches == [None]


@pytest.mark.parametrize("section", [record(R(0)) * 2, record(R(0)) + b"left over"], ids=["a record more", "bytes"])
def test_a_batch_with_more_after_its_records_is_not_plain(section, tmp_path):
    slow, fast, batches = both_ways(log_of(tmp_path, batch(section, count=1) + batch([R(0)], base_offset=1)))
    assert fast == slow
    assert batches[0] is not None
