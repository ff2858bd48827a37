"""`kafkalog groups`: what `__consumer_offsets` says about groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli.internal_options import (
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

if TYPE_CHECKING:
    from kafkalog.core.release import Release
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
@KAFKA_VERSION
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning"]),
    default="warning",
    show_default=True,
    help="Exit 1 for what cannot be read or loaded (error), or for committed offsets outside their log, too (warning).",
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
    output_format: str,
    exit_zero: bool,
) -> None:
    """Show the groups that __consumer_offsets knows: state, generation, members, last committed offsets.

    PATH is a log dir, a partition directory or a .log file. The other partitions found there tell how far each group lags
    behind the end of the log. What the release's coordinator cannot load is said first, with the groups that go with it.
    """
    from kafkalog.internal.groups import read_groups

    found = read_groups(paths, at)
    release_of = release_by(kafka_version)
    if output_format == "jsonl":
        from kafkalog.internal.objects import group_lines

        write_json_lines(SCHEMA, group_lines(found, release_of))
    else:
        from kafkalog.render.internal_text import groups_text

        write_text(groups_text(found, release_of, given=kafka_version is not None))
    unloaded = sum(load.failure(release_of(load.path)) is not None for load in found.loads)
    findings = len(found.notes) + unloaded + (len(found.out_of_range) if fail_on == "warning" else 0)
    ctx.exit(exit_status(findings, found.problems, exit_zero=exit_zero))
