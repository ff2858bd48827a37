"""A segment while the broker loads it: LogSegment."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.core.source import WindowedBytes
from kafkalog.kafka.behaviours import (
    EPOCH_ZERO_KEPT,
    EPOCH_ZERO_SKIPPED,
    INDEXES_RENAMED_UNREAD,
    INDEXES_UNCHECKED,
    LAST_OFFSETS_INDEXED,
    LAST_TIME_REMEMBERED,
    MISSING_INDEX_MADE,
    OVERFLOW_NOTICED,
    READ_NAMES_BATCH,
    SEARCHES_BY_BASE_OFFSET,
    SPLIT_INDEXES_BATCHES,
    TRUNCATES_INDEXES,
)
from kafkalog.kafka.failure import (
    BrokerAborts,
    CorruptIndex,
    CorruptRecord,
    InvalidRecord,
    LoadFailure,
    LogDirOffline,
)
from kafkalog.kafka.file_names import segment_file_name
from kafkalog.kafka.indexes import (
    BrokerOffsetIndex,
    BrokerTimeIndex,
    BrokerTransactionIndex,
    TimestampOffset,
    fits_index,
    offset_index_problem,
    time_index_problem,
)
from kafkalog.kafka.log_input_stream import MAX_SEGMENT_SIZE, FileRecords, LoggedBatch, LogOffsetPosition
from kafkalog.kafka.reading_rules import reading_rules
from kafkalog.kafka.scanned_log import ScannedProducers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Bytes
    from kafkalog.kafka.load_context import LoadContext
    from kafkalog.kafka.overlay import DiskFile
    from kafkalog.kafka.producer_states import CompletedTransaction, ProducerStates

#: Bytes that LogSegment.appendChunkFromFile copies at once.
_APPENDED_AT_ONCE = 1 << 20

__all__ = ["FetchedRecords", "LogSegment", "SegmentOverflow"]


class FetchedRecords(NamedTuple):
    """What a read of a segment gives: LogSegment.read. `offset` is the one that the broker takes it to start at."""

    records: FileRecords
    position: int
    first_batch_size: int
    offset: int


class SegmentOverflow(LoadFailure):
    """LogSegmentOffsetOverflowException: the segment is split, or loading stops if it cannot be.

    Args:
        segment: The segment with the offset that its indexes cannot hold.
        offset: That offset.
    """

    def __init__(self, segment: LogSegment, offset: int) -> None:
        self.segment = segment
        self.offset = offset
        super().__init__(
            "LogSegmentOffsetOverflowException", f"offset {offset} does not fit into segment {segment.base_offset}"
        )


class LogSegment:
    """A segment: its `.log`, opened (and made, when it is missing), and its indexes, opened when they are used.

    Args:
        context: The directory and the release.
        base_offset: From the name of the `.log`.
        suffix: What its names end with, e.g. `.swap`.

    Raises:
        BrokerAborts: the `.log` is larger than a segment can be.
    """

    def __init__(self, context: LoadContext, base_offset: int, suffix: str = "") -> None:
        self.context = context
        self._rules = reading_rules(context.release)
        self.base_offset = base_offset
        self.suffix = suffix
        name = self.name(".log")
        self.log = self._records(context.disk.get(name) or context.disk.create(name))
        if self.log.size > MAX_SEGMENT_SIZE:
            raise BrokerAborts("KafkaException", f"{name} has {self.log.size} bytes, {MAX_SEGMENT_SIZE} are allowed", file=name)
        self._index_was_missing = False
        if not INDEXES_UNCHECKED.applies_to(context.release):
            # They are opened with the segment, and made when they are missing: since 1.1 none is missing then.
            self._index_was_missing = self.name(".index") not in context.disk
            for extension in (".index", ".timeindex"):
                self._index_file(extension)
        self.transaction_index = BrokerTransactionIndex(context.disk, self.name(".txnindex"), base_offset, context.release)
        self._offset_index: BrokerOffsetIndex | None = None
        self._time_index: BrokerTimeIndex | None = None

    def name(self, extension: str) -> str:
        """The name of one of its files."""
        return segment_file_name(self.base_offset, extension) + self.suffix

    def _records(self, file: DiskFile) -> FileRecords:
        return FileRecords(file, self._rules)

    @property
    def size(self) -> int:
        """Bytes of its `.log`."""
        return self.log.size

    @property
    def offset_index(self) -> BrokerOffsetIndex:
        """Its `.index`, opened now if it was not yet."""
        if self._offset_index is None:
            name = self.name(".index")
            file = self.context.disk.get(name)
            self._offset_index = BrokerOffsetIndex(self.base_offset, self._rules, file)
            if file is None:
                # It is made full of zeros; who opens it again takes them for entries.
                self.context.disk.create(name).write(bytes(BrokerOffsetIndex.entry_size))
        return self._offset_index

    def _index_file(self, extension: str) -> DiskFile:
        disk = self.context.disk
        return disk.get(self.name(extension)) or disk.create(self.name(extension))

    def sanity_check(self, *, time_index_missing: bool) -> str | None:
        """Why the segment must be recovered, None: it need not.

        Raises:
            BrokerAborts: an entry of the `.txnindex` has an unknown version.

        Source: LogSegment.sanityCheck, Kafka 3.9.1; before 2.3 with the checks of both other indexes.
        """
        release = self.context.release
        missed = self._index_was_missing and not MISSING_INDEX_MADE.applies_to(release)
        if missed or self.name(".index") not in self.context.disk:
            return "the `.index` is missing"
        if time_index_missing:
            self._index_file(".timeindex")
        try:
            if not INDEXES_UNCHECKED.applies_to(release):
                least = self.base_offset + (not LAST_OFFSETS_INDEXED.applies_to(release))
                self._check(".index", offset_index_problem(self._entries(".index"), self.base_offset, least))
                self._check(".timeindex", time_index_problem(self._entries(".timeindex"), self.base_offset))
            self.transaction_index.sanity_check()
        except CorruptIndex as error:
            if not MISSING_INDEX_MADE.applies_to(release):
                for extension in (".index", ".timeindex", ".txnindex"):
                    self.context.disk.delete(self.name(extension))
            return error.text
        return None

    def _entries(self, extension: str) -> Bytes:
        return WindowedBytes(self._index_file(extension))

    @staticmethod
    def _check(extension: str, problem: str) -> None:
        if problem:
            raise CorruptIndex(f"the {extension} is corrupt: {problem}")

    # --- reading ---

    def translate(self, offset: int, least_position: int = 0) -> LogOffsetPosition | None:
        """Where the first batch that reaches `offset` stands, not before a position: LogSegment.translateOffset."""
        start = max(least_position, self.offset_index.lookup(offset).position)
        release = self.context.release
        return self.log.search(
            offset,
            start,
            names_base=READ_NAMES_BATCH.applies_to(release),
            by_base_offset=SEARCHES_BY_BASE_OFFSET.applies_to(release),
        )

    def read(
        self, offset: int, max_size: int, max_position: int | None = None, *, one_batch_at_least: bool = False
    ) -> FetchedRecords | None:
        """The bytes a fetch gets: LogSegment.read.

        Args:
            offset: The offset wanted.
            max_size: Most bytes to give.
            max_position: First byte not to give; None: the end of the file.
            one_batch_at_least: Whether the first batch is given even if it is larger.
        """
        place = self.translate(offset)
        if place is None:
            return None
        if one_batch_at_least:
            max_size = max(max_size, place.size)
        end = self.size if max_position is None else max_position
        found = place.offset if READ_NAMES_BATCH.applies_to(self.context.release) else offset
        records = self.log.slice(place.position, min(end - place.position, max_size))
        return FetchedRecords(records, place.position, place.size, found)

    def read_next_offset(self) -> int:
        """The offset the next record would get, looked for from the last index entry on: LogSegment.readNextOffset."""
        fetched = self.read(self.offset_index.last_offset, self.size)
        last = None if fetched is None else fetched.records.last_batch()
        return self.base_offset if last is None else last.next_offset

    @property
    def has_overflow(self) -> bool:
        """Whether its last batch does not fit into its indexes."""
        following = self.read_next_offset()
        return following > self.base_offset and not fits_index(following - 1, self.base_offset)

    # --- recovering ---

    def recover(self, producers: ProducerStates) -> int:
        """Check every batch, rebuild the indexes, cut the `.log` at the first bad batch; returns the bytes cut.

        Raises:
            SegmentOverflow: a batch does not fit into the segment's indexes.
            InvalidOffset: the offsets of two index entries do not ascend.
            BrokerAborts: the transactions make no sense, or a header cannot be read.

        Source: LogSegment.recover, Kafka 3.9.1.
        """
        self._reset_indexes()
        index, times = self.offset_index, self._time_index
        assert times is not None
        valid = 0
        newest = times.last
        by_last = LAST_OFFSETS_INDEXED.applies_to(self.context.release)
        must_fit = OVERFLOW_NOTICED.applies_to(self.context.release)
        try:
            valid = last_entry = self._take_scanned(producers)
            for batch in self.log.batches(valid):
                batch.ensure_valid()
                last_offset = batch.last_offset
                if must_fit and not fits_index(last_offset, self.base_offset):
                    raise SegmentOverflow(self, last_offset)
                timestamp = batch.max_timestamp
                if timestamp > newest.timestamp:
                    newest = TimestampOffset(timestamp, last_offset)
                if valid - last_entry > self.context.index_interval:
                    index.append(last_offset if by_last else batch.base_offset, valid)
                    times.maybe_append(*newest)
                    last_entry = valid
                valid += batch.size
                self._follow(batch, last_offset, producers)
        except (CorruptRecord, InvalidRecord) as error:
            self.context.note_invalid(self.name(".log"), valid, error.text)
        finally:
            self._write_indexes()
        cut = self.size - valid
        self.log.file.truncate(valid)
        times.maybe_append(*newest)
        self._write_indexes()
        return cut

    def _take_scanned(self, producers: ProducerStates) -> int:
        """Take over what a scan has found at the start of the log; returns the position from which recovery has to go on.

        The indexes get fewer entries than recovery writes; searches end at the same batches all the same.
        """
        scanned = self.context.scanned_of(self.log.file)
        if scanned is None:
            return 0
        epochs = list(reversed(scanned.epochs))
        for event in scanned.events:
            if isinstance(event, ScannedProducers):
                producers.append_producers(event)
                continue
            while epochs and epochs[-1].start_offset <= event.offset:
                self._follow_epoch(*epochs.pop())
            completed = producers.append_scanned(event)
            if completed is not None:
                self._follow_transaction(producers, completed)
        while epochs:
            self._follow_epoch(*epochs.pop())
        for offset, position in scanned.places:
            self.offset_index.append(offset, position)
            producers.map_end_offset = offset + 1
        return scanned.end

    def _follow(self, batch: LoggedBatch, last_offset: int, producers: ProducerStates) -> None:
        """What a batch does to the epochs and to the producers."""
        if not batch.is_v2:
            return
        self._follow_epoch(batch.header.partition_leader_epoch, batch.base_offset)
        completed = producers.append_one(batch)
        if completed is not None:
            self._follow_transaction(producers, completed)
        producers.map_end_offset = last_offset + 1

    def _follow_epoch(self, epoch: int, base_offset: int) -> None:
        epochs = self.context.epochs_in_recovery
        release = self.context.release
        least = 1 if EPOCH_ZERO_SKIPPED.applies_to(release) and not EPOCH_ZERO_KEPT.applies_to(release) else 0
        if epochs is not None and epoch >= least and (epochs.latest_epoch is None or epoch > epochs.latest_epoch):
            epochs.assign(epoch, base_offset)

    def _follow_transaction(self, producers: ProducerStates, completed: CompletedTransaction) -> None:
        if completed.is_aborted:
            self.transaction_index.append(completed.entry(producers.last_stable_offset(completed)))
        producers.complete(completed)

    def _reset_indexes(self) -> None:
        for extension in (".index", ".timeindex"):
            self._index_file(extension)
        self.context.rebuilt.add(self.base_offset)
        self._offset_index = BrokerOffsetIndex(self.base_offset, self._rules)
        self._time_index = self._new_time_index()
        self.transaction_index.reset()

    def _new_time_index(self) -> BrokerTimeIndex:
        remembers = LAST_TIME_REMEMBERED.applies_to(self.context.release)
        return BrokerTimeIndex(self.base_offset, self._rules, remembers=remembers)

    def _write_indexes(self) -> None:
        assert self._offset_index is not None
        assert self._time_index is not None
        self._index_file(".index").write(self._offset_index.to_bytes())
        self._index_file(".timeindex").write(self._time_index.to_bytes())

    def truncate(self, offset: int) -> int:
        """Drop everything from `offset` on; returns the bytes cut: LogSegment.truncateTo."""
        place = self.translate(offset)
        if place is None and not TRUNCATES_INDEXES.applies_to(self.context.release):
            return 0
        self.offset_index.truncate(offset)
        self.ensure_openable(".timeindex")
        if self._time_index is None:
            self._time_index = self._new_time_index()
        self._time_index.truncate(offset)
        self.transaction_index.truncate(offset)
        self._write_indexes()
        if place is None:
            return 0
        cut = self.size - place.position
        self.log.file.truncate(place.position)
        return cut

    # --- its files ---

    def change_suffix(self, suffix: str) -> None:
        """Rename its files: LogSegment.changeFileSuffixes."""
        opens = not INDEXES_RENAMED_UNREAD.applies_to(self.context.release)
        for extension in (".log", ".index", ".timeindex", ".txnindex"):
            if opens and extension in (".index", ".timeindex"):
                self.ensure_openable(extension)
            self.context.disk.rename(self.name(extension), segment_file_name(self.base_offset, extension) + suffix)
        self.suffix = suffix
        self.transaction_index.name = self.name(".txnindex")

    def ensure_openable(self, extension: str) -> None:
        """Open one of its indexes, as what is asked of it does.

        Raises:
            LogDirOffline: a directory has its name.
        """
        name = self.name(extension)
        if name in self.context.disk.directories:
            raise LogDirOffline("FileNotFoundException", f"{name} is a directory", file=name)

    def append_range(self, source: LogSegment, start: int, size: int) -> None:
        """Make its `.log` from a range of another segment's, with indexes as the cleaner's append writes them."""
        self.context.disk.create(self.name(".log"), source.log.file.part(start, size))
        self.log = self._records(self.context.disk[self.name(".log")])
        self._reset_indexes()
        index, times = self.offset_index, self._time_index
        assert times is not None
        newest = TimestampOffset(NO_TIMESTAMP, self.base_offset)
        since_entry = position = 0
        for chunk in self._appended_chunks():
            for batch in chunk:
                if batch.max_timestamp > newest.timestamp:
                    newest = TimestampOffset(batch.max_timestamp, batch.last_offset)
            if since_entry > self.context.index_interval:
                index.append(chunk[-1].last_offset, position)
                times.maybe_append(*newest)
                since_entry = 0
            taken = sum(batch.size for batch in chunk)
            since_entry += taken
            position += taken
        times.maybe_append(*newest)
        self._write_indexes()

    def _appended_chunks(self) -> Iterator[list[LoggedBatch]]:
        """Its batches as LogSegment.append takes them for the indexes: one by one, or as many as one write holds."""
        one_by_one = SPLIT_INDEXES_BATCHES.applies_to(self.context.release)
        chunk: list[LoggedBatch] = []
        size = 0
        for batch in self.log.batches():
            if chunk and (one_by_one or size + batch.size >= _APPENDED_AT_ONCE):
                yield chunk
                chunk, size = [], 0
            chunk.append(batch)
            size += batch.size
        if chunk:
            yield chunk
