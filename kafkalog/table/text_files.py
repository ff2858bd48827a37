"""Tables as CSV and as JSON lines, written from rows: nothing but kafkalog is needed."""

from __future__ import annotations

import base64
import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from kafkalog.core.dates import date_text
from kafkalog.core.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kafkalog.table.columns import Column
    from kafkalog.table.table import Table

__all__ = ["FORMS", "csv_lines", "json_lines"]

#: How bytes are written. As `text`, what is no UTF-8 is escaped, so that only the others give every byte back.
FORMS: dict[str, Callable[[bytes], str]] = {
    "text": lambda data: data.decode("utf-8", "backslashreplace"),
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
}
_AT_ONCE = 1000


def csv_lines(table: Table, key_form: str, value_form: str) -> Iterator[bytes]:
    """A line of names, and a line for each row: texts in quotes, None as nothing, headers as JSON."""
    forms = _forms(table, key_form, value_form)
    yield (",".join(map(_quoted, table.names)) + "\r\n").encode()
    rows = table.rows()
    while part := list(islice(rows, _AT_ONCE)):
        lines = (",".join([_cell(form(value)) for form, value in zip(forms, row, strict=True)]) + "\r\n" for row in part)
        yield "".join(lines).encode("utf-8", "backslashreplace")


def json_lines(table: Table, key_form: str, value_form: str) -> Iterator[bytes]:
    """An object for each row."""
    forms, names = _forms(table, key_form, value_form), table.names
    rows = table.rows()
    while part := list(islice(rows, _AT_ONCE)):
        objects = ({name: form(value) for name, form, value in zip(names, forms, row, strict=True)} for row in part)
        yield "".join(printable_json(json.dumps(one, ensure_ascii=False)) + "\n" for one in objects).encode(
            "utf-8", "backslashreplace"
        )


def _forms(table: Table, key_form: str, value_form: str) -> list[Callable[[Any], Any]]:
    return [_form(column, FORMS[key_form], FORMS[value_form]) for column in table.columns]


def _form(column: Column, key_form: Callable[[bytes], str], value_form: Callable[[bytes], str]) -> Callable[[Any], Any]:
    """What makes a value of a column one that JSON has."""
    if column.type == "binary":
        shown = key_form if column.name == "key" else value_form
        return lambda value: None if value is None else shown(value)
    if column.type == "headers":
        return lambda value: None if value is None else [_header(key, data, value_form) for key, data in value]
    if column.type == "timestamp":
        return lambda value: None if value is None else _time(value)
    return lambda value: value


def _header(key: str, value: bytes | None, form: Callable[[bytes], str]) -> dict[str, str | None]:
    return {"key": key, "value": None if value is None else form(value)}


def _time(milliseconds: int) -> str:
    day, second, _ = date_text(milliseconds).split(" ")
    return f"{day}T{second}.{milliseconds % 1000:03d}Z"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return _quoted(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
