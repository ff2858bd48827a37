"""An overview as rows to be drawn, at most 2,000 for each plot, and what they leave out in words."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.dates import date_text
from kafkalog.core.printable import printable
from kafkalog.core.spoken import agreeing, count_text
from kafkalog.plot.overview import joined

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.plot.columns import Column
    from kafkalog.plot.overview import Overview, Stretch

__all__ = ["MARKS", "Marks"]

#: Rows of each kind on a timeline, and in other plots.
_STRETCHES, _OTHERS = 800, 250


class Marks(NamedTuple):
    """Rows under the names of their columns; the time axis, and what the rows do not tell."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    time_range: tuple[int, int] | None
    notes: tuple[str, ...] = ()


def _timeline(overview: Overview) -> Marks:
    columns = ("kind", "epoch", "first_offset", "last_offset", "first_time", "last_time", "about")
    stretches = _fewer(overview.stretches)
    rows: list[tuple[Any, ...]] = [
        ("segment", one.epoch, one.first_offset, one.last_offset, one.first_time, one.last_time, _about_stretch(one))
        for one in stretches
    ]
    gaps = sorted(overview.gaps, key=lambda gap: -gap.offsets)[:_OTHERS]
    rows += [
        ("gap", None, gap.first_offset, gap.last_offset, gap.before, gap.after, f"{gap.offsets:,} offsets missing")
        for gap in gaps
    ]
    rows += [
        ("damage", None, one.offset, one.offset, one.time, one.time, printable(f"{_file(one.path)}, {one.start}: {one.reason}"))
        for one in overview.damages[:_OTHERS]
    ]
    still_open = [bar for bar in overview.transactions if bar.state == "open"]
    rows += [
        (
            "open transaction", None, bar.first_offset, bar.last_offset, bar.first_time, bar.last_time,
            f"producer {bar.producer_id}, {bar.records:,} records",
        )
        for bar in still_open[:_OTHERS]
    ]  # fmt: skip
    bare = [bar for bar in overview.segments if bar.index_entries is None and bar.first_offset is not None]
    rows += [
        ("no index", None, bar.first_offset, bar.last_offset, bar.first_time, bar.last_time, printable(_file(bar.path)))
        for bar in bare[:_OTHERS]
    ]
    notes = [
        _left_out(overview.gaps_count - len(gaps), "smaller gap"),
        _left_out(overview.damages_count - _OTHERS, "later damage"),
        _left_out(len(still_open) - _OTHERS, "open transaction"),
        _left_out(len(bare) - _OTHERS, "segment", " without an index"),
        _batches_have(overview.out_of_order, "offsets that do not fit between those of their neighbours"),
        *_about_times(overview),
    ]
    return Marks(columns, rows, overview.time_range, tuple(note for note in notes if note))


def _fewer(stretches: tuple[Stretch, ...]) -> list[Stretch]:
    """As many as are drawn: neighbours joined, with the epoch of the last of them."""
    each = -(-len(stretches) // _STRETCHES)
    return (
        [
            reduce(joined, stretches[at : at + each])._replace(epoch=stretches[min(at + each, len(stretches)) - 1].epoch)
            for at in range(0, len(stretches), each)
        ]
        if stretches
        else []
    )


def _about_stretch(stretch: Stretch) -> str:
    epoch = f"leader epoch {stretch.epoch}, " if stretch.epoch >= 0 else ""
    offsets = f"offsets {stretch.first_offset}..{stretch.last_offset}"
    amount = f"{count_text(stretch.records, 'record')} in {count_text(stretch.batches, 'batch')}"
    return f"segment {stretch.base_offset}, {epoch}{offsets}, {amount}"


def _throughput(overview: Overview) -> Marks:
    rows: list[tuple[Any, ...]] = [
        (
            *moment,
            round(moment.records * 1000 / (moment.end - moment.time), 3),
            round(moment.size * 1000 / (moment.end - moment.time), 3),
        )
        for moment in overview.throughput
    ]
    columns = ("time", "end", "batches", "records", "bytes", "records_per_second", "bytes_per_second")
    return Marks(columns, rows, overview.time_range, _about_times(overview))


_COLUMNS = ("first_offset", "last_offset", "batches", "least", "median", "largest")


def _batch_sizes(overview: Overview) -> Marks:
    return Marks(_COLUMNS, [tuple(column) for column in overview.sizes], None)


def _timestamps(overview: Overview) -> Marks:
    rows: list[tuple[Any, ...]] = [("column", *column, _about_column(column)) for column in overview.times]
    rows += [
        ("not right", odd.offset, odd.offset, 1, odd.timestamp, odd.timestamp, odd.timestamp,
         printable(f"offset {odd.offset}: {date_text(odd.timestamp)}, {_file(odd.path)} at {odd.position}"))
        for odd in overview.odd_times
    ]  # fmt: skip
    return Marks(("kind", *_COLUMNS, "about"), rows, overview.time_range, _about_times(overview))


def _about_column(column: Column) -> str:
    offsets = f"offsets {column.first_offset}..{column.last_offset}"
    return f"{offsets}: {date_text(column.least)} to {date_text(column.largest)}, {count_text(column.batches, 'batch')}"


def _transactions(overview: Overview) -> Marks:
    rows: list[tuple[Any, ...]] = [
        (
            *bar,
            f"{bar.state}, producer {bar.producer_id}, offsets {bar.first_offset}..{bar.last_offset}, {bar.records:,} records",
        )
        for bar in overview.transactions
    ]
    columns = (
        "producer_id",
        "producer_epoch",
        "state",
        "first_offset",
        "last_offset",
        "first_time",
        "last_time",
        "records",
        "about",
    )
    left_out = _left_out(sum(overview.transactions_count.values()) - len(rows), "shorter transaction")
    notes = left_out if rows else "there are no transactions"
    return Marks(columns, rows, overview.time_range, (notes,) if notes else ())


MARKS: dict[str, Callable[[Overview], Marks]] = {
    "timeline": _timeline,
    "throughput": _throughput,
    "batch_sizes": _batch_sizes,
    "timestamps": _timestamps,
    "transactions": _transactions,
}


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _left_out(count: int, noun: str, which: str = "") -> str:
    return f"{count_text(count, noun)}{which} {agreeing(count, 'is', 'are')} not drawn" if count > 0 else ""


def _batches_have(count: int, what: str) -> str:
    return f"{count_text(count, 'batch')} {agreeing(count, 'has', 'have')} {what}" if count else ""


def _about_times(overview: Overview) -> tuple[str, ...]:
    """What a time axis leaves out."""
    notes = [] if overview.time_range is not None else ["no batch has a timestamp that can be right"]
    if overview.odd_times_count:
        first = overview.odd_times[0]
        where = f"offset {first.offset}: {date_text(first.timestamp)}"
        notes.append(_batches_have(overview.odd_times_count, f"a timestamp that cannot be right, the first at {where}"))
    notes.append(_batches_have(overview.without_time, "no timestamp"))
    return tuple(note for note in notes if note)
