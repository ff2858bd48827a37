"""What a scan notes of a coordinator's records tells of its load what a replay tells, or nothing."""

from __future__ import annotations

import os
import random
import struct

import pytest

from kafkalog.core.batch import RecordBatch
from kafkalog.core.messages.transaction import TRANSACTION_STATES
from kafkalog.replay.regular_records import RegularRecords
from kafkalog.verify import verify
from kafkalog.verify.facts import PartitionFacts
from tests import encode
from tests.internal_topics import (
    compact,
    group_key,
    group_value,
    offset_key,
    offset_value,
    string,
    transaction_key,
    transaction_value,
)
from tests.log_dirs import fixture
from tests.made_logs import damaged
from tests.replay.coordinator_cases import GROUP_CASES
from tests.replay.test_groups import batch, write_log
from tests.replay.test_known_keys import group_log

NOW = 1795500000000
REGULAR = (
    (offset_key("a", "t", 0, 0), struct.pack(">hq", 0, 3) + string("") + struct.pack(">q", 9)),
    (offset_key("a", "t", 1), struct.pack(">hq", 1, 4) + string("é") + struct.pack(">qq", 9, 10)),
    (offset_key("b", "t", 0), offset_value(6)),
    (offset_key("b", "t", 0), None),
    (offset_key("a", "t", 0), struct.pack(">hqi", 4, 7, 1) + compact("") + struct.pack(">q", 9) + b"\x01\x00\x10" + b"i" * 16),
    (group_key("a"), group_value([("m", b"")])),
    (group_key("a"), None),
)
STATES = (
    (transaction_key("x"), transaction_value(7, 1, [("t", [0, 1])])),
    (transaction_key("x"), transaction_value(7, len(TRANSACTION_STATES) - 1, None)),
    (transaction_key("y"), None),
)


def found_in(path, release=None):
    return verify(path, now=NOW, kafka_version=release, next_start=False).to_jsonl()


def by_replay(path, monkeypatch, release=None):
    with monkeypatch.context() as patch:
        patch.setattr(PartitionFacts, "regular", None)
        return found_in(path, release)


def ends_of_transactions(offset):
    return encode.marker(commit=True, offset=offset, producer_id=7, producer_epoch=0)


@pytest.mark.parametrize(("topic", "records"), [("__consumer_offsets", REGULAR), ("__transaction_state", STATES)])
def test_a_log_of_regular_records_is_replayed_by_nobody(topic, records, tmp_path, replayed):
    path = write_log(tmp_path, [batch(offset, *record) for offset, record in enumerate(records * 3)], f"{topic}-0")
    found_in(path)
    assert not replayed
    found_in(path, "1.1.1")
    assert replayed[f"{topic}-0"] == (topic == "__consumer_offsets")  # where versions are unknown to the release


@pytest.mark.parametrize("jobs", [1, 2])
def test_markers_and_batches_that_are_looked_at_with_care_change_nothing(jobs, tmp_path, replayed):
    batches = [batch(0, *REGULAR[0], producer_id=7), ends_of_transactions(1), batch(5, *REGULAR[2])]
    batches += [batch(offset, *REGULAR[2], time=1_000 + offset % 3) for offset in range(6, 40)]
    path = write_log(tmp_path, batches, "__consumer_offsets-0")
    verify(path, now=NOW, next_start=False, jobs=jobs)
    assert not replayed


ODD = [
    (offset_key("a", "t", 0) + b"left", offset_value(1)),
    (offset_key("a", "t", 0)[:-1], offset_value(1)),
    (offset_key("a", "t", 0), offset_value(1) + b"left"),
    (offset_key("a", "t", 0), offset_value(1)[:-1]),
    (offset_key("a", "t", 0), struct.pack(">h", 9) + offset_value(1)[2:]),
    (offset_key("a", "t", 0), struct.pack(">h", -1) + offset_value(1)[2:]),
    (offset_key("a", "t", 0), b"\0"),
    (offset_key("a", "t", 0), b""),
    (b"\0", b"x"),
    (b"", b"x"),
    (None, b"x"),
    (None, None),
]


@pytest.mark.parametrize("at", range(len(ODD)))
def test_an_odd_record_among_regular_ones_is_told_by_the_replay(at, tmp_path, monkeypatch, replayed):
    records = [*REGULAR * 2, ODD[at], *REGULAR]
    path = write_log(tmp_path, [batch(offset, *record) for offset, record in enumerate(records)])
    assert found_in(path) == by_replay(path, monkeypatch)
    assert replayed["__consumer_offsets-0"] == 2


def test_an_unknown_state_is_told_by_the_replay(tmp_path, monkeypatch, replayed):
    odd = transaction_key("x"), transaction_value(7, len(TRANSACTION_STATES), [])
    path = write_log(tmp_path, [batch(n, *record) for n, record in enumerate((*STATES, odd))], "__transaction_state-0")
    assert "coordinator-load-fails" in found_in(path, "4.1.1")
    assert replayed["__transaction_state-0"] == 1
    assert found_in(path, "4.1.1") == by_replay(path, monkeypatch, "4.1.1")


@pytest.mark.parametrize("case", GROUP_CASES)
def test_the_same_is_told_of_each_case(case, tmp_path, monkeypatch):
    records = [*REGULAR, *GROUP_CASES[case]]
    path = write_log(tmp_path, [batch(offset, *record) for offset, record in enumerate(records)])
    for release in ("2.3.1", None):
        assert found_in(path, release) == by_replay(path, monkeypatch, release)


@pytest.mark.parametrize("seed", range(12))
def test_the_same_is_told_of_damaged_logs(seed, tmp_path, monkeypatch):
    rng = random.Random(seed)
    batches = group_log(rng) if seed % 3 else [batch(offset, *rng.choice(REGULAR)) for offset in range(40)]
    path = write_log(tmp_path, [damaged(b"".join(batches), seed) if seed % 2 else b"".join(batches)])
    for release in ("2.3.1", None):
        assert found_in(path, release) == by_replay(path, monkeypatch, release)


def test_nothing_is_replayed_where_a_log_ends_before_its_last_segment_unless_that_matters(tmp_path, monkeypatch, replayed):
    path = write_log(tmp_path, [batch(offset, *REGULAR[2]) for offset in range(3)])
    for base in (3, 7):
        open(f"{path}/{base:020d}.log", "wb").close()
    assert "coordinator-load-never-ends" in found_in(path, "2.3.1")
    assert found_in(path, "2.3.1") == by_replay(path, monkeypatch, "2.3.1")
    replayed.clear()
    assert "coordinator-load" not in found_in(path, "3.9.1")
    assert not replayed


@pytest.mark.parametrize(("release", "workload"), [("2.8.2", "groups"), ("4.4.0", "txn")])
def test_the_same_is_told_of_real_log_dirs(release, workload, monkeypatch, replayed):
    path = fixture(release, workload).path()
    found = found_in(path)
    of_coordinators = [name for name in replayed if name.startswith("__consumer_offsets")]
    assert len(of_coordinators) < len([name for name in os.listdir(path) if name.startswith("__consumer_offsets")])
    assert found == by_replay(path, monkeypatch)


def test_records_that_cannot_be_read_are_not_regular():
    records = RegularRecords("__consumer_offsets")
    records.note_batch(RecordBatch.read(batch(0, *REGULAR[2])))
    assert records.are_all
    records.note_batch(RecordBatch.read(encode.batch(b"\xff" * 20, count=1)))
    assert not records.are_all
