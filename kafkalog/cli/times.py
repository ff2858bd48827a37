"""Times and offset ranges as people type them."""

from __future__ import annotations

import re

import click

__all__ = ["parse_offsets", "parse_time"]


def parse_time(text: str, option: str) -> int:
    """Epoch milliseconds of a time: a whole number of them, or ISO 8601 (UTC when it names no zone)."""
    if re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
        return int(text)
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is neither ISO 8601 (2024-05-01, 2024-05-01T12:00:00Z) nor epoch milliseconds", param_hint=option
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)


def parse_offsets(text: str) -> tuple[int | None, int | None]:
    """The two ends of `A:B`; None for an empty side."""
    match = re.fullmatch(r"(-?\d{1,19})?:(-?\d{1,19})?", text, re.ASCII)
    if match is None:
        raise click.BadParameter(f"{text!r} is not A:B, two offsets of which either may be missing", param_hint="--offsets")
    first, end = (int(side) if side else None for side in match.groups())
    if first is not None and end is not None and first > end:
        raise click.BadParameter(f"{text!r} ends before it begins", param_hint="--offsets")
    return first, end
