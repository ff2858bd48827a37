"""The schema table: what the fields of a message are, in which of its versions, and since which release.

A table is text, one field a line, children indented below their parent:

    name                    type        versions    options
    members                 []struct
      memberId              string
      groupInstanceId       string?     3+          default=null
    topicId                 uuid        4+          tag=0 since=4.1.0

Types are bool, int8, int16, uint16, int32, int64, float64, string, bytes, uuid and struct; `[]` before it makes an array,
`?` after it allows null. No versions means all. Order is Kafka's order of declaration: untagged fields are stored in it,
and its JSON follows it. `tag` is the number of a tagged field, `default` its value when it is absent (else Kafka's empty
value of the type; `empty` is a struct of such values), `name` the struct's name in Kafka's messages. `since` and `until`
(exclusive) name releases, where Kafka changed a message without counting its version up.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["NEWEST", "Field", "Release", "Schema", "schema"]

Release = tuple[int, ...]

#: A release after all others: the newest form of every message.
NEWEST: Release = (1 << 30,)

_EMPTY: dict[str, Any] = {
    "bool": False,
    "float64": 0.0,
    "string": "",
    "bytes": b"",
    "uuid": uuid.UUID(int=0),
    "struct": None,
}
_TYPES = (*_EMPTY, "int8", "int16", "uint16", "int32", "int64")
_HIGHEST = 1 << 15


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message or of a struct in it.

    `versions` are the lowest and highest message versions that have it, `releases` the first release that knows it and
    the first that does not any more.
    """

    name: str
    type: str
    array: bool = False
    nullable: bool = False
    versions: tuple[int, int] = (0, _HIGHEST)
    tag: int | None = None
    default: Any = None
    struct_name: str = ""
    releases: tuple[Release, Release] = ((), NEWEST)
    fields: tuple[Field, ...] = ()

    def present(self, version: int, release: Release, highest: int) -> bool:
        """Whether this version of the message has the field, for `release`, which knows versions up to `highest`."""
        # Kafka's readers ask only for the bounds that matter: version 0 fields are there in any lower version, too.
        low, high = self.versions
        return (version >= low or low == 0) and version <= high and self.known(release, highest)

    def known(self, release: Release, highest: int) -> bool:
        """Whether `release`, which knows versions up to `highest`, knows the field."""
        since, until = self.releases
        return self.versions[0] <= highest and since <= release and (release < until or until is NEWEST)


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """A message. There is one of each: they are the same only if they are one.

    Args:
        name: Kafka's name of the message.
        versions: `(version, first release that knows it)`, ascending.
        flexible: First version with compact lengths and tagged fields; None when there is none.
        fields: Its fields, in declared order.
        source: Where its definition was read.
        key: Record type or API key it is stored under; None when it has none.
    """

    name: str
    versions: tuple[tuple[int, Release], ...]
    flexible: int | None
    fields: tuple[Field, ...]
    source: str
    key: int | None = None

    def highest(self, release: Release) -> int:
        """The highest version that `release` knows, -1 when it knows none."""
        if release is NEWEST:
            return self.versions[-1][0]
        return _highest(self.versions, release)

    def is_flexible(self, version: int, release: Release) -> bool:
        """Whether this version has compact lengths and tagged fields, for a reader of `release`."""
        if self.flexible is None or self.flexible > self.highest(release):
            return False
        return version >= self.flexible or self.flexible == 0


@lru_cache(maxsize=1024)
def _highest(versions: tuple[tuple[int, Release], ...], release: Release) -> int:
    return max((version for version, since in versions if since <= release), default=-1)


def schema(
    name: str,
    table: str,
    *,
    versions: str,
    source: str,
    key: int | None = None,
    flexible: int | None = None,
) -> Schema:
    """A message from its table.

    Args:
        name: Kafka's name of the message.
        table: The fields, see above.
        versions: Versions with the release each came with: `0=2.8.0 1=3.3.0`.
        source: Where its definition was read; `{}` stands for the name.
        key: Record type or API key it is stored under.
        flexible: First version with compact lengths and tagged fields.
    """
    rows = [(len(line) - len(line.lstrip()), line.split()) for line in table.splitlines() if line.strip()]
    fields, rest = _block(rows, 0, rows[0][0] if rows else 0)
    if rest != len(rows):
        raise ValueError(f"{name}: line {rest} is not indented like the others")
    pairs = tuple((int(item.split("=")[0]), _release(item.split("=")[1])) for item in versions.split())
    return Schema(name, pairs, flexible, fields, source.format(name), key)


def _block(rows: list[tuple[int, list[str]]], at: int, indent: int) -> tuple[tuple[Field, ...], int]:
    fields = []
    while at < len(rows) and rows[at][0] == indent:
        words = rows[at][1]
        at += 1
        children: tuple[Field, ...] = ()
        if at < len(rows) and rows[at][0] > indent:
            children, at = _block(rows, at, rows[at][0])
        fields.append(_field(words, children))
    return tuple(fields), at


def _field(words: list[str], children: tuple[Field, ...]) -> Field:
    name, kind, *options = words
    array, nullable = kind.startswith("[]"), kind.endswith("?")
    kind = kind.removeprefix("[]").removesuffix("?")
    if kind not in _TYPES or (kind == "struct") != bool(children):
        raise ValueError(f"{name}: bad type {words[1]}")
    versions = (0, _HIGHEST)
    if options and "=" not in options[0]:
        versions = _versions(options.pop(0))
    named = dict(option.split("=", 1) for option in options)
    if named.keys() - {"tag", "default", "name", "since", "until"}:
        raise ValueError(f"{name}: bad option in {options}")
    return Field(
        name,
        kind,
        array,
        nullable,
        versions,
        int(named["tag"]) if "tag" in named else None,
        _default(kind, named.get("default"), children, array=array),
        named.get("name", ""),
        (_release(named.get("since", "")), _release(named["until"]) if "until" in named else NEWEST),
        children,
    )


def _versions(text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if low.endswith("+"):
        return int(low[:-1]), _HIGHEST
    return int(low), int(high or low)


def _default(kind: str, text: str | None, children: tuple[Field, ...], *, array: bool) -> Any:
    if text == "null":
        return None
    if text == "empty":
        return {child.name: child.default for child in children}
    if array:
        return []
    if text is None:
        return _EMPTY.get(kind, 0)
    return text == "true" if kind == "bool" else int(text)


@lru_cache(maxsize=128)
def _release(text: str) -> Release:
    return tuple(int(part) for part in text.split(".")) if text else ()
