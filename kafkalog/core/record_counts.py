"""The fast look at the records of a magic 2 batch: a few counters, and no object per record."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from kafkalog.core.compression import MAX_DECOMPRESSED, inflate
from kafkalog.core.cursor import Cursor
from kafkalog.core.record import read_record
from kafkalog.core.record_walk import compile_walk, runs
from kafkalog.core.source import Bytes, WindowedBytes, part_of
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RecordCounts", "count_records"]

N = TypeVar("N")


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
    )


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
