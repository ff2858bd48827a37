"""The records of many batches in one loop: offset, timestamp, key and value, for those who ask for nothing else."""

from __future__ import annotations

from functools import cache
from struct import error as struct_error
from typing import TYPE_CHECKING, TypeAlias

from kafkalog.core.attributes import LOG_APPEND_TIME
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, LEAST_BATCH_LENGTH, LOG_OVERHEAD
from kafkalog.core.checksum import crc32c
from kafkalog.core.record_walk import CHECKED_HEADERS, MOST_AT_ONCE, SAFE_BASE, compile_walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.core.source import Source

__all__ = ["PlainRecord", "plain_records"]

#: Offset, timestamp in milliseconds, key, value. One is made of each record, so it is no class.
PlainRecord: TypeAlias = tuple[int, int, bytes | None, bytes | None]

_UNPACK = BATCH_HEADER.partial(
    "base_offset", "batch_length", "magic", "crc", "attributes", "base_timestamp", "max_timestamp", "records_count"
).unpack_from

_BATCHES = f"""
def walk(data, at, limit, refused{{extra}}{{own}}):
    {{setup}}
    while len(rows) < {MOST_AT_ONCE}:
        try: base_offset, length, magic, crc, attributes, base_timestamp, time, count = unpack(data, at)
        except struct_error: break
        end = at + {LOG_OVERHEAD} + length
        if magic != 2 or length < {LEAST_BATCH_LENGTH} or end > limit or attributes & refused: break
        if not -{SAFE_BASE} < base_offset < {SAFE_BASE} or not -{SAFE_BASE} < base_timestamp < {SAFE_BASE}: break
        if not 0 < count <= {MOST_AT_ONCE} or crc32c(view[at + {ATTRIBUTES_AT} : end]) != crc: break
        has_append_time = attributes & {LOG_APPEND_TIME}
        p = at + {BATCH_HEADER.size}
        try:
            for _ in range(count):
                {{record}}
                p = q
            if p != end: raise Irregular
        except (Irregular, IndexError):
            {{otherwise}}
        at = end; whole = len(rows)
    {{finish}}
"""


@cache
def _walk() -> Callable[..., tuple[list[PlainRecord], int]]:
    return compile_walk(
        "emit((base_offset + o, time if has_append_time else base_timestamp + t, key, val))",
        setup="rows = []; emit = rows.append; whole = 0; view = memoryview(data)",
        otherwise="del rows[whole:]; break",
        finish="return rows, at",
        names=(("unpack", _UNPACK), ("struct_error", struct_error), ("crc32c", crc32c)),
        headers=CHECKED_HEADERS,
        frame=_BATCHES,
    )


def plain_records(source: Source, position: int, size: int, refused: int) -> tuple[list[PlainRecord], int]:
    """The records of the plain batches that begin at a position, as many as are at hand.

    Plain is a sound batch of magic 2 without a codec whose records are all regular; what it gives is what
    `RecordBatch.records` does.

    Args:
        source: The bytes of a log.
        position: Where the first of them begins.
        size: Where the log ends.
        refused: Attributes with which no batch is plain; codecs are among them.

    Returns:
        The records, none where the batch at the position is not plain or not at hand, and where the last of the batches ends.
    """
    begin, data = source.window(position, BATCH_HEADER.size)
    records, at = _walk()(data, position - begin, min(len(data), size - begin), refused)
    return records, begin + at
