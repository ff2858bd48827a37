"""The producers of a log as the broker follows them: ProducerStateManager, ProducerAppendInfo, ProducerStateEntry.

Kept is what loading depends on: who has a transaction open, and from where. Sequence numbers and timestamps change
nothing at a start (appends of replication are not checked), so they are left out; and a producer that has expired has
no open transaction, so expiry changes nothing either.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import CONTROL, TRANSACTIONAL
from kafkalog.core.checksum import crc32c
from kafkalog.core.control import ABORT, COMMIT, read_control_type
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER, read_producer_snapshot
from kafkalog.core.record import wrap32
from kafkalog.core.transaction_index import AbortedTxn
from kafkalog.errors import DecompressionFailed, FormatError, LimitExceeded
from kafkalog.recovery.behaviours import (
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
from kafkalog.recovery.failure import BrokerAborts, InvalidRecord
from kafkalog.recovery.fetched_records import first_record
from kafkalog.recovery.names import offset_of_name
from kafkalog.recovery.segment import segment_file_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.core.release import Release
    from kafkalog.recovery.context import LoadContext
    from kafkalog.recovery.known import KnownEvent
    from kafkalog.recovery.records import FileRecords, LoggedBatch

__all__ = ["SNAPSHOT", "CompletedTransaction", "ProducerStates"]

SNAPSHOT = ".snapshot"
#: int16 version, int32 coordinator epoch.
_END_MARKER_SIZE = 6
_ENTRY = struct.Struct(">qhiqiqiq")
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
    if whole.header.records_count and whole.compression_id >= batch.reader.codecs:
        raise BrokerAborts("IllegalArgumentException", f"unknown compression type id {whole.compression_id}")
    try:
        record = first_record(whole)
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


class _Producer(NamedTuple):
    """What is known of a producer: ProducerStateEntry. `open_from` is the first offset of its open transaction.

    `last_offset` is that of its last batch of data under its epoch, -1 for none; it counts before 2.4 only.
    """

    open_from: int | None = None
    epoch: int = -1
    coordinator_epoch: int = -1
    last_offset: int = -1


class _Append:
    """What the batches of one producer add up to until they are taken over: ProducerAppendInfo."""

    __slots__ = ("_before", "_coordinator_epoch", "_epoch", "_last_offset", "open_from", "producer_id", "release", "started")

    def __init__(self, producer_id: int, producer: _Producer, release: Release) -> None:
        self.producer_id = producer_id
        self._before = producer
        self.open_from, self._epoch, self._coordinator_epoch, _ = producer
        self._last_offset: int | None = None
        self.release = release
        self.started: list[int] = []

    @property
    def producer(self) -> _Producer:
        """What is known afterwards."""
        last = self._last_offset
        if last is None:
            last = self._before.last_offset if self._epoch == self._before.epoch else -1
        return _Producer(self.open_from, self._epoch, self._coordinator_epoch, last)

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

    def append_known(self, event: KnownEvent) -> CompletedTransaction | None:
        """The same of what a scan has told; never before 2.8, where epochs count."""
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
    """Last sequence number less the first, as the batch's header tells them: DefaultRecordBatch.lastSequence."""
    first, delta = batch.header.base_sequence, batch.header.last_offset_delta
    if first == -1:
        return 0
    wraps = first > _LARGEST_SEQUENCE - delta
    last = delta - (_LARGEST_SEQUENCE - first) - 1 if wraps else first + delta
    return wrap32(last - first)


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
        self._producers: dict[int, _Producer] = {}
        #: First offset → producer id of the open transactions, and → last offset of those completed in this load.
        self.ongoing: dict[int, int] = {}
        self.unreplicated: dict[int, int] = {}
        self._snapshots: dict[int, str] = self._list_snapshots() if self._keeps_list else {}

    def _list_snapshots(self) -> dict[int, str]:
        return dict(sorted((offset_of_name(name), name) for name in self._disk.snapshots))

    @property
    def snapshots(self) -> dict[int, str]:
        """Offset → name of the snapshots; before 2.8 the directory is looked at each time."""
        if not self._keeps_list:
            self._snapshots = self._list_snapshots()
        return self._snapshots

    @property
    def is_empty(self) -> bool:
        """Whether no producer is known."""
        return not self._producers and not self.unreplicated

    @property
    def first_unstable_offset(self) -> int | None:
        """First offset of the oldest transaction that is open, or was completed by this load."""
        return min((*self.ongoing, *self.unreplicated), default=None)

    # --- following the log ---

    def append_one(self, batch: LoggedBatch) -> CompletedTransaction | None:
        """Take one batch over; the transaction it completes is not yet closed."""
        if not batch.has_producer:
            return None
        append = self._prepare(batch.header.producer_id)
        completed = append.append(batch)
        self._update(append)
        return completed

    def append_known(self, event: KnownEvent) -> CompletedTransaction | None:
        """The same of batches that are known from a scan."""
        append = self._prepare(event.producer_id)
        completed = append.append_known(event)
        self._update(append)
        return completed

    def append_all(self, records: FileRecords) -> None:
        """Take many batches over at once: UnifiedLog.loadProducersFromRecords."""
        appends: dict[int, _Append] = {}
        completed: list[CompletedTransaction] = []

        def append_of(producer_id: int) -> _Append:
            if producer_id not in appends:
                appends[producer_id] = (self._known or self)._prepare(producer_id)  # noqa: SLF001 - another one of its class
            return appends[producer_id]

        known = self._context.known_of(records.file)
        events = None if known is None else known.events_between(records.start, records.end)
        if events is not None:
            completed += filter(None, (append_of(event.producer_id).append_known(event) for event in events))
        else:
            batches = (batch for batch in records.batches() if batch.has_producer)
            completed += filter(None, (append_of(batch.header.producer_id).append(batch) for batch in batches))
        for append in appends.values():
            self._update(append)
        for transaction in completed:
            self.complete(transaction)

    def _prepare(self, producer_id: int) -> _Append:
        return _Append(producer_id, self._producers.get(producer_id, _Producer()), self.release)

    def _update(self, append: _Append) -> None:
        self._producers[append.producer_id] = append.producer
        for first_offset in append.started:
            self.ongoing[first_offset] = append.producer_id

    def last_stable_offset(self, completed: CompletedTransaction) -> int:
        """The last stable offset once a transaction is closed."""
        passed = OWN_TRANSACTIONS_PASSED.applies_to(self.release)
        others = (
            first
            for first, producer_id in self.ongoing.items()
            if (producer_id != completed.producer_id if passed else first != completed.first_offset)
        )
        return min(others, default=completed.last_offset + 1)

    def complete(self, completed: CompletedTransaction) -> None:
        """Close a transaction.

        Raises:
            BrokerAborts: it is not open.
        """
        if self.ongoing.pop(completed.first_offset, None) is None:
            text = f"the transaction of producer {completed.producer_id} from offset {completed.first_offset} is not open"
            raise BrokerAborts("IllegalArgumentException", text)
        self.unreplicated[completed.first_offset] = completed.last_offset

    # --- snapshots ---

    def take_snapshot(self) -> None:
        """Write a `.snapshot` at the end of what was followed, unless there was no progress."""
        if self.map_end_offset > self._last_snapshot_offset:
            name = segment_file_name(self.map_end_offset, SNAPSHOT)
            file = self._disk.get(name) or self._disk.create(name)
            data = self._to_bytes()
            # Kafka opens the file without cutting it: what is longer from before stays behind the new bytes.
            file.write(data + file.read(len(data)))
            self._snapshots[self.map_end_offset] = name
            self._last_snapshot_offset = self.map_end_offset

    def _to_bytes(self) -> bytes:
        # The bytes are kafkalog's own, never shown; they carry what a later step of the same start reads back.
        entries = b"".join(
            _ENTRY.pack(
                producer_id,
                one.epoch,
                -1,
                one.last_offset,
                0,
                -1,
                one.coordinator_epoch,
                -1 if one.open_from is None else one.open_from,
            )
            for producer_id, one in self._producers.items()
        )
        body = len(self._producers).to_bytes(4, "big") + entries
        return (1).to_bytes(2, "big") + crc32c(body).to_bytes(4, "big") + body

    def truncate_and_reload(self, log_start_offset: int, log_end_offset: int) -> None:
        """Drop the snapshots outside the log, and begin anew from the latest good one: truncateAndReload."""
        for offset in list(self.snapshots):
            if offset > log_end_offset or offset <= log_start_offset:
                self._delete_snapshot(offset)
        if log_end_offset != self.map_end_offset:
            self._producers.clear()
            self.ongoing.clear()
            self.unreplicated.clear()
            self._load_snapshot(log_start_offset)
        else:
            self._on_log_start_offset(log_start_offset)

    def _load_snapshot(self, log_start_offset: int) -> None:
        while self.snapshots:
            offset = max(self.snapshots)
            file = self._disk.get(self.snapshots[offset])
            data = b"" if file is None else file.read()
            snapshot = read_producer_snapshot(data)
            header = snapshot.header
            if (
                header is None
                or header.version != 1
                or header.crc != snapshot.computed_crc
                or not 0 <= header.entry_count <= (len(data) - SNAPSHOT_HEADER.size) // PRODUCER_ENTRY.size
            ):
                self._delete_snapshot(offset)
                continue
            for entry in snapshot.entries:
                if entry.last_offset < log_start_offset and not PRODUCERS_RETAINED.applies_to(self.release):
                    continue
                first = entry.current_txn_first_offset if entry.current_txn_first_offset >= 0 else None
                self._producers[entry.producer_id] = _Producer(
                    first, entry.producer_epoch, entry.coordinator_epoch, entry.last_offset
                )
                if first is not None:
                    self.ongoing[first] = entry.producer_id
            self._last_snapshot_offset = self.map_end_offset = offset
            return
        self._last_snapshot_offset = self.map_end_offset = log_start_offset

    def _on_log_start_offset(self, log_start_offset: int) -> None:
        for first, last in list(self.unreplicated.items()):
            if last < log_start_offset:
                del self.unreplicated[first]
        self.map_end_offset = max(self.map_end_offset, log_start_offset)
        self._last_snapshot_offset = max(self.snapshots, default=log_start_offset)

    def truncate_fully(self, offset: int) -> None:
        """Forget everything and delete all snapshots: ProducerStateManager.truncateFullyAndStartAt."""
        self._producers.clear()
        self.ongoing.clear()
        self.unreplicated.clear()
        for snapshot in list(self.snapshots):
            self._delete_snapshot(snapshot)
        self._last_snapshot_offset = 0
        self.map_end_offset = offset

    def _delete_snapshot(self, offset: int) -> None:
        self._disk.delete(self.snapshots.pop(offset))

    def mark_snapshot_deleted(self, offset: int) -> None:
        """Rename a segment's snapshot: removeAndMarkSnapshotForDeletion; before 3.0 nothing happens yet."""
        if not self._marks_snapshots:
            return
        name = self.snapshots.pop(offset, None)
        if name is not None:
            self._disk.rename(name, f"{name}.deleted")

    def remove_stray_snapshots(self, base_offsets: Iterable[int]) -> None:
        """Delete the snapshots of no segment, but for the largest one above all of them: removeStraySnapshots."""
        bases = set(base_offsets)
        self._snapshots = self._list_snapshots()
        stray = [offset for offset in self.snapshots if offset not in bases]
        for offset in stray[:-1]:
            self._delete_snapshot(offset)
        if stray and bases and stray[-1] < max(bases):
            self._delete_snapshot(stray[-1])
