"""What the caller's paths hold: the internal topic in question, and the partitions beside it."""

from __future__ import annotations

import os
from contextlib import nullcontext
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from kafkalog.core.attributes import CODEC_MASK, CONTROL
from kafkalog.core.batch import Damage, RecordBatch
from kafkalog.core.checkpoint import read_offset_checkpoint
from kafkalog.core.filename import COORDINATOR_TOPICS, PartitionName, parse_partition_name, parse_segment_file_name
from kafkalog.core.legacy import LegacyBatch, LegacyRecord
from kafkalog.core.log import Batch, SearchBudget, last_batch, walk
from kafkalog.core.plain_records import plain_records
from kafkalog.core.properties import read_partition_metadata
from kafkalog.core.source import BytesSource
from kafkalog.core.spoken import listed
from kafkalog.errors import Truncated, UnreadableFile
from kafkalog.files.arguments import items_of, path_of
from kafkalog.files.classify import Kind, classify
from kafkalog.files.directory import Directory
from kafkalog.files.log_dir import LogDir
from kafkalog.files.mounted import exists, is_directory, problems_since
from kafkalog.files.partition import Partition
from kafkalog.files.paths import has_gone, join, real_path
from kafkalog.files.source import FileSource, size_of
from kafkalog.span import Padding

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.plain_records import PlainRecord
    from kafkalog.core.record import Record

__all__ = [
    "Ends",
    "FoundLogs",
    "Log",
    "LogRecord",
    "Note",
    "Notes",
    "Paths",
    "collect",
    "count_findings",
    "log_of",
    "read_file_records",
]

_NO_PARTITION = "is a log dir that holds no partition to read (directories marked -delete, -future or -stray are left out)"
#: One path or several; or partition directories that have been listed already.
Paths: TypeAlias = "str | os.PathLike[str] | Partition | Iterable[str | os.PathLike[str] | Partition]"


#: Topics that are named of many.
_SHOWN = 3

#: How often the directory of a running broker is listed.
_TRIES = 5


class Note(NamedTuple):
    """Something that could not be read or does not fit: where, at which offset (None: no single one), and what.

    `is_finding` is false for what a broker that was killed leaves without harm: a log that ends in the middle of a batch.
    `damage`: the bytes, where it is about bytes that cannot be read.
    """

    path: str
    offset: int | None
    message: str
    is_finding: bool = True
    damage: Damage | None = None


class Notes(list[Note]):
    """The notes of one replay, the first ten thousand; `dropped` counts the others."""

    LIMIT = 10_000

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0

    @property
    def total(self) -> int:
        """How many there were, those that were dropped included."""
        return len(self) + self.dropped

    def append(self, note: Note) -> None:
        """Add a note, or count it when there are too many."""
        if len(self) < self.LIMIT:
            super().append(note)
        else:
            self.dropped += 1


def count_findings(notes: Iterable[Note]) -> int:
    """How many notes, those that were dropped too, are no leftovers of a crash."""
    return sum(note.is_finding for note in notes) + (notes.dropped if isinstance(notes, Notes) else 0)


class LogRecord(NamedTuple):
    """A record with the batch it came in and the file that holds it."""

    path: str
    batch: Batch
    record: Record | LegacyRecord


class Ends(NamedTuple):
    """Where a log ends: after its last batch (None: it has none), and as a broker takes it; whether that batch is empty."""

    batches_end: int | None
    log_end: int
    last_is_empty: bool = False


class Log(NamedTuple):
    """The log of one partition: its `.log` files by base offset, whether they came as a directory or one by one."""

    path: str
    name: PartitionName | None
    files: tuple[str, ...]
    snapshots: tuple[tuple[int, int, str], ...] = ()
    directory: Directory | None = None

    @property
    def topic(self) -> str | None:
        """The topic; None when the directory's name does not parse."""
        return self.name.topic if self.name else None

    def topic_id(self) -> uuid.UUID | None:
        """The topic's id from `partition.metadata`; None when it is not there or cannot be read."""
        try:
            return read_partition_metadata(self._listed().read("partition.metadata")).topic_id
        except UnreadableFile:
            return None

    def walk(self) -> Iterator[tuple[str, Batch | Damage | Padding]]:
        """Every batch and the damage between them, with the file it is in.

        Where a file has gone since the directory was listed, because a broker deletes and compacts, the directory is listed
        again. The log of a coordinator is then walked from its beginning: what the cleaner moved may lie before.

        Raises:
            UnreadableFile: a file cannot be read.
        """
        for path, source in self._sources():
            for item in walk(source):
                yield path, item

    def _sources(self) -> Iterator[tuple[str, FileSource]]:
        """Its files, each open until the next one is asked for."""
        left = list(self.files)
        tries = _TRIES
        while left:
            path = left.pop(0)
            try:
                source = FileSource(path)
            except UnreadableFile:
                tries -= 1
                if not tries or not has_gone(path) or not is_directory(self.path):
                    raise
                files = log_of(Partition(self.path)).files
                left = list(files) if self.topic in COORDINATOR_TOPICS else [other for other in files if other > path]
                continue
            with source:
                yield path, source

    def records(self, notes: list[Note], unreadable: Callable[[int, str], object] | None = None) -> Iterator[LogRecord]:
        """All records that can be read, control records too; what cannot is put into `notes`.

        `unreadable` is called, too, for records that cannot be read: with the offset of their batch and the reason.
        """
        for path, batch, records in self.batches(notes, unreadable):
            for record in records:
                yield LogRecord(path, batch, record)

    def batches(
        self, notes: list[Note], unreadable: Callable[[int, str], object] | None = None
    ) -> Iterator[tuple[str, Batch, Iterator[Record | LegacyRecord]]]:
        """The same by batch: its file, the batch, its records."""
        for path, item in self.walk():
            if isinstance(item, Damage):
                notes.append(self.damage_note(path, item))
            elif not isinstance(item, Padding):
                yield path, item, _records(path, item, notes, unreadable)

    def plain_records(
        self, notes: list[Note], unreadable: Callable[[int, str], object] | None = None, refused: int = 0
    ) -> Iterator[tuple[str, Batch | None, Iterable[PlainRecord]]]:
        """Of the same records what most ask for. Those of plain batches come many at once, without their batch.

        Args:
            notes: As for `records`.
            unreadable: The same.
            refused: Attributes of batches that are wanted with the records; control batches always are.
        """
        refused |= CODEC_MASK | CONTROL
        for path, source in self._sources():
            position, size, budget = 0, source.size, SearchBudget(source.size)
            while position < size:
                plain, position = plain_records(source, position, size, refused)
                if plain:
                    yield path, None, plain
                    continue
                for item in walk(source, position, budget=budget):
                    position = item.span.end
                    if isinstance(item, Damage):
                        notes.append(self.damage_note(path, item))
                    elif not isinstance(item, Padding):
                        yield path, item, (record[:4] for record in _records(path, item, notes, unreadable))
                        if isinstance(item, RecordBatch) and not item.header.attributes & refused:
                            break

    def damage_note(self, path: str, damage: Damage) -> Note:
        """A note about bytes of a file that are no batch."""
        return _damage_note(path, damage)._replace(is_finding=not self._is_torn_tail(path, damage))

    def _is_torn_tail(self, path: str, damage: Damage) -> bool:
        """Whether a file ends there in the middle of a batch, and nothing says that the broker was stopped cleanly."""
        log_dir = self.home
        return (
            path == self.files[-1]
            and damage.span.end == size_of(path)
            and isinstance(damage.error, Truncated)
            and not exists(join(log_dir, ".kafka_cleanshutdown"))
        )

    def start_offset(self) -> int | None:
        """Where the log starts: with its first file, or after that if the broker's checkpoint says so; None without files."""
        bases = self._base_offsets()
        if not bases:
            return None
        try:
            lines = read_offset_checkpoint(self._log_dir().read("log-start-offset-checkpoint")).entries
        except UnreadableFile:
            lines = ()
        own = (self.name.topic, self.name.partition) if self.name else None
        return max([bases[0], *(line.offset for line in lines if (line.topic, line.partition) == own)])

    def ends(self) -> Ends | None:
        """Where the log ends; None without files.

        Raises:
            UnreadableFile: a file cannot be read.
        """
        bases = self._base_offsets()
        last = self._last_batch()
        if last is None:
            return Ends(None, bases[-1]) if bases else None
        empty = isinstance(last, RecordBatch) and not last.header.records_count
        return Ends(last.next_offset, max([last.next_offset, *bases[-1:]]), last_is_empty=empty)

    def _last_batch(self) -> Batch | None:
        for path in reversed(self.files):
            with FileSource(path) as source:
                if source.size:
                    found = last_batch(source)
                    if found is not None:
                        return found
                    break
        last: Batch | None = None
        for _, item in self.walk_last_file():
            if isinstance(item, (RecordBatch, LegacyBatch)):
                last = item
        return last

    def end_offset(self) -> int | None:
        """The end of the log as a broker takes it: after the last batch, or the base offset of an empty last file."""
        ends = self.ends()
        return None if ends is None else ends.log_end

    def _base_offsets(self) -> list[int]:
        names = (parse_segment_file_name(os.path.basename(path)) for path in self.files)
        return [name.base_offset for name in names if name is not None]

    def _listed(self) -> Directory:
        """The log's directory; listed now when only files of it were given."""
        return Directory(self.folder()) if self.directory is None else self.directory

    def _log_dir(self) -> Directory:
        """The log dir around it; listed now when only the partition was given."""
        parent = None if self.directory is None else self.directory.parent
        return Directory(self.home) if parent is None else parent

    @property
    def home(self) -> str:
        """Path of the log dir around it."""
        return os.path.dirname(real_path(self.folder()))

    def folder(self) -> str:
        """The directory that its files are in."""
        return self.path if is_directory(self.path) else os.path.dirname(self.path) or "."

    def walk_last_file(self) -> Iterator[tuple[str, Batch | Damage | Padding]]:
        """The batches of the last file that holds anything, as `walk` yields them."""
        for path in reversed(self.files):
            with FileSource(path) as source:
                items = walk(source)
                first = next(items, None)
                if first is None:
                    continue
                yield path, first
                for item in items:
                    yield path, item
                return


def read_file_records(path: str, notes: list[Note], data: bytes | None = None) -> Iterator[LogRecord]:
    """The records of one file in the log's format: a `.log` or a `.checkpoint`; `data` are its bytes when they were read."""
    with FileSource(path) if data is None else nullcontext(BytesSource(data)) as source:
        for item in walk(source):
            if isinstance(item, Damage):
                notes.append(_damage_note(path, item))
            elif not isinstance(item, Padding):
                for record in _records(path, item, notes):
                    yield LogRecord(path, item, record)


def _damage_note(path: str, damage: Damage) -> Note:
    message = f"bytes {damage.span.start} to {damage.span.end} are no batch: {damage.reason}"
    return Note(path, None, message, damage=damage)


def _records(
    path: str, item: Batch, notes: list[Note], unreadable: Callable[[int, str], object] | None = None
) -> Iterator[Record | LegacyRecord]:
    # The first offset of a wrapper of magic 0 or 1 is in what it holds, which may be damaged, too.
    offset = item.base_offset if isinstance(item, RecordBatch) else item.last_offset
    if not item.crc_ok:
        notes.append(Note(path, offset, "the batch's CRC is wrong; its records are used all the same"))
    records: Iterator[Record | LegacyRecord | Damage] = item.walk_records()
    for record in records:
        if isinstance(record, Damage):
            notes.append(Note(path, offset, f"records that cannot be read: {record.reason}", damage=record))
            if unreadable is not None:
                unreadable(offset, f"records cannot be read: {record.reason}")
        else:
            yield record


class FoundLogs(NamedTuple):
    """The logs found at the caller's paths, by what they are for.

    Attributes:
        wanted: The logs of the internal topic, one of each partition.
        others: All other logs, one of each partition.
        problems: Paths that are missing, unreadable or hold nothing of Kafka.
    """

    wanted: tuple[Log, ...]
    others: tuple[Log, ...]
    problems: tuple[Note, ...]

    def what_was_given_instead_of(self, topic: str) -> str:
        """What to say where there is no partition of a topic."""
        given = sorted({log.topic for log in self.others if log.topic is not None})
        what = f"what was given is of {listed(given, _SHOWN)}; " if given else ""
        return f"no partition of {topic} was given: {what}give the log dir, or a directory called {topic}-N"


def log_of(partition: Partition) -> Log:
    """The log of a partition directory."""
    files = tuple(segment.paths[".log"] for segment in partition.segments if ".log" in segment.paths)
    snapshots = sorted((name.base_offset, name.epoch or 0, path) for name, path in partition.checkpoints if not name.pending)
    return Log(partition.path, partition.name, files, tuple(snapshots), partition.directory)


def collect(paths: Paths, *topics: str) -> FoundLogs:
    """Find the logs of `topics`, and the other ones, at `paths`: log dirs, partition directories, `.log`, `.checkpoint`.

    Of several copies of a partition the one that reaches furthest is taken; directories marked `-delete`, `-future` or
    `-stray` count only when they are named themselves. What has no partition's name is taken for one of theirs.
    """
    problems: list[Note] = []
    logs: list[Log] = []
    files: dict[str, Log] = {}
    for item in items_of(paths, Partition):
        path = item.path if isinstance(item, Partition) else path_of(item)
        try:
            found = [log_of(item)] if isinstance(item, Partition) else list(_logs_at(path, files, problems))
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
            continue
        if not found:
            problems.append(Note(path, None, _NO_PARTITION))
        logs.extend(log for log in found if log is not None)
    logs.extend(files.values())
    chosen: dict[tuple[str, int] | str, Log] = {}
    for log in logs:
        key = (log.name.topic, log.name.partition) if log.name else log.path
        other = chosen.get(key)
        if other is None or _reach(log, problems) > _reach(other, problems):
            chosen[key] = log
    wanted = tuple(log for log in chosen.values() if log.topic in (*topics, None))
    return FoundLogs(wanted, tuple(log for log in chosen.values() if log.topic not in (*topics, None)), tuple(problems))


def _reach(log: Log, problems: list[Note]) -> int:
    try:
        return log.end_offset() or 0
    except UnreadableFile as error:
        problems.append(Note(error.path, None, error.reason))
        return -1


def _logs_at(path: str, files: dict[str, Log], problems: list[Note]) -> Iterator[Log | None]:
    """The logs of a path. Single files of one directory are gathered in `files`, by directory; they give None.

    Partitions of a log dir that cannot be read are `problems`, and give None too.
    """
    path, kind, directory = classify(path)
    problems += [Note(error.path, None, error.reason) for error in problems_since()]
    if kind is Kind.FILE:
        _add_file(path, files)
        yield None
    elif kind is Kind.PARTITION:
        yield log_of(Partition(path, directory))
    else:
        log_dir = LogDir(path, directory)
        for name in log_dir.partition_names:
            parsed = parse_partition_name(name)
            if parsed is not None and not parsed.mark:
                try:
                    yield log_of(log_dir.partition(name))
                except UnreadableFile as error:
                    if not has_gone(error.path):  # a running broker deletes topics
                        problems.append(Note(error.path, None, error.reason))
                    yield None


def _add_file(path: str, files: dict[str, Log]) -> None:
    """Add a single file to what is known of its directory."""
    directory = os.path.dirname(real_path(path))
    held = files.get(directory) or Log(path, parse_partition_name(os.path.basename(directory)), ())
    base = os.path.basename(path)
    parsed = parse_segment_file_name(base)
    if parsed is None:
        from kafkalog.files.mistakes import check_file_name

        check_file_name(path)
    if base.endswith(".checkpoint"):
        number = (parsed.base_offset, parsed.epoch or 0) if parsed else (0, 0)
        held = held._replace(snapshots=tuple(sorted({*held.snapshots, (*number, path)})))
    elif base.endswith(".log") or (parsed is not None and parsed.suffix == ".log"):
        held = held._replace(files=tuple(sorted({*held.files, path}, key=os.path.basename)))
    else:
        raise UnreadableFile(path, "neither a directory nor a .log or .checkpoint file")
    files[directory] = held
