"""The keys of a batch's records, for those who ask for nothing else."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.compression import inflate
from kafkalog.core.record_walk import CHECKED_HEADERS, MOST_AT_ONCE, SAFE_BASE, compile_walk
from kafkalog.core.source import WindowedBytes, part_of
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from kafkalog.core.log import Batch

__all__ = ["LONG_KEY", "held_key", "keys_of"]

#: Bytes of the longest key that is held as it is, where many are.
LONG_KEY = 32


@cache
def _walk() -> Callable[..., tuple[list[int], list[bytes | None]] | None]:
    return compile_walk(
        "offset(base_offset + o); emit(key)",
        setup="offsets = []; keys = []; offset = offsets.append; emit = keys.append",
        finish="return offsets, keys",
        values=False,
        headers=CHECKED_HEADERS,
    )


def held_key(key: bytes) -> bytes:
    """A key as it is held where many are: a long one by its hash."""
    return key if len(key) <= LONG_KEY else hashlib.sha256(key).digest()


def keys_of(batch: Batch) -> tuple[list[int], list[bytes | None]]:
    """The offsets and the keys of the records of a batch, up to the first that cannot be read."""
    found = _of_regular(batch) if isinstance(batch, RecordBatch) else None
    if found is not None:
        return found
    items: Iterable[tuple[int, bytes | None]] = (
        (item.offset, item.key) for item in batch.walk_records() if not isinstance(item, Damage)
    )
    offsets: list[int] = []
    keys: list[bytes | None] = []
    for offset, key in items:
        offsets.append(offset)
        keys.append(key)
    return offsets, keys


def _of_regular(batch: RecordBatch) -> tuple[list[int], list[bytes | None]] | None:
    """The same for regular records; None: there is another one, or more than are listed at once."""
    header, data, start = batch.header, batch.data, BATCH_HEADER.size
    if not 0 < header.records_count <= MOST_AT_ONCE or not -SAFE_BASE < header.base_offset < SAFE_BASE:
        return None
    if batch.compression_id:
        try:
            section = inflate(batch.compression_id, part_of(data, start))
        except (FormatError, LimitExceeded):
            return None
        if section.problem is not None:
            return None
        data, start = section.data, 0
    if isinstance(data, WindowedBytes):
        return None
    return _walk()(data, start, len(data), header.records_count, header.base_offset, 0)
