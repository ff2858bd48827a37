"""`kafkalog transactions`: what `__transaction_state` and the partitions say about transactions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import click

from kafkalog.cli.internal_options import EXIT_ZERO, FORMAT, PATHS, exit_status, parse_moment, write_json_lines, write_text
from kafkalog.cli.sizes import max_decompressed

if TYPE_CHECKING:
    from kafkalog.internal.moment import Moment
    from kafkalog.internal.transactions import AbortedTransaction

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
    help="State after this offset of __transaction_state, or at this time (ISO 8601, or @ and epoch ms); else at the end.",
)
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="error",
    show_default=True,
    help="Exit 1 for records that cannot be read (error), or for hanging transactions, too (warning).",
)
@FORMAT
@EXIT_ZERO
@click.pass_context
@max_decompressed
def command(
    ctx: click.Context, /, *, paths: tuple[str, ...], at: Moment, fail_on: str, output_format: str, exit_zero: bool
) -> None:
    """Show the state of every transactional id, and the transactions in the partitions found beside it.

    PATH is a log dir, a partition directory or a .log file. A transaction that is open in a partition is hanging if no
    transactional id can end it any more; the command that does is shown.
    """
    from kafkalog.internal.transactions import read_transactions

    if output_format == "jsonl":
        from kafkalog.internal.objects import aborted_line, transaction_lines

        found = read_transactions(paths, at, on_aborted=lambda ended: write_json_lines(SCHEMA, [aborted_line(ended)]))
        write_json_lines(SCHEMA, transaction_lines(found))
    else:
        from kafkalog.render.internal_text import transactions_text

        aborted: deque[AbortedTransaction] = deque(maxlen=SHOWN)
        found = read_transactions(paths, at, on_aborted=aborted.append)
        write_text(transactions_text(found, aborted))
    hanging = sum(begun.verdict == "hanging" for begun in found.open)
    findings = len(found.notes) + (hanging if fail_on == "warning" else 0)
    ctx.exit(exit_status(findings, found.problems, exit_zero=exit_zero))
