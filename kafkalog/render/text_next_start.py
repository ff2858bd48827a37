"""Predictions of the next start as text for people: those that do harm, the worst last, and a headline that fits a screen."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from kafkalog.core.command_line import command_on
from kafkalog.files.mounted import is_directory
from kafkalog.next_start.cause import without_stop
from kafkalog.render.items import HANG, Line, Table, labelled
from kafkalog.render.outcome_words import assumed_text, caveats_of, details, gone_text, harm_of, in_short, unread_text
from kafkalog.render.quantities import agreeing, count_text, size_text
from kafkalog.render.wrapping import cut, on_one_screen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.render.items import Item
    from kafkalog.render.wrapping import Room

__all__ = ["next_starts_text"]

#: What a start does, in a row that names the partition.
_A_START = {
    "stops": "does not succeed",
    "offline": "takes the log dir offline",
    "stray": "sets it aside as -stray",
    "deleted": "deletes it",
    "failed": "does not serve it",
}


def next_starts_text(outcomes: Sequence[Outcome], named: set[str], *, detail: str | None = None) -> Iterator[Item]:
    """All predictions.

    Args:
        outcomes: In the order in which they were made.
        named: Directories that were asked for by themselves: they are told in full, whatever happens to them.
        detail: `headline`: only the end; `everything`: each partition, and the files that are touched.
    """
    told = sorted((one for one in outcomes if _is_told(one, named)), key=lambda one: one.harm)
    if detail != "headline":
        quiet = [one for one in outcomes if not _is_told(one, named)]
        yield from _body(outcomes, told, quiet if detail == "everything" else (), is_full=detail == "everything")
    yield from on_one_screen(partial(_headline, outcomes, named))


def _is_told(outcome: Outcome, named: set[str]) -> bool:
    return outcome.severity is not None or outcome.is_unknown or outcome.path in named


def _body(outcomes: Sequence[Outcome], told: Sequence[Outcome], quiet: Sequence[Outcome], *, is_full: bool) -> Iterator[Item]:
    for text in dict.fromkeys(text for one in outcomes for text in (one.assumed.evidence,) if text):
        yield Line(0, "", f"{text[:1].upper()}{text[1:]}.", prose=True)
        yield ""
    yield from (Line(0, "", _one_line(one), prose=True) for one in quiet)
    yield ""
    for one in told:
        yield Line(0, "", f"{one.path} ({assumed_text(one.assumed)})", style="title")
        yield from details(one, 2, is_full=is_full)
        yield ""


def _one_line(outcome: Outcome) -> str:
    """A partition to which nothing happens."""
    log = "" if outcome.log_end_offset is None else f", log from offset {outcome.log_start_offset} to {outcome.log_end_offset}"
    return f"{outcome.path} ({assumed_text(outcome.assumed)}): {in_short(outcome)}{log}"


def _headline(outcomes: Sequence[Outcome], named: set[str], room: Room) -> Iterator[Item]:
    """The block that ends the text."""
    harmful = sorted((one for one in outcomes if one.severity == "error"), key=lambda one: one.harm, reverse=True)
    lost = [one for one in outcomes if one.already_gone and one.severity != "error"]
    unknown = [one for one in outcomes if one.is_unknown and one.severity != "error"]
    caveats = caveats_of(outcomes)
    if harmful:
        yield Line(0, "harm", cut(_harm_sentence(harmful, outcomes), room.letters), prose=True, style="error")
        yield from _harms(harmful, room)
    elif not lost and not unknown:
        word = "depends" if caveats else "no harm"
        yield Line(0, word, _sound_sentence(outcomes), prose=True, style="unknown" if caveats else "clean")
    yield from _lost(lost, room)
    for text in caveats[: room.texts]:
        yield labelled("but", cut(text, room.letters))
    if unknown:
        first = f"{_name_of(unknown[0])}: {in_short(unknown[0]).removeprefix('unknown: ')}"
        count = len({one.path for one in unknown})
        yield labelled(
            "unknown",
            cut(first if count == 1 else f"{count:,} directories cannot be predicted; {first}", room.letters),
            "unknown",
        )
    worst = next(iter((*harmful, *lost, *(one for one in unknown if one.actions))), None)
    if worst is not None:
        yield from _what_to_do(worst, named, room)


def _name_of(outcome: Outcome) -> str:
    return os.path.basename(outcome.path) or outcome.path


def _harm_sentence(harmful: Sequence[Outcome], outcomes: Sequence[Outcome]) -> str:
    aborts = [one for one in harmful if one.broker == "aborts"]
    if aborts:
        reason = without_stop(aborts[0].reason)
        return f"the broker does not start, because of {_name_of(aborts[0])}: {reason}"
    count, places = len({one.path for one in harmful}), len({one.path for one in outcomes})
    if places == 1:
        return f"a start would do harm to {harmful[0].path}"
    name = f"{_name_of(harmful[0])}: " if count == 1 else ""
    return f"{name}{count:,} of {count_text(places, 'directory')} would lose data or service"


def _sound_sentence(outcomes: Sequence[Outcome]) -> str:
    loaded = [one for one in outcomes if one.partition == "loaded"]
    touched = len({one.path for one in outcomes if one.severity is not None})
    cut = f"; files of {touched:,} are cut or replaced, without loss" if touched else ""
    places = len({one.path for one in outcomes})
    if len(loaded) < len(outcomes):
        served = len({one.path for one in loaded})
        what = f"{served:,} of {count_text(places, 'directory')} {agreeing(served, 'loads', 'load')}"
        return f"{what}, and the start removes no record{cut}"
    them = "the partition" if places == 1 else count_text(places, "partition")
    return f"{them} {agreeing(places, 'loads', 'load')}, and the start removes no record{cut}"


def _lost(lost: Sequence[Outcome], room: Room) -> Iterator[Item]:
    """What was gone before the start, which takes nothing more."""
    gone = {f"{_name_of(one)}: {gone_text(one)}": None for one in lost}
    for at, text in enumerate(list(gone)[: room.rows]):
        yield labelled("" if at else "lost", f"{cut(text, room.letters)}; a start removes nothing more", "error")
    if len(gone) > room.rows:
        yield labelled("", f"and {len(gone) - room.rows:,} more")


def _harms(harmful: Sequence[Outcome], room: Room) -> Iterator[Item]:
    rows: list[list[object]] = [
        [
            _name_of(one),
            one.assumed.stop,
            _records_taken(one) or None,
            size_text(_bytes_taken(one)) if _bytes_taken(one) else None,
            _does(one),
        ]
        for one in harmful[: room.rows]
    ]
    yield Table(("what", "stop", "records", "bytes", "a start"), rows, whole=(1,))
    if len(harmful) > room.rows:
        yield f"… and {len(harmful) - room.rows:,} more"
    records, size = sum(map(_records_taken, harmful)), sum(map(_bytes_taken, harmful))
    is_sum = sum(bool(_bytes_taken(one)) for one in harmful) > 1
    if is_sum and len({one.assumed.stop for one in harmful}) == 1:
        yield labelled("in all", f"{count_text(records, 'record')}, {size_text(size)}")


def _does(outcome: Outcome) -> str:
    """What a start does to something that the row names."""
    if outcome.records_lost:
        return f"ends the log at offset {outcome.log_end_offset}"
    kind = harm_of(outcome)
    return _A_START.get(kind, in_short(outcome)) if kind else f"serves it, {unread_text(outcome)}"


def _records_taken(outcome: Outcome) -> int:
    """How many records are lost, or set aside with their directory, as far as that is known."""
    return (outcome.records_lost if outcome.set_aside is None else outcome.set_aside.records) or 0


def _bytes_taken(outcome: Outcome) -> int:
    """How many bytes these are."""
    return (outcome.bytes_lost if outcome.set_aside is None else outcome.set_aside.size) or 0


def _what_to_do(worst: Outcome, named: set[str], room: Room) -> Iterator[Item]:
    for at, action in enumerate(worst.actions[: room.rows]):
        yield labelled("" if at else "first", cut(action, room.letters))
    # What stops the broker may be a file, and a partition that is missing is made again: the log dir tells more then.
    above = [path for path in named if worst.path.startswith(f"{path}/")]
    place = above[0] if above and not is_directory(worst.path) else worst.path
    yield Line(0, "more", command_on(("kafkalog", "next-start", "-v"), place).line, hang=HANG, style="label")
    yield Line(0, "", command_on(("kafkalog", "verify"), place).line, hang=HANG)
    yield from (Line(0, "", command.line, hang=HANG) for command in worst.commands)
