"""How counts, sizes, times and durations are spelled for people."""

from __future__ import annotations

__all__ = ["count_text", "duration_text", "size_text", "utc"]


def count_text(number: int, noun: str) -> str:
    """A number with its noun: `1 batch`, `2 batches`."""
    plural = noun + ("es" if noun.endswith("ch") else "s")
    return f"{number} {noun if number == 1 else plural}"


def size_text(size: int) -> str:
    """Bytes in the largest fitting binary unit: `17 B`, `1.2 GiB`."""
    number, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if number < 1024 or unit == "TiB":
            break
        number /= 1024
    return f"{size} B" if unit == "B" else f"{number:.1f} {unit}"


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
