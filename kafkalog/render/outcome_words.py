"""What the next start does to a partition, in words: the sentences that `next-start` and `verify` have in common."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.release import NEWEST, release_text
from kafkalog.kafka.behaviours import LAST_OF_ZOOKEEPER
from kafkalog.render.items import Line
from kafkalog.render.quantities import agreeing, count_text, offsets_text, size_text, time_span_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.kafka.gone_offsets import Gone
    from kafkalog.next_start.outcome import Assumed, ConsumerRead, Outcome
    from kafkalog.render.items import Item

__all__ = [
    "aborted_visible",
    "assumed_text",
    "caveats_of",
    "certain_harms",
    "consumer_texts",
    "details",
    "gone_text",
    "harm_of",
    "harm_text",
    "in_short",
    "one_line",
    "unread_text",
]

#: Files of one kind that the text names before it only counts.
_NAMED = 6
_DIRECTORY = "the directory"
#: What is shown where nothing shows the era: these two do the same.
_BOTH = f"Kafka {release_text(LAST_OF_ZOOKEEPER)} and {release_text(NEWEST)}"


def assumed_text(assumed: Assumed, stops: str = "") -> str:
    """What a prediction is based on: `unclean stop, recovery point 125, Kafka 3.9.1`."""
    release = f"Kafka {assumed.release}" if assumed.release else _BOTH
    point = "" if assumed.stop == "clean" or assumed.recovery_point is None else f", recovery point {assumed.recovery_point}"
    return f"{stops or assumed.stop} stop{point}, {release}"


def caveats_of(outcomes: Iterable[Outcome]) -> list[str]:
    """What log dirs lack as a whole, each once: predictions hold only as far as it does not matter."""
    return list(dict.fromkeys(one.assumed.caveat for one in outcomes if one.assumed.caveat))


def certain_harms(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The harmful ones, but for those that another release, after the same kind of stop, would do without harm."""
    spared = {outcome.assumed.stop for outcome in outcomes if outcome.severity != "error"}
    return [outcome for outcome in outcomes if outcome.severity == "error" and outcome.assumed.stop not in spared]


def harm_of(outcome: Outcome) -> str:
    """What a harmful start does; "" where only consumers fail, of which more is said by itself."""
    if outcome.broker == "aborts":
        return "stops"
    if outcome.log_dir == "offline":
        return "offline"
    if outcome.records_lost:
        return "loses"
    if outcome.partition == "loaded":
        return "empty" if outcome.records_lost is None else "aborted" if aborted_visible(outcome) else ""
    return outcome.partition


def aborted_visible(outcome: Outcome) -> int:
    """How many records of aborted transactions read_committed consumers are handed."""
    return max((read.aborted_visible for read in outcome.consumer or () if read is not None), default=0)


def harm_text(outcomes: Sequence[Outcome]) -> str:
    """What the predictions for a partition hold against it, in a few words; nothing when they do no harm."""
    harms: dict[str, list[str]] = {}
    for outcome in certain_harms(outcomes):
        harms.setdefault(in_short(outcome), []).append(outcome.assumed.stop)
    if len(outcomes) == 1:
        return "".join(harms)
    return ", ".join(f"{text} ({' or '.join(dict.fromkeys(stops))} stop)" for text, stops in harms.items())


def one_line(outcome: Outcome) -> str:
    """A prediction about something beside the partitions of a log dir, in one line."""
    remedy = f" {outcome.actions[-1]}" if outcome.actions else ""
    return f"{outcome.path}: {outcome.reason} ({assumed_text(outcome.assumed)}).{remedy}"


def in_short(outcome: Outcome, segments: int = 0) -> str:
    """An outcome in a few words.

    Args:
        outcome: A prediction.
        segments: How many segments the partition has; 0: not said.
    """
    if outcome.partition == "unknown" and outcome.severity is None:
        return f"unknown: {outcome.why.get('partition', outcome.reason)}"
    if outcome.broker == "aborts":
        return "the broker does not start"
    if outcome.log_dir == "offline":
        return "the log dir goes offline"
    if outcome.records_lost:
        return f"{count_text(outcome.records_lost, 'record')} lost"
    if outcome.partition == "loaded" and outcome.records_lost is None:
        gone = gone_text(outcome)
        return (
            f"starts empty; {gone}" if gone else f"starts empty; {outcome.why.get('records_lost', 'what is lost is not known')}"
        )
    if outcome.partition == "loaded":
        unread = outcome.severity == "error"
        number = f" {count_text(segments, 'segment')}" if segments else ""
        what = f"loads{number}, {unread_text(outcome) if unread else 'removes no record'}"
        if outcome.broker is None:
            what = f"if the broker started: {what}"
        return "; ".join((what, *_without_loss(outcome)))
    aside = outcome.set_aside
    if aside is not None:
        held = "" if aside.records is None else f"{count_text(aside.records, 'record')}, "
        return f"becomes -stray, with all it holds ({held}{size_text(aside.size)})"
    return f"{outcome.partition}: {outcome.reason}"


def unread_text(outcome: Outcome) -> str:
    """What consumers of a log that loads do not get, in a few words."""
    reads = [read for read in outcome.consumer or () if read is not None]
    aborted = aborted_visible(outcome)
    if aborted and not any(read.error is not None or read.stuck or read.skipped for read in reads):
        return f"but read_committed consumers get {count_text(aborted, 'aborted record')}"
    skips = any(read.skipped for read in reads)
    return "but consumers skip offsets" if skips else "but consumers fail"


def _without_loss(outcome: Outcome) -> Iterator[str]:
    """What is done to `.log` files though no record is lost."""
    if outcome.truncate:
        yield f"cuts {size_text(outcome.bytes_lost or 0)} that hold no record"
    gone = (*(outcome.delete or ()), *(before for before, _ in outcome.rename or ()))
    logs = sum(path.endswith(".log") for path in gone)
    if logs:
        yield f"replaces or deletes {count_text(logs, '.log file')}"


def details(outcome: Outcome, indent: int, *, is_full: bool) -> Iterator[Item]:
    """An outcome in lines.

    Args:
        outcome: A prediction.
        indent: Columns before each line.
        is_full: Whether to name the files that are touched, too.
    """
    states = (("partition", outcome.partition), ("log dir", outcome.log_dir), ("broker", outcome.broker))
    is_loaded = [state for _, state in states] == ["loaded", "online", "starts"]
    if is_full or not is_loaded:
        yield Line(indent, "", " · ".join(f"{name} {state or 'unknown'}" for name, state in states))
    texts = [outcome.reason]
    if outcome.log_end_offset is not None and (is_full or not is_loaded or outcome.records_lost):
        texts.append(f"log from offset {outcome.log_start_offset} to {outcome.log_end_offset}")
    if outcome.bytes_lost and not outcome.records_lost:
        texts.append(f"cuts {size_text(outcome.bytes_lost)} that hold no record")
    elif outcome.records_lost:
        texts.append(f"lost: {_loss_text(outcome.records_lost, outcome.bytes_lost, outcome.time_range_lost)}")
    gone = gone_text(outcome, with_witnesses=True)
    if gone:
        removes = "" if outcome.records_lost else "the start removes nothing more; "
        texts.append(f"{removes}{gone}")
    yield from (Line(indent, "", text, prose=True) for text in texts)
    yield from (Line(indent, "", text) for text in (_touched(outcome) if is_full else _touched_in_short(outcome)))
    texts = list(consumer_texts(outcome))
    texts += _unknown_texts(outcome)
    yield from (Line(indent, "", text, prose=True) for text in texts)
    if outcome.actions:
        yield Line(indent, "", "before the restart:")
        yield from (Line(indent + 2, f"{at}.", text, prose=True, hang=3) for at, text in enumerate(outcome.actions, 1))
        yield from (Line(indent + 5, "", command.line) for command in outcome.commands)


def _unknown_texts(outcome: Outcome) -> Iterator[str]:
    """What is not known, and why: one sentence for each reason."""
    names: dict[str, list[str]] = {}
    said = {outcome.reason}
    for name, text in outcome.why.items():
        if _worth_saying(outcome, name) and text not in said:
            names.setdefault(text, []).append(name.replace("_", " "))
    yield from (f"not known: {', '.join(those)}: {text}" for text, those in names.items())


def gone_text(outcome: Outcome, *, with_witnesses: bool = False) -> str:
    """The offsets that are gone before the start; "" when there are none.

    Args:
        outcome: A prediction.
        with_witnesses: Whether to say what tells of them, too.
    """
    told = []
    for unless in dict.fromkeys(one.unless for one in outcome.already_gone or () if not one.against):
        gone = [one for one in outcome.already_gone or () if one.unless == unless and not one.against]
        witnesses = f" ({', '.join(dict.fromkeys(one.witness for one in gone))})" if with_witnesses else ""
        told += [f"{text}{witnesses}{f', unless {unless}' if unless else ''}" for text in _gone_texts(gone, unless)]
    for one in outcome.already_gone or ():
        if one.against and one.last is not None:
            offsets = offsets_text([(one.first, one.last)])
            are = agreeing(one.number or 0, "is", "are")
            told.append(f"by {one.witness} {offsets} {are} gone, by {one.against} the log is whole: one of the two is wrong")
    return "; ".join(told)


def _gone_texts(gone: Sequence[Gone], unless: str) -> Iterator[str]:
    already = "" if unless else "already "
    counted = [(one.first, one.last) for one in gone if one.last is not None]
    count = sum(last - first + 1 for first, last in counted)
    if count:
        up_to = "up to " if any(one.at_most for one in gone) else ""
        in_all = f", {up_to}{count:,} in all" if count > 1 else ""
        yield f"{offsets_text(counted)} {agreeing(count, 'is', 'are')} {already}gone{in_all}"
    open_ended = (one.first for one in gone if one.last is None)
    yield from (f"what came from offset {first} on is {already}gone, how far is not known" for first in open_ended)


def _touched(outcome: Outcome) -> Iterator[str]:
    """Each file that the start changes."""
    for cut in outcome.truncate or ():
        where = "" if cut.offset is None else f", before offset {cut.offset}"
        yield f"cuts     {cut.path} at position {cut.position}{where}"
    yield from _files("deletes ", outcome.delete)
    yield from _files("renames ", tuple(f"{before} -> {now}" for before, now in outcome.rename or ()))
    yield from _files("makes   ", outcome.create)
    yield from _files("rebuilds", outcome.rebuild)


def _touched_in_short(outcome: Outcome) -> Iterator[str]:
    """Where logs are cut, and how many files are changed else."""
    for cut in outcome.truncate or ():
        yield f"cuts {os.path.basename(cut.path)} at position {cut.position:,}"
    changes = {
        "deletes": outcome.delete,
        "renames": outcome.rename,
        "makes": outcome.create,
        "rebuilds": outcome.rebuild,
    }
    texts = [
        f"{verb} {_DIRECTORY if _is_of(outcome.path, paths) else count_text(len(paths), 'file')}"
        for verb, paths in changes.items()
        if paths
    ]
    if texts:
        yield f"{', '.join(texts)} (-v names them)"


def _is_of(directory: str, paths: Sequence[object]) -> bool:
    """Whether nothing but the directory itself is made or renamed."""
    return all(directory in (path, *(path if isinstance(path, tuple) else ())) for path in paths)


def _files(verb: str, paths: tuple[str, ...] | None) -> Iterator[str]:
    paths = paths or ()
    yield from (f"{verb} {path}" for path in paths[:_NAMED])
    if len(paths) > _NAMED:
        yield f"{verb} {len(paths) - _NAMED:,} more"


def _worth_saying(outcome: Outcome, name: str) -> bool:
    """What follows from the state of the partition the line above has said."""
    return outcome.partition == "loaded" or (outcome.is_unknown and name == "partition")


def consumer_texts(outcome: Outcome) -> Iterator[str]:
    """What consumers get afterwards: one sentence where both kinds of them get the same."""
    consumer = outcome.consumer
    if consumer is None:
        return
    if consumer.uncommitted is not None and consumer.uncommitted == consumer.committed:
        yield f"consumers get {_read_text(consumer.uncommitted, outcome.log_end_offset)}"
        return
    for level, read in zip(consumer._fields, consumer, strict=True):
        if read is not None:
            yield f"consumers (read_{level}) get {_read_text(read, outcome.log_end_offset)}"


def _read_text(read: ConsumerRead, end: int | None) -> str:
    records = count_text(read.records, "record") if read.records else "no records"
    if read.skipped:
        sound = sum(skipped.records for skipped in read.skipped)
        skipped = offsets_text([(one.first, one.last) for one in read.skipped])
        records += f" ({offsets_text(read.read)})" if read.read else ""
        records += f" and skip {skipped} without an error"
        records += f", among them {count_text(sound, 'sound record')}" if sound else ""
    if read.aborted_visible:
        records += f" ({read.aborted_visible:,} of them of aborted transactions)"
    if read.stuck and read.error is None:
        return f"{records} and get no further than offset {read.stops_at_offset}, without an error"
    if read.error is not None:
        return f"{records} and fail at offset {read.stops_at_offset}: {read.error}"
    if end is not None and read.stops_at_offset < end:
        return f"{records}, up to offset {read.stops_at_offset}, where a transaction is open"
    return records if read.skipped else f"{'all ' if read.records else ''}{records}, up to offset {read.stops_at_offset}"


def _loss_text(records: int, size: int | None, times: tuple[int, int] | None) -> str:
    """Records, bytes and time that are lost, as people say it: `3 records, 1.2 GiB, 4 h 10 min of data (… to …)`."""
    text = f"{count_text(records, 'record')}, {size_text(size or 0)}"
    return text if times is None else f"{text}, {time_span_text(*times, with_times=True)}"
