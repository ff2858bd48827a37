"""What producers did in a log, as the notes that a replay of producers goes over."""

from __future__ import annotations

import re
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import TRANSACTIONAL
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.control import ABORT, COMMIT
from kafkalog.core.log import NEVER
from kafkalog.core.record import increment_sequence, wrap64

if TYPE_CHECKING:
    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.control import ControlRecord

__all__ = ["Cut", "Event", "EventRecorder", "ProducerRun", "TransactionEnd", "transaction_end"]

_MAX_SEQUENCE = 0x7FFFFFFF
_LAST_CODEC = 4
#: The record of a marker of version 0, key and value, with an epoch that is not negative.
_MARKER = re.compile(rb"\x20\0\0\0\x08\0\0\0(?P<type>[\0\1])\x0c\0\0(?P<epoch>[\0-\x7f]...)\0", re.DOTALL)
_COMMIT = bytes([COMMIT])
#: producerId, producerEpoch, baseSequence.
_PRODUCER = BATCH_HEADER.run("producer_id", "base_sequence").unpack


class ProducerRun(NamedTuple):
    """Data batches of one producer in a row, without a gap in their sequence numbers.

    `last_*` are about the last batch; `partial` says that it lost records to compaction. `position` and `size` are those
    of the first batch, in bytes; `records` counts those of all. `hole` is the offset at which the last hole of the segment
    before the run ends, -1 when there is none.
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


class _OpenRun:
    """A run that may get more batches; the fields are those of `ProducerRun`."""

    __slots__ = (
        "epoch",
        "first_offset",
        "first_sequence",
        "first_timestamp",
        "hole",
        "last_base",
        "last_offset",
        "last_position",
        "last_timestamp",
        "next_sequence",
        "partial",
        "position",
        "producer_id",
        "records",
        "size",
        "transactional",
    )

    def __init__(
        self,
        producer: tuple[int, int, int],
        base: int,
        timestamp: int,
        position: int,
        size: int,
        *,
        transactional: bool,
        hole: int,
    ) -> None:
        self.producer_id, self.epoch, self.first_sequence = producer
        self.transactional = transactional
        self.first_offset = base
        self.first_timestamp = timestamp
        self.position = position
        self.size = size
        self.records = 0
        self.hole = hole

    def add(self, base: int, sequence: int, delta: int, count: int, timestamp: int, position: int) -> None:
        """Add a batch: the first, or one whose sequence number is the next."""
        following = sequence + delta + 1
        if delta < 0 or following > _MAX_SEQUENCE:
            last = increment_sequence(sequence, max(0, delta))
            following = 0 if last == _MAX_SEQUENCE else last + 1
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


class EventRecorder:
    """Notes a segment's batches with producer ids; batches that continue each other are one note.

    Args:
        cuts: Offsets at which the replay wants to stop, ascending.
    """

    def __init__(self, cuts: tuple[int, ...] = ()) -> None:
        self._open: dict[int, _OpenRun] = {}
        self._events: list[_OpenRun | TransactionEnd | Cut] = []
        self._cuts = deque(cuts)
        self._cut = self._cuts[0] if self._cuts else NEVER
        self.last_hole = -1
        #: Batches that claim epoch 0 and sequence 0 of no producer: how many; position, first and last offset of the first.
        self.zeros = 0
        self.first_zeros = (-1, -1, -1)

    def takes(
        self,
        producer: bytes,
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

        `producer` is its id, epoch and base sequence as they stand in the header. `attributes` are not negative.
        A batch without a producer is fine too.
        """
        producer_id, epoch, sequence = _PRODUCER(producer)
        following = sequence + delta + 1
        run = self._open.get(producer_id)
        if run is not None and (
            run.next_sequence == sequence
            and run.epoch == epoch
            and run.transactional == attributes >> 4
            and attributes & 15 <= _LAST_CODEC
            and base < self._cut
            and following <= _MAX_SEQUENCE
        ):
            run.next_sequence = following
            run.last_offset = base + delta
            run.last_base = base
            run.last_timestamp = timestamp
            run.last_position = position
            run.partial = count <= delta
            run.records += count
            return True
        if producer_id == -1:
            if attributes > _LAST_CODEC or sequence > 0:
                return False
            if epoch == sequence == 0:
                self.zero(position, base, base + delta)
                return True
            return bool(epoch == -1)
        if (
            producer_id < 0
            or epoch < 0
            or sequence < 0
            or attributes >> 4 > 1
            or attributes & 15 > _LAST_CODEC
            or base >= self._cut
            or following > _MAX_SEQUENCE
        ):
            return False
        run = self._begin(
            (producer_id, epoch, sequence), base, base_timestamp, position, size, transactional=bool(attributes >> 4)
        )
        run.add(base, sequence, delta, count, timestamp, position)
        return True

    def takes_marker(self, batch: memoryview, producer: bytes, base: int, timestamp: int, position: int) -> bool:
        """Add a batch that is a transaction marker in which nothing is odd; False, and nothing done, when something is."""
        producer_id, epoch, sequence = _PRODUCER(producer)
        record = _MARKER.fullmatch(batch, BATCH_HEADER.size)
        if record is None or producer_id < 0 or epoch < 0 or sequence != -1 or base >= self._cut:
            return False
        coordinator_epoch = int.from_bytes(record["epoch"], "big")
        committed = record["type"] == _COMMIT
        self.end(TransactionEnd(producer_id, epoch, committed, coordinator_epoch, base, timestamp, position, len(batch)))
        return True

    def zero(self, position: int, base: int, last: int) -> None:
        """Add a batch that has no producer id, and epoch 0 and sequence 0."""
        if not self.zeros:
            self.first_zeros = (position, base, last)
        self.zeros += 1

    def is_cut_before(self, offset: int) -> bool:
        """Whether a cut that has not been noted lies at or before `offset`."""
        return offset >= self._cut

    def reach(self, offset: int) -> None:
        """A batch begins at `offset`: note the cuts before it."""
        while offset >= self._cut:
            self._events.append(Cut(self._cuts.popleft()))
            self._open.clear()
            self._cut = self._cuts[0] if self._cuts else NEVER

    def data(self, batch: RecordBatch) -> None:
        """Add any data batch that has a producer id."""
        header = batch.header
        run = self._open.get(header.producer_id)
        if (
            run is None
            or run.epoch != header.producer_epoch
            or run.transactional != bool(header.attributes & TRANSACTIONAL)
            or run.next_sequence != header.base_sequence
        ):
            run = self._begin(
                (header.producer_id, header.producer_epoch, header.base_sequence),
                header.base_offset,
                header.base_timestamp,
                batch.position,
                batch.size,
                transactional=batch.is_transactional,
            )
        run.add(
            header.base_offset,
            header.base_sequence,
            header.last_offset_delta,
            header.records_count,
            header.max_timestamp,
            batch.position,
        )

    def _begin(
        self, producer: tuple[int, int, int], base: int, timestamp: int, position: int, size: int, *, transactional: bool
    ) -> _OpenRun:
        """A run that begins with a batch."""
        run = self._open[producer[0]] = _OpenRun(
            producer, base, timestamp, position, size, transactional=transactional, hole=self.last_hole
        )
        self._events.append(run)
        return run

    def hole(self, offset: int) -> None:
        """Offsets are missing before `offset`."""
        self.last_hole = offset

    def end(self, end: TransactionEnd) -> None:
        """Add a transaction marker."""
        self._open.pop(end.producer_id, None)
        self._events.append(end)

    def blind(self, offset: int) -> None:
        """Bytes could not be read before `offset`: what is known about producers ends here."""
        self._open.clear()
        self._events.append(Cut(offset, blind=True))

    def __len__(self) -> int:
        """How many notes there are."""
        return len(self._events)

    def known(self) -> tuple[list[Event], object]:
        """All notes up to now, and what else was noted."""
        notes = [event.closed() if isinstance(event, _OpenRun) else event for event in self._events]
        return notes, (self._cut, self.last_hole, self.zeros, self.first_zeros)

    def finish(self) -> list[Event]:
        """All notes in log order; the cuts that no batch reached are the last."""
        self.reach(self._cuts[-1] if self._cuts else -1)
        return self.known()[0]
