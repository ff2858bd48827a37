"""Copies that lack every file of a kind: one statement in the place of a finding for each file."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from kafkalog.core.filename import is_metadata_log
from kafkalog.verify.finding import Severity
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

    Whether the metadata log has the kind does not matter: it may have survived by itself.

    Args:
        path: The log dir, or a partition directory given by itself.
        partitions: Those of it that were checked; their reports are changed.
        is_log_dir: Whether `path` is a log dir.

    Returns:
        The findings about the place as a whole, and what could not be judged there.
    """
    own = [one for one in partitions if not is_metadata_log(one.directory.rpartition("/")[2])] or partitions
    present = {kind for one in own for kind in one.kinds}
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
    without_log = 0
    for one in partitions:
        kinds = [_kind_of(one, finding) for finding in one.report.findings]
        unjudged = ".log" in gone and ".log" in kinds
        without_log += unjudged
        kept = tuple(finding for finding, kind in zip(one.report.findings, kinds, strict=True) if kind not in gone)
        one.report = replace(one.report, findings=kept, readable=one.report.readable and not unjudged)
    in_metadata = {kind for one in partitions for kind in one.kinds} - present
    findings: list[Finding] = []
    not_checked: tuple[NotChecked, ...] = ()
    if ".log" in gone:
        has_metadata = ".log" in in_metadata
        findings += findings_of(LogsNotCopied(path=path, partitions=without_log, has_metadata=has_metadata))
        but, other = (" but the metadata log's", "other ") if has_metadata else ("", "")
        not_checked = (NotChecked(path, f"no .log{but} is there, so no {other}record could be checked", failed=True),)
    others = tuple(sorted(gone - {".log"}))
    if others:
        count, has_metadata = sum(files[kind] for kind in others), not in_metadata.isdisjoint(others)
        findings += findings_of(KindsNotCopied(path=path, kinds=others, files=count, has_metadata=has_metadata))
    if not is_log_dir:
        (one,) = partitions
        one.report = replace(one.report, findings=in_order((*one.report.findings, *findings)))
        return (), not_checked
    return tuple(findings), not_checked


def _missing(one: Verified) -> Iterator[tuple[str, int]]:
    """The kinds of files that a report says are missing, and how many."""
    for finding in one.report.findings:
        kind = _kind_of(one, finding)
        if kind is not None:
            yield kind, finding.facts.get("segments") or 1


def _kind_of(one: Verified, finding: Finding) -> str | None:
    """The kind that a finding says is missing altogether; None: some are there, or there never was one."""
    kind = _KINDS.get(finding.id)
    just_made = finding.id == "partition-without-log" and finding.severity is Severity.INFO
    return None if kind in one.kinds or just_made else kind
