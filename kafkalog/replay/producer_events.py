"""What producers did in a log, as the notes that a replay of producers goes over."""

from __future__ import annotations

import re
from collections import deque
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import TRANSACTIONAL
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.control import ABORT, COMMIT
from kafkalog.core.log import NEVER
from kafkalog.core.record import increment_sequence, wrap64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.control import ControlRecord

__all__ = ["MAX_SEQUENCE", "Cut", "Event", "EventRecorder", "OpenRun", "ProducerRun", "TransactionEnd", "transaction_end"]

MAX_SEQUENCE = 0x7FFFFFFF
_LAST_CODEC = 4
#: The record of a marker of version 0, key and value, with an epoch that is not negative.
_MARKER = re.compile(rb"\x20\0\0\0\x08\0\0\0(?P<type>[\0\1])\x0c\0\0(?P<epoch>[\0-\x7f]...)\0", re.DOTALL)
_COMMIT = bytes([COMMIT])


class ProducerRun(NamedTuple):
    """Data batches of one producer in a row, without a gap in their sequence numbers.

    `last_*` are about the last batch; `partial` says that it lost records to compaction. `position` and `size` are those
    of the first batch, in bytes; `records` counts those of all. `hole` is the offset at which the last hole of the segment
    before the run ends, -1 when there is none. `next_marker` is the timestamp of the first marker of any producer in the
    segment after the first batch of a transaction, -1 when there is none. `last_marker` is the position of the last marker of
    several transactions that are one note, -1 where there are no several.
    """

    producer_id: int
    epoch: int
    transactional: bool
    first_sequence: int
    next_sequence: int
    first_offset: int
    last_offset: int
    last_base: int
    first_timestamp: int
    last_timestamp: int
    partial: bool
    position: int
    last_position: int
    size: int
    records: int
    hole: int
    next_marker: int = -1
    last_marker: int = -1


_FIELDS_OF_RUN = attrgetter(*ProducerRun._fields)


class TransactionEnd(NamedTuple):
    """A transaction marker; `coordinator_epoch` is None when the cleaner emptied it, `committed` too then."""

    producer_id: int
    epoch: int
    committed: bool | None
    coordinator_epoch: int | None
    offset: int
    timestamp: int
    position: int
    size: int


class Cut(NamedTuple):
    """The producers' state is wanted here; `blind`: from here on nothing is known, bytes could not be read."""

    offset: int
    blind: bool = False


Event = ProducerRun | TransactionEnd | Cut


def transaction_end(batch: RecordBatch, offset: int, timestamp: int, control: ControlRecord | None) -> TransactionEnd:
    """What a batch of control records says of its producer's transaction.

    Args:
        batch: The batch.
        offset: Of its control record.
        timestamp: Of its control record, milliseconds.
        control: The record; None when there is none, or none that can be read.
    """
    is_marker = control is not None and control.type_id in (ABORT, COMMIT)
    return TransactionEnd(
        batch.header.producer_id,
        batch.header.producer_epoch,
        control.type_id == COMMIT if control is not None and is_marker else None,
        control.fields["coordinatorEpoch"] if control is not None and is_marker else None,
        offset,
        timestamp,
        batch.position,
        batch.size,
    )


class OpenRun:
    """A run that may get more batches; the fields are those of `ProducerRun`.

    `attributes` are those with which the next batch is an ordinary one, -1 none. `before` is the transaction that it continues.
    `number` is its place among the notes.
    """

    __slots__ = (*ProducerRun._fields, "attributes", "before", "number")

    def __init__(
        self, producer: tuple[int, int, int], base: int, timestamp: int, position: int, size: int, attributes: int, hole: int
    ) -> None:
        self.producer_id, self.epoch, self.first_sequence = producer
        self.transactional = attributes & TRANSACTIONAL != 0
        self.first_offset = base
        self.first_timestamp = timestamp
        self.position = position
        self.size = size
        self.records = 0
        self.hole = hole
        self.next_marker = self.last_marker = -1
        self.attributes = attributes if attributes & ~TRANSACTIONAL <= _LAST_CODEC else -1
        self.before: _Committed | None = None
        self.number = -1

    def add(self, base: int, sequence: int, delta: int, count: int, timestamp: int, position: int) -> None:
        """Add a batch: the first, or one whose sequence number is the next."""
        following = sequence + delta + 1
        if delta < 0 or following > MAX_SEQUENCE:
            last = increment_sequence(sequence, max(0, delta))
            following = 0 if last == MAX_SEQUENCE else last + 1
        self.next_sequence = following
        self.last_base = base
        self.last_offset = wrap64(base + delta)
        self.last_timestamp = timestamp
        self.last_position = position
        self.partial = count < delta + 1
        self.records += count

    def closed(self) -> ProducerRun:
        """The run as it is."""
        return ProducerRun._make(_FIELDS_OF_RUN(self))


class _Committed:
    """A transaction that its marker has committed, the last of its producer, and those that were folded into it.

    `end` is its own marker, `offset`, `timestamp` and `position` are those of the last one, `number` is the place of the marker
    among the notes. `takes_more`: it continues another one in every respect, so those that continue it are folded into it.
    `record` is that of its marker where nothing in that is odd.
    """

    __slots__ = ("end", "number", "offset", "position", "record", "run", "takes_more", "timestamp")

    def __init__(self, run: OpenRun, end: TransactionEnd, number: int, *, takes_more: bool) -> None:
        self.run = run
        self.end = end
        self.number = number
        self.takes_more = takes_more
        self.record = b""
        self.offset, self.timestamp, self.position = end.offset, end.timestamp, end.position

    def fold(self, run: OpenRun, offset: int, timestamp: int, position: int) -> None:
        """Take in the next transaction: its batches; offset, timestamp and position of its marker."""
        own = self.run
        own.next_sequence = run.next_sequence
        own.last_base = run.last_base
        own.last_offset = run.last_offset
        own.last_timestamp = run.last_timestamp
        own.last_position = run.last_position
        own.partial = run.partial
        own.records += run.records
        own.last_marker = self.position = position
        self.offset, self.timestamp = offset, timestamp

    def closed(self) -> TransactionEnd:
        """The last marker."""
        return self.end._replace(offset=self.offset, timestamp=self.timestamp, position=self.position)


_Note = OpenRun | TransactionEnd | Cut


class EventRecorder:
    """Notes a segment's batches with producer ids; batches that continue each other are one note.

    Args:
        cuts: Offsets at which the replay wants to stop, ascending.
        folds: Whether transactions of a producer that continue each other and were committed are told together, as a run and
            a marker: all but the first. Nothing can be found in them, no abort lies between them, and a log has millions.
    """

    def __init__(self, cuts: tuple[int, ...] = (), *, folds: bool = False) -> None:
        #: The runs that may get more batches, by producer id.
        self.runs: dict[int, OpenRun] = {}
        self._notes: list[tuple[int, _Note]] = []  # of what is over, each with its number
        self._number = 0
        self._folds = folds
        self._committed: dict[int, _Committed] = {}  # by producer id
        self._before_marker: list[OpenRun] = []  # begun since the last marker of any producer
        self._last_abort = -1  # its number
        self._cuts = deque(cuts)
        #: The next offset at which the replay wants to stop.
        self.cut = self._cuts[0] if self._cuts else NEVER
        self.last_hole = -1
        #: Batches that claim epoch 0 and sequence 0 of no producer: how many; position, first and last offset of the first.
        self.zeros = 0
        self.first_zeros = (-1, -1, -1)

    def takes(
        self,
        producer: tuple[int, int, int],
        base: int,
        count: int,
        delta: int,
        base_timestamp: int,
        timestamp: int,
        attributes: int,
        position: int,
        size: int,
    ) -> bool:
        """Add a sound data batch in which nothing is odd; False, and nothing done, when something is.

        `producer` is its id, epoch and base sequence. `attributes` are not negative. A batch without a producer is fine too.
        """
        producer_id, epoch, sequence = producer
        if attributes & ~TRANSACTIONAL > _LAST_CODEC:
            return False
        if producer_id == -1:
            if attributes & TRANSACTIONAL or sequence > 0:
                return False
            if epoch == sequence == 0:
                self.zero(position, base, base + delta)
                return True
            return epoch == -1
        if producer_id < 0 or epoch < 0 or sequence < 0 or base >= self.cut or sequence + delta >= MAX_SEQUENCE:
            return False
        run = self._run_of(producer, base, base_timestamp, position, size, attributes)
        run.next_sequence = sequence + delta + 1
        run.last_base = base
        run.last_offset = base + delta
        run.last_timestamp = timestamp
        run.last_position = position
        run.partial = count <= delta
        run.records += count
        return True

    def takes_marker(self, batch: memoryview, producer: tuple[int, int, int], base: int, timestamp: int, position: int) -> bool:
        """Add a batch that is a transaction marker in which nothing is odd; False, and nothing done, when something is."""
        producer_id, epoch, sequence = producer
        if sequence != -1 or base >= self.cut:
            return False
        record = bytes(batch[BATCH_HEADER.size :])
        run = self.runs.get(producer_id)
        if run is not None and run.epoch == epoch:
            before = run.before
            if before is not None and before.record == record and self._is_folded_into(before):
                self._tell_marker(timestamp)
                del self.runs[producer_id]
                before.fold(run, base, timestamp, position)
                return True
        found = _MARKER.fullmatch(record)
        if found is None or producer_id < 0 or epoch < 0:
            return False
        coordinator_epoch = int.from_bytes(found["epoch"], "big")
        committed = found["type"] == _COMMIT
        self.end(TransactionEnd(producer_id, epoch, committed, coordinator_epoch, base, timestamp, position, len(batch)))
        if producer_id in self._committed:
            self._committed[producer_id].record = record
        return True

    def zero(self, position: int, base: int, last: int) -> None:
        """Add a batch that has no producer id, and epoch 0 and sequence 0."""
        if not self.zeros:
            self.first_zeros = (position, base, last)
        self.zeros += 1

    def reach(self, offset: int) -> None:
        """A batch begins at `offset`: note the cuts before it."""
        while offset >= self.cut:
            self._stop(Cut(self._cuts.popleft()))
            self.cut = self._cuts[0] if self._cuts else NEVER

    def data(self, batch: RecordBatch) -> None:
        """Add any data batch that has a producer id."""
        header = batch.header
        run = self._run_of(
            (header.producer_id, header.producer_epoch, header.base_sequence),
            header.base_offset,
            header.base_timestamp,
            batch.position,
            batch.size,
            header.attributes & 0xFFFF,
        )
        run.add(
            header.base_offset,
            header.base_sequence,
            header.last_offset_delta,
            header.records_count,
            header.max_timestamp,
            batch.position,
        )

    def _run_of(
        self, producer: tuple[int, int, int], base: int, timestamp: int, position: int, size: int, attributes: int
    ) -> OpenRun:
        """The run that a batch continues, or one that begins with it."""
        producer_id, epoch, sequence = producer
        begun = OpenRun(producer, base, timestamp, position, size, attributes, self.last_hole)
        run = self.runs.get(producer_id)
        if run is not None:
            if run.next_sequence == sequence and run.epoch == epoch and run.transactional == begun.transactional:
                run.attributes = begun.attributes
                return run
            self._notes.append((run.number, run))
        self._number += 1
        begun.number = self._number
        self.runs[producer_id] = begun
        if begun.transactional:
            self._before_marker.append(begun)
        committed = self._committed.get(producer_id)
        if committed is not None:
            before = committed.run
            if run is None and begun.transactional and before.next_sequence == sequence >= 0 and before.epoch == epoch:
                begun.before = committed
            else:
                self._notes += _notes_of(self._committed.pop(producer_id))
        return begun

    def hole(self, offset: int) -> None:
        """Offsets are missing before `offset`."""
        self.last_hole = offset

    def end(self, end: TransactionEnd) -> None:
        """Add a transaction marker."""
        self._tell_marker(end.timestamp)
        run = self.runs.pop(end.producer_id, None)
        before = None if run is None else run.before
        is_whole = (
            self._folds
            and end.committed
            and end.coordinator_epoch is not None
            and run is not None
            and run.transactional
            and run.epoch == end.epoch
            and run.first_sequence >= 0
        )
        continues = bool(is_whole) and before is not None and before.end.coordinator_epoch == end.coordinator_epoch
        if run is not None and before is not None and continues and self._is_folded_into(before):
            before.fold(run, end.offset, end.timestamp, end.position)
            return
        self._number += 1
        committed = self._committed.pop(end.producer_id, None)
        if committed is not None:
            self._notes += _notes_of(committed)
        if run is not None and is_whole:
            run.before = None
            self._committed[end.producer_id] = _Committed(run, end, self._number, takes_more=continues)
            return
        if run is not None:
            self._notes.append((run.number, run))
        self._notes.append((self._number, end))
        if not end.committed:
            self._last_abort = self._number

    def _tell_marker(self, timestamp: int) -> None:
        """A marker of any producer: the transactions begun before it have their next one."""
        for run in self._before_marker:
            run.next_marker = timestamp
        self._before_marker.clear()

    def _is_folded_into(self, before: _Committed) -> bool:
        """Whether what continues a transaction is folded into it: no transaction was aborted since that one began."""
        return before.takes_more and before.run.number > self._last_abort

    def blind(self, offset: int) -> None:
        """Bytes could not be read before `offset`: what is known about producers ends here."""
        self._stop(Cut(offset, blind=True))

    def _stop(self, cut: Cut) -> None:
        """Everything is over."""
        self._notes += ((run.number, run) for run in self.runs.values())
        self.runs.clear()
        for committed in self._committed.values():
            self._notes += _notes_of(committed)
        self._committed.clear()
        self._number += 1
        self._notes.append((self._number, cut))

    def __len__(self) -> int:
        """How many notes there are."""
        return len(self._notes) + len(self.runs)

    def known(self) -> tuple[list[Event], object]:
        """All notes up to now, in log order, and what else was noted."""
        notes = [*self._notes, *((run.number, run) for run in self.runs.values())]
        for committed in self._committed.values():
            notes += _notes_of(committed)
        notes.sort(key=itemgetter(0))
        events = [note.closed() if isinstance(note, OpenRun) else note for _, note in notes]
        return events, (self.cut, self.last_hole, self.zeros, self.first_zeros)

    def finish(self) -> list[Event]:
        """All notes in log order; the cuts that no batch reached are the last."""
        self.reach(self._cuts[-1] if self._cuts else -1)
        return self.known()[0]


def _notes_of(committed: _Committed) -> Iterator[tuple[int, _Note]]:
    yield committed.run.number, committed.run
    yield committed.number, committed.closed()
