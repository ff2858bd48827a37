"""Subjects and words that several rules modules share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.verify.finding import Severity

if TYPE_CHECKING:
    from kafkalog.core.batch import RecordBatch
    from kafkalog.core.log import Batch
    from kafkalog.core.properties import PartitionMetadata
    from kafkalog.span import Padding, Span


#: Why a controller's metadata proves what it says of a broker's log dir, or does not; by whether it covers the broker's stop.
WEIGHT_OF_METADATA = {True: "it covers the broker's stop", False: "a copy of another moment may say so, too"}


def beyond_end(*, clean: bool | None, confirmed: bool) -> tuple[Severity, str]:
    """What it means that a file goes further than the log, and how bad that is.

    Args:
        clean: Whether the broker was stopped cleanly.
        confirmed: Whether the recovery point of that stop is the log's end.
    """
    if not clean:
        return Severity.INFO, "None after a crash: the file was written before the end of the log reached the disk."
    if confirmed:
        return Severity.WARNING, "The log is whole by its recovery point: this file is what is wrong."
    return Severity.ERROR, "After the clean stop the log has lost its end."


def segment_path(sibling: str, base: int) -> str:
    """Path of the log of a base offset, beside another one."""
    folder, slash, _ = sibling.rpartition("/")
    return f"{folder}{slash}{base:020d}.log"


class BatchSpot(NamedTuple):
    """Where a batch is and which offsets it covers; `epoch` is -1 when it has none."""

    position: int
    end: int
    base_offset: int
    last_offset: int
    epoch: int
    max_timestamp: int


def spot_of(batch: RecordBatch) -> BatchSpot:
    """Where a batch of magic 2 is, and what its header says of its offsets."""
    header = batch.header
    return BatchSpot(
        position=batch.position,
        end=batch.position + batch.size,
        base_offset=header.base_offset,
        last_offset=batch.last_offset,
        epoch=header.partition_leader_epoch,
        max_timestamp=header.max_timestamp,
    )


class EpochRun(NamedTuple):
    """Batches in a row with the same leader epoch, by offsets and positions."""

    epoch: int
    first_base: int
    position: int
    last_base: int
    last_offset: int


class MissingOffsets(NamedTuple):
    """Offsets `first` to `last` that are missing between two batches of a segment, and the bytes of both."""

    path: str
    span: Span
    first: int
    last: int


class BatchStep(NamedTuple):
    """A batch after its predecessor in the segment (None: it is the first, or there is damage between).

    `expected` is the offset that follows the predecessor's, -1 when there is none. `top_epoch` is the batch with the
    largest leader epoch before it. `kraft`: a batch of the metadata log or of one of its snapshots, whose epoch is then
    `snapshot_epoch`. `crc_ok` is its own checksum; a batch with a wrong one proves nothing by its other fields:
    `lost` are then the offsets that it took, by its neighbours, None when these do not tell either. `compacted`: something
    says that the log was compacted. `stored_base`: the base offset in the file, where its neighbours prove that it is another
    one, that of `batch` and `spot`; None otherwise. `limit` is the offset at which the batch or segment after it begins, None
    where that is not known or the batch follows its predecessor without a hole. `zeros` is a run of zeros that begins in a
    batch with a wrong checksum, in words; "" where there is none.
    """

    path: str
    batch: Batch
    spot: BatchSpot
    previous: BatchSpot | None
    expected: int
    segment_base: int
    top_epoch: BatchSpot | None
    kraft: bool
    snapshot_epoch: int | None
    crc_ok: bool
    first: bool
    compacted: bool
    lost: tuple[int, int] | None
    stored_base: int | None = None
    limit: int | None = None
    zeros: str = ""


class Hole(NamedTuple):
    """Entries of zeros before others: the first such run, entries `number` to `end` - 1, and how many there are in all.

    `page`: a whole page of the file, 4 KiB, is zeros there.
    """

    number: int
    end: int
    zeros: int
    page: bool


class IndexEnd(NamedTuple):
    """A `.index` or `.timeindex` as a whole, after all of its entries have been seen.

    `others` counts entries that are the last offset of an append of several batches or the first offset of one.
    `log_is_sound`: nothing is wrong with the segment's `.log`.
    """

    path: str
    log_path: str
    kind: str
    size: int
    entry_size: int
    entries: int
    padding: Padding | None
    leftover: Span | None
    hole: Hole | None
    active: bool
    clean: bool | None
    mark: str
    sibling_size: int | None
    sibling_padded: bool
    others: int
    first_other: int | None
    log_is_sound: bool


class PartitionMetadataFile(NamedTuple):
    """`partition.metadata`, or its absence; `kraft` is None when nothing shows it whether the broker wanted one."""

    path: str
    metadata: PartitionMetadata | None
    size: int
    canonical: bool
    kraft: bool | None
    log_only: bool
    mark: str
    metadata_log: bool
