"""A segment: a `.log` and the files that share its base offset."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.filename import SEGMENT_SUFFIXES, parse_any_segment_file_name
from kafkalog.core.log import Batch, walk
from kafkalog.core.offset_index import OffsetIndex, read_offset_index
from kafkalog.core.producer_snapshot import ProducerSnapshot, read_producer_snapshot
from kafkalog.core.time_index import TimeIndex, read_time_index
from kafkalog.core.transaction_ends import TransactionEnds
from kafkalog.core.transaction_index import TransactionIndex, read_transaction_index
from kafkalog.errors import RequestError
from kafkalog.files.arguments import check_type, path_of
from kafkalog.files.classify import Kind, classify_as
from kafkalog.files.source import FileSource, read_file, size_of
from kafkalog.services import service

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.record import Record
    from kafkalog.errors import FileChanged
    from kafkalog.span import Padding

__all__ = ["Segment", "open_segment", "readable_records", "transaction_ends"]


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

    def records(self, *, control: bool = False) -> Iterator[Record | LegacyRecord]:
        """All records that can be read; what cannot be read is left out (see `walk`).

        Args:
            control: Whether to give control records too, such as transaction markers.

        Raises:
            RequestError: `control` is neither True nor False.
        """
        check_type("control", control, bool)
        return self._records(control=control)

    def _records(self, *, control: bool) -> Iterator[Record | LegacyRecord]:
        for batch in self.batches():
            if control or not (isinstance(batch, RecordBatch) and batch.is_control):
                yield from readable_records(batch)

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

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        kinds = " ".join(self.paths)
        return f"Segment(base offset {self.base_offset}, {self.size} bytes, {kinds})"


def readable_records(batch: Batch) -> Iterator[Record | LegacyRecord]:
    """The records of a batch that can be read."""
    items: Iterator[Record | LegacyRecord | Damage] = batch.walk_records()
    for item in items:
        if not isinstance(item, Damage):
            yield item


def transaction_ends(segments: Iterable[Segment]) -> TransactionEnds:
    """How the transactions in the segments of a partition ended: a walk over all their batches."""
    segments = tuple(segments)
    indexes = (segment.transaction_index for segment in segments)
    entries = (entry for index in indexes if index is not None for entry in index.entries)
    return TransactionEnds((batch for segment in segments for batch in segment.batches()), entries)


def open_segment(path: str | os.PathLike[str], base_offset: int | None = None) -> Segment:
    """Open one segment for reading: a file of it, and those of the same base offset beside it.

    >>> open_segment("fixtures/broker/2.1.1/plain/twitter-status-0/00000000000000000000.log")
    Segment(base offset 0, 16232 bytes, .log .index .timeindex)

    Args:
        path: One of its files: the `.log`, an index, a `.snapshot`; also one that is set aside (`.deleted`, `.cleaned`,
            `.swap`), or a KRaft snapshot (`.checkpoint`), which is read as a log.
        base_offset: For a file that is not named after an offset, which is then read as a `.log` without any beside it.

    Raises:
        RequestError: it is no file, or its name tells no base offset and none is given.
        UnreadableFile: it is missing, or may not be read.
    """
    check_type("base_offset", base_offset, int, None)
    path = classify_as(Kind.FILE, path_of(path)).path
    folder, name = os.path.split(path)
    parsed = parse_any_segment_file_name(name)
    if base_offset is not None or (parsed is not None and parsed.suffix == ".checkpoint"):
        number = base_offset if base_offset is not None or parsed is None else parsed.base_offset
        return Segment(number or 0, {".log": path})
    if parsed is None:
        raise RequestError(f"{path}: its name tells no base offset; give one as open_segment(path, base_offset)")
    stem = name.removesuffix(parsed.pending).removesuffix(parsed.suffix)
    beside = {suffix: os.path.join(folder, stem + suffix + parsed.pending) for suffix in SEGMENT_SUFFIXES}
    return Segment(parsed.base_offset, {suffix: file for suffix, file in beside.items() if size_of(file) is not None})
