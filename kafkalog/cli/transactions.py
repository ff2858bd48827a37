"""`kafkalog transactions`: what `__transaction_state` and the partitions say about transactions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import click

from kafkalog.cli.options import (
    EXIT_ZERO,
    FORMAT,
    KAFKA_VERSION,
    PATHS,
    exit_status,
    parse_moment,
    release_by,
    write_json_lines,
    write_text,
)
from kafkalog.cli.sizes import max_decompressed

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.replay.transactions import AbortedTransaction
    from kafkalog.replay.until import Moment

__all__ = ["command"]

SCHEMA = "kafkalog.transactions/1"
#: Aborted transactions in a table, the last ones: people read no more.
SHOWN = 1000


@click.command("transactions", short_help="Transactional ids; open, hanging and aborted transactions.")
@PATHS
@click.option(
    "--at",
    metavar="OFFSET|TIME",
    callback=parse_moment,
    show_default="the end of the log",
    help="Show the state after this offset of __transaction_state, or at this time (ISO 8601, or @ and epoch milliseconds).",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    help="What makes the exit status 1. error: records that cannot be read or loaded; warning: hanging transactions too.",
)
@KAFKA_VERSION
@FORMAT
@EXIT_ZERO
@click.pass_context
@max_decompressed
def command(
    ctx: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    at: Moment,
    fail_on: str,
    kafka_version: Release | None,
    output_format: str,
    exit_zero: bool,
) -> None:
    """Show the state of every transactional id, and the transactions in the partitions found beside it.

    PATH is a log dir, a partition directory or a .log file. A transaction that is open in a partition is hanging if no
    transactional id can end it any more; the command that ends it is shown.

    Exit status: 0 nothing that --fail-on names; 1 findings; 2 usage; 3 a PATH could not be read.
    """
    from kafkalog.replay.logs import count_findings
    from kafkalog.replay.transactions import read_transactions

    release_of = release_by(kafka_version)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import aborted_line, transaction_lines

        found = read_transactions(paths, at, on_aborted=lambda ended: write_json_lines(SCHEMA, [aborted_line(ended)]))
        write_json_lines(SCHEMA, transaction_lines(found, release_of))
    else:
        from kafkalog.render.internal_text import transactions_text

        aborted: deque[AbortedTransaction] = deque(maxlen=SHOWN)
        found = read_transactions(paths, at, on_aborted=aborted.append)
        write_text(transactions_text(found, aborted, release_of, given=kafka_version is not None))
    hanging = sum(begun.verdict == "hanging" for begun in found.open)
    unloaded = sum(load.failure(release_of(load.path)) is not None for load in found.loads)
    findings = count_findings(found.notes) + unloaded + (hanging if fail_on == "warning" else 0)
    ctx.exit(exit_status(findings, found.problems, exit_zero=exit_zero))
