"""The segments of a partition, each after the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.kafka.gone_offsets import gone_at_start
from kafkalog.kafka.remains import SegmentEnd
from kafkalog.verify.rules.partitions import MissingStart, SegmentStep

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.facts import PartitionFacts

__all__ = ["segment_subjects"]


def segment_subjects(facts: PartitionFacts) -> Iterator[SegmentStep | MissingStart]:
    """What is missing before the first segment, and each segment with the one before it."""
    gone = gone_at_start(facts.remains, facts.context)
    if gone is not None and gone.certain and gone.last is not None and facts.scans:
        yield MissingStart(path=facts.scans[0].path, first=gone.first, last=gone.last, witness=gone.witness)
    top, top_path = -1, ""
    sound = {placed.run for placed in facts.epoch_runs}
    ends = (SegmentEnd(0, 0), *facts.remains.segments)
    for before, scan, end_before in zip((None, *facts.scans), facts.scans, ends, strict=False):
        yield SegmentStep(
            path=scan.path,
            base=scan.base_offset,
            size=scan.size,
            first=scan.first,
            previous_path=before.path if before else "",
            previous_base=before.base_offset if before else scan.base_offset,
            previous_last=before.last if before else None,
            previous_size=before.size if before and not before.is_unread else -1,
            previous_torn=before is None or before.damaged,
            cut=None if facts.remains.is_swapping else end_before.cut,
            compacted=facts.compacted,
            in_use=facts.in_use,
            top_epoch=top,
            top_epoch_path=top_path,
            active=scan.base_offset == facts.directory.active,
        )
        for run in scan.epochs:
            if run.epoch > top and run in sound:
                top, top_path = run.epoch, scan.path
