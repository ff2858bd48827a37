"""`.snapshot`: what the broker knew of each producer at an offset."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from kafkalog.core.batch import Damage
from kafkalog.core.checksum import crc32c
from kafkalog.core.layout import INT16, INT32, INT64, UINT32, Layout
from kafkalog.errors import BadLength, Truncated
from kafkalog.span import Span

__all__ = [
    "PRODUCER_ENTRY",
    "SNAPSHOT_HEADER",
    "ProducerEntry",
    "ProducerSnapshot",
    "SnapshotHeader",
    "read_producer_snapshot",
]


class SnapshotHeader(NamedTuple):
    """The fields in front of the entries."""

    version: Annotated[int, INT16, "Version of the file, 1."]
    crc: Annotated[int, UINT32, "CRC-32C of everything after this field, to the end of the file."]
    entry_count: Annotated[int, INT32, "Entries that follow."]


class ProducerEntry(NamedTuple):
    """One producer."""

    producer_id: Annotated[int, INT64, "The producer's id."]
    producer_epoch: Annotated[int, INT16, "Its epoch."]
    last_sequence: Annotated[int, INT32, "Last sequence number of its last data batch, -1 none."]
    last_offset: Annotated[int, INT64, "Last offset of its last data batch, -1 none."]
    offset_delta: Annotated[int, INT32, "lastOffset minus the first offset of that batch."]
    timestamp: Annotated[int, INT64, "Time of its last append, milliseconds."]
    coordinator_epoch: Annotated[int, INT32, "Epoch of the coordinator of its last marker, -1 none."]
    current_txn_first_offset: Annotated[int, INT64, "First offset of its open transaction, -1 none."]


SNAPSHOT_HEADER = Layout(SnapshotHeader)
#: The version of the file that every release writes and reads.
SNAPSHOT_VERSION = 1
PRODUCER_ENTRY = Layout(ProducerEntry)


class ProducerSnapshot(NamedTuple):
    """A whole `.snapshot`. `header` is None when the file is too short for one; `computed_crc` is that of the bytes."""

    header: SnapshotHeader | None
    entries: tuple[ProducerEntry, ...]
    computed_crc: int
    damage: Damage | None

    @property
    def crc_ok(self) -> bool:
        """Whether the stored CRC matches the bytes."""
        return self.header is not None and self.header.crc == self.computed_crc

    @staticmethod
    def span_of_entry(number: int) -> Span:
        """The bytes of entry `number`, counted from 0."""
        start = SNAPSHOT_HEADER.size + number * PRODUCER_ENTRY.size
        return Span(start, start + PRODUCER_ENTRY.size)


def read_producer_snapshot(data: bytes) -> ProducerSnapshot:
    """Read a `.snapshot` file. Never fails; entries are read as far as the bytes go, whatever CRC and version say."""
    computed = crc32c(memoryview(data)[6:])
    if len(data) < SNAPSHOT_HEADER.size:
        span = Span(0, len(data))
        return ProducerSnapshot(None, (), computed, Damage(span, Truncated(SNAPSHOT_HEADER.size, len(data), "header", span)))
    header = SNAPSHOT_HEADER.read(data)
    body = data[SNAPSHOT_HEADER.size :]
    present = len(body) // PRODUCER_ENTRY.size
    entries = tuple(PRODUCER_ENTRY.read_all(body[: max(0, min(header.entry_count, present)) * PRODUCER_ENTRY.size]))
    end = SNAPSHOT_HEADER.size + len(entries) * PRODUCER_ENTRY.size
    damage = None
    if header.entry_count != present or end != len(data):
        error = BadLength(
            header.entry_count, f"{len(body) / PRODUCER_ENTRY.size:g}, by the file's size", "entryCount", Span(6, 10)
        )
        damage = Damage(Span(end, len(data)), error)
    return ProducerSnapshot(header, entries, computed, damage)
