"""Which partition directories a broker sets aside as stray, as far as the log dirs of that broker tell.

What decides is the controller's metadata. The broker keeps a replica of them in one of its log dirs; where that is among
those looked at, it is asked. Else the directories of a topic are witnesses for each other: a topic has one id.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC
from kafkalog.core.properties import format_uuid
from kafkalog.errors import UnreadableFile
from kafkalog.kafka.behaviours import STRAY_PARTITIONS
from kafkalog.next_start.cluster_metadata import (
    SEGMENT_BYTES_REMEDY,
    metadata_troubles,
    small_segments,
)
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.next_start.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from uuid import UUID

    from kafkalog.core.filename import PartitionName
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.replay.image import Image, PartitionState

__all__ = [
    "METADATA_LOG",
    "Doubt",
    "doubts_of",
    "missing_directories",
    "note_placement",
    "placement_in",
    "places_here",
    "share_metadata",
]

_NOT_MIGRATED = (
    "the log dir is of a broker with ZooKeeper, which this release does not have; unless the cluster's metadata was migrated to"
    " KRaft before (with 3.4 to 3.9) the controller knows none of its topics"
)
#: Ids up to that stand for something else: not assigned, lost, migrating.
_RESERVED_IDS = 100
METADATA_LOG = f"{CLUSTER_METADATA_TOPIC}-0"


class Doubt(NamedTuple):
    """Why a directory that loads is not what the controller means.

    Args:
        reason: In words.
        partition: What becomes of it: `stray`, `deleted`, `failed`, or `unknown`, for only the controller knows.
        is_replaced: Whether an empty partition takes its place.
        why: The reason without what follows from it.
    """

    reason: str
    partition: str
    is_replaced: bool = False
    why: str = ""


def share_metadata(states: Iterable[LogDirState]) -> None:
    """Let each log dir know the metadata that stand in one of the log dirs of its broker, and what is wrong with them."""
    states = list(states)
    for state in states:
        if not state.kraft:
            continue
        has_log = METADATA_LOG in state.partitions
        metadata = state.evidence.metadata.of_small_log(METADATA_LOG) if has_log else None
        state.troubles.extend(metadata_troubles(state.evidence.metadata, state.release, metadata))
        if not has_log:
            continue
        image = None if metadata is None else metadata.image
        too_small = "" if image is None else small_segments(image, state.release)
        if too_small and state.is_given:
            state.troubles.append(Trouble(state.path, "aborts", f"ConfigException: {too_small}", SEGMENT_BYTES_REMEDY))
        elif too_small:
            # Settings do not tell which release starts.
            state.notes[METADATA_LOG] = f"{too_small}: such a release does not start with that"
        for other in states:
            same = other is state or (state.identity.broker is not None and other.identity.broker == state.identity.broker)
            if same and other.kraft:
                other.image = image
                other.siblings = {one.identity.directory_id for one in states if one.identity.broker == other.identity.broker}


def placement_in(evidence: BrokerEvidence) -> Callable[[str, int], bool | None]:
    """What the metadata log of a log dir says of partitions by topic and number, as `places_here`.

    Raises:
        UnreadableFile: a file of the log dir cannot be read.
    """
    states = read_log_dir(evidence)
    share_metadata(states)
    return partial(places_here, next((state for state in states if state.kraft), states[0]))


def places_here(state: LogDirState, topic: str, partition: int) -> bool | None:
    """Whether the controller places a partition in this log dir; None: not known."""
    broker = state.identity.number
    if state.image is None or broker is None:
        return None
    found = state.image.topic(topic)
    placed = None if found is None else found.partitions.get(partition)
    if placed is None or broker not in placed.replicas:
        return False
    directory = _directory_of(placed, broker)
    return None if directory is None else format_uuid(directory) == state.identity.directory_id


def _directory_of(partition: PartitionState, broker: int) -> UUID | None:
    """The directory that the controller has a broker's replica in; None: it has not said."""
    directory = dict(zip(partition.replicas, partition.directories, strict=False)).get(broker)
    return None if directory is None or directory.int < _RESERVED_IDS else directory


def note_placement(state: LogDirState, group: list[LogDirState]) -> None:
    """Note a log dir without its id, beside others of the broker that have one: partitions placed by it are not served."""
    is_late = state.kraft and STRAY_PARTITIONS.applies_to(state.release)
    if is_late and state.identity.directory_id is None and any(other.identity.directory_id is not None for other in group):
        text = "meta.properties holds no directory.id, though that of another log dir of the broker does: a new one is made,"
        state.unplaced = f"{text} and partitions that the controller has placed by the old one are not served"


def doubts_of(state: LogDirState) -> dict[str, Doubt]:
    """Directory name → why its partition is not served as it stands; by topic id and assignment.

    Source: LogManager.isStrayKraftReplica, Kafka 3.9.1; BrokerMetadataPublisher.findStrayPartitions, Kafka 3.5.2.
    """
    if not state.kraft:
        return {}
    if state.era.kraft is False:
        names = (name for name, one in state.partitions.items() if not one.mark and one.topic != CLUSTER_METADATA_TOPIC)
        return dict.fromkeys(names, _stray(_NOT_MIGRATED, is_replaced=False))
    ids = _topic_ids(state)
    if state.image is not None:
        found = {name: _by_image(state, state.image, state.partitions[name], topic_id) for name, topic_id in ids.items()}
        doubts = {name: doubt for name, doubt in found.items() if doubt is not None}
    else:
        doubts = _by_each_other(state, ids)
    return doubts if STRAY_PARTITIONS.applies_to(state.release) else _before_strays(state, doubts)


def _before_strays(state: LogDirState, doubts: dict[str, Doubt]) -> dict[str, Doubt]:
    """What the releases before 3.7 do with directories that are not meant to be here: they delete them."""
    nameless = _unassigned_without_id(state)
    deleted = {}
    for name, doubt in doubts.items():
        if doubt.partition != "stray":
            deleted[name] = doubt
        elif nameless is not None:
            text = f"{doubt.why}, so it would be deleted; the broker gives that up where it meets {nameless}, which has no id"
            deleted[name] = Doubt(text, "failed")
        elif state.image is None and _lacks_ids(state):
            text = f"{doubt.why}, so it is deleted; unless the broker gives that up at one without `partition.metadata`"
            deleted[name] = Doubt(text, "unknown")
        else:
            text = f"{doubt.why}, so the directory is renamed -delete, and deleted a minute later with all that is in it"
            deleted[name] = Doubt(
                f"{text}; an empty partition takes its place" if doubt.is_replaced else text, "deleted", doubt.is_replaced
            )
    return deleted


def _lacks_ids(state: LogDirState) -> bool:
    ids = _topic_ids(state)
    named = (name for name, one in state.partitions.items() if not one.mark and one.topic != CLUSTER_METADATA_TOPIC)
    return any(name not in ids for name in named)


def _unassigned_without_id(state: LogDirState) -> str | None:
    """A directory without a topic id that gets none, for the controller does not place its partition here."""
    if state.image is None:
        return None
    broker = state.identity.number
    ids = _topic_ids(state)
    for name, parsed in state.partitions.items():
        if parsed.mark or parsed.topic == CLUSTER_METADATA_TOPIC or name in ids:
            continue
        topic = state.image.topic(parsed.topic)
        partition = None if topic is None else topic.partitions.get(parsed.partition)
        if partition is None or (broker is not None and broker not in partition.replicas):
            return name
    return None


def _topic_ids(state: LogDirState) -> dict[str, UUID]:
    ids = {}
    for name, parsed in state.partitions.items():
        if parsed.mark or parsed.topic == CLUSTER_METADATA_TOPIC:
            continue
        try:
            metadata = state.log_dir.partition(name).metadata
        except UnreadableFile:
            continue
        if metadata is not None and metadata.topic_id is not None:
            ids[name] = metadata.topic_id
    return ids


def _by_image(state: LogDirState, image: Image, parsed: PartitionName, topic_id: UUID) -> Doubt | None:
    broker = state.identity.number
    namesake = image.topic(parsed.topic)
    own = None if namesake is None else namesake.partitions.get(parsed.partition)
    is_own = own is not None and (broker is None or broker in own.replicas)
    topic = image.topics.get(topic_id)
    if topic is None:
        return _stray(f"the metadata log knows no topic with its id {format_uuid(topic_id)}", is_replaced=is_own)
    partition = topic.partitions.get(parsed.partition)
    if partition is None:
        return _stray(f"by the metadata log topic {topic.name} has no partition {parsed.partition}", is_replaced=is_own)
    directory = None if broker is None else _directory_of(partition, broker)
    known = {state.identity.directory_id, *state.siblings}
    if directory is not None and STRAY_PARTITIONS.applies_to(state.release) and format_uuid(directory) not in known:
        text = f"the metadata log places it in directory {format_uuid(directory)}, which is none of the log dirs looked at"
        return Doubt(f"{text}: if the broker has no such log dir, the partition is not served", "unknown")
    if broker is not None and broker not in partition.replicas:
        there = ", ".join(map(str, partition.replicas))
        return _stray(f"by the metadata log the partition is placed on broker {there}, not on {broker}", is_replaced=is_own)
    return _inconsistent(topic_id, topic.name) if topic.name != parsed.topic and is_own else None


def _stray(why: str, *, is_replaced: bool) -> Doubt:
    text = f"{why}, so the directory is renamed -stray"
    return Doubt(f"{text} and an empty partition takes its place" if is_replaced else text, "stray", is_replaced, why)


def _inconsistent(topic_id: UUID, topic: str) -> Doubt:
    text = f"InconsistentTopicIdException: its topic id {format_uuid(topic_id)} is that of {topic}, so it is never served"
    return Doubt(text, "failed")


def _by_each_other(state: LogDirState, ids: dict[str, UUID]) -> dict[str, Doubt]:
    """The odd ones out: a topic has one id, and an id one topic. Where it is not clear which, nobody here can tell."""
    pairs = Counter((state.partitions[name].topic, topic_id) for name, topic_id in ids.items())
    owners = {
        topic_id: _most({topic: pairs[topic, other] for topic, other in pairs if other == topic_id}) for _, topic_id in pairs
    }
    doubts: dict[str, Doubt] = {}
    for name, topic_id in ids.items():
        topic = state.partitions[name].topic
        owner = owners[topic_id]
        votes = {other: count for (of, other), count in pairs.items() if of == topic and owners[other] in (topic, None)}
        if owner is not None and owner != topic:
            # If nothing else here is of a topic of that name there may be none, and then nobody asks for it.
            if votes:
                doubts[name] = _inconsistent(topic_id, owner)
            continue
        usual = _most(votes)
        if owner is None or usual is None:
            text = (
                f"the partitions of {topic} hold ids that contradict each other; which is right, and which directory is stray,"
            )
            doubts[name] = Doubt(f"{text} the controller knows", "unknown")
        elif topic_id != usual:
            count = votes[usual]
            why = f"its topic id is {format_uuid(topic_id)}, that of {count} other partitions of the topic {format_uuid(usual)}"
            doubts[name] = _stray(why, is_replaced=True)
    return doubts


def missing_directories(state: LogDirState) -> list[str]:
    """Names of the partition directories that are gone: placed here by the controller, and with records by a checkpoint.

    The broker makes them anew, empty.
    """
    broker = state.identity.number
    here = state.identity.directory_id
    if state.image is None or broker is None or here is None:
        return []
    present = {(parsed.topic, parsed.partition) for parsed in state.partitions.values() if parsed.mark in ("", "future")}
    gone = []
    for topic in state.image.topics.values():
        for number, partition in topic.partitions.items():
            key = (topic.name, number)
            places = dict(zip(partition.replicas, partition.directories, strict=False))
            is_placed = broker in places and format_uuid(places[broker]) == here
            name = f"{topic.name}-{number}"
            has_held = state.recovery_points.get(key, 0) > 0 or state.high_watermarks.get(key, 0) > 0
            if is_placed and has_held and key not in present and name not in state.in_place:
                gone.append(name)
    return sorted(gone)


_T = TypeVar("_T")


def _most(votes: dict[_T, int]) -> _T | None:
    """Who has more than half of the votes, and more than one if there is a choice; None: nobody."""
    best = max(votes, key=lambda one: votes[one])
    is_clear = len(votes) == 1 or (votes[best] > 1 and 2 * votes[best] > sum(votes.values()))
    return best if is_clear else None
