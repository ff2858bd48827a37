"""Places where the head of a batch could begin, many at once."""

from __future__ import annotations

import numpy as np

from kafkalog.carve.candidates import FIRST_BYTES, FLAGS_AT, LENGTH_AT, OFFSET_AT
from kafkalog.core.batch import ATTRIBUTES_AT, MAGIC_AT

__all__ = ["candidates"]


def candidates(data: bytearray, begin: int, end: int, most: int) -> list[int]:
    """The places that `carve.candidates.plain_candidates` gives."""
    array = np.frombuffer(data, np.uint8)
    places = np.flatnonzero(array[begin + MAGIC_AT : end + MAGIC_AT] == 2)
    if not len(places):
        return []
    places += begin
    # One after the other: each leaves few of those before.
    places = places[array[places + ATTRIBUTES_AT] == 0]
    places = places[array[places + LENGTH_AT] <= most]
    places = places[array[places + OFFSET_AT] == 0]
    for at in (FLAGS_AT, *FIRST_BYTES):
        places = places[array[places + at] < 128]
    found: list[int] = places.tolist()
    return found
