"""Clean-shutdown markers that the logs contradict, and the findings that only follow from such a marker."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.files.log_dir import CLEAN_SHUTDOWN, RECOVERY_POINTS
from kafkalog.next_start.clean_marker import StopTraces, contradiction, is_closed_by_a_stop
from kafkalog.verify.checks.log_dir import LogDirCheck
from kafkalog.verify.checks.partition import judge_partition
from kafkalog.verify.facts import DirectoryFacts, read_facts
from kafkalog.verify.finding import Cause
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.log_dir_files import ContradictedMarker
from kafkalog.verify.scan.segment import scan_segment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from kafkalog.verify.finding import Finding
    from kafkalog.verify.verified import Verified

__all__ = ["doubt_markers"]

#: What a log lacks of a clean stop: the findings that say so, in the order of `StopTraces`.
_TRACES = ("recovery-point-behind-end", "recovery-point-missing", "snapshot-at-end-missing", "index-padded")


def doubt_markers(verified: Sequence[Verified], log_dirs: Iterable[LogDirCheck]) -> Iterator[Finding]:
    """Findings about markers that most of the logs beside them contradict.

    Such a log dir counts as one that was not stopped cleanly from here on. What was found in it by itself keeps its severity,
    for the broker does believe the marker; what would not be found without the marker names it as its cause.
    """
    for log_dir in log_dirs:
        own = [one for one in verified if one.owner is log_dir and not one.is_file]
        marker = _contradicted(log_dir, own) if log_dir.clean else None
        if marker is None:
            continue
        yield from findings_of(marker)
        log_dir.clean = False
        _name_the_marker(log_dir, own, Cause("clean-marker-false", marker.path))


def _contradicted(log_dir: LogDirCheck, own: Sequence[Verified]) -> ContradictedMarker | None:
    """The marker of a log dir as its logs contradict it; None when they do not, or when they are the fewer."""
    reports = [one.report for one in own if is_closed_by_a_stop(one.directory) and one.report.log_end_offset]
    ids = [{finding.id for finding in report.findings} for report in reports]
    traces = [StopTraces(*(name in found for name in _TRACES)) for found in ids]
    # A broker that is killed in its first minute has not written any recovery point yet.
    no_points = any(f.id == "checkpoint-emptied" and f.path.endswith(f"/{RECOVERY_POINTS}") for f in log_dir.findings)
    found = contradiction(traces, no_points=no_points)
    if found is None:
        return None
    size = log_dir.log_dir.directory.size_of(CLEAN_SHUTDOWN) or 0
    return ContradictedMarker(
        path=log_dir.marker_path,
        size=size,
        judged=found.judged,
        points=found.against,
        snapshots=found.without_snapshot,
        padded=found.padded,
    )


def _name_the_marker(log_dir: LogDirCheck, own: Sequence[Verified], cause: Cause) -> None:
    """Judge a log dir once more as if it had no marker: what is not found then follows from it."""
    doubted = LogDirCheck(log_dir.log_dir.without_marker(), log_dir.settings)
    log_dir.findings = _caused(log_dir.findings, doubted.findings, cause)
    for one in own:
        directory = DirectoryFacts(one.listed, doubted.of(one.directory.rpartition("/")[2]), log_dir.settings)
        report = judge_partition(read_facts(directory, [scan_segment(task) for task in directory.tasks])).report
        one.report = replace(one.report, findings=tuple(_caused(one.report.findings, report.findings, cause)))


def _caused(found: Iterable[Finding], otherwise: Iterable[Finding], cause: Cause) -> list[Finding]:
    """Findings, with their cause those that there are not, or not as grave, otherwise."""
    left = {_key(finding) for finding in otherwise}
    return [finding if _key(finding) in left else finding._replace(cause=cause) for finding in found]


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.id, finding.severity, finding.path, finding.span, finding.offsets
