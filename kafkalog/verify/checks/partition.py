"""One partition: its facts go through all checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.log_digests import together
from kafkalog.core.properties import format_uuid
from kafkalog.files.log_dir import RECOVERY_POINTS
from kafkalog.files.paths import join
from kafkalog.files.source import hashes_of
from kafkalog.kafka.gone_offsets import is_uncleaned
from kafkalog.kafka.scanned_log import PackedLogs
from kafkalog.verify.checks.compaction import compaction_subjects
from kafkalog.verify.checks.controller import claim_of
from kafkalog.verify.checks.files import file_subjects
from kafkalog.verify.checks.foreign_logs import replaced_logs
from kafkalog.verify.checks.metadata_log import metadata_log_subjects
from kafkalog.verify.checks.overwritten import with_overwritten
from kafkalog.verify.checks.producers import producer_subjects
from kafkalog.verify.checks.segments import segment_subjects
from kafkalog.verify.finding import Severity
from kafkalog.verify.fitting import fitted_to_files
from kafkalog.verify.report import NotChecked, PartitionReport, in_order
from kafkalog.verify.rule import RULES, findings_of, loss_of
from kafkalog.verify.rules.copies import BinaryLineEnds, TextLineEnds
from kafkalog.verify.rules.tails import end_cut_off
from kafkalog.verify.sound_parts import sound_parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from uuid import UUID

    from kafkalog.core.log_digests import LogDigests
    from kafkalog.replay.producers import OpenTransaction
    from kafkalog.replay.regular_records import RegularLog
    from kafkalog.verify.checks.controller import PartitionClaim
    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.finding import Finding

__all__ = ["JudgedPartition", "judge_partition"]

_KEYS_NOT_READ = "whether the log cleaner explains the offsets that are missing: keys of records tell, and --quick reads none"
_TAILS = frozenset({"log-tail-torn", "log-tail-garbage", "log-tail-zeroed"})
_HOLES_INSIDE = frozenset({"offset-gap", "segment-start-gap"})
_CHECKS: tuple[Callable[[PartitionFacts], Iterator[object]], ...] = (
    segment_subjects,
    producer_subjects,
    file_subjects,
    compaction_subjects,
    metadata_log_subjects,
)


class JudgedPartition(NamedTuple):
    """What was found in a partition by itself, and all of its facts that is needed later.

    It travels between processes, and there may be thousands, so that it is little.

    Args:
        report: What was found.
        not_checked: What could not be judged.
        topic_id: From its `partition.metadata`.
        claim: What it says of itself that a controller may know otherwise.
        open_transactions: Those without a marker in its log, oldest first.
        scanned_logs: Name of a `.log` → the part of it that was found sound.
        compacted: Whether its log was compacted, by what is said of it and by its batches.
        is_cleaned: Whether its batches show that the log cleaner went over them.
        kinds: Of the files that are there: suffixes of the segments' files, names of the others.
        texts_of_windows: Text files whose lines end in CR LF.
        line_ends: Path of a binary file → how its line ends were changed.
        regular: Of a coordinator's topic what its records say of a load, where all are regular; None: only a replay tells.
    """

    report: PartitionReport
    not_checked: tuple[NotChecked, ...]
    topic_id: UUID | None
    claim: PartitionClaim | None
    open_transactions: tuple[OpenTransaction, ...]
    scanned_logs: PackedLogs
    compacted: bool
    is_cleaned: bool
    kinds: frozenset[str]
    texts_of_windows: tuple[str, ...]
    line_ends: Mapping[str, str]
    regular: RegularLog | None


def judge_partition(facts: PartitionFacts) -> JudgedPartition:
    """Judge a partition by itself."""
    not_checked = [*facts.not_checked]
    hashes = tuple(_hashes(facts, not_checked)) if facts.directory.settings.hash else ()
    damaged = next((scan for scan in facts.scans if scan.damaged), None)
    whole = damaged or (facts.scans[-1] if facts.scans else None)
    valid = None
    if whole is not None:
        valid = whole.valid_offset if whole.valid_offset is not None else whole.base_offset - 1
    found = with_overwritten(facts, _findings(facts))
    graded = _graded(facts, [*_with_line_ends(facts, found)])
    findings = in_order(fitted_to_files(facts, _with_replaced_logs(facts, graded)))
    if facts.directory.settings.quick and any(map(_may_be_cleaned, findings)):
        not_checked.append(NotChecked(facts.path, _KEYS_NOT_READ))
    report = PartitionReport(
        path=facts.path,
        topic=facts.partition.topic,
        partition=facts.partition.number,
        findings=findings,
        valid_through_offset=valid,
        valid_file=whole.path if whole is not None else "",
        valid_position=whole.valid_position if whole is not None else 0,
        log_start_offset=facts.log_start,
        log_end_offset=facts.log_end,
        segments=len(facts.directory.segments),
        batches=sum(scan.batches for scan in facts.scans),
        records=sum(scan.records for scan in facts.scans),
        bytes=facts.byte_count,
        readable=not any(item.failed for item in not_checked),
        files=facts.file_count,
        last_segment=facts.directory.active,
        hashes=hashes,
        topic_id=None if facts.topic_id is None else format_uuid(facts.topic_id),
        cleaned=facts.compacted or any(map(_may_be_cleaned, findings)),
        digests=_digests(facts),
    )
    return JudgedPartition(
        report=report,
        not_checked=tuple(not_checked),
        topic_id=facts.topic_id,
        claim=claim_of(facts),
        open_transactions=facts.producers.open,
        scanned_logs=PackedLogs(sound_parts_of(facts.scans, findings)),
        compacted=facts.compacted,
        is_cleaned=facts.is_cleaned,
        kinds=facts.directory.kinds,
        texts_of_windows=facts.texts_of_windows,
        line_ends=facts.line_ends,
        regular=facts.regular,
    )


def _digests(facts: PartitionFacts) -> LogDigests | None:
    """Those of the log; None where they were not asked for, or tell nothing: replicas are compacted each at its own time."""
    of_segments = [scan.digests for scan in facts.scans if scan.digests is not None]
    is_whole = len(of_segments) == len(facts.scans) > 0
    return together(of_segments) if is_whole and not facts.compacted and facts.directory.settings.digests else None


def _findings(facts: PartitionFacts) -> Iterator[Finding]:
    """What the scans found, and what the rules say about the subjects of all checks."""
    own = {scan.path for scan in facts.scans}
    for scan in facts.all_scans:
        # What is being cleaned or deleted may have any gaps.
        yield from (finding for finding in scan.findings if scan.path in own or not RULES[finding.id].history)
    for check in _CHECKS:
        for subject in check(facts):
            yield from findings_of(subject)


def _with_replaced_logs(facts: PartitionFacts, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, and what they say together of logs that were put in the place of others."""
    findings = tuple(findings)
    yield from findings
    for subject in replaced_logs(facts, findings):
        yield from findings_of(subject)


def _with_line_ends(facts: PartitionFacts, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Tell of changed line ends, in the place of what follows from them."""
    changed = facts.line_ends
    of_logs = any(scan.path in changed for scan in facts.scans)
    if of_logs:
        # What the segments say of each other, and the other files of them, cannot be judged then.
        findings = (finding for scan in facts.all_scans for finding in scan.findings)
    yield from (finding for finding in findings if finding.path not in changed)
    if facts.texts_of_windows and not facts.context.in_log_dir and not of_logs:
        yield from findings_of(TextLineEnds(path=facts.path, files=tuple(sorted(facts.texts_of_windows))))
    if changed:
        yield from findings_of(BinaryLineEnds(path=facts.path, files=tuple(sorted(changed.items()))))


def _graded(facts: PartitionFacts, findings: list[Finding]) -> Iterator[Finding]:
    """The findings, those that only hold for logs that were never compacted graded by what is known of that."""
    lone_hole = sum(finding.id in _HOLES_INSIDE for finding in findings) <= 1
    for finding in findings:
        if not RULES[finding.id].history:
            yield _at_most(facts, _counted(facts, finding))
        elif "proven" in finding.facts:
            yield _at_most(facts, finding)
        elif facts.compacted:
            continue
        elif _is_certain(facts, finding, lone_hole=lone_hole):
            yield finding
        else:
            yield RULES[finding.id].if_explained(finding)


def _may_be_cleaned(finding: Finding) -> bool:
    """Whether a finding tells of offsets that the log cleaner may have removed, or that may be lost."""
    return finding.severity is Severity.INFO and RULES[finding.id].history and RULES[finding.id].loses is not None


def _at_most(facts: PartitionFacts, finding: Finding) -> Finding:
    """A finding about lost offsets; in a log that was compacted not each of them need have had a record."""
    offsets = finding.offsets
    if offsets is None or offsets[0] == offsets[1] or loss_of(finding) is None or not facts.compacted:
        return finding
    consequence = f"{finding.consequence} The log cleaner may have removed some of these offsets before."
    return finding._replace(facts=finding.facts | {"at_most": True}, consequence=consequence)


def _counted(facts: PartitionFacts, finding: Finding) -> Finding:
    """A finding about the end of the log; how far that went is told by the recovery point, where the bytes tell less."""
    point, end = facts.line(RECOVERY_POINTS), facts.log_end
    if finding.id not in _TAILS or not facts.directory.clean or point is None or end is None:
        return finding
    known_to = end - 1 if finding.offsets is None else finding.offsets[1]
    if finding.path != facts.scans[-1].path or point.offset - 1 <= known_to:
        return finding
    known = {name: value for name, value in finding.facts.items() if name != "offsets_unknown"}
    if finding.id == "log-tail-torn":
        known["effect"] = end_cut_off(end, point.offset - 1)
    return RULES[finding.id].retold(finding, known)._replace(offsets=(end, point.offset - 1))


def _is_certain(facts: PartitionFacts, finding: Finding, *, lone_hole: bool) -> bool:
    """Whether no log cleaner explains a finding."""
    first = finding.offsets[0] if finding.offsets is not None else 0
    return is_uncleaned(first, facts.remains, facts.context, lone_hole=lone_hole)


def _hashes(facts: PartitionFacts, not_checked: list[NotChecked]) -> list[tuple[str, str]]:
    """Path and SHA-256 of every file of the directory: those of the scans, and the others."""
    found = {path: digest for scan in facts.all_scans for path, digest in scan.hashes.items()}
    done = {*found, *(item.path for item in not_checked)}
    others = [path for path in (join(facts.path, name) for name in facts.partition.files) if path not in done]
    found |= hashes_of(others, lambda error: not_checked.append(NotChecked(error.path, error.reason, failed=True)))
    return sorted(found.items())
