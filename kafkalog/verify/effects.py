"""What a predicted start does where a finding was made: the numbers of "a start would delete three segments"."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Effect", "records_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a start after one kind of stop does to the place of a finding, and to the partition with it.

    `does` is `stops` (the broker exits), `offline` (the log dir), `failed` (the partition is not served), `stray`, `cuts`
    (`path` at byte `position`), `deletes` (the segment), `replaces` (it by an interrupted swap), `hides` (records after the
    log's end) or `serves` (what consumers then fail at: `reason` says how). `segments` counts the segments that are deleted,
    `size` the bytes that are lost; `times` are the first and last timestamp lost, milliseconds.
    """

    stop: str
    release: str | None
    does: str
    reason: str
    path: str | None = None
    position: int | None = None
    segments: int = 0
    records: int | None = None
    size: int | None = None
    times: tuple[int, int] | None = None
    log_end_offset: int | None = None


def records_text(count: int) -> str:
    """A number of records in words."""
    return f"{count} record{'' if count == 1 else 's'}"
