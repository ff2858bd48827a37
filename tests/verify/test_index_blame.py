"""A wrong entry of an index is named, and its neighbours are not."""

from __future__ import annotations

import shutil

import pytest

import kafkalog
from kafkalog.verify import Severity
from tests.log_dirs import FIXTURES

PARTITION = FIXTURES / "broker" / "2.1.1" / "plain" / "twitter-status-0"
SEGMENT = "00000000000000000476"


def spans_of(tmp_path, suffix, at, width, value):
    """The spans of the findings above INFO, after the bytes at a place were replaced."""
    copy = tmp_path / "twitter-status-0"
    copy.mkdir()
    for name in (".log", ".index", ".timeindex"):
        shutil.copy(PARTITION / f"{SEGMENT}{name}", copy)
    file = copy / f"{SEGMENT}{suffix}"
    data = bytearray(file.read_bytes())
    data[at : at + width] = value.to_bytes(width, "big")
    file.write_bytes(data)
    findings = [f for f in kafkalog.verify(file).all_findings() if f.severity >= Severity.WARNING]
    shutil.rmtree(copy)
    return [tuple(finding.span)[:2] for finding in findings]


@pytest.mark.parametrize("change", [1 << 30, 300, -1 << 30])
@pytest.mark.parametrize("field", ["offset", "position"])
def test_only_the_wrong_entry_of_an_offset_index_is_named(tmp_path, field, change):
    data = (PARTITION / f"{SEGMENT}.index").read_bytes()
    for at in range(0, len(data), 8):
        place = at if field == "offset" else at + 4
        value = int.from_bytes(data[place : place + 4], "big") + change
        assert set(spans_of(tmp_path, ".index", place, 4, value % (1 << 32))) == {(at, at + 8)}


@pytest.mark.parametrize("change", [1 << 30, 300, -1 << 30])
@pytest.mark.parametrize(("field", "width"), [("timestamp", 8), ("offset", 4)])
def test_only_the_wrong_entry_of_a_time_index_is_named(tmp_path, field, width, change):
    data = (PARTITION / f"{SEGMENT}.timeindex").read_bytes()
    for at in range(0, len(data), 12):
        place = at if field == "timestamp" else at + 8
        value = int.from_bytes(data[place : place + width], "big") + change
        assert set(spans_of(tmp_path, ".timeindex", place, width, value % (1 << 8 * width))) == {(at, at + 12)}
