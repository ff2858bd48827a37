"""Whether a coordinator loads a partition of its topic: where it fails, why, in which releases, and who goes with it.

A coordinator replays the partition from its start when it becomes the leader. What it makes of a record that it does not
know, cannot read, or that does not fit those before it depends on the release; each such thing is a row of `CAUSES`.
Up to 3.9 the old group coordinator is assumed, the default of these releases; it passes over all record types from 3 on.

Source: GroupMetadataManager.doLoadGroupsAndOffsets and TransactionStateManager.loadTransactionMetadata, 2.0.0 to 3.9.1;
CoordinatorLoaderImpl.doLoad, GroupMetadataManager.replay and ShareCoordinatorShard.replay, 4.0.1 to 4.4.0.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import parse_segment_file_name
from kafkalog.core.messages.schema import NEWEST, Release
from kafkalog.core.release import NEWEST as NEWEST_RELEASE
from kafkalog.core.release import OLDEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kafkalog.core.messages.reader import Message
    from kafkalog.core.messages.record_types import RecordType
    from kafkalog.core.messages.records import CoordinatorRecord
    from kafkalog.replay.logs import Ends, Log

__all__ = ["CAUSES", "Cause", "Failure", "Load", "LoadWatch", "newest"]

#: The first release whose group coordinator is the new one by default.
NEW_COORDINATOR: Release = (4, 0, 0)
_SIMPLE, _CLASSIC = "simple", "classic"
#: Epoch of a member whose current assignment has been removed.
_LEFT = -1
#: Epoch of a target assignment that has been removed.
_NO_ASSIGNMENT = -1
#: Fields of keys that hold the id of a group, or a transactional id.
_NAMES = ("group", "groupId", "transactionalId")
_MODERN = ("Consumer", "Share", "Streams")


class Cause(NamedTuple):
    """Why a load does not succeed, and the releases in which it does not: from `since`, before `until`.

    `ends` is false when the load never ends; the one thread that loads does nothing else then.
    """

    since: Release
    until: Release
    source: str
    ends: bool = True


CAUSES: dict[str, Cause] = {
    "no-key": Cause((), NEWEST, "`require(record.hasKey)` (2.3.1), CoordinatorRecordSerde.deserialize (4.1.1)"),
    "unreadable": Cause((), NEWEST, "GroupMetadataManager.readMessageKey (2.3.1), CoordinatorRecordSerde.readMessage (4.1.1)"),
    "unknown-type": Cause((), (3, 4, 1), "KAFKA-14869"),
    "unknown-version": Cause((), NEWEST, "readOffsetMessageValue (3.4.1), UnknownRecordVersionException (4.1.1)"),
    "another-kind": Cause(NEW_COORDINATOR, NEWEST, "GroupMetadataManager.getOrMaybeCreatePersistedConsumerGroup (4.1.1)"),
    "streams-after-offsets": Cause((4, 1, 0), (4, 3, 0), "GroupMetadataManager.getOrMaybeCreatePersistedStreamsGroup (4.3.1)"),
    "early-tombstone": Cause(NEW_COORDINATOR, NEWEST, "GroupMetadataManager.replay (4.1.1)"),
    "update-without-value": Cause(NEW_COORDINATOR, NEWEST, "ShareCoordinatorShard.handleShareUpdate (4.1.1)"),
    "empty-end": Cause((), (2, 4, 1), "KAFKA-9065", ends=False),
    "no-record-at-the-end": Cause((), (4, 0, 0), "TransactionStateManager.loadTransactionMetadata (3.9.1)", ends=False),
}


class Failure(NamedTuple):
    """A record, or the offset, that a load does not get past; the cause is a key of `CAUSES`."""

    cause: str
    offset: int
    reason: str
    since: Release
    until: Release

    @property
    def ends(self) -> bool:
        """Whether the load ends there; else it goes on for ever."""
        return CAUSES[self.cause].ends


class Load(NamedTuple):
    """What coordinators make of one partition.

    Attributes:
        path: The partition's directory.
        topic: `__consumer_offsets`, `__transaction_state` or `__share_group_state`.
        partition: Its number; None when the directory's name does not tell it.
        failures: All that some release does not get past, by offset.
        names: Where there are failures, groups or transactional ids of the partition → offset of the last record about them.
        files: Its `.log` files by base offset.
    """

    path: str
    topic: str
    partition: int | None
    failures: tuple[Failure, ...]
    names: dict[str, int]
    files: tuple[str, ...]

    def failure(self, release: Release) -> Failure | None:
        """What a coordinator of that release does not get past; None: it loads the partition."""
        return next((item for item in self.failures if item.since <= release < item.until), None)

    def file_of(self, failure: Failure) -> str:
        """The file with the record; for a load that never ends the last one, which is empty."""
        bases = [(name.base_offset, path) for path in self.files if (name := parse_segment_file_name(os.path.basename(path)))]
        held = [path for base, path in bases if base <= failure.offset or not failure.ends]
        return held[-1] if held else self.path

    def lost(self, failure: Failure) -> list[str]:
        """Whose state goes with it: everybody's; a transaction coordinator keeps what it had read before."""
        if self.topic == "__transaction_state" and failure.ends:
            return sorted(name for name, offset in self.names.items() if offset >= failure.offset)
        return sorted(self.names)

    def outcome(self, failure: Failure, release: Release) -> str:
        """What becomes of them, one sentence."""
        if not failure.ends:
            return "Nobody in this partition ever has a coordinator, and no other partition is loaded after it."
        if self.topic == "__transaction_state":
            return "The load ends there without a word to clients: what later records say is unknown, older states of it count."
        if self.topic == "__consumer_offsets" and release < NEW_COORDINATOR:
            return "The broker serves the partition as if it were empty: to clients no group has committed anything."
        return "The partition has no coordinator: requests for its groups fail until it is mended."


def newest(_: str) -> Release:
    """The newest release, whatever the directory."""
    return NEWEST_RELEASE


class LoadWatch:
    """Watches the replay of one partition for what a load does not get past."""

    def __init__(self, types: tuple[RecordType, ...]) -> None:
        self.types = types
        self.failures: list[Failure] = []
        self.groups: dict[str, _Held] = {}
        #: Groups or transactional ids with a record that could not be used, and its offset.
        self.unread: dict[str, int] = {}
        #: Types and versions of values that were looked at: of each only the first record matters.
        self._versions: set[tuple[int, int]] = set()

    def fail(self, cause: str, offset: int, reason: str, *, since: Release = (), until: Release = NEWEST) -> None:
        """Note a failure, in the releases that `CAUSES` and the bounds allow; of each cause the first counts."""
        row = CAUSES[cause]
        since, until = max(since, row.since, OLDEST), min(until, row.until)
        is_noted = any(item.cause == cause and (item.since, item.until) == (since, until) for item in self.failures)
        if since < until and not is_noted:
            self.failures.append(Failure(cause, offset, reason, since, until))

    def unreadable(self, offset: int, reason: str) -> None:
        """Records of a batch, or a control record, that cannot be read."""
        self.fail("unreadable", offset, reason)

    def record(self, offset: int, value: bytes | None, decoded: CoordinatorRecord) -> None:
        """A record that is not a control record."""
        number, name = decoded.type, decoded.name
        if number is None:
            self.fail("no-key" if decoded.problem == "no key" else "unreadable", offset, decoded.problem)
            return
        # The old group coordinator does not look at what it does not know.
        since = NEW_COORDINATOR if number > 2 else ()
        if number > 2 or not name:
            self.fail("unknown-type", offset, f"record type {number}{f' ({name})' if name else ''} is unknown")
        if not name:
            return
        if value is not None and decoded.version is not None:
            self.version(offset, number, decoded.version)
        if decoded.key is None or (value is not None and decoded.value is None):
            self.fail("unreadable", offset, decoded.problem, since=since)
            named = decoded.key or {}
            self.unread.update({named[field]: offset for field in _NAMES if field in named})
        elif name == "ShareUpdate" and value is None:
            self.fail("update-without-value", offset, "a ShareUpdate record without a value")
        elif number < 2 and name == "OffsetCommit":
            if value is not None:
                self.committed(decoded.key)
        elif name == "GroupMetadata":
            self._classic(decoded.key["group"], decoded.value)
        elif "groupId" in decoded.key and name.startswith(_MODERN):
            self._modern(offset, decoded.key, decoded)

    def committed(self, key: Message) -> None:
        """A group has committed an offset."""
        self.groups.setdefault(key["group"], _OFFSETS_ONLY)

    def version(self, offset: int, number: int, version: int) -> None:
        """A value of a version, of a known record type."""
        if (number, version) in self._versions:
            return
        self._versions.add((number, version))
        for kind in self.types:
            if kind.number != number:
                continue
            first = min((since for held, since in kind.value.versions if held == version), default=NEWEST)
            since = max(kind.since, NEW_COORDINATOR) if number > 2 else kind.since
            reason = f"version {version} of {kind.value.name} is unknown"
            self.fail("unknown-version", offset, reason, since=since, until=min(first, kind.until))

    # --- groups, as the new coordinator holds them ---

    def _classic(self, name: str, value: Message | None) -> None:
        if value is None:
            self.groups.pop(name, None)
            return
        # A group that nobody has joined yet is taken for one that only holds offsets.
        simple = not value["protocolType"] and not value["members"]
        self.groups[name] = _OFFSETS_ONLY if simple else _CLASSIC_GROUP

    def _modern(self, offset: int, key: Message, decoded: CoordinatorRecord) -> None:
        kind = next(kind for kind in _MODERN if decoded.name.startswith(kind)).lower()
        name, held, gone = key["groupId"], self.groups.get(key["groupId"]), decoded.value is None
        if held is None or held.kind != kind:
            if held is None and gone:
                return
            if held is not None and not (kind == "consumer" and held.kind == _SIMPLE):
                offsets_only = kind == "streams" and held.kind == _SIMPLE
                reason = f"group {name} is not a {kind} group"
                self.fail("streams-after-offsets" if offsets_only else "another-kind", offset, reason)
            held = self.groups[name] = _Held(kind)
        what = decoded.name.removeprefix(f"{kind.capitalize()}Group")
        if what == "MemberMetadata":
            self._member(offset, held, key["memberId"], gone=gone)
        elif what == "CurrentMemberAssignment" and (not gone or key["memberId"] in held.members):
            held.members[key["memberId"]] = _LEFT if decoded.value is None else decoded.value["memberEpoch"]
        elif what == "TargetAssignmentMember":
            (held.targets.discard if gone else held.targets.add)(key["memberId"])
        elif what == "TargetAssignmentMetadata":
            if gone and held.targets:
                self._early(offset, f"the target assignment of {name}", f"it still has members ({len(held.targets)})")
            held.assignment_epoch = _NO_ASSIGNMENT if decoded.value is None else decoded.value["assignmentEpoch"]
        elif what == "Metadata" and gone:
            self._group_goes(offset, name, held)

    def _member(self, offset: int, held: _Held, member: str, *, gone: bool) -> None:
        if not gone:
            held.members.setdefault(member, 0)
        elif member in held.members:
            if held.members[member] != _LEFT:
                self._early(offset, f"member {member}", "its current assignment has not been removed")
            elif member in held.targets:
                self._early(offset, f"member {member}", "its target assignment has not been removed")
            del held.members[member]

    def _group_goes(self, offset: int, name: str, held: _Held) -> None:
        if held.members:
            self._early(offset, f"group {name}", f"it still has members ({len(held.members)})")
        elif held.targets:
            self._early(offset, f"group {name}", f"its target assignment still has members ({len(held.targets)})")
        elif held.assignment_epoch != _NO_ASSIGNMENT:
            self._early(offset, f"group {name}", "its target assignment has not been removed")
        del self.groups[name]

    def _early(self, offset: int, what: str, why: str) -> None:
        self.fail("early-tombstone", offset, f"a tombstone removes {what}, but {why}")

    # --- the end of the log ---

    def end(self, log: Log, ends: Ends | None) -> None:
        """The log has been replayed to its end: where that is, None without files."""
        start = log.start_offset()
        if ends is None or start is None:
            return
        read_to = max(start, start if ends.batches_end is None else ends.batches_end)
        if read_to < ends.log_end:
            reason = f"the log ends at {ends.log_end}, but there is no batch from offset {read_to} on"
            self.fail("empty-end", read_to, reason)
        elif ends.last_is_empty and log.topic == "__transaction_state" and ends.batches_end is not None:
            self.fail("no-record-at-the-end", ends.batches_end - 1, "the last batch has no records")

    def load(self, log: Log, names: Iterable[tuple[str, int]]) -> Load:
        """What it all amounts to."""
        failures = sorted(self.failures, key=lambda item: item.offset)
        return Load(
            log.path,
            log.topic or "",
            log.name.partition if log.name else None,
            tuple(failures),
            dict(names) | self.unread if failures else {},
            log.files,
        )


class _Held:
    """A group as the coordinator holds it: members with their epochs, who has a target assignment, and its epoch."""

    __slots__ = ("assignment_epoch", "kind", "members", "targets")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.members: dict[str, int] = {}
        self.targets: set[str] = set()
        self.assignment_epoch = 0


#: There is nothing to tell groups of these kinds apart: nobody asks for their members.
_OFFSETS_ONLY, _CLASSIC_GROUP = _Held(_SIMPLE), _Held(_CLASSIC)
