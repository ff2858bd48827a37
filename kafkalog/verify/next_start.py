"""What the next start does to what was verified: the predictions that go along with a report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import TYPE_CHECKING, Any, TypeVar

from kafkalog.core.release import release_text
from kafkalog.errors import UnreadableFile, WorkerLost
from kafkalog.files.paths import join
from kafkalog.next_start.api import link_log_dirs
from kafkalog.next_start.log_dir import predict_log_dirs
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.next_start.options import STOPS, Options, Scanned
from kafkalog.next_start.outcome import Assumed
from kafkalog.next_start.partition import unknown_outcome
from kafkalog.next_start.predict import given_up, predict_directory
from kafkalog.verify.effects import effects_on
from kafkalog.verify.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Executor

    from kafkalog.files.directory import Directory
    from kafkalog.kafka.scanned_log import KnownLog
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.next_start.partition import Prediction, Situation
    from kafkalog.verify.report import PartitionReport

__all__ = ["NextStarts", "predict_starts"]

R = TypeVar("R")


@dataclass
class NextStarts:
    """The predictions, by the path they are about.

    Args:
        directories: Of partition directories given by themselves: one for each kind of stop.
        partitions: Of partition directories in log dirs.
        beside: Of what is beside the partitions in a log dir and does harm, in the order of the log dirs.
        lost: Directories of which nothing was worked out because worker processes were lost, and how these ended.
    """

    directories: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    partitions: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    beside: tuple[Outcome, ...] = ()
    lost: dict[str, str] = field(default_factory=dict)

    def attached_to(self, report: PartitionReport, *, in_log_dir: bool) -> PartitionReport:
        """The report with its predictions, and its findings with what these do to them."""
        outcomes = (self.partitions if in_log_dir else self.directories).get(report.path, ())
        findings = tuple(_with_effects(finding, outcomes, report.last_segment) for finding in report.findings)
        return replace(report, next_start=outcomes, findings=findings)

    def referred_to_by(self, finding: Finding) -> Finding:
        """A finding about a log dir with what the start does to it."""
        beside = tuple(outcome for outcome in self.beside if outcome.path == finding.path)
        return _with_effects(finding, beside or self.partitions.get(finding.path, ()), None)


def _with_effects(finding: Finding, outcomes: tuple[Outcome, ...], last_segment: int | None) -> Finding:
    if finding.severity < Severity.WARNING:
        return finding
    return finding._replace(next_start=effects_on(finding, outcomes, last_segment))


def predict_starts(
    reports: Iterable[tuple[PartitionReport, dict[str, KnownLog]]],
    directories: Iterable[Directory],
    log_dirs: Iterable[BrokerEvidence],
    options: Options,
    executor: Executor | None = None,
) -> NextStarts:
    """Predict the next start of what has been verified.

    A log dir is looked at as a whole, whichever of its partitions were verified: what stands in one can stop the broker.

    Args:
        reports: What was found in the partitions, and what is known of their logs: it decides what is gone through again.
        directories: Partition directories given by themselves.
        log_dirs: Log dirs.
        options: What is assumed.
        executor: Where to work; None: here.
    """
    scanned = {report.path: Scanned(_is_damaged(report), known) for report, known in reports}
    options = replace(options, scanned=scanned)
    found = NextStarts()

    def without_worker(directory: Directory, situation: Situation, why: str) -> Prediction:
        found.lost[directory.path] = why
        return given_up(directory.path, situation, why)

    def directory_without_worker(stop: str, directory: Directory, options: Options, why: str) -> list[Outcome]:
        found.lost[directory.path] = why
        return [_without_worker(stop, directory.path, options, why)]

    def in_situations(
        predict: Callable[..., Prediction], directories: Iterable[Directory], situations: Iterable[Situation]
    ) -> Iterator[Prediction]:
        return _each(executor, predict, zip(directories, situations, strict=True), without_worker)

    own = {directory.path: directory for directory in directories}
    stops = STOPS if options.stop is None else (options.stop,)
    for stop in stops:
        # What is known of the others need not travel to another process.
        each = [replace(options, scanned={path: scanned[path]} if path in scanned else {}) for path in own]
        arguments = [(stop, directory, one) for directory, one in zip(own.values(), each, strict=True)]
        for path, outcomes in zip(own, _each(executor, _predict_directory, arguments, directory_without_worker), strict=True):
            found.directories[path] = (*found.directories.get(path, ()), *outcomes)
    for alternatives in link_log_dirs(_states(log_dirs, options)):
        here = {join(state.path, name) for state in alternatives for name in state.partitions}
        for outcome in predict_log_dirs(alternatives, options, in_situations):
            if outcome.path in here:
                found.partitions[outcome.path] = (*found.partitions.get(outcome.path, ()), outcome)
            else:
                found.beside += (outcome,)
    return found


def _predict_directory(stop: str, directory: Directory, options: Options) -> list[Outcome]:
    return predict_directory(directory, stop, options)


def _without_worker(stop: str, path: str, options: Options, why: str) -> Outcome:
    release = None if options.release is None else release_text(options.release)
    return unknown_outcome(path, Assumed(stop, options.recovery_point, release), why)


def _each(
    executor: Executor | None, function: Callable[..., R], arguments: Iterable[tuple[Any, ...]], otherwise: Callable[..., R]
) -> Iterator[R]:
    """What the function makes of each tuple of arguments; of those whose worker was lost, `otherwise` with the reason."""
    if executor is None:
        yield from starmap(function, arguments)
        return
    for given, future in [(given, executor.submit(function, *given)) for given in arguments]:
        try:
            result = future.result()
        except WorkerLost as error:
            result = otherwise(*given, str(error))
        yield result


def _is_damaged(report: PartitionReport) -> bool:
    return not report.readable or any(finding.severity >= Severity.WARNING for finding in report.findings)


def _states(log_dirs: Iterable[BrokerEvidence], options: Options) -> Iterator[list[LogDirState]]:
    for evidence in {evidence.log_dir.path: evidence for evidence in log_dirs}.values():
        try:
            yield read_log_dir(evidence, options.release)
        except UnreadableFile:
            # The check of the log dir itself has said so.
            continue
