"""A log dir: a broker's folder of partition directories, and the text files beside them."""

from __future__ import annotations

import os
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.checkpoint import Checkpoint, OffsetEntry, parse_java_integer, read_offset_checkpoint
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, REMOTE_INDEX_CACHE, PartitionName, parse_partition_name
from kafkalog.core.offset_index import OFFSET_INDEX_ENTRY
from kafkalog.core.properties import JsonFile, Properties, read_json_file, read_properties
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.arguments import path_of
from kafkalog.files.classify import Kind, classify, classify_as, kind_of_directory
from kafkalog.files.directory import Directory
from kafkalog.files.mounted import is_mount
from kafkalog.files.partition import Partition
from kafkalog.files.source import FileSource, read_file
from kafkalog.files.urls import is_url
from kafkalog.services import service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from kafkalog.span import Span

__all__ = [
    "CLEANER_OFFSETS",
    "CLEAN_SHUTDOWN",
    "HIGH_WATERMARKS",
    "LOG_STARTS",
    "META_PROPERTIES",
    "RECOVERY_POINTS",
    "CheckpointLine",
    "Identity",
    "LogDir",
    "PartitionContext",
    "log_dir_at",
    "open_log_dir",
]

CLEAN_SHUTDOWN = ".kafka_cleanshutdown"
META_PROPERTIES = "meta.properties"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
LOG_STARTS = "log-start-offset-checkpoint"
HIGH_WATERMARKS = "replication-offset-checkpoint"
CLEANER_OFFSETS = "cleaner-offset-checkpoint"


class Identity(NamedTuple):
    """Whose log dir it is, by `meta.properties`: None for what that does not say.

    Args:
        cluster_id: The cluster's id.
        node_id: `node.id`, or `broker.id` where that is missing, as it is written.
        directory_id: The log dir's own id, since 3.7.
        written: The comment that tells when the file was written.
    """

    cluster_id: str | None = None
    node_id: str | None = None
    directory_id: str | None = None
    written: str | None = None

    @property
    def broker(self) -> tuple[str, str] | None:
        """Cluster and node id; None when one of them is missing."""
        return None if self.cluster_id is None or self.node_id is None else (self.cluster_id, self.node_id)

    @property
    def number(self) -> int | None:
        """The node id as a number; None when it is none."""
        return parse_java_integer(self.node_id or "", 32)


@dataclass(frozen=True, slots=True)
class CheckpointLine:
    """An offset from one of a log dir's checkpoint files, and where it stands."""

    path: str
    offset: int
    span: Span


@dataclass(frozen=True)
class PartitionContext:
    """What the log dir says of one partition.

    Args:
        in_log_dir: Whether there is a log dir that could say something.
        clean: Whether the broker was stopped cleanly; None: nothing shows it.
        kraft: Whether it runs with KRaft; None: nothing shows it.
        in_use: Whether an active segment of some partition is preallocated, so that the broker was running, or was killed.
        lines: The partition's lines in the checkpoint files, by the file's name.
        cleaner_known: Whether the log cleaner's checkpoint could be read.
        log_start_path: Path of the checkpoint of log start offsets.
        log_starts_known: Whether that could be read.
        recovery_path: Path of the checkpoint of recovery points; "" when no line can be expected of it.
        watermark_path: Path of the checkpoint of high watermarks; "" when no line can be expected of it.
        may_be_tiered: Whether its older segments may be in remote storage.
    """

    in_log_dir: bool = False
    clean: bool | None = None
    kraft: bool | None = None
    in_use: bool = False
    lines: dict[str, CheckpointLine] = field(default_factory=dict)
    cleaner_known: bool = False
    log_start_path: str = ""
    log_starts_known: bool = False
    recovery_path: str = ""
    watermark_path: str = ""
    may_be_tiered: bool = True


_Lines = dict[tuple[str, int], CheckpointLine]


class LogDir:
    """A log dir: lazy, re-iterable, read-only.

    It and each of its partition directories are listed once, and their small files are read once: all who are handed the
    object see one moment.

    Args:
        path: The directory, in the spelling that paths below it shall have.
        directory: The same, when it has been listed already.

    Raises:
        UnreadableFile: the directory is missing or may not be read.
    """

    def __init__(self, path: str, directory: Directory | None = None) -> None:
        self.directory = Directory(path) if directory is None else directory
        self.path = self.directory.path
        #: Names of the regular files, of the partition directories and of other directories, ascending.
        self.files: list[str] = []
        self.partition_names: list[str] = []
        self.others: list[str] = []
        self._partitions: dict[str, Directory] = {}
        self._believes_marker = True
        for entry in self.directory.entries:
            if not entry.is_directory:
                self.files.append(entry.name)
            elif entry.name != REMOTE_INDEX_CACHE and parse_partition_name(entry.name):
                self.partition_names.append(entry.name)
            else:
                self.others.append(entry.name)

    # --- the partition directories ---

    def partitions(self) -> Iterator[Partition]:
        """Its partition directories by name, those marked `-delete`, `-future`, `-stray` included."""
        for name in self.partition_names:
            yield self.partition(name)

    def partition(self, name: str) -> Partition:
        """One of its partition directories, by name; as it was when it was first asked for.

        Raises:
            UnreadableFile: there is none of that name.
        """
        directory = self.partition_directory(name)
        return Partition(directory.path, directory)

    def partition_directory(self, name: str) -> Directory:
        """The directory of `partition`, without looking at what its files are.

        Raises:
            UnreadableFile: there is none of that name.
        """
        if name not in self._partitions:
            self._partitions[name] = Directory(self.directory.path_of(name), self.directory)
        return self._partitions[name]

    def partition_now(self, name: str) -> Partition:
        """One of its partition directories as it is now; `partition` then gives the same.

        Raises:
            UnreadableFile: there is none of that name.
        """
        self._partitions.pop(name, None)
        return self.partition(name)

    def take(self, name: str, directory: Directory) -> None:
        """Let `partition` give a directory as somebody else has listed it, and spells its path."""
        self._partitions[name] = directory

    # --- its own files ---

    def _read(self, name: str) -> bytes | None:
        return self.directory.read(name) if name in self.files else None

    def checkpoint(self, name: str) -> Checkpoint[OffsetEntry] | None:
        """One of the checkpoint files (`LOG_DIR_CHECKPOINTS`); None when it is not there.

        Raises:
            RequestError: there is no such checkpoint file.
            UnreadableFile: it cannot be read.
        """
        if name not in LOG_DIR_CHECKPOINTS:
            raise RequestError(f"{name!r} is none of a log dir's checkpoint files: {', '.join(LOG_DIR_CHECKPOINTS)}")
        data = self._read(name)
        return None if data is None else read_offset_checkpoint(data)

    @cached_property
    def meta_properties(self) -> Properties | None:
        """`meta.properties`; None when it is not there.

        Raises:
            UnreadableFile: it cannot be read.
        """
        data = self._read(META_PROPERTIES)
        return None if data is None else read_properties(data)

    @cached_property
    def clean_shutdown(self) -> JsonFile | None:
        """`.kafka_cleanshutdown`; None when it is not there: the broker is running, or was not stopped cleanly.

        Raises:
            UnreadableFile: it cannot be read.
        """
        data = self._read(CLEAN_SHUTDOWN)
        return None if data is None else read_json_file(data)

    # --- what they say ---

    @cached_property
    def identity(self) -> Identity:
        """Whose log dir it is; nothing when `meta.properties` is missing or cannot be read."""
        try:
            meta = self.meta_properties
        except UnreadableFile:
            meta = None
        if meta is None:
            return Identity()
        values = meta.values
        node_id = values.get("node.id", values.get("broker.id"))
        return Identity(values.get("cluster.id"), node_id, values.get("directory.id"), meta.written)

    @property
    def has_clean_marker(self) -> bool:
        """Whether there is a marker of a clean shutdown, of whatever kind: a broker only asks whether the name is there."""
        return self._believes_marker and CLEAN_SHUTDOWN in self.directory

    def without_marker(self) -> LogDir:
        """The same log dir, as if it had no marker of a clean shutdown."""
        other = copy(self)
        other._believes_marker = False  # noqa: SLF001 - its own class
        for decided_by_it in ("clean_stop", "in_use"):
            other.__dict__.pop(decided_by_it, None)
        return other

    @cached_property
    def clean_stop(self) -> bool | None:
        """Whether the broker was stopped cleanly, by its marker; None where nothing shows that this is a whole log dir."""
        if self.has_clean_marker:
            return True
        return False if self.lines or META_PROPERTIES in self.files else None

    @cached_property
    def lines(self) -> dict[str, _Lines]:
        """The lines of each checkpoint file that is whole, by the file's name; the last one of a partition counts."""
        found = {}
        for name in LOG_DIR_CHECKPOINTS:
            try:
                data = self._read(name)
            except UnreadableFile:
                continue
            lines = None if data is None else self._lines_of(name, data)
            if lines is not None:
                found[name] = lines
        return found

    def _lines_of(self, name: str, data: bytes) -> _Lines | None:
        checkpoint = read_offset_checkpoint(data)
        if checkpoint.damages:
            return None
        return {
            (entry.topic, entry.partition): CheckpointLine(self.directory.path_of(name), entry.offset, span)
            for entry, span in zip(checkpoint.entries, checkpoint.spans, strict=True)
        }

    def _lines_now(self, name: str) -> _Lines:
        try:
            lines = self._lines_of(name, read_file(self.directory.path_of(name)))
        except UnreadableFile:
            lines = None
        return self.lines[name] if lines is None else lines

    @cached_property
    def in_use(self) -> bool:
        """Whether an active segment is preallocated although the broker was not stopped cleanly: it was running, or killed."""
        return self.clean_stop is not True and any(self.is_preallocated(name) for name in self.partition_names)

    def is_preallocated(self, name: str) -> bool:
        """Whether the `.index` of the active segment in a partition directory is zero-filled at its end."""
        parsed = parse_partition_name(name)
        if parsed is None or parsed.mark:
            return False
        try:
            segments = [segment for segment in self.partition(name).segments if ".log" in segment.paths]
            path = segments[-1].paths.get(".index") if segments else None
            if path is None:
                return False
            with FileSource(path) as source:
                size = OFFSET_INDEX_ENTRY.size
                return source.size > size and not any(source.read(source.size - size))
        except UnreadableFile:
            return False

    # --- what they say of one partition ---

    def context_of(self, name: str, *, kraft: bool | None = None) -> PartitionContext:
        """What the log dir says of a partition directory.

        Args:
            name: The directory's name.
            kraft: Whether its broker runs with KRaft; None: nothing shows it.
        """
        return self._context(name, self.lines, kraft=kraft)

    def context_now(self, name: str, *, kraft: bool | None = None) -> PartitionContext:
        """As `context_of`, by the checkpoint files as they are now: a running broker writes them once a minute."""
        return self._context(name, {file: self._lines_now(file) for file in self.lines}, kraft=kraft)

    def _context(self, name: str, all_lines: Mapping[str, _Lines], *, kraft: bool | None) -> PartitionContext:
        parsed = parse_partition_name(name)
        return PartitionContext(
            in_log_dir=True,
            clean=self.clean_stop,
            kraft=kraft,
            in_use=self.in_use,
            lines=_lines_for(parsed, all_lines),
            cleaner_known=CLEANER_OFFSETS in self.lines,
            recovery_path=self._expected(RECOVERY_POINTS),
            watermark_path=self._expected(HIGH_WATERMARKS),
            log_start_path=self.directory.path_of(LOG_STARTS),
            log_starts_known=LOG_STARTS in self.lines,
        )

    def _expected(self, name: str) -> str:
        """The path of a checkpoint file that must have a line for every partition; "" if it cannot be read or is empty."""
        return self.directory.path_of(name) if name in self.lines and self.directory.size_of(name) else ""

    # --- life ---

    def table(self, name: str = "records", **options: Any) -> Any:
        """A table of what it holds, as `kafkalog.table` gives it with the same arguments."""
        return service("table")(self, name, **options)

    def __enter__(self) -> LogDir:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        return f"LogDir({self.path!r}, {len(self.partition_names)} partition directories)"


def _lines_for(name: PartitionName | None, all_lines: Mapping[str, _Lines]) -> dict[str, CheckpointLine]:
    """A partition's lines, by the file's name: those of the directory that the broker serves, or has set aside as stray."""
    if name is None or name.mark not in ("", "stray"):
        return {}
    found = {file: lines.get((name.topic, name.partition)) for file, lines in all_lines.items()}
    return {file: line for file, line in found.items() if line is not None}


def open_log_dir(path: str | os.PathLike[str]) -> LogDir:
    """Open a log dir for reading.

    A directory that only you know to be one is opened with `LogDir(path)`.

    Raises:
        RequestError: it is a partition directory, or a file.
        UnreadableFile: it is missing, may not be read, or holds nothing of Kafka.
    """
    found = classify_as(Kind.LOG_DIR, path_of(path))
    return LogDir(found.path, found.directory)


def log_dir_at(path: str) -> LogDir | None:
    """The log dir at a path, which nobody has named: the folder around a partition directory; None when it is none."""
    try:
        if is_mount(path) or is_url(path):
            # Taken in once more, by this name, it could no longer be read by the one that it was given by; and of what is at a
            # URL only this folder needs to be listed.
            mounted = Directory(path)
            is_log_dir = kind_of_directory(os.path.basename(path), mounted.entries) is Kind.LOG_DIR
            return LogDir(path, mounted) if is_log_dir else None
        _, kind, directory = classify(path)
    except UnreadableFile:
        return None
    return LogDir(path, directory) if kind is Kind.LOG_DIR else None
