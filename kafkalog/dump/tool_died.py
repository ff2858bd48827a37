"""Where the real tool ends with an exception that no code catches."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafkalog.errors import FormatError, KafkalogError, LimitExceeded

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ToolDied", "dies_within"]


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
