"""A place of a file as an annotated hexdump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from kafkalog.core.source import PIECE
from kafkalog.render.items import Line, Pieces
from kafkalog.render.quantities import count_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from kafkalog.core.source import Bytes
    from kafkalog.render.items import Item
    from kafkalog.show.values import Part, Row

__all__ = ["FEW_BYTES", "raw_items", "show_items"]

#: Bytes of a field that stand on its own line, and on a line of many.
_SHORT, _LONG = 8, 16
#: Bytes that are shown of a field unless all are wanted: of a payload, of what is not taken apart.
FEW_BYTES = {"payload": 64, "text": 1 << 20}
_FEW = 16
#: Columns before the bytes, of the bytes of a short field, and before the notes.
_ADDRESS = 10
_HEX = 3 * _SHORT
_NOTES = _ADDRESS + _HEX
_NAME = 22


def show_items(
    path: str, size: int | None, parts: Iterable[Part], width: int | None, *, all_bytes: bool, with_meanings: bool
) -> Iterator[Item]:
    """Parts of a file: each of their fields with address, bytes, name, value, what that comes to, what is wrong.

    Args:
        path: The file.
        size: Bytes of the file; None: not known.
        parts: The parts, which are gone over one after the other.
        width: Columns of the terminal; None: lines are not wrapped.
        all_bytes: Whether to show all bytes, however many there are.
        with_meanings: Whether to say what each field is for.
    """
    end = 0
    for number, part in enumerate(parts):
        yield "" if number else path
        yield from _part(part, width, all_bytes=all_bytes, with_meanings=with_meanings)
        end = part.end
    left = (size or 0) - end
    if left > 0:
        yield ""
        yield f"{count_text(left, 'byte')} of the file follow{'s' if left == 1 else ''}."


def _part(part: Part, width: int | None, *, all_bytes: bool, with_meanings: bool) -> Iterator[Item]:
    size = count_text(part.end - part.start, "byte")
    yield Line(0, f"{part.start:08x}", f"{part.title}: {size} at {part.start}", style="title", prose=True)
    space = None
    for row in part.rows:
        if row.space is not None and space is None:
            yield Line(0, "", f"Decompressed from the batch at {row.space}; positions in what it holds have a +:", prose=True)
        space = row.space
        yield from _row(row, width, all_bytes=all_bytes, with_meanings=with_meanings)


def raw_items(part: Part) -> Iterator[Item]:
    """The bytes of a part alone."""
    return _dump(part.data, 0, part.end - part.start, part.start, None, "")


def _row(row: Row, width: int | None, *, all_bytes: bool, with_meanings: bool) -> Iterator[Item]:
    name = f"{'  ' * row.depth}{row.field}"
    style = "error" if row.problem else row.kind
    is_short = row.size <= _SHORT
    head = f"{name:<{_NAME}} {_value(row) if is_short else ''}".rstrip()
    # The text of a line stands beside its bytes.
    notes = [row.note] if row.note and (is_short or row.kind != "text" or not row.note.isascii()) else []
    together = f"{head}  {row.note}" if is_short else f"{head:<{_NAME}} {row.note}"
    if notes and (width is None or _NOTES + cell_len(together) <= width):
        head, notes = together, []
    if is_short:
        yield Pieces(((f"{_address(row.start, row.space)}  ", ""), (f"{row.bytes().hex(' '):<{_HEX}}", style), (head, "")))
    else:
        yield Pieces(((" " * _NOTES, ""), (head, "")))
    yield from (Line(_NOTES, "", note, prose=True) for note in notes)
    if row.problem:
        yield Line(_NOTES, "wrong:", row.problem, prose=True, style="error")
    if with_meanings and row.meaning:
        yield Line(_NOTES, "", row.meaning, prose=True)
    if not is_short:
        most = row.size if all_bytes else min(row.size, FEW_BYTES.get(row.kind, _FEW))
        yield from _dump(row.data, row.at, most, row.start, row.space, style)
        if most < row.size:
            yield Pieces(((" " * _ADDRESS, ""), (f"… {count_text(row.size - most, 'more byte')} (--all shows them)", "")))


def _value(row: Row) -> str:
    """The number of a row; of a checksum in hex; of a short payload the text."""
    if row.value is None:
        return "" if row.kind == "text" else _ascii(row.bytes())
    return f"0x{row.value:08x}" if row.kind == "checksum" else str(row.value)


def _dump(data: Bytes, at: int, size: int, start: int, space: int | None, style: str) -> Iterator[Item]:
    """So many bytes of `data` from `at` on, sixteen a line; the first of them has the address `start`."""
    for begin in range(0, size, PIECE):
        piece = bytes(data[at + begin : at + min(begin + PIECE, size)])
        for place in range(0, len(piece), _LONG):
            line = piece[place : place + _LONG]
            shown = f"{line.hex(' '):<{3 * _LONG}} "
            yield Pieces(((f"{_address(start + begin + place, space)}  ", ""), (shown, style), (_ascii(line), "")))


def _address(at: int, space: int | None) -> str:
    """A place: `0000001f` in the file, `+00001f` in what the batch decompresses to."""
    return f"{at:08x}" if space is None else f" +{at:06x}"


def _ascii(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
