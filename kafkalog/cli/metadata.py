"""`kafkalog metadata`: the cluster as `__cluster_metadata` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli.options import EXIT_ZERO, FORMAT, PATHS, exit_status, parse_moment, write_json_lines, write_text
from kafkalog.cli.sizes import max_decompressed

if TYPE_CHECKING:
    from kafkalog.replay.until import Moment

__all__ = ["command"]

SCHEMA = "kafkalog.metadata/1"


def _parse_pair(ctx: click.Context, parameter: click.Parameter, value: tuple[str, str] | None) -> tuple[Moment, ...]:
    return tuple(parse_moment(ctx, parameter, text) for text in value or ())


@click.command("metadata", short_help="The cluster's metadata: topics, partitions, brokers, settings.")
@PATHS
@click.option(
    "--at",
    metavar="OFFSET|TIME",
    callback=parse_moment,
    show_default="the end of the log",
    help="Show the metadata after this offset, or at this time (ISO 8601, or @ and epoch milliseconds).",
)
@click.option(
    "--diff",
    nargs=2,
    metavar="A B",
    callback=_parse_pair,
    help="Show what changed from offset or time A to offset or time B.",
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
    diff: tuple[Moment, ...],
    output_format: str,
    exit_zero: bool,
) -> None:
    """Show the cluster's metadata, replayed from a snapshot and the log of __cluster_metadata.

    PATH is a log dir, the directory of __cluster_metadata-0, or one of its .log and .checkpoint files.

    Exit status: 0; 1 records that cannot be read or replayed; 2 usage; 3 a PATH could not be read.
    """
    from kafkalog.replay.logs import count_findings
    from kafkalog.replay.metadata import read_metadata
    from kafkalog.replay.until import END

    if diff and at != END:
        raise click.UsageError("--at and --diff exclude each other")
    if diff:
        before, after = (read_metadata(paths, moment) for moment in diff)
        if output_format == "jsonl":
            from kafkalog.render.json_replay import change_lines

            write_json_lines(SCHEMA, change_lines(before, after))
        else:
            from kafkalog.render.internal_text import change_text

            write_text(change_text(before, after))
        notes, problems = (*before.notes, *after.notes), (*before.problems, *after.problems)
        ctx.exit(exit_status(count_findings(notes), problems, exit_zero=exit_zero))
    found = read_metadata(paths, at)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import metadata_lines

        write_json_lines(SCHEMA, metadata_lines(found))
    else:
        from kafkalog.render.internal_text import metadata_text

        write_text(metadata_text(found))
    ctx.exit(exit_status(count_findings(found.notes), found.problems, exit_zero=exit_zero))
