"""What clients have made of fetches, so that the same bytes are read once for all kinds of stops and all releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.core.transaction_index import AbortedTxn
    from kafkalog.kafka.consumed import Mark
    from kafkalog.kafka.reading_rules import ReadingRules

__all__ = ["FetchKey", "KnownFetches"]

#: Fetches remembered, which are of 1 MiB as a rule.
_MOST = 10_000


class FetchKey(NamedTuple):
    """All that decides what a client makes of a fetch without an error.

    Args:
        before: What it had read before.
        committed: Whether it asks for committed records only.
        rules: How its release reads what is no error.
        log: The number of the log, by the base offsets and the sizes of its segments.
        segment: Base offset of the segment.
        position: Where in it the bytes begin.
        size: How many they are.
        crc: Their checksum: a running broker may have written others since.
        aborted: The aborted transactions that came with them.
    """

    before: Mark
    committed: bool
    rules: ReadingRules
    log: int
    segment: int
    position: int
    size: int
    crc: int
    aborted: tuple[AbortedTxn, ...]


class KnownFetches:
    """What clients have made of fetches without an error, of which nothing was skipped or dropped."""

    def __init__(self) -> None:
        self._logs: dict[tuple[tuple[int, int], ...], int] = {}
        self._after: dict[FetchKey, Mark] = {}

    def number_of(self, extent: tuple[tuple[int, int], ...]) -> int:
        """The number of a log whose segments have these base offsets and sizes."""
        return self._logs.setdefault(extent, len(self._logs))

    def after(self, key: FetchKey) -> Mark | None:
        """What the client has read after it; None: it is not known."""
        return self._after.get(key)

    def note(self, key: FetchKey, mark: Mark) -> None:
        """What a client has read after a fetch, without an error."""
        if len(self._after) < _MOST:
            self._after[key] = mark
