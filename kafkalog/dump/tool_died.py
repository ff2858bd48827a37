"""Where the real tool ends with an exception that no code catches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import parse_remote_file_name
from kafkalog.errors import FormatError, KafkalogError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ToolDied", "base_of", "base_offset_of", "dies_within", "no_offset"]


class ToolDied(KafkalogError):
    """The real tool would end here with an uncaught exception; kafkalog reports it and goes on after it.

    Args:
        reason: What was seen, in a few words.
        position: Byte place in the file, None when the file as a whole is meant.
        resume: Byte place where reading may go on; None: look for the next sound batch.
    """

    def __init__(self, reason: str, position: int | None = None, resume: int | None = None) -> None:
        self.reason = reason
        self.position = position
        self.resume = resume
        super().__init__(reason, position, resume)

    def __str__(self) -> str:
        return self.reason


@contextmanager
def dies_within(position: int, end: int) -> Iterator[None]:
    """Say of a failure to read a batch that the tool dies there: the batch begins at `position` and ends at `end`, in bytes."""
    try:
        yield
    except (ToolDied, FormatError, LimitExceeded) as error:
        raise ToolDied(str(error), position, end) from None


def base_of(name: str) -> str:
    """What stands in front of the first dot, as the tool takes it."""
    return name.split(".", 1)[0]


def base_offset_of(name: str) -> int:
    """The base offset in a file's name; also that of a file in remote storage, which the tool does not read.

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
