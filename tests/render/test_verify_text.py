"""A report as people read it."""

from __future__ import annotations

import io
import re
import shutil

import pytest

import kafkalog
from kafkalog.render.text_verify import print_report
from tests.log_dirs import FIXTURES

BROKER = FIXTURES / "broker"
NOW = 1795500000000


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def printed(report, stream=None):
    stream = stream or io.StringIO()
    print_report(report, stream)
    return stream.getvalue()


@pytest.mark.parametrize(("set_by", "has_colour"), [(None, True), ("NO_COLOR", False)])
def test_a_terminal_gets_colours_unless_no_color_is_set(set_by, has_colour, monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    if set_by is not None:
        monkeypatch.setenv(set_by, "1")
    report = kafkalog.verify(BROKER / "2.1.1" / "plain", now=NOW)
    assert bool(re.search("\x1b\\[[0-9;]*3[0-9]", printed(report, Terminal()))) == has_colour


def test_what_sound_partitions_hold_besides_is_told_once_for_all_of_them():
    report = kafkalog.verify(BROKER / "2.1.1" / "plain", now=NOW)
    assert len(report.partitions) > 1
    text = printed(report)
    rules = [line.split()[1] for line in text.splitlines() if line.startswith("  info  ")]
    assert len(rules) == len(set(rules)) > 0
    assert " directories)" in text
    assert text.splitlines()[-3].endswith("now 2026-11-24T06:00:00.000Z")


def test_the_findings_of_a_damaged_partition_stand_apart_and_first(tmp_path):
    log_dir = tmp_path / "plain"
    for source in sorted((BROKER / "2.1.1" / "plain").rglob("*")):
        if source.is_file():
            target = log_dir / source.relative_to(BROKER / "2.1.1" / "plain")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    log = log_dir / "twitter-status-0" / "00000000000000000000.log"
    data = bytearray(log.read_bytes())
    data[8000] ^= 1
    log.write_bytes(data)
    lines = printed(kafkalog.verify(log_dir, now=NOW)).splitlines()
    assert lines[0].startswith(f"data-loss  {log_dir}/twitter-status-0: valid through offset ")
    assert lines[1] == "  error  batch-crc-mismatch"
    assert next(line for line in lines if line.startswith("benign  what the")).endswith("sound partitions hold besides:")


def test_one_sound_partition_is_told_of_in_the_singular(tmp_path):
    for name in ("odd-times-0", "twitter-status-0"):
        shutil.copytree(BROKER / "2.1.1" / "plain" / name, tmp_path / name)
    log = tmp_path / "twitter-status-0" / "00000000000000000000.log"
    log.write_bytes(log.read_bytes()[:-1])
    lines = printed(kafkalog.verify(tmp_path, now=NOW)).splitlines()
    assert "benign  what the 1 sound partition holds besides:" in lines


@pytest.mark.parametrize("columns", ["60", "120"])
def test_prose_is_wrapped_on_a_terminal_with_its_indentation_and_paths_are_not(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    path = BROKER / "2.1.1" / "plain" / "twitter-status-0"
    text = printed(kafkalog.verify(path, now=NOW), Terminal())
    prose = [line for line in text.splitlines() if line.startswith("    ") and str(path) not in line]
    assert prose
    assert max(map(len, prose)) <= int(columns)
    place = next(line for line in text.splitlines() if f"{path}/partition.metadata" in line)
    assert place == f"    {path}/partition.metadata"
