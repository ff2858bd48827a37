"""`kafkalog timeline`: what happened when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from kafkalog.cli import exit_status, options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.streams import say, show, write_json_lines

if TYPE_CHECKING:
    from kafkalog.timeline.event import Timeline

__all__ = ["command"]


@click.command(
    "timeline",
    cls=Command,
    no_args_is_help=True,
    examples=(
        ("/kafka/data", "a broker"),
        ("broker-1 broker-2 broker-3", "a cluster"),
        ("--format timesketch /kafka/data", "for Timesketch, plaso"),
    ),
    sections={"Which events": ("since", "until", "kinds")},
)
@options.required_paths
@options.time_option("--since", "Events of this time or later")
@options.time_option("--until", "Events before this time")
@click.option("--kind", "kinds", multiple=True, metavar="KIND,...", help="Only these kinds: gap, damage, …")
@click.option(
    "--format",
    "output_format",
    type=options.choice(["text", "jsonl", "timesketch"]),
    default="text",
    help="Text, JSON lines, or JSON lines as Timesketch takes them.",
)
@options.now("The present; later timestamps tell no time")
@options.color
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    since: int | None,
    until: int | None,
    kinds: tuple[str, ...],
    output_format: str,
    now: int | None,
    color: str,
) -> int:
    """List what happened when, in the logs, log dirs and metadata of any number of brokers.

    Each line names the clock that its time comes from: record (the producer's), append (the broker's), controller,
    file-mtime. Clocks may differ.

    Exit status: 0; 2 usage; 3 a PATH is missing or cannot be read.
    """
    from kafkalog.timeline.api import timeline_of

    clock = int(time.time() * 1000) if now is None else now
    wanted = frozenset(word for text in kinds for word in text.split(",") if word)
    with shown(paths):
        found = timeline_of(paths, clock, since=since, until=until, kinds=wanted)
    _print(found, output_format, color)
    for path, reason in found.not_read:
        say(f"kafkalog: {path}: {reason}")
    return exit_status.UNREADABLE if found.not_read else exit_status.OK


def _print(found: Timeline, output_format: str, color: str) -> None:
    if output_format == "text":
        from kafkalog.render.text_timeline import timeline_text

        if found.events or not found.not_read:
            show(timeline_text(found), color)
        return
    from kafkalog.render.json_timeline import timeline_lines, timesketch_lines

    if output_format == "jsonl":
        write_json_lines(timeline_lines(found))
        return
    write_json_lines(timesketch_lines(found))
    without = sum(event.time is None for event in found.events)
    if without:
        say(f"kafkalog: {without} events without a time are left out: Timesketch takes none")
