"""A log dir: a broker's folder of partition directories, and the text files beside them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.checkpoint import Checkpoint, OffsetEntry, read_offset_checkpoint
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, REMOTE_INDEX_CACHE, parse_partition_name
from kafkalog.core.properties import JsonFile, Properties, read_json_file, read_properties
from kafkalog.files.partition import Partition
from kafkalog.files.paths import is_directory, join, list_directory, trim
from kafkalog.files.source import read_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import TracebackType

__all__ = ["LogDir", "open_log_dir"]


class LogDir:
    """A log dir: lazy, re-iterable, read-only.

    Args:
        path: The directory, in the spelling that paths below it shall have.
        entries: Its entries by name, when it has just been listed.

    Raises:
        UnreadableFile: the directory is missing or may not be read.
    """

    def __init__(self, path: str, entries: Iterable[os.DirEntry[str]] | None = None) -> None:
        self.path = trim(path)
        #: Names of the regular files, of the partition directories and of other directories, ascending.
        self.files: list[str] = []
        self.partition_names: list[str] = []
        self.others: list[str] = []
        for entry in list_directory(self.path) if entries is None else entries:
            if not is_directory(entry):
                self.files.append(entry.name)
            elif entry.name != REMOTE_INDEX_CACHE and parse_partition_name(entry.name):
                self.partition_names.append(entry.name)
            else:
                self.others.append(entry.name)

    def partitions(self) -> Iterator[Partition]:
        """Its partition directories by name, those marked `-delete`, `-future`, `-stray` included."""
        for name in self.partition_names:
            yield Partition(join(self.path, name))

    def partition(self, name: str) -> Partition:
        """One of its partition directories, by name.

        Raises:
            UnreadableFile: there is none of that name.
        """
        return Partition(join(self.path, name))

    def _read(self, name: str) -> bytes | None:
        return read_file(join(self.path, name)) if name in self.files else None

    def checkpoint(self, name: str) -> Checkpoint[OffsetEntry] | None:
        """One of the checkpoint files (`LOG_DIR_CHECKPOINTS`); None when it is not there."""
        if name not in LOG_DIR_CHECKPOINTS:
            raise KeyError(name)
        data = self._read(name)
        return None if data is None else read_offset_checkpoint(data)

    @property
    def meta_properties(self) -> Properties | None:
        """`meta.properties`; None when it is not there."""
        data = self._read("meta.properties")
        return None if data is None else read_properties(data)

    @property
    def clean_shutdown(self) -> JsonFile | None:
        """`.kafka_cleanshutdown`; None when it is not there: the broker is running, or was not stopped cleanly."""
        data = self._read(".kafka_cleanshutdown")
        return None if data is None else read_json_file(data)

    def __enter__(self) -> LogDir:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        return None

    def __repr__(self) -> str:
        return f"LogDir({self.path!r}, {len(self.partition_names)} partition directories)"


def open_log_dir(path: str | os.PathLike[str]) -> LogDir:
    """Open a log dir for reading.

    Raises:
        UnreadableFile: it is missing, no directory, or may not be read.
    """
    return LogDir(os.fspath(path))
