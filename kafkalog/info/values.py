"""What `describe` gives: frozen values, which the text and the JSON lines show under the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003 - types of fields
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Description", "IndexInfo", "LogDirInfo", "NotRead", "OpenTransactionInfo", "PartitionInfo", "SegmentInfo"]


class NotRead(NamedTuple):
    """A path that could not be read, and why."""

    path: str
    reason: str


class IndexInfo(NamedTuple):
    """A file beside a `.log`: its bytes, and how many of its entries are in use (None: it could not be read)."""

    size: int | None
    entries: int | None


class OpenTransactionInfo(NamedTuple):
    """A transaction that no marker has ended yet; `last_timestamp` is that of the producer's last append, milliseconds."""

    producer_id: int
    producer_epoch: int
    first_offset: int
    last_timestamp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentInfo:
    """A segment.

    Args:
        path: Its `.log`; another of its files when that is missing.
        base_offset: From the file names.
        first_offset: Base offset of its first batch; None: there is none, or it cannot be read.
        last_offset: Last offset of its last batch; None: there is none, or it was not found without a scan.
        is_scanned: Whether all its batches were gone over; else its first batch and those after the last index entry.
        batches: How many; None when not scanned.
        records: How many, by the headers; None when not scanned, or when wrappers of magic 0 or 1 would have to be opened.
        size: Bytes of the `.log`; None when it is missing.
        files_size: Bytes of all its files.
        bytes_not_read: Bytes of the `.log` between the ends.
        oldest_timestamp: Least timestamp in the headers that were read, milliseconds; None: there is none.
        newest_timestamp: Largest one in these headers and at the end of the `.timeindex`, milliseconds; None: there is none.
        codecs: Codec → batches with it, of those that were read.
        magics: Message format versions of these, ascending.
        epochs: Leader epochs of the first and of the last batch; None before magic 2.
        modified: When the `.log` was last written to, milliseconds; None when it is missing.
        indexes: Suffix → what is known of that file: `.index`, `.timeindex`, `.txnindex`, `.snapshot`.
        open_transactions: How many of the partition's open transactions begin here.
        bad_crcs: Batches with a wrong CRC, of those that were read.
        damaged_bytes: Bytes that are no batch, where it was read.
        padding: Zero bytes at its end.
        problems: What is odd or could not be read, a sentence each.
    """

    path: str
    base_offset: int
    first_offset: int | None = None
    last_offset: int | None = None
    is_scanned: bool = False
    batches: int | None = None
    records: int | None = None
    size: int | None = None
    files_size: int = 0
    bytes_not_read: int = 0
    oldest_timestamp: int | None = None
    newest_timestamp: int | None = None
    codecs: Mapping[str, int] = field(default_factory=dict)
    magics: tuple[int, ...] = ()
    epochs: tuple[int, int] | None = None
    modified: int | None = None
    indexes: Mapping[str, IndexInfo] = field(default_factory=dict)
    open_transactions: int = 0
    bad_crcs: int = 0
    damaged_bytes: int = 0
    padding: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionInfo:
    """A partition directory, or the part of one that a file is.

    Args:
        path: The directory.
        topic: From its name; None when that does not parse.
        partition: The number, from its name; None when that does not parse.
        mark: `delete`, `future` or `stray`, from its name; "" for one in use.
        topic_id: From `partition.metadata`; None when that is missing or cannot be read.
        log_start_offset: The log dir's checkpoint, or the first segment's base offset if that is higher; None: no segment.
        log_end_offset: After the last batch, or an empty last segment's base offset; None: no segment, or it cannot be read.
        high_watermark: From the log dir's checkpoint; None: no line there.
        recovery_point: As `high_watermark`.
        segments: Its segments, ascending.
        leader_epochs: Lines of `leader-epoch-checkpoint`; None when that is missing or cannot be read.
        open_transactions: Transactions that are open at `open_transactions_at`.
        open_transactions_at: Up to which offset these are known; None: no snapshot tells, and nothing was scanned.
        pending: Files marked `.deleted`, `.cleaned` or `.swap`, and parts of snapshots.
        snapshots: Snapshots of the metadata log (`.checkpoint`).
        others: Names of files and folders that are not Kafka's.
        files_size: Bytes of all files in the directory.
        problems: What is odd or could not be read, a sentence each.
    """

    path: str
    topic: str | None = None
    partition: int | None = None
    mark: str = ""
    topic_id: str | None = None
    log_start_offset: int | None = None
    log_end_offset: int | None = None
    high_watermark: int | None = None
    recovery_point: int | None = None
    segments: tuple[SegmentInfo, ...] = ()
    leader_epochs: int | None = None
    open_transactions: tuple[OpenTransactionInfo, ...] = ()
    open_transactions_at: int | None = None
    pending: int = 0
    snapshots: int = 0
    others: tuple[str, ...] = ()
    files_size: int = 0
    problems: tuple[str, ...] = ()

    @property
    def records(self) -> int | None:
        """Records of all segments; None when those of one are not known."""
        return _sum(segment.records for segment in self.segments)

    @property
    def batches(self) -> int | None:
        """Batches of all segments; None when those of one are not known."""
        return _sum(segment.batches for segment in self.segments)

    @property
    def size(self) -> int:
        """Bytes of all `.log` files."""
        return sum(segment.size or 0 for segment in self.segments)

    @property
    def bytes_not_read(self) -> int:
        """Bytes of the `.log` files that were not read."""
        return sum(segment.bytes_not_read for segment in self.segments)

    @property
    def oldest_timestamp(self) -> int | None:
        """Least timestamp of its segments, milliseconds; None: there is none."""
        return min((s.oldest_timestamp for s in self.segments if s.oldest_timestamp is not None), default=None)

    @property
    def newest_timestamp(self) -> int | None:
        """Largest timestamp of its segments, milliseconds; None: there is none."""
        return max((s.newest_timestamp for s in self.segments if s.newest_timestamp is not None), default=None)

    @property
    def modified(self) -> int | None:
        """When a `.log` was last written to, milliseconds; None: there is none."""
        return max((s.modified for s in self.segments if s.modified is not None), default=None)

    @property
    def codecs(self) -> Mapping[str, int]:
        """Codec → batches with it, of those that were read."""
        found: dict[str, int] = {}
        for segment in self.segments:
            for codec, count in segment.codecs.items():
                found[codec] = found.get(codec, 0) + count
        return found

    @property
    def magics(self) -> tuple[int, ...]:
        """Message format versions of the batches that were read, ascending."""
        return tuple(sorted({magic for segment in self.segments for magic in segment.magics}))

    @property
    def epochs(self) -> tuple[int, int] | None:
        """Leader epochs of the first and of the last batch; None before magic 2."""
        known = [segment.epochs for segment in self.segments if segment.epochs is not None]
        return (known[0][0], known[-1][1]) if known else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDirInfo:
    """A log dir by itself.

    Args:
        path: The directory.
        cluster_id: From `meta.properties`, as the next two; None for what that does not say.
        node_id: `node.id` or `broker.id`, as it is written.
        directory_id: The log dir's own id, since 3.7.
        written: When `meta.properties` was written, as its comment says.
        kraft: Whether the broker runs with KRaft; None: nothing shows it.
        releases: As which release `next-start` would take it; several when the era is open.
        evidence: What these two are taken from.
        clean_stop: Whether the broker was stopped cleanly; None: nothing shows that this is a whole log dir.
        is_in_use: Whether an active segment is preallocated although there was no clean stop: it was running, or was killed.
        checkpoints: Checkpoint file → entries in it; None: it is missing, or cannot be read.
        others: Names of files and folders that are not Kafka's.
        problems: What is odd or could not be read, a sentence each.
    """

    path: str
    cluster_id: str | None = None
    node_id: str | None = None
    directory_id: str | None = None
    written: str | None = None
    kraft: bool | None = None
    releases: tuple[str, ...] = ()
    evidence: str = ""
    clean_stop: bool | None = None
    is_in_use: bool = False
    checkpoints: Mapping[str, int | None] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is at a path.

    Args:
        path: The path.
        kind: `log dir`, `partition directory` or `file`.
        log_dir: The log dir by itself; of a partition directory the one around it, None where there is none.
        partitions: Its partitions by name.
        is_full: Whether all batches were gone over; else the ends of the logs.
        not_read: What could not be read.
    """

    path: str
    kind: str
    log_dir: LogDirInfo | None = None
    partitions: tuple[PartitionInfo, ...] = ()
    is_full: bool = False
    not_read: tuple[NotRead, ...] = ()

    @property
    def segments(self) -> int:
        """How many segments."""
        return sum(len(partition.segments) for partition in self.partitions)

    @property
    def records(self) -> int | None:
        """Records of all partitions; None when those of one are not known."""
        return _sum(partition.records for partition in self.partitions)

    @property
    def size(self) -> int:
        """Bytes of all `.log` files."""
        return sum(partition.size for partition in self.partitions)

    @property
    def files_size(self) -> int:
        """Bytes of all files in its partition directories."""
        return sum(partition.files_size for partition in self.partitions)

    @property
    def bytes_not_read(self) -> int:
        """Bytes of the `.log` files that were not read."""
        return sum(partition.bytes_not_read for partition in self.partitions)

    @property
    def open_transactions(self) -> int:
        """How many transactions are known to be open."""
        return sum(len(partition.open_transactions) for partition in self.partitions)


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total
