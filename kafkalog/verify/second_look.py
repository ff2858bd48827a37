"""Looks at a partition directory: one is enough where nothing changes; a broker that runs may ask for another.

The listing, the small files and the segments of a directory are read one after the other. What a broker does meanwhile (it
rolls, deletes, compacts, truncates) can make them contradict each other. So what a look finds is believed when nothing has
changed since it began; else the directory is looked at again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.errors import UnreadableFile, WorkerLost
from kafkalog.files.bundles import Bundles
from kafkalog.files.mounted import node_at
from kafkalog.files.paths import has_gone
from kafkalog.files.source import size_of
from kafkalog.verify.checks.partition import judge_partition
from kafkalog.verify.facts import DirectoryFacts, read_facts
from kafkalog.verify.finding import Severity
from kafkalog.verify.report import NotChecked
from kafkalog.verify.scan.journal import Pending, noted_or_begun
from kafkalog.verify.scan.parts import WHOLE, joined
from kafkalog.verify.scan.results import SegmentScan
from kafkalog.verify.scan.segment import scan_part, scan_segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Executor, Future

    from kafkalog.files.bundles import Share
    from kafkalog.files.directory import Directory, FileState
    from kafkalog.files.log_dir import PartitionContext
    from kafkalog.verify.checks.partition import JudgedPartition
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.journal import Place, ScanJournal
    from kafkalog.verify.scan.key_notes import KeyNotes
    from kafkalog.verify.scan.parts import Division, Part, PartScan
    from kafkalog.verify.scan.results import SegmentTask, Settings

__all__ = ["Gone", "Look", "Looker"]

#: Bytes of a directory up to which one worker looks at all of it: what it costs to share it out, and to judge it here, is more.
_SMALL = 4 << 20
#: Looks at a directory that changes under each of them.
_MOST_LOOKS = 5


class Gone(UnreadableFile):
    """A directory was there when its log dir was listed, and is no longer."""


class Look(NamedTuple):
    """A directory that is being scanned."""

    directory: DirectoryFacts
    scans: list[SegmentScan | Pending | Divided]
    #: Of a small directory, where the worker is that looks at all of it.
    share: Share[Seen] | None = None

    @property
    def size(self) -> float:
        """How many tasks it is for workers; of small directories several are one."""
        return len(self.scans) if self.share is None else 0.25


class Seen(NamedTuple):
    """What a worker made of a small directory.

    `files` are those that it has read of it, by name. `is_settled`: nothing that a change could explain was found, or nothing
    had changed when it was done.
    """

    judged: JudgedPartition
    files: Mapping[str, bytes | UnreadableFile]
    is_settled: bool


class Divided(NamedTuple):
    """The scan of a segment that is done in parts."""

    task: SegmentTask
    parts: list[Future[PartScan]]
    executor: Executor
    place: Place | None

    def result(self) -> SegmentScan:
        """The scan, noted."""
        scan = joined(part.result() for part in self.parts)
        for part in self.parts:
            part.cancel()  # those after one that went on to the end
        if scan is None:
            scan = self.executor.submit(scan_segment, self.task).result()
        if self.place is not None:
            self.place.note(scan)
        return scan


@dataclass(slots=True)
class Looker:
    """Looks at partition directories.

    Args:
        settings: What the caller wants.
        executor: Where to scan; None: here.
        threads: How many threads a scan here may take.
        journal: Where scans are noted, so that a later run need not do them again; None: nowhere.
        division: How large segments are divided among the workers of the executor; None: not at all.
    """

    settings: Settings
    executor: Executor | None
    threads: int
    journal: ScanJournal | None = None
    division: Division | None = None
    _bundles: Bundles[DirectoryFacts, Seen] | None = None

    def begin(self, listed: Callable[[], tuple[Directory, PartitionContext]], before: Look | None = None) -> Look:
        """Have a directory scanned, but for the segments that are as they were in the look before.

        Args:
            listed: Gives the directory, and what its log dir says of it.
            before: The look before.

        Raises:
            Gone: the directory is no longer there.
            UnreadableFile: it cannot be listed.
        """
        try:
            directory = DirectoryFacts(*listed(), self.settings)
        except UnreadableFile as error:
            if has_gone(error.path):
                raise Gone(error.path, error.reason) from None
            raise
        if self.executor is not None and before is None and self._is_for_one_worker(directory):
            self._bundles = self._bundles or Bundles(self.executor, look_at)
            return Look(directory, [], self._bundles.add(directory, directory.listed.size))
        return Look(directory, self._scans(directory, {} if before is None else _unchanged(before, directory.listed.states)))

    def _scans(
        self, directory: DirectoryFacts, unchanged: dict[SegmentTask, SegmentScan]
    ) -> list[SegmentScan | Pending | Divided]:
        """Those of the segments of a directory, done or begun."""
        keys = directory.keys
        if keys is not None and (unchanged or self.executor is not None or self.journal is not None):
            keys.give_up()
        return [unchanged.get(task) or self._scan(task, keys) for task in directory.tasks]

    def _is_for_one_worker(self, directory: DirectoryFacts) -> bool:
        """Whether a worker is to look at all of a directory: what is noted in a journal are segments."""
        if self.division is None or self.journal is not None:
            return False
        return directory.listed.size <= _SMALL

    def _judged(self, look: Look) -> tuple[Look, JudgedPartition, bool]:
        """The look with its scans done, the directory judged, and whether that is settled (`Seen`)."""
        if look.share is not None:
            with suppress(WorkerLost):  # by which of its segments, the next will tell
                seen = look.share.result()
                look.directory.listed.take_over(seen.files)
                return Look(look.directory, []), seen.judged, seen.is_settled
            look = Look(look.directory, self._scans(look.directory, {}))
        look = _collected(look)
        scans = [scan for scan in look.scans if isinstance(scan, SegmentScan)]
        judged = judge_partition(read_facts(look.directory, scans))
        return look, judged, _is_settled(judged, look.directory)

    def _scan(self, task: SegmentTask, keys: KeyNotes | None) -> SegmentScan | Pending | Divided:
        place = None if self.journal is None else self.journal.place_of(task)
        of_segment = None if task.mark else keys
        return noted_or_begun(
            place,
            self.executor,
            lambda: scan_segment(task, self.threads, of_segment),
            lambda executor: self._sent(task, executor, place),
        )

    def _sent(self, task: SegmentTask, executor: Executor, place: Place | None) -> Pending | Divided:
        parts = self._parts_of(task)
        if len(parts) > 1 and not self.settings.quick:
            return Divided(task, [executor.submit(scan_part, task, part) for part in parts], executor, place)
        return Pending.of(executor.submit(scan_segment, task, min(len(parts), self.threads)), place)

    def _parts_of(self, task: SegmentTask) -> list[Part]:
        """The parts of a segment; what is no file of its own is read from front to back."""
        path = task.paths.get(".log")
        if self.division is None or path is None or task.kraft or node_at(path) is not None:
            return [WHOLE]
        return self.division.parts_of(size_of(path) or 0)

    def finish(
        self, look: Look, listed_now: Callable[[], tuple[Directory, PartitionContext]]
    ) -> tuple[Directory, JudgedPartition]:
        """Judge a directory, after more looks if it changes: what is reported was found while nothing did, or twice.

        Args:
            look: The first look.
            listed_now: Gives the directory, and what its log dir says of it, as they are now.

        Returns:
            The directory as it was listed for the last look, and what was found.

        Raises:
            Gone, UnreadableFile: as for `begin`.
        """
        found: set[object] | None = None
        for number in range(1, _MOST_LOOKS + 1):
            look, judged, is_settled = self._judged(look)
            if is_settled:
                break
            if number == _MOST_LOOKS:
                judged = _found_again(judged, found or set())
                break
            found = {_identity(finding) for finding in judged.report.findings}
            look = self.begin(listed_now, look)
        return look.directory.listed, judged


def look_at(directories: Iterable[DirectoryFacts]) -> list[Seen]:
    """Scan and judge partition directories."""
    return list(map(_seen, directories))


def _seen(directory: DirectoryFacts) -> Seen:
    keys = directory.keys
    scans = [scan_segment(task, 1, None if task.mark else keys) for task in directory.tasks]
    judged = judge_partition(read_facts(directory, scans))
    return Seen(judged, directory.listed.files_read, _is_settled(judged, directory))


def _collected(look: Look) -> Look:
    """The look with its scans done; one whose worker was lost is a log that cannot be read."""
    scans: list[SegmentScan | Pending | Divided] = []
    for task, scan in zip(look.directory.tasks, look.scans, strict=True):
        if not isinstance(scan, SegmentScan):
            try:
                scans.append(scan.result())
            except WorkerLost as error:
                path = task.paths.get(".log", look.directory.path)
                scans.append(SegmentScan(base_offset=task.base_offset, path=path, damaged=True, failures=((path, str(error)),)))
        else:
            scans.append(scan)
    return look._replace(scans=scans)


def _unchanged(look: Look, states: dict[str, FileState]) -> dict[SegmentTask, SegmentScan]:
    """The scans of a look whose files are what they were before it."""
    kept: dict[SegmentTask, SegmentScan] = {}
    if not look.scans:
        return kept  # a worker has done them
    before = look.directory.listed.states
    for task, scan in zip(look.directory.tasks, look.scans, strict=True):
        names = [os.path.basename(path) for path in task.paths.values()]
        if isinstance(scan, SegmentScan) and all(name in states and states[name] == before.get(name) for name in names):
            kept[task] = scan
    return kept


def _is_settled(judged: JudgedPartition, directory: DirectoryFacts) -> bool:
    """Whether a look found nothing that a change under it could explain, or nothing has changed."""
    loud = any(finding.severity >= Severity.WARNING for finding in judged.report.findings)
    return not (loud or any(item.failed for item in judged.not_checked)) or not directory.listed.has_changed()


def _identity(finding: Finding) -> object:
    return finding.id, finding.path, finding.span, finding.offsets


def _found_again(judged: JudgedPartition, before: set[object]) -> JudgedPartition:
    """What was found, without what only the last look found."""
    report, not_checked = judged.report, judged.not_checked
    kept = tuple(f for f in report.findings if f.severity < Severity.WARNING or _identity(f) in before)
    if len(kept) < len(report.findings):
        reason = f"it changed each of the {_MOST_LOOKS} times that it was read: what was seen only once is left out"
        not_checked = (*not_checked, NotChecked(report.path, reason, failed=True))
    return judged._replace(report=replace(report, findings=kept), not_checked=not_checked)
