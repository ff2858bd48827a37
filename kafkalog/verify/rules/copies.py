"""Rules about incomplete copies: one statement about the copy, not one for each file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.line_ends import ADDED
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator


class TextLineEnds(NamedTuple):
    """Text files of a log dir, or of a partition directory given by itself, whose lines end in CR LF."""

    path: str
    files: tuple[str, ...]


class BinaryLineEnds(NamedTuple):
    """Binary files whose line ends were changed: path and how, as in `core.line_ends`."""

    path: str
    files: tuple[tuple[str, str], ...]


class LogsNotCopied(NamedTuple):
    """A log dir, or a partition directory given by itself, without any `.log` but those that the metadata log may have."""

    path: str
    partitions: int
    has_metadata: bool


class KindsNotCopied(NamedTuple):
    """A log dir, or a partition directory given by itself, without any file of these kinds; `files` are missing.

    `has_metadata`: the metadata log has some.
    """

    path: str
    kinds: tuple[str, ...]
    files: int
    has_metadata: bool


class PartitionsNotCopied(NamedTuple):
    """Partitions that a log dir's checkpoint files name: how many are here, and the names of those that are not.

    `placed` of them the metadata log in the log dir places there; None: there is none that could be read.
    """

    path: str
    present: int
    missing: tuple[str, ...]
    placed: int | None


#: What a broker does without the files of a kind.
_WITHOUT = {
    ".index": "A broker rebuilds the indexes of each segment at its start, and cuts a segment at its first bad batch.",
    ".timeindex": "A broker that finds the `.index` of a segment makes an empty `.timeindex` and never fills it: look-ups by "
    "time skip the segment, retention uses the file's age.",
    ".snapshot": "A broker replays the logs for its producers' state; after a clean stop it may forget open transactions.",
    "leader-epoch-checkpoint": "Followers truncate at the high watermark.",
    "partition.metadata": "A KRaft broker of 3.7.1 or later renames each directory -stray and starts a new, empty partition.",
}


@rule(
    "logs-not-copied",
    Severity.INFO,
    on=LogsNotCopied,
    message="not one `.log` is there, in {partitions}{but}: a copy without them, or all records are gone",
    consequence="Not one of their records could be checked, and the verdict is unknown. A broker that starts on these files "
    "begins each of them again, empty.",
    remedy="Copy the `.log` files as well (a .gitignore or a backup's rule for log files leaves them out), and check again. If "
    "these are the broker's own files, do not start it: look for the logs in other copies and on the other replicas.",
    source="LogLoader.load (Kafka 3.9.1)",
    proof="copied-without-logs",
    near_miss="logs-deleted",
    invariants="D1 D8",
)
def logs_not_copied(copy: LogsNotCopied) -> Iterator[Hit]:
    """Not one of the partitions has a `.log`, and at least two of them should have one. The metadata log may have its own.

    Of a directory given by itself: not one of at least two segments. If others have their logs, or if there is only one, each
    log that is missing is reported by itself, as a possible loss: index-without-log, partition-without-log.
    """
    but = " (the metadata log has its own)" if copy.has_metadata else ""
    yield Hit(None, None, partitions=_partitions(copy.partitions), but=but)


@rule(
    "files-not-copied",
    Severity.INFO,
    on=KindsNotCopied,
    message="no partition{but} has any {kinds}: {files} are missing",
    consequence="{effect}",
    remedy="Copy these files as well if they are wanted (a .gitignore or a backup's rule may leave them out). With all "
    "partitions' logs sound, nothing else is to do.",
    source="LogLoader.loadSegmentFiles, LogSegment.open (Kafka 3.9.1)",
    proof="copied-without-indexes",
    near_miss="index-deleted",
    invariants="D5 D6",
)
def files_not_copied(copy: KindsNotCopied) -> Iterator[Hit]:
    """Not one segment has its `.index` (`.timeindex`, `.snapshot`), and in at least two partitions it is missed.

    The metadata log may have its own.

    Of a directory given by itself: in at least two segments. `.txnindex`, `leader-epoch-checkpoint`, `partition.metadata` and
    `quorum-state` are only counted where no `.index` is there either. If one of the partitions has the file, each that is
    missing is reported by itself: index-missing, timeindex-missing, snapshot-at-end-missing and so on.
    """
    rebuilt = ".timeindex" if ".index" in copy.kinds else ""
    effect = " ".join(_WITHOUT[kind] for kind in copy.kinds if kind in _WITHOUT and kind != rebuilt)
    *others, last = (f"`{kind}`" for kind in copy.kinds)
    kinds = f"{', '.join(others)} or {last}" if others else last
    but = " but the metadata log" if copy.has_metadata else ""
    yield Hit(None, None, but=but, kinds=kinds, files=copy.files, effect=effect)


def _partitions(count: int) -> str:
    return f"{count} partitions" if count != 1 else "1 partition"


@rule(
    "text-line-ends",
    Severity.INFO,
    on=TextLineEnds,
    message="text files with the line ends of Windows (CR LF): {count}, the first is {file}",
    consequence="None: every broker reads both kinds. A broker on Windows writes its checkpoint files so; else a checkout by "
    "git, or a copy in text mode, has changed them, and may have changed binary files as well.",
    remedy="Nothing to do. If the log dir is kept in git, mark it `-text` in .gitattributes.",
    source="CheckpointFile, PartitionMetadataFile, PropertiesUtils (Kafka 2.3.1, 2.8.2, 3.9.1, 4.4.0, started on such files)",
    proof="text-of-windows",
    near_miss="epoch-file-edited",
    invariants="I1 K9 K11",
)
def text_line_ends(copy: TextLineEnds) -> Iterator[Hit]:
    """Each line of a text file ends in CR LF. That is reported once for a log dir; nobody need have edited the file."""
    yield Hit(None, None, count=len(copy.files), file=copy.files[0])


@rule(
    "binary-line-ends",
    Severity.ERROR,
    on=BinaryLineEnds,
    message="line ends of binary files were changed, {count} in all, the first is {file}: {change}",
    consequence="A broker cannot read on beyond the first such byte: a start after a crash cuts the log there, fetches fail.",
    remedy="Take the copy again as binary files (git: `-text` in .gitattributes; FTP: `binary`). {undo}",
    source="DefaultRecordBatch.ensureValid, LogSegment.recover (Kafka 3.9.1)",
    proof="binary-of-windows",
    near_miss="crc-one-bit",
    loses="unreadable",
    invariants="A1 A3",
)
def binary_line_ends(copy: BinaryLineEnds) -> Iterator[Hit]:
    """A checkout by git, or a copy in text mode, took binary files for text. What follows from that is not reported.

    It is only said where it is proven: with the bytes put back, checksums of batches are right that were wrong, or entries
    are in order that were not.
    """
    file, change = copy.files[0]
    if change == ADDED:
        undo = "If there is no other, replace each CR LF by LF in a copy of the files, and check that."
    else:
        undo = "If there is no other: where a CR is missing can be worked out batch by batch, by the checksums."
    unknown = "what the line ends have broken is not told batch by batch"
    yield Hit(None, None, count=len(copy.files), file=file, change=change, undo=undo, offsets_unknown=unknown)


@rule(
    "partitions-not-copied",
    Severity.INFO,
    on=PartitionsNotCopied,
    message="{missing} of the {listed} partitions that the checkpoint files name are not here: {names}{word}",
    consequence="Nothing can be said of these partitions. A broker creates those that are placed here again, empty.",
    remedy="Nothing to do if only some partitions were copied. If these are the broker's own files, look for the directories.",
    source="LogManager.checkpointRecoveryOffsetsInDir (Kafka 3.9.1)",
    proof="copied-in-part",
    near_miss="half-of-the-partitions",
    invariants="K8",
)
def partitions_not_copied(copy: PartitionsNotCopied) -> Iterator[Hit]:
    """More of the partitions in the checkpoint files are missing than are here: only a part was copied.

    The cleaner's checkpoint does not count: it keeps lines of partitions that are gone. Nor do partitions that the metadata
    log in the log dir no longer places there. A WARNING when none of the partitions is here. A single one that is missing,
    and each one if as many are here as are missing, is reported by itself: checkpoint-line-unknown.
    """
    names = ", ".join(copy.missing[:3]) + (", …" if len(copy.missing) > 3 else "")
    severity = Severity.WARNING if not copy.present else None
    missing = len(copy.missing)
    word = "" if copy.placed is None else f"; the metadata log places {copy.placed} of them here"
    yield Hit(None, None, severity=severity, missing=missing, listed=missing + copy.present, names=names, word=word)
