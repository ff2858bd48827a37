"""The reports of several runs compared with each other, as one run over everything compares what it has looked at.

What is compared is what each run has told (`verify.told`), by the same checks and rules. A finding in which only one run takes
part is that of the run: its severity may have been changed there, or it may have been left out.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from kafkalog.core.filename import METADATA_TOPICS, parse_partition_name
from kafkalog.core.log_digests import first_difference
from kafkalog.core.properties import parse_uuid
from kafkalog.core.release import parse_release, release_text
from kafkalog.files.paths import real_name
from kafkalog.replay.controller import Claim
from kafkalog.verify.causes import name_causes
from kafkalog.verify.checks.brokers import compare_log_dirs, compare_partitions
from kafkalog.verify.checks.controller import Controllers, PartitionClaim
from kafkalog.verify.checks.replicas import compare_batches
from kafkalog.verify.fitting import Known, fit_again, is_replica, is_to_be_fitted
from kafkalog.verify.merging import merged
from kafkalog.verify.next_start import with_effects
from kafkalog.verify.report import in_order
from kafkalog.verify.rule import RULES, findings_of
from kafkalog.verify.rules.clusters import ClusterPair, ProducerIdBlocks, QuorumPair, SharedTopicId, TopicIdPair
from kafkalog.verify.rules.controllers import GIVEN_STATE, ControllerDifference
from kafkalog.verify.rules.log_dirs import DoubledPartition, SharedIds
from kafkalog.verify.rules.replicas import DigestPair
from kafkalog.verify.told import Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from uuid import UUID

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.replay.quorum import Quorum
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import PartitionReport, Report
    from kafkalog.verify.rules.replicas import ReplicaPair
    from kafkalog.verify.told import ToldLogDir, ToldMetadataLog, ToldPartition

__all__ = ["compared_with_each_other"]

#: The rule of replicas that differ.
_DIVERGES = "replica-diverges"
#: What rules are asked about that take part in a comparison of log dirs.
_SUBJECTS = (
    ClusterPair,
    ControllerDifference,
    DoubledPartition,
    ProducerIdBlocks,
    QuorumPair,
    SharedIds,
    SharedTopicId,
    TopicIdPair,
)


@dataclass(kw_only=True)
class _Partition:
    """A partition that a run has told of (`verify.verified.Compared`). `run`: the number of that; `told`: what it told."""

    report: PartitionReport
    run: int
    told: ToldPartition | None
    owner: ToldLogDir | None

    @property
    def directory(self) -> str:
        return self.report.path

    @property
    def topic(self) -> str:
        return self.report.topic or ""

    @cached_property
    def topic_id(self) -> UUID | None:
        return None if self.report.topic_id is None else parse_uuid(self.report.topic_id)

    @property
    def is_file(self) -> bool:
        return False  # of files nothing is told

    @cached_property
    def claim(self) -> PartitionClaim | None:
        name, told = parse_partition_name(real_name(self.directory)), self.told
        if told is None or name is None or name.mark or name.topic in METADATA_TOPICS:
            return None
        broker = None if self.owner is None else self.owner.identity.number
        claim = Claim(name.topic, name.partition, self.topic_id, told.epoch, broker)
        return PartitionClaim(told.path, claim, told.epoch_path, told.epoch_span, self.owner, told.producers)


class _Logs:
    """The logs of partitions, as far as runs have told of them (`checks.brokers.Logs`)."""

    def __init__(self, partitions: Sequence[_Partition], told: Mapping[str, ToldMetadataLog]) -> None:
        self._told = [told.get(one.directory) for one in partitions]

    def differ(self, number: int, other: int) -> ReplicaPair | None:
        here, there = self._told[number], self._told[other]
        if here is None or there is None:
            return None
        return compare_batches(here.path, here.heads.batches(), there.heads.batches())

    def quorum(self, number: int) -> Quorum | None:
        told = self._told[number]
        return None if told is None else told.quorum


def compared_with_each_other(reports: Sequence[Report]) -> Report:
    """One report of several runs, in which equal paths are the same place. The clock is that of the first run."""
    whole = merged(reports)
    runs = _Runs(reports, whole)
    runs.compare()
    versions = [parse_release(report.version) for report in reports if report.version is not None]
    return replace(
        whole,
        # What is in remote storage comes last, as in one run.
        partitions=tuple(sorted((one.report for one in runs.partitions), key=lambda report: report.is_remote)),
        findings=in_order(runs.findings),
        version=release_text(max(versions)) if versions else None,
    )


class _Runs:
    """Runs that are compared with each other."""

    def __init__(self, reports: Sequence[Report], whole: Report) -> None:
        self.findings: list[Finding] = list(whole.findings)
        self.partitions: list[_Partition] = []
        self._outcomes = whole.next_start
        #: By path: several runs may have looked at parts of one.
        self._log_dirs: dict[str, ToldLogDir] = {}
        self._metadata_logs: dict[str, ToldMetadataLog] = {}
        #: Path of a log dir or of a partition directory → the number of its run.
        self._run_of: dict[str, int] = {}
        #: What the controllers say that each run knows, and all that are known now.
        self._own = [Controllers({}) for _ in reports]
        self._controllers = Controllers({})
        for number, report in enumerate(reports):
            self._take(number, report)
        self._read_controllers()
        #: By the name of the directory, and by the topic's id: the places of partitions that may be replicas of each other.
        self._by_name: dict[str, dict[UUID | None, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, one in enumerate(self.partitions):
            if not one.report.is_remote:
                self._by_name[real_name(one.directory)][one.topic_id].append(number)

    def _take(self, number: int, report: Report) -> None:
        told = Told() if report.told is None else report.told
        partitions = {one.path: one for one in told.partitions}
        for log_dir in told.log_dirs:
            self._log_dirs.setdefault(log_dir.path, log_dir)
            self._run_of.setdefault(log_dir.path, number)
        for metadata_log in told.metadata_logs:
            # A run that has left it out knows what is written in it, but not its batches.
            if metadata_log.quorum is not None or metadata_log.path not in self._metadata_logs:
                self._metadata_logs[metadata_log.path] = metadata_log
                self._run_of[metadata_log.path] = number
        for one in report.partitions:
            mine = partitions.get(one.path)
            owner = None if mine is None or mine.log_dir is None else self._log_dirs.get(mine.log_dir)
            self.partitions.append(_Partition(report=one, run=number, told=mine, owner=owner))
            self._run_of[one.path] = number

    def _read_controllers(self) -> None:
        # Those in log dirs first, as one run reads them.
        for told in sorted(self._metadata_logs.values(), key=lambda one: one.log_dir is None):
            if told.metadata is not None:
                owner = None if told.log_dir is None else self._log_dirs.get(told.log_dir)
                for controllers in (self._controllers, self._own[self._run_of[told.path]]):
                    controllers.take(told.path, told.metadata, owner)

    def compare(self) -> None:
        """Compare what was told, and what was found."""
        told = [one for one in self.partitions if one.told is not None]
        logs = _Logs(told, self._metadata_logs)
        found: dict[int, list[Finding]] = defaultdict(list)
        for number, subject in compare_partitions(told, logs, self._controllers):
            found[number] += findings_of(subject)
        for number, one in enumerate(told):
            findings = self._instead(one.report.findings, found[number], one.report.next_start)
            one.report = replace(one.report, findings=in_order(findings))
        claims = (one.claim for one in told)
        ids = self._controllers.producer_ids(claim for claim in claims if claim is not None)
        fresh = [
            finding
            for subject in chain(compare_log_dirs(told, tuple(self._log_dirs.values())), ids)
            for finding in findings_of(subject)
        ]
        self.findings = list(self._instead(self.findings, fresh, self._outcomes))
        for one in self.partitions:
            elsewhere = (other for other in self._replicas(one) if other.run != one.run)
            differing = [
                finding
                for other in elsewhere
                if (pair := _difference(one.report, other.report)) is not None
                for finding in findings_of(pair)
            ]
            if differing:
                one.report = replace(one.report, findings=in_order((*one.report.findings, *differing)))
        self.findings = name_causes(self.partitions, self.findings)
        for one in filter(is_to_be_fitted, self.partitions):
            others = self._replicas(one)
            before = [other for other in others if other.run == one.run]
            fit_again(one, Known(before, self._own[one.run]), Known(others, self._controllers))

    def _replicas(self, one: _Partition) -> list[_Partition]:
        """The other replicas of a partition. Where a run has not told its cluster, the topic's id must show it."""
        if one.report.is_remote or one.topic in METADATA_TOPICS:
            return []
        same_name = self._by_name[real_name(one.directory)]
        places = same_name.values() if one.topic_id is None else (same_name.get(key, ()) for key in (one.topic_id, None))
        return [
            other
            for other in map(self.partitions.__getitem__, sorted(chain.from_iterable(places)))
            if other is not one
            and is_replica(one, other)
            and (
                (one.told and other.told) or (one.report.topic_id is not None and one.report.topic_id == other.report.topic_id)
            )
        ]

    def _instead(self, had: Iterable[Finding], fresh: Iterable[Finding], outcomes: tuple[Outcome, ...]) -> Iterator[Finding]:
        """Findings, in place of those of a comparison the fresh ones; what is of one run alone is as that has it."""
        own = {}
        for finding in had:
            if self._is_compared(finding):
                own[_place(finding)] = finding
            else:
                yield finding
        for finding in fresh:
            if self._is_of_several(finding):
                yield with_effects(finding, tuple(one for one in outcomes if _is_at(finding, one)), None)
            elif _place(finding) in own:
                yield own[_place(finding)]

    def _is_compared(self, finding: Finding) -> bool:
        """Whether a finding comes of a comparison that is made again here."""
        rule = RULES.get(finding.id)
        if rule is None or finding.facts.get("witness") == GIVEN_STATE or self._run(finding.path) is None:
            return False
        return rule.on in _SUBJECTS or (finding.id == _DIVERGES and self._is_of_metadata(finding.path))

    def _is_of_several(self, finding: Finding) -> bool:
        """Whether several runs take part in a finding."""
        texts = (finding.path, *(value for value in finding.facts.values() if isinstance(value, str)))
        return len({run for text in texts if (run := self._run(text)) is not None}) > 1

    def _run(self, path: str) -> int | None:
        """The run that a log dir, a partition directory, or a file in one of them is of; None: of none."""
        return self._run_of.get(path, self._run_of.get(os.path.dirname(path)))

    def _is_of_metadata(self, path: str) -> bool:
        return os.path.dirname(path) in self._metadata_logs


def _place(finding: Finding) -> tuple[object, ...]:
    return finding.id, finding.path, finding.span, finding.offsets


def _is_at(finding: Finding, outcome: Outcome) -> bool:
    """Whether a start is predicted for the place of a finding, or for the directory that it is in."""
    return outcome.path in (finding.path, os.path.dirname(finding.path))


def _difference(one: PartitionReport, other: PartitionReport) -> DigestPair | None:
    """Where two replicas differ, by their digests; None: nowhere, or these do not tell."""
    starts = (one.log_start_offset, other.log_start_offset)
    ends = (one.log_end_offset, other.log_end_offset)
    if one.digests is None or other.digests is None or None in starts or None in ends:
        return None
    start, end = max(filter(None, starts), default=0), min(filter(None, ends), default=0)
    found = first_difference(one.digests, other.digests, start, end)
    if found is None:
        return None
    return DigestPair(
        path=one.path, other=other.path, offsets=found, log_end=one.log_end_offset, other_log_end=other.log_end_offset
    )
