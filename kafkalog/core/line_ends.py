"""Line ends that a checkout, or a copy in text mode, has changed: in text files, and in binary ones, where that does harm.

`ADDED`: each LF became CR LF. `REMOVED`: each CR LF became LF. For a binary file the proof is always the same: with the bytes
put back, checksums are right that were wrong.
"""

from __future__ import annotations

from itertools import combinations, islice
from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, LOG_OVERHEAD, MAGIC_AT, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import BytesSource, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["ADDED", "REMOVED", "change_of_entries", "change_of_log", "fits", "unix_line_ends", "without_added"]

ADDED = "each LF (byte 0a) became CR LF (0d 0a)"
REMOVED = "each CR LF (bytes 0d 0a) became LF (0a)"
#: Where a removed CR is looked for: so many places of damage, LFs of one batch, and bytes of it.
_PLACES, _LINE_FEEDS, _BATCH_BYTES = 4, 32, 1 << 18
_BASE_OFFSET = BATCH_HEADER.partial("base_offset")
_NEWEST_MAGIC = 2


def unix_line_ends(data: bytes) -> bytes | None:
    """A text with LF, if each of its line ends is CR LF; None for other texts, and for one of a single line."""
    return without_added(data) if _has_only_crlf(data) else None


def without_added(data: bytes) -> bytes:
    """The bytes before each LF became CR LF."""
    return data.replace(b"\r\n", b"\n")


def _has_only_crlf(data: bytes) -> bool:
    return 0 < data.count(b"\n") == data.count(b"\r\n")


def change_of_log(data: bytes) -> str | None:
    """How the line ends in a `.log` were changed, `ADDED` or `REMOVED`; None: nothing proves that they were.

    Args:
        data: Its bytes, or the first few MiB of them.
    """
    if _has_only_crlf(data):
        return ADDED if _soundness(without_added(data)) > _soundness(data) else None
    if b"\r\n" not in data and b"\n" in data and any(_lacks_a_cr(data, at) for at in islice(_wrong(data), _PLACES)):
        return REMOVED
    return None


def fits(data: bytes, change: str, entry_size: int) -> bool:
    """Whether a file of fixed entries looks as if its line ends had been changed like those of the `.log` beside it."""
    if change == ADDED:
        return _has_only_crlf(data)
    return b"\n" in data and b"\r\n" not in data and len(data) % entry_size != 0


def change_of_entries(data: bytes, is_sound: Callable[[bytes], bool]) -> str | None:
    """`ADDED` if a file of fixed entries, or with a checksum, is sound without the added CRs, and not with them; else None."""
    return ADDED if _has_only_crlf(data) and not is_sound(data) and is_sound(without_added(data)) else None


def _soundness(data: bytes) -> tuple[int, int]:
    """Bytes of batches with the right checksum; and, negative, those of damage before such a batch.

    The base offset stands outside the checksum: with a CR in it only a byte before the batch is too much.
    """
    sound = damaged = pending = 0
    for item in walk(BytesSource(data)):
        if isinstance(item, RecordBatch | LegacyBatch) and item.crc_ok:
            sound += item.span.size
            damaged += pending
            pending = 0
        else:
            pending += item.span.size
    return sound, -damaged


def _wrong(data: bytes) -> Iterator[int]:
    """Where batches begin that cannot be read, or whose checksum is wrong."""
    for item in walk(BytesSource(data)):
        if not isinstance(item, RecordBatch | LegacyBatch) or not item.crc_ok:
            yield item.span.start


def _lacks_a_cr(data: bytes, start: int) -> bool:
    """Whether the batch at `start` has the right checksum once one or two CRs are put before LFs in it."""
    limit = min(len(data), start + _BATCH_BYTES)
    places: list[int] = []
    at = data.find(b"\n", start, limit)
    while at >= 0 and len(places) < _LINE_FEEDS:
        places.append(at)
        at = data.find(b"\n", at + 1, limit)
    return any(_is_sound_with(data, start, chosen) for count in (1, 2) for chosen in combinations(places, count))


def _is_sound_with(data: bytes, start: int, places: tuple[int, ...]) -> bool:
    """Whether there is a sound batch at `start` with a CR before each of the LFs at `places`."""
    head = _with_crs(data, start, start + BATCH_HEADER.size, places)
    if len(head) < BATCH_HEADER.size or head[MAGIC_AT] != _NEWEST_MAGIC:
        return False
    header = BATCH_HEADER.read(head)
    size = header.batch_length + LOG_OVERHEAD
    end = start + size - len(places)
    if not BATCH_HEADER.size <= size <= _BATCH_BYTES or not places[-1] < end <= len(data):
        return False
    return _goes_on(data, end, header.base_offset) and RecordBatch.read(_with_crs(data, start, end, places)).crc_ok


def _goes_on(data: bytes, end: int, base: int) -> bool:
    """Whether the bytes end, or the next batch begins at `end`: asked first, as checksums take long."""
    if end == len(data):
        return True
    if end + MAGIC_AT >= len(data) or data[end + MAGIC_AT] > _NEWEST_MAGIC:
        return False
    following: int = _BASE_OFFSET.unpack_from(data, end)[0]
    return 0 < following - base < 1 << 31


def _with_crs(data: bytes, start: int, end: int, places: tuple[int, ...]) -> bytes:
    """A range of bytes with a CR put in at each of the `places` in it."""
    bounds = (start, *(place for place in places if place < end), end)
    return b"\r".join(data[bounds[at] : bounds[at + 1]] for at in range(len(bounds) - 1))
