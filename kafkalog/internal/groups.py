"""Consumer, share and streams groups, replayed from `__consumer_offsets`.

The rules are those of Kafka's coordinator when it loads the topic: the last record of a key counts, a tombstone removes it,
offsets committed in a transaction count from its COMMIT marker on, unless a newer commit came in between.
Source: GroupMetadataManager.doLoadGroupsAndOffsets, 2.8; OffsetMetadataManager.replay and GroupMetadataManager.replay, 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import COMMIT, read_control_type
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION, read_consumer_protocol
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.records import CoordinatorRecord, read_coordinator_record
from kafkalog.errors import FormatError, UnreadableFile
from kafkalog.internal.given import Note, Notes, collect
from kafkalog.internal.moment import END, Moment

if TYPE_CHECKING:
    import uuid

    from kafkalog.core.messages.reader import Message
    from kafkalog.internal.given import Given, Log, LogRecord, Paths

__all__ = ["CommittedOffset", "Group", "Groups", "Member", "read_groups"]

TOPIC = "__consumer_offsets"


class CommittedOffset(NamedTuple):
    """An offset that a group has committed.

    `leader_epoch` is -1 and `topic_id` None when not stored; times are milliseconds, -1 none. `path` and `record_offset`
    say where the commit stands. `log_end_offset` and `lag` are known when the partition's directory was given.
    """

    group: str
    topic: str
    partition: int
    offset: int
    leader_epoch: int
    metadata: str
    commit_timestamp: int
    expire_timestamp: int
    topic_id: uuid.UUID | None
    path: str
    record_offset: int
    log_end_offset: int | None = None

    @property
    def lag(self) -> int | None:
        """Records from the committed offset to the end of the log; None when the end is not known."""
        return None if self.log_end_offset is None else self.log_end_offset - self.offset


class Member(NamedTuple):
    """A member of a group: `subscription` and `assignment` as Kafka's messages say them, None when there are none.

    `epoch` is the member's own epoch; None for members of classic groups, which share the generation.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    epoch: int | None
    subscription: Any
    assignment: Any


@dataclass
class Group:
    """The last known state of a group.

    Attributes:
        group: Its id.
        kind: "classic", "consumer", "share", "streams", or "offsets" when there are only offsets.
        generation: Generation of a classic group, epoch of the others; None when nothing says it.
        path: File of the last record about the group itself, None when there is none.
        record_offset: Offset of that record.
    """

    group: str
    kind: str = "offsets"
    generation: int | None = None
    protocol_type: str | None = None
    protocol: str | None = None
    leader: str | None = None
    state_timestamp: int = -1
    assignment_epoch: int | None = None
    path: str | None = None
    record_offset: int | None = None
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """What the coordinator would say after loading: Empty, Stable, Assigning or Reconciling."""
        if not self.members:
            return "Empty"
        if self.kind == "classic" or self.generation is None:
            return "Stable"
        if self.assignment_epoch is not None and self.assignment_epoch < self.generation:
            return "Assigning"
        epochs = {member.epoch for member in self.members.values() if member.epoch is not None}
        return "Stable" if epochs <= {self.assignment_epoch} else "Reconciling"


class Groups(NamedTuple):
    """All groups at one moment, by id; what they have committed; what is pending in transactions; what went wrong."""

    groups: dict[str, Group]
    offsets: list[CommittedOffset]
    pending: list[tuple[int, CommittedOffset]]
    notes: list[Note]
    problems: tuple[Note, ...]
    records: int


_Key = tuple[str, str, int]
#: What one producer has in its open transaction: an offset, or its removal (None), by group, topic and partition.
_Pending = dict[_Key, "tuple[int, CommittedOffset | None]"]


class _Replay:
    """Applies the records of `__consumer_offsets`."""

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.offsets: dict[_Key, CommittedOffset] = {}
        self.pending: dict[int, _Pending] = {}
        self.notes = Notes()
        self.records = 0

    def log(self, log: Log, moment: Moment) -> None:
        for item in log.records(self.notes):
            if not moment.holds(item.record.offset, item.record.timestamp):
                continue
            self.records += 1
            if isinstance(item.batch, RecordBatch) and item.batch.is_control:
                self.marker(item, item.batch.header.producer_id)
            else:
                self.record(item)

    def marker(self, item: LogRecord, producer_id: int) -> None:
        try:
            _, kind = read_control_type(item.record.key)
        except FormatError as error:
            self.notes.append(Note(item.path, item.record.offset, f"a control record that cannot be read: {error}"))
            return
        pending = self.pending.pop(producer_id, {})
        if kind != COMMIT:
            return
        for key, (offset, commit) in pending.items():
            held = self.offsets.get(key)
            if held is not None and held.record_offset > offset:
                continue
            if commit is None:
                self.offsets.pop(key, None)
            else:
                self.offsets[key] = commit

    def record(self, item: LogRecord) -> None:
        decoded = read_coordinator_record(GROUP_RECORDS, item.record.key, item.record.value)
        if decoded.problem:
            self.notes.append(Note(item.path, item.record.offset, decoded.problem))
        if decoded.key is None or (item.record.value is not None and decoded.value is None):
            return
        apply = _APPLY.get(decoded.name)
        if apply is not None:
            apply(self, item, decoded.key, decoded)

    # --- one method for each kind of record ---

    def offset_commit(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        place: _Key = key["group"], key["topic"], key["partition"]
        value = decoded.value
        commit = None
        if value is not None:
            topic_id = value.get("topicId")
            commit = CommittedOffset(
                *place,
                value["offset"],
                value.get("leaderEpoch", -1),
                value["metadata"],
                value["commitTimestamp"],
                value.get("expireTimestamp", -1),
                topic_id if topic_id is not None and topic_id.int else None,
                item.path,
                item.record.offset,
            )
        batch = item.batch
        if isinstance(batch, RecordBatch) and batch.is_transactional:
            self.pending.setdefault(batch.header.producer_id, {})[place] = (item.record.offset, commit)
        elif commit is None:
            self.offsets.pop(place, None)
        else:
            self.offsets[place] = commit

    def group_metadata(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        name, value = key["group"], decoded.value
        if value is None:
            if name in self.groups and self.groups[name].kind == "classic":
                del self.groups[name]
            return
        group = Group(
            name,
            "classic",
            value["generation"],
            value["protocolType"],
            value["protocol"],
            value["leader"],
            value.get("currentStateTimestamp", -1),
            path=item.path,
            record_offset=item.record.offset,
        )
        for member in value["members"]:
            group.members[member["memberId"]] = self.classic_member(item, value["protocolType"], member)
        self.groups[name] = group

    def classic_member(self, item: LogRecord, kind: str, member: Message) -> Member:
        subscription, assignment = member["subscription"], member["assignment"]
        if kind == "consumer":
            subscription = self.embedded(item, subscription, SUBSCRIPTION)
            assignment = self.embedded(item, assignment, ASSIGNMENT)
        return Member(
            member["memberId"],
            member.get("groupInstanceId"),
            member["clientId"],
            member["clientHost"],
            None,
            subscription,
            assignment,
        )

    def embedded(self, item: LogRecord, data: bytes, schema: Any) -> Any:
        if not data:
            return None
        try:
            return read_consumer_protocol(data, schema)[1]
        except FormatError as error:
            self.notes.append(Note(item.path, item.record.offset, f"{schema.name}: {error}"))
            return data

    def group(self, item: LogRecord, name: str, kind: str) -> Group:
        """The group of a newer kind; a classic one of that id has been converted."""
        group = self.groups.get(name)
        if group is None or group.kind != kind:
            group = self.groups[name] = Group(name, kind)
        group.path, group.record_offset = item.path, item.record.offset
        return group

    def epoch(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        kind, name = _kind(decoded.name), key["groupId"]
        if decoded.value is None:
            held = self.groups.get(name)
            if held is not None and held.kind == kind:
                del self.groups[name]
            return
        self.group(item, name, kind).generation = decoded.value["epoch"]

    def assignment_epoch(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        if decoded.value is not None:
            self.group(item, key["groupId"], _kind(decoded.name)).assignment_epoch = decoded.value["assignmentEpoch"]

    def member(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        name, member_id, value = key["groupId"], key["memberId"], decoded.value
        kind = _kind(decoded.name)
        if value is None:
            held = self.groups.get(name)
            if held is not None and held.kind == kind:
                held.members.pop(member_id, None)
            return
        group = self.group(item, name, kind)
        old = group.members.get(member_id)
        subscription = {name: value[name] for name in ("subscribedTopicNames", "subscribedTopicRegex") if name in value}
        group.members[member_id] = Member(
            member_id,
            value.get("instanceId"),
            value["clientId"],
            value["clientHost"],
            old.epoch if old else None,
            subscription or None,
            old.assignment if old else None,
        )

    def current_assignment(self, item: LogRecord, key: Message, decoded: CoordinatorRecord) -> None:
        held = self.groups.get(key["groupId"])
        value = decoded.value
        if value is None or held is None or held.kind != _kind(decoded.name):
            return
        member = held.members.get(key["memberId"])
        if member is None:
            self.notes.append(Note(item.path, item.record.offset, f"an assignment for an unknown member {key['memberId']}"))
            return
        epochs = ("memberEpoch", "previousMemberEpoch", "state")
        assignment = {name: part for name, part in value.items() if name not in epochs}
        held.members[member.member_id] = member._replace(epoch=value["memberEpoch"], assignment=assignment)


def _kind(name: str) -> str:
    return name.partition("Group")[0].lower()


_APPLY = {
    "OffsetCommit": _Replay.offset_commit,
    "GroupMetadata": _Replay.group_metadata,
    **{f"{kind}GroupMetadata": _Replay.epoch for kind in ("Consumer", "Share", "Streams")},
    **{f"{kind}GroupTargetAssignmentMetadata": _Replay.assignment_epoch for kind in ("Consumer", "Share", "Streams")},
    **{f"{kind}GroupMemberMetadata": _Replay.member for kind in ("Consumer", "Share", "Streams")},
    **{f"{kind}GroupCurrentMemberAssignment": _Replay.current_assignment for kind in ("Consumer", "Share", "Streams")},
}


def read_groups(paths: Paths, moment: Moment = END) -> Groups:
    """The state of all groups, from the `__consumer_offsets` partitions found at `paths`.

    Args:
        paths: Log dirs, partition directories or `.log` files; other partitions found there tell the lag.
        moment: Up to where the records count.
    """
    given = collect(paths, TOPIC)
    replay = _Replay()
    problems = list(given.problems)
    for log in given.wanted:
        try:
            replay.log(log, moment)
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
    ends = _log_ends(given, problems)
    offsets = [_with_end(replay.offsets[key], ends) for key in sorted(replay.offsets)]
    pending = [
        (producer_id, _with_end(commit, ends))
        for producer_id, commits in sorted(replay.pending.items())
        for _, commit in commits.values()
        if commit is not None
    ]
    for commit in offsets:
        replay.groups.setdefault(commit.group, Group(commit.group))
    if not given.wanted:
        problems.append(Note("", None, f"no partition of {TOPIC} was given"))
    groups = dict(sorted(replay.groups.items()))
    return Groups(groups, offsets, pending, replay.notes, tuple(problems), replay.records)


def _log_ends(given: Given, problems: list[Note]) -> dict[tuple[str, int], int]:
    ends = {}
    for log in given.others:
        if log.name is None:
            continue
        try:
            end = log.end_offset()
        except UnreadableFile as error:
            problems.append(Note(error.path, None, error.reason))
            continue
        if end is not None:
            ends[log.name.topic, log.name.partition] = end
    return ends


def _with_end(commit: CommittedOffset, ends: dict[tuple[str, int], int]) -> CommittedOffset:
    return commit._replace(log_end_offset=ends.get((commit.topic, commit.partition)))
