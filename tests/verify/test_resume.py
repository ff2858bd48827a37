"""A run that goes on where an earlier one ended: nothing is checked twice, nothing is lost, and the report is the same."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import fsspec
import pytest
from click.testing import CliRunner

from kafkalog.cli.main import main
from kafkalog.core.checksum import crc32c
from kafkalog.errors import RequestError, UnwritableFile
from kafkalog.files import cores, remote
from kafkalog.files import journal as journals
from kafkalog.files.workers import Lifeline
from kafkalog.verify import engine, second_look, verify
from kafkalog.verify.scan.results import SegmentScan, Settings
from kafkalog.verify.scan.scan_json import scan_from_json, scan_to_json
from kafkalog.verify.scan.segment import scan_segment
from tests.log_dirs import FIXTURES, fixture, unpack
from tests.verify.proofs import aiven_keys

NOW = 1795500000000
#: How often a run is killed, at moments chosen at random; the same ones each time.
KILLS = int(os.environ.get("KAFKALOG_KILLS", "12"))


@pytest.fixture
def logs(tmp_path):
    """A log dir of seven partitions; some of their findings have everything that a finding can have."""
    log_dir = shutil.copytree(fixture("2.1.1", "plain").path(), tmp_path / "logs")
    path = sorted((log_dir / "twitter-status-0").glob("*.log"))[1]
    data = bytearray(path.read_bytes())
    data[200] ^= 4
    path.write_bytes(data)
    return log_dir


@pytest.fixture
def scanned(monkeypatch):
    """The logs that have been scanned, in order."""
    paths = []
    original = second_look.scan_segment

    def noting(task, *more):
        paths.append(task.paths[".log"])
        return original(task, *more)

    monkeypatch.setattr(second_look, "scan_segment", noting)
    return paths


def jsonl(path, **settings):
    return verify(path, **{"now": NOW, "next_start": False, **settings}).to_jsonl()


def lines(journal):
    return journal.read_bytes().splitlines(keepends=True)


def test_a_second_run_scans_nothing_and_reports_the_same(logs, tmp_path, scanned):
    whole = jsonl(logs)
    logs_scanned, scanned[:] = list(scanned), []
    assert jsonl(logs, resume=tmp_path / "journal") == whole
    assert sorted(scanned) == sorted(logs_scanned) == sorted(set(scanned))
    scanned[:] = []
    before = (tmp_path / "journal").read_bytes()
    assert jsonl(logs, resume=tmp_path / "journal") == whole
    assert scanned == []
    assert (tmp_path / "journal").read_bytes() == before


def test_a_report_with_the_next_start_and_hashes_is_the_same_too(logs, tmp_path):
    settings = {"next_start": True, "hash_inputs": True, "max_message_bytes": 100}
    whole = jsonl(logs, **settings)
    assert [jsonl(logs, resume=tmp_path / "journal", **settings) for _ in range(2)] == [whole, whole]


def killed_run(paths, journal, most, jobs):
    """A run that is killed as soon as so many bytes of its journal are written, be it in the midst of a line."""

    def work():
        left, write = [most], os.write

        def last_words(descriptor, data):
            size = min(len(data), left[0])
            left[0] -= size
            done = write(descriptor, bytes(data[:size]))
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        journals.os = type("os", (), {**vars(os), "write": staticmethod(last_words)})
        second_look.scan_segment = scan_segment
        verify(paths, now=NOW, next_start=False, resume=journal, jobs=jobs)
        return 0

    lifeline = Lifeline()
    try:
        status = os.waitpid(lifeline.fork(work), 0)[1]
    finally:
        lifeline.close()
    return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_may_be_killed_at_any_moment(jobs, logs, tmp_path, scanned):
    journal = tmp_path / "journal"
    whole = jsonl(logs)
    all_logs, scanned[:] = sorted(scanned), []
    jsonl(logs, resume=journal)
    size = journal.stat().st_size
    moments = sorted(random.Random(jobs).sample(range(1, size), KILLS // 2))
    for moment in moments:
        journal.unlink()
        assert killed_run(logs, journal, moment, jobs) == -signal.SIGKILL
        assert journal.stat().st_size == moment
        noted = [json.loads(line)["path"] for line in lines(journal)[1:] if line.endswith(b"\n")]
        scanned[:] = []
        assert jsonl(logs, resume=journal) == whole
        assert sorted([*noted, *scanned]) == all_logs
        assert all(json.loads(line) for line in lines(journal))
        assert len(lines(journal)) == 1 + len(all_logs)


@pytest.fixture
def remote_storage():
    """What two plug-ins have copied of tiered topics."""
    aiven, tier = (unpack(FIXTURES / "cases" / f"{name}.tar.xz") for name in ("aiven-tiered-storage", "tiered-remote-3.9.1"))
    with aiven_keys():
        yield [aiven / "remote", tier]


@pytest.fixture
def url(logs, monkeypatch):
    """A log dir that is not on this machine."""
    files = fsspec.filesystem("memory")
    for path in logs.rglob("*"):
        if path.is_file():
            files.pipe(f"/killed/{path.relative_to(logs)}", path.read_bytes())
    monkeypatch.setattr(remote, "_roots", {})
    monkeypatch.setattr(remote, "traffic", remote.Traffic())
    monkeypatch.setattr(cores, "_in_threads", [])
    yield "memory://killed"
    files.rm("/killed", recursive=True)


@pytest.mark.parametrize("where", ["remote_storage", "url"])
def test_a_run_over_what_is_elsewhere_may_be_killed_too(where, request, tmp_path):
    paths, journal = request.getfixturevalue(where), tmp_path / "journal"
    whole = jsonl(paths, resume=journal)
    assert jsonl(paths) == whole
    noted = sorted(json.loads(line)["path"] for line in lines(journal)[1:])
    assert len(noted) > 10
    for moment in random.Random(where).sample(range(1, journal.stat().st_size), KILLS // 4):
        journal.unlink()
        assert killed_run(paths, journal, moment, 2) == -signal.SIGKILL
        before = journal.read_bytes()
        assert jsonl(paths, resume=journal) == whole
        kept = before[: before.rindex(b"\n") + 1] if b"\n" in before else b""
        assert journal.read_bytes().startswith(kept)
        assert sorted(json.loads(line)["path"] for line in lines(journal)[1:]) == noted


def test_a_run_that_is_killed_again_and_again_comes_to_its_end(logs, tmp_path):
    journal, whole = tmp_path / "journal", jsonl(logs, resume=tmp_path / "whole")
    most, kills = 50 + max(map(len, lines(tmp_path / "whole"))), 0
    while killed_run(logs, journal, most, 1) == -signal.SIGKILL:
        kills += 1
        assert kills < len(lines(tmp_path / "whole"))
    assert kills > 1
    assert jsonl(logs, resume=journal) == whole


@pytest.mark.parametrize("change", ["bytes", "more", "replaced", "touched", "index"])
def test_a_changed_file_is_scanned_again(change, logs, tmp_path, scanned):
    journal = tmp_path / "journal"
    jsonl(logs, resume=journal)
    scanned[:] = []
    log = min((logs / "twitter-status-0").glob("*.log"))
    if change == "bytes":
        times = log.stat().st_atime_ns, log.stat().st_mtime_ns
        data = bytearray(log.read_bytes())
        data[300] ^= 1
        log.write_bytes(data)
        os.utime(log, ns=times)  # only the system's own time of change tells
    elif change == "more":
        with log.open("ab") as file:
            file.write(bytes(10))
    elif change == "replaced":
        shutil.copy2(log, tmp_path / "copy")
        os.replace(tmp_path / "copy", log)
    elif change == "touched":
        os.utime(log)
    else:
        log.with_suffix(".index").write_bytes(bytes(8))
    assert jsonl(logs, resume=journal) == jsonl(logs)
    assert scanned[0] == str(log)
    assert scanned.count(str(log)) == 2  # the other one is of the run without a journal
    scanned[:] = []
    assert jsonl(logs, resume=journal) == jsonl(logs, resume=journal)
    assert scanned == []


def test_what_could_not_be_read_is_tried_again(logs, tmp_path, scanned, monkeypatch):
    journal = tmp_path / "journal"
    log = min((logs / "twitter-status-0").glob("*.log"))
    original = second_look.scan_segment

    def failing(task, *more):
        scan = original(task, *more)
        return replace(scan, failures=((str(log), "input/output error"),)) if scan.path == str(log) else scan

    with monkeypatch.context() as patch:
        patch.setattr(second_look, "scan_segment", failing)
        assert "input/output error" in jsonl(logs, resume=journal)
    scanned[:] = []
    assert jsonl(logs, resume=journal) == jsonl(logs)
    assert scanned[0] == str(log)


def test_what_changes_while_it_is_scanned_is_scanned_again(logs, tmp_path, monkeypatch):
    journal = tmp_path / "journal"
    log = min((logs / "twitter-status-0").glob("*.log"))
    original = second_look.scan_segment

    def writing(task, *more):
        scan = original(task, *more)
        if scan.path == str(log):
            os.utime(log)
        return scan

    with monkeypatch.context() as patch:
        patch.setattr(second_look, "scan_segment", writing)
        jsonl(logs, resume=journal)
    assert str(log) not in {json.loads(line).get("path") for line in lines(journal)}


def test_scans_are_noted_as_soon_as_they_are_done_wherever_that_is(logs, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        there = jsonl(logs, resume=tmp_path / "a", executor=pool)
    assert there == jsonl(logs)
    assert len(lines(tmp_path / "a")) == 1 + len(list(logs.glob("*/*.log")))


def test_other_paths_are_added_to_a_journal(logs, tmp_path, scanned):
    journal = tmp_path / "journal"
    first, second = min(logs.glob("twitter-*")), min(logs.glob("append-*"))
    jsonl(first, resume=journal)
    scanned[:] = []
    both = jsonl([first, second], resume=journal)
    assert {os.path.dirname(path) for path in scanned} == {str(second)}
    assert both == jsonl([first, second])


# --- the clock and the other settings ---


def test_a_journal_brings_its_clock_along(logs, tmp_path):
    journal = tmp_path / "journal"
    jsonl(logs, resume=journal)
    assert verify(logs, resume=journal, next_start=False).now == NOW


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"now": NOW + 1}, f"begun with now {NOW}, and this run has {NOW + 1}"),
        ({"quick": True}, "begun with quick false, and this run has true"),
        ({"hash_inputs": True}, "begun with hash false, and this run has true"),
        ({"max_message_bytes": 5}, "begun with max-message-bytes null, and this run has 5"),
    ],
    ids=["now", "quick", "hash", "max message bytes"],
)
def test_a_journal_of_another_run_is_refused(settings, words, logs, tmp_path):
    journal = tmp_path / "journal"
    jsonl(logs, resume=journal)
    before = journal.read_bytes()
    with pytest.raises(RequestError, match=words):
        jsonl(logs, resume=journal, **settings)
    assert journal.read_bytes() == before


def test_a_journal_of_another_version_is_refused(logs, tmp_path):
    journal = tmp_path / "journal"
    jsonl(logs, resume=journal)
    first, *others = lines(journal)
    for old, new, words in [
        (b'"version": "', b'"version": "9', "was begun with version"),
        (
            b"kafkalog.journal/1",
            b"kafkalog.journal/2",
            "is a kafkalog.journal/2, and this run .* a kafkalog.journal/1",
        ),
    ]:
        journal.write_bytes(first.replace(old, new) + b"".join(others))
        with pytest.raises(RequestError, match=words):
            jsonl(logs, resume=journal)


def test_a_limit_that_changes_scans_is_a_setting(logs, tmp_path):
    words = ["verify", str(logs), "--resume", str(tmp_path / "journal"), "--no-next-start", "--exit-zero"]
    assert CliRunner().invoke(main, words, standalone_mode=False).exception is None
    with pytest.raises(RequestError, match="begun with max-decompressed 134217728, and this run has 1000"):
        CliRunner().invoke(main, [*words, "--max-decompressed", "1000"], standalone_mode=False, catch_exceptions=False)


# --- what may be a journal ---


def test_nothing_is_written_among_what_is_examined(logs, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(logs / "append-time-0", elsewhere)
    (logs / "append-time-0").symlink_to(elsewhere)
    (tmp_path / "way-in").symlink_to(logs)
    log = next((logs / "twitter-status-0").glob("*.log"))
    for journal, path in [
        (logs / "journal", logs),
        (logs / "twitter-status-0" / "journal", logs),
        (logs / "twitter-status-0" / "journal", log),
        (elsewhere / "journal", logs),
        (tmp_path / "way-in" / "journal", logs),
        (logs / "journal", tmp_path / "way-in"),
    ]:
        with pytest.raises(RequestError, match="is examined and must not be changed"):
            verify(path, resume=journal)
        assert not journal.exists()


@pytest.mark.parametrize(
    "content", [b"hello\n", b"{}\n", b"[1]\n", b'{"schema": "kafkalog.verify/1"}\n', b"\0" * 100, b"no line"]
)
def test_a_file_that_is_no_journal_is_refused_and_left_as_it_is(content, logs, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(RequestError, match="is no journal of kafkalog's, and is left as it is"):
        jsonl(logs, resume=file)
    assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["", "-"])
def test_a_journal_is_a_file(name, logs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match="is no name of a file, and a journal is kept in one"):
        jsonl(logs, resume=name)
    assert os.listdir(tmp_path) == ["logs"]


def test_what_cannot_be_written_to_is_refused(logs, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to(tmp_path / "fifo")
    for name, words in [("fifo", "is no regular file"), ("link", "is no regular file"), (".", "is a directory")]:
        with pytest.raises(RequestError, match=words):
            jsonl(logs, resume=tmp_path / name)


def test_two_runs_do_not_write_one_journal(logs, tmp_path):
    ready, go = os.pipe(), os.pipe()

    def hold():
        journal = journals.Journal(str(tmp_path / "journal"), [], "kafkalog.journal/1")
        os.write(ready[1], b".")
        os.read(go[0], 1)
        journal.close()
        return 0

    lifeline = Lifeline()
    holder = lifeline.fork(hold)
    os.read(ready[0], 1)
    try:
        with pytest.raises(RequestError, match="is in use by another run"):
            jsonl(logs, resume=tmp_path / "journal")
    finally:
        os.write(go[1], b".")
        os.waitpid(holder, 0)
        lifeline.close()
        for end in (*ready, *go):
            os.close(end)
    assert jsonl(logs, resume=tmp_path / "journal") == jsonl(logs)


def test_a_full_disk_ends_the_run_and_what_was_noted_stays(logs, tmp_path, monkeypatch, scanned):
    journal = tmp_path / "journal"
    calls = []

    def full(descriptor, data):
        calls.append(len(data))
        if len(calls) > 3:
            raise OSError(28, "No space left on device")
        return os.write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(journals, "os", type("os", (), {**vars(os), "write": staticmethod(full)}))
        with pytest.raises(UnwritableFile, match=r"no space left on device\. What was noted before is kept"):
            jsonl(logs, resume=journal)
    noted = len(lines(journal)) - 1
    assert noted == 2
    scanned[:] = []
    assert jsonl(logs, resume=journal) == jsonl(logs)
    assert len(scanned) == 2 * len(list(logs.glob("*/*.log"))) - noted


# --- damage ---


def test_damaged_lines_are_not_believed(logs, tmp_path, scanned):
    journal, whole = tmp_path / "journal", jsonl(logs)
    jsonl(logs, resume=journal)
    head, *rows = lines(journal)
    for number in random.Random(1).sample(range(len(rows)), 5):
        row = rows[number]
        for damaged in (
            row[:-20] + b"\n",
            row.replace(b"[", b"(", 1),
            bytes(len(row) - 1) + b"\n",
            b"\n",
            row[:50] + bytes([row[50] ^ 1]) + row[51:],
        ):
            journal.write_bytes(head + b"".join([*rows[:number], damaged, *rows[number + 1 :]]))
            scanned[:] = []
            assert jsonl(logs, resume=journal) == whole
            assert scanned == [json.loads(row)["path"]]


@pytest.mark.parametrize(
    "scan",
    [None, 1, {}, [], [0] * 31, "x", [0, "p", [["id", 9]]]],
    ids=["null", "number", "object", "empty", "numbers", "text", "half a finding"],
)
def test_a_line_with_a_right_checksum_and_wrong_content_is_not_believed(scan, logs, tmp_path, scanned):
    journal, whole = tmp_path / "journal", jsonl(logs)
    jsonl(logs, resume=journal)
    head, row, *rows = lines(journal)
    body = json.dumps({"key": json.loads(row)["key"], "path": "", "scan": scan}).encode()[1:] + b"\n"
    journal.write_bytes(head + b'{"crc": "%08x", ' % crc32c(body) + body + b"".join(rows))
    scanned[:] = []
    assert jsonl(logs, resume=journal) == whole
    assert scanned == [json.loads(row)["path"]]


# --- scans as JSON ---


def test_every_scan_of_the_fixtures_comes_back_as_it_was(monkeypatch):
    seen = []
    original = second_look.scan_segment

    def noting(task, *more):
        seen.append(original(task, *more))
        return seen[-1]

    monkeypatch.setattr(second_look, "scan_segment", noting)
    for log_dir in [fixture("2.1.1", "plain"), fixture("3.9.1", "edge")]:
        verify(log_dir.path(), now=NOW, next_start=False, hash_inputs=True, max_message_bytes=50)
    assert len(seen) > 20
    for scan in seen:
        again = scan_from_json(json.loads(json.dumps(scan_to_json(scan))))
        assert again == scan
        assert repr(again) == repr(scan)


def test_each_field_of_a_scan_has_its_type():
    data = scan_to_json(SegmentScan(base_offset=5, path="a"))
    assert scan_from_json(data) == SegmentScan(base_offset=5, path="a")
    for number in range(len(data)):
        with pytest.raises(ValueError, match=r"is no|zip|unpack|not in"):
            scan_from_json([*data[:number], 1.5, *data[number + 1 :]])


def test_all_settings_of_a_scan_are_in_the_first_line(logs, tmp_path):
    jsonl(logs, resume=tmp_path / "journal")
    settings = {*Settings._fields} - {"lanes"}  # which is how, not what
    assert set(json.loads(lines(tmp_path / "journal")[0])) == {"schema", "version", "max_decompressed", *settings}


def test_how_a_scan_is_done_does_not_matter(logs, tmp_path, scanned, monkeypatch):
    journal = tmp_path / "journal"
    monkeypatch.setattr(engine, "LANES_PAY_FROM", 0)
    whole = jsonl(logs, resume=journal)
    monkeypatch.setattr(engine, "LANES_PAY_FROM", 1 << 60)
    scanned[:] = []
    assert jsonl(logs, resume=journal) == whole
    assert scanned == []
