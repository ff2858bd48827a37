"""What to do about a directory that loads and is not the one that the controller means, by why it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafkalog.core.command_line import GIVES_EVERYTHING
from kafkalog.core.properties import format_uuid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from kafkalog.replay.image import Topic

__all__ = [
    "IF_DELETED",
    "MIGRATE_FIRST",
    "brokers_text",
    "give_its_name_back",
    "has_others",
    "see_that_it_is_served",
    "write_its_id",
]

MIGRATE_FIRST = (
    "Do not start this release on it: migrate the cluster to KRaft first, with a release from 3.4 to 3.9. If that was done, the"
    " directory is left over from before: nothing more needs doing, and the copy keeps its records."
)
#: The controller knows neither the topic id nor the name.
IF_DELETED = (
    "If the topic was deleted, nothing more needs doing: the copy keeps its records. If it was not, the metadata log lacks it,"
    " or is another cluster's: put that right first."
)
#: Directories that are named.
_NAMED = 3


def has_others(topic: Topic, partition: int) -> str:
    """Which partitions a topic has, when it has not got this one: `has partitions 0 to 5, not 7`."""
    last = max(topic.partitions, default=None)
    if last is None:
        return "has no partition"
    return f"has partition{f's 0 to {last}' if last else ' 0'}, not {partition}"


def brokers_text(brokers: Sequence[int]) -> str:
    """`broker 1`, `brokers 1, 2`."""
    return f"broker{'s' if len(brokers) > 1 else ''} {', '.join(map(str, brokers))}"


def write_its_id(name: str, topic_id: UUID) -> str:
    """The directory has no topic id, a damaged one, or that of no topic.

    Args:
        name: The topic that the directory is named after.
        topic_id: The id that the controller has for it.
    """
    return (
        f"If these are the records of {name} as it is now, write its id into `partition.metadata` of the directory (two"
        f" lines, `version: 0` and `topic_id: {format_uuid(topic_id)}`). If the topic was deleted and created again, they"
        " are those of the deleted one: nothing more needs doing, and the copy keeps them."
    )


def give_its_name_back(partition: int, topic: Topic, lacking: Sequence[str]) -> str:
    """The topic has no such partition.

    Args:
        partition: The number in the directory's name.
        topic: The one that has the directory's topic id.
        lacking: Names of the directories of its partitions that are missing here.
    """
    no_such = f"There is no partition {partition} of {topic.name}, and `partition.metadata` cannot make one."
    if lacking:
        names = f"{', '.join(lacking[:_NAMED])}{', …' if len(lacking) > _NAMED else ''}"
        return f"{no_such} If it was {names}, which is missing here, give it that name back while the broker is stopped."
    look = f"see what it holds ({GIVES_EVERYTHING}), and keep the copy if it is needed"
    return f"{no_such} No broker reads this directory: {look}."


def see_that_it_is_served(brokers: Sequence[int]) -> str:
    """The partition is placed elsewhere.

    Args:
        brokers: Where.
    """
    return (
        f"See that {brokers_text(brokers)} {'have' if len(brokers) > 1 else 'has'} all records of the partition"
        " (`kafka-topics.sh --describe`: it has a leader, and all its replicas are in sync). If so, nothing more needs doing;"
        " if not, the copy of this directory may be the only one."
    )
