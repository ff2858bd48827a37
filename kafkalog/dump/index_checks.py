"""What the real tool compares an `.index` and a `.timeindex` with: the `.log`, and the index beside it."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.legacy import MIN_MESSAGE_SIZE
from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.core.source import BytesSource
from kafkalog.dump.tool_died import ToolDied
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.kafka.behaviours import LAST_OFFSETS_INDEXED
from kafkalog.kafka.failure import BrokerAborts, LoadFailure
from kafkalog.kafka.indexes import BrokerOffsetIndex, offset_index_problem
from kafkalog.kafka.log_input_stream import MAX_SEGMENT_SIZE, FileRecords, LoggedBatch, SizeFieldTooSmall
from kafkalog.kafka.overlay import DiskFile
from kafkalog.kafka.reading_rules import reading_rules
from kafkalog.kafka.record_iterators import records_of_batch, records_of_message, shallow_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Bytes, Source
    from kafkalog.dump.dialects import Dialect

__all__ = ["LogChain", "index_problem", "offset_index_of"]


def _death(failure: LoadFailure) -> ToolDied:
    """How the tool dies of what its reader of the log fails at."""
    if isinstance(failure, SizeFieldTooSmall):
        where = f"at position {failure.position} of the log"
        return ToolDied(f"record size {failure.size} {where}, at least {MIN_MESSAGE_SIZE} needed")
    return ToolDied(failure.text)


class LogChain:
    """The `.log` beside an index, read as the real tool reads it.

    Args:
        source: The log's bytes.
        dialect: The release's quirks.
    """

    def __init__(self, source: Source, dialect: Dialect) -> None:
        self._dialect = dialect
        self._rules = reading_rules(dialect.since)
        self._log = FileRecords(DiskFile(source), self._rules)
        self._chain: list[int] = []
        self._places: dict[int, int] = {}
        self._lasts: list[int] = []
        self._highest: list[int] = []
        self._end_of_chain: ToolDied | None = None

    def _slice(self, position: int, size: int) -> FileRecords:
        try:
            return self._log.slice(position, size)
        except BrokerAborts:
            if size < 0:
                raise ToolDied(f"maximal message size {size}") from None
            raise ToolDied(f"the index points at position {position}, the log has {self._log.size} bytes") from None

    @staticmethod
    def last_offset(batch: LoggedBatch) -> int:
        """The batch's last offset."""
        try:
            return batch.last_offset
        except LoadFailure as failure:
            raise _death(failure) from None

    def _records(self, batch: LoggedBatch) -> Iterator[tuple[int, int]]:
        """Offset and timestamp of the batch's records."""
        try:
            if not batch.is_v2:
                for message in records_of_message(shallow_message(batch.bytes()), self._rules):
                    yield message.offset, message.timestamp
                return
            if batch.size < BATCH_HEADER.size:
                raise ToolDied(f"a batch of {batch.size} bytes at position {batch.position} of the log")
            whole = batch.as_record_batch()
            if whole.compression_id >= self._rules.codecs:
                raise ToolDied(f"compression type id {whole.compression_id} at position {batch.position} of the log")
            for record in records_of_batch(whole, self._rules):
                yield record.offset, record.timestamp
        except (FormatError, LimitExceeded) as error:
            raise ToolDied(str(error)) from None

    def max_timestamp(self, batch: LoggedBatch) -> int:
        """The largest timestamp of the batch's records, -1 at least."""
        return max((timestamp for _, timestamp in self._records(batch)), default=NO_TIMESTAMP)

    def offset_at(self, position: int, size: int) -> int:
        """What an entry that points at `position` is compared with: an offset of the first batch in that slice."""
        try:
            for batch in self._slice(position, size).batches():
                if not self._dialect.index_compares_first_record:
                    return batch.last_offset
                for offset, _ in self._records(batch):
                    return offset
        except LoadFailure as failure:
            raise _death(failure) from None
        raise ToolDied(f"no batch within {size} bytes of position {position} of the log")

    # --- the search of a time index entry's batch ---

    def find(self, position: int, offset: int) -> LoggedBatch | None:
        """The first batch from `position` on whose last offset is `offset` or more.

        Raises:
            ToolDied: a batch on the way cannot be read; in 4.3 also: one after it.
        """
        log = self._slice(position, MAX_SEGMENT_SIZE)
        if position not in self._places:
            self._extend(log)
        if self._end_of_chain is not None and self._dialect.time_index_reads_all:
            raise self._end_of_chain
        place = self._places.get(position, len(self._chain))
        number = self._search(place, offset)
        if number is not None:
            return next(log.batches(self._chain[number]))
        if self._end_of_chain is not None:
            raise self._end_of_chain
        return None

    def _extend(self, log: FileRecords) -> None:
        """Note the whole chain of batches from a position on; the tool walks it again for each entry."""
        self._chain, self._places, self._lasts, self._end_of_chain = [], {}, [], None
        try:
            for batch in log.batches():
                self._lasts.append(batch.last_offset)
                self._places[batch.position] = len(self._chain)
                self._chain.append(batch.position)
        except LoadFailure as failure:
            self._end_of_chain = _death(failure)
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


def index_problem(data: Bytes, base_offset: int, dialect: Dialect) -> str:
    """What the tool's sanity check finds wrong with a `.index`, "" if nothing."""
    least = base_offset + (not LAST_OFFSETS_INDEXED.applies_to(dialect.since))
    return offset_index_problem(data, base_offset, least)


def offset_index_of(data: Bytes, base_offset: int, dialect: Dialect) -> BrokerOffsetIndex:
    """The `.index` beside a `.timeindex`, for looking up positions."""
    source = BytesSource(data) if isinstance(data, bytes) else data
    return BrokerOffsetIndex(base_offset, reading_rules(dialect.since), source)
