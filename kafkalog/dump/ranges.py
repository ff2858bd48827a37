"""A log cut into ranges of whole batches, so that several processes can print it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, HEADER_UP_TO_MAGIC, LOG_OVERHEAD
from kafkalog.core.legacy import MIN_MESSAGE_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Source

__all__ = ["RANGE", "split"]

#: Bytes of a log that a process prints at a time.
RANGE = 1 << 20

_SIZE = BATCH_HEADER.partial("batch_length")


def split(source: Source, start: int, end: int, size: int = RANGE) -> Iterator[tuple[int, int]]:
    """Ranges of about `size` bytes that begin and end where batches do; all that follows an odd size is one range."""
    read = _SIZE.unpack_from
    position = first = start
    while position < end - HEADER_UP_TO_MAGIC:
        begin, data = source.window(position, HEADER_UP_TO_MAGIC)
        at, held = position - begin, len(data)
        while at + HEADER_UP_TO_MAGIC <= held:
            (length,) = read(data, at)
            if length < MIN_MESSAGE_SIZE or begin + at > end - LOG_OVERHEAD - length:
                yield first, end
                return
            at += LOG_OVERHEAD + length
            if begin + at - first >= size:
                yield first, begin + at
                first = begin + at
        position = begin + at
    if first < end:
        yield first, end
