"""The leader epochs of a log as the broker keeps them: LeaderEpochFileCache."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import EpochEntry
from kafkalog.kafka.failure import BrokerAborts

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LeaderEpochs"]


class LeaderEpochs:
    """The epochs known so far, ascending; `written`: the file was, or will be, written again.

    Args:
        entries: The lines of `leader-epoch-checkpoint`, in the order of the file.
        as_they_are: Whether the lines are taken without a look at each other (before 2.7).
        only_later: Whether an epoch that contradicts the last one is left out (before 2.0).

    Raises:
        BrokerAborts: a line holds a negative epoch or offset.
    """

    def __init__(self, entries: Iterable[EpochEntry] = (), *, as_they_are: bool = False, only_later: bool = False) -> None:
        self.entries: list[EpochEntry] = list(entries) if as_they_are else []
        self.written = False
        #: Lines that do not ascend: nothing may be concluded from the last of them.
        self._is_list = as_they_are and any(not _ascend(a, b) for a, b in pairwise(self.entries))
        self._only_later = only_later
        for entry in () if as_they_are else entries:
            self._assign(entry)

    @property
    def latest_epoch(self) -> int | None:
        """The highest epoch."""
        return self.entries[-1].epoch if self.entries else None

    def assign(self, epoch: int, start_offset: int) -> None:
        """Take an epoch in; entries it contradicts go."""
        if self._assign(EpochEntry(epoch, start_offset)):
            self.written = True

    def _assign(self, new: EpochEntry) -> bool:
        if self._only_later:
            return self._append(new)
        if new.epoch < 0 or new.start_offset < 0:
            text = f"epoch {new.epoch} from offset {new.start_offset} in leader-epoch-checkpoint"
            raise BrokerAborts("IllegalArgumentException", text, file="leader-epoch-checkpoint")
        if self.entries:
            last = self.entries[-1]
            if new.epoch == last.epoch and new.start_offset >= last.start_offset:
                return False
        if self._is_list:
            self.entries = [one for one in self.entries if one.epoch < new.epoch and one.start_offset < new.start_offset]
        while self.entries and (self.entries[-1].epoch >= new.epoch or self.entries[-1].start_offset >= new.start_offset):
            self.entries.pop()
        self.entries.append(new)
        return True

    def _append(self, new: EpochEntry) -> bool:
        """Take an epoch in after the last one: LeaderEpochFileCache.assign, before 2.0."""
        latest, start = (self.entries[-1].epoch, self.entries[-1].start_offset) if self.entries else (-1, -1)
        if new.epoch >= 0 and new.epoch > latest and new.start_offset >= start:
            self.entries.append(new)
            return True
        if new.epoch < 0:
            raise BrokerAborts("AssertionError", f"leader epoch {new.epoch} from offset {new.start_offset}")
        return False

    def end_offset_for(self, epoch: int, log_end_offset: int, *, floor: bool = True) -> tuple[int, int] | None:
        """What a leader answers to a follower that asks where an epoch ends.

        Args:
            epoch: The epoch asked for.
            log_end_offset: The log's end.
            floor: Whether the answer names the largest epoch up to that one (since 2.0, KIP-279), or tells of the epoch itself.

        Returns:
            An epoch and the offset after its last one; None where nothing is known of it.

        Source: LeaderEpochFileCache.endOffsetFor, Kafka 0.11.0.3, 2.3.1, 4.4.0.
        """
        if epoch == self.latest_epoch:
            return epoch, log_end_offset
        later = next((entry for entry in self.entries if entry.epoch > epoch), None)
        if epoch < 0 or later is None:
            return None
        below = [entry.epoch for entry in self.entries if entry.epoch <= epoch]
        if not floor:
            return (epoch, later.start_offset) if below else None
        return (below[-1] if below else epoch), later.start_offset

    def truncate_from_end(self, end_offset: int) -> None:
        """Drop the epochs that start at or above the log's end."""
        while end_offset >= 0 and self.entries and self.entries[-1].start_offset >= end_offset:
            self.entries.pop()
            self.written = True
            if self._is_list:
                self.entries = [entry for entry in self.entries if entry.start_offset < end_offset]

    def truncate_from_start(self, start_offset: int) -> None:
        """Drop the epochs below the log's start; the last of them is kept and made to start there."""
        if self._only_later:
            self._clear_earliest(start_offset)
            return
        if self._is_list:
            before = [entry for entry in self.entries if entry.start_offset <= start_offset]
            # The last of them goes to the front, wherever it stood.
            self.entries = [*before, *(entry for entry in self.entries if entry.start_offset > start_offset)]
        above = next((at for at, entry in enumerate(self.entries) if entry.start_offset > start_offset), len(self.entries))
        if above:
            self.entries[:above] = [EpochEntry(self.entries[above - 1].epoch, start_offset)]
            self.written = True

    def _clear_earliest(self, start_offset: int) -> None:
        """Drop them as releases before 2.0 do: not while the first entry begins at the log's start or above."""
        if not self.entries or self.entries[0].start_offset >= start_offset:
            return
        below = [entry for entry in self.entries if entry.start_offset < start_offset]
        self.entries = [entry for entry in self.entries if entry.start_offset >= start_offset]
        if not self.entries or start_offset < self.entries[0].start_offset:
            self.entries.insert(0, EpochEntry(below[-1].epoch, start_offset))
        self.written = True

    def clear(self) -> None:
        """Forget all of them."""
        self.entries.clear()
        self.written = True


def _ascend(first: EpochEntry, second: EpochEntry) -> bool:
    return first.epoch <= second.epoch and first.start_offset <= second.start_offset
