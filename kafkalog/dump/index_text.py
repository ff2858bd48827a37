"""Printing `.index` and `.timeindex`, with the checks against the `.log` that the real tool makes on the way."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.core.record import NO_TIMESTAMP, wrap64
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.dump.index_checks import index_problem
from kafkalog.dump.tool_died import ToolDied
from kafkalog.kafka.indexes import time_index_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.layout import Layout
    from kafkalog.core.source import Bytes
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.index_checks import LogChain
    from kafkalog.dump.index_options import IndexOptions
    from kafkalog.dump.output import Output
    from kafkalog.dump.reports import Reports
    from kafkalog.kafka.indexes import BrokerOffsetIndex

__all__ = ["IndexPrinter"]

T = TypeVar("T", bound=tuple[Any, ...])


class IndexPrinter(NamedTuple):
    """Prints one index.

    Args:
        path: How lines name the file.
        key: How reports name it: its absolute path.
        base_offset: From its name.
        chain: The `.log` beside it; None: it cannot be read, and nothing is compared.
        dialect: Whose lines and checks.
        options: What is asked for.
        read_on: Entries after the zeros at which the real tool stops are printed, too.
        output: Where lines go.
        reports: Where mismatches go.
    """

    path: str
    key: str
    base_offset: int
    chain: LogChain | None
    dialect: Dialect
    options: IndexOptions
    read_on: bool
    output: Output
    reports: Reports

    def offset_index(self, data: Bytes) -> None:
        """Print a `.index` of these bytes.

        Raises:
            ToolDied: where the real tool throws and nothing more of the file can be shown.
        """
        dialect, options, output = self.dialect, self.options, self.output
        if len(data) < OFFSET_INDEX_ENTRY.size and dialect.empty_index_is_reported:
            output.line(f"{self.path} is empty.")
            return
        if options.sanity_only:
            self._sanity("index", index_problem(data, self.base_offset, dialect))
            return
        chain, base_offset = self.chain, self.base_offset
        for number, (relative_offset, position) in enumerate(OFFSET_INDEX_ENTRY.read_all(data)):
            padding = relative_offset == 0 and number > 0
            if padding and not dialect.zero_stops_after_check:
                break
            offset = wrap64(base_offset + relative_offset)
            try:
                found = chain.offset_at(position, options.max_message_size) if chain else offset
            except ToolDied as death:
                self._died(death, number, OFFSET_INDEX_ENTRY.size)
            else:
                if found != offset:
                    self.reports.index_mismatches.setdefault(self.key, []).append((offset, found))
            if padding:
                break
            if not options.verify_only:
                output.line(f"offset: {offset} position: {position}")
        else:
            return
        for relative_offset, position in self._after_zeros(data, OFFSET_INDEX_ENTRY, number):
            output.line(f"offset: {wrap64(base_offset + relative_offset)} position: {position}")

    def time_index(self, data: Bytes, index: BrokerOffsetIndex) -> None:
        """Print a `.timeindex` of these bytes; `index` is the `.index` beside it.

        Raises:
            ToolDied: where the real tool throws and nothing more of the file can be shown.
        """
        if self.options.sanity_only:
            self._sanity("time index", time_index_problem(data, self.base_offset))
            return
        previous = NO_TIMESTAMP
        for number, (timestamp, relative_offset) in enumerate(TIME_INDEX_ENTRY.read_all(data)):
            padding = relative_offset == 0 and number > 0
            if padding and not self.dialect.zero_stops_after_check:
                break
            offset = wrap64(self.base_offset + relative_offset)
            try:
                matched = self.chain is None or self._is_found(timestamp, offset, previous, index, self.chain)
            except ToolDied as death:
                matched = True
                self._died(death, number, TIME_INDEX_ENTRY.size)
            if padding and matched:
                break
            if not self.options.verify_only:
                self.output.line(f"timestamp: {timestamp} offset: {offset}")
            previous = timestamp
        else:
            return
        for timestamp, relative_offset in self._after_zeros(data, TIME_INDEX_ENTRY, number):
            self.output.line(f"timestamp: {timestamp} offset: {wrap64(self.base_offset + relative_offset)}")

    def _after_zeros(self, data: Bytes, layout: Layout[T], number: int) -> Iterator[T]:
        """What follows the entry at which the real tool stops, and is no padding; told, and given when it shall be printed."""
        size, left = layout.size, 0
        for entry in islice(layout.read_all(data), number, padded_end(data, size) // size):
            if any(entry):
                left += 1
                if self.read_on and not self.options.verify_only:
                    yield entry
        if left:
            self.output.died = True
            entries = "1 entry" if left == 1 else f"{left} entries"
            tool = f"Kafka's own tool stops at entry {number}, position {number * size}"
            if self.options.verify_only:
                text = f"not compared: {entries}; {tool}"
            elif self.read_on:
                text = f"printed, though {tool}: {entries}"
            else:
                text = f"not printed: {entries}; {tool}; --read-on prints the rest"
            self.output.say(f"kafkalog: {self.path}: {text}")

    def _is_found(self, timestamp: int, offset: int, previous: int, index: BrokerOffsetIndex, chain: LogChain) -> bool:
        """Compare an entry with the log; whether the batch that ends with its offset was found."""
        reports, key = self.reports, self.key
        batch = chain.find(index.lookup(offset).position, offset)
        if batch is None:
            reports.not_found.setdefault(key, []).append((offset, -1))
            return False
        last = chain.last_offset(batch)
        if last != offset:
            reports.not_found.setdefault(key, []).append((offset, last))
            return False
        highest = chain.max_timestamp(batch)
        if highest != timestamp:
            reports.time_mismatches.setdefault(key, []).append((timestamp, highest))
        if previous >= timestamp:
            reports.out_of_order.setdefault(key, []).append((timestamp, previous))
        return True

    def _sanity(self, kind: str, problem: str) -> None:
        if problem:
            raise ToolDied(f"corrupt {kind}: {problem}")
        self.output.line(f"{self.path} passed sanity check.")

    def _died(self, death: ToolDied, number: int, entry_size: int) -> None:
        self.output.die(self.path, ToolDied(f"{death.reason} (entry {number})", number * entry_size))
