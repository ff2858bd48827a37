"""A segment's three indexes as the broker keeps them: OffsetIndex, TimeIndex, TransactionIndex.

The entries are looked up in the bytes themselves, because the broker does not check them: a garbled index is searched
by the same binary search with the same outcome.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.record import NO_TIMESTAMP, wrap32
from kafkalog.core.source import PIECE, WindowedBytes
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN, AbortedTxn
from kafkalog.files.ceilings import ensure_size
from kafkalog.kafka.behaviours import WIDE_TXN_INDEX_VERSION
from kafkalog.kafka.failure import BrokerAborts, CorruptIndex, InvalidOffset, LogDirOffline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.core.layout import Layout
    from kafkalog.core.release import Release
    from kafkalog.core.source import Bytes, Source
    from kafkalog.kafka.overlay import Disk, DiskFile
    from kafkalog.kafka.reading_rules import ReadingRules

__all__ = [
    "BrokerOffsetIndex",
    "BrokerTimeIndex",
    "BrokerTransactionIndex",
    "OffsetPosition",
    "TimestampOffset",
    "fits_index",
    "offset_index_problem",
    "time_index_problem",
]

T = TypeVar("T", bound=tuple[Any, ...])

_FIELDS = len(AbortedTxn._fields)
#: For look-ups, of which one reads twenty entries.
_unpack = OFFSET_INDEX_ENTRY.partial("relative_offset", "position").unpack_from
_ENTRY_SIZE = OFFSET_INDEX_ENTRY.size

#: The last entries, which are searched first: AbstractIndex.warmEntries.
_WARM_BYTES = 8192
#: Entries of a `.index` that a window of a file holds.
_KEPT_IN_A_WINDOW = PIECE // OFFSET_INDEX_ENTRY.size


class OffsetPosition(NamedTuple):
    """An entry of a `.index` with its offset made absolute."""

    offset: int
    position: int


class TimestampOffset(NamedTuple):
    """An entry of a `.timeindex` with its offset made absolute; milliseconds."""

    timestamp: int
    offset: int


def fits_index(offset: int, base_offset: int) -> bool:
    """Whether an offset can stand in the indexes of a segment: AbstractIndex.canAppendOffset."""
    return 0 <= offset - base_offset <= 0x7FFFFFFF


def _search(count: int, target: int, key: Callable[[int], int], first_warm: int) -> int:
    """Slot of the largest entry not above `target`, -1 for none; zero padding counts as entries.

    Args:
        count: How many there are.
        target: What is looked for.
        key: What of an entry is compared with it, by slot.
        first_warm: The first of the last entries, which are searched first.

    Source: AbstractIndex.indexSlotRangeFor, Kafka 3.9.1; before 2.1 without a part that is searched first.
    """
    if count == 0:
        return -1
    if first_warm < count and key(first_warm) < target:
        low, high = first_warm, count - 1
    elif key(0) > target:
        return -1
    else:
        low, high = 0, min(first_warm, count - 1)
    while low < high:
        middle = (low + high + 1) >> 1
        found = key(middle)
        if found > target:
            high = middle - 1
        elif found < target:
            low = middle
        else:
            return middle
    return low


def _first_warm(count: int, entry_size: int, rules: ReadingRules) -> int:
    return max(0, count - 1 - _WARM_BYTES // entry_size) if rules.index_end_first else count


def offset_index_problem(entries: Bytes, base_offset: int, least: int) -> str:
    """What the check of a `.index` finds wrong, "" if nothing: its last entry is below `least`, or it ends in half an entry.

    Source: OffsetIndex.sanityCheck, Kafka 2.2 and 3.9.1.
    """
    count = len(entries) // OFFSET_INDEX_ENTRY.size
    last = base_offset + (_entry(OFFSET_INDEX_ENTRY, entries, count - 1).relative_offset if count else 0)
    if count and last < least:
        return f"the last offset {last} is below what the base offset {base_offset} allows"
    return _size_problem(entries, OFFSET_INDEX_ENTRY.size)


def time_index_problem(entries: Bytes, base_offset: int) -> str:
    """What the check of a `.timeindex` finds wrong, "" if nothing. Source: TimeIndex.sanityCheck, Kafka 2.2 and 3.9.1."""
    count = len(entries) // TIME_INDEX_ENTRY.size
    if count:
        first, last = _entry(TIME_INDEX_ENTRY, entries, 0), _entry(TIME_INDEX_ENTRY, entries, count - 1)
        if last.timestamp < first.timestamp:
            return f"the last timestamp {last.timestamp} is below the first {first.timestamp}"
        if last.relative_offset < 0:
            return f"the last offset {base_offset + last.relative_offset} is below the base offset {base_offset}"
    return _size_problem(entries, TIME_INDEX_ENTRY.size)


def _entry(layout: Layout[T], entries: Bytes, number: int) -> T:
    return layout.read(entries[number * layout.size : (number + 1) * layout.size])


def _size_problem(entries: Bytes, entry_size: int) -> str:
    return f"{len(entries)} bytes, not a multiple of {entry_size}" if len(entries) % entry_size else ""


class BrokerOffsetIndex:
    """A `.index`, read and rebuilt.

    Args:
        base_offset: The segment's.
        rules: How the release searches.
        file: What has been written so far, None: nothing; bytes that fill no entry are ignored. It is not held in memory.
    """

    entry_size = OFFSET_INDEX_ENTRY.size

    def __init__(self, base_offset: int, rules: ReadingRules, file: Source | None = None) -> None:
        self.base_offset = base_offset
        self._rules = rules
        self._file = file
        #: Entries of the file that count, and what was added to them.
        self._kept = 0 if file is None else file.size // self.entry_size
        self._added = bytearray()
        #: A look-up reads twenty entries of what may be a million, the first of them always the same and far from each other.
        self._kept_entry = lru_cache(maxsize=4096)(self._read_entry) if self._kept > _KEPT_IN_A_WINDOW else self._read_entry
        #: Offset of the last entry as it was given, which may be more than an entry can hold (before 2.0).
        self._last: int | None = None

    @property
    def count(self) -> int:
        """Entries, padding included."""
        return self._kept + len(self._added) // self.entry_size

    def _stored(self, slot: int) -> tuple[int, int]:
        """Relative offset and position of an entry."""
        if slot < self._kept:
            return self._kept_entry(slot)
        return _unpack(self._added, (slot - self._kept) * _ENTRY_SIZE)

    def _read_entry(self, slot: int) -> tuple[int, int]:
        begin, data = self._file.window(slot * _ENTRY_SIZE, _ENTRY_SIZE)  # type: ignore[union-attr]  # it has entries
        return _unpack(data, slot * _ENTRY_SIZE - begin)

    def _entry(self, slot: int) -> OffsetPosition:
        relative, position = self._stored(slot)
        return OffsetPosition(self.base_offset + relative, position)

    @property
    def last_offset(self) -> int:
        """Offset of the last entry, the base offset when there is none."""
        if self._last is not None:
            return self._last
        return self._entry(self.count - 1).offset if self.count else self.base_offset

    def _slot(self, offset: int) -> int:
        return self._search(offset - self.base_offset, lambda slot: self._stored(slot)[0])

    def _search(self, target: int, key: Callable[[int], int]) -> int:
        return _search(self.count, target, key, _first_warm(self.count, self.entry_size, self._rules))

    def lookup(self, offset: int) -> OffsetPosition:
        """The entry to start a search for `offset` from."""
        slot = self._slot(offset)
        return OffsetPosition(self.base_offset, 0) if slot < 0 else self._entry(slot)

    def upper_bound(self, position: int) -> int | None:
        """Offset of the first entry after a byte position, None when there is none: fetchUpperBoundOffset."""
        slot = self._search(position, lambda slot: self._stored(slot)[1])
        # The smallest upper bound follows the largest lower bound; an exact hit is its own.
        if slot >= 0 and self._entry(slot).position == position:
            return self._entry(slot).offset
        return self._entry(slot + 1).offset if slot + 1 < self.count else None

    def append(self, offset: int, position: int) -> None:
        """Add an entry.

        Raises:
            InvalidOffset: the offset is not above the last one.
        """
        if self.count and offset <= self.last_offset:
            raise InvalidOffset(f"offset {offset} at position {position} follows {self.last_offset} in the offset index")
        self._added += OFFSET_INDEX_ENTRY.pack((wrap32(offset - self.base_offset), position))
        self._last = offset

    def truncate(self, offset: int) -> None:
        """Drop the entries from `offset` on: OffsetIndex.truncateTo."""
        slot = self._slot(offset)
        keep = slot if slot >= 0 and self._entry(slot).offset == offset else slot + 1
        del self._added[max(0, keep - self._kept) * self.entry_size :]
        self._kept = min(self._kept, keep)
        self._last = None

    def to_bytes(self) -> bytes:
        """The entries as they are written."""
        if self._file is None:
            return bytes(self._added)
        size = self._kept * self.entry_size
        ensure_size(".index", size)
        return WindowedBytes(self._file, 0, size)[:] + self._added


class BrokerTimeIndex:
    """A `.timeindex` while it is rebuilt.

    Args:
        base_offset: The segment's.
        rules: How the release searches.
        remembers: Whether the last entry is kept as it was given, not read back (since 1.1).
    """

    entry_size = TIME_INDEX_ENTRY.size

    def __init__(self, base_offset: int, rules: ReadingRules, *, remembers: bool = True) -> None:
        self.base_offset = base_offset
        self._rules = rules
        self._remembers = remembers
        self._data = bytearray()
        self._last = TimestampOffset(NO_TIMESTAMP, base_offset)

    @property
    def last(self) -> TimestampOffset:
        """The last entry, (-1, base offset) when there is none."""
        return self._last

    def maybe_append(self, timestamp: int, offset: int) -> None:
        """Add an entry if its timestamp is new.

        Raises:
            InvalidOffset: the offset is below the last one.
            BrokerAborts: the timestamp is.
        """
        if self._data and offset < self._last.offset:
            raise InvalidOffset(f"offset {offset} follows {self._last.offset} in the time index")
        if self._data and timestamp < self._last.timestamp:
            raise BrokerAborts(
                "IllegalStateException", f"timestamp {timestamp} follows {self._last.timestamp} in the time index"
            )
        if timestamp > self._last.timestamp:
            relative = wrap32(offset - self.base_offset)
            self._data += TIME_INDEX_ENTRY.pack((timestamp, relative))
            self._last = TimestampOffset(timestamp, offset if self._remembers else self.base_offset + relative)

    def truncate(self, offset: int) -> None:
        """Drop the entries from `offset` on: TimeIndex.truncateTo."""
        count = len(self._data) // self.entry_size
        first_warm = _first_warm(count, self.entry_size, self._rules)
        slot = _search(count, offset, lambda slot: self._entry(slot).offset, first_warm)
        keep = slot if slot >= 0 and self._entry(slot).offset == offset else slot + 1
        del self._data[keep * self.entry_size :]
        self._last = self._entry(keep - 1) if keep else TimestampOffset(NO_TIMESTAMP, self.base_offset)

    def _entry(self, slot: int) -> TimestampOffset:
        timestamp, relative = TIME_INDEX_ENTRY.read(self._data, slot * self.entry_size)
        return TimestampOffset(timestamp, self.base_offset + relative)

    def to_bytes(self) -> bytes:
        """The entries as they are written."""
        return bytes(self._data)


class BrokerTransactionIndex:
    """A `.txnindex`, read and written in place.

    Args:
        disk: Where the file is, or will be.
        name: Its name.
        base_offset: The segment's.
        release: Whose reader is modelled.

    Raises:
        LogDirOffline: a directory has its name.
    """

    def __init__(self, disk: Disk, name: str, base_offset: int, release: Release) -> None:
        if name in disk.directories:
            raise LogDirOffline("FileSystemException", f"{name} is a directory", file=name)
        self._disk = disk
        self._has_wide_version = WIDE_TXN_INDEX_VERSION.applies_to(release)
        self.name = name
        self.base_offset = base_offset
        self._last_offset: int | None = None
        self._parsed: _Aborted | None = None
        # A file that comes to its name later, unopened, is neither read nor emptied.
        self._is_open = name in disk

    @property
    def _file(self) -> DiskFile | None:
        return self._disk.get(self.name) if self._is_open else None

    @property
    def is_empty(self) -> bool:
        """Whether it has no entry, sound or not."""
        return self._file is None or self._file.size < ABORTED_TXN.size

    def entries(self) -> Iterator[AbortedTxn]:
        """Its entries.

        Raises:
            BrokerAborts: an entry has a version that the release does not read.
            UnreadableFile: there are more than kafkalog reads.
        """
        file = self._file
        if file is None:
            return
        ensure_size(self.name, file.size)
        for entry in ABORTED_TXN.read_all(WindowedBytes(file)):
            # Up to 4.3 it is a signed byte, and only what is above 0 is refused.
            version = entry.version if self._has_wide_version else max(0, entry.version >> 8)
            if version:
                raise BrokerAborts("KafkaException", f"aborted transaction of version {version} in {self.name}", file=self.name)
            yield entry

    def sanity_check(self) -> None:
        """Raises CorruptIndex for an entry that ends below the segment: TransactionIndex.sanityCheck."""
        for entry in self.entries():
            if entry.last_offset < self.base_offset:
                raise CorruptIndex(f"an aborted transaction in {self.name} ends at {entry.last_offset}, below the segment")

    def reset(self) -> None:
        """Empty the file, if it was there."""
        file = self._file
        if file is not None and file.size:
            file.write(b"")
        self._last_offset = None

    def append(self, entry: AbortedTxn) -> None:
        """Add an entry.

        Raises:
            BrokerAborts: it does not end above the last one.
        """
        if self._last_offset is not None and self._last_offset >= entry.last_offset:
            text = f"aborted transactions end at {self._last_offset}, then at {entry.last_offset}, in {self.name}"
            raise BrokerAborts("IllegalArgumentException", text, file=self.name)
        self._last_offset = entry.last_offset
        self._is_open = True
        file = self._disk.get(self.name) or self._disk.create(self.name)
        file.append(ABORTED_TXN.pack(entry))

    def truncate(self, offset: int) -> None:
        """Drop the entries from the first one that ends at or above `offset`."""
        for number, entry in enumerate(self.entries()):
            if entry.last_offset >= offset:
                self._disk[self.name].truncate(number * ABORTED_TXN.size)
                return

    def collect(self, fetch_offset: int, upper_bound: int) -> tuple[list[AbortedTxn], bool]:
        """The aborted transactions that go with a fetch, and whether no later segment holds more: collectAbortedTxns."""
        file = self._file
        if file is None:
            return [], False
        if self._parsed is None or not self._parsed.is_of(file):
            self._parsed = _Aborted(self, file)
        return self._parsed.collect(fetch_offset, upper_bound)


class _Aborted:
    """The entries of a `.txnindex` as fetches ask for them, one after the other: no fetch goes over all of them."""

    def __init__(self, index: BrokerTransactionIndex, file: DiskFile) -> None:
        self._source, self._size = file.source, file.size
        self._failure: BrokerAborts | None = None
        # There may be very many, in each of many segments: an array each is a fifth of what the entries would take.
        self._entries = array("q")
        #: The largest last offset, and last stable offset, up to each entry.
        self._last, self._stable = array("q"), array("q")
        last = stable = -(1 << 63)
        try:
            for entry in index.entries():
                self._entries.extend(entry)
                last, stable = max(last, entry.last_offset), max(stable, entry.last_stable_offset)
                self._last.append(last)
                self._stable.append(stable)
        except BrokerAborts as failure:
            self._failure = failure

    def is_of(self, file: DiskFile) -> bool:
        """Whether the file still holds these entries."""
        return self._source is file.source and self._size == file.size

    def collect(self, fetch_offset: int, upper_bound: int) -> tuple[list[AbortedTxn], bool]:
        """As in the index.

        Raises:
            BrokerAborts: an entry of an unknown version comes first.
        """
        stop = bisect_left(self._stable, upper_bound)
        complete = stop < len(self._stable)
        if not complete and self._failure is not None:
            raise self._failure
        numbers = range(bisect_left(self._last, fetch_offset), min(stop + 1, len(self._stable)))
        entries = (AbortedTxn(*self._entries[_FIELDS * number : _FIELDS * (number + 1)]) for number in numbers)
        found = [entry for entry in entries if entry.last_offset >= fetch_offset and entry.first_offset < upper_bound]
        return found, complete
