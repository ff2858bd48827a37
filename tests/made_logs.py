"""Logs of many shapes made of encoded batches, and damage done to them: for whatever has two ways to read records."""

from __future__ import annotations

import gzip
import random

import crc32c
import lz4.frame
import zstandard

from tests.encode import R, batch, marker, message, unsigned_varint, varint, xerial

LONG = b"k" * 300
CODECS = {
    1: gzip.compress,
    2: xerial,
    3: lambda data: lz4.frame.compress(data, content_checksum=True),
    4: zstandard.ZstdCompressor().compress,
}


def values(count, size=20, **more):
    return [R(offset_delta=n, timestamp_delta=n, key=b"%d" % n, value=b"v" * (size + n % 9), **more) for n in range(count)]


def many(make, count=40):
    return b"".join(make(n) for n in range(count))


SHAPES = {
    "ordinary": many(lambda n: batch(values(n % 7 + 1), base_offset=10 * n)),
    "many records": many(lambda n: batch(values(60), base_offset=100 * n), 30),
    "uneven": many(lambda n: batch(values(200 if n % 30 == 0 else 2), base_offset=1000 * n), 60),
    "headers": many(
        lambda n: batch(values(3, headers=((b"a", b"1"), (b"b" * 70, None), (b"", b""))[: n % 4]), base_offset=10 * n)
    ),
    "keys that are no text": many(
        lambda n: batch([*values(2, headers=((b"\xff\xfe", b"1"), (b"ok", b"2"))), R(offset_delta=2)], base_offset=10 * n)
    ),
    "nulls": many(
        lambda n: batch([R(0, None, None), R(1, b"", b""), R(2, LONG, None), R(3, None, b"x" * 9000)], base_offset=10 * n), 30
    ),
    "broker's clock": many(lambda n: batch(values(3), base_offset=10 * n, attributes=8, max_timestamp=1_600_000_000_000 + n)),
    "gaps": many(
        lambda n: batch([R(2, b"a", b"b"), R(70, b"c", b"d"), R(9000)], base_offset=10_000 * n, last_offset_delta=9999)
    ),
    "sequences": many(
        lambda n: batch(
            values(4), base_offset=10 * n, producer_id=5, producer_epoch=n % 3, base_sequence=0x7FFFFFFE if n % 2 else 4 * n
        )
    ),
    "transactions": many(
        lambda n: (
            batch(
                values(2), base_offset=10 * n, attributes=0x10, producer_id=n % 5, producer_epoch=0, base_sequence=2 * (n // 5)
            )
            + (marker(commit=n % 2 == 0, offset=10 * n + 5, producer_id=n % 5, producer_epoch=0) if n % 4 else b"")
        )
    ),
    "times": many(
        lambda n: batch(
            [R(0, timestamp_delta=d) for d in (-5, 1 << 40, -(1 << 40), 0)],
            base_offset=10 * n,
            base_timestamp=(-1, 0, 5, 253_402_300_800_000)[n % 4],
        )
    ),
    "ends of 64 bits": many(
        lambda n: batch(
            [R(1, timestamp_delta=(1 << 62) - 1), R(2, timestamp_delta=-(1 << 63))],
            base_offset=((1 << 63) - 2, 7, -(1 << 63))[n % 3],
            base_timestamp=(1 << 62, 5, -(1 << 62))[n % 3],
        )
    ),
    "empty": many(lambda n: batch([], base_offset=10 * n, last_offset_delta=3) + batch(values(1), base_offset=10 * n + 5)),
    "old": many(
        lambda n: message(n, b"k", b"v", magic=n % 2, timestamp=n) + (batch(values(2), base_offset=n) if n % 3 else b"")
    ),
    **{
        f"codec {codec}": many(
            lambda n, codec=codec, press=press: batch(values(9, 60), base_offset=10 * n, attributes=codec, compress=press)
        )
        for codec, press in CODECS.items()
    },
    "mixed codecs": many(
        lambda n: (
            batch(values(3), base_offset=10 * n, attributes=n % 4 * (n % 3), compress=CODECS.get(n % 4 * (n % 3)))
            if n % 4 * (n % 3) in (0, 1, 2, 3, 4)
            else batch(values(1), base_offset=10 * n)
        )
    ),
    "odd varints": many(
        lambda n: batch(
            b"".join(
                unsigned_varint(2 * len(body)) + body
                for body in (
                    b"\0" + b"\x82\x00" + varint(0) + varint(-3) + b"\x81\x80\x00" + b"\x80\x00",
                    b"\0" + varint(1) + b"\x80\x80\x80\x00" + varint(1) + b"k" + varint(0) + varint(0),
                )
            ),
            count=2,
            base_offset=10 * n,
        )
    ),
}


def damaged(data, seed):
    """A log with a few bytes changed, cut out or put in; in half of them the checksum of the batch is made right again."""
    chance = random.Random(seed)
    if chance.random() < 0.5:
        return with_damaged_batch(data, chance)
    out = bytearray(data)
    for _ in range(chance.choice((1, 1, 3))):
        at = chance.randrange(len(out))
        match chance.randrange(4):
            case 0:
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del out[at : at + chance.randrange(1, 40)]
            case _:
                out[at:at] = chance.randbytes(chance.randrange(1, 40))
    return bytes(out)


def with_damaged_batch(data, chance):
    out = bytearray(data)
    starts = []
    at = 0
    while at < len(out):
        starts.append(at)
        at += 12 + int.from_bytes(out[at + 8 : at + 12], "big")
    at = chance.choice(starts)
    end = at + 12 + int.from_bytes(out[at + 8 : at + 12], "big")
    if out[at + 16] == 2:
        for _ in range(chance.choice((1, 2))):
            place = chance.randrange(at + 21 if chance.random() < 0.3 else min(at + 57, end - 1), end)
            out[place] = chance.choice((out[place] ^ 1 << chance.randrange(8), 0, 1, 2, 0x7F, 0x80, 0xFF))
        out[at + 17 : at + 21] = crc32c.crc32c(bytes(out[at + 21 : end])).to_bytes(4, "big")
    return bytes(out)
