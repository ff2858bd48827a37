"""What producers did in a log, as the notes that a replay of producers goes over."""

from __future__ import annotations

import re
from collections import deque
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from kafkalog.core.attributes import DELETE_HORIZON, LOG_APPEND_TIME, TRANSACTIONAL
from kafkalog.core.batch import LOG_OVERHEAD, BatchHeader
from kafkalog.core.control import ABORT, COMMIT
from kafkalog.core.log import NEVER
from kafkalog.core.record import increment_sequence, wrap64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.control import ControlRecord

__all__ = [
    "EPOCH",
    "LAST",
    "LAST_POSITION",
    "MAX_SEQUENCE",
    "NEXT_SEQUENCE",
    "PLAIN",
    "RECORDS",
    "RUN_ATTRIBUTES",
    "Cut",
    "Event",
    "EventRecorder",
    "Head",
    "LoneRuns",
    "ProducerRun",
    "TransactionEnd",
    "transaction_end",
]

MAX_SEQUENCE = 0x7FFFFFFF
#: Attributes that tell nothing but a codec, and whose clock it was.
PLAIN = frozenset(codec | clock for codec in range(5) for clock in (0, LOG_APPEND_TIME))
#: Attributes that may be added.
_ORDINARY = TRANSACTIONAL | DELETE_HORIZON
#: The record of a marker of version 0, key and value, with an epoch that is not negative.
_MARKER = re.compile(rb"\x20\0\0\0\x08\0\0\0(?P<type>[\0\1])\x0c\0\0(?P<epoch>[\0-\x7f]...)\0", re.DOTALL)
_COMMIT = bytes([COMMIT])


#: A batch header as it was unpacked: the fields of `BatchHeader`, `attributes` unsigned.
Head: TypeAlias = tuple[int, int, int, int, int, int, int, int, int, int, int, int, int]
_BASE, _LENGTH, _ATTRIBUTES, _DELTA, _BASE_TIMESTAMP, _MAX_TIMESTAMP, _PRODUCER, _SEQUENCE, _COUNT = map(
    BatchHeader._fields.index,
    (
        "base_offset",
        "batch_length",
        "attributes",
        "last_offset_delta",
        "base_timestamp",
        "max_timestamp",
        "producer_id",
        "base_sequence",
        "records_count",
    ),
)


RunFields: TypeAlias = tuple[int, int, int, Head, int, Head, int, int, int, int, int]


class ProducerRun(NamedTuple):
    """Data batches of one producer in a row, without a gap in their sequence numbers.

    `first` and `last` are the headers of the first and the last batch, `position` and `last_position` their places in bytes;
    `records` counts those of all. `attributes` are those with which the next batch is an ordinary one, -1 none. `hole` is the
    offset at which the last hole of the segment before the run ends, -1 when there is none. `next_marker` is the timestamp of
    the first marker of any producer in the segment after the first batch of a transaction, -1 when there is none. `last_marker`
    is the position of the last marker of several transactions that are one note, -1 where there are no several.
    """

    next_sequence: int
    epoch: int
    attributes: int
    first: Head
    position: int
    last: Head
    last_position: int
    records: int
    hole: int
    next_marker: int = -1
    last_marker: int = -1

    @property
    def producer_id(self) -> int:
        """The producer."""
        return self.first[_PRODUCER]

    @property
    def transactional(self) -> bool:
        """Whether the batches belong to a transaction."""
        return self.first[_ATTRIBUTES] & TRANSACTIONAL != 0

    @property
    def first_sequence(self) -> int:
        """The sequence number of the first record."""
        return self.first[_SEQUENCE]

    @property
    def first_offset(self) -> int:
        """The base offset of the first batch."""
        return self.first[_BASE]

    @property
    def first_timestamp(self) -> int:
        """The base timestamp of the first batch, milliseconds."""
        return self.first[_BASE_TIMESTAMP]

    @property
    def size(self) -> int:
        """Bytes of the first batch."""
        return LOG_OVERHEAD + self.first[_LENGTH]

    @property
    def last_base(self) -> int:
        """The base offset of the last batch."""
        return self.last[_BASE]

    @property
    def last_offset(self) -> int:
        """The last offset of the last batch."""
        return wrap64(self.last[_BASE] + self.last[_DELTA])

    @property
    def last_timestamp(self) -> int:
        """The largest timestamp of the last batch, milliseconds."""
        return self.last[_MAX_TIMESTAMP]

    @property
    def partial(self) -> bool:
        """Whether the last batch has lost records to compaction."""
        return self.last[_COUNT] <= self.last[_DELTA]


#: Where the fields of a run are.
NEXT_SEQUENCE, EPOCH, RUN_ATTRIBUTES, _FIRST, _POSITION, LAST, LAST_POSITION, RECORDS, _, _NEXT_MARKER, _LAST_MARKER = range(
    len(ProducerRun._fields)
)


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


class LoneRuns(NamedTuple):
    """The runs, one each, of producers that wrote outside of transactions, by producer id.

    All other notes of theirs, up to where the replay stops, came before: among those of other producers it makes no
    difference when these are taken in.
    """

    #: As plain tuples, of the fields of a `ProducerRun`.
    fields: dict[int, RunFields]

    def run_of(self, producer_id: int) -> ProducerRun:
        """The run of one of them."""
        return ProducerRun._make(self.fields[producer_id])

    def begun_late(self) -> list[int]:
        """Those whose run does not begin with the first number of a sequence."""
        return [producer_id for producer_id, run in self.fields.items() if run[3][_SEQUENCE] > 0]

    def first_offsets(self) -> dict[int, int]:
        """The base offset of the first batch of each."""
        return {producer_id: run[3][_BASE] for producer_id, run in self.fields.items()}

    def places(self) -> tuple[int, int]:
        """Where the first batch of all is, and where the last batch of one is, in bytes."""
        runs = self.fields.values()
        return min(map(itemgetter(_POSITION), runs)), max(map(itemgetter(LAST_POSITION), runs))


Event = ProducerRun | LoneRuns | TransactionEnd | Cut


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


#: A run that may get more batches: the fields of `ProducerRun`.
OpenRun: TypeAlias = list[Any]
_closed = partial(tuple.__new__, ProducerRun)


class _Committed:
    """A transaction that its marker has committed, the last of its producer, and those that were folded into it.

    `end` is its own marker, `offset`, `timestamp` and `position` are those of the last one. `takes_more`: it continues another
    one in every respect, so those that continue it are folded into it. `next` is the run that continues it and that no marker
    has ended yet. `record` is that of its marker where nothing in that is odd.
    """

    __slots__ = ("end", "next", "offset", "position", "record", "run", "takes_more", "timestamp")

    def __init__(self, run: OpenRun, end: TransactionEnd, *, takes_more: bool) -> None:
        self.run = run
        self.end = end
        self.takes_more = takes_more
        self.next: OpenRun | None = None
        self.record = b""
        self.offset, self.timestamp, self.position = end.offset, end.timestamp, end.position

    def fold(self, run: OpenRun, offset: int, timestamp: int, position: int) -> None:
        """Take in the next transaction: its batches; offset, timestamp and position of its marker."""
        own = self.run
        own[NEXT_SEQUENCE] = run[NEXT_SEQUENCE]
        own[LAST] = run[LAST]
        own[LAST_POSITION] = run[LAST_POSITION]
        own[RECORDS] += run[RECORDS]
        own[_LAST_MARKER] = self.position = position
        self.offset, self.timestamp = offset, timestamp
        self.next = None

    def notes(self) -> Iterator[tuple[int, _Note]]:
        """Its run, and the last marker in the place of its own."""
        yield self.run[_POSITION], self.run
        yield self.end.position, self.end._replace(offset=self.offset, timestamp=self.timestamp, position=self.position)


_Note: TypeAlias = OpenRun | TransactionEnd
#: What was noted between two stops: in log order, and the runs outside of transactions to which more could have come.
_Section: TypeAlias = tuple[list[_Note], dict[int, OpenRun]]


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
        #: The transactions that may be continued, by producer id.
        self.committed: dict[int, _Committed] = {}
        self._stops: list[tuple[_Section, Cut]] = []
        self._notes: list[tuple[int, _Note]] = []  # of what is over since the last stop, each with its position in the file
        self._folds = folds
        self._has_transactions = False
        self._before_marker: list[OpenRun] = []  # begun since the last marker of any producer
        self._last_abort = -1  # its position
        self._cuts = deque(cuts)
        #: The next offset at which the replay wants to stop.
        self.cut = self._cuts[0] if self._cuts else NEVER
        self.last_hole = -1
        #: Batches that claim epoch 0 and sequence 0 of no producer: how many; position, first and last offset of the first.
        self.zeros = 0
        self.first_zeros = (-1, -1, -1)

    def takes(self, head: Head, position: int) -> bool:
        """Add a sound data batch in which nothing is odd; False, and nothing done, when something is.

        A batch without a producer is fine too.
        """
        base, _, _, _, _, attributes, delta, _, _, producer_id, epoch, sequence, _ = head
        if attributes & ~_ORDINARY not in PLAIN:
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
        ordinary = -1 if attributes & DELETE_HORIZON else attributes
        self._add(head, position, sequence + delta + 1, ordinary)
        return True

    def takes_marker(self, record: bytes | bytearray, head: Head, position: int) -> bool:
        """Add a batch that is a transaction marker in which nothing is odd; False, and nothing done, when something is.

        `record` is what follows its header.
        """
        base, length, _, _, _, _, _, _, timestamp, producer_id, epoch, sequence, _ = head
        if sequence != -1 or base >= self.cut:
            return False
        committed = self.committed.get(producer_id)
        if committed is not None and committed.record == record and self._folds_into(committed):
            run = committed.next
            if run is not None and run[EPOCH] == epoch:
                self._tell_marker(timestamp)
                del self.runs[producer_id]
                committed.fold(run, base, timestamp, position)
                return True
        found = _MARKER.fullmatch(record)
        if found is None or producer_id < 0 or epoch < 0:
            return False
        coordinator_epoch = int.from_bytes(found["epoch"], "big")
        is_commit, size = found["type"] == _COMMIT, LOG_OVERHEAD + length
        self.end(TransactionEnd(producer_id, epoch, is_commit, coordinator_epoch, base, timestamp, position, size))
        if producer_id in self.committed:
            self.committed[producer_id].record = bytes(record)
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
        attributes, sequence, delta = header.attributes & 0xFFFF, header.base_sequence, header.last_offset_delta
        following = sequence + delta + 1
        if delta < 0 or following > MAX_SEQUENCE:
            last = increment_sequence(sequence, max(0, delta))
            following = 0 if last == MAX_SEQUENCE else last + 1
        ordinary = attributes if attributes & ~TRANSACTIONAL in PLAIN else -1
        base, length, leader, magic, crc, _, _, *times, producer_id, epoch, _, count = header
        first, last = times
        head = base, length, leader, magic, crc, attributes, delta, first, last, producer_id, epoch, sequence, count
        self._add(head, batch.position, following, ordinary)

    def _add(self, head: Head, position: int, following: int, ordinary: int) -> None:
        """Add a batch to the run that it continues, or begin one with it.

        Args:
            head: Its header.
            position: Where it is in the file.
            following: The sequence number that comes next.
            ordinary: The attributes with which the next one is an ordinary one, -1 none.
        """
        _, _, _, _, _, attributes, _, _, _, producer_id, epoch, sequence, count = head
        transactional = attributes & TRANSACTIONAL
        run = self.runs.get(producer_id)
        if run is not None:
            same = run[NEXT_SEQUENCE] == sequence and run[EPOCH] == epoch
            if same and run[_FIRST][_ATTRIBUTES] & TRANSACTIONAL == transactional:
                run[NEXT_SEQUENCE] = following
                run[RUN_ATTRIBUTES] = ordinary
                run[LAST] = head
                run[LAST_POSITION] = position
                run[RECORDS] += count
                return
            self._notes.append((run[_POSITION], run))
        begun = [following, epoch, ordinary, head, position, head, position, count, self.last_hole, -1, -1]
        self.runs[producer_id] = begun
        if transactional:
            self._has_transactions = True
            self._before_marker.append(begun)
        committed = self.committed.get(producer_id)
        if committed is None:
            return
        before = committed.run
        if run is None and transactional and before[NEXT_SEQUENCE] == sequence >= 0 and before[EPOCH] == epoch:
            committed.next = begun
        else:
            self._notes += self.committed.pop(producer_id).notes()

    def hole(self, offset: int) -> None:
        """Offsets are missing before `offset`."""
        self.last_hole = offset

    def end(self, end: TransactionEnd) -> None:
        """Add a transaction marker."""
        self._tell_marker(end.timestamp)
        run = self.runs.pop(end.producer_id, None)
        committed = self.committed.get(end.producer_id)
        is_whole = bool(
            self._folds
            and end.committed
            and end.coordinator_epoch is not None
            and run is not None
            and run[_FIRST][_ATTRIBUTES] & TRANSACTIONAL
            and run[EPOCH] == end.epoch
            and run[_FIRST][_SEQUENCE] >= 0
        )
        continues = False
        if committed is not None:
            continues = is_whole and committed.next is run and committed.end.coordinator_epoch == end.coordinator_epoch
            if run is not None and continues and self._folds_into(committed):
                committed.fold(run, end.offset, end.timestamp, end.position)
                return
            self._notes += self.committed.pop(end.producer_id).notes()
        if run is not None and is_whole:
            self.committed[end.producer_id] = _Committed(run, end, takes_more=continues)
            return
        if run is not None:
            self._notes.append((run[_POSITION], run))
        self._notes.append((end.position, end))
        if not end.committed:
            self._last_abort = end.position

    def _folds_into(self, committed: _Committed) -> bool:
        """Whether what continues a transaction is folded into it: no transaction was aborted since that one began."""
        return committed.takes_more and committed.run[_POSITION] > self._last_abort

    def _tell_marker(self, timestamp: int) -> None:
        """A marker of any producer: the transactions begun before it have their next one."""
        for run in self._before_marker:
            run[_NEXT_MARKER] = timestamp
        self._before_marker.clear()

    def blind(self, offset: int) -> None:
        """Bytes could not be read before `offset`: what is known about producers ends here."""
        self._stop(Cut(offset, blind=True))

    def _stop(self, cut: Cut) -> None:
        """Everything is over."""
        self._stops.append((self._since(), cut))
        self.runs.clear()
        self._notes.clear()
        self.committed.clear()

    def _since(self) -> _Section:
        """What was noted since the last stop."""
        notes = self._notes.copy()
        for committed in self.committed.values():
            notes += committed.notes()
        lone = self.runs.copy()
        if self._has_transactions:
            for producer_id, run in self.runs.items():
                if run[_FIRST][_ATTRIBUTES] & TRANSACTIONAL:
                    notes.append((lone.pop(producer_id)[_POSITION], run))
        notes.sort(key=itemgetter(0))
        return [note for _, note in notes], lone

    def __len__(self) -> int:
        """How many notes there are."""
        return len(self._notes) + len(self.runs) + sum(len(notes) + len(lone) + 1 for (notes, lone), _ in self._stops)

    def known(self) -> tuple[list[Event], object]:
        """All notes up to now, in log order, and what else was noted."""
        events: list[Event] = []
        for section, cut in self._stops:
            events += _events_of(section)
            events.append(cut)
        events += _events_of(self._since())
        return events, (self.cut, self.last_hole, self.zeros, self.first_zeros)

    def finish(self) -> list[Event]:
        """All notes in log order; the cuts that no batch reached are the last."""
        self.reach(self._cuts[-1] if self._cuts else -1)
        return self.known()[0]


def _events_of(section: _Section) -> Iterator[Event]:
    notes, lone = section
    for note in notes:
        yield _closed(note) if isinstance(note, list) else note
    if lone:
        yield LoneRuns(dict(zip(lone, map(tuple, lone.values()), strict=True)))
