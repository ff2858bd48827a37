"""Reading the text files the way the broker does, where it matters *how* a file is malformed.

A malformed line is an IOException and takes the log dir offline; a number that cannot be parsed is another exception,
which no code catches.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from kafkalog.core.checkpoint import parse_java_integer, read_leader_epochs, read_offset_checkpoint
from kafkalog.core.properties import parse_uuid
from kafkalog.errors import FormatError, NotANumber
from kafkalog.kafka.failure import BrokerAborts, LogDirOffline

if TYPE_CHECKING:
    import uuid

    from kafkalog.core.checkpoint import Checkpoint, EpochEntry, OffsetEntry

__all__ = ["read_epoch_file", "read_offset_file", "read_topic_id"]

T = TypeVar("T")


def _text(data: bytes, name: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise LogDirOffline("MalformedInputException", f"{name} is not UTF-8", file=name) from None


def _malformed(line: str, name: str) -> LogDirOffline:
    return LogDirOffline("IOException", f"malformed line in {name}: {line[:60]!r}", file=name)


def _entries(data: bytes, checkpoint: Checkpoint[T], name: str, *, numbers_abort: bool) -> tuple[T, ...]:
    """The entries of a checkpoint file; what is wrong first, in the order in which the broker reads, fails it."""
    _text(data, name)
    count = checkpoint.declared_count
    for damage in checkpoint.damages:
        field = damage.error.field if isinstance(damage.error, FormatError) else ""
        line = data[damage.span.start : damage.span.end].decode().rstrip("\r\n")
        no_number = isinstance(damage.error, NotANumber)
        if field == "version" and not no_number:
            raise LogDirOffline("IOException", f"{name} has version {checkpoint.version}, 0 is expected", file=name)
        if field != "version" and count is not None and count < 0 and numbers_abort:
            raise BrokerAborts("IllegalArgumentException", f"{name} says {count} entries", file=name)
        if field == "entry" and no_number and numbers_abort:
            raise BrokerAborts("NumberFormatException", f"a field in {name} is no number: {line[:60]!r}", file=name)
        if field == "count" and not no_number:
            text = f"{name} says {count} entries and has {len(checkpoint.entries)}"
            raise LogDirOffline("IOException", text, file=name)
        raise _malformed(line, name)
    return checkpoint.entries


def read_epoch_file(data: bytes, *, numbers_abort: bool) -> tuple[EpochEntry, ...]:
    """The lines of `leader-epoch-checkpoint`.

    Args:
        data: The file.
        numbers_abort: Whether a field that is no number stops the broker (since 3.1).

    Raises:
        LogDirOffline, BrokerAborts: it is malformed.

    Source: CheckpointFile.read, LeaderEpochCheckpointFile.Formatter, Kafka 3.9.1 and 2.8.
    """
    return _entries(data, read_leader_epochs(data), "leader-epoch-checkpoint", numbers_abort=numbers_abort)


def read_offset_file(data: bytes, name: str, *, numbers_abort: bool) -> tuple[OffsetEntry, ...]:
    """The lines of one of a log dir's checkpoint files.

    Raises:
        LogDirOffline, BrokerAborts: it is malformed; the caller knows what the broker makes of that.

    Source: CheckpointFile.read, OffsetCheckpointFile.Formatter, Kafka 3.9.1.
    """
    return _entries(data, read_offset_checkpoint(data), name, numbers_abort=numbers_abort)


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
    lines = re.split(r"\r\n|\r|\n", _text(data, name))
    if lines[-1] == "":
        lines.pop()
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
