"""The bytes that a finding is about, each with its field and its value; those of records are masked unless asked for."""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command_on
from kafkalog.core.printable import printable
from kafkalog.errors import KafkalogError
from kafkalog.render.quantities import count_text
from kafkalog.show.parts import parts_of
from kafkalog.show.values import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.command_line import Command
    from kafkalog.show.values import Part, Row
    from kafkalog.verify import Finding

__all__ = ["PAYLOADS", "Evidence", "HexLine", "evidence_of", "show_command"]

#: How bytes of records are shown.
PAYLOADS = ("none", "length", "sha256", "hex", "text")
#: Bytes of a line, of a field that stands on its own line, and of one field in all.
_LONG, _SHORT = 16, 8
_MOST = {"payload": 256, "text": 4096}
_FEW = 32
#: Lines of one finding.
_LINES = 60
#: Bytes of a payload that are hashed.
_HASHED = 16 << 20
_NAME = 24
_MASK = "··"
#: Parts shown before and after the place in a file of entries or lines.
_AROUND = 1


class HexLine(NamedTuple):
    """A line: its style (`title`, `wrong`, `masked` or "") and its text."""

    style: str
    text: str


class Evidence(NamedTuple):
    """What stands at the place of a finding.

    Args:
        path: The file.
        start: First byte of the part that the place belongs to.
        lines: Its fields.
    """

    path: str
    start: int
    lines: tuple[HexLine, ...]


def show_command(finding: Finding) -> Command | None:
    """The command that shows the place of a finding; None: it is at none."""
    if finding.span is None:
        return None
    return command_on(("kafkalog", "show", "--at", str(finding.span.start)), finding.path)


def evidence_of(finding: Finding, payload: str) -> Evidence | None:
    """The bytes of a finding; None when it is about none, or when they are not there any more.

    Args:
        finding: Where to look.
        payload: One of `PAYLOADS`.
    """
    span = finding.span
    if span is None or span.size == 0:
        return None
    is_log = finding.path.endswith((".log", ".deleted", ".swap", ".cleaned"))
    wanted = Wanted(position=span.start, context=0 if is_log else _AROUND, records=1 if is_log else 0)
    lines: list[HexLine] = []
    start = span.start
    try:
        for part in parts_of(finding.path, wanted):
            if part.start <= span.start < part.end:
                start = part.start
            lines += islice(_part(part, finding, payload), _LINES + 1)
    except KafkalogError:
        return None
    if len(lines) > _LINES:
        lines[_LINES:] = [HexLine("", "…")]
    return Evidence(finding.path, start, tuple(lines)) if lines else None


def _part(part: Part, finding: Finding, payload: str) -> Iterator[HexLine]:
    size = count_text(part.end - part.start, "byte")
    yield HexLine("title", f"{part.title}: {size} at {part.start:,}")
    rows = list(islice(part.rows, _LINES * 2))
    is_masked = part.kind == "damage" and not _could_be_header(rows)
    is_control = part.title.startswith("control")
    for row in rows:
        if _is_told(row, part, finding):
            is_secret = (row.kind == "payload" and not is_control) or (_is_of_records(row, part) and any(row.bytes(_FEW)))
            yield from _row(row, payload if is_masked or is_secret else "text")


def _is_told(row: Row, part: Part, finding: Finding) -> bool:
    """Whether a row has to do with a finding: the fields of batches and entries do, of a record's those that it is about."""
    span = finding.span
    if row.depth == 0 or row.problem or span is None:
        return True
    is_about_all = span.start <= part.start and part.end <= span.end
    return not is_about_all and row.space is None and row.start < span.end and span.start < row.end


def _is_of_records(row: Row, part: Part) -> bool:
    """Whether bytes that are not taken apart may hold records; zeros hold none."""
    return row.kind == "opaque" and part.kind in ("batch", "message", "damage")


def _could_be_header(rows: list[Row]) -> bool:
    """Whether what stands where a batch should be begins like one: else it may be the inside of records."""
    values = {row.field: row.value for row in rows if row.depth == 0}
    length, magic, offset = (values.get(name) for name in ("batchLength", "magic", "baseOffset"))
    if length is None:
        length, offset = values.get("messageSize"), values.get("offset")
    if magic is None or length is None or offset is None:
        return False
    return magic in (0, 1, 2) and 0 <= length < 1 << 30 and 0 <= offset < 1 << 48


def _row(row: Row, payload: str) -> Iterator[HexLine]:
    """The lines of a field; `payload` is `text` for what is nobody's secret."""
    is_shown = payload in ("hex", "text")
    name = f"{'  ' * row.depth}{row.field}"
    address = f"{row.start:08x}" if row.space is None else f" +{row.start:06x}"
    note = row.note if payload == "text" or row.kind == "opaque" else ""
    style = "wrong" if row.problem else "" if is_shown else "masked"
    if row.size <= _SHORT:
        data = row.bytes().hex(" ") if is_shown else " ".join([_MASK] * row.size)
        value = _value(row) if payload == "text" else ""
        tail = "  ".join(text for text in (value, note, _stand_in(row, payload)) if text)
        yield HexLine(style, printable(f"{address}  {data:<{3 * _SHORT}}{name:<{_NAME}}{tail}".rstrip()))
    else:
        tail = "  ".join(text for text in (note, _stand_in(row, payload)) if text)
        yield HexLine(style, printable(f"{address}  {'':<{3 * _SHORT}}{name:<{_NAME}}{tail}".rstrip()))
        if is_shown:
            yield from _dump(row, style, with_text=payload == "text")
    if row.problem:
        yield HexLine("wrong", printable(f"{'':<{10 + 3 * _SHORT}}└ wrong: {row.problem}"))


def _stand_in(row: Row, payload: str) -> str:
    """What is said in the place of masked bytes."""
    if payload == "none":
        return f"{count_text(row.size, 'byte')}, masked" if row.size > _SHORT else "masked"
    if payload == "length":
        return count_text(row.size, "byte")
    if payload == "sha256":
        cut = f" of the first {_HASHED} bytes" if row.size > _HASHED else ""
        return f"sha256{cut} {hashlib.sha256(row.bytes(_HASHED)).hexdigest()}"
    return ""


def _dump(row: Row, style: str, *, with_text: bool) -> Iterator[HexLine]:
    most = min(row.size, _MOST.get(row.kind, _FEW))
    data = row.bytes(most)
    for at in range(0, most, _LONG):
        line = data[at : at + _LONG]
        place = row.start + at
        address = f"{place:08x}" if row.space is None else f" +{place:06x}"
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line) if with_text else ""
        yield HexLine(style, f"{address}  {line.hex(' '):<{3 * _LONG}}{text}".rstrip())
    if most < row.size:
        yield HexLine("", f"{'':<10}… {count_text(row.size - most, 'more byte')}")


def _value(row: Row) -> str:
    """The number of a field, a checksum in hex; of a few bytes the text."""
    if row.value is None:
        return "" if row.kind == "text" else "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in row.bytes())
    return f"0x{row.value:08x}" if row.kind == "checksum" else str(row.value)
