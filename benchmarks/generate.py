"""Segments of any size for the benchmarks: valid magic 2 batches of 16 KiB, as a producer would fill them.

    python -m benchmarks.generate SHAPE MIB FILE

Shapes: `values100` (8-byte keys, 100-byte JSON values), `values1k` (1 KiB values), `zstd`, `lz4` (values100, compressed),
`headers` (values100, two headers a record), `nulls` (headers, every third key, value and header value null).
"""

from __future__ import annotations

import random
import struct
import sys

import lz4.frame
import zstandard

from kafkalog.core.checksum import crc32c

_BODY = struct.Struct(">hiqqqhii")
_HEAD = struct.Struct(">qiibI")
BATCH_BYTES = 16384
START_MS = 1_700_000_000_000
CODECS = {"lz4": 3, "zstd": 4}
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


def sized(data: bytes | None) -> bytes:
    """Bytes behind their length; -1 for null."""
    return b"\1" if data is None else varint(len(data)) + data


def record(
    timestamp_delta: int,
    offset_delta: int,
    key: bytes | None,
    value: bytes | None,
    headers: tuple[tuple[bytes, bytes | None], ...] = (),
) -> bytes:
    """A record."""
    parts = [b"\0", varint(timestamp_delta), varint(offset_delta), sized(key), sized(value), varint(len(headers))]
    for header in headers:
        parts += map(sized, header)
    body = b"".join(parts)
    return varint(len(body)) + body


def batch(
    offset: int,
    section: bytes,
    count: int = 1,
    *,
    timestamp: int = START_MS,
    newest: int | None = None,
    attributes: int = 0,
    leader_epoch: int = 0,
    producer: tuple[int, int, int] = (-1, -1, -1),
) -> bytes:
    """A batch of `count` records; `producer` is the id, the epoch and the base sequence."""
    body = _BODY.pack(attributes, count - 1, timestamp, timestamp if newest is None else newest, *producer, count) + section
    return _HEAD.pack(offset, len(body) + 9, leader_epoch, 2, crc32c(body)) + body


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


def fields(shape: str, key: bytes, value: bytes, number: int):
    """Key, value and headers of record `number` of a batch."""
    if shape not in ("headers", "nulls"):
        return key, value, ()
    headers = ((b"trace-id", b"0af7651916cd43dd8448eb211c80319c"), (b"content-type", b"application/json"))
    if shape == "headers":
        return key, value, headers
    at = number % 3
    return (
        None if at == 0 else key,
        None if at == 1 else value,
        tuple((name, None if at == 2 else content) for name, content in headers),
    )


def batches(shape: str, raw_bytes: int):
    """Batches until `raw_bytes` of uncompressed batches are reached."""
    codec = CODECS.get(shape, 0)
    compressor = zstandard.ZstdCompressor(level=3, write_content_size=False)
    source = values(1024 if shape == "values1k" else 100)
    offset = done = 0
    timestamp = START_MS
    while done < raw_bytes:
        parts: list[bytes] = []
        size = delta = 0
        while size < BATCH_BYTES - 61:
            key, value = b"key%05d" % (offset % 99991), next(source)
            parts.append(record(delta, len(parts), *fields(shape, key, value, len(parts))))
            size += len(parts[-1])
            delta += len(parts) % 3 == 0
        payload = b"".join(parts)
        if codec == CODECS["lz4"]:
            payload = lz4.frame.compress(payload, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=False)
        elif codec:
            stream = compressor.compressobj()
            payload = stream.compress(payload) + stream.flush()
        count = len(parts)
        yield batch(offset, payload, count, timestamp=timestamp, newest=timestamp + delta, attributes=codec)
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
