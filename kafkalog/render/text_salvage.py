"""What a salvage kept and left out, and how to bring it back, as text for people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.command_line import command_on, quoted
from kafkalog.render.items import HANG, Line, Table, labelled
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text
from kafkalog.salvage.values import NOT_WANTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.render.items import Item
    from kafkalog.salvage.values import GoneRange, LeftOut, PartitionSalvage, Salvage

__all__ = ["salvage_text"]

#: Rows of a table, and lines of one kind in the headline.
_ROWS, _LINES = 20, 4


def salvage_text(salvage: Salvage, *, detail: str | None = None) -> Iterator[Item]:
    """All that people want to know.

    Args:
        salvage: What was done.
        detail: `headline`: only the end; `everything`: also what was left out and is there all the same.
    """
    if detail != "headline":
        for one in salvage.partitions:
            yield from _partition(one, is_full=detail == "everything")
        yield from (Line(0, "", f"{note}.", prose=True) for note in salvage.notes)
        yield ""
    yield from _headline(salvage)


# --- partitions -------------------------------------------------------------------------------------------------------


def _partition(one: PartitionSalvage, *, is_full: bool) -> Iterator[Item]:
    told = [left for left in one.left_out if is_full or left in one.missing]
    if not told and not one.notes and not one.problems and not is_full:
        return
    yield Line(0, "", f"{one.sources[0]}: {_kept_text(one)}", style="title")
    if told:
        yield Table(("left out of", "bytes", "offsets", "why"), [_row(left) for left in told[:_ROWS]], indent=2)
        if len(told) > _ROWS:
            yield f"  … and {len(told) - _ROWS:,} more: the manifest has them all"
    yield from (Line(2, "", f"{note}.", prose=True) for note in one.notes)
    yield ""


def _row(left: LeftOut) -> list[object]:
    name = os.path.basename(left.path)
    return [name, f"{left.span.start}..{left.span.end}", _range_text(left.offsets), left.reason]


def _range_text(offsets: tuple[int, int | None] | None) -> str | None:
    if offsets is None:
        return None
    first, last = offsets
    return f"{first}.." if last is None else f"{first}" if first == last else f"{first}..{last}"


def _kept_text(one: PartitionSalvage) -> str:
    if not one.kept:
        return "no record kept"
    first, last = one.kept[0].offsets[0], one.kept[-1].offsets[1]
    within = offsets_text([(first, last)])
    return f"{count_text(one.records, 'record')} kept in {count_text(one.batches, 'batch')}, {size_text(one.bytes)}, {within}"


# --- the headline -----------------------------------------------------------------------------------------------------


def _headline(salvage: Salvage) -> Iterator[Item]:
    partitions = salvage.partitions
    if len(partitions) == 1:
        yield labelled("kept", f"{partitions[0].sources[0]}: {_kept_text(partitions[0])}", "clean")
    else:
        records, size = sum(one.records for one in partitions), sum(one.bytes for one in partitions)
        yield labelled(
            "kept", f"{count_text(records, 'record')} of {count_text(len(partitions), 'partition')}, {size_text(size)}", "clean"
        )
    yield from _losses(salvage)
    yield from _transactions(partitions)
    for error in salvage.unread:
        yield labelled("unread", f"{error.path}: {error.reason}", "error")
    if not salvage.is_accepted:
        yield from _problems(salvage)
        return
    if not salvage.logs_only:
        them = agreeing(len(partitions), "it", "each of them")
        text = (
            f"verify finds nothing wrong with the new files, and a start after a clean or an unclean stop keeps all of {them}"
        )
        yield labelled("accepted", text, "clean")
    yield labelled("written", f"{salvage.path}; {salvage.manifest} says what is from where, and why the rest is not there")
    yield from _what_next(salvage)


def _losses(salvage: Salvage) -> Iterator[Item]:
    texts = []
    for one in salvage.partitions:
        name = "" if len(salvage.partitions) == 1 else f"{os.path.basename(one.path)}: "
        if one.missing:
            size = sum(left.span.size for left in one.missing)
            texts.append(f"{name}{count_text(len(one.missing), 'place')} of {size_text(size)} left out")
        for is_certain, text in ((True, "not in the new log"), (False, "in no file, and lost unless the log was compacted")):
            gone = [range_ for range_ in one.gone if range_.is_certain is is_certain]
            if gone:
                texts.append(f"{name}{_gone_text(gone)} {text}")
    for at, text in enumerate(texts[:_LINES]):
        yield labelled("" if at else "lost", text, "error")
    if len(texts) > _LINES:
        yield labelled("", f"and {len(texts) - _LINES:,} more lines like these, which -v prints")


def _gone_text(gone: Sequence[GoneRange]) -> str:
    closed = [(one.first, one.last) for one in gone if one.last is not None]
    opened = [f"offsets from {one.first} on" for one in gone if one.last is None]
    return " and ".join(([offsets_text(closed)] if closed else []) + opened)


def _transactions(partitions: Sequence[PartitionSalvage]) -> Iterator[Item]:
    opened = [one for partition in partitions for one in partition.open_transactions]
    for at, one in enumerate(opened[:_LINES]):
        whose = f"the transaction of producer {one.producer_id} in {one.topic}-{one.partition} from offset {one.first_offset}"
        text = f"{whose} has no end: read_committed consumers wait there. If its producer is gone for good, abort it:"
        yield labelled("" if at else "open", text)
        yield Line(0, "", one.abort_command.line, hang=HANG)
    if len(opened) > _LINES:
        yield labelled("", f"and {len(opened) - _LINES:,} more: the manifest has them all")
    doubtful = [(partition, one) for partition in partitions for one in partition.doubtful]
    for at, (partition, doubt) in enumerate(doubtful[:_LINES]):
        state = "committed" if doubt.committed else "aborted"
        text = f"{os.path.basename(partition.path)}: the marker at offset {doubt.end_offset} makes what producer "
        text += (
            f"{doubt.producer_id} wrote from offset {doubt.first_offset} on {state}; an earlier marker for some of that may "
        )
        text += f"be among the lost {offsets_text([doubt.lost])}"
        yield labelled("" if at else "in doubt", text)
    if len(doubtful) > _LINES:
        yield labelled("", f"and {len(doubtful) - _LINES:,} more: the manifest has them all")


def _problems(salvage: Salvage) -> Iterator[Item]:
    problems = [(one, text) for one in salvage.partitions for text in one.problems]
    for at, (one, text) in enumerate(problems[:_LINES]):
        yield labelled("" if at else "refused", f"{os.path.basename(one.path)}: {text}", "error")
    if len(problems) > _LINES:
        yield labelled("", f"and {len(problems) - _LINES:,} more")
    yield labelled("written", f"{salvage.path}, which keeps this name: do not put it into a log dir as it is")


def _what_next(salvage: Salvage) -> Iterator[Item]:
    """How to bring it back."""
    if salvage.logs_only:
        text = "only logs were written: remove .kafka_cleanshutdown from the log dir before the start, or aborted records"
        yield labelled("careful", f"{text} become visible to read_committed consumers", "error")
    for one in salvage.partitions:
        if one.deleted_below is not None:
            text = f"{os.path.basename(one.path)} has records below {one.deleted_below} that had been deleted: keep its line in"
            yield labelled("careful", f"{text} log-start-offset-checkpoint")
    parts = [one for one in salvage.partitions if any(left.kind == NOT_WANTED for left in one.left_out)]
    if parts:
        yield labelled("next", "Only a part was asked for, which no broker needs. This prints its records:")
        for one in parts[:_LINES]:
            yield Line(0, "", command_on(("kafkalog", "dump", "--print-data-log"), one.path).line, hang=HANG)
        return
    yield labelled(
        "next", "With every broker stopped that has a replica, move the old directory away and put the new one in its place:"
    )
    for one in salvage.partitions[:_LINES]:
        place = quoted(_place_of(one))
        yield Line(0, "", " ".join(("mv", place, "OUTSIDE_THE_LOG_DIR/", "&&", "cp", "-r", quoted(one.path), place)), hang=HANG)
    if len(salvage.partitions) > _LINES:
        yield labelled("", f"and the same for {len(salvage.partitions) - _LINES:,} more")
    yield labelled("", "docs/salvage.md has it in full: owner, topic id, other replicas, a topic that no longer exists.")


def _place_of(one: PartitionSalvage) -> str:
    """Where it belongs: the directory it is from, or that name in a log dir."""
    source = one.sources[0]
    return (
        source if os.path.isdir(source) and not os.path.islink(source) else os.path.join("LOG_DIR", os.path.basename(one.path))
    )
