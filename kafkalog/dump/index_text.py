"""Printing `.index` and `.timeindex`, with the checks against the `.log` that the real tool makes on the way."""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafkalog.core.batch import BATCH_HEADER, HEADER_UP_TO_MAGIC, LOG_OVERHEAD, SIZE_AND_MAGIC, RecordBatch
from kafkalog.core.legacy import MIN_MESSAGE_SIZE
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.record import NO_TIMESTAMP, wrap64
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.kafka.failure import Died
from kafkalog.kafka.record_iterators import records_of_batch, records_of_message, shallow_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.layout import Layout
    from kafkalog.core.offset_index import OffsetIndexEntry
    from kafkalog.core.source import Bytes, Source
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.output import Output
    from kafkalog.dump.reports import Reports

__all__ = [
    "IndexOptions",
    "LogChain",
    "OffsetLookup",
    "index_problem",
    "print_offset_index",
    "print_time_index",
    "time_index_problem",
]

_BASE_OFFSET = BATCH_HEADER.partial("base_offset")
_WARM_ENTRIES = 8192 // OFFSET_INDEX_ENTRY.size
_MOST_INT = 0x7FFFFFFF
T = TypeVar("T", bound=tuple[Any, ...])


class IndexOptions(NamedTuple):
    """The options of the real tool that concern indexes."""

    verify_only: bool = False
    sanity_only: bool = False
    max_message_size: int = 5 * 1024 * 1024


class Frame(NamedTuple):
    """A batch as the tool's reader sees it: place, bytes, magic."""

    position: int
    size: int
    magic: int


class LogChain:
    """The `.log` beside an index, read as the real tool reads it.

    Args:
        source: The log's bytes.
        dialect: The release's quirks.
    """

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self._source = source
        self._dialect = dialect
        self._chain: list[int] = []
        self._places: dict[int, int] = {}
        self._lasts: list[int] = []
        self._highest: list[int] = []
        self._end_of_chain: Died | None = None

    def _slice_end(self, position: int, size: int) -> int:
        """End of a slice of the log, checked as FileRecords does."""
        if position < 0:
            raise Died(f"the index points at position {position}")
        if size < 0:
            raise Died(f"maximal message size {size}")
        if self._dialect.slice_checks_position and position > self._source.size:
            raise Died(f"the index points at position {position}, the log has {self._source.size} bytes")
        end = position + size
        return self._source.size if end > _MOST_INT else min(end, self._source.size)

    def _frame(self, position: int, end: int) -> Frame | None:
        """The batch at a position, None at the end of what can be read."""
        if position >= end - HEADER_UP_TO_MAGIC:
            return None
        begin, data = self._source.window(position, BATCH_HEADER.size)
        length, magic = SIZE_AND_MAGIC.unpack_from(data, position - begin)
        if length < MIN_MESSAGE_SIZE:
            raise Died(f"record size {length} at position {position} of the log, at least {MIN_MESSAGE_SIZE} needed")
        if position > end - LOG_OVERHEAD - length:
            return None
        return Frame(position, LOG_OVERHEAD + length, magic)

    def _frames(self, position: int, end: int) -> Iterator[Frame]:
        while (frame := self._frame(position, end)) is not None:
            yield frame
            position += frame.size

    def _bytes(self, position: int, size: int) -> bytes:
        begin, data = self._source.window(position, size)
        found = data[position - begin : position - begin + size]
        if len(found) < size:
            raise Died(f"the log ends inside the batch at position {position}")
        return found

    def last_offset(self, frame: Frame) -> int:
        """The batch's last offset."""
        if frame.magic < 2:
            return int(_BASE_OFFSET.unpack(self._bytes(frame.position, _BASE_OFFSET.size))[0])
        header = BATCH_HEADER.read(self._bytes(frame.position, BATCH_HEADER.size))
        return wrap64(header.base_offset + header.last_offset_delta)

    def _records(self, frame: Frame) -> Iterator[tuple[int, int]]:
        """Offset and timestamp of the batch's records."""
        data = self._bytes(frame.position, frame.size)
        if frame.magic < 2:
            for message in records_of_message(shallow_message(data), zstd=self._dialect.zstd):
                yield message.offset, message.timestamp
            return
        if frame.size < BATCH_HEADER.size:
            raise Died(f"a batch of {frame.size} bytes at position {frame.position} of the log")
        batch = RecordBatch.read(data, frame.position)
        if batch.compression_id > (4 if self._dialect.zstd else 3):
            raise Died(f"compression type id {batch.compression_id} at position {frame.position} of the log")
        for record in records_of_batch(batch, zstd_ends_with_frame=self._dialect.zstd_ends_with_frame):
            yield record.offset, record.timestamp

    def max_timestamp(self, frame: Frame) -> int:
        """The largest timestamp of the batch's records, -1 at least."""
        return max((timestamp for _, timestamp in self._records(frame)), default=NO_TIMESTAMP)

    def offset_at(self, position: int, size: int) -> int:
        """What an entry that points at `position` is compared with: an offset of the first batch in that slice."""
        end = self._slice_end(position, size)
        for frame in self._frames(position, end):
            if not self._dialect.index_compares_first_record:
                return self.last_offset(frame)
            for offset, _ in self._records(frame):
                return offset
        raise Died(f"no batch within {size} bytes of position {position} of the log")

    # --- the search of a time index entry's batch ---

    def find(self, position: int, offset: int) -> Frame | None:
        """The first batch from `position` on whose last offset is `offset` or more.

        Raises:
            Died: a batch on the way cannot be read; in 4.3 also: one behind it.
        """
        end = self._slice_end(position, _MOST_INT)
        if position not in self._places:
            self._extend(position, end)
        if self._end_of_chain is not None and self._dialect.time_index_reads_all:
            raise self._end_of_chain
        place = self._places.get(position, len(self._chain))
        number = self._search(place, offset)
        if number is not None:
            return self._frame(self._chain[number], end)
        if self._end_of_chain is not None:
            raise self._end_of_chain
        return None

    def _extend(self, position: int, end: int) -> None:
        """Note the whole chain of batches from a position on; the tool walks it again for each entry."""
        self._chain, self._places, self._lasts, self._end_of_chain = [], {}, [], None
        try:
            for frame in self._frames(position, end):
                self._lasts.append(self.last_offset(frame))
                self._places[frame.position] = len(self._chain)
                self._chain.append(frame.position)
        except Died as death:
            self._end_of_chain = death
        self._highest = list(accumulate(self._lasts, max))

    def _search(self, place: int, offset: int) -> int | None:
        if place == 0:
            low, high = 0, len(self._highest)
            while low < high:
                middle = (low + high) // 2
                if self._highest[middle] >= offset:
                    high = middle
                else:
                    low = middle + 1
            return low if low < len(self._highest) else None
        return next((number for number in range(place, len(self._lasts)) if self._lasts[number] >= offset), None)


class OffsetLookup:
    """The look-up of a position by offset, in the order in which AbstractIndex compares entries.

    Zero padding counts as entries, so on a preallocated index the result depends on that order.
    """

    def __init__(self, data: Bytes, base_offset: int, *, warm_section: bool) -> None:
        # A preallocated index has more than a million entries of which a look-up reads twenty.
        self._data = data
        # The first of them are the same for all look-ups, and far from each other: of a large file they stay at hand.
        self._far_entry = lru_cache(maxsize=4096)(self._near_entry)
        self._count = len(data) // OFFSET_INDEX_ENTRY.size
        self._base_offset = base_offset
        self._warm_section = warm_section

    def position(self, offset: int) -> int:
        """Position of the greatest entry at or below `offset`, 0 if there is none."""
        slot = self._slot(offset)
        return 0 if slot < 0 else self._entry(slot).position

    def _entry(self, slot: int) -> OffsetIndexEntry:
        return self._near_entry(slot) if isinstance(self._data, bytes) else self._far_entry(slot)

    def _near_entry(self, slot: int) -> OffsetIndexEntry:
        return _entry(OFFSET_INDEX_ENTRY, self._data, slot)

    def _offset(self, slot: int) -> int:
        return self._base_offset + self._entry(slot).relative_offset

    def _slot(self, offset: int) -> int:
        count = self._count
        if count == 0:
            return -1
        if self._warm_section:
            first_warm = max(0, count - 1 - _WARM_ENTRIES)
            if self._offset(first_warm) < offset:
                return self._binary(first_warm, count - 1, offset)
        else:
            first_warm = count - 1
        if self._offset(0) > offset:
            return -1
        return self._binary(0, first_warm, offset)

    def _binary(self, low: int, high: int, offset: int) -> int:
        while low < high:
            middle = (low + high + 1) >> 1
            found = self._offset(middle)
            if found == offset:
                return middle
            if found > offset:
                high = middle - 1
            else:
                low = middle
        return low


def _entry(layout: Layout[T], data: Bytes, number: int) -> T:
    return layout.read(data[number * layout.size : (number + 1) * layout.size])


def _size_problem(data: Bytes, entry_size: int) -> str:
    return f"{len(data)} bytes, not a multiple of {entry_size}" if len(data) % entry_size else ""


def index_problem(data: Bytes, base_offset: int, dialect: Dialect) -> str:
    """What the tool's sanity check finds wrong with a `.index`, "" if nothing."""
    count = len(data) // OFFSET_INDEX_ENTRY.size
    last = _entry(OFFSET_INDEX_ENTRY, data, count - 1).relative_offset if count else 0
    if count and (last <= 0 if dialect.strict_index_sanity else last < 0):
        return f"the last offset {base_offset + last} is below what the base offset {base_offset} allows"
    return _size_problem(data, OFFSET_INDEX_ENTRY.size)


def time_index_problem(data: Bytes, base_offset: int) -> str:
    """What the tool's sanity check finds wrong with a `.timeindex`, "" if nothing."""
    count = len(data) // TIME_INDEX_ENTRY.size
    if count:
        first, last = _entry(TIME_INDEX_ENTRY, data, 0), _entry(TIME_INDEX_ENTRY, data, count - 1)
        if last.timestamp < first.timestamp:
            return f"the last timestamp {last.timestamp} is below the first {first.timestamp}"
        if last.relative_offset < 0:
            return f"the last offset {base_offset + last.relative_offset} is below the base offset {base_offset}"
    return _size_problem(data, TIME_INDEX_ENTRY.size)


def _print_sanity(kind: str, problem: str, path: str, output: Output) -> None:
    if problem:
        raise Died(f"corrupt {kind}: {problem}")
    output.line(f"{path} passed sanity check.")


def print_offset_index(
    data: Bytes,
    base_offset: int,
    chain: LogChain | None,
    *,
    path: str,
    key: str,
    dialect: Dialect,
    options: IndexOptions,
    output: Output,
    reports: Reports,
) -> None:
    """Print a `.index`.

    Args:
        data: The file's bytes.
        base_offset: From its name.
        chain: The `.log` beside it; None: it cannot be read, and nothing is compared.
        path: How lines name the file.
        key: How reports name it: its absolute path.
        dialect: Whose lines and checks.
        options: What is asked for.
        output: Where lines go.
        reports: Where mismatches go.

    Raises:
        Died: where the real tool throws and nothing more of the file can be shown.
    """
    if len(data) < OFFSET_INDEX_ENTRY.size and dialect.empty_index_is_told:
        output.line(f"{path} is empty.")
        return
    if options.sanity_only:
        _print_sanity("index", index_problem(data, base_offset, dialect), path, output)
        return
    for number, (relative_offset, position) in enumerate(OFFSET_INDEX_ENTRY.read_all(data)):
        padding = relative_offset == 0 and number > 0
        if padding and not dialect.zero_stops_after_check:
            return
        offset = wrap64(base_offset + relative_offset)
        try:
            found = chain.offset_at(position, options.max_message_size) if chain else offset
        except Died as death:
            output.die(path, Died(f"{death.reason} (entry {number})", number * OFFSET_INDEX_ENTRY.size))
        else:
            if found != offset:
                reports.index_mismatches.setdefault(key, []).append((offset, found))
        if padding:
            return
        if not options.verify_only:
            output.line(f"offset: {offset} position: {position}")


def print_time_index(
    data: Bytes,
    base_offset: int,
    lookup: OffsetLookup,
    chain: LogChain | None,
    *,
    path: str,
    key: str,
    dialect: Dialect,
    options: IndexOptions,
    output: Output,
    reports: Reports,
) -> None:
    """Print a `.timeindex`; `lookup` is the `.index` beside it, the rest as for `print_offset_index`.

    Raises:
        Died: where the real tool throws and nothing more of the file can be shown.
    """
    if options.sanity_only:
        _print_sanity("time index", time_index_problem(data, base_offset), path, output)
        return
    previous = NO_TIMESTAMP
    for number, (timestamp, relative_offset) in enumerate(TIME_INDEX_ENTRY.read_all(data)):
        padding = relative_offset == 0 and number > 0
        if padding and not dialect.zero_stops_after_check:
            return
        offset = wrap64(base_offset + relative_offset)
        try:
            matched = chain is None or _check_time_entry(timestamp, offset, previous, lookup, chain, key, reports)
        except Died as death:
            matched = True
            output.die(path, Died(f"{death.reason} (entry {number})", number * TIME_INDEX_ENTRY.size))
        if padding and matched:
            return
        if not options.verify_only:
            output.line(f"timestamp: {timestamp} offset: {offset}")
        previous = timestamp


def _check_time_entry(
    timestamp: int, offset: int, previous: int, lookup: OffsetLookup, chain: LogChain, key: str, reports: Reports
) -> bool:
    """Compare an entry with the log; whether the batch that ends with its offset was found."""
    frame = chain.find(lookup.position(offset), offset)
    if frame is None:
        reports.not_found.setdefault(key, []).append((offset, -1))
        return False
    last = chain.last_offset(frame)
    if last != offset:
        reports.not_found.setdefault(key, []).append((offset, last))
        return False
    highest = chain.max_timestamp(frame)
    if highest != timestamp:
        reports.time_mismatches.setdefault(key, []).append((timestamp, highest))
    if previous >= timestamp:
        reports.out_of_order.setdefault(key, []).append((timestamp, previous))
    return True
