"""Batches of which a single flipped bit is all that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, CRC_AT, LOG_OVERHEAD, MAGIC_AT, Damage, RecordBatch
from kafkalog.core.bit_flips import CRC32, CRC32C, find_flipped_bit
from kafkalog.core.legacy import LEGACY_HEADER_V0, LegacyBatch
from kafkalog.core.source import HELD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.log import Batch
    from kafkalog.files.source import FileSource

__all__ = ["Unflipped", "flipped", "unflipped"]

_SIZE_AT = BATCH_HEADER["batch_length"].at
_LEGACY_CRC_AT = LEGACY_HEADER_V0["crc"].at
_CRC_BYTES = 4
_BITS = 8


class Unflipped(NamedTuple):
    """A batch with a bit set back, at a byte of its own."""

    batch: Batch
    at: int
    bit: int


def flipped(data: bytes, at: int, bit: int) -> bytes:
    """Bytes with one bit the other way."""
    changed = bytearray(data)
    changed[at] ^= 1 << bit
    return bytes(changed)


def unflipped(source: FileSource, item: Batch | Damage) -> Unflipped | None:
    """The batch that an item of a log was, if one bit was flipped in it and its checksum proves which; else None.

    Args:
        source: The log.
        item: A batch with a wrong CRC, or damage that ends where the next batch begins.
    """
    start, end = item.span.start, item.span.end
    if end - start > HELD or end - start < BATCH_HEADER.size:
        return None
    data = source.read(start, end - start)
    for at, bit in _places(item, data):
        batch = _read(flipped(data, at, bit), start)
        if batch is not None and batch.crc_ok:
            return Unflipped(batch, at, bit)
    return None


def _places(item: Batch | Damage, data: bytes) -> Iterator[tuple[int, int]]:
    """Bytes and bits that it may have been; those outside the checksum first, for there is one of each at most."""
    size = int.from_bytes(data[_SIZE_AT:LOG_OVERHEAD], "big") ^ (len(data) - LOG_OVERHEAD)
    if size and not size & (size - 1):
        byte, bit = divmod(size.bit_length() - 1, _BITS)
        yield LOG_OVERHEAD - 1 - byte, bit
    magic = data[MAGIC_AT] ^ 2
    if magic and not magic & (magic - 1):
        yield MAGIC_AT, magic.bit_length() - 1
    if isinstance(item, Damage):
        return
    first, crc_at, polynomial = (
        (ATTRIBUTES_AT, CRC_AT, CRC32C) if isinstance(item, RecordBatch) else (MAGIC_AT, _LEGACY_CRC_AT, CRC32)
    )
    found = find_flipped_bit(len(data) - first, item.header.crc, item.computed_crc, polynomial)
    if found is not None:
        at, bit = found
        if at >= 0:
            yield first + at, bit
        else:
            byte, bit = divmod(bit, _BITS)
            yield crc_at + _CRC_BYTES - 1 - byte, bit


def _read(data: bytes, position: int) -> Batch | None:
    if int.from_bytes(data[_SIZE_AT:LOG_OVERHEAD], "big") + LOG_OVERHEAD != len(data) or data[MAGIC_AT] > 2:
        return None
    return RecordBatch.read(data, position) if data[MAGIC_AT] == 2 else LegacyBatch.read(data, position)
