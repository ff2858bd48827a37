"""The reports that are printed on stderr after all files: five kinds, each a block per file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.dump.dialects import Dialect

__all__ = ["ConsecutiveOffsets", "Reports"]

Pairs = dict[str, list[tuple[int, int]]]


class Reports:
    """Collects what the checks found, by absolute path, in the order of discovery."""

    def __init__(self) -> None:
        self.index_mismatches: Pairs = {}
        self.time_mismatches: Pairs = {}
        self.out_of_order: Pairs = {}
        self.not_found: Pairs = {}
        self.non_consecutive: Pairs = {}

    def lines(self, dialect: Dialect) -> Iterator[str]:
        """All blocks, as a dialect words and orders them."""
        if any((self.index_mismatches, self.time_mismatches, self.out_of_order, self.not_found, self.non_consecutive)):
            yield from self._blocks(dialect)

    def _blocks(self, dialect: Dialect) -> Iterator[str]:
        from kafkalog.kafka.hash_orders import java_map_order, scala_map_order

        order = java_map_order if dialect.map_order == "java" else partial(scala_map_order, release=dialect.since)
        for path in order(self.index_mismatches):
            pairs = self.index_mismatches[path]
            yield f"Mismatches in :{path}"
            listed = sorted(dict(pairs).items(), reverse=True) if dialect.sorted_reports else reversed(pairs)
            for index_offset, log_offset in listed:
                yield f"  Index offset: {index_offset}, log offset: {log_offset}"
        for path in order(self.time_mismatches):
            yield f"Found timestamp mismatch in :{path}"
            for index_time, log_time in self.time_mismatches[path]:
                yield f"  Index timestamp: {index_time}, log timestamp: {log_time}"
        for path in order(self.out_of_order):
            yield f"Found out of order timestamp in :{path}"
            for index_time, previous in self.out_of_order[path]:
                yield f"  Index timestamp: {index_time}, Previously indexed timestamp: {previous}"
        for path in order(self.not_found):
            yield dialect.not_found_text.replace("{path}", path)
            for index_offset, log_offset in self.not_found[path]:
                yield f"Indexed offset: {index_offset}, found log offset: {log_offset}"
        for path in order(self.non_consecutive):
            pairs = self.non_consecutive[path]
            yield f"{dialect.non_consecutive_text}{path}"
            for first, second in sorted(dict(pairs).items()) if dialect.sorted_reports else reversed(pairs):
                yield f"  {first} is followed by {second}"


class ConsecutiveOffsets:
    """Watches the offsets of one file's records.

    Args:
        first_is_compared: The record before the first one counts as offset -1.
    """

    __slots__ = ("_fresh", "first", "last", "pairs")

    def __init__(self, *, first_is_compared: bool) -> None:
        self.first: int | None = None
        self.last = -1
        self._fresh = not first_is_compared
        self.pairs: list[tuple[int, int]] = []

    def one(self, offset: int) -> None:
        """The next record's offset."""
        # The tool takes -1 for "none yet", so a record with offset -1 makes it forget as well.
        if not (self._fresh and self.last == -1) and offset != (self.last + 1 if self.last != (1 << 63) - 1 else -(1 << 63)):
            self.pairs.append((self.last, offset))
        if self.first is None:
            self.first = offset
        self.last = offset

    def add(self, first: int | None, last: int, pairs: list[tuple[int, int]]) -> None:
        """What another watch saw of the next records, from the first to the last; None: there were none."""
        if first is not None:
            self.one(first)
            self.pairs += pairs
            self.last = last

    def many(self, offsets: list[int]) -> None:
        """The offsets of the next records."""
        if not offsets:
            return
        first = offsets[0]
        self.one(first)
        if offsets[-1] - first == len(offsets) - 1 and (len(offsets) == 1 or offsets == list(range(first, offsets[-1] + 1))):
            self.last = offsets[-1]
            return
        for offset in offsets[1:]:
            self.one(offset)
