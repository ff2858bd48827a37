"""Zeros where data should be: what a lost or never written page of a file looks like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kafkalog.span import Span

if TYPE_CHECKING:
    from kafkalog.files.source import FileSource

__all__ = ["zeros_from", "zeros_text"]

#: The smallest part of a file that a disk loses, and the smallest that a file system does.
_SECTOR, _PAGE = 512, 4096
#: Bytes that are looked at, from the start of damage on.
_MOST = 1 << 20
#: Zeros of the data before and after a page that look as if they were of it.
_SLACK = 16
_RUN = re.compile(rb"\0{%d,}" % _SECTOR)


def zeros_from(source: FileSource, start: int, end: int) -> Span | None:
    """The longest run of zeros that begins between two positions of a file; None: none is as long as a sector.

    It may go on after `end`. Where it is pages but for a few zeros of the data around them, it is told as these.
    """
    data = bytes(source.read(start, min(source.size - start, _MOST)))
    runs = [match.span() for match in _RUN.finditer(data) if match.start() < end - start]
    if not runs:
        return None
    first, last = max(runs, key=lambda run: run[1] - run[0])
    return _as_pages(start + first, start + last)


def _as_pages(start: int, end: int) -> Span:
    first, last = start + -start % _PAGE, end - end % _PAGE
    is_pages = first < last and first - start <= _SLACK and end - last <= _SLACK
    return Span(first, last) if is_pages else Span(start, end)


def zeros_text(span: Span) -> str:
    """A run of zeros in words."""
    pages, rest = divmod(span.size, _PAGE)
    if rest or span.start % _PAGE:
        return f"{span.size} bytes of zeros, {span.start}..{span.end}"
    count = "one page" if pages == 1 else f"{pages} pages"
    return f"{count} of zeros, bytes {span.start}..{span.end}"
