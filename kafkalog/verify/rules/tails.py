"""Rules about bytes of a `.log` that are no batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import BATCH_HEADER, HEADER_UP_TO_MAGIC, LOG_OVERHEAD, Damage
from kafkalog.core.legacy import LEGACY_HEADER_V0, MIN_MESSAGE_SIZE
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import BadLength, Truncated, UnknownMagic
from kafkalog.span import Padding, Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import RESTORE
from kafkalog.verify.rule import Foretold, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.rules.shared import BatchSpot


class Tail(NamedTuple):
    """Bytes of a `.log` that are no batch: damage in the middle, or what follows the last batch.

    `at_end` tells which. `active` is the segment of the highest base, `clean` whether the broker was stopped cleanly
    (None: not known). `next` is the batch that reading went on with. `expected` is the offset that should follow here,
    `following` the base offset of the next segment. `zeros`: a run of zeros that begins in damage, in words.
    """

    path: str
    item: Damage | Padding
    at_end: bool
    active: bool
    clean: bool | None
    previous: BatchSpot | None
    next: BatchSpot | None
    head: bytes
    size: int
    expected: int
    following: int | None
    zeros: str = ""


class FileChange(NamedTuple):
    """A `.log` that changed while it was read; sizes in bytes, equal when it was written to in place."""

    path: str
    size_before: int
    size_now: int
    active: bool


_OLDEST = LEGACY_HEADER_V0.size
_LENGTH = BATCH_HEADER.partial("batch_length")
_OFFSETS = BATCH_HEADER.partial("base_offset", "last_offset_delta")
_NEWEST = 2
_PREFIX = BATCH_HEADER.partial("base_offset", "batch_length", "magic")


def _valid(tail: Tail) -> int:
    return tail.previous.last_offset if tail.previous is not None else -1


def _validity(tail: Tail) -> str:
    if tail.previous is None:
        return "no batch of the segment stands before it"
    return f"the log is valid through offset {tail.previous.last_offset}"


#: What a tail does, where a crash may have left it, after a clean stop, and in a segment with others after it.
_ZEROS = (
    "None: preallocated space, or the trace of a crash. A recovery cuts it off and loses nothing.",
    "No clean stop leaves it.",
    "No crash leaves it in a segment that others follow.",
)
_TORN = (
    "None: the records of that batch had not reached the disk, and the start cuts the rest off.",
    "The records of that batch are lost here. The broker appends after the fragment, or forgets the whole segment.",
    "The records of that batch are lost here, and all after it in this segment.",
)
#: What a torn end costs, where its offsets are known.


def end_cut_off(first: int, last: int) -> str:
    """What it costs that the end of a segment is cut off: the offsets from the first to the last."""
    gone = "is gone" if first == last else "are gone"
    return f"{offsets_spoken(first, last).capitalize()} {gone}: the end of the segment is cut off."


_HEADER_CUT = "the batch is cut in its header, before its last offset"


def _is_crash(tail: Tail) -> bool:
    """Whether a tail is what a crash leaves: in the active segment, and not after a clean stop."""
    return tail.active and not tail.clean


def _severity(tail: Tail) -> Severity:
    """A tail of the active segment is what a crash leaves; anywhere else, and after a clean stop, it is damage."""
    return Severity.INFO if _is_crash(tail) else Severity.ERROR


def _effect(tail: Tail, texts: tuple[str, str, str]) -> str:
    return texts[0 if _is_crash(tail) else 1 if tail.active else 2]


def _advice(tail: Tail) -> str:
    return "Nothing to do." if _is_crash(tail) else RESTORE


def _before_next_segment(tail: Tail) -> tuple[int, int] | None:
    """The offsets between the last batch of a segment and the next segment; None when there are none."""
    if tail.following is None or tail.following <= tail.expected:
        return None
    return tail.expected, tail.following - 1


def _cut_off(tail: Tail) -> tuple[int, int] | None:
    """The offsets that went with the end of a segment: up to the next segment, or those of the batch that is cut."""
    if tail.following is not None:
        return _before_next_segment(tail)
    if len(tail.head) < _OFFSETS.size or tail.head[HEADER_UP_TO_MAGIC - 1] != _NEWEST:
        return None
    base: int
    delta: int
    base, delta = _OFFSETS.unpack_from(tail.head)
    return (base, base + delta) if base == tail.expected and delta >= 0 else None


def _is_torn(tail: Tail) -> bool:
    """The start of one batch, which the file is too short for."""
    item = tail.item
    if not tail.at_end or not isinstance(item, Damage) or not isinstance(item.error, Truncated):
        return False
    head = tail.head
    if len(head) < HEADER_UP_TO_MAGIC:
        return True
    base: int
    length: int
    base, length, magic = _PREFIX.unpack_from(head)
    return 0 <= magic <= 2 and length >= MIN_MESSAGE_SIZE and base > _valid(tail) and length + LOG_OVERHEAD > item.span.size


@rule(
    "file-changed-during-scan",
    Severity.INFO,
    on=FileChange,
    message="the file had {before} bytes when reading began and has {now} now; it is {which}",
    consequence="Somebody is writing to it: what is said about it holds for the moment of reading, not for later.",
    remedy="Repeat the check when the broker has stopped, or on a copy or snapshot of the file system.",
    source="LogSegment.append, UnifiedLog.truncateTo (Kafka 3.9.1)",
    proof="log-grows",
    near_miss="log-changes-once",
    invariants="C6",
)
def file_changed_during_scan(change: FileChange) -> Iterator[Hit]:
    """A `.log` was written to while it was read.

    Bytes that a running broker appends to the active segment are left out. A closed segment that grows or shrinks is read
    again; one that does so each time cannot be judged: the exit status is 3.
    """
    yield Hit(
        Span(min(change.size_before, change.size_now), max(change.size_before, change.size_now)),
        None,
        before=change.size_before,
        now=change.size_now,
        which="the active segment" if change.active else "a closed segment",
    )


@rule(
    "log-tail-zeroed",
    Severity.ERROR,
    on=Tail,
    message="{size} zero bytes after the last batch, from byte {position} on; {validity}",
    consequence="{effect}",
    foretold=Foretold(clean="{at_start}"),
    remedy="{advice}",
    source="FileLogInputStream, LogSegment.recover (Kafka 3.9.1), KAFKA-5431",
    proof="zero-tail-clean",
    near_miss="batch-that-ends-in-zeros",
    loses="gone",
    invariants="C6 C7",
)
def log_tail_zeroed(tail: Tail) -> Iterator[Hit]:
    """The file ends in zeros."""
    if isinstance(tail.item, Padding):
        yield Hit(
            tail.item.span,
            _before_next_segment(tail),
            severity=_severity(tail),
            size=tail.item.span.size,
            position=tail.item.span.start,
            validity=_validity(tail),
            effect=_effect(tail, _ZEROS),
            at_start="" if _is_crash(tail) else "After a clean stop the broker may not start.",
            advice=_advice(tail),
        )


@rule(
    "log-tail-torn",
    Severity.ERROR,
    on=Tail,
    message="the last batch is cut: {have} of {need} bytes from byte {position} on; {validity}",
    consequence="{effect}",
    remedy="{advice}",
    source="FileLogInputStream, LogSegment.recover (Kafka 3.9.1)",
    proof="torn-closed",
    near_miss="batch-in-a-record",
    loses="gone",
    invariants="C6 C7",
)
def log_tail_torn(tail: Tail) -> Iterator[Hit]:
    """The file ends in the middle of a batch."""
    if not _is_torn(tail):
        return
    size = tail.item.span.size
    need = _LENGTH.unpack_from(tail.head)[0] + LOG_OVERHEAD if size >= LOG_OVERHEAD else _OLDEST
    lost = _cut_off(tail)
    yield Hit(
        tail.item.span,
        lost,
        severity=_severity(tail),
        effect=_effect(tail, _TORN) if lost is None or _is_crash(tail) else end_cut_off(*lost),
        advice=_advice(tail),
        offsets_unknown=_HEADER_CUT if lost is None and tail.following is None else None,
        have=size,
        need=max(need, _OLDEST),
        position=tail.item.span.start,
        validity=_validity(tail),
    )


@rule(
    "log-tail-garbage",
    Severity.ERROR,
    on=Tail,
    message="after the last batch {size} bytes are no batch: {reason}; {validity}",
    consequence="Nothing in these bytes is read.",
    foretold=Foretold(
        clean="After a clean stop the broker may not start.",
        unclean="A recovery that comes here cuts the file at byte {position} and deletes all later segments.",
    ),
    remedy=RESTORE,
    source="FileLogInputStream, LogSegment.recover (Kafka 3.9.1)",
    proof="garbage-tail",
    near_miss="batch-in-a-record",
    loses="unreadable",
    invariants="C6 C7 A1 A2",
)
def log_tail_garbage(tail: Tail) -> Iterator[Hit]:
    """The file ends in bytes that are neither zeros nor the start of a batch."""
    if tail.at_end and isinstance(tail.item, Damage) and not _is_torn(tail):
        lost = _before_next_segment(tail)
        yield Hit(
            tail.item.span,
            lost,
            offsets_unknown="nothing in these bytes tells how far they went" if tail.following is None else None,
            size=tail.item.span.size,
            reason=tail.item.reason,
            position=tail.item.span.start,
            validity=_validity(tail),
        )


def _lost(tail: Tail) -> tuple[int, int] | None:
    if tail.next is None or tail.next.base_offset <= tail.expected:
        return None
    return tail.expected, tail.next.base_offset - 1


def _where(tail: Tail) -> dict[str, Any]:
    following = tail.next
    return {
        "size": tail.item.span.size,
        "position": tail.item.span.start,
        "next_position": tail.item.span.end,
        "next_offset": -1 if following is None else following.base_offset,
        "offset": _valid(tail),
    }


@rule(
    "batch-length-invalid",
    Severity.ERROR,
    on=Tail,
    message="the length of the batch at byte {position} cannot be right ({reason}); {size} bytes are skipped, the next "
    "sound batch begins at byte {next_position} with offset {next_offset}",
    consequence="Kafka's readers take the segment to end after offset {offset}, although what follows is intact.",
    foretold=Foretold(unclean="A recovery that comes here cuts it off and deletes all later segments."),
    remedy=RESTORE,
    source="FileLogInputStream.nextBatch (Kafka 3.9.1)",
    proof="length-changed",
    near_miss="torn-closed",
    loses="unreadable",
    invariants="A1 B1 C12",
)
def batch_length_invalid(tail: Tail) -> Iterator[Hit]:
    """The length field of a batch is too small, or leads past intact batches or the end of the file."""
    item = tail.item
    if tail.at_end or not isinstance(item, Damage):
        return
    error = item.error
    if isinstance(error, BadLength | Truncated) or getattr(error, "field", "") == "batchLength":
        reason = f"{error}; {tail.zeros}" if tail.zeros else str(error)
        yield Hit(item.span, _lost(tail), reason=reason, **_where(tail))


@rule(
    "batch-magic-unknown",
    Severity.ERROR,
    on=Tail,
    message="magic {magic} at byte {position}; {size} bytes are skipped, the next sound batch begins at byte {next_position} "
    "with offset {next_offset}",
    consequence="Consumers fail after offset {offset}; a recovery does not notice magics above 2, or cuts the log here.",
    remedy=RESTORE,
    source="FileLogInputStream.nextBatch, AbstractLegacyRecordBatch (Kafka 3.9.1)",
    proof="magic-9",
    near_miss="old-message-appended",
    loses="unreadable",
    invariants="A2",
)
def batch_magic_unknown(tail: Tail) -> Iterator[Hit]:
    """The message format version is none of 0, 1 and 2."""
    if not tail.at_end and isinstance(tail.item, Damage) and isinstance(tail.item.error, UnknownMagic):
        yield Hit(tail.item.span, _lost(tail), magic=tail.item.error.magic, **_where(tail))
