"""How counts, sizes, offsets, times and durations are spelled for people."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from kafkalog.core.spoken import agreeing, count_text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "agreeing",
    "count_text",
    "duration_text",
    "moment",
    "offsets_text",
    "size_text",
    "stretch_text",
    "time_span_text",
    "utc",
    "when",
]

#: Ranges of offsets that are named before the rest is counted.
_RANGES = 3
#: Days of data after which a duration says less than the two times: one odd timestamp makes it years.
_LONGEST = 31


def offsets_text(ranges: Sequence[tuple[int, int]]) -> str:
    """Offsets from first to last: `offset 5`, `offsets 0..30 and 55..60`, `offsets 0, 7, 9 and 3 more ranges`."""
    named = [stretch_text(first, last) for first, last in ranges[:_RANGES]]
    more = len(ranges) - len(named)
    noun = "offset" if len(ranges) == 1 and ranges[0][0] == ranges[0][1] else "offsets"
    *others, last = [*named, count_text(more, "more range")] if more else named
    return f"{noun} {', '.join(others)} and {last}" if others else f"{noun} {last}"


def stretch_text(first: int, last: int) -> str:
    """Numbers from the first to the last: `29..35`; `5` where they are one."""
    return f"{first}" if first == last else f"{first}..{last}"


def size_text(size: int) -> str:
    """Bytes in the largest fitting binary unit: `17 B`, `1.2 GiB`."""
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{size} B" if unit == "B" else f"{number:.1f} {unit}"


def time_span_text(first: int, last: int, *, with_times: bool = False) -> str:
    """From when to when data are, milliseconds: `1 min 51 s of data`, with the two times if these are wanted.

    A long time may come from one record with a wrong timestamp: then there are only the two times.
    """
    times = f"{when(first)} to {when(last)} UTC"
    if last - first >= _LONGEST * 86_400_000:
        return f"timestamps {times}"
    duration = f"{duration_text(last - first)} of data"
    return f"{duration} ({times})" if with_times else duration


def duration_text(milliseconds: int) -> str:
    """A time span in its two largest units: `4 h 10 min`, `3 min 7 s`, `120 ms`."""
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    seconds = milliseconds // 1000
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size} {unit} {seconds % size // part} {smaller}"
    return f"{seconds} s"


def utc(milliseconds: int) -> str | None:
    """A time in UTC, ISO 8601 with milliseconds; None for -1; the number where no calendar reaches."""
    from datetime import UTC, datetime, timedelta

    if milliseconds == -1:
        return None
    try:
        time = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return str(milliseconds)
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def when(milliseconds: int) -> str:
    """A time in UTC as people write it, to the second: `2023-11-14 22:13:20`; the number where no calendar reaches."""
    minute, second = divmod(milliseconds // 1000, 60)
    text = _minute(minute)
    return str(milliseconds) if text is None or milliseconds == -1 else f"{text}:{second:02}"


@lru_cache(maxsize=4096)
def _minute(number: int) -> str | None:
    """A minute since 1970, to the minute; None where no calendar reaches."""
    text = utc(number * 60_000)
    return text.rpartition(":")[0].replace("T", " ") if text is not None and "T" in text else None


def moment(milliseconds: int) -> str | None:
    """The same for a cell of a table: None for -1, which stands for "no time"."""
    return None if milliseconds == -1 else when(milliseconds)
