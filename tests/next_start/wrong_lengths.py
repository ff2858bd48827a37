"""A partition in which a batch says a wrong length, or a wrong base offset: the places, and what is wrong."""

from __future__ import annotations

import struct

from tests import encode
from tests.next_start.damage import Harmed

__all__ = ["BASES", "BATCHES", "LENGTHS", "PLACES", "RECORDS", "partition_of", "with_base", "with_length"]

#: Segments by base offset; each has so many batches of so many records, and an index entry for every batch from the second on.
BATCHES, RECORDS = 10, 5
_PER_SEGMENT = BATCHES * RECORDS
#: Segment and number of the batch whose length is wrong: first and last in their segment, inside, in the active segment.
PLACES = {"first": (0, 0), "inside": (0, 4), "last of its segment": (0, 9), "active": (2, 4), "last of all": (2, 9)}
#: What the length is changed by, or to: so that the file seems to end, into the next batch, into its own records, nothing.
LENGTHS = {
    "far too long": lambda length: length + 900_000,
    "into a later batch": lambda length: length + 30,
    "over the next batch": lambda length: 2 * length + 12,
    "too short": lambda length: length - 9,
    "least": lambda _: 14,
    "zero": lambda _: 0,
    "negative": lambda _: -5,
}
#: Which base offset a batch inside a segment gets: one far below, one a little below, one above, or that of a copied batch.
BASES = {
    "far lower": lambda base: base ^ 64,
    "lower": lambda base: base ^ 4,
    "higher": lambda base: base ^ 256,
    "of a copy": lambda base: base - 2 * RECORDS,
}


def _segment(base: int) -> tuple[bytes, bytes]:
    log, index = b"", b""
    for number in range(BATCHES):
        first = base + number * RECORDS
        if number:
            # An entry is written before the batch that it is for.
            index += struct.pack(">ii", first + RECORDS - 1 - base, len(log))
        values = [encode.R(offset_delta=delta, value=b"%020d" % (first + delta)) for delta in range(RECORDS)]
        log += encode.batch(values, base_offset=first)
    return log, index


def partition_of(segments: int = 3) -> dict[str, bytes]:
    """The files of a sound partition."""
    files = {}
    for base in range(0, segments * _PER_SEGMENT, _PER_SEGMENT):
        files[f"{base:020d}.log"], files[f"{base:020d}.index"] = _segment(base)
        files[f"{base:020d}.timeindex"] = b""
    return files


def with_length(place: str, length: str, *, clean: bool = True) -> Harmed:
    """The partition with one wrong length, as a start after a stop finds it: everything was flushed."""
    segment, number = PLACES[place]
    files = partition_of()
    name = f"{segment * _PER_SEGMENT:020d}.log"
    data = bytearray(files[name])
    at = number * (len(data) // BATCHES)
    (before,) = struct.unpack_from(">i", data, at + 8)
    struct.pack_into(">i", data, at + 8, LENGTHS[length](before))
    files[name] = bytes(data)
    return Harmed(files, (), clean, 3 * _PER_SEGMENT, 0, (f"length of the batch {place}: {length}",))


def with_base(which: str, *, clean: bool = True) -> Harmed:
    """The partition with one wrong base offset, which the checksum does not cover; a copy has the bytes of the batch copied."""
    files = partition_of()
    name = f"{_PER_SEGMENT:020d}.log"
    data = bytearray(files[name])
    size = len(data) // BATCHES
    at = 4 * size
    (before,) = struct.unpack_from(">q", data, at)
    if which == "of a copy":
        data[at : at + size] = data[at - 2 * size : at - size]
    struct.pack_into(">q", data, at, BASES[which](before))
    files[name] = bytes(data)
    return Harmed(files, (), clean, 3 * _PER_SEGMENT, 0, (f"base offset of the batch at {before}: {which}",))
