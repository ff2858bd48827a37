"""Digests of a log by ranges of its offsets: a few numbers by which replicas on hosts that do not see each other are compared.

What is digested of a batch is its header up to the checksum, which covers the rest: base offset, length, leader epoch, magic,
CRC. The digest of a range is the sum over the batches that begin in it, so that ranges can be put together, and it does not
matter in which segments the batches are.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LOG_OVERHEAD

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DigestNotes", "LogDigests", "first_difference", "together"]

#: Ranges of a log, at most.
_MOST = 256
_MASK = (1 << 64) - 1
_PLACE = BATCH_HEADER.partial("base_offset", "batch_length").unpack_from


class LogDigests(NamedTuple):
    """The digests of a log.

    Args:
        width: Offsets of a range, a power of two.
        sums: Number of each range in which a batch begins (its first offset divided by `width`), ascending, and its digest.
    """

    width: int = 1
    sums: tuple[tuple[int, int], ...] = ()

    def of_width(self, width: int) -> LogDigests:
        """The digests of wider ranges."""
        sums: Counter[int] = Counter()
        for number, digest in self.sums:
            sums[number * self.width // width] += digest
        return LogDigests(width, tuple((number, sums[number] & _MASK) for number in sorted(sums)))

    def narrowed(self) -> LogDigests:
        """The same, in not too many ranges."""
        found = self
        while len(found.sums) > _MOST:
            found = found.of_width(found.width * 2)
        return found


class DigestNotes:
    """Takes the batches of a log, all of magic 2, in any order."""

    def __init__(self) -> None:
        self._digests = LogDigests()
        self._sums: Counter[int] = Counter()

    def take(self, data: bytes | bytearray | memoryview, at: int, end: int) -> None:
        """Take the batches that lie one after the other in `data[at:end]`."""
        width = self._digests.width
        while at < end:
            base, length = _PLACE(data, at)
            head = bytes(data[at : at + ATTRIBUTES_AT])
            self._sums[base // width] += int.from_bytes(blake2b(head, digest_size=8).digest(), "big")
            if len(self._sums) > 2 * _MOST:
                self._digests = self.digests()
                self._sums = Counter(dict(self._digests.sums))
                width = self._digests.width
            at += LOG_OVERHEAD + length

    def digests(self) -> LogDigests:
        """Those of all that was taken."""
        sums = tuple((number, self._sums[number] & _MASK) for number in sorted(self._sums))
        return LogDigests(self._digests.width, sums).narrowed()


def together(several: Iterable[LogDigests]) -> LogDigests:
    """The digests of a log that consists of several."""
    all_of_them = list(several)
    width = max((one.width for one in all_of_them), default=1)
    sums: Counter[int] = Counter()
    for one in all_of_them:
        for number, digest in one.of_width(width).sums:
            sums[number] += digest
    return LogDigests(width, tuple((number, sums[number] & _MASK) for number in sorted(sums))).narrowed()


def first_difference(one: LogDigests, other: LogDigests, start: int, end: int) -> tuple[int, int] | None:
    """First and last offset of the first range in which two logs differ, of those that lie wholly from `start` up to `end`."""
    if one == other:
        return None
    width = max(one.width, other.width)
    here, there = (dict(each.of_width(width).sums) for each in (one, other))
    for number in sorted(here.keys() | there.keys()):
        first, last = number * width, (number + 1) * width - 1
        if start <= first and last < end and here.get(number) != there.get(number):
            return first, last
    return None
