"""The line of progress: when it is shown, what it says, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import time
from unittest import mock

import pyte
import pytest
from rich.cells import cell_len

from kafkalog.cli import progress, streams
from kafkalog.cli.main import main
from kafkalog.files import meter
from kafkalog.files.source import read_file
from kafkalog.render.progress_line import ProgressLine
from tests.log_dirs import FIXTURES

PLAIN = FIXTURES / "broker" / "2.1.1" / "plain"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Puts a terminal in the place of stderr; to be called in the test, because pytest puts its own there before."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress, "_FIRST", 0.0)

    def put(stream=None):
        monkeypatch.setattr(sys, "stderr", stream or Terminal())
        return sys.stderr

    return put


def screen_of(stream):
    """What a terminal shows in the end, and that it is as it was but for the place of the cursor."""
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(stream.getvalue().replace("\n", "\r\n"))
    assert (screen.cursor.x, screen.cursor.hidden) == (0, False)
    return [line.rstrip() for line in screen.display if line.strip()]


def until(condition):
    """Wait for another thread."""
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.001)
    raise AssertionError


def test_the_line_names_bytes_share_rate_time_left_and_the_partition(terminal):
    stream = terminal()
    counted = meter.Meter()
    line = ProgressLine(stream, counted, lambda: 12 << 30, after=0.0, columns=80)
    counted.add("/d/\x1b[31morders-0/00000000000000000000.log", 3 << 30)
    line.show_later()
    until(lambda: "orders-0" in stream.getvalue())
    line.end()
    assert re.search(
        r"\r3\.0 GiB of 12\.0 GiB  25 %  [\d.]+ \w+/s  (\d.* left  )?\\x1b\[31morders-0",
        re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue()),
    ), stream.getvalue()


def test_the_line_never_takes_a_second_one_however_long_the_name_is(terminal):
    stream = terminal()
    counted = meter.Meter()
    counted.add(f"/d/{'a-long-name' * 20}-7/00000000000000000000.log", 3 << 30)
    for columns in (40, 60, 80):
        line = ProgressLine(stream, counted, lambda: None, after=0.0, columns=columns)
        assert cell_len(line._text(None)) < columns
        assert line._text(1 << 40).startswith("3.0 GiB of 1.0 TiB  0 %  ")
        assert cell_len(line._text(1 << 40)) < columns
    assert "-7" in line._text(None)


@pytest.mark.parametrize("command", [["info"], ["info", "--full"], ["show", "--offset", "500"]])
def test_info_and_show_have_a_line_while_they_search(command, terminal):
    stream = terminal()
    begun = []

    class Shown(ProgressLine):
        def show_later(self):
            begun.append(self)

    with mock.patch("kafkalog.render.progress_line.ProgressLine", Shown), contextlib.redirect_stdout(io.StringIO()):
        main.main(args=[*command, str(PLAIN / "twitter-status-0")], prog_name="kafkalog", standalone_mode=False)
    assert len(begun) == 1
    assert stream.getvalue() == ""


def test_a_command_that_is_over_soon_imports_nothing_of_rich_but_the_width_of_characters():
    code = "import sys, kafkalog.render.progress_line; print([name for name in sys.modules if name.startswith('rich.')])"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "rich.progress" not in names
    assert "rich.console" not in names


def test_it_moves_with_every_window_that_is_read_and_erases_itself(terminal):
    stream = terminal()
    log = PLAIN / "twitter-status-0" / "00000000000000000000.log"
    with progress.shown([str(PLAIN)]):
        read_file(str(log))
        until(lambda: "twitter-status-0" in stream.getvalue())
        before = stream.getvalue()
        read_file(str(log))
        until(lambda: "KiB" in stream.getvalue()[len(before) :])
    assert screen_of(stream) == []


def test_what_forked_workers_read_counts_too():
    counted = meter.Meter()
    meter.use(counted)
    try:
        worker = os.fork()
        if not worker:
            meter.note_read("/d/a-0/1.log", 5)
            os._exit(0)
        os.waitpid(worker, 0)
        meter.note_read("/d/b-0/1.log", 7)
    finally:
        meter.use(None)
    meter.note_read("/d/c-0/1.log", 9)
    assert (counted.total, counted.path) == (12, "/d/b-0/1.log")


def test_what_is_said_meanwhile_stands_on_a_line_of_its_own(terminal):
    stream = terminal()
    with progress.shown([str(PLAIN)]):
        until(lambda: "B/s" in stream.getvalue())
        streams.say("a warning")
        until(lambda: "a warning" in stream.getvalue())
    assert screen_of(stream) == ["a warning"]


@pytest.mark.parametrize(("term", "stderr"), [("dumb", Terminal), ("xterm", io.StringIO)])
def test_only_a_terminal_that_can_erase_it_is_shown_a_line(term, stderr, terminal, monkeypatch):
    monkeypatch.setenv("TERM", term)
    stream = terminal(stderr())
    with progress.shown([str(PLAIN)]):
        time.sleep(0.01)
    assert stream.getvalue() == ""


def test_where_output_is_printed_on_the_terminal_meanwhile_there_is_no_line(terminal, monkeypatch):
    stream = terminal()
    monkeypatch.setattr(sys, "stdout", Terminal())
    with progress.shown([str(PLAIN)], beside_output=False):
        time.sleep(0.01)
    assert stream.getvalue() == ""


def test_only_the_files_that_a_command_reads_count(tmp_path):
    for name in ("a-0", "b-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.log").write_bytes(b"12345")
    assert progress._size_of([str(tmp_path)], lambda name: name == "a-0") == 5
    assert progress._size_of([str(tmp_path), str(tmp_path / "gone")], lambda _: True) == 10
