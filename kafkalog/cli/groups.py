"""`kafkalog groups`: what `__consumer_offsets` says about groups."""

from __future__ import annotations

import time
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
from kafkalog.replay.until import END

if TYPE_CHECKING:
    from kafkalog.core.release import Release
    from kafkalog.replay.until import Moment

__all__ = ["command"]

SCHEMA = "kafkalog.groups/1"


@click.command("groups", short_help="Groups, their members and committed offsets.")
@PATHS
@click.option(
    "--at",
    metavar="OFFSET|TIME",
    callback=parse_moment,
    show_default="the end of the log",
    help="Show the state after this offset of __consumer_offsets, or at this time (ISO 8601, or @ and epoch milliseconds).",
)
@KAFKA_VERSION
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="warning",
    help="What makes the exit status 1. error: records that cannot be read or loaded; warning: committed offsets outside their "
    "log too; info: also those that another moment of the copy may explain, or whose topic is not there.",
)
@click.option(
    "--now",
    metavar="TIME",
    show_default="the system's clock",
    help="The present, by which offsets have expired: ISO 8601 or epoch milliseconds.",
)
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
    kafka_version: Release | None,
    fail_on: str,
    now: str | None,
    output_format: str,
    exit_zero: bool,
) -> None:
    """Show the groups that __consumer_offsets knows: state, generation, members, last committed offsets.

    PATH is a log dir, a partition directory or a .log file. The other partitions found there give the lag of each group.
    Records that the release's coordinator cannot load are reported first, with the groups that it then does not know.

    Exit status: 0 nothing that --fail-on names; 1 findings; 2 usage; 3 a PATH could not be read.
    """
    from kafkalog.cli.times import parse_time
    from kafkalog.replay.groups import read_groups
    from kafkalog.replay.logs import count_findings

    clock = time.time_ns() // 1_000_000 if now is None else parse_time(now, "--now")
    found = read_groups(paths, at)
    # What has expired since is no question about an earlier moment.
    asked = clock if at == END else None
    release_of = release_by(kafka_version)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import group_lines

        write_json_lines(SCHEMA, group_lines(found, release_of, asked))
    else:
        from kafkalog.render.internal_text import groups_text

        write_text(groups_text(found, release_of, now=asked, given=kafka_version is not None))
    unloaded = sum(load.failure(release_of(load.path)) is not None for load in found.loads)
    outside = {"error": [], "warning": [commit for commit in found.out_of_range if commit.is_of_one_moment]}
    told = outside.get(fail_on, [*found.out_of_range, *found.without_topic])
    findings = count_findings(found.notes) + unloaded + len(told)
    ctx.exit(exit_status(findings, found.problems, exit_zero=exit_zero))
