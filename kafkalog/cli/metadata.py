"""`kafkalog metadata`: the cluster as `__cluster_metadata` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from kafkalog.cli import options
from kafkalog.cli.command import Command
from kafkalog.cli.progress import shown
from kafkalog.cli.replay_output import status_of
from kafkalog.cli.streams import show, write_json_lines

if TYPE_CHECKING:
    from kafkalog.replay.until import Until

__all__ = ["command"]


@click.command(
    "metadata",
    cls=Command,
    examples=(
        ("/kafka/data", "as it is at the end"),
        ("--at 1200 __cluster_metadata-0", "after offset 1200"),
        ("--diff 1200 1300 __cluster_metadata-0", "what changed"),
    ),
    sections={"What is shown": ("until", "diff")},
)
@options.required_paths
@options.at("the metadata")
@click.option(
    "--diff",
    nargs=2,
    type=options.OFFSET_OR_TIME,
    metavar="A B",
    help="Show what changed from offset or time A to offset or time B.",
)
@options.format_option()
@options.exit_zero
@options.color
@options.max_decompressed
@options.max_spool
def command(
    *,
    paths: tuple[str, ...],
    until: Until,
    diff: tuple[Until, Until] | None,
    output_format: str,
    exit_zero: bool,
    color: str,
) -> int:
    """Show the cluster's metadata, replayed from a snapshot and the log of __cluster_metadata.

    PATH is a log dir, the directory of __cluster_metadata-0, or one of its .log and .checkpoint files.

    Exit status: 0; 1 records that cannot be read or replayed; 2 usage; 3 a PATH is missing or cannot be read.
    """
    from kafkalog.core.filename import is_metadata_log
    from kafkalog.replay.logs import count_findings
    from kafkalog.replay.metadata import read_metadata
    from kafkalog.replay.until import END

    if diff and until != END:
        raise click.UsageError("--at and --diff exclude each other")
    if diff:
        with shown(paths, counts=is_metadata_log):
            before, after = (read_metadata(paths, end) for end in diff)
        if output_format == "jsonl":
            from kafkalog.render.json_replay import change_lines

            write_json_lines(change_lines(before, after))
        else:
            from kafkalog.render.text_metadata import change_text

            show(change_text(before, after), color)
        findings = count_findings((*before.notes, *after.notes))
        return status_of(findings, (*before.problems, *after.problems), exit_zero=exit_zero)
    with shown(paths, counts=is_metadata_log):
        found = read_metadata(paths, until)
    if output_format == "jsonl":
        from kafkalog.render.json_replay import metadata_lines

        write_json_lines(metadata_lines(found))
    else:
        from kafkalog.render.text_metadata import metadata_text

        show(metadata_text(found), color)
    return status_of(count_findings(found.notes), found.problems, exit_zero=exit_zero)
