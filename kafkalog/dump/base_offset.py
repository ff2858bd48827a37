"""The base offset in the name of a file, as the tool reads it; and in names of remote storage, where the tool reads none."""

from __future__ import annotations

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import parse_remote_file_name
from kafkalog.dump.tool_died import ToolDied

__all__ = ["base_of", "base_offset_of", "no_offset"]


def base_of(name: str) -> str:
    """What stands in front of the first dot, as the tool takes it."""
    return name.split(".", 1)[0]


def base_offset_of(name: str) -> int:
    """The base offset.

    Raises:
        ToolDied: there is none in the name.
    """
    remote = parse_remote_file_name(name)
    base = parse_java_integer(base_of(name), 64) if remote is None else remote.base_offset
    if base is None:
        raise no_offset(name)
    return base


def no_offset(name: str, advice: str = "") -> ToolDied:
    """What the tool ends with at a name without an offset."""
    return ToolDied(f"{base_of(name)!r} in front of the first dot is no offset{advice}")
