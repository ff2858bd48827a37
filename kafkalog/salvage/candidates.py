"""The batches of one `.log` that may be kept, in a compact form, and its bytes that are no such batch."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.log import Batch, walk
from kafkalog.errors import UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.kafka.cleaner_traces import is_cleaned
from kafkalog.salvage.flips import unflipped
from kafkalog.salvage.order import in_order
from kafkalog.salvage.soundness import count_in, problem_of
from kafkalog.salvage.values import COPY, DAMAGE, UNREAD, Flip, LeftOut
from kafkalog.span import Padding, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.salvage.flips import Unflipped

__all__ = ["NO_EPOCH", "Candidate", "Found", "SourceLog", "find_candidates"]

#: The leader epoch of batches that have none: those of magic 0 and 1.
NO_EPOCH = -2


class Candidate(NamedTuple):
    """A sound batch: first and last offset, leader epoch, CRC, place in its file, records, first and largest timestamp.

    `after_damage`: bytes before it, after the candidate before, cannot be read.
    """

    base: int
    last: int
    epoch: int
    crc: int
    position: int
    size: int
    records: int
    first_time: int
    last_time: int
    after_damage: bool = False

    @property
    def span(self) -> Span:
        """Its bytes in its file."""
        return Span(self.position, self.position + self.size)


_STORED = len(Candidate._fields) - 1


class SourceLog(NamedTuple):
    """A `.log` of a source: its base offset, its path, and the number of the source."""

    base: int
    path: str
    source: int


class Found:
    """What is in a `.log`: a few numbers a batch, for there may be millions.

    `left_out` is what is not sound, or not in its place. `flips` has the bit that was set back, by a batch's position.
    `ends_in_damage`: bytes after the last candidate cannot be read. `error`: why not all of the file was read.
    """

    def __init__(self) -> None:
        self._rows = array("q")
        self._after_damage: set[int] = set()
        self.left_out: list[LeftOut] = []
        self.flips: dict[int, Flip] = {}
        self.ends_in_damage = False
        self.is_cleaned = False
        self.error: UnreadableFile | None = None

    def __len__(self) -> int:
        return len(self._rows) // _STORED

    def __getitem__(self, number: int) -> Candidate:
        row = self._rows[number * _STORED : (number + 1) * _STORED]
        return Candidate._make((*row, number in self._after_damage))

    def __iter__(self) -> Iterator[Candidate]:
        return map(self.__getitem__, range(len(self)))

    def add(self, batch: Batch) -> None:
        """Take in a sound batch."""
        if self.ends_in_damage:
            self._after_damage.add(len(self))
            self.ends_in_damage = False
        header = batch.header
        is_v2 = isinstance(batch, RecordBatch)
        self._rows.extend(
            (
                batch.base_offset,
                batch.last_offset,
                batch.header.partition_leader_epoch if isinstance(batch, RecordBatch) else NO_EPOCH,
                header.crc,
                batch.position,
                batch.size,
                count_in(batch),
                batch.header.base_timestamp if isinstance(batch, RecordBatch) else batch.max_timestamp,
                batch.header.max_timestamp if isinstance(batch, RecordBatch) else batch.max_timestamp,
            )
        )
        if is_v2 and is_cleaned(batch):
            self.is_cleaned = True

    def leave_out(self, path: str, span: Span, reason: str, kind: str = DAMAGE) -> None:
        """Note bytes that are not kept; which offsets they can hold is filled in at the end."""
        self.ends_in_damage = True
        self.left_out.append(LeftOut(path, span, None, kind, reason))

    @property
    def holes(self) -> int:
        """How many times offsets are missing between two batches that follow each other."""
        return sum(one.last + 1 < other.base and not other.after_damage for one, other in pairwise(self))

    def note_damage_before(self, number: int) -> None:
        """A batch before this one is not kept; before the one after the last: the log ends in damage."""
        if number < len(self):
            self._after_damage.add(number)
        else:
            self.ends_in_damage = True

    def keep(self, numbers: list[int]) -> None:
        """Drop all candidates but these."""
        rows, after = array("q"), set()
        for number in numbers:
            if number in self._after_damage:
                after.add(len(rows) // _STORED)
            rows.extend(self._rows[number * _STORED : (number + 1) * _STORED])
        self._rows, self._after_damage = rows, after


def find_candidates(log: SourceLog, *, parses: bool, unflips: bool) -> Found:
    """Read a `.log`.

    Args:
        log: The file.
        parses: Whether a batch must have readable records.
        unflips: Whether a batch with a single flipped bit counts.
    """
    found = Found()
    position = 0
    try:
        with FileSource(log.path) as source:
            for item in walk(source):
                position = item.span.end
                if not isinstance(item, Padding):
                    _take(found, log, source, item, parses=parses, unflips=unflips)
    except UnreadableFile as error:
        found.error = error
        found.leave_out(log.path, Span(position, position), f"from here on the file cannot be read: {error.reason}", UNREAD)
    _put_in_order(found, log)
    _tell_offsets(found, log)
    return found


def _take(found: Found, log: SourceLog, source: FileSource, item: Batch | Damage, *, parses: bool, unflips: bool) -> None:
    problem = item.reason if isinstance(item, Damage) else problem_of(item, parses=parses)
    if problem is None and isinstance(item, Batch):
        return _place(found, log, item)
    right: Unflipped | None = unflipped(source, item) if unflips else None
    if right is not None and problem_of(right.batch, parses=parses) is None:
        before = len(found)
        _place(found, log, right.batch)
        if len(found) > before:
            start = item.span.start
            found.flips[start] = Flip(start + right.at, right.bit, right.batch.base_offset)
        return None
    return found.leave_out(log.path, item.span, problem or "")


def _place(found: Found, log: SourceLog, batch: Batch) -> None:
    if batch.base_offset < log.base:
        reason = f"its offsets {batch.base_offset} to {batch.last_offset} are below {log.base}, the base offset of the segment"
        found.leave_out(log.path, batch.span, reason)
    else:
        found.add(batch)


def _put_in_order(found: Found, log: SourceLog) -> None:
    """Leave out the batches whose offsets do not fit between those of their neighbours."""
    kept = in_order(found)
    if kept is None:
        return
    numbers = set(kept)
    seen = {found[number][:4] for number in kept}
    for number, one in enumerate(found):
        if number in numbers:
            continue
        if one[:4] in seen:
            found.left_out.append(LeftOut(log.path, one.span, (one.base, one.last), COPY, "the same batch stands here twice"))
        else:
            reason = f"its offsets {one.base} to {one.last} do not fit between those of the batches around it"
            found.left_out.append(LeftOut(log.path, one.span, None, DAMAGE, reason))
            found.note_damage_before(next((other for other in kept if other > number), len(found)))
    found.keep(kept)


def _tell_offsets(found: Found, log: SourceLog) -> None:
    """Fill in which offsets the bytes that are left out can hold: those between the batches before and after them."""
    found.left_out.sort(key=lambda one: one.span)
    positions = [one.position for one in found]
    for number, one in enumerate(found.left_out):
        if one.kind == COPY:
            continue
        at = bisect_left(positions, one.span.start)
        first = found[at - 1].last + 1 if at else log.base
        last = found[at].base - 1 if at < len(positions) else None
        found.left_out[number] = one._replace(offsets=None if last is not None and last < first else (first, last))
