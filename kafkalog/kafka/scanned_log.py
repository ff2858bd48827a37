"""What a scan has found in a `.log`, so that the model of its recovery need not read the same batches again."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import ItemsView, Iterator

    from kafkalog.core.checkpoint import EpochEntry

__all__ = ["NO_LOGS", "PackedLogs", "ScannedEvent", "ScannedLog", "ScannedProducers"]


class ScannedEvent(NamedTuple):
    """Batches in a row of one producer, or a transaction marker of that producer.

    Args:
        producer_id: The producer.
        offset: Base offset of the first of them.
        position: Its place in the file, in bytes.
        last_position: That of the last of them.
        is_transactional: Whether the batches belong to a transaction.
        marker: ABORT or COMMIT; None for data.
        last_marker: The place of the last marker of several transactions that are told together; -1: these are not several.
    """

    producer_id: int
    offset: int
    position: int
    last_position: int
    is_transactional: bool
    marker: int | None
    last_marker: int = -1


class ScannedProducers(NamedTuple):
    """Producers that wrote outside of transactions, and nothing else of which the order counts.

    Args:
        first_offsets: Base offset of the first batch of each, by producer id.
        position: The place of the first of all, in bytes.
        last_position: That of the last one.
    """

    first_offsets: dict[int, int]
    position: int
    last_position: int

    @property
    def events(self) -> Iterator[ScannedEvent]:
        """One event of each."""
        for producer_id, offset in self.first_offsets.items():
            yield ScannedEvent(producer_id, offset, self.position, self.last_position, is_transactional=False, marker=None)


class ScannedLog(NamedTuple):
    """The sound start of a `.log`: batches of magic 2 alone, checksums right, offsets ascending and fit for the indexes.

    Args:
        end: Bytes; what follows them was not scanned.
        places: (last offset, position) of batches here and there, ascending; the last batch is the last of them.
        epochs: The leader epochs, each with the base offset of the first batch that has it.
        events: What producers did, in the order of the log.
        inode: Of the file: another one may have taken its place since.
        are_records_sound: Whether the records of all batches were read, and nothing is to be said of them.
    """

    end: int
    places: tuple[tuple[int, int], ...]
    epochs: tuple[EpochEntry, ...]
    events: tuple[ScannedEvent | ScannedProducers, ...]
    inode: int = 0
    are_records_sound: bool = False

    @property
    def events_held(self) -> int:
        """How many events there are, one of each producer."""
        return sum(len(event.first_offsets) if isinstance(event, ScannedProducers) else 1 for event in self.events)

    def events_between(self, start: int, end: int) -> list[ScannedEvent] | None:
        """The events of a byte range; None when that is not all of them that matter there."""
        if end > self.end:
            return None
        found: list[ScannedEvent] = []
        for event in self.events:
            one_by_one = event.events if isinstance(event, ScannedProducers) else (event,)
            last = event.last_position if isinstance(event, ScannedProducers) else event.last_marker
            if event.position < start <= event.last_position or event.position < end <= last:
                return None
            if start <= event.position < end:
                found += one_by_one
        return found


class PackedLogs(Mapping[str, ScannedLog]):
    """Name of a `.log` → what a scan has found in it; of a directory.

    There are thousands of directories from the scan to the prediction, which may be in another process. So they are kept
    packed, in a seventh of the memory. Each question unpacks all of them: who has several makes a dict of `items()`.

    Args:
        logs: The same as a dict.
    """

    __slots__ = ("_packed", "events")

    def __init__(self, logs: Mapping[str, ScannedLog]) -> None:
        #: How many events of producers they have.
        self.events = sum(log.events_held for log in logs.values())
        self._packed = pickle.dumps(dict(logs))

    def _logs(self) -> dict[str, ScannedLog]:
        logs: dict[str, ScannedLog] = pickle.loads(self._packed)  # noqa: S301 - packed above
        return logs

    def items(self) -> ItemsView[str, ScannedLog]:
        """All of them, unpacked once."""
        return self._logs().items()

    def __getitem__(self, name: str) -> ScannedLog:
        return self._logs()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._logs())

    def __len__(self) -> int:
        return len(self._logs())


NO_LOGS = PackedLogs({})
