"""Groups, transactions and metadata as text for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.metadata_version import metadata_version_name
from kafkalog.core.properties import format_uuid
from kafkalog.core.release import OLDEST, release_text
from kafkalog.files.source import printable
from kafkalog.render.quantities import count_text, size_text, utc
from kafkalog.render.tables import table
from kafkalog.replay.coordinator_loads import newest
from kafkalog.replay.image import diff_images
from kafkalog.replay.logs import Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.replay.coordinator_loads import Load
    from kafkalog.replay.groups import CommittedOffset, Groups, ShareOffset
    from kafkalog.replay.image import Image
    from kafkalog.replay.logs import Note
    from kafkalog.replay.metadata import Metadata
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.replay.transactions import AbortedTransaction, Transactions

__all__ = ["change_text", "groups_text", "metadata_text", "transactions_text"]


def _section(title: str, headings: Iterable[str], rows: list[list[object]]) -> Iterator[str]:
    if rows:
        yield f"{title} ({len(rows)})"
        yield from table(headings, rows)
        yield ""


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Sentences above the tables, and an empty line; names in them that a terminal would act on are escaped."""
    yield from map(printable, lines)
    yield from [""] if lines else []


def _notes(notes: Iterable[Note], problems: Iterable[Note]) -> Iterator[str]:
    for note in notes:
        place = [*([note.path] if note.path else []), *([f"offset {note.offset}"] if note.offset is not None else [])]
        yield printable(f"note: {', '.join(place)}{': ' if place else ''}{note.message}")
    if isinstance(notes, Notes) and notes.dropped:
        yield f"note: and {notes.dropped} more like these"
    for note in problems:
        yield printable(f"not read: {note.path + ': ' if note.path else ''}{note.message}")


#: Names in one line; all are in the JSON lines.
_NAMES = 10


def _loads(loads: Iterable[Load], release_of: Callable[[str], Release], *, release_is_named: bool) -> Iterator[str]:
    """What the coordinators do not load. A load that never ends is reported for older releases, too, unless one is named."""
    lines = []
    for load in loads:
        release = release_of(load.path)
        failure = load.failure(release)
        where = f"{load.path}: the coordinator of Kafka {release_text(release)}"
        if failure is not None and failure.ends:
            lines.append(f"{where} fails to load it at offset {failure.offset}: {failure.reason}.")
        elif failure is not None:
            lines.append(f"{where} never finishes loading it: {failure.reason}.")
        elif not release_is_named and (older := next((item for item in load.failures if not item.ends), None)) is not None:
            where = f"{load.path}: the coordinator of a broker before Kafka {release_text(older.until)}"
            lines.append(f"{where} never finishes loading it: {older.reason}.")
            failure, release = older, OLDEST
        if failure is not None:
            lines.append(f"  {load.outcome(failure, release)}")
            lost = load.lost(failure)
            more = f" and {len(lost) - _NAMES} more" if len(lost) > _NAMES else ""
            lines += [f"  This concerns {', '.join(lost[:_NAMES])}{more}."] if lost else []
    yield from _paragraph(lines)


def _out_of_range(commits: Iterable[CommittedOffset]) -> Iterator[str]:
    """Commits that nobody can go on from."""
    lines = []
    for commit in commits:
        what = f"{commit.group}: committed offset {commit.offset} of {commit.topic}-{commit.partition}"
        if commit.problem == "after-log-end":
            how = f"lies {-(commit.lag or 0)} after the end of the log, {commit.log_end_offset}"
            why = "The log was lost or created again"
            why += "" if commit.is_certain else ", or this copy of it is older or was not in sync"
        else:
            start = commit.log_start_offset or 0
            gone = f"{commit.offset}" if start == commit.offset + 1 else f"{commit.offset} to {start - 1}"
            how = f"lies before the start of the log, {start}"
            why = f"Offsets {gone} were deleted before the group had read them"
        lines.append(f"{what} {how}. {why}: the next fetch gets OFFSET_OUT_OF_RANGE, and auto.offset.reset decides.")
    yield from _paragraph(lines)


def _shared_after_the_end(offsets: Iterable[ShareOffset]) -> Iterator[str]:
    """Share groups that begin after the end of a log."""
    lines = [
        f"{item.group}: the share group begins at offset {item.start_offset} of {item.topic}-{item.partition}, "
        f"{item.start_offset - (item.log_end_offset or 0)} after the end of the log, {item.log_end_offset}. "
        "The log was lost or created again, or this copy of it is older or was not in sync."
        for item in offsets
        if item.problem is not None
    ]
    yield from _paragraph(lines)


_TOPIC_PROBLEMS = {
    "no-topic": "the cluster's metadata has no such topic",
    "no-partition": "the cluster's metadata has no such partition",
    "earlier-topic": "it is of an earlier topic of that name, with another topic id",
}


def _without_topic(commits: Iterable[CommittedOffset]) -> Iterator[str]:
    """Commits for what is not there any more."""
    lines = [
        f"{commit.group}: offset {commit.offset} is committed for {commit.topic}-{commit.partition}, but "
        f"{_TOPIC_PROBLEMS[commit.topic_problem]}. The topic was deleted after the commit, or the copy of the metadata is of "
        "another moment. In a topic that is created again under that name the group may go on from that offset: delete it "
        "(`kafka-consumer-groups.sh --delete-offsets`), or reset it."
        for commit in commits
        if commit.topic_problem is not None
    ]
    yield from _paragraph(lines)


def _expired(found: Groups, now: int) -> Iterator[str]:
    """What a coordinator deletes soon: a line for what has a time of its own, one for what the default expires."""
    lines = []
    for is_stored in (True, False):
        commits = [commit for commit in found.expired(now) if (commit.expire_timestamp != -1) is is_stored]
        if not commits:
            continue
        groups = list(dict.fromkeys(commit.group for commit in commits))
        more = f" and {len(groups) - _NAMES} more" if len(groups) > _NAMES else ""
        why = "by the time stored with them" if is_stored else "if offsets.retention.minutes has its default, 7 days"
        at_once = sum(commit.has_expired_at_once for commit in commits)
        lines.append(
            f"{count_text(len(commits), 'committed offset')} of groups without members expired, {why}: "
            f"{', '.join(groups[:_NAMES])}{more}. "
            + (f"{at_once} had expired when committed (retention time 0, or a wrong clock). " if at_once else "")
            + "A coordinator that loads them deletes them within offsets.retention.check.interval.ms."
        )
    yield from _paragraph(lines)


def groups_text(
    found: Groups, release_of: Callable[[str], Release] = newest, *, now: int | None = None, release_is_named: bool = False
) -> Iterator[str]:
    """What cannot be loaded or gone on from; the groups, their members, their offsets with the lag where it is known.

    What has expired is shown where there is a clock: `now`, milliseconds.
    """
    yield from _loads(found.loads, release_of, release_is_named=release_is_named)
    yield from _out_of_range(found.out_of_range)
    yield from _shared_after_the_end(found.share_offsets)
    yield from _without_topic(found.without_topic)
    if now is not None:
        yield from _expired(found, now)
    offsets = Counter(commit.group for commit in found.offsets)
    if not (found.groups or found.share_offsets or found.problems):
        yield "No groups."
        yield ""
    yield from _section(
        "Groups",
        ("group", "kind", "state", "generation", "protocol", "members", "offsets"),
        [
            [
                group.group,
                group.kind,
                group.state,
                group.generation,
                group.protocol,
                len(group.members),
                offsets[group.group],
            ]
            for group in found.groups.values()
        ],
    )
    yield from _section(
        "Members",
        ("group", "member", "instance", "client", "host", "epoch", "state", "assignment"),
        [
            [
                group.group,
                member.member_id,
                member.instance_id,
                member.client_id,
                member.client_host,
                member.epoch,
                member.state,
                _assignment(member.assignment),
            ]
            for group in found.groups.values()
            for member in group.members.values()
        ],
    )
    # Where nobody has committed something before it, the start says nothing.
    starts = any(commit.problem == "before-log-start" for commit in found.offsets)
    headings = (
        "group",
        "topic",
        "partition",
        "offset",
        *(("start",) if starts else ()),
        "end",
        "lag",
        "committed",
        "epoch",
        "metadata",
    )
    yield from _section(
        "Offsets",
        headings,
        [
            [
                commit.group,
                commit.topic,
                commit.partition,
                commit.offset,
                *((commit.log_start_offset,) if starts else ()),
                commit.log_end_offset,
                commit.lag,
                utc(commit.commit_timestamp),
                commit.leader_epoch if commit.leader_epoch >= 0 else None,
                commit.metadata,
            ]
            for commit in found.offsets
        ],
    )
    yield from _section(
        "Offsets in open transactions",
        ("group", "topic", "partition", "offset", "producer id"),
        [[commit.group, commit.topic, commit.partition, commit.offset, producer] for producer, commit in found.pending],
    )
    yield from _section(
        "Offsets of share groups",
        ("group", "topic", "partition", "start", "end", "lag", "leader epoch"),
        [
            [
                shared.group,
                shared.topic or format_uuid(shared.topic_id),
                shared.partition,
                shared.start_offset if shared.start_offset >= 0 else None,
                shared.log_end_offset,
                shared.lag,
                shared.leader_epoch if shared.leader_epoch >= 0 else None,
            ]
            for shared in found.share_offsets
        ],
    )
    yield from _notes(found.notes, found.problems)


def _assignment(value: Any) -> str | None:
    """An assignment in short: `orders-0 revoking orders-1`, `active 0_1`; what is not of these protocols as JSON."""
    if isinstance(value, dict) and "activeTasks" in value:
        parts = []
        for kind in ("active", "standby", "warmup"):
            tasks = value[f"{kind}Tasks"]
            names = [f"{task['subtopologyId']}_{partition}" for task in tasks for partition in task["partitions"]]
            parts += [kind, *names] if names else []
        return " ".join(parts)
    if isinstance(value, dict) and "assignedPartitions" in value:
        revoked = _partitions(value.get("partitionsPendingRevocation", ()))
        return " ".join([*_partitions(value["assignedPartitions"]), *(("revoking", *revoked) if revoked else ())])
    return None if value is None else compact_json(json_object(value))


def _partitions(entries: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f"{entry.get('topic') or format_uuid(entry['topicId'])}-{partition}"
        for entry in entries
        for partition in entry["partitions"]
    ]


def transactions_text(
    found: Transactions,
    aborted: Collection[AbortedTransaction],
    release_of: Callable[[str], Release] = newest,
    *,
    release_is_named: bool = False,
) -> Iterator[str]:
    """The transactional ids, what is open in the partitions, the aborted ones that are listed; last what hangs."""
    yield from _loads(found.loads, release_of, release_is_named=release_is_named)
    yield from _section(
        "Transactional ids",
        ("transactional id", "producer id", "epoch", "state", "started", "last update", "timeout ms", "partitions"),
        [
            [
                item.transactional_id,
                item.producer_id,
                item.producer_epoch,
                item.state,
                utc(item.start_timestamp),
                utc(item.last_update_timestamp),
                item.timeout_ms,
                " ".join(f"{topic}-{partition}" for topic, partition in item.partitions) or None,
            ]
            for item in found.ids.values()
        ],
    )
    yield from _section(
        "Open in the partitions",
        ("partition", "verdict", "first offset", "records", "since", "producer id", "epoch", "transactional id"),
        [
            [
                f"{begun.topic}-{begun.partition}",
                begun.verdict,
                begun.first_offset,
                begun.records,
                utc(begun.first_timestamp),
                begun.producer_id,
                begun.producer_epoch,
                begun.transactional_id,
            ]
            for begun in found.open
        ],
    )
    yield from _section(
        "Aborted",
        ("partition", "producer id", "epoch", "first offset", "marker at", "marker written", "transactional id"),
        [
            [
                f"{ended.topic}-{ended.partition}",
                ended.producer_id,
                ended.producer_epoch,
                ended.first_offset,
                ended.marker_offset,
                utc(ended.marker_timestamp),
                ended.transactional_id,
            ]
            for ended in aborted
        ],
    )
    if aborted and len(aborted) < found.aborted_count:
        yield f"({found.aborted_count - len(aborted)} that were found before these are left out: --format jsonl lists all)"
        yield ""
    if found.committed or found.aborted_count:
        more = " (--aborted lists the transactions that were aborted)" if found.aborted_count and not aborted else ""
        yield f"{found.committed} COMMIT and {found.aborted_count} ABORT markers in the partitions{more}"
        yield ""
    elif not (found.ids or found.open or found.problems):
        yield "No transactional ids, and no transactions in the partitions."
        yield ""
    yield from _unproven([begun for begun in found.open if begun.verdict == "unknown"])
    yield from _hanging([begun for begun in found.open if begun.verdict == "hanging"], release_of)
    yield from _notes(found.notes, found.problems)


def _unproven(transactions: Iterable[OpenTransaction]) -> Iterator[str]:
    """Why it is not known whether transactions hang."""
    reasons: dict[str, list[str]] = {}
    for begun in transactions:
        reasons.setdefault(begun.why, []).append(f"{begun.topic}-{begun.partition} from offset {begun.first_offset}")
    for why, places in reasons.items():
        more = f" and {len(places) - _NAMES} more" if len(places) > _NAMES else ""
        what = "this one hangs" if len(places) == 1 else "these hang"
        yield printable(f"It is not known whether {what}: {', '.join(places[:_NAMES])}{more}")
        yield printable(f"  {why}")
    yield from [""] if reasons else []


#: Brokers that take the abort command with the first offset alone.
_TAKES_OFFSET = (3, 0, 0, 0)


def _hanging(transactions: list[OpenTransaction], release_of: Callable[[str], Release]) -> Iterator[str]:
    """Which transactions hang, what they block and what ends them."""
    if not transactions:
        return
    yield "1 transaction hangs." if len(transactions) == 1 else f"{len(transactions)} transactions hang."
    for begun in transactions:
        name = f"{begun.topic}-{begun.partition}"
        yield printable(f"{name} from offset {begun.first_offset}: {begun.why}.")
        if begun.blocked_records is not None and begun.blocked_bytes is not None:
            what = f"{count_text(begun.blocked_records, 'record')} ({size_text(begun.blocked_bytes)})"
            since = f", since {utc(begun.first_timestamp)}" if begun.first_timestamp >= 0 else ""
            yield f"  read_committed consumers do not get {what}{since}"
        is_new = release_of(begun.path) >= _TAKES_OFFSET
        for command in begun.abort_commands[: 1 if is_new else 2]:
            yield f"  {command.use}:" if not is_new else "  abort it with:"
            yield f"    {command.line}"
            yield from (f"    note: {note}" for note in command.notes)
    yield "Make sure that its producer is gone before you abort one."
    yield ""


def metadata_text(found: Metadata) -> Iterator[str]:
    """The image: features, brokers, topics, partitions, settings and the rest."""
    image = found.image
    if found.records:
        base = f", from snapshot {found.snapshot}" if found.snapshot else ""
        yield f"Metadata up to offset {image.last_offset}, epoch {image.last_epoch}{base}"
        yield ""
    elif not found.problems:
        yield "No records of metadata."
        yield ""
    yield from _image_text(image)
    yield from _notes(found.notes, found.problems)


def _level(feature: str, level: int) -> str:
    """A feature's level; that of the metadata itself with the name that Kafka's tools want."""
    name = metadata_version_name(level) if feature == "metadata.version" else ""
    return f"{level} ({name})" if name else str(level)


def _image_text(image: Image) -> Iterator[str]:
    yield from _section(
        "Features", ("feature", "level"), [[name, _level(name, at)] for name, at in sorted(image.features.items())]
    )
    yield from _section(
        "Brokers",
        ("broker", "fenced", "in shutdown", "rack", "epoch", "incarnation", "listeners"),
        [
            [
                number,
                broker["fenced"],
                broker["inControlledShutdown"],
                broker.get("rack"),
                broker["brokerEpoch"],
                broker["incarnationId"],
                " ".join(f"{point['name']}://{point['host']}:{point['port']}" for point in broker["endPoints"]),
            ]
            for number, broker in sorted(image.brokers.items())
        ],
    )
    topics = sorted(image.topics.values(), key=lambda topic: topic.name)
    yield from _section(
        "Topics",
        ("topic", "id", "partitions"),
        [[topic.name, format_uuid(topic.topic_id), len(topic.partitions)] for topic in topics],
    )
    yield from _section(
        "Partitions",
        ("partition", "leader", "leader epoch", "partition epoch", "replicas", "isr", "elr"),
        [
            [
                f"{topic.name}-{number}",
                state.leader,
                state.leader_epoch,
                state.partition_epoch,
                _numbers(state.replicas),
                _numbers(state.isr),
                _numbers(state.eligible_leader_replicas),
            ]
            for topic in topics
            for number, state in sorted(topic.partitions.items())
        ],
    )
    yield from _section(
        "Settings",
        ("resource", "name", "setting", "value"),
        [
            [kind, name or "<default>", key, value]
            for (kind, name), settings in sorted(image.configs.items())
            for key, value in sorted(settings.items())
        ],
    )
    others = sorted(image.others.items(), key=lambda item: item[0])
    yield from _section(
        "Others", ("kind", "name", "value"), [[kind, name, _other(kind, value)] for (kind, name), value in others]
    )


#: Names of the numbers in access control entries. Source: AclOperation, AclPermissionType, ResourceType, PatternType, 4.3.1.
_OPERATIONS = (
    "UNKNOWN", "ANY", "ALL", "READ", "WRITE", "CREATE", "DELETE", "ALTER", "DESCRIBE", "CLUSTER_ACTION", "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS", "IDEMPOTENT_WRITE", "CREATE_TOKENS", "DESCRIBE_TOKENS", "TWO_PHASE_COMMIT",
)  # fmt: skip
_PERMISSIONS = ("UNKNOWN", "ANY", "DENY", "ALLOW")
_RESOURCES = ("UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER")
_PATTERNS = ("UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED")


def _other(kind: str, value: Any) -> str:
    """Access control entries in words, what else there is as JSON."""
    if kind != "acl":
        return _shown(value)
    may, does = _named(_PERMISSIONS, value["permissionType"]), _named(_OPERATIONS, value["operation"])
    what, how = _named(_RESOURCES, value["resourceType"]), _named(_PATTERNS, value["patternType"])
    return f"{may} {value['principal']} from {value['host']}: {does} on {what} {how} {value['resourceName']}"


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _numbers(values: tuple[int, ...]) -> str | None:
    return ",".join(map(str, values)) or None


def change_text(before: Metadata, after: Metadata) -> Iterator[str]:
    """What differs between two images, one line each."""
    yield f"From offset {before.image.last_offset} to offset {after.image.last_offset}"
    for change in diff_images(before.image, after.image):
        if change.before is None:
            yield f"+ {change.what} {change.name}: {_other(change.what, change.after)}"
        elif change.after is None:
            yield f"- {change.what} {change.name}: {_other(change.what, change.before)}"
        else:
            yield f"~ {change.what} {change.name}: {_differences(change.before, change.after)}"
    yield from _notes(dict.fromkeys((*before.notes, *after.notes)), dict.fromkeys((*before.problems, *after.problems)))


def _shown(value: Any) -> str:
    return compact_json(json_object(value))


def _differences(before: Any, after: Any) -> str:
    if not isinstance(before, dict) or not isinstance(after, dict):
        return f"{_shown(before)} -> {_shown(after)}"
    parts = [
        f"{name} {_shown(before.get(name))} -> {_shown(after.get(name))}"
        for name in after | before
        if before.get(name) != after.get(name)
    ]
    return ", ".join(parts)
