"""`--max-findings`, `--only` and `--max-partitions`: which of many partitions a report shows, and how it is printed."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from kafkalog.cli.judging import items_of
from kafkalog.cli.streams import show, write_json_lines
from kafkalog.errors import RequestError
from kafkalog.render.ceilings import MOST_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafkalog.verify import Report

__all__ = ["Shown", "shown_partitions"]


class Shown(NamedTuple):
    """What of a report is shown."""

    max_findings: int | None
    verdicts: tuple[str, ...]
    max_partitions: int

    def print(self, report: Report, output_format: str, *, detail: str | None, color: str) -> None:
        """Print what verify found, as the options ask."""
        if output_format == "jsonl":
            from kafkalog.render.json_verify import report_json_lines

            write_json_lines(report_json_lines(report, self.verdicts))
            return
        from kafkalog.render.text_verify import report_text

        text = report_text(
            report, detail=detail, max_findings=self.max_findings, only=self.verdicts, max_partitions=self.max_partitions
        )
        show(text, color)


def shown_partitions(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets `shown`."""

    @wraps(command)
    def asked(*, max_findings: int | None, only: tuple[str, ...], max_partitions: int, **values: Any) -> Any:
        return command(shown=Shown(max_findings, _verdicts(only), max_partitions), **values)

    most = click.option(
        "--max-partitions",
        type=click.IntRange(0),
        default=MOST_PARTITIONS,
        metavar="N",
        help="Text: tell at most N damaged partitions in full, the worst.",
    )(asked)
    verdicts = click.option(
        "--only",
        multiple=True,
        metavar="VERDICT,...",
        help="Show only partitions of these verdicts: data-loss, damaged, unknown, benign, clean.",
    )(most)
    rules = "Text: at most N rules per partition."
    return click.option("--max-findings", type=click.IntRange(0), metavar="N", help=rules)(verdicts)


def _verdicts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `--only`; all without it."""
    from kafkalog.core.suggestion import did_you_mean
    from kafkalog.verify.report import VERDICTS

    found = tuple(items_of(values))
    for name in found:
        if name not in VERDICTS:
            raise RequestError(f"--only {name!r} is none of {', '.join(VERDICTS)}.{did_you_mean(name, VERDICTS)}")
    return found or VERDICTS
