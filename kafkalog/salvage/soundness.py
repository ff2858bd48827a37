"""Whether a batch is sound enough to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, Damage, RecordBatch
from kafkalog.core.control import ABORT, COMMIT, read_control_record
from kafkalog.core.record_counts import count_records
from kafkalog.errors import FormatError, LimitExceeded

if TYPE_CHECKING:
    from kafkalog.core.legacy import LegacyBatch
    from kafkalog.core.log import Batch

__all__ = ["count_in", "problem_of"]

_LAST_CODEC = 4
_LARGEST_OFFSET = (1 << 63) - 1
#: Most that the offsets of one batch can be apart.
_WIDEST = 0x7FFFFFFF


def problem_of(batch: Batch, *, parses: bool) -> str | None:
    """What is wrong with a batch, in words; None: nothing.

    Args:
        batch: The batch.
        parses: Whether its records must be readable, not only its checksum right.
    """
    if not batch.crc_ok:
        stored, computed = batch.header.crc, batch.computed_crc
        return f"its CRC is {stored:#010x}, and of its bytes it would be {computed:#010x}"
    if isinstance(batch, RecordBatch):
        return _header_problem(batch) or _marker_problem(batch) or (_records_problem(batch) if parses else None)
    return _message_problem(batch, parses=parses)


def count_in(batch: Batch) -> int:
    """How many records a sound batch holds."""
    if isinstance(batch, RecordBatch):
        return max(0, batch.header.records_count)
    return sum(not isinstance(item, Damage) for item in batch.walk_records())


def _header_problem(batch: RecordBatch) -> str | None:
    header = batch.header
    if not 0 <= header.base_offset <= _LARGEST_OFFSET - max(0, header.last_offset_delta) or header.last_offset_delta < 0:
        return f"baseOffset {header.base_offset} and lastOffsetDelta {header.last_offset_delta} make no range of offsets"
    return None


def _marker_problem(batch: RecordBatch) -> str | None:
    """A transaction marker that a broker could not read would stop it."""
    if not batch.is_control or batch.header.records_count == 0:
        return None
    record = next(batch.walk_records(), None)
    if record is None or isinstance(record, Damage):
        return "its transaction marker cannot be read" if record is None else f"its transaction marker: {record.reason}"
    try:
        marker = read_control_record(record.key, record.value)
    except FormatError as error:
        return f"its transaction marker: {error}"
    return None if marker.type_id in (ABORT, COMMIT) else f"its control record has type {marker.type_id}, a marker has 0 or 1"


def _records_problem(batch: RecordBatch) -> str | None:
    header = batch.header
    if header.records_count == 0 and batch.size == BATCH_HEADER.size:
        return None
    if batch.compression_id > _LAST_CODEC:
        return f"compression type id {batch.compression_id}; there are 0 to {_LAST_CODEC}"
    if count_records(batch.data, BATCH_HEADER.size, batch.size, header.records_count, batch.compression_id) is not None:
        return None
    return _damage_in(batch)


def _damage_in(batch: Batch) -> str | None:
    """The first damage among its records; what is too large to be looked at is none."""
    for item in batch.walk_records():
        if isinstance(item, Damage):
            return None if isinstance(item.error, LimitExceeded) else f"its records cannot be read: {item.reason}"
    return None


def _message_problem(batch: LegacyBatch, *, parses: bool) -> str | None:
    if batch.compression_id:
        # Its first offset, and with it its place among the others, is in what it holds.
        try:
            first = batch.base_offset
        except StopIteration:
            return "it is compressed and holds no message"
        except (FormatError, LimitExceeded) as error:
            return f"its messages cannot be read: {error}"
    else:
        first = batch.last_offset
    if not 0 <= first <= batch.last_offset <= first + _WIDEST:
        return f"offsets {first} to {batch.last_offset} make no range"
    if not parses:
        return None
    for item in batch.walk_records():
        if isinstance(item, Damage):
            return None if isinstance(item.error, LimitExceeded) else f"its messages cannot be read: {item.reason}"
        if not item.crc_ok:
            return f"the CRC of its message at offset {item.offset} is wrong"
    return None
