"""Loading one log: LogLoader (Log.loadSegments in 2.x)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkalog.kafka.behaviours import (
    DELETED_ONCE_NAMED,
    DELETES_UNREAD,
    EPOCHS_GO_WITH_LOG,
    EPOCHS_IN_EVERY_RECOVERY,
    FAILURE_EMPTIES_SEGMENT,
    LATER_SWAPS_GO,
    PRODUCERS_FOLLOWED_BEFORE,
    SHORT_LOG_GOES,
    SNAPSHOT_PER_SEGMENT,
    SNAPSHOTS_OF_WHOLE_LOG_UNMARKED,
    SWAP_RENAMED,
    UNSTABLE_OFFSET_LENIENT,
    UNSTABLE_OFFSET_SOUGHT,
)
from kafkalog.kafka.failure import BrokerAborts, InvalidOffset, LogDirOffline
from kafkalog.kafka.file_names import DELETED, INDEX_SUFFIXES, SWAP, offset_of_name, segment_file_name
from kafkalog.kafka.log_segment import LogSegment, SegmentOverflow
from kafkalog.kafka.log_segments import LogSegments
from kafkalog.kafka.producer_rebuild import rebuild_producers
from kafkalog.kafka.producer_states import ProducerStates
from kafkalog.kafka.split import replace_segments, split_segment
from kafkalog.kafka.swap_files import collect_swap_files, complete_swaps_by_renaming

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.kafka.epochs import LeaderEpochs
    from kafkalog.kafka.load_context import LoadContext

__all__ = ["LoadedLog", "LogLoader"]

T = TypeVar("T")
_LARGEST_OFFSET = (1 << 63) - 1


class LoadedLog(NamedTuple):
    """What loading ends with."""

    segments: LogSegments
    producers: ProducerStates
    log_start_offset: int
    log_end_offset: int


class LogLoader:
    """One load.

    Args:
        context: The directory, the release and the checkpoints.
        epochs: The leader epochs as read from their file.
    """

    def __init__(self, context: LoadContext, epochs: LeaderEpochs) -> None:
        self.context = context
        self.epochs = epochs
        self.segments = LogSegments(context.release)
        self.producers = ProducerStates(context)

    def load(self) -> LoadedLog:
        """Load the log.

        Raises:
            LoadFailure: it cannot be loaded; the overlay is as the broker would leave the directory.

        Source: LogLoader.load, Kafka 3.9.1; Log.loadSegments, Kafka 2.8.
        """
        context = self.context
        swaps = collect_swap_files(context)
        renames = SWAP_RENAMED.applies_to(context.release)
        if renames:
            complete_swaps_by_renaming(context, swaps)
        self._retry_on_overflow(self._load_segments)
        if not renames:
            self._complete_swaps_by_recovery(swaps)
        if context.settings.mark == "delete":
            if not self.segments:
                self.segments.add(LogSegment(context, 0))
            end_offset = 0
        else:
            end_offset = self._retry_on_overflow(self._recover_log)
            self._regrow_active_indexes()
        self.epochs.truncate_from_end(end_offset)
        start_offset = context.settings.log_start
        if not context.settings.is_tiered:
            start_offset = max(start_offset, self.segments.first.base_offset)
        # Up to 2.8 the log start offset had been raised to the first segment before; since then the checkpoint counts.
        self.epochs.truncate_from_start(context.settings.log_start if renames else start_offset)
        if SNAPSHOT_PER_SEGMENT.applies_to(context.release):
            self.producers.remove_stray_snapshots(self.segments.base_offsets)
        rebuild_producers(self.producers, self.segments, start_offset, end_offset, after_clean_stop=context.settings.clean)
        self._check_unstable_offset(start_offset, end_offset)
        return LoadedLog(self.segments, self.producers, start_offset, end_offset)

    def _retry_on_overflow(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except SegmentOverflow as overflow:
                split_segment(overflow.segment, self.segments, self.producers)

    def _load_segments(self) -> None:
        """Open every segment; those without a `.index` or with a bad `.txnindex` are recovered: loadSegmentFiles."""
        in_every = EPOCHS_IN_EVERY_RECOVERY.applies_to(self.context.release)
        self.context.epochs_in_recovery = self.epochs if in_every else None
        self.segments.clear()
        recovered: dict[str, list[int]] = {}
        try:
            self._open_segments(recovered)
        finally:
            for reason, bases in recovered.items():
                self.context.remark(_recovered_text(bases, reason))

    def _open_segments(self, recovered: dict[str, list[int]]) -> None:
        """Open them; `recovered` takes in why which are recovered."""
        disk = self.context.disk
        for name in disk.names():
            if name not in disk.files:
                continue
            if name.endswith(INDEX_SUFFIXES):
                if segment_file_name(offset_of_name(name), ".log") not in disk:
                    disk.delete(name)
            elif name.endswith(".log"):
                base_offset = offset_of_name(name)
                time_index_missing = segment_file_name(base_offset, ".timeindex") not in disk
                segment = LogSegment(self.context, base_offset)
                reason = segment.sanity_check(time_index_missing=time_index_missing)
                if reason is not None:
                    recovered.setdefault(reason, []).append(base_offset)
                    self.recover_segment(segment)
                self.segments.add(segment)

    def _complete_swaps_by_recovery(self, swaps: list[str]) -> None:
        """Recover each `.log.swap` and put it in place of the segments it overlaps: Log.completeSwapOperations, before 3.0."""
        context = self.context
        for name in swaps:
            segment = LogSegment(context, offset_of_name(name), SWAP)
            context.remark(f"an interrupted swap is completed: {name} is recovered and takes its place")
            self.recover_segment(segment)
            covered = self.segments.values(segment.base_offset, segment.read_next_offset())
            if LATER_SWAPS_GO.applies_to(context.release):
                covered = [old for old in covered if old.read_next_offset() > segment.base_offset]
            if segment.size or context.settings.is_compacted:
                # An empty segment covers nothing, and takes the place of the one with its name all the same.
                context.replaced.update((name.removesuffix(SWAP), *(old.name(".log") for old in covered)))
            replace_segments(self.segments, [segment], covered)

    def recover_segment(self, segment: LogSegment) -> int:
        """Recover one segment with the producers as they were at its start; returns the bytes cut: recoverSegment."""
        follows = PRODUCERS_FOLLOWED_BEFORE.applies_to(self.context.release)
        producers = ProducerStates(self.context, None if follows else self.producers)
        start = self.context.settings.log_start
        rebuild_producers(producers, self.segments, start, segment.base_offset, after_clean_stop=False, recovers=True)
        cut = segment.recover(producers)
        producers.take_snapshot()
        return cut

    def _recover_log(self) -> int:
        """Recover what was not flushed, and find the log's end; returns it: recoverLog."""
        context = self.context
        context.epochs_in_recovery = self.epochs
        if not context.settings.clean:
            self._recover_unflushed()
        end_offset: int | None = None
        if self.segments and SHORT_LOG_GOES.applies_to(context.release):
            end_offset = self.segments.last.read_next_offset()
            if end_offset < context.settings.log_start:
                context.remark(f"the log ends at {end_offset}, below its start {context.settings.log_start}: all segments go")
                marks = not SNAPSHOTS_OF_WHOLE_LOG_UNMARKED.applies_to(context.release)
                self.delete_segments(self.segments.all(), with_snapshots=marks)
                if EPOCHS_GO_WITH_LOG.applies_to(context.release):
                    self.epochs.clear()
                    self.producers.truncate_fully(context.settings.log_start)
                end_offset = None
        if not self.segments:
            start = context.settings.log_start if SHORT_LOG_GOES.applies_to(context.release) else 0
            self.segments.add(LogSegment(context, start))
        return self.segments.last.read_next_offset() if end_offset is None else end_offset

    def _recover_unflushed(self) -> None:
        # A segment at the largest offset of all is never among them.
        unflushed = self.segments.values(self.context.settings.recovery_point or 0, _LARGEST_OFFSET)
        for number, segment in enumerate(unflushed):
            try:
                cut = self.recover_segment(segment)
            except (InvalidOffset, LogDirOffline) as error:
                if isinstance(error, LogDirOffline) and not FAILURE_EMPTIES_SEGMENT.applies_to(self.context.release):
                    raise
                self.context.note_invalid(segment.name(".log"), 0, error.text)
                cut = segment.truncate(segment.base_offset)
            if cut > 0:
                self.delete_segments(unflushed[number + 1 :])
                return

    def delete_segments(self, segments: list[LogSegment], *, with_snapshots: bool = True) -> None:
        """Rename the files of segments for their deletion: removeAndDeleteSegmentsAsync."""
        release = self.context.release
        looks = not DELETES_UNREAD.applies_to(release)
        looks_first = DELETED_ONCE_NAMED.applies_to(release)
        if looks and looks_first:
            self._look_at(segments)
        for segment in segments:
            self.segments.remove(segment.base_offset)
            segment.change_suffix(DELETED)
            if with_snapshots:
                self.producers.mark_snapshot_deleted(segment.base_offset)
        if looks and not looks_first:
            self._look_at(segments)

    def _look_at(self, segments: list[LogSegment]) -> None:
        """Name segments in the broker's log, which opens the `.timeindex` of each."""
        for segment in segments:
            name = segment_file_name(segment.base_offset, ".timeindex")
            if name in self.context.disk.directories:
                raise LogDirOffline("FileNotFoundException", f"{name} is a directory", file=name)

    def _regrow_active_indexes(self) -> None:
        active = self.segments.last
        for extension in (".index", ".timeindex"):
            if active.name(extension) not in self.context.disk.files:
                self.context.disk.create(active.name(extension))

    def _check_unstable_offset(self, start_offset: int, end_offset: int) -> None:
        """Where the oldest open transaction begins must be found in the log: UnifiedLog.maybeIncrementFirstUnstableOffset."""
        first = self.producers.first_unstable_offset
        if first is None:
            return
        offset = max(first, start_offset)
        if not UNSTABLE_OFFSET_SOUGHT.applies_to(self.context.release):
            segment = self.segments.floor(offset)
            if segment is None or segment.translate(offset) is None:
                text = f"a transaction is said to be open from offset {offset}, which is not found"
                raise BrokerAborts("NullPointerException", text)
            return
        if offset > end_offset:
            if not UNSTABLE_OFFSET_LENIENT.applies_to(self.context.release):
                text = f"a transaction is said to be open from offset {offset}, the log ends at {end_offset}"
                raise BrokerAborts("OffsetOutOfRangeException", text)
            return
        if offset < end_offset:
            segment = self.segments.floor(offset)
            while segment is not None and segment.read(offset, 1) is None:
                segment = self.segments.higher(segment.base_offset)


def _recovered_text(bases: list[int], reason: str) -> str:
    if len(bases) == 1:
        return f"segment {bases[0]} is recovered: {reason}"
    return f"{len(bases)} segments are recovered, from {bases[0]} to {bases[-1]}: {reason}"
