"""Rules about the files of a log dir, by what the other files say that they must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import BOOTSTRAP_CHECKPOINT, LOG_DIR_FILES, parse_segment_file_name
from kafkalog.core.foreign import describe_file, is_held_open
from kafkalog.next_start.meta_properties import META_CONTENT
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class LogDirFiles(NamedTuple):
    """The files of a log dir, and what each of them says that the others must be.

    `sizes`: name → bytes. `log`: a directory that a broker has open as a log, "" when there is none; that of the metadata
    quorum does not count. `kraft`: by `meta.properties`. `clean`: there is a clean-shutdown marker. `marker` is what is
    wrong with it, "" when nothing is, and `marker_size` its bytes. `newer_marker`: it is one of 3.7 or later.
    `proposed_meta`: what a missing `meta.properties` held, by what lies beside it; "" when it is there.
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
    proposed_meta: str = ""


class ContradictedMarker(NamedTuple):
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


class BootstrapFile(NamedTuple):
    """`bootstrap.checkpoint`: its batches that are sound; `has_version`: a record in them is about metadata.version."""

    path: str
    size: int
    batches: int
    damaged: bool
    has_version: bool


class CleanedLogs(NamedTuple):
    """A log dir without the log cleaner's checkpoint at `path`; `log` is a partition directory that shows its work."""

    path: str
    log: str


_META = "meta.properties"
_MARKER = ".kafka_cleanshutdown"
_RECOVERY = "recovery-point-offset-checkpoint"
_WATERMARKS = "replication-offset-checkpoint"
_LOG_STARTS = "log-start-offset-checkpoint"
_CLEANER = "cleaner-offset-checkpoint"
_COPY_AGAIN = "Copy the file again from where this log dir comes from. The broker starts without it, and writes it again."
#: Other files that brokers keep in a log dir.
_KNOWN = frozenset((*LOG_DIR_FILES, BOOTSTRAP_CHECKPOINT))


def _without_lines(name: str, *, clean: bool) -> str:
    """What a start makes of a checkpoint file without a line."""
    if name == _WATERMARKS:
        return "Every high watermark is the log's start until the partition has a leader: consumers see nothing until then."
    if name == _LOG_STARTS:
        return "Every log starts at its first segment again: records in it that DeleteRecords removed come back."
    if clean:
        return "None at the next start: after the clean stop nothing is recovered."
    return "The next start recovers every log from its first segment on, and cuts each at its first bad batch."


@rule(
    "bootstrap-without-version",
    Severity.ERROR,
    on=BootstrapFile,
    message="{size} bytes, {batches} batches, and no record about metadata.version",
    consequence="A node that has its metadata log in this log dir does not start.",
    remedy="With the node stopped, move the file out of the log dir: a node that has a metadata log starts without it.",
    source="BootstrapDirectory, BootstrapMetadata (Kafka 3.8.1)",
    proof="bootstrap-of-no-version",
    near_miss="bootstrap-with-another-record",
)
def bootstrap_without_version(file: BootstrapFile) -> Iterator[Hit]:
    """`bootstrap.checkpoint` is empty, or lacks the record that every node looks for in it. Without the file it starts."""
    if not file.damaged and not file.has_version:
        yield Hit(Span(0, file.size), None, size=file.size, batches=file.batches)


@rule(
    "checkpoint-missing",
    Severity.WARNING,
    on=LogDirFiles,
    message="a broker has had {file} open, but there is no {name}",
    consequence="{effect}",
    remedy=_COPY_AGAIN,
    source="LogManager, ReplicaManager, OffsetCheckpointFile (Kafka 3.9.1): made at the start, never deleted",
    proof="recovery-file-removed",
    near_miss="copied-without-meta",
    invariants="K12",
)
def checkpoint_missing(files: LogDirFiles) -> Iterator[Hit]:
    """A checkpoint file that every broker makes when it starts is not there.

    Copies without `meta.properties` are taken for partial ones and left alone. The file of log starts came with 0.11, so
    it is only missed in log dirs of KRaft.
    """
    if not files.log or _META not in files.sizes:
        return
    for name in (_RECOVERY, _WATERMARKS, *((_LOG_STARTS,) if files.kraft else ())):
        if name not in files.sizes:
            effect = _without_lines(name, clean=files.clean)
            yield Hit(None, None, path=f"{files.path}/{name}", file=f"{files.path}/{files.log}", name=name, effect=effect)


@rule(
    "cleaner-checkpoint-missing",
    Severity.WARNING,
    on=CleanedLogs,
    message="{log} was compacted, but there is no {file}",
    consequence="The log cleaner begins again at the start of every log: harmless, but it takes long, and it has to keep "
    "tombstones for longer.",
    remedy=_COPY_AGAIN,
    source="LogCleanerManager (Kafka 3.9.1): made at the start if there is a cleaner, never deleted",
    proof="cleaner-file-removed",
    near_miss="compacted-gap",
    invariants="K7",
)
def cleaner_checkpoint_missing(cleaned: CleanedLogs) -> Iterator[Hit]:
    """Batches show that the log cleaner went over them, and its checkpoint is not there.

    Without such batches nothing is missed: a broker whose cleaner is switched off has no such file.
    """
    yield Hit(None, None, file=cleaned.path, log=cleaned.log)


@rule(
    "checkpoint-emptied",
    Severity.WARNING,
    on=LogDirFiles,
    message="0 bytes, {why}",
    consequence="{effect}",
    remedy=_COPY_AGAIN,
    source="LogManager.shutdown, ReplicaManager.shutdown (Kafka 3.9.1): files are replaced as a whole, never emptied",
    proof="recovery-file-emptied",
    near_miss="checkpoint-empty",
    invariants="K9 K12",
)
def checkpoint_emptied(files: LogDirFiles) -> Iterator[Hit]:
    """A checkpoint file holds nothing, although it must have been written.

    It is made empty at the first start. A clean stop writes it, if only to say that there is no line; and recovery points
    are always written before log starts are.
    """
    if not files.log:
        return
    for name in (_RECOVERY, _WATERMARKS, _LOG_STARTS):
        if files.sizes.get(name) != 0:
            continue
        effect = _without_lines(name, clean=files.clean)
        if files.clean:
            why = "but the broker was stopped cleanly"
            yield Hit(Span(0, 0), None, path=f"{files.path}/{name}", why=why, effect=effect)
        elif name == _RECOVERY and files.sizes.get(_LOG_STARTS):
            why = "but log starts were written, and recovery points are written before them"
            yield Hit(Span(0, 0), None, path=f"{files.path}/{name}", why=why, effect=effect)


@rule(
    "meta-properties-missing",
    Severity.WARNING,
    on=LogDirFiles,
    message="there is no {file}, though all other files of a log dir are there",
    consequence="A KRaft node exits; since 3.7 it writes a new file if another of its log dirs has one and the metadata log "
    "is not in this one, with a new directory.id that the controller does not know. A broker with ZooKeeper writes a new one.",
    remedy="Restore meta.properties from a backup, or write a new one. {content}",
    source="KafkaServer.startup, MetaPropertiesEnsemble (Kafka 3.9.1)",
    proof="meta-removed",
    near_miss="copied-without-meta",
    invariants="K10",
)
def meta_properties_missing(files: LogDirFiles) -> Iterator[Hit]:
    """`meta.properties` is gone from a log dir that is whole otherwise.

    All four checkpoint files or a `bootstrap.checkpoint` must be there: less is a partial copy, or a broker of before 0.9.
    """
    whole = BOOTSTRAP_CHECKPOINT in files.sizes or {_RECOVERY, _WATERMARKS, _LOG_STARTS, _CLEANER} <= files.sizes.keys()
    if whole and files.log and _META not in files.sizes:
        content = files.proposed_meta or META_CONTENT
        yield Hit(None, None, path=f"{files.path}/{_META}", file=f"{files.path}/{_META}", content=content)


@rule(
    "directory-id-missing",
    Severity.WARNING,
    on=LogDirFiles,
    message="there is no directory.id, but {file} was written by Kafka 3.7 or later, which gives every log dir one",
    consequence="The broker gives the log dir a new id: until the controller knows that id, it takes the partitions for gone.",
    remedy="Restore the file; the controller knows the old id (`kafkalog metadata` shows it).",
    source="KafkaRaftServer.initializeLogDirs, CleanShutdownFileHandler (Kafka 3.9.1), KIP-858",
    proof="directory-id-removed",
    near_miss="directory-id-of-before-3.7",
    invariants="K10",
)
def directory_id_missing(files: LogDirFiles) -> Iterator[Hit]:
    """`meta.properties` of a KRaft broker has no `directory.id`, and the clean-shutdown marker is one of 3.7 or later."""
    if files.kraft and files.newer_marker and not files.has_directory_id:
        size = files.sizes.get(_META, 0)
        yield Hit(Span(0, size), None, path=f"{files.path}/{_META}", file=f"{files.path}/{_MARKER}")


@rule(
    "clean-marker-malformed",
    Severity.WARNING,
    on=LogDirFiles,
    message="{problem}",
    consequence="The broker takes its last stop for a clean one and recovers nothing, whatever the marker holds.",
    remedy="With the broker stopped, move the marker out of the log dir: the broker then recovers the logs, which does no "
    "harm to sound ones.",
    source="CleanShutdownFileHandler (Kafka 3.9.1), LogManager.loadLogs",
    proof="clean-marker-garbage",
    near_miss="marker-of-3.7",
    invariants="K12",
)
def clean_marker_malformed(files: LogDirFiles) -> Iterator[Hit]:
    """The clean-shutdown marker is not what a broker writes: nothing up to 3.6, JSON with a version since 3.7."""
    if files.marker:
        yield Hit(Span(0, files.marker_size), None, path=f"{files.path}/{_MARKER}", problem=files.marker)


@rule(
    "clean-marker-false",
    Severity.WARNING,
    on=ContradictedMarker,
    message="the marker says that the broker was stopped cleanly, but {points} of {judged} logs say that it was not: their "
    "recovery point lies before their end, {snapshots} have no snapshot at the end, {padded} have preallocated indexes in "
    "the active segment",
    consequence="With the marker the broker recovers nothing at its next start: no log is checked, torn tails stay and are "
    "appended to, and what producers did since their last snapshot is taken from the last segment alone.",
    remedy="Before the broker starts, move the marker out of the log dir: the broker then recovers the logs from their "
    "recovery points. That can take long; it is what makes them sound.",
    source="LogManager.shutdown, LogManager.loadLogs (Kafka 3.9.1), KAFKA-15375",
    proof="marker-touched",
    near_miss="marker-and-a-foreign-directory",
    invariants="K2 K12",
)
def clean_marker_false(marker: ContradictedMarker) -> Iterator[Hit]:
    """The clean-shutdown marker lies: most logs of the log dir are as a killed broker leaves them.

    A clean stop sets every recovery point to the log's end, writes a snapshot there and trims the indexes. A single log that is
    otherwise, among logs that were closed, was put here later. The findings that there would not be without the marker name
    this one as their cause.
    """
    yield Hit(
        Span(0, marker.size), None, points=marker.points, judged=marker.judged, snapshots=marker.snapshots, padded=marker.padded
    )


@rule(
    "log-dir-leftover-temporary",
    Severity.INFO,
    on=LogDirFiles,
    message="a file that was being written{when}",
    consequence="None: it is replaced the next time that the file of its name is written.",
    remedy="Nothing to do.",
    source="CheckpointFile.write (Kafka 3.9.1)",
    proof="checkpoint-tmp-clean",
    near_miss="notes-tmp",
    invariants="D9",
)
def log_dir_leftover_temporary(files: LogDirFiles) -> Iterator[Hit]:
    """A `.tmp` file in the log dir: the broker was stopped between writing a file and renaming it.

    A WARNING after a clean stop, which writes these files and so takes older left-overs along: somebody else made it.
    """
    written = {f"{name}.tmp" for name in (_RECOVERY, _WATERMARKS, _LOG_STARTS)} if files.log else set()
    for name, size in files.sizes.items():
        if _is_temporary(name):
            odd = files.clean and name in written
            when = ", after a clean stop, which writes a new one" if odd else ""
            severity = Severity.WARNING if odd else None
            yield Hit(Span(0, size), None, path=f"{files.path}/{name}", severity=severity, when=when)


def _is_temporary(name: str) -> bool:
    return name.endswith(".tmp") and name.removesuffix(".tmp") in _KNOWN


@rule(
    "log-dir-unexpected-file",
    Severity.INFO,
    on=LogDirFiles,
    message="{file}: {what}, none of Kafka's",
    consequence="None: in the log dir itself the broker only opens files by their full names.",
    remedy="Nothing to do.",
    source="LogManager.loadLogs (Kafka 3.9.1)",
    proof="file-in-log-dir",
    near_miss="hidden-file",
    invariants="D14",
)
def log_dir_unexpected_file(files: LogDirFiles) -> Iterator[Hit]:
    """A file in the log dir whose name means nothing to Kafka. Hidden files, which file managers and tools leave, are not."""
    for name, size in files.sizes.items():
        known = name in _KNOWN or name in files.listed or _is_temporary(name) or parse_segment_file_name(name) is not None
        if not known and (not name.startswith(".") or is_held_open(name)):
            path = f"{files.path}/{name}"
            yield Hit(Span(0, size), None, path=path, file=path, what=describe_file(name) or "a file")
