"""What a log dir says of its partitions: checkpoints, the clean-shutdown marker, `meta.properties`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, REMOTE_INDEX_CACHE, parse_partition_name, parse_segment_file_name
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LogDir
from kafkalog.files.partition import join
from kafkalog.verify.partition import Surroundings
from kafkalog.verify.report import NotChecked
from kafkalog.verify.rule import findings_of
from kafkalog.verify.views import CheckpointFile, CheckpointLine, LogDirView

if TYPE_CHECKING:
    from kafkalog.core.properties import Properties
    from kafkalog.verify.finding import Finding

__all__ = ["LogDirCheck"]

_CLEAN = ".kafka_cleanshutdown"
_META = "meta.properties"
#: What every broker has written by the time that it has stopped cleanly.
_ALWAYS = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint", "cleaner-offset-checkpoint")
_RECOVERY = "recovery-point-offset-checkpoint"


class LogDirCheck:
    """A log dir as the surroundings of its partitions, and what is wrong with its own files.

    Args:
        path: The directory, spelled as it shall be printed.

    Raises:
        UnreadableFile: it cannot be listed.
    """

    def __init__(self, path: str) -> None:
        self.log_dir = LogDir(path)
        self.path = self.log_dir.path
        self.findings: list[Finding] = []
        self.not_checked: list[NotChecked] = []
        self.files = 0
        self.lines: dict[str, dict[tuple[str, int], CheckpointLine]] = {}
        everything = {*self.log_dir.files, *self.log_dir.others}
        self._marker = _CLEAN in everything
        for name in LOG_DIR_CHECKPOINTS:
            self._checkpoint(name)
        self.meta: Properties | None = self._reading(_META, lambda: self.log_dir.meta_properties)
        complete = bool(self.lines) or _META in self.log_dir.files or self._marker
        self.clean: bool | None = self._marker if complete else None
        self.kraft = self._is_kraft()
        #: The broker epoch under which the broker was stopped cleanly, since 3.7; None when nothing tells.
        self.registration = self._registration()
        self._names()

    def _reading(self, name: str, read: Any) -> Any:
        if name not in self.log_dir.files:
            return None
        self.files += 1
        try:
            return read()
        except UnreadableFile as error:
            self.not_checked.append(NotChecked(error.path, error.reason, failed=True))
            return None

    def _registration(self) -> int | None:
        marker = self._reading(_CLEAN, lambda: self.log_dir.clean_shutdown)
        epoch = None if marker is None or marker.value is None else marker.value.get("brokerEpoch")
        return epoch if isinstance(epoch, int) else None

    def emit(self, subject: Any) -> None:
        """What the rules say about a subject."""
        self.findings.extend(findings_of(subject))

    def _checkpoint(self, name: str) -> None:
        checkpoint = self._reading(name, lambda: self.log_dir.checkpoint(name))
        if checkpoint is None:
            return
        path = join(self.path, name)
        present = {
            (parsed.topic, parsed.partition)
            for parsed in map(parse_partition_name, self.log_dir.partition_names)
            if parsed is not None
        }
        found: dict[tuple[str, int], CheckpointLine] = {}
        duplicates, unknown = [], []
        for entry, span in zip(checkpoint.entries, checkpoint.spans, strict=True):
            key = (entry.topic, entry.partition)
            text = f"{entry.topic}-{entry.partition}"
            if key in found:
                duplicates.append((text, span))
            if key not in present:
                unknown.append((text, span))
            found[key] = CheckpointLine(path, entry.offset, span)
        if not checkpoint.damages:
            self.lines[name] = found
        self.emit(CheckpointFile(path, name, checkpoint.damages, tuple(duplicates), tuple(unknown), self._marker))

    def _is_kraft(self) -> bool | None:
        version = None if self.meta is None else self.meta.values.get("version")
        if version is not None:
            return version != "0"
        for name in self.log_dir.partition_names:
            try:
                if "partition.metadata" in self.log_dir.partition(name).files:
                    return True
            except UnreadableFile:
                continue
        return False

    def _names(self) -> None:
        names = self.log_dir.partition_names
        current = {
            (parsed.topic, parsed.partition)
            for parsed in map(parse_partition_name, names)
            if parsed is not None and not parsed.mark
        }
        futures = []
        for name in names:
            parsed = parse_partition_name(name)
            if parsed is not None and parsed.mark == "future" and (parsed.topic, parsed.partition) in current:
                futures.append(name)
        listed = {f"{topic}-{number}" for lines in self.lines.values() for topic, number in lines}
        meta_path = join(self.path, _META)
        complete = self._marker and self.meta is not None
        if self.meta is None and _META not in self.log_dir.files:
            reason = "missing: the broker, its cluster and its era are not known; a broker does not start without it"
            self.not_checked.append(NotChecked(meta_path, reason))
        problem, size = "", 0
        if self.meta is not None:
            problem = self._meta_problem(self.meta)
        self.emit(
            LogDirView(
                self.path,
                tuple(name for name in self.log_dir.others if name not in (REMOTE_INDEX_CACHE, _CLEAN)),
                tuple(name for name in self.log_dir.files if name in listed),
                problem,
                meta_path,
                size,
                _META not in self.log_dir.files,
                tuple(futures),
                tuple(name for name in _ALWAYS if complete and name not in self.log_dir.files),
                tuple(name for name in self.log_dir.files if parse_segment_file_name(name) is not None),
            )
        )

    @staticmethod
    def _meta_problem(meta: Properties) -> str:
        if meta.damage is not None:
            return meta.damage.reason
        version = meta.values.get("version")
        if version is None:
            return "there is no version"
        if version not in ("0", "1"):
            return f"version {version}, known are 0 and 1"
        if version == "1" and "node.id" not in meta.values:
            return "there is no node.id"
        if version == "1" and "cluster.id" not in meta.values:
            return "there is no cluster.id"
        return ""

    @property
    def broker(self) -> tuple[str, str] | None:
        """Cluster and node id; None when the log dir does not tell both."""
        values = {} if self.meta is None else self.meta.values
        node = values.get("node.id", values.get("broker.id"))
        cluster = values.get("cluster.id")
        return None if node is None or cluster is None else (cluster, node)

    @property
    def cluster(self) -> str | None:
        """The cluster's id; None when the log dir does not tell."""
        return None if self.meta is None else self.meta.values.get("cluster.id")

    @property
    def broker_id(self) -> int | None:
        """The broker's or node's id as a number; None when the log dir does not tell."""
        values = {} if self.meta is None else self.meta.values
        return parse_java_integer(values.get("node.id", values.get("broker.id", "")), 32)

    @property
    def directory_id(self) -> str | None:
        """The id of the log dir itself, since 3.7."""
        return None if self.meta is None else self.meta.values.get("directory.id")

    def of(self, name: str) -> Surroundings:
        """The surroundings of a partition directory."""
        parsed = parse_partition_name(name)
        lines: dict[str, CheckpointLine] = {}
        if parsed is not None and parsed.mark in ("", "stray"):
            for file, entries in self.lines.items():
                line = entries.get((parsed.topic, parsed.partition))
                if line is not None:
                    lines[file] = line
        return Surroundings(
            in_log_dir=True,
            clean=self.clean,
            kraft=self.kraft,
            lines=lines,
            cleaner_known="cleaner-offset-checkpoint" in self.lines,
            recovery_path=join(self.path, _RECOVERY) if self.lines.get(_RECOVERY) is not None else "",
            log_start_path=join(self.path, "log-start-offset-checkpoint"),
        )
