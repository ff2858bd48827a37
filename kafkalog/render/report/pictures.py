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
from kafkalog.verify import Severity
from kafkalog.verify.subjects import is_loud, subjects_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.info.values import PartitionInfo
    from kafkalog.render.report.findings import Shown
    from kafkalog.timeline.event import Event
    from kafkalog.verify import PartitionReport, Report

__all__ = ["chosen_partitions", "picture_of"]

#: Ranges of offsets that get a text of their own, open transactions, and circles.
_BANDS, _OPEN, _MARKS = 4, 3, 60


def chosen_partitions(report: Report, most: int) -> list[PartitionReport]:
    """The partitions that are drawn: in the order of the headline; of a sound report the largest one."""
    there = [one for one in report.partitions if one.segments and is_directory(one.path)]
    order = {one.path: number for number, one in enumerate(subjects_of(report))}
    loud = sorted((one for one in there if is_loud(one)), key=lambda one: order.get(one.path, len(order)))
    chosen = loud or sorted(there, key=lambda one: (-one.records, one.path))[:1]
    return chosen[:most]


def picture_of(
    number: int, report: PartitionReport, name: str, shown: Sequence[Shown], now: int
) -> tuple[Picture, list[Event]] | None:
    """What is drawn of a partition, and its events; None when nothing can be.

    Args:
        number: The number of the picture on the page.
        report: What verify says of it.
        name: What it is called.
        shown: The findings on the page.
        now: The clock, milliseconds.
    """
    try:
        partition = Partition(report.path)
        overview = overview_of(partition.segments, now)
        info = describe(report.path).partitions[0]
        events = partition_events(partition, "", overview).events
    except (KafkalogError, IndexError):
        return None
    own = [one for one in shown if os.path.dirname(one.finding.path) == report.path or one.finding.path == report.path]
    drawn = Picture(
        number=number,
        name=name,
        overview=overview,
        bands=tuple(_bands(report)),
        levels=tuple(_levels(report, info)),
        marks=tuple(_marks(own)),
        strips=tuple(_strips(partition, own)) if overview.stretches else (),
    )
    return (drawn, events) if overview.stretches or drawn.bands else None


def _bands(report: PartitionReport) -> Iterator[Band]:
    account = report.account
    for kind, ranges in (("gone", account.gone), ("unreadable", account.unreadable)):
        for first, last in ranges[:_BANDS]:
            yield Band(kind, first, last, f"{offsets_text([(first, last)])} {kind}")
        for first, last in ranges[_BANDS:200]:
            yield Band(kind, first, last, "")
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


def _levels(report: PartitionReport, info: PartitionInfo) -> Iterator[Level]:
    notes: dict[int, list[str]] = {}
    for offset, text in (
        (info.log_end_offset, "log end"),
        (info.high_watermark, "high watermark"),
        (info.recovery_point, "recovery point"),
        (info.log_start_offset or None, "log start"),
    ):
        if offset is not None and 0 <= offset <= max(info.log_end_offset or 0, offset):
            notes.setdefault(offset, []).append(text)
    for offset, texts in notes.items():
        yield Level("plain", offset, f"{', '.join(texts)} {offset:,}")
    for one in info.open_transactions[:_OPEN]:
        yield Level("open", one.first_offset, f"open transaction {one.first_offset:,}")
    for offset, cuts in _cuts(report).items():
        stops = [stop for stop, _ in cuts]
        records = count_text(max(count for _, count in cuts), "record")
        yield Level("cut", offset, f"a start after {article(stops)} stop takes {records}")
    for first, last in report.account.unreached[:1]:
        yield Level("cut", first, f"consumers stop: {count_text(last - first + 1, 'offset')}")


def _marks(shown: Sequence[Shown]) -> Iterator[Mark]:
    placed = [one for one in shown if one.finding.severity > Severity.INFO and one.finding.offsets is not None]
    for one in placed[:_MARKS]:
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
