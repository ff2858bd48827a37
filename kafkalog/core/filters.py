"""Which records are shown: by offset, time, producer id, key."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.core.legacy import LegacyRecord
    from kafkalog.core.record import Record

__all__ = ["Filters"]


class Filters(NamedTuple):
    """Conditions that all must hold; None: no condition.

    Offsets are half-open, `since` is inclusive and `until` exclusive, both in milliseconds.
    """

    first_offset: int | None = None
    end_offset: int | None = None
    since: int | None = None
    until: int | None = None
    producer_id: int | None = None
    key: bytes | None = None

    @property
    def active(self) -> bool:
        """Whether there is any condition."""
        return any(condition is not None for condition in self)

    def producer_passes(self, producer_id: int) -> bool:
        """Whether batches of a producer are wanted; -1 is the id of batches without one."""
        return self.producer_id is None or self.producer_id == producer_id

    def passes(self, record: Record | LegacyRecord) -> bool:
        """Whether a record is wanted, its producer apart."""
        return self.values_pass(record.offset, record.timestamp, record.key)

    def values_pass(self, offset: int, timestamp: int, key: bytes | None) -> bool:
        """Whether a record of these values passes."""
        return (
            (self.first_offset is None or offset >= self.first_offset)
            and (self.end_offset is None or offset < self.end_offset)
            and (self.since is None or timestamp >= self.since)
            and (self.until is None or timestamp < self.until)
            and (self.key is None or key == self.key)
        )

    def batch_may_pass(self, first_offset: int, last_offset: int, max_timestamp: int | None) -> bool:
        """Whether a sound batch can hold a wanted record; `max_timestamp` None: unknown."""
        return (
            (self.first_offset is None or last_offset >= self.first_offset)
            and (self.end_offset is None or first_offset < self.end_offset)
            and (self.since is None or max_timestamp is None or max_timestamp >= self.since)
        )
