"""What clients write that others do not: first sequence numbers, fields of producers without an id, timestamps in odd units."""

from __future__ import annotations

import pytest

from kafkalog.core.dates import timestamp_cause
from kafkalog.verify import Severity, verify
from kafkalog.verify.scan.segment import Scanner
from tests import encode
from tests.encode import R
from tests.log_dirs import FIXTURES

NOW = 1796500000000
GO = -62135596800000
LATE = "sequence-begins-late"
ZERO = "batch-producer-fields-zero"
AMONG = "timestamp-ancient-among-others"


def findings(path, **options):
    report = verify(path, now=NOW, next_start=False, **options)
    assert [f for f in report.all_findings() if f.severity > Severity.INFO] == []
    return list(report.all_findings())


def partition(folder, *batches):
    """A copy that holds one segment of these batches, made by functions of the base offset."""
    folder.mkdir()
    data, offset = b"", 0
    for build, count in batches:
        data, offset = data + build(offset), offset + count
    (folder / f"{0:020d}.log").write_bytes(data)
    return folder


def test_records_that_came_before_a_producers_first_sequence_are_told_with_their_number():
    (found,) = findings(FIXTURES / "cases/first-sequence-not-zero/firstseq-0")
    assert (found.id, found.offsets) == (LATE, (0, 9))
    assert (found.facts["producer_id"], found.facts["epoch"], found.facts["sequence"]) == (0, 0, 17)
    assert "17 records with the sequence numbers from 0 on" in found.consequence


def _plain(offset):
    return encode.batch([R(0, b"k", b"v")], base_offset=offset)


def _numbered(sequence):
    def build(offset):
        return encode.batch([R(0, b"k", b"v")], base_offset=offset, producer_id=7, producer_epoch=0, base_sequence=sequence)

    return build, 1


def test_a_producer_that_begins_with_sequence_0_is_none(tmp_path):
    assert LATE not in {f.id for f in findings(partition(tmp_path / "t-0", _numbered(0), _numbered(1)))}


def test_a_log_that_was_cut_says_nothing_about_first_sequences(tmp_path):
    folder = partition(tmp_path / "t-0", _numbered(17), _numbered(18))
    assert LATE in {f.id for f in findings(folder)}
    (folder / "leader-epoch-checkpoint").write_text("0\n1\n0 1\n")
    assert LATE not in {f.id for f in verify(folder, now=NOW).all_findings()}


def test_a_hole_or_damage_before_a_producer_says_nothing_about_its_first_sequence(tmp_path):
    build, _ = _numbered(17)
    holed = partition(
        tmp_path / "a-0", (lambda o: encode.batch([R(0, b"k", b"v")], base_offset=o), 1), (lambda o: build(o + 1), 1)
    )
    damaged = partition(tmp_path / "b-0", (lambda o: encode.batch([R(0, b"k", b"v")], base_offset=o), 1), (build, 1))
    log = damaged / f"{0:020d}.log"
    log.write_bytes(log.read_bytes()[:65] + b"!" + log.read_bytes()[66:])
    for folder in (holed, damaged):
        assert LATE not in {f.id for f in verify(folder, now=NOW).all_findings()}


def _kafkajs(offset):
    return encode.batch([R(0, b"k", b"v")], base_offset=offset, producer_epoch=0, base_sequence=0)


def test_batches_of_kafkajs_are_one_info_and_stay_on_the_fast_way(tmp_path, monkeypatch):
    judged = []
    judge = Scanner.judge
    monkeypatch.setattr(Scanner, "judge", lambda self, batch, **more: (judged.append(batch), judge(self, batch, **more)))
    found = [f for f in findings(partition(tmp_path / "t-0", *[(_kafkajs, 1)] * 50)) if f.id.startswith("batch-")]
    assert [(f.id, f.facts["count"], f.offsets) for f in found] == [(ZERO, 50, (0, 0))]
    assert len(judged) == 1, "the first batch, which nothing is known before"


@pytest.mark.parametrize("attributes", [0, 8])
def test_batches_of_kafkajs_are_counted_once_whichever_way_they_go(attributes, tmp_path):
    def stamped(offset):
        return encode.batch(
            [R(0, b"k", b"v")],
            base_offset=offset,
            producer_epoch=0,
            base_sequence=0,
            attributes=attributes,
            leader_epoch=offset,
        )

    found = [f for f in findings(partition(tmp_path / "t-0", *[(stamped, 1)] * 5)) if f.id.startswith("batch-")]
    assert [(f.id, f.facts["count"]) for f in found] == [(ZERO, 5)]


@pytest.mark.parametrize(
    ("timestamp", "cause"),
    [
        (GO, "Go's zero time"),
        (GO // 1000, "Go's zero time in seconds"),
        (-1, "no timestamp"),
        (0, "0 where a time should be"),
        (1_790_000_000, "seconds"),
        (1_790_000_000_000_000, "microseconds"),
        (1_790_000_000_000_000_000, "nanoseconds"),
        (638_900_000_000_000_000, "ticks of 100 ns since the year 1"),
        (17_900_000_000_000_000, "ticks of 100 ns since 1970"),
        (133_444_555_666_777_888, "a FILETIME of Windows"),
        (946_684_800_000, "a wrong clock"),
    ],
)
def test_an_odd_timestamp_names_its_cause_also_among_right_ones(timestamp, cause, tmp_path):
    right = 1_790_000_000_000
    assert cause in timestamp_cause(timestamp)

    def mixed(offset):
        records = [R(0, b"k", b"v"), R(1, b"k", b"v", timestamp_delta=timestamp - right), R(2, b"k", b"v")]
        return encode.batch(records, base_offset=offset, base_timestamp=right)

    def alone(offset):
        return encode.batch([R(0, b"k", b"v")], base_offset=offset, base_timestamp=timestamp)

    for name, build, count in (("mixed", mixed, 3), ("alone", alone, 1)):
        (tmp_path / name).mkdir()
        found = [f for f in findings(partition(tmp_path / name / "t-0", (build, count))) if f.id.startswith("timestamp-")]
        assert len(found) == 1, name
        assert cause in found[0].message


def test_records_of_several_odd_units_are_told_apart(tmp_path):
    right = 1_790_000_000_000
    odd = [GO, 1_790_000_000, 1_790_000_001]
    records = [R(n, b"k", b"v", timestamp_delta=0 if n == 0 else odd[n - 1] - right) for n in range(4)]
    folder = partition(tmp_path / "t-0", (lambda o: encode.batch(records, base_offset=o, base_timestamp=right), 4))
    found = [(f.facts["offset"], f.facts["count"], f.facts["cause"]) for f in findings(folder) if f.id == AMONG]
    assert sorted(found) == [(1, 1, timestamp_cause(GO)), (2, 2, timestamp_cause(odd[1]))]


def test_with_log_append_time_the_records_own_timestamps_mean_nothing(tmp_path):
    records = [R(0, b"k", b"v"), R(1, b"k", b"v", timestamp_delta=-1_790_000_000_000)]
    stamped = {"base_timestamp": 1_790_000_000_000, "max_timestamp": 1_790_000_000_000, "attributes": 8}
    folder = partition(tmp_path / "t-0", (lambda o: encode.batch(records, base_offset=o, **stamped), 2))
    assert AMONG not in {f.id for f in findings(folder)}
