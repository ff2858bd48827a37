"""What to do about a metadata log that is damaged, or that a start would cut, by how its node takes part in the quorum.

A voter that lost committed records may help to elect a leader that lacks them, too. So what the other voters have must
include all that was committed before a voter comes back with less: KIP-853 (dynamic quorums), KIP-856 (a disk of a voter
that failed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.command_line import GIVES_METADATA
from kafkalog.replay.quorum import OBSERVER, ONLY_VOTER, VOTER

if TYPE_CHECKING:
    from kafkalog.replay.quorum import Role

__all__ = ["METADATA_FIRST", "metadata_advice"]

#: For the partitions that are set aside with it.
METADATA_FIRST = (
    "Nothing is wrong with this directory: put the metadata log right first (see `__cluster_metadata-0`). Once the "
    "controller knows the topic again, a directory that was renamed -stray gets its old name back while the broker is "
    "stopped."
)
_ALONE = (
    "no other node has these records. Do not start the node, and leave the directory where it is: a node without it knows no "
    "topic at all. Restore it from a backup that reaches further; if there is none, take out of a copy what is there "
    f"(`kafkalog metadata`, {GIVES_METADATA}). One wrong bit can be put back: `kafkalog verify` finds it."
)
_FETCHED = (
    "It fetches what it lacks from the controllers: see that these are sound before it starts. Where it does not start with "
    "this log, move the directory out of the log dir while it is stopped, and keep it: the node then fetches all of it."
)
_MAJORITY_FIRST = (
    "Keep this node down until a majority of the voters is up without it and has caught up (`kafka-metadata-quorum.sh "
    "--bootstrap-controller HOST:PORT describe --replication`): what these have must include all that was committed. "
    "Then start it, and it fetches what it lacks."
)
_WITHOUT_MAJORITY = (
    "If there is no such majority, this log may be the only one that holds committed records: restore it before any "
    "voter is started."
)
_STATIC = "Do not start a voter with an empty log before there is one."
_DYNAMIC = (
    "Do not start a voter with an empty log in its place: remove it from the voters (`kafka-metadata-quorum.sh "
    "remove-controller`), format its log dir again (`kafka-storage.sh format --no-initial-controllers`), and add it again "
    "(`add-controller`)."
)
_UNKNOWN = (
    "Find out whether this node is the only voter of the metadata quorum (controller.quorum.voters in its settings, "
    "or `kafka-metadata-quorum.sh describe --status`). If it is,"
)


def metadata_advice(role: Role) -> tuple[str, ...]:
    """What to do before the start, in order.

    Args:
        role: How the node takes part in the quorum.
    """
    voters = ", ".join(str(number) for number in role.voters)
    if role.kind == ONLY_VOTER:
        return (f"This is the metadata log of the only voter (node {voters}): {_ALONE}",)
    if role.kind == OBSERVER:
        return (f"This node ({role.node}) is no voter (voters: {voters}). {_FETCHED}",)
    if role.kind == VOTER:
        who = f"This is the metadata log of one of {len(role.voters)} voters ({voters})."
        return (f"{who} {_MAJORITY_FIRST}", f"{_WITHOUT_MAJORITY} {_DYNAMIC if role.is_dynamic else _STATIC}")
    return (f"{_UNKNOWN} {_ALONE}", f"If it is not: {_MAJORITY_FIRST[0].lower()}{_MAJORITY_FIRST[1:]}")
