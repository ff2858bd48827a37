"""A verify report as JSON lines: schema `kafkalog.verify/1`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kafkalog.render.effects import describe_effects
from kafkalog.render.json_next_start import commands_json, outcome_json
from kafkalog.render.json_told import told_json
from kafkalog.verify.account import Account, count_of
from kafkalog.verify.report import DAMAGED, VERDICTS
from kafkalog.verify.subjects import first_action_of, subjects_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from kafkalog.core.log_digests import LogDigests
    from kafkalog.verify import Finding, PartitionReport, Report
    from kafkalog.verify.effects import Effect

__all__ = ["SCHEMA", "finding_json", "report_json_lines"]

SCHEMA = "kafkalog.verify/1"


def report_json_lines(report: Report, only: Collection[str] = VERDICTS) -> Iterator[dict[str, Any]]:
    """The lines: of each partition its findings, the `partition` and its predictions; those of log dirs; the `summary`.

    Before that, what other hosts are compared with, where that was asked for.

    Args:
        report: What verify found.
        only: Verdicts of the partitions that have lines; the summary counts them all.
    """
    for partition in report.partitions:
        if partition.verdict not in only:
            continue
        for finding in partition.findings:
            yield _line("finding", finding_json(finding))
        yield _line("partition", _partition_json(partition))
        for outcome in partition.next_start:
            yield _line("next_start", outcome_json(outcome))
    for finding in report.findings:
        yield _line("finding", finding_json(finding))
    for outcome in report.next_start:
        yield _line("next_start", outcome_json(outcome))
    if report.told is not None:
        for kind, content in told_json(report.told):
            yield _line(kind, content)
    yield _line("summary", _summary_json(report))


def _line(kind: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"schema": SCHEMA, "type": kind, **content}


def finding_json(finding: Finding) -> dict[str, Any]:
    """A `finding` line, without the fields every line has."""
    effects = finding.next_start
    more: dict[str, Any] = {"next_start": [_effect_json(effect) for effect in effects]} if effects else {}
    more |= {} if finding.cause is None else {"cause": finding.cause._asdict()}
    return {
        "id": finding.id,
        "severity": finding.severity.label,
        "path": finding.path,
        "span": None if finding.span is None else [finding.span.start, finding.span.end],
        "offsets": None if finding.offsets is None else list(finding.offsets),
        "message": finding.message,
        "facts": finding.facts | more,
        "consequence": f"{finding.consequence} {describe_effects(effects)}" if effects else finding.consequence,
        "remedy": finding.remedy,
        "commands": commands_json(finding.commands),
    }


def _effect_json(effect: Effect) -> dict[str, Any]:
    """An entry of `facts.next_start`."""
    return {
        "stop": effect.stop,
        "release": effect.release,
        "does": effect.does,
        "reason": effect.reason,
        "path": effect.path,
        "position": effect.position,
        "segments_deleted": effect.segments,
        "records_lost": effect.records,
        "bytes_lost": effect.size,
        "time_range_lost": None if effect.times is None else list(effect.times),
        "log_end_offset": effect.log_end_offset,
    }


def _partition_json(report: PartitionReport) -> dict[str, Any]:
    return {
        "path": report.path,
        "topic": report.topic,
        "partition": report.partition,
        "topic_id": report.topic_id,
        "digests": None if report.digests is None else _digests_json(report.digests),
        "verdict": report.verdict,
        "valid_through_offset": report.valid_through_offset,
        "log_start_offset": report.log_start_offset,
        "log_end_offset": report.log_end_offset,
        "segments": report.segments,
        "batches": report.batches,
        "records": report.records,
        "bytes": report.bytes,
        **({"remote": True} if report.is_remote else {}),
        **_account_json(report.account),
    }


def _account_json(account: Account) -> dict[str, Any]:
    """The fields of a `partition` line that say what is wrong, in numbers."""
    cause = account.cause
    return {
        "offsets": account.offsets,
        "gone": [list(each) for each in account.gone],
        "unreadable": [list(each) for each in account.unreadable],
        "unreadable_bytes": account.unreadable_bytes,
        "repairable": [list(each) for each in account.repairable],
        "at_most": account.at_most,
        "cleaned": account.cleaned,
        "uncounted": list(account.uncounted),
        "unreached": [list(each) for each in account.unreached],
        "skipped": [list(each) for each in account.skipped],
        "starts": [
            {
                "stop": start.stop,
                "release": start.release,
                "does": start.does,
                "records": start.records,
                "bytes": start.size,
                "is_harm": start.is_harm,
            }
            for start in account.starts
        ],
        "explained_by": None if cause is None else {"id": cause.id, "path": cause.path},
        "first_action": account.first_action,
        "more": [command.line for command in account.more],
    }


def _digests_json(digests: LogDigests) -> dict[str, Any]:
    return {"width": digests.width, "sums": [[number, f"{digest:016x}"] for number, digest in digests.sums]}


def _summary_json(report: Report) -> dict[str, Any]:
    partitions = report.partitions
    accounts = [partition.account for partition in partitions]
    subjects = subjects_of(report)
    account = subjects[0].account if subjects else Account()
    return {
        **report.counts,
        "verdict": report.verdict,
        "partitions": len(partitions),
        "segments": sum(partition.segments for partition in partitions),
        "files": report.files,
        "bytes": report.bytes,
        "batches": sum(partition.batches for partition in partitions),
        "records": sum(partition.records for partition in partitions),
        "damaged_partitions": sum(partition.verdict in DAMAGED for partition in partitions),
        "gone": sum(count_of(account.gone) for account in accounts),
        "unreadable": sum(count_of(account.unreadable) for account in accounts),
        "unreached": sum(count_of(account.unreached) for account in accounts),
        "skipped": sum(count_of(account.skipped) for account in accounts),
        "explained_by": None if account.cause is None else {"id": account.cause.id, "path": account.cause.path},
        "first_action": first_action_of(subjects),
        "more": [command.line for command in account.more],
        "suppressed": report.suppressed,
        "left_out": report.left_out,
        "not_checked": [{"path": item.path, "reason": item.reason} for item in report.not_checked],
        "unread": [item.path for item in report.not_checked if item.failed],
        "quick": report.quick,
        "hashes": dict(report.hashes),
        "now": report.now,
        "version": report.version,
    }
