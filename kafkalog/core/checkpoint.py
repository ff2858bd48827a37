"""The checkpoint text files of a log dir and of a partition: a version, a count, a line per entry.

`leader-epoch-checkpoint` (partition): `epoch startOffset`. `recovery-point-offset-checkpoint`,
`log-start-offset-checkpoint`, `replication-offset-checkpoint`, `cleaner-offset-checkpoint` (log dir): `topic partition offset`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from kafkalog.core.batch import Damage
from kafkalog.core.line_ends import unix_line_ends
from kafkalog.errors import BadLength, FormatError, NotANumber
from kafkalog.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "Checkpoint",
    "EpochEntry",
    "OffsetEntry",
    "is_as_kafka_writes",
    "parse_java_integer",
    "read_leader_epochs",
    "read_offset_checkpoint",
]

_TOPIC = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
T = TypeVar("T")


class EpochEntry(NamedTuple):
    """A line of `leader-epoch-checkpoint`: the first offset written, or to be written, in a leader epoch."""

    epoch: int
    start_offset: int


class OffsetEntry(NamedTuple):
    """A line of a log dir's checkpoint file."""

    topic: str
    partition: int
    offset: int


class Checkpoint(NamedTuple, Generic[T]):
    """A whole checkpoint file.

    `version` and `declared_count` are None when the file is too short to have them. `spans[i]` are the bytes of
    `entries[i]`, its line break included. `damages` lists what could not be read, first to last: errors about the field
    `version`, `count` or `entry`, `NotANumber` where a number could not be read. An empty file is legal and has none.
    """

    version: int | None
    declared_count: int | None
    entries: tuple[T, ...]
    spans: tuple[Span, ...]
    damages: tuple[Damage, ...]


_JAVA_INTEGER = re.compile(r"([+-]?)0*(\d{1,20})")


def parse_java_integer(text: str, bits: int) -> int | None:
    """What Java's `Integer.parseInt` (32 bits) or `Long.parseLong` (64 bits) makes of a text; None: it throws."""
    match = _JAVA_INTEGER.fullmatch(text)
    if match is None:  # no number, or one of more digits than any that fits
        return None
    value = int(match[1] + match[2])
    return value if -(1 << bits - 1) <= value < 1 << bits - 1 else None


# What a check reads of a partition the model of its next start reads again; and partitions of a topic often have the same file.
@lru_cache(maxsize=16)
def read_leader_epochs(data: bytes) -> Checkpoint[EpochEntry]:
    """Read a `leader-epoch-checkpoint` file. Never fails: bad lines are damage."""

    def entry(words: list[str]) -> EpochEntry | None:
        epoch, offset = parse_java_integer(words[0], 32), parse_java_integer(words[1], 64)
        return None if epoch is None or offset is None else EpochEntry(epoch, offset)

    return _read(data, entry, "epoch startOffset")


def read_offset_checkpoint(data: bytes) -> Checkpoint[OffsetEntry]:
    """Read one of a log dir's checkpoint files. Never fails: bad lines are damage."""

    def entry(words: list[str]) -> OffsetEntry | None:
        partition, offset = parse_java_integer(words[1], 32), parse_java_integer(words[2], 64)
        return None if partition is None or offset is None else OffsetEntry(words[0], partition, offset)

    return _read(data, entry, "topic partition offset")


def is_as_kafka_writes(data: bytes, entries: Iterable[EpochEntry | OffsetEntry]) -> bool:
    """Whether a checkpoint file of these entries has the bytes that Kafka writes; it reads more than that.

    An empty file is one that was made and never written. On Windows its lines end in CR LF.
    """
    data = unix_line_ends(data) or data
    rows = [" ".join(map(str, entry)) for entry in entries]
    names_fit = all(_TOPIC.fullmatch(row.split(" ")[0]) for row in rows)
    return not data or (names_fit and data == "".join(f"{row}\n" for row in ("0", len(rows), *rows)).encode())


def _lines(data: bytes) -> list[tuple[str, Span]]:
    lines = []
    at = 0
    for raw in data.splitlines(keepends=True) if b"\r" in data else data.split(b"\n"):
        size = len(raw) + (0 if b"\r" in data else 1)
        span = Span(at, min(at + size, len(data)))
        at += size
        if span.size:
            lines.append((raw.rstrip(b"\r\n").decode("utf-8", "replace"), span))
    return lines


def _short(text: str) -> str:
    return repr(text) if len(text) <= 80 else f"{text[:60]!r}… ({len(text)} characters)"


def _read(data: bytes, entry: Callable[[list[str]], T | None], shape: str) -> Checkpoint[T]:
    lines = _lines(data)
    damages: list[Damage] = []
    heads: list[int | None] = []
    for number, name in enumerate(("version", "count")):
        value = None
        if number < len(lines):
            text, span = lines[number]
            value = parse_java_integer(text, 32)
            if value is None:
                damages.append(Damage(span, NotANumber(f"{_short(text)} is no number", name, span)))
            elif name == "version" and value != 0:
                damages.append(Damage(span, BadLength(value, "0", name, span)))
        heads.append(value)
    entries: list[T] = []
    spans: list[Span] = []
    for text, span in lines[2:]:
        # Java splits on runs of white space and keeps an empty word in front of a leading one.
        words = re.split(r"[ \t\n\x0b\f\r]+", text.rstrip(" \t\n\x0b\f\r"))
        fits = len(words) == len(shape.split())
        value_read = entry(words) if fits else None
        if value_read is None:
            error = (NotANumber if fits else FormatError)(f"{_short(text)} is not `{shape}`", "entry", span)
            damages.append(Damage(span, error))
        else:
            entries.append(value_read)
            spans.append(span)
    declared = heads[1]
    present = max(0, len(lines) - 2)
    if declared is not None and declared != present:
        span = lines[1][1]
        damages.append(Damage(span, BadLength(declared, f"{present}, by the lines that follow", "count", span)))
    return Checkpoint(heads[0], declared, tuple(entries), tuple(spans), tuple(damages))
