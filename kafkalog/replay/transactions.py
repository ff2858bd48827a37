"""Transactions: what the coordinator says in `__transaction_state`, joined with what is in the partitions.

A transaction is open in a partition from its first transactional batch to its marker.
Source: ProducerStateManager, 3.9; KIP-664 (find-hanging).
"""

from __future__ import annotations

from bisect import bisect_right
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.attributes import CODEC_MASK
from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.control import read_control_record
from kafkalog.core.filename import is_metadata_log
from kafkalog.errors import FormatError, LimitExceeded, UnreadableFile
from kafkalog.files.arguments import check_type
from kafkalog.files.broker import same_broker
from kafkalog.files.log_dir import LogDir
from kafkalog.replay.logs import Log, Note, Notes, collect
from kafkalog.replay.producer_events import EventRecorder, TransactionEnd, transaction_end
from kafkalog.replay.producers import OpenTransaction, ProducerReplay, SegmentEvents
from kafkalog.replay.transaction_state import TOPIC, Copy, TransactionalId, TransactionState
from kafkalog.replay.until import END, Until
from kafkalog.services import service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.filename import PartitionName
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.image import Image
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
    """All that was found, ids and partitions ascending, hanging transactions before the other open ones.

    `committed` and `aborted_count` count the markers.
    """

    ids: dict[str, TransactionalId]
    open: list[OpenTransaction]
    aborted: list[AbortedTransaction]
    aborted_count: int
    committed: int
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    loads: tuple[Load, ...] = ()

    def _repr_html_(self) -> str:
        return str(service("html")(self))

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
    copies = _Copies(logs.wanted)
    if not logs.wanted and not logs.others and not problems:
        problems.append(Note("", None, f"neither a partition of {TOPIC} nor another one was given"))
    collected: list[AbortedTransaction] = []
    partitions = _Partitions(Until(time=until.time), state.owners, on_aborted or collected.append, notes)
    for log in sorted(logs.others, key=lambda log: (log.topic or "", log.name.partition if log.name else 0)):
        try:
            partitions.read(log)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    begun = [(state.judged(item, partial(copies.of, log)), log) for item, log in partitions.open]
    return Transactions(
        ids=dict(sorted(state.ids.items())),
        open=_with_what_they_block(begun, problems),
        aborted=collected,
        aborted_count=partitions.aborted,
        committed=partitions.committed,
        notes=notes,
        problems=tuple(problems),
        records=state.records,
        loads=tuple(state.loads),
    )


def _with_what_they_block(begun: list[tuple[OpenTransaction, Log]], problems: list[Note]) -> list[OpenTransaction]:
    """Open transactions, the hanging ones first, with what these block."""
    hanging: dict[int, tuple[Log, list[OpenTransaction]]] = {}
    others: dict[str, list[OpenTransaction]] = {"unknown": [], "ongoing": []}
    for transaction, log in begun:
        if transaction.verdict == "hanging":
            hanging.setdefault(id(log), (log, []))[1].append(transaction)
        else:
            others[transaction.verdict].append(transaction)
    found = []
    for log, transactions in hanging.values():
        try:
            blocked = _blocked(log, transactions)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
            found += transactions
            continue
        for item, (records, size) in zip(transactions, blocked, strict=True):
            found.append(item._replace(blocked_records=records, blocked_bytes=size))
    return found + others["unknown"] + others["ongoing"]


def _blocked(log: Log, transactions: list[OpenTransaction]) -> list[tuple[int, int]]:
    """Records and bytes of data from each of the transactions of a partition on, which begin at ascending offsets.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    starts = [transaction.first_offset for transaction in transactions]
    records, sizes = [0] * len(starts), [0] * len(starts)
    for _, item in log._replace(files=log.files[log.files.index(transactions[0].path) :]).walk():
        if isinstance(item, RecordBatch) and not item.is_control and item.last_offset >= starts[0]:
            at = bisect_right(starts, item.last_offset) - 1
            records[at] += item.header.records_count
            sizes[at] += item.size
    totals = zip(accumulate(reversed(records)), accumulate(reversed(sizes)), strict=True)
    return list(totals)[::-1]


class _Copies:
    """How partitions and `__transaction_state` came to be here; looked at when a transaction is open.

    Args:
        states: The logs of `__transaction_state`.
    """

    def __init__(self, states: Iterable[Log]) -> None:
        self._states = states
        self._log_dirs: dict[str, LogDir | None] = {}
        self._images: dict[str, Image | None] = {}
        self._copies: dict[str, Copy] = {}

    def of(self, log: Log) -> Copy:
        """How a partition and the topic came to be here."""
        path = log.home
        if path not in self._copies:
            self._copies[path] = self._copy(path)
        return self._copies[path]

    def _copy(self, path: str) -> Copy:
        log_dirs = [self._log_dir(one) for one in dict.fromkeys((path, *(log.home for log in self._states)))]
        left = [one for one in log_dirs if one is not None and one.clean_stop is True]
        if left != log_dirs or any(one is not left[0] and not same_broker(one, left[0]) for one in left):
            return Copy(is_one_stop=False)
        images = map(self._image, left)
        return Copy(is_one_stop=True, image=next((image for image in images if image is not None), None))

    def _log_dir(self, path: str) -> LogDir | None:
        if path not in self._log_dirs:
            try:
                self._log_dirs[path] = LogDir(path)
            except UnreadableFile:
                self._log_dirs[path] = None
        return self._log_dirs[path]

    def _image(self, log_dir: LogDir) -> Image | None:
        """The cluster's metadata, if its log is in a log dir."""
        from kafkalog.replay.metadata import read_metadata  # most have no open transaction

        if log_dir.path not in self._images:
            name = next((name for name in log_dir.partition_names if is_metadata_log(name)), None)
            try:
                self._images[log_dir.path] = None if name is None else read_metadata(log_dir.partition(name)).image
            except UnreadableFile:
                self._images[log_dir.path] = None
        return self._images[log_dir.path]


def _takes_marker(recorder: EventRecorder, batch: RecordBatch) -> bool:
    """Note a batch that is an ordinary marker; False, and nothing done, when anything about it is odd."""
    header, data = batch.header, batch.data
    if not isinstance(data, bytes) or header.attributes & CODEC_MASK or header.records_count != 1 or header.last_offset_delta:
        return False
    if header.base_timestamp != header.max_timestamp:
        return False
    return recorder.takes_marker(data[BATCH_HEADER.size :], header, batch.position)


class _Partitions:
    """The partitions beside `__transaction_state`; aborted transactions go where the caller wants them and are counted."""

    def __init__(
        self, until: Until, owners: dict[int, str], on_aborted: Callable[[AbortedTransaction], object], notes: list[Note]
    ) -> None:
        #: With the log that each is in.
        self.open: list[tuple[OpenTransaction, Log]] = []
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
            if not _takes_marker(recorder, item):
                recorder.end(self._end(item, path))
            if len(recorder) >= _MOST_EVENTS:
                self._replay(replay, recorder, log.name, path)
                recorder = EventRecorder()
        self._replay(replay, recorder, log.name, last)
        found = replay.open_transactions(log.name.topic, log.name.partition)
        self.open.extend((begun, log) for begun in sorted(found, key=lambda begun: begun.first_offset))

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
