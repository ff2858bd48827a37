"""Rules about the names in a partition directory: what is missing, left over or none of Kafka's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import PARTITION_FILES, parse_segment_file_name
from kafkalog.core.foreign import COMPANION, describe_file, is_held_open
from kafkalog.core.spoken import offsets_spoken
from kafkalog.span import Span
from kafkalog.verify.finding import Hit, Severity
from kafkalog.verify.remedies import FINISH_SWAP, LET_REBUILD, LET_REPLAY, RESTORE, SEEK
from kafkalog.verify.rule import rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkalog.core.filename import SegmentFileName


class PartitionFiles(NamedTuple):
    """The names in a partition directory.

    `segments`: base offset → suffix → path. `sizes`: base offset → bytes of the `.log`. `log_only`: a copy that holds
    nothing but logs. `just_rolled`: the active segment holds a single batch. `changed`: bases whose producers' state differs
    from that at the snapshot before. `just_made`: nothing is in the directory, and nothing says that there was anything.
    `gone` are the first and the last offset that a log without any segment had, the last one None where it is not known.
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
    gone: tuple[int, int | None] | None
    is_foreign: bool


_INDEXES = (".index", ".timeindex", ".txnindex")
_FORGETS = (
    "No snapshot is left, and after a clean stop the broker does not replay the log: it forgets the producers and open "
    "transactions."
)
_FORCE_REPLAY = (
    "With the broker stopped, move the log dir's `.kafka_cleanshutdown` away: the start then recovers every log of the log "
    "dir, and learns the producers from this one."
)
_UNREAD = "the file was not read, because of its name"
_PARSED_BY_BROKER = re.compile(r"([^.]*)\.(?:.*\.)?(log|index|timeindex|txnindex|snapshot|swap|cleaned)")
_LOG_INSIDE = re.compile(r"(\d{20})\.log", re.IGNORECASE | re.ASCII)


@rule(
    "index-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing beside its log of {size} bytes",
    consequence="The broker reads the segment at the next start to rebuild its indexes, and cuts it at the first bad batch.",
    remedy=LET_REBUILD,
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="index-deleted",
    near_miss="empty-segment-without-indexes",
    invariants="D5",
)
def index_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A segment with data has no `.index`.

    An empty active segment may lack one, and so may one that is being swapped. INFO when the last segment of a broker that
    was not stopped cleanly holds a single batch and has neither index: both are made with the first append, which a copy
    of a running broker may have met halfway.
    """
    yield from _missing(files, ".index")


@rule(
    "timeindex-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing beside its log of {size} bytes",
    consequence="The broker makes an empty one and never fills it: look-ups by time skip the segment, retention uses the "
    "file's age.",
    remedy="With the broker stopped, move the segment's `.index` away too: then both are rebuilt.",
    source="LogSegment.open (Kafka 3.9.1)",
    proof="timeindex-deleted",
    near_miss="empty-segment-without-indexes",
    invariants="D6",
)
def timeindex_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A segment with data has no `.timeindex`."""
    yield from _missing(files, ".timeindex")


def _missing(files: PartitionFiles, suffix: str) -> Iterator[Hit]:
    if files.log_only or files.mark == "delete":
        return
    for base, paths in files.segments.items():
        if ".log" in paths and suffix not in paths and files.sizes.get(base) and base not in files.covered:
            path = paths[".log"].removesuffix(".log") + suffix
            new = base == files.active and files.just_rolled and not files.clean and not {".index", ".timeindex"} & paths.keys()
            severity = Severity.INFO if new else None
            yield Hit(None, None, path=path, severity=severity, file=path, size=files.sizes[base])


@rule(
    "siblings-not-copied",
    Severity.INFO,
    on=PartitionFiles,
    message="the directory holds logs and nothing else: {segments} segments without any index",
    consequence="Indexes, epochs and producers' state could not be checked. A broker would rebuild the indexes.",
    remedy="Copy the whole directory for a complete check.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="logs-only",
    near_miss="logs-and-epochs",
    invariants="D5 D6",
)
def siblings_not_copied(files: PartitionFiles) -> Iterator[Hit]:
    """Only `.log` files are there: a partial copy."""
    if files.log_only and any(files.sizes.values()):
        yield Hit(None, None, segments=len(files.segments))


@rule(
    "index-without-log",
    Severity.WARNING,
    on=PartitionFiles,
    message="there is no {file}, the log of base offset {base}",
    consequence="The broker deletes it at the next start. If the log was there before, its records are gone.",
    remedy="Look for the log in other copies; a gap between the segments shows whether records are missing.",
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="log-deleted",
    near_miss="log-of-a-swap",
    invariants="D8",
)
def index_without_log(files: PartitionFiles) -> Iterator[Hit]:
    """An index file has no log. While a cleaned segment is being swapped in, or a segment deleted, that is normal.

    If there is no log at all, partition-without-log says it for all of them.
    """
    if files.mark == "delete" or not any(".log" in paths for paths in files.segments.values()):
        return
    for base, paths in files.segments.items():
        if ".log" not in paths and base not in files.covered:
            for suffix in _INDEXES:
                if suffix in paths:
                    log = paths[suffix].removesuffix(suffix) + ".log"
                    yield Hit(None, None, path=paths[suffix], file=log, base=base)


@rule(
    "partition-without-log",
    Severity.ERROR,
    on=PartitionFiles,
    message="there is no log in the directory, not even {file}; segments with other files: {segments}{told}",
    consequence="The broker makes a new empty segment: the partition starts again at 0.",
    remedy=f"{RESTORE} {SEEK}",
    source="LogLoader.load (Kafka 3.9.1)",
    proof="logs-deleted",
    near_miss="delete-directory",
    loses="gone",
    invariants="D1",
)
def partition_without_log(files: PartitionFiles) -> Iterator[Hit]:
    """No `.log` at all is in the directory.

    INFO for an empty directory without an offset in the checkpoints of a log dir that was not stopped cleanly: the broker had
    just made it.
    """
    has_log = any(".log" in paths for paths in files.segments.values())
    swapped = any(name.suffix == ".log" and name.pending == ".swap" for name, _, _ in files.pending)
    if not has_log and not swapped and files.mark != "delete" and not files.is_foreign:
        first = min((*files.segments, *files.snapshots), default=0)
        severity = Severity.INFO if files.just_made else None
        told, gone, unknown = "", None, None
        if files.gone is not None and files.gone[1] is not None:
            gone = files.gone[0], files.gone[1]
            told = f"; it had {offsets_spoken(*gone)}"
        elif files.gone is not None or not files.clean:
            unknown = "no log is left that tells how far it went"
        else:
            told, severity = "; it was empty", severity or Severity.WARNING
        yield Hit(
            None,
            gone,
            severity=severity,
            file=f"{files.path}/{first:020d}.log",
            segments=len(files.segments),
            told=told,
            offsets_unknown=unknown,
        )


def _pending(files: PartitionFiles, pending: str) -> Iterator[Hit]:
    for name, path, size in files.pending:
        if name.pending == pending:
            yield Hit(Span(0, size), None, path=path, size=size)


@rule(
    "leftover-deleted",
    Severity.INFO,
    on=PartitionFiles,
    message="waits to be deleted; {size} bytes",
    consequence="A running broker removes it after file.delete.delay.ms, any broker at its next start.",
    remedy="`kafkalog dump` still reads it, if deleted records are wanted.",
    source="LogLoader.removeTempFilesAndCollectSwapFiles (Kafka 3.9.1)",
    proof="pending-delete",
    near_miss="notes-deleted",
    invariants="D9",
)
def leftover_deleted(files: PartitionFiles) -> Iterator[Hit]:
    """A `.deleted` file: retention, DeleteRecords, compaction or a truncation put the segment aside."""
    yield from _pending(files, ".deleted")


@rule(
    "leftover-temporary",
    Severity.INFO,
    on=PartitionFiles,
    message="a file that was being written",
    consequence="None: it is replaced the next time that the file of its name is written.",
    remedy="Nothing to do.",
    source="CheckpointFile.write, PartitionMetadataFile.maybeFlush (Kafka 3.9.1)",
    proof="epoch-file-tmp",
    near_miss="tmp-directory",
    invariants="D9",
)
def leftover_temporary(files: PartitionFiles) -> Iterator[Hit]:
    """A `.tmp` file: the broker was stopped between writing a small file and renaming it."""
    for name, kind in files.others:
        if kind == "file" and name.endswith(".tmp"):
            yield Hit(None, None, path=f"{files.path}/{name}")
    for parsed, path, size in files.pending:
        if parsed.pending == ".part":
            yield Hit(Span(0, size), None, path=path)


@rule(
    "leftover-cleaned",
    Severity.INFO,
    on=PartitionFiles,
    message="an unfinished result of the log cleaner; {size} bytes",
    consequence="The broker removes it at its next start and cleans again; the segments that it was made from are still there.",
    remedy="Nothing to do.",
    source="LogLoader.removeTempFilesAndCollectSwapFiles (Kafka 3.9.1), KAFKA-12520",
    proof="cleaner-killed",
    near_miss="swap-under-way",
    invariants="D9",
)
def leftover_cleaned(files: PartitionFiles) -> Iterator[Hit]:
    """A `.cleaned` file: the broker was stopped while the cleaner wrote it."""
    yield from _pending(files, ".cleaned")


@rule(
    "leftover-swap",
    Severity.INFO,
    on=PartitionFiles,
    message="a complete result of the log cleaner about to replace its segments; {size} bytes",
    consequence="At its next start the broker renames it into place and deletes the regular files of the offsets it covers.",
    remedy=FINISH_SWAP,
    source="LogLoader.completeSwapOperations (Kafka 3.9.1), KAFKA-12520",
    proof="swap-under-way",
    near_miss="cleaner-killed",
    invariants="D9",
)
def leftover_swap(files: PartitionFiles) -> Iterator[Hit]:
    """A `.swap` file: the broker was stopped while a cleaned or split segment replaced its predecessors."""
    yield from _pending(files, ".swap")


@rule(
    "leftover-swap-incomplete",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} has {size} bytes; the regular segment of its base offset has {full}",
    consequence="At its next start the broker deletes the full segment and takes this one.",
    remedy="With the broker stopped, move the `.swap` files of this base offset away, after making a copy.",
    source="LogLoader.completeSwapOperations (Kafka 3.9.1), KAFKA-12520",
    proof="swap-empty",
    near_miss="swap-under-way",
    invariants="D9",
)
def leftover_swap_incomplete(files: PartitionFiles) -> Iterator[Hit]:
    """A `.log.swap` without a byte is beside a full segment with all of its indexes: no cleaner leaves that."""
    for name, path, size in files.pending:
        full = files.sizes.get(name.base_offset, 0)
        if name.pending == ".swap" and name.suffix == ".log" and size == 0 and full:
            siblings = [other for other, _, _ in files.pending if other.base_offset == name.base_offset]
            if len(siblings) == 1:
                yield Hit(Span(0, 0), None, path=path, file=path, size=size, full=full)


@rule(
    "unexpected-file",
    Severity.INFO,
    on=PartitionFiles,
    message="{what}: none of Kafka's",
    consequence="None while the broker loads the partition: it looks for the endings of its own files. When the partition is "
    "deleted, or moved to another log dir, this is deleted with its directory.",
    remedy="Nothing to do.",
    source="LogLoader.loadSegmentFiles, LocalLog.deleteEmptyDir (Kafka 2.3.1, 2.8.2, 3.9.1, 4.4.0)",
    proof="foreign-file",
    near_miss="nfs-file",
    invariants="D14",
)
def unexpected_file(files: PartitionFiles) -> Iterator[Hit]:
    """A file, directory or link whose name means nothing to Kafka: file managers, editors, archives and people leave them.

    Files in the log dir itself have the rule log-dir-unexpected-file.
    """
    if files.is_foreign:
        return
    for name, kind in files.others:
        what = describe_file(name) if kind == "file" else None
        if kind == "directory":
            told_elsewhere = _is_of_kafka(name)
        else:
            told_elsewhere = kind == "file" and (_is_touched(name) or is_held_open(name) or _stands_for(files, name) != "")
        if not told_elsewhere:
            yield Hit(None, None, path=f"{files.path}/{name}", what=what or f"a {kind}")


def _is_touched(name: str) -> bool:
    """Whether the broker takes a file for one of its own, by the ending of its name."""
    return name.endswith((".deleted", ".tmp")) or _PARSED_BY_BROKER.fullmatch(name) is not None


def _is_of_kafka(name: str) -> bool:
    return parse_segment_file_name(name) is not None or name in PARTITION_FILES


def _stands_for(files: PartitionFiles, name: str) -> str:
    """The name of a `.log` that is missing, if a file of another name may hold its records; else ""."""
    match = _LOG_INSIDE.search(name)
    if match is None or _is_touched(name) or describe_file(name) == COMPANION:
        return ""
    return "" if ".log" in files.segments.get(int(match[1]), {}) else f"{match[1]}.log"


@rule(
    "segment-renamed",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file} looks like {right}, which is missing",
    consequence="The broker looks for names in small letters that end in `.log`: the records of this file stay unseen.",
    remedy="With the broker stopped, rename the file to {right}; `kafkalog verify` then shows whether it is that segment.",
    source="UnifiedLog.isLogFile (Kafka 3.9.1)",
    proof="name-upper-case",
    near_miss="copy-beside-its-segment",
    loses="gone",
    invariants="D1",
)
def segment_renamed(files: PartitionFiles) -> Iterator[Hit]:
    """A segment's `.log` has another name: in capitals, as a backup copy, packed.

    Nothing is said of it while the segment itself is there.
    """
    for name, kind in files.others:
        right = _stands_for(files, name) if kind == "file" else ""
        if right:
            path = f"{files.path}/{name}"
            yield Hit(None, None, path=path, file=path, right=right, offsets_unknown=_UNREAD)


@rule(
    "file-held-open",
    Severity.INFO,
    on=PartitionFiles,
    message="a file that was deleted while a process had it open: {system} keeps it under this name",
    consequence="None while the broker loads the partition. But when that is deleted, or moved to another log dir, its "
    "directory cannot be removed while the file is there: the log dir goes offline, and a broker whose only one it is exits.",
    remedy="Stop the process that holds the file (`lsof` or `fuser` on the machine that has the directory mounted; often the "
    "broker itself): then the file goes. Keep log dirs on local disks.",
    source="LogManager.deleteLogs, Utils.delete (Kafka 3.9.1); seen as Yolean/kubernetes-kafka#157 and KAFKA-13403",
    proof="nfs-file",
    near_miss="nfs-directory",
    invariants="D14",
)
def file_held_open(files: PartitionFiles) -> Iterator[Hit]:
    """A `.nfs…` file, or with FUSE `.fuse_hidden…`: it goes when the process that has it open ends or closes it."""
    for name, kind in files.others:
        if kind == "file" and is_held_open(name):
            system = "NFS" if name.startswith(".nfs") else "FUSE"
            yield Hit(None, None, path=f"{files.path}/{name}", system=system)


@rule(
    "foreign-deleted",
    Severity.INFO,
    on=PartitionFiles,
    message="a file whose name ends in .deleted, and is no segment's",
    consequence="Every broker deletes it at its next start.",
    remedy="If it is wanted, move it out of the log dir before the next start.",
    source="LogLoader.removeTempFilesAndCollectSwapFiles (Kafka 3.9.1); the same in 2.3.1, 2.8.2 and 4.4.0",
    proof="notes-deleted",
    near_miss="pending-delete",
    invariants="D9 D14",
)
def foreign_deleted(files: PartitionFiles) -> Iterator[Hit]:
    """A file whose name ends in `.deleted` without being a segment's: the ending alone counts. Directories stay."""
    for name, kind in files.others:
        if kind == "file" and name.endswith(".deleted"):
            yield Hit(None, None, path=f"{files.path}/{name}")


@rule(
    "zookeeper-in-log-dir",
    Severity.WARNING,
    on=PartitionFiles,
    message="{name} holds ZooKeeper's data, and its name reads as a partition's",
    consequence="A KRaft broker of 3.7.1 or later renames the directory -stray, and ZooKeeper finds its data no more; older "
    "brokers, and those with ZooKeeper, put an empty segment into it.",
    remedy="With broker and ZooKeeper stopped, give ZooKeeper a `dataDir` outside the log dir, and move the directory there.",
    source="LogManager.loadLogs (Kafka 2.3.1, 2.8.2, 3.9.1, 4.4.0); ZooKeeper's FileTxnSnapLog",
    proof="zookeeper-version-2",
    near_miss="topic-called-version",
    invariants="D14",
)
def zookeeper_in_log_dir(files: PartitionFiles) -> Iterator[Hit]:
    """ZooKeeper's `version-2`, with files like `log.1` and `snapshot.0`, is in the log dir."""
    if files.is_foreign:
        yield Hit(None, None, name=files.path.rpartition("/")[2])


@rule(
    "segment-is-directory",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file} is a directory",
    consequence="The broker ignores it: the file that should be there is missing.",
    remedy=RESTORE,
    source="LogLoader.loadSegmentFiles (Kafka 3.9.1)",
    proof="log-is-directory",
    near_miss="directory-of-no-segment",
    loses="gone",
    invariants="D14",
)
def segment_is_directory(files: PartitionFiles) -> Iterator[Hit]:
    """A directory has the name of a file of Kafka's."""
    for name, kind in files.others:
        if kind == "directory" and _is_of_kafka(name):
            path = f"{files.path}/{name}"
            unknown = "a directory has the place of the log" if name.endswith(".log") else None
            yield Hit(None, None, path=path, file=path, offsets_unknown=unknown)


@rule(
    "file-name-unparsable",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file}: {text}",
    consequence="The broker does not start: it parses what is before the first dot as a number.",
    remedy="With the broker stopped, move the file out of the directory.",
    source="LocalLog.offsetFromFile, LogLoader (Kafka 3.9.1)",
    proof="notes-log",
    near_miss="notes-log-txt",
    invariants="D14 D1",
)
def file_name_unparsable(files: PartitionFiles) -> Iterator[Hit]:
    """A file has the suffix of a segment's, but no number in front of it."""
    for name, kind in files.others:
        match = _PARSED_BY_BROKER.fullmatch(name)
        if match and kind == "file" and _java_long(match[1]) is None:
            what = describe_file(name)
            text = f"{match[1]!r} is not a base offset" + (f" ({what})" if what else "")
            yield Hit(None, None, path=f"{files.path}/{name}", file=f"{files.path}/{name}", text=text)


@rule(
    "file-name-not-canonical",
    Severity.ERROR,
    on=PartitionFiles,
    message="{file}: the name of base offset {base} has 20 digits: {right}",
    consequence="The broker opens, or makes, {right}; the records of this file stay unseen.",
    remedy="With the broker stopped, rename the file if its content begins at offset {base}.",
    source="LogFileUtils.filenamePrefixFromOffset, LogLoader (Kafka 3.9.1)",
    proof="name-short",
    near_miss="index-of-20-digits",
    loses="gone",
    invariants="D1",
)
def file_name_not_canonical(files: PartitionFiles) -> Iterator[Hit]:
    """The number in a segment file's name is not written the way Kafka writes it."""
    for name, kind in files.others:
        match = _PARSED_BY_BROKER.fullmatch(name)
        base = _java_long(match[1]) if match else None
        if match and base is not None and kind == "file":
            right = f"{'-' if base < 0 else ''}{abs(base):020d}{name[len(match[1]) :]}"
            path = f"{files.path}/{name}"
            if right != name or base < 0:
                is_log = name.endswith(".log")
                unknown = _UNREAD if is_log else None
                yield Hit(None, None, path=path, file=path, base=base, right=right, offsets_unknown=unknown)


def _java_long(text: str) -> int | None:
    if not re.fullmatch(r"[+-]?\d+", text):
        return None
    value = int(text)
    return value if -(1 << 63) <= value < 1 << 63 else None


@rule(
    "snapshot-missing-for-segment",
    Severity.WARNING,
    on=PartitionFiles,
    message="{file} is missing, though there are snapshots before and after it and producers wrote in between",
    consequence="The broker replays more of the log when it needs the producers' state there.",
    remedy=LET_REPLAY,
    source="UnifiedLog.roll, ProducerStateManager.takeSnapshot (Kafka 2.8 and later)",
    proof="snapshot-deleted",
    near_miss="oldest-snapshot-deleted",
    invariants="D12",
)
def snapshot_missing_for_segment(files: PartitionFiles) -> Iterator[Hit]:
    """A segment in the middle has no snapshot although its neighbours have one.

    Brokers before 2.8 keep only the newest ones; nothing is written when no producer has written since the last one.
    """
    bases = [base for base, paths in files.segments.items() if ".log" in paths]
    if not files.snapshots or files.log_only:
        return
    first, last = min(files.snapshots), max(files.snapshots)
    for base in bases:
        if first < base < last and base not in files.snapshots and base in files.changed:
            path = f"{files.path}/{base:020d}.snapshot"
            yield Hit(None, (base, base), path=path, file=path)


@rule(
    "snapshot-at-end-missing",
    Severity.WARNING,
    on=PartitionFiles,
    message="the broker was stopped cleanly, but {file} is missing",
    consequence="{effect}",
    remedy="{advice}",
    source="UnifiedLog.close, ProducerStateManager.takeSnapshot (Kafka 3.9.1)",
    proof="snapshot-last-deleted",
    near_miss="snapshot-last-deleted-after-a-crash",
    invariants="K2",
)
def snapshot_at_end_missing(files: PartitionFiles) -> Iterator[Hit]:
    """A clean stop writes a snapshot at the end of the log."""
    end = files.log_end
    empty = files.active is None or not files.sizes.get(files.active) or files.log_start == end
    if not files.clean or not end or files.mark or empty:
        return
    if end not in files.snapshots and (files.has_producers or files.snapshots):
        path = f"{files.path}/{end:020d}.snapshot"
        older = max(files.snapshots, default=None)
        effect, advice = _FORGETS, _FORCE_REPLAY
        if older is not None:
            effect, advice = f"The broker replays the log from offset {older} on: no producer is forgotten.", "Nothing to do."
        yield Hit(None, (end, end), path=path, file=path, effect=effect, advice=advice)


@rule(
    "index-zero-capacity",
    Severity.INFO,
    on=PartitionFiles,
    message="{file} has 0 bytes beside an empty active segment",
    consequence="Some releases cannot roll such a segment ('segment already exists') until they are restarted.",
    remedy="Restart the broker if it complains; nothing is lost.",
    source="KAFKA-6388, KAFKA-13603",
    proof="index-zero-capacity",
    near_miss="empty-index-after-a-clean-stop",
    invariants="D4 E3",
)
def index_zero_capacity(files: PartitionFiles) -> Iterator[Hit]:
    """The index of the empty active segment has no room for an entry, and the broker was not stopped cleanly."""
    if files.active is None or files.clean is not False or files.sizes.get(files.active) != 0 or files.mark:
        return
    if files.active_index_size != 0:
        return
    path = files.segments[files.active].get(".index")
    if path is not None and files.active in files.covered:
        yield Hit(Span(0, 0), None, path=path, file=path)
