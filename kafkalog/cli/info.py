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
    from collections.abc import Iterator

    from kafkalog.files.intake import As
    from kafkalog.info.values import Description, NotRead

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
    sections={"What is shown": ("segments", "sort"), "What is read": ("read_as", "full")},
)
@options.required_paths
@options.read_as
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
    type=options.choice(["name", "size", "records", "time"]),
    default="name",
    help="Order of the rows: by name (segments: by offset), or the largest, the newest first.",
)
@options.format_option()
@options.color
@options.aiven_key
@options.max_spool
def command(
    *, paths: tuple[str, ...], read_as: As | None, full: bool, segments: bool | None, sort: str, output_format: str, color: str
) -> int:
    """Show what is in log dirs, partition directories and segments: offsets, records, sizes, times, codecs, epochs.

    Nothing is judged: that is what verify does. Logs of up to 32 MiB together are gone over batch by batch; of larger ones
    the first batch of each segment is read and those after its last index entry, and what was not read is said.

    Exit status: 0; 2 usage; 3 a PATH is missing, or not all could be read.
    """
    not_read: list[NotRead] = []
    described = _described(paths, read_as, not_read, full=full)
    if output_format == "jsonl":
        from kafkalog.render.json_info import info_lines

        write_json_lines(info_lines(described, not_read, with_segments=segments))
    else:
        from kafkalog.render.screen import Screen
        from kafkalog.render.text_info import info_items

        screen = Screen.of(sys.stdout, color)
        screen.show(info_items(described, with_segments=segments, sort=sort, width=screen.width))
    for problem in not_read:
        say(f"kafkalog: {problem.path}: {problem.reason}")
    return exit_status.UNREADABLE if not_read else exit_status.OK


def _described(paths: tuple[str, ...], read_as: As | None, not_read: list[NotRead], *, full: bool) -> Iterator[Description]:
    """What is at each path that can be read; what cannot is added to `not_read`."""
    from kafkalog.info.api import describe
    from kafkalog.info.values import NotRead

    for given in paths:
        try:
            (path,) = options.named_paths((given,), read_as)
            # By the ends alone nobody knows how much there is to read.
            with shown([path] if full else None):
                found = describe(path, full=full or None)
        except UnreadableFile as error:
            not_read.append(NotRead(error.path, error.reason))
            continue
        not_read += found.not_read
        yield found
