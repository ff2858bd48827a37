"""Groups, transactions and metadata as plain JSON objects: the lines of `--format jsonl`.

Names are Kafka's in camel case; times are milliseconds; -1 and null stand as stored.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from kafkalog.core.messages.json_form import json_object
from kafkalog.core.properties import format_uuid
from kafkalog.core.release import release_text
from kafkalog.replay.coordinator_loads import newest
from kafkalog.replay.image import diff_images, partition_object
from kafkalog.replay.logs import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.groups import CommittedOffset, Group, Groups, ShareOffset
    from kafkalog.replay.image import Image
    from kafkalog.replay.logs import Note
    from kafkalog.replay.metadata import Metadata
    from kafkalog.replay.transactions import AbortedTransaction, Transactions

__all__ = ["aborted_line", "change_lines", "group_lines", "metadata_lines", "note_lines", "transaction_lines"]

Line = dict[str, Any]
P = ParamSpec("P")


def _of_schema(name: str) -> Callable[[Callable[P, Iterator[Line]]], Callable[P, Iterator[Line]]]:
    """Begin every line of a function with the schema."""

    def decorated(lines_of: Callable[P, Iterator[Line]]) -> Callable[P, Iterator[Line]]:
        @wraps(lines_of)
        def lines(*args: P.args, **kwargs: P.kwargs) -> Iterator[Line]:
            return ({"schema": name} | line for line in lines_of(*args, **kwargs))

        return lines

    return decorated


def count_notes(notes: list[Note]) -> int:
    """How many there were, those that were not kept included."""
    return len(notes) + (notes.dropped if isinstance(notes, Notes) else 0)


def note_lines(notes: Iterable[Note], problems: Iterable[Note]) -> Iterator[Line]:
    """`note`: a record that could not be used; `not_read`: a path that could not be."""
    for note in notes:
        yield {"type": "note", "path": note.path or None, "offset": note.offset, "message": note.message}
    for note in problems:
        yield {"type": "not_read", "path": note.path or None, "reason": note.message}


def load_lines(loads: Iterable[Load], release_of: Callable[[str], Release]) -> Iterator[Line]:
    """`load`: a partition that the coordinator of the release does not load, or not to its end."""
    for load in loads:
        release = release_of(load.path)
        failure = load.failure(release)
        if failure is not None:
            yield {
                "type": "load",
                "topic": load.topic,
                "partition": load.partition,
                "kafkaVersion": release_text(release),
                "cause": failure.cause,
                "offset": failure.offset,
                "reason": failure.reason,
                "outcome": load.outcome(failure, release),
                "lost": load.lost(failure),
                "path": load.file_of(failure),
            }


@_of_schema("kafkalog.groups/1")
def group_lines(found: Groups, release_of: Callable[[str], Release] = newest, now: int | None = None) -> Iterator[Line]:
    """`load` lines; per group `group`, `member`, `offset`; then `pending` and `share_offset`, notes and the `summary`.

    `now`, milliseconds, decides what has expired; None: that is not asked.
    """
    yield from load_lines(found.loads, release_of)
    for group in found.groups.values():
        yield _group(group)
        for member in group.members.values():
            yield {
                "type": "member",
                "group": group.group,
                "memberId": member.member_id,
                "groupInstanceId": member.instance_id,
                "clientId": member.client_id,
                "clientHost": member.client_host,
                "memberEpoch": member.epoch,
                "memberState": member.state,
                "subscription": json_object(member.subscription),
                "assignment": json_object(member.assignment),
            }
        for commit in found.offsets.of(group.group):
            yield {"type": "offset", **_commit(commit)}
    for producer_id, commit in found.pending:
        yield {"type": "pending", "producerId": producer_id, **_commit(commit)}
    for shared in found.share_offsets:
        yield _share_offset(shared)
    yield from note_lines(found.notes, found.problems)
    yield {
        "type": "summary",
        "groups": len(found.groups),
        "offsets": len(found.offsets),
        "pending": len(found.pending),
        "share_offsets": len(found.share_offsets),
        "out_of_range": len(found.out_of_range),
        "without_topic": len(found.without_topic),
        "expired": None if now is None else sum(1 for _ in found.offsets.expired(now)),
        "records": found.records,
        "notes": count_notes(found.notes),
        "not_read": len(found.problems),
    }


def _group(group: Group) -> Line:
    return {
        "type": "group",
        "group": group.group,
        "kind": group.kind,
        "state": group.state,
        "generation": group.generation,
        "assignmentEpoch": group.assignment_epoch,
        "protocolType": group.protocol_type,
        "protocol": group.protocol,
        "leader": group.leader,
        "currentStateTimestamp": group.state_timestamp,
        "members": len(group.members),
        "path": group.path,
        "recordOffset": group.record_offset,
    }


def _commit(commit: CommittedOffset) -> Line:
    return {
        "group": commit.group,
        "topic": commit.topic,
        "partition": commit.partition,
        "offset": commit.offset,
        "leaderEpoch": commit.leader_epoch,
        "metadata": commit.metadata,
        "commitTimestamp": commit.commit_timestamp,
        "expireTimestamp": commit.expire_timestamp,
        "topicId": format_uuid(commit.topic_id) if commit.topic_id else None,
        "logStartOffset": commit.log_start_offset,
        "logEndOffset": commit.log_end_offset,
        "lag": commit.lag,
        "problem": commit.problem,
        "severity": _severity(commit),
        "topicProblem": commit.topic_problem,
        "expiresAt": commit.expires_at,
        "path": commit.path,
        "recordOffset": commit.record_offset,
    }


def _severity(commit: CommittedOffset) -> str | None:
    if commit.problem is None and commit.topic_problem is None:
        return None
    return "WARNING" if commit.is_certain else "INFO"


def _share_offset(shared: ShareOffset) -> Line:
    return {
        "type": "share_offset",
        "group": shared.group,
        "topic": shared.topic,
        "topicId": format_uuid(shared.topic_id),
        "partition": shared.partition,
        "startOffset": shared.start_offset,
        "stateEpoch": shared.state_epoch,
        "leaderEpoch": shared.leader_epoch,
        "deliveryCompleteCount": shared.delivery_complete_count,
        "logEndOffset": shared.log_end_offset,
        "lag": shared.lag,
        "problem": shared.problem,
        "path": shared.path,
        "recordOffset": shared.record_offset,
    }


@_of_schema("kafkalog.transactions/1")
def transaction_lines(found: Transactions, release_of: Callable[[str], Release] = newest) -> Iterator[Line]:
    """First `load` lines; `transaction` per transactional id, `open` per partition and producer, notes and the `summary`.

    The `aborted` lines (`aborted_line`) go before them, as they are found.
    """
    yield from load_lines(found.loads, release_of)
    for item in found.ids.values():
        yield {
            "type": "transaction",
            "transactionalId": item.transactional_id,
            "producerId": item.producer_id,
            "producerEpoch": item.producer_epoch,
            "state": item.state,
            "transactionTimeoutMs": item.timeout_ms,
            "transactionStartTimestampMs": item.start_timestamp,
            "transactionLastUpdateTimestampMs": item.last_update_timestamp,
            "partitions": [{"topic": topic, "partition": partition} for topic, partition in item.partitions],
            "previousProducerId": item.previous_producer_id,
            "nextProducerId": item.next_producer_id,
            "nextProducerEpoch": item.next_producer_epoch,
            "clientTransactionVersion": item.client_version,
            "path": item.path,
            "recordOffset": item.record_offset,
        }
    for begun in found.open:
        yield {
            "type": "open",
            "topic": begun.topic,
            "partition": begun.partition,
            "producerId": begun.producer_id,
            "producerEpoch": begun.producer_epoch,
            "transactionalId": begun.transactional_id,
            "verdict": begun.verdict,
            "why": begun.why,
            "firstOffset": begun.first_offset,
            "lastOffset": begun.last_offset,
            "firstTimestamp": begun.first_timestamp,
            "lastTimestamp": begun.last_timestamp,
            "records": begun.records,
            "blockedRecords": begun.blocked_records,
            "blockedBytes": begun.blocked_bytes,
            "abort": begun.abort_command.line,
            "abortOlder": begun.abort_commands[1].line,
            "abortNotes": list(begun.abort_command.notes),
            "path": begun.path,
        }
    yield from note_lines(found.notes, found.problems)
    yield {
        "type": "summary",
        "transactions": len(found.ids),
        "open": len(found.open),
        "hanging": sum(begun.verdict == "hanging" for begun in found.open),
        "aborted": found.aborted_count,
        "committed": found.committed,
        "records": found.records,
        "notes": count_notes(found.notes),
        "not_read": len(found.problems),
    }


def aborted_line(ended: AbortedTransaction) -> Line:
    """The line of one aborted transaction in one partition."""
    return {
        "schema": "kafkalog.transactions/1",
        "type": "aborted",
        "topic": ended.topic,
        "partition": ended.partition,
        "producerId": ended.producer_id,
        "producerEpoch": ended.producer_epoch,
        "transactionalId": ended.transactional_id,
        "firstOffset": ended.first_offset,
        "markerOffset": ended.marker_offset,
        "markerTimestamp": ended.marker_timestamp,
        "coordinatorEpoch": ended.coordinator_epoch,
        "path": ended.path,
    }


@_of_schema("kafkalog.metadata/1")
def metadata_lines(found: Metadata) -> Iterator[Line]:
    """An `image` line, then one line for each thing in it: `topic`, `partition`, `config`, `broker` and so on."""
    image = found.image
    yield {
        "type": "image",
        "offset": image.last_offset,
        "epoch": image.last_epoch,
        "timestamp": image.last_timestamp,
        "snapshot": found.snapshot,
    }
    yield from _image_lines(image)
    yield from note_lines(found.notes, found.problems)
    yield {
        "type": "summary",
        "topics": len(image.topics),
        "partitions": sum(len(topic.partitions) for topic in image.topics.values()),
        "brokers": len(image.brokers),
        "records": found.records,
        "notes": count_notes(found.notes),
        "not_read": len(found.problems),
    }


def _image_lines(image: Image) -> Iterator[Line]:
    for name, level in sorted(image.features.items()):
        yield {"type": "feature", "name": name, "level": level}
    for number, broker in sorted(image.brokers.items()):
        yield {"type": "broker", "brokerId": number} | broker
    for number, controller in sorted(image.controllers.items()):
        yield {"type": "controller", "controllerId": number} | controller
    for topic in sorted(image.topics.values(), key=lambda topic: topic.name):
        yield {
            "type": "topic",
            "topic": topic.name,
            "topicId": format_uuid(topic.topic_id),
            "partitions": len(topic.partitions),
        }
        for number, state in sorted(topic.partitions.items()):
            yield {"type": "partition", "topic": topic.name, "partition": number} | partition_object(state)
    for (kind, name), settings in sorted(image.configs.items()):
        for key, value in sorted(settings.items()):
            yield {"type": "config", "resourceType": kind, "resourceName": name, "name": key, "value": value}
    for (kind, name), value in sorted(image.others.items(), key=lambda item: item[0]):
        yield {"type": "other", "kind": kind, "name": name, "value": json_object(value)}


@_of_schema("kafkalog.metadata/1")
def change_lines(before: Metadata, after: Metadata) -> Iterator[Line]:
    """A `change` line for each thing that differs, notes of both and the `summary`."""
    changes = diff_images(before.image, after.image)
    for change in changes:
        yield {
            "type": "change",
            "what": change.what,
            "name": change.name,
            "before": json_object(change.before),
            "after": json_object(change.after),
        }
    notes = list(dict.fromkeys((*before.notes, *after.notes)))
    problems = list(dict.fromkeys((*before.problems, *after.problems)))
    yield from note_lines(notes, problems)
    yield {
        "type": "summary",
        "changes": len(changes),
        "offsets": [before.image.last_offset, after.image.last_offset],
        "notes": len(notes),
        "not_read": len(problems),
    }
