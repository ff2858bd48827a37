"""The fast look at the records of a magic 2 batch: a few counters, and no object per record."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar

from kafkalog.core.attributes import CODEC_MASK, CONTROL, LOG_APPEND_TIME
from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.compression import MAX_DECOMPRESSED, inflate
from kafkalog.core.cursor import Cursor
from kafkalog.core.record import read_record
from kafkalog.core.record_keys import LONG_KEY, held_key
from kafkalog.core.record_walk import CHECKED_HEADERS, compile_walk, runs
from kafkalog.core.source import Bytes, WindowedBytes, part_of
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["PlacedBatch", "RecordCounts", "count_records", "plain_batches"]

N = TypeVar("N")
#: A batch in a buffer: its first byte and the one after its last; attributes, recordsCount, lastOffsetDelta, baseTimestamp,
#: maxTimestamp. One is made of each batch, so it is no class.
PlacedBatch: TypeAlias = tuple[int, int, int, int, int, int, int]


class RecordCounts(NamedTuple, Generic[N]):
    """Of a batch whose records are all regular; or of many such batches, then each is an array.

    `next_delta` is the last offset delta plus 1, `gaps` how often a delta did not follow its predecessor directly, `backward`
    how often it was no larger (the first one: below 0), `largest` the largest timestamp delta, `smallest` the smallest one or 0
    if that is smaller, `null_keys` and `null_values` how many records have no key, no value.
    """

    next_delta: N
    gaps: N
    backward: N
    largest: N
    smallest: N
    null_keys: N
    null_values: N


def _then(first: RecordCounts[int], more: RecordCounts[int]) -> RecordCounts[int]:
    """The counters of records, and of those that follow them, as one."""
    return RecordCounts(
        more.next_delta,
        first.gaps + more.gaps,
        first.backward + more.backward,
        max(first.largest, more.largest),
        min(first.smallest, more.smallest),
        first.null_keys + more.null_keys,
        first.null_values + more.null_values,
    )


@cache
def _walk(*, any_below: bool = True) -> Callable[..., tuple[int, ...] | None]:
    """The loop over a batch; without `any_below` `largest` is only right if it is 0 or more, and given as -1 if not."""
    also, floor = ("if", "-1 << 63") if any_below else ("elif", "-1")
    statements = ("if o != e: gaps += 1; backward += o < e", "e = o + 1", "if t > top: top = t", f"{also} t < low: low = t")
    return compile_walk(
        "\n".join(statements),
        setup=f"gaps = backward = nulls = empty = low = 0; top = {floor}",
        extra=", e",
        finish="return e, gaps, backward, top, low, nulls, empty",
        payload=None,
        key_null="nulls += 1",
        value_null="empty += 1",
        headers=CHECKED_HEADERS,
    )


#: The loop over many batches; `top` begins at -1, so that timestamps that are all below the base timestamp are not plain.
_BATCHES = f"""
def walk(data, begin, batches, least_time, keyless, odd, emit{{extra}}{{own}}):
    {{setup}}
    for batch in batches:
        p, end, attributes, count, delta, base_time, time = batch
        if attributes & odd: left.append(batch); continue
        p += {BATCH_HEADER.size} - begin; end -= begin
        e = low = without_key = without_value = 0; top = -1
        try:
            for _ in range(count):
                {{record}}
                p = q
            if p != end or e > delta + 1 or base_time + low < least_time: raise Irregular
            if base_time + top != time and not attributes & {LOG_APPEND_TIME}: raise Irregular
            if without_key and keyless: keyless -= 1; raise Irregular
        except (Irregular, IndexError):
            {{otherwise}}
        else: empty += without_value
    {{finish}}
"""


@cache
def _walk_batches(*, with_keys: bool = False, with_values: bool = False) -> Callable[..., tuple[list[PlacedBatch], int]]:
    def note_key(data: str) -> str:
        return f"emit({data} if k <= {2 * LONG_KEY} else held({data}))"

    emit = "\nemit(key); emit_value(val)" if with_values else ""
    return compile_walk(
        f"if o < e: raise Irregular\ne = o + 1\nif t > top: top = t\nelif t < low: low = t{emit}",
        setup="left = []; empty = 0",
        otherwise="left.append(batch)",
        finish="return left, empty",
        names=(("held", held_key),),
        payload=str if with_values else note_key if with_keys else None,
        extra=", emit_value" if with_values else "",
        values=with_values,
        key_null="key = None; without_key += 1",
        value_null="val = None; without_value += 1",
        headers=CHECKED_HEADERS,
        frame=_BATCHES,
    )


def plain_batches(
    data: bytes,
    begin: int,
    batches: Iterable[PlacedBatch],
    least_time: int,
    keyless: int,
    keys: list[bytes] | None = None,
    records: tuple[list[bytes | None], list[bytes | None]] | None = None,
) -> tuple[list[PlacedBatch], int]:
    """Go over the records of batches of which few are not plain.

    Plain is a batch without a codec whose records are regular, with ascending offsets that its header has room for and
    timestamps that begin at `least_time` or later and, unless the broker's clock counts, end at its header's.

    Args:
        data: Bytes of a log.
        begin: The number that the first of them has in the places of the batches.
        batches: The batches.
        least_time: The least timestamp that is plain.
        keyless: How many of those with records without a key are not plain; the first ones.
        keys: Gets the keys of the plain batches, as they are held; control batches are none of these then, and those of others
            may be among them.
        records: Gets the keys as they are, and the values; the same holds.

    Returns:
        The batches that are not plain, and how many records without a value the others have.
    """
    odd = CODEC_MASK | CONTROL
    if records is not None:
        emit, emit_value = records[0].append, records[1].append
        return _walk_batches(with_values=True)(data, begin, batches, least_time, keyless, odd, emit, emit_value)
    if keys is not None:
        return _walk_batches(with_keys=True)(data, begin, batches, least_time, keyless, odd, keys.append)
    return _walk_batches()(data, begin, batches, least_time, keyless, CODEC_MASK, None)


def count_records(data: Bytes | bytearray, start: int, end: int, count: int, codec: int) -> RecordCounts[int] | None:
    """Counters of the record section `data[start:end]`; None when anything at all is irregular."""
    if codec:
        try:
            section = inflate(codec, part_of(data, start, end))
        except (FormatError, LimitExceeded):
            return None
        if section.problem is not None:
            return None
        data, start, end = section.data, 0, len(section.data)
    if isinstance(data, WindowedBytes):
        return _count_in_runs(data, start, count)
    if isinstance(data, bytearray):
        data, start, end = bytes(memoryview(data)[start:end]), 0, end - start
    found = _walk(any_below=False)(data, start, end, count, 0, 0, 0)
    if found is not None and found[3] < 0:
        # Deltas count from the first record that the producer wrote: in a batch that lacks it all may be below 0.
        found = _walk()(data, start, end, count, 0, 0, 0)
    return None if found is None else RecordCounts(*found)


def _count_in_runs(data: WindowedBytes, at: int, count: int) -> RecordCounts[int] | None:
    whole = RecordCounts(0, 0, 0, -1 << 63, 0, 0, 0)
    left, limit = count, MAX_DECOMPRESSED.get()
    for run in runs(data, at, count):
        if run.records:
            counts = _walk()(*run[:4], 0, 0, whole.next_delta)
            assert counts is not None  # the run is regular
            found = RecordCounts(*counts)
        else:
            try:
                record = read_record(Cursor(data, at), 0, 0) if run.end - run.start <= limit else None
            except FormatError:
                record = None
            if record is None:
                return None
            gap, backward = record.offset != whole.next_delta, record.offset < whole.next_delta
            time, null_key, null_value = record.timestamp, record.key is None, record.value is None
            found = RecordCounts(record.offset + 1, gap, backward, time, min(0, time), null_key, null_value)
        at, left = run.begin + run.end, left - max(1, run.records)
        whole = _then(whole, found)
    return whole if not left and at == len(data) else None
