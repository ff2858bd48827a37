"""What a consumer reads afterwards, from the earliest offset on: the broker's fetch, and the client's CompletedFetch.

The partition is taken to have one replica, so that the high watermark is the log's end, and the consumer to ask for
1 MiB at a time (`max.partition.fetch.bytes`) and to check CRCs (`check.crcs`), as both do by default.
"""

from __future__ import annotations

from bisect import bisect_left
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.checksum import crc32c
from kafkalog.core.control import ABORT, read_control_type
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import Batch, walk
from kafkalog.core.record import wrap64
from kafkalog.core.source import Bytes, WindowedBytes
from kafkalog.core.transaction_ends import TransactionEnds
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.kafka.behaviours import FETCHES_UP_TO_POSITION
from kafkalog.kafka.consumed import ConsumedRecords
from kafkalog.kafka.failure import CorruptRecord, InvalidRecord, LoadFailure, LogDirOffline
from kafkalog.kafka.fetched_records import (
    ClientError,
    batches_of,
    client_error,
    contiguous_offsets,
    offsets_of,
)
from kafkalog.kafka.known_fetches import FetchKey, KnownFetches
from kafkalog.kafka.reading_rules import reading_rules
from kafkalog.kafka.record_iterators import records_of_batch

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.core.transaction_index import AbortedTxn
    from kafkalog.kafka.loader import LoadedLog
    from kafkalog.kafka.log_segment import LogSegment
    from kafkalog.kafka.log_segments import LogSegments

__all__ = ["last_stable_offset", "read_all", "why_not_led"]

_MAX_PARTITION_FETCH = 1 << 20


class OffsetMetadata(NamedTuple):
    """An offset and where it stands: LogOffsetMetadata. `segment` is None when only the offset is known."""

    offset: int
    segment: int | None
    position: int


class _BrokerError(Exception):
    """The broker answers a fetch with an error; `kind` is what the client makes of it, None: it tries again for ever."""

    def __init__(self, text: str, kind: str | None, *, offline: bool = False) -> None:
        self.text = text
        self.offline = offline
        self.kind = kind
        super().__init__(text)


class _Fetch(NamedTuple):
    data: Bytes
    segment: int
    position: int
    aborted: list[AbortedTxn]


class _Leader:
    """The broker's side: LocalLog.read under the high watermark or the last stable offset."""

    def __init__(self, log: LoadedLog) -> None:
        self.log = log
        active = log.segments.last
        self.release = active.context.release
        self._by_position = FETCHES_UP_TO_POSITION.applies_to(self.release)
        # The high watermark is never below the log's start.
        end = max(log.log_end_offset, log.log_start_offset)
        self.log_end = OffsetMetadata(end, active.base_offset, active.size)
        #: Base offsets of the segments with entries in their `.txnindex`: only these can hold what goes with a fetch.
        self._with_aborted = [one.base_offset for one in log.segments.all() if not one.transaction_index.is_empty]
        self.has_aborted = bool(self._with_aborted)

    def last_stable(self) -> OffsetMetadata:
        """The last stable offset: UnifiedLog.fetchLastStableOffsetMetadata."""
        log = self.log
        first = log.producers.ongoing.first
        late = [first for first, last in log.producers.unreplicated.items() if last >= log.log_end_offset]
        first = min((*late, *([] if first is None else [first])), default=None)
        if first is None:
            return self.log_end
        offset = max(first, log.log_start_offset)
        if offset >= log.log_end_offset:
            return self.log_end
        return self.locate(offset) if self._by_position else OffsetMetadata(offset, None, 0)

    def locate(self, offset: int) -> OffsetMetadata:
        """Where an offset stands, the log's end when nowhere: LocalLog.convertToOffsetMetadataOrThrow."""
        segment = self.log.segments.floor(offset)
        while segment is not None:
            fetched = segment.read(offset, 1)
            if fetched is not None:
                return OffsetMetadata(fetched.offset, segment.base_offset, fetched.position)
            segment = self.log.segments.higher(segment.base_offset)
        return self.log_end

    def fetch(self, offset: int, limit: OffsetMetadata, *, with_aborted: bool) -> _Fetch:
        """The answer to one fetch.

        Raises:
            _BrokerError: the broker fails.
        """
        empty = _Fetch(b"", 0, 0, [])
        segment = self.log.segments.floor(offset)
        if offset >= limit.offset or segment is None:
            return empty
        try:
            while segment is not None:
                end, beyond = self._end_of(segment, offset, limit)
                fetched = segment.read(offset, _MAX_PARTITION_FETCH, end, one_batch_at_least=True)
                if fetched is not None:
                    if beyond:
                        return empty
                    records = fetched.records
                    aborted = self._aborted(offset, segment, fetched.position, records.size) if with_aborted else []
                    data = records.file.bytes_at(records.start, records.size)
                    return _Fetch(data, segment.base_offset, fetched.position, aborted)
                segment = self.log.segments.higher(segment.base_offset)
        except CorruptRecord as error:
            raise _BrokerError(error.text, "corrupt-batch") from None
        except InvalidRecord as error:
            # INVALID_RECORD is no answer that the client knows: an IllegalStateException.
            raise _BrokerError(error.text, "invalid-record") from None
        except LoadFailure as error:
            raise _BrokerError(str(error), None, offline=isinstance(error, LogDirOffline)) from None
        return empty

    def _end_of(self, segment: LogSegment, offset: int, limit: OffsetMetadata) -> tuple[int, bool]:
        """Where a read of a segment has to end, and whether nothing of the segment may be read."""
        if self._by_position:
            beyond = limit.segment is None or segment.base_offset > limit.segment
            return (limit.position if segment.base_offset == limit.segment else segment.size), beyond
        first = segment.translate(offset)
        place = None if first is None else segment.translate(limit.offset, first.position)
        return (segment.size if place is None else place.position), False

    def _aborted(self, offset: int, segment: LogSegment, position: int, size: int) -> list[AbortedTxn]:
        """The aborted transactions that go with a fetch: LocalLog.addAbortedTransactions."""
        bound = segment.offset_index.upper_bound(position + size)
        following = self.log.segments.higher(segment.base_offset)
        if bound is None:
            bound = self.log.log_end_offset if following is None else following.base_offset
        found: list[AbortedTxn] = []
        for base_offset in islice(self._with_aborted, bisect_left(self._with_aborted, segment.base_offset), None):
            entries, complete = self.log.segments[base_offset].transaction_index.collect(offset, bound)
            found += entries
            if complete:
                break
        return found


def last_stable_offset(log: LoadedLog) -> int | None:
    """Where a consumer that reads committed records must stop; None: the broker cannot find it."""
    try:
        return _Leader(log).last_stable().offset
    except LoadFailure:
        return None


def why_not_led(log: LoadedLog, high_watermark: int) -> str | None:
    """Why the broker cannot lead the partition, None: it can.

    It must find the high watermark in the log. The exception is not caught: other partitions, those that would have been
    led after this one, are not led either.

    Args:
        log: The log as loaded.
        high_watermark: The partition's line in `replication-offset-checkpoint`, 0 when there is none.

    Source: Partition.maybeIncrementLeaderHW, UnifiedLog.fetchHighWatermarkMetadata, Kafka 3.9.1.
    """
    at = max(high_watermark, log.log_start_offset)
    if at >= log.log_end_offset:
        return None
    try:
        _Leader(log).locate(at)
    except LoadFailure as error:
        return f"the high watermark {at} is not found: {error}"
    return None


def read_all(log: LoadedLog, known: KnownFetches) -> tuple[ConsumedRecords, ConsumedRecords]:
    """Read a loaded log from its start on: all of it, and what is committed, up to the last stable offset.

    Args:
        log: The log as loaded.
        known: What clients have made of its bytes before, which is added to.
    """
    leader = _Leader(log)
    reading = _read_up_to(leader.log_end, leader, known, committed=False)
    try:
        limit = leader.last_stable()
    except LoadFailure as error:
        failed = ClientError("corrupt-batch", error.text)
        return reading, ConsumedRecords(stops_at=log.log_start_offset, end=log.log_end_offset, error=failed)
    if limit == leader.log_end and not reading.has_transactions and not leader.has_aborted:
        return reading, reading
    return reading, _read_up_to(limit, leader, known, committed=True)


def _read_up_to(limit: OffsetMetadata, leader: _Leader, known: KnownFetches, *, committed: bool) -> ConsumedRecords:
    """Read a loaded log from its start to an end."""
    log = leader.log
    reading = ConsumedRecords(stops_at=log.log_start_offset, end=limit.offset)
    asked: set[int] = set()
    endings = _Endings(log.segments) if committed else None
    number = known.number_of(tuple((segment.base_offset, segment.size) for segment in log.segments.all()))
    while reading.stops_at < limit.offset and reading.error is None:
        at = reading.stops_at
        if at in asked:
            reading.loops = True
            break
        try:
            fetched = leader.fetch(at, limit, with_aborted=committed)
        except _BrokerError as error:
            reading.stuck = error.kind is None
            reading.offline = error.text if error.offline else None
            reading.error = None if error.kind is None else ClientError(error.kind, error.text)
            break
        asked.add(at)
        if not fetched.data:
            reading.stuck = True
            break
        before = reading.mark()
        client = _Client(reading, log.segments, fetched.aborted, leader.release, endings)
        failed = _take(client, fetched, number, known, committed=committed)
        if reading.stops_at < 0:
            # No consumer can stand there: an IllegalArgumentException out of SubscriptionState.
            failed = ClientError("invalid-record", f"the offset after the last one is {reading.stops_at}", uncaught=True)
        if failed is not None and (failed.uncaught or reading.records == before.records):
            # The position is taken over with the records: without any, the batches passed over do not count either.
            reading.go_to(before)
        # What follows the end is met only by a consumer that asks for more.
        reading.error = None if reading.stops_at >= limit.offset else failed
        if reading.stops_at == at and failed is None:
            reading.stuck = True
            break
    return reading


def _take(client: _Client, fetched: _Fetch, log: int, known: KnownFetches, *, committed: bool) -> ClientError | None:
    """Have a client hand out a fetch, or take in what is known of that; returns what stopped it.

    Args:
        client: The client.
        fetched: What it was sent.
        log: The number of the log.
        known: What is known.
        committed: Whether it asks for committed records only.
    """
    reading, data = client.reading, fetched.data
    if isinstance(data, WindowedBytes) or not reading.is_smooth:
        return client.take(fetched, committed=committed)
    key = FetchKey(
        before=reading.mark(),
        committed=committed,
        rules=client.rules.without_errors,
        log=log,
        segment=fetched.segment,
        position=fetched.position,
        size=len(data),
        crc=crc32c(data),
        aborted=tuple(fetched.aborted),
    )
    after = known.after(key)
    if after is not None:
        reading.go_to(after)
        return None
    failed = client.take(fetched, committed=committed)
    if failed is None and reading.is_smooth:
        known.note(key, reading.mark())
    return failed


class _Endings:
    """How the transactions of a log ended by their markers; looked up when the first of their records is handed out."""

    def __init__(self, segments: LogSegments) -> None:
        self._segments = segments

    @cached_property
    def _ends(self) -> TransactionEnds:
        logs = (segment.log for segment in self._segments.all())
        items = (item for log in logs for item in walk(log.file, log.start, log.end))
        return TransactionEnds(item for item in items if isinstance(item, Batch))

    def is_aborted(self, batch: RecordBatch | LegacyBatch) -> bool:
        """Whether a batch belongs to a transaction that was aborted."""
        return isinstance(batch, RecordBatch) and batch.is_transactional and self._ends.is_aborted(batch) is True


class _Client:
    """The client's side: what it hands out of one fetch. It is of the broker's release."""

    def __init__(
        self,
        reading: ConsumedRecords,
        segments: LogSegments,
        aborted: list[AbortedTxn],
        release: Release,
        endings: _Endings | None,
    ) -> None:
        self._endings = endings
        self.reading = reading
        self._segments = segments
        self.rules = reading_rules(release)
        self._waiting = sorted(aborted, key=lambda entry: entry.first_offset, reverse=True)
        self._aborting: set[int] = set()
        self._error: ClientError | None = None

    def take(self, fetched: _Fetch, *, committed: bool) -> ClientError | None:
        """Hand out the records; returns what stopped it: CompletedFetch.nextFetchedRecord."""
        reading = self.reading
        batch: RecordBatch | LegacyBatch | None = None
        segment = self._segments[fetched.segment]
        scanned = segment.context.scanned_of(segment.log.file)
        sound_to = scanned.end if scanned is not None and scanned.are_records_sound else 0
        for item in batches_of(fetched.data, fetched.position, self.rules):
            if isinstance(item, ClientError):
                return item
            batch = item
            reading.pass_bytes(self._segments, fetched.segment, batch)
            if isinstance(batch, RecordBatch):
                reading.has_transactions = reading.has_transactions or batch.is_transactional or batch.is_control
                if not batch.crc_ok:
                    return ClientError("crc", f"the CRC of the batch at offset {batch.base_offset} is wrong")
                if committed and batch.header.producer_id > -1 and self._skips(batch):
                    reading.stops_at = batch.next_offset
                    continue
            reading.note_dropped(batch)
            before = reading.records
            error = self._error or self._hand_out(batch, are_records_sound=batch.position + batch.size <= sound_to)
            if self._endings is not None and reading.records > before and self._endings.is_aborted(batch):
                reading.aborted += reading.records - before
            if error is not None:
                return error
            if isinstance(batch, LegacyBatch):
                reading.note_short(batch)
        if batch is None:
            text = f"no complete batch in the {len(fetched.data)} bytes at position {fetched.position}"
            return ClientError("corrupt-batch", text)
        reading.stops_at = batch.next_offset
        return None

    def _hand_out(self, batch: RecordBatch | LegacyBatch, *, are_records_sound: bool) -> ClientError | None:
        reading = self.reading
        is_control = isinstance(batch, RecordBatch) and batch.is_control
        offsets = contiguous_offsets(batch, self.rules, are_sound=are_records_sound)
        if offsets is not None and offsets.start >= reading.stops_at:
            if not is_control:
                reading.add(offsets.start, len(offsets))
            reading.stops_at = wrap64(offsets.stop)
            return None
        for offset in offsets_of(batch, self.rules):
            if isinstance(offset, ClientError):
                return offset
            if offset >= reading.stops_at:
                if not is_control:
                    reading.add(offset)
                reading.stops_at = wrap64(offset + 1)
        return None

    def _skips(self, batch: RecordBatch) -> bool:
        """Whether a batch belongs to an aborted transaction."""
        while self._waiting and self._waiting[-1].first_offset <= batch.last_offset:
            self._aborting.add(self._waiting.pop().producer_id)
        producer_id = batch.header.producer_id
        if batch.is_control:
            try:
                record = next(records_of_batch(batch, self.rules), None)
                if record is None and not self.rules.empty_marker_passes:
                    self._error = ClientError("invalid-record", f"the control batch at offset {batch.base_offset} is empty")
                    return False
                if record is not None and record.key is None:
                    text = f"the control record at offset {record.offset} has no key"
                    self._error = ClientError("invalid-record", text, uncaught=True)
                    return False
                if record is not None and read_control_type(record.key)[1] == ABORT:
                    self._aborting.discard(producer_id)
                    return False
            except (FormatError, LimitExceeded) as error:
                self._error = client_error(error, batch.base_offset)
                return False
        return batch.is_transactional and producer_id in self._aborting
