"""Bytes in JSON lines: an object whose one name says the form."""

from __future__ import annotations

import base64
import hashlib
from binascii import hexlify
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.source import HELD, PIECE
from kafkalog.dump.payload import utf8_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["JsonForm", "Long", "json_form", "object_of", "text_json", "text_object"]

#: Form → what stands under its name; none of it needs an escape.
_PLAIN: dict[str, Callable[[bytes], str | int]] = {
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "length": len,
    "sha256": lambda data: hashlib.sha256(data).hexdigest(),
}


class Long:
    """Text of a JSON string, or items of an array, that come in pieces: as a whole they would take twice the memory."""

    def __init__(self, quote: str, pieces: Iterator[Any]) -> None:
        self.quote = quote
        self.pieces = pieces


def object_of(form: str) -> Callable[[bytes], dict[str, Any]] | None:
    """What makes the object of bytes; None for the form `none`. `text` that is no UTF-8 becomes `hex`."""
    if form == "text":
        return text_object
    return None if form not in _PLAIN else lambda data: _bytes_object(form, data)


def _bytes_object(form: str, data: bytes) -> dict[str, Any]:
    plain = _PLAIN[form]
    if len(data) <= HELD or form not in ("hex", "base64"):
        return {form: plain(data)}
    # Both can be made three bytes at a time.
    return {form: Long('"', (plain(data[at : at + 3 * PIECE]) for at in range(0, len(data), 3 * PIECE)))}


def text_object(data: bytes) -> dict[str, Any]:
    """The object of text, or of what should be text and is not."""
    try:
        if len(data) <= HELD:
            return {"text": data.decode()}
        for piece in utf8_pieces(data):
            piece.decode()
    except UnicodeDecodeError:
        return _bytes_object("hex", data)
    return {"text": Long('"', (piece.decode() for piece in utf8_pieces(data)))}


def text_json(*, ensure_ascii: bool) -> Callable[[bytes], bytes]:
    """What makes the JSON text of the object that `text` gives."""
    quote = encode_basestring_ascii if ensure_ascii else encode_basestring

    def text(data: bytes) -> bytes:
        try:
            return f'{{"text":{quote(data.decode())}}}'.encode()
        except UnicodeDecodeError:
            return b'{"hex":"%b"}' % hexlify(data)

    return text


class JsonForm(NamedTuple):
    """How a form of bytes is made as JSON text: what `made` gives stands between `begin` and `end`."""

    begin: bytes
    made: Callable[[bytes], bytes]
    end: bytes


def json_form(form: str, *, ensure_ascii: bool) -> JsonForm:
    """How a form is made; not of `none`."""
    if form == "text":
        return JsonForm(b"", text_json(ensure_ascii=ensure_ascii), b"")
    if form == "length":
        return JsonForm(b'{"length":', lambda data: b"%d" % len(data), b"}")
    plain = _PLAIN[form]
    made = hexlify if form == "hex" else lambda data: str(plain(data)).encode()
    return JsonForm(b'{"%b":"' % form.encode(), made, b'"}')
