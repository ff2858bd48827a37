"""Reading the text files the way the broker does, where it matters *how* a file is malformed.

A malformed line is an IOException and takes the log dir offline; a number that cannot be parsed is another exception,
which nobody catches. `kafkalog.core.checkpoint` reads the same files for people and does not tell the two apart.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkalog.core.checkpoint import EpochEntry, OffsetEntry, parse_java_integer
from kafkalog.core.properties import parse_uuid
from kafkalog.kafka.failure import BrokerAborts, LogDirOffline

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable

__all__ = ["read_epoch_file", "read_offset_file", "read_topic_id"]

T = TypeVar("T")
_SPACE = re.compile(r"[ \t\n\x0b\f\r]+")


class _Shape(NamedTuple):
    """What a line of a checkpoint file is made of."""

    name: str
    fields: int


def _lines(data: bytes, name: str) -> list[str]:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise LogDirOffline("MalformedInputException", f"{name} is not UTF-8", file=name) from None
    lines = re.split(r"\r\n|\r|\n", text)
    return lines[:-1] if lines[-1] == "" else lines


def _malformed(line: str, name: str) -> LogDirOffline:
    return LogDirOffline("IOException", f"malformed line in {name}: {line[:60]!r}", file=name)


def _number(line: str, name: str) -> int:
    value = parse_java_integer(line, 32)
    if value is None:
        raise _malformed(line, name)
    return value


def _read(data: bytes, shape: _Shape, entry: Callable[[list[str]], T | None], *, numbers_abort: bool) -> list[T]:
    lines = _lines(data, shape.name)
    if not lines:
        return []
    version = _number(lines[0], shape.name)
    if version != 0:
        raise LogDirOffline("IOException", f"{shape.name} has version {version}, 0 is expected", file=shape.name)
    if len(lines) == 1:
        return []
    count = _number(lines[1], shape.name)
    if count < 0 and numbers_abort:
        raise BrokerAborts("IllegalArgumentException", f"{shape.name} says {count} entries", file=shape.name)
    entries: list[T] = []
    for line in lines[2:]:
        # Java's split drops empty words at the end and keeps one in front.
        words = _SPACE.split(line)
        while words and not words[-1]:
            words.pop()
        if len(words) != shape.fields:
            raise _malformed(line, shape.name)
        value = entry(words)
        if value is None:
            if numbers_abort:
                raise BrokerAborts(
                    "NumberFormatException", f"a field in {shape.name} is no number: {line[:60]!r}", file=shape.name
                )
            raise _malformed(line, shape.name)
        entries.append(value)
    if len(entries) != count:
        raise LogDirOffline("IOException", f"{shape.name} says {count} entries and has {len(entries)}", file=shape.name)
    return entries


def read_epoch_file(data: bytes, *, numbers_abort: bool) -> list[EpochEntry]:
    """The lines of `leader-epoch-checkpoint`.

    Args:
        data: The file.
        numbers_abort: Whether a field that is no number stops the broker (since 3.1).

    Raises:
        LogDirOffline, BrokerAborts: it is malformed.

    Source: CheckpointFile.read, LeaderEpochCheckpointFile.Formatter, Kafka 3.9.1 and 2.8.
    """

    def entry(words: list[str]) -> EpochEntry | None:
        epoch, offset = parse_java_integer(words[0], 32), parse_java_integer(words[1], 64)
        return None if epoch is None or offset is None else EpochEntry(epoch, offset)

    return _read(data, _Shape("leader-epoch-checkpoint", 2), entry, numbers_abort=numbers_abort)


def read_offset_file(data: bytes, name: str, *, numbers_abort: bool) -> list[OffsetEntry]:
    """The lines of one of a log dir's checkpoint files.

    Raises:
        LogDirOffline, BrokerAborts: it is malformed; the caller knows what the broker makes of that.

    Source: CheckpointFile.read, OffsetCheckpointFile.Formatter, Kafka 3.9.1.
    """

    def entry(words: list[str]) -> OffsetEntry | None:
        partition, offset = parse_java_integer(words[1], 32), parse_java_integer(words[2], 64)
        return None if partition is None or offset is None else OffsetEntry(words[0], partition, offset)

    return _read(data, _Shape(name, 3), entry, numbers_abort=numbers_abort)


def read_topic_id(data: bytes, *, any_version: bool) -> uuid.UUID:
    """The topic id in `partition.metadata`.

    Args:
        data: The file.
        any_version: Whether a version above 0 is accepted (since 3.7).

    Raises:
        LogDirOffline: a line is malformed, or the id is zero.
        BrokerAborts: a line is missing, or the id is not 16 bytes of base64.

    Source: PartitionMetadataFile.PartitionMetadataReadBuffer, Uuid.fromString, Kafka 3.9.1.
    """
    name = "partition.metadata"
    lines = _lines(data, name)
    if not lines:
        raise BrokerAborts("NullPointerException", f"{name} is empty", file=name)
    words = _metadata_words(lines[0], name)
    version = parse_java_integer(words[1], 32)
    if version is None:
        raise _malformed(lines[0], name)
    if version < 0 or (version > 0 and not any_version):
        raise LogDirOffline("IOException", f"{name} has version {version}", file=name)
    if len(lines) < 2:
        raise BrokerAborts("NullPointerException", f"{name} has no line with the topic id", file=name)
    words = _metadata_words(lines[1], name)
    topic_id = parse_uuid(words[1])
    if topic_id is None:
        raise BrokerAborts("IllegalArgumentException", f"{words[1][:60]!r} in {name} is no topic id", file=name)
    if topic_id.int == 0:
        raise LogDirOffline("IOException", f"{name} holds the zero id", file=name)
    return topic_id


def _metadata_words(line: str, name: str) -> list[str]:
    words = re.split(r":\s+", line)
    while words and not words[-1]:
        words.pop()
    if len(words) != 2:
        raise _malformed(line, name)
    return words
