"""How Java spells values: booleans, text out of bytes, paths."""

from __future__ import annotations

import re

from kafkalog.core.messages.text import decode_utf8
from kafkalog.files.urls import is_url

__all__ = [
    "BOOLEAN",
    "absolute_path",
    "file_path",
    "replace_malformed",
]

#: `true` and `false`, by truth.
BOOLEAN = ("false", "true")


def replace_malformed(data: bytes) -> bytes:
    """`data` as UTF-8, each malformed sequence replaced by U+FFFD as `new String(bytes, UTF_8)` does."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return decode_utf8(data).encode()
    return data


def file_path(text: str) -> str:
    """`new File(text).toString()`: repeated slashes collapse, one at the end goes; `.` and `..` stay.

    A URL, which the real tool cannot read, stays what it is.
    """
    if is_url(text):
        return text
    path = re.sub("/+", "/", text)
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def absolute_path(text: str, directory: str) -> str:
    """`new File(text).getAbsolutePath()` in the working directory `directory`."""
    path = file_path(text)
    if path.startswith("/") or is_url(path):
        return path
    if not path:
        return directory
    return f"{directory}/{path}" if directory != "/" else f"/{path}"
