"""What committed offsets point to: a log with its start and end, a topic; and when the coordinator deletes them."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, chain, islice
from typing import TYPE_CHECKING, overload

from kafkalog.core.checkpoint import parse_java_integer
from kafkalog.core.filename import METADATA_TOPICS
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LogDir
from kafkalog.files.mounted import is_directory
from kafkalog.files.paths import real_path
from kafkalog.replay.group_state import CommittedOffset
from kafkalog.replay.kept_commits import place_of, read_commit
from kafkalog.replay.logs import Note
from kafkalog.replay.metadata import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafkalog.replay.group_state import Group
    from kafkalog.replay.image import Image, PartitionState, Topic
    from kafkalog.replay.kept_commits import Commits, Expiry, Place
    from kafkalog.replay.logs import FoundLogs, Log

__all__ = ["DEFAULT_RETENTION", "CommittedOffsets", "Places"]

#: `offsets.retention.minutes` of 7 days, the default since 2.0, in milliseconds.
#: Brokers before 2.1 store the time with each commit.
DEFAULT_RETENTION = 7 * 24 * 60 * 60 * 1000


def expiry_of(group: Group) -> Expiry:
    """From which time on the coordinator deletes an offset of a group, milliseconds; None as long as it has members.

    Source: GroupMetadata.removeExpiredOffsets, 3.9.1; ClassicGroup.offsetExpirationCondition, 4.1.1. There an offset of a
    topic that no member subscribes to any more expires, too: not shown here.
    """
    has_members = bool(group.members)
    # A classic group is kept from when its last member left it, whatever has no protocol from its last commit.
    left = group.state_timestamp if group.kind == "classic" and group.protocol_type else -1

    def expiry(committed: int, stored: int) -> int | None:
        if has_members:
            return None
        if stored != -1:
            return stored
        return (committed if left == -1 else left) + DEFAULT_RETENTION

    return expiry


class CommittedOffsets(Sequence[CommittedOffset]):
    """Committed offsets by group, topic and partition, ascending; each is made when it is asked for, for there can be millions.

    Args:
        commits: What is committed.
        keys: The keys of it, by group.
        groups: The groups that have committed it.
        places: What it points to.
    """

    def __init__(
        self, commits: Commits, keys: dict[str, list[bytes | Place]], groups: Mapping[str, Group], places: Places
    ) -> None:
        for of_group in keys.values():
            if len(of_group) > 1:
                of_group.sort(key=place_of)
        self._commits = commits
        self._keys = dict(sorted(keys.items()))
        self._groups = groups
        self._places = places

    def of(self, group: str) -> Iterator[CommittedOffset]:
        """Those of one group."""
        keys = self._keys.get(group)
        if keys is None:
            return
        expiry, commits, placed = expiry_of(self._groups[group]), self._commits, self._places.of
        for key in keys:
            yield placed(read_commit(key, commits[key], expiry))

    def count_of(self, group: str) -> int:
        """How many one group has."""
        return len(self._keys.get(group, ()))

    @cached_property
    def odd(self) -> list[CommittedOffset]:
        """Those with a problem: nobody can go on from there, or their topic is not there."""
        if not (self._commits and self._places.are_known):
            return []
        return [one for one in self if one.problem is not None or one.topic_problem is not None]

    def expired(self, now: int) -> Iterator[CommittedOffset]:
        """Those that a coordinator deletes soon after it has loaded them at `now`, milliseconds."""
        return (one for one in self if one.expires_at is not None and one.expires_at <= now)

    def __iter__(self) -> Iterator[CommittedOffset]:
        return chain.from_iterable(map(self.of, self._keys))

    def __len__(self) -> int:
        return len(self._commits)

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(map(len, self._keys.values())))

    @overload
    def __getitem__(self, at: int) -> CommittedOffset: ...
    @overload
    def __getitem__(self, at: slice) -> list[CommittedOffset]: ...
    def __getitem__(self, at: int | slice) -> CommittedOffset | list[CommittedOffset]:
        """One of them by its number, or some."""
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        number = at + len(self) if at < 0 else at
        if not 0 <= number < len(self):
            raise IndexError(at)
        before = bisect_right(self._ends, number)
        group = list(self._keys)[before]
        return next(islice(self.of(group), number - (self._ends[before - 1] if before else 0), None))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # as for a list

    def __repr__(self) -> str:
        return f"CommittedOffsets({len(self)} of {len(self._keys)} groups)"


class Places:
    """Where the logs start and end that somebody has committed an offset of, and what the metadata says of their topics.

    Args:
        logs: The logs.
        wanted: Topics and partitions that offsets are committed of.
        problems: What cannot be read is added.
    """

    def __init__(self, logs: FoundLogs, wanted: set[tuple[str, int]], problems: list[Note]) -> None:
        self._found = logs
        self._logs: dict[tuple[str, int], tuple[Log, int | None, int | None]] = {}
        self._stopped: dict[str, int | None] = {}
        for log in (*logs.wanted, *logs.others):
            if log.name is None or (log.name.topic, log.name.partition) not in wanted:
                continue
            try:
                self._logs[log.name.topic, log.name.partition] = log, log.start_offset(), log.end_offset()
            except UnreadableFile as error:
                problems.append(Note(error.path, None, error.reason))

    def bounds(self, topic: str | None, partition: int) -> tuple[int | None, int | None]:
        """Start and end of a log; None when it was not given."""
        if topic is None or (topic, partition) not in self._logs:
            return None, None
        return self._logs[topic, partition][1:]

    @cached_property
    def are_known(self) -> bool:
        """Whether anything is known of any of them."""
        return bool(self._logs) or self._image is not None

    def of(self, commit: CommittedOffset) -> CommittedOffset:
        """The commit with all that is known of the place it points to."""
        if not self.are_known:
            return commit
        start, end = self.bounds(commit.topic, commit.partition)
        placed = commit._replace(log_start_offset=start, log_end_offset=end)
        problem = self._topic_problem(placed) if end is None or commit.topic_id is not None else None
        is_certain = placed.problem is not None and self._is_certain(placed)
        return placed._replace(topic_problem=problem, is_certain=is_certain) if problem is not None or is_certain else placed

    # --- the topic ---

    @cached_property
    def _image(self) -> Image | None:
        """The cluster's metadata; None when it was not given, or not in full."""
        for log in self._found.others:
            if log.topic in METADATA_TOPICS:
                metadata = read_metadata(log.path)
                return metadata.image if metadata.records and not (metadata.problems or metadata.notes) else None
        return None

    @cached_property
    def _topics(self) -> dict[str, Topic]:
        return {} if self._image is None else {topic.name: topic for topic in self._image.topics.values()}

    def _state(self, commit: CommittedOffset) -> PartitionState | None:
        topic = self._topics.get(commit.topic)
        return None if topic is None else topic.partitions.get(commit.partition)

    def _topic_problem(self, commit: CommittedOffset) -> str | None:
        """Whether the metadata does not have what the commit is for, or has created it again."""
        if self._image is None:
            return None
        topic = self._topics.get(commit.topic)
        if topic is None:
            return "no-topic"
        if commit.topic_id is not None and commit.topic_id != topic.topic_id:
            return "earlier-topic"
        return None if commit.partition in topic.partitions else "no-partition"

    # --- the moment ---

    def _is_certain(self, commit: CommittedOffset) -> bool:
        """Whether no other moment of a copy, and no other replica, explains an offset outside its log.

        A clean stop ends the log and the commits at one moment. A follower may then still be on its way to an offset that
        others have committed; where it is the only replica there is nothing to follow.
        """
        log = self._logs[commit.topic, commit.partition][0]
        broker = self._stopped_broker(log.path)
        if broker is None or self._stopped_broker(commit.path) != broker:
            return False
        if commit.problem == "before-log-start":
            return True
        state = self._state(commit)
        return state is not None and state.replicas == (broker,)

    def _stopped_broker(self, path: str) -> int | None:
        """Id of the broker that closed the log dir around a partition with a clean stop; None when it did not."""
        partition = path if is_directory(path) else os.path.dirname(path) or "."
        directory = os.path.dirname(real_path(partition))
        if directory not in self._stopped:
            try:
                log_dir = LogDir(directory)
                meta = log_dir.meta_properties if log_dir.clean_shutdown is not None else None
            except UnreadableFile:
                meta = None
            values = {} if meta is None else meta.values
            self._stopped[directory] = parse_java_integer(values.get("node.id", values.get("broker.id", "")), 32)
        return self._stopped[directory]
