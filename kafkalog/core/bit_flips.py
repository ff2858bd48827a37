"""Which single bit, flipped, makes a checksum right again."""

from __future__ import annotations

from functools import cache

__all__ = ["CRC32", "CRC32C", "find_flipped_bit"]

#: Reflected polynomials.
CRC32 = 0xEDB88320
CRC32C = 0x82F63B78

#: Bytes searched at most, from the end: a search takes about 0.2 s per MiB.
_LIMIT = 4 << 20


@cache
def _tables(polynomial: int) -> tuple[list[int], list[int], dict[int, int]]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
        table.append(value)
    by_top = [0] * 256
    for byte, value in enumerate(table):
        by_top[value >> 24] = byte
    return table, by_top, {table[1 << bit]: bit for bit in range(8)}


def find_flipped_bit(size: int, stored: int, computed: int, polynomial: int) -> tuple[int, int] | None:
    """The only bit whose flip makes the checksum match, as (byte, bit); bit 0 is the lowest. None: no single bit does.

    A byte of -1 means the stored checksum itself: `bit` is then one of its 32.

    A CRC is linear: a flip changes it by a value that depends on the bit's distance from the end alone. The difference is
    run backwards, a byte at a time, until it is that of one bit in the byte reached.

    Args:
        size: Bytes under the checksum.
        stored: The checksum that stands in the file.
        computed: The checksum of the bytes as they are.
        polynomial: `CRC32` or `CRC32C`.
    """
    difference = stored ^ computed
    if difference & (difference - 1) == 0:
        return (-1, difference.bit_length() - 1) if difference else None
    table, by_top, single = _tables(polynomial)
    for at in range(size - 1, max(-1, size - 1 - _LIMIT), -1):
        bit = single.get(difference)
        if bit is not None:
            return at, bit
        byte = by_top[difference >> 24]
        difference = ((difference ^ table[byte]) << 8 | byte) & 0xFFFFFFFF
    return None
