"""The rows of a message of magic 0 or 1, and of those that a compressed one holds."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from kafkalog.core.batch import MAGIC_AT, Damage
from kafkalog.core.bit_flips import CRC32
from kafkalog.core.layout import INT32
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1
from kafkalog.core.source import WindowedBytes, part_of
from kafkalog.errors import FormatError, LimitExceeded
from kafkalog.show.batches import Together, attributes_note, checksum_note, is_first, opaque, payload_note, time_note
from kafkalog.show.values import Row, layout_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.compression import Inflated
    from kafkalog.core.legacy import LegacyBatch, LegacyRecord
    from kafkalog.core.source import Bytes
    from kafkalog.show.values import Focus

__all__ = ["message_rows"]

_INT32 = struct.Struct(f">{INT32.code}")
_NOTED = 120


def message_rows(batch: LegacyBatch, focus: Focus) -> Iterator[Row]:
    """The rows of a message, and of the messages in it when it is compressed."""
    end = batch.span.end
    notes = {
        "offset": ("of the last message inside" if batch.compression_id else "", ""),
        "size": (f"the message ends at {end} (0x{end:x})", ""),
        "crc": checksum_note(batch, MAGIC_AT, CRC32),
    }
    inflated, value_note, problem = None, "", ""
    if batch.compression_id:
        try:
            inflated = batch.inflate()
            value_note = f"{len(inflated.data)} bytes when decompressed, at +000000 and on"
            problem = "" if inflated.problem is None else inflated.problem.problem
        except (FormatError, LimitExceeded) as error:
            value_note, problem = "not decompressed", getattr(error, "problem", str(error))
    yield from _fields(batch.data, batch.magic, batch.position, None, 0, notes, (value_note, problem))
    if inflated is None:
        focus.is_met |= not batch.compression_id and focus.offset in (None, batch.last_offset)
        return
    yield from _inner(batch, inflated, focus)


def _inner(batch: LegacyBatch, inflated: Inflated, focus: Focus) -> Iterator[Row]:
    """The rows of the messages inside."""
    held, space, shown, end = inflated.data, batch.position, 0, 0
    together = Together(held, 0, 0, space)
    for item in batch.walk_records(inflated=inflated):
        if isinstance(item, Damage):
            yield from together.rows(end, len(held))
            if end < len(held):
                reason = getattr(item.error, "problem", str(item.error))
                yield opaque(end, len(held), "messages", "no whole message", held, end, reason, depth=1, space=space)
            return
        end = item.end
        if shown < focus.records and (shown or is_first(item, 0, focus, is_placed=False)):
            yield from together.rows(item.start, item.end)
            yield from _fields(part_of(held, item.start, item.end), item.magic, item.start, space, 1, _notes(item), ("", ""))
            focus.is_met = True
            shown += 1
        elif shown and isinstance(held, WindowedBytes):
            break
        else:
            together.add(item.offset)
    yield from together.rows(len(held), len(held))


def _notes(record: LegacyRecord) -> dict[str, tuple[str, str]]:
    return {
        "offset": (f"offset {record.offset}", ""),
        "crc": ("right", "") if record.crc_ok else ("", f"the bytes have 0x{record.computed_crc:08x}"),
    }


def _fields(
    data: Bytes,
    magic: int,
    start: int,
    space: int | None,
    depth: int,
    notes: dict[str, tuple[str, str]],
    of_value: tuple[str, str],
) -> Iterator[Row]:
    """The rows of one message, from all its bytes."""
    layout = LEGACY_HEADER_V1 if magic else LEGACY_HEADER_V0
    header = layout.read(bytes(data[: layout.size]))
    notes = {**notes, "attributes": (attributes_note(header.attributes, magic), "")}
    if magic:
        notes["timestamp"] = (time_note(getattr(header, "timestamp", -1)), "")
    yield from layout_rows(layout, data, 0, start, notes, depth=depth, space=space)
    at = layout.size
    for name in ("key", "value"):
        left = len(data) - at
        if left < _INT32.size:
            break
        (size,) = _INT32.unpack(bytes(data[at : at + _INT32.size]))
        fits = size <= left - _INT32.size
        problem = "" if fits else f"{left - _INT32.size} bytes follow"
        yield Row(
            start + at, start + at + _INT32.size, f"{name}Length", INT32.name, size, "null" if size < 0 else "",
            f"Bytes of the {name}; a negative length is null.", problem, "number", depth, space, data, at,
        )  # fmt: skip
        at += _INT32.size
        if not fits:
            break
        if size > 0:
            note, problem = of_value if name == "value" else ("", "")
            note = note or payload_note(bytes(data[at : at + min(size, _NOTED)]), size)
            yield Row(
                start + at,
                start + at + size,
                name,
                "bytes",
                None,
                note,
                f"The {name}.",
                problem,
                "payload",
                depth,
                space,
                data,
                at,
            )
            at += size
    if at < len(data):
        note = "bytes that belong to no field"
        yield opaque(start + at, start + len(data), "unused", note, data, at, note, depth=depth, space=space)
