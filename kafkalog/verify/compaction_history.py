"""The part of a log that the log cleaner cleaned, and whether it looks cleaned."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from kafkalog.core.batch import RecordBatch
from kafkalog.core.record_keys import held_key, keys_of
from kafkalog.kafka.cleaner_traces import RECORDS_LOOKED_AT, CleanerTraces
from kafkalog.verify.rules.compaction import CleanPart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.replay.producers import AbortedSpan
    from kafkalog.span import Span
    from kafkalog.verify.scan.key_notes import KeyNotes

__all__ = ["CompactionHistory"]


class CompactionHistory:
    """The part that was cleaned, against the cleaner's checkpoint.

    Args:
        traces: What the records say about the cleaner.
        aborted: The aborted transactions whose data begin in the log.
        keys: What the scans have noted of the keys; None: nothing.
    """

    def __init__(self, traces: CleanerTraces, aborted: Sequence[AbortedSpan], keys: KeyNotes | None) -> None:
        self._traces = traces
        self._keys = keys
        self._aborted = aborted

    def clean_part(self, cleaner: CheckpointLine) -> CleanPart | None:
        """What lies below the cleaner's checkpoint although a pass went over it; None when nothing is odd."""
        aborted = self._aborted_below(cleaner.offset)
        if not aborted and self._keys is not None and self._keys.are_different:
            return None
        last: dict[bytes, int] = {}
        twice: list[tuple[int, int]] = []
        left: list[tuple[str, Span, int, int]] = []
        count = looked_at = 0
        for path, batch in self._traces.batches():
            if batch.last_offset >= cleaner.offset or looked_at >= RECORDS_LOOKED_AT:
                break
            if isinstance(batch, RecordBatch) and (batch.is_control or not batch.crc_ok):
                continue
            offsets, keys = keys_of(batch)
            looked_at += len(offsets)
            if isinstance(batch, RecordBatch) and offsets and _is_aborted(batch, aborted):
                left.append((path, batch.span, offsets[0], offsets[-1]))
                continue
            for whole, offset in zip(keys, offsets, strict=True):
                if whole is None:
                    continue
                key = held_key(whole)
                if key in last:
                    count += 1
                    twice = twice or [(last[key], offset)]
                last[key] = offset
        if not twice and not left:
            return None
        place = self._place_of(twice[0][0]) if twice else None
        return CleanPart(
            cleaner=cleaner, keys_twice=count, twice=twice[0] if twice else (-1, -1), place=place, aborted=tuple(left)
        )

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
