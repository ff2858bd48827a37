"""From a path and a place to the parts of a file that are there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.filename import PENDING_SUFFIXES, SEGMENT_SUFFIXES, TEXT_FILES
from kafkalog.errors import RequestError
from kafkalog.files.classify import Kind, classify
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.partition import Partition
from kafkalog.files.source import FileSource, read_file, small_or_in_windows
from kafkalog.show.entries import EntryFile
from kafkalog.show.lines import line_parts
from kafkalog.show.logs import log_parts
from kafkalog.show.values import NothingThere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.show.values import Part, Wanted

__all__ = ["file_of", "parts_of"]


def file_of(path: str, wanted: Wanted) -> str:
    """The file that a path stands for: itself, or of a partition directory the `.log` that has the offset, else the first.

    Raises:
        UnreadableFile: the path is missing, may not be read, or holds nothing of Kafka.
        RequestError: it is a log dir, or a directory where a file is needed.
        NothingThere: a partition directory has no `.log` for the offset.
    """
    text, kind, directory = classify(path)
    if kind is Kind.FILE:
        return text
    if kind is Kind.LOG_DIR:
        raise RequestError(f"{text} is a log dir: give one of its files or partition directories (`kafkalog info` lists them)")
    if wanted.position is not None or wanted.entry is not None:
        raise RequestError(f"{text} is a directory: a position or an entry is one of a file; give the file, or --offset")
    logs = [one for one in Partition(text, directory).segments if ".log" in one.paths]
    below = [one for one in logs if wanted.offset is None or one.base_offset <= wanted.offset]
    if not logs:
        raise NothingThere(f"{text} has no .log")
    if not below:
        raise NothingThere(f"{text}: no offset {wanted.offset}: its first .log begins with {logs[0].base_offset}")
    return (below[0] if wanted.offset is None else below[-1]).paths[".log"]


def parts_of(path: str, wanted: Wanted) -> Iterator[Part]:
    """The parts of a file at a place, in the order of the file.

    Each is to be gone over before the next one is asked for.

    Raises:
        UnreadableFile: the file is missing, may not be read, or is none of Kafka's by its name.
        NothingThere: it has no such place.
    """
    kind = _kind_of(path)
    if kind == "log":
        with FileSource(path) as source:
            yield from log_parts(path, source, wanted)
    elif kind == "text":
        yield from _chosen_lines(path, line_parts(path, read_file(path)), wanted)
    else:
        with small_or_in_windows(path) as data:
            yield from _entry_parts(EntryFile(path, kind, data), len(data), wanted)


def _kind_of(path: str) -> str:
    """`log`, `text`, or the suffix of a file of entries."""
    name = os.path.basename(path)
    if name in TEXT_FILES:
        return "text"
    check_file_name(path)
    for pending in (*PENDING_SUFFIXES, ".part"):
        name = name.removesuffix(pending)
    suffix = next((one for one in SEGMENT_SUFFIXES if name.endswith(one)), ".log")
    return "log" if suffix == ".log" else suffix


# --- entries and lines -------------------------------------------------------------------------------------------------


def _entry_parts(file: EntryFile, size: int, wanted: Wanted) -> Iterator[Part]:
    number = _entry_number(file, size, wanted)
    first, last = max(number - wanted.context, -1), number + wanted.context
    if wanted.is_open:
        first, last = -1, wanted.records - 1
    header, left_over = file.header, file.left_over
    if first < 0 and header is not None:
        yield header
    for one in range(max(first, 0), min(last + 1, file.count)):
        yield file.entry(one)
    if last >= file.count and left_over is not None:
        yield left_over


def _entry_number(file: EntryFile, size: int, wanted: Wanted) -> int:
    """The number of the entry at the wanted place: -1 for the header, `count` for what is left over."""
    if wanted.position is not None:
        if not 0 <= wanted.position < size:
            raise NothingThere(f"{file.path}: no position {wanted.position}: the file has {size} bytes")
        return min(file.number_at(wanted.position), file.count)
    if wanted.entry is not None:
        if not 0 <= wanted.entry < file.count:
            raise NothingThere(f"{file.path}: no entry {wanted.entry}: there are {file.count}, counted from 0")
        return wanted.entry
    if wanted.offset is not None:
        found = file.number_of(wanted.offset)
        if found is None:
            raise NothingThere(f"{file.path}: no entry for offset {wanted.offset}")
        return found
    if not size:
        raise NothingThere(f"{file.path}: is empty")
    return 0


def _chosen_lines(path: str, parts: list[Part], wanted: Wanted) -> Iterator[Part]:
    if wanted.offset is not None:
        raise RequestError(f"{path} is a text file: --entry takes the number of a line, from 0, and --at a position")
    if not parts:
        raise NothingThere(f"{path}: is empty")
    if wanted.is_open:
        yield from parts
        return
    size = parts[-1].end
    if wanted.position is not None:
        chosen = [part.number for part in parts if part.start <= wanted.position < part.end]
        if not chosen:
            raise NothingThere(f"{path}: no position {wanted.position}: the file has {size} bytes")
    else:
        chosen = [wanted.entry]
        if not 0 <= (wanted.entry or 0) < len(parts):
            raise NothingThere(f"{path}: no line {wanted.entry}: there are {len(parts)}, counted from 0")
    number = chosen[0] or 0
    yield from parts[max(0, number - wanted.context) : number + wanted.context + 1]
