"""What a log dir holds does nothing to the terminal on which a command shows it: names, keys, values, mistyped words."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata

import pytest

from kafkalog.core.printable import printable, printable_json
from tests import encode
from tests.encode import R
from tests.log_dirs import FIXTURES

#: Freezes tmux; sets the title; hides what follows; a C1 CSI; turns the order round; has no width; deletes; goes back; a line.
HOSTILE = "\x1bPx \x1b]0;title\x07 \x1b[8m \x9b8m \u202e \u200b \u3164 \x7f \r \t \nforged: line"
FILE_NAME = "t\x1bP\x9b\u202e\u200b\x7f\n\x80"
#: kafkalog's own: colours, and the end of a line of progress.
OURS = re.compile("\x1b\\[(?:0|1|2|[1-9];|3[0-7]|9[0-7]|;)*m|\r\x1b\\[K|\r\n")


def on_a_terminal(*arguments: str | bytes) -> tuple[int, str]:
    """Exit status of `kafkalog`, and what reaches a terminal that both of its streams go to."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent), "TERM": "xterm-256color"}
    with subprocess.Popen(
        [sys.executable, "-m", "kafkalog", *arguments], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while piece := os.read(ours, 1 << 16):
                shown += piece
        except OSError:  # how Linux says that nobody holds the other side any more
            pass
        os.close(ours)
        return process.wait(), shown.decode("utf-8", "surrogateescape")


def is_harmless(text: str) -> bool:
    """By categories of Unicode: nothing that controls, formats, is no character or has no width."""
    kinds = {unicodedata.category(char) for char in text}
    return not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} and "\u3164" not in text


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory):
    """A log dir whose every name and record is hostile; and the log file in it."""
    folder = os.fsencode(tmp_path_factory.mktemp("hostile")) + os.fsencode(f"/{FILE_NAME}-0")
    parent = os.path.dirname(folder) + b"/d\x1b]0;x\x07\x9b"
    partition = parent + b"/" + os.path.basename(folder)
    os.makedirs(partition)
    payload = HOSTILE.encode()
    records = [R(key=payload, value=payload, headers=[(payload, payload)])]
    log = partition + b"/00000000000000000000.log"
    with open(log, "wb") as file:
        file.write(
            encode.batch(records, base_offset=0) + encode.message(1, payload, payload) + encode.batch(records, base_offset=2)
        )
    for name, content in {
        b"meta.properties": "version=0\nbroker.id=1\ncluster.id=" + HOSTILE.replace("\n", " "),
        b"\x1bPx": "",
    }.items():
        with open(parent + b"/" + name, "w", encoding="utf-8") as file:
            file.write(content)
    return parent, log


COMMANDS = [
    "dump --print-data-log",
    "dump --print-data-log --payload text --format jsonl",
    "verify",
    "next-start",
    "groups",
    "info --segments",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_but_what_can_be_seen_reaches_the_terminal(log_dir, command):
    status, shown = on_a_terminal(*command.split(), log_dir[0])
    assert status in (0, 1, 3)
    assert "Traceback" not in shown
    assert is_harmless(OURS.sub("", shown)), [char for char in OURS.sub("", shown) if not is_harmless(char)]
    assert "\x1b[8m" not in shown
    if command.startswith("dump"):
        assert "forged" in shown
        assert not re.search("^forged", shown, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["dump", f"/missing/{FILE_NAME}"],
        ["dump", "--format", HOSTILE, "x"],
        [HOSTILE],
    ],
)
def test_errors_repeat_nothing_that_cannot_be_seen(arguments):
    status, shown = on_a_terminal(*arguments)
    assert status in (1, 2, 3)
    assert is_harmless(OURS.sub("", shown)), shown


def test_escaped_is_what_was_asked_for_and_raw_is_raw(log_dir):
    _, log = log_dir
    arguments = ["dump", "--files", os.fsdecode(log), "--print-data-log"]
    _, shown = on_a_terminal(*arguments)
    assert printable(HOSTILE) in shown
    assert "\\x1bPx \\x1b]0;title\\x07 \\x1b[8m \\x9b8m \\u202e \\u200b \\u3164 \\x7f \\r \\t \\nforged" in shown
    environment = {**os.environ, "PYTHONPATH": str(FIXTURES.parent)}
    piped = subprocess.run(
        [sys.executable, "-m", "kafkalog", *arguments], capture_output=True, check=True, env=environment
    ).stdout
    assert piped.count(f"payload: {HOSTILE}\n".encode()) == 3
    _, raw = on_a_terminal(*arguments, "--raw")
    assert raw.replace("\r\n", "\n").encode("utf-8", "surrogateescape") == piped


def test_json_stays_json():
    values = {"key": HOSTILE, "é": ["\U000e0041\x85", "\u2028", "grün 日本"]}
    text = json.dumps(values, ensure_ascii=False)
    shown = printable_json(text + "\n")
    assert shown.endswith("}\n")
    assert is_harmless(shown[:-1])
    assert json.loads(shown) == values
    assert "grün 日本" in shown
