"""What all commands have in common: stdout that takes nothing, readers that go, times, usage."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from kafkalog.cli import version
from kafkalog.cli.main import COMMANDS, main
from kafkalog.verify import verify
from tests.dump.golden import run as dump
from tests.log_dirs import FIXTURES, fixture

TWITTER = FIXTURES / "broker/2.1.1/plain/twitter-status-0/00000000000000000000.log"
NO_SPACE = b"kafkalog: cannot write the output: no space left on device\n"
#: What a command examines where it prints something in either format.
EXAMINED = {
    "info": fixture("2.1.1", "plain").path(),
    "show": TWITTER,
    "dump": TWITTER,
    "export": TWITTER,
    "salvage": TWITTER.parent,
    "diff": TWITTER.parent,
    "carve": TWITTER,
    "verify": fixture("2.1.1", "plain").path(),
    "report": fixture("2.1.1", "plain").path(),
    "merge": "run.jsonl",
    "next-start": fixture("2.1.1", "plain").path(),
    "timeline": fixture("2.1.1", "plain").path(),
    "groups": fixture("2.8.2", "groups").path(),
    "transactions": fixture("2.1.1", "txn").path(),
    "metadata": fixture("4.3.1", "meta-n1").path(),
}
#: What a command must be told besides, and its formats where these are others than text and jsonl.
TOLD = {
    "export": ["-o", "-"],
    "report": ["-o", "-"],
    "salvage": ["-o", "new"],
    "carve": ["-o", "new"],
    "diff": [TWITTER.parent],
}
FORMATS = {"export": ["csv", "jsonl"], "report": [None]}
#: What each command can print, and what it must be told for it.
PRINTED = [
    (command, [*TOLD.get(command, []), *([] if form is None else ["--format", form])])
    for command in COMMANDS
    for form in FORMATS.get(command, ["text", "jsonl"])
]


def examined_by(command, tmp_path, monkeypatch):
    """What a command is given, seen from a new folder, into which it may write."""
    monkeypatch.chdir(tmp_path)
    if command == "merge":
        (tmp_path / EXAMINED[command]).write_text(verify(TWITTER.parent).to_jsonl())
    return [EXAMINED[command]] if command in EXAMINED else []


def kafkalog(*arguments, **streams):
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    command = [sys.executable, "-m", "kafkalog", *map(str, arguments)]
    return subprocess.run(command, stderr=subprocess.PIPE, env=environment, check=False, **streams)


def on_a_full_disk(*arguments):
    with open("/dev/full", "wb") as full:
        return kafkalog(*arguments, stdout=full)


def to_a_reader_that_has_gone(*arguments):
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "wb") as pipe:
        return kafkalog(*arguments, stdout=pipe)


@pytest.mark.parametrize(("command", "words"), PRINTED)
def test_output_that_cannot_be_written_is_one_line_and_an_exit_status(command, words, tmp_path, monkeypatch):
    path = examined_by(command, tmp_path, monkeypatch)
    done = on_a_full_disk(command, *path, *words)
    assert (done.returncode, done.stderr) == (1 if command == "dump" else 3, NO_SPACE)


@pytest.mark.parametrize(("command", "words"), PRINTED)
def test_a_reader_that_has_gone_is_no_error(command, words, tmp_path, monkeypatch):
    path = examined_by(command, tmp_path, monkeypatch)
    done = to_a_reader_that_has_gone(command, *path, *words)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["verify", "--help"], ["rules", "batch-crc-mismatch"], ["verify", "--jobs", "2"]]
)
def test_output_of_a_few_lines_that_cannot_be_written_is_said_too(arguments):
    path = [EXAMINED["verify"]] if "--jobs" in arguments else []
    done = on_a_full_disk(*arguments, *path)
    assert (done.returncode, done.stderr) == (3, NO_SPACE)


def test_workers_say_once_that_their_output_cannot_be_written(tmp_path):
    log = tmp_path / TWITTER.name
    log.write_bytes(TWITTER.read_bytes() * 300)
    done = on_a_full_disk("dump", log, "--print-data-log", "--jobs", "2")
    assert done.returncode == 1
    assert done.stderr.startswith(b"kafkalog: cannot write the output: ")
    assert len(done.stderr.splitlines()) == 1


def test_errors_that_nobody_can_be_told_change_no_exit_status():
    for closed in ("2>&-", "2>/dev/full"):
        for arguments, status in ((["verify", "nowhere"], 3), (["verify", "--frobnicate"], 2), (["dump", "nowhere"], 1)):
            command = " ".join([sys.executable, "-m", "kafkalog", *arguments, closed, ">/dev/null"])
            environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
            assert subprocess.run(["bash", "-c", command], env=environment, check=False).returncode == status, command


TIMES = ("2019-02-12T19:33:50Z", "2019-02-12T20:33:50+01:00", "2019-02-12T19:33:50", "@1550000030000")


@pytest.mark.parametrize("written", [*TIMES, "1550000030000"])
def test_a_time_is_written_in_one_way_for_every_option(written):
    def out(*arguments):
        done = CliRunner().invoke(main, [*map(str, arguments)])
        assert done.exit_code in (0, 1), done.output
        return done.stdout

    lines = [json.loads(line) for line in out("verify", TWITTER, "--format", "jsonl", "--now", written).splitlines()]
    assert lines[-1]["now"] == 1550000030000
    assert out("groups", EXAMINED["groups"], "--now", written) == out("groups", EXAMINED["groups"], "--now", TIMES[0])
    for option, batches in (("--since", 17), ("--until", 7)):
        _, printed, _ = dump([str(TWITTER), option, written])
        assert printed.count(b"baseOffset") == batches
    if written in TIMES:  # a bare number is an offset where one may stand
        transactions = ("transactions", EXAMINED["transactions"], "--format", "jsonl", "--at")
        assert out(*transactions, written) == out(*transactions, TIMES[0])


@pytest.mark.parametrize("command", ["verify", "next-start", "groups", "transactions", "dump"])
def test_a_release_that_never_was_is_a_usage_error_with_the_range(command):
    done = CliRunner().invoke(main, [command, "--kafka-version", "4.5", str(EXAMINED[command])])
    assert done.exit_code == 2
    assert "0.11.0.0" in done.stderr
    assert "4.4.0" in done.stderr


def test_the_version_of_each_codec_is_that_of_the_installed_package(monkeypatch):
    lines = version.version_lines()
    for package in ("cramjam", "lz4", "zstandard", "crc32c"):
        assert f"{package} {metadata.version(package)})" in lines[2]
    monkeypatch.setattr(version, "sys", SimpleNamespace(path=[]))  # as in an archive, which importlib.metadata looks into
    assert version.version_lines() == lines
    monkeypatch.setattr(metadata, "version", lambda package: metadata.distribution(f"no-{package}").version)
    assert "lz4 (lz4 is missing)" in version.version_lines()[2]
