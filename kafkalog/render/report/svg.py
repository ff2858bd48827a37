"""The picture of a log: its segments by time and offset, and what is wrong where; SVG as text, the same for the same values.

The only module that makes markup; all that comes from outside is escaped by `Markup.format`.
"""

from __future__ import annotations

from bisect import bisect_right
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from kafkalog.core.printable import printable
from kafkalog.render.quantities import count_text, when
from kafkalog.render.report.scales import Scale, place, spread, ticks, time_ticks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.plot.overview import Overview, Stretch

__all__ = ["Band", "Level", "Mark", "Picture", "Strip", "own", "picture", "times_shown"]

_WIDTH = 1000
_LEFT, _RIGHT = 78.0, 790.0
_TOP, _HEIGHT = 26.0, 270.0
_RATE = 62.0
_STRIP = 13
#: Places of texts: above the picture, on its right, above the rates.
_ABOVE, _ASIDE, _ROOM = 11, 19, 15
_GAP = 14
#: Colours of epochs, which the style sheet has.
_EPOCHS = 6
#: Boxes of segments, above which neighbours that are too small to be told apart are drawn as one.
_BOXES = 600
_SMALL = 1.5
#: All times are shown, unless they are this many times as wide as those of nearly all batches, of so many at least: then a few
#: clocks were wrong.
_STRETCHED, _MANY = 8, 200
#: How wide the colours of the epochs are; on their right stand the times.
_LEGEND = 280
#: Texts on the right, and arrows at the borders.
_LABELS = 12
_FEW_BANDS = 30
_LABEL_LETTERS = 32
_ARROWS = 40


class Mark(NamedTuple):
    """A finding in the picture: where it links to, how bad it is, what it is called, its offset."""

    anchor: str
    severity: str
    text: str
    offset: int


class Band(NamedTuple):
    """Offsets, both included, of which something is to be said: `kind` is `gone`, `unreadable` or `lost`."""

    kind: str
    first: int
    last: int
    text: str


class Level(NamedTuple):
    """An offset that something is said of: `kind` is `plain`, `open` or `cut`."""

    kind: str
    offset: int
    text: str


class Strip(NamedTuple):
    """A row of what lies beside each segment: its name, and base offset → `there`, `missing` or `damaged`."""

    name: str
    states: dict[int, str]


class Picture(NamedTuple):
    """What is drawn of a log.

    Args:
        number: Distinguishes it from the others on the page.
        name: The partition.
        overview: What its batches show.
        bands: Offsets that are gone, cannot be read, or would be lost.
        levels: Offsets of note.
        marks: Findings.
        strips: Files beside its segments.
    """

    number: int
    name: str
    overview: Overview
    bands: Sequence[Band] = ()
    levels: Sequence[Level] = ()
    marks: Sequence[Mark] = ()
    strips: Sequence[Strip] = ()


class _Axes:
    """Where times and offsets lie; without plausible times segments lie side by side."""

    def __init__(self, shown: Picture) -> None:
        self.overview = shown.overview
        offsets = [
            *(offset for one in self.overview.stretches for offset in (one.first_offset, one.last_offset + 1)),
            *(offset for band in shown.bands for offset in (band.first, band.last + 1)),
            *(level.offset for level in shown.levels),
        ]
        first, last = min(offsets, default=0), max(offsets, default=1)
        self.offsets = Scale(first, max(last, first + 1), _TOP + _HEIGHT, _TOP)
        self._bases = [one.base_offset for one in self.overview.segments]
        times = times_shown(self.overview)
        self.has_times = times is not None
        first, last = times or (0, max(len(self._bases), 1))
        self.times = Scale(first, max(last, first + 1), _LEFT, _RIGHT)
        numbers = sorted({one.epoch for one in self.overview.stretches})
        self._untimed = dict(self._sides())
        #: Leader epochs, and the numbers of their colours.
        self.epochs = {epoch: number for number, epoch in enumerate(numbers)}

    def of_stretch(self, stretch: Stretch) -> tuple[float, float]:
        """First and last place of a part of a segment."""
        if not self.has_times:
            number = bisect_right(self._bases, stretch.base_offset) - 1
            return self.times.at(number), self.times.at(number + 1)
        known = [time for time in (stretch.first_time, stretch.last_time) if time is not None]
        if not known:
            return self._untimed[stretch.first_offset], self._untimed[stretch.first_offset]
        return self.times.at(min(known)), self.times.at(max(known))

    def _sides(self) -> Iterator[tuple[int, float]]:
        """Where parts of segments without a time are: right after what is before them."""
        before = _LEFT
        for one in self.overview.stretches:
            if one.last_time is not None:
                before = self.times.at(one.last_time)
            yield one.first_offset, before

    def of_offset(self, offset: int) -> float:
        """The place of the time at which the log was at an offset."""
        if self.has_times:
            time = self.overview.time_at(offset)
            return _LEFT if time is None else self.times.at(time)
        if not self._bases:
            return self.times.at(0.5)
        number = max(bisect_right(self._bases, offset) - 1, 0)
        segment = self.overview.segments[number]
        first, last = segment.first_offset or 0, segment.last_offset or 0
        return self.times.at(number + min(max(offset - first, 0) / max(last + 1 - first, 1), 1))

    def colour(self, epoch: int) -> int:
        """The number of an epoch's colour."""
        return self.epochs.get(epoch, 0) % _EPOCHS


def times_shown(overview: Overview) -> tuple[int, int] | None:
    """The times that are shown: all that can be right, unless a few of them would make the others too small to be seen.

    None where there are none, or only one: no axis is made of these.
    """
    usual = overview.time_range
    if usual is None:
        return None
    is_robust = sum(one.batches for one in overview.stretches) > _MANY
    times = [time for one in overview.stretches for time in (one.first_time, one.last_time) if time is not None]
    first, last = min(times), max(times)
    if is_robust and last - first > _STRETCHED * (usual[1] - usual[0] + 1):
        first, last = usual
    return (first, last) if first < last else None


def picture(shown: Picture) -> Markup:
    """The picture."""
    axes = _Axes(shown)
    below = _TOP + _HEIGHT
    parts = [*_grid(axes), *_bands(shown, axes), *_segments(axes), *_line(axes)]
    rates, below = _rates(axes, below)
    strips, below = _strips(shown, axes, below)
    parts += [*rates, *strips, *_levels(shown, axes), *_arrows(axes), *_marks(shown, axes), *_legend(axes)]
    height = below + 6
    what = "segments by time and offset" if shown.overview.segments else "offsets"
    title = Markup("{}: {}").format(printable(shown.name), what)
    return Markup(
        '<svg viewBox="0 0 {} {}" role="group" aria-labelledby="pt{} pd{}">'
        '<title id="pt{}">{}</title><desc id="pd{}">{}</desc>{}</svg>'
    ).format(
        _WIDTH, place(height), shown.number, shown.number, shown.number, title, shown.number, printable(_description(shown)),
        Markup("").join(parts),
    )  # fmt: skip


def _description(shown: Picture) -> str:
    range_shown = times_shown(shown.overview)
    times = "" if range_shown is None else f", {when(range_shown[0])} to {when(range_shown[1])} UTC"
    segments = shown.overview.segments
    texts = [f"{count_text(len(segments), 'segment')}{times}"] if segments else []
    said = [*(band.text for band in shown.bands), *(level.text for level in shown.levels)]
    texts += [text for text in said if text][:_LABELS]
    texts += [count_text(len(shown.marks), "finding")] if shown.marks else []
    return ". ".join(texts)


def _text(kind: str, x: float, y: float, text: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, place(x), place(y), printable(text))


def _path(kind: str, data: str) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(kind, data)


def _grid(axes: _Axes) -> Iterator[Markup]:
    """Lines and texts of the axes."""
    bottom = _TOP + _HEIGHT
    lines = []
    for offset in ticks(axes.offsets.first, axes.offsets.last, 6):
        y = axes.offsets.at(offset)
        lines.append(f"M{place(_LEFT)} {place(y)}H{place(_RIGHT)}")
        yield _text("t e", _LEFT - 6, y + 3.5, f"{offset:,}")
    if axes.has_times:
        for time, text in time_ticks(axes.times.first, axes.times.last, 8):
            x = axes.times.at(time)
            lines.append(f"M{place(x)} {place(_TOP)}V{place(bottom)}")
            yield _text("t m", x, bottom + 15, text)
        span = f"{when(axes.times.first)} to {when(axes.times.last)} UTC"
        yield _text("t e", _RIGHT, _TOP - _ABOVE, span)
    yield _path("g", "".join(lines))
    yield _path("frame", f"M{place(_LEFT)} {place(_TOP)}V{place(bottom)}H{place(_RIGHT)}")
    yield _text("t e", _LEFT - 6, _TOP - _ABOVE, "offset")


class _Boxes:
    """Boxes of one colour after the other; those too small to be told apart become one."""

    def __init__(self, *, merges: bool) -> None:
        self._merges = merges
        self._last: tuple[int, list[float]] | None = None
        self._data: dict[int, list[str]] = {}

    def add(self, colour: int, left: float, right: float, top: float, bottom: float) -> None:
        last = self._last
        if self._merges and last is not None and last[0] == colour and last[1][1] - last[1][0] < _SMALL:
            box = last[1]
            box[:] = [min(box[0], left), max(box[1], right), min(box[2], top), max(box[3], bottom)]
            return
        self._draw()
        self._last = (colour, [left, right, top, bottom])

    def _draw(self) -> None:
        if self._last is not None:
            colour, (left, right, top, bottom) = self._last
            data = f"M{place(left)} {place(top)}H{place(max(right, left + 2))}V{place(max(bottom, top + 2))}H{place(left)}z"
            self._data.setdefault(colour, []).append(data)

    def paths(self) -> Iterator[Markup]:
        self._draw()
        for colour in sorted(self._data):
            yield _path(f"s e{colour}", "".join(self._data[colour]))


def _segments(axes: _Axes) -> Iterator[Markup]:
    """A box for each segment, and each leader epoch in it; one path for each colour."""
    stretches = axes.overview.stretches
    boxes = _Boxes(merges=len(stretches) > _BOXES)
    for one in stretches:
        top, bottom = axes.offsets.at(one.last_offset + 1), axes.offsets.at(one.first_offset)
        boxes.add(axes.colour(one.epoch), *axes.of_stretch(one), top, bottom)
    return boxes.paths()


def _line(axes: _Axes) -> Iterator[Markup]:
    """How the log grew: a line for each epoch."""
    if not axes.has_times:
        return
    stretches = axes.overview.stretches
    starts = [one.first_offset for one in stretches]
    lines: list[tuple[int, list[str]]] = []
    for column in axes.overview.times:
        epoch = stretches[max(bisect_right(starts, column.first_offset) - 1, 0)].epoch
        for offset, time in ((column.first_offset, column.least), (column.last_offset, column.largest)):
            if not axes.times.first <= time <= axes.times.last:
                continue
            at = f"{place(axes.times.at(time))} {place(axes.offsets.at(offset))}"
            if not lines or lines[-1][0] != axes.colour(epoch):
                lines.append((axes.colour(epoch), []))
            if lines[-1][1][-1:] != [at]:
                lines[-1][1].append(at)
    for colour, places in lines:
        if len(places) > 1:
            yield _path(f"l e{colour}", f"M{'L'.join(places)}")


def _arrows(axes: _Axes) -> Iterator[Markup]:
    """Batches whose times are outside of the picture: arrows at its border."""
    if not axes.has_times:
        return
    outside = [
        *((one.offset, one.timestamp) for one in axes.overview.odd_times),
        *((one.first_offset, time) for one in axes.overview.times for time in (one.least, one.largest)),
    ]
    data: dict[str, None] = {}
    for offset, time in outside:
        y = place(axes.offsets.at(offset))
        if time < axes.times.first:
            data[f"M{place(_LEFT - 1)} {y}l7 -4v8z"] = None
        elif time > axes.times.last:
            data[f"M{place(_RIGHT + 1)} {y}l-7 -4v8z"] = None
    if data:
        yield _path("arrow", "".join(list(data)[:_ARROWS]))


def _bands(shown: Picture, axes: _Axes) -> Iterator[Markup]:
    # A single offset is to be seen, and many of them are not to cover everything.
    least = 3 if len(shown.bands) <= _FEW_BANDS else 1
    for kind in ("lost", "gone", "unreadable"):
        boxes = []
        for band in shown.bands:
            if band.kind == kind:
                top, bottom = axes.offsets.at(band.last + 1), axes.offsets.at(band.first)
                size = max(bottom - top, least)
                boxes.append(
                    f"M{place(_LEFT)} {place(min(top, _TOP + _HEIGHT - size))}H{place(_RIGHT)}v{place(size)}H{place(_LEFT)}z"
                )
        if boxes:
            yield _path(f"band {kind}", "".join(boxes))


def _levels(shown: Picture, axes: _Axes) -> Iterator[Markup]:
    """Lines at offsets of note, and their texts on the right, which bands have too."""
    told = [(axes.offsets.at(one.offset), one.kind, one.text) for one in shown.levels]
    for y, kind, _ in told:
        yield _path(f"level {kind}", f"M{place(_LEFT)} {place(y)}H{place(_RIGHT + 4)}")
    middle = {band: axes.offsets.at((band.first + band.last + 1) / 2) for band in shown.bands}
    told += [(middle[band], band.kind, band.text) for band in shown.bands]
    told = sorted((one for one in told if one[2]), key=lambda one: one[0])[:_LABELS]
    told = [(y, kind, line) for y, kind, text in told for line in wrap(text, _LABEL_LETTERS)]
    placed = spread([y for y, _, _ in told], 14, _TOP + _HEIGHT + 4)
    for at, (y, kind, text) in zip(placed, told, strict=True):
        yield _path(f"lead {kind}", f"M{place(_RIGHT + 4)} {place(y)}L{place(_RIGHT + _ASIDE - 5)} {place(at)}")
        yield _text(f"t {kind}", _RIGHT + _ASIDE, at + 3.5, text)


def _marks(shown: Picture, axes: _Axes) -> Iterator[Markup]:
    """Findings as circles that lead to them; those at one place side by side."""
    taken: dict[tuple[int, int], int] = {}
    for mark in reversed(shown.marks):
        x, y = axes.of_offset(mark.offset), axes.offsets.at(mark.offset)
        number = taken.setdefault((round(x / 8), round(y / 8)), 0)
        taken[round(x / 8), round(y / 8)] += 1
        x = min(x + number * 9, _RIGHT)
        text = printable(mark.text)
        yield Markup(
            '<a href="#{}" aria-label="{}"><circle class="mark {}" cx="{}" cy="{}" r="5.5"><title>{}</title></circle></a>'
        ).format(mark.anchor, text, mark.severity, place(x), place(y), text)


def _legend(axes: _Axes) -> Iterator[Markup]:
    """The colours of the epochs."""
    x = _LEFT
    shown = [(epoch, number) for epoch, number in axes.epochs.items() if epoch >= 0]
    half = _LEGEND // (2 * (23 + 7 * len(str(max(axes.epochs, default=0)))))
    if len(shown) > 2 * half:
        shown = [*shown[:half], *shown[-half:]]
    if shown:
        yield _text("t", x, _TOP - _ABOVE, "leader epoch")
        x += 78
    for at, (epoch, number) in enumerate(shown):
        if at and number != shown[at - 1][1] + 1:
            yield _text("t", x, _TOP - _ABOVE, "…")
            x += 14
        yield _path(f"key e{number % _EPOCHS}", f"M{place(x)} {_TOP - _ABOVE - 9}h9v9h-9z")
        yield _text("t", x + 13, _TOP - _ABOVE, f"{epoch}")
        x += 23 + 7 * len(str(epoch))


def _rates(axes: _Axes, below: float) -> tuple[list[Markup], float]:
    """Records a second by time."""
    moments = axes.overview.throughput
    below += 27 if axes.has_times else 0
    rates = [(one, one.records * 1000 / max(one.end - one.time, 1)) for one in moments]
    most = max((rate for _, rate in rates), default=0)
    if not axes.has_times or not most:
        return [], below
    top, bottom = below + _ROOM, below + _ROOM + _RATE
    scale = Scale(0, 1 << 20, bottom, top)
    data = []
    for one, rate in rates:
        if rate and axes.times.first <= one.end and one.time <= axes.times.last:
            left, right = axes.times.at(one.time), axes.times.at(one.end)
            height = place(scale.at(rate / most * scale.last))
            data.append(f"M{place(left)} {place(bottom)}V{height}H{place(max(right, left + 1))}V{place(bottom)}z")
    parts = [
        _path("rate", "".join(data)),
        _path("frame", f"M{place(_LEFT)} {place(top)}V{place(bottom)}H{place(_RIGHT)}"),
        _text("t e", _LEFT - 6, top + 9, _short(most)),
        _text("t e", _LEFT - 6, bottom, "0"),
        _text("t", _LEFT, top - 5, "records per second"),
    ]
    return parts, bottom


def _short(rate: float) -> str:
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate:.3g}"


def _strips(shown: Picture, axes: _Axes, below: float) -> tuple[list[Markup], float]:
    """Rows of what lies beside each segment."""
    parts: list[Markup] = []
    if not shown.strips:
        return parts, below
    below += _GAP
    for strip in shown.strips:
        boxes: dict[str, list[list[float]]] = {}
        for stretch in axes.overview.stretches:
            left, right = axes.of_stretch(stretch)
            placed = boxes.setdefault(strip.states.get(stretch.base_offset, "missing"), [])
            right = max(right - 1, left + 2)
            if placed and placed[-1][0] <= left <= placed[-1][1] and right - left < _SMALL + 1:
                placed[-1][1] = max(placed[-1][1], right)
            else:
                placed.append([left, right])
        for state in ("there", "missing", "damaged"):
            if state in boxes:
                data = (f"M{place(left)} {place(below)}H{place(right)}v8H{place(left)}z" for left, right in boxes[state])
                parts.append(_path(f"strip {state}", "".join(data)))
        parts.append(_text("t e", _LEFT - 6, below + 9, strip.name))
        bad = {state: sum(1 for one in strip.states.values() if one == state) for state in ("missing", "damaged")}
        words = ", ".join(f"{count} {state}" for state, count in bad.items() if count)
        if words:
            parts.append(_text("t gone", _RIGHT + _ASIDE, below + 9, words))
        below += _STRIP
    return parts, below


def own(text: str) -> Markup:
    """Text of the package itself, or ASCII without `<`, taken as it is."""
    return Markup(text)  # noqa: S704 - nothing from outside comes here but JSON without `<`
