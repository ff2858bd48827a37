"""`kafkalog info`: what is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, write_json_lines
from kafkalog.errors import UnreadableFile

if TYPE_CHECKING:
    from kafkalog.info.values import Description

__all__ = ["command"]


@click.command(
    "info",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("/kafka/data", "a row for each partition"),
        ("--sort size orders-0", "a row for each segment"),
        ("--full --format jsonl /kafka/data", "all batches"),
    ),
    sections={"What is shown": ("segments", "sort"), "What is read": ("full",)},
)
@options.required_paths
@click.option("--full", is_flag=True, help="Go over all batches, whatever the size of the logs.")
@click.option(
    "--segments/--no-segments",
    "segments",
    default=None,
    show_default="those of a partition directory, not of a log dir",
    help="Show the segments of each partition.",
)
@click.option(
    "--sort",
    type=click.Choice(["name", "size", "records", "time"]),
    default="name",
    help="Order of the rows: by name (segments: by offset), or the largest, the newest first.",
)
@options.format_option()
@options.color
@options.max_spool
def command(*, paths: tuple[str, ...], full: bool, segments: bool | None, sort: str, output_format: str, color: str) -> int:
    """Show what is in log dirs, partition directories and segments: offsets, records, sizes, times, codecs, epochs.

    Nothing is judged: that is what verify does. Logs of up to 32 MiB together are gone over batch by batch; of larger ones
    the first batch of each segment is read and those after its last index entry, and what was not read is said.

    Exit status: 0; 2 usage; 3 a PATH is missing, or not all could be read.
    """
    from kafkalog.info.api import describe
    from kafkalog.info.values import NotRead
    from kafkalog.render.screen import Screen
    from kafkalog.render.text_info import description_items, totals_items

    screen = Screen.of(sys.stdout, color)
    found: list[Description] = []
    not_read: list[NotRead] = []
    for path in paths:
        try:
            # By the ends alone nobody knows how much there is to read.
            with shown([path] if full else []):
                described = describe(path, full=full or None)
        except UnreadableFile as error:
            not_read.append(NotRead(error.path, error.reason))
            continue
        found.append(described)
        not_read += described.not_read
        with_segments = described.kind != "log dir" if segments is None else segments
        if output_format == "jsonl":
            from kafkalog.render.json_info import description_lines

            write_json_lines(description_lines(described, with_segments=with_segments))
        else:
            screen.show([""] if len(found) > 1 else [])
            screen.show(description_items(described, with_segments=with_segments, sort=sort, width=screen.width))
    if output_format == "jsonl":
        from kafkalog.render.json_info import info_summary

        write_json_lines([info_summary(found, not_read)])
    elif found:
        screen.show(totals_items(found))
    for problem in not_read:
        say(f"kafkalog: {problem.path}: {problem.reason}")
    return exit_status.UNREADABLE if not_read else exit_status.OK
