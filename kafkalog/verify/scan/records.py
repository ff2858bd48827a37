"""The careful look at the records of a magic 2 batch: everything that the rules ask for."""

from __future__ import annotations

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.record import wrap32
from kafkalog.errors import LimitExceeded
from kafkalog.verify.rules.records import Disorder, Records

__all__ = ["look_at_records"]


def look_at_records(path: str, batch: RecordBatch, *, compacted: bool) -> Records:
    """The records of a batch, the careful way, with everything that the rules ask for."""
    largest: int | None = None
    nulls = 0
    first_null: int | None = None
    problem: Damage | None = None
    disorder: Disorder | None = None
    read, delta = 0, -1
    for item in batch.walk_records():
        if isinstance(item, Damage):
            problem = item
            break
        before, delta = delta, wrap32(item.offset - batch.base_offset)
        if disorder is None and not before < delta <= batch.header.last_offset_delta:
            disorder = Disorder(read, before, delta)
        read += 1
        largest = item.timestamp if largest is None else max(largest, item.timestamp)
        if item.key is None:
            nulls += 1
            first_null = item.offset if first_null is None else first_null
        del item
    trailing = False
    if problem is not None and batch.compression_id in (1, 2, 3, 4) and not isinstance(problem.error, LimitExceeded):
        trailing = batch.inflate().trailing and read == batch.header.records_count
    return Records(
        path=path,
        batch=batch,
        read=read,
        last_delta=delta,
        disorder=disorder,
        max_timestamp=largest,
        null_keys=nulls,
        first_null_key=first_null,
        problem=problem,
        trailing=trailing,
        compacted=compacted,
    )
