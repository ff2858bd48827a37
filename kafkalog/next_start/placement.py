"""Which partition directories a broker sets aside as stray, as far as the log dirs of that broker show it.

What decides is the controller's metadata. The broker keeps a replica of them in one of its log dirs; where that is among
those looked at, it is asked. Else the directories of a topic are compared with each other: a topic has one id.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from kafkalog.core.filename import CLUSTER_METADATA_TOPIC, parse_partition_name
from kafkalog.core.properties import format_uuid
from kafkalog.core.spoken import count_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.broker import same_broker
from kafkalog.kafka.behaviours import METADATA_FAULTS_FATAL, STRAY_PARTITIONS
from kafkalog.next_start.cluster_metadata import (
    SEGMENT_BYTES_REMEDY,
    obstacles_in_metadata,
    small_segments,
)
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.next_start.metadata_advice import metadata_advice
from kafkalog.next_start.metadata_start import METADATA_LOG
from kafkalog.next_start.misplaced_advice import (
    IF_DELETED,
    MIGRATE_FIRST,
    brokers_text,
    give_its_name_back,
    has_others,
    see_that_it_is_served,
    write_its_id,
)
from kafkalog.next_start.obstacle import Noted, Obstacle
from kafkalog.replay.quorum import OBSERVER, ONLY_VOTER, VOTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from kafkalog.core.filename import PartitionName
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.metadata_start import MetadataStart
    from kafkalog.replay.image import Image, PartitionState, Topic
    from kafkalog.replay.metadata import Metadata

__all__ = [
    "Misplacement",
    "by_metadata",
    "listed_and_missing",
    "misplacements",
    "missing_directories",
    "placed_directories",
    "placement_in",
    "places_here",
    "renamed_to",
    "why_unplaced",
    "with_shared_metadata",
]

_NOT_MIGRATED = (
    "the log dir is of a broker with ZooKeeper, which this release does not have; unless the cluster's metadata was migrated to"
    " KRaft before (with 3.4 to 3.9) the controller knows none of its topics"
)
#: Ids up to that stand for something else: not assigned, lost, migrating.
_RESERVED_IDS = 100


class Misplacement(NamedTuple):
    """Why a directory that loads is not what the controller means.

    Args:
        reason: In words.
        partition: What becomes of it: `stray`, `deleted`, `failed`, `unserved` (it stays, and nobody asks for it), or
            `unknown`, for only the controller knows.
        is_replaced: Whether an empty partition takes its place.
        why: The reason without what follows from it.
        action: What to do about it; "" when nothing is certain.
    """

    reason: str
    partition: str
    is_replaced: bool = False
    why: str = ""
    action: str = ""


def with_shared_metadata(states: Sequence[LogDirState]) -> list[LogDirState]:
    """The log dirs, each knowing the metadata in one of the log dirs of its broker, and what is wrong with its own."""
    noted = [replace(state, noted=state.noted.and_also(_noted_of_metadata(state))) for state in states]
    return [_with_image(state, noted) for state in noted]


def _noted_of_metadata(state: LogDirState) -> Noted:
    if not state.kraft:
        return Noted()
    start = state.evidence.metadata.start_of(METADATA_LOG, state.release) if METADATA_LOG in state.partitions else None
    # What is cut, or damaged, is not replayed.
    metadata = start.metadata if start is not None and start.is_changed else _own_metadata(state)
    noted = Noted(
        obstacles=(
            *_bad_snapshot(start),
            *_lacks_before(state, start),
            *_misfit(state, start, metadata),
            *obstacles_in_metadata(state.evidence.metadata, state.release, metadata),
        )
    )
    too_small = "" if metadata is None else small_segments(metadata.image, state.release)
    if too_small and state.is_given:
        obstacle = Obstacle(state.path, "aborts", f"ConfigException: {too_small}", SEGMENT_BYTES_REMEDY)
        return noted.and_also(Noted(obstacles=(obstacle,)))
    if too_small:
        # Settings do not tell which release starts.
        return noted.and_also(Noted(notes={METADATA_LOG: f"{too_small}: such a release does not start with that"}))
    return noted


def _misfit(state: LogDirState, start: MetadataStart | None, metadata: Metadata | None) -> Iterator[Obstacle]:
    """A record that does not fit those before it, as where a segment of the metadata log is missing: controllers exit there."""
    if start is None or metadata is None or metadata.misfit is None or not METADATA_FAULTS_FATAL.applies_to(state.release):
        return
    if start.role.kind != OBSERVER:
        found = metadata.misfit
        reason = f"the record of the metadata log at offset {found.offset} does not fit those before it ({found.message})"
        yield Obstacle(found.path, "aborts", f"fatal fault: {reason}", " ".join(metadata_advice(start.role)))


def _lacks_before(state: LogDirState, start: MetadataStart | None) -> Iterator[Obstacle]:
    """A metadata log whose beginning is gone."""
    if start is not None and start.lacks_before is not None:
        path = state.log_dir.directory.path_of(METADATA_LOG)
        reason = f"the metadata log begins at offset {start.lacks_before}, and no snapshot has what was before"
        yield Obstacle(path, "aborts", f"IllegalStateException: {reason}", " ".join(metadata_advice(start.role)))


def _bad_snapshot(start: MetadataStart | None) -> Iterator[Obstacle]:
    """A damaged latest snapshot, which is loaded before the log is."""
    bad = None if start is None else start.bad_snapshot
    if bad is None or start is None:
        return
    name = os.path.basename(bad.path)
    if bad.is_replaceable:
        remedy = f"Move {name} out of {METADATA_LOG}, and keep it: what it says is in the log, or in an older snapshot, too."
    else:
        remedy = " ".join(metadata_advice(start.role))
    yield Obstacle(bad.path, "aborts", f"the latest snapshot of the metadata log is not whole: {bad.damage}", remedy)


def _own_metadata(state: LogDirState) -> Metadata | None:
    return state.evidence.metadata.of_small_log(METADATA_LOG) if METADATA_LOG in state.partitions else None


def _with_image(state: LogDirState, states: Sequence[LogDirState]) -> LogDirState:
    if not state.kraft:
        return state
    group = [other for other in states if other is state or same_broker(other.log_dir, state.log_dir)]
    holders = [other for other in group if other.kraft and METADATA_LOG in other.partitions]
    if not holders:
        return replace(state, lacks_metadata=True)
    metadata = _own_metadata(holders[-1])
    start = holders[-1].evidence.metadata.start_of(METADATA_LOG, state.release)
    siblings = frozenset(other.identity.directory_id for other in group)
    return replace(state, image=None if metadata is None else metadata.image, metadata_start=start, siblings=siblings)


def by_metadata(state: LogDirState) -> list[LogDirState]:
    """What the broker finds, by what the controller knows after the start: worst first, each with its condition.

    The only voter knows what its own log says after the start. One of several gets what it lacks from the others, if they
    have it; an observer does in any case.
    """
    start = state.metadata_start
    if start is None or not start.is_changed or not state.kraft:
        return [state]
    alone = replace(state, image=start.image)
    fetched = replace(state, image=state.image if start.was_whole else None)
    if start.role.kind == ONLY_VOTER:
        return [alone]
    if start.role.kind == OBSERVER:
        return [fetched]
    others = "the other voters of the metadata quorum"
    alone_if = f"{others} lack"
    if start.role.kind != VOTER:
        alone_if = f"this node is the only voter of the metadata quorum, or {alone_if}"
    return [
        replace(alone, condition=f"if {alone_if} the metadata records from offset {start.end} on"),
        replace(fetched, condition=f"if {others} have the metadata records from offset {start.end} on"),
    ]


def placement_in(evidence: BrokerEvidence) -> Callable[[str, int], bool | None]:
    """What the metadata log of a log dir says of partitions by topic and number, as `places_here`.

    Raises:
        UnreadableFile: a file of the log dir cannot be read.
    """
    states = with_shared_metadata(read_log_dir(evidence))
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


def why_unplaced(state: LogDirState, group: Iterable[LogDirState]) -> str:
    """Why it is not known which partitions of a log dir are served: only others of the broker have an id; "": it is known."""
    is_late = state.kraft and STRAY_PARTITIONS.applies_to(state.release)
    if not is_late or state.identity.directory_id is not None:
        return ""
    if all(other.identity.directory_id is None for other in group):
        return ""
    text = "meta.properties holds no directory.id, though that of another log dir of the broker does: a new one is made,"
    return f"{text} and partitions that the controller has placed by the old one are not served"


def misplacements(state: LogDirState) -> dict[str, Misplacement]:
    """Directory name → why its partition is not served as it stands; by topic id and assignment.

    Source: LogManager.isStrayKraftReplica, Kafka 3.9.1; BrokerMetadataPublisher.findStrayPartitions, Kafka 3.5.2.
    """
    if not state.kraft:
        return {}
    if state.era.kraft is False:
        names = (name for name, one in state.partitions.items() if not one.mark and one.topic != CLUSTER_METADATA_TOPIC)
        return dict.fromkeys(names, _stray(_NOT_MIGRATED, is_replaced=False, action=MIGRATE_FIRST))
    ids = _topic_ids(state)
    if state.image is not None:
        judged = {name: _by_image(state, state.image, state.partitions[name], topic_id) for name, topic_id in ids.items()}
        found = {name: one for name, one in judged.items() if one is not None}
    else:
        found = _by_each_other(state, ids)
    return found if STRAY_PARTITIONS.applies_to(state.release) else _before_strays(state, found)


def _before_strays(state: LogDirState, found: dict[str, Misplacement]) -> dict[str, Misplacement]:
    """What the releases before 3.7 do with directories that are not meant to be here: they delete them."""
    nameless = _unassigned_without_id(state)
    deleted = {}
    for name, one in found.items():
        if one.partition != "stray":
            deleted[name] = one
        elif nameless is not None:
            text = f"{one.why}, so it would be deleted; the broker gives that up where it meets {nameless}, which has no id"
            deleted[name] = Misplacement(text, "failed")
        elif state.image is None and _lacks_ids(state):
            text = f"{one.why}, so it is deleted; unless the broker gives that up at one without `partition.metadata`"
            deleted[name] = Misplacement(text, "unknown")
        else:
            text = f"{one.why}, so the directory is renamed -delete, and deleted a minute later with all that is in it"
            deleted[name] = Misplacement(
                f"{text}; an empty partition takes its place" if one.is_replaced else text,
                "deleted",
                one.is_replaced,
                action=one.action,
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


def _by_image(state: LogDirState, image: Image, parsed: PartitionName, topic_id: UUID) -> Misplacement | None:
    broker = state.identity.number
    namesake = image.topic(parsed.topic)
    own = None if namesake is None else namesake.partitions.get(parsed.partition)
    is_own = own is not None and (broker is None or broker in own.replicas)
    topic = image.topics.get(topic_id)
    if topic is None:
        why = f"{state.metadata_log} knows no topic with its id {format_uuid(topic_id)}"
        action = write_its_id(namesake.name, namesake.topic_id) if is_own and namesake is not None else IF_DELETED
        return _stray(why, is_replaced=is_own, action=action)
    partition = topic.partitions.get(parsed.partition)
    if partition is None:
        there = "" if namesake is not None else f"there is no topic {parsed.topic}, and "
        whose = f"topic {topic.name}" if namesake is topic else f"{there}its topic id is that of {topic.name}, which"
        why = f"by {state.metadata_log} {whose} {has_others(topic, parsed.partition)}"
        return _stray(
            why,
            is_replaced=is_own,
            action="" if is_own else give_its_name_back(parsed.partition, topic, _lacking(state, topic)),
        )
    directory = None if broker is None else _directory_of(partition, broker)
    known = {state.identity.directory_id, *state.siblings}
    if directory is not None and STRAY_PARTITIONS.applies_to(state.release) and format_uuid(directory) not in known:
        text = f"the metadata log places it in directory {format_uuid(directory)}, which is none of the log dirs looked at"
        return Misplacement(f"{text}: if the broker has no such log dir, the partition is not served", "unknown")
    if broker is not None and broker not in partition.replicas:
        why = f"by {state.metadata_log} the partition is placed on {brokers_text(partition.replicas)}, not on {broker}"
        return _stray(why, is_replaced=is_own, action="" if is_own else see_that_it_is_served(partition.replicas))
    if topic.name == parsed.topic:
        return None
    return _inconsistent(topic_id, topic.name) if is_own else _renamed(state, parsed, topic)


def _renamed(state: LogDirState, parsed: PartitionName, topic: Topic) -> Misplacement:
    """A directory that has the id of a topic of another name: a broker finds its partition by the id, and leaves it alone."""
    name, right = f"{parsed.topic}-{parsed.partition}", f"{topic.name}-{parsed.partition}"
    text = f"its topic id is that of {topic.name}, so it was {right}; there is no topic {parsed.topic}, and nobody serves it"
    action = (
        f"While the broker is stopped, rename the directory {name} back to {right}." if right not in state.partitions else ""
    )
    return Misplacement(text, "unserved", why=text, action=action)


def renamed_to(state: LogDirState, name: str) -> str | None:
    """Name of the directory that holds what a missing one held, by its topic id; None: there is none."""
    parsed = parse_partition_name(name)
    topic = None if parsed is None or state.image is None else state.image.topic(parsed.topic)
    if parsed is None or topic is None:
        return None
    ids = _topic_ids(state).items()
    return next(
        (other for other, id_ in ids if id_ == topic.topic_id and state.partitions[other].partition == parsed.partition), None
    )


def _lacking(state: LogDirState, topic: Topic) -> list[str]:
    """Names of the directories that partitions of a topic have on this broker, and that are not in the log dir."""
    broker = state.identity.number
    placed = (
        number for number, partition in sorted(topic.partitions.items()) if broker is None or broker in partition.replicas
    )
    return [name for number in placed if (name := f"{topic.name}-{number}") not in state.partitions]


def _stray(why: str, *, is_replaced: bool, action: str = "") -> Misplacement:
    text = f"{why}, so the directory is renamed -stray"
    text = f"{text} and an empty partition takes its place" if is_replaced else text
    return Misplacement(text, "stray", is_replaced, why, action)


def _inconsistent(topic_id: UUID, topic: str) -> Misplacement:
    text = f"InconsistentTopicIdException: its topic id {format_uuid(topic_id)} is that of {topic}, so it is never served"
    return Misplacement(text, "failed")


def _by_each_other(state: LogDirState, ids: dict[str, UUID]) -> dict[str, Misplacement]:
    """The odd ones out: a topic has one id, and an id one topic. Where it is not clear which, nobody here can tell."""
    topics_of: dict[UUID, Counter[str]] = {}
    ids_of: dict[str, Counter[UUID]] = {}
    for name, topic_id in ids.items():
        topic = state.partitions[name].topic
        topics_of.setdefault(topic_id, Counter())[topic] += 1
        ids_of.setdefault(topic, Counter())[topic_id] += 1
    owners = {topic_id: _most(topics) for topic_id, topics in topics_of.items()}
    votes_for = {
        topic: {topic_id: count for topic_id, count in own.items() if owners[topic_id] in (topic, None)}
        for topic, own in ids_of.items()
    }
    found: dict[str, Misplacement] = {}
    for name, topic_id in ids.items():
        topic = state.partitions[name].topic
        owner = owners[topic_id]
        votes = votes_for[topic]
        if owner is not None and owner != topic:
            # If nothing else here is of a topic of that name there may be none, and then nobody asks for it.
            if votes:
                found[name] = _inconsistent(topic_id, owner)
            continue
        usual = _most(votes)
        if owner is None or usual is None:
            text = (
                f"the partitions of {topic} hold ids that contradict each other; which is right, and which directory is stray,"
            )
            found[name] = Misplacement(f"{text} the controller knows", "unknown")
        elif topic_id != usual:
            count = votes[usual]
            others = count_text(count, "other partition")
            why = f"its topic id is {format_uuid(topic_id)}, that of {others} of the topic {format_uuid(usual)}"
            found[name] = _stray(why, is_replaced=True)
    return found


def listed_and_missing(state: LogDirState) -> list[str]:
    """Names of partition directories that were taken away after a clean stop, where no controller says what belongs here.

    The stop has written a recovery point for each log that was open.
    """
    if state.image is not None or not state.log_dir.has_clean_marker:
        return []
    present = {(parsed.topic, parsed.partition) for parsed in state.partitions.values()} | set(state.in_place.values())
    listed = (key for key, offset in state.recovery_points.items() if offset > 0 and key not in present)
    return sorted(f"{topic}-{number}" for topic, number in listed)


def placed_directories(state: LogDirState) -> list[str]:
    """Names of the partition directories that belong into the log dir, by the controller."""
    return sorted(f"{topic}-{number}" for topic, number in _placed_here(state))


def _placed_here(state: LogDirState) -> Iterator[tuple[str, int]]:
    broker = state.identity.number
    here = state.identity.directory_id
    if state.image is None or broker is None or here is None:
        return
    for topic in state.image.topics.values():
        for number, partition in topic.partitions.items():
            places = dict(zip(partition.replicas, partition.directories, strict=False))
            if broker in places and format_uuid(places[broker]) == here:
                yield topic.name, number


def missing_directories(state: LogDirState) -> list[str]:
    """Names of the partition directories that are gone: placed here by the controller, and with records by a checkpoint.

    The broker creates them again, empty.
    """
    present = {(parsed.topic, parsed.partition) for parsed in state.partitions.values() if parsed.mark in ("", "future")}
    gone = []
    for key in _placed_here(state):
        name = f"{key[0]}-{key[1]}"
        # Of one that was just created nothing is told by the checkpoints, unless they tell nothing of any.
        has_held = state.recovery_points.get(key, 0) > 0 or state.high_watermarks.get(key, 0) > 0
        has_held |= state.log_dir.has_clean_marker and not state.recovery_points
        if has_held and key not in present and name not in state.in_place:
            gone.append(name)
    return sorted(gone)


_T = TypeVar("_T")


def _most(votes: Mapping[_T, int]) -> _T | None:
    """Who has more than half of the votes, and more than one if there is a choice; None: nobody."""
    best = max(votes, key=lambda one: votes[one])
    is_clear = len(votes) == 1 or (votes[best] > 1 and 2 * votes[best] > sum(votes.values()))
    return best if is_clear else None
