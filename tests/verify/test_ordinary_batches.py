"""What the loop over ordinary batches makes of a log is what judging each of its batches makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kafkalog.core.batch import RecordBatch
from kafkalog.verify import Severity, verify
from kafkalog.verify.scan import segment
from kafkalog.verify.scan.fast_loop import FastLoop
from kafkalog.verify.scan.results import SegmentTask, Settings
from kafkalog.verify.scan.segment import Scanner, scan_segment
from tests import encode
from tests.encode import R

other = ["jump", "epoch", "transactional", "append transactional", "horizon", "later horizon", "later horizon"]
#: Of a batch: its producer, how many records of those written are left, offsets missing before it, what is odd about it.
described = st.lists(
    st.tuples(
        st.sampled_from([-1, -1, 5, 6, 7]),
        st.integers(1, 3),
        st.integers(0, 2),
        st.sampled_from([0, 0, 1, 2]),
        st.sampled_from(["", "", "marker", "marker", "append", "append marker", *other]),
    ),
    min_size=1,
    max_size=12,
)
flips = st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), max_size=1)


def log_of(batches) -> bytearray:
    data, offset, sequences = bytearray(), 0, {}
    for producer, left, lost, hole, odd in batches:
        offset += hole
        newest = 1_600_000_000_000 + 7 * odd.startswith("append")  # by the broker's clock
        attributes = 0x08 if odd.startswith("append") else 0x40 if odd.endswith("horizon") else 0
        later = 1000 * (odd == "later horizon")
        if odd.endswith("marker") and producer >= 0:
            data += encode.marker(
                commit=bool(left & 1), offset=offset, producer_id=producer, producer_epoch=0, attributes=0x30 | attributes,
                base_timestamp=1_600_000_000_000, max_timestamp=newest,
            )  # fmt: skip
            offset += 1
            continue
        records = [R(delta + (delta > 0) * lost, b"k", b"v", timestamp_delta=-later) for delta in range(left)]
        last = left - 1 + lost
        sequence = -1
        if producer >= 0:
            sequence = sequences.get(producer, 0) + 4 * (odd == "jump")
            sequences[producer] = sequence + last + 1
        data += encode.batch(
            records,
            base_offset=offset,
            base_timestamp=1_600_000_000_000 + later,
            max_timestamp=newest,
            last_offset_delta=last,
            producer_id=producer,
            producer_epoch=-1 if producer < 0 else int(odd == "epoch"),
            base_sequence=sequence,
            attributes=attributes | (0x10 if odd.endswith("transactional") and producer >= 0 else 0),
        )
        offset += last + 1
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ordinary")


@pytest.mark.parametrize("quick", [True, False], ids=["quick", "full"])
@given(batches=described, flipped=flips, compacted=st.booleans(), cut=st.none() | st.integers(0, 20))
@settings(max_examples=150)
def test_the_loop_finds_what_judging_each_batch_finds(folder, quick, batches, flipped, compacted, cut):
    data = log_of(batches)
    for place, bit in flipped:
        data[place % len(data)] ^= 1 << bit
    path = folder / "00000000000000000000.log"
    path.write_bytes(data)
    task = SegmentTask(
        base_offset=0,
        paths={".log": str(path)},
        settings=Settings(quick=quick, now=1_700_000_000_000),
        compacted=compacted,
        # Where bytes cannot be read, the loop has passed cuts that it has yet to note.
        cuts=() if cut is None or flipped else (cut,),
    )
    looped = scan_segment(task)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastLoop, "run", lambda *given: (given[-1], False))
        judged = scan_segment(task)
    assert looped == judged


def test_batches_of_a_compacted_log_are_ordinary(folder, monkeypatch):
    """But the first one, the first that lacks records or has a delete horizon, and the last, which no other one follows."""
    batches = [
        (-1, 2, 1, 1, ""),
        (5, 2, 1, 1, "later horizon"),
        *[(5, 2, 1, 1, ""), (6, 2, 0, 1, "append transactional"), (6, 1, 0, 1, "append marker"), (-1, 1, 0, 0, "append")] * 5,
        *[(5, 2, 0, 0, "later horizon"), (7, 2, 0, 0, "later horizon")] * 2,
        (-1, 1, 0, 1, ""),
    ]
    path = folder / "00000000000000000000.log"
    path.write_bytes(log_of(batches))
    task = SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(now=1_700_000_000_000), compacted=True)
    seen = []
    judge = Scanner.judge
    monkeypatch.setattr(
        Scanner, "judge", lambda self, batch, **given: seen.append(batch.position) or judge(self, batch, **given)
    )
    assert scan_segment(task).batches == 27
    assert len(seen) <= 3


def test_a_hole_between_batches_is_told_without_a_look_at_them(folder, monkeypatch):
    path = folder / "00000000000000000000.log"
    path.write_bytes(log_of([(-1, 1, 0, 0, ""), *[(-1, 1, 0, 1, ""), (5, 1, 0, 2, "")] * 5, (-1, 1, 0, 1, "")]))
    task = SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(now=1_700_000_000_000))
    seen = []
    judge = Scanner.judge
    monkeypatch.setattr(
        Scanner, "judge", lambda self, batch, **given: seen.append(batch.position) or judge(self, batch, **given)
    )
    monkeypatch.setattr(segment, "_MOST_OF_A_KIND", 8)
    scan = scan_segment(task)
    assert [found.offsets for found in scan.findings][:3] == [(1, 1), (3, 4), (6, 6)]
    assert len(scan.findings) == 8
    assert [text for _, text in scan.not_checked] == ["3 more of offset-gap: not listed one by one"]
    assert len(seen) <= 2  # the first one, and the last, which no other one follows


def holed(tmp_path, lost):
    """A directory of two segments whose records have no keys: 2, 4 and 6 are missing."""
    folder = tmp_path / "t-0"
    folder.mkdir()
    for base, offsets in ((0, (0, 1, 3)), (4, (5, 7))):
        data = b"".join(encode.batch([R(0, None, b"v")], base_offset=offset, last_offset_delta=0) for offset in offsets)
        if base and lost:
            data += encode.batch([R(0, None, b"v")], base_offset=8, last_offset_delta=3)
        (folder / f"{base:020d}.log").write_bytes(data)
    return folder


@pytest.mark.parametrize("lost", [False, True], ids=["between batches", "in a batch, too"])
def test_a_quick_check_reads_no_keys_and_says_what_it_does_not_know(tmp_path, monkeypatch, lost):
    folder = holed(tmp_path, lost)
    (full,) = verify(folder, now=1_700_000_000_000).partitions
    assert {found.severity for found in full.findings if found.id == "offset-gap"} == {Severity.ERROR}
    monkeypatch.setattr(RecordBatch, "walk_records", lambda _: pytest.fail("records are read"))
    report = verify(folder, now=1_700_000_000_000, quick=True)
    (quick,) = report.partitions
    gaps = [found.severity for found in quick.findings if found.id == "offset-gap"]
    # A batch with fewer records than offsets is the log cleaner's, as long as nothing contradicts it.
    assert gaps == ([] if lost else [Severity.INFO] * 2)
    assert quick.cleaned
    assert any("--quick reads none" in item.reason for item in report.not_checked) == (not lost)
