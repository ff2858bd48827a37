"""The events of one partition: those that its batches show, and those that its files do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.dates import date_text
from kafkalog.core.filename import COORDINATOR_TOPICS
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.spoken import count_text
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.errors import KafkalogError
from kafkalog.files.segment import Segment, readable_records
from kafkalog.timeline.event import APPEND, MTIME, RECORD, Event, LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.core.log import Batch
    from kafkalog.files.partition import Partition
    from kafkalog.plot.overview import Overview, SegmentBar
    from kafkalog.timeline.topic_settings import TopicSettings

__all__ = ["PartitionEvents", "partition_events"]

_NS = 1_000_000
_SECOND = 1000
#: Offsets of a segment are written as 32 bits.
_MOST_OFFSETS = (1 << 31) - 1
#: Raised producer epochs that are named of a partition.
_RAISED = 1000
#: Segments whose retention is told.
_RETAINED = 1000
_EPOCH_FILE = "leader-epoch-checkpoint"


class PartitionEvents(NamedTuple):
    """The events of a partition, and what is only counted."""

    events: list[Event]
    left_out: list[LeftOut]


def partition_events(partition: Partition, broker: str, overview: Overview, settings: TopicSettings) -> PartitionEvents:
    """The events of a partition.

    Args:
        partition: Its directory.
        broker: The node id of its log dir; "".
        overview: What its batches show.
        settings: What is known of its topic's settings.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    reader = _Reader(partition, broker, overview, settings)
    events = [
        *reader.segments(),
        *reader.epochs(),
        *reader.transactions(),
        *reader.raised_epochs(),
        *reader.tombstones(),
        *reader.retention(),
        *reader.damage(),
        *reader.files(),
    ]
    return PartitionEvents(events, list(reader.left_out()))


class _Reader:
    """Makes events of what is known of a partition."""

    def __init__(self, partition: Partition, broker: str, overview: Overview, settings: TopicSettings) -> None:
        self._partition = partition
        self._broker = broker
        self._name = os.path.basename(partition.path)
        self._overview = overview
        self._settings = settings
        self._raised_more = self._retained_more = 0
        self._segments = {segment.base_offset: segment for segment in partition.segments}
        firsts = ((segment, next(segment.batches(), None)) for segment in partition.segments)
        self._firsts: dict[int, Batch] = {segment.base_offset: batch for segment, batch in firsts if batch is not None}

    def _event(
        self, time: int | None, source: str, kind: str, path: str, offset: int | None, message: str, **facts: object
    ) -> Event:
        return Event(time, source, kind, self._broker, self._name, path, offset, message, facts)

    def _log(self, offset: int) -> str:
        """The `.log` that has an offset."""
        path = self._partition.path
        for segment in self._overview.segments:
            if segment.base_offset > offset:
                break
            path = segment.path
        return path

    def _clock(self, offset: int) -> str:
        """Whose clock the timestamps around an offset are."""
        if self._partition.topic in COORDINATOR_TOPICS:
            return APPEND
        first = None
        for base, batch in self._firsts.items():
            if base > offset:
                break
            first = batch
        return APPEND if first is not None and first.timestamp_type == "LogAppendTime" else RECORD

    def _mtime(self, name: str) -> int | None:
        entry = self._partition.directory.entry(name)
        return None if entry is None or entry.state is None else entry.state[3] // _NS

    # --- segments ---

    def segments(self) -> Iterator[Event]:
        """What begins and ends with each segment."""
        bars = self._overview.segments
        largest = max((bar.size for bar in bars[:-1]), default=0)
        for number, bar in enumerate(bars):
            if bar.batches:
                offset = bar.first_offset
                message = f"segment {bar.base_offset} begins with offset {offset}"
                yield self._event(bar.first_time, self._clock(bar.base_offset), "segment-created", bar.path, offset, message)
            if number + 1 < len(bars):
                following = bars[number + 1]
                why = self._why_rolled(bar, following, largest if len(bars) > 2 else None)
                words = "; why is not known" if why is None else f", by {why}"
                after, time = self._rolled_at(bar.base_offset, following.base_offset)
                message = f"segment {bar.base_offset} was closed and {following.base_offset} begun{words}"
                if after is not None and time is not None and time - after > _SECOND:
                    message += f"; its .log was last written at {date_text(after)}"
                facts = {"why": why, "closed": bar.base_offset, "size": bar.size, "not_before": after}
                yield self._event(time, MTIME, "segment-rolled", following.path, following.base_offset, message, **facts)

    def _rolled_at(self, closed: int, begun: int) -> tuple[int | None, int | None]:
        """Between which times a segment was rolled.

        The indexes of the closed segment are cut to size then, and a snapshot is written, unless there is one from a stop at
        that offset; a recovery does both again. To the closed `.log` nothing is written any more.
        """
        written, saved = self._mtime(f"{closed:020}.log"), self._mtime(f"{begun:020}.snapshot")
        indexes = [self._mtime(f"{closed:020}{suffix}") for suffix in (".timeindex", ".index")]
        return written, min((time for time in indexes if time is not None), default=written if saved is None else saved)

    def _why_rolled(self, bar: SegmentBar, following: SegmentBar, largest: int | None) -> str | None:
        """Why a segment was rolled: `offsets`, `index-full`, `time`, `size`; None: nothing shows it."""
        if following.base_offset - bar.base_offset > _MOST_OFFSETS:
            return "offsets"
        entries = max((bar.index_entries or 0) * OFFSET_INDEX_ENTRY.size, self._time_index_size(bar.base_offset))
        if entries > self._settings.index_bytes - TIME_INDEX_ENTRY.size:
            return "index-full"
        if bar.first_time is not None and (following.first_time or 0) - bar.first_time >= self._settings.segment_ms:
            return "time"
        first = self._firsts.get(following.base_offset)
        if self._settings.segment_bytes is not None:
            largest = self._settings.segment_bytes
        if largest is not None and first is not None and bar.size + first.size > largest:
            return "size"
        return None

    def _time_index_size(self, base: int) -> int:
        return self._partition.directory.size_of(f"{base:020}.timeindex") or 0

    # --- files ---

    def files(self) -> Iterator[Event]:
        """When the epoch file was written last, and the snapshots at offsets where no segment begins."""
        path, time = self._partition.directory.path_of(_EPOCH_FILE), self._mtime(_EPOCH_FILE)
        file = self._partition.leader_epochs
        if time is not None and file is not None and file.entries:
            last = file.entries[-1]
            message = f"{_EPOCH_FILE} was written, its last epoch is {last.epoch} from offset {last.start_offset}"
            yield self._event(time, MTIME, "checkpoint-written", path, None, message, epoch=last.epoch)
        bases = {segment.base_offset for segment in self._partition.segments}
        for offset, path in self._partition.snapshots.items():
            if offset not in bases:
                message = f"the producers' state at offset {offset} was saved: the log ended there, at a stop or a truncation"
                time = self._mtime(os.path.basename(path))
                yield self._event(time, MTIME, "snapshot-written", path, offset, message)
                yield from self._cut(offset, time)

    def _cut(self, offset: int, time: int | None) -> Iterator[Event]:
        """That the log was cut where a snapshot is: a segment was deleted after it, and a later epoch has its offsets."""
        for name, path in self._partition.pending:
            if name.suffix != ".log" or name.pending != ".deleted" or name.base_offset < offset:
                continue
            try:
                first = next(Segment(name.base_offset, {".log": path}).batches(), None)
            except KafkalogError:
                continue
            if not isinstance(first, RecordBatch):
                continue
            before, now = first.header.partition_leader_epoch, self._epoch_at(first.base_offset)
            if now is not None and now > before >= 0:
                message = (
                    f"the log was cut to offset {offset}: segment {name.base_offset}, of leader epoch {before}, was deleted, "
                    f"and epoch {now} has written its offsets"
                )
                facts = {"epoch": now, "deleted_epoch": before, "deleted": name.base_offset}
                yield self._event(time, MTIME, "truncated?", path, offset, message, **facts)
                return

    def _epoch_at(self, offset: int) -> int | None:
        """The leader epoch of the batch that has an offset, about; None after the log's end."""
        return next((one.epoch for one in self._overview.stretches if one.last_offset >= offset), None)

    # --- epochs ---

    def epochs(self) -> Iterator[Event]:
        """Where leader epochs begin, by the epoch file, and by the batches where that does not say."""
        file = self._partition.leader_epochs
        entries: tuple[EpochEntry, ...] = () if file is None else tuple(file.entries)
        starts = {entry.epoch: entry.start_offset for entry in entries}
        for stretch in self._overview.stretches:
            if stretch.epoch >= 0:
                starts.setdefault(stretch.epoch, stretch.first_offset)
        end = (self._overview.last_offset if self._overview.last_offset is not None else -1) + 1
        for epoch, start in sorted(starts.items()):
            if start > end:
                path = self._partition.directory.path_of(_EPOCH_FILE)
                message = f"epoch {epoch} begins with offset {start} by {_EPOCH_FILE}, after the log's end {end}"
                facts = {"epoch": epoch, "start_offset": start, "log_end_offset": end}
                yield self._event(self._mtime(_EPOCH_FILE), MTIME, "truncated?", path, start, message, **facts)
                continue
            time = next((one.first_time for one in self._overview.stretches if one.last_offset >= start), None)
            message, path = f"leader epoch {epoch} begins with offset {start}", self._log(start)
            yield self._event(time, self._clock(start), "epoch-started", path, start, message, epoch=epoch, leader=None)

    # --- producers ---

    def transactions(self) -> Iterator[Event]:
        """Begin and end of each transaction that is kept; markers have the time of a broker."""
        for one in self._overview.transactions:
            who = f"producer {one.producer_id}, epoch {one.epoch}"
            facts = {"producer_id": one.producer_id, "producer_epoch": one.epoch}
            if one.records:
                path, clock = self._log(one.first_offset), self._clock(one.first_offset)
                message = f"{who} begins a transaction"
                yield self._event(one.first_time, clock, "transaction-begun", path, one.first_offset, message, **facts)
            message, clock = f"{who}: its transaction is {one.state}, {one.records} records", APPEND
            if one.state == "open":
                message, clock = f"{who}: its transaction is open, {one.records} records so far", self._clock(one.last_offset)
            path = self._log(one.last_offset)
            kind = f"transaction-{one.state}"
            yield self._event(one.last_time, clock, kind, path, one.last_offset, message, **facts, records=one.records)

    def raised_epochs(self) -> Iterator[Event]:
        """Producers that go on with a higher epoch: they were fenced, or began again."""
        epochs: dict[int, int] = {}
        told = 0
        for segment in self._partition.segments if self._has_producers() else ():
            for batch in segment.batches():
                if not isinstance(batch, RecordBatch) or batch.header.producer_id < 0:
                    continue
                producer, epoch = batch.header.producer_id, batch.header.producer_epoch
                before = epochs.get(producer, epoch)
                epochs[producer] = max(before, epoch)
                if epoch > before:
                    told += 1
                    if told <= _RAISED:
                        yield self._raised(segment, batch, before)
        self._raised_more = max(0, told - _RAISED)

    def _has_producers(self) -> bool:
        """Whether the partition may have seen a producer id: only then are its batches gone over once more."""
        return bool(self._partition.snapshots) or bool(self._overview.transactions_count) or len(self._firsts) <= 1

    def _raised(self, segment: Segment, batch: RecordBatch, before: int) -> Event:
        producer, epoch, time = batch.header.producer_id, batch.header.producer_epoch, batch.header.max_timestamp
        clock = APPEND if batch.is_control else self._clock(segment.base_offset)
        message = f"producer {producer} goes on with epoch {epoch} after {before}"
        facts = {"producer_id": producer, "producer_epoch": epoch, "before": before}
        offset, path = batch.base_offset, segment.paths[".log"]
        return self._event(time, clock, "producer-epoch-raised", path, offset, message, **facts)

    # --- what goes ---

    def tombstones(self) -> Iterator[Event]:
        """Records that delete a key, of each segment of a compacted log, at the time of the last one."""
        for segment in self._partition.segments if self._settings.compacts else ():
            number, first, last, time = 0, -1, -1, -1
            horizons = []
            for batch in segment.batches():
                if isinstance(batch, RecordBatch) and batch.is_control:
                    continue
                before = number
                for record in readable_records(batch):
                    if record.value is None and record.key is not None:
                        number, last, time = number + 1, record.offset, max(time, record.timestamp)
                        first = first if first >= 0 else record.offset
                if number > before and isinstance(batch, RecordBatch) and batch.delete_horizon_ms is not None:
                    horizons.append(batch.delete_horizon_ms)
            if number:
                horizon = min(horizons, default=None)
                gone = "" if horizon is None else f"; the cleaner may remove the first from {date_text(horizon)} on"
                message = f"{count_text(number, 'tombstone')} up to offset {last}{gone}"
                facts = {"tombstones": number, "last_offset": last, "delete_horizon": horizon}
                path, clock = segment.paths[".log"], self._clock(first)
                yield self._event(None if time < 0 else time, clock, "tombstones", path, first, message, **facts)

    def retention(self) -> Iterator[Event]:
        """From when on each segment may be deleted: the oldest ones first, each after its newest record is old enough."""
        settings = self._settings
        if not settings.deletes or settings.retention_ms < 0:
            return
        whose = "of the topic" if settings.is_retention_known else "Kafka's default"
        newest: int | None = None
        bars = [bar for bar in self._overview.segments if bar.batches]
        self._retained_more = max(0, len(bars) - _RETAINED)
        for bar in bars[:_RETAINED]:
            times = [time for time in (newest, bar.last_time, *self._indexed_times(bar.base_offset)) if time is not None]
            newest = max(times, default=None)
            if newest is None:
                continue
            base, clock = bar.base_offset, self._clock(bar.base_offset)
            message = f"segment {base} is old enough to be deleted from then on (retention.ms {settings.retention_ms}, {whose})"
            facts = {"retention_ms": settings.retention_ms, "is_default": not settings.is_retention_known, "newest": newest}
            time = newest + settings.retention_ms
            yield self._event(time, clock, "eligible-for-retention", bar.path, base, message, **facts)

    def _indexed_times(self, base: int) -> list[int]:
        """The largest timestamp of a segment, by its time index."""
        segment = self._segments[base]
        try:
            index = segment.time_index
        except KafkalogError:
            return []
        return [max(entry.timestamp for entry in index.entries)] if index is not None and index.entries else []

    # --- what is missing ---

    def damage(self) -> Iterator[Event]:
        """Gaps and damage, at the time of the batch before them."""
        for gap in self._overview.gaps:
            count = f"{gap.offsets} offset{'' if gap.offsets == 1 else 's'}"
            where = "" if gap.first_offset == gap.last_offset else f" to {gap.last_offset}"
            verb = "is" if gap.offsets == 1 else "are"
            message = f"{count} {verb} missing: {gap.first_offset}{where}"
            path, clock = self._log(gap.first_offset), self._clock(gap.first_offset)
            facts = {"last_offset": gap.last_offset, "is_damaged": gap.is_damaged, "after": gap.after}
            yield self._event(gap.before, clock, "gap", path, gap.first_offset, message, **facts)
        for one in self._overview.damages:
            message = f"bytes {one.start}..{one.end} are no batch: {one.reason}"
            span = [one.start, one.end]
            yield self._event(one.time, self._clock(one.offset), "damage", one.path, one.offset, message, span=span)

    def left_out(self) -> Iterator[LeftOut]:
        """What is not among the events."""
        overview, path = self._overview, self._partition.path
        more = {
            "gap": overview.gaps_count - len(overview.gaps),
            "damage": overview.damages_count - len(overview.damages),
            "producer-epoch-raised": self._raised_more,
            "eligible-for-retention": self._retained_more,
        }
        for state, number in overview.transactions_count.items():
            more[f"transaction-{state}"] = number - sum(one.state == state for one in overview.transactions)
        for kind, number in more.items():
            if number > 0:
                yield LeftOut(path, kind, number)
