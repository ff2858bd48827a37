"""The log cleaner: whether it ever cleaned a log, and whether the part that it cleaned looks cleaned.

It keeps no record without a key, no key twice and nothing of an aborted transaction (Cleaner.shouldRetainRecord), and it
goes over a log from its start. So records of these kinds say that no pass reached them.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.log import NEVER
from kafkalog.errors import KafkalogError
from kafkalog.verify.rules.compaction import CleanPart

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.log import Batch
    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.files.segment import Segment
    from kafkalog.replay.producers import AbortedSpan
    from kafkalog.span import Span
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["CompactionHistory", "Keys"]

#: Records looked at, when a hole has to be explained or the clean part is checked.
RECORDS_LOOKED_AT = 100_000
#: Keys longer than this are held by their hash.
_LONG_KEY = 32


class Keys:
    """The keys of a log's records, read when they are asked for.

    Args:
        segments: All of them, ascending.
        scans: Of these segments.
        quick: The scans did not look at records.
    """

    def __init__(self, segments: Sequence[Segment], scans: Sequence[SegmentScan], *, quick: bool) -> None:
        self._segments = segments
        self._scans = scans
        self._quick = quick

    @cached_property
    def first_keyless(self) -> int:
        """Offset of the first record without a key; `NEVER` when there is none, or none among those looked at."""
        noted = min((scan.first_keyless for scan in self._scans if scan.first_keyless is not None), default=NEVER)
        return min(noted, self._looked_at[0]) if self._quick else noted

    @property
    def first_repeated(self) -> int:
        """Offset of the first record whose key another one has had before; `NEVER` when there is none among the first."""
        return self._looked_at[1]

    @cached_property
    def _looked_at(self) -> tuple[int, int]:
        seen: set[bytes] = set()
        keyless = repeated = NEVER
        for offset, key in islice(self._keys(), RECORDS_LOOKED_AT):
            if key is None:
                keyless = min(keyless, offset)
            elif key in seen:
                repeated = min(repeated, offset)
            else:
                seen.add(key)
        return keyless, repeated

    def _keys(self) -> Iterator[tuple[int, bytes | None]]:
        """Offset and key of every record that a client wrote."""
        for _, batch in self.batches():
            if isinstance(batch, RecordBatch) and (batch.is_control or not batch.crc_ok):
                continue
            for item in batch.walk_records():
                if not isinstance(item, Damage):
                    yield item.offset, item.key

    def batches(self) -> Iterator[tuple[str, Batch]]:
        """The batches with the path of their log, up to the first that cannot be read."""
        try:
            for segment in self._segments:
                path = segment.paths[".log"]
                for batch in segment.batches():
                    yield path, batch
        except KafkalogError:
            return


class CompactionHistory:
    """What the records of a log say about the log cleaner.

    Args:
        keys: Their keys.
        aborted: The aborted transactions whose data begin in the log.
    """

    def __init__(self, keys: Keys, aborted: Sequence[AbortedSpan]) -> None:
        self._keys = keys
        self._aborted = aborted
        self._first_aborted = min((span.last_offset for span in aborted), default=NEVER)

    def is_uncleaned_below(self, offset: int) -> bool:
        """Whether records lie below an offset that a pass reaching it would have removed, whoever ran it.

        Keys that repeat prove less than the others: a follower may fetch one part of a log before its leader cleans it, and
        the rest after.
        """
        keys = self._keys
        return self._first_aborted < offset or keys.first_keyless < offset or keys.first_repeated < offset

    @property
    def has_keyless(self) -> bool:
        """Whether any record has no key: leaders refuse such records in topics that are compacted."""
        return self._keys.first_keyless < NEVER

    # --- the clean part ---

    def clean_part(self, cleaner: CheckpointLine) -> CleanPart | None:
        """What lies below the cleaner's checkpoint although a pass went over it; None when nothing is odd."""
        aborted = self._aborted_below(cleaner.offset)
        last: dict[bytes, int] = {}
        twice: list[tuple[int, int]] = []
        left: list[tuple[str, Span, int, int]] = []
        count = looked_at = 0
        for path, batch in self._keys.batches():
            if batch.last_offset >= cleaner.offset or looked_at >= RECORDS_LOOKED_AT:
                break
            if isinstance(batch, RecordBatch) and (batch.is_control or not batch.crc_ok):
                continue
            records = [item for item in batch.walk_records() if not isinstance(item, Damage)]
            looked_at += len(records)
            if isinstance(batch, RecordBatch) and records and _is_aborted(batch, aborted):
                left.append((path, batch.span, records[0].offset, records[-1].offset))
                continue
            for record in records:
                if record.key is None:
                    continue
                key = record.key if len(record.key) <= _LONG_KEY else hashlib.sha256(record.key).digest()
                if key in last:
                    count += 1
                    twice = twice or [(last[key], record.offset)]
                last[key] = record.offset
        if not twice and not left:
            return None
        place = self._place_of(twice[0][0]) if twice else None
        return CleanPart(cleaner=cleaner, count=count, twice=twice[0] if twice else (-1, -1), place=place, aborted=tuple(left))

    def _aborted_below(self, end: int) -> dict[int, list[tuple[int, int]]]:
        """First and last offset of the aborted transactions that end below an offset, ascending, by producer id."""
        found: dict[int, list[tuple[int, int]]] = {}
        for span in self._aborted:
            if span.last_offset < end:
                found.setdefault(span.producer_id, []).append((span.first_offset, span.last_offset))
        for spans in found.values():
            spans.sort()
        return found

    def _place_of(self, offset: int) -> tuple[str, Span] | None:
        return next(((path, batch.span) for path, batch in self._keys.batches() if batch.last_offset >= offset), None)


def _is_aborted(batch: RecordBatch, aborted: dict[int, list[tuple[int, int]]]) -> bool:
    """Whether a batch belongs to one of these transactions; a producer has one after the other."""
    spans = aborted.get(batch.header.producer_id, ()) if batch.is_transactional else ()
    at = bisect_right(spans, batch.base_offset, key=lambda span: span[0])
    return at > 0 and batch.base_offset <= spans[at - 1][1]
