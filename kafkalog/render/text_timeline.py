"""A timeline as text: a line for each event under the day that it was on, with the clock that says so."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from kafkalog.core.command_line import FINDS_DELETED, command_on
from kafkalog.render.items import HANG, Line, labelled
from kafkalog.render.quantities import count_text, utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.render.items import Item
    from kafkalog.timeline.event import Event, Timeline

__all__ = ["clock_note", "timeline_text"]

#: Damaged partitions that are named.
_MOST_DAMAGED = 3
_NO_TIME = "without a time"
#: How an event whose meaning is bad news is coloured.
_STYLES = {"gap": "warning", "damage": "error", "truncated?": "warning", "transaction-open": "warning"}


def timeline_text(timeline: Timeline) -> Iterator[Item]:
    """The events, then what is only counted."""
    day = ""
    brokers = len({event.broker for event in timeline.events}) > 1
    for event in timeline.events:
        date, clock = _when(event.time)
        if date != day:
            yield ""
            yield Line(0, date, "", style="title")
            day = date
        yield _line(event, clock, with_broker=brokers)
    yield ""
    for one in timeline.left_out:
        yield f"{one.path}: {one.number:,} more of {one.kind} are only counted"
    yield Line(0, "", _sum(timeline), prose=True)
    yield from _rescue(timeline)


def _rescue(timeline: Timeline) -> Iterator[Item]:
    """What to run where something was lost."""
    damaged = dict.fromkeys(os.path.dirname(event.path) for event in timeline.events if event.kind == "damage")
    for at, path in enumerate(list(damaged)[:_MOST_DAMAGED]):
        yield Line(0, "" if at else "damage", command_on(("kafkalog", "verify"), path).line, hang=HANG, style="label")
    if any(event.kind == "topic-deleted" for event in timeline.events):
        text = f"{FINDS_DELETED} finds batches of topics that should not have been, in an image of the disk."
        yield labelled("deleted", text)


def _when(time: int | None) -> tuple[str, str]:
    """Day and time of day in UTC."""
    text = None if time is None else utc(time)
    if text is None or "T" not in text:
        return _NO_TIME, "" if time is None else str(time)
    return text[:10], text[11:23]


def _line(event: Event, clock: str, *, with_broker: bool) -> Line:
    broker = f"{event.broker or '-':>3} " if with_broker else ""
    place = event.partition or "log dir"
    offset = "" if event.offset is None else f" @{event.offset}"
    head = f"{clock:<12} {event.source:<10} {broker}{place}{offset}"
    return Line(0, f"{head}  {event.kind}:", event.message, style=_STYLES.get(event.kind, "label"))


def _sum(timeline: Timeline) -> str:
    """How many events by which clocks."""
    if not timeline.events:
        return "no events"
    return f"{count_text(len(timeline.events), 'event')}. {clock_note(timeline)}"


def clock_note(timeline: Timeline) -> str:
    """Whose clocks the times are: they may differ."""
    words = {
        "record": "by the clocks of producers (record)",
        "append": "by those of brokers (append)",
        "controller": "by the controller's (controller)",
        "file-mtime": "by when files were written, which copying may change (file-mtime)",
    }
    counts = Counter(event.source for event in timeline.events if event.time is not None)
    told = [f"{counts[source]:,} {text}" for source, text in words.items() if counts[source]]
    return f"Times, in UTC: {', '.join(told)}." if told else "No event has a time."
