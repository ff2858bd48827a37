"""What one segment holds: all its batches, or the first one and those after its last index entry."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import told_base_offset, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end_by_halving
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER
from kafkalog.core.tally import LogTally
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.errors import Truncated, UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.info.values import IndexInfo, NotRead, SegmentInfo
from kafkalog.replay.producer_events import EventRecorder, transaction_end
from kafkalog.replay.producers import SegmentEvents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.layout import Layout
    from kafkalog.core.log import Batch
    from kafkalog.files.directory import Directory
    from kafkalog.files.segment import Segment
    from kafkalog.replay.producers import ProducerReplay

__all__ = ["SegmentReader"]

T = TypeVar("T", bound=tuple[Any, ...])

#: Bytes of a `.log` that are read at a time for its ends.
_WINDOW = 1 << 16
#: Within how many bytes the first batch must end that is not asked for by its length.
_HEAD = 1 << 20
#: Most bytes from the last index entry to the end: more than that is a scan.
_TAIL = 8 << 20
#: Notes about producers that are kept before they are replayed.
_MOST_EVENTS = 10_000
_MS = 1_000_000


class SegmentReader:
    """Reads one segment.

    Args:
        segment: The segment.
        directory: The directory it lies in, as it was listed.
        until: Base offset of the next segment; None: it is the last one.
        is_full: Whether all its batches are gone over; else its ends.
        replay: What is told of transactions when all is gone over.
    """

    def __init__(
        self, segment: Segment, directory: Directory, until: int | None, replay: ProducerReplay | None, *, is_full: bool
    ) -> None:
        self._segment = segment
        self._base = segment.base_offset
        self._until = until
        self._is_full = is_full
        self._replay = replay
        self._entries = {suffix: directory.entry(path.rpartition("/")[2]) for suffix, path in segment.paths.items()}
        self._seen = LogTally()
        self._not_read = 0
        self._last_position: int | None = None
        self._is_whole = is_full
        self.problems: list[str] = []
        self.unreadable: list[NotRead] = []

    def read(self) -> SegmentInfo:
        """What the segment holds. What cannot be read is left out, and said by `problems` or `unreadable`."""
        paths = self._segment.paths
        indexes = {suffix: self._index(suffix) for suffix in paths if suffix != ".log"}
        log = self._entries.get(".log")
        if ".log" in paths:
            with self._reading(".log"):
                self._log(paths[".log"])
        else:
            self.problems.append("its .log is missing")
            self._is_whole = False
        seen = self._seen
        self._tell(seen)
        ends = None if seen.first is None or seen.last is None else (seen.first, seen.last)
        return SegmentInfo(
            path=paths.get(".log") or next(iter(paths.values())),
            base_offset=self._base,
            first_offset=None if ends is None else told_base_offset(ends[0]),
            last_offset=None if ends is None or (self._not_read and self._last_position is None) else ends[1].last_offset,
            is_scanned=self._is_whole,
            batches=seen.batches if self._is_whole else None,
            records=seen.records if self._is_whole else None,
            size=None if log is None else log.size,
            files_size=sum(entry.size or 0 for entry in self._entries.values() if entry is not None),
            bytes_not_read=self._not_read,
            oldest_timestamp=seen.oldest,
            newest_timestamp=seen.newest,
            codecs=seen.codecs,
            magics=tuple(sorted(seen.magics)),
            epochs=None if ends is None else _epochs(*ends),
            modified=None if log is None or log.state is None else log.state[3] // _MS,
            indexes=indexes,
            bad_crcs=seen.bad_crcs,
            damaged_bytes=seen.damaged_bytes,
            padding=seen.padding,
            problems=tuple(self.problems),
        )

    def _tell(self, seen: LogTally) -> None:
        """Put into words what is odd about the batches."""
        among = " of those that were read" if self._not_read else ""
        if seen.bad_crcs:
            batches = "1 batch" if seen.bad_crcs == 1 else f"{seen.bad_crcs} batches"
            verb, first = ("has", "") if seen.bad_crcs == 1 else ("have", ", the first")
            self.problems.append(f"{batches}{among} {verb} a wrong CRC{first} at position {seen.bad_at}")
        if seen.damaged_bytes:
            size = "1 byte is" if seen.damaged_bytes == 1 else f"{seen.damaged_bytes} bytes are"
            self.problems.append(f"{size} no batch, from position {seen.damaged_at} on{among and ', of those that were read'}")
        if self._not_read and self._last_position is None and seen.first is not None:
            self.problems.append("no index entry leads to its end, which was not looked for")
        if isinstance(seen.first, RecordBatch) and seen.first.base_offset < self._base:
            self.problems.append(f"it begins with offset {seen.first.base_offset}, below that of its name")

    @contextmanager
    def _reading(self, suffix: str) -> Iterator[None]:
        path = self._segment.paths[suffix]
        try:
            yield
        except UnreadableFile as error:
            self.unreadable.append(NotRead(path, error.reason))
            self.problems.append(f"its {suffix} cannot be read: {error.reason}")
            self._is_whole = False if suffix == ".log" else self._is_whole

    # --- the files beside the log ---

    def _index(self, suffix: str) -> IndexInfo:
        entry = self._entries[suffix]
        size = None if entry is None else entry.size
        if suffix == ".txnindex":
            return IndexInfo(size, (size or 0) // ABORTED_TXN.size)
        if suffix == ".snapshot":
            return IndexInfo(size, max(0, (size or 0) - SNAPSHOT_HEADER.size) // PRODUCER_ENTRY.size)
        entries = None
        with self._reading(suffix), FileSource(self._segment.paths[suffix], _WINDOW) as source:
            entries = self._offset_index(source) if suffix == ".index" else self._time_index(source)
        return IndexInfo(size, entries)

    def _offset_index(self, source: FileSource) -> int:
        used = _used(source, OFFSET_INDEX_ENTRY)
        if used:
            self._last_position = _last(source, OFFSET_INDEX_ENTRY, used).position
        return used

    def _time_index(self, source: FileSource) -> int:
        """The last entry tells the largest timestamp so far, if it is about an offset that the segment can have."""
        used = _used(source, TIME_INDEX_ENTRY)
        if used:
            last = _last(source, TIME_INDEX_ENTRY, used)
            below = self._until is None or self._base + last.relative_offset < self._until
            if last.relative_offset >= 0 and below:
                self._seen.time(last.timestamp)
        return used

    # --- the log ---

    def _log(self, path: str) -> None:
        with FileSource(path) if self._is_full else FileSource(path, _WINDOW) as source:
            start = self._tail_start(source)
            if self._is_full or source.size <= _WINDOW or (start is None and self._until is None):
                self._is_whole = True
                self._scan(source, path)
            else:
                self._ends(source, start)

    def _scan(self, source: FileSource, path: str) -> None:
        recorder = EventRecorder()
        for item in walk(source):
            self._seen.add(item)
            if isinstance(item, RecordBatch) and item.is_transactional:
                if item.is_control:
                    recorder.end(transaction_end(item, item.base_offset, item.header.max_timestamp, None))
                else:
                    recorder.data(item)
                if len(recorder) >= _MOST_EVENTS:
                    recorder = self._replayed(recorder, path)
        self._replayed(recorder, path)

    def _replayed(self, recorder: EventRecorder, path: str) -> EventRecorder:
        """A new recorder for what comes after what this one has."""
        if self._replay is not None:
            self._replay.feed(SegmentEvents(path, recorder.finish()))
            self._replay.drop_idle()
        return EventRecorder()

    def _tail_start(self, source: FileSource) -> int | None:
        """Where the batch is that the last index entry leads to; None: none is there, or it is too far from the end."""
        position = self._last_position
        self._last_position = None
        if position is None or not 0 < position < source.size or source.size - position > _TAIL:
            return None
        item = next(walk(source, position))
        if isinstance(item, RecordBatch | LegacyBatch) and item.crc_ok and item.last_offset >= self._base:
            self._last_position = position
        return self._last_position

    def _ends(self, source: FileSource, start: int | None) -> None:
        item = next(walk(source, 0, min(source.size, _HEAD)))
        if isinstance(item, Damage) and isinstance(item.error, Truncated):
            item = next(walk(source))
        self._seen.add(item)
        end = item.span.end
        if start is None:
            self._not_read = source.size - end
            return
        self._not_read = max(0, start - end)
        for item in walk(source, max(start, end)):
            self._seen.add(item)


def _used(source: FileSource, layout: Layout[Any]) -> int:
    """How many entries of an index are in use."""
    return padded_end_by_halving(
        lambda number: not any(source.read(number * layout.size, layout.size)), source.size // layout.size
    )


def _last(source: FileSource, layout: Layout[T], used: int) -> T:
    return layout.read(source.read((used - 1) * layout.size, layout.size))


def _epochs(first: Batch, last: Batch) -> tuple[int, int] | None:
    if not isinstance(first, RecordBatch) or not isinstance(last, RecordBatch):
        return None
    return first.header.partition_leader_epoch, last.header.partition_leader_epoch
