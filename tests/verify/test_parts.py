"""A large segment is scanned in parts by several workers; nothing that is found or noted shows it."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.files.restraint import limit_rate
from kafkalog.verify import second_look, verify
from kafkalog.verify.scan import parts, segment
from kafkalog.verify.scan.parts import Division, Part, joined
from kafkalog.verify.scan.results import SegmentTask, Settings
from kafkalog.verify.scan.segment import scan_part, scan_segment
from tests.encode import R, batch, message
from tests.log_dirs import CORPUS, corpus_log_dirs, fixture_log_dirs
from tests.made_logs import SHAPES, damaged, many, values

NOW = 1_795_500_000_000
TIME = 1_600_000_000_000
#: As many as the quick suite has time for; by hand, and with the corpus, more.
DAMAGES = int(os.environ.get("KAFKALOG_PARTS_DAMAGES", "20" if CORPUS else "4"))


def made(records, n, **more):
    return batch(records, base_offset=5 * n, base_timestamp=TIME, **more)


LOGS = SHAPES | {
    "plain": many(lambda n: made(values(5), n)),
    "epochs": many(lambda n: made(values(5), n, leader_epoch=n // 7)),
    "producers": many(lambda n: made(values(5), n, producer_id=n % 3, producer_epoch=0, base_sequence=5 * (n // 3))),
    "nulls in order": many(lambda n: made([*values(4), R(4, None if n % 7 == 3 else b"k", None)], n)),
    "old records": many(lambda n: made([*values(4), R(4, b"k", b"v", (), 1000 - TIME if n == 5 else 4)], n)),
    "wrong records": many(lambda n: made([R((d, 4 - d)[n == 5], b"k", b"v") for d in range(5)], n)),
    "large batches": many(lambda n: made(values(2, 600_000), n), 3),
    "an old message": many(lambda n: made(values(5), n)) + message(200, b"k", b"v", magic=1) + made(values(5), 41),
}


def starts(data):
    """Where its batches begin, as far as their lengths lead from one to the next."""
    at = 0
    while at + BATCH_HEADER.size <= len(data):
        yield at
        at += 12 + max(14, int.from_bytes(data[at + 8 : at + 12], "big", signed=True))


@pytest.fixture
def scans(tmp_path):
    """The scan of a log in one, and in parts that begin at given bytes: the scan they make together, or None."""
    path = tmp_path / f"{0:020}.log"

    def both(data, cuts, **settings):
        path.write_bytes(data)
        compacted = settings.pop("compacted", False)
        task = SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(NOW, **settings), compacted=compacted)
        bounds = [0, *cuts, None]
        found = (scan_part(task, Part(begin, end)) for begin, end in pairwise(bounds))
        return without_places(scan_segment(task)), without_places(joined(found))

    return both


def without_places(scan):
    """A scan without what depends on the windows in which it was read."""
    return None if scan is None else replace(scan, places=())


@pytest.mark.parametrize("name", LOGS)
def test_what_is_found_in_parts_is_what_is_found_in_one(name, scans):
    data, chance = LOGS[name], random.Random(name)
    for settings in ({}, {"compacted": True}, {"digests": True, "hash": True}):
        in_one, in_parts = scans(data, sorted(chance.sample(range(1, len(data)), 3)), **settings)
        assert in_parts == in_one


@pytest.mark.parametrize("name", ["plain", "epochs", "producers", "transactions", "codec 4", "nulls in order", "large batches"])
def test_each_part_of_a_sound_log_ends_where_the_next_begins(name, tmp_path):
    path = tmp_path / f"{0:020}.log"
    path.write_bytes(LOGS[name])
    size = len(LOGS[name])
    task = SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(NOW))
    first, second = (scan_part(task, part) for part in (Part(0, size // 2), Part(size // 2, None)))
    assert first.reached == second.begun
    assert first.scan.batches < second.scan.batches == scan_segment(task).batches


@pytest.mark.parametrize("name", [name for name in LOGS if name != "large batches"][:: 1 if CORPUS else 2])
def test_what_is_found_in_parts_of_a_damaged_log_is_what_is_found_in_one(name, scans):
    for seed in range(DAMAGES):
        data, chance = damaged(LOGS[name], f"{name} {seed}"), random.Random(seed)
        cuts = sorted(chance.sample(range(1, len(data)), 1 + seed % 3))
        in_one, in_parts = scans(data, cuts, compacted=seed % 3 == 0, lanes=seed % 2 == 0)
        assert in_parts in (in_one, None), seed


#: What is done to the header of a batch, by the place of the byte in it.
AT_THE_SEAM = {
    "offset": 7,
    "length": 11,
    "large length": 8,
    "epoch": 15,
    "magic": 16,
    "checksum": 20,
    "attributes": 22,
    "count": 60,
}


@pytest.mark.parametrize("kind", AT_THE_SEAM)
@pytest.mark.parametrize("which", [-1, 0, 1], ids=["before", "at", "after"])
def test_damage_at_the_seam_is_found_as_in_one(kind, which, scans):
    for data in (LOGS["producers"], LOGS["transactions"]):
        begins = list(starts(data))
        middle = len(begins) // 2
        cut = begins[middle]
        wrong = bytearray(data)
        wrong[begins[middle + which] + AT_THE_SEAM[kind]] ^= 0x41
        for shift in (-1, 0, 1):
            in_one, in_parts = scans(bytes(wrong), [cut + shift])
            assert in_parts == in_one


def test_headers_that_lead_nowhere_leave_all_to_the_first_part(scans):
    data = bytearray(LOGS["plain"])
    begins = list(starts(data))
    for at in begins[3:20]:
        data[at + 8 : at + 12] = b"\xff" * 4
    in_one, in_parts = scans(bytes(data), [len(data) // 2])
    assert in_parts == in_one
    assert in_one.findings


def test_parts_of_a_log_that_became_another_meanwhile_fit_no_more(tmp_path):
    path = tmp_path / f"{0:020}.log"
    path.write_bytes(LOGS["plain"])
    task = SegmentTask(base_offset=0, paths={".log": str(path)}, settings=Settings(NOW))
    middle = len(LOGS["plain"]) // 2
    first = scan_part(task, Part(0, middle))
    path.write_bytes(many(lambda n: made(values(5), n, leader_epoch=3)))
    assert joined([first, scan_part(task, Part(middle, None))]) is None
    path.write_bytes(LOGS["plain"][: middle // 2])
    assert joined([first, scan_part(task, Part(middle, None))]) is None


def test_segments_are_divided_where_a_single_one_would_keep_a_worker_busy_at_the_end():
    gib = 1 << 30

    def count(size, workers, total):
        return len(Division(workers, lambda: total).parts_of(size))

    assert count(gib, 2, gib) == 2
    assert count(gib, 4, gib) == 4
    assert count(gib, 2, 100 * gib) == 1
    assert count(20 << 20, 2, 20 << 20) == 1
    assert count(gib, 1, gib) == 1
    for part, following in pairwise(Division(4, lambda: gib).parts_of(gib)):
        assert part.end == following.begin


#: Where a worker notes that it was killed.
MARK = ""


def killed_once(task, part):
    """Scans a part, but ends the first worker that is told to."""
    with suppress(FileExistsError), open(MARK, "x"):
        os.kill(os.getpid(), signal.SIGKILL)
    return scan_part(task, part)


def killed_always(task, part):
    """Ends every worker that is told to scan what is not the first part."""
    if part.begin:
        os.kill(os.getpid(), signal.SIGKILL)
    return scan_part(task, part)


def test_a_worker_that_is_killed_while_it_scans_a_part_costs_nothing_but_time(tmp_path, monkeypatch):
    folder = tmp_path / "orders-0"
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(LOGS["plain"])
    in_one = verify(folder, now=NOW, next_start=False).to_jsonl()
    divide_all(monkeypatch)
    monkeypatch.setattr(f"{__name__}.MARK", str(tmp_path / "killed"))
    monkeypatch.setattr(second_look, "scan_part", killed_once)
    assert verify(folder, now=NOW, jobs=2, next_start=False).to_jsonl() == in_one
    assert (tmp_path / "killed").exists()
    # One that ends every worker is a log that cannot be read; the others are looked at.
    (folder / f"{300:020}.log").write_bytes(many(lambda n: made(values(5), 60 + n), 2))
    monkeypatch.setattr(parts, "_LEAST", len(LOGS["plain"]) // 2)
    monkeypatch.setattr(second_look, "scan_part", killed_always)
    report = verify(folder, now=NOW, jobs=2, next_start=False)
    (missed,) = report.not_checked
    assert missed.path == f"{folder}/{0:020}.log"
    assert "ended by SIGKILL" in missed.reason
    assert report.partitions[0].records == 10


class Here(Executor):
    """Works at once, in this process."""

    def __init__(self):
        self.asked = []

    def submit(self, function, /, *args, **kwargs):
        self.asked.append(function)
        future = Future()
        future.set_result(function(*args, **kwargs))
        return future


def test_where_the_disk_is_what_takes_the_time_nothing_is_scanned_in_parts(tmp_path, monkeypatch):
    (tmp_path / f"{0:020}.log").write_bytes(LOGS["plain"])
    limit_rate(1e12)
    try:
        assert in_parts(tmp_path, 3, monkeypatch)[1].asked == [segment.scan_segment]
    finally:
        limit_rate(None)


def divide_all(monkeypatch):
    monkeypatch.setattr(parts, "_LEAST", 1000)
    monkeypatch.setattr(parts, "_EVEN", 1 << 20)
    monkeypatch.setattr(second_look, "_SMALL", 0)


def in_parts(path, workers, monkeypatch):
    divide_all(monkeypatch)
    here = Here()
    return verify(path, now=NOW, jobs=workers, executor=here, next_start=False).to_jsonl(), here


@pytest.mark.parametrize("case", fixture_log_dirs() if CORPUS else fixture_log_dirs()[::24], ids=lambda case: case.id)
def test_reports_of_real_logs_are_the_same_in_parts_and_in_one(case, monkeypatch):
    in_one = verify(case.path(), now=NOW, next_start=False).to_jsonl()
    assert in_parts(case.path(), 3, monkeypatch)[0] == in_one


@pytest.mark.parametrize("case", fixture_log_dirs() if CORPUS else fixture_log_dirs()[::24], ids=lambda case: case.id)
def test_reports_of_small_directories_are_the_same_where_a_worker_looks_at_each(case):
    here = Here()
    told = verify(case.path(), now=NOW, jobs=3, executor=here).to_jsonl()
    assert told == verify(case.path(), now=NOW).to_jsonl()
    assert second_look.look_at in here.asked


def test_reports_of_the_whole_corpus_are_the_same_in_parts_and_in_one(monkeypatch):
    for case in corpus_log_dirs():
        in_one = verify(case.path(), now=NOW, next_start=False).to_jsonl()
        assert in_parts(case.path(), 3, monkeypatch)[0] == in_one, case.id


def test_a_single_large_segment_is_shared_out_and_noted_as_one(tmp_path, monkeypatch):
    folder = tmp_path / "orders-0"
    folder.mkdir()
    (folder / f"{0:020}.log").write_bytes(LOGS["plain"])
    in_one = verify(folder, now=NOW, next_start=False).to_jsonl()
    told, here = in_parts(folder, 3, monkeypatch)
    assert told == in_one
    assert here.asked == [segment.scan_part] * 3
    journal = tmp_path / "journal"
    for asked in ([segment.scan_part] * 3, []):
        here = Here()
        assert verify(folder, now=NOW, jobs=3, executor=here, next_start=False, resume=journal).to_jsonl() == in_one
        assert here.asked == asked
