"""Kafka's codecs: strict, and bounded whatever the input claims.

Each codec is a generator that gives its output in pieces and returns an `_End`; nothing is taken from it before the piece
before was counted, so that no header, however it lies, makes it hold more than a piece. `inflate` counts them against a
limit and keeps them up to `HELD` bytes; what is larger is handed out in windows, by decompressing it again.

`inflate` never hands out short data in silence: it returns what the stream gave, how many bytes of it the codec used, and
the error if the stream is not one whole, sound one. `decompress` is the same with the error raised.

The third-party codecs are imported when the first batch needs them.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.source import HELD, PIECE, Bytes, Window, WindowedBytes
from kafkalog.errors import DecompressionFailed, FormatError, LimitExceeded, UnknownCompression

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from zstandard import ZstdDecompressor

__all__ = [
    "COMPRESSION_TYPES",
    "DEFAULT_LIMIT",
    "MAX_DECOMPRESSED",
    "CompressionType",
    "Inflated",
    "compression_type",
    "decompress",
    "gzip_up_to_failure",
    "inflate",
    "record_over",
    "zstd_pieces",
]

#: Ceiling for the decompressed records of one batch, and for one record, in bytes, unless the caller gives another.
DEFAULT_LIMIT = 128 << 20
#: The ceiling in use: a command or a program sets it once, for all that it reads.
MAX_DECOMPRESSED: ContextVar[int] = ContextVar("MAX_DECOMPRESSED", default=DEFAULT_LIMIT)


class Inflated(NamedTuple):
    """What a compressed section gave.

    `data` is everything the codec produced before it ended or failed, up to 8 MiB as `bytes`, more as `WindowedBytes`;
    `consumed` is how many bytes of the section belong to the stream; `problem` is None only when the section is exactly
    one whole stream of its codec (gzip and zstd: one or more members or frames). `trailing` says that all that Kafka's
    own reader looks at was whole, and the problem is with bytes after it: data after the end, or a content size or
    content checksum that disagrees. `frame_ends`, of zstd only, are the places in `data` where a frame ended, skippable
    frames included.
    """

    data: Bytes
    consumed: int
    problem: FormatError | None
    trailing: bool = False
    frame_ends: Sequence[int] = ()


class _End(NamedTuple):
    """How a stream ended; as in `Inflated`. `counts`: of the output, only so many bytes count; None: all."""

    consumed: int
    problem: FormatError | None = None
    trailing: bool = False
    frame_ends: Sequence[int] = ()
    counts: int | None = None


if TYPE_CHECKING:
    Pieces = Generator[bytes, None, _End]


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


def decompress(codec_id: int, data: Bytes, *, magic: int = 2, limit: int | None = None) -> bytes:
    """The decompressed bytes of one section.

    Args:
        codec_id: 0 … 4, the low three attribute bits.
        data: The compressed section: bytes 61 to the end of a magic 2 batch, or the value of a magic 0/1 wrapper.
        magic: Message format version; decides about the codecs allowed and about the lz4 header checksum of magic 0.
        limit: Ceiling for the output in bytes; `MAX_DECOMPRESSED` by default.

    Raises:
        UnknownCompression: no such codec.
        DecompressionFailed: truncated, corrupt, or followed by bytes that are not part of it.
        LimitExceeded: the output would be larger than `limit`.
    """
    result = inflate(codec_id, data, magic=magic, limit=limit)
    if result.problem is not None:
        raise result.problem
    return bytes(result.data)


def inflate(codec_id: int, data: Bytes, *, magic: int = 2, limit: int | None = None) -> Inflated:
    """Like `decompress`, but damage is a value, `Inflated.problem`, and not more than `HELD` bytes are held.

    Raises:
        UnknownCompression: no such codec.
        LimitExceeded: the output would be larger than `limit`.
    """
    limit = MAX_DECOMPRESSED.get() if limit is None else limit
    codec = compression_type(codec_id, magic)
    if codec.id == 0:
        if len(data) > limit:
            raise _over(limit, len(data))
        return Inflated(data, len(data), None)

    whole, end = _collect(lambda: _CODECS[codec.id](data, limit, magic), limit)
    return Inflated(whole, *end[:4])


def _collect(start: Callable[[], Pieces], limit: int) -> tuple[Bytes, _End]:
    """Count what a codec gives, and keep it if that is little."""
    kept: list[bytes] = []
    size = 0
    pieces = start()
    while True:
        try:
            piece = next(pieces)
        except StopIteration as stop:
            end: _End = stop.value
            break
        size += len(piece)
        if size > limit:
            raise _over(limit, None)
        if size <= HELD:
            kept.append(piece)
    counts = size if end.counts is None else end.counts
    if size > HELD:
        return WindowedBytes(_Again(start, counts)), end
    whole = kept[0] if len(kept) == 1 else b"".join(kept)
    return whole if counts == size else whole[:counts], end


class _Again:
    """A source over decompressed bytes: goes forward with the codec, and starts again for what lies before."""

    def __init__(self, start: Callable[[], Iterator[bytes]], size: int) -> None:
        self.size = size
        self._start = start
        self._pieces: Iterator[bytes] = iter(())
        self._window = Window(0, b"")

    def window(self, position: int, need: int) -> Window:
        """Bytes from `position` on; those before it are forgotten."""
        begin, data = self._window
        if position < begin:
            self._pieces, begin, data = iter(()), 0, b""
        if begin == 0 and not data:
            self._pieces = self._start()
        while begin + len(data) <= position:
            piece = next(self._pieces, None)
            if piece is None:
                break
            begin, data = begin + len(data), piece
        need = min(need, self.size - position)
        have = begin + len(data) - position
        if have < need and need > HELD:
            # Filled as it comes: pieces that wait to be joined would be there twice.
            out = bytearray(need)
            out[:have] = data[position - begin :]
            while have < need and (piece := next(self._pieces, None)) is not None:
                begin, data = position + have, piece
                out[have : have + len(piece)] = piece[: need - have]
                have += len(piece)
            self._window = Window(begin, data)
            return Window(position, bytes(out))
        if have < need:
            parts = [data[position - begin :]]
            while have < need and (piece := next(self._pieces, None)) is not None:
                parts.append(piece)
                have += len(piece)
            begin, data = position, b"".join(parts)
        self._window = Window(begin, data)
        return self._window


def _over(limit: int, wanted: int | None) -> LimitExceeded:
    return LimitExceeded(limit, wanted, "bytes of decompressed records in one batch", "--max-decompressed")


def record_over(limit: int, wanted: int) -> LimitExceeded:
    """What is said of one record that is too large to be held."""
    return LimitExceeded(limit, wanted, "bytes of one record", "--max-decompressed")


def _failed(codec: str, reason: str) -> DecompressionFailed:
    return DecompressionFailed(codec, reason)


def _at_end(codec: str, data: Bytes, consumed: int) -> _End:
    left = len(data) - consumed
    problem = _failed(codec, f"{left} bytes follow the end of the compressed stream") if left else None
    return _End(consumed, problem, trailing=left > 0)


# --- gzip -------------------------------------------------------------------------------------------------------------

#: Bytes given to zlib at a time: at the beginning of a member, and at most.
_GZIP_FIRST_STEP = 1 << 12
_GZIP_LAST_STEP = 1 << 20


def _gzip(data: Bytes, limit: int, magic: int) -> Pieces:  # noqa: ARG001 - as for the others
    view = memoryview(data) if isinstance(data, bytes) else data
    size = consumed = 0
    while not consumed or data[consumed : consumed + 2] == b"\x1f\x8b":
        member = zlib.decompressobj(31)
        at = consumed
        # zlib copies what it is given and does not use; fed with everything, many small members would take the square.
        step = _GZIP_FIRST_STEP
        ended = False
        while not ended:
            fed = view[at : at + step]
            before = size
            used = 0
            while True:
                try:
                    piece = member.decompress(fed[used:] if used else fed, PIECE)
                except zlib.error as error:
                    # What is fed at once gives all or nothing, in however many pieces it comes.
                    return _End(consumed, _failed("gzip", str(error)), counts=before)
                used = len(fed) - len(member.unconsumed_tail) - len(member.unused_data)
                if piece:
                    size += len(piece)
                    yield piece
                ended = member.eof
                if ended or len(piece) < PIECE:
                    break
            if not (size > before or used or ended):
                reason = "the stream ends before its trailer" if len(data) else "empty section"
                return _End(len(data), _failed("gzip", reason))
            at += used
            step = min(step * 4, _GZIP_LAST_STEP)
        consumed = at
    return _at_end("gzip", data, consumed)


#: Bytes that Java's GZIPInputStream is fed with at a time, as Kafka makes it: what a piece gives is handed out or lost as one.
_GZIP_FEED = 8192
_GZIP_HEADER = 10


def gzip_up_to_failure(data: Bytes, limit: int | None = None) -> Bytes:
    """What Kafka's reader hands out of a gzip section that fails: all before the piece that fails, or before the trailer.

    Raises:
        LimitExceeded: it would be larger than `limit` bytes.
    """
    if data[:4] != b"\x1f\x8b\x08\0" or len(data) < _GZIP_HEADER:
        return b""
    return _collect(lambda: _gzip_as_java(data), MAX_DECOMPRESSED.get() if limit is None else limit)[0]


def _gzip_as_java(data: Bytes) -> Pieces:
    inflater = zlib.decompressobj(-15)
    size = 0
    for at in range(_GZIP_HEADER, len(data), _GZIP_FEED):
        fed, before = data[at : at + _GZIP_FEED], size
        while not inflater.eof:
            try:
                piece = inflater.decompress(fed, PIECE)
            except zlib.error:
                return _End(at, counts=before)
            fed = inflater.unconsumed_tail
            size += len(piece)
            yield piece
            if len(piece) < PIECE:
                break
        if inflater.eof:
            break
    return _End(len(data))


# --- snappy -----------------------------------------------------------------------------------------------------------

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER = 16


def _snappy_block_size(head: bytes) -> int | None:
    """Uncompressed size that a raw snappy block claims: a base-128 number in front; None when it is cut or too long."""
    size = shift = 0
    for byte in head:
        size |= (byte & 0x7F) << shift
        if byte < 0x80:
            return size if size <= 0xFFFFFFFF else None
        shift += 7
    return None


def _snappy(data: Bytes, limit: int, magic: int) -> Pieces:  # noqa: ARG001 - as for the others
    if data[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC or len(data) < _XERIAL_HEADER:
        piece, reason = _snappy_block(data, 0, len(data), 0, limit)
        if reason:
            return _End(0, _failed("snappy", reason))
        yield from _sliced(piece)
        return _End(len(data))
    at = _XERIAL_HEADER
    consumed = at
    size = 0
    while at < len(data):
        left = len(data) - at
        if left >= _XERIAL_HEADER and data[at : at + len(_XERIAL_MAGIC)] == _XERIAL_MAGIC:
            at += _XERIAL_HEADER  # concatenated streams repeat the header
            continue
        if left < 4:
            return _End(consumed, _failed("snappy", f"{left} bytes where a block length of 4 was due"), trailing=True)
        block = int.from_bytes(data[at : at + 4], "big", signed=True)
        at += 4
        if block < 0 or block > left - 4:
            return _End(consumed, _failed("snappy", f"block of {block} bytes, {left - 4} present"))
        piece, reason = _snappy_block(data, at, at + block, size, limit)
        if reason:
            return _End(at, _failed("snappy", reason))
        size += len(piece)
        yield from _sliced(piece)
        consumed = at = at + block
    return _End(len(data))


def _sliced(block: bytearray) -> Iterator[bytes]:
    """A block in pieces: there may be one only, and its reader would join what is left of it with nothing."""
    return (bytes(block[at : at + PIECE]) for at in range(0, len(block), PIECE))


def _snappy_block(data: Bytes, at: int, end: int, before: int, limit: int) -> tuple[bytearray, str]:
    """One block decompressed, and what is wrong with it or ""."""
    # What `snappy` stands on: that one copies what it returns, which may be all that the limit allows.
    import cramjam

    size = _snappy_block_size(data[at : min(end, at + 5)])
    # The best that snappy can do is 64 bytes out of 3; what claims more is a lie and must not be allocated.
    if size is None or size > (end - at) * 64:
        return bytearray(), f"block of {end - at} bytes claims {size} bytes of data"
    if before + size > limit:
        raise _over(limit, before + size)
    # Both are held at once.
    if end - at + size > limit:
        raise LimitExceeded(limit, end - at + size, "bytes of one snappy block and of what it holds", "--max-decompressed")
    piece = bytearray(size)
    try:
        written = cramjam.snappy.decompress_raw_into(data[at:end], piece)
    except cramjam.DecompressionError as error:
        return bytearray(), str(error).removeprefix("snappy: ")
    return piece, "" if written == size else f"block claims {size} bytes and holds {written}"


# --- lz4 --------------------------------------------------------------------------------------------------------------

_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_LZ4_BLOCK_SIZES = {4: 1 << 16, 5: 1 << 18, 6: 1 << 20, 7: 1 << 22}


class _Lz4Header(NamedTuple):
    size: int
    block_checksum: bool
    content_checksum: bool
    content_size: int | None
    most_block_bytes: int


def _lz4_header(data: Bytes, *, check_header: bool) -> _Lz4Header | str:
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
        content_size = int.from_bytes(data[6:14], "little")
        at = 14
    if check_header and data[at] != (_xxh32(data[4:at]) >> 8) & 0xFF:
        return f"frame header checksum {data[at]:02x}, computed {(_xxh32(data[4:at]) >> 8) & 0xFF:02x}"
    return _Lz4Header(at + 1, bool(flags & 0x10), bool(flags & 0x04), content_size, _LZ4_BLOCK_SIZES[block >> 4])


def _lz4(data: Bytes, limit: int, magic: int) -> Pieces:  # noqa: ARG001 - as for the others; each way to end
    from lz4.block import LZ4BlockError
    from lz4.block import decompress as decompress_block

    # The header checksum of magic 0 was computed otherwise.
    header = _lz4_header(data, check_header=magic != 0)
    if isinstance(header, str):
        return _End(0, _failed("lz4", header))
    content = _Xxh32() if header.content_checksum else None
    size = 0
    at = header.size

    def stop(reason: str) -> _End:
        return _End(at, _failed("lz4", reason))

    while True:
        if len(data) - at < 4:
            return stop("the stream ends without its end mark")
        word = int.from_bytes(data[at : at + 4], "little")
        stored = word & 0x7FFFFFFF
        if stored == 0:
            break
        if stored > header.most_block_bytes:
            return stop(f"block of {stored} bytes, at most {header.most_block_bytes} allowed")
        end = at + 4 + stored
        if end + (4 if header.block_checksum else 0) > len(data):
            return stop(f"block of {stored} bytes, {len(data) - at - 4} present")
        block = data[at + 4 : end]
        if header.block_checksum and int.from_bytes(data[end : end + 4], "little") != _xxh32(block):
            return stop("a block's checksum does not match")
        if word >> 31:
            piece = block
        else:
            try:
                piece = decompress_block(block, uncompressed_size=header.most_block_bytes)
            except (LZ4BlockError, MemoryError, ValueError) as error:
                return stop(str(error))
        size += len(piece)
        if content is not None:
            content.update(piece)
        yield piece
        at = end + (4 if header.block_checksum else 0)
    at += 4
    # Kafka's reader stops at the end mark and looks neither at content size nor content checksum.
    if header.content_size is not None and header.content_size != size:
        problem = _failed("lz4", f"content size {header.content_size}, {size} bytes found")
        return _End(min(at, len(data)), problem, trailing=True)
    if content is not None:
        if len(data) - at < 4:
            return stop("the stream ends before its content checksum")
        at += 4
        if int.from_bytes(data[at - 4 : at], "little") != content.value():
            return _End(at, _failed("lz4", "the content checksum does not match"), trailing=True)
    return _at_end("lz4", data, at)


_P1, _P2, _P3, _P4, _P5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
_M32 = 0xFFFFFFFF


class _Xxh32:
    """xxHash32 with seed 0, for the rare frames that carry checksums."""

    def __init__(self) -> None:
        self._lanes = (_P1 + _P2) & _M32, _P2, 0, -_P1 & _M32
        self._size = 0
        self._rest = b""

    def update(self, data: bytes) -> None:
        """Add bytes."""
        self._size += len(data)
        data = self._rest + data
        whole = len(data) - len(data) % 16
        self._rest = data[whole:]
        v1, v2, v3, v4 = self._lanes
        for a, b, c, d in struct.iter_unpack("<4I", memoryview(data)[:whole]):
            v1 = (v1 + a * _P2) & _M32
            v1 = ((v1 << 13 | v1 >> 19) * _P1) & _M32
            v2 = (v2 + b * _P2) & _M32
            v2 = ((v2 << 13 | v2 >> 19) * _P1) & _M32
            v3 = (v3 + c * _P2) & _M32
            v3 = ((v3 << 13 | v3 >> 19) * _P1) & _M32
            v4 = (v4 + d * _P2) & _M32
            v4 = ((v4 << 13 | v4 >> 19) * _P1) & _M32
        self._lanes = v1, v2, v3, v4

    def value(self) -> int:
        """The hash of all bytes added."""
        v1, v2, v3, v4 = self._lanes
        h = _P5
        if self._size >= 16:
            h = (v1 << 1 | v1 >> 31) + (v2 << 7 | v2 >> 25) + (v3 << 12 | v3 >> 20) + (v4 << 18 | v4 >> 14)
        h = (h + self._size) & _M32
        rest = self._rest
        at = 0
        while len(rest) - at >= 4:
            h = (h + int.from_bytes(rest[at : at + 4], "little") * _P3) & _M32
            h = ((h << 17 | h >> 15) * _P4) & _M32
            at += 4
        for byte in rest[at:]:
            h = (h + byte * _P5) & _M32
            h = ((h << 11 | h >> 21) * _P1) & _M32
        h = ((h ^ h >> 15) * _P2) & _M32
        h = ((h ^ h >> 13) * _P3) & _M32
        return h ^ h >> 16


def _xxh32(data: bytes) -> int:
    found = _Xxh32()
    found.update(data)
    return found.value()


# --- zstd -------------------------------------------------------------------------------------------------------------

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_MOST_BLOCK = 1 << 17


#: Bytes that the blocks of a frame can give up to which it is decompressed at once.
_ZSTD_AT_ONCE = 1 << 22


class _Frame(NamedTuple):
    """A frame found from its headers alone: where it ends, the most that it can give, what is wrong with it or ""."""

    end: int
    bound: int
    problem: str = ""
    skipped: bool = False


def _zstd_frame(data: Bytes, at: int) -> _Frame:
    """Walk the block headers of the frame at `at`."""
    left = len(data) - at
    if left < 4:
        return _Frame(at, 0, f"{left} bytes where a frame was due")
    magic = data[at : at + 4]
    if 0x50 <= magic[0] <= 0x5F and magic[1:] == b"\x2a\x4d\x18":
        end = at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")
        return _Frame(at, 0, "a skippable frame is cut") if left < 8 or end > len(data) else _Frame(end, 0, skipped=True)
    if magic != _ZSTD_MAGIC:
        return _Frame(at, 0, f"frame magic {magic.hex()}, must be {_ZSTD_MAGIC.hex()}")
    bound = 0
    place = _zstd_blocks(data, at)
    last = False
    while not last:
        if not at < place <= len(data) - 3:
            return _Frame(at, 0, "the stream ends inside a frame" if place > at else "the frame header is cut")
        last, kind, size = _zstd_block(data, place)
        if kind == 3:
            return _Frame(at, 0, "reserved block type")
        bound += size if kind < 2 else _ZSTD_MOST_BLOCK
        place += 3 + (1 if kind == 1 else size)
    place += 4 if data[at + 4] & 4 else 0
    return _Frame(at, 0, "the stream ends inside a frame") if place > len(data) else _Frame(place, bound)


def _zstd_blocks(data: Bytes, at: int) -> int:
    """Where the blocks of the frame at `at` begin; `at` when its header is cut."""
    if len(data) - at < 6:
        return at
    descriptor = data[at + 4]
    single_segment = descriptor & 0x20
    dictionary = (0, 1, 2, 4)[descriptor & 3]
    content = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    place = at + 5 + (0 if single_segment else 1) + dictionary + content
    return at if content and place > len(data) else place


def _zstd_block(data: Bytes, place: int) -> tuple[bool, int, int]:
    """A block's header: whether it is the last one, its type, its size."""
    word = int.from_bytes(data[place : place + 3], "little")
    return bool(word & 1), word >> 1 & 3, word >> 3


class _Zstd:
    """The one decompression context of this process; making one costs more than a small batch."""

    context: object = None


def _zstd_context() -> ZstdDecompressor:
    import zstandard

    # Windows of up to 2 GiB are legal for the JVM's binding; memory is used up to what has been decompressed.
    return zstandard.ZstdDecompressor(max_window_size=1 << 31)


def _zstd(data: Bytes, limit: int, magic: int) -> Pieces:  # noqa: ARG001 - as for the others
    import zstandard

    if not len(data):
        return _End(0, _failed("zstd", "empty section"))
    at = size = 0
    ends = array("q")
    while at < len(data):
        frame = _zstd_frame(data, at)
        if frame.problem:
            return _End(at, _failed("zstd", frame.problem), frame_ends=ends)
        before = size
        try:
            if frame.bound > _ZSTD_AT_ONCE:
                for piece in _zstd_piecewise(data, at, frame.end):
                    size += len(piece)
                    yield piece
            elif not frame.skipped:
                context = _Zstd.context
                if not isinstance(context, zstandard.ZstdDecompressor):
                    context = _Zstd.context = _zstd_context()
                piece = context.decompressobj().decompress(data[at : frame.end])
                size += len(piece)
                yield piece
        except (zstandard.ZstdError, MemoryError) as error:
            # A frame counts as a whole or not at all.
            return _End(at, _failed("zstd", str(error)), frame_ends=ends, counts=before)
        ends.append(size)
        at = frame.end
    return _End(at, frame_ends=ends)


def _zstd_piecewise(data: Bytes, at: int, end: int) -> Iterator[bytes]:
    """A frame, a few blocks at a time: each gives 128 KiB at most, whatever its header says of the whole.

    Of one that is cut what its blocks give.
    """
    # Its own context, for another stream may be read before this one has ended.
    inflater = _zstd_context().decompressobj()
    place, bound = _zstd_blocks(data, at), 0
    last = False
    while not last and at < end:
        last, kind, size = _zstd_block(data, place)
        place += 3 + (1 if kind == 1 else size)
        bound += _ZSTD_MOST_BLOCK
        if bound >= PIECE or last or place + 3 > end:
            stop = end if last or place + 3 > end else place
            yield inflater.decompress(data[at:stop])
            at, bound = stop, 0


def zstd_pieces(data: Bytes) -> Iterator[bytes]:
    """What the frames of a file hold, piece by piece, as far as it can be read.

    Raises:
        EOFError: the file ends inside a frame.
        DecompressionFailed: it is damaged.
    """
    import zstandard

    at = 0
    while at < len(data):
        frame = _zstd_frame(data, at)
        try:
            if not frame.skipped:
                yield from _zstd_piecewise(data, at, len(data) if frame.problem else frame.end)
        except zstandard.ZstdError as error:
            raise _failed("zstd", str(error)) from None
        if frame.problem:
            raise EOFError
        at = frame.end


_CODECS: dict[int, Callable[[Bytes, int, int], Pieces]] = {1: _gzip, 2: _snappy, 3: _lz4, 4: _zstd}
