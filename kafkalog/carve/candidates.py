"""Places where the head of a batch of magic 2 could begin, by a few of its bytes: found with numpy, or without, the same."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, CRC_AT, MAGIC_AT

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Data, first place, end of the places, largest first byte of the length: places, ascending. The data go on for the size
    #: of a header after the last place.
    Finder: TypeAlias = Callable[[bytearray, int, int, int], list[int]]

__all__ = ["FIRST_BYTES", "best_finder", "plain_candidates"]

#: First bytes, which are 0 in all that Kafka writes: of the offset (below 2^56) and the attributes; and those below 128.
OFFSET_AT = BATCH_HEADER["base_offset"].at
LENGTH_AT = BATCH_HEADER["batch_length"].at
FLAGS_AT = ATTRIBUTES_AT + 1
FIRST_BYTES = tuple(BATCH_HEADER[name].at for name in ("last_offset_delta", "records_count"))

_HEAD = re.compile(rb"\x02(?=.{%d}\x00[\x00-\x7f][\x00-\x7f])" % (ATTRIBUTES_AT - CRC_AT), re.DOTALL)


def plain_candidates(data: bytearray, begin: int, end: int, most: int) -> list[int]:
    """The places, without numpy."""
    found = []
    delta_at, count_at = FIRST_BYTES
    for match in _HEAD.finditer(data, begin + MAGIC_AT, end + BATCH_HEADER.size):
        at = match.start() - MAGIC_AT
        if at >= end:
            break
        if (
            data[at + LENGTH_AT] <= most
            and not data[at + OFFSET_AT]
            and data[at + delta_at] < 128
            and data[at + count_at] < 128
        ):
            found.append(at)
    return found


def best_finder() -> Finder:
    """The one with numpy, where that is installed."""
    try:
        finder: Finder = import_module("kafkalog.carve.numpy_candidates").candidates
    except ImportError:
        return plain_candidates
    return finder
