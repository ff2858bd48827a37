"""Directories that change while they are read: no exception, no false alarm, and what could not be read is said."""

from __future__ import annotations

import itertools
import shutil
import time

import pytest

from kafkalog import next_start, next_starts
from kafkalog.errors import UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.next_start import predict
from kafkalog.next_start.partition import predict_partition
from kafkalog.render.json_next_start import outcome_json
from kafkalog.replay import transactions
from kafkalog.replay.transactions import read_transactions
from kafkalog.verify import Severity, verify
from kafkalog.verify import second_look as look
from kafkalog.verify.scan.segment import scan_segment
from tests.log_dirs import fixture
from tests.verify.lab import Lab
from tests.verify.live_log import LiveLog

SECONDS = 1.5
#: More appends than fit into the time: a roll between the copies of two files of one segment can not be told from damage.
NO_ROLL = 1 << 30
ACTS = {
    "appended": lambda _: None,
    "appended and deleted": lambda log: log.delete_first() if log.next % 5 == 0 else None,
    "appended and truncated": lambda log: log.truncate() if log.next % 5 == 0 else None,
}


def watch(target, **options):
    """Reports, until there were enough: on a busy machine it takes long until something happens in the midst of one."""
    end = time.monotonic() + 60 * SECONDS
    while time.monotonic() < end:
        yield verify(target, **options)


@pytest.mark.parametrize("act", ACTS)
def test_a_log_that_is_being_written_has_nothing_above_info(act, tmp_path):
    changed = reports = 0
    with LiveLog(tmp_path / "d1", ACTS[act]) as log:
        end = time.monotonic() + SECONDS
        for report in watch(log.dir.parent):
            reports += 1
            loud = [f for f in report.all_findings() if f.severity > Severity.INFO]
            assert loud == []
            failed = [item for item in report.not_checked if item.failed]
            changed += bool(failed) or any("appended" in item.reason for item in report.not_checked)
            if act == "appended":
                assert failed == []
            if reports > 3 and changed and time.monotonic() > end:
                break
    assert reports > 3
    assert changed
    assert verify(tmp_path / "d1").worst <= Severity.INFO


@pytest.mark.parametrize("act", ACTS)
def test_a_copy_of_a_log_that_is_being_written_has_nothing_above_info(act, tmp_path):
    end = time.monotonic() + SECONDS
    with LiveLog(tmp_path / "d1", ACTS[act], then=NO_ROLL) as log:
        number = 0
        while time.monotonic() < end or number < 6:
            copy = tmp_path / f"copy-{number}"
            number += 1
            try:
                shutil.copytree(log.dir.parent, copy)
            except shutil.Error:
                continue  # a file went while the folder was copied
            report = verify(copy)
            loud = [f for f in report.all_findings() if f.severity > Severity.INFO]
            assert loud == [], [sorted((f.name, f.stat().st_size) for f in (copy / "topic-0").iterdir())]
            assert not [item for item in report.not_checked if item.failed]
    assert number > 5


def test_a_partition_that_goes_while_it_is_read_is_not_judged(tmp_path):
    log = LiveLog(tmp_path / "d1", lambda _: None)
    with log:
        report = verify(tmp_path / "d1", progress=lambda *_: None)
    shutil.rmtree(log.dir)
    assert report.worst <= Severity.INFO
    assert [item.failed for item in verify(log.dir).not_checked] == [True]


@pytest.fixture
def acting(tmp_path, monkeypatch):
    """A log dir with a real partition, and a hand that changes it before its nth segment is scanned: `acting(acts)`.

    Gives what verify says while that happens, and what it says when all is done.
    """
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    lab.crashed()

    def run(acts, path=lab.root, **options):
        count = 0

        def scan(task, *more):
            nonlocal count
            act = acts.get(count, acts.get(None))
            count += 1
            if act is not None:
                act(lab.dir)
            return scan_segment(task, *more)

        with monkeypatch.context() as patch:
            patch.setattr(look, "scan_segment", scan)
            live = verify(path, now=NOW, **options)
        return live, verify(path, now=NOW, **options), count

    return run


NOW = 1795500000000
FIRST, SECOND, THIRD = 0, 74, 147


def segment(folder, base):
    return sorted(folder.glob(f"{base:020d}.*"))


def put_aside(folder, base):
    for path in segment(folder, base):
        path.rename(f"{path}.deleted")


def delete_records(folder):
    """What retention does: the first segment goes, and the epochs begin where the log does."""
    put_aside(folder, FIRST)
    (folder / "leader-epoch-checkpoint").write_text(f"0\n1\n0 {SECOND}\n")


def merge(folder):
    """What the cleaner does: a new first segment takes the place of two."""
    merged = folder / "merged"
    merged.write_bytes(b"".join((folder / f"{base:020d}.log").read_bytes() for base in (FIRST, SECOND)))
    merged.replace(folder / f"{FIRST:020d}.log")


def truncate(folder):
    active = max(folder.glob("*.log"))
    data = active.read_bytes()
    active.write_bytes(data[: 12 + int.from_bytes(data[8:12], "big")])


def roll(folder):
    """The active segment's indexes are trimmed, and the next one is there."""
    following = verify(folder, now=NOW, next_start=False).partitions[0].log_end_offset
    (folder / f"{following:020d}.log").write_bytes(b"")
    (folder / f"{following:020d}.index").write_bytes(bytes(4096))
    (folder / f"{following:020d}.timeindex").write_bytes(bytes(4092))


@pytest.mark.parametrize(
    "acts",
    [
        {0: lambda folder: put_aside(folder, FIRST)},
        {1: lambda folder: put_aside(folder, FIRST)},
        {2: delete_records},
        {0: merge, 2: lambda folder: put_aside(folder, SECOND)},
        {1: truncate},
        {1: roll},
    ],
    ids=["deleted before", "deleted after", "deleted with its epochs", "cleaned", "truncated", "rolled"],
)
@pytest.mark.parametrize("as_log_dir", [True, False])
def test_what_changes_between_two_reads_is_read_again(acts, as_log_dir, acting, tmp_path):
    path = tmp_path / "d1" if as_log_dir else tmp_path / "d1" / "twitter-status-0"
    live, after, count = acting(acts, path)
    assert [f for f in live.all_findings() if f.severity > Severity.INFO] == [
        f for f in after.all_findings() if f.severity > Severity.INFO
    ]
    assert not live.failed
    assert count <= 3 * after.partitions[0].segments + 3


def test_only_segments_that_changed_are_scanned_again(acting):
    damaged = lambda folder: (folder / f"{THIRD:020d}.log").write_bytes(b"\xff" * 300)  # noqa: E731
    live, after, count = acting({1: damaged})
    segments = after.partitions[0].segments
    assert [f.id for f in live.all_findings()] == [f.id for f in after.all_findings()]
    assert segments < count <= segments + 1


def test_what_is_seen_once_in_a_directory_that_never_rests_is_left_out_and_what_is_seen_again_is_kept(acting):
    place = itertools.cycle((0.2, 0.8))

    def act(folder):
        damaged = bytearray(whole(folder, THIRD))
        damaged[int(len(damaged) * next(place))] ^= 0xFF
        (folder / f"{THIRD:020d}.log").write_bytes(damaged)

    originals = {}

    def whole(folder, base):
        path = folder / f"{base:020d}.log"
        return originals.setdefault(base, path.read_bytes())

    def hurt(folder):
        path = folder / f"{FIRST:020d}.log"
        path.write_bytes(whole(folder, FIRST)[:500] + bytes((whole(folder, FIRST)[500] ^ 0xFF,)) + whole(folder, FIRST)[501:])
        act(folder)

    live, _, _ = acting({0: hurt, None: act})
    assert live.failed
    assert any("it changed each of the 5 times" in item.reason for item in live.not_checked)
    loud = {f.path.rpartition("/")[2] for f in live.all_findings() if f.severity is Severity.ERROR}
    assert f"{FIRST:020d}.log" in loud
    assert f"{THIRD:020d}.log" not in loud


def test_a_partition_that_is_deleted_while_others_are_scanned_is_no_failure(acting, tmp_path):
    shutil.copytree(tmp_path / "d1" / "twitter-status-0", tmp_path / "d1" / "zzz-0")
    live, _, _ = acting({0: lambda folder: (folder.parent / "zzz-0").rename(folder.parent / f"zzz-0.{'ab' * 16}-delete")})
    assert not live.failed
    assert [item.reason.startswith("gone since the log dir was listed") for item in live.not_checked] == [True]
    assert live.worst <= Severity.INFO


def test_a_prediction_is_made_again_when_the_directory_changed_under_it(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "2.1.1/plain/twitter-status-0")
    lab.crashed()
    expected = outcome_json(next_start(lab.dir, assume_stop="unclean"))
    log = lab.path(-1)
    whole = log.read_bytes()
    log.write_bytes(
        bytes((*whole[:200], whole[200] ^ 0xFF, *whole[201:]))
    )  # as if the file was read while it was being replaced
    calls = []

    def first_then_whole(path, disk, situation):
        prediction = predict_partition(path, disk, situation)
        calls.append(path)
        log.write_bytes(whole)
        return prediction

    monkeypatch.setattr(predict, "predict_partition", first_then_whole)
    assert outcome_json(next_start(lab.dir, assume_stop="unclean")) == expected
    assert len(calls) == 2


def test_a_segment_that_goes_while_transactions_are_read_is_no_failure(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    collected = transactions.collect

    def collect_then_delete(*arguments):
        given = collected(*arguments)
        put_aside(lab.dir, FIRST)
        return given

    monkeypatch.setattr(transactions, "collect", collect_then_delete)
    assert read_transactions(str(lab.dir)).problems == ()


@pytest.mark.parametrize(
    "check", [verify, lambda path: list(next_starts(path, on_unreadable=print))], ids=["verify", "next-start"]
)
def test_a_log_that_cannot_be_opened_at_any_one_moment_ends_no_report(check, tmp_path, monkeypatch):
    folder = shutil.copytree(fixture("2.3.1", "swap").path(), tmp_path / "logs")
    opened, begin = [], FileSource.__init__

    def once_gone(source, path, *rest):
        if path.endswith(".log"):
            opened.append(path)
            if len(opened) == number:
                raise UnreadableFile(path, "no such file or directory", is_missing=True)
        begin(source, path, *rest)

    monkeypatch.setattr(FileSource, "__init__", once_gone)
    for number in itertools.count(1):
        opened.clear()
        check(str(folder))
        if len(opened) < number:
            break
    assert number > 10
