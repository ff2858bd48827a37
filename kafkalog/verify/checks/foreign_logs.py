"""Logs that are sound and fit nothing beside them: copied from another partition, or from another time of this one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from kafkalog.core.offset_index import padded_end
from kafkalog.files.log_dir import RECOVERY_POINTS
from kafkalog.files.source import hashes_of
from kafkalog.verify.finding import Severity
from kafkalog.verify.rule import rule_of
from kafkalog.verify.rules.partitions import ReplacedLog

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from kafkalog.verify.facts import PartitionFacts
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.scan.results import SegmentScan
    from kafkalog.verify.verified import Verified

__all__ = ["name_originals", "replaced_logs"]

#: Bytes of an entry.
_ENTRY = {".index": 8, ".timeindex": 12}
#: What shows that a log is another one: its indexes, or that all its offsets are before its name.
_MISFIT = "`{}` ({} of {} wrong)"
_BEFORE = "all its offsets are before that of its name"
#: Findings that a log of another partition leads to, and what they witness.
_WITNESSES = {
    "segment-gap": "the next segment does not begin where it ends",
    "segment-overlap": "the next segment begins before it ends",
    "snapshot-differs-from-log": "the producer snapshots tell of other records",
    "snapshot-producer-missing": "the producer snapshots tell of other records",
    "snapshot-ahead-of-log": "the producer snapshots tell of other records",
    "recovery-point-beyond-end": "the recovery point is not its end",
    "recovery-point-behind-end": "the recovery point is not its end",
    "epoch-missing": "leader-epoch-checkpoint tells of other epochs",
    "epoch-start-mismatch": "leader-epoch-checkpoint tells of other epochs",
    "segment-start-gap": "its first offset is not that of its name",
    "batch-before-segment": "its first offset is not that of its name",
}
#: What entries of its own log never say of it, whatever that has lost.
_CONTRADICTIONS = frozenset(("index-position-not-batch", "index-offset-mismatch", "timeindex-timestamp-mismatch"))
#: What a whole log of another place may have: its batches are sound, and do not fit the name, or what is before them.
_OF_THE_PLACE = frozenset(
    (
        "segment-start-gap", "batch-before-segment", "segment-gap", "segment-overlap", "segment-epoch-decreases",
        "sequence-gap", "sequence-duplicate", "sequence-restart", "producer-epoch-decreases", "txnindex-missing-entry",
        "txn-hanging", "txn-open",
    )
)  # fmt: skip


def replaced_logs(facts: PartitionFacts, findings: Sequence[Finding]) -> Iterator[ReplacedLog]:
    """The logs of a partition that neither their indexes nor something else beside them fit.

    Args:
        facts: The partition.
        findings: What was found in it.
    """
    loud = [finding for finding in findings if finding.severity >= Severity.WARNING]
    wrong = Counter((finding.path, finding.span) for finding in loud)
    entries = Counter(path for path, _ in wrong)
    broken = {f.path for f in loud if f.path.endswith(".log") and f.id not in _OF_THE_PLACE}
    bounds = [scan.base_offset for scan in facts.scans[1:]]
    for scan, following in zip_longest(facts.scans, bounds):
        stem = scan.path.removesuffix(".log")
        if scan.path in broken or scan.damaged:
            continue
        is_before = scan.last is not None and scan.last.last_offset < scan.base_offset
        if not is_before and not any(entries[stem + suffix] for suffix in _ENTRY):
            continue
        counts = {suffix: (entries[stem + suffix], _entries(facts, stem + suffix)) for suffix in _ENTRY}
        if not is_before and not _is_contradicted(stem, counts, loud):
            continue
        witnesses = tuple(dict.fromkeys(_WITNESSES[f.id] for f in loud if f.id in _WITNESSES and _is_about(f, scan)))
        if witnesses:
            end = following if following is not None else _end_at_stop(facts)
            yield ReplacedLog(
                path=scan.path,
                size=scan.size,
                offsets=None if end is None or end <= scan.base_offset else (scan.base_offset, end - 1),
                misfits=_BEFORE if is_before else _misfits(counts),
                witnesses=witnesses,
            )


def _misfits(counts: Mapping[str, tuple[int, int]]) -> str:
    told = [_MISFIT.format(suffix, wrong, every) for suffix, (wrong, every) in counts.items() if wrong]
    return f"its {' and '.join(told)} {'do' if len(told) > 1 else 'does'} not fit it"


def _is_contradicted(stem: str, counts: Mapping[str, tuple[int, int]], loud: Sequence[Finding]) -> bool:
    """Whether most entries of its indexes do not fit the log, and not only because it was cut: such tell of its own end.

    A small segment has no entry in its `.index`, which then contradicts nothing.
    """
    if any(2 * bad < every for bad, every in counts.values()):
        return False
    return any(f.id in _CONTRADICTIONS and f.path.removesuffix(".timeindex").removesuffix(".index") == stem for f in loud)


def _end_at_stop(facts: PartitionFacts) -> int | None:
    """Where the log ended when its broker was stopped cleanly."""
    point = facts.line(RECOVERY_POINTS)
    return point.offset if facts.directory.clean and point is not None else None


def _entries(facts: PartitionFacts, path: str) -> int:
    """How many entries an index has, without the zeros of one that is preallocated."""
    directory, name, size = facts.partition.directory, path.rpartition("/")[2], _ENTRY[path[path.rindex(".") :]]
    return 0 if directory.size_of(name) is None else padded_end(directory.read(name), size) // size


def _is_about(finding: Finding, scan: SegmentScan) -> bool:
    """Whether a finding is about a log as a whole, or about the file that follows it."""
    return not finding.path.endswith(".log") or scan.path in (finding.path, *finding.facts.values())


def name_originals(verified: Sequence[Verified]) -> None:
    """Name, in what was found of replaced logs, the logs of the same log dir that have the same bytes."""
    for one in verified:
        if any(finding.id == "log-replaced" for finding in one.report.findings):
            others = [other for other in verified if other.owner is one.owner]
            found = tuple(_with_original(finding, others) for finding in one.report.findings)
            one.report = replace(one.report, findings=found)


def _with_original(finding: Finding, others: Iterable[Verified]) -> Finding:
    if finding.id != "log-replaced" or finding.span is None:
        return finding
    size = finding.span.end
    candidates = [
        other.listed.path_of(entry.name)
        for other in others
        for entry in other.listed.entries
        if entry.name.endswith(".log") and entry.size == size and other.listed.path_of(entry.name) != finding.path
    ]
    if not candidates:
        return finding
    digests = dict(hashes_of([finding.path, *candidates], lambda _: None))
    same = [path for path in candidates if digests.get(path) == digests.get(finding.path)]
    if not same:
        return finding
    facts = finding.facts | {"witnesses": f"{finding.facts['witnesses']}; its bytes are those of {same[0]}"}
    return rule_of(finding.id).retold(finding, facts)
