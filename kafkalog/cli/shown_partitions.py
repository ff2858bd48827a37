"""`--only` and `--max-partitions`: which of many partitions a report shows."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from kafkalog.cli.judging import items_of
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["shown_partitions"]


def shown_partitions(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets `verdicts` and `max_partitions`."""

    @wraps(command)
    def asked(*, only: tuple[str, ...], **values: Any) -> Any:
        return command(verdicts=_verdicts(only), **values)

    most = click.option(
        "--max-partitions",
        type=click.IntRange(0),
        default=20,
        metavar="N",
        help="Text: tell at most N damaged partitions in full, the worst.",
    )(asked)
    return click.option(
        "--only",
        multiple=True,
        metavar="VERDICT,...",
        help="Show only partitions of these verdicts: data-loss, damaged, unknown, benign, clean.",
    )(most)


def _verdicts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `--only`; all without it."""
    from kafkalog.core.suggestion import did_you_mean
    from kafkalog.verify.report import VERDICTS

    found = tuple(items_of(values))
    for name in found:
        if name not in VERDICTS:
            raise RequestError(f"--only {name!r} is none of {', '.join(VERDICTS)}.{did_you_mean(name, VERDICTS)}")
    return found or VERDICTS
