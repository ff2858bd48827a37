"""What a predicted start does where a finding was made: the numbers behind "a start would delete three segments"."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.filename import parse_segment_file_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.finding import Finding

__all__ = ["Effect", "describe_effects", "effects_on"]


class Effect(NamedTuple):
    """What a start after one kind of stop does to the place of a finding, and to the partition with it.

    `does` is `stops` (the broker exits), `offline` (the log dir), `failed` (the partition is not served), `stray`, `cuts`
    (`path` at byte `position`), `deletes` (the segment), `replaces` (it by an interrupted swap), `hides` (records behind the
    log's end) or `serves` (what consumers then fail at: `reason` says how). `segments` counts the segments that are deleted,
    `size` the bytes that are lost; `times` are the first and last timestamp lost, milliseconds.
    """

    stop: str
    release: str | None
    does: str
    reason: str
    path: str | None = None
    position: int | None = None
    segments: int = 0
    records: int | None = None
    size: int | None = None
    times: tuple[int, int] | None = None
    log_end_offset: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as an entry of `facts.next_start`."""
        return {
            "stop": self.stop,
            "release": self.release,
            "does": self.does,
            "reason": self.reason,
            "path": self.path,
            "position": self.position,
            "segments_deleted": self.segments,
            "records_lost": self.records,
            "bytes_lost": self.size,
            "time_range_lost": None if self.times is None else list(self.times),
            "log_end_offset": self.log_end_offset,
        }


def effects_on(finding: Finding, outcomes: Iterable[Outcome], active: int | None = None) -> tuple[Effect, ...]:
    """What the predicted starts do where a finding was made; nothing when they leave the place alone.

    Args:
        finding: About a file of a partition directory, or the directory.
        outcomes: Its predictions.
        active: Base offset of its last segment.
    """
    places = {finding.path, str(finding.facts.get("file", finding.path))}
    bases = {parsed.base_offset for path in places if (parsed := parse_segment_file_name(os.path.basename(path))) is not None}
    found = (_effect(outcome, finding, bases, active) for outcome in outcomes)
    return tuple(effect for effect in found if effect is not None)


def _effect(outcome: Outcome, finding: Finding, bases: set[int], active: int | None) -> Effect | None:
    deleted = set(_deleted_bases(outcome))
    whole = _whole(outcome)
    cut = None
    if whole is None:
        cut = next((cut for cut in outcome.truncate or () if _is_cut(cut.path, cut.position, finding, bases)), None)
        if cut is not None:
            whole = "cuts"
        elif deleted & bases:
            whole = "deletes"
        elif outcome.records_lost and finding.path in {before for before, _ in outcome.rename or ()}:
            whole = "replaces"
        elif outcome.records_lost and not deleted and not outcome.truncate and active in bases:
            whole = "hides"
    reason = outcome.reason
    if whole is None:
        reason = _consumers_fail(outcome, finding)
        whole = "serves" if reason else None
    if whole is None:
        return None
    return Effect(
        outcome.assumed.stop,
        outcome.assumed.release,
        whole,
        reason,
        None if cut is None else cut.path,
        None if cut is None else cut.position,
        len(deleted),
        outcome.records_lost,
        outcome.bytes_lost,
        outcome.time_range_lost,
        outcome.log_end_offset,
    )


def _whole(outcome: Outcome) -> str | None:
    """What a start does to the partition as a whole."""
    if outcome.broker == "aborts":
        return "stops"
    if outcome.log_dir == "offline":
        return "offline"
    if outcome.partition == "failed":
        return "failed"
    return "stray" if outcome.partition == "stray" and outcome.rename else None


def _consumers_fail(outcome: Outcome, finding: Finding) -> str:
    """How consumers fail at the place of a finding; nothing when they do not."""
    if not finding.path.endswith(".log") or outcome.partition != "loaded":
        return ""
    told = {}
    for level, read in zip(("uncommitted", "committed"), outcome.consumer or (), strict=False):
        if read is None or not (read.error is not None or read.stuck):
            continue
        at = read.stops_at_offset
        if finding.offsets is not None and not finding.offsets[0] <= at <= finding.offsets[1]:
            continue
        told[level] = f"{_records(read.records)} and " + (
            f"fail at offset {at}: {read.error}" if read.error is not None else f"get no further than offset {at}"
        )
    if len(set(told.values())) == 1 and len(told) > 1:
        return f"get {told['committed']}"
    return "; ".join(f"with read_{level} get {text}" for level, text in told.items())


def _deleted_bases(outcome: Outcome) -> Iterator[int]:
    gone = [*(outcome.delete or ()), *(before for before, now in outcome.rename or () if now.endswith(".deleted"))]
    for path in gone:
        parsed = parse_segment_file_name(os.path.basename(path))
        if parsed is not None and parsed.suffix == ".log" and not parsed.pending:
            yield parsed.base_offset


def _is_cut(path: str, position: int, finding: Finding, bases: set[int]) -> bool:
    """Whether a finding is about what a cut takes away, or about an index of the segment that is cut."""
    if finding.path == path:
        return finding.span is None or finding.span.end > position
    parsed = parse_segment_file_name(os.path.basename(path))
    return parsed is not None and parsed.base_offset in bases


def describe_effects(
    effects: Sequence[Effect],
    size: Callable[[int], str] = "{} bytes".format,
    duration: Callable[[int], str] = "{} ms".format,
) -> str:
    """The effects as sentences, the kinds of stop that come to the same told at once.

    Args:
        effects: Those of one finding.
        size: How a number of bytes is told.
        duration: How a number of milliseconds is told.
    """
    told: dict[Effect, list[str]] = {}
    for effect in effects:
        told.setdefault(effect._replace(stop=""), []).append(effect.stop)
    return " ".join(_sentence(effect, stops, size, duration) for effect, stops in told.items())


def _sentence(effect: Effect, stops: list[str], size: Callable[[int], str], duration: Callable[[int], str]) -> str:
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
            return f"{head} put this file in the place of a segment: {_lost(effect, size, duration)}."
        case "hides":
            return f"{head} end the log at offset {effect.log_end_offset} and lose {_lost(effect, size, duration)}."
        case "cuts":
            deeds = f"cut {os.path.basename(effect.path or '')} at byte {effect.position}"
            deeds += f" and delete {_segments(effect.segments)}" if effect.segments else ""
        case _:
            deeds = f"delete {_segments(effect.segments)}"
    return f"{head} {deeds}: {_lost(effect, size, duration)}."


def _segments(count: int) -> str:
    return f"{count} segment{'' if count == 1 else 's'}"


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"


def _lost(effect: Effect, size: Callable[[int], str], duration: Callable[[int], str]) -> str:
    if not effect.records:
        return f"{size(effect.size)} that hold no record" if effect.size else "nothing is lost"
    text = f"{_records(effect.records)}, {size(effect.size or 0)}"
    return text if effect.times is None else f"{text}, {duration(effect.times[1] - effect.times[0])} of data"
