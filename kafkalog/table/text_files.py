"""Tables as CSV and as JSON lines, written from rows: nothing but kafkalog is needed."""

from __future__ import annotations

import base64
import json
from operator import add
from typing import TYPE_CHECKING, Any

from kafkalog.core.dates import date_text
from kafkalog.core.printable import printable_json
from kafkalog.table.columns import LARGE, weight_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkalog.table.columns import Column
    from kafkalog.table.table import Table

__all__ = ["FORMS", "csv_lines", "json_lines"]

#: How bytes are written. As `text`, what is no UTF-8 is escaped, so that only the others give every byte back.
FORMS: dict[str, Callable[[bytes], str]] = {
    "text": lambda data: data.decode("utf-8", "backslashreplace"),
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
}
#: Rows, and bytes of keys and values in them, that are written at once.
_ROWS, _BYTES = 1000, 1 << 20
#: Texts of values that repeat which are kept.
_KEPT = 10_000


def csv_lines(table: Table, key_form: str, value_form: str) -> Iterator[bytes]:
    """A line of names, and a line for each row: texts in quotes, None as nothing, headers as JSON."""
    yield (",".join(map(_quoted, table.names)) + "\r\n").encode()
    texts = [_texts(column, FORMS[key_form], FORMS[value_form], _quoted, "") for column in table.columns]
    for part in _parts(table):
        cells = [texts_of(values) for texts_of, values in zip(texts, zip(*part, strict=True), strict=True)]
        lines = map(",".join, zip(*cells, strict=True))
        yield "".join(f"{line}\r\n" for line in lines).encode("utf-8", "backslashreplace")


def json_lines(table: Table, key_form: str, value_form: str) -> Iterator[bytes]:
    """An object for each row."""
    texts = [_texts(column, FORMS[key_form], FORMS[value_form], _json, "null") for column in table.columns]
    names = [f"{json.dumps(name)}: " for name in table.names]
    for part in _parts(table):
        cells = [texts_of(values) for texts_of, values in zip(texts, zip(*part, strict=True), strict=True)]
        lines = (", ".join(map(add, names, row)) for row in zip(*cells, strict=True))
        yield "".join(f"{{{line}}}\n" for line in lines).encode("utf-8", "backslashreplace")


def _parts(table: Table) -> Iterator[list[Any]]:
    """Rows, as many as are written at once."""
    large = [number for number, column in enumerate(table.columns) if column.type in LARGE]
    rows: list[Any] = []
    weight = 0
    for row in table.rows():
        rows.append(row)
        weight += sum([weight_of(row[number]) for number in large])
        if len(rows) >= _ROWS or weight >= _BYTES:
            yield rows
            rows, weight = [], 0
    if rows:
        yield rows


class _Kept(dict[Any, str]):
    """Texts of values that repeat."""

    def __init__(self, make: Callable[[Any], str]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, value: Any) -> str:
        if len(self) >= _KEPT:
            self.clear()
        text = self[value] = self._make(value)
        return text


def _texts(
    column: Column,
    key_form: Callable[[bytes], str],
    value_form: Callable[[bytes], str],
    quoted: Callable[[str], str],
    null: str,
) -> Callable[[Sequence[Any]], Iterable[str]]:
    """What writes the values of a column; `quoted`: a text as the format has it."""
    if column.type in ("bool", "category", "name"):
        kept = _Kept(lambda value: null if value is None else _word(value) if isinstance(value, bool) else quoted(value))
        return lambda values: map(kept.__getitem__, values)
    if column.type == "timestamp":
        return _times(quoted, null)
    write = _writer(column, key_form, value_form, quoted)
    if column.type in LARGE:
        return lambda values: [null if value is None else write(value) for value in values]
    return lambda values: [null if value is None else str(value) for value in values] if None in values else map(str, values)


def _writer(
    column: Column, key_form: Callable[[bytes], str], value_form: Callable[[bytes], str], quoted: Callable[[str], str]
) -> Callable[[Any], str]:
    """What writes a value that is large and not None."""
    if column.type == "binary":
        form = key_form if column.name == "key" else value_form
        return lambda value: quoted(form(value))
    if column.type == "headers":
        # In CSV a text that is JSON.
        whole = _json if quoted is _json else lambda pairs: _quoted(json.dumps(pairs, ensure_ascii=False))
        return lambda value: whole([_header(key, data, value_form) for key, data in value])
    return quoted


def _header(key: str, value: bytes | None, form: Callable[[bytes], str]) -> dict[str, str | None]:
    return {"key": key, "value": None if value is None else form(value)}


def _times(quoted: Callable[[str], str], null: str) -> Callable[[Sequence[Any]], Iterable[str]]:
    seconds = _Kept(_second)
    return lambda values: [
        null if value is None else quoted(f"{seconds[value // 1000]}.{value % 1000:03d}Z") for value in values
    ]


def _second(second: int) -> str:
    day, time, _ = date_text(1000 * second).split(" ")
    return f"{day}T{time}"


def _word(value: bool) -> str:  # noqa: FBT001 - the value of a cell
    return "true" if value else "false"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _json(value: Any) -> str:
    return printable_json(json.dumps(value, ensure_ascii=False))
