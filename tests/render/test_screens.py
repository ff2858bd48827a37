"""What a terminal of 80 or 120 columns shows, and that it is left as it was, whatever names and payloads hold."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import sys
import termios

import pyte
import pytest

import kafkalog
from kafkalog.next_start.api import next_starts
from kafkalog.render.items import Line, Table
from kafkalog.render.screen import Screen
from kafkalog.render.text_groups import groups_text
from kafkalog.render.text_next_start import next_starts_text
from kafkalog.render.text_verify import report_text
from kafkalog.replay.groups import read_groups
from kafkalog.replay.until import END
from tests.internal_topics import offset_key, offset_value
from tests.log_dirs import FIXTURES
from tests.replay.test_groups import batch, write_log

BROKER = FIXTURES / "broker"
NOW = 1795500000000
#: Colours, titles, other screens, modes, strings that never end, moves, line ends, text that runs backwards, other characters.
HOSTILE = (
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "\x1b[?1049h",
    "\x1b[?25l",
    "\x1bPnever",
    "\x9b9B",
    "a\nb\rc",
    "\u202ebackwards",
    "\x0e",
)
ROWS = 400


def picture(data, columns):
    """The screen after these bytes, as text and as the terminal's state."""
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(data.replace("\n", "\r\n"))
    return screen


def state_of(screen):
    return screen.cursor.attrs, screen.cursor.hidden, screen.mode, screen.title, screen.charset, screen.margins


def shown(items, columns):
    """Items on a coloured terminal of so many columns; it must be left as it was."""
    stream = io.StringIO()
    Screen(stream, columns, is_coloured=True).show(items)
    screen = picture(stream.getvalue(), columns)
    assert state_of(screen) == state_of(pyte.Screen(columns, ROWS))
    assert screen.cursor.x == 0
    return [line.rstrip() for line in screen.display]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A log dir with a damaged partition whose name is hostile, beside sound ones whose names are."""
    root = tmp_path_factory.mktemp("screen") / "d"
    for name in HOSTILE:
        shutil.copytree(BROKER / "2.1.1/plain/twitter-status-0", root / f"{name}-0")
    log = root / f"{HOSTILE[0]}-0" / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[8000] ^= 1
    log.write_bytes(data)
    return root


@pytest.fixture(scope="module")
def report(hostile):
    return kafkalog.verify(hostile, now=NOW, next_start=False)


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("detail", [None, "headline", "everything"])
def test_verify_leaves_a_terminal_as_it_was_and_shows_hostile_names_escaped(report, columns, detail):
    lines = shown(report_text(report, detail=detail), columns)
    assert any(r"\x1b[31mred-0" in line for line in lines)
    assert sum(map(bool, lines)) > 5


@pytest.mark.parametrize("columns", [80, 120])
def test_next_start_leaves_a_terminal_as_it_was_and_shows_hostile_names_escaped(hostile, columns):
    outcomes = list(next_starts([hostile], kafka_version="2.1"))
    lines = shown(next_starts_text(outcomes, set(), detail="everything"), columns)
    assert any(r"\x1b[31mred-0" in line for line in lines)


@pytest.mark.parametrize("columns", [80, 120])
def test_groups_leave_a_terminal_as_it_was_and_fit_it(tmp_path, columns):
    records = [batch(at, offset_key(name, f"t{name}", 0), offset_value(1, name)) for at, name in enumerate(HOSTILE)]
    write_log(tmp_path, records)
    lines = shown(groups_text(read_groups([tmp_path], END), now=NOW), columns)
    assert any(r"\x1b[31m" in line for line in lines)
    headings = [at for at, line in enumerate(lines) if line.startswith("group ")]
    rows = [line for at in headings for line in lines[at : at + len(HOSTILE) + 1]]
    assert len(rows) >= 2 * (len(HOSTILE) + 1), "each row of a table takes one line"
    assert all(line for line in rows)


def test_every_line_and_table_of_any_text_is_escaped_by_the_screen_itself():
    for name in HOSTILE:
        shown([name, Line(2, name, name, prose=True), Line(0, name, name, hang=5, style="error")], 80)
        shown([Table((name, "n"), [[name, 1], [f"{name * 30}", 2]], styled=0)], 80)


def test_a_table_that_is_too_wide_goes_on_below_after_its_first_column():
    headings = tuple(f"column-{number}" for number in range(12))
    lines = shown([Table(headings, [[f"row-{row}", *range(1000, 1011)] for row in range(3)])], 80)
    text = [line for line in lines if line]
    assert len(text) == 8
    assert text[0].split()[0] == text[4].split()[0] == "column-0"
    assert {word for line in (text[0], text[4]) for word in line.split()} == set(headings)
    assert text[5].split()[0] == "row-0"


def test_a_table_that_goes_on_below_repeats_all_columns_that_tell_its_rows_apart():
    rows = [["audit", "clicks", number, *(["x" * 30] * 3)] for number in range(4)]
    lines = [line for line in shown([Table(("group", "topic", "partition", "a", "b", "c"), rows)], 60) if line]
    assert [line.split()[:3] for line in lines[5:]] == [
        ["group", "topic", "partition"],
        *(["audit", "clicks", str(n)] for n in range(4)),
    ]


def test_a_spare_column_is_left_out_where_it_would_cost_others_their_ends():
    table = Table(("what", "why"), [["a-name-of-some-length", "a-rule-of-some-length"]], spare=(1,))
    assert shown([table], 50)[0].split() == ["what", "why"]
    assert shown([table], 40)[:2] == ["what", "a-name-of-some-length"]


def test_long_names_keep_both_ends_and_columns_without_a_value_are_left_out():
    name = "orders-of-the-whole-company-in-all-countries-and-years" * 2
    lines = shown([Table(("topic", "nothing", "partition"), [[f"{name}-1", None, 7], [f"{name}-2", None, 8]])], 80)
    assert lines[0].split() == ["topic", "partition"]
    assert lines[1].startswith("orders-of")
    assert [line.split()[0][-2:] for line in lines[1:3]] == ["-1", "-2"]
    assert all("…" in line for line in lines[1:3])


def test_a_real_terminal_shows_the_verdict_in_colour_and_is_left_as_it_was(hostile):
    columns = 80
    process, terminal = pty.fork()
    if not process:
        os.environ |= {"TERM": "xterm-256color", "PYTHONPATH": str(FIXTURES.parent)}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            os.environ.pop(name, None)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(sys.executable, [sys.executable, "-m", "kafkalog", "verify", "--no-next-start", str(hostile)])
    output = b""
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            break
        if not data:
            break
        output += data
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 1
    os.close(terminal)
    screen = picture(output.decode().replace("\r\n", "\n"), columns)
    assert state_of(screen) == state_of(pyte.Screen(columns, ROWS))
    row = next(at for at, line in enumerate(screen.display) if line.startswith("data-loss  ") and " of " in line)
    assert (screen.buffer[row][0].fg, screen.buffer[row][0].bold) == ("red", True)
    assert screen.buffer[row][11].fg == "default"
    below = [line for line in screen.display[row:] if line.strip()]
    assert len(below) <= 24


@pytest.mark.parametrize(
    ("color", "environment", "is_terminal", "is_coloured"),
    [
        ("auto", {"TERM": "xterm"}, True, True),
        ("auto", {"TERM": "xterm"}, False, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ("auto", {"TERM": "xterm", "NO_COLOR": ""}, True, True),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "xterm", "FORCE_COLOR": "1"}, False, True),
        ("always", {"TERM": "dumb", "NO_COLOR": "1"}, False, True),
        ("never", {"TERM": "xterm", "FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colours_follow_the_option_then_the_environment_then_the_terminal(
    color, environment, is_terminal, is_coloured, monkeypatch
):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal, raising=False)
    screen = Screen.of(stream, color)
    assert screen.is_coloured == is_coloured
    assert (screen.width is None) == (not is_terminal)
    screen.show([Line(0, "data-loss", "text")])
    assert ("\x1b[" in stream.getvalue()) == is_coloured


def test_no_word_is_yellow_or_cyan_which_a_light_background_swallows(report):
    stream = io.StringIO()
    Screen(stream, 80, is_coloured=True).show(report_text(report, detail="everything"))
    used = {code for codes in re.findall(r"\x1b\[([0-9;]*)m", stream.getvalue()) for code in codes.split(";")}
    assert {"1", "31"} < used <= {"0", "1", "31", "32", "35"}
