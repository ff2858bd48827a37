"""Which partition directories are replicas of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.diff.replica import Replica
from kafkalog.diff.values import NotCompared, Unpaired
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import LogDir
from kafkalog.files.mounted import problems_since
from kafkalog.files.partition import Partition
from kafkalog.files.paths import has_gone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["SIDES", "paired"]

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
    rows: list[list[Replica]] = []
    for replicas in found:
        for replica in replicas:
            row = next((row for row in rows if _fits(replica, row)), None)
            if row is None:
                rows.append([replica])
            else:
                row.append(replica)
    rows.sort(key=lambda row: _name_of(row[0]))
    several = [row for row in rows if len(row) > 1]
    if not several and not not_compared:
        raise RequestError(f"{' and '.join(paths)} have no partition in common, by topic id or name")
    return several, [Unpaired(row[0].side, row[0].path) for row in rows if len(row) == 1], not_compared


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
        if partition.name is not None and partition.name.mark in ("", "stray"):
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
