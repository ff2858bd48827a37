"""Single bits: each one under a checksum is reported; one outside wherever another file or a neighbour contradicts it."""

from __future__ import annotations

import struct

import pytest

from kafkalog.core.checksum import crc32, crc32c
from kafkalog.verify import Severity, verify
from kafkalog.verify.bit_flips import CRC32, CRC32C, find_flipped_bit
from tests.verify.lab import Lab, header
from tests.verify.proofs import PLAIN

NOW = 1795500000000


def is_loud(lab):
    return any(finding.severity > Severity.INFO for finding in verify(lab.root, now=NOW).all_findings())


def flips(path):
    data = path.read_bytes()
    for at in range(len(data)):
        for bit in range(8):
            yield at, bit, data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def test_every_flipped_bit_under_a_checksum_is_reported(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    path = lab.path(0)
    whole = path.read_bytes()
    batches = lab.batches(0)[:3]
    at = 0
    for batch in batches:
        for byte in range(17, len(batch), 3):
            position = at + byte
            path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << byte % 8]) + whole[position + 1 :])
            report = verify(path, now=NOW)
            named = [
                f
                for f in report.all_findings()
                if f.severity is Severity.ERROR and f.span and f.span.start <= position < f.span.end
            ]
            assert named, position
        at += len(batch)


def test_flips_outside_the_checksum_are_reported_by_their_neighbours(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    path = lab.path(1)
    whole = path.read_bytes()
    batches = lab.batches(1)
    at = sum(map(len, batches[:4]))
    silent = []
    for position, bit in ((at + byte, bit) for byte in range(17) for bit in range(8)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << bit]) + whole[position + 1 :])
        if not is_loud(lab):
            silent.append((position - at, bit))
    assert silent == []


@pytest.mark.parametrize("suffix", [".index", ".timeindex", ".txnindex"])
def test_flips_in_an_index_are_reported_unless_look_ups_stay_right(tmp_path, suffix):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    path = lab.path(1, suffix)
    whole = path.read_bytes()
    silent = []
    for at, bit, data in flips(path):
        if (at + bit) % 3:
            continue
        path.write_bytes(data)
        if not is_loud(lab):
            silent.append((at, bit))
    path.write_bytes(whole)
    if suffix == ".txnindex":
        # An abort of nothing: any first offset up to the marker would do, were it below the log's start.
        assert silent == []
        return
    # Only the offset of an entry may move, within the batch it names or the batches it stands for.
    size, place = (8, range(4)) if suffix == ".index" else (12, range(8, 12))
    assert {at % size for at, _ in silent} <= set(place)
    assert len(silent) < len(whole)


def test_every_flipped_bit_of_a_snapshot_is_reported(tmp_path):
    lab = Lab(tmp_path / "d1", "2.1.1/txn/ledger-0")
    path = lab.path(-1, ".snapshot")
    whole = path.read_bytes()
    for at, bit, data in flips(path):
        if bit == at % 8:
            path.write_bytes(data)
            report = verify(path, now=NOW)
            assert report.worst >= Severity.WARNING, (at, bit)
    path.write_bytes(whole)


@pytest.mark.parametrize(("checksum", "polynomial"), [(crc32c, CRC32C), (crc32, CRC32)])
def test_a_flipped_bit_is_found_by_algebra(checksum, polynomial):
    data = bytearray(struct.pack(">200i", *range(200)))
    stored = checksum(bytes(data))
    for at, bit in ((0, 7), (400, 0), (799, 3)):
        data[at] ^= 1 << bit
        assert find_flipped_bit(len(data), stored, checksum(bytes(data)), polynomial) == (at, bit)
        data[at] ^= 1 << bit
    assert find_flipped_bit(len(data), stored ^ 16, stored, polynomial) == (-1, 4)
    data[3:5] = b"zz"
    assert find_flipped_bit(len(data), stored, checksum(bytes(data)), polynomial) is None


def test_cutting_a_closed_log_anywhere_is_reported(tmp_path):
    lab = Lab(tmp_path / "d1", PLAIN)
    path = lab.path(1)
    whole = path.read_bytes()
    ends = {0}
    for batch in lab.batches(1):
        ends.add(max(ends) + len(batch))
    for size in range(0, len(whole), 499):
        path.write_bytes(whole[:size])
        report = verify(lab.root, now=NOW)
        assert report.worst >= Severity.WARNING, size
        assert header(lab.batches(0)[0]).base_offset == 0


def test_a_length_that_leads_past_the_end_of_the_file_is_reported_although_the_checksum_fits_what_is_there(tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/edge/e-txn-0")
    path = lab.path(0)
    whole = path.read_bytes()
    at = len(whole) - len(lab.batches(0)[-1])
    for bit in range(7, 23):
        length = int.from_bytes(whole[at + 8 : at + 12], "big") ^ 1 << bit
        path.write_bytes(whole[: at + 8] + length.to_bytes(4, "big") + whole[at + 12 :])
        found = [f for f in verify(path, now=NOW).all_findings() if f.severity is Severity.ERROR]
        assert [(f.id, f.span.start) for f in found] == [("log-tail-torn", at)]
