"""Entries that a truncation leaves in a preallocated index, against entries that are damaged."""

from __future__ import annotations

import struct

import pytest

from kafkalog.verify import Severity, verify
from tests.verify.lab import Lab
from tests.verify.proofs import PLAIN

NOW = 1795500000000


@pytest.fixture
def lab(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    lab.crashed()
    return lab


def entries(lab, suffix, form):
    return list(struct.iter_unpack(form, lab.path(-1, suffix).read_bytes()))


def write(lab, suffix, form, rows, *, padded=True):
    data = b"".join(struct.pack(form, *row) for row in rows)
    size = 800 // struct.calcsize(form) * struct.calcsize(form)
    lab.path(-1, suffix).write_bytes(data.ljust(size, b"\0") if padded else data)


def found(lab):
    return {f.id: f for f in verify(lab.root, now=NOW).all_findings() if f.id != "index-preallocated"}


def test_entries_of_a_longer_log_are_no_damage(lab):
    rows = entries(lab, ".index", ">ii")
    write(lab, ".index", ">ii", [*rows, (500, 1 << 20), (600, 2 << 20)])
    write(lab, ".timeindex", ">qi", entries(lab, ".timeindex", ">qi"))
    assert {f.severity for f in found(lab).values()} == {Severity.INFO}
    stale = found(lab)["index-stale-entries"]
    assert (stale.facts["number"], stale.facts["count"]) == (len(rows), 2)


def test_sound_entries_behind_a_larger_one_that_overwrote_their_forerunners_are_no_damage(lab):
    rows = entries(lab, ".index", ">ii")
    write(lab, ".index", ">ii", [rows[0], rows[-1], *rows[2:-1]])
    write(lab, ".timeindex", ">qi", entries(lab, ".timeindex", ">qi"))
    assert found(lab)["index-stale-entries"].facts["number"] == 2
    assert {f.severity for f in found(lab).values()} == {Severity.INFO}


def test_a_time_of_a_batch_that_was_replaced_is_no_damage(lab):
    rows = entries(lab, ".timeindex", ">qi")
    write(lab, ".index", ">ii", entries(lab, ".index", ">ii"))
    write(lab, ".timeindex", ">qi", [*rows[:-1], (rows[-1][0] + 5, rows[-1][1])])
    assert found(lab)["index-stale-entries"].path.endswith(".timeindex")
    assert {f.severity for f in found(lab).values()} == {Severity.INFO}


def test_a_wrong_entry_before_right_ones_is_damage(lab):
    rows = entries(lab, ".index", ">ii")
    write(lab, ".index", ">ii", [rows[0], (rows[1][0], rows[1][1] + 3), *rows[2:]])
    assert found(lab)["index-position-not-batch"].severity is Severity.ERROR


def test_wrong_last_entries_are_damage_after_a_clean_stop_and_in_a_trimmed_index(lab):
    rows = entries(lab, ".index", ">ii")
    write(lab, ".index", ">ii", [*rows, (500, 1 << 20)], padded=False)
    assert found(lab)["index-past-eof"].severity is Severity.ERROR
    write(lab, ".index", ">ii", [*rows, (500, 1 << 20)])
    (lab.root / ".kafka_cleanshutdown").write_text("")
    assert found(lab)["index-past-eof"].severity is Severity.ERROR
