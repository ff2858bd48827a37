"""Rules about `.index`, and about the shape that `.index` and `.timeindex` share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import REBUILD
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import IndexEnd

if TYPE_CHECKING:
    from collections.abc import Iterator


class IndexStep(NamedTuple):
    """An entry of a `.index` that does not fit the log or the entry before it.

    `batch` is the batch that begins at the entry's position (position, first and last offset), None when none does;
    `inside` where the batch around that position begins and ends.
    `previous_*` are those of the last entry that fitted. `found_late`: a later entry or batch showed that it is wrong.
    `overtaken` is the next entry (offset and position) if this one stands out between its neighbours.
    """

    path: str
    log_path: str
    number: int
    offset: int
    position: int
    previous_offset: int
    previous_position: int
    batch: tuple[int, int, int] | None
    inside: tuple[int, int] | None
    log_size: int
    found_late: bool
    overtaken: tuple[int, int] | None
    segment_base: int
    active: bool
    clean: bool | None


class StaleEntries(NamedTuple):
    """Entries of a preallocated `.index` or `.timeindex` that counted before a truncation: those from `number` on."""

    path: str
    log_path: str
    number: int
    entries: int
    entry_size: int


def _span(step: IndexStep) -> Span:
    return OFFSET_INDEX_ENTRY.span_of_entries(step.number)


def _facts(step: IndexStep) -> dict[str, Any]:
    return {"number": step.number, "offset": step.offset, "position": step.position}


def _ordered(step: IndexStep) -> bool:
    return (
        step.overtaken is None
        and step.offset > max(step.previous_offset, step.segment_base)
        and step.position > max(0, step.previous_position)
    )


@rule(
    "index-not-monotonic",
    Severity.ERROR,
    on=IndexStep,
    message="entry {number} (offset {offset}, position {position}) {place} offset {other_offset}, position {other_position}",
    consequence="The binary search of a look-up goes astray: readers miss records that are there, or scan from the start.",
    remedy=REBUILD,
    source="OffsetIndex.append, AbstractIndex.indexSlotRangeFor (Kafka 3.9.1)",
    proof="index-swapped",
    near_miss="index-entry-of-a-first-offset",
    invariants="E2 E4",
)
def index_not_monotonic(step: IndexStep) -> Iterator[Hit]:
    """Offsets and positions of the entries must grow, and the first entry lies after the segment's start."""
    if not step.found_late and step.batch is None and step.inside is None and not _ordered(step):
        before = max(step.previous_offset, step.segment_base), max(0, step.previous_position)
        other_offset, other_position = step.overtaken or before
        yield Hit(
            _span(step),
            (step.offset, step.offset) if step.offset >= 0 else None,
            **_facts(step),
            place="comes after" if step.overtaken is None else "comes before",
            other_offset=other_offset,
            other_position=other_position,
        )


@rule(
    "index-past-eof",
    Severity.ERROR,
    on=IndexStep,
    message="entry {number} (offset {offset}) points to byte {position}, after the last batch; {file} has {log_size} bytes",
    consequence="A look-up through the entry finds nothing: the records of the segment seem to end before it. After a clean "
    "stop the broker may take the whole segment for empty.",
    remedy=REBUILD,
    source="LogSegment.translateOffset (Kafka 3.9.1)",
    proof="index-past-eof",
    near_miss="index-entry-of-the-last-batch",
    invariants="E5",
)
def index_past_eof(step: IndexStep) -> Iterator[Hit]:
    """An entry points after the last batch of the log."""
    if step.batch is None and step.inside is None and _ordered(step):
        yield Hit(_span(step), (step.offset, step.offset), **_facts(step), log_size=step.log_size, file=step.log_path)


@rule(
    "index-position-not-batch",
    Severity.ERROR,
    on=IndexStep,
    message="entry {number} (offset {offset}) points to byte {position}, inside the batch at {begin} to {end} of {file}",
    consequence="A look-up through the entry reads garbage as a batch header: fetches fail, or the broker does not start.",
    remedy=REBUILD,
    source="FileRecords.searchForOffsetWithSize (Kafka 3.9.1)",
    proof="index-inside-batch",
    near_miss="index-entry-of-the-next-batch",
    invariants="E5 C12",
)
def index_position_not_batch(step: IndexStep) -> Iterator[Hit]:
    """An entry points into the middle of a batch."""
    if step.batch is None and step.inside is not None:
        yield Hit(
            _span(step),
            (step.offset, step.offset),
            **_facts(step),
            begin=step.inside[0],
            end=step.inside[1],
            file=step.log_path,
        )


@rule(
    "index-offset-mismatch",
    Severity.ERROR,
    on=IndexStep,
    message="entry {number} says that offset {offset} lies at byte {position}, where the batch of offsets {first} to {last} "
    "begins in {file}",
    consequence="A look-up through the entry lands after the record that is wanted, and readers skip it, or before it "
    "and scans far.",
    remedy=REBUILD,
    source="OffsetIndex.lookup, LogSegment.append (Kafka 0.10 to 4.3)",
    proof="index-offset-wrong",
    near_miss="index-entry-of-a-first-offset",
    invariants="E6 E13",
)
def index_offset_mismatch(step: IndexStep) -> Iterator[Hit]:
    """The entry's offset lies before the batch it points to, or at or after the batch of the next entry.

    Nothing more is asked: writers differ in whether an entry holds the first or the last offset of a batch, or of several
    batches that were appended together. All of them keep a look-up safe.
    """
    if step.batch is not None:
        yield Hit(
            _span(step), (step.offset, step.offset), **_facts(step), first=step.batch[1], last=step.batch[2], file=step.log_path
        )


@rule(
    "index-append-set-entry",
    Severity.INFO,
    on=IndexEnd,
    message="entries that do not hold the last offset of the batch they point to: {count} of {entries}, the first is number "
    "{number}",
    consequence="None: followers and the cleaner of 2.0 to 4.0.0, and all writers before 2.0, write entries so. Kafka's own "
    "dump tool reports them as mismatches.",
    remedy="Nothing to do. Do not delete the index.",
    source="LogSegment.append (Kafka 0.10 to 4.0.0), KAFKA-806",
    proof="follower-index",
    near_miss="index-entry-of-the-next-batch",
    invariants="E7 E8 E9",
)
def index_append_set_entry(end: IndexEnd) -> Iterator[Hit]:
    """Entries are of an append of several batches, or have the first offset of one."""
    if end.kind == "index" and end.others and end.first_other is not None:
        span = OFFSET_INDEX_ENTRY.span_of_entries(end.first_other, end.entries)
        yield Hit(span, None, count=end.others, entries=end.entries, number=end.first_other)


@rule(
    "index-hole-zeroed",
    Severity.ERROR,
    on=IndexEnd,
    message="entries of zeros with others after them: {zeros} of {entries}, the first is number {number}: {cause}",
    consequence="Look-ups go astray, no start notices it, and Kafka's dump tool stops there without a word.",
    remedy="{log}. With the broker stopped, move the `.index` and `.timeindex` of the segment away: the broker rebuilds both, "
    "and `.txnindex`.",
    source="AbstractIndex (Kafka 3.9.1)",
    proof="index-hole",
    near_miss="preallocated-index",
    invariants="E2 F2",
)
def index_hole_zeroed(end: IndexEnd) -> Iterator[Hit]:
    """Zeros are where entries should be, and entries follow.

    Indexes are written through memory, page by page of 4 KiB: of those that were not on the disk when the machine stopped, or
    when a running broker was copied, zeros are left.
    """
    hole = end.hole
    if hole is None:
        return
    cause = "a page of the file never reached the disk" if hole.page else "they never reached the disk, or were overwritten"
    log = "The log of the segment was checked and is sound"
    if not end.log_is_sound:
        log = "The log of the segment has findings of its own: mend it first, or the broker cuts it at the first bad batch"
    yield Hit(
        Span(hole.number * end.entry_size, hole.end * end.entry_size),
        None,
        zeros=hole.zeros,
        entries=end.entries,
        number=hole.number,
        cause=cause,
        log=log,
    )


@rule(
    "index-odd-size",
    Severity.WARNING,
    on=IndexEnd,
    message="{size} bytes are no multiple of {entry_size}; {left} are left over",
    consequence="Releases before 2.3 rebuild the index at the next start; later ones ignore the rest.",
    remedy=REBUILD,
    source="AbstractIndex.sanityCheck (Kafka 2.2.2), KAFKA-7283",
    proof="index-odd-size",
    near_miss="index-without-its-last-entry",
    invariants="E1 F1",
)
def index_odd_size(end: IndexEnd) -> Iterator[Hit]:
    """The file does not consist of whole entries."""
    if end.leftover is not None:
        yield Hit(end.leftover, None, size=end.size, entry_size=end.entry_size, left=end.leftover.size)


@rule(
    "index-padded",
    Severity.WARNING,
    on=IndexEnd,
    message="entries: {entries}, then {padding} zero bytes, in a segment that is {state}",
    consequence="Only the active segment of a broker that runs, crashed or was ended while it started has such space. Kafka "
    "before 2.3 rebuilds the index.",
    remedy=REBUILD,
    source="AbstractIndex.trimToValidSize (Kafka 3.9.1)",
    proof="padding-closed",
    near_miss="preallocated-index",
    invariants="D10 E3 F12 K2",
)
def index_padded(end: IndexEnd) -> Iterator[Hit]:
    """An index has preallocated space where it should have been trimmed.

    Directories marked `-delete` or `-stray` keep it, whatever the stop. INFO in the last segment after a clean stop when both
    of its indexes have it: a broker that was ended while it started (seen of 1.0.2) has opened them, and leaves the marker of
    the stop before. Since 4.4 the metadata log keeps it at a clean stop: silent there.
    """
    if end.padding is None or end.mark in ("delete", "stray"):
        return
    lone_zero_entry = end.kind == "timeindex" and end.size == end.entry_size
    if lone_zero_entry or (end.active and not end.clean):
        return
    state = "active, after a clean stop" if end.active else "not the last one"
    severity = Severity.INFO if end.active and end.sibling_padded else None
    yield Hit(end.padding.span, None, severity=severity, padding=end.padding.span.size, entries=end.entries, state=state)


@rule(
    "index-padding-differs",
    Severity.WARNING,
    on=IndexEnd,
    message="{size} bytes, but the other index of the segment has {other}: no one setting gives both",
    consequence="One of the two was cut, or belongs to another segment.",
    remedy=REBUILD,
    source="AbstractIndex.roundDownToExactMultiple (Kafka 3.9.1)",
    proof="padding-differs",
    near_miss="indexes-of-one-setting",
    invariants="E3",
)
def index_padding_differs(end: IndexEnd) -> Iterator[Hit]:
    """Both indexes are preallocated to segment.index.bytes, rounded down to whole entries; their sizes do not agree."""
    if end.kind != "index" or end.padding is None or not end.sibling_padded or end.sibling_size is None:
        return
    if not max(end.size, end.sibling_size) < min(end.size + OFFSET_INDEX_ENTRY.size, end.sibling_size + TIME_INDEX_ENTRY.size):
        yield Hit(end.padding.span, None, size=end.size, other=end.sibling_size)


@rule(
    "index-preallocated",
    Severity.INFO,
    on=IndexEnd,
    message="entries: {entries}, then {padding} zero bytes of preallocated space",
    consequence="None: the active segment of a broker that runs, crashed or was copied looks so; since 4.4 that of the "
    "metadata log after a clean stop, too. The warning 'Corrupt index found' of old brokers means nothing else.",
    remedy="Nothing to do. Do not delete the index.",
    source="AbstractIndex (Kafka 3.9.1)",
    proof="preallocated-index",
    near_miss="indexes-trimmed-after-a-crash",
    invariants="E3",
)
def index_preallocated(end: IndexEnd) -> Iterator[Hit]:
    """The index of the active segment is zero-filled to its full size.

    Up to 4.3 every clean stop trims it. Since 4.4 only the LogManager's shutdown does, which has no part in the metadata log.
    """
    if end.padding is not None and end.kind == "index" and ((end.active and not end.clean) or end.mark in ("delete", "stray")):
        yield Hit(end.padding.span, None, padding=end.padding.span.size, entries=end.entries)


@rule(
    "index-stale-entries",
    Severity.INFO,
    on=StaleEntries,
    message="{count} of {entries} entries, from number {number} on, do not belong to {file}",
    consequence="None: they counted before the log was truncated, or count for what was appended after the log was copied. "
    "The broker that has the index open does not look at them; a start after a crash rebuilds it.",
    remedy="Nothing to do.",
    source="AbstractIndex.truncateToEntries0 (Kafka 0.10 to 4.3): the count is lowered, the bytes stay",
    proof="stale-entries",
    near_miss="indexes-of-one-setting",
    invariants="E5 F5",
)
def index_stale_entries(stale: StaleEntries) -> Iterator[Hit]:
    """The last entries of a preallocated index do not fit the log.

    Only in the active segment, when the broker was not stopped cleanly, and when no entry after the first wrong one goes on
    where the right ones end.
    """
    yield Hit(
        Span(stale.number * stale.entry_size, stale.entries * stale.entry_size),
        None,
        count=stale.entries - stale.number,
        entries=stale.entries,
        number=stale.number,
        file=stale.log_path,
    )
