"""What the rules about whole files, partitions and log dirs look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kafkalog.core.batch import Damage
    from kafkalog.core.checkpoint import Checkpoint, EpochEntry
    from kafkalog.core.command_line import Command
    from kafkalog.core.filename import SegmentFileName
    from kafkalog.core.producer_snapshot import ProducerEntry, ProducerSnapshot
    from kafkalog.core.properties import PartitionMetadata, QuorumState
    from kafkalog.core.span import Span
    from kafkalog.core.transaction_index import TransactionIndex
    from kafkalog.files.log_dir import CheckpointLine
    from kafkalog.verify.scan.producer_events import AbortedSpan, OpenTransaction, ProducerState
    from kafkalog.verify.scan.results import EpochRun, Horizons, Large
    from kafkalog.verify.subjects import BatchSpot

__all__ = [
    "BinaryLineEnds",
    "CheckpointFile",
    "CleanPart",
    "CleanedLogs",
    "ClusterPair",
    "ControllerWord",
    "EpochFile",
    "FuturePair",
    "KindsNotCopied",
    "LargeBatches",
    "LogDirFiles",
    "LogDirView",
    "LogsNotCopied",
    "MarkerView",
    "MissingPartition",
    "MissingProducer",
    "OpenTransactionView",
    "PartitionCheckpoints",
    "PartitionFiles",
    "PartitionMetadataFile",
    "PartitionsNotCopied",
    "ProducerIdBlocks",
    "QuorumPair",
    "ReplicaPair",
    "SegmentStep",
    "SharedTopicId",
    "SnapshotEntryView",
    "SnapshotFile",
    "TextLineEnds",
    "Tombstones",
    "TopicIdPair",
    "TransactionIndexFile",
    "UnloadedPartition",
]


@dataclass(frozen=True, slots=True)
class UnloadedPartition:
    """A partition that the coordinator of `release` does not load.

    It stops at `offset`; `ends` is false when it goes on for ever. `lost` names those concerned. `certain` is false when
    only releases do that which the log dir may or may not be of.
    """

    path: str
    release: str
    offset: int
    reason: str
    outcome: str
    lost: str
    ends: bool
    certain: bool


@dataclass(frozen=True, slots=True)
class ControllerWord:
    """One thing in which a partition and the controller differ; `kind` and the rest as in `internal.witness.Difference`.

    `witness` holds the controller's word, `why` says what makes it weigh, and `certain` that nothing healthy explains it.
    """

    path: str
    span: Span | None
    kind: str
    told: str
    found: str
    witness: str
    why: str
    certain: bool


@dataclass(frozen=True, slots=True)
class HangingTransaction:
    """An open transaction that its coordinator will not end, by `__transaction_state`.

    `certain`: an id with this producer id is there and says so, and nothing was written after a clean stop.
    """

    path: str
    span: Span
    producer_id: int
    producer_epoch: int
    first_offset: int
    last_offset: int
    why: str
    commands: tuple[Command, ...]
    certain: bool


@dataclass(frozen=True, slots=True)
class SegmentStep:
    """A segment after the one before it; `path` is its `.log`, the spots are None when there are no batches."""

    path: str
    base: int
    size: int
    first: BatchSpot | None
    previous_path: str
    previous_base: int
    previous_last: BatchSpot | None
    previous_size: int
    previous_torn: bool
    top_epoch: int
    top_epoch_path: str
    active: bool


@dataclass(frozen=True, slots=True)
class PartitionFiles:
    """The names in a partition directory.

    `segments`: base offset → suffix → path. `sizes`: base offset → bytes of the `.log`. `log_only`: a copy that holds
    nothing but logs. `just_rolled`: the active segment holds a single batch. `changed`: bases whose producers' state differs
    from that at the snapshot before. `just_made`: nothing is in the directory, and nothing says that there was anything.
    `others`: a name that is none of Kafka's, and what it is: "file", "directory", or "link that leads nowhere or special file".
    `is_foreign`: the directory holds ZooKeeper's data.
    """

    path: str
    segments: Mapping[int, Mapping[str, str]]
    sizes: Mapping[int, int]
    active: int | None
    active_index_size: int | None
    pending: tuple[tuple[SegmentFileName, str, int], ...]
    others: tuple[tuple[str, str], ...]
    snapshots: Mapping[int, str]
    changed: frozenset[int]
    mark: str
    log_only: bool
    clean: bool | None
    kraft: bool
    in_log_dir: bool
    log_start: int | None
    log_end: int | None
    has_producers: bool
    covered: frozenset[int]
    just_rolled: bool
    just_made: bool
    is_foreign: bool


@dataclass(frozen=True, slots=True)
class PartitionMetadataFile:
    """`partition.metadata`, or its absence; `kraft` is None when nothing tells whether the broker wanted one."""

    path: str
    metadata: PartitionMetadata | None
    size: int
    canonical: bool
    kraft: bool | None
    log_only: bool
    mark: str
    metadata_log: bool


@dataclass(frozen=True, slots=True)
class EpochFile:
    """`leader-epoch-checkpoint` against the leader epochs of the batches.

    `runs` are those of batches at or above the log's start. `first_log` is the `.log` of the lowest base offset, "" when it
    is not known that the log begins there. `rebuilt` is the file that the batches ask for. `legacy`: there
    are messages of magic 0 or 1, the last of them at `last_legacy`. `log_start` is what the log dir says; `raised`: the log may
    have started higher when the file was written; `start_known`: the log dir's checkpoint of log starts is at hand.
    """

    path: str
    checkpoint: Checkpoint[EpochEntry] | None
    size: int
    runs: tuple[tuple[EpochRun, str], ...]
    log_end: int | None
    legacy: bool
    last_legacy: int
    clean: bool | None
    log_only: bool
    rebuilt: str
    mark: str
    log_start: int
    raised: bool
    start_known: bool
    canonical: bool
    log_start_path: str
    log_start_line: CheckpointLine | None
    first_log: str = ""
    first_base: int = 0


@dataclass(frozen=True, slots=True)
class TransactionIndexFile:
    """The `.txnindex` of a segment, or its absence, against the aborted transactions that a replay finds.

    `data_start`: the log's start. `ahead`: log and index may have been read or copied while they grew.
    """

    path: str
    index: TransactionIndex | None
    aborted: tuple[AbortedSpan, ...]
    base: int
    last_offset: int
    data_start: int
    complete: bool
    compacted: bool
    unknown_markers: bool
    log_only: bool
    covered: bool
    log_path: str
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """A `.snapshot` by itself; `being_written`: it is the newest of a broker that may have been running."""

    path: str
    offset: int
    snapshot: ProducerSnapshot
    size: int
    log_end: int | None
    clean: bool | None
    being_written: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotEntryView:
    """An entry of a `.snapshot` against the replayed state; `problems` names the fields that differ."""

    path: str
    offset: int
    number: int
    entry: ProducerEntry
    state: ProducerState | None
    problems: tuple[str, ...]
    span: Span
    log_path: str


@dataclass(frozen=True, slots=True)
class MissingProducer:
    """A producer that wrote between two snapshots, at `before` and `offset`, and is not in the later one."""

    path: str
    offset: int
    before: int
    state: ProducerState
    size: int
    log_path: str


@dataclass(frozen=True, slots=True)
class OpenTransactionView:
    """A transaction without an end, seen from a clock and from the end of the log.

    `pinned` is the last stable offset. `kraft` tells the broker's era, None when nothing does.
    """

    path: str
    transaction: OpenTransaction
    now: int
    log_end: int
    topic: str | None
    partition: int | None
    pinned: int
    kraft: bool | None


@dataclass(frozen=True, slots=True)
class PartitionCheckpoints:
    """What the log dir's checkpoint files say of a partition.

    `in_use`: the active segment's indexes are preallocated, and the broker was not stopped cleanly. Then the checkpoints may
    have been copied after the log was.
    """

    path: str
    log_path: str
    recovery_point: CheckpointLine | None
    high_watermark: CheckpointLine | None
    log_start: CheckpointLine | None
    cleaner: CheckpointLine | None
    first_base: int
    second_base: int | None
    active_base: int
    log_end: int
    clean: bool | None
    mark: str
    damaged: bool
    swapping: bool
    metadata_log: bool
    recovery_file: str
    watermark_file: str
    zookeeper: bool
    in_use: bool


class MissingPartition(NamedTuple):
    """A line for a partition that is not in the log dir.

    `placed`: whether the metadata log in the log dir places it there, None when nothing tells; `offset`: the largest in the
    lines of all checkpoint files for it.
    """

    name: str
    span: Span
    placed: bool | None
    offset: int


@dataclass(frozen=True, slots=True)
class CheckpointFile:
    """A checkpoint file of a log dir. `unknown` are its lines for partitions that are not there."""

    path: str
    name: str
    damages: tuple[Damage, ...]
    duplicates: tuple[tuple[str, Span], ...]
    unknown: tuple[MissingPartition, ...]
    clean: bool
    canonical: bool
    size: int


@dataclass(frozen=True, slots=True)
class TextLineEnds:
    """Text files of a log dir, or of a partition directory given by itself, whose lines end in CR LF."""

    path: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BinaryLineEnds:
    """Binary files whose line ends were changed: path and how, as in `core.line_ends`."""

    path: str
    files: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LogsNotCopied:
    """A log dir, or a partition directory given by itself, without any `.log`."""

    path: str
    partitions: int


@dataclass(frozen=True, slots=True)
class KindsNotCopied:
    """A log dir, or a partition directory given by itself, without any file of these kinds; `files` are missing."""

    path: str
    kinds: tuple[str, ...]
    files: int


@dataclass(frozen=True, slots=True)
class PartitionsNotCopied:
    """Partitions that a log dir's checkpoint files name: how many are here, and the names of those that are not.

    `placed` of them the metadata log in the log dir places there; None: there is none that could be read.
    """

    path: str
    present: int
    missing: tuple[str, ...]
    placed: int | None


@dataclass(frozen=True, slots=True)
class LogDirView:
    """A log dir's own names and properties."""

    path: str
    bad_directories: tuple[str, ...]
    bad_files: tuple[str, ...]
    meta_problem: str
    meta_path: str
    meta_size: int
    same_dir_futures: tuple[str, ...]
    strays: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogDirFiles:
    """The files of a log dir, and what each of them says that the others must be.

    `sizes`: name → bytes. `log`: a directory that a broker has open as a log, "" when there is none; that of the metadata
    quorum does not count. `kraft`: by `meta.properties`. `clean`: there is a clean-shutdown marker. `marker` is what is
    wrong with it, "" when nothing is, and `marker_size` its bytes. `newer_marker`: it is one of 3.7 or later.
    """

    path: str
    sizes: Mapping[str, int]
    log: str
    listed: frozenset[str]
    kraft: bool
    clean: bool
    marker: str
    marker_size: int
    newer_marker: bool
    has_directory_id: bool


@dataclass(frozen=True, slots=True)
class MarkerView:
    """A clean-shutdown marker against the logs beside it; `path` is its own.

    `points` logs contradict it: they end after their recovery point, and `snapshots` of them have none at their end, or
    `padded` of them have preallocated indexes in their active segment. `judged` logs have records.
    """

    path: str
    size: int
    judged: int
    points: int
    snapshots: int
    padded: int


@dataclass(frozen=True, slots=True)
class BootstrapFile:
    """`bootstrap.checkpoint`: its batches that are sound; `has_version`: a record in them is about metadata.version."""

    path: str
    size: int
    batches: int
    damaged: bool
    has_version: bool


@dataclass(frozen=True, slots=True)
class CleanedLogs:
    """A log dir without the log cleaner's checkpoint at `path`; `log` is a partition directory that shows its work."""

    path: str
    log: str


@dataclass(frozen=True, slots=True)
class BrokerView:
    """Several log dirs of one broker."""

    path: str
    duplicates: tuple[tuple[str, str, str], ...]
    id_problems: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class TopicIdPair:
    """`partition.metadata` with another topic id than a directory of the same topic has, in this log dir or elsewhere.

    `word` is what the controller says of it, "" when it is not heard. `certain`: both are known to be of one cluster, and
    no controller shows that one of the ids was that of an earlier topic.
    """

    path: str
    topic_id: str
    other: str
    other_id: str
    word: str
    certain: bool


@dataclass(frozen=True, slots=True)
class SharedTopicId:
    """`partition.metadata` with the topic id of another topic; `certain`: both are known to be of one cluster."""

    path: str
    topic_id: str
    topic: str
    other: str
    other_topic: str
    certain: bool


@dataclass(frozen=True, slots=True)
class ClusterPair:
    """Two log dirs that name different clusters although they hold the same topic, by its id; `path` is a `meta.properties`."""

    path: str
    cluster: str
    other: str
    other_cluster: str
    topic: str
    topic_id: str


@dataclass(frozen=True, slots=True)
class QuorumPair:
    """Two metadata logs that cannot be of one quorum, though nothing says that they are of different clusters.

    `why` tells what proves it. `offset` is the first at which they differ, None when they have none in common.
    """

    path: str
    other: str
    span: Span | None
    offset: int | None
    cluster: str
    why: str
    voters: str
    other_voters: str


@dataclass(frozen=True, slots=True)
class ProducerIdBlocks:
    """Producer ids in logs that no block of ids in the cluster's metadata holds; `path` is the metadata log.

    `next_id` is the first id of the block to come; `producer_id` the largest seen, in the log `file`; `partitions` counts the
    directories with such ids. `marker`: a transaction's end has such an id, which only a coordinator writes. `certain` and
    `why` as in `ControllerWord`.
    """

    path: str
    next_id: int
    producer_id: int
    file: str
    partitions: int
    marker: bool
    why: str
    certain: bool


@dataclass(frozen=True, slots=True)
class ReplicaPair:
    """Two replicas of a partition, and the first batch in which they differ below the end of the shorter one."""

    path: str
    other: str
    log_path: str
    span: Span
    offset: int
    epoch: int
    other_epoch: int
    kind: str
    ends: str
    log_end: int
    other_log_end: int


@dataclass(frozen=True, slots=True)
class FuturePair:
    """A future directory of a partition, and the first batch in which it differs from the current one."""

    pair: ReplicaPair

    @property
    def path(self) -> str:
        """The future directory."""
        return self.pair.path


@dataclass(frozen=True, slots=True)
class KraftLog:
    """The metadata log as a whole."""

    path: str
    log_start: int
    checkpoints: tuple[tuple[int, int, str], ...]
    runs: tuple[tuple[EpochRun, str], ...]
    late_leaders: tuple[tuple[int, int, str, int], ...]
    log_end: int


@dataclass(frozen=True, slots=True)
class QuorumFile:
    """`quorum-state` beside the metadata log, None when it is gone.

    `log_epoch` is the last epoch of the log's batches, -1 when there is none; `in_use`: the node may have been running.
    """

    path: str
    size: int
    state: QuorumState | None
    log_path: str
    log_epoch: int
    in_use: bool


@dataclass(frozen=True, slots=True)
class KraftSnapshot:
    """A `.checkpoint` file of the metadata log."""

    path: str
    epoch: int
    size: int
    first_control: str
    last_control: str
    first_span: Span
    last_span: Span
    batch_epochs: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class LargeBatches:
    """The batches of a segment that are larger than the limit; `limit` is the one given, None when none was."""

    path: str
    large: Large
    limit: int | None


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The records without a value of a segment of a compacted log, and the delete horizons that were set."""

    path: str
    count: int
    horizons: Horizons | None
    now: int
    size: int


@dataclass(frozen=True, slots=True)
class CleanPart:
    """What stands below the cleaner's checkpoint although a pass went over it.

    `twice` is the first pair of offsets with the same key, (-1, -1) when there is none, `place` the file and the batch of
    the older of the two; `aborted` batches by file, span, first and last offset.
    """

    cleaner: CheckpointLine
    count: int
    twice: tuple[int, int]
    place: tuple[str, Span] | None
    aborted: tuple[tuple[str, Span, int, int], ...]

    @property
    def path(self) -> str:
        """The checkpoint."""
        return self.cleaner.path
