"""The rows of a batch: its header, its records, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core import attributes as bits
from kafkalog.core.batch import ATTRIBUTES_AT, BATCH_HEADER, Damage
from kafkalog.core.bit_flips import CRC32C, find_flipped_bit
from kafkalog.core.compression import compression_type
from kafkalog.core.control import read_control_record
from kafkalog.core.cursor import Cursor
from kafkalog.core.dates import DATES, date_text, timestamp_cause
from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.record import NO_TIMESTAMP, RECORD_FIELDS, walk_fields
from kafkalog.core.source import WindowedBytes
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import FormatError, LimitExceeded, UnknownCompression
from kafkalog.show.values import Row, layout_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.compression import Inflated
    from kafkalog.core.legacy import LegacyBatch, LegacyRecord
    from kafkalog.core.record import Record
    from kafkalog.core.source import Bytes
    from kafkalog.errors import KafkalogError
    from kafkalog.show.values import Focus

__all__ = [
    "Together",
    "attributes_note",
    "batch_rows",
    "checksum_note",
    "is_first",
    "opaque",
    "payload_note",
    "time_note",
]

_FIELDS = {field.name: field for field in RECORD_FIELDS}
#: Payload bytes whose text is taken for a note.
_NOTED = 120


def batch_rows(batch: RecordBatch, focus: Focus) -> Iterator[Row]:
    """The rows of a batch of magic 2."""
    header = batch.header
    inflated, failure = _inflated(batch)
    codec_problem = failure.problem if isinstance(failure, UnknownCompression) else ""
    end = batch.span.end
    notes = {
        "batch_length": (f"the batch ends at {end} (0x{end:x})", ""),
        "partition_leader_epoch": _none(header.partition_leader_epoch),
        "crc": checksum_note(batch, ATTRIBUTES_AT, CRC32C),
        "attributes": (attributes_note(header.attributes, 2), codec_problem),
        "last_offset_delta": (f"last offset {batch.last_offset}", ""),
        "base_timestamp": (
            ("delete horizon, " if batch.delete_horizon_ms is not None else "") + time_note(header.base_timestamp),
            "",
        ),
        "max_timestamp": (time_note(header.max_timestamp), ""),
        "producer_id": _none(header.producer_id),
        "producer_epoch": _none(header.producer_epoch),
        "base_sequence": _none(header.base_sequence)
        if header.base_sequence == -1
        else (f"last sequence {batch.last_sequence}", ""),
        "records_count": ("", "" if header.records_count >= 0 else "0 or more are allowed"),
    }
    yield from layout_rows(BATCH_HEADER, batch.data, 0, batch.position, notes)
    if not batch.compression_id:
        yield from _record_rows(batch, batch.data, BATCH_HEADER.size, None, focus)
        return
    if batch.size > BATCH_HEADER.size:
        yield _compressed(batch, inflated, failure)
    if inflated is not None:
        yield from _record_rows(batch, inflated.data, 0, batch.position, focus, inflated)


def _inflated(batch: RecordBatch) -> tuple[Inflated | None, KafkalogError | None]:
    """What a compressed batch holds, or why it is not taken apart; None and None of one that is not compressed."""
    if not batch.compression_id:
        return None, None
    try:
        return batch.inflate(), None
    except (FormatError, LimitExceeded) as error:
        return None, error


def _compressed(batch: RecordBatch, inflated: Inflated | None, failure: KafkalogError | None) -> Row:
    codec = _codec_name(batch.header.attributes, 2)
    if inflated is None:
        note = f"{codec}, not decompressed"
        problem = str(getattr(failure, "problem", failure))
    else:
        note = f"{codec}, {len(inflated.data)} bytes when decompressed, at +000000 and on"
        problem = "" if inflated.problem is None else inflated.problem.problem
    start = batch.position + BATCH_HEADER.size
    return opaque(start, batch.span.end, "records", note, batch.data, BATCH_HEADER.size, problem)


def opaque(
    start: int,
    end: int,
    field: str,
    note: str,
    data: Bytes,
    at: int,
    problem: str = "",
    *,
    depth: int = 0,
    space: int | None = None,
) -> Row:
    """Bytes that are not taken apart."""
    return Row(start, end, field, "bytes", None, note, "", problem, "opaque", depth, space, data, at)


# --- records -----------------------------------------------------------------------------------------------------------


class Together:
    """Records that stand next to each other and are told of together."""

    def __init__(self, data: Bytes, begin: int, origin: int, space: int | None) -> None:
        self.begin = begin
        self.count = self.first = self.last = 0
        self._data, self._origin, self._space = data, origin, space

    def add(self, offset: int) -> None:
        """Add a record that is not shown."""
        self.first = self.first if self.count else offset
        self.last = offset
        self.count += 1

    def rows(self, end: int, following: int) -> Iterator[Row]:
        """The row of the records before `end`, if there are any; the next one begins at `following`."""
        if end > self.begin:
            note = "the records after these, not gone over"
            if self.count:
                records = f"{self.count} record{'' if self.count == 1 else 's'}"
                note = f"{records}, {offsets_spoken(self.first, self.last)}, not shown"
            yield opaque(
                self._origin + self.begin,
                self._origin + end,
                "records",
                note,
                self._data,
                self.begin,
                depth=1,
                space=self._space,
            )
        self.begin, self.count = following, 0


def _record_rows(
    batch: RecordBatch, data: Bytes, begin: int, space: int | None, focus: Focus, inflated: Inflated | None = None
) -> Iterator[Row]:
    """The rows of the records in `data` from `begin` on."""
    origin = batch.position if space is None else 0
    together, shown, end = Together(data, begin, origin, space), 0, begin
    for item in batch.walk_records(inflated=inflated):
        if isinstance(item, Damage):
            yield from together.rows(end, len(data))
            if end < len(data):
                reason = getattr(item.error, "problem", str(item.error))
                field = getattr(item.error, "field", "")
                note = f"no whole record{f': {field}' if field else ''}"
                yield opaque(origin + end, origin + len(data), "records", note, data, end, reason, depth=1, space=space)
            return
        end = item.end
        if shown < focus.records and (shown or is_first(item, origin, focus, is_placed=space is None)):
            yield from together.rows(item.start, item.end)
            yield from _one_record(batch, item, data, origin, space)
            focus.is_met = True
            shown += 1
        elif shown and isinstance(data, WindowedBytes):
            break  # there may be millions
        else:
            together.add(item.offset)
    yield from together.rows(len(data), len(data))


def is_first(record: Record | LegacyRecord, origin: int, focus: Focus, *, is_placed: bool) -> bool:
    """Whether a record is the first that is shown."""
    if focus.offset is not None:
        return record.offset == focus.offset
    return focus.position is None or not is_placed or origin + record.end > focus.position


def _one_record(batch: RecordBatch, record: Record, data: Bytes, origin: int, space: int | None) -> Iterator[Row]:
    control = _control_notes(record) if batch.is_control else {}
    for place in walk_fields(Cursor(data, record.start, record.end)):
        field = _FIELDS[place.name]
        is_payload = field.type == "bytes"
        if is_payload and place.start == place.end:
            continue
        note, depth = "", 2 if place.name.startswith("headerKey") or place.name.startswith("headerValue") else 1
        if is_payload:
            note = control.get(place.name) or payload_note(
                bytes(data[place.start : min(place.end, place.start + _NOTED)]), place.end - place.start
            )
        elif place.name == "timestampDelta":
            note = time_note(record.timestamp)
        elif place.name == "offsetDelta":
            note = f"offset {record.offset}"
        elif place.name.endswith("Length") and (place.value or 0) < 0:
            note = "null"
        kind = "payload" if is_payload else "time" if place.name == "timestampDelta" else "number"
        yield Row(
            origin + place.start, origin + place.end, place.name, field.type, place.value, note, field.meaning, "", kind, depth,
            space, data, place.start,
        )  # fmt: skip


def _control_notes(record: Record) -> dict[str, str]:
    """What the key and the value of a control record say."""
    try:
        control = read_control_record(record.key, record.value)
    except FormatError as error:
        return {"key": "a control record", "value": str(error)}
    fields = ", ".join(f"{name} {compact_json(json_object(value))}" for name, value in control.fields.items())
    return {"key": f"control record: {control.name} (type {control.type_id})", "value": fields}


# --- notes -------------------------------------------------------------------------------------------------------------


def payload_note(first: bytes, size: int) -> str:
    """The text of a payload where it does not stand beside its bytes anyway: text that is not ASCII; else "".

    Args:
        first: The first of its bytes.
        size: How many it has.
    """
    try:
        text = first.decode()
    except UnicodeDecodeError as error:
        if size == len(first) or error.start < len(first) - 3:
            return ""
        text = first[: error.start].decode()
    return "" if text.isascii() else f"{text}{'' if size == len(first) else '…'}"


def time_note(timestamp: int) -> str:
    """A timestamp as a date."""
    if timestamp == NO_TIMESTAMP:
        return "no timestamp"
    seconds = date_text(timestamp)
    return (
        f"{seconds[:-4]}.{timestamp % 1000:03d} UTC"
        if 0 <= timestamp < DATES.stop
        else f"{seconds}: {timestamp_cause(timestamp)}"
    )


def attributes_note(attributes: int, magic: int) -> str:
    """The codec and the flags of a batch or message."""
    names = [_codec_name(attributes, magic)]
    for bit in bits.ATTRIBUTE_BITS[1:]:
        if magic < bit.since_magic:
            continue
        if bit.mask == bits.LOG_APPEND_TIME:
            names.append(bits.timestamp_type_name(attributes))
        elif attributes & bit.mask:
            names.append(bit.name)
    unknown = attributes & ~(bits.KNOWN_BITS if magic == 2 else bits.LEGACY_KNOWN_BITS)
    return ", ".join([*names, *([f"unknown bits {unknown:#x}"] if unknown else [])])


def _codec_name(attributes: int, magic: int) -> str:
    codec = attributes & bits.CODEC_MASK
    try:
        return "no codec" if not codec else compression_type(codec, magic).name
    except UnknownCompression:
        return f"codec {codec}"


def checksum_note(batch: RecordBatch | LegacyBatch, covered_from: int, polynomial: int) -> tuple[str, str]:
    """A batch's checksum in hex, and what is wrong with it: what it should be, and the bit that explains it."""
    stored, computed = batch.header.crc, batch.computed_crc
    if stored == computed:
        return "right", ""
    problem = f"the bytes have 0x{computed:08x}"
    flip = find_flipped_bit(batch.size - covered_from, stored, computed, polynomial)
    if flip is None:
        return "", f"{problem}; no single flipped bit explains it"
    byte, bit = flip
    if byte < 0:
        return "", f"{problem}; bit {bit} of this field is flipped, if one is"
    place = batch.position + covered_from + byte
    return "", f"{problem}; flipping bit {bit} of the byte at {place} (0x{place:x}) makes it right"


def _none(value: int) -> tuple[str, str]:
    return ("none" if value == -1 else ""), ""
