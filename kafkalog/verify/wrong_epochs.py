"""Batches whose leader epoch is wrong, by their neighbours and the epoch file: the checksum does not cover the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.log import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.verify.rules.shared import EpochRun

__all__ = ["PlacedRun", "WrongEpoch", "wrong_epochs"]


class PlacedRun(NamedTuple):
    """Batches in a row with one leader epoch, and the log that they are in."""

    run: EpochRun
    path: str


class WrongEpoch(NamedTuple):
    """A batch whose leader epoch is wrong.

    Args:
        placed: The batch.
        right: The epoch that it had.
        by_neighbours: Whether the batches before and after it have that epoch.
        by_file: Whether `leader-epoch-checkpoint` has that epoch there.
    """

    placed: PlacedRun
    right: int
    by_neighbours: bool
    by_file: bool


def wrong_epochs(runs: Sequence[PlacedRun], entries: Sequence[EpochEntry]) -> Iterator[WrongEpoch]:
    """The single batches that break the order of epochs, or that the epoch file and a neighbour contradict by one bit.

    Args:
        runs: Of a whole log, ascending.
        entries: Of its epoch file, if that can be taken at its word; else empty.
    """
    for at, placed in enumerate(runs):
        run = placed.run
        if run.first_base != run.last_base:
            continue
        before = runs[at - 1].run.epoch if at else None
        after = runs[at + 1].run.epoch if at + 1 < len(runs) else None
        listed = _listed_at(run.first_base, entries)
        by_neighbours = before is not None and before == after
        right = before if by_neighbours else listed
        least, most = (0 if before is None else before), (NEVER if after is None else after)
        if right is None or right == run.epoch or not least <= right <= most:
            continue
        # A batch in order may well be the only one of the next epoch, with an entry that the file has lost.
        is_flipped = (right ^ run.epoch).bit_count() == 1 and (right == after or run.epoch - right > 1)
        if not least <= run.epoch <= most or is_flipped:
            yield WrongEpoch(placed, right, by_neighbours, by_file=right == listed)


def _listed_at(offset: int, entries: Sequence[EpochEntry]) -> int | None:
    """The epoch that an epoch file has for an offset; None when it begins after it."""
    return max((entry.epoch for entry in entries if entry.start_offset <= offset), default=None)
