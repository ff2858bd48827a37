"""Segments of any size for the benchmarks: valid magic 2 batches of 16 KiB, as a producer would fill them.

    python -m benchmarks.generate SHAPE MIB FILE

Shapes: `values100` (8-byte keys, 100-byte JSON values), `values1k` (1 KiB values), `zstd` (values100, compressed).
"""

from __future__ import annotations

import random
import struct
import sys

import zstandard

from kafkalog.core.checksum import crc32c

_BODY = struct.Struct(">hiqqqhii")
_HEAD = struct.Struct(">qiibI")
BATCH_BYTES = 16384
EVENTS = ("click", "view", "purchase", "login", "logout", "search")


def varint(value: int) -> bytes:
    """A zig-zag varint."""
    value = value << 1 ^ value >> 63
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def record(timestamp_delta: int, offset_delta: int, key: bytes, value: bytes) -> bytes:
    """A record without headers."""
    body = b"".join(
        (b"\0", varint(timestamp_delta), varint(offset_delta), varint(len(key)), key, varint(len(value)), value, b"\0")
    )
    return varint(len(body)) + body


def values(size: int):
    """JSON values of one size, all different."""
    rng = random.Random(42)
    number = 0
    while True:
        user, event = rng.randrange(10**6), rng.choice(EVENTS)
        text = f'{{"id":{number + 100000},"user":"u{user:06d}","event":"{event}","amount":{rng.random():.6f}'
        while len(text) < size - 1:
            text += f',"f{len(text)}":{rng.randrange(10**9)}'
        yield text[: size - 1].encode() + b"}"
        number += 1


def batches(shape: str, raw_bytes: int):
    """Batches until `raw_bytes` of uncompressed batches are reached."""
    codec = 4 if shape == "zstd" else 0
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False)
    source = values(1024 if shape == "values1k" else 100)
    offset = done = 0
    timestamp = 1_700_000_000_000
    while done < raw_bytes:
        parts: list[bytes] = []
        size = delta = 0
        while size < BATCH_BYTES - 61:
            parts.append(record(delta, len(parts), b"key%05d" % (offset % 99991), next(source)))
            size += len(parts[-1])
            delta += len(parts) % 3 == 0
        payload = b"".join(parts)
        if codec:
            stream = compressor.compressobj()
            payload = stream.compress(payload) + stream.flush()
        count = len(parts)
        body = _BODY.pack(codec, count - 1, timestamp, timestamp + delta, -1, -1, -1, count) + payload
        yield _HEAD.pack(offset, len(body) + 9, 0, 2, crc32c(body)) + body
        offset += count
        timestamp += delta + 5
        done += size + 61


def main() -> None:
    """Write a segment."""
    shape, mib, path = sys.argv[1:]
    with open(path, "wb") as file:
        file.writelines(batches(shape, int(mib) << 20))


if __name__ == "__main__":
    main()
