"""Rules about a log dir, and about the log dirs of one broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.foreign import describe_directory, move_of
from kafkalog.next_start.meta_properties import WRITE_META
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import SEEK
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.core.batch import Damage


class MissingPartition(NamedTuple):
    """A line for a partition that is not in the log dir.

    `placed`: whether the metadata log in the log dir places it there, None when nothing shows it; `offset`: the largest in the
    lines of all checkpoint files for it.
    """

    name: str
    span: Span
    placed: bool | None
    offset: int


class CheckpointFile(NamedTuple):
    """A checkpoint file of a log dir. `unknown` are its lines for partitions that are not there."""

    path: str
    name: str
    damages: tuple[Damage, ...]
    duplicates: tuple[tuple[str, Span], ...]
    unknown: tuple[MissingPartition, ...]
    clean: bool
    canonical: bool
    size: int


class LogDirNames(NamedTuple):
    """A log dir's own names and properties."""

    path: str
    bad_directories: tuple[str, ...]
    bad_files: tuple[str, ...]
    meta_problem: str
    meta_path: str
    meta_size: int
    same_dir_futures: tuple[str, ...]
    strays: tuple[str, ...]


class DoubledPartition(NamedTuple):
    """A partition directory at `path` that is in another log dir of the broker, too, at `other`.

    `offsets` are the log start and the log end here, `other_offsets` there; None where they are not known.
    """

    path: str
    other: str
    offsets: tuple[int | None, int | None]
    other_offsets: tuple[int | None, int | None]


class SharedIds(NamedTuple):
    """The `meta.properties` of two log dirs of one node id that say what no two log dirs of a broker can say.

    `directory_id` is the id that both have; None: they were written together, with different cluster ids.
    """

    path: str
    other: str
    node_id: str | None
    cluster_id: str | None
    other_cluster_id: str | None
    directory_id: str | None = None


_EFFECT = {
    "recovery-point-offset-checkpoint": "The broker does not start, or recovers every log in full.",
    "log-start-offset-checkpoint": "The broker does not start, or deleted records come back.",
    "replication-offset-checkpoint": "The log dir goes offline, or no partition of it is served.",
    "cleaner-offset-checkpoint": "The log dir goes offline, or the log cleaner dies.",
}


_NO_DIRECTORY = "nothing of the partition is here"
_MOVED = "None: the partition was deleted or moved, and the next writing drops the line."
_NOT_PLACED = "None: the metadata log does not place the partition here (any more), and the next writing drops the line."
_PLACED = (
    "The metadata log places the partition here: the broker creates it again, empty. What this replica held is lost, unless "
    "another has it."
)
_TAKEN_AWAY = (
    "The directory was there when the broker stopped, and was taken away since. If the partition still belongs here, what this "
    "replica held is lost: the broker creates it again, empty."
)


@rule(
    "checkpoint-malformed",
    Severity.ERROR,
    on=CheckpointFile,
    message="{reason}",
    consequence="{effect}",
    remedy="With the broker stopped, take the file out of the log dir: the broker writes a new one, and its values are lost.",
    source="CheckpointFile.read, LogManager.loadLogs (Kafka 3.9.1)",
    proof="recovery-file-nuls",
    near_miss="checkpoint-empty",
    invariants="K9 K12",
)
def checkpoint_malformed(file: CheckpointFile) -> Iterator[Hit]:
    """A checkpoint file of the log dir cannot be parsed. An empty one is legal."""
    for damage in file.damages:
        yield Hit(damage.span, None, reason=damage.reason, effect=_EFFECT.get(file.name, ""))


@rule(
    "checkpoint-duplicate-line",
    Severity.WARNING,
    on=CheckpointFile,
    message="a second line for {partition}",
    consequence="The last one counts. Kafka writes one.",
    remedy="With the broker stopped, remove the wrong line, and make the number in the second line that of the lines left.",
    source="OffsetCheckpointFile.read (Kafka 3.9.1)",
    proof="checkpoint-duplicate-line",
    near_miss="lines-of-two-partitions",
    invariants="K9",
)
def checkpoint_duplicate_line(file: CheckpointFile) -> Iterator[Hit]:
    """A partition is in a checkpoint file twice."""
    for partition, span in file.duplicates:
        yield Hit(span, None, partition=partition)


@rule(
    "checkpoint-edited",
    Severity.WARNING,
    on=CheckpointFile,
    message="the file can be read, but Kafka writes it otherwise: {size} bytes",
    consequence="None for the broker, or an offset that was meant for another partition. Somebody or something else than a "
    "broker wrote it.",
    remedy="Compare its lines with the logs. The next checkpoint replaces it.",
    source="CheckpointFile.write, OffsetCheckpointFile (Kafka 3.9.1)",
    proof="checkpoint-blank",
    near_miss="checkpoint-of-windows",
    invariants="K9",
)
def checkpoint_edited(file: CheckpointFile) -> Iterator[Hit]:
    """Blanks, leading zeros, line ends or names that no topic can have show that no broker wrote the file."""
    if not file.damages and not file.canonical:
        yield Hit(Span(0, file.size), None, size=file.size)


@rule(
    "checkpoint-line-unknown",
    Severity.INFO,
    on=CheckpointFile,
    message="a line for {partition}, but there is no {file}",
    consequence="{effect}",
    remedy="Look for the directory if the partition should be here: in the broker's other log dirs, in lost+found, in copies. "
    + SEEK,
    source="LogManager.checkpointRecoveryOffsetsInDir (Kafka 3.9.1)",
    proof="checkpoint-line-unknown",
    near_miss="line-of-another-partition-that-is-here",
    loses="gone",
    invariants="K8",
)
def checkpoint_line_unknown(file: CheckpointFile) -> Iterator[Hit]:
    """A checkpoint file names a partition that the log dir does not hold.

    Where a metadata log lies in the log dir, it decides: an ERROR if it places the partition here and a line shows that it held
    records, a WARNING if no line does; INFO if it does not place it here. Else it is a WARNING in the recovery points of a
    broker that was stopped cleanly, which wrote the line from a log that it had open. If more partitions are missing than are
    here, they are reported together: partitions-not-copied.
    """
    open_then = file.clean and file.name == "recovery-point-offset-checkpoint"
    for one in file.unknown:
        folder = file.path.removesuffix(file.name)
        if one.placed:
            severity, effect = Severity.ERROR if one.offset > 0 else Severity.WARNING, _PLACED
        elif one.placed is None and open_then:
            severity, effect = Severity.WARNING, _TAKEN_AWAY
        else:
            severity, effect = Severity.INFO, _MOVED if one.placed is None else _NOT_PLACED
        had_records = one.offset > 0 and one.placed is not False
        yield Hit(
            one.span,
            None,
            severity=severity,
            partition=one.name,
            file=f"{folder}{one.name}",
            effect=effect,
            offsets_unknown=f"{one.name}: all offsets up to {one.offset - 1}, by the checkpoints" if had_records else None,
        )


class UnlistedPartition(NamedTuple):
    """A partition at `path` that is not there, though the metadata log at `witness` places it there; no checkpoint names it."""

    path: str
    witness: str


@rule(
    "partition-missing",
    Severity.ERROR,
    on=UnlistedPartition,
    message="{witness} places the partition here, but there is no {file}, and no checkpoint has a line for it",
    consequence="The broker creates it again, empty. What this replica held is gone from this log dir.",
    remedy="Look for the directory: in the broker's other log dirs, in lost+found, in copies. From a replica that is in sync "
    "the broker fetches the partition again. " + SEEK,
    source="LogManager.getOrCreateLog, BrokerMetadataPublisher (Kafka 3.9.1)",
    proof="partition-taken-away-with-its-lines",
    near_miss="line-of-another-partition-that-is-here",
    loses="gone",
    invariants="K8 K12",
)
def partition_missing(partition: UnlistedPartition) -> Iterator[Hit]:
    """After a clean stop the metadata log places a partition here, and nothing of it is here.

    Where a checkpoint still has a line for it, checkpoint-line-unknown says so.
    """
    name = partition.path.rpartition("/")[2]
    yield Hit(None, None, witness=partition.witness, file=partition.path, offsets_unknown=f"{name}: {_NO_DIRECTORY}")


class RenamedDirectory(NamedTuple):
    """A directory at `path` that was partition `was`: its log ends at `end`, as the checkpoint at `witness` has it for that.

    `kraft`: the broker runs with KRaft; None: not known.
    """

    path: str
    was: str
    end: int
    witness: str
    kraft: bool | None


@rule(
    "directory-renamed",
    Severity.ERROR,
    on=RenamedDirectory,
    message="under another name this is {was}: its log ends at offset {end}, as {witness} has it for {was}, whose directory is "
    "missing; for this one there is no line",
    consequence="{effect} And it makes {was} again, empty.",
    remedy="With the broker stopped, rename the directory back to {was}. No record is lost.",
    source="LogManager.loadLogs, LogManager.isStrayKraftReplica (Kafka 3.9.1)",
    proof="directory-renamed-with-its-line",
    near_miss="directory-of-another-length",
    invariants="K8",
)
def directory_renamed(renamed: RenamedDirectory) -> Iterator[Hit]:
    """After a clean stop one directory has no line in the checkpoints, and one line that fits its log has no directory.

    A clean stop notes the end of every log. Where several could be meant, or the topic's id is another's, nothing is said.
    """
    effect = "The broker loads it under a name that it does not serve."
    if renamed.kraft:
        effect = "The broker does not serve it under this name: it sets the directory aside, or deletes it before 3.6.2."
    yield Hit(None, None, was=renamed.was, end=renamed.end, witness=renamed.witness, effect=effect)


@rule(
    "segment-outside-partition",
    Severity.WARNING,
    on=LogDirNames,
    message="{file} is in the log dir itself",
    consequence="The broker ignores it: the file was moved or copied to a wrong place.",
    remedy="Look for the partition it belongs to.",
    source="LogManager.loadLogs (Kafka 3.9.1)",
    proof="log-in-log-dir",
    near_miss="notes-in-log-dir",
    invariants="D14",
)
def segment_outside_partition(log_dir: LogDirNames) -> Iterator[Hit]:
    """A segment's file is no partition's."""
    for name in log_dir.strays:
        yield Hit(None, None, path=f"{log_dir.path}/{name}", file=f"{log_dir.path}/{name}")


@rule(
    "directory-name-unparsable",
    Severity.ERROR,
    on=LogDirNames,
    message="{name!r} is no partition's name{what}",
    consequence="The broker does not start.",
    remedy="With the broker stopped, {move}.",
    source="LogManager.loadLogs, LocalLog.parseTopicPartitionName (Kafka 3.9.1)",
    proof="directory-backup",
    near_miss="remote-log-index-cache",
    invariants="D14",
)
def directory_name_unparsable(log_dir: LogDirNames) -> Iterator[Hit]:
    """A log dir holds a directory that is no partition's: lost+found, ZooKeeper's data, hidden directories too."""
    for name in log_dir.bad_directories:
        foreign = describe_directory(name)
        what = "" if foreign is None else f": it is {foreign.what}"
        yield Hit(None, None, path=f"{log_dir.path}/{name}", name=name, what=what, move=move_of(name))


@rule(
    "partition-is-file",
    Severity.ERROR,
    on=LogDirNames,
    message="{name!r} is a file, not a directory",
    consequence="The broker takes the log dir offline when it makes the partition.",
    remedy="With the broker stopped, move the file away. The broker then fetches the partition from the leader.",
    source="LogManager.getOrCreateLog (Kafka 3.9.1)",
    proof="partition-is-file",
    near_miss="file-of-no-listed-partition",
    loses="gone",
    invariants="D14",
)
def partition_is_file(log_dir: LogDirNames) -> Iterator[Hit]:
    """A file has the name of a partition that the checkpoint files list."""
    for name in log_dir.bad_files:
        yield Hit(None, None, path=f"{log_dir.path}/{name}", name=name, offsets_unknown=f"{name}: {_NO_DIRECTORY}")


@rule(
    "meta-properties-malformed",
    Severity.ERROR,
    on=LogDirNames,
    message="{problem}",
    consequence="A KRaft node exits, or leaves the log dir out; so does a broker with ZooKeeper, which since 2.8 completes a "
    "file that only lacks version or broker.id.",
    remedy=WRITE_META,
    source="MetaPropertiesEnsemble, MetaProperties (Kafka 3.9.1, 4.4.0), BrokerMetadataCheckpoint (1.1.1 to 2.8.2)",
    proof="meta-nuls",
    near_miss="meta-with-another-line",
    invariants="K10",
)
def meta_properties_malformed(log_dir: LogDirNames) -> Iterator[Hit]:
    """`meta.properties` cannot be read, or lacks what every release needs."""
    if log_dir.meta_problem:
        yield Hit(Span(0, log_dir.meta_size), None, path=log_dir.meta_path, problem=log_dir.meta_problem)


@rule(
    "future-in-same-dir",
    Severity.ERROR,
    on=LogDirNames,
    message="{name!r} is beside the current directory of its partition",
    consequence="The broker cannot promote it and takes the log dir offline.",
    remedy="With the broker stopped, move one of the two away; the future one is a copy.",
    source="LogManager.replaceCurrentWithFutureLog (Kafka 3.9.1)",
    proof="future-same-dir",
    near_miss="future-in-another-log-dir",
    invariants="D15",
)
def future_in_same_dir(log_dir: LogDirNames) -> Iterator[Hit]:
    """A `-future` directory belongs in another log dir than the current one."""
    for name in log_dir.same_dir_futures:
        yield Hit(None, None, path=f"{log_dir.path}/{name}", name=name)


def _extent(start: int | None, end: int | None) -> str:
    return "no log" if start is None or end is None else f"log start {start} and end {end}"


@rule(
    "partition-duplicated",
    Severity.ERROR,
    on=DoubledPartition,
    message="{partition} is in {file} too: {ranges}",
    consequence="The broker does not start.",
    remedy="With the broker stopped, move the directory that should not be there out of its log dir; in doubt, that with the "
    "lower log end. Delete neither before the partition is served again.",
    source="LogManager.loadLog (Kafka 3.9.1), KAFKA-2556",
    proof="partition-in-two-dirs",
    near_miss="future-in-another-log-dir",
    invariants="D15",
)
def partition_duplicated(doubled: DoubledPartition) -> Iterator[Hit]:
    """Two log dirs of one broker hold the same partition."""
    yield Hit(
        None,
        None,
        partition=doubled.path.rsplit("/", 1)[-1],
        file=doubled.other,
        ranges=f"{_extent(*doubled.offsets)} here, {_extent(*doubled.other_offsets)} there",
    )


@rule(
    "broker-ids-differ",
    Severity.ERROR,
    on=SharedIds,
    message="{what}",
    consequence="The broker does not start with both log dirs ({file} is the other).",
    remedy="Find out which log dir belongs to which broker.",
    source="MetaPropertiesEnsemble.verify (Kafka 3.9.1)",
    proof="directory-id-twice",
    near_miss="log-dirs-of-one-broker",
    invariants="K10",
)
def broker_ids_differ(ids: SharedIds) -> Iterator[Hit]:
    """The directory ids of two log dirs of one broker are the same, or their cluster ids differ.

    Different cluster ids make two brokers of them, but for files that were written in the same second for the same node id.
    """
    if ids.directory_id is not None:
        what = f"directory.id {ids.directory_id} twice"
    else:
        what = f"cluster.id {ids.cluster_id} and node id {ids.node_id}, written together with one of "
        what += f"cluster.id {ids.other_cluster_id}"
    yield Hit(None, None, what=what, file=ids.other)
