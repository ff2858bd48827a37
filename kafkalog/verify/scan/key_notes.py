"""The keys of the first records of a log that was cleaned, noted while its segments are scanned one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.record_keys import held_key, keys_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kafkalog.core.batch import RecordBatch

__all__ = ["KeyNotes"]


class KeyNotes:
    """Whether no key is there twice: what nearly every log has that was cleaned, so that it need not be read again.

    Args:
        below: The offset that the cleaner reached: batches that reach it are not noted.
        most: Records from which on no more are noted.
    """

    def __init__(self, below: int, most: int) -> None:
        self.below = below
        self._left = most
        self._seen: set[bytes] = set()
        self._are_known = True

    @property
    def wants_more(self) -> bool:
        """Whether the keys of the next records matter."""
        return self._are_known and self._left > 0

    @property
    def are_different(self) -> bool:
        """Whether all keys are known, and none of them is there twice."""
        return self._are_known

    def give_up(self) -> None:
        """Some keys are not known, or cannot be noted: the log has to be read for them."""
        self._are_known = False
        self._seen.clear()

    def end(self) -> None:
        """The keys of what follows do not matter."""
        self._left = 0

    def note(self, keys: Sequence[bytes]) -> None:
        """Note keys of records, as they are held."""
        before = len(self._seen)
        self._seen.update(keys)
        self._left -= len(keys)
        if len(self._seen) - before < len(keys):
            self.give_up()

    def note_batch(self, batch: RecordBatch) -> None:
        """Note the keys of a batch, unless it reaches what the cleaner did not; that comes after everything that it did."""
        if batch.is_control or not self.wants_more:
            return
        if batch.last_offset >= self.below:
            self.end()
        else:
            self.note([held_key(key) for key in keys_of(batch)[1] if key is not None])
