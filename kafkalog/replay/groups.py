"""Consumer, share and streams groups: what they are, what they have committed, and how much they have still to read."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.filename import METADATA_TOPICS
from kafkalog.errors import UnreadableFile
from kafkalog.files.arguments import check_type
from kafkalog.replay.committed_offsets import CommittedOffsets, Places
from kafkalog.replay.group_replay import SHARE_TOPIC, TOPIC, GroupReplay
from kafkalog.replay.group_state import CommittedOffset, Group, Member, ShareOffset
from kafkalog.replay.kept_commits import place_of, read_commit
from kafkalog.replay.logs import FoundLogs, Note, collect
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.until import END, Until
from kafkalog.services import service

if TYPE_CHECKING:
    import uuid

    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.kept_commits import Place
    from kafkalog.replay.logs import Paths

__all__ = ["CommittedOffset", "Group", "Groups", "Member", "ShareOffset", "read_groups"]


class Groups(NamedTuple):
    """All groups at one moment, by id; what they have committed; what is pending in transactions; what went wrong."""

    groups: dict[str, Group]
    offsets: CommittedOffsets
    pending: list[tuple[int, CommittedOffset]]
    share_offsets: list[ShareOffset]
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int
    loads: tuple[Load, ...] = ()

    @property
    def out_of_range(self) -> list[CommittedOffset]:
        """Commits from which nobody can go on: their offset is not in the log any more, or not yet."""
        return [commit for commit in self.offsets.odd if commit.problem is not None]

    @property
    def without_topic(self) -> list[CommittedOffset]:
        """Commits for topics or partitions that the cluster's metadata does not have, or has created again."""
        return [commit for commit in self.offsets.odd if commit.topic_problem is not None]

    def expired(self, now: int) -> list[CommittedOffset]:
        """Commits that a coordinator deletes soon after it has loaded them at `now`, milliseconds."""
        return list(self.offsets.expired(now))

    def _repr_html_(self) -> str:
        return str(service("html")(self))

    def __repr__(self) -> str:
        return (
            f"Groups({len(self.groups)} groups, {len(self.offsets)} offsets, {len(self.pending)} pending, "
            f"{len(self.share_offsets)} share offsets, {len(self.notes)} notes, {len(self.problems)} problems)"
        )


def read_groups(paths: Paths, until: Until = END) -> Groups:
    """The state of all groups, from the partitions of `__consumer_offsets` and `__share_group_state` found at `paths`.

    Args:
        paths: Log dirs, partition directories or `.log` files; other partitions found there give the lag, and the names of
            topics that are known by their ids.
        until: Up to where the records count.
    """
    check_type("until", until, Until)
    logs = collect(paths, TOPIC, SHARE_TOPIC)
    replay = GroupReplay()
    problems = list(logs.problems)
    for log in logs.wanted:
        try:
            replay.log(log, until)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    if not logs.wanted and not problems:
        problems.append(Note("", None, logs.what_was_given_instead_of(TOPIC)))
    _name_topics(replay, logs)
    shared = sorted(replay.share_offsets.values(), key=_place)
    pending = [(number, read_commit(*kept)) for number, commits in sorted(replay.pending.items()) for kept in commits.items()]
    wanted = {(item.topic, item.partition) for item in shared if item.topic is not None}
    keys: dict[str, list[bytes | Place]] = {}
    for key in replay.offsets:
        name, topic, partition = place_of(key)
        wanted.add((topic, partition))
        if name in keys:
            keys[name].append(key)
        else:
            keys[name] = [key]
    wanted.update((commit.topic, commit.partition) for _, commit in pending)
    for name in (*keys, *(commit.group for _, commit in pending)):
        if name not in replay.groups:
            replay.groups[name] = Group(name)
    places = Places(logs, wanted, problems)
    for group in replay.groups.values():
        if group.kind == "consumer":
            group.protocol = _chosen_assignor(group)
    groups = dict(sorted(replay.groups.items()))
    return Groups(
        groups=groups,
        offsets=CommittedOffsets(replay.offsets, keys, groups, places),
        pending=[(number, places.of(commit)) for number, commit in pending],
        share_offsets=[item._replace(log_end_offset=places.bounds(item.topic, item.partition)[1]) for item in shared],
        notes=replay.notes,
        problems=tuple(problems),
        records=replay.records,
        loads=tuple(replay.loads),
    )


def _place(item: ShareOffset) -> tuple[str, str, uuid.UUID, int]:
    return item.group, item.topic or "", item.topic_id, item.partition


def _chosen_assignor(group: Group) -> str | None:
    """The assignor that most members have asked for; None when none has: then the broker's first one is taken."""
    asked = Counter(member.assignor for member in group.members.values() if member.assignor is not None).most_common(2)
    return asked[0][0] if asked and (len(asked) == 1 or asked[0][1] > asked[1][1]) else None


# --- names of topics that records know by their ids -------------------------------------------------------------------


def _name_topics(replay: GroupReplay, logs: FoundLogs) -> None:
    ids = {topic_id for _, topic_id, _ in replay.share_offsets}
    entries = [
        entry for group in replay.groups.values() for member in group.members.values() for entry in _entries(member.assignment)
    ]
    ids.update(entry["topicId"] for entry in entries)
    names = _topic_names(ids, replay.topic_names, logs)
    for place, item in replay.share_offsets.items():
        replay.share_offsets[place] = item._replace(topic=names.get(item.topic_id))
    for entry in entries:
        if entry["topicId"] in names:
            entry["topic"] = names[entry["topicId"]]


def _entries(assignment: Any) -> list[dict[str, Any]]:
    """What of an assignment is about a topic that it knows by its id."""
    if not isinstance(assignment, dict):
        return []
    lists = [part for part in assignment.values() if isinstance(part, list)]
    return [entry for part in lists for entry in part if isinstance(entry, dict) and "topicId" in entry]


def _topic_names(ids: set[uuid.UUID], recorded: dict[uuid.UUID, str], logs: FoundLogs) -> dict[uuid.UUID, str]:
    """Names of topics: from the records, from `partition.metadata` of the partitions given, from the cluster's metadata."""
    names = {topic_id: recorded[topic_id] for topic_id in ids if topic_id in recorded}
    for log in logs.others:
        if len(names) == len(ids):
            break
        topic_id = log.topic_id()
        if topic_id is not None and topic_id in ids and log.name is not None:
            names.setdefault(topic_id, log.name.topic)
    for log in logs.others:
        if len(names) < len(ids) and log.topic in METADATA_TOPICS:
            topics = read_metadata(log.path).image.topics
            names.update({topic_id: topics[topic_id].name for topic_id in ids - names.keys() if topic_id in topics})
    return names
