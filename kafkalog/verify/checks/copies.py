"""Copies that lack every file of a kind: one statement in the place of a finding for each file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.verify.report import NotChecked, in_order
from kafkalog.verify.rule import findings_of
from kafkalog.verify.rules.copies import KindsNotCopied, LogsNotCopied

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kafkalog.verify.finding import Finding
    from kafkalog.verify.verified import Verified

__all__ = ["fold_what_was_not_copied"]

#: Rules that tell of a missing file, and its kind: a suffix, or its whole name.
_KINDS = {
    "index-without-log": ".log",
    "partition-without-log": ".log",
    "index-missing": ".index",
    "timeindex-missing": ".timeindex",
    "snapshot-at-end-missing": ".snapshot",
    "snapshot-missing-for-segment": ".snapshot",
    "txnindex-missing-entry": ".txnindex",
    "epoch-file-missing": "leader-epoch-checkpoint",
    "partition-metadata-missing": "partition.metadata",
    "quorum-state-missing": "quorum-state",
}
#: Missed too seldom, or too dangerous to miss, to speak of a copy by themselves: they count where no `.index` is there either.
_ALONG = frozenset((".txnindex", "leader-epoch-checkpoint", "partition.metadata", "quorum-state"))
#: Of one partition of a log dir, or one segment of a directory given by itself, a loss is as likely as a copy.
_LEAST = 2


def fold_what_was_not_copied(
    path: str, partitions: list[Verified], *, is_log_dir: bool
) -> tuple[tuple[Finding, ...], tuple[NotChecked, ...]]:
    """Take what the reports say of files of a kind that none of the partitions has out of them, and say it once.

    Args:
        path: The log dir, or a partition directory given by itself.
        partitions: Those of it that were checked; their reports are changed.
        is_log_dir: Whether `path` is a log dir.

    Returns:
        The findings about the place as a whole, and what could not be judged there.
    """
    present = {kind for one in partitions for kind in one.kinds}
    files: Counter[str] = Counter()
    lacking: Counter[str] = Counter()
    for one in partitions:
        missing = Counter(kind for kind, count in _missing(one) if kind not in present for _ in range(count))
        files += missing
        lacking += Counter(missing.keys()) if is_log_dir else missing
    gone = {kind for kind, count in lacking.items() if count >= _LEAST and kind not in _ALONG}
    if ".index" in gone:
        gone |= lacking.keys() & _ALONG
    if not gone:
        return (), ()
    for one in partitions:
        unjudged = ".log" in gone and ".log" not in one.kinds
        kept = tuple(finding for finding in one.report.findings if _KINDS.get(finding.id) not in gone)
        one.report = replace(one.report, findings=kept, readable=one.report.readable and not unjudged)
    findings: list[Finding] = []
    not_checked: tuple[NotChecked, ...] = ()
    if ".log" in gone:
        findings += findings_of(LogsNotCopied(path=path, partitions=sum(not one.report.readable for one in partitions)))
        not_checked = (NotChecked(path, "no .log is there, so no record could be checked", failed=True),)
    others = tuple(sorted(gone - {".log"}))
    if others:
        findings += findings_of(KindsNotCopied(path=path, kinds=others, files=sum(files[kind] for kind in others)))
    if not is_log_dir:
        (one,) = partitions
        one.report = replace(one.report, findings=in_order((*one.report.findings, *findings)))
        return (), not_checked
    return tuple(findings), not_checked


def _missing(one: Verified) -> Iterator[tuple[str, int]]:
    """The kinds of files that a report says are missing, and how many."""
    for finding in one.report.findings:
        kind = _KINDS.get(finding.id)
        if kind is not None:
            yield kind, finding.facts.get("segments", 1)
