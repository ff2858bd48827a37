"""How Java spells values: booleans, text out of bytes, paths, and the order in which hash maps list their keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from kafkalog.core.messages.text import decode_utf8, string_hash
from kafkalog.core.record import wrap32

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "BOOLEAN",
    "absolute_path",
    "file_path",
    "java_hash_map_order",
    "replace_malformed",
    "scala_212_map_order",
    "scala_213_map_order",
]

T = TypeVar("T")

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
    """`new File(text).toString()`: repeated slashes collapse, one at the end goes; `.` and `..` stay."""
    path = re.sub("/+", "/", text)
    return path[:-1] if len(path) > 1 and path.endswith("/") else path


def absolute_path(text: str, directory: str) -> str:
    """`new File(text).getAbsolutePath()` in the working directory `directory`."""
    path = file_path(text)
    if path.startswith("/"):
        return path
    if not path:
        return directory
    return f"{directory}/{path}" if directory != "/" else f"/{path}"


def _spread(text: str) -> int:
    value = string_hash(text)
    return value ^ value >> 16


def java_hash_map_order(keys: Iterable[str]) -> list[str]:
    """The order in which a java.util.HashMap filled by computeIfAbsent lists `keys`, given in order of insertion."""
    keys = list(keys)
    size = 16
    for count in range(len(keys)):
        # The table grows before an insertion, once it holds more than three quarters of its size.
        if count > size * 3 // 4:
            size *= 2
    buckets: dict[int, list[str]] = {}
    for key in keys:
        buckets.setdefault(_spread(key) & size - 1, []).insert(0, key)
    return [key for bucket in sorted(buckets) for key in buckets[bucket]]


def scala_213_map_order(keys: Iterable[str]) -> list[str]:
    """The order in which a mutable HashMap of Scala 2.13 lists `keys`."""
    keys = list(keys)
    size = 16
    for count in range(len(keys)):
        if count + 1 >= size * 3 // 4:
            size *= 2
    return sorted(keys, key=lambda key: (_spread(key) & size - 1, wrap32(_spread(key))))


def _improve(text: str) -> int:
    """The hash that mutable HashMaps of Scala 2.11 and 2.12 put keys in buckets by."""
    value = string_hash(text) * 0x9E3775CD & 0xFFFFFFFF
    value = int.from_bytes(value.to_bytes(4, "big"), "little") * 0x9E3775CD & 0xFFFFFFFF
    return (value >> 4 | value << 28) & 0xFFFFFFFF


def scala_212_map_order(keys: Iterable[str]) -> list[str]:
    """The order in which a mutable HashMap of Scala 2.11 or 2.12 lists `keys`, given in order of insertion."""
    bits = 4
    table: list[list[str]] = [[] for _ in range(1 << bits)]
    for count, key in enumerate(keys, 1):
        table[_improve(key) >> 32 - bits].insert(0, key)
        if count > (1 << bits) * 3 // 4:
            bits += 1
            old, table = table, [[] for _ in range(1 << bits)]
            for chain in reversed(old):
                for moved in chain:
                    table[_improve(moved) >> 32 - bits].insert(0, moved)
    return [key for chain in reversed(table) for key in chain]
