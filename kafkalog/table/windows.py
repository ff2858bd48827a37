"""A log cut into groups of sound batches, whose records can be decoded at once, and whatever else the walk gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from kafkalog.core.attributes import CODEC_MASK, CONTROL, LOG_APPEND_TIME, TRANSACTIONAL
from kafkalog.core.batch import (
    ATTRIBUTES_AT,
    BATCH_HEADER,
    LEAST_BATCH_LENGTH,
    LOG_OVERHEAD,
    RecordBatch,
)
from kafkalog.core.checksum import crc32c
from kafkalog.core.compression import inflate
from kafkalog.core.lanes import HEADERS, PAD, Decoded, decode
from kafkalog.core.log import SearchBudget, walk
from kafkalog.core.record_walk import SAFE_BASE, Irregular
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.table.records import EndOfCommitted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from kafkalog.core.batch import Damage
    from kafkalog.core.lanes import Ints
    from kafkalog.core.log import Batch
    from kafkalog.files.source import FileSource
    from kafkalog.span import Padding
    from kafkalog.table.records import LogWalk

    Item: TypeAlias = "Group | Batch | Damage | Padding"

__all__ = ["Group", "groups_of"]

#: Bytes of a log, and of decompressed records, that make a group: what is decoded stays in the cache.
_WINDOW = 2 << 20
_HEAD = BATCH_HEADER.partial("batch_length", "magic", "crc", "attributes")


class _Log:
    """A `.log` that is gone over in windows: the one budget of all its searches for the next sound batch."""

    def __init__(self, source: FileSource) -> None:
        self.source = source
        self._budget = SearchBudget(source.size)

    def item_at(self, position: int) -> Batch | Damage | Padding:
        """What the walk gives at a position, where the item before it ended."""
        return next(walk(self.source, position, budget=self._budget))


class Group:
    """Sound batches in the order of the log.

    Args:
        log: The file that they are in.
        data: Bytes with the records of all of them, decompressed, and `PAD` more.
        spans: Where in `data` each batch's records begin and end.
        headers: The batches' headers, one after the other.
        places: Where in the file each batch begins.
        transactions: How the transaction of each ended; None: it belongs to none.
    """

    def __init__(
        self,
        log: _Log,
        data: bytes | bytearray,
        spans: list[tuple[int, int]],
        headers: bytes,
        places: list[int],
        transactions: list[str | None],
    ) -> None:
        self._log = log
        self._spans = spans
        self._headers: NDArray[np.void] = np.frombuffer(headers, HEADERS)
        self.data = data
        self.places = places
        self.transactions = transactions

    def header(self, name: str) -> Ints:
        """A field of all headers."""
        return self._headers[name].astype(np.int64)

    def has(self, flag: int) -> NDArray[np.bool_]:
        """Which batches have a flag of the attributes."""
        found: NDArray[np.bool_] = (self.header("attributes") & flag) != 0
        return found

    def codecs(self) -> Ints:
        """The id of each batch's codec."""
        return self.header("attributes") & CODEC_MASK

    def sizes(self) -> Ints:
        """Bytes of each batch in the file."""
        return self.header("batch_length") + LOG_OVERHEAD

    def batch_begins(self) -> Ints:
        """Where each batch, were it not compressed, would begin in `data`."""
        return self._record_spans[:, 0] - BATCH_HEADER.size

    @property
    def _record_spans(self) -> Ints:
        return np.array(self._spans, np.int64)

    def decode(self) -> Decoded:
        """The records.

        Raises:
            Irregular: they must be read the plain way.
        """
        for base in (self.header("base_offset"), self.header("base_timestamp")):
            if ((base <= -SAFE_BASE) | (base >= SAFE_BASE)).any():
                raise Irregular
        spans = self._record_spans
        found = decode(self.data, spans[:, 0], spans[:, 1], self.header("records_count"))
        if ((found.offset_delta < 0) & (self.header("base_sequence")[found.lane] >= 0)).any():
            raise Irregular
        return found

    def timestamps(self, found: Decoded) -> Ints:
        """The timestamps of its records, milliseconds."""
        stamps = self.header("base_timestamp")[found.lane] + found.timestamp_delta
        by_broker = self.has(LOG_APPEND_TIME)
        if by_broker.any():
            np.copyto(stamps, self.header("max_timestamp")[found.lane], where=by_broker[found.lane])
        return stamps

    def batches(self) -> Iterator[RecordBatch]:
        """The batches themselves, for the plain way."""
        for place in self.places:
            item = self._log.item_at(place)
            assert isinstance(item, RecordBatch)
            yield item


class _Filling:
    """A window of a log, and the group that gets the batches in it: while none is compressed, its data is the window itself.

    Args:
        log: The file.
        position: Where the window begins in it.
        asks: Whether it must be asked of each batch if its records are wanted.
    """

    def __init__(self, log: _Log, position: int, *, asks: bool) -> None:
        self.log = log
        self.asks = asks
        self.position = position
        self.window = bytearray(min(_WINDOW, log.source.size - position) + PAD)
        self.view = memoryview(self.window)
        self.have = log.source.read_into(self.view[:-PAD], position)
        self._begin()

    def _begin(self) -> None:
        self._parts: list[bytes] | None = None
        self._size = 0
        self._spans: list[tuple[int, int]] = []
        self._headers: list[bytes] = []
        self._places: list[int] = []
        self._transactions: list[str | None] = []

    def takes(self, codec_id: int) -> bool:
        """Whether a batch can be added: what began in the window goes on there, and what is decompressed is limited."""
        if self._parts is None:
            return not codec_id or not self._places
        return self._size < _WINDOW

    def add(self, at: int, end: int, records: bytes | None, transaction: str | None) -> None:
        """A batch of the window; `records`: decompressed, None: as they stand there."""
        begin = at + BATCH_HEADER.size
        if records is not None and self._parts is None:
            self._parts = []
        if self._parts is not None:
            part = bytes(self.view[begin:end]) if records is None else records
            self._parts.append(part)
            begin, end = self._size, self._size + len(part)
            self._size = end
        self._spans.append((begin, end))
        self._headers.append(bytes(self.view[at : at + BATCH_HEADER.size]))
        self._places.append(self.position + at)
        self._transactions.append(transaction)

    def take(self) -> Iterator[Group]:
        """What was added, if anything."""
        if self._places:
            data = self.window if self._parts is None else b"".join([*self._parts, bytes(PAD)])
            yield Group(self.log, data, self._spans, b"".join(self._headers), self._places, self._transactions)
            self._begin()


def groups_of(log: LogWalk, source: FileSource) -> Iterator[Item]:
    """Everything in a `.log` whose records may be wanted: groups where possible, else what the walk gives.

    Raises:
        EndOfCommitted: nothing from here on is wanted.
    """
    windows, position = _Log(source), 0
    while position < source.size:
        reached = yield from _window(log, _Filling(windows, position, asks=log.request.committed or log.request.filters.active))
        position = reached


def _window(log: LogWalk, filling: _Filling) -> Generator[Item, None, int]:
    """What begins in a window; returns the position after it."""
    at = 0
    while at < filling.have:
        end = _sound_end(filling.view, at, filling.have)
        if end is None and at and _goes_on(filling, at):
            break
        if end is not None:
            try:
                yield from _add(log, filling, at, end)
            except EndOfCommitted:
                yield from filling.take()
                raise
            except Irregular:
                end = None
        if end is None:
            yield from filling.take()
            item = filling.log.item_at(filling.position + at)
            yield item
            end = item.span.end - filling.position
        at = end
    yield from filling.take()
    return filling.position + at


def _sound_end(view: memoryview, at: int, have: int) -> int | None:
    """Where the batch at `at` ends, if it is of magic 2, with the right CRC, and whole."""
    if have - at < BATCH_HEADER.size:
        return None
    length, magic, crc, _ = _HEAD.unpack_from(view, at)
    end: int = at + LOG_OVERHEAD + length
    if magic == 2 and length >= LEAST_BATCH_LENGTH and end <= have and crc32c(view[at + ATTRIBUTES_AT : end]) == crc:
        return end
    return None


def _goes_on(filling: _Filling, at: int) -> bool:
    """Whether the batch at `at` may be whole in a window that begins with it."""
    if filling.position + filling.have == filling.log.source.size:
        return False
    left = filling.have - at
    return left < BATCH_HEADER.size or _HEAD.unpack_from(filling.view, at)[0] + LOG_OVERHEAD > left


def _add(log: LogWalk, filling: _Filling, at: int, end: int) -> Iterator[Group]:
    """Add a sound batch to the group; gives the group before it when it begins a new one.

    Raises:
        EndOfCommitted: nothing from here on is wanted.
        Irregular: its records cannot be decompressed, or are too large.
    """
    attributes, transaction = _HEAD.unpack_from(filling.view, at)[-1], None
    if attributes & (TRANSACTIONAL | CONTROL) or filling.asks:
        batch = RecordBatch.read(bytes(filling.view[at:end]), filling.position + at)
        if not log.wants(batch, is_sound=True):
            return
        transaction = log.transaction_of(batch)
    codec_id, records = attributes & CODEC_MASK, None
    if codec_id:
        try:
            result = inflate(codec_id, bytes(filling.view[at + BATCH_HEADER.size : end]))
        except (FormatError, LimitExceeded):
            raise Irregular from None
        if result.problem is not None or not isinstance(result.data, bytes):
            raise Irregular
        records = result.data
    if not filling.takes(codec_id):
        yield from filling.take()
    filling.add(at, end, records, transaction)
