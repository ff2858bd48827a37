"""Salvaging one partition."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.properties import format_uuid
from kafkalog.core.release import release_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LOG_STARTS, PartitionContext
from kafkalog.files.source import hashes_of, size_of
from kafkalog.kafka.gone_offsets import AT_END, AT_START
from kafkalog.kafka.index_interval import infer_index_interval
from kafkalog.kafka.overlay import open_disk
from kafkalog.kafka.remains import sound_epochs
from kafkalog.next_start.partition import EPOCH_FILE, METADATA_FILE
from kafkalog.salvage.acceptance import Expected, problems_of
from kafkalog.salvage.candidates import SourceLog
from kafkalog.salvage.cleaning import Cleaning
from kafkalog.salvage.lineage import history_of, shared_end
from kafkalog.salvage.new_log import KnownProducers, NewLog
from kafkalog.salvage.selection import Selection, SourceRule
from kafkalog.salvage.side_files import agreed_epochs, epoch_file, metadata_file, write_side_files
from kafkalog.salvage.values import GoneRange, PartitionSalvage, WrittenFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.core.checkpoint import EpochEntry
    from kafkalog.core.filters import Filters
    from kafkalog.core.release import Release
    from kafkalog.files.output_file import NewTree
    from kafkalog.files.partition import Partition
    from kafkalog.salvage.new_log import WrittenLog

__all__ = ["Source", "Wishes", "salvage_partition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to salvage.

    Args:
        filters: Which offsets and times.
        unflips: Whether to take batches with a single flipped bit, with that set back.
        keeps_unparsable: Whether to take batches whose records cannot be read although their checksum is right.
        logs_only: Whether to leave the files beside the logs to the broker.
        topic_id: For `partition.metadata`, as Kafka writes it; None: that of the sources.
        index_interval_bytes: The distance of index entries; None: read off the indexes that are there.
    """

    filters: Filters
    unflips: bool = False
    keeps_unparsable: bool = False
    logs_only: bool = False
    topic_id: str | None = None
    index_interval_bytes: int | None = None


class Source(NamedTuple):
    """A partition directory, what its log dir says of it, and the one `.log` that was given by itself, if it was."""

    partition: Partition
    context: PartitionContext = PartitionContext()
    only: str | None = None

    @property
    def path(self) -> str:
        """What was given."""
        return self.only or self.partition.path

    def logs(self, number: int) -> Iterator[SourceLog]:
        """Its `.log` files."""
        for segment in self.partition.segments:
            path = segment.paths.get(".log")
            if path is not None and self.only in (None, path):
                yield SourceLog(segment.base_offset, path, number)


@dataclass
class _Work:
    """A partition that is being salvaged."""

    sources: Sequence[Source]
    release: Release
    wishes: Wishes
    notes: list[str] = field(default_factory=list)
    unread: list[UnreadableFile] = field(default_factory=list)


def salvage_partition(
    sources: Sequence[Source], tree: NewTree, name: str, path: str, release: Release, wishes: Wishes
) -> tuple[PartitionSalvage, list[UnreadableFile]]:
    """Write what is sound of a partition.

    Args:
        sources: The partition, then its replicas.
        tree: Where to.
        name: What its directory is called there.
        path: What it will be called at the end, as a path.
        release: Whose way of writing the files beside the logs is wanted.
        wishes: What else is.

    Returns:
        What was written, and which files could not be read to their end.

    Raises:
        OSError: the system refuses to write.
    """
    work = _Work(sources, release, wishes)
    folder = tree.make_folder(name)
    first = sources[0]
    cleaning = Cleaning(first.partition, first.context)
    selection = _select(work, cleaning)
    new_log = NewLog(tree, folder, path, _known_at_start(first), with_snapshots=not wishes.logs_only)
    log = new_log.write(selection, max((one.base for one in first.logs(0)), default=None))
    work.unread += selection.unread
    interval = _index_interval(work)
    topic_id = wishes.topic_id or _topic_id(sources)
    problems: list[str] = []
    if not wishes.logs_only:
        problems += _write_beside(work, tree, folder, log, interval, topic_id)
    if log.segments and not problems:
        problems += problems_of(folder, release, _expected(work, log, topic_id))
    if selection.cleaned:
        work.notes.append(
            f"{selection.cleaned} batches of replicas are not taken: the log is compacted, and lost nothing there"
        )
    start, end = (log.segments[0][0], log.segments[-1][1]) if log.segments else (0, 0)
    line = first.context.lines.get(LOG_STARTS)
    salvaged = PartitionSalvage(
        path=path,
        sources=tuple(source.path for source in sources),
        topic=first.partition.topic,
        partition=first.partition.number,
        topic_id=None if wishes.logs_only else topic_id,
        release=release_text(release),
        index_interval_bytes=interval,
        kept=log.kept,
        left_out=tuple(selection.left_out),
        gone=tuple(_gone(work, selection, cleaning)),
        files=tuple(_files(folder, path, work.unread)),
        open_transactions=tuple(log.replay.open_transactions(first.partition.topic or "TOPIC", first.partition.number or 0)),
        doubtful=log.doubtful,
        log_start_offset=start,
        log_end_offset=end,
        deleted_below=line.offset if line is not None and line.offset > start else None,
        problems=tuple(problems),
        notes=tuple(work.notes),
    )
    return salvaged, work.unread


def _select(work: _Work, cleaning: Cleaning) -> Selection:
    sources, wishes = work.sources, work.wishes
    rules = [SourceRule(0)]
    if len(sources) > 1:
        rules = list(_rules(work))
    logs = [log for number, source in enumerate(sources) for log in source.logs(number)]
    return Selection(
        logs,
        rules,
        wishes.filters,
        parses=not wishes.keeps_unparsable,
        unflips=wishes.unflips,
        cleaning=cleaning,
    )


def _rules(work: _Work) -> Iterator[SourceRule]:
    """What may be taken of each source: the one with the latest leader, or the longest log, counts where they differ."""
    histories = [history_of(source.partition) for source in work.sources]
    leader = max(range(len(histories)), key=lambda number: (histories[number].rank, -number))
    ranking = sorted(range(len(histories)), key=lambda number: (number == leader, histories[number].rank))
    start = _log_start(work.sources[0])
    for number, history in enumerate(histories):
        end = None
        if number != leader:
            shared = shared_end(history, histories[leader])
            end = shared if shared < history.end else None
        yield SourceRule(ranking.index(number), 0 if number == 0 else start, end, work.sources[leader].path, fills=number > 0)


def _log_start(source: Source) -> int:
    """Where the log of a source begins, as far as that is known: what is below is not missing."""
    line = source.context.lines.get(LOG_STARTS)
    if line is not None:
        return line.offset
    epochs = _epochs_of(source)
    bases = [log.base for log in source.logs(0)]
    if not bases:
        return 0
    return min(bases[0], epochs[0].start_offset) if epochs else bases[0]


def _epochs_of(source: Source) -> Sequence[EpochEntry]:
    try:
        return sound_epochs(source.partition.leader_epochs)
    except UnreadableFile:
        return ()


def _known_at_start(source: Source) -> KnownProducers:
    """The producers of the sound `.snapshot` at the log's start, whose batches lie below; never their transactions."""
    segments = source.partition.segments
    if not segments or source.only is not None:
        return KnownProducers(0, ())
    try:
        snapshot = segments[0].producer_snapshot
    except UnreadableFile:
        snapshot = None
    if snapshot is None or not snapshot.crc_ok or snapshot.damage is not None:
        return KnownProducers(0, ())
    entries = (entry._replace(current_txn_first_offset=-1) for entry in snapshot.entries)
    return KnownProducers(segments[0].base_offset, tuple(entries))


def _index_interval(work: _Work) -> int:
    if work.wishes.index_interval_bytes is not None:
        return work.wishes.index_interval_bytes
    with open_disk(work.sources[0].partition.directory) as disk:
        return infer_index_interval(disk)


def _topic_id(sources: Sequence[Source]) -> str | None:
    """The topic id in the `partition.metadata` of the first source that has a sound one."""
    for source in sources:
        try:
            metadata = source.partition.metadata
        except UnreadableFile:
            continue
        if metadata is not None and metadata.topic_id is not None and metadata.damage is None:
            return format_uuid(metadata.topic_id)
    return None


def _write_beside(
    work: _Work, tree: NewTree, folder: str, log: WrittenLog, interval: int, topic_id: str | None
) -> Iterator[str]:
    """Write the files beside the logs; gives what keeps them from being written."""
    epochs = agreed_epochs(log.epochs, _epochs_of(work.sources[0]), log.kept)
    with tree.file(os.path.join(folder, EPOCH_FILE)) as file:
        file.write(epoch_file(epochs))
    if topic_id is not None:
        with tree.file(os.path.join(folder, METADATA_FILE)) as file:
            file.write(metadata_file(topic_id))
    else:
        work.notes.append("no topic id is known: a broker with KRaft needs one, --topic-id gives it")
    if work.wishes.topic_id not in (None, _topic_id(work.sources)) and epochs and epochs[-1].epoch > 0:
        # Fetch: the leader answers a follower whose last epoch it does not know with OFFSET_OUT_OF_RANGE (Kafka 3.9.1).
        follow = "in a topic that was created again and whose own are lower, followers get no further"
        work.notes.append(f"its leader epochs go up to {epochs[-1].epoch}: {follow} (docs/salvage.md)")
    if not log.segments:
        return
    rebuilt = write_side_files(tree, folder, work.release, interval)
    if rebuilt.stops_at is not None:
        found = rebuilt.stops_at
        yield f"a broker would stop in {found.name} at position {found.position}: {found.reason}"
    elif rebuilt.failure:
        yield f"a broker would not load the new log: {rebuilt.failure}"


def _expected(work: _Work, log: WrittenLog, topic_id: str | None) -> Expected:
    epochs = [run.epoch for run in log.kept if run.epoch is not None]
    return Expected(
        logs_only=work.wishes.logs_only,
        has_topic_id=topic_id is not None and not work.wishes.logs_only,
        epochs_descend=any(one > other for one, other in pairwise(epochs)),
        has_unparsable=work.wishes.keeps_unparsable,
        is_blocked=log.replay.first_open_offset() is not None,
        has_odd_producers=any(state.epoch < 0 for state in log.replay.states.values()),
    )


def _gone(work: _Work, selection: Selection, cleaning: Cleaning) -> Iterator[GoneRange]:
    """Offsets that the new log lacks: at its start and end by what the files beside the source tell, and between."""
    source = work.sources[0]
    begins = selection.stretches[0][0] if selection.stretches else None
    ends = selection.stretches[-1][1] + 1 if selection.stretches else 0
    told = () if source.only is not None or any(work.wishes.filters[:4]) else cleaning.gone()
    for one in told:
        if one.place == AT_START and (begins is None or one.first < begins):
            last = one.last if one.last is None or begins is None else min(one.last, begins - 1)
            yield GoneRange(one.first, last, one.witness)
    yield from selection.gone
    for one in told:
        if one.place == AT_END and (one.last is None or one.last >= ends):
            yield GoneRange(max(one.first, ends), one.last, one.witness)


def _files(folder: str, path: str, unread: list[UnreadableFile]) -> Iterator[WrittenFile]:
    names = sorted(os.listdir(folder))
    hashes = hashes_of([os.path.join(folder, name) for name in names], unread.append)
    for name in names:
        written = os.path.join(folder, name)
        yield WrittenFile(os.path.join(path, name), size_of(written) or 0, hashes[written])
