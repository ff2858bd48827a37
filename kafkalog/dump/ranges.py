"""A log cut into ranges of whole batches, so that several processes can print it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from kafkalog.dump.at_once import WINDOW
from kafkalog.kafka.log_input_stream import SizeFieldTooSmall, walk_batches

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Source

__all__ = ["RANGE", "split"]

#: Bytes of a log that a process prints at a time: as many as can be gone over at once.
RANGE = WINDOW


def split(source: Source, start: int, end: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of up to `size` bytes, or one batch, that begin and end where batches do; all that follows an odd size is one."""
    first = start
    with suppress(SizeFieldTooSmall):
        for position, _, length, *_ in walk_batches(source, start, end):
            if position > first and position + length - first > size:
                yield first, position
                first = position
    if first < end:
        yield first, end
