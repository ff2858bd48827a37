"""An encoder of Kafka's formats that shares nothing with the package under test: not a constant, not a checksum.

It writes what it is told to, sound or not. Written from the format's description alone.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple


def _castagnoli_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _castagnoli_table()


def crc32c(data: bytes) -> int:
    """CRC-32C, a byte at a time."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def unsigned_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint(value: int) -> bytes:
    """Zig-zag: 0, -1, 1, -2 … become 0, 1, 2, 3 …"""
    return unsigned_varint(2 * value if value >= 0 else -2 * value - 1)


class R(NamedTuple):
    """A record to write: deltas, not absolute values."""

    offset_delta: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp_delta: int = 0
    attributes: int = 0


def _nullable(data: bytes | None) -> bytes:
    return varint(-1) if data is None else varint(len(data)) + data


def record(r: R) -> bytes:
    body = struct.pack(">b", r.attributes) + varint(r.timestamp_delta) + varint(r.offset_delta)
    body += _nullable(r.key) + _nullable(r.value) + varint(len(r.headers))
    for key, value in r.headers:
        body += varint(len(key)) + key + _nullable(value)
    return varint(len(body)) + body


def batch(
    records: list[R] | bytes,
    *,
    base_offset: int = 0,
    leader_epoch: int = 0,
    attributes: int = 0,
    last_offset_delta: int | None = None,
    base_timestamp: int = 1_600_000_000_000,
    max_timestamp: int | None = None,
    producer_id: int = -1,
    producer_epoch: int = -1,
    base_sequence: int = -1,
    count: int | None = None,
    compress=None,
    crc: int | None = None,
) -> bytes:
    """A magic 2 batch. Pass bytes to give the record section as it is."""
    if isinstance(records, bytes):
        section, number, last, newest = records, count or 0, last_offset_delta or 0, base_timestamp
    else:
        section = b"".join(record(r) for r in records)
        number = len(records)
        last = max((r.offset_delta for r in records), default=0)
        newest = base_timestamp + max((r.timestamp_delta for r in records), default=0)
    if compress is not None:
        section = compress(section)
    behind_crc = (
        struct.pack(
            ">hiqqqhii",
            attributes,
            last if last_offset_delta is None else last_offset_delta,
            base_timestamp,
            newest if max_timestamp is None else max_timestamp,
            producer_id,
            producer_epoch,
            base_sequence,
            number if count is None else count,
        )
        + section
    )
    checksum = crc32c(behind_crc) if crc is None else crc
    return struct.pack(">qiibI", base_offset, 9 + len(behind_crc), leader_epoch, 2, checksum) + behind_crc


def marker(
    *,
    commit: bool,
    offset: int,
    producer_id: int,
    producer_epoch: int,
    coordinator_epoch: int = 0,
    attributes: int = 0x30,
    **more,
) -> bytes:
    """A transaction marker as the coordinator has it written."""
    r = R(key=struct.pack(">hh", 0, 1 if commit else 0), value=struct.pack(">hi", 0, coordinator_epoch))
    return batch([r], base_offset=offset, attributes=attributes, producer_id=producer_id, producer_epoch=producer_epoch, **more)


def message(
    offset: int,
    key: bytes | None,
    value: bytes | None,
    *,
    magic: int = 1,
    attributes: int = 0,
    timestamp: int = 1_500_000_000_000,
    crc: int | None = None,
) -> bytes:
    """A message of magic 0 or 1 with offset and size in front."""
    body = struct.pack(">bb", magic, attributes)
    if magic == 1:
        body += struct.pack(">q", timestamp)
    for part in (key, value):
        body += struct.pack(">i", -1) if part is None else struct.pack(">i", len(part)) + part
    checksum = zlib.crc32(body) if crc is None else crc
    return struct.pack(">qiI", offset, 4 + len(body), checksum) + body


def xerial(data: bytes, block_size: int = 32 * 1024) -> bytes:
    """Snappy as the JVM writes it; the blocks hold literals only."""
    out = b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1)
    for at in range(0, len(data), block_size):
        block = raw_snappy(data[at : at + block_size])
        out += struct.pack(">i", len(block)) + block
    return out


def raw_snappy(data: bytes) -> bytes:
    """One raw snappy block of literals."""
    out = unsigned_varint(len(data))
    for at in range(0, len(data), 60):
        piece = data[at : at + 60]
        out += bytes([len(piece) - 1 << 2]) + piece
    return out


def xxh32(data: bytes) -> int:
    """xxHash32 of fewer than 16 bytes, seed 0: enough for frame headers."""
    prime1, prime2, prime3, prime4, prime5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
    mask = 0xFFFFFFFF
    assert len(data) < 16
    acc = prime5 + len(data)
    while len(data) >= 4:
        acc = acc + int.from_bytes(data[:4], "little") * prime3 & mask
        acc = (acc << 17 | acc >> 15) * prime4 & mask
        data = data[4:]
    for byte in data:
        acc = acc + byte * prime5 & mask
        acc = (acc << 11 | acc >> 21) * prime1 & mask
    acc = (acc ^ acc >> 15) * prime2 & mask
    acc = (acc ^ acc >> 13) * prime3 & mask
    return acc ^ acc >> 16


def lz4_frame(data: bytes, *, old_header_checksum: bool = False, end_mark: bool = True) -> bytes:
    """An lz4 frame of stored blocks; with `old_header_checksum` as Kafka's clients before 0.10 wrote it."""
    magic, descriptor = b"\x04\x22\x4d\x18", b"\x60\x40"
    covered = magic + descriptor if old_header_checksum else descriptor
    out = magic + descriptor + bytes([xxh32(covered) >> 8 & 0xFF])
    for at in range(0, len(data), 1 << 16):
        piece = data[at : at + (1 << 16)]
        out += struct.pack("<I", len(piece) | 1 << 31) + piece
    return out + (bytes(4) if end_mark else b"")


def zstd_frame(data: bytes) -> bytes:
    """A zstd frame of raw blocks without content size."""
    out = b"\x28\xb5\x2f\xfd" + b"\x00" + b"\x38"  # no checksum, no size; a window of 128 KiB
    pieces = [data[at : at + 100_000] for at in range(0, len(data), 100_000)] or [b""]
    for number, piece in enumerate(pieces):
        out += (len(piece) << 3 | (number == len(pieces) - 1)).to_bytes(3, "little") + piece
    return out


def gzip_member(data: bytes) -> bytes:
    """A gzip member of one stored deflate block for each 65535 bytes."""
    out = b"\x1f\x8b\x08\x00" + bytes(6)
    pieces = [data[at : at + 65535] for at in range(0, len(data), 65535)] or [b""]
    for number, piece in enumerate(pieces):
        out += struct.pack("<BHH", number == len(pieces) - 1, len(piece), len(piece) ^ 0xFFFF) + piece
    return out + struct.pack("<II", zlib.crc32(data), len(data))


#: Codec id → an encoder of its framing.
CODECS = {1: gzip_member, 2: xerial, 3: lz4_frame, 4: zstd_frame}


class P(NamedTuple):
    """A producer snapshot's entry."""

    producer_id: int
    producer_epoch: int = 0
    last_sequence: int = -1
    last_offset: int = -1
    offset_delta: int = 0
    timestamp: int = -1
    coordinator_epoch: int = -1
    current_txn_first_offset: int = -1


def snapshot(entries: list[P], version: int = 1) -> bytes:
    body = struct.pack(">i", len(entries)) + b"".join(struct.pack(">qhiqiqiq", *entry) for entry in entries)
    return struct.pack(">hI", version, crc32c(body)) + body


def offset_index(entries: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">ii", *entry) for entry in entries)


def time_index(entries: list[tuple[int, int]]) -> bytes:
    return b"".join(struct.pack(">qi", *entry) for entry in entries)


def transaction_index(entries: list[tuple[int, int, int, int]]) -> bytes:
    return b"".join(struct.pack(">hqqqq", 0, *entry) for entry in entries)
