"""The small text files beside the logs: `partition.metadata`, `meta.properties`, `quorum-state`, `.kafka_cleanshutdown`."""

from __future__ import annotations

import base64
import binascii
import json
import re
import uuid
from typing import Any, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.errors import FormatError
from kafkalog.span import Span

__all__ = [
    "JsonFile",
    "PartitionMetadata",
    "Properties",
    "QuorumState",
    "format_uuid",
    "parse_uuid",
    "read_json_file",
    "read_partition_metadata",
    "read_properties",
    "read_quorum_state",
]


def format_uuid(value: uuid.UUID) -> str:
    """A UUID as Kafka writes it: 22 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")


def parse_uuid(text: str) -> uuid.UUID | None:
    """The UUID of 22 characters of URL-safe base64, or None.

    Source: org.apache.kafka.common.Uuid.fromString: at most 24 characters that decode to 16 bytes.
    """
    if len(text) > 24:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    return uuid.UUID(bytes=raw) if len(raw) == 16 else None


class PartitionMetadata(NamedTuple):
    """A `partition.metadata` file: None for what cannot be read."""

    version: int | None
    topic_id: uuid.UUID | None
    damage: Damage | None


def read_partition_metadata(data: bytes) -> PartitionMetadata:
    """Read a `partition.metadata` file: `version: 0` and `topic_id: <22 characters>`. Never fails.

    Source: PartitionMetadataFile.PartitionMetadataReadBuffer, Kafka 3.9.1.
    """
    span = Span(0, len(data))

    def bad(problem: str, field: str = "") -> Damage:
        return Damage(span, FormatError(problem, field, span))

    lines = [line.decode("utf-8", "replace") for line in data.splitlines()]
    version: int | None = None
    topic_id: uuid.UUID | None = None
    damage: Damage | None = None
    for number, name in enumerate(("version", "topic_id")):
        if number >= len(lines):
            damage = damage or bad(f"{len(lines)} lines, 2 needed")
            break
        words = re.split(r":\s+", lines[number])
        if len(words) != 2:
            damage = damage or bad(f"{lines[number]!r} is not `{name}: value`", name)
            continue
        if number == 0:
            version = parse_java_integer(words[1], 32)
            if version is None or version < 0 or words[0] != name:
                damage = damage or bad(f"{lines[number]!r} is not `version: 0`", name)
        else:
            topic_id = parse_uuid(words[1])
            if topic_id is None or topic_id.int == 0 or words[0] != name:
                damage = damage or bad(f"{lines[number]!r} is not `topic_id: <22 characters of base64>`", name)
    return PartitionMetadata(version, topic_id, damage)


class Properties(NamedTuple):
    """A Java properties file: the last value of each key, in the order of the file.

    `written` is the comment in which Java notes the time, as it stands there.
    """

    values: dict[str, str]
    damage: Damage | None
    written: str | None = None


_TIME = re.compile(r"\d\d:\d\d:\d\d .*\d{4}$", re.ASCII)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def _unescape(text: str) -> str:
    def plain(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], 16))
        return _ESCAPES.get(match[2], match[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", plain, text)


def read_properties(data: bytes) -> Properties:
    """Read `meta.properties` or another Java properties file: ISO 8859-1, `#` and `!` comments, `=` or `:`. Never fails."""
    values: dict[str, str] = {}
    damage = written = None
    at = 0
    for raw in data.splitlines(keepends=True):
        line = raw.decode("latin-1").strip(" \t\f\r\n")
        span = Span(at, at + len(raw))
        at += len(raw)
        if not line or line[0] in "#!":
            written = line[1:] if _TIME.search(line) else written
            continue
        match = re.fullmatch(r"((?:\\.|[^\\=: \t\f])*)(?:[ \t\f]*[=:][ \t\f]*|[ \t\f]+|$)(.*)", line, re.DOTALL)
        if match is None or "\0" in line:
            damage = damage or Damage(span, FormatError(f"{line[:40]!r} is not `key=value`", "", span))
            continue
        values[_unescape(match[1])] = _unescape(match[2])
    return Properties(values, damage, written)


class JsonFile(NamedTuple):
    """A small JSON file (`quorum-state`, `.kafka_cleanshutdown` since 3.7): None when it is empty or unreadable."""

    value: dict[str, Any] | None
    damage: Damage | None


def read_json_file(data: bytes) -> JsonFile:
    """Read `quorum-state` or `.kafka_cleanshutdown`. Never fails; an empty file is legal."""
    if not data.strip():
        return JsonFile(None, None)
    span = Span(0, len(data))
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        return JsonFile(None, Damage(span, FormatError(f"not JSON: {error}", "", span)))
    if not isinstance(value, dict):
        return JsonFile(None, Damage(span, FormatError("not a JSON object", "", span)))
    return JsonFile(value, None)


class QuorumState(NamedTuple):
    """A `quorum-state` file: what a controller or broker knows of the election. None for what cannot be read."""

    version: int | None
    leader_epoch: int | None
    leader_id: int | None
    voted_id: int | None
    damage: Damage | None
    #: Node ids of the voters; only version 0 holds them, and only of static quorums.
    voters: tuple[int, ...] = ()


#: The fields that each version must have, with their JSON types.
_QUORUM_FIELDS: dict[int, dict[str, type | tuple[type, ...]]] = {
    0: {
        "clusterId": str,
        "leaderId": int,
        "leaderEpoch": int,
        "votedId": int,
        "appliedOffset": int,
        "currentVoters": (list, type(None)),
    },
    1: {"leaderId": int, "leaderEpoch": int, "votedId": int, "votedDirectoryId": str},
}


def _is_voter(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("voterId"), int)


def read_quorum_state(data: bytes) -> QuorumState:
    """Read `quorum-state`: the first line is a JSON object of version 0 or 1. Never fails.

    Source: FileQuorumStateStore.readStateFromFile, QuorumStateData.json, Kafka 3.9.1.
    """
    line = (data.splitlines() or [b""])[0]
    value, damage = read_json_file(line)
    fields = value or {}
    version = fields.get("data_version")
    problem = ""
    if value is None:
        problem = "the first line is empty" if damage is None else ""
    elif version is None:
        problem = "there is no data_version"
    elif version not in _QUORUM_FIELDS or isinstance(version, bool):
        problem = f"data_version {version!r} is neither 0 nor 1"
    else:
        needed = _QUORUM_FIELDS[version]
        wrong = [name for name, kind in needed.items() if name not in fields or not isinstance(fields[name], kind)]
        problem = f"{' and '.join(wrong)} missing or of another type" if wrong else ""
        if not wrong and not all(map(_is_voter, fields.get("currentVoters") or ())):
            problem = "a voter in currentVoters has no voterId"
    if problem:
        span = Span(0, len(data))
        damage = Damage(span, FormatError(problem, "", span))

    def number(name: str) -> int | None:
        found = fields.get(name)
        return found if isinstance(found, int) else None

    voters = fields.get("currentVoters")
    listed = tuple(v["voterId"] for v in voters if _is_voter(v)) if isinstance(voters, list) else ()
    return QuorumState(number("data_version"), number("leaderEpoch"), number("leaderId"), number("votedId"), damage, listed)
