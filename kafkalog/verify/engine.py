"""A whole run of `verify`: classify the paths, scan and judge each partition, compare them, predict the next start, report."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import (
    BOOTSTRAP_CHECKPOINT,
    COORDINATOR_TOPICS,
    LOG_DIR_FILES,
    is_metadata_log,
    parse_partition_name,
    parse_remote_file_name,
    parse_segment_file_name,
)
from kafkalog.core.release import release_text
from kafkalog.core.suggestion import did_you_mean
from kafkalog.errors import UnreadableFile
from kafkalog.files.arguments import check_type, items_of, path_of
from kafkalog.files.classify import Classified, Kind, NothingOfKafka, classify
from kafkalog.files.cores import cores, may_fork
from kafkalog.files.directory import Directory
from kafkalog.files.log_dir import LogDir, PartitionContext
from kafkalog.files.mistakes import check_file_name
from kafkalog.files.mounted import problems_since
from kafkalog.files.paths import join
from kafkalog.files.restraint import is_limited, sparing_cache
from kafkalog.files.tier import is_emptied, is_remote
from kafkalog.files.workers import workers_or
from kafkalog.kafka.scanned_log import NO_LOGS, PackedLogs
from kafkalog.next_start.options import options_of
from kafkalog.verify.causes import name_causes
from kafkalog.verify.checks.brokers import LogsHere, Subject, add_findings, compare_log_dirs, compare_partitions
from kafkalog.verify.checks.clean_stop import doubt_markers
from kafkalog.verify.checks.controller import Controllers, States, states_for
from kafkalog.verify.checks.copies import fold_what_was_not_copied
from kafkalog.verify.checks.foreign_logs import name_originals
from kafkalog.verify.checks.log_dir import LogDirCheck
from kafkalog.verify.checks.renamed import renamed_directories
from kafkalog.verify.fitting import fit_restores, fitted_to_log_dir
from kafkalog.verify.next_start import predict_starts
from kafkalog.verify.policy import Policy
from kafkalog.verify.report import NotChecked, PartitionReport, Report, in_order
from kafkalog.verify.rule import findings_of
from kafkalog.verify.scan.journal import journal_at
from kafkalog.verify.scan.parts import Division
from kafkalog.verify.scan.results import Settings
from kafkalog.verify.second_look import Gone, Look, Looker
from kafkalog.verify.sound_parts import MOST_EVENTS, within
from kafkalog.verify.tiers import Tiers
from kafkalog.verify.verified import Verified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Executor

    from kafkalog.core.release import Release
    from kafkalog.next_start.era import Era
    from kafkalog.next_start.options import Options
    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.checks.partition import JudgedPartition
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.journal import ScanJournal
    from kafkalog.verify.told import Told

__all__ = ["verify"]


def verify(
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    now: int | None = None,
    quick: bool = False,
    hash_inputs: bool = False,
    digests: bool = False,
    jobs: int | None = 1,
    executor: Executor | None = None,
    kafka_version: str | None = None,
    next_start: bool = True,
    assume_stop: str = "auto",
    recovery_point: int | None = None,
    topics: str | Sequence[str] = (),
    exclude: str | Sequence[str] = (),
    since_mtime: int | None = None,
    sample: int | None = None,
    policy: Policy | None = None,
    max_message_bytes: int | None = None,
    partition_state: bytes | Mapping[str, bytes] | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    on_partition: Callable[[PartitionReport, int], None] | None = None,
) -> Report:
    """Check files, partition directories and log dirs. Never raises on what they hold.

    >>> verify("fixtures/broker/2.1.1/plain/twitter-status-0").verdict
    'benign'

    Args:
        path: A file, a partition directory, a log dir, or several of them.
        now: The clock in milliseconds since 1970; the system's by default.
        quick: Leave out decompression and records.
        hash_inputs: Note the SHA-256 of every file of the directories.
        digests: Note what `kafkalog merge` compares hosts by: digests of logs, whose the log dirs are, what controllers say.
        jobs: Processes to scan with; segments are the unit. None: as many as there are cores, one where that would not pay.
        executor: Where to scan instead: any `concurrent.futures.Executor`.
        kafka_version: The release to take for what depends on one, instead of the one the log dir speaks for: `X.Y.Z`,
            `X.Y`; None or `auto`: by the log dir.
        next_start: Whether to predict the next start too.
        assume_stop: For the prediction, as for `kafkalog.next_start`.
        recovery_point: The same.
        topics: Patterns (`*`, `?`) of topics or partition directories in log dirs to look at; all by default.
        exclude: The same for those to leave out.
        since_mtime: Of the partitions in log dirs only those with a file that was written at this time or later, in
            milliseconds since 1970.
        sample: Of the partitions that are left so many, at most, chosen at random; the same ones for the same `now`.
        policy: How findings are graded.
        max_message_bytes: The topic's setting of that name: larger batches are reported. Without it, in compacted logs,
            those that are larger than Kafka's default.
        partition_state: What ZooKeeper holds under `/brokers/topics/T/partitions/P/state`: for the one partition given,
            or by `T-P`.
        resume: A file in which the scan of each segment is noted as soon as it is done; what is noted there of files that have
            not changed is not done again. It is begun where it is not there, and goes on with the clock it was begun with.
        progress: Called with bytes done and bytes in all, from time to time.
        on_partition: Called, in the order of the report, with what is found in a partition as soon as it has been looked at by
            itself, and with how many are left. What others and the next start tell of it is in the report alone.

    Raises:
        RequestError: a pattern of the policy names no rule; a value makes no sense, or is of the wrong type;
            `partition_state` is no such JSON, or not of a partition given; `resume` is in an examined path, no such file,
            in use, or was begun with other settings.
    """
    paths = [path_of(item) for item in items_of(path)]
    for name, value in (
        ("now", now),
        ("max_message_bytes", max_message_bytes),
        ("since_mtime", since_mtime),
        ("sample", sample),
    ):
        check_type(name, value, int, None)
    check_type("jobs", jobs, int, None)
    check_type("policy", policy, Policy, None)
    settings = Settings(int(time.time() * 1000) if now is None else now, quick, hash_inputs, max_message_bytes, digests=digests)
    # Decompression is what a quick check leaves out; consumers cannot.
    options = options_of(
        assume_stop, recovery_point, "auto" if kafka_version is None else kafka_version, consumer=False if quick else None
    )
    options = replace(options, reads_keys=not quick)
    chosen, left_out = _patterns("topics", topics), _patterns("exclude", exclude)
    noted_in = None if resume is None else path_of(resume)
    with journal_at(noted_in, paths, settings, is_now_given=now is not None) as (settings, journal):
        run = _Run(settings, chosen, left_out, options.release, journal)
        for item in paths:
            run.add(item)
        run.miss()
        run.choose(since_mtime, sample)
        if partition_state is not None:
            run.take_states(partition_state)
        with (
            sparing_cache(run.is_of_running_broker),
            workers_or(executor, workers := run.jobs_that_pay() if jobs is None else jobs) as pool,
        ):
            run.scan(pool, workers, progress, _graded(on_partition, policy))
            run.judge()
            if next_start:
                run.predict(options, pool)
            run.fit()
    report = run.report()
    return report if policy is None else report.under(policy)


class _Job(NamedTuple):
    """A directory to look at. `only`: the one file of it that was asked for. `log_dir` it lies in, if that was given."""

    path: str
    directory: Directory | None = None
    only: str | None = None
    log_dir: LogDirCheck | None = None

    @property
    def name(self) -> str:
        """The directory's name."""
        return os.path.basename(self.path)

    def listed(self) -> Directory:
        """The directory as it was when it was first listed."""
        if self.log_dir is None:
            return self.directory or Directory(self.path)
        return self.log_dir.log_dir.partition_directory(self.name)

    def first(self) -> tuple[Directory, PartitionContext]:
        """The directory and what its log dir says of it, as they were when they were first listed and read."""
        if self.log_dir is None:
            return self.listed(), PartitionContext()
        return self.listed(), self.log_dir.of(self.name)

    def now(self) -> tuple[Directory, PartitionContext]:
        """The same as they are now."""
        if self.log_dir is None:
            return Directory(self.path), PartitionContext()
        return self.log_dir.log_dir.partition_now(self.name).directory, self.log_dir.now_of(self.name)


class _Run:
    """One call of `verify`."""

    def __init__(
        self,
        settings: Settings,
        topics: tuple[str, ...],
        exclude: tuple[str, ...],
        release: Release | None,
        journal: ScanJournal | None,
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.topics = topics
        self.exclude = exclude
        self.release = release
        self.jobs: list[_Job] = []
        self.log_dirs: list[LogDirCheck] = []
        self.not_checked: list[NotChecked] = []
        self.findings: list[Finding] = []
        self.done: list[Verified] = []
        self.states: States = {}
        self.events_left = MOST_EVENTS
        #: Patterns of topics that no directory has matched yet.
        self.unmatched = set(topics)
        self.left_out = 0
        self.next_start: tuple[Outcome, ...] = ()
        self.told: Told | None = None
        self.tiers = Tiers(settings, self._is_chosen, journal)
        self.controllers = Controllers(self.states)
        #: Log dirs that are looked at only for the sake of a file in them.
        self.dirs_of_single_files: list[LogDirCheck] = []

    # --- what to do ---

    def add(self, path: str) -> None:
        """Take an argument in."""
        try:
            found = classify(path, tier=True)
            self.not_checked += [NotChecked(error.path, error.reason, failed=True) for error in problems_since()]
            if found.kind is Kind.LOG_DIR:
                self._add_log_dir(found)
            elif found.kind is Kind.TIER:
                self.tiers.add(found.path)
            elif found.directory is not None and is_remote(found.path, found.directory.names):
                self.tiers.add_partition(found.path)
            elif found.kind is Kind.PARTITION:
                self.jobs.append(_Job(found.path, found.directory))
            else:
                self._add_file(found.path)
        except UnreadableFile as error:
            missed = NotChecked(error.path, error.reason, failed=True)
            if isinstance(error, NothingOfKafka) and is_emptied(error.path):
                self.tiers.add_empty(missed)
            else:
                self.not_checked.append(missed)

    def miss(self) -> None:
        """All arguments are in: note the patterns that chose nothing."""
        for pattern in sorted(self.unmatched) if self.log_dirs else ():
            names = [name for log_dir in self.log_dirs for name in log_dir.log_dir.partition_names]
            topics = {parsed.topic for parsed in map(parse_partition_name, names) if parsed is not None}
            guess = did_you_mean(pattern.strip("*?"), sorted(topics))
            reason = f"no partition is called {pattern!r}{'.' if guess else ''}{guess}"
            self.not_checked.append(NotChecked(self.log_dirs[0].path, reason, failed=True))

    def choose(self, since_mtime: int | None, sample: int | None) -> None:
        """Leave out partitions of log dirs that nobody has written to lately, and all but a sample of the others."""
        if since_mtime is not None:
            when = datetime.fromtimestamp(since_mtime / 1000, UTC).isoformat(sep=" ", timespec="seconds")
            self._keep(lambda job: _is_written_since(job, since_mtime), f"not written to since {when}")
        own = [job.path for job in self.jobs if job.log_dir is not None]
        if sample is not None and sample < len(own):
            chosen = set(Random(self.settings.now).sample(own, sample))  # noqa: S311 - no secret
            self._keep(lambda job: job.path in chosen, f"not in the sample of {sample}")

    def _keep(self, is_wanted: Callable[[_Job], bool], why: str) -> None:
        """Leave out the partitions of log dirs that are not wanted, and say how many these are."""
        left_out: Counter[str] = Counter()
        kept = []
        for job in self.jobs:
            if job.log_dir is None or is_wanted(job):
                kept.append(job)
            else:
                left_out[job.log_dir.path] += 1
        self.jobs = kept
        self.left_out += left_out.total()
        for path, count in left_out.items():
            self.not_checked.append(NotChecked(path, f"{count} {'partition' if count == 1 else 'partitions'} left out: {why}"))

    @property
    def is_of_running_broker(self) -> bool:
        """Whether a log dir looks as if its broker were running: its page cache is left alone then."""
        return any(log_dir.log_dir.in_use for log_dir in self.log_dirs)

    def take_states(self, stated: bytes | Mapping[str, bytes]) -> None:
        """Take in the states of partitions out of ZooKeeper."""
        self.states = states_for(stated, [job.path for job in self.jobs])

    def _add_log_dir(self, found: Classified) -> None:
        log_dir = LogDirCheck(LogDir(found.path, found.directory), self.settings)
        self.log_dirs.append(log_dir)
        for name in log_dir.log_dir.partition_names:
            if self._is_chosen(name):
                self.jobs.append(_Job(join(found.path, name), log_dir=log_dir))
            else:
                self.left_out += 1

    def _is_chosen(self, name: str) -> bool:
        """Whether a partition directory of this name is looked at; the patterns that chose it are noted."""
        chosen = {pattern for pattern in self.topics if _matches(name, (pattern,))}
        self.unmatched -= chosen
        return bool(chosen or not self.topics) and not _matches(name, self.exclude)

    def _add_file(self, path: str) -> None:
        folder, name = os.path.split(path)
        if name in LOG_DIR_FILES or name == BOOTSTRAP_CHECKPOINT:
            log_dir = LogDirCheck(LogDir(folder or "."), self.settings)
            own = join(log_dir.path, name)
            log_dir.findings = [f._replace(path=path) for f in log_dir.findings if f.path == own]
            self.log_dirs.append(log_dir)
            self.dirs_of_single_files.append(log_dir)
            return
        check_file_name(path)
        if parse_remote_file_name(name) is not None:
            self.tiers.add_file(path)
            return
        self.jobs.append(_Job(folder or ".", only=path))

    # --- doing it ---

    def scan(
        self,
        executor: Executor | None,
        workers: int,
        progress: Callable[[int, int], None] | None,
        on_partition: Callable[[PartitionReport, int], None] | None,
    ) -> None:
        """Scan all segments and judge all partitions, in order."""
        total = self._total if progress is not None else 0
        seen = 0
        if not self.settings.quick:
            self.settings = self.settings._replace(lanes=self._lanes_pay())
        for number, (job, look, looker) in enumerate(self._looks(executor, workers), 1):
            try:
                listed, judged = looker.finish(look, job.now)
            except UnreadableFile as error:
                self._miss_partition(job, error)
                continue
            report = self._take(job, listed, judged)
            if on_partition is not None:
                on_partition(report, len(self.jobs) - number)
            if progress is not None:
                seen += report.bytes
                progress(seen, total)
        self.jobs.clear()  # of thousands of directories that takes as much memory as their names
        self.tiers.scan(executor)

    def _take(self, job: _Job, listed: Directory, judged: JudgedPartition) -> PartitionReport:
        """Take in what was found in a directory, as it was listed then; gives the report."""
        self.not_checked.extend(judged.not_checked if job.only is None else _about(judged.not_checked, job.only))
        report = judged.report if job.only is None else self._narrow(judged.report, listed, job.only)
        scanned_logs = judged.scanned_logs if job.only is None else NO_LOGS
        if scanned_logs.events > self.events_left:
            scanned_logs = PackedLogs(within(scanned_logs.items(), self.events_left))
        self.events_left -= scanned_logs.events
        claim, log_dir = judged.claim, job.log_dir
        self.done.append(
            Verified(
                listed=listed,
                report=report,
                topic_id=judged.topic_id,
                owner=log_dir,
                claim=claim if claim is None or log_dir is None else claim.in_log_dir(log_dir),
                scanned_logs=scanned_logs,
                open_transactions=judged.open_transactions,
                compacted=judged.compacted,
                is_file=job.only is not None,
                kinds=judged.kinds,
                regular=judged.regular,
            )
        )
        if log_dir is not None:
            if judged.is_cleaned:
                log_dir.cleaned.append(listed.path)
            log_dir.texts_of_windows += judged.texts_of_windows
            log_dir.line_ends |= judged.line_ends
        return report

    def _miss_partition(self, job: _Job, error: UnreadableFile) -> None:
        if isinstance(error, Gone) and job.log_dir is not None:
            self.not_checked.append(
                NotChecked(job.path, "gone since the log dir was listed: a running broker deletes and moves")
            )
        else:
            self.not_checked.append(NotChecked(error.path, error.reason, failed=True))

    @cached_property
    def _total(self) -> int:
        """Bytes of all files of the directories."""
        return sum(map(_bytes_of, self.jobs))

    @cached_property
    def _estimate(self) -> int:
        """About as many, by some of the directories: the first finding need not wait for all to be listed."""
        some = self.jobs[:: -(-len(self.jobs) // _SOME) or 1]
        return sum(map(_bytes_of, some)) * len(self.jobs) // max(1, len(some))

    def _lanes_pay(self) -> bool:
        """Whether there is enough for looking at many records at once, and not only in thousands of small directories."""
        return self._estimate >= max(LANES_PAY_FROM, len(self.jobs) * (LANES_PAY_FROM >> _LANES_SHARE))

    def jobs_that_pay(self) -> int:
        """How many processes to scan with: one each core, but one for little; more threads where they mostly wait."""
        if not may_fork():
            return _THREADS
        return cores() if cores() > 1 and self._estimate >= _PAYS_FROM[self.settings.quick] else 1

    def _looks(self, executor: Executor | None, workers: int) -> Iterator[tuple[_Job, Look, Looker]]:
        """A look at each directory; with an executor, some are begun ahead."""
        division = Division(workers, lambda: self._total) if workers > 1 and may_fork() and not is_limited() else None
        looker = Looker(self.settings, executor, min(2, cores()), self.journal, division)
        begun: deque[tuple[_Job, Look]] = deque()
        ahead = 0.0
        for job in self.jobs:
            try:
                begun.append((job, looker.begin(job.first)))
                ahead += begun[-1][1].size
            except UnreadableFile as error:
                self._miss_partition(job, error)
            while begun and (executor is None or ahead > _AHEAD):
                ahead -= begun[0][1].size
                yield *begun.popleft(), looker
        for job, look in begun:
            yield job, look, looker

    def _narrow(self, report: PartitionReport, listed: Directory, path: str) -> PartitionReport:
        """The report of a single file: its siblings were read to compare it with."""
        own = join(listed.path, os.path.basename(path))
        name = os.path.basename(path)
        findings = tuple(f._replace(path=path) for f in report.findings if f.path == own)
        parsed = parse_segment_file_name(name)
        readable = report.readable
        reason = ""
        if parsed is not None and parsed.pending and parsed.suffix in (*_INDEXES, ".snapshot"):
            reason = f"set aside ({parsed.pending}): only the log of its segment is looked at"
        elif parsed is not None and parsed.suffix in _INDEXES:
            log = listed.entry(name.rsplit(".", 1)[0] + ".log")
            reason = "there is no log beside it to compare with" if log is None or log.is_directory else ""
        if reason:
            self.not_checked.append(NotChecked(path, reason, failed=True))
            readable, findings = False, ()
        return replace(report, path=path, findings=findings, readable=readable, digests=None)

    # --- the result ---

    def judge(self) -> None:
        """What partitions and log dirs say about each other."""
        self.findings.extend(doubt_markers(self.done, self.log_dirs))
        for log_dir in self.log_dirs:
            log_dir.finish()
            self.not_checked.extend(log_dir.not_checked)
            self.findings.extend(log_dir.findings)
            self._fold(log_dir.path, [one for one in self.done if one.owner is log_dir], is_log_dir=True)
        for one in self.done:
            if one.owner is None and not one.is_file:
                self._fold(one.report.path, [one], is_log_dir=False)
        self._ask(compare_log_dirs(self.done, self.log_dirs))
        self.tiers.judge(self.done)
        self.not_checked.extend(self.tiers.not_checked)
        controllers = self.controllers = Controllers(self.states)
        if not self.settings.quick:  # metadata is records
            controllers.read(self.log_dirs, [one.partition for one in self.done if not one.is_file and one.owner is None])
        self.not_checked.extend(controllers.not_checked)
        logs = LogsHere(self.done)
        add_findings(self.done, chain(compare_partitions(self.done, logs, controllers), self._of_coordinators()))
        for one, renamed in renamed_directories(self.done, self.log_dirs, controllers):
            one.report = replace(one.report, findings=in_order((*one.report.findings, *findings_of(renamed))))
        self._ask(controllers.producer_ids(one.claim for one in self.done if one.claim is not None and not one.is_file))
        name_originals(self.done)
        self.findings = name_causes(self.done, self.findings)
        if self.settings.digests:
            from kafkalog.verify.telling import told_of

            self.told = told_of(self.done, self.log_dirs, controllers, logs)

    def _of_coordinators(self) -> Iterator[tuple[int, object]]:
        """What coordinators make of their topics, where there are any."""
        if any(one.topic in COORDINATOR_TOPICS for one in self.done):
            from kafkalog.verify.checks.coordinators import Coordinators

            coordinators = Coordinators(self.done)
            yield from coordinators.hanging()
            yield from () if self.settings.quick else coordinators.unloaded(self.release)

    def _ask(self, subjects: Iterable[Subject]) -> None:
        """Ask the rules about what belongs to no single partition."""
        for subject in subjects:
            self.findings.extend(findings_of(subject))

    def _fold(self, path: str, partitions: list[Verified], *, is_log_dir: bool) -> None:
        findings, not_checked = fold_what_was_not_copied(path, partitions, is_log_dir=is_log_dir)
        self.findings.extend(findings)
        self.not_checked.extend(not_checked)

    def predict(self, options: Options, executor: Executor | None) -> None:
        """What the next start does to the directories; a single file has none of its own."""
        reports = [(one.report, one.scanned_logs, one.compacted) for one in self.done if not one.is_file]
        directories = [one.listed for one in self.done if one.owner is None and not one.is_file]
        log_dirs = [log_dir.evidence for log_dir in self.log_dirs if log_dir not in self.dirs_of_single_files]
        starts = predict_starts(reports, directories, log_dirs, options, executor)
        for one in self.done:
            if not one.is_file:
                one.report = starts.attached_to(one.report, in_log_dir=one.owner is not None)
        self.findings = [starts.referred_to_by(finding) for finding in self.findings]
        lacking = [one for one in starts.beside if one.is_unknown and is_metadata_log(os.path.basename(one.path))]
        self.not_checked.extend(NotChecked(outcome.path, outcome.reason, failed=True) for outcome in lacking)
        self.next_start = tuple(outcome for outcome in starts.beside if outcome not in lacking)
        for path, why in starts.lost.items():
            self.not_checked.append(NotChecked(path, f"its next start: {why}", failed=True))

    def fit(self) -> None:
        """Say what is to be done by what is known now: replicas, controllers, the predictions."""
        fit_restores(self.done, self.controllers)
        self.findings = [fitted_to_log_dir(finding) for finding in self.findings]

    def report(self) -> Report:
        """Everything, in the order of the arguments."""
        partitions = (*(one.report for one in self.done), *self.tiers.reports)
        return Report(
            now=self.settings.now,
            partitions=partitions,
            findings=in_order(self.findings),
            not_checked=tuple(self.not_checked),
            version=self._release_taken(),
            files=sum(report.files for report in partitions) + sum(log_dir.files for log_dir in self.log_dirs),
            bytes=sum(report.bytes for report in partitions),
            hashes=tuple(
                chain.from_iterable([*(r.hashes for r in partitions), *(log_dir.hashes for log_dir in self.log_dirs)])
            ),
            left_out=self.left_out + self.tiers.left_out,
            quick=self.settings.quick,
            next_start=self.next_start,
            told=self.told,
            evidence="" if self.release is not None or (era := self._era()) is None else era.evidence,
        )

    def _era(self) -> Era | None:
        """That of the log dir whose release is taken."""
        return max((log_dir.era for log_dir in self.log_dirs), key=lambda era: era.releases[0], default=None)

    def _release_taken(self) -> str | None:
        if self.release is not None:
            return release_text(self.release)
        era = self._era()
        return None if era is None else release_text(era.releases[0])


def _graded(
    on_partition: Callable[[PartitionReport, int], None] | None, policy: Policy | None
) -> Callable[[PartitionReport, int], None] | None:
    """The same, for what a policy leaves of each partition."""
    if on_partition is None or policy is None:
        return on_partition
    return lambda report, left: on_partition(report.under(policy), left)


def _bytes_of(job: _Job) -> int:
    """Bytes of all files of a directory; 0 where it cannot be listed."""
    try:
        return job.listed().size
    except UnreadableFile:
        return 0


def _is_written_since(job: _Job, time: int) -> bool:
    """Whether a file of a directory was written at a time, in milliseconds, or later; also where that is not known."""
    try:
        entries = job.listed().entries
    except UnreadableFile:
        return True
    states = [entry.state for entry in entries if entry.is_regular]
    return not states or any(state is None or state[3] >= time * 1_000_000 for state in states)


def _patterns(name: str, patterns: str | Sequence[str]) -> tuple[str, ...]:
    found = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    for pattern in found:
        check_type(f"each of {name}", pattern, str)
    return found


def _matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern fits a partition directory's name or its topic."""
    parsed = parse_partition_name(name)
    names = (name,) if parsed is None else (name, parsed.topic)
    return any(fnmatchcase(text, pattern) for text in names for pattern in patterns)


def _about(items: Iterable[NotChecked], path: str) -> list[NotChecked]:
    return [replace(item, path=path) for item in items if os.path.basename(item.path) == os.path.basename(path)]


_INDEXES = (".index", ".timeindex", ".txnindex")
#: Threads that scan what is not on this machine.
_THREADS = 6
#: Whether the check is quick → bytes of files from which on worker processes pay, as `benchmarks/jobs.py` measures.
_PAYS_FROM = {False: 16 << 20, True: 256 << 20}
#: Bytes of files from which on looking at many records at once makes up for the tenth of a second that importing numpy takes,
#: as `benchmarks/verify.py` measures: 17 MiB of values of 100 bytes do so, 160 MiB of values of 1 KiB.
LANES_PAY_FROM = 64 << 20
#: Nor does it pay where a directory has less, on average, than that divided by this power of two.
_LANES_SHARE = 8
#: Directories by which the bytes of all are estimated, at most.
_SOME = 100
#: Segments scanned ahead of the partition that is judged next.
_AHEAD = 64
