"""`kafkalog groups`: what `__consumer_offsets` says about groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli.internal_options import EXIT_ZERO, FORMAT, PATHS, exit_status, parse_moment, write_json_lines, write_text
from kafkalog.cli.sizes import max_decompressed

if TYPE_CHECKING:
    from kafkalog.internal.moment import Moment

__all__ = ["command"]

SCHEMA = "kafkalog.groups/1"


@click.command("groups", short_help="Groups, their members and committed offsets.")
@PATHS
@click.option(
    "--at",
    metavar="OFFSET|TIME",
    callback=parse_moment,
    help="State after this offset, or at this time (ISO 8601, or @ and epoch milliseconds); else at the end.",
)
@FORMAT
@EXIT_ZERO
@click.pass_context
@max_decompressed
def command(ctx: click.Context, /, *, paths: tuple[str, ...], at: Moment, output_format: str, exit_zero: bool) -> None:
    """Show the groups that __consumer_offsets knows: state, generation, members, last committed offsets.

    PATH is a log dir, a partition directory or a .log file. The other partitions found there tell how far each group lags
    behind the end of the log.
    """
    from kafkalog.internal.groups import read_groups

    found = read_groups(paths, at)
    if output_format == "jsonl":
        from kafkalog.internal.objects import group_lines

        write_json_lines(SCHEMA, group_lines(found))
    else:
        from kafkalog.render.internal_text import groups_text

        write_text(groups_text(found))
    ctx.exit(exit_status(len(found.notes), found.problems, exit_zero=exit_zero))
