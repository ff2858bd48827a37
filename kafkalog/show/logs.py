"""The parts of a log: its batches, and what stands where a batch should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.batch import BATCH_HEADER, MAGIC_AT, Damage, RecordBatch
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1, LegacyBatch
from kafkalog.core.source import WindowedBytes
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import FormatError, Truncated
from kafkalog.show.batches import batch_rows, opaque
from kafkalog.show.log_search import find
from kafkalog.show.messages import message_rows
from kafkalog.show.values import Focus, NothingThere, Part, layout_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.source import Source
    from kafkalog.show.log_search import Numbered
    from kafkalog.show.values import Row, Wanted

__all__ = ["log_parts"]


def log_parts(path: str, source: Source, wanted: Wanted) -> Iterator[Part]:
    """The parts of a log at a place.

    Raises:
        NothingThere: it has no such place, or no record of the offset; what should have it was given before.
    """
    found = find(path, source, wanted)
    yield from (_log_part(source, one, Focus(0)) for one in found.before)
    for one in found.wanted:
        focus = Focus(wanted.records if wanted.offset is None else 1, wanted.offset, wanted.position)
        yield _log_part(source, one, focus)
        if wanted.offset is not None and not focus.is_met and not found.problem:
            raise NothingThere(f"{path}: {_lacking(one, wanted.offset)}")
    yield from (_log_part(source, one, Focus(0)) for one in found.after)
    if found.problem:
        raise NothingThere(found.problem)


def _lacking(one: Numbered, offset: int) -> str:
    """Why a batch whose offsets include one has no record of it."""
    if isinstance(one.item, RecordBatch | LegacyBatch) and not one.item.crc_ok:
        return f"the batch at {one.item.position} should have offset {offset}, but is damaged: no record of it can be read"
    return f"the batch has no record of offset {offset}: compaction or damage took it"


def _log_part(source: Source, one: Numbered, focus: Focus) -> Part:
    number, item = one
    span = item.span
    where = "" if number is None else f" {number}"
    if isinstance(item, RecordBatch):
        kind = "control batch" if item.is_control else "batch"
        title = f"{kind}{where} of magic 2, {offsets_spoken(item.base_offset, item.last_offset)}"
        return Part("batch", title, span.start, span.end, item.data, batch_rows(item, focus), number)
    if isinstance(item, LegacyBatch):
        kind = "compressed message" if item.compression_id else "message"
        title = f"{kind}{where} of magic {item.magic}, {'last ' if item.compression_id else ''}offset {item.last_offset}"
        return Part("message", title, span.start, span.end, item.data, message_rows(item, focus), number)
    data = WindowedBytes(source, span.start, span.size)
    if isinstance(item, Damage):
        title = f"no batch: {getattr(item.error, 'problem', item.error)}"
        return Part("damage", title, span.start, span.end, data, _damage_rows(data, item), number)
    row = opaque(span.start, span.end, "padding", "zeros up to the end of the file", data, 0)
    title = "preallocated space, or a tail that never reached the disk"
    return Part("padding", title, span.start, span.end, data, [row], number)


def _damage_rows(data: WindowedBytes, damage: Damage) -> Iterator[Row]:
    """What stands where a batch should be, taken for the header of one as far as it reaches."""
    start, end = damage.span[:2]
    magic = data[MAGIC_AT] if len(data) > MAGIC_AT else 2
    layout = (LEGACY_HEADER_V0, LEGACY_HEADER_V1)[magic] if magic in (0, 1) else BATCH_HEADER
    wrong = {damage.error.span[:2] if isinstance(damage.error, FormatError) and damage.error.span else None: _problem(damage)}
    if isinstance(damage.error, Truncated) and damage.error.field == "batch":
        field = layout.fields[1]
        missing = damage.error.need - damage.error.have
        wrong[(start + field.at, start + field.end)] = f"the batch would end {missing} bytes after the end of the file"
    at = start
    for row in layout_rows(layout, data, 0, start, {}, end=end):
        yield row._replace(problem=wrong.get((row.start, row.end), ""))
        at = row.end
    if at < end:
        told = any(start <= place[0] < at for place in wrong if place is not None and place[1] <= at)
        problem = "" if told else _problem(damage)
        yield opaque(at, end, "bytes", "up to the next sound batch, or the end of the file", data, at - start, problem)


def _problem(damage: Damage) -> str:
    return str(getattr(damage.error, "problem", damage.error))
