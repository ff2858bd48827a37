"""Single bits: each one under a checksum is reported; one outside wherever another file or a neighbour contradicts it."""

from __future__ import annotations

import pathlib
import struct
import tomllib

import pytest

from kafkalog.core.bit_flips import CRC32, CRC32C, find_flipped_bit
from kafkalog.core.checksum import crc32, crc32c
from kafkalog.verify import Severity, verify
from kafkalog.verify.scan.results import SegmentTask, Settings
from kafkalog.verify.scan.segment import scan_segment
from tests.verify.flips import outside_checksums, read_spelled, silent_flips, spelled
from tests.verify.lab import BROKER, Lab
from tests.verify.proofs import PLAIN

NOW = 1795500000000


LISTED = tomllib.loads((pathlib.Path(__file__).parent.parent / "silent_flips.toml").read_text("utf-8"))["file"]

#: The smallest batch of each magic, codec and kind in the fixtures: log, position.
SMALL_BATCHES = {
    "magic 0": ("0.10.2.2/old/v0-none-0", 25, 238),
    "magic 0 gzip": ("0.10.2.2/old/v0-gzip-0", 0, 0),
    "magic 0 snappy": ("0.10.2.2/old/v0-snappy-0", 40, 3802),
    "magic 0 lz4": ("0.10.2.2/old/v0-lz4-0", 0, 6835),
    "magic 1": ("0.10.2.2/old/v1-none-0", 83, 2030),
    "magic 1 gzip": ("0.10.2.2/old/mixed-magic-0", 0, 3122),
    "magic 1 snappy": ("0.10.2.2/old/v1-snappy-0", 0, 0),
    "magic 1 lz4": ("0.10.2.2/old/v1-lz4-0", 0, 0),
    "emptied": ("4.3.1/edge/e-idem-0", 0, 0),
    "idempotent and transactional": ("0.11.0.3/txn/ledger-plain-mix-0", 0, 1404),
    "emptied marker": ("4.3.1/edge/e-txn-0", 0, 0),
    "marker": ("2.1.1/txn/ledger-1", 123, 0),
    "KRaft control": ("3.3.2/meta-n1/__cluster_metadata-0", 0, 0),
    "delete horizon": ("4.3.1/edge/e-tomb-0", 172, 0),
    "gzip": ("2.1.1/codec/java-gzip-0", 149, 9598),
    "snappy": ("2.1.1/codec/java-snappy-0", 241, 9532),
    "lz4": ("2.1.1/codec/java-lz4-0", 223, 5847),
    "zstd": ("2.1.1/codec/java-zstd-0", 150, 9145),
}


@pytest.mark.parametrize("kind", SMALL_BATCHES)
def test_every_flipped_bit_under_a_checksum_of_a_batch_is_an_error_at_its_place(kind, tmp_path):
    partition, segment, at = SMALL_BATCHES[kind]
    log = (BROKER / partition / f"{segment:020d}.log").read_bytes()[at:]
    batch = log[: 12 + int.from_bytes(log[8:12], "big")]
    path = tmp_path / f"{int.from_bytes(batch[:8], 'big'):020d}.log"
    settings = Settings(NOW)
    task = SegmentTask(
        base_offset=int(path.stem), paths={".log": str(path)}, settings=settings, kraft="KRaft" in kind, compacted=True
    )
    missed = []
    for position in range(17 if batch[16] == 2 else 12, len(batch)):
        for bit in range(8):
            path.write_bytes(batch[:position] + bytes([batch[position] ^ 1 << bit]) + batch[position + 1 :])
            if not any(is_error_at(finding, position) for finding in scan_segment(task).findings):
                missed.append((position, bit))
    assert missed == []


def is_error_at(finding, position):
    span = finding.span
    return finding.severity is Severity.ERROR and span is not None and span.start <= position < span.end


@pytest.mark.parametrize("file", LISTED, ids=lambda file: f"{file['partition']}/{file['name']}")
def test_every_flipped_bit_is_reported_but_for_the_listed_ones_that_nothing_contradicts(file, tmp_path):
    lab = Lab(tmp_path / "d1", file["partition"])
    path = next(path for path in (lab.dir / file["name"], lab.root / file["name"]) if path.exists())
    data = path.read_bytes()
    batches = path.suffix == ".log" or file["name"] == "bootstrap.checkpoint"
    found = silent_flips(lab, path, outside_checksums(data) if batches else range(len(data)))
    listed = {at: bits for rows in file.get("silent", {}).values() for at, bits in read_spelled(rows).items()}
    assert spelled(found) == spelled(listed)


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
    for size in range(0, len(whole), 499):
        path.write_bytes(whole[:size])
        assert verify(lab.root, now=NOW, next_start=False).worst >= Severity.WARNING, size


def test_a_length_that_leads_past_the_end_of_the_file_is_reported_although_the_checksum_fits_what_is_there(tmp_path):
    lab = Lab(tmp_path / "d1", "4.3.1/edge/e-txn-0")
    path = lab.path(0)
    whole = path.read_bytes()
    at = len(whole) - len(lab.batches(0)[-1])
    for bit in range(7, 23):
        length = int.from_bytes(whole[at + 8 : at + 12], "big") ^ 1 << bit
        path.write_bytes(whole[: at + 8] + length.to_bytes(4, "big") + whole[at + 12 :])
        found = [f for f in verify(path, now=NOW, next_start=False).all_findings() if f.severity is Severity.ERROR]
        assert [(f.id, f.span.start) for f in found] == [("log-tail-torn", at)]
