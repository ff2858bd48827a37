"""Salvaging partitions and log dirs: from paths to a new directory and its manifest."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.core.filters import Filters
from kafkalog.core.properties import format_uuid, parse_uuid
from kafkalog.core.release import NEWEST, parse_release
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.arguments import check_type, items_of, path_of
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import LogDir, log_dir_at
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.mounted import problems_since
from kafkalog.files.output_file import NewTree, check_apart, written_whole
from kafkalog.files.partition import Partition
from kafkalog.files.paths import real_name, real_path
from kafkalog.next_start.evidence import BrokerEvidence
from kafkalog.salvage.partition import Source, Wishes, salvage_partition
from kafkalog.salvage.values import PartitionSalvage, Salvage
from kafkalog.services import service

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterable, Sequence

    from kafkalog.core.release import Release
    from kafkalog.files.classify import Classified

    Path = str | os.PathLike[str]

__all__ = ["MANIFEST", "checked_id", "salvage", "salvage_to"]

#: What the name of the manifest adds to that of the new directory.
MANIFEST = ".salvage.jsonl"
#: What a partition is called whose name nothing tells.
_UNNAMED = "partition"


class _Job(NamedTuple):
    """A partition to salvage: what it is called, where it is, and as which release the files beside it are written."""

    name: str
    source: Source
    release: Release


def salvage(
    paths: Path | Iterable[Path],
    out: Path,
    *,
    replicas: Path | Iterable[Path] = (),
    unflip: bool = False,
    logs_only: bool = False,
    keep_unparsable: bool = False,
    offsets: tuple[int | None, int | None] = (None, None),
    since: int | None = None,
    until: int | None = None,
    topic_id: str | None = None,
    index_interval_bytes: int | None = None,
    kafka_version: str = "auto",
) -> Salvage:
    """Write what is sound of damaged partitions into a new directory, with all files that a broker wants beside the logs.

    Batches are kept byte for byte or left out as a whole. Nothing under `paths` or `replicas` is written to. The new directory
    is checked as `verify` does it, and a start on it is predicted after a clean and an unclean stop, before it gets its name.

    Args:
        paths: A partition directory, a log dir, a `.log`, or several of them.
        out: The new directory, which must not be there; for a log dir, and for several partitions, a folder of directories.
        replicas: Further copies, or the log dirs of other brokers: what `paths` has lost is taken from them.
        unflip: Whether to take batches with a single flipped bit, with that bit set back.
        logs_only: Whether to write no files beside the logs.
        keep_unparsable: Whether to keep batches whose checksum is right and whose records cannot be read.
        offsets: Only batches that hold offsets from the first up to, but not including, the second; None: no limit.
        since: Only batches with a record of this time or later, milliseconds.
        until: Only batches that begin before this time, milliseconds.
        topic_id: For `partition.metadata`, 22 characters; None: that of the source.
        index_interval_bytes: The topic's `index.interval.bytes`; None: read off the indexes that are there, or 4096.
        kafka_version: Whose way of writing the files beside the logs is wanted: `X.Y.Z`, `X.Y` or `auto`: by the log dir.

    Raises:
        RequestError: an argument makes no sense, `out` is there already or lies in what is examined, or a partition is given
            twice.
        UnreadableFile: a path is missing, may not be read, or holds nothing of Kafka.
        OSError: the system refuses to write.
    """
    check_type("since", since, int, None)
    check_type("until", until, int, None)
    check_type("index_interval_bytes", index_interval_bytes, int, None)
    check_type("topic_id", topic_id, str, None)
    release = None if kafka_version == "auto" else parse_release(kafka_version)
    wishes = Wishes(
        filters=Filters(*offsets, since, until),
        unflips=unflip,
        keeps_unparsable=keep_unparsable,
        logs_only=logs_only,
        topic_id=checked_id(topic_id),
        index_interval_bytes=index_interval_bytes,
    )
    given = [path_of(item) for item in items_of(paths)]
    return salvage_to(given, path_of(out), [path_of(item) for item in items_of(replicas)], wishes, release)


def checked_id(text: str | None) -> str | None:
    """A topic id as Kafka writes it.

    Raises:
        RequestError: it is none.
    """
    found = None if text is None else parse_uuid(text)
    if text is not None and (found is None or not found.int):
        raise RequestError(f"{text!r} is no topic id: 22 characters, as `kafka-topics.sh --describe` prints it")
    return None if found is None else format_uuid(found)


def salvage_to(
    paths: Sequence[str],
    out: str,
    replicas: Sequence[str],
    wishes: Wishes,
    release: Release | None,
    on_unreadable: Callable[[UnreadableFile], None] | None = None,
) -> Salvage:
    """As for `salvage`; a path that cannot be read is told to `on_unreadable`, if there is one, and left out."""
    run = _Run(out, release)
    for path in paths:
        try:
            run.add(path)
        except UnreadableFile as error:
            if on_unreadable is None:
                raise
            on_unreadable(error)
            run.unread.append(error)
    for path in replicas:
        run.add_replica(path)
    if not run.jobs:
        raise run.unread[0] if run.unread else RequestError("there is no partition to salvage")
    return run.salvage([*paths, *replicas], wishes)


class _Run:
    """One call of `salvage`."""

    def __init__(self, out: str, release: Release | None) -> None:
        self.out = out.rstrip("/") or out
        self._release = release
        self.jobs: list[_Job] = []
        self._replicas: dict[str, list[Source]] = {}
        self.unread: list[UnreadableFile] = []
        self.notes: list[str] = []
        self.is_log_dir = False
        #: Directories that must not be written into.
        self._examined: list[str] = []

    # --- what there is ---

    def add(self, path: str) -> None:
        """Take in a path to salvage.

        Raises:
            UnreadableFile: it cannot be read, or holds nothing of Kafka.
            RequestError: it holds a partition that is there already, or the metadata log.
        """
        found = classify(path)
        self.unread += problems_since()
        if found.kind is Kind.LOG_DIR:
            self.is_log_dir = True
            log_dir = LogDir(found.path, found.directory)
            for name in log_dir.partition_names:
                self._add_of_log_dir(log_dir, name)
            return
        source, log_dir_around = self._source_of(found)
        name = real_name(source.partition.path)
        if source.partition.topic in METADATA_TOPICS:
            raise RequestError(
                f"{path} is the cluster's metadata log: the other controllers have it; `kafkalog metadata` reads it"
            )
        self.is_log_dir = self.is_log_dir or bool(self.jobs)
        parsed = parse_partition_name(name)
        self._add(
            _Job(f"{parsed.topic}-{parsed.partition}" if parsed else name or _UNNAMED, source, self._release_of(log_dir_around))
        )

    def _source_of(self, found: Classified) -> tuple[Source, LogDir | None]:
        if found.directory is None:
            check_file_name(found.path)
            if not found.path.endswith(".log"):
                raise RequestError(f"{found.path} holds no records: give a `.log`, a partition directory or a log dir")
            return Source(Partition(os.path.dirname(found.path) or "."), only=found.path), None
        partition = Partition(found.path, found.directory)
        parent, name = os.path.split(real_path(found.path))
        log_dir = None if parse_partition_name(name) is None else log_dir_at(parent)
        if log_dir is None:
            return Source(partition), None
        self._examined.append(parent)
        return Source(partition, log_dir.context_of(name)), log_dir

    def _add_of_log_dir(self, log_dir: LogDir, name: str) -> None:
        parsed = parse_partition_name(name)
        if parsed is None or parsed.topic in METADATA_TOPICS:
            self.notes.append(f"{name} is left aside: the other controllers have the metadata log")
        elif parsed.mark:
            self.notes.append(f"{name} is left aside, it is marked -{parsed.mark}: give its path to salvage it")
        else:
            try:
                partition = log_dir.partition(name)
            except UnreadableFile as error:
                self.unread.append(error)
                return
            self._add(_Job(name, Source(partition, log_dir.context_of(name)), self._release_of(log_dir)))

    def _add(self, job: _Job) -> None:
        before = next((one for one in self.jobs if one.name == job.name), None)
        if before is not None:
            paths = f"{before.source.path} and {job.source.path}"
            raise RequestError(
                f"{paths} are one partition: give the second with --replica to take from it what the first lacks"
            )
        self.jobs.append(job)

    def _release_of(self, log_dir: LogDir | None) -> Release:
        if self._release is not None:
            return self._release
        return NEWEST if log_dir is None else BrokerEvidence(log_dir).era.releases[0]

    def add_replica(self, path: str) -> None:
        """Take in a copy of what is salvaged.

        Raises:
            UnreadableFile: it cannot be read, or holds nothing of Kafka.
            RequestError: it is of no partition that is salvaged.
        """
        found = classify(path)
        self.unread += problems_since()
        names = {job.name for job in self.jobs}
        if found.kind is Kind.LOG_DIR:
            log_dir = LogDir(found.path, found.directory)
            shared = [name for name in log_dir.partition_names if name in names]
            if not shared:
                raise RequestError(f"{path} has none of the partitions that are salvaged")
            for name in shared:
                self._replicas.setdefault(name, []).append(Source(log_dir.partition(name), log_dir.context_of(name)))
            return
        source, _ = self._source_of(found)
        parsed = source.partition.name
        name = f"{parsed.topic}-{parsed.partition}" if parsed else ""
        if len(names) == 1:
            (name,) = names
        elif name not in names:
            raise RequestError(f"{path} is of no partition that is salvaged")
        self._replicas.setdefault(name, []).append(source)

    # --- writing ---

    def salvage(self, paths: Sequence[str], wishes: Wishes) -> Salvage:
        """Write everything, check it, and give it its name."""
        manifest = self.out + MANIFEST
        for path in (self.out, manifest):
            check_apart(path, [*paths, *self._examined])
            if os.path.lexists(path):
                raise RequestError(f"{path} is there already: name a directory that is not")
        self._check_ids()
        done: list[PartitionSalvage] = []
        with NewTree(self.out) as tree:
            for job in self.jobs:
                path = os.path.join(self.out, job.name) if self.is_log_dir else self.out
                sources = [job.source, *self._replicas.get(job.name, ())]
                one, unread = salvage_partition(sources, tree, job.name, path, job.release, wishes)
                self.unread += unread
                done.append(one)
            result = Salvage(
                path=self.out,
                manifest=manifest,
                partitions=tuple(done),
                unread=tuple(self.unread),
                notes=tuple(self.notes),
                is_log_dir=self.is_log_dir,
                logs_only=wishes.logs_only,
            )
            if not result.is_accepted:
                return replace(result, path=tree.partial)
            with written_whole(manifest) as file:
                for line in service("salvage_lines")(result):
                    file.write(json.dumps(line).encode() + b"\n")
            tree.publish(None if self.is_log_dir else self.jobs[0].name)
        return result

    def _check_ids(self) -> None:
        """A replica of another topic of the same name is none."""
        for job in self.jobs:
            ids: dict[uuid.UUID, str] = {}
            for source in (job.source, *self._replicas.get(job.name, ())):
                metadata = source.partition.metadata
                if metadata is not None and metadata.topic_id is not None:
                    ids.setdefault(metadata.topic_id, source.path)
            if len(ids) > 1:
                first, other = list(ids.values())[:2]
                raise RequestError(f"{first} and {other} are of different topics, by the topic ids in partition.metadata")
