"""Paths as the caller gave them."""

from __future__ import annotations

import os

from kafkalog.core.filename import PENDING_SUFFIXES, SEGMENT_SUFFIXES, TEXT_FILES, parse_segment_file_name
from kafkalog.errors import UnreadableFile

__all__ = ["check_file_name", "has_gone", "join", "trim"]


def join(path: str, name: str) -> str:
    """A path below the path that the caller gave, in the caller's spelling."""
    return f"{path}/{name}" if path != "/" else f"/{name}"


def trim(path: str) -> str:
    """A path as the caller gave it, without trailing slashes."""
    return path.rstrip("/") or path[:1]


def has_gone(path: str) -> bool:
    """Whether nothing is called so: of a path that was listed, that it was deleted or renamed since."""
    return not os.path.lexists(path)


def check_file_name(path: str) -> None:
    """Refuse a file that no command can make anything of.

    Raises:
        UnreadableFile: it has neither a name of Kafka's nor the suffix of one, or its bytes are evidently another program's.
    """
    name = os.path.basename(path)
    if name in TEXT_FILES or parse_segment_file_name(name) is not None:
        return
    from kafkalog.files.mistakes import mistaken_file

    mistaken = mistaken_file(path)
    if mistaken is not None:
        raise UnreadableFile(path, mistaken)
    for pending in (*PENDING_SUFFIXES, ".part"):
        name = name.removesuffix(pending)
    if not name.endswith((*SEGMENT_SUFFIXES, ".checkpoint")):
        raise UnreadableFile(path, "is no file of Kafka's, by its name")
