"""The entries of `.index`, `.timeindex`, `.txnindex` and `.snapshot`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias

from kafkalog.core.batch import RecordBatch
from kafkalog.core.filename import parse_any_segment_file_name
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_VERSION, read_producer_snapshot
from kafkalog.core.spoken import offsets_spoken
from kafkalog.core.time_index import TIME_INDEX_ENTRY
from kafkalog.core.transaction_index import ABORTED_TXN
from kafkalog.errors import UnreadableFile
from kafkalog.files.mounted import exists
from kafkalog.files.source import FileSource
from kafkalog.show.batches import opaque, time_note
from kafkalog.show.values import Part, layout_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.layout import Layout
    from kafkalog.core.source import Bytes
    from kafkalog.show.values import Row

__all__ = ["EntryFile"]

Notes: TypeAlias = dict[str, tuple[str, str]]

_LAYOUTS: dict[str, Layout[Any]] = {
    ".index": OFFSET_INDEX_ENTRY,
    ".timeindex": TIME_INDEX_ENTRY,
    ".txnindex": ABORTED_TXN,
    ".snapshot": PRODUCER_ENTRY,
}


class EntryFile:
    """A file of entries of one size, a snapshot with a header before them.

    Args:
        path: Its path; what it says of a `.log` is looked up in the one beside it.
        suffix: What it is: `.index`, `.timeindex`, `.txnindex` or `.snapshot`.
        data: Its bytes.
    """

    def __init__(self, path: str, suffix: str, data: Bytes) -> None:
        self.path = path
        self._suffix = suffix
        self._data = data
        self._layout = _LAYOUTS[suffix]
        self._begin = SNAPSHOT_HEADER.size if suffix == ".snapshot" else 0
        parsed = parse_any_segment_file_name(os.path.basename(path))
        self._base = None if parsed is None else parsed.base_offset
        #: How many whole entries there are.
        self.count = max(0, len(data) - self._begin) // self._layout.size

    @property
    def header(self) -> Part | None:
        """What stands before the entries; None where nothing does."""
        if not self._begin:
            return None
        end = min(self._begin, len(self._data))
        return Part("header", "header of the snapshot", 0, end, self._data[:end], self._header_rows(end))

    @property
    def left_over(self) -> Part | None:
        """The bytes after the last whole entry; None when there are none."""
        start = self._begin + self.count * self._layout.size
        if start >= len(self._data):
            return None
        size = len(self._data) - start
        problem = f"an entry has {self._layout.size} bytes"
        row = opaque(start, len(self._data), "leftOver", "too few for an entry", self._data, start, problem)
        title = f"{size} byte{'' if size == 1 else 's'} after the last entry"
        return Part("damage", title, start, len(self._data), self._data[start:], [row])

    def number_at(self, position: int) -> int:
        """The number of the entry that a byte belongs to; -1 of the header."""
        return (position - self._begin) // self._layout.size if position >= self._begin else -1

    def entry(self, number: int) -> Part:
        """One entry, by number."""
        start = self._begin + number * self._layout.size
        end = start + self._layout.size
        title = f"entry {number}{', nothing but zeros: preallocated space' if self._is_padding(start) else ''}"
        return Part("entry", title, start, end, self._data[start:end], self._rows(number, start, end), number)

    def _rows(self, number: int, start: int, end: int) -> Iterator[Row]:
        notes = {} if self._is_padding(start) else self._notes(self._read(number))
        yield from layout_rows(self._layout, bytes(self._data[start:end]), 0, start, notes)

    def _is_padding(self, start: int) -> bool:
        return self._suffix.endswith("index") and not any(bytes(self._data[start : start + self._layout.size]))

    def number_of(self, offset: int) -> int | None:
        """The entry that a look-up of an offset finds, or that is about it; None: there is none."""
        data = self._data[self._begin :]
        used = padded_end(data, self._layout.size) if self._suffix in (".index", ".timeindex") else len(data)
        found = None
        for number, values in enumerate(self._layout.read_all(data[:used])):
            if self._suffix == ".txnindex":
                if values.first_offset <= offset <= values.last_offset:
                    return number
            elif self._suffix == ".snapshot":
                if values.last_offset - values.offset_delta <= offset <= values.last_offset:
                    return number
            elif (self._base or 0) + values.relative_offset <= offset:
                found = number
        return found

    def _read(self, number: int) -> Any:
        start = self._begin + number * self._layout.size
        return self._layout.read(bytes(self._data[start : start + self._layout.size]))

    # --- notes ---

    def _header_rows(self, end: int) -> Iterator[Row]:
        snapshot = read_producer_snapshot(bytes(self._data))
        notes: Notes = {}
        if snapshot.header is not None:
            stored, computed = snapshot.header.crc, snapshot.computed_crc
            right = stored == computed
            notes["crc"] = ("right" if right else "", "" if right else f"the bytes have 0x{computed:08x}")
            notes["version"] = (
                "",
                "" if snapshot.header.version == SNAPSHOT_VERSION else f"{SNAPSHOT_VERSION} is the only one",
            )
            fits = snapshot.header.entry_count == self.count
            notes["entry_count"] = ("", "" if fits else f"{self.count} follow, by the file's size")
        yield from layout_rows(SNAPSHOT_HEADER, self._data, 0, 0, notes, end=end)
        if snapshot.header is None and end:
            at = max((field.end for field in SNAPSHOT_HEADER.fields if field.end <= end), default=0)
            if at < end:
                yield opaque(at, end, "header", "cut", self._data, at, f"a header has {SNAPSHOT_HEADER.size} bytes")

    def _notes(self, values: Any) -> Notes:
        if self._suffix == ".snapshot":
            return {
                "last_sequence": ("none" if values.last_sequence < 0 else "", ""),
                "last_offset": ("none" if values.last_offset < 0 else "", ""),
                "timestamp": (time_note(values.timestamp), ""),
                "coordinator_epoch": ("none" if values.coordinator_epoch < 0 else "", ""),
                "current_txn_first_offset": ("no open transaction" if values.current_txn_first_offset < 0 else "", ""),
            }
        if self._suffix == ".txnindex":
            return {}
        notes: Notes = {}
        if self._base is not None:
            notes["relative_offset"] = (f"offset {self._base + values.relative_offset}", "")
        if self._suffix == ".index":
            notes["position"] = self._log_note(values.position)
        else:
            notes["timestamp"] = (time_note(values.timestamp), "")
        return notes

    def _log_note(self, position: int) -> tuple[str, str]:
        """What is in the `.log` beside it at a position."""
        path = self.path.removesuffix(".index") + ".log"
        if not self.path.endswith(".index") or not exists(path):
            return f"0x{position:x}", ""
        try:
            with FileSource(path) as source:
                if not 0 <= position < source.size:
                    return f"0x{position:x}", f"the .log has {source.size} bytes"
                item = next(walk(source, position))
        except UnreadableFile as error:
            return f"0x{position:x}, the .log cannot be read: {error.reason}", ""
        if not isinstance(item, RecordBatch | LegacyBatch):
            return f"0x{position:x}", "no batch begins there in the .log"
        if isinstance(item, RecordBatch):
            return f"0x{position:x}: the batch of {offsets_spoken(item.base_offset, item.last_offset)}", ""
        return f"0x{position:x}: the message of offset {item.last_offset}", ""
