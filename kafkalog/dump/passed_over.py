"""Sound batches that the real tool passes over: a wrong length leads it past them, or it stops before them.

Its way through a log is the right one at every batch whose checksum fits. From a batch whose checksum does not fit up to the
next one whose does, its length fields may have led it anywhere: this stretch is gone over again, the way that
`kafkalog.core.log.walk` goes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.log import Batch, SearchBudget, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.filters import Filters
    from kafkalog.core.source import Source

__all__ = ["PassedOver", "Search", "Way"]


class PassedOver(NamedTuple):
    """The sound batches that the real tool does not print: how many, and where the first one stands.

    `lost_at` is the position where the tool loses its way first; offsets are those of the first and the last batch.
    """

    batches: int = 0
    records: int = 0
    lost_at: int = 0
    position: int = 0
    first_offset: int = 0
    last_offset: int = 0

    def __str__(self) -> str:
        batches = "1 sound batch" if self.batches == 1 else f"{self.batches} sound batches"
        records = "1 record" if self.records == 1 else f"{self.records} records"
        return f"{batches} with {records} (offsets {self.first_offset}..{self.last_offset})"

    def then(self, more: PassedOver) -> PassedOver:
        """These and those that follow."""
        if not (self.batches and more.batches):
            return more if more.batches else self
        return self._replace(
            batches=self.batches + more.batches, records=self.records + more.records, last_offset=more.last_offset
        )


class Way:
    """The real tool's way through a log, or through a part of it.

    `right_at` is the first position where it is known to be right, `lost_at` where it was lost since; None: nowhere.

    Args:
        look: Is told of each stretch, from and up to a position, on which the tool was lost; not of one before `right_at`.
        right_at: Where the tool is right from the start.
    """

    __slots__ = ("_look", "is_right", "lost_at", "right_at")

    def __init__(self, look: Callable[[int, int], object], right_at: int | None = None) -> None:
        self._look = look
        self.right_at = right_at
        self.lost_at: int | None = None
        #: Whether it is known to be right here; then nobody need tell of a batch that is valid.
        self.is_right = right_at is not None

    def at_batch(self, position: int, *, valid: bool) -> None:
        """The tool reads a batch at a position, and its checksum fits or not."""
        self.is_right = valid
        if not valid:
            if self.lost_at is None:
                self.lost_at = position
            return
        if self.lost_at is not None:
            if self.right_at is not None:
                self._look(self.lost_at, position)
            self.lost_at = None
        if self.right_at is None:
            self.right_at = position


class Search:
    """Looks for sound batches where the real tool was lost, in one log.

    Args:
        source: The log.
        filters: Which records are wanted.
        found: Is called with each batch that holds some; None: they are counted only.
    """

    def __init__(self, source: Source, filters: Filters, found: Callable[[Batch], object] | None = None) -> None:
        self._source = source
        self._filters = filters
        self._found = found
        self._budget = SearchBudget(source.size)
        self.passed = PassedOver()

    def look(self, start: int, stop: int) -> None:
        """Look from and up to a position."""
        self._look(start, stop, stop)

    def look_at_end(self, start: int, stop: int) -> None:
        """Look from where the tool ended, up to where it was told to end: a batch that this cuts in two is no loss."""
        self._look(start, stop, self._source.size)

    def _look(self, start: int, stop: int, end: int) -> None:
        for item in walk(self._source, start, end, self._budget):
            if item.span.end > stop:
                return
            if not isinstance(item, Batch) or not item.crc_ok:
                continue
            passed = _wanted(item, self._filters, start)
            if passed.records or not self._filters.active:
                self.passed = self.passed.then(passed)
                if self._found is not None:
                    self._found(item)


def _wanted(batch: Batch, filters: Filters, lost_at: int) -> PassedOver:
    """A batch, with the records in it that are wanted."""
    passed = PassedOver(1, 0, lost_at, batch.position, batch.last_offset, batch.last_offset)
    if isinstance(batch, RecordBatch):
        if not filters.active:
            return passed._replace(records=max(0, batch.header.records_count), first_offset=batch.base_offset)
        if not filters.batch_may_pass(batch.base_offset, batch.last_offset, batch.header.max_timestamp):
            return passed
    if not filters.producer_passes(batch.header.producer_id if isinstance(batch, RecordBatch) else -1):
        return passed
    count = first = last = 0
    for item in batch.walk_records():
        if not isinstance(item, Damage) and filters.passes(item):
            first, last = item.offset if not count else first, item.offset
            count += 1
    return passed._replace(records=count, first_offset=first, last_offset=last) if count else passed
