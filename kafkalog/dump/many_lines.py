"""The record lines of many batches at once, put together column by column. Importing it needs numpy and pyarrow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kafkalog.core.attributes import LOG_APPEND_TIME
from kafkalog.core.lanes import PAD, decode, integers
from kafkalog.core.record_walk import Irregular
from kafkalog.dump.lines import lines_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from kafkalog.core.batch import BatchHeader
    from kafkalog.core.lanes import Decoded, Ints
    from kafkalog.dump.dialects import Dialect
    from kafkalog.dump.record_text import Part

    Text = bytes | memoryview

__all__ = ["ManyLines"]

_BINARY = pa.binary()
_PLACEHOLDER = re.compile("%[db]")


class ManyLines:
    """Makes the lines of regular batches: those of their records are those that `RecordText` makes of keys and values as text.

    Args:
        dialect: Whose lines.
        with_batches: The batches have lines, too.
    """

    def __init__(self, dialect: Dialect, *, with_batches: bool) -> None:
        self._lines = lines_of(dialect)
        self._tombstone_keys = dialect.key_of_tombstone
        self._with_batches = with_batches

    def make(self, parts: Sequence[Part]) -> tuple[bytes, Ints]:
        """The lines, and the offsets of all records.

        Args:
            parts: Batches with records. Offsets, timestamps and sequences are not near the ends of their types.

        Raises:
            Irregular: they must go the readable way.
        """
        data, start, end = _joined(parts)
        headers = [part.header for part in parts]
        count = integers([header.records_count for header in headers])
        found = decode(data, start, end, count)
        columns = _Columns(data, found, headers, tombstone_keys=self._tombstone_keys)
        names = self._lines.record_values
        template = self._lines.record_template
        texts = [template(part.header, part.position, part.size, part.codec) for part in parts]
        pieces: list[Any] = []
        for number, literals in enumerate(_literals(texts)):
            pieces.append(columns.of_batch(literals))
            if number < len(names):
                pieces.append(columns.value(names[number]))
        text, ends = _join([*pieces, *columns.key_and_payload(), b"\n"], len(found.start))
        if self._with_batches:
            text = b"".join(self._between_batches(parts, text, ends.take(np.cumsum(count) - 1).tolist()))
        else:
            text = bytes(text)
        if not text.isascii():
            try:
                text.decode()
            except UnicodeDecodeError:
                raise Irregular from None
        return text, columns.offsets

    def _between_batches(self, parts: Sequence[Part], text: Text, ends: list[int]) -> Iterator[Text]:
        """The line of each batch, and those of its records, which end at places in the text of all records."""
        batch_line, begin = self._lines.batch, 0
        for part, end in zip(parts, ends, strict=True):
            yield f"{batch_line(part.header, part.position, part.size, part.codec, valid=True)}\n".encode()
            yield text[begin:end]
            begin = end


def _literals(templates: list[str]) -> list[tuple[str, ...]]:
    """What stands around the values in the lines of each batch: for each place the texts of all batches, or the one of all."""
    different = templates[:1] if len(set(templates)) == 1 else templates
    return list(zip(*map(_PLACEHOLDER.split, different), strict=True))


def _joined(parts: Sequence[Part]) -> tuple[bytes, Ints, Ints]:
    """The records of all batches in one buffer, with `PAD` more, and where those of each begin and end."""
    first = parts[0].section
    if all(part.section is first for part in parts) and parts[-1].end + PAD <= len(first):
        return first, integers([part.start for part in parts]), integers([part.end for part in parts])
    ends = np.cumsum([part.end - part.start for part in parts])
    data = b"".join([*(part.section[part.start : part.end] for part in parts), bytes(PAD)])
    return data, integers([0, *ends[:-1].tolist()]), integers(ends)


def _join(pieces: list[Any], count: int) -> tuple[Text, Ints]:
    """Columns, and bytes that are the same for all, side by side: the text of all rows, and where in it each of them ends."""
    merged: list[Any] = []
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    if all(isinstance(piece, bytes) for piece in merged):
        (row,) = merged
        return row * count, np.arange(1, count + 1) * len(row)
    scalars = [_scalar(piece) if isinstance(piece, bytes) else piece for piece in merged]
    rows = pc.binary_join_element_wise(*scalars, _scalar(b""), null_handling="replace", null_replacement="")
    _, bounds, text = rows.buffers()
    ends = integers(np.frombuffer(bounds, np.int32, count + 1)[1:])
    return memoryview(text)[: int(ends[-1])], ends


# What pyarrow makes of a Python value imports pandas where that is installed, a fifth of a second.


def _array(values: NDArray[Any], null: NDArray[np.bool_] | None = None) -> Any:
    """Numbers as pyarrow has them."""
    values = np.ascontiguousarray(values)
    valid = None if null is None else pa.py_buffer(np.packbits(~null, bitorder="little"))
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [valid, pa.py_buffer(values)])


def _texts(values: Sequence[bytes]) -> Any:
    bounds = np.zeros(len(values) + 1, np.int32)
    np.cumsum([len(value) for value in values], out=bounds[1:])
    return pa.Array.from_buffers(_BINARY, len(values), [None, pa.py_buffer(bounds), pa.py_buffer(b"".join(values))])


def _scalar(value: bytes) -> Any:
    return _texts([value])[0]


class _Columns:
    """What differs from line to line: of each a column, or bytes where it is the same for all."""

    def __init__(self, data: bytes, found: Decoded, headers: list[BatchHeader], *, tombstone_keys: bool) -> None:
        self._data = pa.py_buffer(data)
        self._found = found
        self._headers = headers
        self._tombstone_keys = tombstone_keys
        self.offsets = self._of_header("base_offset") + found.offset_delta

    def _of_header(self, name: str) -> Ints:
        return integers([getattr(header, name) for header in self._headers])[self._found.lane]

    def of_batch(self, texts: tuple[str, ...]) -> Any:
        """A text for each batch."""
        if len(set(texts)) == 1:
            return texts[0].encode()
        return _texts([text.encode() for text in texts]).take(_array(self._found.lane))

    def value(self, name: str) -> Any:
        """One of `lines.RECORD_VALUES`."""
        found = self._found
        if name == "offset":
            return _numbers(self.offsets)
        if name == "timestamp":
            by_broker = (self._of_header("attributes") & LOG_APPEND_TIME) != 0
            stamps = self._of_header("base_timestamp") + found.timestamp_delta
            return _numbers(np.where(by_broker, self._of_header("max_timestamp"), stamps))
        if name == "sequence":
            base = self._of_header("base_sequence")
            return _numbers(np.where(base >= 0, base + found.offset_delta, -1))
        if name == "header_keys":
            return self._header_keys()
        return _numbers(found.key_size if name == "key_size" else found.value_size)

    def _header_keys(self) -> Any:
        found = self._found
        if not len(found.header_key_at):
            return b""
        keys = _every(self._spans((found.header_key_at, found.header_key_size)), 0, 2)
        ends = np.zeros(len(found.start) + 1, np.int32)
        np.cumsum(found.header_count, out=ends[1:])
        return pc.binary_join(pa.ListArray.from_arrays(_array(ends), keys), _scalar(b","))

    def key_and_payload(self) -> list[Any]:
        """What follows the fields."""
        found = self._found
        no_value = found.value_size < 0
        no_key = found.key_size < 0 if self._tombstone_keys else (found.key_size < 0) | no_value
        every = self._spans((found.key_at, found.key_size), (found.value_at, found.value_size))
        return [*_shown(b" key: ", every, 0, 4, no_key), *_shown(b" payload: ", every, 2, 4, no_value)]

    def _spans(self, *columns: tuple[Ints, Ints]) -> Any:
        """Bytes by their places and sizes: of each row one after the other, and what lies between."""
        width = 2 * len(columns)
        offsets = np.empty(width * len(columns[0][0]) + 1, np.int32)
        for number, (at, size) in enumerate(columns):
            offsets[2 * number : -1 : width] = at
            offsets[2 * number + 1 : -1 : width] = at + np.maximum(size, 0)
        offsets[-1] = offsets[-2]
        return pa.Array.from_buffers(_BINARY, len(offsets) - 1, [None, pa.py_buffer(offsets), self._data])


def _every(spans: Any, first: int, width: int, null: NDArray[np.bool_] | None = None) -> Any:
    """One of the columns of `_spans`."""
    return spans.take(_array(np.arange(first, len(spans), width), null))


def _shown(label: bytes, spans: Any, first: int, width: int, null: NDArray[np.bool_]) -> list[Any]:
    """A column of `_spans` after its label; nothing where it is null."""
    if not null.any():
        return [label, _every(spans, first, width)]
    scalar, none = _scalar(label), _scalar(b"")
    return [pc.binary_join_element_wise(scalar, _every(spans, first, width, null), none, null_handling="emit_null")]


def _numbers(values: Ints) -> Any:
    """Integers as text."""
    if (values == values[0]).all():
        return b"%d" % values[0]
    return _array(values).cast(pa.string()).cast(_BINARY)
