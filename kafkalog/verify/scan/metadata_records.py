"""The records of the metadata log and its snapshots: whether a controller can replay them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import Damage
from kafkalog.core.messages.cluster_metadata import find_metadata_type
from kafkalog.core.messages.records import FramedRecord, read_metadata_record
from kafkalog.core.messages.schema import NEWEST
from kafkalog.verify.rules.kraft import MetadataRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import RecordBatch

__all__ = ["unreadable_records"]


def unreadable_records(path: str, batch: RecordBatch) -> Iterator[MetadataRecord]:
    """The records of a data batch that do not decode."""
    for record in batch.walk_records():
        if isinstance(record, Damage):
            return
        framed = read_metadata_record(record.value)
        if framed.problem:
            yield MetadataRecord(
                path=path, batch=batch, offset=record.offset, name=framed.name, problem=framed.problem, newer=_is_newer(framed)
            )


def _is_newer(framed: FramedRecord) -> bool:
    """Whether a release that nobody here knows may have written the record."""
    if framed.type is None:
        return False
    schema = find_metadata_type(framed.type)
    return schema is None or (framed.version is not None and framed.version > schema.highest(NEWEST))
