"""The columns of `records` from a group that is decoded at once; equal to what the declared columns get of each record."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from kafkalog.core.attributes import CONTROL, LOG_APPEND_TIME, TRANSACTIONAL
from kafkalog.core.dates import DATES
from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.table.encoder import TYPES
from kafkalog.table.records import compression_name, record_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.lanes import Decoded, Ints
    from kafkalog.table.columns import Column
    from kafkalog.table.encoder import Encoder
    from kafkalog.table.records import LogWalk
    from kafkalog.table.windows import Group

__all__ = ["RecordArrays"]


class RecordArrays:
    """The records of a group that are wanted, column by column.

    Raises:
        Irregular: they must be read the plain way.
    """

    def __init__(self, log: LogWalk, group: Group) -> None:
        self.log = log
        self.group = group
        #: All records, those that are not wanted too; all below is of the wanted ones.
        self.found: Decoded = group.decode()
        self.timestamps = group.timestamps(self.found)
        self.offsets = group.header("base_offset")[self.found.lane] + self.found.offset_delta
        self._wanted = self._select()
        self.lane = self._of(self.found.lane)
        self.timestamps, self.offsets = self._of(self.timestamps), self._of(self.offsets)

    def __len__(self) -> int:
        return len(self.lane)

    def _select(self) -> Ints | None:
        """The numbers of the records that pass; None: all of them."""
        filters, found = self.log.request.filters, self.found
        if not filters.active:
            return None
        passes = np.ones(len(found.lane), bool)
        for values, low, high in (
            (self.offsets, filters.first_offset, filters.end_offset),
            (self.timestamps, filters.since, filters.until),
        ):
            if low is not None:
                passes &= values >= low
            if high is not None:
                passes &= values < high
        if filters.key is not None:
            passes &= found.key_size == len(filters.key)
            for number in np.flatnonzero(passes).tolist():
                at = int(found.key_at[number])
                passes[number] = self.group.data[at : at + len(filters.key)] == filters.key
        return np.flatnonzero(passes)

    def _of(self, values: Ints) -> Ints:
        return values if self._wanted is None else values[self._wanted]

    def column(self, column: Column, encoder: Encoder) -> Any:
        """One of the columns of `records`."""
        return _COLUMNS[column.name](self, column, encoder)

    def number(self, values: Any, column: Column) -> Any:
        """Numbers, one for each record."""
        return pa.array(values.astype(TYPES[column.type].to_pandas_dtype(), copy=False))

    def of_header(self, name: str) -> Ints:
        """A field of the headers of their batches."""
        return self.group.header(name)[self.lane]

    def flag(self, flag: int) -> Any:
        """Whether their batches have a flag."""
        return pa.array(self.group.has(flag)[self.lane])

    def constant(self, column: Column, encoder: Encoder, value: str | None) -> Any:
        """The same text for all."""
        (code,) = encoder.codes(column, [value])
        return encoder.coded(column, np.full(len(self.lane), code, np.int64))

    def of_batch(self, column: Column, encoder: Encoder, values: Iterable[str | None]) -> Any:
        """A text for each batch."""
        return encoder.coded(column, np.array(encoder.codes(column, values), np.int64)[self.lane])

    @cached_property
    def _buffer(self) -> Any:
        return pa.py_buffer(self.group.data)

    def bytes(self, at: Ints, size: Ints) -> Any:
        """Keys or values."""
        return _views(self.group.data, self._buffer, self._of(at), self._of(size))

    def sizes(self, values: Ints, column: Column) -> Any:
        """Sizes of keys or values."""
        return self.number(self._of(values), column)

    def dates(self) -> Any:
        """The timestamps that are dates."""
        stamps = self.timestamps
        no_date = (stamps < DATES.start) | (stamps >= DATES.stop) | (stamps == NO_TIMESTAMP)
        return pa.array(stamps, mask=no_date if no_date.any() else None).cast(TYPES["timestamp"])

    def sequences(self) -> Ints:
        """The sequence numbers; 2147483647 is followed by 0."""
        base = self.of_header("base_sequence")
        return np.where(base >= 0, base + self._of(self.found.offset_delta) & 0x7FFFFFFF, -1)

    def batch_positions(self) -> Ints:
        """Where their batches begin in the file."""
        return np.array(self.group.places, np.int64)[self.lane]

    def positions(self) -> Any:
        """Where they begin in the file; null in compressed batches."""
        in_batch = self._of(self.found.start) - self.group.batch_begins()[self.lane]
        compressed = (self.group.codecs() != 0)[self.lane]
        return pa.array(self.batch_positions() + in_batch, mask=compressed)

    @cached_property
    def _header_items(self) -> tuple[Any, Ints]:
        """Place of each wanted record's headers among all, and their numbers."""
        every = self.found.header_count
        counts, first = self._of(every), self._of(np.cumsum(every) - every)
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        items = np.arange(offsets[-1]) + np.repeat(first - offsets[:-1], counts)
        return offsets, items

    @cached_property
    def _header_keys(self) -> tuple[Any, Any]:
        """The keys of all wanted headers as text, and which of them are none (None: all are)."""
        _, items = self._header_items
        at, size = self.found.header_key_at[items], self.found.header_key_size[items]
        keys = _views(self.group.data, self._buffer, at, size).cast(pa.binary())
        try:
            return keys.cast(pa.string()), None
        except pa.ArrowInvalid:
            stored = keys.to_pylist()
            texts = [key.decode("utf-8", "backslashreplace") for key in stored]
            wrong = np.array([text.encode() != key for text, key in zip(texts, stored, strict=True)])
            return pa.array(texts, pa.string()), wrong

    def headers(self) -> Any:
        """The headers; null where there are none."""
        kind = TYPES["headers"]
        if not self.found.header_count.any():
            return pa.nulls(len(self.lane), kind)
        offsets, items = self._header_items
        keys, _ = self._header_keys
        values = _views(self.group.data, self._buffer, self.found.header_value_at[items], self.found.header_value_size[items])
        pairs = pa.StructArray.from_arrays([keys, values.cast(pa.binary())], fields=list(kind.value_type))
        none = pa.array(offsets[1:] == offsets[:-1])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pairs, mask=none).cast(kind)

    def problems(self, column: Column, encoder: Encoder) -> Any:
        """Why each is doubtful; the CRCs of all are right."""
        odd_time = (self.timestamps < DATES.start) | (self.timestamps >= DATES.stop)
        _, wrong = self._header_keys if self.found.header_count.any() else (None, None)
        odd_key = np.zeros(len(self.lane), bool)
        if wrong is not None:
            offsets, _ = self._header_items
            before = np.zeros(len(wrong) + 1, np.int64)
            np.cumsum(wrong, out=before[1:])
            odd_key = before[offsets[1:]] > before[offsets[:-1]]
        if not odd_time.any() and not odd_key.any():
            return self.constant(column, encoder, None)
        texts = [
            record_problem(None, 0 if in_range else DATES.stop, keys_are_text=are_text)
            for are_text in (True, False)
            for in_range in (True, False)
        ]
        return encoder.coded(column, np.array(encoder.codes(column, texts), np.int64)[odd_time + 2 * odd_key])


_INLINE = 12
_HALF = np.uint64(32)


def _views(data: bytes | bytearray, buffer: Any, at: Ints, size: Ints) -> Any:
    """A column of views of `data`: up to 12 bytes stand in the view itself; a size of -1 is null.

    **Layout**: int32 size; then the bytes, or their first four, int32 number of the buffer, int32 place in it.
    """
    count = len(at)
    # After the last of them there are more than eight bytes: `lanes.PAD`.
    longs: Any = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))
    null = size < 0
    nulls = int(null.sum())
    length = np.maximum(size, 0) if nulls else size
    first = longs[at]
    shortest = int(length.min()) if count else _INLINE
    if shortest < 4:
        first &= _MASKS[np.minimum(length, 4)]
    halves: Any = np.empty((count, 2), np.uint64)
    halves[:, 0] = length.view(np.uint64) | first << _HALF
    halves[:, 1] = at.astype(np.uint64) << _HALF
    if shortest <= _INLINE:
        short = np.flatnonzero(length <= _INLINE)
        halves[short, 1] = longs[at[short] + 4] & _MASKS[np.maximum(length[short] - 4, 0)]
    valid = pa.py_buffer(np.packbits(~null, bitorder="little").tobytes()) if nulls else None
    return pa.Array.from_buffers(pa.binary_view(), count, [valid, pa.py_buffer(halves), buffer], null_count=nulls)


#: The lowest 0 to 8 bytes of eight.
_MASKS = np.array([(1 << bits) - 1 for bits in range(0, 65, 8)], np.uint64)


_COLUMNS: dict[str, Callable[[RecordArrays, Column, Encoder], Any]] = {
    "key": lambda rows, _c, _e: rows.bytes(rows.found.key_at, rows.found.key_size),
    "value": lambda rows, _c, _e: rows.bytes(rows.found.value_at, rows.found.value_size),
    "topic": lambda rows, column, encoder: rows.constant(column, encoder, rows.log.log.topic),
    "partition": lambda rows, column, _: pa.array([rows.log.log.number] * len(rows), TYPES[column.type]),
    "offset": lambda rows, column, _: rows.number(rows.offsets, column),
    "timestamp": lambda rows, _c, _e: rows.dates(),
    "timestamp_type": lambda rows, column, _: rows.number(rows.group.has(LOG_APPEND_TIME)[rows.lane], column),
    "headers": lambda rows, _c, _e: rows.headers(),
    "timestamp_ms": lambda rows, column, _: rows.number(rows.timestamps, column),
    "key_size": lambda rows, column, _: rows.sizes(rows.found.key_size, column),
    "value_size": lambda rows, column, _: rows.sizes(rows.found.value_size, column),
    "partition_leader_epoch": lambda rows, column, _: rows.number(rows.of_header("partition_leader_epoch"), column),
    "producer_id": lambda rows, column, _: rows.number(rows.of_header("producer_id"), column),
    "producer_epoch": lambda rows, column, _: rows.number(rows.of_header("producer_epoch"), column),
    "sequence": lambda rows, column, _: rows.number(rows.sequences(), column),
    "is_transactional": lambda rows, _c, _e: rows.flag(TRANSACTIONAL),
    "is_control": lambda rows, _c, _e: rows.flag(CONTROL),
    "transaction": lambda rows, column, encoder: rows.of_batch(column, encoder, rows.group.transactions),
    "compression": lambda rows, column, encoder: rows.of_batch(
        column, encoder, map(compression_name, rows.group.codecs().tolist())
    ),
    "magic": lambda rows, column, _: rows.number(rows.of_header("magic"), column),
    "crc_ok": lambda rows, _c, _e: pa.array(np.ones(len(rows.lane), bool)),
    "path": lambda rows, column, encoder: rows.constant(column, encoder, rows.log.path),
    "batch_position": lambda rows, column, _: rows.number(rows.batch_positions(), column),
    "batch_size": lambda rows, column, _: rows.number(rows.group.sizes()[rows.lane], column),
    "position": lambda rows, _c, _e: rows.positions(),
    "problem": lambda rows, column, encoder: rows.problems(column, encoder),
}
