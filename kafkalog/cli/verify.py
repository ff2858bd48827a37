"""`kafkalog verify`: whether a directory is sound."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import judging as judgings
from kafkalog.cli import options
from kafkalog.cli.command import Command
from kafkalog.cli.early_word import EarlyWord
from kafkalog.cli.judging import judged, say_unread, unread_of
from kafkalog.cli.shown_partitions import Shown, shown_partitions

if TYPE_CHECKING:
    from kafkalog.cli.judging import Judging
    from kafkalog.files.intake import As

__all__ = ["command"]


@click.command(
    "verify",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("/kafka/data", "a whole log dir"),
        ("--quick /mnt/copy/orders-0", "checksums, but no records"),
        ("--format jsonl orders-0", "for programs"),
    ),
    sections={
        "What is checked": judgings.WHAT,
        "Which findings": (*judgings.FINDINGS, "max_findings"),
        "What is assumed": (),
        "Output": ("output_format", "quiet", "verbose", "hash_inputs"),
    },
)
@options.required_paths
@options.read_as
@options.format_option()
@options.detail(
    "Only what is wrong, what it costs, what to do.",
    "Also info findings, bytes, sound partitions.",
)
@options.color
@shown_partitions
@judged
def command(
    *,
    paths: tuple[str, ...],
    read_as: As | None,
    output_format: str,
    detail: str | None,
    color: str,
    shown: Shown,
    judging: Judging,
) -> int:
    """Check files, partition directories and log dirs, and report what is wrong, what it costs and what to do.

    Exit status: 0 nothing at or above --fail-on; 1 findings; 2 usage; 3 not all was read, or a PATH is missing.
    """
    paths = options.named_paths(paths, read_as)
    report = judging.report(paths, EarlyWord())
    unread = unread_of(report, paths)
    has_looked = report.partitions or report.findings or report.files or report.left_out
    if output_format == "jsonl" or has_looked or len(unread) < len(report.not_checked):
        shown.print(report, output_format, detail=detail, color=color)
    sys.stdout.flush()
    say_unread(unread)
    return judging.exit_status(report)
