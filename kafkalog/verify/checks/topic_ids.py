"""Topic ids compared: one topic has one id, and one id belongs to one topic, in all log dirs of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.core.properties import format_uuid
from kafkalog.files.paths import join, real_name
from kafkalog.verify.rules.clusters import ClusterPair, SharedTopicId, TopicIdPair

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.told import Owner
    from kafkalog.verify.verified import Compared

__all__ = ["clusters_of_one_topic", "pairs_of_topic_ids"]


class _Place(NamedTuple):
    """A `partition.metadata`: number of its partition, its log dir, the topic of its directory, its id."""

    number: int
    path: str
    log_dir: Owner | None
    topic: str
    topic_id: UUID


def _places(verified: Sequence[Compared]) -> Iterator[_Place]:
    for number, one in enumerate(verified):
        name = parse_partition_name(real_name(one.directory))
        if one.topic_id is None or name is None or name.mark in ("delete", "stray") or name.topic in METADATA_TOPICS:
            continue
        yield _Place(
            number=number,
            path=join(one.directory, "partition.metadata"),
            log_dir=one.owner,
            topic=name.topic,
            topic_id=one.topic_id,
        )


def _same_cluster(one: Owner | None, other: Owner | None) -> bool | None:
    """Whether two log dirs are of one cluster; None when nothing shows it."""
    if one is not None and one is other:
        return True
    here, there = (None if log_dir is None else log_dir.identity.cluster_id for log_dir in (one, other))
    return None if here is None or there is None else here == there


def pairs_of_topic_ids(
    verified: Sequence[Compared], controllers: Controllers
) -> Iterator[tuple[int, TopicIdPair | SharedTopicId]]:
    """Topics of several ids and ids of several topics, with the number of the partition they are about."""
    by_topic: dict[str, list[_Place]] = {}
    by_id: dict[UUID, list[_Place]] = {}
    for place in _places(verified):
        by_topic.setdefault(place.topic, []).append(place)
        others = by_id.setdefault(place.topic_id, [])
        # One directory of each topic and log dir is enough.
        if not any(other.topic == place.topic and other.log_dir is place.log_dir for other in others):
            others.append(place)
    for places in by_topic.values():
        if len({place.topic_id for place in places}) > 1:
            yield from _mismatches(places, controllers)
    for places in by_id.values():
        if len({place.topic for place in places}) > 1:
            yield from _shared([place for place in places if not controllers.knows_name(place.topic_id, place.log_dir)])


def _mismatches(places: list[_Place], controllers: Controllers) -> Iterator[tuple[int, TopicIdPair]]:
    """A topic's directories with a wrong id; the right one is the controller's where that is known, else the first."""
    for place in places:
        right, removed, source = controllers.topic_id(place.topic, place.log_dir)
        peers = [other for other in places if _same_cluster(other.log_dir, place.log_dir) is not False]
        other = next((peer for peer in peers if peer.topic_id == right), peers[0])
        if other.topic_id == place.topic_id:
            continue
        deleted = next((topic_id for topic_id in (place.topic_id, other.topic_id) if topic_id in removed), None)
        pair = TopicIdPair(
            path=place.path,
            topic_id=format_uuid(place.topic_id),
            other=other.path,
            other_id=format_uuid(other.topic_id),
            controller_id=None if right is None else format_uuid(right),
            deleted_id=None if deleted is None else format_uuid(deleted),
            deleted_at=None if deleted is None else removed[deleted],
            source=source,
            same_cluster=_same_cluster(other.log_dir, place.log_dir) is True,
        )
        yield place.number, pair


def _shared(places: list[_Place]) -> Iterator[tuple[int, SharedTopicId]]:
    for at, place in enumerate(places):
        for other in places[:at]:
            same = _same_cluster(other.log_dir, place.log_dir)
            if other.topic != place.topic and same is not False:
                pair = SharedTopicId(
                    path=place.path,
                    topic_id=format_uuid(place.topic_id),
                    topic=place.topic,
                    other=other.path,
                    other_topic=other.topic,
                    certain=same is True,
                )
                yield place.number, pair
                break


def clusters_of_one_topic(verified: Sequence[Compared]) -> Iterator[ClusterPair]:
    """Log dirs that name different clusters and hold the same topic, once for each two of them."""
    first: dict[tuple[str, UUID], list[Owner]] = {}
    pairs: set[tuple[str, str]] = set()
    for place in _places(verified):
        mine = place.log_dir
        cluster = None if mine is None else mine.identity.cluster_id
        if mine is None or cluster is None:
            continue
        others = first.setdefault((place.topic, place.topic_id), [])
        for other in others:
            theirs = other.identity.cluster_id
            if theirs is not None and theirs != cluster and (other.path, mine.path) not in pairs:
                pairs.add((other.path, mine.path))
                files = join(mine.path, "meta.properties"), join(other.path, "meta.properties")
                topic_id = format_uuid(place.topic_id)
                yield ClusterPair(
                    path=files[0],
                    cluster=cluster,
                    other=files[1],
                    other_cluster=theirs,
                    topic=place.topic,
                    topic_id=topic_id,
                )
        if mine not in others:
            others.append(mine)
