"""One run lists each directory once and opens each small file once: what is reported is of one moment."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from pathlib import Path

import pytest

from kafkalog import next_start, next_starts, read_groups, read_metadata, read_transactions, verify
from kafkalog.core.filename import BOOTSTRAP_CHECKPOINT, TEXT_FILES
from tests.log_dirs import fixture

NOW = 1_790_000_000_000
LOG_DIRS = {
    "ZooKeeper": ("2.1.1", "plain"),
    "KRaft, a clean stop": ("4.3.1", "meta-n1"),
    "KRaft, one of two brokers": ("3.9.1", "cluster-final-n1"),
}
COMMANDS = {
    "verify": lambda path: verify(path, now=NOW),
    "verify with two workers": lambda path: verify(path, now=NOW, jobs=2),
    "next-start": lambda path: list(next_starts([path])),
    "groups": read_groups,
    "transactions": read_transactions,
    "metadata": read_metadata,
}

#: The directory that is watched, and the descriptor to write to, which workers inherit; empty: nobody asks.
_watched: list[tuple[str, int]] = []


def _watch(event, args):
    if not _watched or event not in ("open", "os.scandir", "os.listdir") or not isinstance(args[0], str):
        return
    root, descriptor = _watched[0]
    if os.path.abspath(args[0]).startswith(root):
        os.write(descriptor, f"{event} {os.path.relpath(args[0], root)}\n".encode())


sys.addaudithook(_watch)


def seen_by(command, path, notes):
    """How often each directory was listed, and each file opened, by the command and its workers."""
    descriptor = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        _watched.append((str(path), descriptor))
        command(path)
    finally:
        _watched.clear()
        os.close(descriptor)
    lines = [line.split(" ", 1) for line in notes.read_text().splitlines()]
    return Counter(name for event, name in lines if event != "open"), Counter(name for event, name in lines if event == "open")


def is_small(name):
    name = os.path.basename(name)
    return name in TEXT_FILES or name.endswith(".snapshot")


@pytest.mark.parametrize("of", LOG_DIRS)
@pytest.mark.parametrize("command", COMMANDS)
def test_each_directory_is_listed_once_and_each_small_file_opened_once(command, of, tmp_path):
    path = Path(fixture(*LOG_DIRS[of]).path())
    listed, opened = seen_by(COMMANDS[command], path, tmp_path / "seen")
    # Logs that nobody serves are replayed by none.
    marks = () if command.startswith(("verify", "next-start")) else ("-delete", "-stray", "-future")
    assert set(listed) == {".", *(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.endswith(marks))}
    assert {name: times for name, times in listed.items() if times > 1} == {}
    assert {name: times for name, times in opened.items() if is_small(name) and times > 1} == {}
    if command.startswith("verify"):
        assert {name for name in opened if is_small(name)} == {
            str(file.relative_to(path)) for file in path.rglob("*") if file.is_file() and is_small(file.name)
        }


@pytest.mark.parametrize("of", LOG_DIRS)
def test_a_log_is_opened_by_the_scan_and_by_the_models_of_loading_and_of_consumers(of, tmp_path):
    path = Path(fixture(*LOG_DIRS[of]).path())
    _, opened = seen_by(COMMANDS["verify"], path, tmp_path / "seen")
    # Logs of the internal topics are replayed, too.
    most = {name: 4 if name.endswith(".log") else 2 for name in opened if not name.startswith("__")}
    assert {name: opened[name] for name, times in most.items() if opened[name] > times} == {}
    assert opened[BOOTSTRAP_CHECKPOINT] <= 2


def test_one_partition_of_a_log_dir_is_predicted_from_one_look_at_both(tmp_path):
    path = Path(fixture("4.3.1", "meta-n1").path())
    listed, opened = seen_by(lambda path: next_start(path / "kept-0"), path, tmp_path / "seen")
    assert listed["."] == listed["kept-0"] == 1
    assert {name: times for name, times in opened.items() if is_small(name) and times > 1} == {}


def test_what_changes_after_the_look_does_not_get_into_the_report(tmp_path, monkeypatch):
    """A broker that is stopped while it is looked at: the marker comes when the log dir has been listed."""
    from kafkalog.files.log_dir import LogDir

    path = shutil.copytree(fixture("3.9.1", "cluster-final-n1").path(), tmp_path / "d")
    (path / ".kafka_cleanshutdown").unlink()
    unclean = {outcome.assumed.stop for outcome in next_starts([path])}
    made = LogDir.__init__

    def stopped_then(self, *args):
        made(self, *args)
        (path / ".kafka_cleanshutdown").write_text('{"version":0,"brokerEpoch":1}')

    monkeypatch.setattr(LogDir, "__init__", stopped_then)
    report = verify(path, now=NOW)
    assert {o.assumed.stop for p in report.partitions for o in p.next_start} == unclean == {"unclean"}
    assert not any(finding.path.endswith(".kafka_cleanshutdown") for finding in report.all_findings())
