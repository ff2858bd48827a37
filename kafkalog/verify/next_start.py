"""What the next start does to the verified directories: the predictions in a report."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import is_metadata_log, parse_segment_file_name
from kafkalog.core.release import release_text
from kafkalog.core.spoken import offsets_spoken
from kafkalog.errors import UnreadableFile
from kafkalog.files.paths import join
from kafkalog.next_start.alternatives import merged
from kafkalog.next_start.api import link_log_dirs
from kafkalog.next_start.log_dir import predict_log_dirs, predict_partitions_of
from kafkalog.next_start.log_dir_state import read_log_dir
from kafkalog.next_start.options import STOPS, Options, Scanned
from kafkalog.next_start.outcome import Assumed
from kafkalog.next_start.partition import unknown_outcome
from kafkalog.next_start.predict import given_up, predict_directory
from kafkalog.next_start.work import each
from kafkalog.verify.effects import Effect, records_text
from kafkalog.verify.finding import Finding, Severity
from kafkalog.verify.rule import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from kafkalog.files.directory import Directory
    from kafkalog.kafka.scanned_log import PackedLogs
    from kafkalog.next_start.evidence import BrokerEvidence
    from kafkalog.next_start.log_dir_state import LogDirState
    from kafkalog.next_start.outcome import ConsumerRead, Outcome
    from kafkalog.next_start.partition import Prediction, Situation
    from kafkalog.verify.report import PartitionReport

__all__ = ["NextStarts", "predict_starts", "with_effects"]

#: Bytes of damaged partitions of a log dir for which both kinds of stop are predicted.
_MOST_BYTES_OTHERWISE = 1 << 30


@dataclass
class NextStarts:
    """The predictions, by the path they are about.

    Args:
        directories: Of partition directories given by themselves: one for each kind of stop.
        partitions: Of partition directories in log dirs.
        otherwise: Of damaged partition directories in log dirs, after the kind of stop that the log dir does not show.
        beside: Of what is beside the partitions in a log dir and does harm, in the order of the log dirs.
        lost: Directories of which nothing was worked out because worker processes were lost, and how these ended.
    """

    directories: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    partitions: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    otherwise: dict[str, tuple[Outcome, ...]] = field(default_factory=dict)
    beside: tuple[Outcome, ...] = ()
    lost: dict[str, str] = field(default_factory=dict)

    def attached_to(self, report: PartitionReport, *, in_log_dir: bool) -> PartitionReport:
        """The report with its predictions, and its findings with what these do to them."""
        outcomes = (self.partitions if in_log_dir else self.directories).get(report.path, ())
        otherwise = self.otherwise.get(report.path, ()) if in_log_dir else ()
        findings = tuple(
            _as_foretold(with_effects(finding, outcomes, report.last_segment), (*outcomes, *otherwise))
            for finding in report.findings
        )
        return replace(report, next_start=outcomes, otherwise=otherwise, findings=findings)

    def referred_to_by(self, finding: Finding) -> Finding:
        """A finding about a log dir with what the start does to it."""
        beside = tuple(outcome for outcome in self.beside if outcome.path == finding.path)
        return with_effects(finding, beside or self.partitions.get(finding.path, ()), None)


def with_effects(finding: Finding, outcomes: tuple[Outcome, ...], last_segment: int | None) -> Finding:
    """A finding, unless it is an INFO, with what the predicted starts do where it was made (`effects_on`)."""
    if finding.severity < Severity.WARNING:
        return finding
    return finding._replace(next_start=effects_on(finding, outcomes, last_segment))


def _as_foretold(finding: Finding, outcomes: Sequence[Outcome]) -> Finding:
    """A finding whose general words about starts and consumers agree with the predictions, as far as these know."""
    row = RULES.get(finding.id)
    if row is None or not any(row.foretold):
        return finding
    general, consequence = row.foretold_of(finding), finding.consequence
    for stop, sentence, instead in (
        ("unclean", general.unclean, "A start after an unclean stop does not cut here: what was flushed is not recovered."),
        ("clean", general.clean, ""),
    ):
        starts = [outcome for outcome in outcomes if outcome.assumed.stop == stop]
        if sentence and starts and all(outcome.is_harmless and not outcome.truncate for outcome in starts):
            consequence = consequence.replace(sentence, instead)
    reads = [read for outcome in outcomes for read in (outcome.consumer or (None,))]
    if general.consumers and reads and not any(read is None or _failure_at(read, finding.offsets) for read in reads):
        consequence = consequence.replace(general.consumers, "Consumers are not stopped by it.")
    return finding._replace(consequence=" ".join(consequence.split()))


def predict_starts(
    reports: Iterable[tuple[PartitionReport, PackedLogs, bool]],
    directories: Iterable[Directory],
    log_dirs: Iterable[BrokerEvidence],
    options: Options,
    executor: Executor | None = None,
) -> NextStarts:
    """Predict the next start of what has been verified.

    A log dir is looked at as a whole, whichever of its partitions were verified: what is in one can stop the broker.

    Args:
        reports: What was found in the partitions, the sound parts of their logs, which are not read again, and whether these
            were compacted.
        directories: Partition directories given by themselves.
        log_dirs: Log dirs.
        options: What is assumed.
        executor: Where to work; None: here.
    """
    scanned = {report.path: Scanned(_is_damaged(report), logs, compacted) for report, logs, compacted in reports}
    options = replace(options, scanned=scanned)
    found = NextStarts()

    def without_worker(directory: Directory, situation: Situation, why: str) -> Prediction:
        found.lost[directory.path] = why
        return given_up(directory.path, situation, why)

    def directory_without_worker(directory: Directory, stops: Sequence[str], options: Options, why: str) -> list[Outcome]:
        found.lost[directory.path] = why
        return [_without_worker(stop, directory.path, options, why) for stop in stops]

    def in_situations(
        predict: Callable[..., Prediction], directories: Iterable[Directory], situations: Iterable[Situation]
    ) -> Iterator[Prediction]:
        return each(executor, predict, zip(directories, situations, strict=True), without_worker)

    own = {directory.path: directory for directory in directories}
    stops = STOPS if options.stop is None else (options.stop,)
    # What was found in the others need not travel to another process.
    alone = [replace(options, scanned={path: scanned[path]} if path in scanned else {}) for path in own]
    arguments = [(directory, stops, one) for directory, one in zip(own.values(), alone, strict=True)]
    for path, outcomes in zip(own, each(executor, predict_directory, arguments, directory_without_worker), strict=True):
        found.directories[path] = tuple(outcomes)
    for alternatives in link_log_dirs(_states(log_dirs, options)):
        here = {join(state.path, name) for state in alternatives for name in state.partitions}
        for outcome in predict_log_dirs(alternatives, options, in_situations):
            if outcome.path in here:
                found.partitions[outcome.path] = (*found.partitions.get(outcome.path, ()), outcome)
            else:
                found.beside += (outcome,)
        if options.stop is None:
            predicted = {path: found.partitions.get(path, ()) for path in sorted(here)}
            found.otherwise |= _otherwise(alternatives, options, predicted, in_situations)
    return found


def _otherwise(
    alternatives: Sequence[LogDirState],
    options: Options,
    predicted: Mapping[str, tuple[Outcome, ...]],
    run: Callable[..., Iterable[Prediction]],
) -> dict[str, tuple[Outcome, ...]]:
    """What a start would do to the damaged partitions of a log dir if it followed the other kind of stop.

    The marker of a clean one is easily lost: a copy leaves it out, the first start deletes it.
    """
    wanted: dict[str, list[str]] = {}
    left = _MOST_BYTES_OTHERWISE
    for path, outcomes in predicted.items():
        name, seen = os.path.basename(path), (options.scanned or {}).get(path)
        if not outcomes or is_metadata_log(name) or seen is None or not seen.damaged:
            continue
        state = next(state for state in alternatives if path == join(state.path, name))
        left -= sum(entry.size or 0 for entry in state.log_dir.partition_directory(name).entries if entry.is_regular)
        if left < 0:
            break
        (stop,) = set(STOPS) - {outcomes[0].assumed.stop}
        wanted.setdefault(stop, []).append(path)
    found: dict[str, list[list[Outcome]]] = {}
    for stop, paths in wanted.items():
        asked = replace(options, stop=stop)
        for state in alternatives:
            names = [os.path.basename(path) for path in paths if path == join(state.path, os.path.basename(path))]
            for name, outcome in zip(names, predict_partitions_of(state, asked, names, run), strict=True):
                found.setdefault(join(state.path, name), []).append([outcome])
    return {path: tuple(merged(outcomes)) for path, outcomes in found.items()}


def _without_worker(stop: str, path: str, options: Options, why: str) -> Outcome:
    release = None if options.release is None else release_text(options.release)
    return unknown_outcome(path, Assumed(stop, options.recovery_point, release), why)


def _is_damaged(report: PartitionReport) -> bool:
    return not report.readable or any(finding.severity >= Severity.WARNING for finding in report.findings)


def _states(log_dirs: Iterable[BrokerEvidence], options: Options) -> Iterator[list[LogDirState]]:
    for evidence in {evidence.log_dir.path: evidence for evidence in log_dirs}.values():
        try:
            yield read_log_dir(evidence, options.release)
        except UnreadableFile:
            # The check of the log dir itself has said so.
            continue


def effects_on(finding: Finding, outcomes: Iterable[Outcome], active: int | None = None) -> tuple[Effect, ...]:
    """What the predicted starts do where a finding was made; nothing when they leave the place alone.

    Args:
        finding: About a file of a partition directory, or the directory.
        outcomes: Its predictions.
        active: Base offset of its last segment.
    """
    places = {finding.path, str(finding.facts.get("file", finding.path))}
    bases = {parsed.base_offset for path in places if (parsed := parse_segment_file_name(os.path.basename(path))) is not None}
    found = (_effect(outcome, finding, bases, active) for outcome in outcomes)
    return tuple(effect for effect in found if effect is not None)


def _effect(outcome: Outcome, finding: Finding, bases: set[int], active: int | None) -> Effect | None:
    deleted = set(_deleted_bases(outcome))
    whole = _whole(outcome)
    cut = None
    if whole is None:
        cut = next((cut for cut in outcome.truncate or () if _is_cut(cut.path, cut.position, finding, bases)), None)
        if cut is not None:
            whole = "cuts"
        elif deleted & bases:
            whole = "deletes"
        elif outcome.records_lost and finding.path in {before for before, _ in outcome.rename or ()}:
            whole = "replaces"
        elif outcome.records_lost and not deleted and not outcome.truncate and active in bases:
            whole = "hides"
    reason = outcome.reason
    if whole is None:
        reason = _consumers_fail(outcome, finding)
        whole = "serves" if reason else None
    if whole is None:
        return None
    return Effect(
        stop=outcome.assumed.stop,
        release=outcome.assumed.release,
        does=whole,
        reason=reason,
        path=None if cut is None else cut.path,
        position=None if cut is None else cut.position,
        segments=len(deleted),
        records=outcome.records_lost,
        size=outcome.bytes_lost,
        times=outcome.time_range_lost,
        log_end_offset=outcome.log_end_offset,
    )


def _whole(outcome: Outcome) -> str | None:
    """What a start does to the partition as a whole."""
    if outcome.broker == "aborts":
        return "stops"
    if outcome.log_dir == "offline":
        return "offline"
    if outcome.partition == "failed":
        return "failed"
    return "stray" if outcome.partition == "stray" and outcome.rename else None


def _consumers_fail(outcome: Outcome, finding: Finding) -> str:
    """How consumers fail at the place of a finding; nothing when they do not."""
    if not finding.path.endswith(".log") or outcome.partition != "loaded":
        return ""
    told = {}
    for level, read in zip(("uncommitted", "committed"), outcome.consumer or (), strict=False):
        text = "" if read is None else _failure_at(read, finding.offsets)
        if read is not None and text:
            told[level] = f"{records_text(read.records)} and {text}"
    if len(set(told.values())) == 1 and len(told) > 1:
        return f"get {told['committed']}"
    return "; ".join(f"with read_{level} get {text}" for level, text in told.items())


def _failure_at(read: ConsumerRead, offsets: tuple[int, int] | None) -> str:
    """What a consumer does wrong at some offsets, or anywhere; "" when nothing."""
    first, last = (0, read.stops_at_offset) if offsets is None else offsets
    skipped = [one for one in read.skipped if one.first <= last and first <= one.last]
    if skipped:
        return f"skip {' and '.join(offsets_spoken(one.first, one.last) for one in skipped)} without an error"
    at = read.stops_at_offset
    if not first <= at <= last or not (read.error is not None or read.stuck):
        return ""
    return f"fail at offset {at}: {read.error}" if read.error is not None else f"get no further than offset {at}"


def _deleted_bases(outcome: Outcome) -> Iterator[int]:
    gone = [*(outcome.delete or ()), *(before for before, now in outcome.rename or () if now.endswith(".deleted"))]
    for path in gone:
        parsed = parse_segment_file_name(os.path.basename(path))
        if parsed is not None and parsed.suffix == ".log" and not parsed.pending:
            yield parsed.base_offset


def _is_cut(path: str, position: int, finding: Finding, bases: set[int]) -> bool:
    """Whether a finding is about what a cut takes away, or about an index of the segment that is cut."""
    if finding.path == path:
        return finding.span is None or finding.span.end > position
    parsed = parse_segment_file_name(os.path.basename(path))
    return parsed is not None and parsed.base_offset in bases
