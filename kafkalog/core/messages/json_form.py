"""Messages as JSON: Kafka's own form, as its generated converters make it, and the form that leaves nothing out."""

from __future__ import annotations

import base64
import math
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.compiled import NOT_REGULAR, compile_writer, quoted
from kafkalog.core.messages.reader import UNKNOWN_TAGS, Message, regular_reader
from kafkalog.core.messages.schema import NEWEST, Field, Release, Schema
from kafkalog.core.properties import format_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["compact_json", "json_object", "kafka_json", "kafka_json_text", "regular_json"]


def kafka_json(message: Message, schema: Schema, version: int, release: Release = NEWEST) -> dict[str, Any]:
    """A message as the JSON object that Kafka makes of it: tagged fields that hold their default are left out.

    Source: the generated `…JsonConverter` classes of Kafka 2.8 to 4.3.
    """
    return _struct(message, schema.fields, (version, release, schema.highest(release)))


def kafka_json_text(message: Message, schema: Schema, version: int, release: Release = NEWEST) -> str:
    """`compact_json` of `kafka_json`."""
    return _writer(schema, version, release)(message)


@lru_cache(maxsize=1024)
def regular_json(
    schema: Schema, version: int, release: Release, names: tuple[str, tuple[str, ...]] | None = None
) -> Callable[[bytes, int], tuple[str, int] | None]:
    """What gives the same for a regular message that begins at a place in some bytes, and the place after it; None for others.

    `names`: a field whose number is shown as the name at that place.
    """
    read, write = regular_reader(schema, version, release), _writer(schema, version, release)
    field, known = names or ("", ())
    quoted_names = tuple(f'"{name}"' for name in known)

    def told(data: bytes, at: int) -> tuple[str, int] | None:
        try:
            message, end = read(data, at)
            if field:
                if message[field] < 0:
                    return None
                message[field] = quoted_names[message[field]]
        except NOT_REGULAR:
            return None
        return write(message), end

    return told


@lru_cache(maxsize=1024)
def _writer(schema: Schema, version: int, release: Release) -> Callable[[Message], str]:
    form = version, release, schema.highest(release)
    return compile_writer(schema.fields, lambda field: field.present(*form), _plain_text, _string)


def _plain_text(value: Any) -> str:
    return _uuid_text(value) if type(value) is uuid.UUID else compact_json(_plain(value))


@lru_cache(maxsize=4096)
def _uuid_text(value: uuid.UUID) -> str:
    return f'"{format_uuid(value)}"'


_Form = tuple[int, Release, int]


def _struct(message: Message, fields: tuple[Field, ...], form: _Form) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for field in fields:
        if not field.present(*form):
            continue
        value = message[field.name]
        if field.tag is not None and value == field.default:
            continue
        result[field.name] = _value(value, field, form)
    return result


def _value(value: Any, field: Field, form: _Form) -> Any:
    if field.type == "struct":
        if isinstance(value, list):
            return [_struct(item, field.fields, form) for item in value]
        return None if value is None else _struct(value, field.fields, form)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return format_uuid(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def json_object(value: Any) -> Any:
    """A message, or any value in one, as plain JSON values, everything in it: defaults, unknown tagged fields too.

    UUIDs are Kafka's 22 characters of base64, bytes are `{"hex": …}`, unknown tagged fields `[{"tag": …, "hex": …}]`;
    numbers that JSON does not know are text.
    """
    if isinstance(value, dict):
        return {
            name: [{"tag": tag, "hex": data.hex()} for tag, data in item] if name == UNKNOWN_TAGS else json_object(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [json_object(item) for item in value]
    if isinstance(value, uuid.UUID):
        return format_uuid(value)
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return java_double(value)
    return value


# --- the text of Jackson's JsonNode.toString ---------------------------------------------------------------------------

_ESCAPES = {code: f"\\u{code:04X}" for code in range(32)}
_ESCAPES |= {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def compact_json(value: Any) -> str:
    """JSON text as Jackson writes it: no blanks, no escapes but the needed ones, those with hex digits in upper case."""
    return "".join(_pieces(value))


def _string(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield quoted(value, _string)
    elif value is None:
        yield "null"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, int):
        yield str(value)
    elif isinstance(value, float):
        yield java_double(value) if math.isfinite(value) else f'"{java_double(value)}"'
    elif isinstance(value, dict):
        separator = "{"
        for name, item in value.items():
            yield f'{separator}"{name.translate(_ESCAPES)}":'
            yield from _pieces(item)
            separator = ","
        yield "}" if value else "{}"
    else:
        separator = "["
        for item in value:
            yield separator
            yield from _pieces(item)
            separator = ","
        yield "]" if value else "[]"


def java_double(value: float) -> str:
    """A number as Java's Double.toString writes it (the shortest digits, which Java 17 and older do not always find)."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        text = repr(value)
        return text if "e" not in text else f"{value:.17f}".rstrip("0")
    # Two digits if they fit and are as near: 4.9E-324, where one would do (5e-324).
    two = f"{value:.1e}"
    mantissa, _, exponent = (two if float(two) == value else f"{value!r}").partition("e")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = digits.partition(".")
    power = int(exponent or 0) + len(whole) - 1
    figures = (whole + fraction).lstrip("0")
    power -= len(whole + fraction) - len(figures) if whole.strip("0") == "" else 0
    figures = figures.rstrip("0")
    return f"{sign}{figures[0]}.{figures[1:] or '0'}E{power}"
