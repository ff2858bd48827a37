"""Which partition directories are replicas of each other."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.diff.replica import Replica
from kafkalog.diff.values import NotCompared, Unpaired
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import LogDir, log_dir_at
from kafkalog.files.mounted import problems_since
from kafkalog.files.partition import Partition
from kafkalog.files.paths import has_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SIDES", "paired", "paired_directories"]

#: The letters by which the paths are called.
SIDES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def paired(paths: Sequence[str]) -> tuple[list[list[Replica]], list[Unpaired], list[NotCompared]]:
    """Rows of replicas of one partition each, what only one of the paths has, and what could not be read.

    Partition directories that are given by themselves are taken for replicas, whatever their names. Of log dirs those are
    that have the same topic id and number, or the same name where one of them has no topic id.

    Raises:
        RequestError: fewer than two paths, too many, a file, or no two replicas of anything.
        UnreadableFile: a path is missing, or holds nothing of Kafka.
    """
    if not 2 <= len(paths) <= len(SIDES):
        raise RequestError(f"diff compares from two to {len(SIDES)} paths, not {len(paths)}")
    not_compared: list[NotCompared] = []
    found = [list(_replicas_at(side, path, not_compared)) for side, path in zip(SIDES, paths, strict=False)]
    if all(len(replicas) == 1 and not replicas[0].is_of_log_dir for replicas in found):
        return [[replica for (replica,) in found]], [], not_compared
    rows = _rows(replica for replicas in found for replica in replicas)
    several = [row for row in rows if len(row) > 1]
    if not several and not not_compared:
        raise RequestError(f"{' and '.join(paths)} have no partition in common, by topic id or name")
    return several, [Unpaired(row[0].side, row[0].path) for row in rows if len(row) == 1], not_compared


def paired_directories(paths: Iterable[str]) -> list[list[Replica]]:
    """Rows of replicas among partition directories, whose folders are called by letters in their order.

    Directories of one folder are no replicas of each other. Those of further folders than there are letters are left out, and
    those that cannot be read.
    """
    sides: dict[str, str] = {}
    log_dirs: dict[str, LogDir | None] = {}
    replicas: list[Replica] = []
    for path in paths:
        folder = os.path.dirname(path) or "."
        if folder not in sides:
            if len(sides) == len(SIDES):
                continue
            sides[folder] = SIDES[len(sides)]
            log_dirs[folder] = log_dir_at(folder)
        try:
            partition = Partition(path)
        except UnreadableFile:
            continue
        if _is_replica(partition):
            replicas.append(Replica(sides[folder], partition, log_dirs[folder]))
    return [row for row in _rows(replicas) if len(row) > 1]


def _rows(replicas: Iterable[Replica]) -> list[list[Replica]]:
    """Replicas of one partition side by side, by name."""
    rows: list[list[Replica]] = []
    known: dict[object, list[list[Replica]]] = {}
    for replica in replicas:
        name, topic_id = _name_of(replica), replica.topic_id
        keys: list[object] = [name] if topic_id is None else [(topic_id, name[1]), name]
        row = next((row for key in keys for row in known.get(key, ()) if _fits(replica, row)), None)
        if row is None:
            row = []
            rows.append(row)
        row.append(replica)
        for key in keys:
            known.setdefault(key, []).append(row)
    return sorted(rows, key=lambda row: _name_of(row[0]))


def _is_replica(partition: Partition) -> bool:
    """Whether it is one, by its directory's name, and not what is left of one or about to become one."""
    return partition.name is not None and partition.name.mark in ("", "stray")


def _replicas_at(side: str, path: str, not_compared: list[NotCompared]) -> Iterator[Replica]:
    text, kind, directory = classify(path)
    not_compared += [NotCompared(error.path, error.reason) for error in problems_since()]
    if kind is Kind.FILE:
        raise RequestError(f"{text} is a file: give partition directories or log dirs")
    if kind is Kind.PARTITION:
        yield Replica(side, Partition(text, directory))
        return
    log_dir = LogDir(text, directory)
    for name in log_dir.partition_names:
        try:
            partition = log_dir.partition(name)
        except UnreadableFile as error:
            if not has_gone(error.path):  # a running broker deletes topics
                not_compared.append(NotCompared(error.path, error.reason))
            continue
        if _is_replica(partition):
            yield Replica(side, partition, log_dir)


def _name_of(replica: Replica) -> tuple[str, int]:
    name = replica.partition.name
    return ("", -1) if name is None else (name.topic, name.partition)


def _fits(replica: Replica, row: Iterable[Replica]) -> bool:
    """Whether a replica is one of the same partition as those of a row, none of which is of its own path."""
    for other in row:
        if other.side == replica.side or _name_of(other)[1] != _name_of(replica)[1]:
            return False
        if None not in (other.topic_id, replica.topic_id):
            if other.topic_id != replica.topic_id:
                return False
        elif _name_of(other) != _name_of(replica):
            return False
    return True
