"""Rules about remote storage: what `__remote_log_metadata` says is there, and what is.

What remote segments themselves hold is judged by the rules for local ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.spoken import listed
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkalog.span import Span
    from kafkalog.verify.rules.shared import EpochRun

#: The records of a segment are nowhere else.
RESTORE_OBJECT = (
    "Restore the object, under the same name, from an earlier version or a backup of the store; a replica whose local log "
    "still has these offsets serves them too."
)
#: An index is nowhere else, but follows from the log.
RESTORE_INDEX = (
    "Restore the object from an earlier version or a backup of the store. Without one: `kafkalog dump` prints the records of "
    "the segment, whose log is beside it."
)
_SHOWN = 3


class MissingObjects(NamedTuple):
    """Segments, one after the other, that were copied and whose objects are gone: their logs' names.

    `path` is where the first one should be, `metadata` and `at` say what tells of it: a file, and an offset in it. `offsets`
    are those that the segments have and nothing else has; None: the local log has them all, or they count no longer.
    """

    path: str
    names: tuple[str, ...]
    stated: tuple[int, int] | None
    offsets: tuple[int, int] | None
    metadata: str
    at: int
    held: str


class UnusableIndex(NamedTuple):
    """A file of a segment other than its log that is gone, or damaged: its suffix, and what is wrong."""

    path: str
    kind: str
    problem: str


class OtherSize(NamedTuple):
    """An object of another size than `source` says; `offsets` are those that its end took along, None: none."""

    path: str
    span: Span
    size: int
    expected: int
    source: str
    offsets: tuple[int, int] | None


class CorruptChunk(NamedTuple):
    """A chunk that cannot be read; `span` is in the log, `begin` and `end` are in the object that holds it.

    `offsets`: of the batches that it held a part of, as far as their neighbours tell; None where they do not.
    """

    path: str
    span: Span
    number: int
    chunks: int
    begin: int
    end: int
    reason: str
    offsets: tuple[int, int] | None


class OtherOffsets(NamedTuple):
    """A segment whose batches are not of the offsets that were stated when it was copied."""

    path: str
    span: Span
    first: int
    last: int
    start: int
    end: int
    offsets: tuple[int, int] | None


class RemoteEpochs(NamedTuple):
    """The leader epochs of a segment: of its batches, and epoch → first offset as they were stated when it was copied."""

    path: str
    runs: tuple[EpochRun, ...]
    stated: Mapping[int, int]


class RemoteGap(NamedTuple):
    """Offsets that count, and that neither remote storage nor the local log has.

    `before` and `after` say what ends before them and begins after them. `is_stated`: the offsets of the segments are
    stated, not read from their batches.
    """

    path: str
    offsets: tuple[int, int]
    before: str
    after: str
    is_stated: bool


class UncountedObjects(NamedTuple):
    """Offsets that are in remote storage only in segments whose copy is not known to be finished: their logs' names."""

    path: str
    offsets: tuple[int, int]
    names: tuple[str, ...]


class UnfinishedSegment(NamedTuple):
    """A segment that a broker began to copy, or to delete, and has not finished with; `has_object`: None is not known."""

    path: str
    name: str
    state: str
    offsets: tuple[int, int] | None
    event_ms: int
    has_object: bool | None


class UnknownObject(NamedTuple):
    """An object of a segment that `__remote_log_metadata` does not know, or has as deleted."""

    path: str
    name: str
    why: str


@rule(
    "remote-object-missing",
    Severity.ERROR,
    on=MissingObjects,
    message="{names}: not in remote storage, though {metadata}, offset {at}, says that the copy was finished{stated}",
    consequence="Consumers that come to these offsets get an error from the broker instead of records, again and again.{held}",
    remedy=RESTORE_OBJECT,
    source="RemoteLogManager.read, RemoteLogReader.call; consumers of a live broker (Kafka 3.9.1)",
    proof="remote-log-deleted",
    near_miss="remote-log-deleted-by-kafka",
    loses="gone",
)
def remote_object_missing(missing: MissingObjects) -> Iterator[Hit]:
    """A segment was copied to remote storage, nobody has begun to delete it, and its log is not there.

    A segment counts as copied from COPY_SEGMENT_FINISHED on; a broker writes DELETE_SEGMENT_STARTED before it deletes one. Of
    Aiven's plug-in the manifest counts, too: nothing can be read without it. Offsets are those that no local log here has and
    no other copied segment, above the log start offset.
    """
    stated = "" if missing.stated is None else f" (offsets {missing.stated[0]} to {missing.stated[1]})"
    yield Hit(
        None,
        missing.offsets,
        names=listed(missing.names, _SHOWN),
        metadata=missing.metadata,
        at=missing.at,
        stated=stated,
        held=missing.held,
    )


@rule(
    "remote-index-unusable",
    Severity.ERROR,
    on=UnusableIndex,
    message="the {kind} of a segment in remote storage {problem}",
    consequence="{cost}",
    remedy=RESTORE_INDEX,
    source="RemoteIndexCache.createCacheEntry, TierStateMachine.buildRemoteLogAuxState (Kafka 3.9.1)",
    proof="remote-index-deleted",
    near_miss="remote-transaction-index-not-there",
)
def remote_index_unusable(index: UnusableIndex) -> Iterator[Hit]:
    """A segment's log is in remote storage, and a file that goes with it is not, or makes no sense.

    Each segment has an offset index, a time index, a snapshot of the producers after it, and its leader epochs; a transaction
    index only if a transaction was aborted in it.
    """
    yield Hit(None, None, kind=index.kind, problem=index.problem, cost=_COST.get(index.kind, _COST[".index"]))


_COST = {
    ".index": "Once `remote-log-index-cache` of the broker has no copy of it, consumers that come to the segment get an error "
    "instead of records, again and again.",
    ".snapshot": "A follower that begins its log after this segment cannot be built: it asks for the file and fails, again "
    "and again.",
}
_COST[".leader_epoch_checkpoint"] = _COST[".snapshot"]


@rule(
    "remote-size-differs",
    Severity.ERROR,
    on=OtherSize,
    message="{size} bytes; {source} says {expected}",
    consequence="What is missing at its end cannot be read; a broker asks for ranges by the size that it knows.",
    remedy=RESTORE_OBJECT,
    source="RemoteLogSegmentMetadata.segmentSizeInBytes (Kafka 3.9.1)",
    proof="remote-log-cut",
    near_miss="remote-log-as-it-is",
    loses="gone",
)
def remote_size_differs(log: OtherSize) -> Iterator[Hit]:
    """A log in remote storage has not the size that it had when it was copied.

    An upload that was cut off and reported as finished does this, and a tool that rewrites objects.
    """
    yield Hit(log.span, log.offsets, size=log.size, expected=log.expected, source=log.source)


@rule(
    "remote-chunk-corrupt",
    Severity.ERROR,
    on=CorruptChunk,
    message="chunk {number} of {chunks}, bytes {begin}..{end} of the object, {reason}",
    consequence="The plug-in cannot give the records of this chunk to the broker: consumers that come to them get an error, "
    "again and again. The other chunks can be read.",
    remedy=RESTORE_OBJECT,
    source="DecryptionChunkEnumeration, DecompressionChunkEnumeration (Aiven's plug-in 1.0)",
    proof="remote-chunk-flipped",
    near_miss="remote-chunks-as-they-are",
    loses="unreadable",
)
def remote_chunk_corrupt(chunk: CorruptChunk) -> Iterator[Hit]:
    """A chunk of a log in remote storage does not decrypt, or does not unpack, to the bytes that it was made of.

    Aiven's plug-in cuts a log into chunks; each is compressed and encrypted by itself, and carries an authentication tag. The
    bytes named are those of the log; the offsets those of all batches that the chunk held a part of.
    """
    yield Hit(
        chunk.span,
        chunk.offsets,
        number=chunk.number,
        chunks=chunk.chunks,
        begin=chunk.begin,
        end=chunk.end,
        reason=chunk.reason,
        offsets_unknown=None if chunk.offsets is not None else "no batch beside the chunk tells",
    )


@rule(
    "remote-offsets-differ",
    Severity.ERROR,
    on=OtherOffsets,
    message="its batches are of the offsets {first} to {last}; the segment was copied as {start} to {end}",
    consequence="The broker looks here for offset {start} and what follows it: consumers pass over what is not here, without "
    "an error.",
    remedy=RESTORE_OBJECT,
    source="RemoteLogManager.copyLogSegment; consumers of a live broker (Kafka 3.9.1)",
    proof="remote-log-of-another-segment",
    near_miss="remote-log-as-it-is",
    loses="gone",
)
def remote_offsets_differ(segment: OtherOffsets) -> Iterator[Hit]:
    """A log in remote storage holds batches below its start offset, or after its end offset: it is another segment's.

    Batches that are missing at either end are no proof: the log cleaner may have removed them before the topic was tiered.
    """
    first, last, start, end = segment.first, segment.last, segment.start, segment.end
    yield Hit(segment.span, segment.offsets, first=first, last=last, start=start, end=end)


@rule(
    "remote-epochs-differ",
    Severity.WARNING,
    on=RemoteEpochs,
    message="batches from offset {offset} on are of leader epoch {epoch}; the segment was copied as {stated}",
    consequence="Kafka looks for remote segments by leader epoch: it may not find this one, or find it in another's place.",
    remedy="Compare the epochs with `leader-epoch-checkpoint` of the replicas: `kafkalog dump` prints it.",
    source="RemoteLogMetadataCache.remoteLogSegmentMetadata (Kafka 3.9.1)",
    proof="remote-epochs-of-another-leader",
    near_miss="remote-log-as-it-is",
)
def remote_epochs_differ(segment: RemoteEpochs) -> Iterator[Hit]:
    """The leader epoch of a batch is not the one that `__remote_log_metadata` has for its offset.

    The record about a segment names the leader epochs in it and the first offset of each.
    """
    stated = sorted(segment.stated.items(), key=lambda one: one[1])
    for run in segment.runs:
        known = [epoch for epoch, start in stated if start <= run.first_base]
        if run.epoch >= 0 and known and known[-1] != run.epoch:
            text = ", ".join(f"epoch {epoch} from offset {start} on" for epoch, start in stated)
            yield Hit(None, None, offset=run.first_base, epoch=run.epoch, stated=text)
            return


@rule(
    "remote-gap",
    Severity.ERROR,
    on=RemoteGap,
    message="offsets {first} to {last} are neither in remote storage nor in the local log: {before}, {after}",
    consequence="Consumers that come to these offsets get an error, or begin again where auto.offset.reset says.",
    remedy="Look for a replica whose local log still has them. If the copy of `__remote_log_metadata` is older than that of "
    "the log, take both again.",
    source="RemoteLogManager.copyLogSegmentsToRemote, UnifiedLog.deleteOldSegments (Kafka 3.9.1)",
    proof="local-segment-deleted-before-it-was-copied",
    near_miss="remote-log-deleted-by-kafka",
    loses="gone",
)
def remote_gap(gap: RemoteGap) -> Iterator[Hit]:
    """Offsets above the log start offset that no copied segment has, nor the local log.

    A broker deletes a local segment only when it is in remote storage, and remote segments from the oldest on. So what was
    deleted at the beginning is no gap; nor is what two segments have, as after a change of leaders. Where no
    `__remote_log_metadata` was given, the offsets of the segments are what their batches show; this is then a WARNING: the
    log cleaner may have made the hole before the topic was tiered.
    """
    first, last = gap.offsets
    severity = None if gap.is_stated else Severity.WARNING
    yield Hit(None, gap.offsets, severity=severity, first=first, last=last, before=gap.before, after=gap.after)


@rule(
    "remote-copy-not-counted",
    Severity.ERROR,
    on=UncountedObjects,
    message="offsets {first} to {last} are only in {names}, which `__remote_log_metadata` does not count as copied",
    consequence="Kafka does not look for them there: consumers that come to these offsets get an error. `kafkalog dump` "
    "reads them.",
    remedy="If the copy of `__remote_log_metadata` is older than that of the log, take both again. Otherwise keep the objects: "
    "nothing else has these records.",
    source="RemoteLogManager.copyLogSegmentsToRemote, UnifiedLog.deleteOldSegments (Kafka 3.9.1)",
    proof="copied-without-a-record",
    near_miss="remote-log-deleted-by-kafka",
)
def remote_copy_not_counted(gap: UncountedObjects) -> Iterator[Hit]:
    """Offsets above the log start offset that no copied segment has, nor the local log, but objects in remote storage.

    It is a `remote-gap` to Kafka, but the records are not lost.
    """
    yield Hit(None, None, first=gap.offsets[0], last=gap.offsets[1], names=listed(gap.names, _SHOWN))


@rule(
    "remote-copy-unfinished",
    Severity.INFO,
    on=UnfinishedSegment,
    message="{name}: a broker began to copy it and has not finished: COPY_SEGMENT_STARTED{objects}",
    consequence="None: the segment is copied again, under another id, if it was not copied meanwhile. No consumer gets it; "
    "what lies in remote storage takes room.",
    remedy="Nothing to do while a broker may be copying. What is left of an upload that failed goes with the topic.",
    source="RemoteLogManager.copyLogSegment, RemoteLogSegmentState (Kafka 3.9.1)",
    proof="remote-copy-never-finished",
    near_miss="remote-log-as-it-is",
)
def remote_copy_unfinished(segment: UnfinishedSegment) -> Iterator[Hit]:
    """The last record about a segment says that its copy was begun.

    A broker that stops meanwhile leaves this for good; the next leader copies the segment again, under a new id.
    """
    if segment.state == "COPY_SEGMENT_STARTED":
        yield Hit(None, None, name=segment.name, objects=_OBJECTS[segment.has_object])


@rule(
    "remote-delete-unfinished",
    Severity.INFO,
    on=UnfinishedSegment,
    message="{name}: a broker began to delete it and has not finished: DELETE_SEGMENT_STARTED{objects}",
    consequence="None: the segment no longer counts, and the deletion is tried again.",
    remedy="Nothing to do.",
    source="RemoteLogManager.deleteRemoteLogSegment, RemoteLogSegmentState (Kafka 3.9.1)",
    proof="remote-delete-never-finished",
    near_miss="remote-log-deleted-by-kafka",
)
def remote_delete_unfinished(segment: UnfinishedSegment) -> Iterator[Hit]:
    """The last record about a segment says that its deletion was begun."""
    if segment.state == "DELETE_SEGMENT_STARTED":
        yield Hit(None, None, name=segment.name, objects=_OBJECTS[segment.has_object])


_OBJECTS = {None: "", True: "; objects of it are in remote storage", False: "; nothing of it is in remote storage"}


@rule(
    "remote-object-unknown",
    Severity.WARNING,
    on=UnknownObject,
    message="{name} is in remote storage, and {why}",
    consequence="No consumer gets it, and nothing deletes it: it takes room for ever.",
    remedy="Keep it until the offsets around it are accounted for: it may hold what another object has lost.",
    source="RemoteLogManager.deleteRemoteLogSegment (Kafka 3.9.1): DELETE_SEGMENT_FINISHED is written after the deletion",
    proof="remote-object-left-over",
    near_miss="remote-copy-never-finished",
)
def remote_object_unknown(unknown: UnknownObject) -> Iterator[Hit]:
    """An object of a segment that no record of `__remote_log_metadata` names, or one that says that it was deleted.

    Only where the log that has the records about its partition was given and is whole.
    """
    yield Hit(None, None, name=unknown.name, why=unknown.why)
