"""What `diff` found, for people."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.command_line import command_on, salvage_command
from kafkalog.core.release import release_text
from kafkalog.diff.values import ReplicaDiff, Unpaired
from kafkalog.dump.payload import PAYLOAD_FORMS, string_decoder
from kafkalog.render.items import Line
from kafkalog.render.quantities import count_text, moment, offsets_text, size_text, time_span_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from kafkalog.diff.values import DifferingRecord, FirstDifference, Following, NotCompared, OnlyThere
    from kafkalog.render.items import Item

__all__ = ["counts_text", "diff_items", "name_of_pair", "pair_details", "relation_text"]

#: Bytes of a key or a value that are shown.
_MOST = 200
#: Leader epochs that are named.
_EPOCHS = 6
_KINDS = {
    "missing": "{one} has no batch there",
    "size": "the batches there are of different sizes or offsets",
    "bytes": "the batches there have the same size and different bytes",
    "epoch": "the batches there have the same bytes and different leader epochs",
    "order": "a batch there has offsets that do not follow those before it",
}


def diff_items(
    found: Iterable[ReplicaDiff | Unpaired | NotCompared], payload: str, given: Collection[str] = ()
) -> Iterator[Item]:
    """Each pair that diverges, what is to be said of those where one goes on, and how many there are of each.

    Args:
        found: What was found.
        payload: The form of keys and values.
        given: Paths of which everything is told even if they do not diverge.
    """
    counts = {"equal": 0, "prefix": 0, "diverge": 0}
    unpaired: list[Unpaired] = []
    shown = False
    for one in found:
        if isinstance(one, Unpaired):
            unpaired.append(one)
        elif isinstance(one, ReplicaDiff):
            counts[one.outcome] += 1
            in_full = one.diverge or bool(one.records) or one.a in given or one.logical is not None
            if in_full or one.relation != "equal":
                yield from ("",) if shown else ()
                shown = True
                yield from _pair(one, payload, in_full=in_full)
    yield from ("",) if shown else ()
    for side in sorted({one.side for one in unpaired}):
        names = [os.path.basename(one.path) for one in unpaired if one.side == side]
        more = f" and {len(names) - _EPOCHS} more" if len(names) > _EPOCHS else ""
        yield Line(0, "", f"Only {side} has {', '.join(names[:_EPOCHS])}{more}.", prose=True)
    yield Line(0, "", counts_text(counts), prose=True)


def counts_text(counts: Mapping[str, int]) -> str:
    """How many pairs there are of each outcome."""
    each = f"{counts['equal']:,} equal, {counts['prefix']:,} where one goes on, {counts['diverge']:,} that diverge"
    return f"{count_text(sum(counts.values()), 'pair')} of replicas: {each}"


def _pair(found: ReplicaDiff, payload: str, *, in_full: bool) -> Iterator[Item]:
    yield Line(0, "", f"{name_of_pair(found)}  {relation_text(found)}", prose=True)
    if in_full:
        yield from pair_details(found, payload)


def pair_details(found: ReplicaDiff, payload: str) -> Iterator[Item]:
    """All that is to be said of two replicas below the line that says how they are related."""
    a, b = found.sides
    for number, path in enumerate((found.a, found.b)):
        yield Line(2, found.sides[number], path)
        yield Line(4, "", _log_text(found, number), prose=True)
    if found.topic_id_equal is False:
        yield Line(2, "", "Their topic ids differ: these are partitions of two topics.", prose=True)
    if found.first_difference is not None:
        yield from _first(found, found.first_difference)
    for side, only in ((a, found.a_only), (b, found.b_only)):
        if only.batches:
            yield Line(2, f"only {side}", _only_text(only), prose=True, style="label")
    paths = (found.a, found.b)
    for side, damaged, path, other in zip(found.sides, found.damaged_bytes, paths, paths[::-1], strict=True):
        if damaged:
            text = f"{count_text(damaged, 'byte')} of {side} are no batch. What is wrong, and what puts both together:"
            yield Line(2, "damage", text, prose=True)
            yield Line(4, "", command_on(("kafkalog", "verify"), path).line)
            yield Line(4, "", salvage_command(path, other).line)
    of_both = ((a, b, found.a, found.if_a_follows_b), (b, a, found.b, found.if_b_follows_a))
    for follower, leader, path, following in of_both:
        if following is not None:
            yield Line(2, f"if {follower} follows {leader}", _following_text(leader, following), prose=True)
            if following.records_lost:
                yield Line(4, "to keep these:", salvage_command(path, first=following.truncate_to).line)
    if found.logical is not None:
        yield from _logical(found)
    for record in found.records:
        yield from _record(record, payload)


def name_of_pair(found: ReplicaDiff) -> str:
    """What two replicas are replicas of."""
    return os.path.basename(found.a) if found.topic is None else f"{found.topic}-{found.partition}"


def relation_text(found: ReplicaDiff) -> str:
    """How two replicas are related."""
    a, b = found.sides
    if found.relation == "diverge":
        first = found.first_difference
        assert first is not None
        if not found.diverge:
            return f"{a} and {b} hold the same records, in batches that differ from offset {first.offset} on"
        return f"{a} and {b} diverge from offset {first.offset} on"
    if found.relation == "equal":
        return f"{a} and {b} are equal: {_range(found.compared_from, found.log_end[0])}"
    short, long, at = (a, b, 0) if found.relation == "a-is-prefix" else (b, a, 1)
    more = (found.b_only, found.a_only)[at].records
    behind = f"{long} goes on to {found.log_end[1 - at]}, with {count_text(more, 'record')} that {short} lacks"
    return f"{short} ends at offset {found.log_end[at]}; {behind}"


def _range(start: int, end: int) -> str:
    return f"offsets {start} to {end}" if end > start else "no offsets in common"


def _log_text(found: ReplicaDiff, number: int) -> str:
    watermark = found.high_watermark[number]
    epochs = (found.epochs_a, found.epochs_b)[number]
    texts = [f"log start {found.log_start[number]}, log end {found.log_end[number]}"]
    texts += [] if watermark is None else [f"high watermark {watermark}"]
    named = [f"{entry.epoch} from offset {entry.start_offset}" for entry in epochs[-_EPOCHS:]]
    if named:
        earlier = f"{len(epochs) - len(named)} earlier ones, " if len(epochs) > len(named) else ""
        texts.append(f"leader epochs {earlier}{', '.join(named)}")
    else:
        texts.append("no leader epochs")
    return "; ".join(texts)


def _first(found: ReplicaDiff, first: FirstDifference) -> Iterator[Item]:
    a, b = found.sides
    same = found.same_through_offset
    through = "They have nothing in common" if same is None else f"They are the same up to offset {same}"
    lacking = a if first.places[0] is None else b
    kind = _KINDS[first.kind].format(one=lacking)
    epochs = first.epochs
    said = f" (leader epochs {epochs[0]} and {epochs[1]})" if None not in epochs and max(e or 0 for e in epochs) >= 0 else ""
    yield Line(2, "", f"{through}; at offset {first.offset} they part: {kind}{said}.", prose=True)
    for side, place in zip(found.sides, first.places, strict=True):
        if place is not None:
            yield Line(4, side, command_on(("kafkalog", "show", "--at", str(place[1])), place[0]).line)


def _only_text(only: OnlyThere) -> str:
    ranges = list(only.offsets)
    text = f"{count_text(only.records, 'record')} in {count_text(only.batches, 'batch')}, {size_text(only.size)}, "
    text += offsets_text(ranges)
    return text if only.time_range is None else f"{text}, {time_span_text(*only.time_range, with_times=True)}"


def _following_text(leader: str, found: Following) -> str:
    if found.truncate_to is None:
        return f"where it would cut its log is not known: {found.why}"
    asked = "; ".join(_step_text(leader, step) for step in found.steps)
    by = f"its high watermark decides, because {found.why}" if found.by_high_watermark else asked
    if found.starts_over:
        text = f"it throws its whole log away and starts at offset {found.truncate_to}, where the log of {leader} begins"
    elif not found.bytes_lost:
        text = f"it throws nothing away, and goes on at offset {found.truncate_to}"
    else:
        text = f"it cuts its log to offset {found.truncate_to}"
    lost = f", and loses {count_text(found.records_lost or 0, 'record')}, {size_text(found.bytes_lost or 0)}"
    return f"{text}{lost if found.bytes_lost else ''} ({by}; Kafka {release_text(found.release)})"


def _step_text(leader: str, step: tuple[int, int | None, int | None]) -> str:
    asked, answered, end = step
    if answered is None:
        return f"asked for epoch {asked}, {leader} knows nothing of it"
    if asked == answered:
        return f"epoch {asked} ends at {end} in {leader}"
    return f"asked for epoch {asked}, {leader} names epoch {answered}, which ends at {end}"


def _logical(found: ReplicaDiff) -> Iterator[Item]:
    logical = found.logical
    assert logical is not None
    text = f"{count_text(logical.same, 'record')} are the same"
    text += f", {logical.differing:,} have the same offset and differ" if logical.differing else ""
    yield Line(2, "records", text, prose=True, style="label")
    for number, (here, there) in enumerate((found.sides, found.sides[::-1])):
        gone, lost, offsets = logical.superseded[number], logical.lost[number], logical.lost_offsets[number]
        if gone:
            why = "compaction explains it: later records have their keys, or they are tombstones or aborted"
            yield Line(4, "", f"{there} lacks {count_text(gone, 'record')} of {here}, and {why}.", prose=True)
        if lost and offsets is not None:
            why = f"compaction does not explain it: {offsets_text([offsets])}"
            yield Line(4, "", f"{there} lacks {count_text(lost, 'record')} of {here}, and {why}.", prose=True)


def _record(record: DifferingRecord, payload: str) -> Iterator[Item]:
    what = "only" if record.kind == "only" else "other"
    time = moment(record.timestamp) or "no timestamp"
    fields = () if payload == "none" else (("key", record.key), ("value", record.value))
    texts = [f"offset {record.offset}", time, *(f"{name}: {_data(data, payload)}" for name, data in fields)]
    texts += [count_text(len(record.headers), "header")] if record.headers else []
    yield Line(2, f"{record.side} {what}", "  ".join(texts))


def _data(data: bytes | None, payload: str) -> str:
    if data is None:
        return "null"
    form = string_decoder if payload == "text" else PAYLOAD_FORMS[payload]
    assert form is not None
    piece = data[:_MOST] if payload not in ("length", "sha256") else data
    made = form(piece)
    text = (made if isinstance(made, bytes) else b"".join(made)).decode("utf-8", "replace")
    return f"{text}… ({len(data):,} bytes)" if len(piece) < len(data) else text
