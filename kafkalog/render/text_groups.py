"""Groups, their members and committed offsets as text for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kafkalog.core.messages.json_form import compact_json, json_object
from kafkalog.core.properties import format_uuid
from kafkalog.core.spoken import listed, offsets_spoken
from kafkalog.render.items import MadeRows
from kafkalog.render.quantities import count_text, moment
from kafkalog.render.replay_parts import NAMES, loads_text, notes_text, paragraph, section
from kafkalog.replay.coordinator_loads import newest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kafkalog.core.release import Release
    from kafkalog.render.items import Item
    from kafkalog.replay.groups import CommittedOffset, Groups, ShareOffset

__all__ = ["groups_text"]


def _out_of_range(commits: Iterable[CommittedOffset]) -> Iterator[Item]:
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
            gone = offsets_spoken(commit.offset, start - 1).capitalize()
            were = "was" if start == commit.offset + 1 else "were"
            how = f"lies before the start of the log, {start}"
            why = f"{gone} {were} deleted before the group had read them"
        lines.append(f"{what} {how}. {why}: the next fetch gets OFFSET_OUT_OF_RANGE, and auto.offset.reset decides.")
    yield from paragraph(lines)


def _shared_after_the_end(offsets: Iterable[ShareOffset]) -> Iterator[Item]:
    """Share groups that begin after the end of a log."""
    lines = [
        f"{item.group}: the share group begins at offset {item.start_offset} of {item.topic}-{item.partition}, "
        f"{item.start_offset - (item.log_end_offset or 0)} after the end of the log, {item.log_end_offset}. "
        "The log was lost or created again, or this copy of it is older or was not in sync."
        for item in offsets
        if item.problem is not None
    ]
    yield from paragraph(lines)


_TOPIC_PROBLEMS = {
    "no-topic": "the cluster's metadata has no such topic",
    "no-partition": "the cluster's metadata has no such partition",
    "earlier-topic": "it is of an earlier topic of that name, with another topic id",
}


def _without_topic(commits: Iterable[CommittedOffset]) -> Iterator[Item]:
    """Commits for what is not there any more."""
    lines = [
        f"{commit.group}: offset {commit.offset} is committed for {commit.topic}-{commit.partition}, but "
        f"{_TOPIC_PROBLEMS[commit.topic_problem]}. The topic was deleted after the commit, or the copy of the metadata is of "
        "another moment. In a topic that is created again under that name the group may go on from that offset: delete it "
        "(`kafka-consumer-groups.sh --delete-offsets`), or reset it."
        for commit in commits
        if commit.topic_problem is not None
    ]
    yield from paragraph(lines)


def _expired(found: Groups, now: int) -> Iterator[Item]:
    """What a coordinator deletes soon: a line for what has a time of its own, one for what the default expires."""
    counts, at_once = Counter[bool](), Counter[bool]()
    groups: dict[bool, dict[str, None]] = {True: {}, False: {}}
    for commit in found.offsets.expired(now):
        is_stored = commit.expire_timestamp != -1
        counts[is_stored] += 1
        at_once[is_stored] += commit.has_expired_at_once
        groups[is_stored][commit.group] = None
    lines = []
    for is_stored, count in sorted(counts.items(), reverse=True):
        early = at_once[is_stored]
        why = "by the time stored with them" if is_stored else "if offsets.retention.minutes has its default, 7 days"
        lines.append(
            f"{count_text(count, 'committed offset')} of groups without members expired, {why}: "
            f"{listed(list(groups[is_stored]), NAMES)}. "
            + (f"{early} had expired when committed (retention time 0, or a wrong clock). " if early else "")
            + "A coordinator that loads them deletes them within offsets.retention.check.interval.ms."
        )
    yield from paragraph(lines)


def groups_text(
    found: Groups, release_of: Callable[[str], Release] = newest, *, now: int | None = None, release_is_named: bool = False
) -> Iterator[Item]:
    """What cannot be loaded or gone on from; the groups, their members, their offsets with the lag where it is known.

    What has expired is shown where there is a clock: `now`, milliseconds.
    """
    yield from loads_text(found.loads, release_of, release_is_named=release_is_named)
    yield from _out_of_range(found.out_of_range)
    yield from _shared_after_the_end(found.share_offsets)
    yield from _without_topic(found.without_topic)
    if now is not None:
        yield from _expired(found, now)
    if not (found.groups or found.share_offsets or found.problems):
        yield "No groups."
        yield ""
    yield from _groups(found)
    yield from _members(found)
    yield from _offsets(found)
    yield from _pending(found)
    yield from _shared(found)
    yield from notes_text(found.notes)


def _groups(found: Groups) -> Iterator[Item]:
    count_of = found.offsets.count_of
    yield from section(
        "Groups",
        ("group", "kind", "state", "generation", "protocol", "members", "offsets"),
        MadeRows(
            len(found.groups),
            lambda: (
                (
                    group.group,
                    group.kind,
                    group.state,
                    group.generation,
                    group.protocol,
                    len(group.members),
                    count_of(group.group),
                )
                for group in found.groups.values()
            ),
        ),
    )


def _members(found: Groups) -> Iterator[Item]:
    yield from section(
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


def _offsets(found: Groups) -> Iterator[Item]:
    # Where nobody has committed something before it, the start says nothing.
    starts = any(commit.problem == "before-log-start" for commit in found.out_of_range)
    before, after = ("group", "topic", "partition", "offset"), ("end", "lag", "committed (UTC)", "epoch", "metadata")

    def row(commit: CommittedOffset) -> tuple[object, ...]:
        return (
            *commit[:4],
            *((commit.log_start_offset,) if starts else ()),
            commit.log_end_offset,
            commit.lag,
            moment(commit.commit_timestamp),
            commit.leader_epoch if commit.leader_epoch >= 0 else None,
            commit.metadata,
        )

    rows = MadeRows(len(found.offsets), lambda: map(row, found.offsets))
    yield from section("Offsets", (*before, *(("start",) if starts else ()), *after), rows)


def _pending(found: Groups) -> Iterator[Item]:
    yield from section(
        "Offsets in open transactions",
        ("group", "topic", "partition", "offset", "producer id"),
        [[commit.group, commit.topic, commit.partition, commit.offset, producer] for producer, commit in found.pending],
    )


def _shared(found: Groups) -> Iterator[Item]:
    yield from section(
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
