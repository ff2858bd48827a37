"""The quorum that wrote a metadata log: who led its epochs, who votes, and whether two logs can be of one quorum.

In one quorum an epoch has one leader, and an offset of an epoch has one content. What a leader wrote and the others did not
get may differ, but then the epochs differ too, and the voters are the same but for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import RecordBatch
from kafkalog.core.control import ControlRecord, read_control_record
from kafkalog.core.log import walk
from kafkalog.core.properties import format_uuid, read_quorum_state
from kafkalog.errors import FormatError
from kafkalog.files.source import FileSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.files.partition import Partition

__all__ = [
    "OBSERVER",
    "ONLY_VOTER",
    "UNKNOWN",
    "VOTER",
    "Quorum",
    "QuorumConflict",
    "Role",
    "Voter",
    "conflict_of",
    "read_quorum",
    "role_in_quorum",
]

#: How a node takes part in a quorum.
ONLY_VOTER, VOTER, OBSERVER, UNKNOWN = "only voter", "voter", "observer", "unknown"


class Voter(NamedTuple):
    """A voter by its node id, and by its directory id where that is known: since 3.9, in dynamic quorums."""

    node_id: int
    directory_id: str | None

    def is_same(self, other: Voter) -> bool:
        """Whether the two can be one node's."""
        both_known = self.directory_id is not None and other.directory_id is not None
        return self.node_id == other.node_id and (not both_known or self.directory_id == other.directory_id)


class Quorum(NamedTuple):
    """What a metadata log says of its quorum: epoch → node id of its leader, and the last set of voters, () if not known."""

    leaders: dict[int, int]
    voters: tuple[Voter, ...]


class Role(NamedTuple):
    """How a node takes part in the quorum of a metadata log.

    Args:
        kind: `ONLY_VOTER`, `VOTER`, `OBSERVER` or `UNKNOWN`.
        node: Its id; None: not known.
        voters: Node ids of the voters, ascending; () if not known.
        is_dynamic: Whether the voters are named with their directories, so that they can be changed (kraft.version 1).
    """

    kind: str = UNKNOWN
    node: int | None = None
    voters: tuple[int, ...] = ()
    is_dynamic: bool = False


class QuorumConflict(NamedTuple):
    """What shows that two metadata logs are of two quorums.

    `kind` is `leaders`: `epoch` has two, `leader` and `other_leader`; `voters`: the logs part, and have no voter in common;
    or `batches`: the logs part within `epoch`.
    """

    kind: str
    epoch: int = -1
    leader: int = -1
    other_leader: int = -1


def read_quorum(partition: Partition) -> Quorum:
    """The quorum of the metadata log in a partition directory, from its control records and, failing these, `quorum-state`.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    snapshots = sorted(((name.base_offset, name.epoch or 0), file) for name, file in partition.checkpoints if not name.pending)
    files = [file for _, file in snapshots[-1:]] + [s.paths[".log"] for s in partition.segments if ".log" in s.paths]
    leaders: dict[int, int] = {}
    named: tuple[Voter, ...] = ()
    elected: tuple[Voter, ...] = ()
    for epoch, record in (pair for file in files for pair in _control_records(file)):
        if record.name == "LEADER_CHANGE":
            leaders[epoch] = record.fields["leaderId"]
            elected = tuple(Voter(voter["voterId"], None) for voter in record.fields["voters"])
        elif record.name == "KRAFT_VOTERS":
            named = tuple(Voter(v["voterId"], format_uuid(v["voterDirectoryId"])) for v in record.fields["voters"])
    return Quorum(leaders, named or elected or _voters_of_file(partition))


def role_in_quorum(partition: Partition, node: int | None) -> Role:
    """How a node takes part in the quorum, by what its metadata log and `quorum-state` say of the voters.

    Args:
        partition: The directory of its metadata log.
        node: The node's id.

    Raises:
        UnreadableFile: a file cannot be read.
    """
    voters = read_quorum(partition).voters
    ids = tuple(sorted({voter.node_id for voter in voters}))
    if not ids or node is None:
        return Role(UNKNOWN, node, ids)
    kind = OBSERVER if node not in ids else ONLY_VOTER if len(ids) == 1 else VOTER
    return Role(kind, node, ids, any(voter.directory_id for voter in voters))


def _control_records(path: str) -> Iterator[tuple[int, ControlRecord]]:
    """Each control record with its leader epoch."""
    with FileSource(path) as source:
        for batch in walk(source):
            if not isinstance(batch, RecordBatch) or not batch.is_control or not batch.crc_ok:
                continue
            for record in batch.walk_records():
                try:
                    yield batch.header.partition_leader_epoch, read_control_record(record.key, record.value)  # type: ignore[union-attr]
                except (FormatError, AttributeError):
                    continue  # a check of its own reports it


def _voters_of_file(partition: Partition) -> tuple[Voter, ...]:
    name = "quorum-state"
    state = None if partition.file(name) is None else read_quorum_state(partition.directory.read(name))
    return () if state is None else tuple(Voter(number, None) for number in state.voters)


def conflict_of(one: Quorum, other: Quorum, epochs: tuple[int, int] | None) -> QuorumConflict | None:
    """Why two metadata logs cannot be of one quorum; None when they can.

    Args:
        one: The quorum of the one.
        other: The quorum of the other.
        epochs: The leader epochs of the first batches in which the logs differ; None when they do not differ.
    """
    for epoch in sorted(one.leaders.keys() & other.leaders.keys()):
        here, there = one.leaders[epoch], other.leaders[epoch]
        if here != there:
            return QuorumConflict("leaders", epoch, here, there)
    if epochs is None:
        return None
    if one.voters and other.voters and not any(a.is_same(b) for a in one.voters for b in other.voters):
        return QuorumConflict("voters")
    if epochs[0] == epochs[1] >= 0:
        return QuorumConflict("batches", epochs[0])
    return None
