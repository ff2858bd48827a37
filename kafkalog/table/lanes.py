"""The records of many batches of magic 2 decoded at once: the same reading as `core.record_walk`, as columns of numpy.

Every batch is a lane. Step `i` moves all lanes over their record `i`: a gather of two bytes at each lane's place, and a table
that holds the bytes from there to the next record. Then all fields of all records are read in vectors.

What is not perfectly regular raises `Irregular`, and whoever asked reads these batches the plain way. Places only move
forward, and each record must end where the next begins; so no field lies outside its record, and a place outside the buffer
is an `IndexError`, which is irregular, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from kafkalog.core.record_walk import SAFE_BASE, Irregular, size_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

__all__ = ["PAD", "Decoded", "decode"]

#: Bytes that a buffer must have after the last record: gathers take eight at a time.
PAD = 64
#: Lanes from which on a step in numpy costs less than in Python.
_FEW = 24
#: One of so many lanes must have a record, or the others' places would be held for nothing.
_SPARSE = 8
#: Records whose fields are read in one go: their vectors stay in the cache.
_CHUNK = 1 << 14
#: Headers of a record that are read as columns.
_MOST_HEADERS = 64
_MOST_BYTES_32 = 5
_MOST_BYTES_64 = 9

_WORDS = np.arange(1 << 16, dtype=np.int64)
_LOW, _HIGH = _WORDS & 0xFF, _WORDS >> 8
#: By the two bytes at a place: how long the varint is that begins there (0: longer than both), and its value.
_SIZE = np.where(_LOW < 128, 1, np.where(_HIGH < 128, 2, 0))
_RAW = np.where(_LOW < 128, _LOW, np.where(_HIGH < 128, _LOW & 0x7F | _HIGH << 7, 0))
_VALUE = (_RAW >> 1) ^ -(_RAW & 1)
#: Bytes from a record's length to the next record; 0 stops the lane, which is then gone over by hand.
_STEP = np.where((_SIZE > 0) & (_RAW & 1 == 0), _SIZE + (_RAW >> 1), 0)


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
    if (count < 0).any() or ((count == 0) & (start != end)).any():
        raise Irregular
    try:
        return _Reader(data).decode(start, end, count)
    except IndexError:
        raise Irregular from None


class _Reader:
    def __init__(self, data: bytes | bytearray) -> None:
        size = len(data)
        self.data = data
        self.bytes = np.frombuffer(data, np.uint8)
        self.words: NDArray[np.uint16] = np.ndarray((size - 1,), "<u2", data, 0, (1,))
        self.longs: NDArray[np.uint64] = np.ndarray((size - 7,), "<u8", data, 0, (1,))

    def decode(self, start: Ints, end: Ints, count: Ints) -> Decoded:
        begins = self._begins(start, end, count)
        total = len(begins)
        ends = np.empty(total, np.int64)
        ends[:-1] = begins[1:]
        last = np.cumsum(count) - 1
        ends[last[count > 0]] = end[count > 0]
        timestamp, offset, key_at, key_size, value_at, value_size, headers, rest = (np.empty(total, np.int64) for _ in range(8))
        for at in range(0, total, _CHUNK):
            part = slice(at, min(at + _CHUNK, total))
            timestamp[part], offset[part], place = self._front(begins[part])
            key_at[part], key_size[part], place = self._sized(place)
            value_at[part], value_size[part], place = self._sized(place)
            if self.bytes[place].any():
                headers[part], rest[part] = self._varints(place, _MOST_BYTES_32)
            else:
                headers[part], rest[part] = 0, place + 1
        of_headers = self._headers(headers, rest, ends)
        if (rest != ends).any():
            raise Irregular
        lane = np.repeat(np.arange(len(count)), count)
        return Decoded(lane, begins, offset, timestamp, key_at, key_size, value_at, value_size, headers, *of_headers)

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

    def _varints(self, place: Ints, most: int) -> tuple[Ints, Ints]:
        """The signed numbers at places, and the places after them; none takes more than `most` bytes."""
        words = self.words[place]
        size, value = _SIZE.take(words), _VALUE.take(words)
        if not size.all():
            long = np.flatnonzero(size == 0)
            size[long], value[long] = self._long_varints(place[long], most)
        return value, place + size

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
        return size, (raw >> 1) ^ -(raw & 1)

    def _front(self, begins: Ints) -> tuple[Ints, Ints, Ints]:
        """Timestamp delta, offset delta, and the place after them."""
        # Where all three varints are short, eight bytes hold them.
        longs = self.longs[begins]
        word = longs.astype(np.uint16)
        place = _SIZE.take(word)
        longs >>= (place.view(np.uint64) << np.uint64(3)) + np.uint64(8)
        word = longs.astype(np.uint16)
        size, timestamp = _SIZE.take(word), _VALUE.take(word)
        longs >>= size.view(np.uint64) << np.uint64(3)
        word = longs.astype(np.uint16)
        last, offset = _SIZE.take(word), _VALUE.take(word)
        if place.all() and size.all() and last.all():
            place += size
            place += last
            place += begins
            place += 1
            return timestamp, offset, place
        _, place = self._varints(begins, _MOST_BYTES_32)
        timestamp, place = self._varints(place + 1, _MOST_BYTES_64)
        offset, place = self._varints(place, _MOST_BYTES_32)
        return timestamp, offset, place

    def _sized(self, place: Ints) -> tuple[Ints, Ints, Ints]:
        """Where bytes with their size in front begin, the size (-1: null), and the place after them."""
        size, at = self._varints(place, _MOST_BYTES_32)
        np.maximum(size, -1, out=size)
        return at, size, at + np.maximum(size, 0)

    def _headers(self, count: Ints, rest: Ints, ends: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Place and size of each header's key and value; `rest`, where a record's first header begins, moves after the last."""
        if not count.any():
            none = np.empty(0, np.int64)
            return none, none, none, none
        if int(count.min()) < 0 or int(count.max()) > _MOST_HEADERS or (count > ends - rest).any():
            raise Irregular
        first, total = np.cumsum(count) - count, int(count.sum())
        key_at, key_size, value_at, value_size = (np.empty(total, np.int64) for _ in range(4))
        for number in range(int(count.max())):
            records = np.flatnonzero(count > number)
            to = first[records] + number
            key_at[to], key_size[to], place = self._sized(rest[records])
            value_at[to], value_size[to], rest[records] = self._sized(place)
        if (key_size < 0).any():
            raise Irregular
        return key_at, key_size, value_at, value_size
