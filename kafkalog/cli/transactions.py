"""`kafkalog transactions`: what `__transaction_state` and the partitions say about transactions."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import click

from kafkalog.cli import options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.replay_output import release_by, status_of
from kafkalog.cli.streams import show, write_json_lines

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.replay.transactions import AbortedTransaction
    from kafkalog.replay.until import Until

__all__ = ["command"]

#: Aborted transactions in a table, the last ones: people read no more.
_MOST_ABORTED = 1000


@click.command(
    "transactions",
    cls=Command,
    examples=(
        ("/kafka/data", "ids, open, hanging"),
        ("orders-0 __transaction_state-7", "with its coordinator"),
        ("--at 2024-05-01 /kafka/data", "as they were then"),
    ),
    sections={"What is shown": ("until", "aborted")},
)
@options.required_paths
@options.at("the state", "__transaction_state")
@options.fail_on(
    ("error", "warning"),
    "warning",
    "What makes the exit status 1. error: records that cannot be read or loaded; warning: hanging transactions too.",
)
@options.kafka_version("The release whose coordinator loads the topic")
@options.format_option()
@click.option("--aborted", is_flag=True, help=f"List the aborted transactions, the last {_MOST_ABORTED}. JSON lines have all.")
@options.exit_zero
@options.color
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    until: Until,
    fail_on: str,
    kafka_version: Release | None,
    output_format: str,
    aborted: bool,
    exit_zero: bool,
    color: str,
) -> int:
    """Show the state of every transactional id, and the transactions in the partitions found beside it.

    PATH is a log dir, a partition directory or a .log file. A transaction that is open in a partition is hanging if it is
    proven that no transactional id will end it any more; what it blocks and the command that ends it are shown.

    Exit status: 0 nothing that --fail-on names; 1 findings; 2 usage; 3 a PATH is missing or cannot be read.
    """
    from kafkalog.replay.logs import count_findings
    from kafkalog.replay.transactions import read_transactions

    release_of = release_by(kafka_version)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import aborted_line, transaction_lines

        with shown(paths, beside_output=False):
            found = read_transactions(paths, until, on_aborted=lambda ended: write_json_lines([aborted_line(ended)]))
        write_json_lines(transaction_lines(found, release_of))
    else:
        from kafkalog.render.text_transactions import transactions_text

        listed: deque[AbortedTransaction] = deque(maxlen=_MOST_ABORTED if aborted else 0)
        with shown(paths):
            found = read_transactions(paths, until, on_aborted=listed.append)
        show(transactions_text(found, listed, release_of, release_is_named=kafka_version is not None), color)
    hanging = sum(begun.verdict == "hanging" for begun in found.open)
    unloaded = sum(load.failure(release_of(load.path)) is not None for load in found.loads)
    findings = count_findings(found.notes) + unloaded + (hanging if fail_on == "warning" else 0)
    return status_of(findings, found.problems, exit_zero=exit_zero)
