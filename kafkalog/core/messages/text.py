"""Text as Java reads it from bytes, and its hash."""

from __future__ import annotations

import re

__all__ = ["decode_utf8", "string_hash"]

# One byte that is wrong wherever it stands gives one replacement character, as Java gives one for a whole surrogate.
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]?")


def decode_utf8(data: bytes) -> str:
    """UTF-8 with U+FFFD for what is malformed, at the places where Java puts them.

    Source: output of DumpLogSegments on random bytes, Java 17: as Python's `replace`, but an encoded surrogate is one.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _SURROGATE.sub(b"\xff", data).decode(errors="replace")


def string_hash(text: str) -> int:
    """Java's `text.hashCode()`, as an unsigned 32-bit number."""
    value = 0
    units = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(units[::2], units[1::2], strict=True):
        value = (value * 31 + (high << 8 | low)) & 0xFFFFFFFF
    return value
