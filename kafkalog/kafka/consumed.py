"""What a consumer has got of a log: the offsets that it was handed, and those that it passed over without an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import Batch, first_offset, walk
from kafkalog.kafka.failure import LoadFailure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.kafka.fetched_records import ClientError
    from kafkalog.kafka.log_segments import LogSegments

__all__ = ["ConsumedRecords", "Mark", "Skipped"]

#: Stretches of offsets kept, of those handed out and of those skipped; the last one then stands for the rest.
_MOST_STRETCHES = 1_000
#: Batches before its position that are remembered until it jumps.
_MOST_DROPPED = 100


class Skipped(NamedTuple):
    """Offsets that a consumer passes over without an error, though bytes for them are in the log.

    Args:
        first: The first of them.
        last: The last of them.
        records: Records of sound batches among them, which can be taken out of the files.
    """

    first: int
    last: int
    records: int


class _Place(NamedTuple):
    """A byte in a log: base offset of the segment, position in its file."""

    segment: int
    position: int


class Mark(NamedTuple):
    """What had been read at some moment, to go to."""

    records: int
    stops_at: int
    handed: tuple[int, tuple[tuple[int, int], ...]]
    skipped: tuple[int, tuple[Skipped, ...]]
    has_skipped: bool
    place: _Place | None
    jump: tuple[int, int] | None
    aborted: int
    has_transactions: bool


@dataclass
class ConsumedRecords:
    """What the consumer got.

    `records` were handed out, with offsets in the stretches of `handed` (first, last), which begin and end with a record and
    are broken by nothing but `skipped`; at `stops_at` it stands at the end. `aborted` of them are of transactions that were
    aborted, though only committed ones were asked for. `error` is None when it got to the `end`, or
    waits for ever (`stuck`), or reads the same records again and again (`loops`). `offline` is what the log dir goes offline
    for when the broker comes to it. `has_transactions`: it came to batches or markers of transactions.
    """

    records: int = 0
    handed: list[tuple[int, int]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    aborted: int = 0
    stops_at: int = 0
    end: int = 0
    error: ClientError | None = None
    stuck: bool = False
    loops: bool = False
    offline: str | None = None
    has_transactions: bool = False
    _has_skipped: bool = False
    _place: _Place | None = None
    #: The last offsets that no bytes were for.
    _jump: tuple[int, int] | None = None
    #: The last batches in a row that begin before the position, each with its segment and the records that were dropped: what a
    #: jump after them skips.
    _dropped: list[tuple[int, RecordBatch, int]] = field(default_factory=list)

    @property
    def unreached(self) -> tuple[int, int] | None:
        """First and last offset that it never gets to, because it fails or gets no further; None when it reads to the end."""
        gets_no_further = self.error is not None or self.stuck or self.loops
        return (self.stops_at, self.end - 1) if gets_no_further and self.stops_at < self.end else None

    def add(self, offset: int, count: int = 1) -> None:
        """Records with `count` offsets in a row more."""
        self.records += count
        last = offset + count - 1
        is_next = bool(self.handed) and self.handed[-1][1] + 1 == offset
        if self.handed and (is_next or not self._has_skipped or len(self.handed) >= _MOST_STRETCHES):
            self.handed[-1] = (self.handed[-1][0], max(last, self.handed[-1][1]))
        else:
            self.handed.append((offset, last))
        self._has_skipped = False

    @property
    def is_smooth(self) -> bool:
        """Whether nothing was skipped or dropped: then a mark is all there is to say of what was read."""
        return not self.skipped and not self._dropped

    def mark(self) -> Mark:
        """What has been read up to now."""
        handed = (len(self.handed), tuple(self.handed[-1:]))
        skipped = (len(self.skipped), tuple(self.skipped[-1:]))
        return Mark(
            self.records,
            self.stops_at,
            handed,
            skipped,
            self._has_skipped,
            self._place,
            self._jump,
            self.aborted,
            self.has_transactions,
        )

    def go_to(self, mark: Mark) -> None:
        """Forget what was handed out and skipped since; or, of a smooth reading, take in what another one has read since."""
        self.records, self.stops_at = mark.records, mark.stops_at
        self.handed[max(0, mark.handed[0] - 1) :] = mark.handed[1]
        self.skipped[max(0, mark.skipped[0] - 1) :] = mark.skipped[1]
        self._has_skipped, self._place, self._jump = mark.has_skipped, mark.place, mark.jump
        self.aborted = mark.aborted
        self.has_transactions = self.has_transactions or mark.has_transactions

    def pass_bytes(self, segments: LogSegments, segment: int, batch: Batch) -> None:
        """Go on to a batch, which need not be the one after the last: what lies between is skipped.

        Args:
            segments: Those of the log.
            segment: Base offset of the one that holds the batch.
            batch: The batch.
        """
        place = self._place
        if place is None:
            first = segments.floor(self.stops_at)
            place = _Place(segment if first is None else first.base_offset, 0)
        here = _Place(segment, batch.position)
        self._place = max(place, here._replace(position=batch.position + batch.size))
        # What a wrapper of magic 0 or 1 begins with is only known when it is unpacked.
        offset = first_offset(batch) if isinstance(batch, RecordBatch) or here > place else self.stops_at
        if self.stops_at >= offset:
            return
        self._jump = (self.stops_at, offset - 1)
        if self._dropped:
            own = [one for one in self._dropped if one[1].crc_ok and not _is_copy(one[1], one[0], segments)]
            self._skip(*self._jump, sum(records for _, _, records in own))
        between = _between(segments, place, here) if here > place else ()
        passed = [item for item in between if not (isinstance(item, Batch) and item.last_offset < self.stops_at)]
        if passed:
            sound = sum(_records_of(item) for item in passed if isinstance(item, Batch) and item.crc_ok)
            self._skip(*self._jump, sound)

    def note_dropped(self, batch: Batch) -> None:
        """Note the records of a batch that lie before the consumer's position: it drops them.

        They are skipped ones if an earlier batch made it jump over their offsets, or if it jumps right after them: then the
        batch has a wrong base offset, or is a copy in the place of another one.
        """
        if not isinstance(batch, RecordBatch) or batch.base_offset >= self.stops_at or not (self.handed or self.skipped):
            self._dropped.clear()  # the first batch may hold offsets before the log's start
        elif self._place is not None and not batch.is_control and len(self._dropped) < _MOST_DROPPED:
            self._dropped.append((self._place.segment, batch, min(_records_of(batch), self.stops_at - batch.base_offset)))
        if self._jump is None or not isinstance(batch, RecordBatch) or batch.is_control or batch.base_offset >= self.stops_at:
            return
        first, last = max(batch.base_offset, self._jump[0]), min(batch.last_offset, self._jump[1])
        if first > last:
            return
        if self.handed and self.handed[-1][0] < self._jump[0] <= self._jump[1] < self.handed[-1][1]:
            begin, end = self.handed.pop()
            self.handed += [(begin, self._jump[0] - 1), (self._jump[1] + 1, end)]
        self._skip(first, last, _records_of(batch) if batch.crc_ok else 0)

    def note_short(self, batch: LegacyBatch) -> None:
        """Note that a wrapper held fewer messages than its offset says, which is that of its last one."""
        if self.stops_at <= batch.last_offset:
            self._skip(self.stops_at, batch.last_offset, 0)

    def _skip(self, first: int, last: int, records: int) -> None:
        self._has_skipped = True
        before = self.skipped[-1] if self.skipped else None
        if before is not None and (before.last + 1 >= first or len(self.skipped) >= _MOST_STRETCHES):
            self.skipped[-1] = Skipped(before.first, max(last, before.last), before.records + records)
        else:
            self.skipped.append(Skipped(first, last, records))


def _between(segments: LogSegments, start: _Place, end: _Place) -> Iterator[Batch | Damage | object]:
    """What lies between two places of a log."""
    for segment in segments.values(start.segment, end.segment + 1):
        begin = start.position if segment.base_offset == start.segment else 0
        stop = end.position if segment.base_offset == end.segment else segment.size
        if begin < stop:
            yield from walk(segment.log.file.source, begin, stop)


def _is_copy(batch: RecordBatch, held_by: int, segments: LogSegments) -> bool:
    """Whether the same batch is in the log where its base offset says, too."""
    segment = segments.floor(batch.base_offset)
    if segment is None:
        return False
    try:
        place = segment.translate(batch.base_offset)
    except LoadFailure:
        return False
    if place is None or (segment.base_offset, place.position) == (held_by, batch.position) or place.size != batch.size:
        return False
    return BATCH_HEADER.read(segment.log.file.read(place.position, BATCH_HEADER.size)).crc == batch.header.crc


def _records_of(batch: Batch) -> int:
    """Records of a sound batch that a client wrote."""
    if isinstance(batch, LegacyBatch):
        return sum(not isinstance(item, Damage) for item in batch.walk_records())
    return 0 if batch.is_control else batch.header.records_count
