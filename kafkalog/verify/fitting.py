"""Remedies that fit: what a rule says in general, in the words of what is known of the partition."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.command_line import command_on, diff_command, salvage_command
from kafkalog.core.filename import METADATA_TOPICS, PartitionName, parse_partition_name
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import UnreadableFile
from kafkalog.files.paths import real_name
from kafkalog.next_start.index_advice import keep_of_cut
from kafkalog.next_start.metadata_advice import metadata_advice
from kafkalog.next_start.misplaced_advice import write_its_id
from kafkalog.next_start.rescue_advice import sought
from kafkalog.replay.quorum import Role, role_in_quorum
from kafkalog.verify.finding import Severity
from kafkalog.verify.remedies import (
    COMPARE,
    FINISH_SWAP,
    LET_REBUILD,
    LET_REPLAY,
    READ_ON,
    REBUILD,
    REFETCH,
    REPLAY,
    RESTORE,
    SEEK,
    WRITE_TOPIC_ID,
)
from kafkalog.verify.rule import RULES, loss_of
from kafkalog.verify.verified import Verified

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.verify.checks.controller import Controllers
    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.verified import Compared

__all__ = ["Known", "fit_again", "fit_restores", "fitted_to_files", "fitted_to_log_dir", "is_replica", "is_to_be_fitted"]


#: The fact that is a remedy, where a rule has several.
_ADVICE = "advice"


# --- indexes and snapshots: by the files of the directory ---


def fitted_to_files(facts: PartitionFacts, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings of a partition; what they say of rebuilding a file goes by the log that it is rebuilt from."""
    findings = list(findings)
    grave = [finding for finding in findings if finding.severity >= Severity.WARNING and finding.path.endswith(".log")]
    # A log that only shows that another file is wrong is sound.
    loud = {path for one in grave if (path := str(one.facts.get("file", one.path))).endswith(".log")}
    ends = {scan.path: scan.base_offset - 1 if scan.last is None else scan.last.last_offset for scan in facts.scans}
    short = _shorter_than_indexed(findings, ends)
    for finding in findings:
        general = RULES[finding.id].general
        if general & {REBUILD, LET_REBUILD}:
            yield _said(finding, _of_rebuilding(facts, finding.path, loud, short))
        elif general & {REPLAY, LET_REPLAY}:
            yield _said(finding, _of_replaying(facts, finding.path, has_damage=bool(loud)))
        elif FINISH_SWAP in general:
            yield _said(finding, {FINISH_SWAP: _of_swapping(finding.path, findings)})
        else:
            yield finding


def _said(finding: Finding, words: Mapping[str, str]) -> Finding:
    """A finding with other words in the place of general ones of its remedy."""
    remedy, facts = finding.remedy, finding.facts
    for general, fitting in words.items():
        remedy = remedy.replace(general, fitting)
        if _ADVICE in facts:
            facts = facts | {_ADVICE: facts[_ADVICE].replace(general, fitting)}
    return finding._replace(remedy=remedy, facts=facts)


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
        text = f"{keep_of_cut(last + 1, named)} {COMPARE}"
        return {REBUILD: text, LET_REBUILD: text}
    return {
        REBUILD: "The log of the segment is sound. With the broker stopped, move its `.index` and `.timeindex` away; the "
        "broker rebuilds both and `.txnindex`.",
        LET_REBUILD: "Nothing to do: the log of the segment is sound, and the next start rebuilds it.",
    }


def _of_swapping(path: str, findings: Iterable[Finding]) -> str:
    if any(finding.path == path and finding.severity >= Severity.WARNING for finding in findings):
        return "The file is damaged: with the broker stopped, move it out of the directory, and keep it."
    return "Nothing to do: the next start finishes what was begun."


def _of_replaying(facts: PartitionFacts, path: str, *, has_damage: bool) -> dict[str, str]:
    if has_damage:
        text = "Leave it: the log is damaged, and the state is replayed from it. Mend the log first."
        return {REPLAY: text, LET_REPLAY: text}
    return {REPLAY: _of_moving(facts, path), LET_REPLAY: "Nothing to do: the log is sound, and the state is replayed from it."}


def _of_moving(facts: PartitionFacts, path: str) -> str:
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
    """Say where lost records of each partition may come from, and what it can be compared with.

    That is another replica among those given, the quorum, or none.

    Args:
        verified: The partitions; their reports are replaced.
        controllers: What the controllers say of them.
    """
    by_name: dict[PartitionName | None, list[Verified]] = {}
    for one in verified:
        by_name.setdefault(_name_of(one), []).append(one)
    for one in verified:
        if any(_is_of_replicas(finding) for finding in one.report.findings):
            others = [other for other in by_name[_name_of(one)] if other is not one and is_replica(one, other)]
            alone = _words_alone(one, controllers)
            findings = tuple(
                _said(finding, _words_for(finding, one, others, alone)) if _is_of_replicas(finding) else finding
                for finding in one.report.findings
            )
            one.report = replace(one.report, findings=findings)


class Known(NamedTuple):
    """What remedies of a partition go by: its replicas among those given, and what the controllers say."""

    replicas: Sequence[Compared]
    controllers: Controllers


def is_to_be_fitted(one: Compared) -> bool:
    """Whether something of a partition may be said in other words once more is known."""
    return one.topic not in METADATA_TOPICS and any(_is_of_replicas(finding) for finding in one.report.findings)


def fit_again(one: Compared, before: Known, now: Known) -> None:
    """Say it once more, now that more is known: other hosts have told what they have.

    Args:
        one: The partition (`is_to_be_fitted`); its report is replaced.
        before: By what it was said.
        now: What is known now.
    """
    alone = [_words_alone(one, known.controllers) for known in (before, now)]
    findings = []
    for finding in one.report.findings:
        said, words = (
            _words_for(finding, one, known.replicas, each) if _is_of_replicas(finding) else {}
            for known, each in zip((before, now), alone, strict=True)
        )
        fitted = _said(finding, {old: words[general] for general, old in said.items()})
        if fitted == finding and loss_of(finding) is not None:
            was, source = (restored_from(finding, [other.report for other in known.replicas]) for known in (before, now))
            # What it said is not known where its host told nothing of its controllers.
            fitted = finding if source in ("", was) else finding._replace(remedy=source)
        findings.append(fitted)
    one.report = replace(one.report, findings=tuple(findings))


def _is_of_replicas(finding: Finding) -> bool:
    """Whether the remedy of a finding may be about other replicas."""
    known = RULES.get(finding.id)
    if known is None:
        return False
    return bool(known.general & {RESTORE, COMPARE, SEEK, WRITE_TOPIC_ID}) or known.history or _ADVICE in finding.facts


def _words_alone(one: Compared, controllers: Controllers) -> dict[str, str]:
    """What stands in the place of general words where no other replica was given."""
    return {
        RESTORE: _without_others(one, controllers),
        COMPARE: _of_comparing_alone(one, controllers),
        WRITE_TOPIC_ID: _of_topic_id(one, controllers),
        SEEK: SEEK if one.owner is None else sought(one.owner.path),
    }


def _words_for(finding: Finding, one: Compared, others: Sequence[Compared], alone: Mapping[str, str]) -> dict[str, str]:
    """What stands in the place of general words."""
    reports = [other.report for other in others]
    return {
        RESTORE: _merged_from(finding, one.report, reports) or restored_from(finding, reports) or alone[RESTORE],
        COMPARE: _of_comparing(finding, one, reports) or alone[COMPARE],
        SEEK: alone[SEEK],
        WRITE_TOPIC_ID: alone[WRITE_TOPIC_ID],
    }


def fitted_to_log_dir(finding: Finding) -> Finding:
    """A finding about a log dir in which something is missing, with the command that seeks it."""
    if SEEK not in RULES[finding.id].general:
        return finding
    return _said(finding, {SEEK: sought(os.path.dirname(str(finding.facts["file"])))})


def _name_of(one: Compared) -> PartitionName | None:
    return parse_partition_name(real_name(one.directory))


def is_replica(one: Compared, other: Compared) -> bool:
    """Whether two directories of one name can be replicas of one partition."""
    if one.is_file or other.is_file or other.topic in METADATA_TOPICS:
        return False
    clusters = {each.owner.identity.cluster_id for each in (one, other) if each.owner is not None} - {None}
    return len(clusters) < 2 and len({one.topic_id, other.topic_id} - {None}) < 2 and _name_of(one) is not None


def restored_from(finding: Finding, others: Sequence[PartitionReport]) -> str:
    """Which of some replicas has most of what a finding tells as lost, and how to get it from there; "" when none has any."""
    best, sound = _best_of(finding, others)
    if best is None or sound is None:
        return ""
    held = f"{best.path} is a replica"
    if finding.offsets is None:
        return f"{held}, sound from offset {sound[0]} to {sound[1]}: {_FETCH_AGAIN}"
    has = f"{held} that has {offsets_spoken(*sound)}"
    if sound == finding.offsets:
        return f"{has}, which this one lacks, sound: {_FETCH_AGAIN}"
    return f"{has} of these sound, which this one lacks, but not the others: {_FETCH_AGAIN}"


def _merged_from(finding: Finding, own: PartitionReport, others: Sequence[PartitionReport]) -> str:
    """How to put together what two replicas have, where each lacks something of the other; "" when one has it all, or none."""
    best, sound = _best_of(finding, others)
    if best is None or sound is None:
        return ""
    ends_before = (best.log_end_offset or 0) < (own.log_end_offset or 0)
    if finding.offsets is None or (sound == finding.offsets and not ends_before):
        return ""
    lacks = f"it ends at offset {best.log_end_offset}, before this one" if ends_before else "it lacks the others"
    line = salvage_command(own.path, best.path).line
    return (
        f"{best.path} is a replica that has {offsets_spoken(*sound)} sound, which this one lacks, but {lacks}. With both "
        f"brokers stopped, `{line}` writes what either of them has sound into a new directory, to be put in the place of both; "
        "keep the old ones."
    )


def _best_of(
    finding: Finding, others: Sequence[PartitionReport]
) -> tuple[PartitionReport, tuple[int, int]] | tuple[None, None]:
    """The replica that has most of what a finding tells as lost, and which offsets these are; None when none has any."""
    best = max(others, key=lambda other: _count_of(_sound_in(other, finding.offsets)), default=None)
    sound = None if best is None else _sound_in(best, finding.offsets)
    return (None, None) if best is None or sound is None else (best, sound)


_FETCH_AGAIN = (
    "let its broker lead, then stop this one, move this directory out of the log dir and start it; it fetches the partition "
    "again. Keep the directory until then."
)


def _of_comparing(finding: Finding, one: Compared, others: Sequence[PartitionReport]) -> str:
    """Which replica of those given is sound there; "" when there is no replica."""
    for other in others:
        sound = _sound_in(other, finding.offsets)
        if sound is not None and sound == (finding.offsets or sound):
            line = diff_command(one.report.path, other.path).line
            where = f"sound there ({offsets_spoken(*sound)}): take its bytes for the right ones"
            return f"{other.path} is a replica, {where}. `{line}` shows where both differ."
    names = " and ".join(other.path for other in others)
    return f"No replica that was given ({names}) is sound there: compare it with another one." if others else ""


def _count_of(offsets: tuple[int, int] | None) -> int:
    return 0 if offsets is None else offsets[1] - offsets[0] + 1


def _sound_in(report: PartitionReport, lost: tuple[int, int] | None) -> tuple[int, int] | None:
    """Which of lost offsets a replica has, when it has these sound; all that it has, where it is not known which are lost."""
    start, end = report.log_start_offset, report.log_end_offset
    broken = [finding for finding in report.findings if loss_of(finding) is not None]
    if start is None or end is None or end <= start:
        return None
    if lost is None:
        return None if broken else (start, end - 1)
    first, last = max(start, lost[0]), min(end - 1, lost[1])
    is_whole = not any(
        finding.offsets is None or (finding.offsets[0] <= last and first <= finding.offsets[1]) for finding in broken
    )
    return (first, last) if first <= last and is_whole else None


def _of_comparing_alone(one: Compared, controllers: Controllers) -> str:
    """What to compare with where no replica was given."""
    if one.topic in METADATA_TOPICS:
        other = "Compare it with the metadata log of another controller"
    else:
        replicas, source = controllers.replicas_of(one.claim)
        if len(replicas) == 1:
            return f"By {source} there is no other replica to compare it with: a backup may show which is right."
        other = "Compare it with another replica"
    if one.is_file:
        return f"{other}: `{command_on(('kafkalog', 'verify'), one.report.path).line} OTHER`."
    return f"{other}: `{diff_command(one.report.path).line}`."


def _of_topic_id(one: Compared, controllers: Controllers) -> str:
    """What `partition.metadata` of a directory must hold."""
    topic_id, _, source = controllers.topic_id(one.topic, one.owner)
    if topic_id is None:
        return WRITE_TOPIC_ID
    return f"Leave the broker down. {write_its_id(one.topic, topic_id)} The id is that of {source}."


def _without_others(one: Compared, controllers: Controllers) -> str:
    """What is to be done where no replica among those given has what is lost."""
    if one.topic in METADATA_TOPICS:
        return _of_metadata_log(one) if isinstance(one, Verified) else RESTORE
    replicas, source = controllers.replicas_of(one.claim)
    keeping = _of_salvaging(one.report)
    if len(replicas) == 1:
        nobody = f"By {source} the partition has no other replica, and only a backup brings back what is lost"
        return f"{nobody}. Copy the directory before the broker starts{f': {keeping}' if keeping else '.'} {READ_ON}"
    return f"{REFETCH} If none is: {keeping} {READ_ON}" if keeping else f"{REFETCH} {READ_ON}"


def _of_salvaging(report: PartitionReport) -> str:
    """How what is sound is kept, or can be made so; "" where a start and consumers get all of it."""
    is_repairable = bool(report.account.repairable)
    if not is_repairable and not _loses_sound(report):
        return ""
    what = "the sound batches, and those with one flipped bit, put right," if is_repairable else "the sound batches"
    line = salvage_command(report.path, unflips=is_repairable).line
    return f"`{line}` writes {what} into a new directory that a broker serves."


def _loses_sound(report: PartitionReport) -> bool:
    """Whether sound batches may get lost, or not be served, that a salvage keeps: predictions know, where there are any."""
    outcomes = (*report.next_start, *report.otherwise)
    return not outcomes or any(outcome.commands for outcome in outcomes)


def _of_metadata_log(one: Verified) -> str:
    """What to do with the metadata log, by whether its node votes, and who else does."""
    node = None if one.owner is None else one.owner.identity.number
    try:
        role = role_in_quorum(one.partition, node)
    except UnreadableFile:
        role = Role()
    return " ".join(metadata_advice(role))
