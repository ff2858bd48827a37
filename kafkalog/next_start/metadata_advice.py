"""What to do about a metadata log that a start would cut, by how its node takes part in the quorum.

A voter that lost committed records may help to elect a leader that lacks them, too. So what the other voters have must
include all that was committed before a voter comes back with less: KIP-853 (dynamic quorums), KIP-856 (a disk of a voter
that failed).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.next_start.metadata_start import OBSERVER, ONLY_VOTER, VOTER

if TYPE_CHECKING:
    from kafkalog.next_start.metadata_start import MetadataStart

__all__ = ["METADATA_FIRST", "metadata_advice"]

#: For the partitions that are set aside with it.
METADATA_FIRST = (
    "Nothing is wrong with this directory: put the metadata log right first (see `__cluster_metadata-0`). Once the "
    "controller knows the topic again, a directory that was renamed -stray gets its old name back while the broker is "
    "stopped."
)
_ALONE = (
    "No other node has these records: restore `__cluster_metadata-0` from a backup that reaches further. If there is "
    "none, take out of the copy what is there (`kafkalog metadata`, `kafkalog dump --read-on`); one wrong bit can be "
    "put back (`kafkalog verify` finds it). A node without the directory knows no topic at all: leave it where it is."
)
_WITH_OTHERS = (
    "Keep this node down until a majority of the voters is up without it and has caught up (`kafka-metadata-quorum.sh "
    "--bootstrap-controller HOST:PORT describe --replication`): what these have must include all that was committed. "
    "Then start it, and it fetches what it lacks."
)
_WITHOUT_MAJORITY = (
    "If there is no such majority, this log may be the only one that holds committed records: restore it before any "
    "voter is started. Do not start a voter with an empty log in its place; with kraft.version 1 remove the voter, "
    "format it again, and add it again (`kafka-metadata-quorum.sh remove-controller`, `add-controller`)."
)
_OBSERVER = "This node does not vote: it fetches what it lacks from the controllers. See that these are sound before it starts."
_UNKNOWN = (
    "Find out whether this node is the only voter of the metadata quorum (controller.quorum.voters in its settings, "
    "or `kafka-metadata-quorum.sh describe --status`). If it is:"
)


def metadata_advice(start: MetadataStart) -> tuple[str, ...]:
    """What to do before the start, in order.

    Args:
        start: What the start makes of the metadata log.
    """
    if start.role == ONLY_VOTER:
        return (_ALONE,)
    if start.role == OBSERVER:
        return (_OBSERVER,)
    if start.role == VOTER:
        return (_WITH_OTHERS, _WITHOUT_MAJORITY)
    return (f"{_UNKNOWN} {_ALONE[0].lower()}{_ALONE[1:]}", f"If it is not: {_WITH_OTHERS[0].lower()}{_WITH_OTHERS[1:]}")
