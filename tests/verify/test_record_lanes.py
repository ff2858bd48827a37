"""With numpy, the records of many batches are looked at at once; nothing that is found or noted shows it."""

from __future__ import annotations

import os
import random
import subprocess
import sys

import pytest

from kafkalog.verify import engine, verify
from kafkalog.verify.scan import record_lanes
from kafkalog.verify.scan.records import RecordLook
from kafkalog.verify.scan.results import SegmentTask, Settings
from kafkalog.verify.scan.segment import scan_segment
from tests.encode import R, batch
from tests.log_dirs import CORPUS, corpus_log_dirs, fixture, fixture_log_dirs
from tests.made_logs import CODECS, SHAPES, damaged, many, values, with_damaged_batch

NOW = 1_795_500_000_000
TIME = 1_600_000_000_000
#: As many as the quick suite has time for; by hand, and with the corpus, more.
DAMAGES = int(os.environ.get("KAFKALOG_LANES_DAMAGES", "12" if CORPUS else "4"))


def made(records, n, size=5, **more):
    return batch(records, base_offset=size * n, base_timestamp=TIME, **more)


#: Headers without anything odd, one batch after the other: these batches wait for a look at their records.
ORDINARY = {
    "plain": many(lambda n: made(values(5), n)),
    "large values": many(lambda n: made(values(5, 200 if n % 5 else 9000), n)),
    "many records": many(lambda n: made(values(300 if n % 9 == 0 else 1), n, 0, max_timestamp=TIME + 300) if n else b"")
    + many(lambda n: made(values(90), n, 90), 30),
    "headers": many(
        lambda n: made(values(5, headers=((b"a", b"1"), (b"b" * 70, None), (b"", b""))[: n % 4]), n),
    ),
    "nulls": many(lambda n: made([*values(3), R(3, b"k", None), R(4, None if n % 7 == 3 else b"k", b"v")], n)),
    "old times": many(lambda n: made([*values(4), R(4, b"k", b"v", (), 1000 - TIME if n % 11 == 5 else 4)], n)),
    "gaps": many(lambda n: made([R(n % 3, b"k", b"v"), R(4, b"l", None)], n, last_offset_delta=4)),
    "all codecs": many(
        lambda n: made(values(5, 60), n, attributes=n % 5, compress=CODECS.get(n % 5)),
    ),
}
#: Each with one thing wrong about records whose header is ordinary.
ORDINARY |= {
    "offsets that fall": many(lambda n: made([R((d, 4 - d)[n % 5 == 3], b"k", b"v") for d in range(5)], n)),
    "offsets after the last one": many(
        lambda n: made([R(d + (n % 5 == 3), b"k", b"v") for d in range(5)], n, last_offset_delta=4)
    ),
    "offsets that fall among gaps": many(lambda n: made([R(1 + n % 3, b"k", b"v"), R(2, b"l")], n, last_offset_delta=4)),
    "offsets after the last one, with gaps": many(lambda n: made([R(1, b"k"), R(4 + n % 3, b"l")], n, last_offset_delta=4)),
    "another largest time": many(lambda n: made(values(5), n, max_timestamp=TIME + 4 + (n % 5 == 3))),
}
LOGS = {**ORDINARY, **{f"{name}, in all": data for name, data in SHAPES.items()}}


@pytest.fixture
def scans(tmp_path, monkeypatch):
    """The scan of a log, without numpy and with it."""
    monkeypatch.setattr(record_lanes, "_FEW", 1)
    path = tmp_path / f"{0:020}.log"

    def both(data, *, compacted=False):
        path.write_bytes(data)
        return [
            scan_segment(
                SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(NOW, lanes=lanes), compacted=compacted)
            )
            for lanes in (False, True)
        ]

    return both


@pytest.mark.parametrize("name", LOGS)
def test_what_a_scan_finds_is_the_same_with_numpy_and_without(name, scans):
    for compacted in (False, True):
        plain, lanes = scans(LOGS[name], compacted=compacted)
        assert lanes == plain


@pytest.mark.parametrize("name", LOGS)
def test_what_a_scan_finds_in_damaged_logs_is_the_same_with_numpy_and_without(name, scans):
    for seed in range(DAMAGES):
        chance = random.Random(f"{name} {seed}")
        change = with_damaged_batch if name in ORDINARY else damaged
        plain, lanes = scans(change(LOGS[name], chance if name in ORDINARY else f"{name} {seed}"), compacted=seed % 3 == 0)
        assert lanes == plain, seed


@pytest.mark.parametrize("name", ["plain", "large values", "headers", "all codecs"])
def test_batches_with_nothing_odd_in_them_are_not_looked_at_one_by_one(name, scans, monkeypatch):
    looked_at = []
    look = RecordLook.look_at_ordinary
    monkeypatch.setattr(RecordLook, "look_at_ordinary", lambda *given: looked_at.append(given) or look(*given))
    plain, lanes = scans(ORDINARY[name])
    assert plain == lanes
    assert not lanes.findings
    # The first batch is never ordinary. With numpy none is looked at after it, without only what has to be decompressed.
    compressed = [number for number in range(1, plain.batches) if name == "all codecs" and number % 5]
    assert len(looked_at) == len(compressed)


def reports(path, monkeypatch):
    found = []
    for from_bytes in (1 << 60, 0):
        monkeypatch.setattr(engine, "LANES_PAY_FROM", from_bytes)
        found.append(verify(path, now=NOW).to_jsonl())
    return found


@pytest.mark.parametrize("case", fixture_log_dirs()[::12], ids=lambda case: case.id)
def test_reports_of_real_logs_are_the_same_with_numpy_and_without(case, monkeypatch):
    plain, lanes = reports(case.path(), monkeypatch)
    assert lanes == plain


def test_reports_of_the_whole_corpus_are_the_same_with_numpy_and_without(monkeypatch):
    for case in corpus_log_dirs():
        plain, lanes = reports(case.path(), monkeypatch)
        assert lanes == plain, case.id


_IMPORTED = """
import sys
if {hidden}: sys.modules["numpy"] = None
from kafkalog.verify import engine, verify
engine.LANES_PAY_FROM = {pays_from}
print(verify({path!r}, quick={quick}).verdict, bool(sys.modules.get("numpy")))
"""


@pytest.mark.parametrize(
    ("pays_from", "quick", "hidden", "imported"),
    [(1 << 20, False, False, False), (1000, True, False, False), (1000, False, False, True), (1000, False, True, False)],
    ids=["small input", "quick", "large input", "not installed"],
)
def test_numpy_is_imported_where_it_pays_and_is_not_needed(pays_from, quick, hidden, imported):
    path = fixture("2.1.1", "plain").path() + "/twitter-status-0"
    code = _IMPORTED.format(path=path, pays_from=pays_from, quick=quick, hidden=hidden)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["benign", str(imported)]
