"""From a path and a place to the parts of a file that are there."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from kafkalog.core.batch import BATCH_HEADER, MAGIC_AT, Damage, RecordBatch
from kafkalog.core.filename import PENDING_SUFFIXES, SEGMENT_SUFFIXES, TEXT_FILES
from kafkalog.core.legacy import LEGACY_HEADER_V0, LEGACY_HEADER_V1, LegacyBatch
from kafkalog.core.log import first_offset, walk
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY, padded_end
from kafkalog.core.source import WindowedBytes
from kafkalog.errors import FormatError, KafkalogError, RequestError, Truncated
from kafkalog.files.classify import Kind, classify
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.partition import Partition
from kafkalog.files.source import FileSource, read_file, small_or_in_windows
from kafkalog.show.batches import batch_rows, offsets_note, opaque
from kafkalog.show.entries import EntryFile
from kafkalog.show.lines import line_parts
from kafkalog.show.messages import message_rows
from kafkalog.show.values import Focus, NothingThere, Part, layout_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.log import Batch
    from kafkalog.core.source import Source
    from kafkalog.show.values import Row
    from kafkalog.span import Padding

__all__ = ["Wanted", "file_of", "parts_of"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The place that is wanted: at most one of `position`, `offset` and `entry`; the start of the file without one.

    Args:
        position: A byte of the file.
        offset: A log offset.
        entry: Number of a batch, an entry or a line, from 0.
        context: How many parts to show before it and after it.
        records: Of a batch, how many records field by field; of another file without a place, how many entries or lines.
    """

    position: int | None = None
    offset: int | None = None
    entry: int | None = None
    context: int = 0
    records: int = 5

    @property
    def is_open(self) -> bool:
        """Whether no place is named."""
        return self.position is None and self.offset is None and self.entry is None


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
            yield from _log_parts(path, source, wanted)
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


# --- logs --------------------------------------------------------------------------------------------------------------


def _log_parts(path: str, source: Source, wanted: Wanted) -> Iterator[Part]:
    start = 0 if wanted.entry is not None or wanted.is_open else _near(path, source, wanted)
    if start and wanted.context:
        # Those before it may lie before the place that the index leads to.
        start = 0
    before: deque[tuple[int | None, Batch | Damage | Padding]] = deque(maxlen=wanted.context)
    items = enumerate(walk(source, start))
    last: Batch | None = None
    for number, item in items:
        if _is_there(item, number, wanted):
            numbered = None if start else number
            yield from (_log_part(source, one, at, Focus(0)) for at, one in before)
            focus = Focus(wanted.records if wanted.offset is None else 1, wanted.offset, wanted.position)
            yield _log_part(source, item, numbered, focus)
            if wanted.offset is not None and not focus.is_met:
                raise NothingThere(f"{path}: the batch has no record of offset {wanted.offset}: compaction or damage took it")
            for at, one in islice(items, wanted.context):
                yield _log_part(source, one, None if start else at, Focus(0))
            return
        before.append((None if start else number, item))
        if isinstance(item, RecordBatch | LegacyBatch):
            if wanted.offset is not None and first_offset(item) > wanted.offset:
                raise NothingThere(_between(path, wanted.offset, last, item))
            last = item
    raise NothingThere(_nothing(path, source.size, wanted, last))


def _near(path: str, source: Source, wanted: Wanted) -> int:
    """A position at or before the wanted place at which a batch begins, by the `.index` beside the log; 0 without one."""
    base = os.path.basename(path).removesuffix(".log")
    if not path.endswith(".log") or not base.isdecimal():
        return 0
    best = 0
    with suppress(KafkalogError):
        data = read_file(f"{path.removesuffix('.log')}.index")
        for entry in OFFSET_INDEX_ENTRY.read_all(data[: padded_end(data, OFFSET_INDEX_ENTRY.size)]):
            before = entry.position <= wanted.position if wanted.position is not None else _is_before(entry, int(base), wanted)
            if before and best < entry.position < source.size:
                best = entry.position
    if not best:
        return 0
    item = next(walk(source, best))
    if not isinstance(item, RecordBatch) or not item.crc_ok:
        return 0
    return best if wanted.offset is None or item.base_offset <= wanted.offset else 0


def _is_before(entry: Any, base: int, wanted: Wanted) -> bool:
    return wanted.offset is not None and base + entry.relative_offset <= wanted.offset


def _is_there(item: Batch | Damage | Padding, number: int, wanted: Wanted) -> bool:
    if wanted.position is not None:
        return item.span.start <= wanted.position < item.span.end
    if wanted.offset is not None:
        return isinstance(item, RecordBatch | LegacyBatch) and first_offset(item) <= wanted.offset <= item.last_offset
    return number == (wanted.entry or 0)


def _between(path: str, offset: int, last: Batch | None, following: Batch) -> str:
    begins = f"the batch at {following.position} begins with offset {first_offset(following)}"
    if last is None:
        return f"{path}: no offset {offset}: {begins}, and is the first"
    return f"{path}: no offset {offset}: the batch at {last.position} ends with {last.last_offset}, {begins}"


def _nothing(path: str, size: int, wanted: Wanted, last: Batch | None) -> str:
    if wanted.position is not None:
        return f"{path}: no position {wanted.position}: the file has {size} bytes"
    if wanted.offset is not None:
        end = (
            "it has no batches" if last is None else f"the last batch, at {last.position}, ends with offset {last.last_offset}"
        )
        return f"{path}: no offset {wanted.offset}: {end}"
    return f"{path}: {'is empty' if not size else f'no batch of number {wanted.entry}'}"


def _log_part(source: Source, item: Batch | Damage | Padding, number: int | None, focus: Focus) -> Part:
    span = item.span
    where = "" if number is None else f" {number}"
    if isinstance(item, RecordBatch):
        kind = "control batch" if item.is_control else "batch"
        title = f"{kind}{where} of magic 2, {offsets_note(item.base_offset, item.last_offset)}"
        return Part("batch", title, span.start, span.end, item.data, batch_rows(item, focus), number)
    if isinstance(item, LegacyBatch):
        kind = "compressed message" if item.compression_id else "message"
        title = f"{kind}{where} of magic {item.magic}, {'last ' if item.compression_id else ''}offset {item.last_offset}"
        return Part("message", title, span.start, span.end, item.data, message_rows(item, focus), number)
    data = WindowedBytes(source, span.start, span.size)
    if isinstance(item, Damage):
        title = f"no batch: {getattr(item.error, 'problem', item.error)}"
        return Part("damage", title, span.start, span.end, data, _damage_rows(data, item), number)
    row = opaque(span.start, span.end, "padding", "zeros up to the end of the file", data, 0)
    title = "preallocated space, or a tail that never reached the disk"
    return Part("padding", title, span.start, span.end, data, [row], number)


def _damage_rows(data: WindowedBytes, damage: Damage) -> Iterator[Row]:
    """What stands where a batch should be, taken for the header of one as far as it reaches."""
    start, end = damage.span[:2]
    magic = data[MAGIC_AT] if len(data) > MAGIC_AT else 2
    layout = (LEGACY_HEADER_V0, LEGACY_HEADER_V1)[magic] if magic in (0, 1) else BATCH_HEADER
    wrong = {damage.error.span[:2] if isinstance(damage.error, FormatError) and damage.error.span else None: _problem(damage)}
    if isinstance(damage.error, Truncated) and damage.error.field == "batch":
        field = layout.fields[1]
        missing = damage.error.need - damage.error.have
        wrong[(start + field.at, start + field.end)] = f"the batch would end {missing} bytes after the end of the file"
    at = start
    for row in layout_rows(layout, data, 0, start, {}, end=end):
        yield row._replace(problem=wrong.get((row.start, row.end), ""))
        at = row.end
    if at < end:
        told = any(start <= place[0] < at for place in wrong if place is not None and place[1] <= at)
        problem = "" if told else _problem(damage)
        yield opaque(at, end, "bytes", "up to the next sound batch, or the end of the file", data, at - start, problem)


def _problem(damage: Damage) -> str:
    return str(getattr(damage.error, "problem", damage.error))


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
