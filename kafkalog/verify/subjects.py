"""What a report speaks of, one by one: what is damaged or endangered, that which must be seen to first at the head."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from kafkalog.core.filename import is_metadata_log
from kafkalog.verify.account import account_of, count_of
from kafkalog.verify.finding import Severity
from kafkalog.verify.report import DAMAGED
from kafkalog.verify.rule import loss_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafkalog.next_start.outcome import Outcome
    from kafkalog.verify.account import Account
    from kafkalog.verify.finding import Finding
    from kafkalog.verify.report import PartitionReport, Report

__all__ = ["OF_NO_DIRECTORY", "Subject", "badness", "first_action_of", "is_loud", "subjects_of"]

#: Rules that tell of a partition without a directory, whose path is the fact `file`.
OF_NO_DIRECTORY = frozenset(("checkpoint-line-unknown", "partition-missing"))


class Subject(NamedTuple):
    """Something that is damaged or endangered: a partition, one whose directory is missing, or what stands beside them."""

    path: str
    verdict: str
    account: Account
    outcomes: tuple[Outcome, ...]
    is_missing: bool = False


def is_loud(partition: PartitionReport) -> bool:
    """Whether a partition is spoken of by itself: it is damaged, could not be judged, or a start does it harm."""
    if partition.verdict in DAMAGED or any(outcome.severity == "error" for outcome in partition.next_start):
        return True
    # Of a copy without logs the log dir speaks, once.
    return partition.verdict == "unknown" and bool(partition.segments or partition.findings)


def badness(subject: Subject | PartitionReport) -> tuple[object, ...]:
    """How bad it is, to be compared."""
    account = subject.account
    lost = count_of(account.gone) + count_of(account.unreadable)
    at_start = sum(start.records or 0 for start in account.starts)
    return DAMAGED[::-1].index(subject.verdict) + 1 if subject.verdict in DAMAGED else 0, lost, at_start


def subjects_of(report: Report) -> list[Subject]:
    """What is damaged or endangered: what stops the broker, its metadata log, the worst, what is only in danger."""
    partitions = (Subject(one.path, one.verdict, one.account, one.next_start) for one in report.partitions if is_loud(one))
    subjects = sorted((*partitions, *_beside(report)), key=badness, reverse=True)
    return sorted(subjects, key=_urgency)


def first_action_of(subjects: Sequence[Subject]) -> str | None:
    """What to do first: a start that does harm to any of them is put off, whatever else is wrong."""
    endangered = (one for one in subjects if any(start.is_harm for start in one.account.starts))
    actions = (one.account.first_action for one in (*endangered, *subjects))
    return next((action for action in actions if action is not None), None)


def _urgency(subject: Subject) -> int:
    if any(start.does == "stops" for start in subject.account.starts):
        return 0
    if subject.verdict not in DAMAGED:
        return 3
    return 1 if is_metadata_log(os.path.basename(subject.path)) else 2


def _beside(report: Report) -> Iterator[Subject]:
    """What is not said of a partition directory: those that are missing, and the files of the log dirs."""
    missing: dict[str, list[Finding]] = {}
    others: list[Finding] = []
    # What follows from something else is spoken of there.
    own = [finding for finding in report.findings if finding.cause is None]
    explained = {str(f.facts["file"]) for f in report.findings if f.id in OF_NO_DIRECTORY and f.cause is not None}
    for finding in own:
        is_missing = finding.id in OF_NO_DIRECTORY and finding.severity >= Severity.WARNING
        (missing.setdefault(str(finding.facts["file"]), []) if is_missing else others).append(finding)
    for path, findings in missing.items():
        outcomes = tuple(outcome for outcome in report.next_start if outcome.path == path)
        account = account_of(os.path.dirname(path), findings, outcomes)
        verdict = "data-loss" if any(loss_of(finding) is not None for finding in findings) else "damaged"
        yield Subject(path, verdict, account, outcomes, is_missing=True)
    outcomes = tuple(outcome for outcome in report.next_start if outcome.path not in missing and outcome.path not in explained)
    paths = [*(finding.path for finding in others), *(outcome.path for outcome in outcomes)]
    if not paths:
        return
    account = account_of(os.path.dirname(paths[0]) or paths[0], others, outcomes)
    if account.cause is not None or outcomes:
        about = outcomes[0].path if account.cause is None else account.cause.path
        is_lost = any(loss_of(finding) is not None for finding in others)
        yield Subject(about, "data-loss" if is_lost else "damaged", account, outcomes)
