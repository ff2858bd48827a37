"""Transactions: what the coordinator says in `__transaction_state`, joined with what is in the partitions.

A transaction is open in a partition from its first transactional batch to its marker.
Source: ProducerStateManager, 3.9; KIP-664 (find-hanging).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.control import read_control_record
from kafkalog.errors import FormatError, LimitExceeded, UnreadableFile
from kafkalog.files.arguments import check_type
from kafkalog.replay.logs import Log, Note, Notes, collect
from kafkalog.replay.producer_events import EventRecorder, TransactionEnd, transaction_end
from kafkalog.replay.producers import OpenTransaction, ProducerReplay, SegmentEvents
from kafkalog.replay.transaction_state import TOPIC, TransactionalId, TransactionState
from kafkalog.replay.until import END, Until

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.filename import PartitionName
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.logs import Paths

__all__ = ["AbortedTransaction", "OpenTransaction", "TransactionalId", "Transactions", "read_transactions"]

#: Notes about producers that are kept before they are replayed.
_MOST_EVENTS = 10_000


class AbortedTransaction(NamedTuple):
    """A transaction that an ABORT marker has ended in one partition; `first_offset` None: its data is no longer there."""

    path: str
    topic: str
    partition: int
    producer_id: int
    producer_epoch: int
    first_offset: int | None
    marker_offset: int
    marker_timestamp: int
    coordinator_epoch: int
    transactional_id: str | None


class Transactions(NamedTuple):
    """All that was found, ids and partitions ascending; `committed` and `aborted_count` count the markers."""

    ids: dict[str, TransactionalId]
    open: list[OpenTransaction]
    aborted: list[AbortedTransaction]
    aborted_count: int
    committed: int
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    loads: tuple[Load, ...] = ()

    def __repr__(self) -> str:
        return (
            f"Transactions({len(self.ids)} ids, {len(self.open)} open, {self.aborted_count} aborted, "
            f"{self.committed} committed, {len(self.notes)} notes, {len(self.problems)} problems)"
        )


def read_transactions(
    paths: Paths, until: Until = END, *, on_aborted: Callable[[AbortedTransaction], object] | None = None
) -> Transactions:
    """The state of all transactional ids, and the transactions in the partitions that are given.

    Args:
        paths: Log dirs, partition directories or `.log` files.
        until: Up to where the records of `__transaction_state` count, and with a time the batches in the partitions, too.
            Only the end proves that a transaction hangs: before it the verdict is "ongoing" or "unknown".
        on_aborted: Called with each aborted transaction when it is found. They are not collected then: there can be millions.
    """
    check_type("until", until, Until)
    logs = collect(paths, TOPIC)
    problems = list(logs.problems)
    notes = Notes()
    state = TransactionState(notes, until)
    for log in logs.wanted:
        state.read(log)
    problems += state.problems
    if not logs.wanted and not logs.others:
        problems.append(Note("", None, f"neither a partition of {TOPIC} nor another one was given"))
    collected: list[AbortedTransaction] = []
    partitions = _Partitions(Until(time=until.time), state.owners, on_aborted or collected.append, notes)
    for log in sorted(logs.others, key=lambda log: (log.topic or "", log.name.partition if log.name else 0)):
        try:
            partitions.read(log)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    return Transactions(
        ids=dict(sorted(state.ids.items())),
        open=[state.judged(item) for item in partitions.open],
        aborted=collected,
        aborted_count=partitions.aborted,
        committed=partitions.committed,
        notes=notes,
        problems=tuple(problems),
        records=state.records,
        loads=tuple(state.loads),
    )


class _Partitions:
    """The partitions beside `__transaction_state`; aborted transactions go where the caller wants them and are counted."""

    def __init__(
        self, until: Until, owners: dict[int, str], on_aborted: Callable[[AbortedTransaction], object], notes: list[Note]
    ) -> None:
        self.open: list[OpenTransaction] = []
        self.aborted = 0
        self.committed = 0
        self._until = until
        self._owners = owners
        self._on_aborted = on_aborted
        self._notes = notes

    def read(self, log: Log) -> None:
        """Replay the producers of a partition.

        Raises:
            UnreadableFile: a file cannot be read.
        """
        if log.name is None:
            return
        replay, recorder, last = ProducerReplay(), EventRecorder(), ""
        for path, item in log.walk():
            if path != last:
                self._replay(replay, recorder, log.name, last)
                recorder, last = EventRecorder(), path
            if isinstance(item, Damage):
                self._notes.append(log.damage_note(path, item))
                continue
            if not isinstance(item, RecordBatch) or not item.is_transactional:
                continue
            if not self._until.holds(item.base_offset, item.header.max_timestamp):
                continue
            if not item.crc_ok:
                self._notes.append(Note(path, item.base_offset, "the batch's CRC is wrong; it counts all the same"))
            if not item.is_control:
                recorder.data(item)
                continue
            recorder.end(self._end(item, path))
            if len(recorder) >= _MOST_EVENTS:
                self._replay(replay, recorder, log.name, path)
                recorder = EventRecorder()
        self._replay(replay, recorder, log.name, last)
        found = replay.open_transactions(log.name.topic, log.name.partition)
        self.open.extend(sorted(found, key=lambda transaction: transaction.first_offset))

    def _end(self, batch: RecordBatch, path: str) -> TransactionEnd:
        end: TransactionEnd | None = None
        try:
            for record in batch.records():
                end = transaction_end(batch, record.offset, record.timestamp, read_control_record(record.key, record.value))
        except (FormatError, LimitExceeded) as error:
            self._notes.append(Note(path, batch.base_offset, f"a marker that cannot be read: {error}"))
        return transaction_end(batch, batch.base_offset, batch.header.max_timestamp, None) if end is None else end

    def _replay(self, replay: ProducerReplay, recorder: EventRecorder, name: PartitionName, path: str) -> None:
        events = recorder.finish()
        ends = [event for event in events if isinstance(event, TransactionEnd) and event.committed is not None]
        aborted = iter(replay.feed(SegmentEvents(path, events)))
        replay.drop_idle()
        for end in ends:
            if end.committed:
                self.committed += 1
                continue
            self.aborted += 1
            first_offset = next(aborted).first_offset
            self._on_aborted(
                AbortedTransaction(
                    path=path,
                    topic=name.topic,
                    partition=name.partition,
                    producer_id=end.producer_id,
                    producer_epoch=end.epoch,
                    first_offset=first_offset if first_offset >= 0 else None,
                    marker_offset=end.offset,
                    marker_timestamp=end.timestamp,
                    coordinator_epoch=-1 if end.coordinator_epoch is None else end.coordinator_epoch,
                    transactional_id=self._owners.get(end.producer_id),
                )
            )
