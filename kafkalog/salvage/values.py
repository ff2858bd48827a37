"""What a salvage kept, what it left out, and what became of it, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kafkalog.errors import UnreadableFile
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.span import Span

__all__ = [
    "COPY",
    "DAMAGE",
    "DIVERGED",
    "NOT_WANTED",
    "SUPERSEDED",
    "UNREAD",
    "DoubtfulTransaction",
    "Flip",
    "GoneRange",
    "Kept",
    "LeftOut",
    "PartitionSalvage",
    "Salvage",
    "WrittenFile",
]

#: Kinds of what is left out: bytes that are no sound batch; the same batch once more; what another batch takes the place of;
#: what a leader with another history throws away; what was not asked for; what the system did not read.
DAMAGE, COPY, SUPERSEDED, DIVERGED = "damage", "copy", "superseded", "diverged"
NOT_WANTED, UNREAD = "not-wanted", "unread"


class Flip(NamedTuple):
    """A bit that was set back: byte position in the source, bit (0 is the lowest), base offset of the batch."""

    position: int
    bit: int
    offset: int


class Kept(NamedTuple):
    """Batches that stand one after the other, in the source and in the new log.

    Args:
        path: The new `.log`.
        span: Their bytes in it.
        source_path: The `.log` they are from.
        source_span: Their bytes in that.
        offsets: First and last offset.
        epoch: Their leader epoch; None in magic 0 and 1, -1 where there was none.
        batches: How many they are.
        records: How many records they hold.
        sha256: Of their bytes as they were written, hexadecimal.
        flips: The bits that were set back in them.
    """

    path: str
    span: Span
    source_path: str
    source_span: Span
    offsets: tuple[int, int]
    epoch: int | None
    batches: int
    records: int
    sha256: str
    flips: tuple[Flip, ...] = ()


class LeftOut(NamedTuple):
    """Bytes of a source that are not in the new log.

    Args:
        path: The `.log` they are in.
        span: The bytes; of what cannot be read none, at the place where that begins.
        offsets: First and last offset that they can hold; the last is None where it is not known; None: they hold none.
        kind: Which kind it is: `damage`, `copy`, `superseded`, `diverged`, `not-wanted` or `unread`.
        reason: Why, in words.
        is_covered: Whether the new log has all these offsets all the same.
    """

    path: str
    span: Span
    offsets: tuple[int, int | None] | None
    kind: str
    reason: str
    is_covered: bool = False


class GoneRange(NamedTuple):
    """Offsets that the new log lacks although the old one had them; `last` is None where it is not known how far they went.

    `is_certain`: the log cleaner cannot have removed them.
    """

    first: int
    last: int | None
    reason: str
    is_certain: bool = True


class WrittenFile(NamedTuple):
    """A file of the new directory: its path, bytes, and their SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


class DoubtfulTransaction(NamedTuple):
    """A transaction with records before lost offsets, and an end after them that may not be its own.

    Args:
        producer_id: Whose it is.
        first_offset: Where it begins.
        end_offset: Of the marker that ends it in the new log.
        committed: What that marker says.
        lost: First and last of the lost offsets in between.
    """

    producer_id: int
    first_offset: int
    end_offset: int
    committed: bool
    lost: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionSalvage:
    """A partition that was salvaged.

    Args:
        path: The new directory.
        sources: The directories (or the file) it is from: the one that was given, then its replicas.
        topic: The topic; None when the directory's name does not tell.
        partition: The partition's number; None likewise.
        topic_id: As in the new `partition.metadata`; None: there is none.
        release: Whose way of writing the files beside the logs it was, `X.Y.Z`.
        index_interval_bytes: The distance of index entries.
        kept: What is in the new logs, in their order.
        left_out: What is not.
        gone: Offsets that are not there, ascending.
        files: Every file of the new directory, by name.
        open_transactions: Those that no marker in the new log ends.
        doubtful: Those that may have got the end of another one.
        log_start_offset: Of the new log.
        log_end_offset: The same.
        deleted_below: The log start offset by the checkpoint of the source's log dir, where it is above that of the new log.
        problems: Why the new directory is not as it should be; empty: verify and the predicted starts find nothing.
        notes: What else to know, in words.
    """

    path: str
    sources: tuple[str, ...]
    topic: str | None
    partition: int | None
    topic_id: str | None
    release: str
    index_interval_bytes: int
    kept: tuple[Kept, ...]
    left_out: tuple[LeftOut, ...]
    gone: tuple[GoneRange, ...]
    files: tuple[WrittenFile, ...]
    open_transactions: tuple[OpenTransaction, ...]
    doubtful: tuple[DoubtfulTransaction, ...]
    log_start_offset: int
    log_end_offset: int
    deleted_below: int | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """Records kept."""
        return sum(run.records for run in self.kept)

    @property
    def batches(self) -> int:
        """Batches kept."""
        return sum(run.batches for run in self.kept)

    @property
    def bytes(self) -> int:
        """Bytes of them."""
        return sum(run.span.size for run in self.kept)

    @property
    def missing(self) -> tuple[LeftOut, ...]:
        """What was left out and is nowhere in the new log, though it was asked for."""
        return tuple(one for one in self.left_out if not one.is_covered and one.kind not in (COPY, NOT_WANTED))

    @property
    def is_whole(self) -> bool:
        """Whether everything is there that the sources had."""
        return not self.missing and not any(gone.is_certain for gone in self.gone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvage:
    """What a run of `salvage` did.

    Args:
        path: The new directory; with `.partial` at its end while it is not accepted.
        manifest: The path of the manifest; the same.
        partitions: Each partition.
        unread: What could not be read.
        notes: What was left aside, in words.
        is_log_dir: Whether the new directory holds partition directories, and is not one itself.
        logs_only: Whether only logs were written.
    """

    path: str
    manifest: str
    partitions: tuple[PartitionSalvage, ...]
    unread: tuple[UnreadableFile, ...] = ()
    notes: tuple[str, ...] = ()
    is_log_dir: bool = False
    logs_only: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether verify and the predicted starts find nothing wrong with what was written."""
        return not any(one.problems for one in self.partitions)

    @property
    def is_whole(self) -> bool:
        """Whether everything is there that the sources had."""
        return not self.unread and all(one.is_whole for one in self.partitions)

    def __repr__(self) -> str:
        records = sum(one.records for one in self.partitions)
        state = "" if self.is_accepted else ", not accepted"
        return f"Salvage({self.path!r}, {len(self.partitions)} partitions, {records} records{state})"
