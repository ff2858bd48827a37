"""The unusual timestamps of a segment, by their causes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage
from kafkalog.core.dates import ANCIENT_MS, FUTURE_MS, timestamp_cause
from kafkalog.verify.rules.order import OddTimes, SegmentTimes
from kafkalog.verify.rules.shared import BatchSpot, spot_of

if TYPE_CHECKING:
    from kafkalog.core.batch import RecordBatch

__all__ = ["OddTimesNotes"]


class OddTimesNotes:
    """Notes the odd timestamps of a segment.

    Args:
        now: The clock that tells what is in the future, milliseconds.
    """

    def __init__(self, now: int) -> None:
        self._now = now
        #: The largest timestamp that is not odd.
        self.latest = now + FUTURE_MS
        self._future: dict[str, OddTimes] = {}
        self._ancient: dict[str, OddTimes] = {}
        self._missing: dict[str, OddTimes] = {}
        self._records: dict[str, OddTimes] = {}

    def note_batch(self, spot: BatchSpot, first: int) -> None:
        """Note a batch's maxTimestamp if it is odd; of negative ones, all stored as -1, the `first` record's tells more."""
        time = spot.max_timestamp
        if time > self.latest:
            _note(self._future, spot, spot.last_offset, time)
        elif time < 0:
            _note(self._missing, spot, spot.base_offset, min(time, first))
        elif time < ANCIENT_MS:
            _note(self._ancient, spot, spot.base_offset, time)

    def note_records(self, batch: RecordBatch) -> None:
        """Note the records of a batch that are from before Kafka, although its largest timestamp is not."""
        spot = spot_of(batch)
        for record in batch.walk_records():
            if not isinstance(record, Damage) and record.timestamp < ANCIENT_MS:
                _note(self._records, spot, record.offset, record.timestamp)

    @property
    def of_records(self) -> bool:
        """Whether any are of records, and not of whole batches."""
        return bool(self._records)

    def of_segment(self, path: str) -> SegmentTimes | None:
        """All of them; None when there are none."""
        if not (self._future or self._ancient or self._missing or self._records):
            return None
        return SegmentTimes(
            path=path,
            now=self._now,
            future=self._future,
            ancient=self._ancient,
            missing=self._missing,
            records=self._records,
        )


def _note(times: dict[str, OddTimes], spot: BatchSpot, offset: int, timestamp: int) -> None:
    """Count an odd timestamp by its cause; the largest stands for those after now, the first for the others."""
    cause = timestamp_cause(timestamp)
    noted = times.get(cause)
    if noted is None:
        times[cause] = OddTimes(1, spot, offset, timestamp)
    elif timestamp > noted.timestamp >= ANCIENT_MS:
        times[cause] = OddTimes(noted.number + 1, spot, offset, timestamp)
    else:
        times[cause] = noted._replace(number=noted.number + 1)
