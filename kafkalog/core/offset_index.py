"""`.index`: where in the `.log` an offset may be looked for."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Annotated, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.layout import INT32, Layout
from kafkalog.core.source import PIECE
from kafkalog.errors import Truncated
from kafkalog.span import Padding, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.source import Bytes

__all__ = ["OFFSET_INDEX_ENTRY", "OffsetIndex", "OffsetIndexEntry", "read_offset_index"]


class OffsetIndexEntry(NamedTuple):
    """One entry of a `.index` file."""

    relative_offset: Annotated[int, INT32, "Offset minus the base offset in the file's name."]
    position: Annotated[int, INT32, "Byte place of a batch in the `.log`."]


OFFSET_INDEX_ENTRY = Layout(OffsetIndexEntry)


class OffsetIndex(NamedTuple):
    """A whole `.index`. Entry number i is at byte 8·i; zeros at the end are padding, up to 7 bytes may be left over."""

    entries: tuple[OffsetIndexEntry, ...]
    padding: Padding | None
    damage: Damage | None


def padded_end(data: Bytes, entry_size: int) -> int:
    """Where the entries of a zero-padded index end: the last entry that is not all zeros is the last one."""
    used = len(data)
    while used:
        start = max(0, used - PIECE)
        found = len(data[start:used].rstrip(b"\0"))
        used = start + found
        if found:
            break
    return min(used + -used % entry_size, len(data) - len(data) % entry_size)


def padded_end_by_halving(is_zero: Callable[[int], bool], count: int) -> int:
    """How many of `count` entries are in use, by looking at few of them: the first of those that are zeros up to the end.

    For files whose zeros are too many to read; entries of nothing but zeros before the padding would mislead it.

    Args:
        is_zero: Whether an entry, by number, is nothing but zeros.
        count: Whole entries of the file.
    """
    return bisect_left(range(count), 1, key=is_zero) if count and is_zero(count - 1) else count


def leftover(data: Bytes, entry_size: int) -> Damage | None:
    """The bytes at the end that are too few for an entry."""
    size = len(data) % entry_size
    if not size:
        return None
    span = Span(len(data) - size, len(data))
    return Damage(span, Truncated(entry_size, size, "entry", span))


def padding_between(start: int, end: int) -> Padding | None:
    """The padding of a range, None if it is empty."""
    return Padding(Span(start, end)) if end > start else None


def read_offset_index(data: bytes) -> OffsetIndex:
    """Read a `.index` file. Never fails: what is not an entry is padding or damage."""
    size = OFFSET_INDEX_ENTRY.size
    end = padded_end(data, size)
    entries = tuple(OFFSET_INDEX_ENTRY.read_all(data[:end]))
    return OffsetIndex(entries, padding_between(end, len(data) - len(data) % size), leftover(data, size))
