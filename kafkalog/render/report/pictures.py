"""What is drawn of a partition: its course, and what the report and the files beside its log say of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.errors import KafkalogError
from kafkalog.files.mounted import is_directory
from kafkalog.files.partition import Partition
from kafkalog.info.api import describe
from kafkalog.plot.overview import overview_of
from kafkalog.render.quantities import count_text, offsets_text
from kafkalog.render.report.svg import Band, Level, Mark, Picture, Strip
from kafkalog.render.verify_start import article
from kafkalog.timeline.partition_events import partition_events
from kafkalog.timeline.topic_settings import settings_of
from kafkalog.verify import Severity
from kafkalog.verify.subjects import is_loud, subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.render.report.findings import Shown
    from kafkalog.replay.image import Image
    from kafkalog.timeline.event import Event
    from kafkalog.verify import PartitionReport, Report

__all__ = ["chosen_partitions", "picture_of", "picture_of_lines"]

#: Ranges of offsets that get a text of their own, open transactions, and circles.
_BANDS, _OPEN, _MARKS = 4, 3, 60


def chosen_partitions(report: Report, most: int, *, reads: bool) -> list[PartitionReport]:
    """The partitions that are drawn: in the order of the headline; of a sound report the largest one.

    Args:
        report: All of them.
        most: How many at most.
        reads: Whether their files are read.
    """
    there = [one for one in report.partitions if one.segments and (not reads or is_directory(one.path))]
    order = {one.path: number for number, one in enumerate(subjects_of(report))}
    loud = sorted((one for one in there if is_loud(one)), key=lambda one: order.get(one.path, len(order)))
    chosen = loud or sorted(there, key=lambda one: (-one.records, one.path))[:1]
    return chosen[:most]


def picture_of(
    number: int, report: PartitionReport, name: str, shown: Sequence[Shown], now: int, image: Image | None
) -> tuple[Picture, list[Event]] | None:
    """What is drawn of a partition, and its events; None when nothing can be.

    Args:
        number: The number of the picture on the page.
        report: What verify says of it.
        name: What it is called.
        shown: The findings on the page.
        now: The clock, milliseconds.
        image: The cluster's metadata, where they are known.
    """
    try:
        partition = Partition(report.path)
        overview = overview_of(partition.segments, now)
        info = describe(report.path).partitions[0]
        events = partition_events(partition, "", overview, settings_of(partition, image)).events
    except (KafkalogError, IndexError):
        return None
    own = _own(report, shown)
    noted = (
        (info.log_end_offset, "log end"),
        (info.high_watermark, "high watermark"),
        (info.recovery_point, "recovery point"),
        (info.log_start_offset or None, "log start"),
    )
    drawn = Picture(
        number=number,
        name=name,
        overview=overview,
        bands=tuple(_bands(report)),
        levels=tuple(_levels(report, noted, [one.first_offset for one in info.open_transactions])),
        marks=tuple(_marks(own)),
        strips=tuple(_strips(partition, own)) if overview.stretches else (),
    )
    return (drawn, events) if overview.stretches or drawn.bands else None


def picture_of_lines(number: int, report: PartitionReport, name: str, shown: Sequence[Shown]) -> Picture | None:
    """What can be drawn of a partition by what verify says of it alone: its offsets; None when that is nothing."""
    noted = ((report.log_end_offset, "log end"), (report.log_start_offset or None, "log start"))
    drawn = Picture(
        number=number,
        name=name,
        overview=overview_of((), 0),
        bands=tuple(_bands(report)),
        levels=tuple(_levels(report, noted, ())),
        marks=tuple(_marks(_own(report, shown))),
    )
    return drawn if drawn.bands or drawn.marks else None


def _own(report: PartitionReport, shown: Sequence[Shown]) -> list[Shown]:
    """The findings about a partition."""
    return [one for one in shown if report.path in (os.path.dirname(one.finding.path), one.finding.path)]


def _bands(report: PartitionReport) -> Iterator[Band]:
    account = report.account
    for kind, ranges in (("gone", account.gone), ("unreadable", account.unreadable)):
        for first, last in ranges[:_BANDS]:
            yield Band(kind, first, last, f"{offsets_text([(first, last)])} {kind}")
        more = f"and {count_text(len(ranges) - _BANDS, 'more range')} {kind}"
        for first, last in ranges[_BANDS:200]:
            yield Band(kind, first, last, more)
            more = ""
    ends = _cuts(report)
    if ends and report.log_end_offset is not None and min(ends) < report.log_end_offset:
        yield Band("lost", min(ends), report.log_end_offset - 1, "")


def _cuts(report: PartitionReport) -> dict[int, list[tuple[str, int]]]:
    """Where a start ends the log → after which kinds of stop, and how many records it takes."""
    ends: dict[int, list[tuple[str, int]]] = {}
    for outcome in (*report.next_start, *report.otherwise):
        if outcome.records_lost and outcome.log_end_offset is not None:
            ends.setdefault(outcome.log_end_offset, []).append((outcome.assumed.stop, outcome.records_lost))
    return ends


def _levels(
    report: PartitionReport, noted: Iterable[tuple[int | None, str]], open_transactions: Sequence[int]
) -> Iterator[Level]:
    notes: dict[int, list[str]] = {}
    for offset, text in noted:
        if offset is not None and offset >= 0:
            notes.setdefault(offset, []).append(text)
    for offset, texts in notes.items():
        yield Level("plain", offset, f"{', '.join(texts)} {offset:,}")
    for first in open_transactions[:_OPEN]:
        yield Level("open", first, f"open transaction {first:,}")
    for offset, cuts in _cuts(report).items():
        stops = [stop for stop, _ in cuts]
        records = count_text(max(count for _, count in cuts), "record")
        yield Level("cut", offset, f"a start after {article(stops)} stop takes {records}")
    for first, last in report.account.unreached[:1]:
        yield Level("cut", first, f"consumers stop: {count_text(last - first + 1, 'offset')}")


def _marks(shown: Sequence[Shown]) -> Iterator[Mark]:
    placed = [one for one in shown if one.finding.severity > Severity.INFO and one.finding.offsets is not None]
    for one in placed[:: -(-len(placed) // _MARKS) or 1]:
        offsets = one.finding.offsets
        assert offsets is not None
        yield Mark(one.anchor, one.severity, f"{one.severity}: {one.finding.id}, {one.file}", offsets[0])


def _strips(partition: Partition, own: Sequence[Shown]) -> Iterator[Strip]:
    """Whether each segment has its indexes, and whether something is wrong with them."""
    wrong = {one.finding.path for one in own if one.finding.severity > Severity.INFO}
    for suffix in (".index", ".timeindex"):
        states = {}
        for segment in partition.segments:
            path = segment.paths.get(suffix)
            states[segment.base_offset] = "missing" if path is None else "damaged" if path in wrong else "there"
        yield Strip(suffix, states)
