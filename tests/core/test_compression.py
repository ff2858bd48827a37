"""Every codec: all legal framings are read, anything else is an error, and no input makes it allocate more than the limit."""

from __future__ import annotations

import contextlib
import gzip
import random
import struct
import time
import tracemalloc
import zlib

import lz4.frame
import pytest
import snappy
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.compression import COMPRESSION_TYPES, compression_type, decompress, inflate
from kafkalog.core.legacy import LegacyBatch
from kafkalog.errors import DecompressionFailed, LimitExceeded, UnknownCompression
from tests import encode
from tests.encode import R

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
RNG = random.Random(5)
TEXT = b"".join(b'{"id": %d, "text": "the quick brown fox"}\n' % RNG.randrange(10**6) for _ in range(4000))
SAMPLES = {"empty": b"", "short": b"hello kafka", "text": TEXT, "noise": RNG.randbytes(70_000), "zeros": bytes(300_000)}


def lz4_library(data, **options):
    return lz4.frame.compress(data, block_linked=False, **options)


def zstd_stream(data):
    compressor = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return compressor.compress(data) + compressor.flush()


LEGAL = {
    "gzip": (GZIP, gzip.compress),
    "gzip stored": (GZIP, encode.gzip_member),
    "gzip with a name": (GZIP, lambda d: b"\x1f\x8b\x08\x08" + bytes(6) + b"name\0" + gzip.compress(d)[10:]),
    "gzip of two members": (GZIP, lambda d: gzip.compress(d[:100]) + gzip.compress(d[100:])),
    "snappy of the JVM": (SNAPPY, encode.xerial),
    "snappy of the JVM, small blocks": (SNAPPY, lambda d: encode.xerial(d, 1000)),
    "snappy of the JVM, concatenated": (SNAPPY, lambda d: encode.xerial(d[:500]) + encode.xerial(d[500:])),
    "snappy raw": (SNAPPY, snappy.compress),
    "snappy raw literals": (SNAPPY, encode.raw_snappy),
    "lz4 stored": (LZ4, encode.lz4_frame),
    "lz4": (LZ4, lambda d: lz4_library(d, store_size=False)),
    "lz4 with content size": (LZ4, lambda d: lz4_library(d, store_size=True)),
    "lz4 with checksums": (LZ4, lambda d: lz4_library(d, content_checksum=True, block_checksum=True)),
    "lz4 with blocks of 4 MiB": (LZ4, lambda d: lz4_library(d, block_size=lz4.frame.BLOCKSIZE_MAX4MB)),
    "zstd raw": (ZSTD, encode.zstd_frame),
    "zstd": (ZSTD, zstandard.ZstdCompressor().compress),
    "zstd without content size": (ZSTD, zstd_stream),
    "zstd with a checksum": (ZSTD, zstandard.ZstdCompressor(write_checksum=True).compress),
    "zstd at level 19": (ZSTD, zstandard.ZstdCompressor(level=19).compress),
    "zstd of two frames": (ZSTD, lambda d: zstd_stream(d[:50]) + zstd_stream(d[50:])),
    "zstd behind a skippable frame": (ZSTD, lambda d: b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd_stream(d)),
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("framing", LEGAL)
def test_legal_framings_are_read_whole(framing, sample):
    codec, compress = LEGAL[framing]
    data = compress(SAMPLES[sample])
    result = inflate(codec, data)
    assert result.problem is None
    assert result.data == SAMPLES[sample]
    assert result.consumed == len(data)


@pytest.mark.parametrize("framing", LEGAL)
def test_a_stream_cut_anywhere_is_an_error_and_never_short_data(framing):
    codec, compress = LEGAL[framing]
    data = compress(TEXT[:1500])
    boundaries = 0
    for cut in range(len(data)):
        result = inflate(codec, data[:cut])
        if result.problem is None:
            boundaries += 1  # between two members, frames or blocks of the framing: a shorter stream, whole
            assert TEXT.startswith(result.data)
        else:
            assert isinstance(result.problem, DecompressionFailed)
    # Cutting a JVM snappy stream between its blocks, or a chain between its parts, cannot be seen from the stream.
    assert boundaries <= {"snappy of the JVM, small blocks": 2, "snappy of the JVM, concatenated": 3}.get(framing, 1)


@pytest.mark.parametrize("framing", LEGAL)
@pytest.mark.parametrize("junk", [b"\0", b"junk behind", bytes(100)])
def test_bytes_behind_the_stream_are_an_error(framing, junk):
    codec, compress = LEGAL[framing]
    data = compress(TEXT[:1500])
    with pytest.raises(DecompressionFailed):
        decompress(codec, data + junk)


@pytest.mark.parametrize("framing", LEGAL)
def test_flipped_bits_give_data_or_the_documented_errors(framing):
    codec, compress = LEGAL[framing]
    data = bytearray(compress(TEXT[:600]))
    for place in range(len(data)):
        for bit in (0, 3, 7):
            data[place] ^= 1 << bit
            with contextlib.suppress(LimitExceeded):
                inflate(codec, bytes(data), limit=1 << 20)
            data[place] ^= 1 << bit


HEADS = [b"", b"\x1f\x8b\x08\0", b"\x82SNAPPY\0", b"\x04\x22\x4d\x18\x60\x40\x82", b"\x28\xb5\x2f\xfd"]


@given(st.sampled_from([1, 2, 3, 4]), st.binary(max_size=200), st.sampled_from(HEADS))
def test_any_bytes_give_data_or_the_documented_errors(codec, data, head):
    with contextlib.suppress(DecompressionFailed, LimitExceeded):
        decompress(codec, head + data, limit=1 << 20)


SIZE = 64 << 20
BOMBS = {
    "gzip": (GZIP, lambda: gzip.compress(bytes(SIZE))),
    "gzip members": (GZIP, lambda: gzip.compress(bytes(SIZE // 64)) * 64),
    "snappy": (SNAPPY, lambda: snappy.compress(bytes(SIZE))),
    "snappy blocks": (SNAPPY, lambda: encode.xerial(b"") + _block(snappy.compress(bytes(SIZE // 64))) * 64),
    "lz4": (LZ4, lambda: lz4_library(bytes(SIZE), store_size=False)),
    "lz4 with size": (LZ4, lambda: lz4_library(bytes(SIZE), store_size=True)),
    "zstd": (ZSTD, lambda: zstandard.ZstdCompressor().compress(bytes(SIZE))),
    "zstd stream": (ZSTD, lambda: zstd_stream(bytes(SIZE))),
    "zstd frames": (ZSTD, lambda: zstd_stream(bytes(SIZE // 64)) * 64),
}  # fmt: skip


def _block(data):
    return struct.pack(">i", len(data)) + data


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_costs_no_memory(name):
    codec, make = BOMBS[name]
    data = make()
    limit = 4 << 20
    tracemalloc.start()
    try:
        with pytest.raises(LimitExceeded) as caught:
            decompress(codec, data, limit=limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.limit == limit
    assert peak < limit + len(data) + (2 << 20)


LIES = {
    "snappy block of 4 GiB": (SNAPPY, encode.unsigned_varint(0xFFFFFFFF) + b"\x00x"),
    "snappy block of 60 MiB in 3 bytes": (SNAPPY, encode.unsigned_varint(60 << 20) + b"\x00x"),
    "snappy JVM block with a negative length": (SNAPPY, b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, -5) + b"abc"),
    "snappy JVM block longer than the rest": (SNAPPY, b"\x82SNAPPY\0" + struct.pack(">iii", 1, 1, 1 << 30) + b"abc"),
    "snappy size too small": (SNAPPY, encode.unsigned_varint(2) + bytes([4 << 2]) + b"hello"),
    "lz4 block longer than the rest": (LZ4, encode.lz4_frame(b"")[:7] + struct.pack("<I", 60_000) + b"abc"),
    "lz4 block larger than allowed": (LZ4, encode.lz4_frame(b"")[:7] + struct.pack("<I", 70_000 | 1 << 31) + bytes(80_000)),
    "lz4 content size": (LZ4, lz4_library(TEXT, store_size=True).replace(struct.pack("<Q", len(TEXT)), struct.pack("<Q", 7))),
    "zstd content size of 2**60": (ZSTD, b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 60) + b"\x01\x00\x00"),
    "gzip size field": (GZIP, gzip.compress(TEXT)[:-4] + struct.pack("<I", 5)),
    "gzip checksum": (GZIP, gzip.compress(TEXT)[:-8] + struct.pack("<II", 5, len(TEXT))),
    "gzip empty": (GZIP, b""),
    "snappy empty": (SNAPPY, b""),
    "lz4 empty": (LZ4, b""),
    "zstd empty": (ZSTD, b""),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_a_lying_size_is_an_error_and_costs_no_memory(name):
    codec, data = LIES[name]
    if name == "lz4 content size":
        data = data[:14] + bytes([_header_checksum(data[4:14])]) + data[15:]
    tracemalloc.start()
    try:
        with pytest.raises(DecompressionFailed):
            decompress(codec, data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def _header_checksum(descriptor):
    return encode.xxh32(descriptor) >> 8 & 0xFF


MANY = {
    "gzip members": (GZIP, gzip.compress(b"") * 50_000),
    "gzip members of some size": (GZIP, gzip.compress(RNG.randbytes(9000)) * 100),
    "zstd frames": (ZSTD, encode.zstd_frame(b"") * 100_000),
    "zstd blocks": (ZSTD, encode.zstd_frame(b"")[:6] + ((1 << 3 | 2).to_bytes(3, "little") + b"x") * 250_000 + b"\x01\0\0"),
    "snappy blocks": (SNAPPY, encode.xerial(b"") + (struct.pack(">i", 1) + b"\0") * 200_000),
    "lz4 blocks": (LZ4, encode.lz4_frame(b"")[:7] + (struct.pack("<I", 1 | 1 << 31) + b"x") * 200_000 + bytes(4)),
}


@pytest.mark.parametrize("name", MANY)
def test_many_small_parts_take_time_that_grows_with_their_number_only(name):
    codec, data = MANY[name]
    start = time.process_time()
    assert inflate(codec, data).problem is None
    # A megabyte takes half a second at most; what grows with the square takes many.
    assert time.process_time() - start < 5


def test_lz4_frames_that_kafka_refuses_are_errors():
    linked = lz4.frame.compress(TEXT, block_linked=True)
    two = encode.lz4_frame(b"one") + encode.lz4_frame(b"two")
    no_end = encode.lz4_frame(b"data", end_mark=False)
    for data in (linked, two, no_end):
        with pytest.raises(DecompressionFailed):
            decompress(LZ4, data)


def test_the_old_lz4_header_checksum_is_accepted_in_magic_0_only():
    old = encode.lz4_frame(b"data", old_header_checksum=True)
    assert decompress(LZ4, old, magic=0) == b"data"
    assert decompress(LZ4, encode.lz4_frame(b"data"), magic=0) == b"data"
    for magic in (1, 2):
        with pytest.raises(DecompressionFailed, match="header checksum"):
            decompress(LZ4, old, magic=magic)


def test_codec_ids_are_known_by_message_format_version():
    assert [row.name for row in COMPRESSION_TYPES] == ["none", "gzip", "snappy", "lz4", "zstd"]
    for codec, magic in [(5, 2), (6, 2), (7, 2), (4, 1), (4, 0), (5, 0)]:
        with pytest.raises(UnknownCompression):
            compression_type(codec, magic)


def test_the_limit_is_exact():
    for codec, compress in (
        (0, bytes),
        (GZIP, gzip.compress),
        (SNAPPY, encode.xerial),
        (LZ4, encode.lz4_frame),
        (ZSTD, zstd_stream),
    ):
        data = compress(TEXT)
        assert decompress(codec, data, limit=len(TEXT)) == TEXT
        with pytest.raises(LimitExceeded):
            decompress(codec, data, limit=len(TEXT) - 1)


def test_what_could_be_decompressed_is_kept_and_the_rest_is_damage():
    section = b"".join(encode.record(R(n, value=RNG.randbytes(2000))) for n in range(100))
    for codec, compress in encode.CODECS.items():
        packed = compress(section)
        batch = RecordBatch.read(encode.batch(packed[: len(packed) * 2 // 3], attributes=codec, count=100))
        *records, damage = batch.walk_records()
        assert isinstance(damage, Damage)
        assert isinstance(damage.error, DecompressionFailed)
        assert damage.span == (61, batch.size, None)
        assert all(record.value is not None for record in records)


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_a_batch_of_an_unknown_codec_is_damage_with_the_place_of_its_attributes(codec):
    (damage,) = RecordBatch.read(encode.batch([R()], attributes=codec), position=40).walk_records()
    assert isinstance(damage.error, UnknownCompression)
    assert damage.error.span == (61, 63, None)


def test_a_wrapper_of_magic_1_may_not_use_zstd():
    inner = encode.message(0, b"k", b"v")
    (damage,) = LegacyBatch.read(encode.message(0, None, encode.zstd_frame(inner), attributes=4)).walk_records()
    assert isinstance(damage.error, UnknownCompression)


def test_crc_of_zlib_agrees_with_the_fixture_encoder():
    assert zlib.crc32(TEXT) == int.from_bytes(gzip.compress(TEXT)[-8:-4], "little")


def test_a_snappy_block_and_what_it_holds_count_together_for_the_limit():
    content = random.Random(7).randbytes(3000)
    block = snappy.compress(content)
    together = len(block) + len(content)
    assert decompress(SNAPPY, block, limit=together) == content
    with pytest.raises(LimitExceeded, match=f"{together} wanted.*--max-decompressed"):
        decompress(SNAPPY, block, limit=together - 1)
    assert decompress(SNAPPY, encode.xerial(b"") + _block(block) * 4, limit=4 * len(content)) == content * 4
