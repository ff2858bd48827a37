"""Following `.index` and `.timeindex` along while their `.log` is walked.

Both files are held as bytes and as arrays of numbers, twice their size. What an entry of a `.index`
must mean holds for every writer since 0.10: its position is the first byte of a batch, that batch does not begin after its
offset, and the batch at the next entry's position does.
"""

from __future__ import annotations

from itertools import islice
from operator import le, lt
from typing import TYPE_CHECKING, Any

from kafkalog.core.log import NEVER
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, OffsetIndexEntry, leftover, padded_end, padding_between
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.verify.rules.indexes import IndexStep
from kafkalog.verify.rules.shared import BatchSpot, Hole, IndexEnd
from kafkalog.verify.rules.time_indexes import TimeIndexEnd, TimeIndexStep

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable

    from kafkalog.core.layout import Layout
    from kafkalog.span import Padding, Span
    from kafkalog.verify.scan.results import SegmentTask
    from kafkalog.verify.scan.walk_state import WalkState

__all__ = ["MOST_REPORTED", "OffsetIndexWalk", "TimeIndexWalk"]

#: Entries of one file that are reported one by one; a file with more is garbage, and its rest is not judged.
MOST_REPORTED = 1000


#: What a file system writes at a time.
_PAGE = 4096


class _EntryFile:
    """The bytes of an index file: entries, padding, what is left over, and the first hole of zeros among the entries."""

    def __init__(self, path: str, data: bytes, layout: Layout[Any]) -> None:
        self.path = path
        self.data = data
        self._layout = layout
        self.entry_size = size = layout.size
        self.end = padded_end(data, size)
        self.count = self.end // size
        damage = leftover(data, size)
        self.leftover: Span | None = None if damage is None else damage.span
        self.padding: Padding | None = padding_between(self.end, len(data) - len(data) % size)

    def column(self, name: str) -> array[int]:
        """The numbers of a field of every entry; after the last one a -1, which no batch fits."""
        numbers = self._layout.column(name, self.data, self.end)
        numbers.append(-1)
        return numbers

    def _first_zero(self, number: int) -> int | None:
        """Number of the first entry of zeros from `number` on that has a real entry after it."""
        zeros = bytes(self.entry_size)
        at = self.data.find(zeros, number * self.entry_size, self.end)
        while at >= 0:
            number = -(-at // self.entry_size)
            if self.data[number * self.entry_size : (number + 1) * self.entry_size] == zeros and number < self.count:
                return number
            at = self.data.find(zeros, at + 1, self.end)
        return None

    def hole(self) -> Hole | None:
        """The entries of zeros that have real ones after them."""
        first = number = self._first_zero(0)
        end, zeros = 0, 0
        while number is not None:
            until = number + 1
            while not any(self.data[until * self.entry_size : (until + 1) * self.entry_size]):
                until += 1
            end = end or until
            zeros += until - number
            number = self._first_zero(until)
        return None if first is None else Hole(first, end, zeros, self._has_zero_page(first, end))

    def _has_zero_page(self, number: int, end: int) -> bool:
        first = -(-number * self.entry_size // _PAGE)
        return any(self._is_zero_page(page) for page in range(max(0, first - 1), end * self.entry_size // _PAGE + 1))

    def _is_zero_page(self, page: int) -> bool:
        data = self.data[page * _PAGE : min((page + 1) * _PAGE, self.end)]
        return len(data) == _PAGE and not any(data)

    def is_cut_by_hole(self, number: int) -> bool:
        """Whether an entry lies half in a page of zeros; those of a `.timeindex` do not fill whole pages."""
        first, last = number * self.entry_size // _PAGE, ((number + 1) * self.entry_size - 1) // _PAGE
        return first != last and (self._is_zero_page(first) or self._is_zero_page(last))


class OffsetIndexWalk(_EntryFile):
    """A `.index` on its way along the log.

    `want` is the position of the next entry; the walker calls `arrive` when a batch begins there or after it, `skip`
    when bytes cannot be read, and `finish` at the end.
    """

    def __init__(self, path: str, data: bytes, task: SegmentTask, log_size: int, emit: Callable[[object], None]) -> None:
        super().__init__(path, data, OFFSET_INDEX_ENTRY)
        self._task = task
        self._emit = emit
        self._log_size = log_size
        self.offsets = self.column("relative_offset")
        self.positions = self.column("position")
        self.number = -1
        self._before = (-1, -1)
        self._before_batch: tuple[int, int, int] | None = None
        self._overtaken: tuple[int, int] | None = None
        self._disordered = not all(map(lt, self.positions, islice(self.positions, 1, self.count)))
        self._hole = self.hole()
        self.reported = 0
        self.others = 0
        self.first_other: int | None = None
        self.offset = -1
        self.want = NEVER
        self._advance()

    def _advance(self) -> None:
        """Take up the next entry, or the first after it that fits those before.

        An offset that does not grow is left to the log: it tells whether this entry is wrong or the one before.
        """
        for number in range(self.number + 1, self.count):
            self.number = number
            relative, position = self.offsets[number], self.positions[number]
            if relative or position or self._hole is None:  # a hole is reported once
                self.offset, self.want = self._task.base_offset + relative, position
                self._overtaken = self._overtakes(position)
                if relative > 0 and position > max(0, self._before[1]) and self._overtaken is None:
                    return
                self._report(None, None)
                self._overtaken = None
        self.number, self.want = self.count, NEVER

    def wanted(self, begin: int) -> tuple[int, int, int, int]:
        """For the loop over ordinary batches: what the next entry wants, as far as it has no oddity.

        Returns:
            Its number; its position, counted from `begin`; the offset after the one it has; and an offset that the batch
            there must begin after. The last is more than any if each entry needs a careful look.
        """
        return self.number, self.want - begin, self.offset + 1, NEVER if self._disordered else self._before[0]

    def settle(self, number: int, batch: tuple[int, int, int]) -> None:
        """Take over from that loop: the entries before `number` fit, the last of them this batch."""
        self._before = (batch[2], batch[0])
        self._before_batch = batch
        self.number = number - 1
        self._advance()

    def _overtakes(self, position: int) -> tuple[int, int] | None:
        """The next entry (offset, position) if the current one stands out: those around it are in order without it."""
        if not self._disordered:
            return None
        following = [self._entry(number) for number in range(self.number + 1, min(self.number + 3, self.count))]
        if not following or not max(0, self._before[1]) < following[0].position <= position:
            return None
        if len(following) > 1 and following[1].position > position:
            return None
        return self._task.base_offset + following[0].relative_offset, following[0].position

    def _entry(self, number: int) -> OffsetIndexEntry:
        return OFFSET_INDEX_ENTRY.read(self.data, number * self.entry_size)

    def _report(self, batch: tuple[int, int, int] | None, inside: tuple[int, int] | None, *, late: bool = False) -> None:
        """Something is wrong with the current entry, or (`late`) with the last one that seemed to fit."""
        self.reported += 1
        if self.reported > MOST_REPORTED:
            return
        number = self._number_before() if late else self.number
        task = self._task
        relative, position = self._entry(number)
        offset_before, position_before = self._before
        self._emit(
            IndexStep(
                path=self.path,
                log_path=task.paths[".log"],
                number=number,
                offset=task.base_offset + relative,
                position=position,
                previous_offset=offset_before,
                previous_position=position_before,
                batch=batch,
                inside=inside,
                log_size=self._log_size,
                found_late=late,
                overtaken=self._overtaken,
                segment_base=task.base_offset,
                active=task.active,
                clean=task.clean,
            )
        )

    def _number_before(self) -> int:
        """Number of the last entry that seemed to fit."""
        number = self.number - 1
        while number > 0 and self._task.base_offset + self._entry(number).relative_offset != self._before[0]:
            number -= 1
        return number

    def arrive(self, position: int, base: int, last: int, before: int, before_end: int) -> int:
        """A batch of offsets `base` … `last` begins at `position`, which is `want` or after it.

        `before` and `before_end` are where the batch before it begins and ends. Returns the new `want`.
        """
        while position > self.want:
            self._report(None, (before, before_end))
            self._before = (self._before[0], self.want)
            self._advance()
        if position < self.want:
            return self.want
        offset = self.offset
        if self._before[0] >= base:
            # The entry before says that its batch reaches up to here.
            self._report(self._before_batch, None, late=True)
        if base > offset:
            self._report((position, base, last), None)
            self._before = (self._before[0], position)
        else:
            if offset != last:
                self.others += 1
                self.first_other = self.number if self.first_other is None else self.first_other
            self._before = (offset, position)
        self._before_batch = (position, base, last)
        self._advance()
        return self.want

    def skip(self, end: int) -> None:
        """The bytes up to `end` cannot be read: of entries that point there only the order is judged."""
        while self.want < end:
            if self.offset <= self._before[0]:
                self._report(None, None)
            self._before = (self._before[0], self.want)
            self._advance()

    def finish(self, valid_end: int, last: BatchSpot | None) -> None:
        """The batches of the log end at `valid_end`."""
        while self.want != NEVER:
            inside = (last.position, last.end) if last is not None and last.position < self.want < last.end else None
            if self.want >= valid_end or inside is not None:
                self._report(None, inside)
            self._before = (self._before[0], self.want)
            self._advance()
        if last is not None and self._before[0] > last.last_offset and self._before_batch is not None:
            self.number = self.count
            self._report(self._before_batch, None, late=True)

    def summary(self, sibling: _EntryFile | None, *, log_is_sound: bool) -> IndexEnd:
        """The file as a whole."""
        return _summary(self, sibling, self._task, "index", log_is_sound=log_is_sound)


class TimeIndexWalk(_EntryFile):
    """A `.timeindex` on its way along the log; `want` is the offset of the next entry."""

    def __init__(self, path: str, data: bytes, task: SegmentTask, emit: Callable[[object], None]) -> None:
        super().__init__(path, data, TIME_INDEX_ENTRY)
        self._task = task
        self._emit = emit
        if not self.count and len(data) == self.entry_size:
            # A lone entry of zeros is one: timestamp 0 at the base offset. Whoever walks the log decides.
            self.lone_zero = True
        else:
            self.lone_zero = False
        self.timestamps = self.column("timestamp")
        self.offsets = self.column("relative_offset")
        self.number = -1
        self._before = (-1, -1)
        self._overtaken: tuple[int, int] | None = None
        self._disordered = not all(map(le, self.offsets, islice(self.offsets, 1, self.count)))
        self._hole = self.hole()
        self.reported = 0
        self.timestamp = -1
        self.others = 0
        self.first_other: int | None = None
        self.want = NEVER
        self._advance()

    def _report(
        self, batch: BatchSpot | None, max_before: int, max_position: int, max_offset: int, last: BatchSpot | None
    ) -> None:
        self.reported += 1
        if self.reported > MOST_REPORTED:
            return
        task = self._task
        timestamp_before, offset_before = self._before
        self._emit(
            TimeIndexStep(
                path=self.path,
                log_path=task.paths[".log"],
                number=self.number,
                timestamp=self.timestamp,
                offset=self.want,
                previous_timestamp=timestamp_before,
                previous_offset=offset_before,
                batch=batch,
                max_before=max_before,
                max_position=max_position,
                max_offset=max_offset,
                last_offset=-1 if last is None else last.last_offset,
                overtaken=self._overtaken,
                segment_base=task.base_offset,
                active=task.active,
                clean=task.clean,
            )
        )

    def _advance(self) -> None:
        """Take up the next entry, or the first after it that fits those before."""
        for number in range(self.number + 1, self.count):
            self.number = number
            timestamp, relative = self.timestamps[number], self.offsets[number]
            if self._hole is None or ((timestamp or relative) and not self.is_cut_by_hole(number)):  # a hole is reported once
                self.timestamp, self.want = timestamp, self._task.base_offset + relative
                timestamp_before, offset_before = self._before
                self._overtaken = self._overtakes(self.want)
                grows = timestamp >= 0 and relative >= 0 and timestamp > timestamp_before and self.want >= offset_before
                if grows and self._overtaken is None:
                    return
                self._report(None, -1, -1, -1, None)
                self._overtaken = None
        self.number, self.want = self.count, NEVER

    def wanted(self) -> tuple[int, int, int]:
        """For the loop over ordinary batches: number and timestamp of the next entry, and the offset after the one it has.

        The timestamp is one that no batch has if each entry needs a careful look.
        """
        return self.number, -NEVER if self._disordered else self.timestamp, self.want + 1

    def settle(self, number: int, before: tuple[int, int]) -> None:
        """Take over from that loop: the entries before `number` fit, the last of them with this timestamp and offset."""
        self._before = before
        self.number = number - 1
        self._advance()

    def _overtakes(self, offset: int) -> tuple[int, int] | None:
        """The next entry (timestamp, offset) if the current one stands out: those around it are in order without it."""
        if not self._disordered:
            return None
        base, size = self._task.base_offset, self.entry_size
        following = [
            TIME_INDEX_ENTRY.read(self.data, at * size) for at in range(self.number + 1, min(self.number + 3, self.count))
        ]
        if not following or not self._before[1] <= base + following[0].relative_offset < offset:
            return None
        if len(following) > 1 and base + following[1].relative_offset >= offset:
            return None
        return following[0].timestamp, base + following[0].relative_offset

    def arrive(self, spot: BatchSpot, magic: int, max_before: int, max_position: int, max_offset: int) -> int:
        """A batch with offsets up to `want` or more.

        `max_before` is the largest timestamp of the batches before it, `max_position` and `max_offset` where that stands.
        Returns the new `want`.
        """
        while self.want <= spot.last_offset:
            contained = self.want >= spot.base_offset
            sound = contained and self.timestamp == spot.max_timestamp and max_before < self.timestamp
            # Batches of magic 0 have no timestamps, but the index may keep those that a conversion dropped.
            if magic and not sound:
                self._report(spot if contained else None, max_before, max_position, max_offset, spot)
                self._before = (self._before[0], self.want)
            else:
                if self.want != spot.last_offset:
                    self.others += 1
                    self.first_other = self.number if self.first_other is None else self.first_other
                self._before = (self.timestamp, self.want)
            self._advance()
        return self.want

    def skip_to(self, offset: int) -> None:
        """Nothing is known about offsets below `offset`: entries there are not judged."""
        while self.want < offset:
            self._before = (self.timestamp, self.want)
            self._advance()

    def finish(self, last: BatchSpot | None, *, blind: bool) -> None:
        """The log has no more batches; `blind` when bytes after the last one could not be read."""
        while self.want != NEVER:
            if not blind:
                self._report(None, -1, -1, -1, last)
            self._before = (self._before[0], self.want)
            self._advance()

    def summary(self, sibling: _EntryFile | None, *, log_is_sound: bool) -> IndexEnd:
        """The file as a whole."""
        return _summary(self, sibling, self._task, "timeindex", log_is_sound=log_is_sound)

    def end_subject(self, state: WalkState) -> TimeIndexEnd:
        """Its last entry against the largest timestamps of the segment: of all batches, and of those with records."""
        task, top = self._task, state.max_timestamp
        count = self.count or (1 if self.lone_zero and top == 0 else 0)
        last = self.timestamps[self.count - 1] if self.count else (0 if count else None)
        return TimeIndexEnd(
            path=self.path,
            log_path=task.paths[".log"],
            entries=count,
            size=len(self.data),
            last_timestamp=last,
            max_timestamp=top,
            max_timestamp_with_records=state.max_full,
            max_position=state.max_position,
            max_offset=state.max_offset,
            active=task.active,
            clean=task.clean,
            all_emptied=not state.any_full,
        )


def _summary(
    file: OffsetIndexWalk | TimeIndexWalk, sibling: _EntryFile | None, task: SegmentTask, kind: str, *, log_is_sound: bool
) -> IndexEnd:
    return IndexEnd(
        path=file.path,
        log_path=task.paths.get(".log", ""),
        kind=kind,
        size=len(file.data),
        entry_size=file.entry_size,
        entries=file.count,
        padding=file.padding,
        leftover=file.leftover,
        hole=file.hole(),
        active=task.active,
        clean=task.clean,
        mark=task.mark,
        sibling_size=None if sibling is None else len(sibling.data),
        sibling_padded=sibling is not None and sibling.padding is not None,
        others=file.others,
        first_other=file.first_other,
        log_is_sound=log_is_sound,
    )
