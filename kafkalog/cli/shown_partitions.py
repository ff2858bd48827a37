"""`--only` and `--max-partitions`: which of many partitions a report shows, and how it is printed."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from kafkalog.cli.judging import items_of
from kafkalog.cli.streams import show, write_json_lines
from kafkalog.errors import RequestError
from kafkalog.render.ceilings import MOST_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.verify import Report

__all__ = ["print_report", "shown_partitions"]


def shown_partitions(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets `verdicts` and `max_partitions`."""

    @wraps(command)
    def asked(*, only: tuple[str, ...], **values: Any) -> Any:
        return command(verdicts=_verdicts(only), **values)

    most = click.option(
        "--max-partitions",
        type=click.IntRange(0),
        default=MOST_PARTITIONS,
        metavar="N",
        help="Text: tell at most N damaged partitions in full, the worst.",
    )(asked)
    return click.option(
        "--only",
        multiple=True,
        metavar="VERDICT,...",
        help="Show only partitions of these verdicts: data-loss, damaged, unknown, benign, clean.",
    )(most)


def print_report(
    report: Report,
    output_format: str,
    *,
    detail: str | None,
    color: str,
    max_findings: int | None,
    verdicts: tuple[str, ...],
    max_partitions: int,
) -> None:
    """Print what verify found, as the options ask."""
    if output_format == "jsonl":
        from kafkalog.render.json_verify import report_json_lines

        write_json_lines(report_json_lines(report, verdicts))
    else:
        from kafkalog.render.text_verify import report_text

        text = report_text(report, detail=detail, max_findings=max_findings, only=verdicts, max_partitions=max_partitions)
        show(text, color)


def _verdicts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `--only`; all without it."""
    from kafkalog.core.suggestion import did_you_mean
    from kafkalog.verify.report import VERDICTS

    found = tuple(items_of(values))
    for name in found:
        if name not in VERDICTS:
            raise RequestError(f"--only {name!r} is none of {', '.join(VERDICTS)}.{did_you_mean(name, VERDICTS)}")
    return found or VERDICTS
