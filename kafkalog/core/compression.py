"""Kafka's codecs: strict, and bounded whatever the input claims.

`inflate` never hands out short data in silence: it returns what the stream gave, how many bytes of it the codec used, and
the error if the stream is not one whole, sound one. `decompress` is the same with the error raised. Before anything is
allocated the size of the output is computed from the stream's own headers, or counted in a dry run where the headers do
not tell, so a decompression bomb costs no memory.

The third-party codecs are imported when the first batch needs them.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.errors import DecompressionFailed, FormatError, LimitExceeded, UnknownCompression

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COMPRESSION_TYPES",
    "DEFAULT_LIMIT",
    "CompressionType",
    "Inflated",
    "compression_type",
    "decompress",
    "gzip_up_to_failure",
    "inflate",
]

#: Ceiling for the decompressed records of one batch, in bytes, unless the caller gives another.
DEFAULT_LIMIT = 128 << 20

_CHUNK = 1 << 16


class Inflated(NamedTuple):
    """What a compressed section gave.

    `data` is everything the codec produced before it ended or failed; `consumed` is how many bytes of the section belong
    to the stream; `problem` is None only when the section is exactly one whole stream of its codec (gzip and zstd: one or
    more members or frames). `trailing` says that all that Kafka's own reader looks at was whole, and the problem is with
    bytes after it: data after the end, or a content size or content checksum that disagrees. `frame_ends`, of zstd only,
    are the places in `data` where a frame ended, skippable frames included.
    """

    data: bytes
    consumed: int
    problem: FormatError | None
    trailing: bool = False
    frame_ends: tuple[int, ...] = ()


class CompressionType(NamedTuple):
    """One row of Kafka's codec table. `magics`: the message format versions that may use it."""

    id: int
    name: str
    magics: tuple[int, ...]


COMPRESSION_TYPES = (
    CompressionType(0, "none", (0, 1, 2)),
    CompressionType(1, "gzip", (0, 1, 2)),
    CompressionType(2, "snappy", (0, 1, 2)),
    CompressionType(3, "lz4", (0, 1, 2)),
    CompressionType(4, "zstd", (2,)),
)


def compression_type(codec_id: int, magic: int = 2) -> CompressionType:
    """The codec of an id.

    Raises:
        UnknownCompression: no codec has the id, or not in this message format version.
    """
    for row in COMPRESSION_TYPES:
        if row.id == codec_id and magic in row.magics:
            return row
    allowed = ", ".join(f"{row.id} ({row.name})" for row in COMPRESSION_TYPES if magic in row.magics)
    raise UnknownCompression(codec_id, allowed)


def decompress(codec_id: int, data: bytes, *, magic: int = 2, limit: int = DEFAULT_LIMIT) -> bytes:
    """The decompressed bytes of one section.

    Args:
        codec_id: 0 … 4, the low three attribute bits.
        data: The compressed section: bytes 61 to the end of a magic 2 batch, or the value of a magic 0/1 wrapper.
        magic: Message format version; decides about the codecs allowed and about the lz4 header checksum of magic 0.
        limit: Ceiling for the output in bytes.

    Raises:
        UnknownCompression: no such codec.
        DecompressionFailed: truncated, corrupt, or followed by bytes that are not part of it.
        LimitExceeded: the output would be larger than `limit`.
    """
    result = inflate(codec_id, data, magic=magic, limit=limit)
    if result.problem is not None:
        raise result.problem
    return result.data


def inflate(codec_id: int, data: bytes, *, magic: int = 2, limit: int = DEFAULT_LIMIT) -> Inflated:
    """Like `decompress`, but damage is a value: `Inflated.problem`.

    Raises:
        UnknownCompression: no such codec.
        LimitExceeded: the output would be larger than `limit`.
    """
    codec = compression_type(codec_id, magic)
    if codec.id == 0:
        if len(data) > limit:
            raise _over(limit, len(data))
        return Inflated(data, len(data), None)
    if codec.id == 3:
        return _inflate_lz4(data, limit, check_header=magic != 0)
    return _INFLATERS[codec.id](data, limit)


def _over(limit: int, wanted: int | None) -> LimitExceeded:
    return LimitExceeded(limit, wanted, "bytes of decompressed records in one batch")


def _failed(codec: str, reason: str) -> DecompressionFailed:
    return DecompressionFailed(codec, reason)


def _trailing(codec: str, data: bytes, consumed: int, out: bytes) -> Inflated:
    left = len(data) - consumed
    problem = _failed(codec, f"{left} bytes follow the end of the compressed stream") if left else None
    return Inflated(out, consumed, problem, trailing=left > 0)


# --- gzip -------------------------------------------------------------------------------------------------------------

_GZIP_BEST_RATIO = 1032
#: Bytes given to zlib at a time: at the begin of a member, and at most.
_GZIP_FIRST_STEP = 1 << 12
_GZIP_LAST_STEP = 1 << 20


def _inflate_gzip(data: bytes, limit: int) -> Inflated:
    if len(data) * _GZIP_BEST_RATIO > limit:
        _gzip_members(data, limit, keep=False)
    return _gzip_members(data, limit, keep=True)


def _gzip_members(data: bytes, limit: int, *, keep: bool) -> Inflated:
    """Walk the members of a gzip section; with `keep` false only the size is counted, against `limit`."""
    out: list[bytes] = []
    view = memoryview(data)
    size = consumed = 0
    first = True
    while first or data[consumed : consumed + 2] == b"\x1f\x8b":
        member = zlib.decompressobj(31)
        at = consumed
        # zlib copies what it is given and does not use; fed with everything, many small members would take the square.
        step = _GZIP_FIRST_STEP
        while not member.eof:
            fed = view[at : at + step]
            try:
                piece = member.decompress(fed, _CHUNK if not keep else limit - size + 1)
            except zlib.error as error:
                return Inflated(b"".join(out), consumed, _failed("gzip", str(error)))
            size += len(piece)
            if size > limit:
                raise _over(limit, None)
            if keep:
                out.append(piece)
            used = len(fed) - len(member.unconsumed_tail) - len(member.unused_data)
            if not piece and not used and not member.eof:
                reason = "the stream ends before its trailer" if data else "empty section"
                return Inflated(b"".join(out), len(data), _failed("gzip", reason))
            at += used
            step = min(step * 4, _GZIP_LAST_STEP)
        consumed = at
        first = False
    return _trailing("gzip", data, consumed, b"".join(out))


#: Bytes that Java's GZIPInputStream is fed with at a time, as Kafka makes it: what a piece gives is handed out or lost as one.
_GZIP_FEED = 8192
_GZIP_HEADER = 10


def gzip_up_to_failure(data: bytes, limit: int = DEFAULT_LIMIT) -> bytes:
    """What Kafka's reader hands out of a gzip section that fails: all before the piece that fails, or before the trailer.

    Raises:
        LimitExceeded: it would be larger than `limit` bytes.
    """
    if not data.startswith(b"\x1f\x8b\x08\0") or len(data) < _GZIP_HEADER:
        return b""
    inflater = zlib.decompressobj(-15)
    out: list[bytes] = []
    size = 0
    try:
        for at in range(_GZIP_HEADER, len(data), _GZIP_FEED):
            out.append(inflater.decompress(data[at : at + _GZIP_FEED], limit - size + 1))
            size += len(out[-1])
            if inflater.eof or size > limit:
                break
    except zlib.error:
        pass
    if size > limit:
        raise _over(limit, None)
    return b"".join(out)


# --- snappy -----------------------------------------------------------------------------------------------------------

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16


def _snappy_block_size(data: bytes, at: int, end: int) -> int | None:
    """Uncompressed size that a raw snappy block claims: a base-128 number in front; None when it is cut or too long."""
    size = shift = 0
    for place in range(at, min(end, at + 5)):
        size |= (data[place] & 0x7F) << shift
        if data[place] < 0x80:
            return size if size <= 0xFFFFFFFF else None
        shift += 7
    return None


def _inflate_snappy(data: bytes, limit: int) -> Inflated:
    if not data.startswith(_XERIAL_MAGIC) or len(data) < _XERIAL_HEADER:
        return _snappy_blocks(data, [(0, len(data))], limit, None)
    blocks: list[tuple[int, int]] = []
    at = _XERIAL_HEADER
    problem: FormatError | None = None
    trailing = False
    while at < len(data):
        if data.startswith(_XERIAL_MAGIC, at) and len(data) - at >= _XERIAL_HEADER:
            at += _XERIAL_HEADER  # concatenated streams repeat the header
            continue
        if len(data) - at < 4:
            problem = _failed("snappy", f"{len(data) - at} bytes where a block length of 4 was due")
            trailing = True
            break
        (size,) = struct.unpack_from(">i", data, at)
        if size < 0 or size > len(data) - at - 4:
            problem = _failed("snappy", f"block of {size} bytes, {len(data) - at - 4} present")
            break
        blocks.append((at + 4, at + 4 + size))
        at += 4 + size
    result = _snappy_blocks(data, blocks, limit, problem)
    return result._replace(trailing=trailing and result.problem is problem)


def _snappy_blocks(data: bytes, blocks: list[tuple[int, int]], limit: int, problem: FormatError | None) -> Inflated:
    import snappy

    wanted = 0
    for at, end in blocks:
        size = _snappy_block_size(data, at, end)
        # The best that snappy can do is 64 bytes out of 3; what claims more is a lie and must not be allocated.
        if size is not None and size <= (end - at) * 64:
            wanted += size
    if wanted > limit:
        raise _over(limit, wanted)
    out: list[bytes] = []
    for at, end in blocks:
        size = _snappy_block_size(data, at, end)
        if size is None or size > (end - at) * 64:
            return Inflated(b"".join(out), at, _failed("snappy", f"block of {end - at} bytes claims {size} bytes of data"))
        try:
            piece = snappy.uncompress(data[at:end])
        except Exception as error:  # noqa: BLE001 - the binding's own exception type differs from release to release
            return Inflated(b"".join(out), at, _failed("snappy", str(error) or type(error).__name__))
        if len(piece) != size:
            return Inflated(b"".join(out), at, _failed("snappy", f"block claims {size} bytes and holds {len(piece)}"))
        out.append(bytes(piece))
    consumed = len(data) if problem is None else (blocks[-1][1] if blocks else min(len(data), _XERIAL_HEADER))
    return Inflated(out[0] if len(out) == 1 else b"".join(out), consumed, problem)


# --- lz4 --------------------------------------------------------------------------------------------------------------

_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_LZ4_BLOCK_SIZES = {4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22}
_UINT32_LE = struct.Struct("<I")


class _Lz4Header(NamedTuple):
    size: int
    block_checksum: bool
    content_checksum: bool
    content_size: int | None
    most_block_bytes: int


def _lz4_header(data: bytes, *, check_header: bool) -> _Lz4Header | str:
    """The frame header, or what is wrong with it, judged as Kafka's own reader does."""
    if len(data) < 7:
        return f"{len(data)} bytes are no frame header"
    if data[:4] != _LZ4_MAGIC:
        return f"frame magic {data[:4].hex()}, must be {_LZ4_MAGIC.hex()}"
    flags, block = data[4], data[5]
    if flags >> 6 != 1:
        return f"frame version {flags >> 6}, must be 1"
    if not flags & 0x20:
        return "linked blocks; Kafka reads independent ones only"
    if flags & 0x03 or block & 0x8F:
        return f"reserved bits set in the frame descriptor {flags:02x} {block:02x}"
    if block >> 4 not in _LZ4_BLOCK_SIZES:
        return f"block size id {block >> 4}, must be 4 to 7"
    at = 6
    content_size = None
    if flags & 0x08:
        if len(data) < 15:
            return "the frame header is cut in its content size"
        (content_size,) = struct.unpack_from("<Q", data, 6)
        at = 14
    if check_header and data[at] != (_xxh32(data[4:at]) >> 8) & 0xFF:
        return f"frame header checksum {data[at]:02x}, computed {(_xxh32(data[4:at]) >> 8) & 0xFF:02x}"
    return _Lz4Header(at + 1, bool(flags & 0x10), bool(flags & 0x04), content_size, _LZ4_BLOCK_SIZES[block >> 4])


def _lz4_block_bound(data: bytes, at: int, most: int) -> int:
    """At most how many bytes the blocks from `at` on can give; reads their headers only."""
    bound = 0
    while len(data) - at >= 4:
        (word,) = _UINT32_LE.unpack_from(data, at)
        size = word & 0x7FFFFFFF
        if size == 0:
            break
        bound += size if word >> 31 else min(most, size * 255)
        at += 4 + size
    return bound


def _inflate_lz4(data: bytes, limit: int, *, check_header: bool = True) -> Inflated:
    header = _lz4_header(data, check_header=check_header)
    if isinstance(header, str):
        return Inflated(b"", 0, _failed("lz4", header))
    if _lz4_block_bound(data, header.size, header.most_block_bytes) > limit:
        _lz4_blocks(data, header, limit, keep=False)
    return _lz4_blocks(data, header, limit, keep=True)


def _lz4_blocks(data: bytes, header: _Lz4Header, limit: int, *, keep: bool) -> Inflated:
    from lz4.block import LZ4BlockError
    from lz4.block import decompress as decompress_block

    out: list[bytes] = []
    size_so_far = 0
    at = header.size

    def stop(reason: str) -> Inflated:
        return Inflated(b"".join(out), at, _failed("lz4", reason))

    while True:
        if len(data) - at < 4:
            return stop("the stream ends without its end mark")
        (word,) = _UINT32_LE.unpack_from(data, at)
        size = word & 0x7FFFFFFF
        if size == 0:
            break
        if size > header.most_block_bytes:
            return stop(f"block of {size} bytes, at most {header.most_block_bytes} allowed")
        end = at + 4 + size
        if end + (4 if header.block_checksum else 0) > len(data):
            return stop(f"block of {size} bytes, {len(data) - at - 4} present")
        block = data[at + 4 : end]
        if header.block_checksum and _UINT32_LE.unpack_from(data, end)[0] != _xxh32(block):
            return stop("a block's checksum does not match")
        if word >> 31:
            piece = block
        else:
            try:
                piece = decompress_block(block, uncompressed_size=header.most_block_bytes)
            except (LZ4BlockError, MemoryError, ValueError) as error:
                return stop(str(error))
        size_so_far += len(piece)
        if size_so_far > limit:
            raise _over(limit, None)
        if keep:
            out.append(piece)
        at = end + (4 if header.block_checksum else 0)
    at += 4
    whole = out[0] if len(out) == 1 else b"".join(out)
    if keep and header.content_size is not None and header.content_size != len(whole):
        return _lz4_unverified(whole, at, data, f"content size {header.content_size}, {len(whole)} bytes found")
    if header.content_checksum:
        if len(data) - at < 4:
            return stop("the stream ends before its content checksum")
        if keep and _UINT32_LE.unpack_from(data, at)[0] != _xxh32(whole):
            return _lz4_unverified(whole, at + 4, data, "the content checksum does not match")
        at += 4
    return _trailing("lz4", data, at, whole)


def _lz4_unverified(whole: bytes, consumed: int, data: bytes, reason: str) -> Inflated:
    # Kafka's reader stops at the end mark and looks neither at content size nor content checksum.
    return Inflated(whole, min(consumed, len(data)), _failed("lz4", reason), trailing=True)


_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
_M32 = 0xFFFFFFFF


def _xxh32(data: bytes) -> int:
    """xxHash32 with seed 0, for the rare frames that carry checksums."""
    size = len(data)
    at = 0
    if size >= 16:
        v1, v2, v3, v4 = (_P1 + _P2) & _M32, _P2, 0, -_P1 & _M32
        for a, b, c, d in struct.iter_unpack("<4I", memoryview(data)[: size - size % 16]):
            v1 = (v1 + a * _P2) & _M32
            v1 = ((v1 << 13 | v1 >> 19) * _P1) & _M32
            v2 = (v2 + b * _P2) & _M32
            v2 = ((v2 << 13 | v2 >> 19) * _P1) & _M32
            v3 = (v3 + c * _P2) & _M32
            v3 = ((v3 << 13 | v3 >> 19) * _P1) & _M32
            v4 = (v4 + d * _P2) & _M32
            v4 = ((v4 << 13 | v4 >> 19) * _P1) & _M32
        at = size - size % 16
        h = (v1 << 1 | v1 >> 31) + (v2 << 7 | v2 >> 25) + (v3 << 12 | v3 >> 20) + (v4 << 18 | v4 >> 14)
        h &= _M32
    else:
        h = _P5
    h = (h + size) & _M32
    while size - at >= 4:
        h = (h + int.from_bytes(data[at : at + 4], "little") * _P3) & _M32
        h = ((h << 17 | h >> 15) * _P4) & _M32
        at += 4
    for byte in data[at:]:
        h = (h + byte * _P5) & _M32
        h = ((h << 11 | h >> 21) * _P1) & _M32
    h = ((h ^ h >> 15) * _P2) & _M32
    h = ((h ^ h >> 13) * _P3) & _M32
    return h ^ h >> 16


# --- zstd -------------------------------------------------------------------------------------------------------------

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_MOST_BLOCK = 1 << 17


def _is_skippable(data: bytes, at: int) -> bool:
    return 0x50 <= data[at] <= 0x5F and data[at + 1 : at + 4] == b"\x2a\x4d\x18"


def _zstd_frames(data: bytes) -> tuple[list[tuple[int, int, int]], int, str]:
    """Find the frames from their headers alone: (start, end, bound of the output) each, end of the last, problem or ""."""
    frames: list[tuple[int, int, int]] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4:
            return frames, at, f"{len(data) - at} bytes where a frame was due"
        if _is_skippable(data, at):
            if len(data) - at < 8:
                return frames, at, "a skippable frame is cut"
            end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
            if end > len(data):
                return frames, at, "a skippable frame is cut"
            frames.append((at, end, 0))
            at = end
            continue
        if not data.startswith(_ZSTD_MAGIC, at):
            return frames, at, f"frame magic {data[at : at + 4].hex()}, must be {_ZSTD_MAGIC.hex()}"
        end, bound, problem = _zstd_frame(data, at)
        if problem:
            return frames, at, problem
        frames.append((at, end, bound))
        at = end
    return frames, at, "" if data else "empty section"


def _zstd_frame(data: bytes, at: int) -> tuple[int, int, str]:
    """Walk the block headers of one frame: its end, a bound of its output, what is wrong or ""."""
    if len(data) - at < 6:
        return at, 0, "the frame header is cut"
    descriptor = data[at + 4]
    single_segment = descriptor & 0x20
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    place = at + 5 + (0 if single_segment else 1) + dictionary
    content_size = None
    if content:
        if place + content > len(data):
            return at, 0, "the frame header is cut"
        content_size = int.from_bytes(data[place : place + content], "little") + (256 if content == 2 else 0)
        place += content
    bound = 0
    last = False
    while not last:
        if place + 3 > len(data):
            return at, 0, "the stream ends inside a frame"
        word = int.from_bytes(data[place : place + 3], "little")
        last, kind, size = bool(word & 1), word >> 1 & 3, word >> 3
        if kind == 3:
            return at, 0, "reserved block type"
        bound += size if kind < 2 else _ZSTD_MOST_BLOCK
        place += 3 + (1 if kind == 1 else size)
    place += 4 if descriptor & 4 else 0
    if place > len(data):
        return at, 0, "the stream ends inside a frame"
    return place, bound if content_size is None else min(bound, content_size), ""


class _Zstd:
    """The one decompression context of this process; making one costs more than a small batch."""

    context: object = None


def _inflate_zstd(data: bytes, limit: int) -> Inflated:
    import zstandard

    frames, end, problem = _zstd_frames(data)
    context = _Zstd.context
    if not isinstance(context, zstandard.ZstdDecompressor):
        # Windows of up to 2 GiB are legal for the JVM's binding; the output bound below limits what is allocated.
        context = _Zstd.context = zstandard.ZstdDecompressor(max_window_size=1 << 31)
    bounded = sum(bound for _, _, bound in frames) <= limit
    if not bounded:
        _zstd_count(context.stream_reader, data[:end], limit)
    out: list[bytes] = []
    ends: list[int] = []
    size = 0
    for start, stop, _ in frames:
        if _is_skippable(data, start):
            ends.append(size)
            continue
        try:
            piece = context.decompressobj().decompress(data[start:stop])
        except (zstandard.ZstdError, MemoryError) as error:
            return Inflated(b"".join(out), start, _failed("zstd", str(error)))
        out.append(piece)
        size += len(piece)
        ends.append(size)
    whole = out[0] if len(out) == 1 else b"".join(out)
    return Inflated(whole, end, _failed("zstd", problem) if problem else None, frame_ends=tuple(ends))


def _zstd_count(stream_reader: Callable[..., object], data: bytes, limit: int) -> None:
    """Decompress into one reused buffer to learn whether the output stays within `limit`."""
    import zstandard

    reader = stream_reader(data, read_across_frames=True)
    buffer = bytearray(1 << 20)
    size = 0
    try:
        while count := reader.readinto(buffer):  # type: ignore[attr-defined]  # zstandard's stubs leave the reader untyped
            size += count
            if size > limit:
                raise _over(limit, None)
    except zstandard.ZstdError:
        return


_INFLATERS: dict[int, Callable[[bytes, int], Inflated]] = {
    1: _inflate_gzip,
    2: _inflate_snappy,
    4: _inflate_zstd,
}
