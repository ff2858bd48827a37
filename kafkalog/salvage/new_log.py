"""Writing the logs of a new partition directory, and following the producers in them."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.checksum import crc32c
from kafkalog.core.control import read_control_record
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_VERSION, ProducerEntry
from kafkalog.core.source import HELD, WindowedBytes
from kafkalog.errors import FormatError
from kafkalog.files.source import FileSource
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.file_names import segment_file_name
from kafkalog.kafka.indexes import fits_index
from kafkalog.kafka.log_input_stream import MAX_SEGMENT_SIZE
from kafkalog.replay.producer_events import EventRecorder, TransactionEnd, transaction_end
from kafkalog.replay.producers import ProducerReplay, SegmentEvents
from kafkalog.salvage.candidates import NO_EPOCH
from kafkalog.salvage.flips import flipped
from kafkalog.salvage.values import DoubtfulTransaction, Kept
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO

    from kafkalog.files.output_file import NewTree
    from kafkalog.replay.producers import ProducerState
    from kafkalog.salvage.selection import Chosen
    from kafkalog.salvage.values import Flip

__all__ = ["KnownProducers", "NewLog", "WrittenLog"]

_OPEN_FILES = 8
_AT_ONCE = 1 << 20
_CRC_END = SNAPSHOT_HEADER["crc"].end


class KnownProducers(NamedTuple):
    """The producers known at an offset."""

    offset: int
    entries: tuple[ProducerEntry, ...]


class WrittenLog(NamedTuple):
    """What was written: runs of batches, leader epochs, and base offsets of the segments with the offset each ends at."""

    kept: tuple[Kept, ...]
    epochs: LeaderEpochs
    segments: tuple[tuple[int, int], ...]
    replay: ProducerReplay
    doubtful: tuple[DoubtfulTransaction, ...]


class _Run:
    """Batches that stand one after the other in the source and in the new log."""

    def __init__(self, chosen: Chosen, position: int) -> None:
        candidate = chosen.candidate
        self.log, self.epoch, self.first = chosen.log, candidate.epoch, candidate.base
        self.position, self.source_position = position, candidate.position
        self.size = self.batches = self.records = 0
        self.last = candidate.last
        self.digest = hashlib.sha256()
        self.flips: list[Flip] = []

    def takes(self, chosen: Chosen) -> bool:
        candidate = chosen.candidate
        where = self.source_position + self.size
        return (chosen.log.path, candidate.epoch, candidate.position) == (self.log.path, self.epoch, where)

    def add(self, chosen: Chosen) -> None:
        candidate = chosen.candidate
        self.size += candidate.size
        self.batches += 1
        self.records += candidate.records
        self.last = candidate.last
        self.flips += [] if chosen.flip is None else [chosen.flip]

    def kept(self, path: str) -> Kept:
        return Kept(
            path,
            Span(self.position, self.position + self.size),
            self.log.path,
            Span(self.source_position, self.source_position + self.size),
            (self.first, self.last),
            None if self.epoch == NO_EPOCH else self.epoch,
            self.batches,
            self.records,
            self.digest.hexdigest(),
            tuple(self.flips),
        )


class NewLog:
    """The logs of a new partition directory, written batch by batch.

    Args:
        tree: Where it is written.
        folder: The partition directory, as it is called meanwhile.
        path: The same, as it will be called.
        known: The producers known where the source's log begins; they count where the new log begins there, too.
        with_snapshots: Whether to write a `.snapshot` where each segment begins, and at the end.
    """

    def __init__(self, tree: NewTree, folder: str, path: str, known: KnownProducers, *, with_snapshots: bool) -> None:
        self._tree = tree
        self._folder = folder
        self._path = path
        self._with_snapshots = with_snapshots
        self._sources: OrderedDict[str, FileSource] = OrderedDict()
        self._stack = ExitStack()
        self._file: IO[bytes] | None = None
        self._base = self._size = 0
        self._end: int | None = None
        self._run: _Run | None = None
        self._kept: list[Kept] = []
        self._segments: list[tuple[int, int]] = []
        self._epochs = LeaderEpochs()
        self._recorder = EventRecorder()
        self._known = known
        self._replay: ProducerReplay | None = None
        self._follower = _LossFollower()

    def write(self, row: Iterable[Chosen], empty_base: int | None) -> WrittenLog:
        """Write all of a row of batches.

        Args:
            row: The batches.
            empty_base: Base offset of the empty log that is written if there are none, so that its offsets go on from there;
                None: none is.
        """
        try:
            for chosen in row:
                self._add(chosen)
            self._end_segment()
            if self._end is None and empty_base is not None:
                self._write_empty(empty_base)
            if self._end:
                self._snapshot(self._end)
        finally:
            self._stack.close()
            for source in self._sources.values():
                source.close()
        replay = self._replay or ProducerReplay(from_start=True)
        return WrittenLog(tuple(self._kept), self._epochs, tuple(self._segments), replay, tuple(self._follower.doubtful))

    def _write_empty(self, base: int) -> None:
        with self._tree.file(os.path.join(self._folder, segment_file_name(base, ".log"))):
            self._segments.append((base, base))
        self._replay = ProducerReplay()
        self._end = base

    def _add(self, chosen: Chosen) -> None:
        candidate = chosen.candidate
        if self._file is None or self._begins_segment(chosen):
            self._begin_segment(chosen)
        if self._run is None or not self._run.takes(chosen):
            self._end_run()
            self._run = _Run(chosen, self._size)
        self._run.add(chosen)
        self._copy(chosen)
        if candidate.epoch >= 0 and (self._epochs.latest_epoch is None or candidate.epoch > self._epochs.latest_epoch):
            self._epochs.assign(candidate.epoch, candidate.base)
        self._size += candidate.size
        self._end = candidate.last + 1

    def _begins_segment(self, chosen: Chosen) -> bool:
        """Whether a batch begins a segment: where it does in its source, and where the one before can hold no more."""
        candidate = chosen.candidate
        begins = chosen.log.base > self._base and self._end is not None and chosen.log.base >= self._end
        fits = fits_index(candidate.last, self._base) and self._size + candidate.size <= MAX_SEGMENT_SIZE
        return begins or not fits

    def _begin_segment(self, chosen: Chosen) -> None:
        candidate = chosen.candidate
        self._end_segment()
        begins = chosen.log.base >= (self._end or 0) and fits_index(candidate.last, chosen.log.base)
        self._base = chosen.log.base if begins else candidate.base
        if self._replay is None:
            self._replay = ProducerReplay(from_start=self._base == 0)
            known = self._known.entries if self._known.offset == self._base == candidate.base else ()
            for entry in known:
                self._replay.adopt(entry, self._log_path())
        if self._segments:  # of one at the log's start a broker takes no notice
            self._snapshot(self._base)
        path = os.path.join(self._folder, segment_file_name(self._base, ".log"))
        self._file = self._stack.enter_context(self._tree.file(path))
        self._size = 0

    def _log_path(self) -> str:
        return os.path.join(self._path, segment_file_name(self._base, ".log"))

    def _end_run(self) -> None:
        if self._run is not None:
            self._kept.append(self._run.kept(self._log_path()))
            self._run = None

    def _end_segment(self) -> None:
        if self._file is None:
            return
        self._end_run()
        self._stack.pop_all().close()
        self._file = None
        assert self._end is not None
        assert self._replay is not None
        self._segments.append((self._base, self._end))
        self._replay.feed(SegmentEvents(self._log_path(), self._recorder.finish()))
        self._recorder = EventRecorder()

    # --- bytes ---

    def _source(self, path: str) -> FileSource:
        source = self._sources.pop(path, None)
        if source is None:
            source = FileSource(path)
            while len(self._sources) >= _OPEN_FILES:
                self._sources.popitem(last=False)[1].close()
        self._sources[path] = source
        return source

    def _copy(self, chosen: Chosen) -> None:
        assert self._file is not None
        assert self._run is not None
        candidate, source = chosen.candidate, self._source(chosen.log.path)
        if candidate.size <= HELD:
            data = source.read(candidate.position, candidate.size)
            if chosen.flip is not None:
                data = flipped(data, chosen.flip.position - candidate.position, chosen.flip.bit)
            self._file.write(data)
            self._run.digest.update(data)
            self._follow(chosen, RecordBatch.read(data, self._size) if candidate.epoch != NO_EPOCH else None)
            return
        for piece in _pieces(source, candidate.position, candidate.size):
            self._file.write(piece)
            self._run.digest.update(piece)
        whole = WindowedBytes(source, candidate.position, candidate.size)
        self._follow(chosen, RecordBatch.read(whole, self._size) if candidate.epoch != NO_EPOCH else None)

    # --- producers ---

    def _follow(self, chosen: Chosen, batch: RecordBatch | None) -> None:
        lost = None
        if self._end is not None and chosen.candidate.base > self._end and chosen.candidate.after_damage:
            lost = (self._end, chosen.candidate.base - 1)
        self._follower.step(lost)
        if batch is None or not batch.has_producer:
            return
        self._recorder.reach(batch.base_offset)
        if batch.is_control:
            end = _end_of(batch)
            # One that the log cleaner has emptied changes nothing: its transaction is gone as a whole.
            if end.committed is not None:
                self._recorder.end(end)
                self._follower.ended(end)
        else:
            self._recorder.data(batch)
            self._follower.wrote(batch)

    def _snapshot(self, offset: int) -> None:
        """Write the `.snapshot` of what is known at an offset."""
        if not self._with_snapshots or self._replay is None:
            return
        states = [_entry_of(state) for state in self._replay.states.values()]
        entries = b"".join(map(PRODUCER_ENTRY.pack, states))
        crc = crc32c(SNAPSHOT_HEADER.pack((SNAPSHOT_VERSION, 0, len(states)))[_CRC_END:] + entries)
        path = os.path.join(self._folder, segment_file_name(offset, ".snapshot"))
        if not os.path.exists(path):
            with self._tree.file(path) as file:
                file.write(SNAPSHOT_HEADER.pack((SNAPSHOT_VERSION, crc, len(states))) + entries)


def _pieces(source: FileSource, position: int, size: int) -> Iterator[bytes]:
    for at in range(0, size, _AT_ONCE):
        yield source.read(position + at, min(_AT_ONCE, size - at))


def _end_of(batch: RecordBatch) -> TransactionEnd:
    """What a transaction marker says; an emptied one says nothing."""
    record = None if batch.header.records_count == 0 else next(batch.walk_records(), None)
    if record is None or isinstance(record, Damage):
        return transaction_end(batch, batch.base_offset, batch.header.max_timestamp, None)
    try:
        marker = read_control_record(record.key, record.value)
    except FormatError:
        marker = None
    return transaction_end(batch, batch.base_offset, record.timestamp, marker)


def _entry_of(state: ProducerState) -> ProducerEntry:
    return ProducerEntry(
        producer_id=state.producer_id,
        producer_epoch=state.epoch,
        last_sequence=state.last_sequence,
        last_offset=state.last_offset,
        offset_delta=state.offset_delta,
        timestamp=state.timestamp,
        coordinator_epoch=-1 if state.coordinator_epoch is None else state.coordinator_epoch,
        current_txn_first_offset=state.first_offset,
    )


class _LossFollower:
    """Finds transactions that were open where offsets are lost, and ended after that: the end may be another one's."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, tuple[int, int] | None]] = {}
        self.doubtful: list[DoubtfulTransaction] = []

    def step(self, lost: tuple[int, int] | None) -> None:
        """Offsets are lost before the next batch."""
        if lost is not None:
            self._open = {one: (first, before or lost) for one, (first, before) in self._open.items()}

    def wrote(self, batch: RecordBatch) -> None:
        """A batch of data."""
        if batch.is_transactional:
            self._open.setdefault(batch.header.producer_id, (batch.base_offset, None))

    def ended(self, end: TransactionEnd) -> None:
        """A marker."""
        first, lost = self._open.pop(end.producer_id, (0, None))
        if lost is not None:
            self.doubtful.append(DoubtfulTransaction(end.producer_id, first, end.offset, end.committed is True, lost))
