"""What a run of verify tells for other hosts to be compared with, as JSON lines, and out of these again."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from kafkalog.core.properties import format_uuid, parse_uuid
from kafkalog.files.log_dir import Identity
from kafkalog.replay.image import Image, PartitionState, Topic
from kafkalog.replay.image_records import NEXT_PRODUCER_ID
from kafkalog.replay.logs import Note
from kafkalog.replay.metadata import Metadata, Written
from kafkalog.replay.metadata_history import MetadataHistory
from kafkalog.replay.quorum import Quorum, Voter
from kafkalog.span import Span
from kafkalog.verify.told import BatchHeads, HighestProducer, Told, ToldLogDir, ToldMetadataLog, ToldPartition

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

__all__ = ["TOLD", "read_told", "told_json"]

#: The types of these lines.
TOLD = frozenset(("log_dir", "claim", "metadata_log"))


def told_json(told: Told) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines: their type and their content."""
    for log_dir in told.log_dirs:
        yield "log_dir", _log_dir_json(log_dir)
    for partition in told.partitions:
        yield "claim", _partition_json(partition)
    for metadata_log in told.metadata_logs:
        yield "metadata_log", _metadata_log_json(metadata_log)


def read_told(row: dict[str, Any]) -> Told:
    """What one such line tells.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    if row["type"] == "log_dir":
        return Told(log_dirs=(_log_dir(row),))
    if row["type"] == "claim":
        return Told(partitions=(_partition(row),))
    return Told(metadata_logs=(_metadata_log(row),))


def _log_dir_json(log_dir: ToldLogDir) -> dict[str, Any]:
    return {
        "path": log_dir.path,
        **log_dir.identity._asdict(),
        "clean": log_dir.clean,
        "registration": log_dir.registration,
        "partitions": list(log_dir.partition_names),
        "files": log_dir.files,
    }


def _log_dir(row: dict[str, Any]) -> ToldLogDir:
    identity = Identity(**{name: row[name] for name in Identity._fields})
    return ToldLogDir(row["path"], identity, row["clean"], row["registration"], tuple(row["partitions"]), row.get("files", 0))


def _partition_json(partition: ToldPartition) -> dict[str, Any]:
    span = partition.epoch_span
    return {
        "path": partition.path,
        "within": partition.log_dir,
        "epoch": partition.epoch,
        "epoch_file": partition.epoch_path,
        "epoch_span": None if span is None else [span.start, span.end],
        "producers": [{"id": one.producer_id, "marker": one.marker, "file": one.path} for one in partition.producers],
    }


def _partition(row: dict[str, Any]) -> ToldPartition:
    return ToldPartition(
        path=row["path"],
        log_dir=row["within"],
        epoch=row["epoch"],
        epoch_path=row["epoch_file"],
        epoch_span=None if row["epoch_span"] is None else Span(*row["epoch_span"]),
        producers=tuple(HighestProducer(one["id"], one["marker"], one["file"]) for one in row["producers"]),
    )


def _metadata_log_json(told: ToldMetadataLog) -> dict[str, Any]:
    quorum = told.quorum
    return {
        "path": told.path,
        "within": told.log_dir,
        "image": None if told.metadata is None else _metadata_json(told.metadata),
        "leaders": None if quorum is None else [list(pair) for pair in quorum.leaders.items()],
        "voters": None if quorum is None else [list(voter) for voter in quorum.voters],
        "log_files": list(told.heads.files),
        "batches": base64.b64encode(told.heads.packed).decode(),
    }


def _metadata_log(row: dict[str, Any]) -> ToldMetadataLog:
    has_quorum = row["leaders"] is not None
    return ToldMetadataLog(
        path=row["path"],
        log_dir=row["within"],
        metadata=None if row["image"] is None else _metadata(row["image"]),
        quorum=Quorum(dict(row["leaders"]), tuple(Voter(*one) for one in row["voters"])) if has_quorum else None,
        heads=_heads(row),
    )


def _heads(row: dict[str, Any]) -> BatchHeads:
    heads = BatchHeads(tuple(row["log_files"]), base64.b64decode(row["batches"], validate=True))
    for _ in heads.batches():  # sees that they are such
        pass
    return heads


def _metadata_json(metadata: Metadata) -> dict[str, Any]:
    image, history = metadata.image, metadata.history
    return {
        "last_offset": image.last_offset,
        "is_whole": not metadata.notes and not metadata.problems,
        "next_producer_id": image.others.get(NEXT_PRODUCER_ID),
        "brokers": [
            {"id": number, "epoch": row.get("brokerEpoch"), "log_dirs": row.get("logDirs") or []}
            for number, row in image.brokers.items()
        ],
        "topics": [
            {
                "topic": topic.name,
                "topic_id": format_uuid(topic.topic_id),
                "partitions": [[one.partition, one.leader_epoch, *one.replicas] for one in topic.partitions.values()],
            }
            for topic in image.topics.values()
        ],
        "since": history.since,
        "removed": [[format_uuid(topic_id), offset] for topic_id, offset in history.removed.items()],
        "moved": [[format_uuid(key[0]), *key[1:], offset] for key, offset in history.moved.items()],
        "stopped": [list(pair) for pair in history.stopped.items()],
    }


def _metadata(row: dict[str, Any]) -> Metadata:
    next_id = row["next_producer_id"]
    topics = [_topic(one) for one in row["topics"]]
    image = Image(
        topics={topic.topic_id: topic for topic in topics},
        brokers={one["id"]: {"brokerEpoch": one["epoch"], "logDirs": one["log_dirs"]} for one in row["brokers"]},
        others={} if next_id is None else {NEXT_PRODUCER_ID: next_id},
        last_offset=row["last_offset"],
    )
    history = MetadataHistory(
        since=row["since"],
        removed={_uuid(topic_id): offset for topic_id, offset in row["removed"]},
        moved={(_uuid(topic_id), number, broker): offset for topic_id, number, broker, offset in row["moved"]},
        stopped=dict(row["stopped"]),
    )
    notes = [] if row["is_whole"] else [Note("", None, "")]
    return Metadata(image=image, snapshot=None, notes=notes, problems=(), records=0, history=history, written=Written({}, {}))


def _topic(row: dict[str, Any]) -> Topic:
    partitions = {
        number: PartitionState(number, leader=-1, leader_epoch=epoch, partition_epoch=-1, replicas=tuple(replicas), isr=())
        for number, epoch, *replicas in row["partitions"]
    }
    return Topic(row["topic"], _uuid(row["topic_id"]), partitions)


def _uuid(text: str) -> uuid.UUID:
    found = parse_uuid(text)
    if found is None:
        raise ValueError(text)
    return found
