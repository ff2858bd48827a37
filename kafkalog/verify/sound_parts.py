"""The sound part of each `.log`, by its scan: the model of a start need not read these batches again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.core.control import ABORT, COMMIT
from kafkalog.kafka.scanned_log import ScannedEvent, ScannedLog, ScannedProducers
from kafkalog.replay.producer_events import LoneRuns, ProducerRun, TransactionEnd
from kafkalog.verify.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.results import SegmentScan

__all__ = ["MOST_EVENTS", "sound_parts_of", "within"]

#: Events of producers that are kept until the prediction, over all partitions: some 20 MiB.
MOST_EVENTS = 100_000
_MOST_RELATIVE_OFFSET = 0x7FFFFFFF


def sound_parts_of(
    scans: Iterable[SegmentScan], findings: Iterable[Finding], most_events: int = MOST_EVENTS
) -> dict[str, ScannedLog]:
    """Name of each `.log` → the part of it that was found sound.

    Args:
        scans: The scans of a partition's segments.
        findings: What was found in the partition: a log with more than infos is left out.
        most_events: Events of producers to keep; a log that has more is left out.
    """
    return within(_sound_parts(scans, findings), most_events)


def within(logs: Iterable[tuple[str, ScannedLog]], most_events: int) -> dict[str, ScannedLog]:
    """Those of some logs that have no more events of producers than are left to be kept after the ones before."""
    found: dict[str, ScannedLog] = {}
    for name, log in logs:
        if log.events_held <= most_events:
            most_events -= log.events_held
            found[name] = log
    return found


def _sound_parts(scans: Iterable[SegmentScan], findings: Iterable[Finding]) -> Iterator[tuple[str, ScannedLog]]:
    suspect = {finding.path for finding in findings if finding.severity >= Severity.WARNING}
    for scan in scans:
        if scan.path in suspect or scan.failures or scan.magics:
            continue
        log = _sound_part(scan)
        if log is not None:
            yield os.path.basename(scan.path), log


def _sound_part(scan: SegmentScan) -> ScannedLog | None:
    first, last = scan.first, scan.last
    if first is None or last is None or scan.damaged or last.end != scan.valid_position:
        return None
    if first.base_offset < scan.base_offset or last.last_offset - scan.base_offset > _MOST_RELATIVE_OFFSET:
        return None
    places = [place for place in scan.places if place[1] < last.position]
    epochs = tuple(EpochEntry(run.epoch, run.first_base) for run in scan.epochs)
    return ScannedLog(
        end=last.end,
        places=(*places, (last.last_offset, last.position)),
        epochs=epochs,
        events=tuple(_events(scan)),
        inode=scan.inode,
        are_records_sound=scan.are_records_regular and not scan.findings,
    )


def _events(scan: SegmentScan) -> Iterator[ScannedEvent | ScannedProducers]:
    for event in scan.events:
        if isinstance(event, LoneRuns):
            yield ScannedProducers(event.first_offsets(), *event.places())
        elif isinstance(event, ProducerRun):
            yield ScannedEvent(
                event.producer_id,
                event.first_offset,
                event.position,
                event.last_position,
                event.transactional,
                None,
                event.last_marker,
            )
        elif isinstance(event, TransactionEnd) and event.committed is not None:
            kind = COMMIT if event.committed else ABORT
            yield ScannedEvent(event.producer_id, event.offset, event.position, event.position, True, kind)  # noqa: FBT003
