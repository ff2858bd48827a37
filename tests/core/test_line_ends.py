"""Changed line ends are proven by checksums, in both directions, and no sound file is ever taken for a changed one."""

from __future__ import annotations

import pytest

from kafkalog.core.line_ends import ADDED, REMOVED, change_of_entries, change_of_log, unix_line_ends
from kafkalog.core.producer_snapshot import read_producer_snapshot
from tests.log_dirs import FIXTURES

LOGS = [path for path in sorted((FIXTURES / "broker").rglob("*.log")) if path.stat().st_size < 200_000]


def test_no_log_of_a_broker_is_taken_for_a_changed_one():
    assert [path for path in LOGS if change_of_log(path.read_bytes()) is not None] == []


def test_every_log_in_which_a_cr_was_put_before_each_lf_is_recognised():
    changed = [path for path in LOGS if b"\n" in path.read_bytes()]
    assert len(changed) > 100
    assert [path for path in changed if change_of_log(path.read_bytes().replace(b"\n", b"\r\n")) != ADDED] == []


def test_a_log_whose_crs_before_lf_were_taken_away_is_recognised_where_checksums_prove_it():
    changed = [path for path in LOGS if b"\r\n" in path.read_bytes()]
    found = [change_of_log(path.read_bytes().replace(b"\r\n", b"\n")) for path in changed]
    assert set(found) <= {REMOVED, None}
    assert found.count(REMOVED) >= 5


@pytest.mark.parametrize("cut", [100, 2000])
def test_a_torn_log_is_not_taken_for_a_changed_one(cut):
    found = []
    for path in LOGS:
        data = path.read_bytes()
        at = data.find(b"\n", len(data) // 2)
        if at > 0 and len(data) > cut:
            found.append(change_of_log(data[: at + 1]))
            found.append(change_of_log(data[:-cut] + b"\r\n" * 30))
    assert len(found) > 50
    assert set(found) == {None}


def test_a_snapshot_is_recognised_by_its_checksum():
    paths = [p for p in sorted((FIXTURES / "broker").rglob("*.snapshot")) if p.read_bytes().count(b"\n") > 0]
    data = paths[0].read_bytes()

    def is_sound(data):
        return read_producer_snapshot(data).damage is None

    assert change_of_entries(data.replace(b"\n", b"\r\n"), is_sound) == ADDED
    assert change_of_entries(data, is_sound) is None


def test_a_text_has_the_line_ends_of_windows_only_if_all_of_its_lines_have():
    assert unix_line_ends(b"0\r\n1\r\n0 0\r\n") == b"0\n1\n0 0\n"
    assert unix_line_ends(b"0\n1\r\n0 0\n") is None
    assert unix_line_ends(b"0\n") is None
    assert unix_line_ends(b"") is None
