"""What is printed of keys and values: decoded text, or a stand-in that can be shared."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.release import Release, release_text
from kafkalog.core.source import HELD, PIECE
from kafkalog.dump.decoder_changes import DECODERS_MOVED, OLD_DECODERS_GONE
from kafkalog.dump.tool_died import ToolDied
from kafkalog.errors import DecoderFailed, RequestError
from kafkalog.kafka.java import replace_malformed

if TYPE_CHECKING:
    from kafkalog.dump.decoders.base import Decoder as InternalDecoder

__all__ = [
    "MANY_HEADERS",
    "PAYLOAD_FORMS",
    "Payload",
    "decoded_payload",
    "decoder_class",
    "payload_of",
    "string_decoder",
    "utf8_pieces",
]


#: Bytes of a record's headers up to which they are held as a list: there may be one in every two bytes.
MANY_HEADERS = 1 << 16
#: What is printed of a key or value: of a large one, a piece at a time.
Text = bytes | Iterator[bytes]
Decode = Callable[[bytes], Text]


class Payload(NamedTuple):
    """How keys and values are printed.

    `texts(offset, key, value)` gives what follows ` key: ` and ` payload: `, each None when nothing is printed, and
    raises ToolDied where the real tool's decoder throws. `is_plain`: it is what the tool does by default. `shows_something`:
    not all of them are None.
    """

    texts: Callable[[int, bytes | None, bytes | None], tuple[Text | None, Text | None]]
    is_plain: bool = False
    shows_something: bool = True


def decoded_payload(decoder: InternalDecoder) -> Payload:
    """Keys and values as the decoder of an internal topic prints them."""

    def texts(offset: int, key: bytes | None, value: bytes | None) -> tuple[bytes | None, bytes | None]:
        try:
            return decoder.decode(offset, key, value)
        except DecoderFailed as error:
            raise ToolDied(str(error)) from None

    return Payload(texts)


def string_decoder(data: bytes) -> Text:
    """The default decoder: text, malformed bytes replaced as Java does."""
    return replace_malformed(data) if len(data) <= HELD else map(replace_malformed, utf8_pieces(data))


def utf8_pieces(data: bytes) -> Iterator[bytes]:
    """Bytes in pieces that end at no place inside a character, be they sound UTF-8 or not."""
    at = 0
    while at < len(data):
        end = min(at + PIECE, len(data))
        if end < len(data):
            # No character has more than three bytes after its first, so that a fourth one stands alone.
            end -= next((back for back in range(4) if data[end - back] & 0xC0 != 0x80), 0)
        yield data[at:end]
        at = end


def _in_pieces(function: Callable[[bytes], bytes]) -> Decode:
    """For what can be done three bytes at a time."""

    def texts(data: bytes) -> Text:
        if len(data) <= HELD:
            return function(data)
        return (function(data[at : at + 3 * PIECE]) for at in range(0, len(data), 3 * PIECE))

    return texts


def _number(code: str, size: int) -> Callable[[bytes], bytes]:
    def decode(data: bytes) -> bytes:
        if len(data) < size:
            raise ToolDied(f"{len(data)} bytes where the decoder needs {size}")
        return str(struct.unpack_from(code, data)[0]).encode()

    return decode


def _identity(data: bytes) -> bytes:
    del data
    return b"[B@0"  # the JVM prints an identity hash here, another one in each run


_STOCK: dict[str, Decode] = {
    "StringDecoder": string_decoder,
    "LongDecoder": _number(">q", 8),
    "IntegerDecoder": _number(">i", 4),
    "DefaultDecoder": _identity,
}
_OLD = "kafka.serializer."
_NEW = "org.apache.kafka.tools.api."


def decoder_class(name: str, release: Release) -> tuple[Decode, str | None]:
    """A decoder by its Java class, or by `module:function` for one in Python.

    A Python function takes bytes and returns text or bytes.

    Returns:
        The decoder, and the line that the tool prints because the name is deprecated, or None.

    Raises:
        RequestError: there is no such Python function.
        ToolDied: that release has no such class; the tool finds out in front of each log.
    """
    if ":" in name:
        return _python_decoder(name), None
    package, _, short = name.rpartition(".")
    stock = _STOCK.get(short)
    moved = DECODERS_MOVED.applies_to(release)
    if stock is not None and package + "." == _OLD and not OLD_DECODERS_GONE.applies_to(release):
        if not moved:
            return stock, None
        return stock, f"{name} is deprecated. Please use {_NEW}{short} instead"
    if stock is not None and package + "." == _NEW and moved:
        return stock, None
    prefix = _NEW if moved else _OLD
    known = ", ".join(prefix + short for short in _STOCK)
    raise ToolDied(f"Kafka {release_text(release)} has no decoder {name!r}; there are {known}, and module:function in Python")


def _python_decoder(name: str) -> Callable[[bytes], bytes]:
    module, _, function = name.partition(":")
    try:
        found = getattr(import_module(module), function)
    except Exception as error:  # noqa: BLE001 - whatever a user's module raises, it is no decoder
        raise RequestError(f"no Python decoder {name!r}: {type(error).__name__}: {error}") from None
    if not callable(found):
        raise RequestError(f"no Python decoder {name!r}: it is a {type(found).__name__}, not a function")

    def decode(data: bytes) -> bytes:
        try:
            text = found(data)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a user's function raises ends this record only
            raise ToolDied(f"decoder {name}: {type(error).__name__}: {error}") from None
        return text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")

    return decode


def _sha256(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(data).hexdigest().encode()


#: The forms of `--payload` besides `text`.
PAYLOAD_FORMS: dict[str, Decode | None] = {
    "hex": _in_pieces(lambda data: data.hex().encode()),
    "base64": _in_pieces(base64.b64encode),
    "length": lambda data: b"%d" % len(data),
    "sha256": _sha256,
    "none": None,
}


def payload_of(form: str, key: Decode, value: Decode, *, tombstone_keys: bool) -> Payload:
    """Keys and values in a form of `--payload`, decoded by their decoders when the form is `text`.

    Args:
        form: `text` or one of `PAYLOAD_FORMS`.
        key: Decoder of keys.
        value: Decoder of values.
        tombstone_keys: Whether a record without a value shows its key.
    """
    if form != "text":
        found = PAYLOAD_FORMS[form]
        if found is None:
            return Payload(lambda _offset, _key, _value: (None, None), shows_something=False)
        key = value = found

    def texts(offset: int, key_bytes: bytes | None, value_bytes: bytes | None) -> tuple[Text | None, Text | None]:
        del offset
        if value_bytes is None:
            return (key(key_bytes) if key_bytes is not None and tombstone_keys else None), None
        return (None if key_bytes is None else key(key_bytes)), value(value_bytes)

    return Payload(texts, is_plain=form == "text" and key is string_decoder and value is string_decoder)
