"""`.timeindex`: the largest timestamp so far, and the offset it came with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from kafkalog.core.layout import INT32, INT64, Layout
from kafkalog.core.offset_index import leftover, padded_end, padding_between

if TYPE_CHECKING:
    from kafkalog.core.batch import Damage
    from kafkalog.span import Padding

__all__ = ["TIME_INDEX_ENTRY", "TimeIndex", "TimeIndexEntry", "read_time_index"]


class TimeIndexEntry(NamedTuple):
    """One entry of a `.timeindex` file."""

    timestamp: Annotated[int, INT64, "Largest timestamp of the segment so far, milliseconds."]
    relative_offset: Annotated[int, INT32, "Offset minus the base offset in the file's name."]


TIME_INDEX_ENTRY = Layout(TimeIndexEntry)


class TimeIndex(NamedTuple):
    """A whole `.timeindex`. Entry number i is at byte 12·i; zeros at the end are padding, up to 11 bytes left over."""

    entries: tuple[TimeIndexEntry, ...]
    padding: Padding | None
    damage: Damage | None


def read_time_index(data: bytes) -> TimeIndex:
    """Read a `.timeindex` file. Never fails: what is not an entry is padding or damage."""
    size = TIME_INDEX_ENTRY.size
    end = padded_end(data, size)
    entries = tuple(TIME_INDEX_ENTRY.read_all(data[:end]))
    return TimeIndex(entries, padding_between(end, len(data) - len(data) % size), leftover(data, size))
