"""Timestamps as dates, for messages. Arithmetic alone: no clock, no zone, no range."""

from __future__ import annotations

__all__ = ["date_text"]

_DAY = 86400
#: Days from 0000-03-01 to 1970-01-01, and in 400 years of the Gregorian calendar.
_EPOCH, _ERA = 719468, 146097


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
