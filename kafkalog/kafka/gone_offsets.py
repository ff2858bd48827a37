"""Offsets that are gone already: a log had them, and no file of its directory holds them any more.

Nothing a start does brings them back or takes them away. What tells of them: the names of the segments, index files without
their `.log`, the leader epochs, and the partition's lines in the checkpoints of the log dir.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.files.log_dir import HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS
from kafkalog.kafka.remains import SegmentEnd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.log_dir import PartitionContext
    from kafkalog.kafka.remains import Remains

__all__ = [
    "AT_END",
    "AT_START",
    "IN_BETWEEN",
    "Gone",
    "gone_at_end",
    "gone_at_start",
    "gone_offsets",
    "hole_between",
    "is_partial_copy",
    "is_uncleaned",
]

#: Where offsets are missing: before the first segment, between two, after the last batch.
AT_START, IN_BETWEEN, AT_END = "start", "middle", "end"
_EPOCHS = "leader-epoch-checkpoint"
#: What else may explain it.
_CLEANED = "the log cleaner removed them"
_TIERED = "they are in remote storage"
_CRASHED = "the machine crashed before they were on disk"
_COPIED_LATER = "the broker was running and its checkpoint files were copied after the log"


class Gone(NamedTuple):
    """Offsets that a log had and that no file of its directory holds.

    Args:
        first: The first of them.
        last: The last of them; None: how far they went is not known.
        place: `AT_START`, `IN_BETWEEN` or `AT_END`.
        witness: The file or the line that tells of them, in words.
        unless: What else may explain it, as a clause after "unless"; "" when nothing does.
        against: The line that says that nothing is gone, in words: one of the two is wrong. "" when there is none.
        at_most: Whether the log cleaner may have removed some of them before.
    """

    first: int
    last: int | None
    place: str
    witness: str
    unless: str = ""
    against: str = ""
    at_most: bool = False

    @property
    def number(self) -> int | None:
        """How many they are, or how many at most; None: not known."""
        return None if self.last is None else self.last - self.first + 1

    @property
    def certain(self) -> bool:
        """Whether nothing else explains it."""
        return not self.unless and not self.against

    @property
    def is_odd(self) -> bool:
        """Whether nothing healthy leaves that: the offsets are gone, or one of two lines is wrong."""
        return not self.unless


def gone_offsets(remains: Remains, context: PartitionContext) -> tuple[Gone, ...]:
    """The offsets that are gone from a log, ascending.

    Args:
        remains: What is left of it.
        context: What its log dir says of it.
    """
    if remains.mark == "delete":
        return ()
    found = (gone_at_start(remains, context), *_in_between(remains, context), gone_at_end(remains, context))
    gone = tuple(one for one in found if one is not None)
    return tuple(one._replace(at_most=True) for one in gone) if gone and _is_cleaned(remains) else gone


def hole_between(before: SegmentEnd, base: int) -> tuple[int, int] | None:
    """First and last offset that no file holds between a segment and the next one; None: nothing is missing there.

    Args:
        before: The segment.
        base: Base offset of the next one.
    """
    # Offsets before the name of a segment are those of the segment before it.
    first = max(before.base, before.end)
    return (first, base - 1) if first < base and not before.is_damaged else None


def is_uncleaned(offset: int, remains: Remains, context: PartitionContext, *, lone_hole: bool) -> bool:
    """Whether no log cleaner explains that a log lacks an offset.

    A compacted log with a closed segment soon gets its line in the cleaner's checkpoint. One of a single segment may
    have none, and still have holes: those that the cleaner of its leader made before this broker got the partition. So
    may any log with several holes: this broker may have got it when the topic was compacted no longer. But leaders take no
    record without a key into a compacted topic. The metadata log is never cleaned: snapshots take the place of its beginning.

    Args:
        offset: The offset.
        remains: What is left of the log.
        context: What its log dir says of it.
        lone_hole: Whether the log lacks offsets in one place only.
    """
    if remains.is_metadata or remains.traces.is_uncleaned_below(offset):
        return True
    # A line leaves the checkpoint when its directory is renamed, and comes when it is put in its place.
    if remains.mark or not context.cleaner_known:
        return False
    return (len(remains.segments) > 1 and lone_hole) or remains.traces.has_keyless


def is_partial_copy(missing: int, present: int) -> bool:
    """Whether so many partitions are missing from a log dir that it is a copy of some of them.

    Args:
        missing: Partitions that its files speak of, and that are not there.
        present: Those that are there.
    """
    return missing > max(1, present)


def _in_between(remains: Remains, context: PartitionContext) -> Iterator[Gone]:
    holes = [
        (*hole, one.cut) for one, other in pairwise(remains.segments) if (hole := hole_between(one, other.base)) is not None
    ]
    for first, last, cut in holes:
        if cut is not None and not remains.is_swapping:
            yield Gone(first, last, IN_BETWEEN, str(cut))
        elif not _is_cleaned(remains):
            certain = is_uncleaned(first, remains, context, lone_hole=len(holes) == 1)
            unless = "" if certain else _CLEANED
            yield Gone(first, last, IN_BETWEEN, f"the next segment begins at {last + 1}", unless)


def _is_cleaned(remains: Remains) -> bool:
    """Whether something says that the log was compacted: a name, a line, or what only the cleaner leaves."""
    return remains.is_compacted or remains.traces.is_cleaned


def gone_at_start(remains: Remains, context: PartitionContext) -> Gone | None:
    """What was before the first segment.

    When retention or DeleteRecords move the start of a log, the epochs below it are cut, and the files of a segment go
    together. Logs with a log start of their own (DeleteRecords, remote storage) may begin elsewhere.
    """
    if not remains.segments or remains.is_metadata or remains.is_swapping or remains.mark or remains.is_tiered:
        return None
    base = remains.segments[0].base
    if remains.without_log and remains.without_log[0] < base:
        return Gone(remains.without_log[0], base - 1, AT_START, "index files without their `.log`")
    if not context.clean or not context.log_starts_known:
        return None
    line = context.lines.get(LOG_STARTS)
    if line is not None:
        is_gone = 0 <= line.offset < base
        return Gone(line.offset, base - 1, AT_START, LOG_STARTS, _TIERED if context.may_be_tiered else "") if is_gone else None
    first = remains.epochs[0].start_offset if remains.epochs else base
    return Gone(first, base - 1, AT_START, _EPOCHS) if first < base else None


def _start_of(remains: Remains, context: PartitionContext) -> SegmentEnd:
    """Where a log without any segment began, as far as something tells it."""
    line = context.lines.get(LOG_STARTS)
    start = max(line.offset if line is not None else 0, remains.epochs[0].start_offset if remains.epochs else 0)
    return SegmentEnd(start, start)


def gone_at_end(remains: Remains, context: PartitionContext) -> Gone | None:
    """What was after the last batch: flushed, read by consumers, or known to an index."""
    if remains.mark or remains.is_metadata or remains.is_swapping:
        return None
    last = remains.segments[-1] if remains.segments else _start_of(remains, context)
    if last.is_damaged:
        return None
    point, mark = context.lines.get(RECOVERY_POINTS), context.lines.get(HIGH_WATERMARKS)
    copied_later = _COPIED_LATER if context.in_use else ""
    told: list[Gone] = []

    def tell(end: int, witness: str, unless: str = "", against: str = "") -> None:
        if end > last.end:
            told.append(Gone(last.end, end - 1, AT_END, witness, unless, against))

    if point is not None:
        tell(point.offset, f"the recovery point {point.offset}", copied_later)
    elif context.clean:
        for entry in remains.epochs[-1:]:
            tell(entry.start_offset, _EPOCHS)
        for offset in remains.snapshots[-1:]:
            tell(offset, f"{offset:020d}.snapshot")
    if mark is not None:
        # A clean stop notes the end of the log: a high watermark that goes further is wrong, or the recovery point is.
        is_whole = bool(context.clean) and point is not None and point.offset == last.end
        against = f"the recovery point {last.end}" if is_whole else ""
        # Consumers read what is in the page cache, and a crash of the machine takes it; what was flushed stays.
        is_flushed = point is not None and point.offset > last.end
        crashed = _CRASHED if last.is_torn and not context.clean and not is_flushed else ""
        tell(mark.offset, f"the high watermark {mark.offset}", copied_later or crashed, against)
    orphans = [base for base in remains.without_log if base >= last.end]
    best = max(told, key=lambda one: (one.certain, one.is_odd, one.last), default=None)
    if best is not None and (best.is_odd or not orphans):
        return best
    return Gone(last.end, None, AT_END, "index files without their `.log`") if orphans else None
