"""From paths to a timeline."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kafkalog.core.filename import LOG_DIR_CHECKPOINTS, is_metadata_log, parse_partition_name
from kafkalog.core.suggestion import did_you_mean
from kafkalog.errors import RequestError, UnreadableFile
from kafkalog.files.classify import Kind, classify
from kafkalog.files.log_dir import CLEAN_SHUTDOWN, META_PROPERTIES, LogDir, log_dir_at
from kafkalog.files.mounted import problems_since
from kafkalog.files.partition import Partition
from kafkalog.files.paths import has_gone, real_path
from kafkalog.plot.overview import overview_of
from kafkalog.timeline.event import CONTROLLER, KINDS, MTIME, Event, LeftOut, Timeline
from kafkalog.timeline.group_events import CONSUMER_OFFSETS, group_events
from kafkalog.timeline.metadata_events import metadata_events
from kafkalog.timeline.partition_events import partition_events
from kafkalog.timeline.topic_settings import newest_image, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet

    from kafkalog.replay.image import Image

__all__ = ["timeline_of"]

_NS = 1_000_000


def timeline_of(
    paths: Iterable[str],
    now: int,
    *,
    since: int | None = None,
    until: int | None = None,
    kinds: AbstractSet[str] = frozenset(),
) -> Timeline:
    """The events of log dirs and partition directories, of any number of brokers.

    Args:
        paths: The directories.
        now: The clock, milliseconds: later timestamps tell no time.
        since: Only events of this time or later, milliseconds; those without a time stay out then.
        until: Only events before this time.
        kinds: Only events of these kinds; all by default.

    Raises:
        RequestError: a path is a file; there is no such kind.
    """
    for kind in sorted(kinds - KINDS.keys()):
        raise RequestError(f"no kind of event {kind!r}: there are {', '.join(KINDS)}.{did_you_mean(kind, KINDS)}")
    run = _Run(now)
    for path in paths:
        run.add(path)
    run.read()
    chosen = [
        event
        for event in _with_leaders(_once(run.events))
        if _is_wanted(event, since, until) and (not kinds or event.kind in kinds)
    ]
    ordered = sorted(chosen, key=lambda event: (event.time is None, event.time or 0))
    return Timeline(tuple(ordered), tuple(run.left_out), tuple(run.not_read))


def _is_wanted(event: Event, since: int | None, until: int | None) -> bool:
    if event.time is None:
        return since is None and until is None
    return (since is None or event.time >= since) and (until is None or event.time < until)


def _once(events: Iterable[Event]) -> Iterator[Event]:
    """Events without those that a further copy of the metadata log tells once more."""
    known: set[tuple[object, ...]] = set()
    for event in events:
        if event.source == CONTROLLER:
            key = (event.time, event.kind, event.offset, event.message)
            if key in known:
                continue
            known.add(key)
        yield event


def _with_leaders(events: Iterable[Event]) -> Iterator[Event]:
    """Events of which those about leader epochs name the leader, where the metadata log tells of the election."""
    found = list(events)
    elected = [event.facts for event in found if event.kind == "leader-elected"]
    leaders = {(one["topic"], one["partition"], one["epoch"]): one["leader"] for one in elected}
    for event in found:
        name = parse_partition_name(event.partition) if event.kind == "epoch-started" else None
        leader = None if name is None else leaders.get((name.topic, name.partition, event.facts["epoch"]))
        if leader is None:
            yield event
        else:
            message = f"{event.message}, with broker {leader} as the leader"
            yield event._replace(message=message, facts={**event.facts, "leader": leader})


class _Run:
    """Collects events."""

    def __init__(self, now: int) -> None:
        self.events: list[Event] = []
        self.left_out: list[LeftOut] = []
        self.not_read: list[tuple[str, str]] = []
        self._now = now
        self._partitions: list[tuple[Partition, str]] = []

    def add(self, path: str) -> None:
        """Take in a path: the events of a log dir itself; its partitions are read later."""
        try:
            text, kind, directory = classify(path)
            self.not_read += [(error.path, error.reason) for error in problems_since()]
            if kind is Kind.FILE:
                raise RequestError(f"{text} is a file: a timeline is made of log dirs and partition directories")
            if kind is Kind.PARTITION:
                around = log_dir_at(os.path.dirname(real_path(text)))
                self._partitions.append((Partition(text, directory), "" if around is None else around.identity.node_id or ""))
                return
            log_dir = LogDir(text, directory)
        except UnreadableFile as error:
            self.not_read.append((error.path, error.reason))
            return
        broker = log_dir.identity.node_id or ""
        self.events += _log_dir_events(log_dir, broker)
        for name in log_dir.partition_names:
            try:
                self._partitions.append((log_dir.partition(name), broker))
            except UnreadableFile as error:
                self._miss(error)

    def read(self) -> None:
        """Read the partitions."""
        image = newest_image(partition.path for partition, _ in self._partitions)
        for partition, broker in self._partitions:
            self._partition(partition, broker, image)

    def _partition(self, partition: Partition, broker: str, image: Image | None) -> None:
        try:
            overview = overview_of(partition.segments, self._now)
            found = partition_events(partition, broker, overview, settings_of(partition, image))
            self.events += found.events
            self.left_out += found.left_out
            if is_metadata_log(os.path.basename(partition.path)):
                self.events += metadata_events(partition, broker)
            if partition.topic == CONSUMER_OFFSETS:
                events, left_out = group_events(partition, broker)
                self.events += events
                self.left_out += left_out
        except UnreadableFile as error:
            self._miss(error)

    def _miss(self, error: UnreadableFile) -> None:
        if not has_gone(error.path):  # a running broker deletes topics and segments
            self.not_read.append((error.path, error.reason))


def _log_dir_events(log_dir: LogDir, broker: str) -> Iterator[Event]:
    """What the files of a log dir show, by when they were last written."""
    for name in (*LOG_DIR_CHECKPOINTS, CLEAN_SHUTDOWN, META_PROPERTIES):
        entry = log_dir.directory.entry(name)
        if entry is None or entry.state is None:
            continue
        kind, message = "checkpoint-written", f"{name} was written"
        if name == CLEAN_SHUTDOWN:
            kind, message = "clean-shutdown", "the broker was stopped cleanly"
        path = log_dir.directory.path_of(name)
        yield Event(entry.state[3] // _NS, MTIME, kind, broker, "", path, None, message, {})
