"""Walking a `.log` (or a KRaft `.checkpoint`): batch after batch, and through damage to the next sound one.

The walk is fed by a `Source`, anything that can hand out a window of bytes, so that a file larger than memory can be
walked through a bounded window, and a batch too. Every byte of the source belongs to a batch or to a
`Damage`; zeros up to the end (a preallocated file) are `Padding`.
"""

from __future__ import annotations

import re
from heapq import merge
from typing import TYPE_CHECKING

from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    HEADER_UP_TO_MAGIC,
    LEAST_BATCH_LENGTH,
    LOG_OVERHEAD,
    MAGIC_AT,
    SIZE_AND_MAGIC,
    Damage,
    RecordBatch,
)
from kafkalog.core.checksum import crc32c
from kafkalog.core.legacy import LEAST_LEGACY_LENGTHS, MIN_MESSAGE_SIZE, LegacyBatch
from kafkalog.core.source import HELD, Bytes, BytesSource, Source, Window, WindowedBytes
from kafkalog.errors import BadLength, FormatError, LimitExceeded, Truncated, UnknownMagic
from kafkalog.span import Padding, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "NEVER",
    "Batch",
    "BytesSource",
    "SearchBudget",
    "Source",
    "Window",
    "find_batch",
    "first_offset",
    "last_batch",
    "legacy_candidates",
    "legacy_message_at",
    "only_zeros",
    "told_base_offset",
    "walk",
]

#: An offset, and a position, that no log reaches.
NEVER = 1 << 70

Batch = RecordBatch | LegacyBatch


def told_base_offset(batch: Batch) -> int | None:
    """The first offset of a batch as far as its header tells: that of a wrapper is in what it holds."""
    return None if isinstance(batch, LegacyBatch) and batch.compression_id else batch.base_offset


def first_offset(batch: Batch) -> int:
    """The first offset of a batch; of a wrapper that cannot be unpacked, the offset of its last message."""
    try:
        return batch.base_offset
    except (FormatError, LimitExceeded):
        return batch.last_offset


#: Reads `baseOffset` and `batchLength` (magic 0 and 1: `offset` and `size`).
_OFFSET_AND_SIZE = BATCH_HEADER.partial("base_offset", "batch_length")
_OFFSET_SIZE_AND_MAGIC = BATCH_HEADER.partial("base_offset", "batch_length", "magic")
#: Least size by magic.
_LEAST_LENGTHS = (*LEAST_LEGACY_LENGTHS, LEAST_BATCH_LENGTH)


def walk(
    source: Source, start: int = 0, end: int | None = None, budget: SearchBudget | None = None
) -> Iterator[Batch | Damage | Padding]:
    """Every batch from `start` on, in file order, and the damage between them.

    A batch with a wrong CRC is a batch if a plausible batch or the end follows where it says it ends, and it does not consist
    of sound batches up to there; otherwise its length cannot be trusted and the walk looks for the next sound batch, which
    counts as sound by magic, length and CRC.

    Args:
        source: The bytes of the file.
        start: Position of the first batch.
        end: Where to stop; the end of the source by default.
        budget: What all walks and searches of a file share, when there are several.
    """
    size = source.size if end is None else end
    position = start
    budget = budget or SearchBudget(size - start)
    while position < size:
        for batch in _sound_batches(source, position, size):
            yield batch
            position = batch.position + len(batch.data)
        if position < size:
            item = _read_at(source, position, size, budget)
            yield item
            position = item.span.end


def _sound_batches(source: Source, position: int, size: int) -> Iterator[RecordBatch]:
    """The sound batches of magic 2 from `position` on, up to the first that is anything else, or larger than what is held."""
    unpack, read, least = SIZE_AND_MAGIC.unpack_from, BATCH_HEADER.read, BATCH_HEADER.size
    need = least
    while position + need <= size and need <= HELD:
        begin, data = source.window(position, need)
        view, at, limit = memoryview(data), position - begin, min(len(data), size - begin)
        if limit - at < need:
            return  # fewer than promised
        need = least
        while at + least <= limit:
            length, magic = unpack(data, at)
            if magic != 2 or length < LEAST_BATCH_LENGTH:
                return
            end = at + LOG_OVERHEAD + length
            if end > limit:
                need = LOG_OVERHEAD + length
                break
            header = read(data, at)
            if crc32c(view[at + ATTRIBUTES_AT : end]) != header.crc:
                return
            yield RecordBatch(header, begin + at, data[at:end], header.crc)
            at = end
        position = begin + at


def last_batch(source: Source) -> RecordBatch | None:
    """The last batch of a file, found by the headers alone; None where these leave a doubt, and only `walk` can tell.

    They leave none when batches of magic 2 fill the file, their base offsets ascend, and the last one has the right CRC.
    """
    position, size, last, highest = 0, source.size, -1, -1
    unpack, least = _OFFSET_SIZE_AND_MAGIC.unpack_from, BATCH_HEADER.size
    while position < size:
        begin, data = source.window(position, least)
        at, most = position - begin, len(data) - least
        if at > most:
            return None
        while at <= most:
            base, length, magic = unpack(data, at)
            if magic != 2 or length < LEAST_BATCH_LENGTH or base <= highest:
                return None
            highest, last = base, begin + at
            at += length + LOG_OVERHEAD
        position = begin + at
    item = next(walk(source, last)) if last >= 0 and position == size else None
    return item if isinstance(item, RecordBatch) and item.crc_ok else None


def _read_at(source: Source, position: int, size: int, budget: SearchBudget) -> Batch | Damage | Padding:
    """The batch at `position`, or the damage from there to the next sound batch."""
    begin, data = source.window(position, BATCH_HEADER.size)
    at = position - begin
    error = _frame_problem(data, at, position, size)
    if error is None:
        length = SIZE_AND_MAGIC.unpack_from(data, at)[0] + LOG_OVERHEAD
        if len(data) - at < length <= HELD:
            begin, data = source.window(position, length)
            at = position - begin
        # The window may be shorter than the size promised when a file shrinks; its owner reports that.
        if len(data) - at >= length or length > HELD:
            whole = data[at : at + length] if length <= HELD else WindowedBytes(source, position, length)
            batch = _batch(whole, position)
            if batch.crc_ok:
                return batch
            if _plausible_end(source, position + length, size):
                found = _swallowed(source, batch, budget)
            else:
                # A length that is too large may end in the middle of a later batch, so that one may end after it.
                found = find_batch(source, position + 1, size, position + length, budget)
            if found is None:
                return batch
            reason = f"CRC wrong, and a sound batch begins at {found}, before the end that its length says"
            return Damage(
                Span(position, found), FormatError(reason, "batchLength", BATCH_HEADER.span_of("batch_length", position))
            )
        error = Truncated(length, len(data) - at, "batch", Span(position, size))
    if only_zeros(source, position, size):
        return Padding(Span(position, size))
    found = find_batch(source, position + 1, size, budget=budget)
    return Damage(Span(position, size if found is None else found), error)


def _swallowed(source: Source, batch: Batch, budget: SearchBudget) -> int | None:
    """Position of the first of the sound batches that a batch with a wrong CRC takes for its own bytes.

    Its length is certainly wrong only if they fill it up to its end and are of later offsets: a record may hold anything.
    """
    end = batch.span.end
    found = position = find_batch(source, batch.position + 1, end, budget=budget)
    while position is not None and position < end:
        if not _is_sound(source, position, end, budget):
            return None
        # A message of magic 0 or 1 may be shorter than the header of magic 2.
        begin, data = source.window(position, LOG_OVERHEAD)
        offset, length = _OFFSET_AND_SIZE.unpack_from(data, position - begin)
        if offset <= batch.last_offset:
            return None
        position += length + LOG_OVERHEAD
    return found


def _batch(whole: Bytes, position: int) -> Batch:
    """The batch of all these bytes, whose magic is known."""
    return RecordBatch.read(whole, position) if whole[MAGIC_AT] == 2 else LegacyBatch.read(whole, position)


def _frame_problem(data: bytes, at: int, position: int, size: int) -> FormatError | None:
    """What keeps the bytes at `at` from being the beginning of a batch, or None."""
    left = size - position
    if left <= HEADER_UP_TO_MAGIC or len(data) - at <= HEADER_UP_TO_MAGIC:
        return Truncated(HEADER_UP_TO_MAGIC + 1, min(left, len(data) - at), "batch header", Span(position, size))
    length, magic = SIZE_AND_MAGIC.unpack_from(data, at)
    if length < MIN_MESSAGE_SIZE:
        return BadLength(length, f"{MIN_MESSAGE_SIZE} or more", "batchLength", BATCH_HEADER.span_of("batch_length", position))
    if not 0 <= magic <= 2:
        return UnknownMagic(magic, BATCH_HEADER.span_of("magic", position))
    least = _LEAST_LENGTHS[magic]
    if length < least:
        allowed = f"{least} or more in magic {magic}"
        return BadLength(length, allowed, "batchLength", BATCH_HEADER.span_of("batch_length", position))
    if length + LOG_OVERHEAD > left:
        return Truncated(length + LOG_OVERHEAD, left, "batch", Span(position, size))
    return None


def _plausible_end(source: Source, position: int, size: int) -> bool:
    """Whether the end of the source, padding, or something that looks like a batch stands at `position`."""
    if position == size:
        return True
    begin, data = source.window(position, BATCH_HEADER.size)
    at = position - begin
    if _frame_problem(data, at, position, size) is None:
        return True
    head = data[at : at + BATCH_HEADER.size]
    return not any(head)


_ZEROS = bytes(1 << 16)


def only_zeros(source: Source, position: int, size: int) -> bool:
    """Whether nothing but zero bytes stands from `position` to `size`."""
    step = 1 << 6
    while position < size:
        begin, data = source.window(position, min(step, size - position))
        piece = data[position - begin : min(position + step, size) - begin]
        # Comparing is forty times as fast as counting: files may be gibibytes of zeros.
        if not piece or not _ZEROS.startswith(piece):
            return False
        position += len(piece)
        step = min(step * 2, len(_ZEROS))
    return True


# --- looking for the next sound batch ---------------------------------------------------------------------------------

# Magic 2: high byte of the attributes 0, only known bits in the low one, lastOffsetDelta below 2**24.
_MAGIC_2 = re.compile(rb"\x02(?=....\x00[\x00-\x7f]\x00...)", re.DOTALL)
# Magic 0 and 1: the offset is below 2**56; a size of 14 to 2**28; the CRC; magic, a codec and a timestamp type; the
# first byte of the key's length.
_LEGACY = re.compile(
    rb"(?=\x00.{7}(?:\x00\x00(?:\x00[\x0e-\xff]|[^\x00].)|\x00[^\x00]..|[\x01-\x0f]...).{4}"
    rb"(?:\x00[\x00-\x03][\x00\xff]|\x01[\x00-\x03\x08-\x0b].{8}[\x00\xff]))",
    re.DOTALL,
)
#: Bytes looked at in one go: few at first, because the next batch is mostly near.
_FIRST_CHUNK = 1 << 9
_CHUNK = 1 << 18
_OVERLAP = BATCH_HEADER.size


class SearchBudget:
    """How many bytes may still be checksummed in vain; bounds the time on input made to be slow.

    As many as there are, and more with the bytes gone over, so that false heads cost no more than a few times what reading
    the file costs. What is found pays nothing: a sound batch may be of any size.
    """

    __slots__ = ("left",)

    PER_BYTE = 8

    def __init__(self, size: int) -> None:
        self.left = size + (1 << 20)


def find_batch(
    source: Source, start: int, end: int, before: int | None = None, budget: SearchBudget | None = None
) -> int | None:
    """Position of the first sound batch from `start` on, by magic, length and CRC.

    Args:
        source: The bytes of the file.
        start: The first position it may begin at.
        end: Where it must have ended.
        before: The first position it may no longer begin at; `end` by default.
        budget: What all searches of one file share.
    """
    position = start
    stop = end if before is None else min(before, end)
    budget = budget or SearchBudget(end - start)
    chunk = _FIRST_CHUNK
    while position < stop:
        # Behind `stop` there is only the head of a batch that begins before it.
        size = min(chunk, min(end, stop + _OVERLAP) - position)
        begin, data = source.window(position, size)
        piece = data[position - begin : position - begin + size]
        if not piece:
            return None
        budget.left += len(piece) * budget.PER_BYTE
        if piece.count(0) != len(piece):
            for at in _candidates(piece):
                place = position + at
                if place >= stop:
                    return None
                if _is_sound(source, place, end, budget):
                    return place
        if position + len(piece) >= min(end, stop + _OVERLAP):
            return None
        position += max(1, len(piece) - _OVERLAP)
        chunk = min(chunk * 2, _CHUNK)
    return None


def _candidates(piece: bytes) -> Iterator[int]:
    """Places in `piece` where the head of a batch could begin, ascending."""
    magic_2 = (match.start() - MAGIC_AT for match in _MAGIC_2.finditer(piece, MAGIC_AT))
    return merge(magic_2, legacy_candidates(piece))


def legacy_candidates(piece: bytes) -> Iterator[int]:
    """Places in `piece` where a message of magic 0 or 1 could begin, ascending."""
    return (match.start() for match in _LEGACY.finditer(piece))


def legacy_message_at(source: Source, position: int, end: int) -> LegacyBatch | None:
    """What may be a message of magic 0 or 1 at a position, its checksum not yet looked at; None: nothing that ends by `end`."""
    begin, data = source.window(position, BATCH_HEADER.size)
    at = position - begin
    if _frame_problem(data, at, position, end) is not None or data[at + MAGIC_AT] == 2:
        return None
    size = SIZE_AND_MAGIC.unpack_from(data, at)[0] + LOG_OVERHEAD
    return LegacyBatch.read(WindowedBytes(source, position, size), position)


def _is_sound(source: Source, position: int, end: int, budget: SearchBudget) -> bool:
    """Whether a batch with the right CRC stands at `position`, as far as the budget allows to say."""
    begin, data = source.window(position, BATCH_HEADER.size)
    at = position - begin
    if _frame_problem(data, at, position, end) is not None:
        return False
    length: int = SIZE_AND_MAGIC.unpack_from(data, at)[0] + LOG_OVERHEAD
    if data[at + MAGIC_AT] == 2:
        header = BATCH_HEADER.read(data, at)
        if (
            header.base_offset < 0
            or header.partition_leader_epoch < -1
            or header.last_offset_delta < 0
            or not 0 <= header.records_count <= header.last_offset_delta + 1
            or header.producer_id < -1
        ):
            return False
    if length > budget.left:
        return False
    sound = _batch(WindowedBytes(source, position, length), position).crc_ok
    if not sound:
        budget.left -= length
    return sound
