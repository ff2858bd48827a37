"""One cause, one finding: which findings follow from another one.

What follows from a cause keeps its id, its place and its severity, and names the cause; people are shown it under the cause.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from kafkalog.core.filename import parse_partition_name
from kafkalog.verify.finding import Cause, Severity
from kafkalog.verify.rule import loss_of
from kafkalog.verify.subjects import OF_NO_DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from kafkalog.verify.finding import Finding
    from kafkalog.verify.verified import Compared

__all__ = ["name_causes"]

#: What two clusters that take each other for replicas look like.
_OF_TWO_QUORUMS = frozenset(("topic-id-mismatch", "topic-id-shared", "partition-duplicated", "replica-diverges"))
#: What the other files of a partition say where one of its logs is another one.
_OF_ANOTHER_LOG = frozenset(
    (
        "snapshot-differs-from-log", "snapshot-producer-missing", "snapshot-ahead-of-log", "snapshot-entry-invalid",
        "recovery-point-beyond-end", "recovery-point-behind-end", "hw-beyond-end", "epoch-missing", "epoch-start-mismatch",
        "epoch-beyond-end", "snapshot-at-end-missing",
        "sequence-gap", "sequence-duplicate", "sequence-restart", "producer-epoch-decreases",
    )
)  # fmt: skip
#: What files beside the log still say of records that it has lost.
_OF_LOST_OFFSETS = frozenset(
    (
        "index-past-eof", "index-offset-mismatch", "index-position-not-batch", "index-not-monotonic", "timeindex-not-monotonic",
        "timeindex-offset-not-in-log", "timeindex-timestamp-mismatch", "timeindex-not-running-max", "timeindex-last-entry",
        "txnindex-entry-invalid", "txnindex-extra-entry", "snapshot-at-end-missing",
    )
)  # fmt: skip
#: What a batch that is in the log twice leads to: what follows it has moved.
_OF_OFFSETS_TWICE = _OF_LOST_OFFSETS | {"sequence-duplicate"}
#: Who tells of a lost end, most trusted first.
_OF_LOST_END = ("recovery-point-beyond-end", "hw-beyond-end", "snapshot-ahead-of-log", "epoch-beyond-end")
#: What records after lost ones lead to.
_AFTER_LOST_OFFSETS = frozenset(
    (
        "sequence-gap-over-hole", "snapshot-differs-from-log", "snapshot-producer-missing", "txnindex-first-offset-mismatch",
        "txnindex-lso-mismatch",
    )
)  # fmt: skip
#: What comes after a batch whose length is wrong, but leads to something that looks like a batch.
_OF_A_LENGTH = frozenset(("batch-length-invalid", "batch-magic-unknown", "log-tail-garbage", "log-tail-torn"))
#: What one wrong leader epoch in a log leads to.
_OF_AN_EPOCH = frozenset(("epoch-decreases", "segment-epoch-decreases", "epoch-missing", "epoch-start-mismatch"))
#: What a copy of one batch in the place of another leads to.
_OF_A_COPY = _OF_AN_EPOCH | {"batch-epoch-wrong", "sequence-duplicate", "sequence-gap"}
#: What a directory's new name leads to.
_OF_A_NEW_NAME = frozenset(
    ("hw-missing", "recovery-point-missing", "controller-knows-no-partition", "controller-assigns-elsewhere")
)
#: What stands in the part of a log that the cleaner says it has been over.
_OF_THE_CLEANER = frozenset(("compacted-key-twice", "compacted-aborted-data"))


def name_causes(verified: Sequence[Compared], findings: Sequence[Finding]) -> list[Finding]:
    """Name in each finding the one that it follows from.

    Args:
        verified: The partitions; their reports are replaced.
        findings: Those about log dirs.

    Returns:
        These, with their causes.
    """
    causes = chain(findings, *(one.report.findings for one in verified))
    everywhere = [relation for cause in causes for relation in _between(cause)]
    for one in verified:
        causes_here = sorted(one.report.findings, key=_rank)
        relations = [*everywhere, *(relation for cause in causes_here for relation in _inside(cause))]
        if relations:
            one.report = replace(one.report, findings=tuple(_named(one.report.findings, relations)))
    return list(_named(findings, everywhere))


_Relation = tuple["Finding", "Callable[[Finding], bool]"]


def _named(findings: Iterable[Finding], relations: Sequence[_Relation]) -> Iterator[Finding]:
    for finding in findings:
        cause = next(
            (cause for cause, follows in relations if finding.cause is None and finding is not cause and follows(finding)), None
        )
        yield finding if cause is None else _following(finding, cause)


def _following(finding: Finding, cause: Finding) -> Finding:
    """A finding with its cause; a partition that is only renamed is not lost."""
    finding = finding._replace(cause=Cause(cause.id, cause.path))
    if finding.id not in OF_NO_DIRECTORY:
        return finding
    folder = cause.path if cause.id == "directory-renamed" else cause.path.rpartition("/")[0]
    facts = {name: value for name, value in finding.facts.items() if name != "offsets_unknown"}
    effect = f"The partition is here as {folder}."
    severity = min(finding.severity, Severity.WARNING)
    return finding._replace(severity=severity, facts=facts | {"effect": effect}, consequence=effect, remedy=cause.remedy)


def _between(cause: Finding) -> Iterator[_Relation]:
    """What follows from a finding in other partitions and log dirs."""
    if cause.id == "quorums-differ":
        roots = [_log_dir_of(cause.path), _log_dir_of(cause.facts["other"])]
        yield cause, lambda finding: finding.id in _OF_TWO_QUORUMS and _is_between(finding, roots)
    elif cause.id == "controller-topic-name-differs":
        was = cause.facts["was"]
        yield cause, lambda finding: finding.id in OF_NO_DIRECTORY and finding.facts["file"].rpartition("/")[2] == was
    elif cause.id == "directory-renamed":
        yield cause, lambda finding: finding.id in OF_NO_DIRECTORY and _is_of_directory(finding, cause)
    elif cause.id == "binary-line-ends":
        # The log dir's, of which those of its partitions are parts.
        yield cause, lambda finding: finding.id == cause.id and finding.path.rpartition("/")[0] == cause.path


def _inside(cause: Finding) -> Iterator[_Relation]:
    """What follows from a finding in the same partition."""
    if cause.id == "log-replaced":
        yield cause, lambda finding: _is_of_segment(finding, cause.path) or finding.id in _OF_ANOTHER_LOG
        return
    if loss_of(cause) is not None and cause.offsets is not None:
        yield cause, lambda finding: _tells_of_lost(finding, cause)
    if cause.id == "offset-not-monotonic" and cause.offsets is None:
        yield cause, lambda finding: _stem(finding.path) == _stem(cause.path) and finding.id in _OF_OFFSETS_TWICE
    if cause.id == "batch-crc-mismatch":
        yield cause, lambda finding: finding.id in _OF_A_LENGTH and _is_right_after(finding, cause)
    if cause.id == "batch-overwritten":
        yield cause, lambda finding: finding.id in _OF_A_COPY and _is_about_batch(finding, cause)
    if cause.id == "batch-epoch-wrong":
        yield cause, lambda finding: finding.id in _OF_AN_EPOCH and _is_about_batch(finding, cause)
    if cause.id in ("controller-topic-name-differs", "directory-renamed"):
        yield cause, lambda finding: finding.id in _OF_A_NEW_NAME
    elif cause.id == "topic-id-mismatch":
        yield cause, lambda finding: finding.id == "controller-topic-id-differs" and finding.path == cause.path
    elif cause.id in ("cleaner-beyond-high-watermark", "cleaner-checkpoint-out-of-range"):
        yield cause, lambda finding: finding.id in _OF_THE_CLEANER
    elif cause.id == "binary-line-ends":
        yield cause, lambda finding: finding.id == "coordinator-load-fails"


def _is_of_directory(finding: Finding, cause: Finding) -> bool:
    """Whether a finding is about the name that a renamed directory had, in its log dir."""
    folder, slash, _ = cause.path.rpartition("/")
    return str(finding.facts["file"]) == f"{folder}{slash}{cause.facts['was']}"


def _is_right_after(finding: Finding, cause: Finding) -> bool:
    """Whether the bytes of a finding begin where those of its cause end."""
    at, end = finding.span, cause.span
    return finding.path == cause.path and at is not None and end is not None and at.start == end.end


def _is_about_batch(finding: Finding, cause: Finding) -> bool:
    """Whether a finding begins or ends with the batch of its cause."""
    if finding.path != cause.path or finding.offsets is None or cause.offsets is None:
        return False
    return finding.offsets[0] == cause.offsets[0] or finding.offsets[1] == cause.offsets[1]


def _is_of_segment(finding: Finding, log: str) -> bool:
    """Whether a finding is about a file of a segment, or about its neighbour's log because of it."""
    return finding.path.rpartition(".")[0] == log.rpartition(".")[0] or (
        finding.id in ("segment-gap", "segment-overlap") and log in finding.facts.values()
    )


def _tells_of_lost(finding: Finding, cause: Finding) -> bool:
    """Whether a finding is only what a file beside the log, or a producer's numbers, still say of records that it lost."""
    assert cause.offsets is not None
    first = cause.offsets[0]
    if finding.id in _AFTER_LOST_OFFSETS:
        offset = finding.facts.get("offset", -1 if finding.offsets is None else finding.offsets[1])
        return isinstance(offset, int) and offset > first
    if finding.id in _OF_LOST_END:
        return _reach(cause) > _reach(finding) and _is_within(finding.offsets, cause.offsets)
    if finding.id not in _OF_LOST_OFFSETS:
        return False
    # What follows lost bytes has moved, and the largest timestamp may have been among them.
    is_beside = _stem(finding.path) in map(_stem, (cause.path, *map(str, cause.facts.values())))
    is_after = finding.id == "timeindex-last-entry" or (finding.offsets is not None and finding.offsets[1] >= first)
    # The entry of an aborted transaction tells of its marker, at its last offset.
    last = -1 if finding.offsets is None else finding.offsets[1]
    ends_there = finding.id.startswith("txnindex") and first <= last <= cause.offsets[1]
    return (is_beside and is_after) or ends_there or _is_within(finding.offsets, cause.offsets)


def _reach(finding: Finding) -> tuple[int, int]:
    """How far a finding tells of a lost end; of those that reach as far, the most trusted one is the cause."""
    return -1 if finding.offsets is None else finding.offsets[1], -_rank(finding)


def _rank(finding: Finding) -> int:
    """Which of two findings is the cause of the other, when they tell of the same: that with the smaller number."""
    if finding.id == "log-replaced":
        return -2
    return _OF_LOST_END.index(finding.id) if finding.id in _OF_LOST_END else -1


def _stem(path: str) -> str:
    """The path of a segment without the suffix of its file; other text as it is."""
    stem, _, suffix = path.rpartition(".")
    return stem if suffix in ("log", "index", "timeindex", "txnindex") else path


def _is_within(offsets: tuple[int, int] | None, lost: tuple[int, int] | None) -> bool:
    """Whether offsets are lost ones, or end right after these, as the name of a snapshot does."""
    return offsets is not None and lost is not None and lost[0] <= offsets[0] and offsets[1] <= lost[1] + 1


def _is_between(finding: Finding, roots: Sequence[str]) -> bool:
    """Whether a finding is in one of these log dirs, and the file that shows it in the other."""
    paths = finding.path, str(finding.facts.get("file", ""))
    return all(any(path.startswith(f"{root}/") for path in paths) for root in roots)


def _log_dir_of(path: str) -> str:
    """The log dir of a partition directory or of a file in one."""
    folder, _, name = path.rpartition("/")
    if parse_partition_name(name) is None:
        folder = folder.rpartition("/")[0]
    return folder or "."
