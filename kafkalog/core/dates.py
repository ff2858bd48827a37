"""Timestamps as dates, and what may have made an odd one, for messages. Arithmetic alone: no clock, no zone, no range."""

from __future__ import annotations

__all__ = ["ANCIENT_MS", "DATES", "FUTURE_MS", "date_text", "timestamp_cause"]

#: The timestamps, in milliseconds, that are a date in every program: of the years 1 to 9999.
DATES = range(-62_135_596_800_000, 253_402_300_800_000)

#: 2011-01-01, in milliseconds: Kafka's first release. A clock that is right cannot be earlier.
ANCIENT_MS = 1_293_840_000_000
#: Clocks differ; a day ahead, in milliseconds, is a fault.
FUTURE_MS = 24 * 3600 * 1000

_DAY = 86400
#: Days from 0000-03-01 to 1970-01-01, and in 400 years of the Gregorian calendar.
_EPOCH, _ERA = 719468, 146097


#: From and below which timestamp, and what its writer may have meant.
_CAUSES = (
    (-62135596800000, -62135596799999, "Go's zero time, or the smallest DateTime of .NET"),
    (-62135596800, -62135596799, "Go's zero time in seconds"),
    (-6795364578872, -6795364578870, "Go's zero time in nanoseconds, which overflow, made milliseconds"),
    (-6795364578871345152, -6795364578871345151, "Go's zero time in nanoseconds, which overflow"),
    (-1, 0, "no timestamp"),
    (0, 1, "0 where a time should be"),
    (10**9, 10**10, "it looks like seconds"),
    (10**14, 10**16, "it looks like microseconds"),
    (10**16, 3 * 10**16, "it looks like ticks of 100 ns since 1970"),
    (122 * 10**15, 160 * 10**15, "it looks like a FILETIME of Windows, ticks of 100 ns since 1601"),
    (6 * 10**17, 7 * 10**17, "it looks like ticks of 100 ns since the year 1"),
    (10**17, 4 * 10**18, "it looks like nanoseconds"),
)


def timestamp_cause(timestamp: int) -> str:
    """What made a timestamp that cannot be right, as far as its value tells.

    >>> timestamp_cause(1700000000), timestamp_cause(-62135596800000)
    ('it looks like seconds', "Go's zero time, or the smallest DateTime of .NET")
    >>> timestamp_cause(133444555666777888), timestamp_cause(1700000000123456789)
    ('it looks like a FILETIME of Windows, ticks of 100 ns since 1601', 'it looks like nanoseconds')

    Args:
        timestamp: As it is stored, which should be milliseconds since 1970.
    """
    return next((text for low, high, text in _CAUSES if low <= timestamp < high), "a wrong clock or a wrong field")


def date_text(milliseconds: int) -> str:
    """A timestamp as a date in UTC, to the second.

    >>> date_text(1700000000000), date_text(-1), date_text(1700000000000000)
    ('2023-11-14 22:13:20 UTC', '1969-12-31 23:59:59 UTC', '55840-11-08 22:13:20 UTC')

    Args:
        milliseconds: Since 1970; any number.
    """
    seconds = milliseconds // 1000
    days, second = divmod(seconds, _DAY)
    # Years begin in March here, so that a leap day is a year's last.
    era, day = divmod(days + _EPOCH, _ERA)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month = month + 3 if month < 10 else month - 9
    year += 400 * era + (month <= 2)
    return f"{year:04d}-{month:02d}-{day + 1:02d} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d} UTC"
