"""Pages of zeros inside an index: told once, with the cause, and with what was found out about the log."""

from __future__ import annotations

import struct
from functools import cache

import pytest

from kafkalog.verify import Severity, verify
from tests import encode
from tests.encode import R

NOW = 1795500000000
TIME = 1_795_000_000_000
BATCHES = 1500


@cache
def segment() -> dict[str, bytes]:
    """A segment with an entry of both indexes for each batch."""
    log, index, times = b"", b"", b""
    for offset in range(BATCHES):
        if offset:
            index += struct.pack(">ii", offset, len(log))
        times += struct.pack(">qi", TIME + offset, offset)
        log += encode.batch([R(0, b"k", b"v")], base_offset=offset, base_timestamp=TIME + offset)
    return {".log": log, ".index": index, ".timeindex": times}


@pytest.fixture
def partition(tmp_path):
    """That segment, closed, and an empty one after it."""
    folder = tmp_path / "events-0"
    folder.mkdir()
    for suffix, data in segment().items():
        (folder / f"{0:020d}{suffix}").write_bytes(data)
        (folder / f"{BATCHES:020d}{suffix}").write_bytes(b"")
    (folder / "leader-epoch-checkpoint").write_bytes(b"0\n1\n0 0\n")
    return folder


def zero(folder, suffix, start, end):
    path = folder / f"{0:020d}{suffix}"
    data = bytearray(path.read_bytes())
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def wrong(folder):
    return [f for f in verify(folder, now=NOW, next_start=False).all_findings() if f.severity >= Severity.WARNING]


def test_the_indexes_are_sound_as_they_are_made(partition):
    assert wrong(partition) == []


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("page", [0, 1])
def test_a_page_of_zeros_is_one_finding_that_names_the_page_as_the_cause(partition, suffix, page):
    zero(partition, suffix, page * 4096, (page + 1) * 4096)
    (found,) = wrong(partition)
    assert found.id == "index-hole-zeroed"
    assert "page" in found.message
    assert found.remedy.startswith("The log of the segment was checked and is sound.")
    assert page * 4096 <= found.span.start < found.span.end <= (page + 1) * 4096
    assert found.facts["zeros"] == found.span.size // (8 if suffix == ".index" else 12)


def test_a_single_entry_of_zeros_is_no_page(partition):
    zero(partition, ".index", 800, 808)
    (found,) = wrong(partition)
    assert (found.id, found.facts["zeros"], found.span.start, found.span.end) == ("index-hole-zeroed", 1, 800, 808)
    assert "a page of the file" not in found.message


def test_several_holes_are_counted_together(partition):
    zero(partition, ".index", 800, 816)
    zero(partition, ".index", 1600, 1608)
    (found,) = wrong(partition)
    assert (found.facts["zeros"], found.facts["number"]) == (3, 100)


def test_a_hole_beside_a_damaged_log_warns_of_building_the_index_anew(partition):
    zero(partition, ".index", 800, 808)
    path = partition / f"{0:020d}.log"
    data = bytearray(path.read_bytes())
    data[30000] ^= 1
    path.write_bytes(data)
    (found,) = [f for f in wrong(partition) if f.id == "index-hole-zeroed"]
    assert "findings of its own" in found.remedy


def test_an_entry_beside_a_page_of_zeros_that_is_wrong_by_itself_is_still_told(partition):
    zero(partition, ".timeindex", 4096, 8192)
    path = partition / f"{0:020d}.timeindex"
    data = bytearray(path.read_bytes())
    struct.pack_into(">qi", data, 12 * 10, TIME + 10**6, 10)
    path.write_bytes(data)
    assert len({f.id for f in wrong(partition)}) == 2
