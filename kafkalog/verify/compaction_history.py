"""The part of a log that the log cleaner cleaned, and whether it looks cleaned."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.kafka.cleaner_traces import RECORDS_LOOKED_AT, CleanerTraces
from kafkalog.verify.rules.compaction import CleanPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.replay.producers import AbortedSpan
    from kafkalog.span import Span

__all__ = ["CompactionHistory"]

#: Keys longer than this are held by their hash.
_LONG_KEY = 32


class CompactionHistory:
    """The part that was cleaned, against the cleaner's checkpoint.

    Args:
        traces: What the records say about the cleaner.
        aborted: The aborted transactions whose data begin in the log.
    """

    def __init__(self, traces: CleanerTraces, aborted: Sequence[AbortedSpan]) -> None:
        self._traces = traces
        self._aborted = aborted

    def clean_part(self, cleaner: CheckpointLine) -> CleanPart | None:
        """What lies below the cleaner's checkpoint although a pass went over it; None when nothing is odd."""
        aborted = self._aborted_below(cleaner.offset)
        last: dict[bytes, int] = {}
        twice: list[tuple[int, int]] = []
        left: list[tuple[str, Span, int, int]] = []
        count = looked_at = 0
        for path, batch in self._traces.batches():
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
        return next(((path, batch.span) for path, batch in self._traces.batches() if batch.last_offset >= offset), None)


def _is_aborted(batch: RecordBatch, aborted: dict[int, list[tuple[int, int]]]) -> bool:
    """Whether a batch belongs to one of these transactions; a producer has one after the other."""
    spans = aborted.get(batch.header.producer_id, ()) if batch.is_transactional else ()
    at = bisect_right(spans, batch.base_offset, key=lambda span: span[0])
    return at > 0 and batch.base_offset <= spans[at - 1][1]
