"""Charts of altair, each drawn from columns that fit on a screen. The one address of altair."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt

from kafkalog.core.dates import date_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["batch_sizes", "throughput", "timeline", "timestamps", "transactions"]

#: Pixels that two panels of one chart leave between them.
_BETWEEN_PANELS = 40
_Columns = dict[str, list[Any]]
_Range = tuple[int, int] | None

#: Colours that are told apart by most eyes and on light and dark grounds.
_COMMITTED, _ABORTED, _OPEN = "#2a78b5", "#d1495b", "#e0902f"
_KINDS = {"gap": "#8a8a8a", "damage": "#d1495b", "open transaction": "#e0902f", "no index": "#b565a7", "not right": "#d1495b"}


def _data(columns: _Columns, kind: str | None = None) -> alt.InlineData:
    names = list(columns)
    safe = {name: [_safe(one) if isinstance(one, str) else one for one in column] for name, column in columns.items()}
    rows = (dict(zip(names, row, strict=True)) for row in zip(*safe.values(), strict=True))
    return alt.InlineData(values=[row for row in rows if kind is None or row["kind"] == kind])


def _safe(text: str) -> str:
    """A text as altair may have it, which puts it into a script as it is."""
    return text.replace("<", "\\x3c")


def _has(columns: _Columns, kind: str) -> bool:
    return kind in columns["kind"]


#: From which length of the axis on, milliseconds, how its times are written.
_FORMATS = ((60 * 86_400_000, "%Y-%m-%d"), (86_400_000, "%m-%d %H:%M"), (60_000, "%H:%M:%S"), (0, "%H:%M:%S.%L"))


def _times(time_range: _Range) -> dict[str, Any]:
    """A time axis; what lies beyond it is drawn at its border."""
    if time_range is None:
        return {"title": "time (UTC)", "scale": alt.Scale(type="utc", clamp=True)}
    first, last = time_range[0], max(time_range[1], time_range[0] + 1)
    text = next(text for length, text in _FORMATS if last - first >= length)
    return {
        "title": f"time (UTC), from {date_text(first)}",
        "scale": alt.Scale(type="utc", domain=[first, last], clamp=True),
        "axis": alt.Axis(format=text, labelOverlap=True, tickCount=7),
    }


def _time(name: str, time_range: _Range) -> alt.X:
    return alt.X(f"{name}:T", **_times(time_range))


def _offset(name: str) -> alt.Y:
    return alt.Y(f"{name}:Q", title="offset", scale=alt.Scale(zero=False), axis=alt.Axis(format=",d"))


def _along(name: str = "first_offset") -> alt.X:
    return alt.X(f"{name}:Q", title="offset", stack=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=",d"))


def _heading(head: Sequence[str]) -> alt.TitleParams:
    return alt.TitleParams(text=_safe(head[0]), subtitle=[_safe(note) for note in head[1:]], anchor="start")


def _titled(chart: Any, head: Sequence[str], width: int, height: int) -> Any:
    return chart.properties(width=width, height=height, title=_heading(head))


def _layered(layers: Iterable[Any], head: Sequence[str], width: int, height: int) -> Any:
    return _titled(alt.layer(*layers), head, width, height)


def timeline(columns: _Columns, time_range: _Range, head: Sequence[str], width: int, height: int) -> Any:
    """Segments by time and offset."""
    about = alt.Tooltip("about:N")
    y, y2, x, x2 = _offset("first_offset"), alt.Y2("last_offset:Q"), _time("first_time", time_range), alt.X2("last_time:T")
    epochs = alt.Color("epoch:O", title="leader epoch", scale=alt.Scale(scheme="tableau10"))
    layers = []
    if _has(columns, "gap"):
        band = alt.Chart(_data(columns, "gap")).mark_rect(
            opacity=0.25, stroke=_KINDS["gap"], strokeOpacity=0.25, color=_KINDS["gap"]
        )
        layers.append(band.encode(y=y, y2=y2, tooltip=about))
    segments = alt.Chart(_data(columns, "segment"))
    layers.append(
        segments.mark_rule(strokeWidth=3, strokeCap="round").encode(x=x, x2=x2, y=y, y2=y2, color=epochs, tooltip=about)
    )
    layers.append(segments.mark_tick(orient="vertical", size=9, thickness=1.5).encode(x=x, y=y, color=epochs, tooltip=about))
    for kind, shape, size in (("damage", "cross", 90), ("no index", "square", 40)):
        if _has(columns, kind):
            points = alt.Chart(_data(columns, kind)).mark_point(shape=shape, size=size, filled=True, color=_KINDS[kind])
            layers.append(points.encode(x=x, y=y, tooltip=about))
    if _has(columns, "open transaction"):
        rules = alt.Chart(_data(columns, "open transaction")).mark_rule(strokeWidth=2, strokeDash=[4, 3], color=_OPEN)
        layers.append(rules.encode(x=x, y=y, y2=y2, tooltip=about))
    return _layered(layers, head, width, height)


def throughput(columns: _Columns, time_range: _Range, head: Sequence[str], width: int, height: int) -> Any:
    """Records and bytes per second."""
    panels = []
    for name, title in (("records_per_second", "records/s"), ("bytes_per_second", "bytes/s")):
        bars = alt.Chart(_data(columns)).mark_rect(color=_COMMITTED)
        y = alt.Y(f"{name}:Q", title=title, axis=alt.Axis(format="~s"))
        tooltip = [alt.Tooltip(f"{field}:Q", format=",") for field in ("batches", "records", "bytes", name)]
        chart = bars.encode(x=_time("time", time_range), x2=alt.X2("end:T"), y=y, y2=alt.Y2Datum(0), tooltip=tooltip)
        panels.append(chart.properties(width=width, height=(height - _BETWEEN_PANELS) // 2))
    return alt.vconcat(*panels, title=_heading(head))


def batch_sizes(columns: _Columns, time_range: _Range, head: Sequence[str], width: int, height: int) -> Any:
    """Least, median and largest size along the log."""
    del time_range
    base = alt.Chart(_data(columns)).encode(x=_along())
    scale, axis = alt.Scale(type="log"), alt.Axis(format="~s")
    tooltip = [
        alt.Tooltip(f"{name}:Q", format=",")
        for name in ("first_offset", "last_offset", "batches", "least", "median", "largest")
    ]
    band = base.mark_area(opacity=0.3, color=_COMMITTED, interpolate="step-after", orient="vertical").encode(
        y=alt.Y("least:Q", title="bytes of a batch", scale=scale, axis=axis), y2=alt.Y2("largest:Q")
    )
    line = base.mark_line(
        orient="vertical", color=_COMMITTED, strokeWidth=1.5, interpolate="step-after", point=alt.OverlayMarkDef(size=8)
    ).encode(y=alt.Y("median:Q", scale=scale), tooltip=tooltip)
    return _layered((band, line), head, width, height)


def timestamps(columns: _Columns, time_range: _Range, head: Sequence[str], width: int, height: int) -> Any:
    """Timestamps along the log."""
    about = alt.Tooltip("about:N")
    times = _times(time_range)
    base = alt.Chart(_data(columns, "column")).encode(x=_along())
    band = base.mark_area(opacity=0.3, color=_COMMITTED, orient="vertical").encode(
        y=alt.Y("least:T", **times), y2=alt.Y2("largest:T")
    )
    line = base.mark_line(orient="vertical", color=_COMMITTED, strokeWidth=1.5, point=alt.OverlayMarkDef(size=8)).encode(
        y=alt.Y("median:T", **times), tooltip=about
    )
    layers: list[Any] = [band, line]
    if _has(columns, "not right"):
        points = alt.Chart(_data(columns, "not right")).mark_point(
            shape="triangle-up", filled=True, size=60, color=_KINDS["not right"]
        )
        layers.append(points.encode(x=_along(), y=alt.Y("median:T", **times), tooltip=about))
    return _layered(layers, head, width, height)


def transactions(columns: _Columns, time_range: _Range, head: Sequence[str], width: int, height: int) -> Any:
    """Transactions by how they ended."""
    states = alt.Scale(domain=["committed", "aborted", "open"], range=[_COMMITTED, _ABORTED, _OPEN])
    rules = alt.Chart(_data(columns)).mark_rule(strokeWidth=3, strokeCap="round")
    chart = rules.encode(
        x=_time("first_time", time_range),
        x2=alt.X2("last_time:T"),
        y=_offset("first_offset"),
        y2=alt.Y2("last_offset:Q"),
        color=alt.Color("state:N", title=None, scale=states),
        tooltip=alt.Tooltip("about:N"),
    )
    return _titled(chart, head, width, height)
