"""A prediction of the next start, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.release import NEWEST, release_text
from kafkalog.files.source import printable
from kafkalog.kafka.behaviours import LAST_OF_ZOOKEEPER
from kafkalog.render.quantities import count_text, duration_text, size_text, utc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.next_start.outcome import Assumed, ConsumerRead, Outcome

__all__ = [
    "next_start_cause",
    "next_start_harm",
    "next_start_line",
    "next_start_section",
    "next_start_text",
    "next_start_total",
]

#: Files of one kind that the text names before it only counts.
_NAMED = 6
#: What is shown where nothing shows the era: these two do the same.
_BOTH = f"Kafka {release_text(LAST_OF_ZOOKEEPER)} and {release_text(NEWEST)}"


def next_start_text(outcome: Outcome) -> list[str]:
    """The lines that people read."""
    head = f"{printable(outcome.path)} ({_assumed(outcome)})"
    return [head, *(f"  {line}" for line in _details(outcome))]


def next_start_line(outcome: Outcome) -> str:
    """A partition to which nothing happens, in one line."""
    log = "" if outcome.log_end_offset is None else f", log from offset {outcome.log_start_offset} to {outcome.log_end_offset}"
    return f"{printable(outcome.path)} ({_assumed(outcome)}): {_in_short(outcome, 0)}{log}"


def next_start_total(count: int, harmed: int, unknown: int) -> str:
    """The last line about several predictions.

    Args:
        count: How many there are.
        harmed: Those that lose data or service.
        unknown: Those whose result cannot be predicted.
    """
    head = f"{count_text(count, 'prediction')}: "
    if not harmed and not unknown:
        return f"{head}nothing is lost"
    return head + ", ".join(
        [f"{harmed} with loss of data or service", *([f"{unknown} that cannot be predicted"] if unknown else [])]
    )


def next_start_section(outcomes: Sequence[Outcome], segments: int) -> list[str]:
    """The lines about one partition inside a report: one when nothing happens, all when something does.

    Args:
        outcomes: Its predictions, one for each kind of stop.
        segments: How many segments it has.
    """
    by_text: dict[tuple[str, ...], list[Outcome]] = {}
    certain = _certain_harms(outcomes)
    for outcome in outcomes:
        own = [_in_short(outcome, segments)]
        if outcome in certain:
            own += [f"  {line}" for line in _details(outcome)]
        by_text.setdefault(tuple(own), []).append(outcome)
    text: list[str] = []
    for lines, same in by_text.items():
        stops = " or ".join(dict.fromkeys(outcome.assumed.stop for outcome in same))
        text += [f"{_assumed(same[0], stops)}: {lines[0]}", *lines[1:]]
    return text


def next_start_harm(outcomes: Sequence[Outcome]) -> str:
    """What the predictions for a partition hold against it, in a few words; nothing when they do no harm."""
    harms: dict[str, list[str]] = {}
    for outcome in _certain_harms(outcomes):
        harms.setdefault(_in_short(outcome, 0), []).append(outcome.assumed.stop)
    if len(outcomes) == 1:
        return "".join(harms)
    return ", ".join(f"{text} ({' or '.join(dict.fromkeys(stops))} stop)" for text, stops in harms.items())


def _certain_harms(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The harmful ones, but for those that another release, after the same kind of stop, would do without harm."""
    spared = {outcome.assumed.stop for outcome in outcomes if outcome.severity != "error"}
    return [outcome for outcome in outcomes if outcome.severity == "error" and outcome.assumed.stop not in spared]


def next_start_cause(outcome: Outcome) -> str:
    """A prediction about something beside the partitions of a log dir, in one line."""
    remedy = f" {printable(outcome.actions[-1])}" if outcome.actions else ""
    return f"{printable(outcome.path)}: {printable(outcome.reason)} ({_assumed(outcome)}).{remedy}"


def _release(assumed: Assumed) -> str:
    return f"Kafka {assumed.release}" if assumed.release else _BOTH


def _assumed(outcome: Outcome, stops: str = "") -> str:
    assumed = outcome.assumed
    release = _release(assumed)
    point = "" if assumed.stop == "clean" or assumed.recovery_point is None else f", recovery point {assumed.recovery_point}"
    return f"{stops or assumed.stop} stop{point}, {release}"


def _in_short(outcome: Outcome, segments: int) -> str:
    """The outcome in a few words."""
    if outcome.partition == "unknown" and outcome.severity is None:
        return f"unknown: {printable(outcome.why.get('partition', outcome.reason))}"
    if outcome.broker == "aborts":
        return "the broker does not start"
    if outcome.log_dir == "offline":
        return "the log dir goes offline"
    if outcome.records_lost:
        return f"{count_text(outcome.records_lost, 'record')} lost"
    if outcome.partition == "loaded" and outcome.records_lost is None:
        return "starts empty; what is lost is not known"
    if outcome.partition == "loaded":
        unread = outcome.severity == "error"
        number = f" {count_text(segments, 'segment')}" if segments else ""
        harm = "but consumers skip offsets" if any(map(_skips, outcome.consumer or ())) else "but consumers fail"
        what = f"loads{number}, {harm if unread else 'nothing lost'}"
        if outcome.broker is None:
            what = f"if the broker started: {what}"
        return "; ".join((what, *_without_loss(outcome)))
    return f"{outcome.partition}: {printable(outcome.reason)}"


def _skips(read: ConsumerRead | None) -> bool:
    return read is not None and bool(read.skipped)


def _without_loss(outcome: Outcome) -> Iterator[str]:
    """What is done to `.log` files though no record is lost."""
    if outcome.truncate:
        yield f"cuts {size_text(outcome.bytes_lost or 0)} that hold no record"
    gone = (*(outcome.delete or ()), *(before for before, _ in outcome.rename or ()))
    logs = sum(path.endswith(".log") for path in gone)
    if logs:
        yield f"replaces or deletes {count_text(logs, '.log file')}"


def _details(outcome: Outcome) -> list[str]:
    lines = [
        f"partition {outcome.partition} · log dir {outcome.log_dir or 'unknown'} · broker {outcome.broker or 'unknown'}",
        printable(outcome.reason),
    ]
    if outcome.log_end_offset is not None:
        lines.append(f"log from offset {outcome.log_start_offset} to {outcome.log_end_offset}")
    if outcome.bytes_lost and not outcome.records_lost:
        lines.append(f"cuts {size_text(outcome.bytes_lost)} that hold no record")
    elif outcome.records_lost:
        lines.append(f"lost: {_loss_text(outcome.records_lost, outcome.bytes_lost, outcome.time_range_lost)}")
    for cut in outcome.truncate or ():
        where = "" if cut.offset is None else f", before offset {cut.offset}"
        lines.append(f"cuts     {printable(cut.path)} at position {cut.position}{where}")
    lines += _files("deletes ", outcome.delete)
    lines += _files("renames ", tuple(f"{before} -> {now}" for before, now in outcome.rename or ()))
    lines += _files("makes   ", outcome.create)
    lines += _files("rebuilds", outcome.rebuild)
    if outcome.consumer is not None:
        for name, read in zip(outcome.consumer._fields, outcome.consumer, strict=True):
            if read is not None:
                lines.append(f"a consumer (read_{name}) gets {_consumer(read, outcome.log_end_offset)}")
    lines += [f"unknown: {name}: {printable(text)}" for name, text in outcome.why.items() if _worth_saying(outcome, name)]
    if outcome.actions:
        lines.append("before the restart:")
        lines += [f"  {number}. {printable(action)}" for number, action in enumerate(outcome.actions, 1)]
    return lines


def _worth_saying(outcome: Outcome, name: str) -> bool:
    """What follows from the state of the partition the line above has said."""
    return outcome.partition == "loaded" or (outcome.partition == "unknown" and name == "partition")


def _files(verb: str, paths: tuple[str, ...] | None) -> list[str]:
    paths = paths or ()
    lines = [f"{verb} {printable(path)}" for path in paths[:_NAMED]]
    return [*lines, f"{verb} {len(paths) - _NAMED} more"] if len(paths) > _NAMED else lines


def _consumer(read: ConsumerRead, end: int | None) -> str:
    records = count_text(read.records, "record")
    if read.skipped:
        records = f"{records} (offsets {_stretches(read.read)}) and skips offsets {_stretches(read.skipped)} without an error"
        sound = sum(skipped.records for skipped in read.skipped)
        records += f", among them {count_text(sound, 'sound record')}" if sound else ""
    if read.stuck and read.error is None:
        return f"{records} and gets no further than offset {read.stops_at_offset}, without an error"
    if read.error is not None:
        return f"{records} and fails at offset {read.stops_at_offset}: {read.error}"
    if end is not None and read.stops_at_offset < end:
        return f"{records}, up to offset {read.stops_at_offset}, where a transaction is open"
    return f"{'' if read.skipped else 'all '}{records}, up to offset {read.stops_at_offset}"


def _stretches(stretches: Sequence[Sequence[int]]) -> str:
    """Offsets as people read them: `0..28 and 136..259`."""
    told = [f"{first}..{last}" if first < last else f"{first}" for first, last, *_ in stretches[:_NAMED]]
    told += [f"{len(stretches) - _NAMED} more stretches"] if len(stretches) > _NAMED else []
    return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told) or "none"


def _loss_text(records: int, size: int | None, times: tuple[int, int] | None) -> str:
    """Records, bytes and time that are lost, as people say it: `3 records, 1.2 GiB, 4 h 10 min of data (… to …)`."""
    text = f"{count_text(records, 'record')}, {size_text(size or 0)}"
    if times is None:
        return text
    first, last = times
    return f"{text}, {duration_text(last - first)} of data ({utc(first)} to {utc(last)})"
