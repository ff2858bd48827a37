"""What controllers say of partitions: `__cluster_metadata` among the paths, or states out of ZooKeeper."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.batch import BATCH_HEADER
from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.errors import FormatError, RequestError
from kafkalog.files.broker import same_broker
from kafkalog.files.paths import join, real_name
from kafkalog.replay.controller import Claim, against_metadata, against_state, covers_stop, read_partition_state
from kafkalog.replay.image_records import NEXT_PRODUCER_ID
from kafkalog.replay.metadata import read_metadata
from kafkalog.replay.producer_events import LoneRuns, ProducerRun, TransactionEnd
from kafkalog.verify.report import NotChecked
from kafkalog.verify.rules.clusters import ProducerIdBlocks
from kafkalog.verify.rules.controllers import ControllerDifference
from kafkalog.verify.told import HighestProducer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from uuid import UUID

    from kafkalog.core.filename import PartitionName
    from kafkalog.files.partition import Partition
    from kafkalog.replay.controller import Difference, PartitionStateNode
    from kafkalog.replay.metadata import Metadata
    from kafkalog.replay.producer_events import Event
    from kafkalog.span import Span
    from kafkalog.verify.checks.log_dir import LogDirCheck
    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.told import Owner

__all__ = ["Controllers", "MetadataLog", "PartitionClaim", "claim_of", "states_for"]

_METADATA = frozenset(f"{topic}-0" for topic in METADATA_TOPICS)
States = dict[tuple[str, int], "PartitionStateNode"]


class PartitionClaim(NamedTuple):
    """What a partition directory says of itself, and where its highest leader epoch is."""

    path: str
    claim: Claim
    epoch_path: str
    epoch_span: Span | None
    log_dir: Owner | None = None
    producers: tuple[HighestProducer, ...] = ()

    def in_log_dir(self, log_dir: Owner) -> PartitionClaim:
        """What it says as one of a log dir."""
        return self._replace(claim=self.claim._replace(broker=log_dir.identity.number), log_dir=log_dir)


def claim_of(facts: PartitionFacts) -> PartitionClaim | None:
    """What a judged partition says of itself; None for what no controller is asked about: marked and unnamed directories."""
    name = facts.partition.name
    if name is None or name.mark or name.topic in METADATA_TOPICS:
        return None
    places: list[tuple[int, str, Span]] = []
    checkpoint = facts.epochs
    if checkpoint is not None:
        path = join(facts.path, "leader-epoch-checkpoint")
        places += [(entry.epoch, path, span) for entry, span in zip(checkpoint.entries, checkpoint.spans, strict=True)]
    places += [
        (run.epoch, path, BATCH_HEADER.span_of("partition_leader_epoch", run.position))
        for run, path in facts.epoch_runs
        if run.epoch >= 0
    ]
    epoch, path, span = max(places, key=lambda place: place[0], default=(None, "", None))
    claim = Claim(topic=name.topic, partition=name.partition, topic_id=facts.topic_id, epoch=epoch, broker=None)
    return PartitionClaim(
        path=facts.path,
        claim=claim,
        epoch_path=path,
        epoch_span=span,
        producers=tuple(_highest_producers(facts)),
    )


def _highest_producers(facts: PartitionFacts) -> Iterator[HighestProducer]:
    """The largest producer id of the data of a log, and that of its markers."""
    for producers, is_marker in ((_data_of, False), (_markers_of, True)):
        highest = [(max(ids), scan.path) for scan in facts.scans if (ids := tuple(producers(scan.events)))]
        if highest:
            producer_id, path = max(highest)
            yield HighestProducer(producer_id, is_marker, path)


def _data_of(events: Iterable[Event]) -> Iterator[int]:
    for event in events:
        if isinstance(event, ProducerRun):
            yield event.producer_id
        elif isinstance(event, LoneRuns):
            yield max(event.fields)


def _markers_of(events: Iterable[Event]) -> Iterator[int]:
    return (event.producer_id for event in events if isinstance(event, TransactionEnd))


def states_for(stated: bytes | Mapping[str, bytes], paths: Iterable[str]) -> States:
    """The given states of partitions, by topic and number.

    Args:
        stated: A state of the one partition among `paths`, or states by `TOPIC-PARTITION`.
        paths: The partition directories that are checked.

    Raises:
        RequestError: one is no such JSON, or it is not clear or not given what it belongs to.
    """
    names = map(parse_partition_name, (real_name(path) for path in paths))
    here = {(name.topic, name.partition): name for name in names if name is not None and not name.mark}
    if isinstance(stated, bytes):
        if len(here) > 1:
            raise RequestError(f"the partition state names no partition, and {len(here)} are given: write TOPIC-PARTITION=FILE")
        return {key: _state(stated, name) for key, name in here.items()}
    states: States = {}
    for text, data in stated.items():
        name = parse_partition_name(text)
        if name is None or name.mark or (name.topic, name.partition) not in here:
            raise RequestError(f"a state is given for {text}, but {text} is not among the partitions")
        states[name.topic, name.partition] = _state(data, name)
    return states


def _state(data: bytes, name: PartitionName) -> PartitionStateNode:
    try:
        return read_partition_state(data)
    except FormatError as error:
        raise RequestError(f"{name.topic}-{name.partition}: {error}") from None


@dataclass
class MetadataLog:
    """A metadata log that is whole. `log_dir` is the one it is in, None for a bare directory."""

    path: str
    metadata: Metadata
    log_dir: Owner | None

    def of_cluster(self, log_dir: Owner | None) -> bool | None:
        """Whether it is the metadata of a log dir's cluster; None when nothing shows it."""
        if log_dir is None:
            return None
        theirs = None if self.log_dir is None else self.log_dir.identity.cluster_id
        if theirs is not None and log_dir.identity.cluster_id is not None:
            return theirs == log_dir.identity.cluster_id
        broker = log_dir.identity.number
        registered = self.metadata.image.brokers.get(broker, {}) if broker is not None else {}
        return True if log_dir.identity.directory_id in registered.get("logDirs", ()) else None

    @property
    def next_producer_id(self) -> int:
        """The first producer id that no broker has been given; 0 when there was no block yet."""
        return int(self.metadata.image.others.get(NEXT_PRODUCER_ID, 0))

    def name_before(self, partition: PartitionClaim, item: Difference) -> str | None:
        """The partition that a directory was, whose topic id is another topic's: one that should be here and is not."""
        topic = self.metadata.image.topic(str(item.controller["name"]))
        log_dir, claim = partition.log_dir, partition.claim
        if topic is None or log_dir is None or claim.broker is None:
            return None
        here = set(log_dir.partition_names)
        missing = [
            number
            for number, placed in topic.partitions.items()
            if claim.broker in placed.replicas and f"{topic.name}-{number}" not in here
        ]
        number = claim.partition if claim.partition in missing else missing[0] if len(missing) == 1 else None
        return None if number is None else f"{topic.name}-{number}"

    def covers(self, log_dir: Owner | None) -> bool:
        """Whether it has everything that the broker of a log dir knew when it was stopped."""
        if log_dir is None or not log_dir.clean or log_dir.identity.number is None or not self.of_cluster(log_dir):
            return False
        mine = self.log_dir
        own = mine is not None and mine.clean is True and same_broker(mine, log_dir)
        return covers_stop(self.metadata, log_dir.identity.number, log_dir.registration, own=own)


class Controllers:
    """Everything that controllers say, in one call of `verify`.

    Args:
        states: Out of ZooKeeper, by topic and number.
    """

    def __init__(self, states: States) -> None:
        self.states = states
        self.not_checked: list[NotChecked] = []
        #: The metadata logs that are whole.
        self.metadata_logs: list[MetadataLog] = []
        #: Pairs of metadata logs that are of two quorums.
        self._parted: set[frozenset[str]] = set()
        #: What `_metadata_for` has found, by the log dir.
        self._found: dict[int, MetadataLog | None] = {}

    def read(self, log_dirs: Iterable[LogDirCheck], bare: Iterable[Partition]) -> None:
        """Take in the metadata in log dirs, and among partition directories given by themselves."""
        for log_dir in log_dirs:
            for name in _METADATA.intersection(log_dir.log_dir.partition_names):
                self.take(join(log_dir.path, name), log_dir.evidence.metadata.replayed(name), log_dir)
        for partition in bare:
            if real_name(partition.path) in _METADATA:
                self.take(partition.path, read_metadata(partition), None)

    def take(self, path: str, metadata: Metadata, log_dir: Owner | None) -> None:
        """Take in the metadata in a directory, in a log dir or by itself; what does not count is said."""
        self._found.clear()
        if metadata.problems:
            self.not_checked.append(NotChecked(path, f"partitions are not compared with it: {metadata.problems[0].message}"))
        elif metadata.damage is not None:
            reason = f"it is damaged, so partitions are not compared with it: {metadata.damage.message}"
            self.not_checked.append(NotChecked(path, reason))
        elif metadata.image.last_offset >= 0:  # the snapshot of a format ends at offset 0, before any topic
            self.metadata_logs.append(MetadataLog(path, metadata, log_dir))

    def part(self, path: str, other: str) -> None:
        """Two metadata logs are of two quorums: none of the two speaks for a log dir that has the other."""
        self._parted.add(frozenset((path, other)))
        self._found.clear()

    def topic_id(self, topic: str, log_dir: Owner | None) -> tuple[UUID | None, dict[UUID, int], str]:
        """A topic's id by the metadata that is known for a log dir, the deleted ids with the offsets, and where it stands.

        Nothing by metadata of one of two quorums: each has its own id.
        """
        metadata_log = self._metadata_for(log_dir)
        if metadata_log is None or any(metadata_log.path in pair for pair in self._parted):
            return None, {}, ""
        found = metadata_log.metadata.image.topic(topic)
        return None if found is None else found.topic_id, metadata_log.metadata.history.removed, metadata_log.path

    def knows_name(self, topic_id: UUID, log_dir: Owner | None) -> bool:
        """Whether the metadata for a log dir says which topic an id is of: then each directory is compared with that."""
        metadata_log = self._metadata_for(log_dir)
        return metadata_log is not None and topic_id in metadata_log.metadata.image.topics

    def replicas_of(self, claim: PartitionClaim | None) -> tuple[tuple[int, ...], str]:
        """The brokers that hold a partition by the metadata that is known for its log dir, and where that stands; else ()."""
        metadata_log = None if claim is None else self._metadata_for(claim.log_dir)
        if claim is None or metadata_log is None:
            return (), ""
        found = metadata_log.metadata.image.topic(claim.claim.topic)
        placed = None if found is None else found.partitions.get(claim.claim.partition)
        return (() if placed is None else placed.replicas), metadata_log.path

    def producer_ids(self, partitions: Iterable[PartitionClaim]) -> Iterator[ProducerIdBlocks]:
        """Producer ids in the logs that are in no block of ids handed out so far: one subject for each metadata log."""
        found: dict[str, tuple[MetadataLog, list[tuple[PartitionClaim, HighestProducer]]]] = {}
        for partition in partitions:
            metadata_log = self._metadata_for(partition.log_dir)
            if metadata_log is None:
                continue
            beyond = [(partition, one) for one in partition.producers if one.producer_id >= metadata_log.next_producer_id]
            if beyond:
                found.setdefault(metadata_log.path, (metadata_log, []))[1].extend(beyond)
        for metadata_log, beyond in found.values():
            # What proves most is reported: a marker, in a log dir whose stop the metadata covers.
            best, one = max(
                beyond, key=lambda pair: (pair[1].marker and metadata_log.covers(pair[0].log_dir), pair[1].producer_id)
            )
            count = len({partition.path for partition, _ in beyond})
            yield ProducerIdBlocks(
                path=metadata_log.path,
                next_id=metadata_log.next_producer_id,
                producer_id=one.producer_id,
                file=one.path,
                partitions=count,
                marker=one.marker,
                covers_stop=metadata_log.covers(best.log_dir),
            )

    def _metadata_for(self, log_dir: Owner | None) -> MetadataLog | None:
        """The metadata that proves most about a log dir: of its cluster and, where there are two, of its quorum."""
        if id(log_dir) not in self._found:
            self._found[id(log_dir)] = self._best_for(log_dir)
        return self._found[id(log_dir)]

    def _best_for(self, log_dir: Owner | None) -> MetadataLog | None:
        own = {item.path for item in self.metadata_logs if log_dir is not None and item.log_dir is log_dir}
        return max(
            (
                item
                for item in self.metadata_logs
                if item.of_cluster(log_dir) is not False
                and not any(frozenset((item.path, path)) in self._parted for path in own)
            ),
            key=lambda item: (item.covers(log_dir), item.metadata.image.last_offset),
            default=None,
        )

    def differences(self, partition: PartitionClaim) -> Iterator[ControllerDifference]:
        """What a partition and the controllers differ in."""
        claim = partition.claim
        state = self.states.get((claim.topic, claim.partition))
        if state is not None:
            for item in against_state(claim, state):
                yield _difference(partition, item, "", covers_stop=False)
        metadata_log = self._metadata_for(partition.log_dir)
        if metadata_log is not None:
            covers_stop = metadata_log.covers(partition.log_dir)
            for item in against_metadata(claim, metadata_log.metadata):
                was = metadata_log.name_before(partition, item) if item.kind == "topic-renamed" else None
                yield _difference(partition, item, metadata_log.path, covers_stop=covers_stop, was=was)


def _difference(
    partition: PartitionClaim, item: Difference, source: str, *, covers_stop: bool, was: str | None = None
) -> ControllerDifference:
    path, span = partition.path, None
    if item.kind in ("topic-id", "topic-renamed"):
        path = join(partition.path, "partition.metadata")
    elif item.kind == "epoch-behind":
        path, span = partition.epoch_path, partition.epoch_span
    return ControllerDifference(
        path=path, span=span, claim=partition.claim, difference=item, source=source, covers_stop=covers_stop, was=was
    )
