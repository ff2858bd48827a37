"""The fast look at the records of a magic 2 batch: a few counters, and no object per record."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.compression import DEFAULT_LIMIT, inflate
from kafkalog.core.record import wrap32
from kafkalog.core.record_walk import compile_walk
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.verify.subjects import Records

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RecordCounts", "count_records", "look_at_records"]

_HEADER = BATCH_HEADER.size


class RecordCounts(NamedTuple):
    """Of a batch whose records are all regular.

    `next_delta` is the last offset delta plus 1, `gaps` how often a delta did not follow its predecessor directly,
    `largest` the largest timestamp delta, `smallest` the smallest one or 0 if that is smaller, `null_keys` and `null_values`
    how many records have no key, no value.
    """

    next_delta: int
    gaps: int
    largest: int
    smallest: int
    null_keys: int
    null_values: int


@cache
def _walk(*, any_below: bool) -> Callable[..., tuple[int, int, int, int, int, int] | None]:
    """The loop over a batch; without `any_below` `largest` is only right if it is 0 or more, and told as -1 if not."""
    also, floor = ("if", "-1 << 63") if any_below else ("elif", "-1")
    statements = ("if o != e: gaps += 1", "e = o + 1", "if t > top: top = t", f"{also} t < low: low = t")
    return compile_walk(
        "\n            ".join(statements),
        setup=f"e = gaps = nulls = empty = low = 0; top = {floor}",
        finish="return e, gaps, top, low, nulls, empty",
        payload=False,
        key_null="nulls += 1",
        value_null="empty += 1",
    )


def count_records(data: bytes | bytearray, start: int, end: int, count: int, codec: int) -> RecordCounts | None:
    """Counters of the record section `data[start:end]`; None when anything at all is irregular."""
    if codec:
        try:
            section = inflate(codec, bytes(data[start:end]))
        except (FormatError, LimitExceeded):
            return None
        if section.problem is not None:
            return None
        data, start, end = section.data, 0, len(section.data)
    found = _walk(any_below=False)(data, start, end, count, 0, 0)
    if found is not None and found[2] < 0:
        # Deltas count from the first record that the producer wrote: in a batch that lacks it all may be below 0.
        found = _walk(any_below=True)(data, start, end, count, 0, 0)
    return None if found is None else RecordCounts(*found)


def look_at_records(path: str, batch: RecordBatch, *, compacted: bool) -> Records:
    """The records of a batch, the careful way, with everything that the rules ask for."""
    deltas: list[int] = []
    largest: int | None = None
    nulls = 0
    first_null: int | None = None
    problem: Damage | None = None
    for item in batch.walk_records(limit=DEFAULT_LIMIT):
        if isinstance(item, Damage):
            problem = item
            break
        deltas.append(wrap32(item.offset - batch.base_offset))
        largest = item.timestamp if largest is None else max(largest, item.timestamp)
        if item.key is None:
            nulls += 1
            first_null = item.offset if first_null is None else first_null
    trailing = False
    if problem is not None and batch.compression_id in (1, 2, 3, 4) and not isinstance(problem.error, LimitExceeded):
        trailing = batch.inflate().trailing and len(deltas) == batch.header.records_count
    return Records(path, batch, tuple(deltas), largest, nulls, first_null, problem, trailing, compacted)
