"""Rules about a partition as a whole: its segments in a row, and `partition.metadata`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.next_start.index_advice import KEEP_OF_REPLACED
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import COMPARE, RESTORE, SEEK, WRITE_TOPIC_ID
from kafkalog.verify.rule import rule
from kafkalog.verify.rules.shared import PartitionMetadataFile, segment_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.kafka.named_ends import NamedEnd
    from kafkalog.verify.rules.shared import BatchSpot


class SegmentStep(NamedTuple):
    """A segment after the one before it; `path` is its `.log`, the spots are None when there are no batches.

    `cut`: who names a record of the segment before after its last one, None when nobody does. `compacted`: the log was
    compacted. `in_use`: the broker may have been running while it was copied.
    """

    path: str
    base: int
    size: int
    first: BatchSpot | None
    previous_path: str
    previous_base: int
    previous_last: BatchSpot | None
    previous_size: int
    previous_torn: bool
    cut: NamedEnd | None
    compacted: bool
    in_use: bool
    top_epoch: int
    top_epoch_path: str
    active: bool


_MOST_LOG_SIZE = 0x7FFFFFFF


# --- the log of another place ---


class ReplacedLog(NamedTuple):
    """A `.log` that is sound and does not fit what lies beside it.

    `offsets` are those that the log of this place had, None where the last one is not known. `misfits`: why it is another
    one, in words. `witnesses`: what else does not fit.
    """

    path: str
    size: int
    offsets: tuple[int, int] | None
    misfits: str
    witnesses: tuple[str, ...]


@rule(
    "log-replaced",
    Severity.ERROR,
    on=ReplacedLog,
    message="this is another log: {misfits}, and {witnesses}",
    consequence="The records of this segment are gone; in their place consumers get those of another partition, or of another "
    "time of this one.",
    remedy=f"{KEEP_OF_REPLACED} {RESTORE} {SEEK}",
    source="LogSegment.append, OffsetIndex, TimeIndex (Kafka 3.9.1)",
    proof="log-of-another-partition",
    near_miss="index-swapped",
    loses="gone",
    invariants="D2 E5 F5",
)
def log_replaced(log: ReplacedLog) -> Iterator[Hit]:
    """A `.log` whose batches are all sound, but whose two indexes do not fit it, or all of whose offsets are before its name.

    Nor do its neighbours or snapshots fit.

    It was copied from another partition, or from another time of this one. What its indexes and neighbours lead to is told
    under it.
    """
    yield Hit(
        Span(0, log.size),
        log.offsets,
        misfits=log.misfits,
        witnesses=" and ".join(log.witnesses),
        offsets_unknown=None if log.offsets is not None else "nothing tells how far the log of this segment went",
    )


# --- before the first segment ---


class MissingStart(NamedTuple):
    """Offsets from `first` to `last` that a log had before its first segment, the `.log` at `path`, and who tells of them."""

    path: str
    first: int
    last: int
    witness: str


@rule(
    "first-segment-missing",
    Severity.ERROR,
    on=MissingStart,
    message="offsets {first} to {last} are gone: {witness} tells of them, the log begins after them, and there is no {file}",
    consequence="{count} offsets are not in this log. Neither retention nor DeleteRecords leaves that.",
    remedy=f"{RESTORE} {SEEK}",
    source="UnifiedLog.maybeIncrementLogStartOffset, LeaderEpochFileCache.truncateFromStart (Kafka 0.11 to 4.3)",
    proof="first-segment-deleted",
    near_miss="first-segment-and-its-epoch-deleted",
    loses="gone",
    invariants="I8",
)
def first_segment_missing(start: MissingStart) -> Iterator[Hit]:
    """Something tells of offsets before the first segment, after a clean stop.

    When retention or DeleteRecords move the start of a log, the epochs and the recorded log start below it go with it, and all
    files of a segment go together. Logs that may begin in remote storage are left alone, and so are directories where a
    segment is being swapped in.
    """
    yield Hit(
        None,
        (start.first, start.last),
        first=start.first,
        last=start.last,
        witness=start.witness,
        file=segment_path(start.path, start.first),
        count=start.last - start.first + 1,
    )


# --- segments in a row ---


@rule(
    "segment-overlap",
    Severity.ERROR,
    on=SegmentStep,
    message="{file} goes up to offset {last}, this segment begins at {base}",
    consequence="Offsets {base} to {last} are there twice: readers get the one or the other, recovery may refuse the log.",
    remedy=RESTORE,
    source="LogSegments, LogLoader (Kafka 3.9.1)",
    proof="segment-renamed-lower",
    near_miss="middle-segment-deleted",
    invariants="D2",
)
def segment_overlap(step: SegmentStep) -> Iterator[Hit]:
    """A segment holds offsets that belong to the next one, by its name."""
    last = step.previous_last
    if last is not None and last.last_offset >= step.base:
        yield Hit(
            Span(0, min(step.size, BATCH_HEADER.size)),
            (step.base, last.last_offset),
            file=step.previous_path,
            last=last.last_offset,
            base=step.base,
        )


@rule(
    "segment-gap",
    Severity.ERROR,
    on=SegmentStep,
    message="offsets {first} to {last} are gone: {before} {ends}, this segment begins at {base}, and {file} {says}",
    consequence="{count} offsets hold no record: {what}",
    if_cleaned="{count} offsets hold no record. The log cleaner may have removed them; if it never ran here, a segment is "
    "missing, or the end of one.",
    remedy=f"{RESTORE} {SEEK}",
    source="UnifiedLog.roll (Kafka 3.9.1)",
    proof="middle-segment-deleted",
    near_miss="compacted-gap",
    history=True,
    loses="gone",
    invariants="D3",
)
def segment_gap(step: SegmentStep) -> Iterator[Hit]:
    """A segment does not start where the one before it ends.

    The log cleaner leaves such holes, but it writes a segment's indexes with it: what they name after its end was cut off.
    """
    last = None if step.previous_last is None else step.previous_last.last_offset
    # Offsets before the name of a segment are those of the segment before it.
    end = max(step.previous_base, step.previous_base if last is None else last + 1)
    if not step.previous_torn and step.base > end:
        yield Hit(
            Span(0, min(step.size, BATCH_HEADER.size)),
            (end, step.base - 1),
            first=end,
            last=step.base - 1,
            before=step.previous_path,
            ends="is empty" if last is None else f"ends at offset {last}",
            file=segment_path(step.path, end) if step.cut is None else step.cut.path,
            says="is not there" if step.cut is None else step.cut.says,
            base=step.base,
            count=step.base - end,
            what=_what_is_missing(step),
            proven=True if step.cut is not None else None,
        )


def _what_is_missing(step: SegmentStep) -> str:
    """What a hole between segments means."""
    if step.cut is None:
        return "a segment is missing, or the end of one. No log cleaner has been here that could have removed them."
    what = "the end of the segment before is cut off."
    if step.compacted and step.in_use:
        what += " Or the files were copied one by one while the log cleaner replaced them."
    return what


@rule(
    "segment-epoch-decreases",
    Severity.WARNING,
    on=SegmentStep,
    message="the first batch has leader epoch {epoch}; {file} has batches of epoch {before}",
    consequence="The epoch of a log never goes down. Followers that ask for the end of an epoch get a wrong answer.",
    remedy=f"The checksum does not cover the field. {COMPARE}",
    source="LeaderEpochFileCache.assign (Kafka 3.9.1)",
    proof="segment-epoch-lower",
    near_miss="epoch-rises-in-the-last-segment",
    invariants="C8",
)
def segment_epoch_decreases(step: SegmentStep) -> Iterator[Hit]:
    """A segment begins with an older leader epoch than a segment before it holds."""
    first = step.first
    if first is not None and 0 <= first.epoch < step.top_epoch:
        yield Hit(
            BATCH_HEADER.span_of("partition_leader_epoch", first.position),
            (first.base_offset, first.last_offset),
            epoch=first.epoch,
            before=step.top_epoch,
            file=step.top_epoch_path,
        )


@rule(
    "segment-empty",
    Severity.INFO,
    on=SegmentStep,
    message="{file} holds nothing, though it is not the last segment",
    consequence="{effect}",
    remedy="{advice}",
    source="LogCleaner (Kafka 3.9.1)",
    proof="segment-emptied",
    near_miss="empty-segment-without-indexes",
    invariants="D4",
)
def segment_empty(step: SegmentStep) -> Iterator[Hit]:
    """A closed segment has 0 bytes."""
    if step.previous_size == 0:
        effect, advice = "None: the log cleaner left nothing of it.", "Nothing to do."
        if not step.compacted:
            effect, advice = "None for what is in the other segments. Nothing shows that a log cleaner emptied it.", COMPARE
        yield Hit(Span(0, 0), None, path=step.previous_path, file=step.previous_path, effect=effect, advice=advice)


@rule(
    "segment-too-large",
    Severity.ERROR,
    on=SegmentStep,
    message="{size} bytes; Kafka opens no log of more than 2147483647",
    consequence="The broker does not start.",
    remedy=RESTORE,
    source="FileRecords (Kafka 3.9.1)",
    proof="sparse-3-gib",
    near_miss="log-of-2-gib-but-one",
    invariants="C11",
)
def segment_too_large(step: SegmentStep) -> Iterator[Hit]:
    """The `.log` is larger than positions of 31 bits can address."""
    if step.size > _MOST_LOG_SIZE:
        yield Hit(Span(0, step.size), None, size=step.size)


# --- partition.metadata ---


@rule(
    "partition-metadata-malformed",
    Severity.ERROR,
    on=PartitionMetadataFile,
    message="{reason}",
    consequence="The broker takes the log dir offline or does not start.",
    remedy=WRITE_TOPIC_ID,
    source="PartitionMetadataFile.PartitionMetadataReadBuffer (Kafka 3.9.1)",
    proof="metadata-zero-id",
    near_miss="metadata-final-newline",
    invariants="K11",
)
def partition_metadata_malformed(file: PartitionMetadataFile) -> Iterator[Hit]:
    """`partition.metadata` cannot be read, or holds the id of no topic."""
    if file.metadata is not None and file.metadata.damage is not None:
        yield Hit(Span(0, file.size), None, reason=file.metadata.damage.reason)


@rule(
    "partition-metadata-edited",
    Severity.WARNING,
    on=PartitionMetadataFile,
    message="the file can be read, but Kafka writes it otherwise: {size} bytes",
    consequence="None for the broker. Somebody or something else than a broker wrote it.",
    remedy="Compare the topic id with that of the controller (`kafka-topics.sh --describe`).",
    source="PartitionMetadata.encode (Kafka 3.9.1)",
    proof="metadata-final-newline",
    near_miss="metadata-of-windows",
    invariants="K11",
)
def partition_metadata_edited(file: PartitionMetadataFile) -> Iterator[Hit]:
    """A further line, another version or a line break at the end show that no broker wrote the file."""
    if file.metadata is not None and file.metadata.damage is None and not file.canonical:
        yield Hit(Span(0, file.size), None, size=file.size)


@rule(
    "partition-metadata-missing",
    Severity.INFO,
    on=PartitionMetadataFile,
    message="there is no partition.metadata",
    consequence="A KRaft broker of 3.7.1 or later takes the directory for a stray one, renames it and makes an empty "
    "partition. With ZooKeeper it is normal.",
    remedy=WRITE_TOPIC_ID,
    source="LogManager.isStrayKraftReplica (Kafka 3.9.1), KAFKA-16814",
    proof="metadata-missing",
    near_miss="zookeeper-era",
    invariants="K11",
)
def partition_metadata_missing(file: PartitionMetadataFile) -> Iterator[Hit]:
    """`partition.metadata` is missing, and nothing says that the broker is of the ZooKeeper era.

    A WARNING when the log dir is one of a KRaft broker. The broker writes a new one for the metadata log.
    """
    wanted = not file.log_only and not file.mark and not file.metadata_log
    if file.metadata is None and file.kraft is not False and wanted:
        yield Hit(None, None, severity=Severity.WARNING if file.kraft else None)
