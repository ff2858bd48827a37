"""Segments of any size and shape for the benchmarks: valid magic 2 batches of about 16 KiB, as a producer would fill them.

python -m benchmarks.generate SHAPE MIB FILE
"""

from __future__ import annotations

import argparse
import gzip
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import cramjam
import lz4.frame
import zstandard

from kafkalog.core.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

_BODY = struct.Struct(">hiqqqhii")
_HEAD = struct.Struct(">qiibI")
#: baseOffset, lastOffsetDelta, maxTimestamp.
_PLACE = struct.Struct(">q15xi8xq")
_INDEX_ENTRY = struct.Struct(">ii")
_TIME_ENTRY = struct.Struct(">qi")
_BATCH_BYTES = 16384
_INDEX_INTERVAL = 4096
START_MS = 1_700_000_000_000
_APPEND_TIME, _TRANSACTIONAL, _CONTROL = 0x08, 0x10, 0x20
EVENTS = ("click", "view", "purchase", "login", "logout", "search")
_TRACE_ID = b"0af7651916cd43dd8448eb211c80319c"


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
    last_delta: int | None = None,
) -> bytes:
    """A batch of `count` records; `producer` is the id, the epoch and the base sequence."""
    last = count - 1 if last_delta is None else last_delta
    body = _BODY.pack(attributes, last, timestamp, timestamp if newest is None else newest, *producer, count) + section
    return _HEAD.pack(offset, len(body) + 9, leader_epoch, 2, crc32c(body)) + body


def string(text: str) -> bytes:
    """A string as messages of the old, inflexible form have it."""
    return struct.pack(">h", len(text)) + text.encode()


def values(size: int) -> Iterator[bytes]:
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


# --- shapes -----------------------------------------------------------------------------------------------------------


class Made(NamedTuple):
    """A record to be written."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()


def _events(size: int = 100) -> Iterator[Made]:
    for number, value in enumerate(values(size)):
        yield Made(b"key%05d" % (number % 99991), value)


def _cleaned() -> Iterator[Made]:
    """No key is there twice."""
    for number, made in enumerate(_events()):
        yield made._replace(key=b"key%05d" % number)


def _with_headers() -> Iterator[Made]:
    headers = ((b"trace-id", _TRACE_ID), (b"content-type", b"application/json"))
    return (made._replace(headers=headers) for made in _events())


def _with_unique_headers() -> Iterator[Made]:
    for number, made in enumerate(_events()):
        yield made._replace(headers=((b"trace-id", b"%032x" % (number * 0x9E3779B97F4A7C15)), (b"type", b"application/json")))


def _with_nulls() -> Iterator[Made]:
    """Every third key, value, header value."""
    for number, made in enumerate(_with_headers()):
        at = number % 3
        headers = tuple((name, None if at == 2 else content) for name, content in made.headers)
        yield Made(None if at == 0 else made.key, None if at == 1 else made.value, headers)


def _with_tombstones() -> Iterator[Made]:
    for number, made in enumerate(_events()):
        yield made if number % 2 else made._replace(value=None)


def _offset_commits() -> Iterator[Made]:
    number = 0
    while True:
        key = struct.pack(">h", 1) + string(f"group-{number % 100}") + string("orders") + struct.pack(">i", number // 100 % 50)
        yield Made(key, struct.pack(">hqi", 3, number, 0) + string("") + struct.pack(">q", START_MS + number))
        number += 1


def _transaction_states() -> Iterator[Made]:
    """Ongoing with one partition, then complete without."""
    number = 0
    while True:
        key = struct.pack(">h", 0) + string(f"transactional-id-{number // 2 % 1000}")
        status, part = (4, struct.pack(">i", 0)) if number % 2 else (1, struct.pack(">i", 1) + string("t"))
        part += b"" if number % 2 else struct.pack(">ii", 1, number % 50)
        head = struct.pack(">hqhib", 0, number // 2 % 1000, 0, 60000, status)
        yield Made(key, head + part + struct.pack(">qq", START_MS + number, START_MS + number))
        number += 1


def _metadata_records() -> Iterator[Made]:
    """Changes of 1,000 partitions, as failing brokers make them."""
    number = 0
    while True:
        uid = (number % 100 + (1 << 64)).to_bytes(16, "big")
        replicas = b"\x04" + struct.pack(">iii", 1, 2, 3)
        value = (
            b"\x01\x03\x00" + struct.pack(">i", number // 100 % 10) + uid + replicas * 2
            + b"\x01\x01" + struct.pack(">iii", 1 + number % 3, number, number) + b"\x00"
        )  # fmt: skip
        yield Made(None, value)
        number += 1


def _snappy(data: bytes) -> bytes:
    return b"\x82SNAPPY\0\0\0\0\1\0\0\0\1" + _block(bytes(cramjam.snappy.compress_raw(data)))


def _block(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def _zstd(data: bytes) -> bytes:
    stream = zstandard.ZstdCompressor(level=3, write_content_size=False).compressobj()
    return stream.compress(data) + stream.flush()


_CODECS = {
    1: lambda data: gzip.compress(data, 6, mtime=0),
    2: _snappy,
    3: lambda data: lz4.frame.compress(data, block_size=lz4.frame.BLOCKSIZE_MAX64KB, store_size=False),
    4: _zstd,
}


class Shape(NamedTuple):
    """A kind of log.

    `gaps`: records and batches were removed by compaction; `is_named`: its log dir says so. `append_time`: timestamps are
    of the broker's clock. `producers`: idempotent batches of as many producers in turn.
    `markers`: batches of a producer up to the end of its transaction. `topic`: the partition's directory.
    """

    text: str
    records: Iterator[Made]
    codec: int = 0
    batch_bytes: int = _BATCH_BYTES
    gaps: bool = False
    producers: int = 0
    markers: int = 0
    topic: str = "t"
    is_named: bool = True
    append_time: bool = False


#: What each shape is made of; a new one is a row.
SHAPES = {
    "values100": lambda: Shape("8-byte keys, 100-byte JSON values", _events()),
    "values1k": lambda: Shape("1 KiB values", _events(1024)),
    "gzip": lambda: Shape("values100, gzip", _events(), 1),
    "snappy": lambda: Shape("values100, snappy", _events(), 2),
    "lz4": lambda: Shape("values100, lz4", _events(), 3),
    "zstd": lambda: Shape("values100, zstd", _events(), 4),
    "headers": lambda: Shape("two headers a record", _with_headers()),
    "unique-headers": lambda: Shape("two headers a record, one of them its own", _with_unique_headers()),
    "nulls": lambda: Shape("headers; every third key, value and header value null", _with_nulls()),
    "tombstones": lambda: Shape("every second value null", _with_tombstones()),
    "gaps": lambda: Shape("compacted: records and batches are gone", _cleaned(), gaps=True),
    "gaps-unnamed": lambda: Shape("the same, and nothing names it compacted", _cleaned(), gaps=True, is_named=False),
    "one-record-gaps": lambda: Shape("a record a batch, batches are gone", _cleaned(), batch_bytes=1, gaps=True),
    "one-record-gaps-unnamed": lambda: Shape(
        "the same, and nothing names it compacted", _cleaned(), batch_bytes=1, gaps=True, is_named=False
    ),
    "one-record-append-time": lambda: Shape("a record a batch, LogAppendTime", _events(), batch_bytes=1, append_time=True),
    "one-record": lambda: Shape("a record a batch", _events(), batch_bytes=1),
    "idempotent": lambda: Shape("five idempotent producers", _events(), producers=5),
    "transactional": lambda: Shape(
        "transactions of five producers, four batches of 1 KiB and a marker each",
        _events(),
        batch_bytes=1024,
        producers=5,
        markers=4,
    ),
    "producers": lambda: Shape("10,000 idempotent producers, batches of 1 KiB", _events(), batch_bytes=1024, producers=10_000),
    "offsets": lambda: Shape("offset commits, one a batch", _offset_commits(), batch_bytes=1, topic="__consumer_offsets"),
    "transactions": lambda: Shape("states, one a batch", _transaction_states(), batch_bytes=1, topic="__transaction_state"),
    "metadata": lambda: Shape("partition changes", _metadata_records(), topic="__cluster_metadata"),
}


def batches(name: str, raw_bytes: int) -> Iterator[bytes]:
    """Batches until `raw_bytes` of uncompressed batches are reached."""
    shape = SHAPES[name]()
    offset = done = number = 0
    timestamp = START_MS
    sequences: dict[int, int] = {}
    while done < raw_bytes:
        parts: list[bytes] = []
        size = last = 0
        while not parts or size < shape.batch_bytes - 61:
            last = len(parts) + len(parts) // 5 * shape.gaps
            parts.append(record(len(parts) // 3, last, *next(shape.records)))
            size += len(parts[-1])
        section, count, delta = b"".join(parts), len(parts), (len(parts) - 1) // 3
        if shape.codec:
            section = _CODECS[shape.codec](section)
        attributes, producer = shape.codec | _APPEND_TIME * shape.append_time, (-1, -1, -1)
        if shape.producers:
            who = number // max(1, shape.markers) % shape.producers
            producer = (who, 0, sequences.get(who, 0))
            sequences[who] = producer[2] + count
            attributes |= _TRANSACTIONAL if shape.markers else 0
        yield batch(
            offset, section, count, timestamp=timestamp, newest=timestamp + delta, attributes=attributes, producer=producer,
            last_delta=last,
        )  # fmt: skip
        number += 1
        offset += last + 1 + (shape.gaps and number % 3 == 0)
        timestamp += delta + 5
        done += size + 61
        if shape.markers and number % shape.markers == 0:
            end = record(0, 0, b"\0\0\0\1", b"\0\0\0\0\0\0")
            yield batch(offset, end, timestamp=timestamp, attributes=_TRANSACTIONAL | _CONTROL, producer=(who, 0, -1))
            offset += 1
            done += len(end) + 61


class _Segment:
    """A segment that is being written."""

    def __init__(self, where: Path, base: int) -> None:
        self.stem = str(where / f"{base:020d}")
        self.base = base
        self.log = open(f"{self.stem}.log", "wb")  # noqa: SIM115 - closed with the segment
        self.index, self.times = bytearray(), bytearray()
        self.since = 0
        self.newest, self.newest_offset, self.last_entry = -1, 0, -1

    def add(self, data: bytes) -> None:
        """Append a batch; its index entries come first, as a broker has it."""
        base, last_delta, newest = _PLACE.unpack_from(data)
        last = base + last_delta - self.base
        if newest > self.newest:
            self.newest, self.newest_offset = newest, last
        if self.since > _INDEX_INTERVAL:
            self.index += _INDEX_ENTRY.pack(last, self.log.tell())
            self._add_time()
            self.since = 0
        self.log.write(data)
        self.since += len(data)

    def _add_time(self) -> None:
        if self.newest > self.last_entry:
            self.times += _TIME_ENTRY.pack(self.newest, self.newest_offset)
            self.last_entry = self.newest

    def close(self) -> None:
        """Write the indexes."""
        self._add_time()
        self.log.close()
        Path(f"{self.stem}.index").write_bytes(self.index)
        Path(f"{self.stem}.timeindex").write_bytes(self.times)


def write_partition(folder: Path, name: str, raw_bytes: int, segments: int = 1) -> Path:
    """A partition directory of a shape, with the indexes that a broker writes; returns it."""
    where = folder / f"{SHAPES[name]().topic}-0"
    where.mkdir(parents=True)
    segment = _Segment(where, 0)
    for data in batches(name, raw_bytes):
        if segment.log.tell() >= raw_bytes // segments:
            segment.close()
            segment = _Segment(where, _PLACE.unpack_from(data)[0])
        segment.add(data)
    segment.close()
    (where / "leader-epoch-checkpoint").write_text("0\n1\n0 0\n")
    (where / "partition.metadata").write_text("version: 0\ntopic_id: dGhlLXRlc3QtdG9waWMtaQ")
    return where


def main() -> None:
    """Write a segment."""
    all_shapes = "\n".join(["shapes:", *(f"  {name:15} {made().text}" for name, made in SHAPES.items())])
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=all_shapes, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=SHAPES, metavar="SHAPE")
    parser.add_argument("mib", type=int, metavar="MIB")
    parser.add_argument("file", metavar="FILE")
    given = parser.parse_args()
    with open(given.file, "wb") as file:
        file.writelines(batches(given.shape, given.mib << 20))


if __name__ == "__main__":
    main()
