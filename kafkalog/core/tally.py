"""What a log holds in all, counted batch by batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.compression import compression_type
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.record import NO_TIMESTAMP
from kafkalog.errors import UnknownCompression

if TYPE_CHECKING:
    from kafkalog.core.log import Batch
    from kafkalog.span import Padding

__all__ = ["LogTally"]


class LogTally:
    """The sums of a log, or of a part of it, in file order.

    `records` are counted by the headers; None when there is a wrapper message, which does not tell how many it holds, unless
    `unpacks`. `oldest` and `newest` are timestamps of batches, milliseconds; None without any. `bad_at` and `damaged_at` are
    the positions of the first batch with a wrong CRC and of the first bytes that are no batch, -1 without any.

    Args:
        unpacks: Whether wrapper messages are decompressed for the count of what they hold.
    """

    def __init__(self, *, unpacks: bool = False) -> None:
        self._unpacks = unpacks
        self.batches = self.bad_crcs = self.damaged_bytes = self.padding = 0
        self.bad_at = self.damaged_at = -1
        self.records: int | None = 0
        self.first: Batch | None = None
        self.last: Batch | None = None
        self.codecs: dict[str, int] = {}
        self.magics: set[int] = set()
        self.oldest: int | None = None
        self.newest: int | None = None

    def add(self, item: Batch | Damage | Padding) -> None:
        """Add a batch, or what is none."""
        if isinstance(item, Damage):
            self.damaged_at = item.span.start if self.damaged_at < 0 else self.damaged_at
            self.damaged_bytes += item.span.size
        elif isinstance(item, RecordBatch | LegacyBatch):
            self._batch(item)
        else:
            self.padding += item.span.size

    def _batch(self, batch: Batch) -> None:
        self.batches += 1
        if not batch.crc_ok:
            self.bad_at = batch.position if not self.bad_crcs else self.bad_at
            self.bad_crcs += 1
        self.first, self.last = self.first or batch, batch
        self.magics.add(batch.magic)
        name = _codec_name(batch)
        self.codecs[name] = self.codecs.get(name, 0) + 1
        if isinstance(batch, RecordBatch):
            header = batch.header
            oldest, newest = header.base_timestamp, header.max_timestamp
            if batch.delete_horizon_ms is not None or batch.timestamp_type == "LogAppendTime":
                oldest = newest
        else:
            oldest = newest = batch.max_timestamp
        count = self._records_in(batch)
        self.records = None if self.records is None or count is None else self.records + count
        self.time(oldest)
        self.time(newest)

    def _records_in(self, batch: Batch) -> int | None:
        if isinstance(batch, RecordBatch):
            return batch.header.records_count
        if not batch.compression_id:
            return 1
        return sum(not isinstance(item, Damage) for item in batch.walk_records()) if self._unpacks else None

    def time(self, timestamp: int) -> None:
        """Add a timestamp."""
        if timestamp != NO_TIMESTAMP:
            self.oldest = timestamp if self.oldest is None else min(self.oldest, timestamp)
            self.newest = timestamp if self.newest is None else max(self.newest, timestamp)


def _codec_name(batch: Batch) -> str:
    try:
        return compression_type(batch.compression_id, batch.magic).name
    except UnknownCompression as error:
        return f"unknown ({error.codec_id})"
