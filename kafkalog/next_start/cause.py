"""Why a start does what it does: each cause in words for people, with its kind, file and place for programs."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "CONTROLLER",
    "FALSE_MARKER",
    "INVALID_BATCH",
    "LOADED",
    "LOAD_FAILURE",
    "LOG_DIR",
    "MARKED",
    "NOTE",
    "OTHER_PARTITION",
    "SEGMENTS_DELETED",
    "STOPPING",
    "STOPS",
    "STRAY",
    "TORN_TAIL",
    "UNKNOWN",
    "UNREAD_RECORDS",
    "Cause",
    "without_stop",
]

#: Loading the partition fails.
LOAD_FAILURE = "load-failure"
#: Recovery ends at a batch.
INVALID_BATCH = "invalid-batch"
SEGMENTS_DELETED = "segments-deleted"
#: What follows the last whole batch is cut off.
TORN_TAIL = "torn-tail"
#: Records stay in the file after the log's end.
UNREAD_RECORDS = "unread-records"
#: `partition.metadata` is missing.
STRAY = "stray"
#: The name of the directory says so.
MARKED = "marked"
#: Nothing happens to it.
LOADED = "loaded"
#: A file beside the partitions, or the log dir as a whole.
LOG_DIR = "log-dir"
#: The clean-shutdown marker contradicts the logs.
FALSE_MARKER = "false-marker"
#: Another partition directory, or another log dir of the broker.
OTHER_PARTITION = "other-partition"
#: What the controller's metadata say.
CONTROLLER = "controller"
#: It cannot be read, changes while it is read, or is left out.
UNKNOWN = "unknown"
#: What else is worth knowing.
NOTE = "note"

#: Begins the text of what ends the broker.
STOPS = "the broker stops: "

#: Kinds that can keep the broker from starting.
STOPPING = frozenset((LOAD_FAILURE, LOG_DIR, OTHER_PARTITION))


class Cause(NamedTuple):
    """One reason for an outcome.

    Args:
        kind: One of the kinds of this module.
        text: In words, without a full stop.
        file: Name of the file in the partition directory, or path of one outside; None: no single one.
        position: Byte place in the file; None: the file as a whole.
    """

    kind: str
    text: str
    file: str | None = None
    position: int | None = None


def without_stop(reason: str) -> str:
    """A reason where it has been said already that the broker stops."""
    return reason.removeprefix(STOPS)
