"""Remedies that fit: what a rule says in general, in the words of what is known of the partition."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.command_line import GIVES_EVERYTHING
from kafkalog.core.filename import METADATA_TOPICS, PartitionName, parse_partition_name
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import UnreadableFile
from kafkalog.next_start.metadata_advice import metadata_advice
from kafkalog.replay.quorum import Role, role_in_quorum
from kafkalog.verify.finding import Severity
from kafkalog.verify.remedies import LET_REBUILD, REBUILD, REPLAY, RESTORE
from kafkalog.verify.rule import RULES, loss_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.verified import Verified

__all__ = ["fit_restores", "fitted_to_files"]


# --- indexes and snapshots: by the files of the directory ---


def fitted_to_files(facts: PartitionFacts, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a partition; what they say of rebuilding a file goes by the log that it is rebuilt from."""
    findings = list(findings)
    loud = {finding.path for finding in findings if finding.severity >= Severity.WARNING and finding.path.endswith(".log")}
    ends = {scan.path: scan.base_offset - 1 if scan.last is None else scan.last.last_offset for scan in facts.scans}
    short = _shorter_than_indexed(findings, ends)
    for finding in findings:
        general = RULES[finding.id].general
        if general & {REBUILD, LET_REBUILD}:
            yield _said(finding, _of_rebuilding(facts, finding.path, loud, short))
        elif REPLAY in general:
            yield _said(finding, {REPLAY: _of_replaying(facts, finding.path, has_damage=bool(loud))})
        else:
            yield finding


def _said(finding: Finding, words: Mapping[str, str]) -> Finding:
    """A finding with other words in the place of general ones of its remedy."""
    remedy = finding.remedy
    for general, fitting in words.items():
        remedy = remedy.replace(general, fitting)
    return finding._replace(remedy=remedy)


def _log_of(path: str) -> str:
    return path.rpartition(".")[0] + ".log"


def _shorter_than_indexed(findings: Iterable[Finding], ends: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Logs that end before an offset that their indexes name, with both: records may have been cut from them."""
    short: dict[str, tuple[int, int]] = {}
    for finding in findings:
        log = _log_of(finding.path)
        named = finding.offsets[1] if finding.offsets is not None and finding.path != log else -1
        if log in ends and named > max(ends[log], short.get(log, (0, -1))[1]):
            short[log] = ends[log], named
    return short


def _of_rebuilding(facts: PartitionFacts, path: str, damaged: set[str], short: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    log = _log_of(path)
    if facts.directory.kraft_log:
        every_start = "Nothing needs to be moved: a node rebuilds the indexes of the metadata log at every start."
        return {REBUILD: every_start, LET_REBUILD: every_start}
    if log in damaged:
        text = "Leave it: the log of the segment is damaged, and a rebuild cuts it at the first bad batch. Mend the log first."
        return {REBUILD: text, LET_REBUILD: text}
    if log not in {scan.path for scan in facts.scans}:
        return {}
    if log in short:
        last, named = short[log]
        text = (
            f"Do not move the indexes away: they name offset {named}, and the log of the segment ends before {last + 1}. "
            "Records may have been cut from it, and the indexes are what tells of them. Compare the log with another replica "
            "or a backup."
        )
        return {REBUILD: text, LET_REBUILD: text}
    return {
        REBUILD: "The log of the segment is sound. With the broker stopped, move its `.index` and `.timeindex` away; the "
        "broker rebuilds both and `.txnindex`.",
        LET_REBUILD: "Nothing to do: the log of the segment is sound, and the next start rebuilds it.",
    }


def _of_replaying(facts: PartitionFacts, path: str, *, has_damage: bool) -> str:
    if has_damage:
        return "Leave it: the log is damaged, and the state is replayed from it. Mend the log first."
    older = [
        read.path
        for read in facts.directory.snapshots.values()
        if read.path < path and read.snapshot.damage is None and read.snapshot.crc_ok
    ]
    if older:
        name = os.path.basename(older[-1])
        return f"The log is sound. With the broker stopped, move the file away; the state is replayed from {name} on."
    return (
        "The log is sound, and no older snapshot is here. With the broker stopped, move the file and the log dir's "
        "`.kafka_cleanshutdown` away: the start then recovers every log of the log dir, and replays this one from its "
        "beginning."
    )


# --- lost records: by what others have ---


def fit_restores(verified: Sequence[Verified], controllers: Controllers) -> None:
    """Say where lost records of each partition may come from: another replica among those given, the quorum, or nowhere.

    Args:
        verified: The partitions; their reports are replaced.
        controllers: What the controllers say of them.
    """
    by_name: dict[PartitionName | None, list[Verified]] = {}
    for one in verified:
        by_name.setdefault(_name_of(one), []).append(one)
    for one in verified:
        if any(RESTORE in RULES[finding.id].general for finding in one.report.findings):
            others = [other for other in by_name[_name_of(one)] if other is not one and _is_replica(one, other)]
            alone = _without_others(one, controllers)
            findings = tuple(
                _said(finding, {RESTORE: _of_restoring(finding, others, alone)})
                if RESTORE in RULES[finding.id].general
                else finding
                for finding in one.report.findings
            )
            one.report = replace(one.report, findings=findings)


def _name_of(one: Verified) -> PartitionName | None:
    return parse_partition_name(os.path.basename(os.path.realpath(one.directory)))


def _is_replica(one: Verified, other: Verified) -> bool:
    """Whether two directories of one name can be replicas of one partition."""
    if _name_of(one) is None or one.is_file or other.is_file:
        return False
    clusters = {each.owner.identity.cluster_id for each in (one, other) if each.owner is not None} - {None}
    return len(clusters) < 2 and len({one.topic_id, other.topic_id} - {None}) < 2 and other.topic not in METADATA_TOPICS


def _of_restoring(finding: Finding, others: Sequence[Verified], alone: str) -> str:
    for other in others:
        offsets = _offsets_that(other, finding.offsets)
        if offsets:
            return (
                f"{other.report.path} {offsets}: let its broker lead, then stop this one, move this directory out of the log "
                "dir and start it; it fetches the partition again. Keep the directory until then."
            )
    return alone


def _offsets_that(other: Verified, lost: tuple[int, int] | None) -> str:
    """What a replica has of lost offsets, in words; "" when it has not all of them sound."""
    report = other.report
    start, end = report.log_start_offset, report.log_end_offset
    broken = [finding for finding in report.findings if loss_of(finding) is not None]
    if start is None or end is None or end <= start:
        return ""
    if lost is None:
        return "" if broken else f"is a replica, sound from offset {start} to {end - 1}"
    is_whole = not any(
        finding.offsets is None or (finding.offsets[0] <= lost[1] and lost[0] <= finding.offsets[1]) for finding in broken
    )
    has_all = is_whole and start <= lost[0] and lost[1] < end
    return f"is a replica that has {offsets_spoken(*lost)}, which this one lacks, sound" if has_all else ""


def _without_others(one: Verified, controllers: Controllers) -> str:
    """What is to be done where no replica among those given has what is lost."""
    if one.topic in METADATA_TOPICS:
        return _of_metadata_log(one)
    replicas, source = controllers.replicas_of(one.claim)
    if len(replicas) == 1:
        return (
            f"By {source} the partition has no other replica. Copy the directory before the broker starts, and take out what "
            f"is left with {GIVES_EVERYTHING}: only a backup brings the rest back."
        )
    return RESTORE


def _of_metadata_log(one: Verified) -> str:
    """What to do with the metadata log, by whether its node votes, and who else does."""
    node = None if one.owner is None else one.owner.identity.number
    try:
        role = role_in_quorum(one.partition, node)
    except UnreadableFile:
        role = Role()
    return " ".join(metadata_advice(role))
