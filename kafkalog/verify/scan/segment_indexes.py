"""The `.index` and the `.timeindex` of a segment together, followed along while its `.log` is walked."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import islice
from operator import lt
from typing import TYPE_CHECKING

from kafkalog.core.line_ends import change_of_entries, fits
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.verify.rules.indexes import StaleEntries
from kafkalog.verify.scan.index_walks import MOST_REPORTED, OffsetIndexWalk, TimeIndexWalk
from kafkalog.verify.scan.stale_entries import first_stale_offset_entry, first_stale_time_entry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from kafkalog.core.source import Source
    from kafkalog.verify.rules.shared import BatchSpot
    from kafkalog.verify.scan.results import SegmentTask
    from kafkalog.verify.scan.walk_state import WalkState

__all__ = ["SegmentIndexes"]

#: How many bytes of an index entry ascend from entry to entry: those of its first field.
_OFFSET_KEY = OFFSET_INDEX_ENTRY["relative_offset"].type.size
_TIME_KEY = TIME_INDEX_ENTRY["timestamp"].type.size


class SegmentIndexes:
    """The indexes of a segment, those that are there.

    Args:
        task: The segment.
        log_size: Bytes of its `.log`.
        offsets: What `.index` holds, None when it is not there or cannot be read.
        times: The same of `.timeindex`.
    """

    def __init__(self, task: SegmentTask, log_size: int, offsets: bytes | None, times: bytes | None) -> None:
        if task.kraft and task.active and task.clean and _are_untrimmed(offsets, times):
            # Since 4.4 a clean stop does not trim the indexes of the metadata log, nor append the last entry.
            task = replace(task, clean=False)
        self._task = task
        self._offset_doubts: list[object] = []
        self._time_doubts: list[object] = []
        self.offsets: OffsetIndexWalk | None = None
        self.times: TimeIndexWalk | None = None
        if offsets is not None:
            self.offsets = OffsetIndexWalk(task.paths[".index"], offsets, task, log_size, self._offset_doubts.append)
        if times is not None:
            self.times = TimeIndexWalk(task.paths[".timeindex"], times, task, self._time_doubts.append)

    @property
    def is_preallocated(self) -> bool:
        """Whether one of them ends in preallocated space."""
        return any(file is not None and file.padding is not None for file in (self.offsets, self.times))

    # --- along the log ---

    def follow(self, spot: BatchSpot, magic: int, state: WalkState, *, trusted: bool) -> None:
        """A batch follows those of `state`; the offsets of one that is not `trusted` prove nothing."""
        offsets, times, previous = self.offsets, self.times, state.previous
        if offsets is not None and spot.position >= offsets.want:
            before = (previous.position, previous.end) if previous is not None else (spot.position, spot.position)
            if trusted:
                offsets.arrive(spot.position, spot.base_offset, spot.last_offset, *before)
            else:
                offsets.skip(spot.end)
        if trusted and times is not None and times.want <= spot.last_offset:
            times.arrive(spot, magic, state.max_timestamp, state.max_position, state.max_offset)

    def skip(self, end: int, following: BatchSpot | None) -> None:
        """The bytes up to `end` cannot be read; `following` is the batch there, None when there is none."""
        if self.offsets is not None:
            self.offsets.skip(end)
        if self.times is not None and following is not None:
            self.times.skip_to(following.base_offset)

    # --- at its end ---

    def finish(
        self, state: WalkState, source: Source, is_log_sound: Callable[[], bool], *, any_magic_0: bool
    ) -> Iterator[object]:
        """The log is over: what is to be judged about the indexes.

        Args:
            state: At the end of the log.
            source: The log.
            is_log_sound: Whether nothing wrong has been found in it, up to now.
            any_magic_0: There are messages without a timestamp.
        """
        offsets, times, last = self.offsets, self.times, state.last
        if offsets is not None:
            offsets.finish(last.end if last is not None else 0, last)
            yield offsets.summary(times, log_is_sound=is_log_sound())
        if times is not None:
            times.finish(last, blind=state.damaged)
        yield from self._doubts(source)
        if times is not None:
            yield times.summary(offsets, log_is_sound=is_log_sound())
            if not state.damaged and not any_magic_0 and last is not None:
                yield times.end_subject(state)

    def _doubts(self, source: Source) -> Iterator[object]:
        """The entries that do not fit, unless they are what a truncation leaves in an index that is in use."""
        offsets, times, task = self.offsets, self.times, self._task
        lenient = (self.is_preallocated or task.in_use) and task.active and not task.clean
        for file, doubts, first_stale in (
            (offsets, self._offset_doubts, first_stale_offset_entry),
            (times, self._time_doubts, first_stale_time_entry),
        ):
            if file is None or not doubts:
                continue
            stale = first_stale(file.data[: file.end], task.base_offset, source) if lenient else None
            if stale is None:
                yield from doubts
            else:
                file.reported = 0
                yield StaleEntries(
                    path=file.path,
                    log_path=task.paths[".log"],
                    number=stale,
                    entries=file.count,
                    entry_size=file.entry_size,
                )

    def unlisted(self) -> Iterator[tuple[str, str]]:
        """Path of an index with more wrong entries than are listed one by one, and how many they are, in words."""
        for file in (self.offsets, self.times):
            if file is not None and file.reported > MOST_REPORTED:
                yield file.path, f"{file.reported - MOST_REPORTED} more entries are wrong: not listed one by one"

    def changed_line_ends(self, wrong: Collection[str], of_log: str | None) -> Iterator[tuple[str, str]]:
        """Path of an index whose line ends were changed, and how.

        Args:
            wrong: Paths of files in which something wrong was found.
            of_log: How those of the log were changed, None when they were not.
        """
        for file, key in ((self.offsets, _OFFSET_KEY), (self.times, _TIME_KEY)):
            if file is None or file.path not in wrong:
                continue
            if of_log is not None and fits(file.data, of_log, file.entry_size):
                yield file.path, of_log
            elif change := change_of_entries(file.data, partial(_ascends, size=file.entry_size, key=key)):
                yield file.path, change


def _are_untrimmed(offsets: bytes | None, times: bytes | None) -> bool:
    """Whether the indexes of a segment, those that are there, end in preallocated space."""
    found = [(offsets, OFFSET_INDEX_ENTRY.size), (times, TIME_INDEX_ENTRY.size)]
    ends = [padded_end(data, size) + size <= len(data) for data, size in found if data is not None]
    return bool(ends) and all(ends)


def _ascends(data: bytes, size: int, key: int) -> bool:
    """Whether the first `key` bytes of entries grow from one to the next, zeros at the end left out."""
    keys = [data[at : at + key] for at in range(0, padded_end(data, size), size)]
    return len(data) % size == 0 and all(map(lt, keys, islice(keys, 1, None)))
