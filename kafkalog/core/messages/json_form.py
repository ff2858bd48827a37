"""Messages as JSON: Kafka's own form, as its generated converters make it, and the form that leaves nothing out."""

from __future__ import annotations

import base64
import math
import uuid
from functools import lru_cache
from json.encoder import JSONEncoder, encode_basestring
from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.compiled import Told, compile_teller
from kafkalog.core.messages.reader import UNKNOWN_TAGS, Message, form_of
from kafkalog.core.messages.schema import NEWEST, Field, Release, Schema
from kafkalog.core.properties import format_uuid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["compact_json", "json_object", "kafka_json", "regular_json", "regular_object"]


def kafka_json(message: Message, schema: Schema, version: int, release: Release = NEWEST) -> dict[str, Any]:
    """A message as the JSON object that Kafka makes of it: tagged fields that hold their default are left out.

    Source: the generated `…JsonConverter` classes of Kafka 2.8 to 4.3.
    """
    return _struct(message, schema.fields, (version, release, schema.highest(release)))


@lru_cache(maxsize=1024)
def regular_json(
    schema: Schema,
    version: int,
    release: Release,
    *,
    before: str = "",
    after: str = "",
    names: tuple[tuple[str, tuple[str, ...]], ...] = (),
) -> Callable[[bytes, int], tuple[str, int]]:
    """What makes the text of `kafka_json` of a regular message, by bytes and the place where it begins, and the place after it.

    Of others it raises one of `NOT_REGULAR`.

    Args:
        schema: What it is.
        version: Its version.
        release: Whose form.
        before: What stands before it in the text.
        after: What stands after it.
        names: Fields whose number is shown as the name at that place.
    """
    form = version, release, schema.highest(release)
    shown = {field: {number: f'"{name}"' for number, name in enumerate(known)} for field, known in names}
    told = Told(_plain_text, lambda field: compact_json(_value(field.default, field, form)), shown, before, after)
    known = form_of(schema, version, release)
    return compile_teller(schema.fields, known.fields, told, flexible=known.flexible, known=version <= known.highest)


@lru_cache(maxsize=1024)
def regular_object(
    schema: Schema, version: int, *, before: str = "", after: str = ""
) -> Callable[[bytes, int], tuple[str, int]]:
    """The same as `regular_json`, of `json_object` of a message in its newest form."""
    form = form_of(schema, version, NEWEST)
    told = Told(_object_text, lambda field: _object_text(field.default), {}, before, after, complete=True)
    return compile_teller(schema.fields, form.fields, told, flexible=form.flexible, known=version <= form.highest)


def _object_text(value: Any) -> str:
    return _ENCODER.encode(json_object(value))


_ENCODER = JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _plain_text(value: Any) -> str:
    return compact_json([_plain(item) for item in value] if isinstance(value, list) else _plain(value))


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
    found = encode_basestring(text)
    # Control characters have several spellings.
    return f'"{text.translate(_ESCAPES)}"' if "\\u00" in found else found


def _pieces(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield _string(value)
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
