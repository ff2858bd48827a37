"""An event: what happened, where, and which clock says when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["APPEND", "CONTROLLER", "KINDS", "MTIME", "RECORD", "SOURCES", "Event", "LeftOut", "Timeline"]

#: Clocks: of who wrote the record, of the broker that appended it, of the controller, of the file system.
RECORD, APPEND, CONTROLLER, MTIME = "record", "append", "controller", "file-mtime"
SOURCES = (RECORD, APPEND, CONTROLLER, MTIME)

#: Kind of event → what it is.
KINDS = {
    "segment-created": "the first batch of a segment",
    "segment-rolled": "a segment was closed and the next one begun",
    "epoch-started": "a leader epoch begins in the log",
    "transaction-begun": "the first batch of a transaction",
    "transaction-committed": "its marker",
    "transaction-aborted": "its marker",
    "transaction-open": "the last batch of a transaction without a marker",
    "producer-epoch-raised": "a producer id goes on with a higher epoch",
    "tombstones": "records that delete a key, of a segment of a compacted log",
    "eligible-for-retention": "from when on a segment may be deleted, by its age",
    "group-committed": "a consumer group committed offsets, once for each hour",
    "gap": "offsets are missing",
    "damage": "bytes of a log are no batch",
    "truncated?": "the log was cut: an epoch begins after its end, or a deleted segment has other records than it",
    "checkpoint-written": "a checkpoint file, or meta.properties, was last written",
    "snapshot-written": "producers' state at an offset where no segment begins: the log ended there once",
    "clean-shutdown": "the broker was stopped cleanly",
    "topic-created": "in the metadata log",
    "topic-deleted": "in the metadata log",
    "leader-elected": "in the metadata log",
    "broker-registered": "in the metadata log",
    "broker-fenced": "in the metadata log",
    "broker-unfenced": "in the metadata log",
}


class Event(NamedTuple):
    """Something that happened.

    Args:
        time: When, milliseconds since 1970; None: nothing tells.
        source: Whose clock that is, one of `SOURCES`.
        kind: One of `KINDS`.
        broker: The node id of its log dir, "" where that is not known.
        partition: The partition directory's name; "": it is about a log dir.
        path: The file that shows it.
        offset: The log offset; None: it is about none.
        message: In words.
        facts: What programs want to know besides.
    """

    time: int | None
    source: str
    kind: str
    broker: str
    partition: str
    path: str
    offset: int | None
    message: str
    facts: dict[str, Any]


class LeftOut(NamedTuple):
    """Events that are only counted: of one kind, in one partition."""

    path: str
    kind: str
    number: int


@dataclass(frozen=True)
class Timeline:
    """All events.

    Args:
        events: By time; those without a time are the last ones.
        left_out: What is only counted.
        not_read: Paths that could not be read, and why.
    """

    events: tuple[Event, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    not_read: tuple[tuple[str, str], ...] = field(default=())
