"""What a group is, at one moment: its members, and the offsets that it has committed or delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import uuid

__all__ = ["STABLE", "CommittedOffset", "Group", "Member", "ShareOffset"]

#: State of a member that has what it was given, and owes nothing back.
STABLE = "STABLE"


class CommittedOffset(NamedTuple):
    """An offset that a group has committed.

    `leader_epoch` is -1 and `topic_id` None when not stored; times are milliseconds, -1 none. `path` and `record_offset`
    say where the commit is. `log_start_offset`, `log_end_offset`, `lag` and `problem` are known when the partition's
    directory was given; `topic_problem` when `__cluster_metadata` was. `expires_at` is the time from which on the coordinator
    deletes it, by the time stored with it or the default of `offsets.retention.minutes`; None while nothing expires it.
    `is_certain` says that no other moment of a copy explains the problem.
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
    log_start_offset: int | None = None
    topic_problem: str | None = None
    expires_at: int | None = None
    is_certain: bool = False

    @property
    def lag(self) -> int | None:
        """Offsets from the committed one to the end of the log, negative beyond it; None when the end is not known."""
        return None if self.log_end_offset is None else self.log_end_offset - self.offset

    @property
    def problem(self) -> str | None:
        """`after-log-end` or `before-log-start` when a fetch from there is out of range; None when it is not, or not known.

        Source: UnifiedLog.read, 3.9.1: the end itself is in range.
        """
        if self.log_end_offset is not None and self.offset > self.log_end_offset:
            return "after-log-end"
        if self.log_start_offset is not None and self.offset < self.log_start_offset:
            return "before-log-start"
        return None

    @property
    def has_expired_at_once(self) -> bool:
        """Whether it was stored with a time of expiry that had come already: a retention of 0, or a wrong clock."""
        return -1 != self.expire_timestamp <= self.commit_timestamp


class ShareOffset(NamedTuple):
    """How far a share group has come in a partition, from `__share_group_state`.

    `topic` is None when nothing gives the name. `start_offset` is -1 before the first delivery. `delivery_complete_count`
    is the number of records from there on that are done, -1 when not stored (before 4.2).
    """

    group: str
    topic: str | None
    topic_id: uuid.UUID
    partition: int
    start_offset: int
    state_epoch: int
    leader_epoch: int
    delivery_complete_count: int
    path: str
    record_offset: int
    log_end_offset: int | None = None

    @property
    def lag(self) -> int | None:
        """Records that are not done, as `kafka-share-groups.sh` counts them; None when something for it is not known."""
        if self.log_end_offset is None or self.start_offset < 0 or self.delivery_complete_count < 0:
            return None
        return self.log_end_offset - self.start_offset - self.delivery_complete_count

    @property
    def problem(self) -> str | None:
        """`after-log-end` when the group begins after the end of the log; None when it does not, or not known.

        What the log has deleted is no problem: the group then begins where the log does.
        """
        return "after-log-end" if self.log_end_offset is not None and self.start_offset > self.log_end_offset else None


class Member(NamedTuple):
    """A member of a group: `subscription` and `assignment` as Kafka's messages say them, None when there are none.

    `epoch` and `state` are the member's own; None for members of classic groups, which share the generation. `assignor`
    is the server's assignor that a member of a consumer group has asked for.
    """

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    epoch: int | None = None
    state: str | None = None
    subscription: Any = None
    assignment: Any = None
    assignor: str | None = None


@dataclass(repr=False, slots=True)
class Group:
    """The last known state of a group.

    Attributes:
        group: Its id.
        kind: "classic", "consumer", "share", "streams", or "offsets" when there are only offsets.
        generation: Generation of a classic group, epoch of the others; None when nothing says it.
        topology_epoch: Epoch of a streams group's topology; None when there is none.
        validated_topology_epoch: Epoch of the topology that was found good, -1 none or not stored (before 4.2).
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
    topology_epoch: int | None = None
    validated_topology_epoch: int = -1
    path: str | None = None
    record_offset: int | None = None
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """What the coordinator would say after loading: Empty, Stable, Assigning, Reconciling or NotReady.

        Source: maybeUpdateGroupState of ClassicGroup, ConsumerGroup, ShareGroup and StreamsGroup, 4.3.1.
        """
        if not self.members:
            return "Empty"
        if self.kind in ("classic", "share"):
            return "Stable"
        if self.kind == "streams" and not self._is_validated():
            return "NotReady"
        if (self.generation or 0) > (self.assignment_epoch or 0):
            return "Assigning"
        reconciled = {(STABLE, self.assignment_epoch)}
        return "Stable" if {(item.state, item.epoch) for item in self.members.values()} == reconciled else "Reconciling"

    def _is_validated(self) -> bool:
        if self.topology_epoch is None or self.topology_epoch == self.validated_topology_epoch:
            return self.topology_epoch is not None
        # 4.1 stores no epoch; but it gives out no tasks of a topology that is not good.
        assignments = [member.assignment or {} for member in self.members.values()]
        return self.validated_topology_epoch == -1 and any(item.get("activeTasks") for item in assignments)

    def __repr__(self) -> str:
        return f"Group({self.group!r}, {self.kind}, {self.state}, {len(self.members)} members)"
