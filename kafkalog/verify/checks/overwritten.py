"""Batches that stand where another one belongs: copies of batches that are elsewhere in the log."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import itemgetter
from typing import TYPE_CHECKING

from kafkalog.core.log import Batch, first_offset, walk
from kafkalog.errors import UnreadableFile
from kafkalog.files.source import FileSource
from kafkalog.span import Span
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.order import OverwrittenBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["with_overwritten"]

_WRONG = "batch-base-offset-wrong"
#: Path of a log, position in it.
_Place = tuple[str, int]


def with_overwritten(facts: PartitionFacts, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; a batch with a wrong base offset that is a copy of the batch of that offset is told as that.

    The checksum does not cover the base offset, so one copy alone looks like a flipped field. What tells them apart is that
    the batch is in the log a second time, where its base offset says.
    """
    findings = list(findings)
    wrong = {(f.path, int(f.facts["position"])): int(f.facts["stored"]) for f in findings if f.id == _WRONG}
    originals = _originals(wrong, facts.scans)
    for finding in findings:
        place = (finding.path, int(finding.facts["position"])) if finding.id == _WRONG else ("", 0)
        subject = _overwritten(finding, originals[wrong[place]]) if wrong.get(place) in originals else None
        if subject is None:
            yield finding
        else:
            yield from findings_of(subject)


def _originals(wrong: Mapping[_Place, int], scans: Sequence[SegmentScan]) -> dict[int, _Place]:
    """Where the batches stand that have the offsets that others claim; each log is read once for all of them."""
    bases = [scan.base_offset for scan in scans]
    claimed: dict[int, set[int]] = {}
    for offset in wrong.values():
        claimed.setdefault(bisect_right(bases, offset) - 1, set()).add(offset)
    found: dict[int, _Place] = {}
    for number, offsets in claimed.items():
        if number >= 0:
            found |= {first_offset(batch): (scans[number].path, batch.position) for batch in _of(scans[number], offsets, wrong)}
    return found


def _of(scan: SegmentScan, offsets: set[int], wrong: Mapping[_Place, int]) -> Iterator[Batch]:
    """The batches of a log that rightly have some offsets."""
    left = set(offsets)
    before = bisect_left(scan.places, min(offsets), key=itemgetter(0))
    try:
        with FileSource(scan.path) as source:
            for item in walk(source, scan.places[before - 1][1] if before else 0):
                if not left:
                    return
                if not isinstance(item, Batch) or (scan.path, item.position) in wrong:
                    continue
                offset = first_offset(item)
                if offset in left:
                    left.remove(offset)
                    yield item
    except UnreadableFile:  # told where the log was scanned
        return


def _overwritten(finding: Finding, original: _Place) -> OverwrittenBatch | None:
    """The batch of a finding, if its bytes are those of the original, but for what the checksum does not cover."""
    here, there = _batch_at((finding.path, int(finding.facts["position"]))), _batch_at(original)
    if here is None or there is None or (here.header.crc, here.size) != (there.header.crc, there.size):
        return None
    return OverwrittenBatch(
        path=finding.path,
        span=Span(here.position, here.position + here.size),
        first=int(finding.facts["offset"]),
        last=int(finding.facts["last"]),
        stored=first_offset(here),
        original=original[0],
        original_position=original[1],
    )


def _batch_at(place: _Place) -> Batch | None:
    """The sound batch at a place."""
    try:
        with FileSource(place[0]) as source:
            item = next(walk(source, place[1]), None)
    except UnreadableFile:
        return None
    return item if isinstance(item, Batch) and item.crc_ok else None
