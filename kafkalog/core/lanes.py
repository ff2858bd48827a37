"""The records of many batches of magic 2 decoded at once: the same reading as `core.record_walk`, as columns of numpy.

Every batch is a lane. Step `i` moves all lanes over their record `i`: a gather of two bytes at each lane's place, and a table
that holds the bytes from there to the next record. Then all fields of all records are read in vectors.

What is not perfectly regular raises `Irregular`, and whoever asked reads these batches the plain way. Places only move
forward, and each record must end where the next begins; so no field lies outside its record, and a place outside the buffer
is an `IndexError`, which is irregular, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.record_counts import RecordCounts
from kafkalog.core.record_walk import SAFE_BASE, Irregular, size_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]
    Headers: TypeAlias = NDArray[np.void]

__all__ = ["HEADERS", "PAD", "Decoded", "count_all", "decode", "headers_at", "integers"]

#: Bytes that a buffer must have after the last record: a varint that begins in the last one may be read beyond it.
PAD = 64
#: Lanes from which on a step in numpy costs less than in Python.
_FEW = 24
#: One of so many lanes must have a record, or the others' places would be held for nothing.
_SPARSE = 8
#: Records whose fields are read in one go: their vectors stay in the cache.
_CHUNK = 1 << 13
#: Headers of a record that are read as columns.
_MOST_HEADERS = 64
_MOST_BYTES_32 = 5
_MOST_BYTES_64 = 9

_WORDS = np.arange(1 << 16, dtype=np.int64)
_LOW, _HIGH = _WORDS & 0xFF, _WORDS >> 8
_SIZE = np.where(_LOW < 128, 1, np.where(_HIGH < 128, 2, 0))
_RAW = np.where(_LOW < 128, _LOW, np.where(_HIGH < 128, _LOW & 0x7F | _HIGH << 7, 0))
#: By the two bytes at its place: bytes from a record's length to the next record; 0 stops the lane, which is then gone over
#: by hand.
_STEP = np.where((_SIZE > 0) & (_RAW & 1 == 0), _SIZE + (_RAW >> 1), 0)

#: A batch's header, as numpy has it.
HEADERS = np.dtype(
    {
        "names": [field.name for field in BATCH_HEADER.fields],
        "formats": [f">{field.type.code}" for field in BATCH_HEADER.fields],
        "offsets": [field.at for field in BATCH_HEADER.fields],
        "itemsize": BATCH_HEADER.size,
    }
)
_HEADER_BYTES = np.arange(BATCH_HEADER.size)


def integers(numbers: list[int] | NDArray[Any]) -> Ints:
    """Integers as numpy computes with them."""
    return np.asarray(numbers, np.int64)


def headers_at(data: bytes | bytearray, places: list[int]) -> Headers:
    """The headers of the batches that begin at places of a buffer."""
    found: Headers = np.frombuffer(data, np.uint8).take(integers(places)[:, None] + _HEADER_BYTES).view(HEADERS)[:, 0]
    return found


class Decoded(NamedTuple):
    """A column for each field of records, one after the other as the batches have them. Places count in the buffer.

    Sizes are -1 for null. `lane` is the number of a record's batch. `header_*` have an item for each header of all records.
    """

    lane: Ints
    start: Ints
    offset_delta: Ints
    timestamp_delta: Ints
    key_at: Ints
    key_size: Ints
    value_at: Ints
    value_size: Ints
    header_count: Ints
    header_key_at: Ints
    header_key_size: Ints
    header_value_at: Ints
    header_value_size: Ints


def decode(data: bytes | bytearray, start: Ints, end: Ints, count: Ints) -> Decoded:
    """The records of batches.

    Args:
        data: Their (decompressed) record bytes and, after the last of them, at least `PAD` more.
        start: Where each batch's records begin.
        end: Where they end.
        count: How many there are.

    Raises:
        Irregular: they must be read the plain way.
    """
    try:
        return _Lanes(data, start, end, count).decode()
    except IndexError:
        raise Irregular from None


def count_all(data: bytes | bytearray, start: Ints, end: Ints, count: Ints) -> RecordCounts[Ints]:
    """What `record_counts.count_records` gives of each batch, in arrays with an item for each; arguments as for `decode`.

    Raises:
        Irregular: it is not true of all that they have records, all regular.
    """
    if not (count > 0).all():
        raise Irregular
    try:
        return _Lanes(data, start, end, count).counts()
    except IndexError:
        raise Irregular from None


class _Varints(NamedTuple):
    """Signed numbers, the places after them, and whether any of them is negative."""

    value: NDArray[Any]
    after: Ints
    any_negative: bool


class _Fields(NamedTuple):
    """Those of a chunk of records; `headers` is how many each has, `first_header` where the first of them begins."""

    timestamp: _Varints
    offset: _Varints
    key: _Varints
    value: _Varints
    headers: NDArray[Any]
    first_header: Ints


class _Lanes:
    """Batches. The places where records begin are known once it is made.

    Raises:
        Irregular, IndexError: they must be read the plain way.
    """

    def __init__(self, data: bytes | bytearray, start: Ints, end: Ints, count: Ints) -> None:
        if (count < 0).any() or ((count == 0) & (start != end)).any():
            raise Irregular
        self.data = data
        self.count = count
        self.bytes = np.frombuffer(data, np.uint8)
        self.next_bytes = self.bytes[1:]
        self.words: NDArray[np.uint16] = np.ndarray((len(data) - 1,), "<u2", data, 0, (1,))
        self.begins = self._begins(start, end, count)
        self.ends = np.empty(len(self.begins), np.int64)
        self.ends[:-1] = self.begins[1:]
        self.last = np.cumsum(count) - 1
        self.ends[self.last[count > 0]] = end[count > 0]

    def decode(self) -> Decoded:
        """All fields of all records."""
        total = len(self.begins)
        timestamp, offset, key_at, key_size, value_at, value_size, headers = (np.empty(total, np.int64) for _ in range(7))
        of_headers: list[tuple[Ints, Ints, Ints, Ints]] = []
        for part, found in self._chunks():
            timestamp[part], offset[part] = found.timestamp.value, found.offset.value
            for at, size, of in ((key_at, key_size, found.key), (value_at, value_size, found.value)):
                at[part], size[part] = of.after, of.value
                if of.any_negative:
                    np.maximum(size[part], -1, out=size[part])
            headers[part] = found.headers
            of_headers.append(self._headers(part, found))
        lane = np.repeat(np.arange(len(self.count)), self.count)
        joined = (np.concatenate(columns) for columns in zip(*of_headers, strict=True)) if of_headers else [headers] * 4
        return Decoded(lane, self.begins, offset, timestamp, key_at, key_size, value_at, value_size, headers, *joined)

    def counts(self) -> RecordCounts[Ints]:
        """Counters of each batch; all have records."""
        total, none = len(self.begins), np.zeros(len(self.count), np.int64)
        timestamp, offset = np.empty(total, np.int64), np.empty(total, np.int64)
        null_key, null_value = np.empty(total, np.bool_), np.empty(total, np.bool_)
        any_key = any_value = False
        for part, found in self._chunks():
            timestamp[part], offset[part] = found.timestamp.value, found.offset.value
            null_key[part], null_value[part] = found.key.value < 0, found.value.value < 0
            any_key |= found.key.any_negative
            any_value |= found.value.any_negative
            self._pass_headers(part, found)
        first = self.last - self.count + 1
        wanted = np.empty(total, np.int64)
        np.add(offset[:-1], 1, out=wanted[1:])
        wanted[first] = 0
        wanted -= offset
        gaps = backward = none
        if wanted.any():
            gaps = np.add.reduceat(wanted != 0, first, dtype=np.int64)
            backward = np.add.reduceat(wanted > 0, first, dtype=np.int64)
        return RecordCounts(
            next_delta=offset[self.last] + 1,
            gaps=gaps,
            backward=backward,
            largest=np.maximum.reduceat(timestamp, first),
            smallest=np.minimum(np.minimum.reduceat(timestamp, first), 0),
            null_keys=np.add.reduceat(null_key, first, dtype=np.int64) if any_key else none,
            null_values=np.add.reduceat(null_value, first, dtype=np.int64) if any_value else none,
        )

    # --- where records begin ---

    def _begins(self, start: Ints, end: Ints, count: Ints) -> Ints:
        lanes, first = len(count), np.cumsum(count) - count
        order = np.argsort(-count, kind="stable")
        ordered = count[order]
        least = max(_FEW, lanes // _SPARSE)
        steps = int(ordered[least - 1]) if lanes >= least else 0
        done = np.minimum(ordered, steps)
        places = np.empty((steps + 1, lanes), np.int64)
        places[0] = start[order]
        active = np.searchsorted(-done, -np.arange(steps), side="left").tolist()
        for step, many in enumerate(active):
            here = places[step, :many]
            np.add(here, _STEP.take(self.words[here]), out=places[step + 1, :many])
        whole = (places[done, np.arange(lanes)] == end[order]) & (ordered <= steps)
        if whole.all() and int(ordered[-1]) == steps:
            return self._in_log_order(places[:steps], order).ravel()
        grid = self._in_log_order(places[:steps], order)
        kept = np.arange(steps) < np.minimum(count, steps)[:, None]
        if whole.all():
            return grid[kept]
        begins = np.empty(int(count.sum()), np.int64)
        begins[(first[:, None] + np.arange(steps))[kept]] = grid[kept]
        for number in np.flatnonzero(~whole).tolist():
            lane = int(order[number])
            own = slice(int(first[lane]), int(first[lane] + count[lane]))
            reached = int(places[steps, number]) if ordered[number] > steps else -1
            begins[own] = self._by_hand(int(start[lane]), int(end[lane]), begins[own], steps, reached)
        return begins

    @staticmethod
    def _in_log_order(places: Ints, order: Ints) -> Ints:
        inverse = np.empty(len(order), np.int64)
        inverse[order] = np.arange(len(order))
        return places.T[inverse]

    def _by_hand(self, start: int, end: int, begins: Ints, steps: int, reached: int) -> list[int]:
        """Where the records of a lane begin that the steps did not bring to its end, but maybe to the place `reached`."""
        if start < reached < end:
            try:
                return [*begins[:steps].tolist(), *self._hop(reached, end, len(begins) - steps)]
            except (Irregular, IndexError):
                pass  # it stood still on the way
        return self._hop(start, end, len(begins))

    def _hop(self, at: int, end: int, count: int) -> list[int]:
        found, data = [], self.data
        for _ in range(count):
            found.append(at)
            raw = data[at]
            at += 1
            if raw > 0x7F:
                byte = data[at]
                at += 1
                if byte > 0x7F:
                    raw, used = size_at(bytes(data[at - 2 : at + _MOST_BYTES_32]), 0)
                    at += used - 2
                else:
                    raw += (byte << 7) - 128
            if raw & 1:
                raise Irregular
            at += raw >> 1
            if at > end:
                raise Irregular
        if at != end:
            raise Irregular
        return found

    # --- fields ---

    def _chunks(self) -> Iterator[tuple[slice, _Fields]]:
        """The fields of all records but their headers, so many records at a time.

        Raises:
            Irregular: a record has no such number of headers, or more than are taken.
        """
        for at in range(0, len(self.begins), _CHUNK):
            part = slice(at, at + _CHUNK)
            place = self._after_varints(self.begins[part], _MOST_BYTES_32)
            place += 1
            timestamp = self._varints(place, _MOST_BYTES_64)
            offset = self._varints(timestamp.after, _MOST_BYTES_32)
            key, place = self._sized(offset.after)
            value, place = self._sized(place)
            count = self.bytes.take(place)
            if count.any():
                headers = self._varints(place, _MOST_BYTES_32)
                too_many = headers.value > np.minimum(self.ends[part] - headers.after, _MOST_HEADERS)
                if headers.any_negative or too_many.any():
                    raise Irregular
                yield part, _Fields(timestamp, offset, key, value, headers.value, headers.after)
            else:
                place += 1
                yield part, _Fields(timestamp, offset, key, value, count, place)

    def _after_varints(self, place: Ints, most: int) -> Ints:
        """The places after the numbers at places; a fresh array."""
        first = self.bytes.take(place)
        first >>= 7
        if (first & self.next_bytes.take(place) >> 7).any():
            return self._varints(place, most).after
        first += 1
        return place + first

    def _varints(self, place: Ints, most: int) -> _Varints:
        """The signed numbers at places; none takes more than `most` bytes."""
        first = self.bytes.take(place)
        two = first >> 7
        if not two.any():
            negative = first & 1
            raw = first.view(np.int8)
            raw >>= 1
            any_negative = bool(negative.any())
            if any_negative:
                raw ^= -negative.view(np.int8)
            return _Varints(raw, place + 1, any_negative)
        second = self.next_bytes.take(place)
        long = None
        if (first & second & 0x80).any():
            long = np.flatnonzero(first & second & 0x80)
        value = second.astype(np.int16)
        value <<= 7
        value *= two
        value |= first & 0x7F
        negative = value & 1
        value >>= 1
        any_negative = bool(negative.any())
        if any_negative:
            value ^= -negative
        two += 1
        after = place + two
        if long is not None:
            wide = value.astype(np.int64)
            wide[long], size = self._long_varints(place[long], most)
            after[long] = place[long] + size
            return _Varints(wide, after, any_negative or bool((wide < 0).any()))
        return _Varints(value, after, any_negative)

    def _long_varints(self, place: Ints, most: int) -> tuple[Ints, Ints]:
        raw, size = np.zeros(len(place), np.int64), np.zeros(len(place), np.int64)
        more = np.ones(len(place), bool)
        for number in range(most):
            byte = self.bytes[place + number].astype(np.int64)
            raw |= np.where(more, (byte & 0x7F) << 7 * number, 0)
            size += more
            more &= byte > 0x7F
        if more.any() or (raw > (SAFE_BASE if most > _MOST_BYTES_32 else 0xFFFFFFFF)).any():
            raise Irregular
        return (raw >> 1) ^ -(raw & 1), size

    def _sized(self, place: Ints) -> tuple[_Varints, Ints]:
        """Bytes with their size in front, negative: null; and the place after them."""
        found = self._varints(place, _MOST_BYTES_32)
        return found, found.after + (np.maximum(found.value, 0) if found.any_negative else found.value)

    def _headers(self, part: slice, found: _Fields) -> tuple[Ints, Ints, Ints, Ints]:
        """Place and size of the key and the value of each header of a chunk.

        Raises:
            Irregular: see `_header_columns`.
        """
        count = found.headers.astype(np.int64)
        first, total = np.cumsum(count) - count, int(count.sum())
        key_at, key_size, value_at, value_size = (np.empty(total, np.int64) for _ in range(4))
        for number, (records, key, value) in enumerate(self._header_columns(part, found)):
            to = first[records] + number
            key_at[to], key_size[to] = key.after, key.value
            value_at[to], value_size[to] = value.after, np.maximum(value.value, -1)
        return key_at, key_size, value_at, value_size

    def _pass_headers(self, part: slice, found: _Fields) -> None:
        """Go over the headers of a chunk.

        Raises:
            Irregular: see `_header_columns`.
        """
        for _ in self._header_columns(part, found):
            pass

    def _header_columns(self, part: slice, found: _Fields) -> Iterator[tuple[slice | Ints, _Varints, _Varints]]:
        """Keys and values of the first headers of all records that have one, then those of the second ones, and so on.

        Raises:
            Irregular: a key is null, or a record does not end after its headers.
        """
        rest, ends, count = found.first_header, self.ends[part], found.headers
        least, most = int(count.min()), int(count.max())
        for number in range(most):
            records = slice(None) if number < least else np.flatnonzero(count > number)
            key, place = self._sized(rest[records])
            value, place = self._sized(place)
            if key.any_negative:
                raise Irregular
            if number < least:
                rest = place
            else:
                rest[records] = place
            yield records, key, value
        if (rest != ends).any():
            raise Irregular
