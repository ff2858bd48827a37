"""How far the walk over a log has come: what the next batch is judged by, and what the scan reports of those before it."""

from __future__ import annotations

from kafkalog.verify.rules.shared import BatchSpot, EpochRun

__all__ = ["NO_EPOCH", "WalkState"]

#: Bytes between two of the batches whose place is kept.
_PLACE_INTERVAL = 1 << 20
NO_EPOCH = -1


class WalkState:
    """The state between two batches.

    `expected` is the next offset if nothing is missing, `previous` the batch before: -1 and None before the first batch and
    after damage. `first` and `last` are batches that can be trusted. `epoch` is that of the batch before; `top_epoch` the
    batch with the largest one. `max_timestamp` stands in the batch at `max_position`, whose last offset is `max_offset`;
    `max_full` is the largest of batches that hold records. `places` are last offset and position of a batch in every mebibyte.
    """

    def __init__(self) -> None:
        self.batches = 0
        self.records = 0
        self.expected = -1
        self.previous: BatchSpot | None = None
        self.first: BatchSpot | None = None
        self.last: BatchSpot | None = None
        self.after_damage = False
        self.damaged = False
        #: End of the last batch before the first damage, and its last offset.
        self.valid_position = 0
        self.valid_offset: int | None = None
        #: Base offset of the first batch that only the log cleaner leaves.
        self.compaction_evidence: int | None = None
        self.epoch = NO_EPOCH
        self.top_epoch: BatchSpot | None = None
        self.epochs: list[EpochRun] = []
        self._epoch_first: BatchSpot | None = None
        self._epoch_last: BatchSpot | None = None
        self.max_timestamp = self.max_position = self.max_offset = -1
        self.max_full = -1
        self.any_full = False
        self.places: list[tuple[int, int]] = []

    def known(self) -> dict[str, object]:
        """All of it, but for the places: which are kept depends on the windows in which a log is read."""
        return {name: value for name, value in vars(self).items() if name != "places"}

    # --- ordinary batches ---

    def raise_timestamp(self, spot: BatchSpot) -> None:
        """An ordinary batch has the largest timestamp so far."""
        self.max_timestamp, self.max_position, self.max_offset = spot.max_timestamp, spot.position, spot.last_offset

    def pass_ordinary(self, last: BatchSpot) -> None:
        """Ordinary batches were passed, up to `last`."""
        self.expected = last.last_offset + 1
        self.any_full = True
        self.max_full = max(self.max_full, self.max_timestamp)
        self.previous = self._epoch_last = last
        self._end_with(last)

    def place_before(self, position: int) -> tuple[int, int]:
        """Where the batch before the one at `position` begins and ends."""
        return (position, position) if self.previous is None else (self.previous.position, self.previous.end)

    # --- batches that are judged one by one ---

    def hold_records(self, max_timestamp: int) -> None:
        """A batch holds records."""
        self.any_full = True
        self.max_full = max(self.max_full, max_timestamp)

    def follow_epoch(self, spot: BatchSpot) -> None:
        """A batch has a leader epoch, or none: -1."""
        if spot.epoch != self.epoch:
            self.close_epoch()
            self.epoch = spot.epoch
            self._epoch_first = spot if spot.epoch >= 0 else None
        self._epoch_last = spot
        if spot.epoch >= 0 and (self.top_epoch is None or spot.epoch > self.top_epoch.epoch):
            self.top_epoch = spot

    def close_epoch(self) -> None:
        """The batches of the current epoch are over."""
        first, last = self._epoch_first, self._epoch_last
        if first is not None and last is not None:
            self.epochs.append(
                EpochRun(
                    epoch=first.epoch,
                    first_base=first.base_offset,
                    position=first.position,
                    last_base=last.base_offset,
                    last_offset=last.last_offset,
                )
            )
        self._epoch_first = None

    def follow(self, spot: BatchSpot) -> None:
        """Go on to the end of a batch whose offsets can be trusted."""
        if spot.max_timestamp > self.max_timestamp:
            self.raise_timestamp(spot)
        if self.first is None:
            self.first = spot
        self.previous = spot
        self._end_with(spot)
        self.expected = spot.last_offset + 1

    def _end_with(self, spot: BatchSpot) -> None:
        if spot.position - (self.places[-1][1] if self.places else 0) >= _PLACE_INTERVAL:
            self.places.append((spot.last_offset, spot.position))
        self.last = spot

    # --- damage ---

    def lose_order(self) -> None:
        """The batch just seen does not say what must follow it."""
        self.previous, self.expected = None, -1

    def note_damage(self) -> None:
        """A batch, or bytes that are none, are damaged."""
        if not self.damaged:
            self.damaged = True
            end = self.previous or self.last
            if end is not None:
                self.valid_position, self.valid_offset = end.end, end.last_offset

    def finish(self) -> None:
        """The walk is over."""
        if not self.damaged and self.last is not None:
            self.valid_position, self.valid_offset = self.last.end, self.last.last_offset
