"""The producers of a log as the broker follows them: ProducerStateManager, ProducerAppendInfo, ProducerStateEntry.

Kept is what loading depends on: who has a transaction open, and from where. Sequence numbers and timestamps change
nothing at a start (appends of replication are not checked), so they are left out; and a producer that has expired has
no open transaction, so expiry changes nothing either.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import CONTROL, TRANSACTIONAL
from kafkalog.core.control import ABORT, COMMIT, read_control_type
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_VERSION, read_producer_snapshot
from kafkalog.core.record import wrap32
from kafkalog.core.transaction_index import AbortedTxn
from kafkalog.errors import DecompressionFailed, FormatError, LimitExceeded
from kafkalog.kafka.behaviours import (
    EMPTY_MARKER_PASSES,
    EMPTY_TRANSACTION_IGNORED,
    OWN_TRANSACTIONS_PASSED,
    PRODUCERS_RETAINED,
    SNAPSHOT_BEFORE_RECOVERY,
    SNAPSHOT_MARKED,
    SNAPSHOT_PER_SEGMENT,
    TRANSACTION_BEGINS_WITH_BATCH,
    ZOMBIES_PASS,
)
from kafkalog.kafka.failure import BrokerAborts, InvalidRecord
from kafkalog.kafka.file_names import SNAPSHOT, SnapshotNames, segment_file_name
from kafkalog.kafka.record_iterators import records_of_batch
from kafkalog.kafka.written_snapshots import Producer, ProducerTable, WrittenSnapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.core.producer_snapshot import ProducerEntry
    from kafkalog.core.release import Release
    from kafkalog.kafka.load_context import LoadContext
    from kafkalog.kafka.log_input_stream import FileRecords, LoggedBatch
    from kafkalog.kafka.scanned_log import ScannedEvent, ScannedProducers

__all__ = ["CompletedTransaction", "ProducerStates"]

#: int16 version, int32 coordinator epoch.
_END_MARKER_SIZE = 6
_LARGEST_SEQUENCE = 0x7FFFFFFF


class CompletedTransaction(NamedTuple):
    """A transaction whose marker was met."""

    producer_id: int
    first_offset: int
    last_offset: int
    is_aborted: bool

    def entry(self, last_stable_offset: int) -> AbortedTxn:
        """Its line of the `.txnindex`."""
        return AbortedTxn(0, self.producer_id, self.first_offset, self.last_offset, last_stable_offset)


class Marker(NamedTuple):
    """A transaction marker: ABORT or COMMIT, and the epoch of the coordinator that wrote it."""

    kind: int
    coordinator_epoch: int


def read_marker(batch: LoggedBatch) -> Marker | None:
    """The first record of a control batch; None when the batch is empty.

    Raises:
        InvalidRecord: the record, its key or its value is cut or malformed.
        BrokerAborts: it is no transaction marker, its codec does not exist, or does not understand it.

    Source: EndTransactionMarker.deserialize, ControlRecordType.parse, Kafka 3.9.1.
    """
    whole = batch.as_record_batch()
    if whole.header.records_count and whole.compression_id >= batch.rules.codecs:
        raise BrokerAborts("IllegalArgumentException", f"unknown compression type id {whole.compression_id}")
    try:
        record = next(records_of_batch(whole, batch.rules), None)
        if record is None:
            return None
        if record.key is None:
            raise BrokerAborts("NullPointerException", f"the control record at offset {record.offset} has no key")
        _, kind = read_control_type(record.key)
        if kind not in (ABORT, COMMIT):
            text = f"the control record at offset {record.offset} has type {kind}, a transaction marker has 0 or 1"
            raise BrokerAborts("IllegalArgumentException", text)
        if record.value is None:
            raise BrokerAborts("NullPointerException", f"the transaction marker at offset {record.offset} has no value")
        if len(record.value) < _END_MARKER_SIZE or record.value[0] & 0x80:
            raise InvalidRecord(f"the value of the transaction marker at offset {record.offset} cannot be read")
    except DecompressionFailed as error:
        raise BrokerAborts("KafkaException", f"the control record at offset {batch.offset} cannot be read: {error}") from None
    except (FormatError, LimitExceeded) as error:
        raise InvalidRecord(f"the control record at offset {batch.offset} cannot be read: {error}") from None
    return Marker(kind, int.from_bytes(record.value[2:6], "big", signed=True))


class _Append:
    """What the batches of one producer add up to until they are taken over: ProducerAppendInfo."""

    __slots__ = ("_before", "_coordinator_epoch", "_epoch", "_last_offset", "open_from", "producer_id", "release", "started")

    def __init__(self, producer_id: int, producer: Producer, release: Release) -> None:
        self.producer_id = producer_id
        self._before = producer
        self.open_from, self._epoch, self._coordinator_epoch, _ = producer
        self._last_offset: int | None = None
        self.release = release
        self.started: list[int] = []

    @property
    def producer(self) -> Producer:
        """What is known afterwards."""
        last = self._last_offset
        if last is None:
            last = self._before.last_offset if self._epoch == self._before.epoch else -1
        return Producer(self.open_from, self._epoch, self._coordinator_epoch, last)

    def append(self, batch: LoggedBatch) -> CompletedTransaction | None:
        attributes = batch.header.attributes
        if attributes & CONTROL:
            return self._end(batch.offset, batch.header.producer_epoch, read_marker(batch))
        self._epoch = batch.header.producer_epoch
        self._last_offset = batch.last_offset
        first = batch.offset
        if not TRANSACTION_BEGINS_WITH_BATCH.applies_to(self.release):
            first = batch.last_offset - _sequences_passed(batch)
        self._write(first, is_transactional=bool(attributes & TRANSACTIONAL))
        return None

    def append_scanned(self, event: ScannedEvent) -> CompletedTransaction | None:
        """Take over what a scan has found; never before 2.8, where epochs count."""
        if event.marker is not None:
            return self._end(event.offset, self._epoch, Marker(event.marker, self._coordinator_epoch))
        self._write(event.offset, is_transactional=event.is_transactional)
        return None

    def _end(self, offset: int, epoch: int, marker: Marker | None) -> CompletedTransaction | None:
        """A control batch; `marker` is None for one that the log cleaner has emptied: appendEndTxnMarker."""
        if marker is None and not EMPTY_MARKER_PASSES.applies_to(self.release):
            text = f"the control batch of producer {self.producer_id} at offset {offset} holds no record"
            raise BrokerAborts("NoSuchElementException", text)
        if marker is None:
            return None
        if not ZOMBIES_PASS.applies_to(self.release):
            where = f"of producer {self.producer_id} at offset {offset}"
            if epoch < self._epoch:
                raise BrokerAborts("ProducerFencedException", f"the epoch {epoch} {where} follows {self._epoch}")
            if marker.coordinator_epoch < self._coordinator_epoch:
                text = f"the coordinator epoch {marker.coordinator_epoch} {where} follows {self._coordinator_epoch}"
                raise BrokerAborts("TransactionCoordinatorFencedException", text)
        first = self.open_from
        if first is None and not EMPTY_TRANSACTION_IGNORED.applies_to(self.release):
            first = offset
            self.started.append(first)
        if epoch != self._epoch:
            self._last_offset = None
        if not SNAPSHOT_BEFORE_RECOVERY.applies_to(self.release):
            # The first releases with transactions took the marker for the producer's last batch.
            self._last_offset = offset
        self.open_from, self._epoch, self._coordinator_epoch = None, epoch, marker.coordinator_epoch
        return None if first is None else CompletedTransaction(self.producer_id, first, offset, marker.kind == ABORT)

    def _write(self, offset: int, *, is_transactional: bool) -> None:
        """A batch of data: appendDataBatch."""
        if self.open_from is not None and not is_transactional:
            text = f"producer {self.producer_id} has a transaction open and wrote outside of it at offset {offset}"
            raise BrokerAborts("InvalidTxnStateException", text)
        if self.open_from is None and is_transactional:
            self.open_from = offset
            self.started.append(offset)


def _sequences_passed(batch: LoggedBatch) -> int:
    """Last sequence number less the first, by the header of the batch: DefaultRecordBatch.lastSequence."""
    first, delta = batch.header.base_sequence, batch.header.last_offset_delta
    if first == -1:
        return 0
    wraps = first > _LARGEST_SEQUENCE - delta
    last = delta - (_LARGEST_SEQUENCE - first) - 1 if wraps else first + delta
    return wrap32(last - first)


class _Ongoing:
    """The open transactions: first offset and producer id, by ascending offset."""

    def __init__(self) -> None:
        self._producer_of: dict[int, int] = {}
        self._offsets: list[int] = []

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return ((offset, self._producer_of[offset]) for offset in self._offsets)

    @property
    def first(self) -> int | None:
        """The first offset of the oldest; None when none is open."""
        return self._offsets[0] if self._offsets else None

    def add(self, first_offset: int, producer_id: int) -> None:
        """A transaction begins; it takes the place of one from the same offset."""
        if first_offset not in self._producer_of:
            insort(self._offsets, first_offset)
        self._producer_of[first_offset] = producer_id

    def remove(self, first_offset: int) -> bool:
        """A transaction ends; False when none is open from that offset."""
        if self._producer_of.pop(first_offset, None) is None:
            return False
        del self._offsets[bisect_left(self._offsets, first_offset)]
        return True


def _entries_of(data: bytes) -> tuple[ProducerEntry, ...] | None:
    """The entries of a `.snapshot`; None when the broker does not take it: ProducerStateManager.readSnapshot."""
    snapshot = read_producer_snapshot(data)
    header = snapshot.header
    if (
        header is None
        or header.version != SNAPSHOT_VERSION
        or header.crc != snapshot.computed_crc
        or not 0 <= header.entry_count <= (len(data) - SNAPSHOT_HEADER.size) // PRODUCER_ENTRY.size
    ):
        return None
    return snapshot.entries


class ProducerStates:
    """The producers known, their open transactions, and the `.snapshot` files.

    Args:
        context: The directory.
        known: Where `append_all` begins with each producer; None: with what is known here.

    Raises:
        BrokerAborts: the name of a `.snapshot` is no number.
    """

    def __init__(self, context: LoadContext, known: ProducerStates | None = None) -> None:
        self._context = context
        self._known = known
        self._disk = context.disk
        self.release = context.release
        self._marks_snapshots = SNAPSHOT_MARKED.applies_to(context.release)
        self._keeps_list = SNAPSHOT_PER_SEGMENT.applies_to(context.release)
        self.map_end_offset = 0
        self._last_snapshot_offset = 0
        #: The snapshot that the producers were loaded from or written to last, who of them has changed since, and all of
        #: them; None: they are in that snapshot.
        self._base: WrittenSnapshot | None = None
        self._changed: dict[int, Producer] = {}
        self._own_table: ProducerTable | None = ProducerTable()
        self.ongoing = _Ongoing()
        #: First offset → last offset of the transactions completed in this load.
        self.unreplicated: dict[int, int] = {}
        self._snapshots = self._list_snapshots() if self._keeps_list else SnapshotNames()

    def _list_snapshots(self) -> SnapshotNames:
        self._disk.snapshots.check()
        return self._disk.snapshots.copy()

    @property
    def snapshots(self) -> SnapshotNames:
        """The snapshots; before 2.8 the directory is looked at each time."""
        if self._keeps_list:
            return self._snapshots
        self._disk.snapshots.check()
        return self._disk.snapshots

    @property
    def _table(self) -> ProducerTable:
        if self._own_table is None:
            assert self._base is not None
            self._own_table = self._base.take()
        return self._own_table

    @property
    def is_empty(self) -> bool:
        """Whether no producer is known."""
        return not self._table.producers and not self.unreplicated

    @property
    def first_unstable_offset(self) -> int | None:
        """First offset of the oldest transaction that is open, or was completed by this load."""
        first = self.ongoing.first
        return min((*([] if first is None else [first]), *self.unreplicated), default=None)

    # --- following the log ---

    def append_one(self, batch: LoggedBatch) -> CompletedTransaction | None:
        """Take one batch over; the transaction it completes is not yet closed."""
        if not batch.has_producer:
            return None
        append = self._prepare(batch.header.producer_id)
        completed = append.append(batch)
        self._update(append)
        return completed

    def append_scanned(self, event: ScannedEvent) -> CompletedTransaction | None:
        """Take over batches that a scan has found; the transaction they complete is not yet closed."""
        known = self._table.producers.get(event.producer_id)
        is_open = known is not None and known.open_from is not None
        if event.marker is None and event.is_transactional is is_open:
            # More of the same changes nothing.
            if known is None:
                self._table.producers[event.producer_id] = self._changed[event.producer_id] = Producer()
            return None
        append = self._prepare(event.producer_id)
        completed = append.append_scanned(event)
        self._update(append)
        return completed

    def append_producers(self, event: ScannedProducers) -> None:
        """Take over the batches, outside of transactions, of many producers."""
        table = self._table
        known = table.producers.keys() & event.first_offsets.keys()
        if known:
            for one in event.events:
                self.append_scanned(one)
            return
        new = dict.fromkeys(event.first_offsets, Producer())
        table.producers |= new
        self._changed |= new

    def append_all(self, records: FileRecords) -> None:
        """Take many batches over at once: UnifiedLog.loadProducersFromRecords."""
        appends: dict[int, _Append] = {}
        completed: list[CompletedTransaction] = []

        def append_of(producer_id: int) -> _Append:
            if producer_id not in appends:
                appends[producer_id] = (self._known or self)._prepare(producer_id)  # noqa: SLF001 - another one of its class
            return appends[producer_id]

        scanned = self._context.scanned_of(records.file)
        events = None if scanned is None else scanned.events_between(records.start, records.end)
        if events is not None:
            completed += filter(None, (append_of(event.producer_id).append_scanned(event) for event in events))
        else:
            batches = (batch for batch in records.batches() if batch.has_producer)
            completed += filter(None, (append_of(batch.header.producer_id).append(batch) for batch in batches))
        for append in appends.values():
            self._update(append)
        for transaction in completed:
            self.complete(transaction)

    def _prepare(self, producer_id: int) -> _Append:
        return _Append(producer_id, self._table.producers.get(producer_id, Producer()), self.release)

    def _update(self, append: _Append) -> None:
        producer = append.producer
        self._table.put(append.producer_id, producer)
        self._changed[append.producer_id] = producer
        for first_offset in append.started:
            self.ongoing.add(first_offset, append.producer_id)

    def last_stable_offset(self, completed: CompletedTransaction) -> int:
        """The last stable offset once a transaction is closed."""
        passed = OWN_TRANSACTIONS_PASSED.applies_to(self.release)
        for first, producer_id in self.ongoing:
            if producer_id != completed.producer_id if passed else first != completed.first_offset:
                return first
        return completed.last_offset + 1

    def complete(self, completed: CompletedTransaction) -> None:
        """Close a transaction.

        Raises:
            BrokerAborts: it is not open.
        """
        if not self.ongoing.remove(completed.first_offset):
            text = f"the transaction of producer {completed.producer_id} from offset {completed.first_offset} is not open"
            raise BrokerAborts("IllegalArgumentException", text)
        self.unreplicated[completed.first_offset] = completed.last_offset

    # --- snapshots ---

    def take_snapshot(self) -> None:
        """Write a `.snapshot` at the end of what was followed, unless there was no progress."""
        if self.map_end_offset > self._last_snapshot_offset:
            name = segment_file_name(self.map_end_offset, SNAPSHOT)
            file = self._disk.get(name) or self._disk.create(name)
            written = WrittenSnapshot(self._base, self._changed, self._table)
            self._base, self._changed, self._own_table = written, {}, None
            if file.size > written.size:
                # Kafka opens the file without cutting it: what an older, longer file had there stays after the new bytes.
                file.write(written.window(0, written.size).data + file.read(written.size))
            else:
                file.replace(written)
            self._snapshots.forget(self.map_end_offset)
            self._snapshots.add(name)
            self._last_snapshot_offset = self.map_end_offset

    def truncate_and_reload(self, log_start_offset: int, log_end_offset: int) -> None:
        """Drop the snapshots outside the log, and begin again with the latest good one: truncateAndReload."""
        snapshots = self.snapshots
        below = snapshots.offsets(end=log_start_offset)
        for offset in (*below, *snapshots.offsets(start=max(log_start_offset, log_end_offset))):
            self._delete_snapshot(offset)
        if log_end_offset != self.map_end_offset:
            self._forget()
            self._load_snapshot(log_start_offset)
        else:
            self._on_log_start_offset(log_start_offset)

    def _forget(self) -> None:
        self._base, self._changed, self._own_table = None, {}, ProducerTable()
        self.ongoing = _Ongoing()
        self.unreplicated.clear()

    def _load_snapshot(self, log_start_offset: int) -> None:
        offset = self.snapshots.newest
        while offset is not None:
            name = self.snapshots.name_at(offset)
            file = None if name is None else self._disk.get(name)
            written = None if file is None else file.source
            if isinstance(written, WrittenSnapshot):
                self._continue_from(written, log_start_offset)
                break
            entries = _entries_of(b"" if file is None else file.read())
            if entries is not None:
                for entry in entries:
                    first = entry.current_txn_first_offset if entry.current_txn_first_offset >= 0 else None
                    producer = Producer(first, entry.producer_epoch, entry.coordinator_epoch, entry.last_offset)
                    self._load(entry.producer_id, producer, log_start_offset)
                break
            self._delete_snapshot(offset)
            offset = self.snapshots.newest
        self._last_snapshot_offset = self.map_end_offset = log_start_offset if offset is None else offset

    def _continue_from(self, written: WrittenSnapshot, log_start_offset: int) -> None:
        """Load a snapshot that this start wrote: all its producers are taken over as they are, where that is the same."""
        table = written.take()
        retained = PRODUCERS_RETAINED.applies_to(self.release)
        if retained or all(one.last_offset >= log_start_offset for one in table.producers.values()):
            self._base, self._own_table = written, table
            for first, producer_id in table.ongoing().items():
                self.ongoing.add(first, producer_id)
        else:
            for producer_id, producer in table.producers.items():
                self._load(producer_id, producer, log_start_offset)

    def _load(self, producer_id: int, producer: Producer, log_start_offset: int) -> None:
        if producer.last_offset < log_start_offset and not PRODUCERS_RETAINED.applies_to(self.release):
            return
        self._table.put(producer_id, producer)
        self._changed[producer_id] = producer
        if producer.open_from is not None:
            self.ongoing.add(producer.open_from, producer_id)

    def _on_log_start_offset(self, log_start_offset: int) -> None:
        for first, last in list(self.unreplicated.items()):
            if last < log_start_offset:
                del self.unreplicated[first]
        self.map_end_offset = max(self.map_end_offset, log_start_offset)
        newest = self.snapshots.newest
        self._last_snapshot_offset = log_start_offset if newest is None else newest

    def truncate_fully(self, offset: int) -> None:
        """Forget everything and delete all snapshots: ProducerStateManager.truncateFullyAndStartAt."""
        self._forget()
        for snapshot in self.snapshots.offsets():
            self._delete_snapshot(snapshot)
        self._last_snapshot_offset = 0
        self.map_end_offset = offset

    def _delete_snapshot(self, offset: int) -> None:
        name = self.snapshots.name_at(offset)
        assert name is not None
        self._snapshots.forget(offset)
        self._disk.delete(name)

    def mark_snapshot_deleted(self, offset: int) -> None:
        """Rename a segment's snapshot: removeAndMarkSnapshotForDeletion; before 3.0 nothing happens yet."""
        if not self._marks_snapshots:
            return
        name = self.snapshots.name_at(offset)
        if name is not None:
            self._snapshots.forget(offset)
            self._disk.rename(name, f"{name}.deleted")

    def remove_stray_snapshots(self, base_offsets: Iterable[int]) -> None:
        """Delete the snapshots of no segment, but for the largest one above all of them: removeStraySnapshots."""
        bases = set(base_offsets)
        self._snapshots = self._list_snapshots()
        stray = [offset for offset in self.snapshots.offsets() if offset not in bases]
        for offset in stray[:-1]:
            self._delete_snapshot(offset)
        if stray and bases and stray[-1] < max(bases):
            self._delete_snapshot(stray[-1])
