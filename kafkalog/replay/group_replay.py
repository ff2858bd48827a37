"""The records of `__consumer_offsets` and `__share_group_state`, applied one after the other.

The rules are those of Kafka's coordinators when they load the topics: the last record of a key counts, a tombstone removes
it, offsets committed in a transaction count from its COMMIT marker on, unless a newer commit came in between. A tombstone
of an offset removes what is pending for it, too. Records of one group may come in any order: compaction keeps the newest.
Source: GroupMetadataManager.doLoadGroupsAndOffsets, 2.8; OffsetMetadataManager.replay and GroupMetadataManager.replay, 4.1
and 4.3; ShareCoordinatorShard.replay, 4.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kafkalog.core.attributes import TRANSACTIONAL
from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import COMMIT, read_control_type
from kafkalog.core.messages.consumer_protocol import ASSIGNMENT, SUBSCRIPTION, read_as_clients_write
from kafkalog.core.messages.group import GROUP_RECORDS
from kafkalog.core.messages.offset_keys import OFFSET_COMMIT
from kafkalog.core.messages.records import CoordinatorRecord, read_coordinator_record
from kafkalog.core.messages.share_group import SHARE_GROUP_RECORDS
from kafkalog.errors import FormatError
from kafkalog.replay.coordinator_loads import LoadWatch
from kafkalog.replay.group_state import STABLE, Group, Member, ShareOffset
from kafkalog.replay.kept_commits import commit_of, group_of, key_of, place_of, record_offset_of
from kafkalog.replay.known_keys import KnownKeys
from kafkalog.replay.logs import Note, Notes
from kafkalog.replay.until import END

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable, Iterator

    from kafkalog.core.log import Batch
    from kafkalog.core.messages.reader import Message
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.kept_commits import Commits
    from kafkalog.replay.logs import Log
    from kafkalog.replay.until import Until

__all__ = ["SHARE_TOPIC", "TOPIC", "GroupReplay"]

TOPIC = "__consumer_offsets"
SHARE_TOPIC = "__share_group_state"

#: Names of the numbers that say a member's state.
_MEMBER_STATES = {0: STABLE, 1: "UNREVOKED_PARTITIONS", 2: "UNRELEASED_PARTITIONS"}
_STREAMS_MEMBER_STATES = {1: STABLE, 2: "UNREVOKED_TASKS", 3: "UNRELEASED_TASKS"}


class _Item(NamedTuple):
    """A record with the file that holds it, and its batch where that is not a plain one."""

    path: str
    batch: Batch | None
    offset: int
    key: bytes | None
    value: bytes | None


def _known_commits(begin: Callable[[Message], None]) -> KnownKeys[None]:
    return KnownKeys(GROUP_RECORDS, OFFSET_COMMIT, begin, frozenset({"topicId"}))


class GroupReplay:
    """Applies records to the groups.

    Attributes:
        groups: Groups by id; those that have nothing but offsets are not among them.
        offsets: What is committed.
        pending: The same in open transactions, by producer id.
        share_offsets: Where share groups are, by group, topic id and partition.
        topic_names: Names of topics that records tell, by topic id.
    """

    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.offsets: Commits = {}
        self.pending: dict[int, Commits] = {}
        self.share_offsets: dict[tuple[str, uuid.UUID, int], ShareOffset] = {}
        self.topic_names: dict[uuid.UUID, str] = {}
        self.notes = Notes()
        self.records = 0
        #: What a coordinator makes of each partition; only for the end, at which it loads.
        self.loads: list[Load] = []
        #: What is committed and what is pending in the partition at hand.
        self._committed: Commits = {}
        self._open: dict[int, Commits] = {}
        self._known = _known_commits(lambda _: None)

    def log(self, log: Log, until: Until) -> None:
        """Apply the records of a partition.

        Raises:
            UnreadableFile: one of its files cannot be read; what came before it is applied.
        """
        watch = LoadWatch(SHARE_GROUP_RECORDS if log.topic == SHARE_TOPIC else GROUP_RECORDS)
        try:
            self._replay(log, until, watch)
            if until == END and log.topic is not None:
                watch.end(log, log.ends())
                self.loads.append(watch.load(log, self._names(log)))
        finally:
            # Each partition has markers of its own.
            self.offsets.update(self._committed)
            for producer_id, commits in self._open.items():
                self.pending.setdefault(producer_id, {}).update(commits)
            self._committed, self._open = {}, {}
            self._known.forget_all()

    def _names(self, log: Log) -> Iterator[tuple[str, int]]:
        """The groups of a partition, each with the offset of a record about it."""
        files = frozenset(log.files)
        for group in self.groups.values():
            if group.path in files:
                yield group.group, group.record_offset or 0
        for commits in (self._committed, *self._open.values()):
            for key, commit in commits.items():
                yield group_of(key), record_offset_of(commit)
        for share in self.share_offsets.values():
            if share.path in files:
                yield share.group, share.record_offset

    def _replay(self, log: Log, until: Until, watch: LoadWatch) -> None:
        is_bounded, has_commits = until != END, watch.types is GROUP_RECORDS
        self._known = known = _known_commits(watch.committed)
        for path, batch, records in log.plain_records(self.notes, watch.unreadable, TRANSACTIONAL):
            is_control, commits = isinstance(batch, RecordBatch) and batch.is_control, self._commits_of(batch)
            for offset, timestamp, key, value in records:
                if is_bounded and not until.holds(offset, timestamp):
                    continue
                self.records += 1
                if is_control:
                    self._marker(_Item(path, batch, offset, key, value), watch)
                    continue
                again = known.read(key, value) if has_commits else None
                if again is not None and key is not None:
                    _, regular, message = again
                    if message:
                        self._named(message, place_of(key)[1])
                    commits[key] = regular, path, offset
                    continue
                self._with_care(_Item(path, batch, offset, key, value), watch)

    def _commits_of(self, batch: Batch | None) -> Commits:
        """Where the commits of a batch go: those in a transaction count from its marker on."""
        if isinstance(batch, RecordBatch) and batch.is_transactional and not batch.is_control:
            return self._open.setdefault(batch.header.producer_id, {})
        return self._committed

    def _with_care(self, item: _Item, watch: LoadWatch) -> None:
        """Apply a record of any kind."""
        decoded = read_coordinator_record(watch.types, item.key, item.value)
        watch.record(item.offset, item.value, decoded)
        if item.value is None and decoded.name != "OffsetCommit":
            self._known.forget_all()  # it may remove a group
        if decoded.problem:
            self.notes.append(Note(item.path, item.offset, decoded.problem))
        if decoded.key is None or (item.value is not None and decoded.value is None):
            return
        apply = _APPLY.get(decoded.name)
        if apply is not None:
            apply(self, item, decoded.key, decoded)

    def _marker(self, item: _Item, watch: LoadWatch) -> None:
        try:
            _, kind = read_control_type(item.key)
        except FormatError as error:
            self.notes.append(Note(item.path, item.offset, f"a control record that cannot be read: {error}"))
            watch.unreadable(item.offset, f"a control record cannot be read: {error}")
            return
        pending = self._open.pop(item.batch.header.producer_id, {}) if isinstance(item.batch, RecordBatch) else {}
        if kind != COMMIT:
            return
        for place, commit in pending.items():
            held = self._committed.get(place)
            if held is None or record_offset_of(held) < record_offset_of(commit):
                self._committed[place] = commit

    def _named(self, value: Message, topic: str) -> None:
        """Remember the id of a topic that a commit tells."""
        topic_id = value.get("topicId")
        if topic_id is not None and topic_id.int:
            self.topic_names[topic_id] = topic

    # --- one method for each kind of record ---

    def offset_commit(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """An offset, or its tombstone."""
        place = key["group"], key["topic"], key["partition"]
        own = key_of(place)
        if decoded.value is None:
            self._known.forget(item.key)
            for commits in (self.offsets, self._committed, *self._open.values()):
                commits.pop(own, None)
            return
        self._named(decoded.value, place[1])
        self._commits_of(item.batch)[own] = commit_of(place, decoded.value, item.path, item.offset)
        self._known.learn(item.value, decoded)

    def classic_group(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """A classic group, all its members with it."""
        name, value = key["group"], decoded.value
        if value is None:
            self._remove(name, "classic")
            return
        group = Group(
            group=name,
            kind="classic",
            generation=value["generation"],
            protocol_type=value["protocolType"],
            protocol=value["protocol"],
            leader=value["leader"],
            state_timestamp=value.get("currentStateTimestamp", -1),
            path=item.path,
            record_offset=item.offset,
        )
        for member in value["members"]:
            group.members[member["memberId"]] = self._classic_member(item, value["protocolType"], member)
        self.groups[name] = group

    def _classic_member(self, item: _Item, kind: str, member: Message) -> Member:
        subscription, assignment = member["subscription"], member["assignment"]
        if kind == "consumer":
            subscription = self._embedded(item, subscription, SUBSCRIPTION)
            assignment = self._embedded(item, assignment, ASSIGNMENT)
        return Member(
            member["memberId"],
            member.get("groupInstanceId"),
            member["clientId"],
            member["clientHost"],
            subscription=subscription,
            assignment=assignment,
        )

    def _embedded(self, item: _Item, data: bytes, schema: Any) -> Any:
        if not data:
            return None
        try:
            return read_as_clients_write(data, schema)[1]
        except FormatError as error:
            self.notes.append(Note(item.path, item.offset, f"{schema.name}: {error}"))
            return data

    def _group(self, item: _Item, name: str, kind: str) -> Group:
        """The group of a newer kind; a classic one of that id has been converted."""
        group = self.groups.get(name)
        if group is None or group.kind != kind:
            group = self.groups[name] = Group(name, kind)
        group.path, group.record_offset = item.path, item.offset
        return group

    def _held(self, name: str, kind: str) -> Group | None:
        held = self.groups.get(name)
        return held if held is not None and held.kind == kind else None

    def _remove(self, name: str, kind: str) -> None:
        if self._held(name, kind) is not None:
            del self.groups[name]

    def epoch(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """The epoch of a newer group: it is there from then on."""
        kind, name, value = _kind(decoded.name), key["groupId"], decoded.value
        if value is None:
            self._remove(name, kind)
            return
        group = self._group(item, name, kind)
        group.generation = value["epoch"]
        group.validated_topology_epoch = value.get("validatedTopologyEpoch", -1)

    def topology(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """What a streams group runs."""
        if decoded.value is not None:
            self._group(item, key["groupId"], "streams").topology_epoch = decoded.value["epoch"]
        else:
            held = self._held(key["groupId"], "streams")
            if held is not None:
                held.topology_epoch = None

    def assignment_epoch(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """The epoch of what the members shall have."""
        if decoded.value is not None:
            self._group(item, key["groupId"], _kind(decoded.name)).assignment_epoch = decoded.value["assignmentEpoch"]

    def member(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """Who a member is and what it has subscribed to."""
        name, member_id, value = key["groupId"], key["memberId"], decoded.value
        kind = _kind(decoded.name)
        if value is None:
            held = self._held(name, kind)
            if held is not None:
                held.members.pop(member_id, None)
            return
        group = self._group(item, name, kind)
        subscription = {name: value[name] for name in ("subscribedTopicNames", "subscribedTopicRegex") if name in value}
        group.members[member_id] = group.members.get(member_id, _nobody(member_id))._replace(
            instance_id=value.get("instanceId"),
            client_id=value["clientId"],
            client_host=value["clientHost"],
            subscription=subscription or None,
            assignor=value.get("serverAssignor"),
        )

    def current_assignment(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """What a member has."""
        name, member_id, value = key["groupId"], key["memberId"], decoded.value
        kind = _kind(decoded.name)
        if value is None:
            held = self._held(name, kind)
            if held is not None and member_id in held.members:
                held.members[member_id] = held.members[member_id]._replace(epoch=None, state=None, assignment=None)
            return
        members = self._group(item, name, kind).members
        epochs = ("memberEpoch", "previousMemberEpoch", "state")
        members[member_id] = members.get(member_id, _nobody(member_id))._replace(
            epoch=value["memberEpoch"],
            state=_member_state(kind, value),
            assignment={name: part for name, part in value.items() if name not in epochs},
        )

    def partition_metadata(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:  # noqa: ARG002
        """Names and ids of topics."""
        for name in ("topics", "initializingTopics", "initializedTopics", "deletingTopics"):
            for topic in (decoded.value or {}).get(name, ()):
                self.topic_names[topic["topicId"]] = topic["topicName"]

    def share_state(self, item: _Item, key: Message, decoded: CoordinatorRecord) -> None:
        """How far a share group is in a partition."""
        place = key["groupId"], key["topicId"], key["partition"]
        value = decoded.value
        if value is None:
            if decoded.name == "ShareSnapshot":
                self.share_offsets.pop(place, None)
            return
        start, leader_epoch = value["startOffset"], value["leaderEpoch"]
        # An update says nothing of what has not changed.
        held = self.share_offsets.get(place) if decoded.name == "ShareUpdate" else None
        self.share_offsets[place] = ShareOffset(
            group=key["groupId"],
            topic=None,
            topic_id=key["topicId"],
            partition=key["partition"],
            start_offset=held.start_offset if held and start == -1 else start,
            state_epoch=held.state_epoch if held else value.get("stateEpoch", -1),
            leader_epoch=held.leader_epoch if held and leader_epoch == -1 else leader_epoch,
            delivery_complete_count=value.get("deliveryCompleteCount", -1),
            path=item.path,
            record_offset=item.offset,
        )


def _nobody(member_id: str) -> Member:
    return Member(member_id, None, "", "")


def _kind(name: str) -> str:
    return name.partition("Group")[0].lower()


def _member_state(kind: str, value: Message) -> str:
    if "state" in value:
        names = _STREAMS_MEMBER_STATES if kind == "streams" else _MEMBER_STATES
        return names.get(value["state"], f"unknown ({value['state']})")
    # The early access of 3.7 stores what a member still has to give back and to get.
    if value.get("partitionsPendingRevocation"):
        return "REVOKING"
    return "ASSIGNING" if value.get("partitionsPendingAssignment") else STABLE


_KINDS = ("Consumer", "Share", "Streams")
_APPLY = {
    "OffsetCommit": GroupReplay.offset_commit,
    "GroupMetadata": GroupReplay.classic_group,
    **{f"{kind}GroupMetadata": GroupReplay.epoch for kind in _KINDS},
    **{f"{kind}GroupTargetAssignmentMetadata": GroupReplay.assignment_epoch for kind in _KINDS},
    **{f"{kind}GroupMemberMetadata": GroupReplay.member for kind in _KINDS},
    **{f"{kind}GroupCurrentMemberAssignment": GroupReplay.current_assignment for kind in _KINDS},
    **{f"{kind}GroupPartitionMetadata": GroupReplay.partition_metadata for kind in ("Consumer", "Share")},
    "ShareGroupStatePartitionMetadata": GroupReplay.partition_metadata,
    "StreamsGroupTopology": GroupReplay.topology,
    "ShareSnapshot": GroupReplay.share_state,
    "ShareUpdate": GroupReplay.share_state,
}
