"""The log cleaner's traces: what the records of a log say about whether it ever went over them.

It keeps no record without a key, no key twice and nothing of an aborted transaction (Cleaner.shouldRetainRecord), and it
goes over a log from its start. So records of these kinds say that no pass reached them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.log import NEVER
from kafkalog.core.record_keys import keys_of
from kafkalog.errors import KafkalogError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.log import Batch
    from kafkalog.files.segment import Segment

__all__ = ["RECORDS_LOOKED_AT", "CleanerTraces", "is_cleaned"]

#: Records looked at, when a hole has to be explained or the clean part is checked.
RECORDS_LOOKED_AT = 100_000


def is_cleaned(batch: Batch) -> bool:
    """Whether a batch is one that only the log cleaner leaves: with fewer records than offsets, or with a delete horizon."""
    if not isinstance(batch, RecordBatch):
        return False
    header = batch.header
    partial = header.records_count < header.last_offset_delta + 1
    return (partial and not batch.is_control) or batch.delete_horizon_ms is not None


class _LookedAt(NamedTuple):
    """Offset of the first record without a key, of the first whose key was there before, of the first cleaned batch."""

    keyless: int
    repeated: int
    cleaned: int


class CleanerTraces:
    """What the records of a log say about the log cleaner; they are read when that is asked for.

    Args:
        segments: All segments of the log, ascending.
        first_keyless: The first record without a key that somebody else has seen; `NEVER` when there was none.
        is_read: Whether all records were looked at for that.
        first_aborted: The last offset of the aborted transaction that ends first; `NEVER` when none is known.
    """

    def __init__(
        self, segments: Sequence[Segment], first_keyless: int = NEVER, *, is_read: bool = False, first_aborted: int = NEVER
    ) -> None:
        self._segments = segments
        self._noted_keyless = first_keyless
        self._is_read = is_read
        self._first_aborted = first_aborted

    def with_aborted(self, first_aborted: int) -> CleanerTraces:
        """The same, and where the aborted transaction ends that ends first; what was read is not read again.

        Args:
            first_aborted: As for the class.
        """
        known = CleanerTraces(self._segments, self._noted_keyless, is_read=self._is_read, first_aborted=first_aborted)
        known.__dict__ |= {name: value for name, value in self.__dict__.items() if name in ("first_keyless", "_looked_at")}
        return known

    @cached_property
    def first_keyless(self) -> int:
        """Offset of the first record without a key; `NEVER` when there is none, or none among those looked at."""
        return self._noted_keyless if self._is_read else min(self._noted_keyless, self._looked_at.keyless)

    @property
    def first_repeated(self) -> int:
        """Offset of the first record whose key another one has had before; `NEVER` when there is none among the first."""
        return self._looked_at.repeated

    @property
    def first_cleaned(self) -> int:
        """Base offset of the first batch that only the cleaner leaves; `NEVER` when there is none among the first."""
        return self._looked_at.cleaned

    @cached_property
    def _looked_at(self) -> _LookedAt:
        seen: set[bytes | None] = set()
        keyless = repeated = cleaned = NEVER
        left = RECORDS_LOOKED_AT
        for _, batch in self.batches():
            if isinstance(batch, RecordBatch) and (batch.is_control or not batch.crc_ok):
                continue
            offsets, keys = keys_of(batch)
            offsets, keys = offsets[:left], keys[:left]
            left -= len(keys)
            if keys and cleaned == NEVER and is_cleaned(batch):
                cleaned = batch.base_offset
            own = set(keys)
            if len(own) == len(keys) and None not in own and seen.isdisjoint(own):
                seen |= own
            else:
                for offset, key in zip(offsets, keys, strict=True):
                    if key is None:
                        keyless = min(keyless, offset)
                    elif key in seen:
                        repeated = min(repeated, offset)
                    else:
                        seen.add(key)
            if not left:
                break
        return _LookedAt(keyless, repeated, cleaned)

    def batches(self) -> Iterator[tuple[str, Batch]]:
        """The batches with the path of their log, up to the first that cannot be read."""
        try:
            for segment in self._segments:
                path = segment.paths[".log"]
                for batch in segment.batches():
                    yield path, batch
        except KafkalogError:
            return

    # --- what they say ---

    def is_uncleaned_below(self, offset: int) -> bool:
        """Whether records lie below an offset that a pass reaching it would have removed, whoever ran it.

        Keys that repeat prove less than the others: a follower may fetch one part of a log before its leader cleans it, and
        the rest after.
        """
        return self._first_aborted < offset or self.first_keyless < offset or self.first_repeated < offset

    @property
    def is_cleaned(self) -> bool:
        """Whether there is a batch that only the cleaner leaves, in a log that it may have cleaned."""
        return self.first_cleaned < NEVER and self.first_keyless >= self.first_cleaned

    @property
    def has_keyless(self) -> bool:
        """Whether any record has no key: leaders refuse such records in topics that are compacted."""
        return self.first_keyless < NEVER
