"""A segment: a `.log` and the files that share its base offset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage
from kafkalog.core.log import Batch, walk
from kafkalog.core.offset_index import OffsetIndex, read_offset_index
from kafkalog.core.producer_snapshot import ProducerSnapshot, read_producer_snapshot
from kafkalog.core.time_index import TimeIndex, read_time_index
from kafkalog.core.transaction_index import TransactionIndex, read_transaction_index
from kafkalog.files.source import FileSource, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.record import Record
    from kafkalog.errors import FileChanged
    from kafkalog.span import Padding

__all__ = ["Segment"]


class Segment:
    """A segment of a partition: lazy, re-iterable, read-only.

    Nothing is opened before it is asked for, and every walk starts from the file again. Used as a context manager it
    keeps the `.log` open between walks; without that each walk opens and closes it.

    Args:
        base_offset: From the file names.
        paths: The files that are there, by suffix: `.log`, `.index`, `.timeindex`, `.txnindex`, `.snapshot`.
    """

    def __init__(self, base_offset: int, paths: Mapping[str, str]) -> None:
        self.base_offset = base_offset
        self.paths = dict(paths)
        #: Set by a walk that came to the end: bytes were appended to the `.log` meanwhile. They were not read.
        self.grown: FileChanged | None = None
        self._source: FileSource | None = None

    # --- the log ---

    def walk(self, start: int = 0) -> Iterator[Batch | Damage | Padding]:
        """Every byte of the `.log` from position `start` on, as batches, damage and padding.

        Nothing when there is no `.log`. What is appended while it is read is left out, and reported by `grown`.

        Raises:
            UnreadableFile: the `.log` cannot be read.
            FileChanged: it shrank while it was read.
        """
        if ".log" not in self.paths:
            return
        if self._source is not None:
            yield from walk(self._source, start)
            self.grown = self._source.grown
            return
        with FileSource(self.paths[".log"]) as source:
            yield from walk(source, start)
            self.grown = source.grown

    def batches(self, start: int = 0) -> Iterator[Batch]:
        """The batches of the `.log`, those after damage too."""
        for item in self.walk(start):
            if isinstance(item, Batch):
                yield item

    def damages(self) -> Iterator[Damage]:
        """The damage between the batches of the `.log`."""
        for item in self.walk():
            if isinstance(item, Damage):
                yield item

    def records(self) -> Iterator[Record | LegacyRecord]:
        """All records that can be read, control records too; what cannot be read is left out (see `walk`)."""
        for batch in self.batches():
            items: Iterator[Record | LegacyRecord | Damage] = batch.walk_records()
            for item in items:
                if not isinstance(item, Damage):
                    yield item

    @property
    def size(self) -> int:
        """Bytes of the `.log`; 0 when there is none."""
        if ".log" not in self.paths:
            return 0
        with FileSource(self.paths[".log"]) as source:
            return source.size

    # --- its siblings; None when the file is not there ---

    def _sibling(self, suffix: str) -> bytes | None:
        path = self.paths.get(suffix)
        return None if path is None else read_file(path)

    @property
    def offset_index(self) -> OffsetIndex | None:
        """The `.index`."""
        data = self._sibling(".index")
        return None if data is None else read_offset_index(data)

    @property
    def time_index(self) -> TimeIndex | None:
        """The `.timeindex`."""
        data = self._sibling(".timeindex")
        return None if data is None else read_time_index(data)

    @property
    def transaction_index(self) -> TransactionIndex | None:
        """The `.txnindex`."""
        data = self._sibling(".txnindex")
        return None if data is None else read_transaction_index(data)

    @property
    def producer_snapshot(self) -> ProducerSnapshot | None:
        """The `.snapshot` of its base offset: the producers' state before its first record."""
        data = self._sibling(".snapshot")
        return None if data is None else read_producer_snapshot(data)

    # --- life ---

    def __enter__(self) -> Segment:
        if ".log" in self.paths:
            self._source = FileSource(self.paths[".log"])
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None

    def __repr__(self) -> str:
        kinds = " ".join(self.paths)
        return f"Segment(base offset {self.base_offset}, {self.size} bytes, {kinds})"
