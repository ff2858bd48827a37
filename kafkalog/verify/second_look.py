"""Looks at a partition directory: one is enough where nothing changes; a broker that runs may ask for another.

The listing, the small files and the segments of a directory are read one after the other. What a broker does meanwhile (it
rolls, deletes, compacts, truncates) can make them contradict each other. So what a look finds is believed when nothing has
changed since it began; else the directory is looked at again.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.errors import UnreadableFile, WorkerLost
from kafkalog.files.paths import file_states
from kafkalog.verify.checks.partition import PartitionCheck
from kafkalog.verify.finding import Severity
from kafkalog.verify.report import NotChecked
from kafkalog.verify.scan.results import SegmentScan
from kafkalog.verify.scan.segment import scan_segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from kafkalog.files.paths import FileState
    from kafkalog.verify.checks.partition import Surroundings
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import PartitionReport
    from kafkalog.verify.scan.results import SegmentTask, Settings

__all__ = ["Gone", "Look", "Looker"]

#: Looks at a directory that changes under each of them.
_MOST_LOOKS = 5


class Gone(UnreadableFile):
    """A directory was there when its log dir was listed, and is no longer."""


class Look(NamedTuple):
    """A directory that is being scanned. `states` are those of its files from before it was listed."""

    check: PartitionCheck
    states: dict[str, FileState]
    scans: list[SegmentScan | Future[SegmentScan]]


@dataclass(frozen=True, slots=True)
class Looker:
    """Looks at partition directories.

    Args:
        settings: What the caller wants.
        executor: Where to scan; None: here.
        threads: How many threads a scan here may take.
    """

    settings: Settings
    executor: Executor | None
    threads: int

    def begin(self, path: str, around: Surroundings, before: Look | None = None) -> Look:
        """List a directory and have it scanned, but for the segments that are as they were in the look before.

        Raises:
            Gone: the directory is no longer there.
            UnreadableFile: it cannot be listed.
        """
        try:
            states = file_states(path)
            check = PartitionCheck(path, around, self.settings)
        except UnreadableFile as error:
            if not os.path.lexists(path):
                raise Gone(error.path, error.reason) from None
            raise
        known = {} if before is None else _unchanged(before, states)
        return Look(check, states, [known.get(task) or self._scan(task) for task in check.tasks])

    def _scan(self, task: SegmentTask) -> SegmentScan | Future[SegmentScan]:
        return scan_segment(task, self.threads) if self.executor is None else self.executor.submit(scan_segment, task)

    def finish(self, look: Look, around: Callable[[], Surroundings]) -> tuple[PartitionCheck, PartitionReport]:
        """Judge a directory, after more looks if it changes: what is reported was found while nothing did, or twice.

        Args:
            look: The first look.
            around: Gives the surroundings as they are now.

        Raises:
            Gone, UnreadableFile: as for `begin`.
        """
        found: set[object] | None = None
        for number in range(1, _MOST_LOOKS + 1):
            look = _collected(look)
            report = look.check.finish([scan for scan in look.scans if isinstance(scan, SegmentScan)])
            if not _is_alarming(look.check, report) or _states(look) == look.states:
                break
            if number == _MOST_LOOKS:
                report = _found_again(look.check, report, found or set())
                break
            found = {_identity(finding) for finding in report.findings}
            look = self.begin(look.check.path, around(), look)
        return look.check, report


def _states(look: Look) -> dict[str, FileState]:
    """The states of the files now."""
    try:
        return file_states(look.check.path)
    except UnreadableFile:
        return {}


def _collected(look: Look) -> Look:
    """The look with its scans done; one whose worker was lost is a log that cannot be read."""
    scans: list[SegmentScan | Future[SegmentScan]] = []
    for task, scan in zip(look.check.tasks, look.scans, strict=True):
        if not isinstance(scan, SegmentScan):
            try:
                scans.append(scan.result())
            except WorkerLost as error:
                path = task.paths.get(".log", look.check.path)
                scans.append(SegmentScan(base_offset=task.base_offset, path=path, damaged=True, failures=((path, str(error)),)))
        else:
            scans.append(scan)
    return look._replace(scans=scans)


def _unchanged(look: Look, states: dict[str, FileState]) -> dict[SegmentTask, SegmentScan]:
    """The scans of a look whose files are what they were before it."""
    kept: dict[SegmentTask, SegmentScan] = {}
    for task, scan in zip(look.check.tasks, look.scans, strict=True):
        names = [os.path.basename(path) for path in task.paths.values()]
        if isinstance(scan, SegmentScan) and all(name in states and states[name] == look.states.get(name) for name in names):
            kept[task] = scan
    return kept


def _is_alarming(check: PartitionCheck, report: PartitionReport) -> bool:
    """Whether a look found what a change under it could explain."""
    loud = any(finding.severity >= Severity.WARNING for finding in report.findings)
    return loud or any(item.failed for item in check.not_checked)


def _identity(finding: Finding) -> object:
    return finding.id, finding.path, finding.span, finding.offsets


def _found_again(check: PartitionCheck, report: PartitionReport, before: set[object]) -> PartitionReport:
    """The report without what only the last look found."""
    kept = tuple(f for f in report.findings if f.severity < Severity.WARNING or _identity(f) in before)
    if len(kept) < len(report.findings):
        reason = f"it changed each of the {_MOST_LOOKS} times that it was read: what was seen only once is left out"
        check.not_checked.append(NotChecked(check.path, reason, failed=True))
    return replace(report, findings=kept)
