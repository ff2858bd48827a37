"""A timeline as JSON lines: schema `kafkalog.timeline/1`, or as Timesketch and plaso take them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.render.quantities import utc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.timeline.event import Event, Timeline

__all__ = ["timeline_lines", "timesketch_lines"]

_SCHEMA = "kafkalog.timeline/1"
#: What Timesketch shows as the meaning of a time.
_DESCRIPTIONS = {
    "record": "Record Timestamp",
    "append": "Log Append Time",
    "controller": "Controller Time",
    "file-mtime": "File Modification Time",
}


def timeline_lines(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """An `event` line for each, then the `summary`."""
    for event in timeline.events:
        yield {"schema": _SCHEMA, "type": "event", **_event(event)}
    yield {
        "schema": _SCHEMA,
        "type": "summary",
        "events": len(timeline.events),
        "without_time": sum(event.time is None for event in timeline.events),
        "left_out": [one._asdict() for one in timeline.left_out],
        "not_read": [{"path": path, "reason": reason} for path, reason in timeline.not_read],
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "time": None if event.time is None else utc(event.time),
        "timestamp": event.time,
        "time_source": event.source,
        "kind": event.kind,
        "broker": event.broker or None,
        "partition": event.partition or None,
        "path": event.path,
        "offset": event.offset,
        "message": event.message,
        "facts": event.facts,
    }


def timesketch_lines(timeline: Timeline) -> Iterator[dict[str, Any]]:
    """A line for each event with a time; Timesketch takes no others."""
    for event in timeline.events:
        text = None if event.time is None else utc(event.time)
        if text is not None and "T" in text:
            place = event.partition or "log dir"
            yield {
                "message": f"{event.kind}: {place}: {event.message}",
                "datetime": text.replace("Z", "+00:00"),
                "timestamp_desc": _DESCRIPTIONS[event.source],
                "data_type": f"kafka:{event.kind}",
                "broker": event.broker,
                "partition": event.partition,
                "path": event.path,
                "offset": event.offset,
                **{name: value for name, value in event.facts.items() if isinstance(value, str | int) and name not in _TAKEN},
            }


_TAKEN = frozenset(("message", "datetime", "timestamp_desc", "data_type", "broker", "partition", "path", "offset"))
