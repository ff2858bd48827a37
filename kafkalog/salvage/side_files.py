"""The files beside the logs, as a broker that recovers these logs writes them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.files.directory import Directory
from kafkalog.kafka.behaviours import is_zookeeper_era
from kafkalog.kafka.epochs import LeaderEpochs
from kafkalog.kafka.file_names import INDEX_SUFFIXES
from kafkalog.kafka.overlay import open_disk
from kafkalog.next_start.partition import EPOCH_FILE, Situation, load_partition

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.core.release import Release
    from kafkalog.files.output_file import NewTree
    from kafkalog.kafka.load_context import InvalidFound
    from kafkalog.salvage.values import Kept

__all__ = ["Rebuilt", "agreed_epochs", "epoch_file", "metadata_file", "write_side_files"]


class Rebuilt(NamedTuple):
    """What recovery in the model came to: the log's start and end; or what it stops at."""

    log_start_offset: int = 0
    log_end_offset: int = 0
    stops_at: InvalidFound | None = None
    failure: str = ""


def epoch_file(epochs: Iterable[EpochEntry]) -> bytes:
    """A `leader-epoch-checkpoint` of these epochs."""
    lines = [f"{one.epoch} {one.start_offset}\n" for one in epochs]
    return "".join(("0\n", f"{len(lines)}\n", *lines)).encode()


def metadata_file(topic_id: str) -> bytes:
    """A `partition.metadata` with this topic id."""
    return f"version: 0\ntopic_id: {topic_id}".encode()


def agreed_epochs(of_batches: LeaderEpochs, of_source: Sequence[EpochEntry], kept: Sequence[Kept]) -> list[EpochEntry]:
    """The epochs of the source's own file, which knows those without a batch, too; where batches contradict it, by these."""
    if not of_source or any(_epoch_at(of_source, offset) != run.epoch for run in kept for offset in run.offsets):
        return of_batches.entries
    epochs = LeaderEpochs(of_source)
    if kept:
        epochs.truncate_from_end(kept[-1].offsets[1] + 1)
    return epochs.entries


def _epoch_at(epochs: Sequence[EpochEntry], offset: int) -> int | None:
    return next((one.epoch for one in reversed(epochs) if one.start_offset <= offset), None)


def write_side_files(tree: NewTree, folder: str, release: Release, index_interval: int) -> Rebuilt:
    """Write `.index`, `.timeindex` and `.txnindex` for the logs in a folder, by a recovery in the model.

    Args:
        tree: What is being written.
        folder: The partition directory in it, with its logs and its text files.
        release: The release that recovers.
        index_interval: `index.interval.bytes`.
    """
    directory = Directory(folder)
    with open_disk(directory) as disk:
        disk.leave_out([name for name in disk.names() if name.endswith(".snapshot")])
        sizes = {name: file.size for name, file in disk.files.items()}
        kraft = not is_zookeeper_era(release)
        situation = Situation(clean=False, release=release, kraft=kraft, index_interval_bytes=index_interval, consumer=False)
        load = load_partition(disk, situation)
        if load.context.invalid:
            return Rebuilt(stops_at=load.context.invalid[0])
        if load.failure is not None or load.log is None:
            return Rebuilt(failure=str(load.failure))
        cut = [name for name, size in sizes.items() if name.endswith(".log") and (name not in disk or disk[name].size != size)]
        if cut:
            return Rebuilt(failure=f"recovery changes {', '.join(cut)}")
        for name in disk.names():
            if name.endswith(INDEX_SUFFIXES):
                _write(tree, folder, name, disk[name].read())
        assert load.epochs is not None
        written = epoch_file(load.epochs.entries)
        if written != directory.read(EPOCH_FILE):
            os.unlink(os.path.join(folder, EPOCH_FILE))
            _write(tree, folder, EPOCH_FILE, written)
        return Rebuilt(load.log.log_start_offset, load.log.log_end_offset)


def _write(tree: NewTree, folder: str, name: str, data: bytes) -> None:
    with tree.file(os.path.join(folder, name)) as file:
        file.write(data)
