"""Which snapshot an image of the metadata begins with: the newest that is whole and does not reach beyond the limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.control import read_control_type
from kafkalog.core.filename import CLUSTER_METADATA_TOPIC
from kafkalog.core.log import walk
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.files.source import FileSource
from kafkalog.replay.logs import Log, Note, read_file_records
from kafkalog.span import Padding

if TYPE_CHECKING:
    from kafkalog.replay.until import Until

__all__ = ["Base", "choose_snapshot", "snapshot_damage"]

_HEADER, _FOOTER = 3, 4


class Base(NamedTuple):
    """A snapshot to begin with: the offset after what it holds, the leader epoch there, and what is wrong with it."""

    end_offset: int
    epoch: int
    path: str
    damage: str = ""


def choose_snapshot(log: Log, until: Until, notes: list[Note]) -> Base | None:
    """The newest snapshot that is whole; of none is, the newest damaged one; what is not whole is noted.

    Raises:
        UnreadableFile: one of them cannot be read.
    """
    damaged = None
    for end_offset, epoch, path in reversed(log.snapshots):
        if until.offset is not None and end_offset - 1 > until.offset:
            continue
        if until.time is not None and not _taken_by(path, until.time):
            continue
        base = Base(end_offset, epoch, path, snapshot_damage(path, headed=log.topic in (CLUSTER_METADATA_TOPIC, None)))
        if not base.damage:
            return base
        notes.append(Note(path, None, f"the snapshot is not whole: {base.damage}"))
        damaged = damaged or base
    return damaged


def snapshot_damage(path: str, *, headed: bool) -> str:
    """What keeps a snapshot from being whole, "" when it is. Those of the preview have neither header nor footer."""
    ends: list[int | None] = []
    with FileSource(path) as source:
        for item in walk(source):
            if isinstance(item, Damage):
                return f"bytes {item.span.start} to {item.span.end} are no batch"
            if isinstance(item, Padding):
                continue
            if not item.crc_ok:
                return f"the CRC of the batch at byte {item.span.start} is wrong"
            ends = [*ends[:1], _control_type(item) if isinstance(item, RecordBatch) and item.is_control else None]
    if not ends:
        return "it is empty"
    if headed and (ends[0] != _HEADER or ends[-1] != _FOOTER):
        return "it has no header" if ends[0] != _HEADER else "it has no footer"
    return ""


def _control_type(batch: RecordBatch) -> int | None:
    try:
        return next((read_control_type(record.key)[1] for record in batch.records()), None)
    except (FormatError, LimitExceeded):
        return None


def _taken_by(path: str, time: int) -> bool:
    """Whether the snapshot holds nothing younger than `time`: its header says the last timestamp it contains."""
    for item in read_file_records(path, []):
        if isinstance(item.batch, RecordBatch) and item.batch.is_control:
            value = item.record.value or b""
            return len(value) >= 10 and int.from_bytes(value[2:10], "big", signed=True) <= time
        break
    return False
