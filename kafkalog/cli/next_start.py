"""`kafkalog next-start`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, show, write_json_lines
from kafkalog.core.release import release_text

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.errors import UnreadableFile
    from kafkalog.next_start.outcome import Outcome

__all__ = ["command"]

#: Of outcomes, worst first.
_SEVERITIES = ("error", "warning", "info")


@click.command(
    "next-start",
    cls=Command,
    examples=(
        ("/kafka/data", "a whole log dir"),
        ("--assume-stop unclean orders-0", "after a crash"),
        ("--kafka-version 4.0 /mnt/copy/data", "before an upgrade"),
    ),
    sections={"What is predicted": ("consumer",)},
)
@options.required_paths
@options.assume_stop
@options.recovery_point
@options.kafka_version("The release that starts")
@click.option(
    "--consumer/--no-consumer",
    default=None,
    show_default="with up to 64 MiB of logs",
    help="Also predict what consumers read after the start.",
)
@options.format_option()
@options.detail("Only what is lost, and what to do first.", "Also print what happens to all other partitions.")
@options.color
@options.fail_on(
    _SEVERITIES,
    "warning",
    "Least severity that makes the exit status 1. error: data or service is lost; warning: also what no healthy broker leaves; "
    "info: also a log that is cut or replaced without loss.",
)
@options.exit_zero
@options.jobs
@options.restraint
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    assume_stop: str,
    recovery_point: int | None,
    kafka_version: Release | None,
    consumer: bool | None,
    output_format: str,
    detail: str | None,
    color: str,
    fail_on: str,
    exit_zero: bool,
    jobs: int | None,
) -> int:
    """Show what the next start of a broker will do to log dirs and partition directories.

    Nothing is written. Exit status: 0 nothing at or above --fail-on; 1 data or service is lost (or what --fail-on says); 2
    usage; 3 a PATH is missing, or not all could be predicted.
    """
    from kafkalog.next_start.api import next_starts

    unreadable: list[UnreadableFile] = []
    outcomes = next_starts(
        paths,
        assume_stop=assume_stop,
        recovery_point=recovery_point,
        kafka_version="auto" if kafka_version is None else release_text(kafka_version),
        consumer=consumer,
        jobs=jobs,
        on_unreadable=unreadable.append,
    )
    with shown(paths, beside_output=output_format == "text"):
        made = [_print_json(outcome) if output_format == "jsonl" else outcome for outcome in outcomes]
    if output_format == "text" and (made or not unreadable):
        _print_text(made, paths, detail, color)
    status = max((_status(outcome, fail_on, exit_zero=exit_zero) for outcome in made), default=exit_status.OK)
    for error in unreadable:
        say(f"kafkalog: {error}")
    return exit_status.UNREADABLE if unreadable else status


def _print_json(outcome: Outcome) -> Outcome:
    from kafkalog.render.json_next_start import outcome_line

    write_json_lines([outcome_line(outcome)])
    sys.stdout.flush()
    return outcome


def _print_text(outcomes: list[Outcome], paths: tuple[str, ...], detail: str | None, color: str) -> None:
    from kafkalog.files.paths import trim
    from kafkalog.render.text_next_start import next_starts_text

    show(next_starts_text(outcomes, {trim(path) for path in paths}, detail=detail), color)


def _status(outcome: Outcome, fail_on: str, *, exit_zero: bool) -> int:
    if outcome.is_unknown:
        return exit_status.UNREADABLE
    failing = _SEVERITIES[: _SEVERITIES.index(fail_on) + 1]
    return exit_status.FINDINGS if outcome.severity in failing and not exit_zero else exit_status.OK
