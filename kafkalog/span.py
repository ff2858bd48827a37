"""Byte ranges: where a value came from."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Padding", "Span"]


class Span(NamedTuple):
    """A half-open range of bytes, `start` included, `end` not.

    `space` says which bytes are counted: None means those of the file; a number means the decompressed records of the
    batch whose position in the file is that number. The two never mix.
    """

    start: int
    end: int
    space: int | None = None

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.start

    def __repr__(self) -> str:
        inside = "" if self.space is None else f", decompressed from the batch at {self.space}"
        return f"Span({self.start}..{self.end}{inside})"


class Padding(NamedTuple):
    """Zero bytes up to the end of a file: preallocated space, or a tail that never reached the disk."""

    span: Span
