"""Predictions of the next start as text for people: those that do harm, the worst last, and a headline that fits a screen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.command_line import command_on
from kafkalog.render.outcome_words import assumed_text, details, gone_text, in_short
from kafkalog.render.quantities import agreeing, count_text, size_text
from kafkalog.render.screen import Line, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.render.screen import Item

__all__ = ["next_starts_text"]

#: Columns of the words on the left, rows of the table.
_HANG = 12
_ROWS = 8


def next_starts_text(outcomes: Sequence[Outcome], named: set[str], *, detail: str | None = None) -> Iterator[Item]:
    """All predictions.

    Args:
        outcomes: In the order in which they were made.
        named: Directories that were asked for by themselves: they are told in full, whatever happens to them.
        detail: `headline`: only the end; `everything`: each partition, and the files that are touched.
    """
    told = sorted((one for one in outcomes if _is_told(one, named)), key=lambda one: one.harm)
    if detail != "headline":
        yield from _body(outcomes, told, is_full=detail == "everything")
    yield from _headline(outcomes)


def _is_told(outcome: Outcome, named: set[str]) -> bool:
    return outcome.severity is not None or outcome.is_unknown or outcome.path in named


def _body(outcomes: Sequence[Outcome], told: Sequence[Outcome], *, is_full: bool) -> Iterator[Item]:
    for text in dict.fromkeys(text for one in outcomes for text in (one.assumed.evidence, one.assumed.caveat) if text):
        yield Line(0, "", f"{text[:1].upper()}{text[1:]}.", prose=True)
        yield ""
    quiet = [one for one in outcomes if one not in told]
    if is_full:
        yield from (Line(0, "", _one_line(one), prose=True) for one in quiet)
        yield from [""] if quiet else []
    for one in told:
        yield Line(0, "", f"{one.path} ({assumed_text(one.assumed)})", style="title")
        yield from details(one, 2, is_full=is_full)
        yield ""


def _one_line(outcome: Outcome) -> str:
    """A partition to which nothing happens."""
    log = "" if outcome.log_end_offset is None else f", log from offset {outcome.log_start_offset} to {outcome.log_end_offset}"
    return f"{outcome.path} ({assumed_text(outcome.assumed)}): {in_short(outcome)}{log}"


def _headline(outcomes: Sequence[Outcome]) -> Iterator[Item]:
    """The block that ends the text."""
    harmful = sorted((one for one in outcomes if one.severity == "error"), key=lambda one: one.harm, reverse=True)
    unknown = [one for one in outcomes if one.is_unknown and one.severity != "error"]
    places = len({one.path for one in outcomes})
    if harmful:
        yield Line(0, "harm", _harm_sentence(harmful, places), style="error")
        yield from _harms(harmful)
    elif not unknown:
        is_clean = not any(one.has_lost for one in outcomes)
        yield Line(0, "no harm" if is_clean else "lost", _sound_sentence(outcomes, places), prose=True, style="clean")
    if unknown:
        count = len({one.path for one in unknown})
        where = count_text(count, "prediction")
        yield Line(0, "unknown", f"{where} cannot be made: {unknown[0].path}: {in_short(unknown[0])}", prose=True)
    if harmful:
        yield from _what_to_do(harmful[0])


def _harm_sentence(harmful: Sequence[Outcome], places: int) -> str:
    count = len({one.path for one in harmful})
    if places == 1:
        return f"a start would do harm to {harmful[0].path}"
    name = f"{os.path.basename(harmful[0].path)}: " if count == 1 else ""
    return f"{name}{count:,} of {count_text(places, 'directory')} would lose data or service"


def _sound_sentence(outcomes: Sequence[Outcome], places: int) -> str:
    lost = [one for one in outcomes if one.already_gone]
    if lost:
        where = os.path.basename(lost[0].path) if len({one.path for one in lost}) == 1 else f"{len(lost):,} partitions"
        return f"a start removes nothing more, but {where} has lost data already: {gone_text(lost[0])}"
    loaded = [one for one in outcomes if one.partition == "loaded"]
    touched = sum(one.severity == "warning" for one in outcomes)
    them = "the partition" if places == 1 else count_text(places, "partition")
    cut = f"; files of {touched:,} are cut or replaced, without loss" if touched else ""
    if len(loaded) < len(outcomes):
        served = count_text(len({one.path for one in loaded}), "partition")
        return f"{served} of {places:,} {agreeing(len(loaded), 'loads', 'load')}, and nothing is lost{cut}"
    return f"{them} {agreeing(places, 'loads', 'load')} and nothing is lost{cut}"


def _harms(harmful: Sequence[Outcome]) -> Iterator[Item]:
    rows: list[list[object]] = [
        [
            os.path.basename(one.path) or one.path,
            one.assumed.stop,
            one.records_lost,
            None if one.bytes_lost is None else size_text(one.bytes_lost),
            f"ends the log at offset {one.log_end_offset}" if one.records_lost else in_short(one),
        ]
        for one in harmful[:_ROWS]
    ]
    yield Table(("what", "stop", "records", "bytes", "a start"), rows)
    if len(harmful) > _ROWS:
        yield f"… and {len(harmful) - _ROWS:,} more"
    records, size = sum(one.records_lost or 0 for one in harmful), sum(one.bytes_lost or 0 for one in harmful)
    if len(harmful) > 1 and len({one.assumed.stop for one in harmful}) == 1:
        yield _labelled("in all", f"{count_text(records, 'record')}, {size_text(size)}")


def _what_to_do(worst: Outcome) -> Iterator[Item]:
    for at, action in enumerate(worst.actions):
        yield Line(0, "" if at else "first", action, prose=True, hang=_HANG, style="label")
    yield Line(0, "more", command_on(("kafkalog", "next-start", "-v"), worst.path).line, hang=_HANG, style="label")
    yield Line(0, "", command_on(("kafkalog", "verify"), worst.path).line, hang=_HANG)


def _labelled(word: str, text: str) -> Line:
    return Line(0, word, text, prose=True, hang=_HANG, style="label")
