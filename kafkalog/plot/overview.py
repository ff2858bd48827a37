"""A partition at a glance: one pass over the headers of its batches, in memory that does not grow with them."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from heapq import heappush, heapreplace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.control import ABORT
from kafkalog.core.log import Batch, first_offset, walk
from kafkalog.core.offset_index import read_offset_index
from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.core.transaction_ends import kind_of_marker
from kafkalog.files.source import FileSource, read_file
from kafkalog.plot.columns import Column, Columns
from kafkalog.plot.times import Moment, TimeColumns, plausible_times
from kafkalog.span import Padding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.files.segment import Segment

__all__ = ["DamagedBytes", "Gap", "OddTime", "Overview", "SegmentBar", "Stretch", "TransactionBar", "joined", "overview_of"]

#: Gaps, damages and transactions that are kept: the largest ones, the first ones, the longest ones.
_GAPS, _DAMAGES, _TRANSACTIONS, _ODD_TIMES = 500, 500, 2000, 100


class Stretch(NamedTuple):
    """Batches that follow each other, in one segment and of one leader epoch (-1 before magic 2).

    `first_time` and `last_time` are the first and the last timestamps of its batches that can be right, None when none can.
    `position` and `end` are bytes of the segment's `.log`.
    """

    base_offset: int
    epoch: int
    first_offset: int
    last_offset: int
    first_time: int | None
    last_time: int | None
    position: int
    end: int
    batches: int
    records: int


class SegmentBar(NamedTuple):
    """A segment. Offsets and times are None without a batch, `index_entries` and what the last one says without a `.index`.

    Batches from `indexed_position` on are found by no entry but the last; `padding` are zeros at the end of the log.
    """

    path: str
    base_offset: int
    first_offset: int | None
    last_offset: int | None
    first_time: int | None
    last_time: int | None
    size: int
    padding: int
    batches: int
    records: int
    index_entries: int | None
    indexed_offset: int | None
    indexed_position: int | None


class Gap(NamedTuple):
    """Offsets that are missing between two batches, with the times of these.

    `is_damaged`: bytes between the two cannot be read.
    """

    first_offset: int
    last_offset: int
    before: int | None
    after: int | None
    is_damaged: bool

    @property
    def offsets(self) -> int:
        """How many are missing."""
        return self.last_offset - self.first_offset + 1


class DamagedBytes(NamedTuple):
    """Bytes of a log that are no batch, the next offset that was expected there, and the time of the batch before."""

    path: str
    start: int
    end: int
    offset: int
    time: int | None
    reason: str


class OddTime(NamedTuple):
    """The largest timestamp of a batch that cannot be right."""

    path: str
    position: int
    offset: int
    timestamp: int


class TransactionBar(NamedTuple):
    """A transaction from its first batch to its marker; to its last batch while it is open.

    `state` is committed, aborted or open. A marker whose transaction began before the log has no data: `records` is 0.
    """

    producer_id: int
    epoch: int
    state: str
    first_offset: int
    last_offset: int
    first_time: int
    last_time: int
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What can be drawn of a partition.

    Args:
        segments: Its segments, ascending.
        stretches: The parts of them that have one leader epoch.
        gaps: The largest ones, ascending; `gaps_count` and `missing_offsets` count all.
        damages: The first ones; `damages_count` and `damaged_bytes` count all.
        transactions: Open ones, then of the others those that took longest, by their first offsets; `transactions_count` has
            the number of each state.
        sizes: Bytes of the batches, along the log.
        times: Timestamps of the batches that can be right, along the log: of the first record and the largest one.
        throughput: Batches, records and bytes, by the batches' largest timestamps.
        time_range: The axis for times: without one batch in 200 at each end; None when no batch has a time that can be right.
        odd_times: The first batches whose largest timestamp cannot be right; `odd_times_count` counts all.
        without_time: Batches without a timestamp.
        out_of_order: Batches whose offsets do not fit between those of their neighbours; they are in no column.
        now: The clock that told what is in the future.
    """

    segments: tuple[SegmentBar, ...]
    stretches: tuple[Stretch, ...]
    gaps: tuple[Gap, ...]
    gaps_count: int
    missing_offsets: int
    damages: tuple[DamagedBytes, ...]
    damages_count: int
    damaged_bytes: int
    transactions: tuple[TransactionBar, ...]
    transactions_count: dict[str, int]
    sizes: tuple[Column, ...]
    times: tuple[Column, ...]
    throughput: tuple[Moment, ...]
    time_range: tuple[int, int] | None
    odd_times: tuple[OddTime, ...]
    odd_times_count: int
    without_time: int
    out_of_order: int
    now: int

    @property
    def first_offset(self) -> int | None:
        """The first offset of the first batch; None without any."""
        return self.stretches[0].first_offset if self.stretches else None

    @property
    def last_offset(self) -> int | None:
        """The last offset of the last batch; None without any."""
        return self.stretches[-1].last_offset if self.stretches else None

    def time_at(self, offset: int) -> int | None:
        """About when a record of that offset was written, by the batches around it; None when nothing tells."""
        before = None
        for column in self.times:
            if column.first_offset > offset:
                return column.median if before is None else before
            before = column.median
        return before


def overview_of(segments: Iterable[Segment], now: int | None = None) -> Overview:
    """Read the segments of a partition.

    Args:
        segments: In the order of the log.
        now: The clock that tells what is in the future, milliseconds; the computer's by default.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    reader = _Reader(time.time_ns() // 1_000_000 if now is None else now)
    found = tuple(segments)
    for number, segment in enumerate(found):
        reader.read(segment, found[number + 1].base_offset if number + 1 < len(found) else None)
    return reader.overview()


class _Reader:
    """Takes batches in the order of the log."""

    def __init__(self, now: int) -> None:
        self._now = now
        self._plausible = plausible_times(now)
        self._segments: list[SegmentBar] = []
        self._stretches: list[Stretch] = []
        self._gaps: list[tuple[int, Gap]] = []
        self._gaps_count = self._missing = 0
        self._damages: list[DamagedBytes] = []
        self._damages_count = self._damaged_bytes = 0
        self._odd_times: list[OddTime] = []
        self._odd_times_count = self._without_time = self._out_of_order = 0
        self._sizes, self._times, self._moments = Columns(), Columns(), TimeColumns()
        self._transactions = _Transactions()
        #: The offset and the time after the last batch, and whether bytes after it could not be read.
        self._next: int | None = None
        self._time: int | None = None
        self._is_damaged = False

    def read(self, segment: Segment, until: int | None) -> None:
        """Read a segment; `until` is the base offset of the next one."""
        path, size, padding = segment.paths.get(".log"), 0, 0
        first = len(self._stretches)
        is_new = True
        if path is not None:
            with FileSource(path) as source:
                size = source.size
                for item in _in_order(walk(source), segment.base_offset, until):
                    if isinstance(item, Padding):
                        padding = item.span.size
                    elif isinstance(item, Damage):
                        self._damage(path, item)
                    elif isinstance(item, _Misplaced):
                        self._out_of_order += 1
                    else:
                        self._batch(path, segment.base_offset, item, is_new=is_new)
                        is_new = False
        stretches = self._stretches[first:]
        starts = [one.first_time for one in stretches if one.first_time is not None]
        ends = [one.last_time for one in stretches if one.last_time is not None]
        self._segments.append(
            SegmentBar(
                path or next(iter(segment.paths.values()), ""),
                segment.base_offset,
                stretches[0].first_offset if stretches else None,
                stretches[-1].last_offset if stretches else None,
                starts[0] if starts else None,
                ends[-1] if ends else None,
                size,
                padding,
                sum(one.batches for one in stretches),
                sum(one.records for one in stretches),
                *_index_of(segment),
            )
        )

    def _damage(self, path: str, damage: Damage) -> None:
        self._damages_count += 1
        self._damaged_bytes += damage.span.size
        self._is_damaged = True
        if len(self._damages) < _DAMAGES:
            span = damage.span
            self._damages.append(DamagedBytes(path, span.start, span.end, self._next or 0, self._time, damage.reason))

    def _batch(self, path: str, base_offset: int, batch: Batch, *, is_new: bool) -> None:
        first, last = first_offset(batch), batch.last_offset
        start, end = self._times_of(path, batch)
        if self._next is not None and first > self._next:
            self._gap(Gap(self._next, first - 1, self._time, end if start is None else start, self._is_damaged))
        records, epoch = 1, -1
        if isinstance(batch, RecordBatch):
            records, epoch = batch.header.records_count, batch.header.partition_leader_epoch
            if batch.is_transactional:
                self._transactions.add(batch, end if end is not None else self._time)
        self._next, self._is_damaged = last + 1, False
        self._time = self._time if end is None else end
        self._sizes.add(first, last, batch.size)
        self._times.add(first, last, *(one for one in (start, end) if one is not None))
        if end is not None:
            self._moments.add(end, records, batch.size)
        stretch = Stretch(base_offset, epoch, first, last, start, end, batch.position, batch.span.end, 1, records)
        if is_new or self._stretches[-1].epoch != epoch:
            self._stretches.append(stretch)
        else:
            self._stretches[-1] = joined(self._stretches[-1], stretch)

    def _times_of(self, path: str, batch: Batch) -> tuple[int | None, int | None]:
        """The first record's time and the largest one of a batch, each None when it cannot be right."""
        newest = batch.header.max_timestamp if isinstance(batch, RecordBatch) else batch.max_timestamp
        if newest == NO_TIMESTAMP:
            self._without_time += 1
        elif newest not in self._plausible:
            self._odd_times_count += 1
            if len(self._odd_times) < _ODD_TIMES:
                self._odd_times.append(OddTime(path, batch.position, batch.last_offset, newest))
        end = newest if newest in self._plausible else None
        start = end
        if isinstance(batch, RecordBatch) and batch.delete_horizon_ms is None and batch.timestamp_type == "CreateTime":
            start = batch.header.base_timestamp if batch.header.base_timestamp in self._plausible else None
        return start, end

    def _gap(self, gap: Gap) -> None:
        self._gaps_count += 1
        self._missing += gap.offsets
        if len(self._gaps) < _GAPS:
            heappush(self._gaps, (gap.offsets, gap))
        elif gap.offsets > self._gaps[0][0]:
            heapreplace(self._gaps, (gap.offsets, gap))

    def overview(self) -> Overview:
        """What has been found."""
        bars = self._transactions.bars()
        return Overview(
            segments=tuple(self._segments),
            stretches=tuple(self._stretches),
            gaps=tuple(sorted((gap for _, gap in self._gaps), key=lambda gap: gap.first_offset)),
            gaps_count=self._gaps_count,
            missing_offsets=self._missing,
            damages=tuple(self._damages),
            damages_count=self._damages_count,
            damaged_bytes=self._damaged_bytes,
            transactions=bars,
            transactions_count=dict(self._transactions.counts),
            sizes=self._sizes.columns(),
            times=self._times.columns(),
            throughput=self._moments.moments(),
            time_range=self._moments.range(),
            odd_times=tuple(self._odd_times),
            odd_times_count=self._odd_times_count,
            without_time=self._without_time,
            out_of_order=self._out_of_order,
            now=self._now,
        )


def joined(stretch: Stretch, following: Stretch) -> Stretch:
    """A stretch with what follows it."""
    return stretch._replace(
        last_offset=following.last_offset,
        first_time=following.first_time if stretch.first_time is None else stretch.first_time,
        last_time=stretch.last_time if following.last_time is None else following.last_time,
        end=following.end,
        batches=stretch.batches + following.batches,
        records=stretch.records + following.records,
    )


class _Misplaced(NamedTuple):
    """A batch whose offsets do not fit."""

    batch: Batch


#: Offsets of a segment are stored in its indexes as 32 bits from its base offset on.
_MOST_OFFSETS = 1 << 31


def _in_order(
    items: Iterable[Batch | Damage | Padding], base_offset: int, until: int | None
) -> Iterator[Batch | Damage | Padding | _Misplaced]:
    """The parts of a log, batches that would tear its axis apart marked: below what came before, or above what follows."""
    end = base_offset + _MOST_OFFSETS if until is None else until
    before = reached = base_offset
    held: Batch | None = None
    between: list[Damage | Padding | _Misplaced] = []
    for item in items:
        if not isinstance(item, Batch):
            between.append(item)
            continue
        first, last = first_offset(item), item.last_offset
        if first < before or last >= end or last < first:
            between.append(_Misplaced(item))
            continue
        if held is not None:
            yield held if first >= reached else _Misplaced(held)
        yield from between
        before = reached if first >= reached else before
        held, between, reached = item, [], last + 1
    if held is not None:
        yield held
    yield from between


def _index_of(segment: Segment) -> tuple[int | None, int | None, int | None]:
    """How many entries its `.index` has, and the last one's offset and position."""
    path = segment.paths.get(".index")
    if path is None:
        return None, None, None
    entries = read_offset_index(read_file(path)).entries
    if not entries:
        return 0, None, None
    return len(entries), segment.base_offset + entries[-1].relative_offset, entries[-1].position


class _Transactions:
    """The transactions of a log: the open ones, and of those that have ended the longest."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._open: dict[int, TransactionBar] = {}
        self._ended: list[tuple[int, TransactionBar]] = []

    def add(self, batch: RecordBatch, time: int | None) -> None:
        """Add a transactional batch, and about when it was written."""
        header, now = batch.header, time or 0
        begun = self._open.get(header.producer_id)
        if not batch.is_control:
            if begun is None:
                begun = TransactionBar(
                    header.producer_id, header.producer_epoch, "open", batch.base_offset, batch.last_offset, now, now, 0
                )
            self._open[header.producer_id] = begun._replace(
                last_offset=batch.last_offset, last_time=max(now, begun.last_time), records=begun.records + header.records_count
            )
            return
        kind = kind_of_marker(batch)
        if kind is None:
            return
        self._open.pop(header.producer_id, None)
        state = "aborted" if kind == ABORT else "committed"
        self.counts[state] += 1
        if begun is None:
            begun = TransactionBar(
                header.producer_id, header.producer_epoch, state, batch.base_offset, batch.base_offset, now, now, 0
            )
        bar = begun._replace(state=state, last_offset=batch.last_offset, last_time=max(now, begun.last_time))
        length = bar.last_time - bar.first_time
        if len(self._ended) < _TRANSACTIONS:
            heappush(self._ended, (length, bar))
        elif length > self._ended[0][0]:
            heapreplace(self._ended, (length, bar))

    def bars(self) -> tuple[TransactionBar, ...]:
        """Those that are kept."""
        if self._open:
            self.counts["open"] = len(self._open)
        still_open = sorted(self._open.values(), key=lambda bar: bar.first_offset)[:_TRANSACTIONS]
        left = max(_TRANSACTIONS - len(still_open), 0)
        ended = [bar for _, bar in sorted(self._ended, reverse=True)[:left]]
        return tuple(sorted([*still_open, *ended], key=lambda bar: bar.first_offset))
