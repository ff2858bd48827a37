"""Which batches of a log are shown: those at a place, or where an offset is or, in a damaged log, should be."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.legacy import LegacyBatch
from kafkalog.core.log import first_offset, told_base_offset, walk
from kafkalog.files.index_look_up import index_beside
from kafkalog.show.values import NothingThere
from kafkalog.span import Padding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.log import Batch
    from kafkalog.core.source import Source
    from kafkalog.show.values import Wanted


__all__ = ["Found", "Numbered", "find"]

#: Damaged places that are shown for an offset that no sound batch has.
_MOST_SUSPECTS = 4


class Numbered(NamedTuple):
    """What stands in a log, and which number it has there; None: not known, as the log was not read from its start."""

    number: int | None
    item: Batch | Damage | Padding


class Found(NamedTuple):
    """What is shown: `wanted` and what stands `before` and `after` it; `problem` says why the offset itself is not there."""

    before: list[Numbered]
    wanted: list[Numbered]
    after: list[Numbered]
    problem: str = ""


def find(path: str, source: Source, wanted: Wanted) -> Found:
    """What is to be shown of a log.

    Raises:
        NothingThere: nothing stands at the place, or would have the offset.
    """
    start, look_up = 0, index_beside(path)
    # What is around may lie before the place that the index leads to.
    if wanted.offset is not None and not wanted.context:
        start = look_up.before_offset(wanted.offset, source)
        # The batch there is judged by the one before it.
        start = look_up.before_position(start - 1, source)
    elif wanted.position is not None and not wanted.context:
        start = look_up.before_position(wanted.position, source)
    items = (Numbered(None if start else number, item) for number, item in enumerate(walk(source, start)))
    if wanted.offset is not None:
        return _search(path, source, items, wanted, look_up.base_offset)
    before: deque[Numbered] = deque(maxlen=wanted.context)
    for one in items:
        if _is_at(one, wanted):
            return Found([*before], [one], list(islice(items, wanted.context)))
        before.append(one)
    raise NothingThere(f"{path}: {_nothing(source.size, wanted)}")


def _is_at(one: Numbered, wanted: Wanted) -> bool:
    if wanted.position is not None:
        return one.item.span.start <= wanted.position < one.item.span.end
    return one.number == (wanted.entry or 0)


def _nothing(size: int, wanted: Wanted) -> str:
    if wanted.position is not None:
        return f"no position {wanted.position}: the file has {size} bytes"
    return "is empty" if not size else f"no batch of number {wanted.entry}"


def _search(path: str, source: Source, items: Iterator[Numbered], wanted: Wanted, least: int) -> Found:
    """The batch that has an offset, or what is damaged where it should be.

    Neither a checksum nor an order that is broken says which of its fields are right: such a batch is shown for an offset that
    it names only where no sound one has it.
    """
    offset, context = wanted.offset or 0, wanted.context
    passed: deque[Numbered] = deque(maxlen=context + _MOST_SUSPECTS)
    suspects: list[Numbered] = []
    last: Batch | None = None
    following: Batch | None = None
    for one, next_one in _with_next(items):
        item = one.item
        if isinstance(item, RecordBatch | LegacyBatch):
            is_sound = item.crc_ok and not _is_out_of_order(least if last is None else last.last_offset + 1, item, next_one)
            if is_sound and item.last_offset >= offset:
                if first_offset(item) <= offset:
                    return _around(passed, [one], source, context)
                following = item
                break
            if is_sound:
                last = item
                suspects.clear()
        if not isinstance(item, Padding) and item is not last and (len(suspects) < _MOST_SUSPECTS or _names(item, offset)):
            suspects.append(one)
        passed.append(one)
    where = _where(last, following)
    naming = [one for one in suspects if _names(one.item, offset)]
    if naming:
        return _around(passed, naming[:1], source, context)
    if not suspects:
        raise NothingThere(f"{path}: no offset {offset}: {where}")
    return _around(passed, suspects, source, context, f"{path}: no sound batch has offset {offset}; it should be here: {where}")


def _with_next(items: Iterator[Numbered]) -> Iterator[tuple[Numbered, Batch | None]]:
    """Each with the batch that follows it at once; None: no batch does."""
    before: Numbered | None = None
    for one in items:
        if before is not None:
            yield before, one.item if isinstance(one.item, RecordBatch | LegacyBatch) else None
        before = one
    if before is not None:
        yield before, None


def _is_out_of_order(least: int, item: Batch, following: Batch | None) -> bool:
    """Whether the offsets of a batch are not `least` or more, or not below those of the batch that follows."""
    if _begin(item) < least:
        return True
    return following is not None and following.crc_ok and least <= _begin(following) <= item.last_offset


def _begin(batch: Batch) -> int:
    told = told_base_offset(batch)
    return batch.last_offset if told is None else told


def _names(item: Batch | Damage | Padding, offset: int) -> bool:
    return isinstance(item, RecordBatch | LegacyBatch) and first_offset(item) <= offset <= item.last_offset


def _around(passed: deque[Numbered], wanted: list[Numbered], source: Source, context: int, problem: str = "") -> Found:
    first, last = wanted[0].item.span.start, wanted[-1]
    before = [one for one in passed if one.item.span.end <= first][-context:] if context else []
    after = [
        Numbered(None if last.number is None else last.number + number, item)
        for number, item in enumerate(islice(walk(source, last.item.span.end), context), 1)
    ]
    return Found(before, wanted, after, problem)


def _where(last: Batch | None, following: Batch | None) -> str:
    """Between which batches an offset would be."""
    if following is None:
        return (
            "it has no sound batch"
            if last is None
            else f"the last batch, at {last.position}, ends with offset {last.last_offset}"
        )
    begins = f"the batch at {following.position} begins with offset {first_offset(following)}"
    return (
        f"{begins}, and is the first"
        if last is None
        else f"the batch at {last.position} ends with {last.last_offset}, {begins}"
    )
