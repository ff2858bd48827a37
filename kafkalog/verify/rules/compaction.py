"""Rules about compacted logs: what the log cleaner stumbles over, what it leaves, and what it will take away."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.dates import date_text
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.verify.rules.shared import BatchSpot


#: `max.message.bytes` where nobody has set it, since 2.3.
DEFAULT_MAX_MESSAGE_BYTES = 1048588


class Horizons(NamedTuple):
    """Delete horizons of a segment, in milliseconds: of how many batches, the earliest and latest, the first batch."""

    batches: int
    earliest: int
    latest: int
    first: BatchSpot

    def with_one(self, horizon: int) -> Horizons:
        """These and another one."""
        return Horizons(self.batches + 1, min(self.earliest, horizon), max(self.latest, horizon), self.first)


class Large(NamedTuple):
    """Batches of a segment that are larger than the limit: how many, and the largest with its producer id."""

    batches: int
    spot: BatchSpot
    producer_id: int

    def with_one(self, spot: BatchSpot, producer_id: int) -> Large:
        """These and another one."""
        if spot.end - spot.position > self.spot.end - self.spot.position:
            return Large(self.batches + 1, spot, producer_id)
        return self._replace(batches=self.batches + 1)


class LargeBatches(NamedTuple):
    """The batches of a segment that are larger than the limit; `limit` is the one given, None when none was."""

    path: str
    large: Large
    limit: int | None


class Tombstones(NamedTuple):
    """The records without a value of a segment of a compacted log, and the delete horizons that were set."""

    path: str
    records: int
    horizons: Horizons | None
    now: int
    size: int


class CleanPart(NamedTuple):
    """What lies below the cleaner's checkpoint although a pass went over it.

    `twice` is the first pair of offsets with the same key, (-1, -1) when there is none, `place` the file and the batch of
    the older of the two; `aborted` batches by file, span, first and last offset.
    """

    cleaner: CheckpointLine
    keys_twice: int
    twice: tuple[int, int]
    place: tuple[str, Span] | None
    aborted: tuple[tuple[str, Span, int, int], ...]

    @property
    def path(self) -> str:
        """The checkpoint."""
        return self.cleaner.path


@rule(
    "batch-larger-than-max",
    Severity.INFO,
    on=LargeBatches,
    message="batches of more than {limit} bytes ({whose}): {count}; the largest has {size}, at offset {offset}, from producer "
    "{producer_id}",
    consequence="Normal if max.message.bytes is, or was, larger: followers and the cleaner do not ask. In a compacted topic "
    "the log cleaner of releases before 2.0 dies at such a batch.",
    remedy="Compare with max.message.bytes of the topic (`kafka-configs.sh --describe`). Before 2.0, raise it to {size} and "
    "restart the broker if its cleaner has stopped.",
    source="Cleaner.growBuffers (Kafka 1.1.1), Cleaner.growBuffersOrFail (Kafka 2.0.0), KAFKA-6834",
    proof="large-batch",
    near_miss="batch-of-the-largest-size",
    invariants="A27",
)
def batch_larger_than_max(large: LargeBatches) -> Iterator[Hit]:
    """Batches are larger than the limit of `--max-message-bytes`; in a compacted log, than Kafka's default limit.

    The topic's own setting is not in the directory.
    """
    spot = large.large.spot
    yield Hit(
        Span(spot.position, spot.end),
        (spot.base_offset, spot.last_offset),
        count=large.large.batches,
        limit=DEFAULT_MAX_MESSAGE_BYTES if large.limit is None else large.limit,
        whose="Kafka's default limit" if large.limit is None else "the limit given",
        size=spot.end - spot.position,
        offset=spot.base_offset,
        producer_id=large.large.producer_id,
    )


@rule(
    "tombstone-age",
    Severity.INFO,
    on=Tombstones,
    message="records without a value: {count}; {horizons}",
    consequence="The cleaner removes a tombstone in the first pass after its delete horizon: delete.retention.ms after the "
    "pass that met it first. Consumers that read more slowly than that miss the deletion.",
    remedy="Nothing to do. If horizons have long passed, look whether the log cleaner still runs and why it leaves this "
    "partition out.",
    source="MemoryRecords.filterTo, Cleaner.shouldRetainRecord (Kafka 3.1.0), KIP-534",
    proof="delete-horizons",
    near_miss="tombstone-in-a-log-that-is-not-compacted",
    invariants="A18",
)
def tombstone_age(tombstones: Tombstones) -> Iterator[Hit]:
    """A segment of a compacted log holds tombstones, or batches with a delete horizon.

    Releases before 3.1 store no horizon: they take the time of the file's last change instead.
    """
    found = tombstones.horizons
    if found is None:
        horizons, span, offsets = "no delete horizon is set yet", Span(0, tombstones.size), None
    else:
        passed = "the last of them has passed" if found.latest < tombstones.now else "the first of them has passed"
        horizons = (
            f"batches with a delete horizon: {found.batches}, from {date_text(found.earliest)} to {date_text(found.latest)}; "
            + (passed if found.earliest < tombstones.now else "none has passed")
        )
        first = found.first
        span, offsets = Span(first.position, first.end), (first.base_offset, first.last_offset)
    yield Hit(span, offsets, count=tombstones.records, horizons=horizons)


@rule(
    "compacted-key-twice",
    Severity.INFO,
    on=CleanPart,
    message="{count} records have a younger one with the same key, both below the cleaner's position {position}; the first is "
    "at offset {first}, the younger at {second}; by {file}",
    consequence="A pass that went over both would have removed the older one: readers get outdated values. The cleaner's work "
    "was lost, or its position was moved forward by hand or together with a moved partition.",
    remedy="No record is lost. To have it cleaned again, set the partition's offset in {file} to 0 while the broker is "
    "stopped.",
    source="Cleaner.shouldRetainRecord, LogCleanerManager.doneCleaning (Kafka 3.9.1)",
    proof="cleaner-put-forward",
    near_miss="cleaner-before-the-younger",
    invariants="J14",
)
def compacted_key_twice(part: CleanPart) -> Iterator[Hit]:
    """A key is twice in the part of the log that the cleaner says it has cleaned.

    The first 100,000 records are looked at.
    """
    if part.place is not None:
        path, span = part.place
        yield Hit(
            span,
            part.twice,
            path=path,
            count=part.keys_twice,
            position=part.cleaner.offset,
            first=part.twice[0],
            second=part.twice[1],
            file=part.cleaner.path,
        )


@rule(
    "compacted-aborted-data",
    Severity.INFO,
    on=CleanPart,
    message="records {first} to {last} belong to an aborted transaction and are below the cleaner's position {position}; by "
    "{file}",
    consequence="None for readers with read_committed. A pass removes such records: the cleaner's work was lost, or its "
    "position was moved forward.",
    remedy="No record is lost. To have it cleaned again, set the partition's offset in {file} to 0 while the broker is "
    "stopped.",
    source="CleanedTransactionMetadata.onBatchRead (Kafka 3.9.1)",
    proof="cleaner-put-forward-over-abort",
    near_miss="cleaner-before-the-abort",
    invariants="J14",
)
def compacted_aborted_data(part: CleanPart) -> Iterator[Hit]:
    """Data of an aborted transaction are in the part of the log that the cleaner says it has cleaned."""
    for path, span, first, last in part.aborted:
        yield Hit(span, (first, last), path=path, first=first, last=last, position=part.cleaner.offset, file=part.cleaner.path)
