"""Remote storage in a run of `verify`: the partitions in it, and what `__remote_log_metadata` and the local logs know of them.

The records of `__remote_log_metadata` are read after the local logs were listed, and remote storage last. So what a broker
copies and deletes meanwhile can contradict only what the two last ones say; where they do, both are read once more.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import parse_remote_file_name
from kafkalog.core.spoken import count_text
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import LOG_STARTS
from kafkalog.files.partition import Partition
from kafkalog.files.paths import join
from kafkalog.files.tier import RemotePartition, partitions_below, read_partition
from kafkalog.replay.remote_segments import COPY_FINISHED, TOPIC, RemoteLogs, read_remote_logs
from kafkalog.verify.checks.brokers import add_findings
from kafkalog.verify.checks.tiers import (
    LocalLog,
    ScannedTier,
    Tier,
    copied_ranges,
    expected_path,
    not_lost,
    scan_tier,
    tier_report,
    tier_subjects,
)
from kafkalog.verify.finding import Severity
from kafkalog.verify.report import NotChecked, PartitionReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from kafkalog.core.filename import RemotePartitionName
    from kafkalog.replay.remote_segments import KnownPartition
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.journal import ScanJournal
    from kafkalog.verify.scan.results import Settings
    from kafkalog.verify.verified import Verified

__all__ = ["Tiers"]


class _Place(NamedTuple):
    """A partition's directory in remote storage; `only` is the stem of the one segment that is wanted, "" for all."""

    path: str
    only: str = ""

    def read(self) -> RemotePartition:
        found = read_partition(self.path)
        kept = tuple(one for one in found.segments if not self.only or one.name.stem == self.only)
        return found._replace(segments=kept)


class Tiers:
    """What was given of remote storage.

    Args:
        settings: What the caller wants.
        is_chosen: Whether a topic or partition directory of a name is wanted.
        journal: Where scans are noted; None: nowhere.
    """

    def __init__(self, settings: Settings, is_chosen: Callable[[str], bool], journal: ScanJournal | None) -> None:
        self._settings = settings
        self._journal = journal
        self._is_chosen = is_chosen
        self._places: list[_Place] = []
        #: Folders of which all partitions are looked at.
        self._roots: list[str] = []
        #: Folders without a file, which may have been remote storage.
        self._empty: list[NotChecked] = []
        #: The one that was.
        self._emptied: str | None = None
        self._scanned: dict[str, ScannedTier] = {}
        self.not_checked: list[NotChecked] = []
        self.reports: list[PartitionReport] = []
        self.left_out = 0

    def add(self, path: str) -> None:
        """Take in all partitions of remote storage.

        Raises:
            UnreadableFile: a directory cannot be listed.
        """
        self._roots.append(path)
        for one in partitions_below(path):
            if self._is_chosen(_local_name(_Place(one).read().name)):
                self._places.append(_Place(one))
            else:
                self.left_out += 1

    def add_empty(self, missed: NotChecked) -> None:
        """Take in a folder without a file. What is told of it where it was no remote storage: `missed`."""
        self._empty.append(missed)

    def add_partition(self, path: str) -> None:
        """Take in one partition."""
        self._places.append(_Place(path))

    def add_file(self, path: str) -> None:
        """Take in the segment that a file belongs to."""
        folder, name = os.path.split(path)
        parsed = parse_remote_file_name(name)
        assert parsed is not None
        self._places.append(_Place(folder or ".", parsed.stem))

    def scan(self, executor: Executor | None) -> None:
        """Scan the segments."""
        for place in self._places:
            try:
                self._scanned[place.path] = scan_tier(place.read(), self._settings, executor, self._journal)
            except UnreadableFile as error:
                self.not_checked.append(NotChecked(error.path, error.reason, failed=True))

    def judge(self, verified: list[Verified]) -> None:
        """Judge what is in remote storage, and what local logs say of it; findings about these are added to their reports."""
        described = [one for one in verified if one.topic == TOPIC and not one.is_file and not _is_marked(one)]
        logs = self._read_logs(Partition(one.directory, one.listed) for one in described)
        self._take_empty(logs)
        tiers = list(self._tiers(verified, logs))
        reports = [self._report(tier) for tier in tiers]
        if any(map(_is_loud, reports)) and (described or self._places):
            again = self._read_logs(Partition(one.directory) for one in described)
            seen = {_identity(one) for report in reports for one in report.findings}
            reports = [self._report(tier) for tier in self._tiers(verified, again)]
            reports = [replace(one, findings=tuple(f for f in one.findings if _identity(f) in seen)) for one in reports]
        self.reports = reports
        for scanned in self._scanned.values():
            self.not_checked += scanned.not_checked
            for scan in scanned.scans.values():
                self.not_checked += [NotChecked(path, reason, failed=True) for path, reason in scan.failures]
                self.not_checked += [NotChecked(path, reason) for path, reason in scan.not_checked]
        self._say_what_is_not_known(tiers, described)
        self._keep_what_is_copied(verified, tiers, logs)
        local = self._local(verified, logs)
        add_findings(verified, ((number, subject) for number, tier in local for subject in tier_subjects(tier)))

    def _take_empty(self, logs: RemoteLogs) -> None:
        """A folder without a file was remote storage if that is all that was given, and something has been copied."""
        copied = sum(len(known.in_state(COPY_FINISHED)) for known in logs.partitions.values() if not known.deleted)
        if not copied or len(self._empty) != 1 or self._places or self._roots:
            self.not_checked += self._empty
            return
        self._emptied = self._empty[0].path
        reason = f"no file is in it: taken for emptied remote storage, since {count_text(copied, 'segment')} were copied"
        self.not_checked.append(NotChecked(self._emptied, reason))

    def _keep_what_is_copied(self, verified: list[Verified], tiers: list[Tier], logs: RemoteLogs) -> None:
        """Local logs have not lost what remote storage has."""
        stores = {(tier.known.topic_id, tier.known.partition): tier for tier in tiers if tier.known is not None}
        for key, known in logs.partitions.items():
            copied = copied_ranges(stores.get(key, Tier("", known=known)))
            for number in _places_of(verified, known.topic, known.partition, known.topic_id) if copied else ():
                report = verified[number].report
                findings = tuple(not_lost(finding, copied) for finding in report.findings)
                verified[number].report = replace(report, findings=findings)

    def _read_logs(self, partitions: Iterable[Partition]) -> RemoteLogs:
        try:
            return read_remote_logs(partitions)
        except UnreadableFile as error:
            self.not_checked.append(NotChecked(error.path, error.reason, failed=True))
            return RemoteLogs(is_whole=False)

    def _report(self, tier: Tier) -> PartitionReport:
        scanned = self._scanned.get(tier.path)
        return tier_report(tier, () if scanned is None else scanned.not_checked)

    def _tiers(self, verified: list[Verified], logs: RemoteLogs) -> Iterator[Tier]:
        """The partitions that are looked at in remote storage, and those that are missing there."""
        seen = set()
        is_encoded, beside = False, ""
        for place in self._places:
            if place.path not in self._scanned:
                continue
            try:
                store = place.read()
            except UnreadableFile as error:
                self.not_checked.append(NotChecked(error.path, error.reason, failed=True))
                continue
            scanned = self._scanned[place.path]
            known = None
            if store.name is not None:
                seen.add((store.name.topic_id, store.name.partition))
                known = logs.partitions.get((store.name.topic_id, store.name.partition))
            if place.only and known is not None:
                own = {one: known.segments[one] for one in known.segments if place.only.endswith(f"-{one}")}
                known = replace(known, segments=own)
            is_encoded |= any(one.is_encoded for one in store.segments)
            if known is not None:
                beside = beside or place.path
            local = (
                None
                if store.name is None
                else _local_log(verified, store.name.topic, store.name.partition, store.name.topic_id)
            )
            yield Tier(place.path, store, scanned.scans, known, logs.is_whole, local)
        if self._emptied is not None:
            beside = join(self._emptied, "")
        elif not self._roots or not seen & logs.partitions.keys():
            return
        for key, known in logs.partitions.items():
            if key not in seen and known.in_state(COPY_FINISHED) and not known.deleted and self._is_chosen(_name_of(known)):
                path = expected_path(beside, known, is_encoded=is_encoded)
                local = _local_log(verified, known.topic, known.partition, known.topic_id)
                yield Tier(path, RemotePartition(path, None, ()), known=known, is_whole=logs.is_whole, local=local)

    def _local(self, verified: list[Verified], logs: RemoteLogs) -> Iterator[tuple[int, Tier]]:
        """The partitions of which no remote storage was given, with the place of what their findings are told of."""
        if self._roots or self._emptied is not None:
            return
        looked_at = {(report.topic_id, report.partition) for report in self.reports}
        for key, known in logs.partitions.items():
            if key in looked_at:
                continue
            at = _places_of(verified, known.topic, known.partition, known.topic_id)
            told = at or _places_of_records(verified, known)
            if told:
                local = _local_log(verified, known.topic, known.partition, known.topic_id)
                yield told[0], Tier(verified[told[0]].directory, known=known, is_whole=logs.is_whole, local=local)

    def _say_what_is_not_known(self, tiers: list[Tier], described: list[Verified]) -> None:
        for tier in tiers:
            if tier.known is None and tier.store is not None and tier.store.segments:
                reason = "no `__remote_log_metadata` was given"
                if described:
                    reason = "no record of the `__remote_log_metadata` that was given is about it"
                self.not_checked.append(NotChecked(tier.path, f"{reason}: whether segments are missing is not known"))


def _is_loud(report: PartitionReport) -> bool:
    return any(finding.severity >= Severity.WARNING for finding in report.findings)


def _identity(finding: Finding) -> object:
    return finding.id, finding.path, finding.offsets


def _is_marked(one: Verified) -> bool:
    name = one.partition.name
    return name is None or bool(name.mark)


def _local_name(name: RemotePartitionName | None) -> str:
    return "" if name is None else f"{name.topic}-{name.partition}"


def _name_of(known: KnownPartition) -> str:
    return f"{known.topic}-{known.partition}"


def _places_of(verified: list[Verified], topic: str, partition: int, topic_id: str) -> list[int]:
    """Where the local logs of a partition are among those that were looked at."""
    return [
        number
        for number, one in enumerate(verified)
        if one.topic == topic
        and one.report.partition == partition
        and one.report.topic_id in (None, topic_id)
        and not one.is_file
        and not _is_marked(one)
    ]


def _places_of_records(verified: list[Verified], known: KnownPartition) -> list[int]:
    """Where the logs that tell of a partition's segments are among those that were looked at."""
    paths = {os.path.dirname(segment.path) for segment in known.segments.values()}
    return [number for number, one in enumerate(verified) if one.directory in paths]


def _local_log(verified: list[Verified], topic: str, partition: int, topic_id: str) -> LocalLog | None:
    """The local log of a partition; of several replicas the one that begins first."""
    found = []
    for number in _places_of(verified, topic, partition, topic_id):
        one = verified[number]
        segments = one.partition.segments
        if segments:
            lines = {} if one.owner is None else one.owner.of(os.path.basename(one.directory)).lines
            line = lines.get(LOG_STARTS)
            end = one.report.log_end_offset
            found.append(LocalLog(one.directory, None if line is None else line.offset, segments[0].base_offset, end))
    return min(found, key=lambda log: log.first, default=None)
