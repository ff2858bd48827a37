"""How bytes stand in JSON lines: as an object whose one name says the form."""

from __future__ import annotations

import base64
import hashlib
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["json_expression", "json_names", "object_of", "text_json", "text_object"]

#: Form → what stands under its name; none of it needs an escape.
_PLAIN: dict[str, Callable[[bytes], str | int]] = {
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "length": len,
    "sha256": lambda data: hashlib.sha256(data).hexdigest(),
}


def object_of(form: str) -> Callable[[bytes], dict[str, Any]] | None:
    """What makes the object of bytes; None for the form `none`. `text` that is no UTF-8 becomes `hex`."""
    if form == "text":
        return text_object
    plain = _PLAIN.get(form)
    return None if plain is None else lambda data: {form: plain(data)}


def text_object(data: bytes) -> dict[str, Any]:
    """The object of text, or of what should be text and is not."""
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"hex": data.hex()}


def text_json(*, ensure_ascii: bool) -> Callable[[bytes], str]:
    """The same as JSON text."""
    quote = encode_basestring_ascii if ensure_ascii else encode_basestring

    def text(data: bytes) -> str:
        try:
            return f'{{"text":{quote(data.decode())}}}'
        except UnicodeDecodeError:
            return f'{{"hex":"{data.hex()}"}}'

    return text


def json_expression(form: str, name: str) -> str:
    """The source of an expression for the JSON text of the bytes `name`; it needs the names of `json_names` too."""
    if form == "text":
        return f"text({name})"
    mark = "" if form == "length" else '"'
    return f"""f'{{{{"{form}":{mark}{{plain({name})}}{mark}}}}}'"""


def json_names(form: str, *, ensure_ascii: bool) -> dict[str, Callable[[bytes], str | int]]:
    """What `json_expression` needs."""
    text = text_json(ensure_ascii=ensure_ascii)
    return {"text": text, "plain": _PLAIN.get(form, text)}
