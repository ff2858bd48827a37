"""`kafkalog merge`: what verify found on many hosts, as one report."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import completion, options
from kafkalog.cli.command import Command
from kafkalog.cli.judging import exit_status_of
from kafkalog.cli.shown_partitions import Shown, shown_partitions
from kafkalog.errors import RequestError

if TYPE_CHECKING:
    from kafkalog.render.merged_report import Run

__all__ = ["command"]

_GZIP = b"\x1f\x8b"


@click.command(
    "merge",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("broker1.jsonl broker2.jsonl", "one report of two hosts"),
        ("-q east=a/out.jsonl west=b/out.jsonl", "with names of your own"),
        ("--format jsonl *.jsonl", "for programs"),
    ),
    sections={"Output": ("output_format", "quiet", "verbose", "max_findings")},
)
@click.argument("files", nargs=-1, required=True, metavar="[NAME=]FILE...", shell_complete=completion.files)
@options.format_option()
@options.detail("Only what is wrong, what it costs, what to do.", "Also info findings and sound partitions.")
@options.color
@shown_partitions
@options.fail_on(("error", "warning", "info", "never"), "warning", "Least severity that makes the exit status 1.")
@options.exit_zero
def command(
    *,
    files: tuple[str, ...],
    output_format: str,
    detail: str | None,
    color: str,
    shown: Shown,
    fail_on: str,
    exit_zero: bool,
) -> int:
    """Make one report of what `verify --format jsonl` printed on many hosts.

    Summary and exit status are those of one run over everything. FILE may be -, standard input. Where hosts have the same
    paths, NAME (by default the name of FILE) stands before them.
    """
    from kafkalog.render.merged_report import merged_report

    report = merged_report([_run(word) for word in files])
    shown.print(report, output_format, detail=detail, color=color)
    sys.stdout.flush()
    return exit_status_of(report, fail_on, exit_zero=exit_zero)


def _run(word: str) -> Run:
    """A run, and what it is called."""
    from kafkalog.files.source import read_file
    from kafkalog.files.urls import shown
    from kafkalog.render.merged_report import Run

    name, equals, path = word.partition("=")
    if not equals or "/" in name:
        path, name = word, os.path.basename(word).removesuffix(".jsonl")
    data = sys.stdin.buffer.read() if path == "-" else read_file(shown(path))
    if data.startswith(_GZIP):
        raise RequestError(f"{shown(path)} is compressed: unpack it first, as gunzip does")
    return Run("stdin" if name == "-" else name, data.decode("utf-8", "surrogateescape"))
