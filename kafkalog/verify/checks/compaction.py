"""What a compacted log should not hold, and what the cleaner will take away next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.files.log_dir import CLEANER_OFFSETS
from kafkalog.verify.rules.compaction import CleanPart, LargeBatches, Tombstones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.facts import PartitionFacts

__all__ = ["compaction_subjects"]


def compaction_subjects(facts: PartitionFacts) -> Iterator[LargeBatches | Tombstones | CleanPart]:
    """What the log cleaner stumbles over, what it will take away, and what it has left."""
    settings = facts.directory.settings
    for scan in facts.scans:
        if scan.large is not None and (facts.compacted or settings.max_message_bytes is not None):
            yield LargeBatches(path=scan.path, large=scan.large, limit=settings.max_message_bytes)
        # The cleaner does not go near the active segment: its tombstones only wait for a roll.
        waiting = scan.tombstones and scan.base_offset != facts.directory.active
        if facts.compacted and (waiting or scan.horizons is not None):
            yield Tombstones(path=scan.path, records=scan.tombstones, horizons=scan.horizons, now=settings.now, size=scan.size)
    cleaner = facts.line(CLEANER_OFFSETS)
    if cleaner is not None and not settings.quick and not facts.directory.mark:
        part = facts.compaction.clean_part(cleaner)
        if part is not None:
            yield part
