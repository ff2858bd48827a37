"""The `.snapshot` files that a start writes, and the producers in them.

A broker writes one with every segment that it recovers. All producers in every one of them would be many times the log, so
each holds what has changed since the one before it, and only one table of all producers is kept for a row of them.
"""

from __future__ import annotations

from typing import NamedTuple

from kafkalog.core.checksum import crc32c
from kafkalog.core.log import Window
from kafkalog.core.producer_snapshot import PRODUCER_ENTRY, SNAPSHOT_HEADER, SNAPSHOT_VERSION, ProducerEntry

__all__ = ["Producer", "ProducerTable", "WrittenSnapshot"]

_CRC_END = SNAPSHOT_HEADER["crc"].end


class Producer(NamedTuple):
    """What is known of a producer: ProducerStateEntry. `open_from` is the first offset of its open transaction.

    `last_offset` is that of its last batch of data under its epoch, -1 for none; it counts before 2.4 only.
    """

    open_from: int | None = None
    epoch: int = -1
    coordinator_epoch: int = -1
    last_offset: int = -1


class ProducerTable:
    """Producers by id, and the first offset of those with an open transaction."""

    __slots__ = ("open", "producers")

    def __init__(self) -> None:
        self.producers: dict[int, Producer] = {}
        self.open: dict[int, int] = {}

    def copy(self) -> ProducerTable:
        """A table of its own."""
        copied = ProducerTable()
        copied.producers, copied.open = self.producers.copy(), self.open.copy()
        return copied

    def put(self, producer_id: int, producer: Producer) -> None:
        """Add or replace a producer."""
        self.producers[producer_id] = producer
        if producer.open_from is None:
            self.open.pop(producer_id, None)
        else:
            self.open[producer_id] = producer.open_from

    def ongoing(self) -> dict[int, int]:
        """First offset → producer id of the open transactions; of several from one offset the last in the file counts."""
        found = {first: producer_id for producer_id, first in self.open.items()}
        if len(found) < len(self.open):
            found = {one.open_from: producer_id for producer_id, one in self.producers.items() if one.open_from is not None}
        return found


class WrittenSnapshot:
    """A `.snapshot` as a source of bytes: they are made when they are asked for.

    Args:
        before: The one it continues; None: it holds all there is.
        changed: The producers that are new or different since.
        table: All of them; the snapshot's own from now on.
    """

    __slots__ = ("_before", "_changed", "_table", "size")

    def __init__(self, before: WrittenSnapshot | None, changed: dict[int, Producer], table: ProducerTable) -> None:
        self._before = before
        self._changed = changed
        self._table: ProducerTable | None = table
        self.size = SNAPSHOT_HEADER.size + len(table.producers) * PRODUCER_ENTRY.size

    def take(self) -> ProducerTable:
        """All producers; the table is the caller's to change, and made again for the next caller."""
        table = self._table or self._put_together()
        self._table = None
        return table

    def _put_together(self) -> ProducerTable:
        row = [self]
        while row[-1]._before is not None and row[-1]._table is None:  # noqa: SLF001 - its own class
            row.append(row[-1]._before)  # noqa: SLF001 - its own class
        whole = row[-1]._table  # noqa: SLF001 - its own class
        table = ProducerTable() if whole is None else whole.copy()
        for one in reversed(row if whole is None else row[:-1]):
            for producer_id, producer in one._changed.items():  # noqa: SLF001 - its own class
                table.put(producer_id, producer)
        return table

    def window(self, position: int, need: int) -> Window:  # noqa: ARG002 - everything is made at once
        """All bytes. They are kafkalog's own, never shown: what loading does not depend on is left out."""
        table = self._table or self._put_together()
        entries = b"".join(
            PRODUCER_ENTRY.pack(
                ProducerEntry(
                    producer_id=producer_id,
                    producer_epoch=one.epoch,
                    last_sequence=-1,
                    last_offset=one.last_offset,
                    offset_delta=0,
                    timestamp=-1,
                    coordinator_epoch=one.coordinator_epoch,
                    current_txn_first_offset=-1 if one.open_from is None else one.open_from,
                )
            )
            for producer_id, one in table.producers.items()
        )
        count = len(table.producers)
        crc = crc32c(SNAPSHOT_HEADER.pack((SNAPSHOT_VERSION, 0, count))[_CRC_END:] + entries)
        return Window(0, SNAPSHOT_HEADER.pack((SNAPSHOT_VERSION, crc, count)) + entries)
