"""What a predicted start does where a finding was made, in sentences."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.verify.effects import records_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kafkalog.verify.effects import Effect

__all__ = ["describe_effects"]


def describe_effects(
    effects: Sequence[Effect],
    size: Callable[[int], str] = "{} bytes".format,
    time_span: Callable[[int, int], str] = lambda first, last: f"{last - first} ms of data",
) -> str:
    """The effects as sentences, the kinds of stop that come to the same in one sentence.

    Args:
        effects: Those of one finding.
        size: How a number of bytes is written.
        time_span: How the time from the first to the last record is written, milliseconds.
    """
    stops_of: dict[Effect, list[str]] = {}
    for effect in effects:
        stops_of.setdefault(replace(effect, stop=""), []).append(effect.stop)
    return " ".join(_sentence(effect, stops, size, time_span) for effect, stops in stops_of.items())


def _sentence(effect: Effect, stops: list[str], size: Callable[[int], str], time_span: Callable[[int, int], str]) -> str:
    release = f" of Kafka {effect.release}" if effect.release else ""
    start = " or ".join(dict.fromkeys(stops))
    head = f"{'An' if start.startswith('u') else 'A'} {start} start{release} would"
    match effect.does:
        case "stops" | "offline" | "failed":
            return f"{head} fail: {effect.reason}."
        case "stray":
            return f"{head} set the directory aside: {effect.reason}."
        case "serves":
            return f"After {head[0].lower()}{head[1:].removesuffix(' would')} consumers would {effect.reason}."
        case "replaces":
            return f"{head} put this file in the place of a segment: {_lost(effect, size, time_span)}."
        case "hides":
            return f"{head} end the log at offset {effect.log_end_offset} and lose {_lost(effect, size, time_span)}."
        case "cuts":
            deeds = f"cut {os.path.basename(effect.path or '')} at byte {effect.position}"
            deeds += f" and delete {_segments(effect.segments)}" if effect.segments else ""
        case _:
            deeds = f"delete {_segments(effect.segments)}"
    return f"{head} {deeds}: {_lost(effect, size, time_span)}."


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"


def _lost(effect: Effect, size: Callable[[int], str], time_span: Callable[[int, int], str]) -> str:
    if not effect.records:
        return f"{size(effect.size)} that hold no record" if effect.size else "nothing is lost"
    text = f"{records_text(effect.records)}, {size(effect.size or 0)}"
    return text if effect.times is None else f"{text}, {time_span(*effect.times)}"
