"""A large segment scanned in parts, by several processes at once; what is found is what one of them would have found.

The scan of a part begins at the segment's first byte: up to its own part it takes on trust what the batches hold, and goes by
their headers alone. So it comes to its part with everything that a scan knows there, and goes on as any other. The scan of
the part before does check those batches. Where it ends, it says what it has come to (`reached`), and so does the next one where
it begins (`begun`). Both are the same unless something is not as it should be; then the parts are worth nothing, and the
segment is scanned in one.

What a look at records adds to a scan and headers do not tell is added up. A part in which more was found, be it damage or
anything to be said of records, does not end: its scan goes on to the end of the segment, and that of later parts is not used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["WHOLE", "Division", "Part", "PartScan", "joined", "take_as_right"]

#: What it costs to take a batch on trust, beside a look at all of it, as `benchmarks/verify.py` measures.
_TRUST_COST = 0.18
#: A segment is divided if it is larger than a worker's share of all bytes, divided by this.
_EVEN = 4
#: The least bytes of a part: starting a process takes some milliseconds, and a file is read by the mebibyte.
_LEAST = 16 << 20


class Part(NamedTuple):
    """Bytes of a log: the batches from the one that holds the byte `begin` on, up to the one that holds `end`; None: all."""

    begin: int
    end: int | None


WHOLE = Part(0, None)


class PartScan(NamedTuple):
    """What the scan of a part brought back.

    `begun` and `reached` stand for all that it knew of the segment where it began and where it ended: "" at the beginning of
    the log, None where it did not come to its part or did not end with it. `scan` is of the whole segment in the latter case.
    """

    scan: SegmentScan
    begun: str | None
    reached: str | None


class Division(NamedTuple):
    """How the segments of a run are divided among so many workers; `total` gives the bytes of all."""

    workers: int
    total: Callable[[], int]

    def parts_of(self, size: int) -> list[Part]:
        """The parts of a segment of so many bytes: several only where it alone could keep a worker busy at the end."""
        count = min(self.workers, size // _LEAST)
        if count > 1:
            count = min(count, -(-size * self.workers * _EVEN // max(size, self.total())))
        if count <= 1:
            return [WHOLE]
        # Each takes as long as the others: for its own bytes, and for those before it.
        lengths = [(1 - _TRUST_COST) ** number for number in range(count)]
        ends = [int(size * sum(lengths[: number + 1]) / sum(lengths)) for number in range(count)]
        return [Part(begin, end) for begin, end in zip([0, *ends[:-1]], [*ends[:-1], None], strict=True)]


def joined(parts: Iterable[PartScan]) -> SegmentScan | None:
    """The scan of a segment out of those of its parts, in order; None when these do not fit each other.

    No part is asked for after one that went on to the end of the segment.
    """
    tombstones, first_keyless, reached, is_regular = 0, None, "", True
    versions: frozenset[tuple[int, int]] | None = frozenset()
    for part in parts:
        scan = part.scan
        if part.begun != reached or scan.failures:
            return None
        tombstones += scan.tombstones
        first_keyless = scan.first_keyless if first_keyless is None else first_keyless
        is_regular &= scan.are_records_regular
        versions = None if versions is None or scan.regular_versions is None else versions | scan.regular_versions
        if part.reached is None:
            return replace(
                scan,
                tombstones=tombstones,
                first_keyless=first_keyless,
                are_records_regular=is_regular,
                regular_versions=versions,
            )
        reached = part.reached
    return None


class _Right:
    """Equal to any checksum."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]


_RIGHT = _Right()


def take_as_right(_: memoryview) -> object:
    """The checksum of bytes that are not looked at."""
    return _RIGHT
