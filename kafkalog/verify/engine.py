"""`verify`: from paths to a report."""

from __future__ import annotations

import os
import time
from collections import deque
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from kafkalog.core.filename import LOG_DIR_FILES, parse_partition_name
from kafkalog.core.properties import format_uuid
from kafkalog.errors import UnreadableFile
from kafkalog.files.log_dir import looks_like_log_dir, looks_like_partition
from kafkalog.files.partition import join, trim
from kafkalog.internal.transactions import TOPIC as TRANSACTION_STATE
from kafkalog.internal.transactions import OpenTransaction, read_transactions
from kafkalog.verify.controller_checks import Controllers, PartitionClaim, States, claim_of, states_for
from kafkalog.verify.partition import PartitionCheck, Surroundings
from kafkalog.verify.replica_checks import compare_replicas
from kafkalog.verify.report import NotChecked, PartitionReport, Report, in_order
from kafkalog.verify.rule import findings_of
from kafkalog.verify.scan import scan_segment
from kafkalog.verify.surroundings import LogDirCheck
from kafkalog.verify.task import SegmentScan, Settings
from kafkalog.verify.views import BrokerView, HangingTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from kafkalog.verify.finding import Finding
    from kafkalog.verify.policy import Policy

__all__ = ["verify"]

#: The release taken for a log dir of the ZooKeeper era, and for one of a KRaft broker.
ZOOKEEPER_ERA = "2.8.2"
NEWEST = "4.3.1"

Path = str | os.PathLike[str]


def verify(
    path: Path | Iterable[Path],
    *,
    now: int | None = None,
    quick: bool = False,
    hash_inputs: bool = False,
    jobs: int = 1,
    executor: Executor | None = None,
    kafka_version: str | None = None,
    topics: Sequence[str] = (),
    exclude: Sequence[str] = (),
    policy: Policy | None = None,
    partition_state: bytes | Mapping[str, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check files, partition directories and log dirs. Never raises on what they hold.

    >>> verify("fixtures/broker/2.1.1/plain/twitter-status-0").verdict
    'benign'

    Args:
        path: A file, a partition directory, a log dir, or several of them.
        now: The clock in milliseconds since 1970; the system's by default.
        quick: Leave out decompression and records.
        hash_inputs: Note the SHA-256 of every segment file.
        jobs: Processes to scan with; segments are the unit.
        executor: Where to scan instead: any `concurrent.futures.Executor`.
        kafka_version: The release to take for what depends on one, instead of the one the log dir speaks for.
        topics: Patterns (`*`, `?`) of topics or partition directories in log dirs to look at; all by default.
        exclude: The same for those to leave out.
        policy: How findings are graded.
        partition_state: What ZooKeeper holds under `/brokers/topics/T/partitions/P/state`: for the one partition given,
            or by `T-P`.
        progress: Called with bytes done and bytes in all, from time to time.

    Raises:
        RequestError: a pattern of the policy names no rule; `partition_state` is no such JSON, or not of a partition given.
    """
    paths = [path] if isinstance(path, str | os.PathLike) else list(path)
    settings = Settings(int(time.time() * 1000) if now is None else now, quick, hash_inputs)
    run = _Run(settings, tuple(topics), tuple(exclude), kafka_version)
    for item in paths:
        run.add(os.fspath(item))
    if partition_state is not None:
        run.take_states(partition_state)
    if executor is not None:
        run.scan(executor, progress)
    elif jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            run.scan(pool, progress)
    else:
        run.scan(None, progress)
    report = run.report()
    return report if policy is None else report.under(policy)


class _Run:
    """One call of `verify`."""

    def __init__(self, settings: Settings, topics: tuple[str, ...], exclude: tuple[str, ...], version: str | None) -> None:
        self.settings = settings
        self.topics = topics
        self.exclude = exclude
        self.version = version
        self.jobs: list[tuple[str, Surroundings, str | None, LogDirCheck | None]] = []
        self.log_dirs: list[LogDirCheck] = []
        self.not_checked: list[NotChecked] = []
        self.done: list[tuple[PartitionReport, object, LogDirCheck | None]] = []
        self.claims: list[PartitionClaim | None] = []
        self.states: States = {}

    # --- what to do ---

    def add(self, path: str) -> None:
        """Take an argument in."""
        path = trim(path)
        try:
            if os.path.isdir(path):
                self._add_directory(path)
            elif os.path.exists(path):
                self._add_file(path)
            else:
                self.not_checked.append(NotChecked(path, "no such file or directory", failed=True))
        except UnreadableFile as error:
            self.not_checked.append(NotChecked(error.path, error.reason, failed=True))

    def take_states(self, given: bytes | Mapping[str, bytes]) -> None:
        """Take in the states of partitions out of ZooKeeper."""
        self.states = states_for(given, [path for path, _, _, _ in self.jobs])

    def _add_directory(self, path: str) -> None:
        if not _has_log_dir_files(path) and looks_like_partition(path):
            self.jobs.append((path, Surroundings(), None, None))
            return
        if not looks_like_log_dir(path):
            self.not_checked.append(NotChecked(path, "holds nothing of Kafka", failed=True))
            return
        log_dir = LogDirCheck(path)
        self.log_dirs.append(log_dir)
        for name in log_dir.log_dir.partition_names:
            if self._wanted(name):
                self.jobs.append((join(path, name), log_dir.of(name), None, log_dir))

    def _wanted(self, name: str) -> bool:
        parsed = parse_partition_name(name)
        names = (name,) if parsed is None else (name, parsed.topic)

        def matches(patterns: tuple[str, ...]) -> bool:
            return any(fnmatchcase(text, pattern) for text in names for pattern in patterns)

        return (not self.topics or matches(self.topics)) and not matches(self.exclude)

    def _add_file(self, path: str) -> None:
        folder, name = os.path.split(path)
        if name in LOG_DIR_FILES:
            log_dir = LogDirCheck(folder or ".")
            own = join(log_dir.path, name)
            log_dir.findings = [f._replace(path=path) for f in log_dir.findings if f.path == own]
            self.log_dirs.append(log_dir)
            return
        self.jobs.append((folder or ".", Surroundings(), path, None))

    # --- doing it ---

    def scan(self, executor: Executor | None, progress: Callable[[int, int], None] | None) -> None:
        """Scan all segments and judge all partitions, in order."""
        total = self._total() if progress is not None else 0
        seen = 0
        for check, only, log_dir, scans in self._scanned(executor):
            report = check.finish(scans)
            self.not_checked.extend(check.not_checked if only is None else _about(check.not_checked, only))
            if only is not None:
                report = self._narrow(report, check, only)
            self.done.append((report, getattr(check, "topic_id", None), log_dir))
            self.claims.append(claim_of(check, log_dir))
            if progress is not None:
                seen += report.bytes
                progress(seen, total)

    def _total(self) -> int:
        total = 0
        for path, _, _, _ in self.jobs:
            try:
                with os.scandir(path) as entries:
                    total += sum(entry.stat().st_size for entry in entries if entry.is_file())
            except OSError:
                continue
        return total

    def _scanned(
        self, executor: Executor | None
    ) -> Iterator[tuple[PartitionCheck, str | None, LogDirCheck | None, list[SegmentScan]]]:
        waiting: deque[tuple[PartitionCheck, str | None, LogDirCheck | None, list[Future[SegmentScan]]]] = deque()
        threads = min(2, _cores())
        for path, surroundings, only, log_dir in self.jobs:
            try:
                check = PartitionCheck(path, surroundings, self.settings)
            except UnreadableFile as error:
                self.not_checked.append(NotChecked(error.path, error.reason, failed=True))
                continue
            if executor is None:
                yield check, only, log_dir, [scan_segment(task, threads) for task in check.tasks]
                continue
            waiting.append((check, only, log_dir, [executor.submit(scan_segment, task) for task in check.tasks]))
            while sum(len(entry[3]) for entry in waiting) > _AHEAD:
                yield _collected(waiting.popleft())
        while waiting:
            yield _collected(waiting.popleft())

    def _narrow(self, report: PartitionReport, check: PartitionCheck, path: str) -> PartitionReport:
        """The report of a single file: its siblings were only witnesses."""
        own = join(check.path, os.path.basename(path))
        name = os.path.basename(path)
        findings = tuple(f._replace(path=path) for f in report.findings if f.path == own)
        alone = not name.endswith((".log", ".snapshot", ".checkpoint", "leader-epoch-checkpoint", "partition.metadata"))
        has_log = own.rsplit(".", 1)[0] + ".log" in {scan.path for scan in check.scans}
        readable = report.readable
        if alone and not has_log:
            self.not_checked.append(NotChecked(path, "there is no log beside it to compare with", failed=True))
            readable, findings = False, ()
        return replace(report, path=path, findings=findings, readable=readable)

    # --- the result ---

    def report(self) -> Report:
        """Everything, in the order of the arguments."""
        findings = [finding for log_dir in self.log_dirs for finding in log_dir.findings]
        for log_dir in self.log_dirs:
            self.not_checked.extend(log_dir.not_checked)
        findings.extend(self._across())
        partitions = [report for report, _, _ in self.done]
        for number, extra in (*self._replicas(), *self._hanging(), *self._controllers()):
            if extra:
                partitions[number] = replace(partitions[number], findings=in_order((*partitions[number].findings, *extra)))
        return Report(
            self.settings.now,
            tuple(partitions),
            in_order(findings),
            tuple(self.not_checked),
            self._release(),
            sum(report.files for report in partitions) + sum(log_dir.files for log_dir in self.log_dirs),
            sum(report.bytes for report in partitions),
            tuple(pair for report in partitions for pair in report.hashes),
            quick=self.settings.quick,
        )

    def _release(self) -> str | None:
        if self.version is not None:
            return self.version
        if not self.log_dirs:
            return None
        return NEWEST if any(log_dir.kraft for log_dir in self.log_dirs) else ZOOKEEPER_ERA

    def _brokers(self) -> dict[tuple[str, str], list[LogDirCheck]]:
        brokers: dict[tuple[str, str], list[LogDirCheck]] = {}
        for log_dir in self.log_dirs:
            if log_dir.broker is not None:
                brokers.setdefault(log_dir.broker, []).append(log_dir)
        return brokers

    def _across(self) -> Iterator[Finding]:
        """Findings about the log dirs of one broker."""
        for log_dirs in self._brokers().values():
            duplicates: list[tuple[str, str, str]] = []
            ids: list[tuple[str, str, str]] = []
            seen_ids: dict[str, str] = {}
            placed: dict[tuple[str, int], PartitionReport] = {}
            for log_dir in log_dirs:
                directory_id = log_dir.directory_id
                if directory_id is not None and directory_id in seen_ids:
                    ids.append(
                        (join(log_dir.path, "meta.properties"), seen_ids[directory_id], f"directory.id {directory_id} twice")
                    )
                elif directory_id is not None:
                    seen_ids[directory_id] = join(log_dir.path, "meta.properties")
                for report, _, owner in self.done:
                    parsed = parse_partition_name(os.path.basename(report.path))
                    if owner is not log_dir or parsed is None or parsed.mark:
                        continue
                    key = (parsed.topic, parsed.partition)
                    if key in placed:
                        one, two = placed[key], report
                        ranges = (
                            f"offsets {two.log_start_offset} to {two.log_end_offset} here, "
                            f"{one.log_start_offset} to {one.log_end_offset} there"
                        )
                        duplicates.append((two.path, one.path, ranges))
                    else:
                        placed[key] = report
            yield from findings_of(
                BrokerView(log_dirs[0].path, tuple(duplicates), tuple(ids), tuple(self._topic_ids(log_dirs)))
            )

    def _topic_ids(self, log_dirs: list[LogDirCheck]) -> Iterator[tuple[str, str, str, str]]:
        first: dict[str, tuple[str, object]] = {}
        for report, topic_id, owner in self.done:
            parsed = parse_partition_name(os.path.basename(report.path))
            if topic_id is None or parsed is None or parsed.mark in ("delete", "stray") or owner not in log_dirs:
                continue
            path = join(report.path, "partition.metadata")
            known = first.setdefault(parsed.topic, (path, topic_id))
            if known[1] != topic_id:
                yield path, format_uuid(topic_id), known[0], format_uuid(known[1])  # type: ignore[arg-type]

    def _hanging(self) -> Iterator[tuple[int, list[Finding]]]:
        """Findings about open transactions that `__transaction_state` in the same log dir knows better."""
        for log_dir in self.log_dirs:
            numbers = [number for number, (_, _, owner) in enumerate(self.done) if owner is log_dir]
            states = [self.done[n][0].path for n in numbers if self.done[n][0].topic == TRANSACTION_STATE]
            still = {self.done[n][0].path: n for n in numbers if any(f.id == "txn-open" for f in self.done[n][0].findings)}
            if not states or not still:
                continue
            for item in read_transactions([*states, *still]).open:
                number = still.get(os.path.dirname(item.path) if item.path not in still else item.path)
                if item.verdict != "hanging" or number is None:
                    continue
                opened = [
                    f for f in self.done[number][0].findings if f.id == "txn-open" and f.facts["first"] == item.first_offset
                ]
                for finding in opened:
                    yield number, list(findings_of(_hanging_view(finding, item, certain=log_dir.clean is True)))

    def _controllers(self) -> Iterator[tuple[int, list[Finding]]]:
        """Findings about partitions that the controller knows otherwise."""
        bare = [path for path, _, only, owner in self.jobs if only is None and owner is None]
        controllers = Controllers(self.states)
        if not self.settings.quick:  # metadata is records
            controllers.hear(self.log_dirs, bare)
        self.not_checked.extend(controllers.not_checked)
        for number, claim in enumerate(self.claims):
            if claim is None:
                continue
            found = list(controllers.findings(claim))
            file = self.done[number][0].path
            if file != claim.path:  # one file was named: the others are witnesses
                own = join(claim.path, os.path.basename(file))
                found = [f._replace(path=file) for f in found if f.path == own]
            yield number, found

    def _replicas(self) -> Iterator[tuple[int, list[Finding]]]:
        """Findings about replicas: the same partition on another broker, or in another copy."""
        first: dict[tuple[str, int], tuple[int, LogDirCheck | None]] = {}
        for number, (report, _, owner) in enumerate(self.done):
            parsed = parse_partition_name(os.path.basename(os.path.realpath(report.path)))
            if parsed is None or parsed.mark or not os.path.isdir(report.path):
                continue
            key = (parsed.topic, parsed.partition)
            if key not in first:
                first[key] = (number, owner)
                continue
            other, other_owner = first[key]
            same_broker = owner is not None and other_owner is not None and owner.broker == other_owner.broker
            if (same_broker and owner is not None and owner.broker is not None) or (owner is not None and owner is other_owner):
                continue
            pair = compare_replicas(report.path, self.done[other][0].path)
            if pair is not None:
                yield number, list(findings_of(pair))


def _hanging_view(finding: Finding, item: OpenTransaction, *, certain: bool) -> HangingTransaction:
    assert finding.span is not None
    return HangingTransaction(
        finding.path,
        finding.span,
        item.producer_id,
        item.producer_epoch,
        item.first_offset,
        item.last_offset,
        item.why,
        item.abort_command,
        certain and item.transactional_id is not None,
    )


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _collected(
    entry: tuple[PartitionCheck, str | None, LogDirCheck | None, list[Future[SegmentScan]]],
) -> tuple[PartitionCheck, str | None, LogDirCheck | None, list[SegmentScan]]:
    check, only, log_dir, futures = entry
    return check, only, log_dir, [future.result() for future in futures]


def _has_log_dir_files(path: str) -> bool:
    """Whether files of a log dir stand in a directory; a stray segment file does not make a partition of it then."""
    return any(os.path.exists(join(path, name)) for name in LOG_DIR_FILES)


def _about(items: list[NotChecked], path: str) -> list[NotChecked]:
    return [replace(item, path=path) for item in items if os.path.basename(item.path) == os.path.basename(path)]


#: Segments scanned ahead of the partition that is judged next.
_AHEAD = 64
